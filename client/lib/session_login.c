#include "session_internal.h"

#include <stdlib.h>
#include <string.h>

#include "auth.pb-c.h"
#include "base/text.h"
#include "bus/unpack.h"
#include "crypto/arena.h"
#include "crypto/envelope.h"

/* Which factors a code has, the proof of it, and invitations to prove it. */

#define WRAPPED_ROOT_BYTES_ON SEALED_BYTES(WRAPPED_ROOT_BYTES)

enum status session_factors(struct session *self, const char *name,
    enum direction direction, struct code_wanted *out)
{
	Auth__Factors message = AUTH__FACTORS__INIT;
	Auth__FactorList *list;

	message.direction = (Common__Direction)direction;
	enum status st =
	    session_ask_named(self, AUTH__TYPE__FACTORS, name, &message.base,
		&message.name_sealed, &auth__factor_list__descriptor, &list);
	if (st != STATUS_OK)
		return st;
	if (!code_set_valid(list->factors))
		return session_refuse(self, STATUS_VERSION,
		    "the server asks for a factor that is not known here");
	out->factors = list->factors;
	out->own = list->own;
	return STATUS_OK;
}

/* What is to be proved, for what. */
struct attempt {
	const char *name;
	const struct code_factors *factors;
	enum direction direction;
};

/* A login under way: secret, in the arena. */
struct proof {
	struct opaque_login state;
	struct opaque_login_keys keys;
	uint8_t ke1[OPAQUE_KE1_BYTES];
	uint8_t ke3[OPAQUE_KE3_BYTES];
	uint8_t cookie[COOKIE_BYTES_MAX];
	size_t cookie_len;
	uint8_t wrap_key[KEY_BYTES];
	uint8_t wrapped_root[WRAPPED_ROOT_BYTES];
};

/* ${ke3} is the proof; empty: there is none. */
static enum status send_proof(struct session *self, const struct proof *proof,
    struct slice ke3, Auth__LoginDone **done_out)
{
	Auth__LoginFinish message = AUTH__LOGIN_FINISH__INIT;

	message.ke3 = field_of(ke3);
	message.cookie = field_of(slice_of(proof->cookie, proof->cookie_len));
	return session_ask(self, AUTH__TYPE__LOGIN_FINISH, (struct slice){ 0 },
	    &message.base, &auth__login_done__descriptor, done_out);
}

static const char *wrong_text(const struct attempt *attempt)
{
	unsigned int set = attempt->factors->set;

	if (attempt->direction == DIRECTION_BIND)
		return "wrong name or verification information";
	if (set == CODE_PASSWORD)
		return "wrong name or password";
	if (code_set_identifier_only(set))
		return "wrong name or identifier";
	return "wrong name, password or identifier";
}

static const char *wrong_advice(const struct attempt *attempt)
{
	unsigned int set = attempt->factors->set;

	if (attempt->direction == DIRECTION_BIND)
		return "check both: it is what was chosen when the account's "
		       "first terminal was bound";
	if (set == CODE_PASSWORD)
		return "check both; --name names another account";
	return "check --serial, --imei and --imsi as well: this terminal's "
	       "code has some of them in it ('keepsake code show'); the "
	       "account's password takes it away: keepsake code remove";
}

/*
 * The code is not the one: that is seen here, and told to the server, which
 * says how many tries are left.
 */
static enum status give_up(struct session *self, const struct attempt *attempt,
    const struct proof *proof)
{
	Auth__LoginDone *done;
	uint32_t tries = 0;
	enum status st = send_proof(self, proof, (struct slice){ 0 }, &done);

	if (st == STATUS_LOCKED)
		return st;
	if (st == STATUS_DENIED && session_tries_remaining(self, &tries) &&
	    tries == 0) {
		/* That was the last: the server has said what is shut. */
		session_advise(
		    self, session_advice_for(STATUS_LOCKED, LINK_UP));
		return st;
	}
	session_refuse(self, STATUS_DENIED, wrong_text(attempt));
	session_advise(self, wrong_advice(attempt));
	return STATUS_DENIED;
}

static enum status login_begin(struct session *self,
    const struct attempt *attempt, struct slice code, struct proof *proof)
{
	Auth__LoginBegin message = AUTH__LOGIN_BEGIN__INIT;
	Auth__LoginChallenge *challenge;
	enum status st = opaque_login_start(&proof->state, proof->ke1, code);

	if (st != STATUS_OK)
		return session_refuse(self, st, NULL);
	message.ke1 = field_of(slice_of(proof->ke1, OPAQUE_KE1_BYTES));
	message.direction = (Common__Direction)attempt->direction;
	st = session_ask_named(self, AUTH__TYPE__LOGIN_BEGIN, attempt->name,
	    &message.base, &message.name_sealed,
	    &auth__login_challenge__descriptor, &challenge);
	if (st != STATUS_OK)
		return st;
	if (challenge->cookie.len > COOKIE_BYTES_MAX)
		return session_refuse(
		    self, STATUS_MALFORMED, "a cookie too long");
	proof->cookie_len = challenge->cookie.len;
	if (challenge->cookie.len > 0)
		memcpy(proof->cookie, challenge->cookie.data,
		    challenge->cookie.len);
	st = opaque_login_finish(proof->ke3, &proof->keys, &proof->state,
	    &opaque_keepsake, session_enrolment(self)->auth_opaque, code,
	    field_slice(challenge->ke2));
	if (st == STATUS_DENIED)
		return give_up(self, attempt, proof);
	return st == STATUS_OK ? st : session_refuse(self, st, NULL);
}

/* Open the root key that came with the verdict, which is in ${login}. */
static enum status unwrap_root(struct session *self, struct proof *proof,
    struct slice wrapped, struct login *login)
{
	enum status st = STATUS_MALFORMED;

	if (wrapped.len == WRAPPED_ROOT_BYTES_ON)
		st = session_open(proof->wrapped_root, proof->keys.session_key,
		    SESSION_TO_TERMINAL, SESSION_LABEL_WRAPPED_ROOT, wrapped,
		    (struct slice){ 0 });
	if (st == STATUS_OK) {
		session_root_key(proof->wrap_key, proof->keys.export_key);
		st = seal_open(login->root, proof->wrap_key,
		    slice_of(proof->wrapped_root, WRAPPED_ROOT_BYTES),
		    slice_of(login->account.bytes, ID_BYTES));
	}
	if (st != STATUS_OK)
		return session_refuse(self, STATUS_MALFORMED,
		    "the account's key does not open: it is damaged, or not "
		    "as this program wrote it");
	return STATUS_OK;
}

static enum status login_finish(struct session *self,
    const struct attempt *attempt, struct proof *proof, struct login *login)
{
	Auth__LoginDone *done;
	enum status st = send_proof(
	    self, proof, slice_of(proof->ke3, OPAQUE_KE3_BYTES), &done);

	if (st == STATUS_DENIED)
		session_advise(self,
		    "'keepsake status' shows whose terminal this is: one "
		    "that is nobody's is bound by keepsake bind --serial "
		    "SERIAL; about anything else ask the operator");
	if (st != STATUS_OK)
		return st;
	if (done->ticket.len == 0 || done->ticket.len > TICKET_BYTES_MAX ||
	    id_from(&login->account, field_slice(done->account_id)) !=
		STATUS_OK)
		return session_refuse(self, STATUS_MALFORMED,
		    "the server's verdict lacks a ticket or an account");
	login->direction = attempt->direction;
	memcpy(login->ticket, done->ticket.data, done->ticket.len);
	login->ticket_len = done->ticket.len;
	login->expiry_ms = done->expiry_ms;
	login->verification_set = done->verification_set;
	/* Which codes open the key is known here, not believed. */
	login->has_root = attempt->direction != DIRECTION_BIND &&
			  (attempt->factors->set & CODE_PASSWORD);
	if (!login->has_root)
		return STATUS_OK;
	return unwrap_root(self, proof, field_slice(done->wrapped_root), login);
}

enum status session_login(struct session *self, const char *name,
    const struct code_factors *factors, enum direction direction,
    struct login **login_out)
{
	const struct attempt attempt = {
		.name = name,
		.factors = factors,
		.direction = direction,
	};
	struct code *code = NULL;
	void *memory = secret_new(sizeof(struct proof));
	struct proof *proof = memory;
	struct login *login = secret_new(sizeof(*login));
	enum status st = proof && login ? STATUS_OK : STATUS_NO_SPACE;

	if (st == STATUS_OK)
		st = code_new(&code, factors);
	if (st != STATUS_OK) {
		session_refuse_code(self, st);
		goto out;
	}
	st = login_begin(self, &attempt, code_text(code), proof);
	if (st == STATUS_OK)
		st = login_finish(self, &attempt, proof, login);
	if (st != STATUS_OK)
		goto out;
	*login_out = login;
	login = NULL;
out:
	login_destroy(&login);
	secret_destroy(&memory, sizeof(*proof));
	code_destroy(&code);
	return st;
}

void login_destroy(struct login **self_p)
{
	void *self = *self_p;

	secret_destroy(&self, sizeof(**self_p));
	*self_p = NULL;
}

struct slice login_ticket(const struct login *self)
{
	return slice_of(self->ticket, self->ticket_len);
}

/* ---- invitations ---- */

enum status session_invite(
    struct session *self, const struct login *login, struct invitation *out)
{
	const Auth__Empty message = AUTH__EMPTY__INIT;
	Auth__Invitation *invitation;
	enum status st = session_ask_sealed(self, AUTH__TYPE__INVITATION,
	    login_ticket(login), &message.base, &auth__invitation__descriptor,
	    &invitation);

	if (st != STATUS_OK)
		return st;
	if (invitation->code[0] == '\0' ||
	    !text_is_clean(slice_text(invitation->code)) ||
	    !text_copy(out->code, sizeof(out->code), invitation->code))
		return session_refuse(self, STATUS_MALFORMED,
		    "the server's invitation is not one");
	out->expiry_ms = invitation->expiry_ms;
	return STATUS_OK;
}

enum status session_ask_invitation(struct session *self, const char *name)
{
	Auth__Invite message = AUTH__INVITE__INIT;

	return session_ask_named(self, AUTH__TYPE__INVITE, name, &message.base,
	    &message.name_sealed, NULL, NULL);
}

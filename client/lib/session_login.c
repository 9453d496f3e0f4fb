#include "session_internal.h"

#include <stdlib.h>
#include <string.h>

#include "auth.pb-c.h"
#include "base/text.h"
#include "bus/unpack.h"
#include "crypto/arena.h"
#include "crypto/envelope.h"

/* Which factors a code has, and the proof of it. */

#define WRAPPED_ROOT_BYTES_ON SEALED_BYTES(WRAPPED_ROOT_BYTES)

enum status session_factors(
    struct session *self, const char *name, unsigned int *factors_out)
{
	Auth__Factors message = AUTH__FACTORS__INIT;
	Auth__FactorList *list;
	enum status st = session_ask_named(self, AUTH__TYPE__FACTORS,
	    slice_text(name), &message.base, &message.name_sealed,
	    &auth__factor_list__descriptor, &list);

	if (st == STATUS_OK && !code_set_valid(list->factors))
		st = session_refuse(self, STATUS_VERSION,
		    "the server asks for a factor that is not known here");
	if (st == STATUS_OK)
		*factors_out = list->factors;
	return st;
}

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

#define WRONG        "wrong name or password"
#define WRONG_ADVICE "check both; --name names another account"

/*
 * The password is wrong, as this side knows already: tell the server, which
 * counts the try either way, and says how many are left.
 */
static enum status give_up(struct session *self, const struct proof *proof)
{
	Auth__LoginFinish message = AUTH__LOGIN_FINISH__INIT;
	char detail[DETAIL_BYTES_MAX + 1] = WRONG;

	message.cookie = field_of(slice_of(proof->cookie, proof->cookie_len));
	enum status st = session_ask(self, AUTH__TYPE__LOGIN_FINISH,
	    (struct slice){ 0 }, &message.base, NULL, NULL);
	/* Where the server cannot be told it is still wrong. */
	if (st == STATUS_DENIED)
		text_copy(detail, sizeof(detail), session_detail(self));
	return session_refuse_with(self, STATUS_DENIED, detail, WRONG_ADVICE);
}

static enum status login_begin(struct session *self, const char *name,
    struct slice code, enum direction direction, struct proof *proof)
{
	Auth__LoginBegin message = AUTH__LOGIN_BEGIN__INIT;
	Auth__LoginChallenge *challenge;
	enum status st = opaque_login_start(&proof->state, proof->ke1, code);

	if (st != STATUS_OK)
		return session_refuse(self, st, NULL);
	message.ke1 = field_of(slice_of(proof->ke1, OPAQUE_KE1_BYTES));
	message.direction = (Common__Direction)direction;
	st = session_ask_named(self, AUTH__TYPE__LOGIN_BEGIN, slice_text(name),
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
		return give_up(self, proof);
	return st == STATUS_OK ? st : session_refuse(self, st, NULL);
}

/*
 * Open the root key that came with the verdict, which is in ${login}; a code
 * that opens none has nothing sealed.
 */
static enum status unwrap_root(struct session *self, struct proof *proof,
    struct slice wrapped, struct login *login)
{
	enum status st = STATUS_MALFORMED;

	login->has_root = wrapped.len == WRAPPED_ROOT_BYTES_ON;
	if (login->has_root || wrapped.len == SEALED_BYTES(0))
		st = session_open(proof->wrapped_root, proof->keys.session_key,
		    SESSION_TO_TERMINAL, SESSION_LABEL_WRAPPED_ROOT, wrapped,
		    (struct slice){ 0 });
	if (st == STATUS_OK && login->has_root) {
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

static enum status login_finish(
    struct session *self, struct proof *proof, struct login *login)
{
	Auth__LoginFinish message = AUTH__LOGIN_FINISH__INIT;
	Auth__LoginDone *done;

	message.ke3 = field_of(slice_of(proof->ke3, OPAQUE_KE3_BYTES));
	message.cookie = field_of(slice_of(proof->cookie, proof->cookie_len));
	enum status st =
	    session_ask(self, AUTH__TYPE__LOGIN_FINISH, (struct slice){ 0 },
		&message.base, &auth__login_done__descriptor, &done);
	if (st != STATUS_OK)
		return st;
	if (done->ticket.len == 0 || done->ticket.len > TICKET_BYTES_MAX ||
	    id_from(&login->account, field_slice(done->account_id)) !=
		STATUS_OK)
		return session_refuse(self, STATUS_MALFORMED,
		    "the server's verdict lacks a ticket or an account");
	memcpy(login->ticket, done->ticket.data, done->ticket.len);
	login->ticket_len = done->ticket.len;
	login->expiry_ms = done->expiry_ms;
	login->verification_set = done->verification_set;
	return unwrap_root(self, proof, field_slice(done->wrapped_root), login);
}

enum status session_login(struct session *self, const char *name,
    const struct code_factors *factors, enum direction direction,
    struct login **login_out)
{
	struct code *code = NULL;
	void *memory = secret_new(sizeof(struct proof));
	struct proof *proof = memory;
	struct login *login = secret_new(sizeof(*login));
	enum status st = proof && login ? STATUS_OK : STATUS_NO_SPACE;

	if (st == STATUS_OK)
		st = code_new(&code, factors);
	if (st != STATUS_OK) {
		session_refuse(self, st,
		    st == STATUS_MALFORMED
			? "a part of the code is empty, not text, or not of "
			  "its form"
			: NULL);
		goto out;
	}
	st = login_begin(self, name, code_text(code), direction, proof);
	if (st != STATUS_OK)
		goto out;
	login->direction = direction;
	st = login_finish(self, proof, login);
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

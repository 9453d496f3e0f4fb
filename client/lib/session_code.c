#include "session_internal.h"

#include <sodium.h>
#include <string.h>

#include "auth.pb-c.h"
#include "bus/unpack.h"
#include "crypto/arena.h"

/* Registration, and every other credential: what is proved later. */

/* A credential in the making: secret, in the arena. */
struct credential {
	struct opaque_registration state;
	uint8_t request[OPAQUE_REQUEST_BYTES];
	uint8_t record[OPAQUE_RECORD_BYTES];
	uint8_t export_key[OPAQUE_KEY_BYTES];
	uint8_t root[ACCOUNT_KEY_BYTES];
	uint8_t wrapped_root[WRAPPED_ROOT_BYTES];
	uint8_t cookie[COOKIE_BYTES_MAX];
	size_t cookie_len;
	struct id account;
	struct code *code;
};

static void credential_destroy(struct credential **self_p)
{
	void *self = *self_p;

	if (self)
		code_destroy(&(*self_p)->code);
	secret_destroy(&self, sizeof(**self_p));
	*self_p = NULL;
}

enum status session_refuse_code(struct session *self, enum status status)
{
	switch (status) {
	case STATUS_MALFORMED:
		session_refuse(self, status,
		    "a part of the code is empty, not text, or not of its "
		    "form");
		session_advise(self,
		    "a password is text; an IMEI has 15 digits, an IMSI 6 to "
		    "15, and nothing between them");
		return status;
	case STATUS_TOO_LARGE:
		session_refuse(self, status, "a part of the code is too long");
		session_advise(self,
		    "a password has at most 1024 bytes, a serial number 256");
		return status;
	default:
		return session_refuse(self, status, NULL);
	}
}

/* Begin one for ${factors}: its request may be sent then. */
static enum status credential_new(struct session *self,
    const struct code_factors *factors, struct credential **out)
{
	struct credential *made = secret_new(sizeof(*made));
	enum status st = STATUS_NO_SPACE;

	*out = made;
	if (made)
		st = code_new(&made->code, factors);
	if (st == STATUS_OK)
		st = opaque_registration_start(
		    &made->state, made->request, code_text(made->code));
	return st == STATUS_OK ? st : session_refuse_code(self, st);
}

/* Make record and export key from the server's answer. */
static enum status credential_take(struct session *self,
    struct credential *credential, const Auth__RegisterChallenge *challenge)
{
	enum status st = opaque_registration_finish(credential->record,
	    credential->export_key, &credential->state, &opaque_keepsake,
	    session_enrolment(self)->auth_opaque, code_text(credential->code),
	    field_slice(challenge->opaque_response));

	if (st == STATUS_DENIED)
		return session_refuse(
		    self, st, "the server is not the one of the enrolment");
	if (st == STATUS_OK && challenge->cookie.len > COOKIE_BYTES_MAX)
		st = STATUS_MALFORMED;
	if (st != STATUS_OK)
		return session_refuse(self, st, NULL);
	credential->cookie_len = challenge->cookie.len;
	if (challenge->cookie.len > 0)
		memcpy(credential->cookie, challenge->cookie.data,
		    challenge->cookie.len);
	return STATUS_OK;
}

static struct slice credential_cookie(const struct credential *self)
{
	return slice_of(self->cookie, self->cookie_len);
}

void session_root_key(uint8_t out[static KEY_BYTES],
    const uint8_t export_key[static OPAQUE_KEY_BYTES])
{
	key_derive(
	    out, export_key, SESSION_LABEL_WRAP_ROOT, (struct slice){ 0 });
}

static void wrap_root(struct credential *self, const struct id *account)
{
	uint8_t key[KEY_BYTES];

	session_root_key(key, self->export_key);
	seal(self->wrapped_root, key, slice_of(self->root, sizeof(self->root)),
	    slice_of(account->bytes, ID_BYTES));
	sodium_memzero(key, sizeof(key));
}

static enum status register_begin(
    struct session *self, const char *name, struct credential *credential)
{
	Auth__RegisterBegin message = AUTH__REGISTER_BEGIN__INIT;
	Auth__RegisterChallenge *challenge;

	message.name = (char *)name; /* protobuf-c only reads it */
	message.opaque_request =
	    field_of(slice_of(credential->request, OPAQUE_REQUEST_BYTES));
	enum status st = session_ask_sealed(self, AUTH__TYPE__REGISTER_BEGIN,
	    (struct slice){ 0 }, &message.base,
	    &auth__register_challenge__descriptor, &challenge);
	if (st == STATUS_OK)
		st = id_from(
		    &credential->account, field_slice(challenge->account_id));
	if (st == STATUS_OK)
		st = credential_take(self, credential, challenge);
	return st;
}

static enum status register_finish(struct session *self,
    const struct credential *credential, unsigned int factors,
    const struct account_keys *keys, struct id *account_out)
{
	Auth__RegisterFinish message = AUTH__REGISTER_FINISH__INIT;
	Auth__Registered *registered;

	message.cookie = field_of(credential_cookie(credential));
	message.opaque_record =
	    field_of(slice_of(credential->record, OPAQUE_RECORD_BYTES));
	message.factors = factors;
	message.wrapped_root =
	    field_of(slice_of(credential->wrapped_root, WRAPPED_ROOT_BYTES));
	message.account_key =
	    field_of(slice_of(keys->public_key, ACCOUNT_KEY_BYTES));
	enum status st = session_ask_sealed(self, AUTH__TYPE__REGISTER_FINISH,
	    (struct slice){ 0 }, &message.base, &auth__registered__descriptor,
	    &registered);
	if (st == STATUS_OK)
		st = id_from(account_out, field_slice(registered->account_id));
	if (st == STATUS_OK && !id_equal(account_out, &credential->account))
		st = session_refuse(self, STATUS_MALFORMED,
		    "the server changed its mind about the account's id");
	return st;
}

enum status session_register(struct session *self, const char *name,
    const struct code_factors *code, struct id *account_out)
{
	struct credential *credential = NULL;
	struct account_keys *keys = NULL;
	enum status st = credential_new(self, code, &credential);

	if (st == STATUS_OK)
		st = register_begin(self, name, credential);
	if (st != STATUS_OK)
		goto out;
	randombytes_buf(credential->root, sizeof(credential->root));
	wrap_root(credential, &credential->account);
	st = account_keys_new(&keys, &credential->account, credential->root);
	if (st != STATUS_OK) {
		session_refuse(self, st, NULL);
		goto out;
	}
	st = register_finish(self, credential, code->set, keys, account_out);
out:
	account_keys_destroy(&keys);
	credential_destroy(&credential);
	return st;
}

enum status session_set_verification(
    struct session *self, const struct login *login, struct slice verification)
{
	const struct code_factors factors = {
		.set = CODE_PASSWORD,
		.password = verification,
	};
	Auth__VerificationBegin begin = AUTH__VERIFICATION_BEGIN__INIT;
	Auth__VerificationFinish finish = AUTH__VERIFICATION_FINISH__INIT;
	Auth__RegisterChallenge *challenge;
	struct credential *credential = NULL;
	enum status st = credential_new(self, &factors, &credential);

	if (st != STATUS_OK)
		goto out;
	begin.opaque_request =
	    field_of(slice_of(credential->request, OPAQUE_REQUEST_BYTES));
	st = session_ask_sealed(self, AUTH__TYPE__VERIFICATION_BEGIN,
	    login_ticket(login), &begin.base,
	    &auth__register_challenge__descriptor, &challenge);
	if (st == STATUS_OK)
		st = credential_take(self, credential, challenge);
	if (st != STATUS_OK)
		goto out;
	finish.cookie = field_of(credential_cookie(credential));
	finish.opaque_record =
	    field_of(slice_of(credential->record, OPAQUE_RECORD_BYTES));
	st = session_ask_sealed(self, AUTH__TYPE__VERIFICATION_FINISH,
	    login_ticket(login), &finish.base, NULL, NULL);
out:
	credential_destroy(&credential);
	return st;
}

/* Put ${code} into ${slot}, with the root key wrapped under it. */
static enum status put_code(struct session *self, const struct login *login,
    const struct code_factors *code, Auth__CodeSlot slot)
{
	Auth__CodeBegin begin = AUTH__CODE_BEGIN__INIT;
	Auth__CodeFinish finish = AUTH__CODE_FINISH__INIT;
	Auth__RegisterChallenge *challenge;
	struct credential *credential = NULL;
	enum status st = credential_new(self, code, &credential);

	if (st != STATUS_OK)
		goto out;
	begin.slot = slot;
	begin.opaque_request =
	    field_of(slice_of(credential->request, OPAQUE_REQUEST_BYTES));
	st = session_ask_sealed(self, AUTH__TYPE__CODE_BEGIN,
	    login_ticket(login), &begin.base,
	    &auth__register_challenge__descriptor, &challenge);
	if (st == STATUS_OK)
		st = credential_take(self, credential, challenge);
	if (st == STATUS_OK && !login->has_root)
		st = session_refuse(self, STATUS_MALFORMED,
		    "the server asked for a code that opens no key");
	if (st != STATUS_OK)
		goto out;
	finish.slot = slot;
	finish.cookie = field_of(credential_cookie(credential));
	finish.opaque_record =
	    field_of(slice_of(credential->record, OPAQUE_RECORD_BYTES));
	finish.factors = code->set;
	/* Nothing that can be guessed without a password opens the key. */
	if (code->set & CODE_PASSWORD) {
		memcpy(credential->root, login->root, sizeof(credential->root));
		wrap_root(credential, &login->account);
		finish.wrapped_root = field_of(
		    slice_of(credential->wrapped_root, WRAPPED_ROOT_BYTES));
	}
	st = session_ask_sealed(self, AUTH__TYPE__CODE_FINISH,
	    login_ticket(login), &finish.base, NULL, NULL);
out:
	credential_destroy(&credential);
	return st;
}

enum status session_change_code(struct session *self, const struct login *login,
    const struct code_factors *code)
{
	return put_code(self, login, code, AUTH__CODE_SLOT__OWNER_CODE);
}

enum status session_set_own_code(struct session *self,
    const struct login *login, const struct code_factors *code)
{
	return put_code(self, login, code, AUTH__CODE_SLOT__TERMINAL_CODE);
}

enum status session_remove_own_code(
    struct session *self, const struct login *login)
{
	const Auth__Empty message = AUTH__EMPTY__INIT;

	return session_ask_sealed(self, AUTH__TYPE__CODE_REMOVE,
	    login_ticket(login), &message.base, NULL, NULL);
}

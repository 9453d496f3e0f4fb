#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "crypto/envelope.h"

#define REQUEST "a record"
#define REPLY   "a key that was released"
#define CONTEXT "request id, type"

static struct {
	uint8_t public_key[ENVELOPE_PUBLIC_BYTES];
	uint8_t secret_key[ENVELOPE_SECRET_BYTES];
	uint8_t sealed[ENVELOPE_REQUEST_BYTES(sizeof(REQUEST))];
	uint8_t opened[sizeof(REQUEST)];
	struct envelope_reply_key terminal_key, auth_key;
} it;

/** Seal one request to a new key pair of auth's. */
static void prepare(void)
{
	crypto_kx_keypair(it.public_key, it.secret_key);
	ck_assert_int_eq(
	    envelope_request_seal(it.sealed, &it.terminal_key, it.public_key,
		slice_of(REQUEST, sizeof(REQUEST)), slice_text(CONTEXT)),
	    STATUS_OK);
}

static enum status open_request(size_t len, const char *context)
{
	return envelope_request_open(it.opened, &it.auth_key, it.public_key,
	    it.secret_key, slice_of(it.sealed, len), slice_text(context));
}

START_TEST(there_and_back)
{
	uint8_t reply[ENVELOPE_REPLY_BYTES(sizeof(REPLY))];
	char opened[sizeof(REPLY)];

	prepare();
	ck_assert_int_eq(open_request(sizeof(it.sealed), CONTEXT), STATUS_OK);
	ck_assert_str_eq((const char *)it.opened, REQUEST);
	envelope_reply_seal(reply, &it.auth_key, slice_of(REPLY, sizeof(REPLY)),
	    slice_text(CONTEXT));
	ck_assert_int_eq(
	    envelope_reply_open((uint8_t *)opened, &it.terminal_key,
		slice_of(reply, sizeof(reply)), slice_text(CONTEXT)),
	    STATUS_OK);
	ck_assert_str_eq(opened, REPLY);
	ck_assert_int_eq(
	    envelope_reply_open((uint8_t *)opened, &it.terminal_key,
		slice_of(reply, sizeof(reply)), slice_text("another")),
	    STATUS_DENIED);
}
END_TEST

/** A request sent back as if it were the reply is refused. */
START_TEST(reflected)
{
	prepare();
	ck_assert_int_eq(envelope_reply_open(it.opened, &it.terminal_key,
			     slice_of(it.sealed + ENVELOPE_PUBLIC_BYTES,
				 sizeof(it.sealed) - ENVELOPE_PUBLIC_BYTES),
			     slice_text(CONTEXT)),
	    STATUS_DENIED);
}
END_TEST

START_TEST(refused)
{
	prepare();
	for (size_t i = 0; i < sizeof(it.sealed); i++) {
		it.sealed[i] ^= 1;
		ck_assert_int_eq(
		    open_request(sizeof(it.sealed), CONTEXT), STATUS_DENIED);
		it.sealed[i] ^= 1;
	}
	for (size_t len = 0; len < sizeof(it.sealed); len++)
		ck_assert_int_eq(open_request(len, CONTEXT),
		    len < ENVELOPE_REQUEST_EXTRA_BYTES ? STATUS_MALFORMED
						       : STATUS_DENIED);
	ck_assert_int_eq(
	    open_request(sizeof(it.sealed), "another"), STATUS_DENIED);
	ck_assert_int_eq(open_request(sizeof(it.sealed), CONTEXT), STATUS_OK);
}
END_TEST

/** X25519 ignores a key's top bit; the key derivation does not. */
START_TEST(top_bit)
{
	prepare();
	it.sealed[ENVELOPE_PUBLIC_BYTES - 1] ^= 128;
	ck_assert_int_eq(
	    open_request(sizeof(it.sealed), CONTEXT), STATUS_DENIED);
}
END_TEST

START_TEST(low_order)
{
	static const uint8_t zero[ENVELOPE_PUBLIC_BYTES];

	prepare();
	memset(it.sealed, 0, ENVELOPE_PUBLIC_BYTES);
	ck_assert_int_eq(
	    open_request(sizeof(it.sealed), CONTEXT), STATUS_MALFORMED);
	ck_assert_int_eq(
	    envelope_request_seal(it.sealed, &it.terminal_key, zero,
		slice_of(REQUEST, sizeof(REQUEST)), slice_text(CONTEXT)),
	    STATUS_MALFORMED);
}
END_TEST

/** Another pair of auth's, as after a theft of the gateway's key. */
START_TEST(other_pair)
{
	prepare();
	crypto_kx_keypair(it.public_key, it.secret_key);
	ck_assert_int_eq(
	    open_request(sizeof(it.sealed), CONTEXT), STATUS_DENIED);
}
END_TEST

/* clang-format off */
static const struct {
	const char *name;
	uint8_t key;		/* first byte of the session key */
	enum session_way way;
	const char *label, *context;
	enum status want;
} sessions[] = {
	{ "K-03 the same",         1, SESSION_TO_AUTH,     "escrow",  CONTEXT,   STATUS_OK },
	{ "K-03 another session",  2, SESSION_TO_AUTH,     "escrow",  CONTEXT,   STATUS_DENIED },
	{ "K-03 another way",      1, SESSION_TO_TERMINAL, "escrow",  CONTEXT,   STATUS_DENIED },
	{ "K-03 another label",    1, SESSION_TO_AUTH,     "escrow2", CONTEXT,   STATUS_DENIED },
	{ "K-03 another context",  1, SESSION_TO_AUTH,     "escrow",  "another", STATUS_DENIED },
};
/* clang-format on */

START_TEST(session)
{
	uint8_t session_key[OPAQUE_KEY_BYTES] = { 1 };
	uint8_t sealed[SEALED_BYTES(sizeof(REPLY))], opened[sizeof(REPLY)];

	session_seal(sealed, session_key, SESSION_TO_AUTH, "escrow",
	    slice_of(REPLY, sizeof(REPLY)), slice_text(CONTEXT));
	session_key[0] = sessions[_i].key;
	enum status got = session_open(opened, session_key, sessions[_i].way,
	    sessions[_i].label, slice_of(sealed, sizeof(sealed)),
	    slice_text(sessions[_i].context));
	ck_assert_msg(got == sessions[_i].want, "%s: got '%s', want '%s'",
	    sessions[_i].name, status_text(got),
	    status_text(sessions[_i].want));
	if (got == STATUS_OK)
		ck_assert_str_eq((const char *)opened, REPLY);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("envelope");
	TCase *envelopes = tcase_create("A-06 envelopes past the gateway");
	TCase *in_session = tcase_create("K-03 sealed under a session key");

	tcase_add_test(envelopes, there_and_back);
	tcase_add_test(envelopes, reflected);
	tcase_add_test(envelopes, refused);
	tcase_add_test(envelopes, top_bit);
	tcase_add_test(envelopes, low_order);
	tcase_add_test(envelopes, other_pair);
	tcase_add_loop_test(in_session, session, 0, (int)nitems(sessions));
	suite_add_tcase(suite, envelopes);
	suite_add_tcase(suite, in_session);

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

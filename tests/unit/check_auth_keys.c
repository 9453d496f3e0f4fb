#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "crypto/arena.h"
#include "crypto/auth_keys.h"

#define ARENA_BYTES 16384

static const uint8_t seed[AUTH_SEED_BYTES] = { 1, 2, 3 };

/* What ${seed} makes: changing it locks every account out. */
/* clang-format off */
#define X "x25519=31b9b270748beb38d3898c1ff11261a4b606b2353657dd53a75269b5d5284312"
#define O "opaque=962badf757bd9e9ae83fd410b122e76f6f099169cef3f108bb27dff1e2e61864"
#define T "ticket=d9acc343a296248e6d305e6a4aee01121480ee813f192d8d6b6144c60fac0a20"
/* clang-format on */
#define WANT X "\n" O "\n" T "\n"

static void setup(void)
{
	ck_assert_int_eq(arena_open(ARENA_BYTES), STATUS_OK);
}

START_TEST(same_for_good)
{
	struct auth_keys *keys = NULL, *again = NULL;
	struct auth_public public_keys;
	char text[AUTH_PUBLIC_TEXT_BYTES];

	ck_assert_int_eq(auth_keys_new(&keys, seed), STATUS_OK);
	ck_assert_int_eq(auth_keys_new(&again, seed), STATUS_OK);
	ck_assert_int_eq(memcmp(keys, again, sizeof(*keys)), 0);
	auth_keys_public(&public_keys, keys);
	auth_public_format(text, &public_keys);
	ck_assert_str_eq(text, WANT);
	auth_keys_destroy(&keys);
	auth_keys_destroy(&again);
	ck_assert_ptr_null(keys);
	auth_keys_destroy(&keys);
}
END_TEST

START_TEST(other_seed)
{
	uint8_t other[AUTH_SEED_BYTES] = { 1, 2, 4 };
	struct auth_keys *keys = NULL, *others = NULL;

	ck_assert_int_eq(auth_keys_new(&keys, seed), STATUS_OK);
	ck_assert_int_eq(auth_keys_new(&others, other), STATUS_OK);
#define DIFFERS(field) \
	ck_assert_mem_ne(keys->field, others->field, sizeof(keys->field))
	DIFFERS(opaque.oprf_seed);
	DIFFERS(opaque.secret_key);
	DIFFERS(opaque.public_key);
	DIFFERS(x25519_secret);
	DIFFERS(ticket_secret);
	DIFFERS(cookie_key);
	DIFFERS(names_key);
	DIFFERS(fake_record);
#undef DIFFERS
	ck_assert_mem_ne(keys->cookie_key, keys->names_key, KEY_BYTES);
	auth_keys_destroy(&keys);
	auth_keys_destroy(&others);
}
END_TEST

/** Each pair is one: what one half does, the other undoes. */
START_TEST(pairs_work)
{
	static const uint8_t message[] = "message";
	struct auth_keys *keys = NULL;
	uint8_t signature[crypto_sign_BYTES], point[OPAQUE_PUBLIC_BYTES];
	uint8_t sealed[ENVELOPE_REQUEST_BYTES(sizeof(message))];
	uint8_t opened[sizeof(message)];
	struct envelope_reply_key reply;

	ck_assert_int_eq(auth_keys_new(&keys, seed), STATUS_OK);
	crypto_sign_detached(
	    signature, NULL, message, sizeof(message), keys->ticket_secret);
	ck_assert_int_eq(crypto_sign_verify_detached(signature, message,
			     sizeof(message), keys->ticket_public),
	    0);
	ck_assert_int_eq(
	    envelope_request_seal(sealed, &reply, keys->x25519_public,
		slice_of(message, sizeof(message)), slice_text("")),
	    STATUS_OK);
	ck_assert_int_eq(envelope_request_open(opened, &reply,
			     keys->x25519_public, keys->x25519_secret,
			     slice_of(sealed, sizeof(sealed)), slice_text("")),
	    STATUS_OK);
	crypto_scalarmult_ristretto255_base(point, keys->opaque.secret_key);
	ck_assert_mem_eq(point, keys->opaque.public_key, sizeof(point));
	ck_assert_int_eq(opaque_record_check(slice_of(
			     keys->fake_record, sizeof(keys->fake_record))),
	    STATUS_OK);
	auth_keys_destroy(&keys);
}
END_TEST

START_TEST(arena_full)
{
	struct auth_keys *keys = NULL;
	void *all = secret_new(ARENA_BYTES);

	ck_assert_ptr_nonnull(all);
	ck_assert_int_eq(auth_keys_new(&keys, seed), STATUS_NO_SPACE);
	ck_assert_ptr_null(keys);
}
END_TEST

/* clang-format off */
/* clang-format off */
#define ZERO "0000000000000000000000000000000000000000000000000000000000000000"

static const struct { const char *name, *text; enum status want; const char *why; } texts[] = {
	{ "as written",         X "\n" O "\n" T "\n",           STATUS_OK,        NULL },
	{ "no last newline",    X "\n" O "\n" T,                STATUS_OK,        NULL },
	{ "empty",              "",                             STATUS_MALFORMED, "line 1 is not x25519= and 64 hex digits" },
	{ "two lines",          X "\n" O "\n",                  STATUS_MALFORMED, "line 3 is not ticket= and 64 hex digits" },
	{ "another order",      O "\n" X "\n" T "\n",           STATUS_MALFORMED, "line 1 is not x25519= and 64 hex digits" },
	{ "twice the same",     X "\n" X "\n" T "\n",           STATUS_MALFORMED, "line 2 is not opaque= and 64 hex digits" },
	{ "empty line",         X "\n\n" O "\n" T "\n",         STATUS_MALFORMED, "line 2 is not opaque= and 64 hex digits" },
	{ "digit more",         X "0\n" O "\n" T "\n",          STATUS_MALFORMED, "line 1 is not x25519= and 64 hex digits" },
	{ "no hex",             X "\n" O "\nticket=g" "000000000000000000000000000000000000000000000000000000000000000", STATUS_MALFORMED, "line 3 is not ticket= and 64 hex digits" },
	{ "carriage returns",   X "\r\n" O "\r\n" T "\r\n",     STATUS_MALFORMED, "line 1 is not x25519= and 64 hex digits" },
	{ "a fourth line",      X "\n" O "\n" T "\n" X "\n",    STATUS_MALFORMED, "there is more after line 3" },
	{ "an empty fourth",    X "\n" O "\n" T "\n\n",         STATUS_MALFORMED, "there is more after line 3" },
	{ "identity as OPAQUE", X "\nopaque=" ZERO "\n" T "\n", STATUS_MALFORMED, "opaque= is not an OPAQUE public key" },
};
/* clang-format on */

START_TEST(parsed)
{
	static const struct auth_public untouched;
	struct auth_public keys = { 0 };
	char text[AUTH_PUBLIC_TEXT_BYTES];
	const char *why = "unset";
	enum status got = auth_public_parse(&keys, texts[_i].text, &why);

	ck_assert_msg(got == texts[_i].want, "%s: got '%s', want '%s'",
	    texts[_i].name, status_text(got), status_text(texts[_i].want));
	ck_assert_pstr_eq(why, texts[_i].why);
	if (got == STATUS_OK) {
		auth_public_format(text, &keys);
		ck_assert_str_eq(text, WANT);
	} else {
		ck_assert_mem_eq(&keys, &untouched, sizeof(keys));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("auth_keys");
	TCase *keys = tcase_create("A-04 A-06 auth's keys from a seed");
	TCase *file = tcase_create("A-06 R-03 auth's public keys as text");

	tcase_add_checked_fixture(keys, setup, arena_close);
	tcase_add_test(keys, same_for_good);
	tcase_add_test(keys, other_seed);
	tcase_add_test(keys, pairs_work);
	tcase_add_test(keys, arena_full);
	tcase_add_loop_test(file, parsed, 0, (int)nitems(texts));
	suite_add_tcase(suite, keys);
	suite_add_tcase(suite, file);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

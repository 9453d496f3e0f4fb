#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "crypto/grant_proof.h"

/* The signature that a standing grant answers a challenge with. */

/* RFC 8032 clause 7.1, TEST 1 */
static const char seed_hex[] =
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
static const char key_hex[] =
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

static uint8_t seed[GRANT_SEED_BYTES], key[GRANT_PUBLIC_BYTES];

static void setup(void)
{
	ck_assert_int_ge(sodium_init(), 0);
	ck_assert_int_eq(hex_decode(seed, sizeof(seed), seed_hex), STATUS_OK);
	grant_public_key(key, seed);
}

static struct grant_claim some_claim(void)
{
	struct grant_claim claim = {
		.direction = DIRECTION_UPLOAD,
		.account = { { 1 } },
		.terminal = { { 2 } },
	};

	memset(claim.challenge, 3, sizeof(claim.challenge));
	memset(claim.peer, 4, sizeof(claim.peer));
	return claim;
}

START_TEST(key_of_a_seed)
{
	char hex[HEX_BYTES(GRANT_PUBLIC_BYTES)];

	hex_encode(hex, slice_of(key, sizeof(key)));
	ck_assert_str_eq(hex, key_hex);
	ck_assert_int_eq(
	    grant_public_check(slice_of(key, sizeof(key))), STATUS_OK);
}
END_TEST

START_TEST(signed_and_checked)
{
	struct grant_claim claim = some_claim();
	uint8_t signature[GRANT_SIGNATURE_BYTES];
	struct slice all = slice_of(signature, sizeof(signature));

	grant_sign(signature, &claim, seed);
	ck_assert_int_eq(grant_verify(&claim, key, all), STATUS_OK);
	for (size_t bit = 0; bit < 8 * sizeof(signature); bit++) {
		signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_msg(grant_verify(&claim, key, all) == STATUS_DENIED,
		    "bit %zu", bit);
		signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t len = 0; len < sizeof(signature); len++)
		ck_assert_int_eq(
		    grant_verify(&claim, key, slice_of(signature, len)),
		    STATUS_DENIED);
}
END_TEST

enum part { CHALLENGE, DIRECTION, ACCOUNT, TERMINAL, PEER, PART_COUNT };

/* A signature is for all that is in the claim. */
START_TEST(another_claim)
{
	struct grant_claim claim = some_claim();
	uint8_t signature[GRANT_SIGNATURE_BYTES];

	grant_sign(signature, &claim, seed);
	switch ((enum part)_i) {
	case CHALLENGE:
		claim.challenge[31] ^= 1;
		break;
	case DIRECTION:
		claim.direction = DIRECTION_DOWNLOAD;
		break;
	case ACCOUNT:
		claim.account.bytes[15] ^= 1;
		break;
	case TERMINAL:
		claim.terminal.bytes[0] ^= 1;
		break;
	case PEER:
	default:
		claim.peer[0] ^= 1;
		break;
	}
	ck_assert_int_eq(
	    grant_verify(&claim, key, slice_of(signature, sizeof(signature))),
	    STATUS_DENIED);
}
END_TEST

/* As docs/protocol.md has it. */
START_TEST(what_is_signed)
{
	struct grant_claim claim = some_claim();
	uint8_t signature[GRANT_SIGNATURE_BYTES], text[112] = { 0 };

	memcpy(text, "keepsake grant", 15);
	memset(text + 15, 3, 32);
	text[47] = 1;
	text[48] = 1;
	text[64] = 2;
	memset(text + 80, 4, 32);
	grant_sign(signature, &claim, seed);
	ck_assert_int_eq(
	    crypto_sign_verify_detached(signature, text, sizeof(text), key), 0);
}
END_TEST

static void count_from(uint8_t first, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(first + i);
}

/* The vector of docs/protocol.md, section 14. */
START_TEST(vector)
{
	struct grant_claim claim = { .direction = DIRECTION_UPLOAD };
	uint8_t signature[GRANT_SIGNATURE_BYTES];
	char hex[HEX_BYTES(GRANT_SIGNATURE_BYTES)];

	count_from(0, seed, sizeof(seed));
	count_from(0x20, claim.challenge, sizeof(claim.challenge));
	count_from(0xa0, claim.account.bytes, ID_BYTES);
	count_from(0xb0, claim.terminal.bytes, ID_BYTES);
	count_from(0xc0, claim.peer, sizeof(claim.peer));
	grant_public_key(key, seed);
	hex_encode(hex, slice_of(key, sizeof(key)));
	ck_assert_str_eq(hex, "03a107bff3ce10be1d70dd18e74bc099"
			      "67e4d6309ba50d5f1ddc8664125531b8");
	grant_sign(signature, &claim, seed);
	hex_encode(hex, slice_of(signature, sizeof(signature)));
	ck_assert_str_eq(hex, "ebd17fa5d062565e701a4fdb27a4c70f"
			      "e28a975a684da1fe497792885dec880e"
			      "814fd410874aa51f94c8d3d0d9c3c052"
			      "90fb1623a391000067949a41ebde5f0a");
}
END_TEST

static const struct {
	const char *name, *hex;
	size_t len;
} bad_keys[] = {
	{ "A-15 too short",
	    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f70751",
	    31 },
	{ "A-15 too long",
	    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a0"
	    "0",
	    33 },
	{ "A-15 of small order: all zero",
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    32 },
	{ "A-15 of small order: the identity",
	    "0100000000000000000000000000000000000000000000000000000000000000",
	    32 },
	{ "A-15 no point of the curve",
	    "0200000000000000000000000000000000000000000000000000000000000000",
	    32 },
	{ "A-15 not canonical",
	    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    32 },
};

START_TEST(keys_that_are_none)
{
	uint8_t bytes[64];

	ck_assert_int_eq(
	    hex_decode(bytes, bad_keys[_i].len, bad_keys[_i].hex), STATUS_OK);
	ck_assert_msg(grant_public_check(slice_of(bytes, bad_keys[_i].len)) ==
			  STATUS_MALFORMED,
	    "%s", bad_keys[_i].name);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("grant_proof");
	TCase *tcase = tcase_create("A-15 the proof of a grant");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, key_of_a_seed);
	tcase_add_test(tcase, signed_and_checked);
	tcase_add_loop_test(tcase, another_claim, 0, PART_COUNT);
	tcase_add_test(tcase, what_is_signed);
	tcase_add_test(tcase, vector);
	tcase_add_loop_test(tcase, keys_that_are_none, 0, nitems(bad_keys));
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

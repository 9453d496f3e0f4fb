#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "crypto/hkdf.h"
#include "crypto/seal.h"

#define PLAIN      "what nobody else may read"
#define ASSOCIATED "version 1, account, chunk"

/* draft-irtf-cfrg-xchacha-03 appendix A.3.1, in our layout. */
#define DRAFT_PLAIN                                                            \
	"Ladies and Gentlemen of the class of '99: If I could offer you only " \
	"one tip for the future, sunscreen would be it."
#define DRAFT_KEY \
	"808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
#define DRAFT_ASSOCIATED "50515253c0c1c2c3c4c5c6c7"
#define DRAFT_SEALED                                                       \
	"404142434445464748494a4b4c4d4e4f5051525354555657"                 \
	"bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb" \
	"731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452" \
	"2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9" \
	"21f9664c97637da9768812f615c68b13b52e"                             \
	"c0875924c1c7987947deafd8780acf49"

static const uint8_t key[SEAL_KEY_BYTES] = { 1, 2, 3 };

START_TEST(draft_vector)
{
	uint8_t draft_key[SEAL_KEY_BYTES], associated[12];
	uint8_t sealed[SEALED_BYTES(sizeof(DRAFT_PLAIN) - 1)];
	char plain[sizeof(DRAFT_PLAIN)] = "";

	ck_assert_int_eq(
	    hex_decode(draft_key, sizeof(draft_key), DRAFT_KEY), STATUS_OK);
	ck_assert_int_eq(
	    hex_decode(associated, sizeof(associated), DRAFT_ASSOCIATED),
	    STATUS_OK);
	ck_assert_int_eq(
	    hex_decode(sealed, sizeof(sealed), DRAFT_SEALED), STATUS_OK);
	ck_assert_int_eq(seal_open((uint8_t *)plain, draft_key,
			     slice_of(sealed, sizeof(sealed)),
			     slice_of(associated, sizeof(associated))),
	    STATUS_OK);
	ck_assert_str_eq(plain, DRAFT_PLAIN);
}
END_TEST

START_TEST(there_and_back)
{
	static const size_t lens[] = { 0, 1, 4080, 65536 };
	static uint8_t plain[65536], opened[65536];
	static uint8_t sealed[SEALED_BYTES(65536)];
	size_t len = lens[_i];

	randombytes_buf(plain, len);
	seal(sealed, key, slice_of(plain, len), slice_text(ASSOCIATED));
	ck_assert_int_eq(
	    seal_open(opened, key, slice_of(sealed, SEALED_BYTES(len)),
		slice_text(ASSOCIATED)),
	    STATUS_OK);
	ck_assert_int_eq(memcmp(opened, plain, len), 0);
}
END_TEST

START_TEST(nonce_differs)
{
	uint8_t first[SEALED_BYTES(sizeof(PLAIN) - 1)];
	uint8_t second[sizeof(first)];

	seal(first, key, slice_text(PLAIN), slice_text(""));
	seal(second, key, slice_text(PLAIN), slice_text(""));
	ck_assert_int_ne(memcmp(first, second, SEAL_NONCE_BYTES), 0);
	ck_assert_int_ne(memcmp(first + SEAL_NONCE_BYTES,
			     second + SEAL_NONCE_BYTES, sizeof(PLAIN) - 1),
	    0);
}
END_TEST

START_TEST(refused)
{
	uint8_t sealed[SEALED_BYTES(sizeof(PLAIN) - 1)];
	uint8_t opened[sizeof(sealed)];
	uint8_t other_key[SEAL_KEY_BYTES] = { 1, 2, 4 };
	struct slice whole = slice_of(sealed, sizeof(sealed));

	seal(sealed, key, slice_text(PLAIN), slice_text(ASSOCIATED));
	for (size_t i = 0; i < sizeof(sealed); i++) {
		sealed[i] ^= 1;
		ck_assert_int_eq(
		    seal_open(opened, key, whole, slice_text(ASSOCIATED)),
		    STATUS_DENIED);
		sealed[i] ^= 1;
	}
	ck_assert(sodium_is_zero(opened, sizeof(PLAIN) - 1));
	for (size_t len = 0; len < sizeof(sealed); len++)
		ck_assert_int_eq(seal_open(opened, key, slice_of(sealed, len),
				     slice_text(ASSOCIATED)),
		    len < SEAL_EXTRA_BYTES ? STATUS_MALFORMED : STATUS_DENIED);
	ck_assert_int_eq(
	    seal_open(opened, other_key, whole, slice_text(ASSOCIATED)),
	    STATUS_DENIED);
	ck_assert_int_eq(seal_open(opened, key, whole, slice_text("version 2")),
	    STATUS_DENIED);
	ck_assert_int_eq(
	    seal_open(opened, key, whole, slice_text("")), STATUS_DENIED);
	ck_assert_int_eq(
	    seal_open(opened, key, whole, slice_text(ASSOCIATED)), STATUS_OK);
}
END_TEST

/* clang-format off */
static const struct { size_t len, want; } paddings[] = {
	{ 0,      4080 },
	{ 1,      4080 },
	{ 4080,   4080 },
	{ 4081,   8176 },
	{ 8176,   8176 },
	{ 8177,   12272 },
	{ 262128, 262128 },
	{ 262129, 266224 },
};
/* clang-format on */

START_TEST(padded)
{
	ck_assert_uint_eq(seal_padded_len(paddings[_i].len), paddings[_i].want);
}
END_TEST

START_TEST(derived)
{
	/* BLAKE2b-256 keyed with 01 02 03 00…, over "label" 00 "context" */
	static const char want[] =
	    "911d40b5bba588858c0ca3fe7393f68f005dcebfd8a7286b19d6b4ad2f4834a7";
	static const struct {
		const char *label, *context;
	} others[] = {
		{ "label", "contexT" },
		{ "label", "" },
		{ "labelcontext", "" },
		{ "labelc", "ontext" },
		{ "other", "context" },
	};
	uint8_t first[KEY_BYTES], second[KEY_BYTES];
	char text[HEX_BYTES(KEY_BYTES)];

	key_derive(first, key, "label", slice_text("context"));
	hex_encode(text, slice_of(first, sizeof(first)));
	ck_assert_str_eq(text, want);
	for (size_t i = 0; i < nitems(others); i++) {
		key_derive(second, key, others[i].label,
		    slice_text(others[i].context));
		ck_assert_mem_ne(first, second, sizeof(first));
	}
}
END_TEST

/** HKDF over more than one block, and in parts as in one piece. */
START_TEST(hkdf)
{
	/* key of 64 times 0B, info F0 to F9, computed with Python's hmac */
	static const char want[] =
	    "af07e9ff7d300eeaa32585f231cce68bf782bfce25f45cd2c485744476089381"
	    "3d94f93f966af1c245f918790dfdc6d80ae8d898a30c27da04931a34470c4f6e"
	    "03d55eebeaf62c27176d2d84f26bab4a49415ff83a1088ce6284bc679875c502"
	    "ac9bc98f6ba179fff3a229e46b51431bf7c68fcbd03ad503c768bb89cb4df270"
	    "3df6d3fac75042288e4c78d4f039b3ec8798e29cc25c";
	static const uint8_t info_bytes[] = { 0xF0, 0xF1, 0xF2, 0xF3, 0xF4,
		0xF5, 0xF6, 0xF7, 0xF8, 0xF9 };
	const struct slice whole[] = { slice_of(info_bytes, 10) };
	const struct slice parts[] = { slice_of(info_bytes, 3),
		slice_of(NULL, 0), slice_of(info_bytes + 3, 7) };
	uint8_t secret[HKDF_HASH_BYTES], out[150];
	char text[HEX_BYTES(sizeof(out))];

	memset(secret, 0x0B, sizeof(secret));
	hkdf_sha512_expand(out, sizeof(out), secret, whole, nitems(whole));
	hex_encode(text, slice_of(out, sizeof(out)));
	ck_assert_str_eq(text, want);
	hkdf_sha512_expand(out, sizeof(out), secret, parts, nitems(parts));
	hex_encode(text, slice_of(out, sizeof(out)));
	ck_assert_str_eq(text, want);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("seal");
	TCase *seals = tcase_create("B-04 K-08 sealing");
	TCase *pads = tcase_create("B-05 padded lengths");
	TCase *derives = tcase_create("K-08 derived keys");

	tcase_add_test(seals, draft_vector);
	tcase_add_loop_test(seals, there_and_back, 0, 4);
	tcase_add_test(seals, nonce_differs);
	tcase_add_test(seals, refused);
	tcase_add_loop_test(pads, padded, 0, (int)nitems(paddings));
	tcase_add_test(derives, derived);
	tcase_add_test(derives, hkdf);
	suite_add_tcase(suite, seals);
	suite_add_tcase(suite, pads);
	suite_add_tcase(suite, derives);

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

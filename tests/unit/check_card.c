#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "card.h"
#include "crypto/arena.h"

#define ICCID       "8988211000000530082"
#define OTHER_ICCID "89860318640220133897"

static const struct account_keys keys = {
	.account = { { 1, 2, 3 } },
	.card = { 7, 7, 7 },
};

static struct bytes sealed, opened;

static void teardown(void)
{
	bytes_clear(&sealed);
	bytes_clear(&opened);
}

static enum status open_sealed(void)
{
	return card_open(&opened, &keys, ICCID, bytes_slice(&sealed));
}

START_TEST(round_trip)
{
	static const size_t lens[] = { 0, 1, 100, CARD_DATA_MAX };
	static uint8_t data[CARD_DATA_MAX];

	memset(data, 0xab, sizeof(data));
	for (size_t i = 0; i < nitems(lens); i++) {
		struct slice plain = slice_of(data, lens[i]);
		ck_assert(card_seal(&sealed, &keys, ICCID, plain) == STATUS_OK);
		ck_assert_uint_eq(sealed.len, lens[i] + CARD_EXTRA_BYTES);
		ck_assert_uint_le(sealed.len, CARD_STORED_MAX);
		ck_assert(open_sealed() == STATUS_OK);
		ck_assert(slice_equal(bytes_slice(&opened), plain));
	}
	ck_assert(card_seal(&sealed, &keys, ICCID,
		      slice_of(data, CARD_DATA_MAX + 1)) == STATUS_TOO_LARGE);
	ck_assert(card_seal(&sealed, &keys, "1", slice_of(data, 1)) ==
		  STATUS_MALFORMED);
}
END_TEST

START_TEST(of_one_card_and_account)
{
	struct account_keys other_account = keys, other_key = keys;
	struct slice stored;

	other_account.account.bytes[0] ^= 1;
	other_key.card[0] ^= 1;
	ck_assert(
	    card_seal(&sealed, &keys, ICCID, slice_text("data")) == STATUS_OK);
	stored = bytes_slice(&sealed);
	ck_assert(
	    card_open(&opened, &keys, OTHER_ICCID, stored) == STATUS_MALFORMED);
	ck_assert(card_open(&opened, &other_account, ICCID, stored) ==
		  STATUS_MALFORMED);
	ck_assert(
	    card_open(&opened, &other_key, ICCID, stored) == STATUS_MALFORMED);
	ck_assert(card_open(&opened, &keys, "1", stored) == STATUS_MALFORMED);
	ck_assert_uint_eq(opened.len, 0);
}
END_TEST

START_TEST(damaged)
{
	ck_assert(
	    card_seal(&sealed, &keys, ICCID, slice_text("data")) == STATUS_OK);
	for (size_t i = 0; i < sealed.len; i++) {
		sealed.data[i] ^= 1;
		ck_assert_msg(open_sealed() ==
				  (i == 0 ? STATUS_VERSION : STATUS_MALFORMED),
		    "byte %zu", i);
		sealed.data[i] ^= 1;
	}
	for (; sealed.len > 1; sealed.len--)
		ck_assert(sealed.len == CARD_EXTRA_BYTES + 4 ||
			  open_sealed() == STATUS_MALFORMED);
	sealed.len = 0;
	ck_assert(open_sealed() == STATUS_VERSION);
}
END_TEST

/* docs/protocol.md, section 14, has these. */
START_TEST(vector)
{
	static const char want[] =
	    "01c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7"
	    "9868047902864ac39230f0df14c1c493ede0e38e5aab";
	uint8_t root[ACCOUNT_KEY_BYTES], stored[sizeof(want) / 2];
	struct account_keys *made = NULL;
	struct id account;

	for (size_t i = 0; i < sizeof(root); i++)
		root[i] = (uint8_t)i;
	for (size_t i = 0; i < ID_BYTES; i++)
		account.bytes[i] = (uint8_t)(0xa0 + i);
	ck_assert(arena_open(16384) == STATUS_OK);
	ck_assert(account_keys_new(&made, &account, root) == STATUS_OK);
	ck_assert(hex_decode(stored, sizeof(stored), want) == STATUS_OK);
	ck_assert(card_open(&opened, made, ICCID,
		      slice_of(stored, sizeof(stored))) == STATUS_OK);
	ck_assert(slice_equal(bytes_slice(&opened), slice_text("mirror")));
	account_keys_destroy(&made);
	arena_close();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("card");
	TCase *tcase = tcase_create("D-09 K-06 the data of a card");

	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_test(tcase, round_trip);
	tcase_add_test(tcase, of_one_card_and_account);
	tcase_add_test(tcase, damaged);
	tcase_add_test(tcase, vector);
	suite_add_tcase(suite, tcase);
	if (sodium_init() < 0)
		return EXIT_FAILURE;
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "account_keys.h"
#include "base/util.h"
#include "crypto/arena.h"
#include "crypto/seal.h"

static const struct id account = { { 1, 2, 3 } };
static const uint8_t root[ACCOUNT_KEY_BYTES] = { 7, 7, 7 };

static void setup(void)
{
	ck_assert_int_eq(arena_open(65536), STATUS_OK);
}

static struct account_keys *make(
    const struct id *id, const uint8_t from[static ACCOUNT_KEY_BYTES])
{
	struct account_keys *keys = NULL;

	ck_assert_int_eq(account_keys_new(&keys, id, from), STATUS_OK);
	return keys;
}

START_TEST(labels_give_the_keys)
{
	struct account_keys *keys = make(&account, root);
	const struct {
		const char *label;
		const uint8_t *key;
	} cases[] = {
		{ "keepsake chunk id", keys->chunk_id },
		{ "keepsake chunk key", keys->chunk_key },
		{ "keepsake chunker", keys->chunker_seed },
		{ "keepsake snapshot wrap", keys->snapshot_wrap },
		{ "keepsake snapshot writer", keys->snapshot_writer },
		{ "keepsake cache", keys->cache },
		{ "keepsake card", keys->card },
		{ "keepsake x25519", keys->private_key },
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		uint8_t want[ACCOUNT_KEY_BYTES];
		key_derive(want, root, cases[i].label,
		    slice_of(account.bytes, ID_BYTES));
		ck_assert_msg(memcmp(cases[i].key, want, sizeof(want)) == 0,
		    "%s", cases[i].label);
		for (size_t k = 0; k < i; k++)
			ck_assert_msg(memcmp(cases[i].key, cases[k].key,
					  ACCOUNT_KEY_BYTES) != 0,
			    "%s is like %s", cases[i].label, cases[k].label);
	}
	account_keys_destroy(&keys);
	ck_assert_ptr_null(keys);
	account_keys_destroy(&keys);
}
END_TEST

START_TEST(key_pair_belongs_together)
{
	struct account_keys *keys = make(&account, root);
	uint8_t public_key[ACCOUNT_KEY_BYTES];

	ck_assert_int_eq(
	    crypto_scalarmult_base(public_key, keys->private_key), 0);
	ck_assert_mem_eq(public_key, keys->public_key, sizeof(public_key));
	account_keys_destroy(&keys);
}
END_TEST

START_TEST(accounts_and_roots_differ)
{
	static const struct id other = { { 1, 2, 4 } };
	static const uint8_t other_root[ACCOUNT_KEY_BYTES] = { 7, 7, 8 };
	struct account_keys *keys = make(&account, root);
	struct account_keys *by_account = make(&other, root);
	struct account_keys *by_root = make(&account, other_root);

	ck_assert_mem_ne(
	    keys->chunk_id, by_account->chunk_id, ACCOUNT_KEY_BYTES);
	ck_assert_mem_ne(keys->chunk_id, by_root->chunk_id, ACCOUNT_KEY_BYTES);
	account_keys_destroy(&keys);
	account_keys_destroy(&by_account);
	account_keys_destroy(&by_root);
}
END_TEST

/* Whatever is there before: only what writes is there afterwards. */
START_TEST(writing_keys_do_not_read)
{
	static const uint8_t none[ACCOUNT_KEY_BYTES];
	struct account_keys *keys = make(&account, root);
	struct account_keys *writing = make(&account, root);

	ck_assert(keys->may_read);
	account_keys_for_writing(writing, keys);
	const struct {
		const uint8_t *got, *want;
	} cases[] = {
		{ writing->chunk_id, keys->chunk_id },
		{ writing->chunk_key, keys->chunk_key },
		{ writing->chunker_seed, keys->chunker_seed },
		{ writing->snapshot_writer, keys->snapshot_writer },
		{ writing->public_key, keys->public_key },
		{ writing->private_key, none },
		{ writing->snapshot_wrap, none },
		{ writing->cache, none },
	};
	for (size_t i = 0; i < nitems(cases); i++)
		ck_assert_mem_eq(
		    cases[i].got, cases[i].want, ACCOUNT_KEY_BYTES);
	ck_assert(!writing->may_read);
	ck_assert(id_equal(&writing->account, &account));
	account_keys_destroy(&writing);
	account_keys_destroy(&keys);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("account_keys");
	TCase *tcase = tcase_create("B-05 keys of an account");

	tcase_add_checked_fixture(tcase, setup, arena_close);
	tcase_add_test(tcase, labels_give_the_keys);
	tcase_add_test(tcase, key_pair_belongs_together);
	tcase_add_test(tcase, accounts_and_roots_differ);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("A-15 keys that only write");
	tcase_add_checked_fixture(tcase, setup, arena_close);
	tcase_add_test(tcase, writing_keys_do_not_read);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

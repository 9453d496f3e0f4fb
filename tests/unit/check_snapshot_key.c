#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "crypto/arena.h"
#include "local_keys.h"
#include "scratch.h"
#include "snapshot_key.h"

/* The key of a snapshot in each mode that is written: who opens it. */

static const struct id anna = { { 1, 2, 3 } };
static const struct id bert = { { 1, 2, 4 } };
static const uint8_t root[ACCOUNT_KEY_BYTES] = { 7 };
static const uint8_t other_root[ACCOUNT_KEY_BYTES] = { 8 };

static struct account_keys *keys, *writing;
static struct privileged *place;

static void setup(void)
{
	scratch_make();
	ck_assert_int_eq(arena_open(65536), STATUS_OK);
	ck_assert_int_eq(account_keys_new(&keys, &anna, root), STATUS_OK);
	writing = secret_new(sizeof(*writing));
	ck_assert_ptr_nonnull(writing);
	account_keys_for_writing(writing, keys);
	ck_assert_int_eq(
	    privileged_new(&place, scratch_path("keys")), STATUS_OK);
}

static void teardown(void)
{
	privileged_destroy(&place);
	account_keys_destroy(&writing);
	account_keys_destroy(&keys);
	arena_close();
	scratch_remove();
}

static struct snapshot_key *make(
    enum key_mode mode, const struct account_keys *by)
{
	struct snapshot_key *key = NULL;

	ck_assert_int_eq(snapshot_key_new(&key, mode, by), STATUS_OK);
	ck_assert_int_eq(key->mode, mode);
	ck_assert_uint_eq(key->sealed[0], mode);
	ck_assert_uint_eq(key->sealed[1], KEY_ORIGIN_RANDOM);
	return key;
}

static struct slice sealed_of(const struct snapshot_key *key)
{
	return slice_of(key->sealed, key->sealed_len);
}

static enum status open_by(
    const struct account_keys *by, struct slice sealed, uint8_t *out)
{
	return snapshot_key_open(out, by, place, sealed);
}

static void keep(const struct snapshot_key *key, const struct id *account)
{
	struct local_key kept = { .account = *account };

	memcpy(kept.key, key->key, sizeof(kept.key));
	ck_assert_int_eq(local_key_keep(place, &key->id, &kept), STATUS_OK);
}

/* clang-format off */
static const struct {
	const char *name;
	enum key_mode mode;
	bool by_grant; /* made with keys that only write */
	size_t len;
} modes[] = {
	{ "K-06 sealed under the root key",     KEY_MODE_SEALED,  false, 74 },
	{ "K-02 local",                         KEY_MODE_LOCAL,   false, 18 },
	{ "K-02 local, by a grant",             KEY_MODE_LOCAL,   true,  18 },
	{ "A-15 to the account, by a grant",    KEY_MODE_ACCOUNT, true,  106 },
	{ "A-15 to the account, by its owner",  KEY_MODE_ACCOUNT, false, 106 },
};
/* clang-format on */

START_TEST(owner_opens_every_mode)
{
	struct snapshot_key *key =
	    make(modes[_i].mode, modes[_i].by_grant ? writing : keys);
	uint8_t opened[SEAL_KEY_BYTES];
	struct sealed_key head;

	ck_assert_uint_eq(key->sealed_len, modes[_i].len);
	ck_assert_int_eq(sealed_key_read(&head, sealed_of(key)), STATUS_OK);
	ck_assert_int_eq(head.mode, modes[_i].mode);
	ck_assert(id_equal(&head.id, &key->id));
	if (modes[_i].mode == KEY_MODE_LOCAL)
		keep(key, &anna);
	ck_assert_int_eq(open_by(keys, sealed_of(key), opened), STATUS_OK);
	ck_assert_mem_eq(opened, key->key, sizeof(opened));
	snapshot_key_destroy(&key);
	ck_assert_ptr_null(key);
	snapshot_key_destroy(&key);
}
END_TEST

/* One that is like another is no key of its own. */
START_TEST(keys_are_fresh)
{
	struct snapshot_key *one = make(modes[_i].mode, keys);
	struct snapshot_key *two = make(modes[_i].mode, keys);

	ck_assert_mem_ne(one->key, two->key, SEAL_KEY_BYTES);
	ck_assert_mem_ne(one->sealed, two->sealed, one->sealed_len);
	snapshot_key_destroy(&one);
	snapshot_key_destroy(&two);
}
END_TEST

/* Whatever a grant has: also when it pretends to have more. */
START_TEST(grant_opens_none)
{
	const enum key_mode sealing[] = { KEY_MODE_SEALED, KEY_MODE_ACCOUNT };
	uint8_t opened[SEAL_KEY_BYTES];

	for (size_t i = 0; i < nitems(sealing); i++) {
		struct snapshot_key *key = make(sealing[i], keys);
		ck_assert_int_eq(
		    open_by(writing, sealed_of(key), opened), STATUS_DENIED);
		/* With each secret it has in the place of those it lacks. */
		uint8_t *const has[] = { writing->chunk_id, writing->chunk_key,
			writing->chunker_seed, writing->snapshot_writer,
			writing->public_key };
		for (size_t k = 0; k < nitems(has); k++) {
			struct account_keys *pretended =
			    secret_new(sizeof(*pretended));
			*pretended = *writing;
			pretended->may_read = true;
			memcpy(
			    pretended->private_key, has[k], ACCOUNT_KEY_BYTES);
			memcpy(pretended->snapshot_wrap, has[k],
			    ACCOUNT_KEY_BYTES);
			ck_assert_int_eq(
			    open_by(pretended, sealed_of(key), opened),
			    STATUS_MALFORMED);
			account_keys_destroy(&pretended);
		}
		snapshot_key_destroy(&key);
	}
}
END_TEST

START_TEST(grant_seals_to_the_account_only)
{
	struct snapshot_key *key = NULL;

	ck_assert_int_eq(
	    snapshot_key_new(&key, KEY_MODE_SEALED, writing), STATUS_DENIED);
	ck_assert_ptr_null(key);
	/* A point of small order makes no secret. */
	memset(writing->public_key, 0, ACCOUNT_KEY_BYTES);
	ck_assert_int_eq(snapshot_key_new(&key, KEY_MODE_ACCOUNT, writing),
	    STATUS_MALFORMED);
	ck_assert_ptr_null(key);
}
END_TEST

/* Who has the public key alone, auth, is not believed to be the account. */
START_TEST(public_key_alone_makes_no_key)
{
	struct account_keys *server = secret_new(sizeof(*server));
	uint8_t opened[SEAL_KEY_BYTES];

	server->account = anna;
	memcpy(server->public_key, keys->public_key, ACCOUNT_KEY_BYTES);
	struct snapshot_key *forged = make(KEY_MODE_ACCOUNT, server);
	ck_assert_int_eq(
	    open_by(keys, sealed_of(forged), opened), STATUS_MALFORMED);
	snapshot_key_destroy(&forged);
	account_keys_destroy(&server);
}
END_TEST

START_TEST(other_accounts_open_none)
{
	struct account_keys *others[2] = { 0 };
	uint8_t opened[SEAL_KEY_BYTES];

	ck_assert_int_eq(account_keys_new(&others[0], &bert, root), STATUS_OK);
	ck_assert_int_eq(
	    account_keys_new(&others[1], &anna, other_root), STATUS_OK);
	for (size_t i = 0; i < nitems(modes); i++) {
		if (modes[i].mode == KEY_MODE_LOCAL)
			continue;
		struct snapshot_key *key = make(modes[i].mode, keys);
		for (size_t k = 0; k < nitems(others); k++)
			ck_assert_msg(open_by(others[k], sealed_of(key),
					  opened) == STATUS_MALFORMED,
			    "%s, %zu", modes[i].name, k);
		snapshot_key_destroy(&key);
	}
	account_keys_destroy(&others[0]);
	account_keys_destroy(&others[1]);
}
END_TEST

/* Every bit counts, and every byte. */
START_TEST(changed_ones_do_not_open)
{
	struct snapshot_key *key = make(modes[_i].mode, keys);
	uint8_t changed[SNAPSHOT_SEALED_KEY_BYTES_MAX + 1] = { 0 };
	uint8_t opened[SEAL_KEY_BYTES];
	size_t len = key->sealed_len;

	if (modes[_i].mode == KEY_MODE_LOCAL)
		keep(key, &anna);
	for (size_t bit = 8 * 2; bit < 8 * len; bit++) {
		memcpy(changed, key->sealed, len);
		changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_msg(
		    open_by(keys, slice_of(changed, len), opened) != STATUS_OK,
		    "%s: bit %zu", modes[_i].name, bit);
	}
	memcpy(changed, key->sealed, len);
	for (size_t cut = 0; cut <= len + 1; cut++)
		if (cut != len)
			ck_assert_msg(open_by(keys, slice_of(changed, cut),
					  opened) == STATUS_MALFORMED,
			    "%s: %zu bytes", modes[_i].name, cut);
	snapshot_key_destroy(&key);
}
END_TEST

/* clang-format off */
static const struct {
	const char *name;
	uint8_t mode, origin;
	size_t len;
	enum status want;
} heads[] = {
	{ "K-02 local",            2, 1, 18,  STATUS_OK },
	{ "from the device",       2, 2, 18,  STATUS_OK },
	{ "from the time",         2, 3, 18,  STATUS_OK },
	{ "nothing",               0, 0, 0,   STATUS_MALFORMED },
	{ "a mode alone",          1, 1, 1,   STATUS_MALFORMED },
	{ "mode 0",                0, 1, 74,  STATUS_VERSION },
	{ "escrow",                3, 1, 74,  STATUS_VERSION },
	{ "wrapped",               4, 1, 74,  STATUS_VERSION },
	{ "a mode to come",        6, 1, 74,  STATUS_VERSION },
	{ "mode 255",            255, 1, 74,  STATUS_VERSION },
	{ "origin 0",              1, 0, 74,  STATUS_VERSION },
	{ "an origin to come",     1, 4, 74,  STATUS_VERSION },
	{ "local, a byte less",    2, 1, 17,  STATUS_MALFORMED },
	{ "local, a byte more",    2, 1, 19,  STATUS_MALFORMED },
	{ "account, as sealed",    5, 1, 74,  STATUS_MALFORMED },
	{ "sealed, as account",    1, 1, 106, STATUS_MALFORMED },
};
/* clang-format on */

START_TEST(heads_are_read)
{
	uint8_t sealed[128];
	struct sealed_key head;

	memset(sealed, 9, sizeof(sealed));
	sealed[0] = heads[_i].mode;
	sealed[1] = heads[_i].origin;
	enum status got =
	    sealed_key_read(&head, slice_of(sealed, heads[_i].len));
	ck_assert_msg(got == heads[_i].want, "%s: got %s", heads[_i].name,
	    status_word(got));
}
END_TEST

START_TEST(local_key_without_an_id)
{
	const uint8_t sealed[18] = { KEY_MODE_LOCAL, KEY_ORIGIN_RANDOM };
	struct sealed_key head;

	ck_assert_int_eq(
	    sealed_key_read(&head, slice_of(sealed, sizeof(sealed))),
	    STATUS_MALFORMED);
}
END_TEST

START_TEST(local_key_is_looked_for)
{
	struct snapshot_key *key = make(KEY_MODE_LOCAL, keys);
	char name[LOCAL_KEY_NAME_BYTES], path[SCRATCH_BYTES];
	uint8_t opened[SEAL_KEY_BYTES];

	local_key_name(name, &key->id);
	snprintf(path, sizeof(path), "keys/%s", name);
	ck_assert_int_eq(
	    open_by(keys, sealed_of(key), opened), STATUS_NOT_FOUND);
	keep(key, &bert);
	ck_assert_int_eq(
	    open_by(keys, sealed_of(key), opened), STATUS_MALFORMED);
	keep(key, &anna);
	ck_assert_int_eq(open_by(keys, sealed_of(key), opened), STATUS_OK);
	/* Also a terminal with a grant, which keeps such keys of its own. */
	ck_assert_int_eq(open_by(writing, sealed_of(key), opened), STATUS_OK);
	ck_assert_int_eq(chmod(scratch_path(path), 0644), 0);
	ck_assert_int_eq(open_by(keys, sealed_of(key), opened), STATUS_DENIED);
	scratch_write(path, "no key", 6, 0600);
	ck_assert_int_eq(
	    open_by(keys, sealed_of(key), opened), STATUS_MALFORMED);
	snapshot_key_destroy(&key);
}
END_TEST

/* As docs/protocol.md has it, without the code that writes it. */
START_TEST(account_mode_by_the_book)
{
	static const char label[] = "keepsake snapshot to account";
	struct snapshot_key *key = make(KEY_MODE_ACCOUNT, writing);
	uint8_t input[sizeof(label) + 3 * 32], k[32], opened[32];
	uint8_t associated[21 + ID_BYTES + 2];

	memcpy(input, label, sizeof(label));
	ck_assert_int_eq(crypto_scalarmult(input + sizeof(label),
			     keys->private_key, key->sealed + 2),
	    0);
	memcpy(input + sizeof(label) + 32, key->sealed + 2, 32);
	memcpy(input + sizeof(label) + 64, keys->public_key, 32);
	crypto_generichash(k, sizeof(k), input, sizeof(input),
	    keys->snapshot_writer, sizeof(keys->snapshot_writer));
	memcpy(associated, "keepsake snapshot key", 21);
	memcpy(associated + 21, anna.bytes, ID_BYTES);
	memcpy(associated + 21 + ID_BYTES, "\5\1", 2);
	ck_assert_int_eq(
	    crypto_aead_xchacha20poly1305_ietf_decrypt(opened, NULL, NULL,
		key->sealed + 34 + 24, 32 + 16, associated, sizeof(associated),
		key->sealed + 34, k),
	    0);
	ck_assert_mem_eq(opened, key->key, sizeof(opened));
	snapshot_key_destroy(&key);
}
END_TEST

/* The vector of docs/protocol.md, section 14. */
START_TEST(account_mode_vector)
{
	static const char hex[] =
	    "050179a631eede1bf9c98f12032cdeadd0e7a079398fc786b88cc846ec89af85"
	    "a51ac0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d794af606d0b92"
	    "2126a6a1af13edfb334d4a7282c95602bdd1845532e54909fd52ee1596e5e656"
	    "4dbb52ab89ee436894ce";
	struct account_keys *of_vector = NULL;
	uint8_t sealed[106], opened[SEAL_KEY_BYTES], counted[32];
	struct id account;

	for (size_t i = 0; i < sizeof(counted); i++)
		counted[i] = (uint8_t)i;
	for (size_t i = 0; i < ID_BYTES; i++)
		account.bytes[i] = (uint8_t)(0xa0 + i);
	ck_assert_int_eq(
	    account_keys_new(&of_vector, &account, counted), STATUS_OK);
	ck_assert_int_eq(hex_decode(sealed, sizeof(sealed), hex), STATUS_OK);
	ck_assert_int_eq(
	    open_by(of_vector, slice_of(sealed, sizeof(sealed)), opened),
	    STATUS_OK);
	for (size_t i = 0; i < sizeof(opened); i++)
		ck_assert_uint_eq(opened[i], 0x80 + i);
	account_keys_destroy(&of_vector);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("snapshot_key");
	TCase *tcase = tcase_create("K-02 K-06 A-15 keys of snapshots");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, owner_opens_every_mode, 0, nitems(modes));
	tcase_add_loop_test(tcase, keys_are_fresh, 0, nitems(modes));
	tcase_add_test(tcase, grant_opens_none);
	tcase_add_test(tcase, grant_seals_to_the_account_only);
	tcase_add_test(tcase, public_key_alone_makes_no_key);
	tcase_add_test(tcase, other_accounts_open_none);
	tcase_add_loop_test(tcase, changed_ones_do_not_open, 0, nitems(modes));
	tcase_add_loop_test(tcase, heads_are_read, 0, nitems(heads));
	tcase_add_test(tcase, local_key_without_an_id);
	tcase_add_test(tcase, local_key_is_looked_for);
	tcase_add_test(tcase, account_mode_by_the_book);
	tcase_add_test(tcase, account_mode_vector);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

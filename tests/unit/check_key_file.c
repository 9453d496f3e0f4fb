#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "crypto/arena.h"
#include "grant_file.h"
#include "local_keys.h"
#include "scratch.h"

/* The files of the privileged place: local keys and a grant, to the byte. */

#define H4  "0123"
#define H32 H4 H4 H4 H4 H4 H4 H4 H4
#define H64 H32 H32

#define LOCAL "keepsake local key 1\naccount=" H32 "\nkey=" H64 "\n"
#define GRANT                                                            \
	"keepsake grant 1\naccount=" H32 "\nterminal=" H32 "\nseed=" H64 \
	"\nchunk_id=" H64 "\nchunk_key=" H64 "\nchunker_seed=" H64       \
	"\nsnapshot_writer=" H64 "\naccount_key=" H64 "\n"

static void setup(void)
{
	scratch_make();
	ck_assert_int_eq(arena_open(65536), STATUS_OK);
}

static void teardown(void)
{
	arena_close();
	scratch_remove();
}

static enum status parse_local(struct slice text)
{
	struct local_key key;

	return local_key_parse(&key, text);
}

static enum status parse_grant(struct slice text)
{
	static struct grant grant;

	return grant_parse(&grant, text);
}

/* clang-format off */
static const struct {
	const char *name;
	enum status (*parse)(struct slice text);
	const char *text;
	enum status want;
} texts[] = {
	{ "K-02 a key",             parse_local, LOCAL, STATUS_OK },
	{ "K-02 nothing",           parse_local, "", STATUS_MALFORMED },
	{ "K-02 a grant",           parse_local, GRANT, STATUS_MALFORMED },
	{ "K-02 another version",   parse_local, "keepsake local key 2\naccount=" H32 "\nkey=" H64 "\n", STATUS_MALFORMED },
	{ "K-02 upper case",        parse_local, "keepsake local key 1\naccount=ABCD" H4 H4 H4 H4 H4 H4 H4 "\nkey=" H64 "\n", STATUS_MALFORMED },
	{ "K-02 no hex",            parse_local, "keepsake local key 1\naccount=012g" H4 H4 H4 H4 H4 H4 H4 "\nkey=" H64 "\n", STATUS_MALFORMED },
	{ "K-02 a digit less",      parse_local, "keepsake local key 1\naccount=" H32 "\nkey=012" H32 H4 H4 H4 H4 H4 H4 H4 "\n", STATUS_MALFORMED },
	{ "K-02 no newline",        parse_local, "keepsake local key 1\naccount=" H32 "\nkey=" H64, STATUS_MALFORMED },
	{ "K-02 more behind",       parse_local, LOCAL "\n", STATUS_MALFORMED },
	{ "K-02 the wrong order",   parse_local, "keepsake local key 1\nkey=" H64 "\naccount=" H32 "\n", STATUS_MALFORMED },
	{ "K-02 line ends of DOS",  parse_local, "keepsake local key 1\r\naccount=" H32 "\r\nkey=" H64 "\r\n", STATUS_MALFORMED },
	{ "A-15 a grant",           parse_grant, GRANT, STATUS_OK },
	{ "A-15 a key",             parse_grant, LOCAL, STATUS_MALFORMED },
	{ "A-15 more behind",       parse_grant, GRANT "x", STATUS_MALFORMED },
	{ "A-15 nothing",           parse_grant, "", STATUS_MALFORMED },
};
/* clang-format on */

START_TEST(texts_are_read)
{
	enum status got = texts[_i].parse(slice_text(texts[_i].text));

	ck_assert_msg(got == texts[_i].want, "%s: got %s", texts[_i].name,
	    status_word(got));
}
END_TEST

START_TEST(every_cut_is_refused)
{
	for (size_t len = 0; len < strlen(LOCAL); len++)
		ck_assert_int_eq(
		    parse_local(slice_of(LOCAL, len)), STATUS_MALFORMED);
	for (size_t len = 0; len < strlen(GRANT); len++)
		ck_assert_int_eq(
		    parse_grant(slice_of(GRANT, len)), STATUS_MALFORMED);
}
END_TEST

START_TEST(local_key_is_written)
{
	static const uint8_t want[] = { 0x01, 0x23 };
	uint8_t text[LOCAL_KEY_FILE_BYTES];
	char name[LOCAL_KEY_NAME_BYTES];
	struct local_key key;

	ck_assert_int_eq(local_key_parse(&key, slice_text(LOCAL)), STATUS_OK);
	for (size_t i = 0; i < SEAL_KEY_BYTES; i++)
		ck_assert_uint_eq(key.key[i], want[i % 2]);
	local_key_format(text, &key);
	ck_assert_uint_eq(strlen(LOCAL), sizeof(text));
	ck_assert_mem_eq(text, LOCAL, sizeof(text));
	local_key_name(name, &key.account);
	ck_assert_str_eq(name, H32 ".key");
}
END_TEST

START_TEST(grant_is_written_and_read)
{
	static const struct id account = { { 1 } }, terminal = { { 2 } };
	static const uint8_t root[ACCOUNT_KEY_BYTES] = { 3 };
	static const uint8_t none[ACCOUNT_KEY_BYTES];
	struct account_keys *keys = NULL;
	struct grant *made = NULL, *read = NULL;
	struct privileged *place = NULL;
	struct stat found;
	char file[1024], hex[HEX_BYTES(ACCOUNT_KEY_BYTES)];

	ck_assert_int_eq(account_keys_new(&keys, &account, root), STATUS_OK);
	ck_assert_int_eq(
	    privileged_new(&place, scratch_path("keys")), STATUS_OK);
	ck_assert_int_eq(grant_read(&read, place), STATUS_NOT_FOUND);
	ck_assert_ptr_null(read);
	ck_assert_int_eq(grant_remove(place), STATUS_OK);
	ck_assert_int_eq(grant_new(&made, &terminal, keys), STATUS_OK);
	ck_assert_int_eq(grant_write(made, place), STATUS_OK);
	ck_assert_int_eq(grant_read(&read, place), STATUS_OK);
	ck_assert_mem_eq(read, made, sizeof(*made));
	ck_assert(id_equal(&read->keys.account, &account));
	ck_assert(id_equal(&read->terminal, &terminal));
	/* Nothing that reads is there: neither in memory nor in the file. */
	ck_assert(!read->keys.may_read);
	ck_assert_mem_eq(read->keys.private_key, none, sizeof(none));
	ck_assert_mem_eq(read->keys.snapshot_wrap, none, sizeof(none));
	ck_assert_mem_eq(read->keys.cache, none, sizeof(none));
	FILE *stream = fopen(scratch_path("keys/grant"), "r");
	ck_assert_ptr_nonnull(stream);
	file[fread(file, 1, sizeof(file) - 1, stream)] = '\0';
	fclose(stream);
	const uint8_t *const absent[] = { root, keys->private_key,
		keys->snapshot_wrap, keys->cache };
	for (size_t i = 0; i < nitems(absent); i++) {
		hex_encode(hex, slice_of(absent[i], ACCOUNT_KEY_BYTES));
		ck_assert_ptr_null(strstr(file, hex));
	}
	hex_encode(hex, slice_of(keys->chunk_id, ACCOUNT_KEY_BYTES));
	ck_assert_ptr_nonnull(strstr(file, hex));
	ck_assert_int_eq(stat(scratch_path("keys/grant"), &found), 0);
	ck_assert_uint_eq(found.st_mode & 07777, 0600);
	grant_destroy(&read);
	ck_assert_int_eq(chmod(scratch_path("keys/grant"), 0640), 0);
	ck_assert_int_eq(grant_read(&read, place), STATUS_DENIED);
	ck_assert_int_eq(chmod(scratch_path("keys/grant"), 0600), 0);
	ck_assert_int_eq(grant_remove(place), STATUS_OK);
	ck_assert_int_eq(grant_read(&read, place), STATUS_NOT_FOUND);
	grant_destroy(&made);
	account_keys_destroy(&keys);
	privileged_destroy(&place);
}
END_TEST

START_TEST(keys_of_an_account_are_forgotten)
{
	const struct local_key ours = { .account = { { 1 } } };
	const struct local_key theirs = { .account = { { 2 } } };
	const struct id first = { { 3 } }, second = { { 4 } },
			third = { { 5 } };
	struct privileged *place = NULL;
	struct local_key found;

	ck_assert_int_eq(
	    privileged_new(&place, scratch_path("keys")), STATUS_OK);
	ck_assert_int_eq(local_keys_forget(place, &ours.account), STATUS_OK);
	ck_assert_int_eq(local_key_keep(place, &first, &ours), STATUS_OK);
	ck_assert_int_eq(local_key_keep(place, &second, &theirs), STATUS_OK);
	ck_assert_int_eq(local_key_keep(place, &third, &ours), STATUS_OK);
	scratch_write("keys/letter.key", "x", 1, 0600);
	ck_assert_int_eq(local_keys_forget(place, &ours.account), STATUS_OK);
	ck_assert_int_eq(local_key_find(place, &first, &ours.account, &found),
	    STATUS_NOT_FOUND);
	ck_assert_int_eq(local_key_find(place, &third, &ours.account, &found),
	    STATUS_NOT_FOUND);
	ck_assert_int_eq(
	    local_key_find(place, &second, &theirs.account, &found), STATUS_OK);
	ck_assert_int_eq(access(scratch_path("keys/letter.key"), F_OK), 0);
	ck_assert_int_eq(local_keys_forget(place, &ours.account), STATUS_OK);
	ck_assert_int_eq(chmod(scratch_path("keys"), 0755), 0);
	ck_assert_int_eq(
	    local_keys_forget(place, &theirs.account), STATUS_DENIED);
	privileged_destroy(&place);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("key_file");
	TCase *tcase = tcase_create("K-02 A-15 files of the privileged place");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, texts_are_read, 0, nitems(texts));
	tcase_add_test(tcase, every_cut_is_refused);
	tcase_add_test(tcase, local_key_is_written);
	tcase_add_test(tcase, grant_is_written_and_read);
	suite_add_tcase(suite, tcase);
	TCase *forget = tcase_create("A-12 local keys forgotten");
	tcase_add_checked_fixture(forget, setup, teardown);
	tcase_add_test(forget, keys_of_an_account_are_forgotten);
	suite_add_tcase(suite, forget);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

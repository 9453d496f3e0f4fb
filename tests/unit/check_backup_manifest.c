#include <pthread.h>
#include <sodium.h>

#include "base/file.h"
#include "base/util.h"
#include "scratch_db.h"
#include "service/backup_manifest.h"
#include "service/deletions.h"
#include "service/orders.h"

/* O-04: what lies beside a backup: its manifest, and the list of deletions. */

static struct backup_manifest manifest, got;
static struct bytes text;
static const char *why = "";

static void setup(void)
{
	scratch_make();
	manifest = (struct backup_manifest){
		.service = "store",
		.version = "0.1.0",
		.set = { "set of a backup" },
		.ledger = { "ledger and base" },
		.database = { .format = 3,
		    .point_ms = 1740819626138,
		    .transaction = 812,
		    .accounts = 4,
		    .rows = 98,
		    .blobs = 12,
		    .names = 7 },
		.files = { { BACKUP_DATABASE, 4096, { 1 } },
		    { BACKUP_KEYS, 5, { 2 } }, { BACKUP_JOURNAL, 6, { 3 } } },
		.files_count = 3,
	};
	ck_assert_int_eq(backup_manifest_write(&text, &manifest), STATUS_OK);
}

static void teardown(void)
{
	bytes_clear(&text);
	scratch_remove();
}

START_TEST(there_and_back)
{
	ck_assert_int_eq(
	    backup_manifest_read(&got, bytes_slice(&text), &why), STATUS_OK);
	ck_assert_str_eq(got.service, "store");
	ck_assert_str_eq(got.version, "0.1.0");
	ck_assert(id_equal(&got.set, &manifest.set));
	ck_assert(id_equal(&got.ledger, &manifest.ledger));
	ck_assert_uint_eq(got.database.format, 3);
	ck_assert_uint_eq(got.database.point_ms, 1740819626138);
	ck_assert_uint_eq(got.database.transaction, 812);
	ck_assert_uint_eq(got.files_count, 3);
	ck_assert_uint_eq(backup_manifest_file(&got, BACKUP_JOURNAL)->bytes, 6);
}
END_TEST

START_TEST(each_byte)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t was = text.data[i];
		for (unsigned int bit = 0; bit < 8; bit++) {
			text.data[i] = (uint8_t)(was ^ (1u << bit));
			/* Hex in capitals is the same number. */
			if (was >= 'a' && was <= 'f' && bit == 5)
				continue;
			ck_assert_msg(
			    backup_manifest_read(
				&got, bytes_slice(&text), &why) != STATUS_OK,
			    "byte %zu, bit %u", i, bit);
		}
		text.data[i] = was;
	}
}
END_TEST

START_TEST(each_length)
{
	for (size_t len = 0; len < text.len; len++)
		ck_assert_int_eq(
		    backup_manifest_read(&got, slice_of(text.data, len), &why),
		    STATUS_MALFORMED);
	ck_assert_int_eq(bytes_append(&text, slice_text("x\n")), STATUS_OK);
	ck_assert_int_eq(backup_manifest_read(&got, bytes_slice(&text), &why),
	    STATUS_MALFORMED);
}
END_TEST

START_TEST(newer)
{
	char *first = strstr((char *)text.data, "backup 1");

	first[7] = '2';
	ck_assert_int_eq(backup_manifest_read(&got, bytes_slice(&text), &why),
	    STATUS_VERSION);
	ck_assert_str_eq(why, "a newer program has made it");
}
END_TEST

static const struct {
	const char *name;
	bool ok;
} names[] = {
	{ "a", true },
	{ "2026-11-20T183000Z", true },
	{ "A_b-c.d", true },
	{ "", false },
	{ ".", false },
	{ "..", false },
	{ ".hidden", false },
	{ "a/b", false },
	{ "/a", false },
	{ "a b", false },
	{ "a\n", false },
	{ "\xc3\xa4", false },
};

START_TEST(a_name)
{
	char longest[BACKUP_NAME_BYTES_MAX + 2];

	ck_assert_msg(backup_name_ok(names[_i].name) == names[_i].ok, "\"%s\"",
	    names[_i].name);
	memset(longest, 'x', sizeof(longest));
	longest[BACKUP_NAME_BYTES_MAX + 1] = '\0';
	ck_assert(!backup_name_ok(longest));
	longest[BACKUP_NAME_BYTES_MAX] = '\0';
	ck_assert(backup_name_ok(longest));
}
END_TEST

START_TEST(files)
{
	struct backup_file *file = &manifest.files[0];

	manifest.files_count = 1;
	scratch_write(BACKUP_DATABASE, "bytes", 5, 0600);
	ck_assert_int_eq(
	    backup_file_hash(file, scratch_path(BACKUP_DATABASE)), STATUS_OK);
	file->name = BACKUP_DATABASE;
	ck_assert_int_eq(
	    backup_files_check(&manifest, scratch, &why), STATUS_OK);
	scratch_write(BACKUP_DATABASE, "bytez", 5, 0600);
	ck_assert_int_eq(
	    backup_files_check(&manifest, scratch, &why), STATUS_MALFORMED);
	scratch_write(BACKUP_DATABASE, "byte", 4, 0600);
	ck_assert_int_eq(
	    backup_files_check(&manifest, scratch, &why), STATUS_MALFORMED);
	unlink(scratch_path(BACKUP_DATABASE));
	ck_assert_int_eq(
	    backup_files_check(&manifest, scratch, &why), STATUS_MALFORMED);
}
END_TEST

/* ---- deletions ---- */

static const struct {
	const char *line;
	enum status want;
} lines[] = {
	{ "5 000102030405060708090a0b0c0d0e0f 1740819626138", STATUS_OK },
	{ "0 000102030405060708090a0b0c0d0e0f 1", STATUS_MALFORMED },
	{ "5 00000000000000000000000000000000 1", STATUS_MALFORMED },
	{ "5 000102030405060708090a0b0c0d0e0 1", STATUS_MALFORMED },
	{ "5 000102030405060708090a0b0c0d0e0g 1", STATUS_MALFORMED },
	{ "5 000102030405060708090a0b0c0d0e0f", STATUS_MALFORMED },
	{ "5 000102030405060708090a0b0c0d0e0f ", STATUS_MALFORMED },
	{ "5 000102030405060708090a0b0c0d0e0f 1 ", STATUS_MALFORMED },
	{ "-5 000102030405060708090a0b0c0d0e0f 1", STATUS_MALFORMED },
	{ "99999999999999999999 000102030405060708090a0b0c0d0e0f 1",
	    STATUS_MALFORMED },
	{ "", STATUS_MALFORMED },
};

START_TEST(a_line)
{
	struct order order;

	ck_assert_msg(deletion_read(&order, lines[_i].line) == lines[_i].want,
	    "\"%s\"", lines[_i].line);
}
END_TEST

static struct order deletion(uint64_t sequence, uint8_t account)
{
	struct order order = { .sequence = sequence,
		.kind = ORDER_DELETE_ACCOUNT,
		.when_ms = 1000 + sequence };

	order.account.bytes[0] = account;
	return order;
}

/* What is listed comes back, once, also behind a line that was cut short. */
START_TEST(replayed)
{
	struct order found[ORDERS_STORED_MAX];
	struct order one = deletion(7, 1), two = deletion(9, 2);
	const char *list = scratch_path("deleted");
	uint64_t lines_read = 0;
	size_t count = 0;
	bool more;

	struct db *journal = scratch_db("journal", "auth-journal", 1);
	ck_assert_int_eq(deletions_replay(list, journal, &lines_read),
	    STATUS_OK); /* there is no list yet */
	ck_assert_int_eq(deletions_note(list, &one), STATUS_OK);
	ck_assert_int_ne(access(list, F_OK), 0);
	ck_assert_int_eq(deletions_write(list, journal), STATUS_OK);
	ck_assert_int_eq(deletions_note(list, &one), STATUS_OK);
	ck_assert_int_eq(deletions_note(list, &two), STATUS_OK);
	FILE *cut = fopen(list, "a");
	ck_assert_ptr_nonnull(cut);
	fputs("11 000102", cut);
	fclose(cut);
	for (int times = 0; times < 2; times++) {
		ck_assert_int_eq(
		    deletions_replay(list, journal, &lines_read), STATUS_OK);
		ck_assert_uint_eq(lines_read, 2);
		ck_assert_int_eq(
		    orders_stored(journal, 0, found, &count, &more), STATUS_OK);
		ck_assert_uint_eq(count, 2);
		ck_assert_uint_eq(found[1].sequence, 9);
		ck_assert(id_equal(&found[1].account, &two.account));
		ck_assert_uint_eq(found[1].when_ms, 1009);
	}
	db_close(&journal);
}
END_TEST

/* Written anew, the list has what the journal has, and what it had. */
START_TEST(written_anew)
{
	struct order one = deletion(7, 1), two = deletion(9, 2);
	const char *list = scratch_path("deleted");
	struct bytes contents = { 0 };

	struct db *journal = scratch_db("journal", "auth-journal", 1);
	ck_assert_int_eq(deletions_write(list, journal), STATUS_OK);
	ck_assert_int_eq(deletions_note(list, &one), STATUS_OK);
	ck_assert_int_eq(orders_restore(journal, &two), STATUS_OK);
	for (int times = 0; times < 2; times++)
		ck_assert_int_eq(deletions_write(list, journal), STATUS_OK);
	ck_assert_int_eq(file_read(&contents, list, 1000), STATUS_OK);
	ck_assert(slice_equal(bytes_slice(&contents),
	    slice_text("7 01000000000000000000000000000000 1007\n"
		       "9 02000000000000000000000000000000 1009\n")));
	bytes_clear(&contents);
	db_close(&journal);
}
END_TEST

/* What a full disk or a power cut left of a line does not spoil the next. */
START_TEST(noted_behind_a_torn_line)
{
	static const char *const torn[] = { "1", "11 000102",
		"11 03000000000000000000000000000000 1011" };
	struct order one = deletion(7, 1), two = deletion(9, 2);
	const char *list = scratch_path("deleted");
	struct bytes contents = { 0 };

	ck_assert_int_eq(
	    file_create(list, (struct slice){ 0 }, 0600), STATUS_OK);
	if (_i > 0)
		ck_assert_int_eq(deletions_note(list, &one), STATUS_OK);
	for (size_t i = 0; i < nitems(torn); i++) {
		FILE *cut = fopen(list, "a");
		ck_assert_ptr_nonnull(cut);
		fputs(torn[i], cut);
		fclose(cut);
		ck_assert_int_eq(deletions_note(list, &two), STATUS_OK);
	}
	ck_assert_int_eq(file_read(&contents, list, 1000), STATUS_OK);
	const char *want = "7 01000000000000000000000000000000 1007\n"
			   "9 02000000000000000000000000000000 1009\n"
			   "9 02000000000000000000000000000000 1009\n"
			   "9 02000000000000000000000000000000 1009\n";
	if (_i == 0)
		want = strchr(want, '\n') + 1;
	ck_assert(slice_equal(bytes_slice(&contents), slice_text(want)));
	bytes_clear(&contents);
}
END_TEST

#define NOTED 24

static const char *list_path;

static void *rewrite(void *journal)
{
	return deletions_write(list_path, journal) == STATUS_OK ? journal
								: NULL;
}

/* One that is noted while the list is written anew is in the new one. */
START_TEST(noted_meanwhile)
{
	struct db *journal = scratch_db("journal", "auth-journal", 1);
	char line[ID_BYTES];
	pthread_t thread;

	list_path = scratch_path("deleted");
	ck_assert_int_eq(deletions_write(list_path, journal), STATUS_OK);
	for (uint8_t i = 1; i <= NOTED; i++) {
		struct order order = deletion(i, i);
		struct bytes contents = { 0 };
		void *done = NULL;
		ck_assert_int_eq(
		    pthread_create(&thread, NULL, rewrite, journal), 0);
		ck_assert_int_eq(orders_restore(journal, &order), STATUS_OK);
		ck_assert_int_eq(deletions_note(list_path, &order), STATUS_OK);
		ck_assert_int_eq(pthread_join(thread, &done), 0);
		ck_assert_ptr_nonnull(done);
		ck_assert_int_eq(
		    file_read(&contents, list_path, 1 << 16), STATUS_OK);
		snprintf(line, sizeof(line), "%u %02x000000", i, i);
		ck_assert_msg(memmem(contents.data, contents.len, line,
				  strlen(line)) != NULL,
		    "%u is not listed", i);
		bytes_clear(&contents);
	}
	db_close(&journal);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("backup_manifest");
	TCase *tcase = tcase_create("O-04 the manifest of a backup");
	TCase *list = tcase_create("O-04 A-12 the list of deletions");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, there_and_back);
	tcase_add_test(tcase, each_byte);
	tcase_add_test(tcase, each_length);
	tcase_add_test(tcase, newer);
	tcase_add_loop_test(tcase, a_name, 0, (int)nitems(names));
	tcase_add_test(tcase, files);
	tcase_add_checked_fixture(list, setup, teardown);
	tcase_add_loop_test(list, a_line, 0, (int)nitems(lines));
	tcase_add_test(list, replayed);
	tcase_add_test(list, written_anew);
	tcase_add_loop_test(list, noted_behind_a_torn_line, 0, 2);
	tcase_set_timeout(list, 60); /* of a slow disk */
	tcase_add_test(list, noted_meanwhile);
	suite_add_tcase(suite, tcase);
	suite_add_tcase(suite, list);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

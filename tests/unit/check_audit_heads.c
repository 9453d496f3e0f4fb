#include "audit_stage.h"

#include "base/file.h"

/* ---- when somebody else had a hand in it ---- */

/* Put a record with right hashes behind the last one. */
static void forge(uint64_t sequence)
{
	struct audit_record record, last;
	struct db_batch *batch =
	    db_batch_new(&audit_chain_account, DB_GENERATION_ANY, NULL);
	struct bytes value = { 0 };
	uint8_t key[8];

	ck_assert_int_eq(read_record(sequence - 1, &last), STATUS_OK);
	record = last;
	record.sequence = sequence;
	memcpy(record.previous, last.hash, AUDIT_HASH_BYTES);
	ck_assert_int_eq(audit_record_pack(&value, &record), STATUS_OK);
	put_be64(key, sequence);
	db_batch_put(batch, AUDIT_TABLE_RECORDS, slice_of(key, sizeof(key)),
	    bytes_slice(&value));
	ck_assert_int_eq(commit(journal, batch), STATUS_OK);
	bytes_clear(&value);
}

/* The service's own records go on from its own last one. */
static void assert_not_followed(void)
{
	struct audit_record own, forged, next;

	ck_assert_int_eq(read_record(2, &own), STATUS_OK);
	ck_assert_int_eq(read_record(3, &forged), STATUS_OK);
	ck_assert_int_eq(read_record(4, &next), STATUS_OK);
	ck_assert_mem_eq(forged.previous, own.hash, AUDIT_HASH_BYTES);
	ck_assert_mem_eq(next.previous, own.hash, AUDIT_HASH_BYTES);
}

START_TEST(forged_record_is_not_followed)
{
	change_now(&anna, "first");
	change_now(&anna, "second");
	wait_for_records(2);
	forge(3);
	capture_begin(STDERR_FILENO);
	service_restart();
	ck_assert_ptr_nonnull(
	    strstr(capture_end(), "event=audit_chain_changed"));
	change_now(&anna, "third");
	wait_for_records(4);
	assert_not_followed();
}
END_TEST

START_TEST(forged_record_meanwhile)
{
	change_now(&anna, "first");
	change_now(&anna, "second");
	wait_for_records(2);
	forge(3);
	capture_begin(STDERR_FILENO);
	change_now(&anna, "third");
	wait_for_records(4);
	ck_assert_ptr_nonnull(
	    strstr(capture_end(), "event=audit_chain_changed"));
	assert_not_followed();
}
END_TEST

START_TEST(forged_head_is_not_believed)
{
	struct audit_head head;
	struct audit_record next;
	char line[AUDIT_HEAD_TEXT_BYTES];
	uint8_t genesis[AUDIT_HASH_BYTES];

	change_now(&anna, "first");
	change_now(&anna, "second");
	wait_for_records(2);
	read_head(&head);
	head.hash[0] ^= 1;
	audit_head_format(line, &head);
	struct db_batch *batch =
	    db_batch_new(&audit_chain_account, DB_GENERATION_ANY, NULL);
	db_batch_put(batch, AUDIT_TABLE_HEAD, slice_text(AUDIT_HEAD_KEY),
	    slice_text(line));
	ck_assert_int_eq(commit(journal, batch), STATUS_OK);
	capture_begin(STDERR_FILENO);
	service_restart();
	ck_assert_ptr_nonnull(strstr(capture_end(), "event=audit_head_forged"));
	change_now(&anna, "third");
	wait_for_records(3);
	audit_genesis(genesis, "store");
	ck_assert_int_eq(read_record(3, &next), STATUS_OK);
	ck_assert_mem_eq(next.previous, genesis, sizeof(genesis));
}
END_TEST

/* ---- heads ---- */

static struct bytes heads;

/* Lines of the heads file, all of them heads; sequence of the last one. */
static size_t read_heads(uint64_t *last_out)
{
	struct audit_head head = { 0 };
	size_t lines = 0;

	heads.len = 0;
	ck_assert_int_eq(
	    file_read(&heads, scratch_path("audit.heads"), 100000), STATUS_OK);
	struct slice rest = bytes_slice(&heads);
	while (rest.len > 0) {
		const uint8_t *end = memchr(rest.data, '\n', rest.len);
		ck_assert_ptr_nonnull(end);
		size_t len = (size_t)(end - rest.data);
		ck_assert_int_eq(
		    audit_head_parse(&head, slice_of(rest.data, len)),
		    STATUS_OK);
		rest = slice_of(end + 1, rest.len - len - 1);
		lines++;
	}
	*last_out = head.sequence;
	bytes_clear(&heads);
	return lines;
}

START_TEST(heads_at_start_and_stop)
{
	uint64_t last;

	ck_assert_int_ne(access(scratch_path("audit.heads"), F_OK), 0);
	change_now(&anna, "first"); /* the first one of a run is exported */
	wait_for_records(1);
	ck_assert_uint_eq(read_heads(&last), 1);
	ck_assert_uint_eq(last, 1);
	change_now(&anna, "second");
	change_now(&anna, "third");
	wait_for_records(3);
	ck_assert_uint_eq(read_heads(&last), 1);
	service_restart();
	ck_assert_uint_eq(read_heads(&last), 2);
	ck_assert_uint_eq(last, 3);
	/* It did not grow: the same line is not written again. */
	service_restart();
	ck_assert_uint_eq(read_heads(&last), 2);
}
END_TEST

static bool three_heads(void)
{
	uint64_t last;

	return read_heads(&last) == 3;
}

START_TEST(heads_every_hour)
{
	uint64_t last;

	change_now(&anna, "first");
	wait_for_records(1);
	change_now(&anna, "second");
	wait_for_records(2);
	change_now(&anna, "third");
	wait_for_records(3);
	ck_assert_uint_eq(read_heads(&last), 1);
	skip(HOUR_MS);
	change_now(&anna, "fourth");
	wait_for_records(4);
	ck_assert_uint_eq(read_heads(&last), 2);
	skip(HOUR_MS);
	wait_until(three_heads);
	read_heads(&last);
	ck_assert_uint_eq(last, 4);
}
END_TEST

START_TEST(cut_line_is_ended)
{
	struct audit_head head;
	struct bytes text = { 0 };

	change_now(&anna, "first");
	wait_for_records(1);
	ck_assert_int_eq(
	    file_read(&text, scratch_path("audit.heads"), 1000), STATUS_OK);
	size_t whole = text.len;
	ck_assert_int_eq(
	    truncate(scratch_path("audit.heads"), (off_t)whole - 20), 0);
	change_now(&anna, "second");
	wait_for_records(2);
	service_restart();
	ck_assert_int_eq(
	    file_read(&text, scratch_path("audit.heads"), 1000), STATUS_OK);
	ck_assert_uint_eq(text.len, whole - 20 + 1 + whole);
	ck_assert_int_eq(audit_head_parse(&head,
			     slice_of(text.data + whole - 20 + 1, whole - 1)),
	    STATUS_OK);
	ck_assert_uint_eq(head.sequence, 2);
	bytes_clear(&text);
}
END_TEST

static void spoil_missing(const char *path)
{
	ck_assert_int_eq(unlink(path), 0);
}

static void spoil_open(const char *path)
{
	ck_assert_int_eq(chmod(path, 0644), 0);
}

static void spoil_short(const char *path)
{
	ck_assert_int_eq(truncate(path, 63), 0);
}

static void spoil_text(const char *path)
{
	FILE *file = fopen(path, "r+");

	ck_assert_ptr_nonnull(file);
	fputs("no hex", file);
	fclose(file);
}

/* clang-format off */
static const struct {
	const char *name;
	void (*spoil)(const char *path);
	enum status want;
} key_cases[] = {
	{ "O-06 no key",              spoil_missing, STATUS_NOT_FOUND },
	{ "R-06 a key open to others", spoil_open,   STATUS_DENIED },
	{ "O-06 a key cut short",     spoil_short,   STATUS_MALFORMED },
	{ "O-06 a key that is none",  spoil_text,    STATUS_MALFORMED },
};
/* clang-format on */

START_TEST(key_is_needed)
{
	struct audit_signer *signer = NULL;

	key_cases[_i].spoil(scratch_path("keys/store.audit"));
	capture_begin(STDERR_FILENO);
	enum status st = audit_signer_new(&signer, conf, "store");
	const char *said = capture_end();
	ck_assert_msg(st == key_cases[_i].want, "%s: got '%s'",
	    key_cases[_i].name, status_text(st));
	ck_assert_ptr_null(signer);
	ck_assert_ptr_nonnull(strstr(said, "event=audit_key_unusable"));
}
END_TEST

START_TEST(key_is_made_once)
{
	uint8_t before[AUDIT_SIGN_PUBLIC_BYTES], after[sizeof(before)];
	const char *public = scratch_path("keys/store.audit.public");

	ck_assert_int_eq(audit_public_read(before, public), STATUS_OK);
	ck_assert_int_eq(audit_signer_make(conf, "store"), STATUS_CONFLICT);
	ck_assert_int_eq(unlink(public), 0);
	ck_assert_int_eq(audit_signer_make(conf, "store"), STATUS_CONFLICT);
	ck_assert_int_eq(audit_public_read(after, public), STATUS_OK);
	ck_assert_mem_eq(before, after, sizeof(before));
	/* The public one alone: the service runs on another machine. */
	ck_assert_int_eq(unlink(scratch_path("keys/store.audit")), 0);
	ck_assert_int_eq(audit_signer_make(conf, "store"), STATUS_CONFLICT);
	ck_assert_int_ne(access(scratch_path("keys/store.audit"), F_OK), 0);
	ck_assert_int_eq(audit_public_read(after, public), STATUS_OK);
	ck_assert_mem_eq(before, after, sizeof(before));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("audit_heads");
	TCase *forged = tcase_create("O-06 what is not ours is not followed");
	TCase *exported = tcase_create("O-06 heads are exported");

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	tcase_add_checked_fixture(forged, setup, teardown);
	tcase_add_test(forged, forged_record_is_not_followed);
	tcase_add_test(forged, forged_record_meanwhile);
	tcase_add_test(forged, forged_head_is_not_believed);
	suite_add_tcase(suite, forged);

	tcase_add_checked_fixture(exported, setup, teardown);
	tcase_add_test(exported, heads_at_start_and_stop);
	tcase_add_test(exported, heads_every_hour);
	tcase_add_test(exported, cut_line_is_ended);
	tcase_add_loop_test(exported, key_is_needed, 0, nitems(key_cases));
	tcase_add_test(exported, key_is_made_once);
	suite_add_tcase(suite, exported);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

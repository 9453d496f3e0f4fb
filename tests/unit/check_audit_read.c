#include "service/audit_read.h"

#include "service/audit_heads.h"
#include "service/master.h"
#include "stage.h"

#define RECORDS 100 /* more than one page holds */

static const struct id anna = { "account of anna" };
static const struct id bert = { "bert's account." };

static struct db *journal;
static struct audit *audit;

static void on_journal(void *arg)
{
	(void)arg;
	db_complete(journal);
}

/* The stage's server, with an audit log that needs no other database. */
static void open_audit(void)
{
	struct db_options options = {
		.service = "store",
		.format = 1,
		.map_bytes = 1 << 20,
		.map_bytes_max = 64 << 20,
		.reserve_bytes = 1 << 20,
	};

	ck_assert_int_eq(
	    setenv("KEEPSAKE_STORE_LEDGER", scratch_path("."), 1), 0);
	conf_destroy(&program.conf);
	ck_assert_int_eq(
	    conf_load(settings, settings_count, NULL, &program.conf),
	    STATUS_OK);
	options.path = scratch_path("journal");
	ck_assert_int_eq(db_open(&options, &journal), STATUS_OK);
	ck_assert_int_eq(
	    loop_watch_fd(program.loop, db_event_fd(journal), on_journal, NULL),
	    STATUS_OK);
	ck_assert_int_eq(audit_signer_make(program.conf, "store"), STATUS_OK);
	ck_assert_int_eq(audit_new(&audit, program.conf, "store", program.loop,
			     journal, journal, ring),
	    STATUS_OK);
	stage_options.audit = audit;
}

static void setup(void)
{
	stage_prepare = open_audit;
	stage_setup(NULL, 0);
}

static void teardown(void)
{
	stage_options.audit = NULL;
	loop_forget_fd(program.loop, db_event_fd(journal));
	audit_disconnect(audit);
	db_stop(journal);
	audit_destroy(&audit);
	db_close(&journal);
	stage_teardown();
}

static unsigned int under_way;

static void on_written(void *arg, enum status status)
{
	(void)arg;
	ck_assert_int_eq(status, STATUS_OK);
	if (--under_way == 0)
		loop_stop(program.loop);
}

static void write_records(const struct id *account, unsigned int count)
{
	const struct audit_event event = { "unlocked", "operator anna",
		&account[0], "by letter" };

	under_way = count;
	for (unsigned int i = 0; i < count; i++)
		ck_assert_int_eq(
		    audit_write(audit, account, &event, on_written, NULL),
		    STATUS_PENDING);
	ck_assert_int_eq(loop_run(program.loop), STATUS_OK);
}

/* The page of the last answer; its memory goes with page_end. */
static Common__AuditPage *page;
static struct unpack unpack;

static void page_end(void)
{
	unpack_end(&unpack);
}

static enum status ask_page(
    uint64_t after, uint32_t limit, struct slice account)
{
	Common__AuditQuery query = COMMON__AUDIT_QUERY__INIT;
	struct request request = request_of(TYPE_AUDIT_READ);
	struct bytes body = { 0 };

	query.after = after;
	query.limit = limit;
	query.account_id = field_of(account);
	ck_assert_int_eq(pack_message(&body, &query.base), STATUS_OK);
	request.body = bytes_slice(&body);
	enum status st = asker_ask(&ops, &request);
	bytes_clear(&body);
	unpack_begin(&unpack);
	if (st == STATUS_OK)
		ck_assert_int_eq(
		    unpack_message(&unpack, &common__audit_page__descriptor,
			frame_slice(&ops.answer.body), &page),
		    STATUS_OK);
	return st;
}

static const struct slice everybody = { NULL, 0 };

START_TEST(empty_chain)
{
	ck_assert_int_eq(ask_page(0, 0, everybody), STATUS_OK);
	ck_assert_uint_eq(page->n_records, 0);
	ck_assert(!page->more);
	ck_assert_str_eq(page->head, "");
	page_end();
}
END_TEST

START_TEST(pages_hold_all)
{
	struct audit_record record;
	struct audit_head head;
	uint64_t next = 1;

	write_records(&anna, RECORDS);
	do {
		ck_assert_int_eq(ask_page(next - 1, 0, everybody), STATUS_OK);
		for (size_t i = 0; i < page->n_records; i++, next++) {
			const Common__AuditRecord *got = page->records[i];
			ck_assert_int_eq(
			    audit_record_unpack(&record, field_slice(got->raw)),
			    STATUS_OK);
			ck_assert_uint_eq(record.sequence, next);
			ck_assert(got->readable);
			ck_assert_str_eq(got->actor, "operator anna");
			ck_assert_str_eq(got->detail, "by letter");
			ck_assert_mem_eq(
			    got->terminal.data, anna.bytes, ID_BYTES);
		}
		ck_assert_uint_eq(page->last, next - 1);
		ck_assert_int_eq(
		    audit_head_parse(&head, slice_text(page->head)), STATUS_OK);
		ck_assert_uint_eq(head.sequence, RECORDS);
		ck_assert(page->more == (next <= RECORDS));
		page_end();
	} while (next <= RECORDS);
	/* Fewer, where fewer are wanted. */
	ck_assert_int_eq(ask_page(10, 3, everybody), STATUS_OK);
	ck_assert_uint_eq(page->n_records, 3);
	ck_assert_uint_eq(page->last, 13);
	ck_assert(page->more);
	page_end();
	ck_assert_int_eq(ask_page(RECORDS, 0, everybody), STATUS_OK);
	ck_assert_uint_eq(page->n_records, 0);
	ck_assert(!page->more);
	page_end();
}
END_TEST

START_TEST(of_one_account)
{
	struct slice bert_only = slice_of(bert.bytes, ID_BYTES);
	struct audit_record record;

	write_records(&anna, RECORDS);
	write_records(&bert, 2);
	write_records(&anna, 5);
	ck_assert_int_eq(ask_page(0, 0, bert_only), STATUS_OK);
	ck_assert_uint_eq(page->n_records, 2);
	ck_assert(!page->more);
	ck_assert_uint_eq(page->last, RECORDS + 7);
	ck_assert_int_eq(
	    audit_record_unpack(&record, field_slice(page->records[1]->raw)),
	    STATUS_OK);
	ck_assert_uint_eq(record.sequence, RECORDS + 2);
	page_end();
}
END_TEST

/* The longest records there can be: a full page still fits a message. */
START_TEST(longest_page)
{
	char actor[AUDIT_ACTOR_BYTES_MAX + 1] = "";
	char detail[AUDIT_DETAIL_BYTES_MAX + 1] = "";
	char action[AUDIT_ACTION_BYTES_MAX + 1] = "";
	const struct audit_event event = { action, actor, &anna, detail };

	memset(actor, 'a', sizeof(actor) - 1);
	memset(detail, 'd', sizeof(detail) - 1);
	memset(action, 'x', sizeof(action) - 1);
	under_way = RECORDS;
	for (unsigned int i = 0; i < RECORDS; i++)
		ck_assert_int_eq(
		    audit_write(audit, &anna, &event, on_written, NULL),
		    STATUS_PENDING);
	ck_assert_int_eq(loop_run(program.loop), STATUS_OK);
	ck_assert_int_eq(ask_page(0, UINT32_MAX, everybody), STATUS_OK);
	ck_assert_uint_ge(page->n_records, 10);
	ck_assert(page->more);
	ck_assert_str_eq(page->records[0]->detail, detail);
	page_end();
}
END_TEST

static void on_committed(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	(void)arg;
	(void)generation;
	(void)failed_op;
	ck_assert_int_eq(status, STATUS_OK);
	loop_stop(program.loop);
}

/* What is no record is shown as it is; keepsakectl says what it means. */
START_TEST(damaged_records_are_shown)
{
	struct db_batch *batch;
	uint8_t key[8];
	static const uint8_t huge[DB_VALUE_BYTES_MAX] = { 1 };

	write_records(&anna, 3);
	batch = db_batch_new(&audit_chain_account, DB_GENERATION_ANY, NULL);
	put_be64(key, 2);
	db_batch_put(batch, AUDIT_TABLE_RECORDS, slice_of(key, sizeof(key)),
	    slice_text("damaged"));
	put_be64(key, 4);
	db_batch_put(batch, AUDIT_TABLE_RECORDS, slice_of(key, sizeof(key)),
	    slice_of(huge, sizeof(huge)));
	db_batch_put(batch, AUDIT_TABLE_HEAD, slice_text(AUDIT_HEAD_KEY),
	    slice_text("damaged too"));
	ck_assert_int_eq(
	    db_submit(journal, &batch, on_committed, NULL), STATUS_PENDING);
	ck_assert_int_eq(loop_run(program.loop), STATUS_OK);
	/* Also where one account's are asked for: it may be one of them. */
	ck_assert_int_eq(
	    ask_page(0, 0, slice_of(anna.bytes, ID_BYTES)), STATUS_OK);
	ck_assert_uint_eq(page->n_records, 4);
	ck_assert_str_eq(page->head, "");
	ck_assert(!page->records[1]->readable);
	ck_assert_uint_eq(page->records[1]->raw.len, 7);
	ck_assert(page->records[2]->readable);
	ck_assert(!page->records[3]->readable);
	ck_assert_uint_eq(page->records[3]->raw.len, 0);
	page_end();
}
END_TEST

/* clang-format off */
static const struct {
	const char *name;
	struct asker *asker;
	const char *body;
	size_t len;
	enum status want;
} refused_cases[] = {
	{ "O-06 the gateway may not ask",   &gateway, "",                       0,  STATUS_DENIED },
	{ "O-06 no AuditQuery",             &ops,     "\xff",                   1,  STATUS_MALFORMED },
	{ "O-06 an account of 15 bytes",    &ops,     "\x1a\x0f---------------", 17, STATUS_MALFORMED },
	{ "O-06 an account cut short",      &ops,     "\x1a\x10--------",       10, STATUS_MALFORMED },
	{ "O-06 an unknown critical field", &ops,     "\x80\x04\x01",           3,  STATUS_VERSION },
};
/* clang-format on */

START_TEST(refused)
{
	struct request request = request_of(TYPE_AUDIT_READ);

	request.body = slice_of(refused_cases[_i].body, refused_cases[_i].len);
	enum status st = asker_ask(refused_cases[_i].asker, &request);
	ck_assert_msg(st == refused_cases[_i].want, "%s: got '%s', want '%s'",
	    refused_cases[_i].name, status_text(st),
	    status_text(refused_cases[_i].want));
}
END_TEST

START_TEST(no_audit_log)
{
	struct request request = request_of(TYPE_AUDIT_READ);

	stage_options.audit = NULL;
	stage_prepare = NULL;
	stage_restart();
	ck_assert_int_eq(asker_ask(&ops, &request), STATUS_NOT_FOUND);
	ck_assert_str_eq(ops.reply.detail, "this process has no audit log");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("audit_read");
	TCase *pages = tcase_create("O-06 the operator reads the audit log");
	TCase *refusals = tcase_create("O-06 R-03 what is no question");

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	tcase_add_checked_fixture(pages, setup, teardown);
	tcase_add_test(pages, empty_chain);
	tcase_add_test(pages, pages_hold_all);
	tcase_add_test(pages, of_one_account);
	tcase_add_test(pages, longest_page);
	tcase_add_test(pages, damaged_records_are_shown);
	suite_add_tcase(suite, pages);
	tcase_add_checked_fixture(refusals, setup, teardown);
	tcase_add_loop_test(refusals, refused, 0, nitems(refused_cases));
	tcase_add_test(refusals, no_audit_log);
	suite_add_tcase(suite, refusals);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

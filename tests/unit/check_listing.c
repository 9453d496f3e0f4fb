#include <stdlib.h>
#include <string.h>

#include "service/listing.h"
#include "stage.h"

/* Answers of rows, as keepsakectl gets them. */

#define TYPE_LIST 0x07c0 /* of one account or of all */
#define TYPE_OF   0x07c1 /* of one */

static const struct id anna = { "account of anna" };

/* What the parts do. */
static struct plan {
	unsigned int rows;     /* of the first part */
	size_t text_bytes;     /* in each of them */
	unsigned int pause_at; /* after so many rows looked at; 0: never */
	enum status fault;     /* of the second part */
	unsigned int calls;
} plan;

/* Rows 0, 1, …, each a number, its place, and a text. */
static enum status list_numbers(
    void *state, struct listing *listing, struct slice after)
{
	uint8_t place[4];
	uint32_t number = 0;

	ck_assert_ptr_eq(state, &plan);
	plan.calls++;
	if (after.len > 0 && after.len != sizeof(place))
		return listing_refuse_place(listing);
	if (after.len > 0)
		number = get_be32(after.data) + 1;
	char *text = malloc(plan.text_bytes + 1);
	ck_assert_ptr_nonnull(text);
	memset(text, 'x', plan.text_bytes);
	text[plan.text_bytes] = '\0';
	for (unsigned int seen = 0; number < plan.rows; number++, seen++) {
		put_be32(place, number);
		if (plan.pause_at > 0 && seen == plan.pause_at) {
			put_be32(place, number - 1);
			listing_pause(listing, slice_of(place, sizeof(place)));
			break;
		}
		listing_row(listing, "number");
		listing_number(listing, "number", number);
		listing_text(listing, "text", text);
		if (!listing_row_end(listing, slice_of(place, sizeof(place))))
			break;
	}
	free(text);
	return STATUS_OK;
}

static enum status list_all_kinds(
    void *state, struct listing *listing, struct slice after)
{
	static const struct id none;

	(void)state;
	(void)after;
	if (plan.fault != STATUS_OK)
		return plan.fault;
	listing_row(listing, "kinds");
	listing_text(listing, "text", "hello");
	listing_text(listing, "empty", "");
	listing_number(listing, "number", UINT64_MAX);
	listing_time(listing, "when", 1795199400000);
	listing_data(listing, "data", slice_of("\1\2", 2));
	listing_flag(listing, "flag", true);
	listing_id(listing, "id", &listing->account);
	listing_id(listing, "none", &none);
	listing_nothing(listing, "nothing");
	listing_row_end(listing, (struct slice){ 0 });
	return STATUS_OK;
}

static listing_part_fn *const parts[] = { list_numbers, list_all_kinds };

static enum status on_list(void *state, struct exchange *x)
{
	return listing_answer(state, x, parts, nitems(parts), false);
}

static enum status on_of(void *state, struct exchange *x)
{
	return listing_answer(state, x, parts, nitems(parts), true);
}

static const struct handler handlers[] = {
	{ TYPE_LIST, "LIST", FROM(ROLE_OPS), NO_TICKET, PLAIN, on_list },
	{ TYPE_OF, "OF", FROM(ROLE_OPS), NO_TICKET, PLAIN, on_of },
};

static void setup(void)
{
	plan = (struct plan){ .rows = 3 };
	stage_options = (struct server_options){ .state = &plan };
	stage_setup(handlers, nitems(handlers));
}

static void teardown(void)
{
	stage_teardown();
}

/* ---- asking ---- */

static struct unpack unpack;
static Ops__ListPage *page; /* the last; good until the next is asked for */

static enum status ask(uint32_t type, struct slice account, struct slice after)
{
	Ops__ListQuery query = OPS__LIST_QUERY__INIT;
	struct request request = request_of(type);
	struct bytes packed = { 0 };

	query.account_id = field_of(account);
	query.after = field_of(after);
	ck_assert_int_eq(pack_message(&packed, &query.base), STATUS_OK);
	request.body = bytes_slice(&packed);
	enum status st = asker_ask(&ops, &request);
	bytes_clear(&packed);
	unpack_end(&unpack);
	unpack_begin(&unpack);
	if (st == STATUS_OK)
		ck_assert_int_eq(
		    unpack_message(&unpack, &ops__list_page__descriptor,
			frame_slice(&ops.answer.body), &page),
		    STATUS_OK);
	return st;
}

static const struct slice nothing;

/* Ask to the end: each number must come once, in order; returns the pages. */
static size_t ask_all(void)
{
	struct bytes after = { 0 };
	size_t pages = 0, numbers = 0, kinds = 0;

	do {
		ck_assert_int_eq(
		    ask(TYPE_LIST, nothing, bytes_slice(&after)), STATUS_OK);
		pages++;
		ck_assert_uint_le(
		    frame_slice(&ops.answer.body).len, BODY_BYTES_MAX);
		for (size_t i = 0; i < page->n_rows; i++) {
			const Ops__ListRow *row = page->rows[i];
			if (strcmp(row->kind, "number") == 0)
				ck_assert_uint_eq(
				    row->fields[0]->number, numbers++);
			else
				kinds++;
		}
		ck_assert_int_eq(
		    bytes_copy(&after, field_slice(page->next)), STATUS_OK);
	} while (after.len > 0);
	bytes_clear(&after);
	ck_assert_uint_eq(numbers, plan.rows);
	ck_assert_uint_eq(kinds, 1);
	return pages;
}

/* clang-format off */
static const struct {
	const char *name;
	unsigned int rows;
	size_t text_bytes;
	unsigned int pause_at;
	size_t pages;
} lists[] = {
	{ "O-01 a page that holds all",             3,     0, 0,   1 },
	{ "O-01 no row in the first part",          0,     0, 0,   1 },
	{ "O-01 many short rows",                5000,     0, 0,   3 },
	{ "O-01 rows of which a page holds one",    4, 60000, 0,   4 },
	{ "O-01 a part that pauses",               10,     0, 3,   4 },
};
/* clang-format on */

START_TEST(list)
{
	plan.rows = lists[_i].rows;
	plan.text_bytes = lists[_i].text_bytes;
	plan.pause_at = lists[_i].pause_at;
	size_t pages = ask_all();
	ck_assert_msg(
	    pages == lists[_i].pages, "%s: %zu pages", lists[_i].name, pages);
}
END_TEST

START_TEST(row_too_large)
{
	plan.text_bytes = BODY_BYTES_MAX;
	ck_assert_int_eq(ask(TYPE_LIST, nothing, nothing), STATUS_TOO_LARGE);
}
END_TEST

START_TEST(values)
{
	plan.rows = 0;
	ck_assert_int_eq(
	    ask(TYPE_OF, slice_of(anna.bytes, ID_BYTES), nothing), STATUS_OK);
	ck_assert_uint_eq(page->n_rows, 1);
	ck_assert_uint_eq(page->next.len, 0);
	Ops__ListField **fields = page->rows[0]->fields;
	ck_assert_uint_eq(page->rows[0]->n_fields, 9);
	ck_assert_str_eq(fields[0]->text, "hello");
	ck_assert_int_eq(
	    fields[1]->value_case, OPS__LIST_FIELD__VALUE__NOT_SET);
	ck_assert_uint_eq(fields[2]->number, UINT64_MAX);
	ck_assert_uint_eq(fields[3]->when_ms, 1795199400000);
	ck_assert(
	    slice_equal(field_slice(fields[4]->data), slice_of("\1\2", 2)));
	ck_assert_int_eq(fields[5]->value_case, OPS__LIST_FIELD__VALUE_FLAG);
	ck_assert(slice_equal(
	    field_slice(fields[6]->data), slice_of(anna.bytes, ID_BYTES)));
	ck_assert_int_eq(
	    fields[7]->value_case, OPS__LIST_FIELD__VALUE__NOT_SET);
	ck_assert_int_eq(
	    fields[8]->value_case, OPS__LIST_FIELD__VALUE__NOT_SET);
}
END_TEST

static const uint8_t long_after[2 + LISTING_AT_BYTES_MAX];

/* clang-format off */
static const struct {
	const char *name;
	uint32_t type;
	const char *account;
	size_t account_len;
	const uint8_t *after;
	size_t after_len;
	enum status want;
} queries[] = {
	{ "O-01 of all",                    TYPE_LIST, "", 0, NULL, 0, STATUS_OK },
	{ "O-01 of one",                    TYPE_OF, "account of anna", 16, NULL, 0, STATUS_OK },
	{ "O-01 no account where one must", TYPE_OF, "", 0, NULL, 0, STATUS_MALFORMED },
	{ "O-01 an account cut short",      TYPE_OF, "account of anna", 15, NULL, 0, STATUS_MALFORMED },
	{ "R-03 a part that is not there",  TYPE_LIST, "", 0, (const uint8_t *)"\2", 1, STATUS_MALFORMED },
	{ "R-03 the last part",             TYPE_LIST, "", 0, (const uint8_t *)"\1", 1, STATUS_OK },
	{ "R-03 a place cut short",         TYPE_LIST, "", 0, (const uint8_t *)"\0\0\0\1", 4, STATUS_MALFORMED },
	{ "R-03 a place",                   TYPE_LIST, "", 0, (const uint8_t *)"\0\0\0\0\1", 5, STATUS_OK },
	{ "R-03 a place past all",          TYPE_LIST, "", 0, (const uint8_t *)"\0\xff\xff\xff\xf0", 5, STATUS_OK },
	{ "R-03 a place that is too long",  TYPE_LIST, "", 0, long_after, sizeof(long_after), STATUS_MALFORMED },
};
/* clang-format on */

START_TEST(query)
{
	enum status got = ask(queries[_i].type,
	    slice_of(queries[_i].account, queries[_i].account_len),
	    slice_of(queries[_i].after, queries[_i].after_len));
	ck_assert_msg(got == queries[_i].want, "%s: got '%s'", queries[_i].name,
	    status_text(got));
}
END_TEST

START_TEST(no_query)
{
	struct request request = request_of(TYPE_LIST);

	request.body = slice_text("\x0a\xff");
	ck_assert_int_eq(asker_ask(&ops, &request), STATUS_MALFORMED);
}
END_TEST

START_TEST(faults)
{
	/* Damage that a part meets is not laid at the asker's door. */
	plan.fault = STATUS_MALFORMED;
	ck_assert_int_eq(ask(TYPE_LIST, nothing, nothing), STATUS_INTERNAL);
	plan.fault = STATUS_NOT_FOUND;
	ck_assert_int_eq(ask(TYPE_LIST, nothing, nothing), STATUS_NOT_FOUND);
}
END_TEST

START_TEST(gateway_denied)
{
	struct request request = request_of(TYPE_LIST);

	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_DENIED);
	ck_assert_uint_eq(plan.calls, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("listing");
	TCase *tc = tcase_create("O-01 rows, page by page");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, list, 0, nitems(lists));
	tcase_add_test(tc, row_too_large);
	tcase_add_test(tc, values);
	tcase_add_loop_test(tc, query, 0, nitems(queries));
	tcase_add_test(tc, no_query);
	tcase_add_test(tc, faults);
	tcase_add_test(tc, gateway_denied);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

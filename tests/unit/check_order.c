#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "order_sample.h"
#include "service/order_table.h"

/* One order, its rows, and the table of those in force. */

static const struct id tablet = { "tablet of anna" };
static const struct id other_nonce = { "other nonce" };
static const struct id nobody = { { 0 } };

/* ---- what it refuses ---- */

/* An order against anna, at noon. */
#define ORDER(the_kind, the_subject)                                      \
	{                                                                 \
		.sequence = 7, .kind = (the_kind),                        \
		.account = { "account of anna" }, .subject = the_subject, \
		.when_ms = NOON_MS                                        \
	}

/* clang-format off */
#define PHONE  { "phone of anna" }
#define TABLET { "tablet of anna" }
#define NONCE  { "nonce" }
#define OTHER  { "other nonce" }
#define NOBODY { { 0 } }

static const struct {
	const char *name;
	struct order order;
	const struct id *account, *terminal, *nonce;
	int64_t issued_ms; /* after noon */
	bool want;
} refusals[] = {
	{ "A-14 the ticket",                     ORDER(ORDER_REVOKE_TICKET, NONCE),    &anna, &phone,  &nonce,       -1, true },
	{ "A-14 the ticket, by a clock ahead",   ORDER(ORDER_REVOKE_TICKET, NONCE),    &anna, &phone,  &nonce,       9,  true },
	{ "A-14 another ticket",                 ORDER(ORDER_REVOKE_TICKET, NONCE),    &anna, &phone,  &other_nonce, -1, false },
	{ "A-14 another account's, same nonce",  ORDER(ORDER_REVOKE_TICKET, NONCE),    &bert, &phone,  &nonce,       -1, false },
	{ "A-14 the terminal's",                 ORDER(ORDER_REVOKE_TERMINAL, PHONE),  &anna, &phone,  &nonce,       -1, true },
	{ "A-14 the terminal's, that moment",    ORDER(ORDER_REVOKE_TERMINAL, PHONE),  &anna, &phone,  &nonce,       0,  true },
	{ "A-14 the terminal's next",            ORDER(ORDER_REVOKE_TERMINAL, PHONE),  &anna, &phone,  &nonce,       1,  false },
	{ "A-14 another terminal's",             ORDER(ORDER_REVOKE_TERMINAL, PHONE),  &anna, &tablet, &nonce,       -1, false },
	{ "A-14 the account's",                  ORDER(ORDER_REVOKE_ACCOUNT, NOBODY),  &anna, &phone,  &nonce,       -1, true },
	{ "A-14 the account's next",             ORDER(ORDER_REVOKE_ACCOUNT, NOBODY),  &anna, &phone,  &nonce,       1,  false },
	{ "A-14 another account's",              ORDER(ORDER_REVOKE_ACCOUNT, NOBODY),  &bert, &phone,  &nonce,       -1, false },
	{ "A-14 none is spared, not nonce zero",  ORDER(ORDER_REVOKE_ACCOUNT, NOBODY),  &anna, &phone,  &nobody,      -1, true },
	{ "A-14 the one that is spared",         ORDER(ORDER_REVOKE_ACCOUNT, NONCE),   &anna, &phone,  &nonce,       -1, false },
	{ "A-14 one that is not spared",         ORDER(ORDER_REVOKE_ACCOUNT, NONCE),   &anna, &phone,  &other_nonce, -1, true },
	{ "A-12 a deleted account's",            ORDER(ORDER_DELETE_ACCOUNT, NOBODY),  &anna, &phone,  &nonce,       -1, true },
	{ "A-12 a deleted account's, later",     ORDER(ORDER_DELETE_ACCOUNT, NOBODY),  &anna, &phone,  &nonce,       9,  true },
	{ "A-12 another account's",              ORDER(ORDER_DELETE_ACCOUNT, NOBODY),  &bert, &phone,  &nonce,       -1, false },
};

static const struct {
	const char *name;
	struct order later, former;
	bool want;
} covers[] = {
	{ "A-14 the same ticket",           ORDER(ORDER_REVOKE_TICKET, NONCE),    ORDER(ORDER_REVOKE_TICKET, NONCE),    true },
	{ "A-14 another ticket",            ORDER(ORDER_REVOKE_TICKET, NONCE),    ORDER(ORDER_REVOKE_TICKET, OTHER),    false },
	{ "A-14 the same terminal",         ORDER(ORDER_REVOKE_TERMINAL, PHONE),  ORDER(ORDER_REVOKE_TERMINAL, PHONE),  true },
	{ "A-14 another terminal",          ORDER(ORDER_REVOKE_TERMINAL, PHONE),  ORDER(ORDER_REVOKE_TERMINAL, TABLET), false },
	{ "A-14 terminal over ticket",      ORDER(ORDER_REVOKE_TERMINAL, PHONE),  ORDER(ORDER_REVOKE_TICKET, NONCE),    false },
	{ "A-14 all over ticket",           ORDER(ORDER_REVOKE_ACCOUNT, NOBODY),  ORDER(ORDER_REVOKE_TICKET, NONCE),    true },
	{ "A-14 all over terminal",         ORDER(ORDER_REVOKE_ACCOUNT, NOBODY),  ORDER(ORDER_REVOKE_TERMINAL, PHONE),  true },
	{ "A-14 all over all but one",      ORDER(ORDER_REVOKE_ACCOUNT, NOBODY),  ORDER(ORDER_REVOKE_ACCOUNT, NONCE),   true },
	{ "A-14 all but one over ticket",   ORDER(ORDER_REVOKE_ACCOUNT, NONCE),   ORDER(ORDER_REVOKE_TICKET, OTHER),    true },
	{ "A-14 all but one over that one", ORDER(ORDER_REVOKE_ACCOUNT, NONCE),   ORDER(ORDER_REVOKE_TICKET, NONCE),    false },
	{ "A-14 all but one over terminal", ORDER(ORDER_REVOKE_ACCOUNT, NONCE),   ORDER(ORDER_REVOKE_TERMINAL, PHONE),  false },
	{ "A-14 all but one over all",      ORDER(ORDER_REVOKE_ACCOUNT, NONCE),   ORDER(ORDER_REVOKE_ACCOUNT, NOBODY),  false },
	{ "A-14 all but one, again",        ORDER(ORDER_REVOKE_ACCOUNT, NONCE),   ORDER(ORDER_REVOKE_ACCOUNT, NONCE),   true },
	{ "A-12 deleted over all",          ORDER(ORDER_DELETE_ACCOUNT, NOBODY),  ORDER(ORDER_REVOKE_ACCOUNT, NONCE),   true },
	{ "A-12 a deletion is for good",    ORDER(ORDER_DELETE_ACCOUNT, NOBODY),  ORDER(ORDER_DELETE_ACCOUNT, NOBODY),  false },
	{ "A-12 nothing is over it",        ORDER(ORDER_REVOKE_ACCOUNT, NOBODY),  ORDER(ORDER_DELETE_ACCOUNT, NOBODY),  false },
};
/* clang-format on */

START_TEST(refusal)
{
	struct ticket ticket = ticket_at(refusals[_i].account,
	    refusals[_i].terminal, refusals[_i].nonce,
	    (uint64_t)((int64_t)NOON_MS + refusals[_i].issued_ms));

	ck_assert_msg(
	    order_refuses(&refusals[_i].order, &ticket) == refusals[_i].want,
	    "%s", refusals[_i].name);
}
END_TEST

START_TEST(cover)
{
	struct order later = covers[_i].later, former = covers[_i].former;

	later.when_ms++;
	ck_assert_msg(order_covers(&later, &former) == covers[_i].want, "%s",
	    covers[_i].name);
	/* Of another account it covers nothing. */
	former.account = bert;
	ck_assert_msg(!order_covers(&later, &former), "%s", covers[_i].name);
	/* Nor what came after it, but for the deletion, which is for good. */
	former.account = anna;
	former.when_ms = later.when_ms + 1;
	ck_assert_msg(later.kind == ORDER_DELETE_ACCOUNT ||
			  !order_covers(&later, &former),
	    "%s", covers[_i].name);
}
END_TEST

/* What covers refuses all that the other refuses: tried on tickets. */
START_TEST(cover_is_right)
{
	static const struct id *const terminals[] = { &phone, &tablet };
	static const struct id *const nonces[] = { &nonce, &other_nonce };
	struct order later = covers[_i].later, former = covers[_i].former;

	later.when_ms++;
	if (!order_covers(&later, &former))
		return;
	for (size_t i = 0; i < 8; i++) {
		struct ticket ticket = ticket_at(&anna, terminals[i % 2],
		    nonces[i / 2 % 2], NOON_MS - 1 + i / 4);
		ck_assert_msg(!order_refuses(&former, &ticket) ||
				  order_refuses(&later, &ticket),
		    "%s", covers[_i].name);
	}
}
END_TEST

START_TEST(kept_long_enough)
{
	struct order order = ORDER(ORDER_REVOKE_TERMINAL, PHONE);

	ck_assert(!order_is_over(&order, NOON_MS - 1));
	ck_assert(!order_is_over(&order, NOON_MS + 25 * HOUR_MS));
	ck_assert(order_is_over(&order, NOON_MS + 25 * HOUR_MS + 1));
	order.kind = ORDER_DELETE_ACCOUNT;
	ck_assert(!order_is_over(&order, NOON_MS + 100000 * HOUR_MS));
}
END_TEST

/* ---- bytes ---- */

/* The layout is on disks: a change needs another version. */
START_TEST(layout)
{
	static const uint8_t want[ORDER_VALUE_BYTES] = "\1\2account of anna\0"
						       "phone of anna\0\0\0"
						       "\1\2\3\4\5\6\7\10";
	struct order order = ORDER(ORDER_REVOKE_TERMINAL, PHONE), found;
	uint8_t key[ORDER_KEY_BYTES], value[ORDER_VALUE_BYTES];

	order.sequence = 0x1122334455667788;
	order.when_ms = 0x0102030405060708;
	order_pack(key, value, &order);
	ck_assert_mem_eq(key, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
	ck_assert_mem_eq(value, want, sizeof(want));
	ck_assert_int_eq(order_unpack(&found, slice_of(key, sizeof(key)),
			     slice_of(value, sizeof(value))),
	    STATUS_OK);
	ck_assert_uint_eq(found.sequence, order.sequence);
	ck_assert_int_eq(found.kind, order.kind);
	ck_assert(id_equal(&found.account, &order.account));
	ck_assert(id_equal(&found.subject, &order.subject));
	ck_assert_uint_eq(found.when_ms, order.when_ms);
}
END_TEST

/* clang-format off */
static const struct {
	const char *name;
	size_t key_len, value_len;
	size_t at; /* this byte of the value is changed */
	uint8_t byte;
	enum status want;
} rows[] = {
	{ "R-03 as it was written",   8, 42, 0,  1,   STATUS_OK },
	{ "R-03 the last kind",       8, 42, 1,  4,   STATUS_OK },
	{ "R-03 a short key",         7, 42, 0,  1,   STATUS_MALFORMED },
	{ "R-03 no key",              0, 42, 0,  1,   STATUS_MALFORMED },
	{ "R-03 a short value",       8, 41, 0,  1,   STATUS_MALFORMED },
	{ "R-03 only a version",      8, 1,  0,  1,   STATUS_MALFORMED },
	{ "R-03 no value",            8, 0,  0,  1,   STATUS_MALFORMED },
	{ "R-03 no version",          8, 42, 0,  0,   STATUS_MALFORMED },
	{ "R-03 no kind",             8, 42, 1,  0,   STATUS_MALFORMED },
	{ "R-03 an unknown kind",     8, 42, 1,  5,   STATUS_VERSION },
	{ "O-08 a newer version",     8, 42, 0,  2,   STATUS_VERSION },
	{ "O-08 newer, other length", 8, 12, 0,  200, STATUS_VERSION },
};
/* clang-format on */

START_TEST(row)
{
	struct order order = ORDER(ORDER_REVOKE_TICKET, NONCE), found = order;
	uint8_t key[ORDER_KEY_BYTES], value[ORDER_VALUE_BYTES];

	order_pack(key, value, &order);
	value[rows[_i].at] = rows[_i].byte;
	found.sequence = 42;
	enum status got = order_unpack(&found, slice_of(key, rows[_i].key_len),
	    slice_of(value, rows[_i].value_len));
	ck_assert_msg(got == rows[_i].want, "%s: got '%s', want '%s'",
	    rows[_i].name, status_text(got), status_text(rows[_i].want));
	ck_assert_uint_eq(found.sequence, got == STATUS_OK ? 7 : 42);
}
END_TEST

START_TEST(row_numbered_nothing)
{
	struct order order = ORDER(ORDER_REVOKE_TICKET, NONCE), found;
	uint8_t key[ORDER_KEY_BYTES], value[ORDER_VALUE_BYTES];

	order.sequence = 0;
	order_pack(key, value, &order);
	ck_assert_int_eq(order_unpack(&found, slice_of(key, sizeof(key)),
			     slice_of(value, sizeof(value))),
	    STATUS_MALFORMED);
}
END_TEST

/* ---- the table ---- */

START_TEST(table_many)
{
	struct order_table *table = order_table_new();
	struct order order = ORDER(ORDER_DELETE_ACCOUNT, NOBODY);
	struct id strange = { "nobody's" };

	/* Far more than there are buckets at the start. */
	for (uint32_t i = 0; i < 5000; i++) {
		put_be32(order.account.bytes, i * 2654435761u);
		order.kind =
		    i % 2 == 0 ? ORDER_DELETE_ACCOUNT : ORDER_REVOKE_ACCOUNT;
		order.sequence = i + 1;
		ck_assert_int_eq(order_table_add(table, &order), STATUS_OK);
	}
	ck_assert_uint_eq(order_table_deletions(table), 2500);
	ck_assert_uint_eq(order_table_revocations(table), 2500);
	for (uint32_t i = 0; i < 5000; i++) {
		put_be32(order.account.bytes, i * 2654435761u);
		const struct account_orders *found =
		    order_table_find(table, &order.account);
		ck_assert_ptr_nonnull(found);
		ck_assert_int_eq(found->deleted, i % 2 == 0);
		ck_assert_uint_eq(found->revocations_count, i % 2);
	}
	ck_assert_ptr_null(order_table_find(table, &strange));
	order_table_destroy(&table);
	ck_assert_ptr_null(table);
	order_table_destroy(&table);
}
END_TEST

START_TEST(table_over)
{
	struct order_table *table = order_table_new();
	struct order order = ORDER(ORDER_REVOKE_TICKET, NONCE), over[10];

	for (uint8_t i = 0; i < 9; i++) {
		order.sequence = i + 1;
		order.subject.bytes[15] = i;
		order.when_ms = NOON_MS + i * HOUR_MS;
		ck_assert_int_eq(order_table_add(table, &order), STATUS_OK);
		/* the same, as when it is sent again */
		ck_assert_int_eq(order_table_add(table, &order), STATUS_OK);
	}
	order = (struct order)ORDER(ORDER_DELETE_ACCOUNT, NOBODY);
	order.account = bert;
	ck_assert_int_eq(order_table_add(table, &order), STATUS_OK);
	ck_assert_uint_eq(order_table_revocations(table), 9);

	uint64_t now_ms = NOON_MS + (25 + 6) * HOUR_MS;
	ck_assert_uint_eq(order_table_take_over(table, now_ms, over, 4), 4);
	ck_assert_uint_eq(order_table_take_over(table, now_ms, over, 10), 2);
	ck_assert_uint_eq(over[1].sequence, 6);
	ck_assert_uint_eq(order_table_take_over(table, now_ms, over, 10), 0);
	ck_assert_uint_eq(order_table_revocations(table), 3);
	now_ms += 1000 * HOUR_MS;
	ck_assert_uint_eq(order_table_take_over(table, now_ms, over, 10), 3);
	ck_assert_ptr_null(order_table_find(table, &anna));
	ck_assert_uint_eq(order_table_deletions(table), 1);
	ck_assert_ptr_nonnull(order_table_find(table, &bert));
	order_table_destroy(&table);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("order");

	TCase *refuse = tcase_create("A-14 A-12 what an order refuses");
	tcase_add_loop_test(refuse, refusal, 0, nitems(refusals));
	tcase_add_test(refuse, kept_long_enough);
	suite_add_tcase(suite, refuse);

	TCase *over_others = tcase_create("A-14 what an order makes needless");
	tcase_add_loop_test(over_others, cover, 0, nitems(covers));
	tcase_add_loop_test(over_others, cover_is_right, 0, nitems(covers));
	suite_add_tcase(suite, over_others);

	TCase *bytes = tcase_create("R-03 O-08 rows of orders");
	tcase_add_test(bytes, layout);
	tcase_add_loop_test(bytes, row, 0, nitems(rows));
	tcase_add_test(bytes, row_numbered_nothing);
	suite_add_tcase(suite, bytes);

	TCase *table = tcase_create("A-14 the orders in force");
	tcase_add_test(table, table_many);
	tcase_add_test(table, table_over);
	suite_add_tcase(suite, table);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

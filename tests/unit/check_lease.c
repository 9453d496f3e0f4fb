/* A program's own file, which is in no library. */
#include "../../services/store/lease.c"

#include <check.h>
#include <stdlib.h>

#include "base/util.h"

#define NOW           (100ull * 24 * 3600 * 1000)
#define LEASE_MS      60000u
#define TICKET_MS_AGO 600000u

static struct ticket ticket_of(uint8_t nonce, uint64_t issued_ms)
{
	struct ticket ticket = { .issued_ms = issued_ms };

	memset(ticket.terminal.bytes, 1, ID_BYTES);
	memset(ticket.peer, 2, TICKET_PEER_BYTES);
	memset(ticket.nonce, nonce, TICKET_NONCE_BYTES);
	return ticket;
}

/* clang-format off */
static const struct {
	const char *name;
	bool lease;           /* the terminal has one … */
	bool same_id;         /* … and the request names it */
	uint64_t unused_ms;   /* since its last use */
	bool expired;         /* the ticket */
	bool same_nonce;      /* it is the one that the lease keeps good */
	uint64_t ticket_ms;   /* since it was issued */
	enum status want;
} check_cases[] = {
	{ "A-03 good ticket",                true,  true,  0,            false, true,  0,                   STATUS_OK },
	{ "A-03 another good ticket",        true,  true,  0,            false, false, 0,                   STATUS_OK },
	{ "A-03 expired, renewed by use",    true,  true,  0,            true,  true,  TICKET_MS_AGO,       STATUS_OK },
	{ "A-03 expired, just below 24 h",   true,  true,  0,            true,  true,  TRANSFER_MS_MAX - 1, STATUS_OK },
	{ "A-03 expired, 24 h",              true,  true,  0,            true,  true,  TRANSFER_MS_MAX,     STATUS_EXPIRED },
	{ "A-03 expired, not the lease's",   true,  true,  0,            true,  false, TICKET_MS_AGO,       STATUS_EXPIRED },
	{ "A-03 expired, no lease",          false, false, 0,            true,  true,  TICKET_MS_AGO,       STATUS_EXPIRED },
	{ "A-03 expired, taken over",        true,  false, 0,            true,  true,  TICKET_MS_AGO,       STATUS_EXPIRED },
	{ "A-03 expired, lease over too",    true,  true,  LEASE_MS,     true,  true,  TICKET_MS_AGO,       STATUS_EXPIRED },
	{ "B-08 no lease",                   false, false, 0,            false, true,  0,                   STATUS_CONFLICT },
	{ "B-08 taken over",                 true,  false, 0,            false, true,  0,                   STATUS_CONFLICT },
	{ "B-08 used just in time",          true,  true,  LEASE_MS - 1, false, true,  0,                   STATUS_OK },
	{ "B-08 not used for too long",      true,  true,  LEASE_MS,     false, true,  0,                   STATUS_CONFLICT },
};
/* clang-format on */

START_TEST(check_table)
{
	struct ticket begun = ticket_of(3, NOW - check_cases[_i].ticket_ms);
	struct ticket ticket =
	    ticket_of(check_cases[_i].same_nonce ? 3 : 4, begun.issued_ms);
	const char *detail = "";
	struct lease lease;

	lease_open(&lease, LEASE_UPLOAD, &begun, NULL,
	    NOW - check_cases[_i].unused_ms);
	struct id id = lease.id;
	if (!check_cases[_i].same_id)
		id.bytes[0] ^= 1;
	enum status got = lease_check(check_cases[_i].lease ? &lease : NULL,
	    &id, &ticket, check_cases[_i].expired, NOW, LEASE_MS, &detail);
	ck_assert_msg(got == check_cases[_i].want, "%s: got '%s', want '%s'",
	    check_cases[_i].name, status_text(got),
	    status_text(check_cases[_i].want));
	ck_assert(got == STATUS_OK || detail[0] != '\0');
}
END_TEST

/* clang-format off */
static const struct {
	const char *name;
	enum lease_kind kind;
	uint64_t unused_ms;
	bool want;
} yield_cases[] = {
	{ "B-06 a restore that is used",     LEASE_DOWNLOAD, 0,            false },
	{ "B-06 a restore, just in time",    LEASE_DOWNLOAD, LEASE_MS - 1, false },
	{ "B-06 a restore that is idle",     LEASE_DOWNLOAD, LEASE_MS,     true },
	{ "B-06 a backup never yields",      LEASE_UPLOAD,   LEASE_MS * 9, false },
};
/* clang-format on */

START_TEST(yield_table)
{
	struct ticket ticket = ticket_of(3, NOW);
	struct lease lease;

	lease_open(&lease, yield_cases[_i].kind, &ticket, NULL,
	    NOW - yield_cases[_i].unused_ms);
	ck_assert_msg(
	    lease_yields(&lease, NOW, LEASE_MS) == yield_cases[_i].want, "%s",
	    yield_cases[_i].name);
}
END_TEST

START_TEST(takeover_keeps_the_opening)
{
	struct ticket ticket = ticket_of(3, NOW);
	struct lease first, second;

	lease_open(&first, LEASE_UPLOAD, &ticket, NULL, NOW);
	lease_open(&second, LEASE_UPLOAD, &ticket, &first, NOW + 5);
	ck_assert(!id_equal(&first.id, &second.id));
	ck_assert_uint_eq(second.opened_ms, NOW);
	ck_assert_uint_eq(second.touched_ms, NOW + 5);
}
END_TEST

START_TEST(touch_now_and_then)
{
	struct ticket ticket = ticket_of(3, NOW), newer = ticket_of(4, NOW + 9);
	struct lease lease;

	lease_open(&lease, LEASE_UPLOAD, &ticket, NULL, NOW);
	ck_assert(!lease_touch(&lease, &ticket, false, NOW + 1, LEASE_MS));
	ck_assert_uint_eq(lease.touched_ms, NOW);
	ck_assert(
	    lease_touch(&lease, &ticket, false, NOW + LEASE_MS / 2, LEASE_MS));
	ck_assert_uint_eq(lease.touched_ms, NOW + LEASE_MS / 2);
	/* A newer ticket takes the place of the older one; if it is good. */
	ck_assert(
	    !lease_touch(&lease, &newer, true, NOW + LEASE_MS / 2, LEASE_MS));
	ck_assert(
	    lease_touch(&lease, &newer, false, NOW + LEASE_MS / 2, LEASE_MS));
	ck_assert_mem_eq(lease.nonce, newer.nonce, TICKET_NONCE_BYTES);
	ck_assert_uint_eq(lease.issued_ms, newer.issued_ms);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lease");
	TCase *use = tcase_create("A-03 B-08 a lease renews its ticket");

	tcase_add_loop_test(use, check_table, 0, nitems(check_cases));
	tcase_add_test(use, takeover_keeps_the_opening);
	tcase_add_test(use, touch_now_and_then);
	suite_add_tcase(suite, use);
	TCase *idle = tcase_create("B-06 B-08 who yields to deletions");
	tcase_add_loop_test(idle, yield_table, 0, nitems(yield_cases));
	suite_add_tcase(suite, idle);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

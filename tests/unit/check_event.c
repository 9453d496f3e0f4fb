#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "bus/unpack.h"
#include "events.pb-c.h"
#include "service/event.h"

#define TEN          "abcdefghij"
#define THIRTY_THREE TEN TEN TEN "abc"

static uint8_t id[ID_BYTES + 1] = { 1 };

/* clang-format off */
/* A row changes a good message so that it is none, or one all the same. */
static void leave(Events__Event *m) { (void)m; }
static void no_account(Events__Event *m) { m->account_id.len = 0; }
static void short_account(Events__Event *m) { m->account_id.len = 15; }
static void long_trace(Events__Event *m) { m->trace_id.len = 17; }
static void no_service(Events__Event *m) { m->service = (char *)""; }
static void long_service(Events__Event *m) { m->service = (char *)THIRTY_THREE; }
static void no_kind(Events__Event *m) { m->kind = (char *)""; }
static void long_kind(Events__Event *m) { m->kind = (char *)THIRTY_THREE; }
static void odd_kind(Events__Event *m) { m->kind = (char *)"a\x1b[2J"; }
static void capital(Events__Event *m) { m->kind = (char *)"Login"; }
static void no_subject(Events__Event *m) { m->subject = (char *)""; }
static void odd_subject(Events__Event *m) { m->subject = (char *)"a b"; }
static void no_number(Events__Event *m) { m->sequence = 0; }
static void no_kind_number(Events__Event *m) { m->kind_sequence = 0; }
static void hello(Events__Event *m)
{
	m->kind = (char *)EVENT_HELLO;
	m->sequence = 0;
	m->kind_sequence = 0;
}
static void long_figure(Events__Event *m)
{
	m->figures[0]->name = (char *)THIRTY_THREE;
}
static void more_figures(Events__Event *m) { m->n_figures++; }

/* clang-format on */

static const struct {
	const char *name;
	void (*change)(Events__Event *message);
	enum status want;
} cases[] = {
	{ "as it is", leave, STATUS_OK },
	{ "no account", no_account, STATUS_OK },
	{ "no subject", no_subject, STATUS_OK },
	{ "hello without numbers", hello, STATUS_OK },
	{ "short account", short_account, STATUS_MALFORMED },
	{ "long trace", long_trace, STATUS_MALFORMED },
	{ "no service", no_service, STATUS_MALFORMED },
	{ "long service", long_service, STATUS_MALFORMED },
	{ "no kind", no_kind, STATUS_MALFORMED },
	{ "long kind", long_kind, STATUS_MALFORMED },
	{ "control characters", odd_kind, STATUS_MALFORMED },
	{ "capital letters", capital, STATUS_MALFORMED },
	{ "a blank", odd_subject, STATUS_MALFORMED },
	{ "no sequence", no_number, STATUS_MALFORMED },
	{ "no sequence of its kind", no_kind_number, STATUS_MALFORMED },
	{ "a long figure", long_figure, STATUS_MALFORMED },
	{ "one figure more", more_figures, STATUS_MALFORMED },
};

START_TEST(table)
{
	Events__Event message = EVENTS__EVENT__INIT;
	Events__Figure figure = EVENTS__FIGURE__INIT;
	Events__Figure *figures[EVENT_FIGURES_MAX + 1];
	struct bytes packed = { 0 };
	struct event event;

	figure.name = (char *)"figure";
	for (size_t i = 0; i < nitems(figures); i++)
		figures[i] = &figure;
	message.service = (char *)"auth";
	message.kind = (char *)"login_ok";
	message.subject = (char *)"store";
	message.sequence = 2;
	message.kind_sequence = 1;
	message.account_id = field_of(slice_of(id, ID_BYTES));
	message.trace_id = field_of(slice_of(id, ID_BYTES));
	message.figures = figures;
	message.n_figures = EVENT_FIGURES_MAX;
	cases[_i].change(&message);
	ck_assert_int_eq(pack_message(&packed, &message.base), STATUS_OK);
	enum status got = event_unpack(&event, bytes_slice(&packed));
	ck_assert_msg(
	    got == cases[_i].want, "%s: %s", cases[_i].name, status_word(got));
	bytes_clear(&packed);
}
END_TEST

START_TEST(there_and_back)
{
	struct event event = {
		.service = "store",
		.kind = "backup_begun",
		.subject = "notify",
		.run_ms = 1,
		.sequence = UINT64_MAX,
		.kind_sequence = 3,
		.when_ms = 4,
		.account = { { 5 } },
		.trace = { { 6 } },
		.figures = { { "one", 1 }, { "two", UINT64_MAX } },
		.figures_count = 2,
	};
	struct event again;
	struct bytes packed = { 0 };
	char topic[EVENT_TOPIC_BYTES];

	ck_assert_int_eq(event_pack(&event, &packed), STATUS_OK);
	ck_assert_int_eq(event_unpack(&again, bytes_slice(&packed)), STATUS_OK);
	ck_assert_mem_eq(&event, &again, sizeof(event));
	ck_assert_str_eq(event_topic(topic, &again), "store/backup_begun");
	/* Cut short it is none, or another one; never more than that. */
	for (size_t len = 0; len < packed.len; len++)
		(void)event_unpack(&again, slice_of(packed.data, len));
	ck_assert_int_eq(
	    event_unpack(&again, slice_of(NULL, 0)), STATUS_MALFORMED);
	ck_assert_int_eq(
	    bytes_reserve(&packed, EVENT_BYTES_MAX + 1), STATUS_OK);
	packed.len = EVENT_BYTES_MAX + 1;
	ck_assert_int_eq(
	    event_unpack(&again, bytes_slice(&packed)), STATUS_MALFORMED);
	bytes_clear(&packed);
}
END_TEST

/* clang-format off */
/* What comes, in order, and how many are lost before each. */
static const struct {
	const char *name;
	struct {
		uint64_t run_ms, sequence;
		bool hello;
		uint64_t lost;
	} steps[6];
} stories[] = {
	{ "all come", { { 9, 0, true, 0 }, { 9, 1, false, 0 }, { 9, 2, false, 0 }, { 9, 2, true, 0 } } },
	{ "it comes in late", { { 9, 70, true, 0 }, { 9, 71, false, 0 } } },
	{ "late, and the hello is lost", { { 9, 70, false, 0 }, { 9, 71, false, 0 } } },
	{ "a gap", { { 9, 1, false, 0 }, { 9, 4, false, 2 }, { 9, 5, false, 0 } } },
	{ "a gap at the end", { { 9, 1, false, 0 }, { 9, 4, true, 3 }, { 9, 4, true, 0 }, { 9, 5, false, 0 } } },
	{ "an old hello", { { 9, 3, false, 0 }, { 9, 2, true, 0 }, { 9, 4, false, 0 } } },
	{ "a new run", { { 9, 3, false, 0 }, { 11, 1, false, 0 }, { 11, 2, false, 0 } } },
	{ "a new run, begun before", { { 9, 3, false, 0 }, { 11, 4, false, 3 }, { 11, 5, false, 0 } } },
	{ "a new run, by its hello", { { 9, 3, false, 0 }, { 11, 2, true, 2 }, { 11, 3, false, 0 } } },
};
/* clang-format on */

START_TEST(follow)
{
	struct event_place place = { 0 };

	for (size_t i = 0; stories[_i].steps[i].run_ms > 0; i++) {
		struct event event = {
			.run_ms = stories[_i].steps[i].run_ms,
			.sequence = stories[_i].steps[i].sequence,
		};
		strcpy(
		    event.kind, stories[_i].steps[i].hello ? EVENT_HELLO : "a");
		uint64_t lost = event_follow(&place, &event);
		ck_assert_msg(lost == stories[_i].steps[i].lost,
		    "%s: step %zu: %llu", stories[_i].name, i,
		    (unsigned long long)lost);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("event");
	TCase *tcase = tcase_create("N-07 one event");

	tcase_add_loop_test(tcase, table, 0, nitems(cases));
	tcase_add_test(tcase, there_and_back);
	tcase_add_loop_test(tcase, follow, 0, nitems(stories));
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

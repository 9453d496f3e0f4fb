#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* A unit of a program, not of a library: compiled in as it is. */
#include "../../services/auth/lane.c"

#define NOW  1000000000000ull
#define HOUR (3600ull * 1000)

static struct id id_of(unsigned int number)
{
	return (struct id){ { (uint8_t)number, 1 } };
}

static struct lane lane_of(enum lane_kind kind)
{
	return (struct lane){ .kind = kind };
}

static enum status take(struct lane *lane, unsigned int number, uint64_t now_ms)
{
	const struct id id = id_of(number);
	uint64_t retry_ms;

	lane_age(lane, now_ms);
	return lane_take(lane, &id, now_ms, &retry_ms);
}

static bool fail_try(struct lane *lane, unsigned int number, uint64_t now_ms)
{
	const struct id id = id_of(number);
	bool shuts = lane_age(lane, now_ms);

	return lane_fail(lane, &id, now_ms) || shuts;
}

static void give_back(struct lane *lane, unsigned int number)
{
	const struct id id = id_of(number);

	lane_give_back(lane, &id);
}

/* Three wrong tries, one a second. */
static void wear_out(struct lane *lane, unsigned int first, uint64_t now_ms)
{
	for (unsigned int i = 0; i < LANE_TRIES_MAX; i++) {
		ck_assert_int_eq(take(lane, first + i, now_ms + i), STATUS_OK);
		ck_assert_int_eq(fail_try(lane, first + i, now_ms + i),
		    i + 1 == LANE_TRIES_MAX);
	}
}

/* ---- stories: what is done to a lane, a letter each, and what comes ---- */

/*
 * T take a new try     R repeat the last take     W the oldest open is wrong
 * B give the last taken back                      M two minutes pass
 * H an hour passes     D a day passes             U an operator unlocks
 * N the code is replaced
 */
struct story {
	const char *name;
	enum lane_kind kind;
	const char *steps;
	unsigned int remaining;
	bool shut;
	enum status next; /* what another take says then */
};

/* clang-format off */
static const struct story stories[] = {
	{ "A-07 a new lane has three tries",           LANE_BOUND,    "",        3, false, STATUS_OK },
	{ "A-07 an open try counts as one",            LANE_BOUND,    "T",       2, false, STATUS_OK },
	{ "A-07 a repeat takes no second",             LANE_BOUND,    "TRRR",    2, false, STATUS_OK },
	{ "A-07 success gives it back",                LANE_BOUND,    "TB",      3, false, STATUS_OK },
	{ "A-07 success gives back that one only",     LANE_BOUND,    "TWTWTB",  1, false, STATUS_OK },
	{ "A-07 the third wrong one locks",            LANE_BOUND,    "TWTWTW",  0, true,  STATUS_LOCKED },
	{ "A-07 also the invited",                     LANE_INVITED,  "TWTWTW",  0, true,  STATUS_LOCKED },
	{ "A-07 and closes the strangers'",            LANE_STRANGER, "TWTWTW",  0, true,  STATUS_LOCKED },
	{ "A-07 three open ones are busy, not locked", LANE_BOUND,    "TTT",     0, false, STATUS_BUSY },
	{ "A-07 two wrong and one open are busy",      LANE_BOUND,    "TWTWT",   0, false, STATUS_BUSY },
	{ "A-07 one wrong and two open are busy",      LANE_BOUND,    "TWTT",    0, false, STATUS_BUSY },
	{ "A-07 silence is wrong",                     LANE_BOUND,    "TM",      2, false, STATUS_OK },
	{ "A-07 three silences lock",                  LANE_BOUND,    "TTTM",    0, true,  STATUS_LOCKED },
	{ "A-07 silence after two wrong locks",        LANE_BOUND,    "TWTWTM",  0, true,  STATUS_LOCKED },
	{ "A-07 a late success lifts what it locked",  LANE_BOUND,    "TWTWTMB", 1, false, STATUS_OK },
	{ "A-07 a lock does not open by itself",       LANE_BOUND,    "TWTWTWDD",0, true,  STATUS_LOCKED },
	{ "A-07 nor the invited's",                    LANE_INVITED,  "TWTWTWDD",0, true,  STATUS_LOCKED },
	{ "A-07 the strangers' opens after an hour",   LANE_STRANGER, "TWTWTWH", 3, false, STATUS_OK },
	{ "A-07 and is closed for two then",           LANE_STRANGER, "TWTWTWHTWTWTWH", 0, true, STATUS_LOCKED },
	{ "A-07 and not for three",                    LANE_STRANGER, "TWTWTWHTWTWTWHH", 3, false, STATUS_OK },
	{ "A-07 silence closes the strangers'",        LANE_STRANGER, "TTTM",    0, true,  STATUS_LOCKED },
	{ "A-07 a late success opens what it closed",  LANE_STRANGER, "TWTWTMB", 1, false, STATUS_OK },
	{ "A-08 an operator unlocks",                  LANE_BOUND,    "TWTWTWU", 3, false, STATUS_OK },
	{ "A-08 unlocking what is open does nothing",  LANE_BOUND,    "TWU",     2, false, STATUS_OK },
	{ "A-08 an operator opens the strangers'",     LANE_STRANGER, "TWTWTWU", 3, false, STATUS_OK },
	{ "A-07 a new code makes old guesses void",    LANE_BOUND,    "TWTWN",   3, false, STATUS_OK },
	{ "A-07 but keeps the open ones",              LANE_BOUND,    "TWTWTN",  2, false, STATUS_OK },
	{ "A-07 and does not unlock",                  LANE_BOUND,    "TWTWTWN", 0, true,  STATUS_LOCKED },
};
/* clang-format on */

static void fail_oldest(struct lane *lane, uint64_t now_ms)
{
	for (size_t i = 0; i < lane->tries_count; i++)
		if (!lane->tries[i].wrong) {
			const struct id id = lane->tries[i].id;
			lane_fail(lane, &id, now_ms);
			return;
		}
	ck_abort_msg("no open try");
}

START_TEST(story_told)
{
	const struct story *story = &stories[_i];
	struct lane lane = lane_of(story->kind);
	unsigned int taken = 0;
	uint64_t now_ms = NOW;

	for (const char *step = story->steps; *step; step++, now_ms++) {
		lane_age(&lane, now_ms);
		switch (*step) {
		/* clang-format off */
		case 'T': ck_assert_int_eq(take(&lane, ++taken, now_ms), STATUS_OK); break;
		case 'R': ck_assert_int_eq(take(&lane, taken, now_ms), STATUS_OK);   break;
		case 'W': fail_oldest(&lane, now_ms);    break;
		case 'B': give_back(&lane, taken);       break;
		case 'M': now_ms += LANE_OPEN_MS_MAX;    break;
		case 'H': now_ms += HOUR;                break;
		case 'D': now_ms += 24 * HOUR;           break;
		case 'U': lane_unlock(&lane);            break;
		case 'N': lane_renew(&lane);             break;
		default:  ck_abort_msg("no such step");
			/* clang-format on */
		}
	}
	lane_age(&lane, now_ms);
	ck_assert_msg(lane_shut(&lane) == story->shut, "%s: shut", story->name);
	ck_assert_msg(lane_remaining(&lane) == story->remaining,
	    "%s: %u remain, want %u", story->name, lane_remaining(&lane),
	    story->remaining);
	enum status got = take(&lane, 100, now_ms);
	ck_assert_msg(got == story->next, "%s: '%s', want '%s'", story->name,
	    status_word(got), status_word(story->next));
}
END_TEST

/* ---- times ---- */

START_TEST(busy_until_decided)
{
	struct lane lane = lane_of(LANE_BOUND);
	uint64_t retry_ms = 0;
	const struct id id = id_of(9);

	ck_assert_int_eq(take(&lane, 1, NOW), STATUS_OK);
	fail_try(&lane, 1, NOW);
	ck_assert_int_eq(take(&lane, 2, NOW + 1000), STATUS_OK);
	ck_assert_int_eq(take(&lane, 3, NOW + 2000), STATUS_OK);
	ck_assert_int_eq(
	    lane_take(&lane, &id, NOW + 5000, &retry_ms), STATUS_BUSY);
	ck_assert_uint_eq(retry_ms, LANE_OPEN_MS_MAX - 4000);
}
END_TEST

/* Each closing lasts twice as long as the last, to a day at most. */
START_TEST(closing_doubles)
{
	static const uint64_t hours[] = { 1, 2, 4, 8, 16, 24, 24, 24 };
	struct lane lane = lane_of(LANE_STRANGER);
	uint64_t now_ms = NOW;

	for (unsigned int i = 0; i < nitems(hours); i++) {
		wear_out(&lane, 10 * i, now_ms);
		now_ms += 2; /* when the third was wrong */
		ck_assert_uint_eq(
		    lane_opens_ms(&lane, now_ms), hours[i] * HOUR);
		now_ms += hours[i] * HOUR;
		lane_age(&lane, now_ms - 1);
		ck_assert(lane_shut(&lane));
		ck_assert_uint_eq(lane_opens_ms(&lane, now_ms - 1), 1);
		lane_age(&lane, now_ms);
		ck_assert(!lane_shut(&lane));
	}
	/* A week without a closing, and it begins with an hour again. */
	now_ms += LANE_CALM_MS;
	wear_out(&lane, 200, now_ms);
	ck_assert_uint_eq(lane_opens_ms(&lane, now_ms + 2), HOUR);
}
END_TEST

/* What became wrong by silence closed the lane then, not when it was seen. */
START_TEST(closing_by_silence)
{
	struct lane lane = lane_of(LANE_STRANGER);

	for (unsigned int i = 1; i <= LANE_TRIES_MAX; i++)
		ck_assert_int_eq(take(&lane, i, NOW + i), STATUS_OK);
	ck_assert(lane_age(&lane, NOW + HOUR));
	ck_assert_uint_eq(lane_opens_ms(&lane, NOW + HOUR),
	    LANE_OPEN_MS_MAX + LANE_TRIES_MAX);
	ck_assert(!lane_age(&lane, NOW + HOUR + 1));
}
END_TEST

/* One that nobody saw close and open has still closed: the next is longer. */
START_TEST(closing_unseen)
{
	struct lane lane = lane_of(LANE_STRANGER);

	for (unsigned int i = 1; i <= LANE_TRIES_MAX; i++)
		ck_assert_int_eq(take(&lane, i, NOW), STATUS_OK);
	ck_assert(lane_age(&lane, NOW + 3 * HOUR));
	ck_assert(!lane_shut(&lane));
	wear_out(&lane, 10, NOW + 3 * HOUR);
	ck_assert_uint_eq(lane_opens_ms(&lane, NOW + 3 * HOUR + 2), 2 * HOUR);
}
END_TEST

/* ---- repeats ---- */

START_TEST(ended_tries)
{
	struct lane lane = lane_of(LANE_BOUND);

	ck_assert_int_eq(take(&lane, 1, NOW), STATUS_OK);
	fail_try(&lane, 1, NOW);
	ck_assert_int_eq(take(&lane, 1, NOW), STATUS_CONFLICT);
	ck_assert_int_eq(take(&lane, 2, NOW), STATUS_OK);
	give_back(&lane, 2);
	ck_assert_int_eq(take(&lane, 2, NOW), STATUS_CONFLICT);
	ck_assert_uint_eq(lane_remaining(&lane), 2);
	/* Wrong, or right, once more: as it was. */
	fail_try(&lane, 1, NOW);
	give_back(&lane, 2);
	fail_try(&lane, 2, NOW);
	ck_assert_uint_eq(lane_remaining(&lane), 2);
}
END_TEST

/* What others have locked a right proof from before does not unlock. */
START_TEST(late_success_of_none)
{
	struct lane lane = lane_of(LANE_BOUND);

	ck_assert_int_eq(take(&lane, 1, NOW), STATUS_OK);
	give_back(&lane, 1);
	wear_out(&lane, 2, NOW);
	give_back(&lane, 1);
	ck_assert(lane_shut(&lane));
}
END_TEST

/* ---- operators ---- */

START_TEST(unlocked_ten_times)
{
	struct lane lane = lane_of(LANE_BOUND);

	for (unsigned int i = 0; i < LANE_UNLOCKS_MAX; i++) {
		wear_out(&lane, 10 * i, NOW + i);
		ck_assert_int_eq(lane_unlock(&lane), STATUS_OK);
		ck_assert_int_eq(lane_unlock(&lane), STATUS_NOT_FOUND);
	}
	wear_out(&lane, 200, NOW + HOUR);
	ck_assert_int_eq(lane_unlock(&lane), STATUS_DENIED);
	ck_assert(lane_shut(&lane));
}
END_TEST

START_TEST(handed_back_without_end)
{
	struct lane lane = lane_of(LANE_INVITED);

	ck_assert_int_eq(lane_hand_back(&lane), STATUS_NOT_FOUND);
	for (unsigned int i = 0; i < LANE_UNLOCKS_MAX; i++) {
		wear_out(&lane, 10 * i, NOW + i);
		ck_assert_int_eq(lane_unlock(&lane), STATUS_OK);
	}
	for (unsigned int i = 1; i <= 3; i++) {
		wear_out(&lane, 200 + 10 * i, NOW + i * HOUR);
		ck_assert_int_eq(lane_unlock(&lane), STATUS_DENIED);
		ck_assert_int_eq(lane_hand_back(&lane), STATUS_OK);
		ck_assert(!lane_shut(&lane));
		ck_assert_uint_eq(lane_remaining(&lane), LANE_TRIES_MAX);
		ck_assert_uint_eq(lane.unlocks, LANE_UNLOCKS_MAX);
	}
}
END_TEST

/* ---- a lost journal ---- */

static const struct {
	const char *name;
	enum lane_kind kind;
	uint64_t after_ms;
	bool shut;
} forgotten[] = {
	{ "A-07 bound: locked", LANE_BOUND, 0, true },
	{ "A-07 bound: for good", LANE_BOUND, 10 * HOUR, true },
	{ "A-07 invited: locked", LANE_INVITED, 10 * HOUR, true },
	{ "A-07 strangers': closed", LANE_STRANGER, HOUR - 1, true },
	{ "A-07 strangers': for an hour", LANE_STRANGER, HOUR, false },
};

START_TEST(lane_is_forgotten)
{
	struct lane lane;

	lane_forgotten(&lane, forgotten[_i].kind, NOW);
	lane_age(&lane, NOW + forgotten[_i].after_ms);
	ck_assert_msg(
	    lane_shut(&lane) == forgotten[_i].shut, "%s", forgotten[_i].name);
	if (forgotten[_i].shut) {
		ck_assert_int_eq(lane_unlock(&lane), STATUS_OK);
		ck_assert_uint_eq(lane_remaining(&lane), LANE_TRIES_MAX);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lane");
	TCase *tc = tcase_create("A-07 A-08 lanes");
	SRunner *runner = srunner_create(suite);

	tcase_add_loop_test(tc, story_told, 0, nitems(stories));
	tcase_add_test(tc, busy_until_decided);
	tcase_add_test(tc, closing_doubles);
	tcase_add_test(tc, closing_by_silence);
	tcase_add_test(tc, closing_unseen);
	tcase_add_test(tc, ended_tries);
	tcase_add_test(tc, late_success_of_none);
	tcase_add_test(tc, unlocked_ten_times);
	tcase_add_test(tc, handed_back_without_end);
	tcase_add_loop_test(tc, lane_is_forgotten, 0, nitems(forgotten));
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/util.h"
#include "crypto/ticket.h"

#define ISSUED_MS 1700000000000ull
#define EXPIRY_MS (ISSUED_MS + 300000)
#define DAY_MS    (24ull * 3600 * 1000)
#define MANY      3000 /* more than a cache holds */

static struct {
	uint8_t public_key[TICKET_PUBLIC_BYTES];
	uint8_t secret_key[TICKET_SECRET_BYTES];
	struct ticket ticket, opened;
	uint8_t bytes[TICKET_BYTES];
} it;

static void setup(void)
{
	static const uint8_t seed[crypto_sign_SEEDBYTES] = { 9 };

	crypto_sign_seed_keypair(it.public_key, it.secret_key, seed);
	it.ticket = (struct ticket){
		.direction = DIRECTION_DOWNLOAD,
		.account = { { 1 } },
		.terminal = { { 2 } },
		.peer = { 3 },
		.issued_ms = ISSUED_MS,
		.expiry_ms = EXPIRY_MS,
		.nonce = { 4 },
	};
	ticket_sign(it.bytes, &it.ticket, it.secret_key);
}

/** Sign ${it.bytes} again, as auth would have if it had made them so. */
static void sign_again(void)
{
	crypto_sign_detached(it.bytes + TICKET_SIGNED_BYTES, NULL, it.bytes,
	    TICKET_SIGNED_BYTES, it.secret_key);
}

static enum status open_at(uint64_t now_ms)
{
	return ticket_open(&it.opened, slice_of(it.bytes, sizeof(it.bytes)),
	    it.public_key, now_ms);
}

START_TEST(there_and_back)
{
	ck_assert_int_eq(open_at(ISSUED_MS), STATUS_OK);
	ck_assert_int_eq(it.opened.direction, it.ticket.direction);
	ck_assert(id_equal(&it.opened.account, &it.ticket.account));
	ck_assert(id_equal(&it.opened.terminal, &it.ticket.terminal));
	ck_assert_mem_eq(it.opened.peer, it.ticket.peer, TICKET_PEER_BYTES);
	ck_assert_uint_eq(it.opened.issued_ms, ISSUED_MS);
	ck_assert_uint_eq(it.opened.expiry_ms, EXPIRY_MS);
	ck_assert_mem_eq(it.opened.nonce, it.ticket.nonce, TICKET_NONCE_BYTES);
}
END_TEST

/** The layout is for good: a ticket must outlive a change of this code. */
START_TEST(layout)
{
	static const struct {
		size_t at;
		uint8_t want;
	} bytes[] = {
		{ 0, TICKET_VERSION }, { 1, 2 }, /* DIRECTION_DOWNLOAD */
		{ 2, 1 },                        /* account */
		{ 18, 2 },                       /* terminal */
		{ 34, 3 },                       /* peer */
		{ 82, 4 },                       /* nonce */
	};

	ck_assert_uint_eq(TICKET_BYTES, 162);
	for (size_t i = 0; i < nitems(bytes); i++)
		ck_assert_uint_eq(it.bytes[bytes[i].at], bytes[i].want);
	ck_assert_uint_eq(get_be64(it.bytes + 66), ISSUED_MS);
	ck_assert_uint_eq(get_be64(it.bytes + 74), EXPIRY_MS);
}
END_TEST

/* clang-format off */
static const struct {
	const char *name;
	uint64_t issued_ms, expiry_ms, now_ms;
	enum status want;
} times[] = {
	{ "A-06 when issued",       ISSUED_MS, EXPIRY_MS, ISSUED_MS,                      STATUS_OK },
	{ "A-06 at its end",        ISSUED_MS, EXPIRY_MS, EXPIRY_MS,                      STATUS_OK },
	{ "A-06 end and skew",      ISSUED_MS, EXPIRY_MS, EXPIRY_MS + TICKET_SKEW_MS,     STATUS_OK },
	{ "A-06 past the skew",     ISSUED_MS, EXPIRY_MS, EXPIRY_MS + TICKET_SKEW_MS + 1, STATUS_EXPIRED },
	{ "A-06 next day",          ISSUED_MS, EXPIRY_MS, EXPIRY_MS + DAY_MS,             STATUS_EXPIRED },
	{ "A-06 early by the skew", ISSUED_MS, EXPIRY_MS, ISSUED_MS - TICKET_SKEW_MS,     STATUS_OK },
	{ "A-06 earlier",           ISSUED_MS, EXPIRY_MS, ISSUED_MS - TICKET_SKEW_MS - 1, STATUS_EXPIRED },
	{ "A-06 at no time",        ISSUED_MS, EXPIRY_MS, 0,                              STATUS_EXPIRED },
	{ "A-06 no overflow",       0,         UINT64_MAX, UINT64_MAX,                    STATUS_OK },
	{ "A-06 ends before",       EXPIRY_MS, ISSUED_MS, EXPIRY_MS,                      STATUS_EXPIRED },
};
/* clang-format on */

START_TEST(time)
{
	it.ticket.issued_ms = times[_i].issued_ms;
	it.ticket.expiry_ms = times[_i].expiry_ms;
	ticket_sign(it.bytes, &it.ticket, it.secret_key);
	enum status got = open_at(times[_i].now_ms);
	ck_assert_msg(got == times[_i].want, "%s: got '%s', want '%s'",
	    times[_i].name, status_text(got), status_text(times[_i].want));
	/* filled, also where it is over */
	ck_assert_uint_eq(it.opened.expiry_ms, times[_i].expiry_ms);
}
END_TEST

START_TEST(forged)
{
	static const struct ticket untouched;
	uint8_t other_public[TICKET_PUBLIC_BYTES];
	uint8_t other_secret[TICKET_SECRET_BYTES];

	for (size_t i = 0; i < sizeof(it.bytes); i++) {
		it.bytes[i] ^= 1;
		/* also the version: no one but auth is believed on it */
		ck_assert_int_eq(open_at(ISSUED_MS), STATUS_DENIED);
		it.bytes[i] ^= 1;
	}
	crypto_sign_keypair(other_public, other_secret);
	ticket_sign(it.bytes, &it.ticket, other_secret);
	ck_assert_int_eq(open_at(ISSUED_MS), STATUS_DENIED);
	memset(it.bytes, 0, sizeof(it.bytes));
	ck_assert_int_eq(open_at(ISSUED_MS), STATUS_DENIED);
	ck_assert_int_eq(memcmp(&it.opened, &untouched, sizeof(untouched)), 0);
}
END_TEST

START_TEST(length)
{
	uint8_t longer[TICKET_BYTES + 1] = { 0 };

	memcpy(longer, it.bytes, sizeof(it.bytes));
	for (size_t len = 0; len <= sizeof(longer); len++)
		ck_assert_int_eq(ticket_open(&it.opened, slice_of(longer, len),
				     it.public_key, ISSUED_MS),
		    len == TICKET_BYTES ? STATUS_OK : STATUS_MALFORMED);
}
END_TEST

/** What auth signed, but this code does not know. */
START_TEST(unknown_to_us)
{
	static const struct {
		size_t at;
		uint8_t value;
	} changes[] = {
		{ 0, 0 },
		{ 0, TICKET_VERSION + 1 },
		{ 1, DIRECTION_NONE },
		{ 1, DIRECTION_COUNT },
		{ 1, 255 },
	};

	it.bytes[changes[_i].at] = changes[_i].value;
	sign_again();
	ck_assert_int_eq(open_at(ISSUED_MS), STATUS_VERSION);
}
END_TEST

START_TEST(words)
{
	for (int i = 0; i < DIRECTION_COUNT; i++)
		ck_assert_ptr_nonnull(direction_word((enum direction)i));
	ck_assert_str_eq(direction_word(DIRECTION_UPLOAD), "upload");
	ck_assert_str_eq(direction_word(DIRECTION_NOTICES), "notices");
	ck_assert_str_eq(direction_word(DIRECTION_COUNT), "unknown");
}
END_TEST

START_TEST(cached)
{
	struct ticket_cache *cache = ticket_cache_new(it.public_key);
	struct slice all = slice_of(it.bytes, sizeof(it.bytes));
	static const uint8_t zero[TICKET_BYTES];

	ck_assert_ptr_nonnull(cache);
	/* an empty place holds no ticket of zeros */
	ck_assert_int_eq(ticket_cache_open(cache, &it.opened,
			     slice_of(zero, sizeof(zero)), ISSUED_MS),
	    STATUS_DENIED);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(
		    ticket_cache_open(cache, &it.opened, all, ISSUED_MS),
		    STATUS_OK);
		ck_assert(id_equal(&it.opened.account, &it.ticket.account));
	}
	/* the time is not cached */
	ck_assert_int_eq(
	    ticket_cache_open(cache, &it.opened, all, EXPIRY_MS + DAY_MS),
	    STATUS_EXPIRED);
	/* a forged one is not taken for the known one, byte by byte */
	for (size_t i = 0; i < sizeof(it.bytes); i++) {
		it.bytes[i] ^= 1;
		ck_assert_int_eq(
		    ticket_cache_open(cache, &it.opened, all, ISSUED_MS),
		    STATUS_DENIED);
		it.bytes[i] ^= 1;
	}
	ck_assert_int_eq(
	    ticket_cache_open(cache, &it.opened, slice_text(""), ISSUED_MS),
	    STATUS_MALFORMED);
	ck_assert_int_eq(
	    ticket_cache_open(cache, &it.opened, all, ISSUED_MS), STATUS_OK);
	ticket_cache_destroy(&cache);
	ck_assert_ptr_null(cache);
	ticket_cache_destroy(&cache);
}
END_TEST

START_TEST(cache_overfilled)
{
	static uint8_t tickets[MANY][TICKET_BYTES];
	struct ticket_cache *cache = ticket_cache_new(it.public_key);

	ck_assert_ptr_nonnull(cache);
	for (size_t i = 0; i < MANY; i++) {
		put_be32(it.ticket.nonce, (uint32_t)i);
		ticket_sign(tickets[i], &it.ticket, it.secret_key);
	}
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < MANY; i++) {
			ck_assert_int_eq(
			    ticket_cache_open(cache, &it.opened,
				slice_of(tickets[i], TICKET_BYTES), ISSUED_MS),
			    STATUS_OK);
			ck_assert_uint_eq(get_be32(it.opened.nonce), i);
		}
	}
	ticket_cache_destroy(&cache);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ticket");
	TCase *good = tcase_create("A-06 tickets");
	TCase *bad = tcase_create("A-06 tickets that are refused");
	TCase *cache = tcase_create("A-06 tickets verified before");

	tcase_add_checked_fixture(good, setup, NULL);
	tcase_add_checked_fixture(bad, setup, NULL);
	tcase_add_checked_fixture(cache, setup, NULL);
	tcase_add_test(good, there_and_back);
	tcase_add_test(good, layout);
	tcase_add_test(good, words);
	tcase_add_loop_test(good, time, 0, (int)nitems(times));
	tcase_add_test(bad, forged);
	tcase_add_test(bad, length);
	tcase_add_loop_test(bad, unknown_to_us, 0, 5);
	tcase_add_test(cache, cached);
	tcase_add_test(cache, cache_overfilled);
	tcase_set_timeout(cache, 60);
	suite_add_tcase(suite, good);
	suite_add_tcase(suite, bad);
	suite_add_tcase(suite, cache);

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

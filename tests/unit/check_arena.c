#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/util.h"
#include "crypto/arena.h"

#define ARENA_BYTES 65536
#define NOBODY      65534

/* The address sanitizer makes mlock do nothing and catches SIGSEGV. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

static void open_arena(void)
{
	ck_assert_int_eq(arena_open(ARENA_BYTES), STATUS_OK);
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

START_TEST(zeroed_and_aligned)
{
	static const size_t sizes[] = { 1, 15, 16, 17, 32, 4096 };
	void *secrets[nitems(sizes)];

	open_arena();
	for (size_t i = 0; i < nitems(sizes); i++) {
		secrets[i] = secret_new(sizes[i]);
		ck_assert_ptr_nonnull(secrets[i]);
		ck_assert_uint_eq((uintptr_t)secrets[i] % 16, 0);
		ck_assert(all_zero(secrets[i], sizes[i]));
		memset(secrets[i], 0xAA, sizes[i]);
	}
	for (size_t i = 0; i < nitems(sizes); i++) {
		uint8_t *secret = secrets[i];

		secret_destroy(&secrets[i], sizes[i]);
		ck_assert_ptr_null(secrets[i]);
		ck_assert(all_zero(secret, sizes[i])); /* wiped at once */
	}
	secret_destroy(&secrets[0], sizes[0]); /* NULL is fine */
	arena_close();
	arena_close();
}
END_TEST

START_TEST(full_and_reused)
{
	void *all, *first, *second, *third;

	ck_assert_ptr_null(secret_new(1)); /* not open yet */
	open_arena();
	all = secret_new(ARENA_BYTES);
	ck_assert_ptr_nonnull(all);
	ck_assert_ptr_null(secret_new(1));
	secret_destroy(&all, ARENA_BYTES);

	first = secret_new(ARENA_BYTES / 2);
	second = secret_new(ARENA_BYTES / 2);
	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_nonnull(second);
	ck_assert_ptr_ne(first, second);
	secret_destroy(&first, ARENA_BYTES / 2);
	ck_assert_ptr_null(secret_new(ARENA_BYTES / 2 + 1));
	third = secret_new(ARENA_BYTES / 2);
	ck_assert_ptr_nonnull(third);
	arena_close();
	ck_assert_ptr_null(secret_new(1));
	open_arena(); /* and again */
	arena_close();
}
END_TEST

/** The flags that /proc/self/smaps shows for the mapping of ${at}. */
static void flags_of(char flags[static 256], const void *at)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	char line[512];
	bool ours = false;

	ck_assert_ptr_nonnull(maps);
	flags[0] = '\0';
	while (fgets(line, sizeof(line), maps)) {
		unsigned long first, end;

		if (sscanf(line, "%lx-%lx ", &first, &end) == 2)
			ours = first <= (uintptr_t)at && (uintptr_t)at < end;
		if (ours && strncmp(line, "VmFlags:", 8) == 0)
			snprintf(flags, 256, "%.250s", line);
	}
	fclose(maps);
}

START_TEST(locked_and_not_dumped)
{
	char flags[256];

	open_arena();
	flags_of(flags, secret_new(32));
	ck_assert_msg(strstr(flags, " dd"), "no 'do not dump': %s", flags);
	if (!SANITIZED)
		ck_assert_msg(strstr(flags, " lo"), "not locked: %s", flags);
	arena_close();
}
END_TEST

START_TEST(lock_refused)
{
	static const struct rlimit none = { 0, 0 };

	if (SANITIZED)
		return;
	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	if (geteuid() == 0) /* root may lock beyond the limit */
		ck_assert_int_eq(setresuid(NOBODY, NOBODY, NOBODY), 0);
	ck_assert_int_eq(arena_open(ARENA_BYTES), STATUS_NO_SPACE);
	ck_assert_ptr_null(secret_new(1));
}
END_TEST

/** One byte before or after the arena ends the process. */
START_TEST(guarded)
{
	open_arena();
	volatile uint8_t *all = secret_new(ARENA_BYTES);

	ck_assert_ptr_nonnull((const void *)all);
	if (_i == 0)
		all[-1] = 1;
	else
		all[ARENA_BYTES] = 1;
}
END_TEST

#define THREADS 4
#define ROUNDS  2000

static void *work(void *mark)
{
	for (size_t i = 0; i < ROUNDS; i++) {
		size_t bytes = 1 + i % 100;
		void *secret = secret_new(bytes);

		if (!secret || !all_zero(secret, bytes))
			return mark;
		memset(secret, 0xAA, bytes);
		secret_destroy(&secret, bytes);
	}
	return NULL;
}

START_TEST(threads)
{
	pthread_t workers[THREADS];
	char mark;
	void *failed;

	open_arena();
	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(
		    pthread_create(&workers[i], NULL, work, &mark), 0);
	for (size_t i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(workers[i], &failed), 0);
		ck_assert_ptr_null(failed);
	}
	arena_close();
}
END_TEST

START_TEST(hardened)
{
	struct rlimit limit;

	ck_assert_int_eq(process_harden(), STATUS_OK);
	ck_assert_int_eq(getrlimit(RLIMIT_CORE, &limit), 0);
	ck_assert_uint_eq(limit.rlim_max, 0);
	ck_assert_int_eq(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("arena");
	TCase *secrets = tcase_create("R-06 secrets are wiped and locked");

	tcase_add_test(secrets, zeroed_and_aligned);
	tcase_add_test(secrets, full_and_reused);
	tcase_add_test(secrets, locked_and_not_dumped);
	tcase_add_test(secrets, lock_refused);
	tcase_add_test(secrets, threads);
	tcase_add_test(secrets, hardened);
	if (!SANITIZED)
		tcase_add_loop_test_raise_signal(
		    secrets, guarded, SIGSEGV, 0, 2);
	suite_add_tcase(suite, secrets);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "db/db.h"

/*
 * A child submits batches and reports each one that was acknowledged; it is
 * killed at some moment.  Whatever it reported must be there, and of each
 * batch all or nothing.
 */
#define ROUNDS     10
#define IN_FLIGHT  64
#define PARTS      4 /* rows of each batch, beside a blob */
#define BLOB_BYTES 20000
#define ROWS       1

static const struct id account = { "who is killed" };
static char folder[64];
static struct db_options options;

static void setup(void)
{
	strcpy(folder, "/tmp/check_db_crash.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	options = (struct db_options){ .path = folder,
		.service = "test",
		.format = 1,
		.map_bytes = 1 << 20,
		.reserve_bytes = 1 << 20 };
}

static void teardown(void)
{
	static const char *const files[] = { "data.mdb", "lock.mdb",
		"owner.lock", "reserve" };
	char path[128];

	for (size_t i = 0; i < nitems(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
		unlink(path);
	}
	rmdir(folder);
}

/* ---- the child ---- */

struct child {
	struct db *db;
	int report_fd;
	uint64_t next;
};

struct sent {
	struct child *child;
	uint64_t number;
};

static void submit_next(struct child *child);

static void on_done(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	struct sent *sent = arg;
	struct child *child = sent->child;

	(void)generation;
	(void)failed_op;
	if (status != STATUS_OK ||
	    write(child->report_fd, &sent->number, sizeof(sent->number)) !=
		sizeof(sent->number))
		_exit(EXIT_FAILURE);
	free(sent);
	submit_next(child);
}

static void submit_next(struct child *child)
{
	static const uint8_t blob[BLOB_BYTES] = { 1, 2, 3 };
	struct db_batch *batch =
	    db_batch_new(&account, DB_GENERATION_ANY, NULL);
	struct sent *sent = malloc(sizeof(*sent));
	uint8_t key[9];

	*sent = (struct sent){ child, child->next++ };
	put_be64(key, sent->number);
	for (key[8] = 0; key[8] < PARTS; key[8]++)
		db_batch_put(batch, ROWS, slice_of(key, sizeof(key)),
		    slice_of(key, sizeof(key)));
	db_batch_blob_put(batch, sent->number, blob, sizeof(blob), NULL, NULL);
	if (db_submit(child->db, &batch, on_done, sent) != STATUS_PENDING)
		_exit(EXIT_FAILURE);
}

static void run_child(int report_fd, uint64_t first)
{
	struct child child = { NULL, report_fd, first };

	if (db_open(&options, &child.db) != STATUS_OK)
		_exit(EXIT_FAILURE);
	for (int i = 0; i < IN_FLIGHT; i++)
		submit_next(&child);
	for (;;) {
		struct pollfd ready = { db_event_fd(child.db), POLLIN, 0 };
		poll(&ready, 1, -1);
		db_complete(child.db);
	}
}

/* ---- the parent ---- */

/* Kill the child ${delay_ms} after its first report; mark what it reported. */
static void watch_child(
    pid_t pid, int report_fd, long delay_us, struct bytes *acknowledged)
{
	uint64_t number;
	bool killed = false;

	while (read(report_fd, &number, sizeof(number)) == sizeof(number)) {
		if (!killed) {
			struct timespec wait = { 0, delay_us * 1000 };
			nanosleep(&wait, NULL);
			kill(pid, SIGKILL);
			killed = true;
		}
		while (acknowledged->len <= number)
			bytes_append(acknowledged, slice_of("", 1));
		acknowledged->data[number] = 1;
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static unsigned int parts_of(struct db *db, uint64_t number)
{
	struct bytes value = { 0 };
	unsigned int parts = 0;
	uint8_t key[9];

	put_be64(key, number);
	for (key[8] = 0; key[8] < PARTS; key[8]++)
		if (db_get(db, &account, ROWS, slice_of(key, sizeof(key)),
			&value) == STATUS_OK) {
			ck_assert_uint_eq(value.len, sizeof(key));
			ck_assert_mem_eq(value.data, key, sizeof(key));
			parts++;
		}
	if (db_blob_get(db, &account, number, &value) == STATUS_OK) {
		ck_assert_uint_eq(value.len, BLOB_BYTES);
		ck_assert_uint_eq(value.data[2], 3);
		parts++;
	}
	bytes_clear(&value);
	return parts;
}

START_TEST(nothing_acknowledged_is_lost)
{
	struct bytes acknowledged = { 0 };
	struct db_account found;
	uint64_t first = 0;

	srand((unsigned int)time(NULL));
	for (int round = 0; round < ROUNDS; round++) {
		int report[2];
		ck_assert_int_eq(pipe(report), 0);
		pid_t pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			close(report[0]);
			run_child(report[1], first);
		}
		close(report[1]);
		watch_child(pid, report[0], rand() % 60000, &acknowledged);
		close(report[0]);

		struct db *db = NULL;
		ck_assert(db_open(&options, &db) == STATUS_OK);
		uint64_t whole = 0, number = 0, missing = 0;
		for (; missing < 2 * IN_FLIGHT; number++) {
			unsigned int parts = parts_of(db, number);
			bool reported = number < acknowledged.len &&
					acknowledged.data[number];
			ck_assert_msg(parts == PARTS + 1 || parts == 0,
			    "batch %llu is half there: %u parts",
			    (unsigned long long)number, parts);
			ck_assert_msg(parts > 0 || !reported,
			    "batch %llu was acknowledged and is gone",
			    (unsigned long long)number);
			whole += parts > 0;
			missing = parts > 0 ? 0 : missing + 1;
			if (parts > 0)
				first = number + 1;
		}
		ck_assert_uint_ge(number, acknowledged.len);
		ck_assert(db_account_get(db, &account, &found) == STATUS_OK);
		ck_assert_uint_eq(found.generation, whole);
		db_close(&db);
	}
	ck_assert_uint_gt(acknowledged.len, ROUNDS);
	bytes_clear(&acknowledged);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("db_crash");
	TCase *tc = tcase_create("R-01 kill -9 in mid commit");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, nothing_acknowledged_is_lost);
	suite_add_tcase(suite, tc);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

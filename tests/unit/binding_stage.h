#ifndef KEEPSAKE_TESTS_BINDING_STAGE_H
#define KEEPSAKE_TESTS_BINDING_STAGE_H

#include <poll.h>
#include <sys/stat.h>

#include "../../services/binding/binding_db.h"
#include "crypto/arena.h"
#include "scratch.h"
#include "service/master.h"
#include "service/settings.h"

/*
 * Binding's database and its keyring, in a folder of the test.  What is
 * written waits for the disk.
 */

static const struct id ann = { { 0xa1 } }, bob = { { 0xb0 } };

static struct conf *conf;
static struct binding_db binding;

static inline void on_stage_done(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	(void)generation;
	(void)failed_op;
	*(enum status *)arg = status;
}

static inline enum status wait_for(const enum status *done)
{
	struct pollfd event = { db_event_fd(binding.db), POLLIN, 0 };

	while (*done == STATUS_PENDING) {
		ck_assert_int_gt(poll(&event, 1, 10000), 0);
		db_complete(binding.db);
	}
	return *done;
}

static inline enum status submit(struct db_batch *batch)
{
	enum status done = STATUS_PENDING;

	ck_assert(db_submit(binding.db, &batch, on_stage_done, &done) ==
		  STATUS_PENDING);
	return wait_for(&done);
}

static inline enum status claim(const struct name *name, const struct id *who)
{
	enum status done = STATUS_PENDING;

	ck_assert(binding_db_claim(&binding, name, who, on_stage_done, &done) ==
		  STATUS_PENDING);
	return wait_for(&done);
}

static inline void stage_open(
    const char *folder, uint32_t format, const struct db_options *extra)
{
	struct db_options options = extra ? *extra : (struct db_options){ 0 };

	options.path = scratch_path(folder);
	options.service = "binding";
	options.format = format;
	options.map_bytes = 1 << 22;
	options.map_bytes_max = 1 << 24;
	options.reserve_bytes = 1 << 20;
	ck_assert_int_eq(db_open(&options, &binding.db), STATUS_OK);
}

static inline void stage_close(void)
{
	db_close(&binding.db);
}

static inline void stage_keyring(bool create)
{
	keyring_destroy(&binding.keyring);
	ck_assert_int_eq(
	    keyring_new(&binding.keyring, conf, "binding", scratch, create),
	    STATUS_OK);
}

static inline void stage_setup(void)
{
	scratch_make();
	ck_assert_int_eq(mkdir(scratch_path("keys"), 0700), 0);
	ck_assert_int_eq(
	    setenv("KEEPSAKE_COMMON_KEYS", scratch_path("keys"), 1), 0);
	ck_assert_int_eq(
	    conf_load(settings, settings_count, NULL, &conf), STATUS_OK);
	ck_assert_int_eq(arena_open(16384), STATUS_OK);
	ck_assert_int_eq(master_make(conf, "binding"), STATUS_OK);
	stage_keyring(true);
	stage_open("db", BINDING_DB_FORMAT, NULL);
}

static inline void stage_teardown(void)
{
	keyring_destroy(&binding.keyring);
	stage_close();
	arena_close();
	conf_destroy(&conf);
	scratch_remove();
}

/** Whether a file of the database has ${text} in it. */
static inline bool file_has(const char *name, struct slice text)
{
	FILE *file = fopen(scratch_path(name), "r");
	struct stat found;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fstat(fileno(file), &found), 0);
	size_t len = (size_t)found.st_size;
	uint8_t *bytes = malloc(len);
	ck_assert_ptr_nonnull(bytes);
	ck_assert_uint_eq(fread(bytes, 1, len, file), len);
	bool has = memmem(bytes, len, text.data, text.len) != NULL;
	free(bytes);
	fclose(file);
	return has;
}

#endif

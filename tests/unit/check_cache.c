#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "cache.h"
#include "crypto/arena.h"
#include "manifest_entry.h"

#define FILES        2000
#define LOAD_MS_MAX  500 /* wide: a slow machine under a sanitizer */
#define LONG_EXTENTS 5000

static const struct id account = { { 1 } };
static const uint8_t secret[ACCOUNT_KEY_BYTES] = { 9 };
static const uint8_t root_hash[32] = { 3 };
static struct account_keys *keys;
static char folder[64], path[96];

static void setup(void)
{
	ck_assert_int_eq(arena_open(65536), STATUS_OK);
	ck_assert_int_eq(account_keys_new(&keys, &account, secret), STATUS_OK);
	strcpy(folder, "/tmp/check_cache.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/cache", folder);
}

static void teardown(void)
{
	account_keys_destroy(&keys);
	arena_close();
	unlink(path);
	rmdir(folder);
}

static struct chunk_name name_make(size_t number)
{
	struct chunk_name name = { 0 };

	/* spread as real ids are */
	put_be64(name.id.bytes, number * 0x9e3779b97f4a7c15u);
	put_be64(name.key, number);
	return name;
}

/** File ${number}; the one in the middle has very many pieces. */
static void file_make(struct entry *entry, struct stat *stat, size_t number)
{
	char text[64];
	size_t pieces = number == FILES / 2 ? LONG_EXTENTS : 2;

	entry_reset(entry);
	snprintf(text, sizeof(text), "folder/%06zu", number);
	ck_assert_int_eq(
	    entry_set_text(&entry->path, slice_text(text)), STATUS_OK);
	entry->type = ENTRY_FILE;
	entry->category = CATEGORY_OTHER;
	entry->mtime_s = (int64_t)number - 5;
	entry->mtime_ns = 7;
	for (size_t i = 0; i < pieces; i++) {
		struct chunk_name name = name_make(number + i);
		ck_assert_int_eq(
		    entry_add_extent(entry, &name, 0, 1000), STATUS_OK);
	}
	entry->size = 1000 * pieces;
	*stat = (struct stat){ .st_ino = number + 1,
		.st_size = (off_t)entry->size,
		.st_mtim = { entry->mtime_s, 7 },
		.st_ctim = { 100, 9 } };
}

static void cache_make(size_t files)
{
	struct known_chunks *known = known_chunks_new();
	struct cache_writer *writer = NULL;
	struct entry entry = { 0 };
	struct stat stat;
	struct chunk_name root = name_make(12345);

	ck_assert_int_eq(cache_writer_new(&writer, path, keys), STATUS_OK);
	for (size_t i = 0; i < files; i++) {
		struct chunk_name name = name_make(i);
		file_make(&entry, &stat, i);
		ck_assert_int_eq(
		    cache_writer_add(writer, &entry, &stat), STATUS_OK);
		ck_assert_int_eq(known_chunks_add(known, &name.id,
				     1 + (unsigned int)i % CHUNK_PAGES_MAX),
		    STATUS_OK);
	}
	ck_assert_int_eq(
	    cache_writer_finish(writer, known, &root.id, root_hash), STATUS_OK);
	cache_writer_destroy(&writer);
	known_chunks_destroy(&known);
	entry_clear(&entry);
}

START_TEST(there_and_back)
{
	struct known_chunks *known = known_chunks_new();
	struct cache *cache = NULL;
	const struct entry *found = NULL;
	struct entry want = { 0 };
	struct stat stat;
	struct chunk_name root = name_make(12345);

	cache_make(FILES);
	ck_assert_int_eq(access(path, R_OK), 0);
	ck_assert_int_eq(lstat(path, &stat), 0);
	ck_assert_uint_eq(stat.st_mode & 0777, 0600);
	uint64_t before = clock_interval_ms();
	ck_assert_int_eq(cache_open(&cache, path, keys, known), STATUS_OK);
	ck_assert_mem_eq(cache_root(cache), &root.id, sizeof(root.id));
	ck_assert_mem_eq(cache_root_hash(cache), root_hash, 32);
	for (size_t i = 0; i < FILES; i += 1 + i % 3) { /* some are gone */
		struct chunk_name name = name_make(i);
		file_make(&want, &stat, i);
		ck_assert_uint_eq(
		    known_chunks_use(known, &name.id), 1 + i % CHUNK_PAGES_MAX);
		ck_assert_int_eq(
		    cache_find(cache, bytes_slice(&want.path), &stat, &found),
		    STATUS_OK);
		ck_assert_uint_eq(found->extents_count, want.extents_count);
		ck_assert_mem_eq(&found->extents[1].chunk,
		    &want.extents[1].chunk, sizeof(struct chunk_name));
	}
	ck_assert_uint_lt(clock_interval_ms() - before, LOAD_MS_MAX);
	ck_assert_int_eq(cache_find(cache, slice_text("zzz"), &stat, &found),
	    STATUS_NOT_FOUND);
	cache_close(&cache);
	known_chunks_destroy(&known);
	entry_clear(&want);
}
END_TEST

/* clang-format off */
static void same(struct stat *s)         { (void)s; }
static void other_size(struct stat *s)   { s->st_size++; }
static void other_mtime(struct stat *s)  { s->st_mtim.tv_sec++; }
static void other_nano(struct stat *s)   { s->st_mtim.tv_nsec++; }
static void other_ctime(struct stat *s)  { s->st_ctim.tv_sec++; }
static void other_cnano(struct stat *s)  { s->st_ctim.tv_nsec++; }
static void other_inode(struct stat *s)  { s->st_ino++; }

static const struct {
	const char *name;
	void (*change)(struct stat *stat);
	enum status want;
} changes[] = {
	{ "nothing",              same,        STATUS_OK },
	{ "size",                 other_size,  STATUS_NOT_FOUND },
	{ "mtime",                other_mtime, STATUS_NOT_FOUND },
	{ "nanoseconds of mtime", other_nano,  STATUS_NOT_FOUND },
	{ "ctime",                other_ctime, STATUS_NOT_FOUND },
	{ "nanoseconds of ctime", other_cnano, STATUS_NOT_FOUND },
	{ "inode",                other_inode, STATUS_NOT_FOUND },
};
/* clang-format on */

START_TEST(every_change_is_seen)
{
	struct known_chunks *known = known_chunks_new();
	struct cache *cache = NULL;
	const struct entry *found = NULL;
	struct entry want = { 0 };
	struct stat stat;

	cache_make(10);
	ck_assert_int_eq(cache_open(&cache, path, keys, known), STATUS_OK);
	file_make(&want, &stat, 5);
	changes[_i].change(&stat);
	enum status st =
	    cache_find(cache, bytes_slice(&want.path), &stat, &found);
	ck_assert_msg(st == changes[_i].want, "%s: %s", changes[_i].name,
	    status_text(st));
	cache_close(&cache);
	known_chunks_destroy(&known);
	entry_clear(&want);
}
END_TEST

/** Open the cache and look for everything in it. */
static enum status cache_read(const struct account_keys *with)
{
	struct known_chunks *known = known_chunks_new();
	struct cache *cache = NULL;
	const struct entry *found = NULL;
	struct stat stat = { 0 };
	enum status st = cache_open(&cache, path, with, known);

	if (st == STATUS_OK)
		st = cache_find(cache, slice_text("zzz"), &stat, &found);
	if (st == STATUS_NOT_FOUND && cache)
		st = STATUS_OK;
	cache_close(&cache);
	known_chunks_destroy(&known);
	return st;
}

START_TEST(every_damage_is_seen)
{
	struct stat stat;
	uint8_t byte;

	cache_make(100);
	ck_assert_int_eq(cache_read(keys), STATUS_OK);
	int fd = open(path, O_RDWR);
	ck_assert_int_eq(fstat(fd, &stat), 0);
	for (off_t at = 0; at < stat.st_size; at += 1 + at / 100) {
		ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
		byte ^= 1;
		ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
		ck_assert_int_eq(cache_read(keys), STATUS_MALFORMED);
		byte ^= 1;
		ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
	}
	ck_assert_int_eq(cache_read(keys), STATUS_OK);
	for (off_t len = stat.st_size - 1; len >= 0; len -= 1 + len / 10) {
		ck_assert_int_eq(ftruncate(fd, len), 0);
		ck_assert_int_eq(cache_read(keys), STATUS_MALFORMED);
	}
	close(fd);
}
END_TEST

START_TEST(others_cannot_read_it)
{
	static const struct id other = { { 2 } };
	struct account_keys *other_keys = NULL;

	ck_assert_int_eq(
	    account_keys_new(&other_keys, &other, secret), STATUS_OK);
	ck_assert_int_eq(cache_read(keys), STATUS_NOT_FOUND);
	cache_make(3);
	ck_assert_int_eq(cache_read(other_keys), STATUS_MALFORMED);
	ck_assert_int_eq(chmod(path, 0640), 0);
	ck_assert_int_eq(cache_read(keys), STATUS_DENIED);
	unlink(path);
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	ck_assert_int_eq(cache_read(keys), STATUS_DENIED);
	account_keys_destroy(&other_keys);
}
END_TEST

START_TEST(unfinished_changes_nothing)
{
	struct cache_writer *writer = NULL;
	char left[128];

	cache_make(3);
	ck_assert_int_eq(cache_writer_new(&writer, path, keys), STATUS_OK);
	cache_writer_destroy(&writer);
	ck_assert_int_eq(cache_read(keys), STATUS_OK);
	snprintf(left, sizeof(left), "%s.new", path);
	ck_assert_int_eq(access(left, F_OK), -1);
	/* what a killed backup left is no hindrance */
	ck_assert_int_eq(cache_writer_new(&writer, path, keys), STATUS_OK);
	ck_assert_int_eq(link(left, folder), -1);
	cache_writer_destroy(&writer);
	close(open(left, O_CREAT | O_WRONLY, 0600));
	cache_make(4);
	ck_assert_int_eq(cache_read(keys), STATUS_OK);
}
END_TEST

START_TEST(only_what_is_in_use_is_kept)
{
	struct known_chunks *known = known_chunks_new();
	struct cache *cache = NULL;
	struct cache_writer *writer = NULL;
	struct chunk_name one = name_make(1), two = name_make(2);

	cache_make(5);
	ck_assert_int_eq(cache_open(&cache, path, keys, known), STATUS_OK);
	cache_close(&cache);
	ck_assert_uint_gt(known_chunks_use(known, &one.id), 0);
	ck_assert_int_eq(cache_writer_new(&writer, path, keys), STATUS_OK);
	ck_assert_int_eq(
	    cache_writer_finish(writer, known, &one.id, root_hash), STATUS_OK);
	cache_writer_destroy(&writer);
	known_chunks_destroy(&known);
	known = known_chunks_new();
	ck_assert_int_eq(cache_open(&cache, path, keys, known), STATUS_OK);
	ck_assert_uint_gt(known_chunks_use(known, &one.id), 0);
	ck_assert_uint_eq(known_chunks_use(known, &two.id), 0);
	cache_close(&cache);
	known_chunks_destroy(&known);
}
END_TEST

/* clang-format off */
static const struct {
	const char *name;
	struct timespec changed, now;
	bool want;
} ages[] = {
	{ "an hour ago",         { 1000, 5 },         { 4600, 5 },         true },
	{ "60 ms ago",           { 1000, 5 },         { 1000, 60000005 },  true },
	{ "10 ms ago",           { 1000, 5 },         { 1000, 10000005 },  false },
	{ "this moment",         { 1000, 5 },         { 1000, 5 },         false },
	{ "over a second",       { 999, 999999999 },  { 1000, 1000000 },   false },
	{ "in the future",       { 1001, 5 },         { 1000, 5 },         false },
	{ "FAT, a second ago",   { 1000, 0 },         { 1001, 0 },         false },
	{ "FAT, 3 seconds ago",  { 1000, 0 },         { 1003, 0 },         true },
	{ "long in the future",  { 5000, 5 },         { 1000, 5 },         false },
};
/* clang-format on */

START_TEST(trust)
{
	const struct stat stat = { .st_mtim = ages[_i].changed,
		.st_ctim = ages[_i].changed };

	ck_assert_msg(cache_may_trust(&stat, &ages[_i].now) == ages[_i].want,
	    "%s", ages[_i].name);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cache");
	TCase *tcase = tcase_create("B-05 the last snapshot, remembered");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, there_and_back);
	tcase_add_loop_test(tcase, every_change_is_seen, 0, nitems(changes));
	tcase_add_test(tcase, every_damage_is_seen);
	tcase_add_test(tcase, others_cannot_read_it);
	tcase_add_test(tcase, unfinished_changes_nothing);
	tcase_add_test(tcase, only_what_is_in_use_is_kept);
	tcase_add_loop_test(tcase, trust, 0, nitems(ages));
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

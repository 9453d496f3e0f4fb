#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "crypto/arena.h"
#include "scratch_db.h"
#include "service/keyfile_internal.h"
#include "service/keyring.h"
#include "service/settings.h"
#include "service/tables.h"

#define KEYS_FILE "account.keys"
#define NEW_FILE  "account.keys.new"
#define OLD_FILE  "account.keys.old"
#define MASTER    "keys/notify.master"
#define ROWS      1 /* table */

static const struct id anna = { "account of anna" };
static const struct id bert = { "bert's account." };

static struct conf *conf;
static struct db *db;
static struct keyring *keyring;
static struct account_key key;
static const char *said = "";

/* ---- the stage ---- */

static enum status open_ring_as(const char *service, bool create)
{
	keyring_destroy(&keyring);
	capture_begin(STDERR_FILENO);
	enum status st = keyring_new(&keyring, conf, service, scratch, create);
	said = capture_end();
	ck_assert((st == STATUS_OK) == (keyring != NULL));
	return st;
}

static enum status open_ring(bool create)
{
	return open_ring_as("notify", create);
}

static void open_db(void)
{
	db = scratch_db("data", "notify", 1);
}

static void setup(void)
{
	scratch_make();
	ck_assert_int_eq(mkdir(scratch_path("keys"), 0700), 0);
	ck_assert_int_eq(
	    setenv("KEEPSAKE_COMMON_KEYS", scratch_path("keys"), 1), 0);
	ck_assert_int_eq(
	    conf_load(settings, settings_count, NULL, &conf), STATUS_OK);
	ck_assert_int_eq(arena_open(16384), STATUS_OK);
	ck_assert_int_eq(master_make(conf, "notify"), STATUS_OK);
	open_db();
	ck_assert_int_eq(open_ring(true), STATUS_OK);
}

static void teardown(void)
{
	keyring_destroy(&keyring);
	db_close(&db);
	arena_close();
	conf_destroy(&conf);
	scratch_remove();
}

static void on_done(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	enum status *out = arg;

	(void)generation;
	(void)failed_op;
	*out = status;
}

/* Write a row of ${account} with ${with}, as a service does. */
static void begin(
    const struct id *account, const struct account_key *with, enum status *out)
{
	struct db_batch *batch = db_batch_new(account, DB_GENERATION_ANY, NULL);

	*out = STATUS_PENDING;
	keyring_put(batch, with);
	db_batch_put(batch, ROWS, slice_text("row"), slice_text("sealed"));
	ck_assert_int_eq(db_submit(db, &batch, on_done, out), STATUS_PENDING);
}

static void wait_for(const enum status *out)
{
	struct pollfd event = { db_event_fd(db), POLLIN, 0 };

	while (*out == STATUS_PENDING) {
		ck_assert_int_eq(poll(&event, 1, 30000), 1);
		db_complete(db);
	}
}

static enum status commit(
    const struct id *account, const struct account_key *with)
{
	enum status st;

	begin(account, with, &st);
	wait_for(&st);
	return st;
}

static struct account_key take(const struct id *account)
{
	struct account_key taken;

	ck_assert_int_eq(keyring_take(keyring, db, account, &taken), STATUS_OK);
	return taken;
}

/* An account with a key of its own. */
static struct account_key settle(const struct id *account)
{
	struct account_key taken = take(account);

	ck_assert_int_eq(commit(account, &taken), STATUS_OK);
	return taken;
}

static void assert_found(
    const struct id *account, const struct account_key *want)
{
	ck_assert_int_eq(keyring_find(keyring, db, account, &key), STATUS_OK);
	ck_assert_uint_eq(key.slot, want->slot);
	ck_assert(!key.fresh);
	ck_assert_mem_eq(key.bytes, want->bytes, KEY_BYTES);
}

static enum status find(const struct id *account)
{
	capture_begin(STDERR_FILENO);
	enum status st = keyring_find(keyring, db, account, &key);
	said = capture_end();
	return st;
}

static enum status rotate(uint64_t *count)
{
	capture_begin(STDERR_FILENO);
	uint8_t id[MASTER_ID_BYTES], want[MASTER_ID_BYTES];
	struct master *master = NULL;
	enum status st = keyring_rotate(keyring, conf, count, id);
	said = capture_end();
	if (st != STATUS_OK)
		return st;
	ck_assert_int_eq(
	    master_read(&master, conf, keyring_service(keyring)), STATUS_OK);
	master_id(want, master->keys[0], keyring_service(keyring));
	master_destroy(&master);
	ck_assert_mem_eq(id, want, sizeof(id));
	return st;
}

/* ---- the file as it is ---- */

static void file_read_at(const char *name, void *out, size_t len, uint64_t at)
{
	int fd = open(scratch_path(name), O_RDONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, out, len, (off_t)at), (ssize_t)len);
	close(fd);
}

static void file_write_at(const void *data, size_t len, uint64_t at)
{
	int fd = open(scratch_path(KEYS_FILE), O_WRONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, data, len, (off_t)at), (ssize_t)len);
	close(fd);
}

static off_t file_bytes(const char *name)
{
	struct stat found;

	ck_assert_int_eq(stat(scratch_path(name), &found), 0);
	return found.st_size;
}

static bool file_exists(const char *name)
{
	return access(scratch_path(name), F_OK) == 0;
}

static void file_copy(const char *from, const char *to)
{
	size_t len = (size_t)file_bytes(from);
	uint8_t *data = malloc(len);

	ck_assert_ptr_nonnull(data);
	file_read_at(from, data, len, 0);
	scratch_write(to, data, len, 0600);
	free(data);
}

/* Whether the master key on disk opens the slot of ${want}. */
static bool opens(const char *name, const struct account_key *want)
{
	struct master *master = NULL;
	uint8_t bytes[SLOT_BYTES], plain[KEY_BYTES];

	ck_assert_int_eq(master_read(&master, conf, "notify"), STATUS_OK);
	file_read_at(name, bytes, sizeof(bytes), slot_at(want->slot));
	enum status st =
	    slot_decode(plain, bytes, master->keys[0], "notify", want->slot);
	if (st == STATUS_OK)
		ck_assert_mem_eq(plain, want->bytes, KEY_BYTES);
	master_destroy(&master);
	return st == STATUS_OK;
}

/* ---- keys of accounts ---- */

START_TEST(taken_and_found)
{
	ck_assert_int_eq(find(&anna), STATUS_NOT_FOUND);
	struct account_key first = take(&anna);
	ck_assert(first.fresh);
	/* until a batch has it, nobody finds it, and it stays the same */
	ck_assert_int_eq(find(&anna), STATUS_NOT_FOUND);
	struct account_key again = take(&anna);
	ck_assert(again.fresh);
	ck_assert_uint_eq(again.slot, first.slot);
	ck_assert_mem_eq(again.bytes, first.bytes, KEY_BYTES);

	ck_assert_int_eq(commit(&anna, &first), STATUS_OK);
	assert_found(&anna, &first);
	again = take(&anna);
	ck_assert(!again.fresh);
	ck_assert_uint_eq(again.slot, first.slot);
	/* and needs no row any more */
	ck_assert_int_eq(commit(&anna, &again), STATUS_OK);

	struct account_key other = settle(&bert);
	ck_assert_uint_ne(other.slot, first.slot);
	ck_assert_mem_ne(other.bytes, first.bytes, KEY_BYTES);
}
END_TEST

START_TEST(two_first_batches_at_once)
{
	enum status one, two;
	struct account_key first = take(&anna), second = take(&anna);

	begin(&anna, &first, &one);
	begin(&anna, &second, &two);
	wait_for(&one);
	wait_for(&two);
	ck_assert_int_eq(one, STATUS_OK);
	ck_assert_int_eq(two, STATUS_OK);
	assert_found(&anna, &first);
}
END_TEST

/* bert's place in the cache is taken by one with the same two bytes. */
START_TEST(another_key_loses)
{
	const struct id neighbour = { "be_ another one" };
	struct account_key first = take(&bert);
	struct account_key between = take(&neighbour);
	struct account_key second = take(&bert);

	ck_assert_uint_ne(first.slot, between.slot);
	ck_assert_uint_ne(first.slot, second.slot);
	ck_assert_int_eq(commit(&bert, &first), STATUS_OK);
	ck_assert_int_eq(commit(&bert, &second), STATUS_CONFLICT);
	assert_found(&bert, &first);
}
END_TEST

START_TEST(after_a_restart)
{
	struct account_key first = settle(&anna);

	ck_assert_int_eq(open_ring(false), STATUS_OK);
	assert_found(&anna, &first);
	/* no slot is given out twice, whatever is in the database */
	struct account_key taken = take(&bert);
	ck_assert_int_eq(open_ring(false), STATUS_OK);
	struct account_key other = take(&bert);
	ck_assert_uint_gt(taken.slot, first.slot);
	ck_assert_uint_gt(other.slot, taken.slot);
}
END_TEST

START_TEST(many)
{
	enum { MANY = 3 * KEYFILE_BLOCK_SLOTS };
	struct account_key early = settle(&anna), last = early;

	for (uint32_t i = 0; i < MANY; i++) {
		struct id account = { "a new account" };
		put_be32(account.bytes, i);
		last = take(&account);
	}
	ck_assert_uint_eq(last.slot, early.slot + MANY);
	ck_assert_int_eq((file_bytes(KEYS_FILE) - SLOTS_AT) % BLOCK_BYTES, 0);
	ck_assert_int_eq(commit(&bert, &last), STATUS_OK);
	ck_assert_int_eq(open_ring(false), STATUS_OK);
	assert_found(&bert, &last);
	assert_found(&anna, &early);
	ck_assert_uint_gt(take(&(struct id){ "another" }).slot, last.slot);
}
END_TEST

/* Accounts of a database that knew no keys, more than are read in a step. */
START_TEST(migrated)
{
	enum { MANY = 700 };
	struct account_key had = settle(&anna);
	struct db_batch *batch;

	for (uint32_t i = 0; i < MANY; i++) {
		struct id account = { "an old account" };
		put_be32(account.bytes, i);
		batch = db_batch_new(&account, DB_GENERATION_ANY, NULL);
		db_batch_put(batch, ROWS, slice_text("row"), slice_text("x"));
		ck_assert_int_eq(
		    db_submit_patient(db, &batch, NULL, NULL), STATUS_PENDING);
	}
	batch = db_batch_new(&bert, DB_GENERATION_ANY, NULL);
	db_batch_remove_account(batch);
	ck_assert_int_eq(db_submit_wait(db, &batch), STATUS_OK);
	db_drain(db);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(keyring_migrate(keyring, db), STATUS_OK);
	ck_assert_int_eq(open_ring(false), STATUS_OK);
	for (uint32_t i = 0; i < MANY; i++) {
		struct id account = { "an old account" };
		put_be32(account.bytes, i);
		ck_assert_int_eq(find(&account), STATUS_OK);
	}
	ck_assert_int_eq(find(&bert), STATUS_NOT_FOUND);
	assert_found(&anna, &had);
}
END_TEST

START_TEST(derived)
{
	uint8_t one[KEY_BYTES], two[KEY_BYTES];

	keyring_derive(keyring, "audit", one);
	keyring_derive(keyring, "other", two);
	ck_assert_mem_ne(one, two, KEY_BYTES);
	ck_assert_int_eq(open_ring(false), STATUS_OK);
	keyring_derive(keyring, "audit", two);
	ck_assert_mem_eq(one, two, KEY_BYTES);
}
END_TEST

/* ---- shredding ---- */

START_TEST(shredded)
{
	uint8_t before[SLOT_BYTES], after[SLOT_BYTES];
	struct account_key first = settle(&anna), other = settle(&bert);

	file_read_at(KEYS_FILE, before, sizeof(before), slot_at(first.slot));
	ck_assert_int_eq(keyring_shred(keyring, db, &anna), STATUS_OK);
	ck_assert_int_eq(find(&anna), STATUS_EXPIRED);
	ck_assert_int_eq(
	    keyring_take(keyring, db, &anna, &key), STATUS_EXPIRED);
	file_read_at(KEYS_FILE, after, sizeof(after), slot_at(first.slot));
	ck_assert_uint_eq(after[0], SLOT_SHREDDED);
	for (size_t i = 1; i + 8 <= SLOT_BYTES; i++)
		ck_assert_mem_ne(before + i, after + i, 8);
	assert_found(&bert, &other);
	/* again, after a restart, and where there is nothing */
	ck_assert_int_eq(open_ring(false), STATUS_OK);
	ck_assert_int_eq(find(&anna), STATUS_EXPIRED);
	ck_assert_int_eq(keyring_shred(keyring, db, &anna), STATUS_OK);
	ck_assert_int_eq(
	    keyring_shred(keyring, db, &(struct id){ "nobody" }), STATUS_OK);
	/* nor by a rotation does it come back */
	uint64_t count, others;
	ck_assert_int_eq(rotate(&count), STATUS_OK);
	ck_assert_int_eq(find(&anna), STATUS_EXPIRED);
	assert_found(&bert, &other);
	ck_assert_int_eq(keyring_shred(keyring, db, &bert), STATUS_OK);
	ck_assert_int_eq(rotate(&others), STATUS_OK);
	ck_assert_uint_eq(others, count - 1);
}
END_TEST

START_TEST(shredded_before_its_batch)
{
	enum status st;
	struct account_key first = take(&anna);

	begin(&anna, &first, &st);
	ck_assert_int_eq(keyring_shred(keyring, db, &anna), STATUS_OK);
	wait_for(&st);
	ck_assert_int_eq(find(&anna), STATUS_EXPIRED);
}
END_TEST

/* ---- K-08: another master key ---- */

START_TEST(rotated)
{
	struct account_key first = settle(&anna);
	uint8_t label[KEY_BYTES], again[KEY_BYTES];
	uint64_t count;

	keyring_derive(keyring, "audit", label);
	file_copy(MASTER, "former");
	ck_assert_int_eq(master_renew(conf, "notify"), STATUS_OK);
	ck_assert_int_eq(rotate(&count), STATUS_OK);
	ck_assert_uint_eq(count, KEYFILE_BLOCK_SLOTS);
	ck_assert(!file_exists(NEW_FILE) && !file_exists(OLD_FILE));
	/* it goes on, with the same keys under another */
	assert_found(&anna, &first);
	keyring_derive(keyring, "audit", again);
	ck_assert_mem_eq(label, again, KEY_BYTES);
	ck_assert(opens(KEYS_FILE, &first));
	struct account_key other = settle(&bert);

	ck_assert_int_eq(master_settle(conf, "notify"), STATUS_OK);
	ck_assert_int_eq(open_ring(false), STATUS_OK);
	assert_found(&anna, &first);
	assert_found(&bert, &other);
	/* the former key opens nothing any more */
	file_copy("former", MASTER);
	ck_assert(!opens(KEYS_FILE, &first));
	ck_assert_int_eq(open_ring(false), STATUS_DENIED);
	ck_assert_ptr_nonnull(strstr(said, "event=account_keys_locked"));
}
END_TEST

START_TEST(rotation_refused)
{
	struct account_key first = settle(&anna);
	uint64_t count;

	ck_assert_int_eq(rename(scratch_path(MASTER), scratch_path("kept")), 0);
	ck_assert_int_eq(rotate(&count), STATUS_NOT_FOUND);
	ck_assert_int_eq(rename(scratch_path("kept"), scratch_path(MASTER)), 0);
	/* there is something in the way that cannot be cleared away */
	ck_assert_int_eq(mkdir(scratch_path(NEW_FILE), 0700), 0);
	ck_assert_int_ne(rotate(&count), STATUS_OK);
	ck_assert_int_eq(rmdir(scratch_path(NEW_FILE)), 0);
	assert_found(&anna, &first);
	ck_assert_int_eq(open_ring(false), STATUS_OK);
	assert_found(&anna, &first);
}
END_TEST

/* Cut short where the new file is not whole: the old one stays. */
START_TEST(cut_before_the_new_file)
{
	struct account_key first = settle(&anna);

	ck_assert_int_eq(master_renew(conf, "notify"), STATUS_OK);
	scratch_write(NEW_FILE, "half of it", 10, 0600);
	ck_assert_int_eq(open_ring(false), STATUS_OK);
	ck_assert(!file_exists(NEW_FILE));
	assert_found(&anna, &first);
}
END_TEST

/* Cut short between the second name and the new file's taking place. */
START_TEST(cut_before_the_rename)
{
	struct account_key first = settle(&anna);

	ck_assert_int_eq(
	    link(scratch_path(KEYS_FILE), scratch_path(OLD_FILE)), 0);
	file_copy(KEYS_FILE, NEW_FILE);
	ck_assert_int_eq(open_ring(false), STATUS_OK);
	ck_assert(!file_exists(NEW_FILE) && !file_exists(OLD_FILE));
	assert_found(&anna, &first);
}
END_TEST

/* Cut short after it: what opens by the former key is overwritten. */
START_TEST(cut_after_the_rename)
{
	static const uint8_t zeros[SLOT_BYTES];
	uint8_t bytes[SLOT_BYTES];
	struct account_key first = settle(&anna);
	uint64_t count;

	file_copy(KEYS_FILE, "former");
	ck_assert_int_eq(master_renew(conf, "notify"), STATUS_OK);
	ck_assert_int_eq(rotate(&count), STATUS_OK);
	keyring_destroy(&keyring);
	ck_assert_int_eq(
	    rename(scratch_path("former"), scratch_path(OLD_FILE)), 0);
	ck_assert_int_eq(
	    link(scratch_path(OLD_FILE), scratch_path("witness")), 0);
	ck_assert_int_eq(open_ring(false), STATUS_OK);
	ck_assert(!file_exists(OLD_FILE));
	file_read_at("witness", bytes, sizeof(bytes), slot_at(first.slot));
	ck_assert_mem_eq(bytes, zeros, sizeof(bytes));
	assert_found(&anna, &first);
}
END_TEST

/* The former file goes on until the new one is there: both keys open. */
START_TEST(both_keys_open)
{
	struct account_key first = settle(&anna);

	ck_assert_int_eq(master_renew(conf, "notify"), STATUS_OK);
	ck_assert_int_eq(open_ring(false), STATUS_OK);
	assert_found(&anna, &first);
}
END_TEST

/* ---- files that are refused ---- */

START_TEST(missing)
{
	keyring_destroy(&keyring);
	ck_assert_int_eq(unlink(scratch_path(KEYS_FILE)), 0);
	ck_assert_int_eq(open_ring(false), STATUS_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(said, "event=account_keys_missing"));
	ck_assert_ptr_nonnull(strstr(said, "hint="));
	ck_assert(!file_exists(KEYS_FILE));
}
END_TEST

START_TEST(no_master)
{
	ck_assert_int_eq(unlink(scratch_path(MASTER)), 0);
	ck_assert_int_eq(open_ring(true), STATUS_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(said, "event=master_key_unusable"));
}
END_TEST

START_TEST(of_another_service)
{
	file_copy(MASTER, "keys/store.master");
	ck_assert_int_eq(open_ring_as("store", false), STATUS_CONFLICT);
	ck_assert_ptr_nonnull(strstr(said, "event=account_keys_of_another"));
	ck_assert_ptr_nonnull(strstr(said, "notify"));
}
END_TEST

START_TEST(loose)
{
	ck_assert_int_eq(chmod(scratch_path(KEYS_FILE), 0640), 0);
	ck_assert_int_eq(open_ring(false), STATUS_DENIED);
	ck_assert_int_eq(chmod(scratch_path(KEYS_FILE), 0600), 0);
	ck_assert_int_eq(
	    rename(scratch_path(KEYS_FILE), scratch_path("elsewhere")), 0);
	ck_assert_int_eq(
	    symlink(scratch_path("elsewhere"), scratch_path(KEYS_FILE)), 0);
	ck_assert_int_eq(open_ring(false), STATUS_DENIED);
	ck_assert_ptr_nonnull(strstr(said, "a symlink"));
}
END_TEST

START_TEST(cut_short)
{
	static const off_t lengths[] = { 0, 10, HEADER_BYTES, HEADER_AT_TWO,
		HEADER_AT_TWO + HEADER_BYTES, SLOTS_AT, SLOTS_AT + SLOT_BYTES,
		SLOTS_AT + BLOCK_BYTES - 1 };

	keyring_destroy(&keyring);
	ck_assert_int_eq(truncate(scratch_path(KEYS_FILE), lengths[_i]), 0);
	ck_assert_int_eq(open_ring(false), STATUS_MALFORMED);
	ck_assert_ptr_nonnull(strstr(said, "event=account_keys_damaged"));
	ck_assert_int_eq(file_bytes(KEYS_FILE), lengths[_i]);
}
END_TEST

/* Every byte of the headers, one at a time: the other one serves. */
START_TEST(header_mended)
{
	static const uint64_t places[] = { 0, HEADER_AT_TWO };
	uint8_t whole[HEADER_BYTES], now[HEADER_BYTES];
	struct account_key first = settle(&anna);

	file_read_at(KEYS_FILE, whole, sizeof(whole), 0);
	for (size_t i = 0; i < HEADER_BYTES; i++) {
		uint8_t changed = whole[i] ^ 0x10;
		/* a version that is higher may be a newer program's */
		if (i >= 8 && i < 12)
			continue;
		file_write_at(&changed, 1, places[_i] + i);
		ck_assert_int_eq(open_ring(false), STATUS_OK);
		ck_assert_ptr_nonnull(
		    strstr(said, "event=account_keys_header_mended"));
		file_read_at(KEYS_FILE, now, sizeof(now), places[_i]);
		ck_assert_mem_eq(now, whole, sizeof(now));
	}
	assert_found(&anna, &first);
}
END_TEST

START_TEST(header_damaged)
{
	uint8_t whole[HEADER_BYTES], changed;

	keyring_destroy(&keyring);
	file_read_at(KEYS_FILE, whole, sizeof(whole), 0);
	for (size_t i = 0; i < HEADER_BYTES; i++) {
		changed = whole[i] ^ 0x10;
		file_write_at(&changed, 1, i);
		file_write_at(&changed, 1, HEADER_AT_TWO + i);
		enum status st = open_ring(false);
		ck_assert_int_eq(
		    st, i >= 8 && i < 12 ? STATUS_VERSION : STATUS_MALFORMED);
		file_write_at(&whole[i], 1, i);
		file_write_at(&whole[i], 1, HEADER_AT_TWO + i);
	}
	ck_assert_int_eq(open_ring(false), STATUS_OK);
}
END_TEST

/* Headers with a right checksum that no program writes. */
START_TEST(header_strange)
{
	struct keyfile_header header = { .blocks = 1, .service = "notify" };
	uint8_t bytes[HEADER_BYTES];

	keyring_destroy(&keyring);
	header.blocks = _i == 0 ? 0 : BLOCKS_MAX + (uint32_t)_i;
	header_encode(bytes, &header);
	file_write_at(bytes, sizeof(bytes), 0);
	file_write_at(bytes, sizeof(bytes), HEADER_AT_TWO);
	ck_assert_int_eq(open_ring(false), STATUS_MALFORMED);
}
END_TEST

/* Growing was cut short: what is behind the last block does not count. */
START_TEST(longer_than_it_says)
{
	struct account_key first = settle(&anna);

	file_write_at("half a block", 12, slot_at(KEYFILE_BLOCK_SLOTS));
	ck_assert_int_eq(open_ring(false), STATUS_OK);
	assert_found(&anna, &first);
	for (uint32_t i = 0; i < 2 * KEYFILE_BLOCK_SLOTS; i++) {
		struct id account = { "a new account" };
		put_be32(account.bytes, i);
		take(&account);
	}
	ck_assert_int_eq(open_ring(false), STATUS_OK);
}
END_TEST

START_TEST(slot_damaged)
{
	struct account_key first = settle(&anna), other = settle(&bert);
	uint64_t at = slot_at(first.slot) + (uint64_t)_i;
	uint8_t whole, changed;
	uint64_t count;

	file_read_at(KEYS_FILE, &whole, 1, at);
	changed = whole ^ 0x80;
	file_write_at(&changed, 1, at);
	ck_assert_int_eq(find(&anna), STATUS_MALFORMED);
	ck_assert_ptr_nonnull(strstr(said, "event=account_key_damaged"));
	ck_assert_int_eq(rotate(&count), STATUS_OK);
	ck_assert_uint_eq(count, KEYFILE_BLOCK_SLOTS - 1);
	ck_assert_int_eq(find(&anna), STATUS_MALFORMED);
	assert_found(&bert, &other);
}
END_TEST

/* A slot that was put in another's place opens nothing. */
START_TEST(slots_exchanged)
{
	uint8_t bytes[SLOT_BYTES];
	struct account_key first = settle(&anna), other = settle(&bert);

	file_read_at(KEYS_FILE, bytes, sizeof(bytes), slot_at(other.slot));
	file_write_at(bytes, sizeof(bytes), slot_at(first.slot));
	ck_assert_int_eq(find(&anna), STATUS_MALFORMED);
}
END_TEST

START_TEST(service_slot_damaged)
{
	keyring_destroy(&keyring);
	file_write_at("!", 1, slot_at(0) + 20);
	ck_assert_int_eq(open_ring(false), STATUS_MALFORMED);
}
END_TEST

/* The file is an older copy: accounts have slots it never gave out. */
START_TEST(older_than_the_database)
{
	file_copy(KEYS_FILE, "older");
	for (uint32_t i = 0; i < KEYFILE_GROUP_SLOTS; i++) {
		struct id account = { "a new account" };
		put_be32(account.bytes, i);
		take(&account);
	}
	settle(&anna);
	keyring_destroy(&keyring);
	ck_assert_int_eq(
	    rename(scratch_path("older"), scratch_path(KEYS_FILE)), 0);
	ck_assert_int_eq(open_ring(false), STATUS_OK);
	ck_assert_int_eq(find(&anna), STATUS_MALFORMED);
	ck_assert_ptr_nonnull(strstr(said, "older than the database"));
}
END_TEST

/* The account's slot, once some thousand others were given out. */
static void settle_behind(uint32_t slots)
{
	for (uint32_t i = 0; i < slots; i++) {
		struct id account = { "a new account" };
		put_be32(account.bytes, i);
		take(&account);
	}
	settle(&anna);
}

/* An older copy is put back: keys are made in advance, so what the accounts
 * have since is there, and none of it is given out again. */
START_TEST(restored)
{
	uint64_t lost = 99;

	file_copy(KEYS_FILE, "older");
	settle_behind(KEYFILE_GROUP_SLOTS);
	struct account_key was = take(&anna);
	keyring_destroy(&keyring);
	ck_assert_int_eq(
	    rename(scratch_path("older"), scratch_path(KEYS_FILE)), 0);
	ck_assert_int_eq(open_ring(false), STATUS_OK);
	for (int times = 0; times < 2; times++) {
		ck_assert_int_eq(
		    keyring_restored(keyring, db, &lost), STATUS_OK);
		ck_assert_uint_eq(lost, 0);
		ck_assert_int_eq(find(&anna), STATUS_OK);
		ck_assert_mem_eq(key.bytes, was.bytes, KEY_BYTES);
	}
	struct account_key next = take(&bert);
	ck_assert_uint_gt(next.slot, was.slot);
	ck_assert_int_eq(open_ring(false), STATUS_OK);
	ck_assert_int_eq(find(&anna), STATUS_OK);
}
END_TEST

/* A copy that lacks the block: what was sealed is lost, and said to be. */
START_TEST(restored_without_its_block)
{
	uint64_t lost = 99;

	file_copy(KEYS_FILE, "older");
	settle_behind(KEYFILE_BLOCK_SLOTS + 10);
	struct account_key was = take(&anna);
	keyring_destroy(&keyring);
	ck_assert_int_eq(
	    rename(scratch_path("older"), scratch_path(KEYS_FILE)), 0);
	ck_assert_int_eq(open_ring(false), STATUS_OK);
	for (int times = 0; times < 2; times++) {
		ck_assert_int_eq(
		    keyring_restored(keyring, db, &lost), STATUS_OK);
		ck_assert_uint_eq(lost, 1);
		ck_assert_int_eq(find(&anna), STATUS_EXPIRED);
	}
	struct account_key next = take(&bert);
	ck_assert_uint_gt(next.slot, was.slot);
	settle(&bert);
	ck_assert_int_eq(open_ring(false), STATUS_OK);
	ck_assert_int_eq(find(&anna), STATUS_EXPIRED);
	ck_assert_int_eq(find(&bert), STATUS_OK);
}
END_TEST

/* clang-format off */
static const struct {
	const char *name;
	const char *row;
	size_t len;
	enum status want;
} rows[] = {
	{ "a version to come",  "\x02\0\0\0\x01",   5, STATUS_VERSION },
	{ "no version",         "\0\0\0\0\x01",     5, STATUS_MALFORMED },
	{ "cut short",          "\x01\0\0\x01",     4, STATUS_MALFORMED },
	{ "version only",       "\x01",             1, STATUS_MALFORMED },
	{ "too long",           "\x01\0\0\0\x01\0", 6, STATUS_MALFORMED },
	{ "the service's slot", "\x01\0\0\0\0",     5, STATUS_MALFORMED },
	{ "no such slot",       "\x01\xff\0\0\0",   5, STATUS_MALFORMED },
	{ "the highest slot",   "\x01\xff\xff\xff\xff", 5, STATUS_MALFORMED },
};
/* clang-format on */

START_TEST(row)
{
	struct db_batch *batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);
	enum status st = STATUS_PENDING;

	db_batch_put(batch, TABLE_ACCOUNT_KEY, (struct slice){ 0 },
	    slice_of(rows[_i].row, rows[_i].len));
	ck_assert_int_eq(db_submit(db, &batch, on_done, &st), STATUS_PENDING);
	wait_for(&st);
	ck_assert_int_eq(st, STATUS_OK);
	st = find(&anna);
	ck_assert_msg(st == rows[_i].want, "%s: got '%s', want '%s'",
	    rows[_i].name, status_text(st), status_text(rows[_i].want));
	capture_begin(STDERR_FILENO);
	st = keyring_shred(keyring, db, &anna);
	capture_end();
	ck_assert_int_eq(st, rows[_i].want);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keyring");
	TCase *keys = tcase_create("K-08 a key for each account");
	TCase *shreds = tcase_create("A-12 K-08 a shredded key is gone");
	TCase *masters = tcase_create("K-08 another master key");
	TCase *older = tcase_create("O-04 K-08 an older copy of the keys");
	TCase *bad = tcase_create("K-08 R-06 key files that are refused");

	tcase_add_checked_fixture(keys, setup, teardown);
	tcase_add_checked_fixture(shreds, setup, teardown);
	tcase_add_checked_fixture(masters, setup, teardown);
	tcase_add_checked_fixture(bad, setup, teardown);
	tcase_add_checked_fixture(older, setup, teardown);
	tcase_set_timeout(older, 60);
	tcase_set_timeout(keys, 60);
	tcase_set_timeout(bad, 60);
	tcase_add_test(keys, taken_and_found);
	tcase_add_test(keys, two_first_batches_at_once);
	tcase_add_test(keys, another_key_loses);
	tcase_add_test(keys, after_a_restart);
	tcase_add_test(keys, many);
	tcase_add_test(keys, migrated);
	tcase_add_test(keys, derived);
	tcase_add_test(shreds, shredded);
	tcase_add_test(shreds, shredded_before_its_batch);
	tcase_add_test(masters, rotated);
	tcase_add_test(masters, rotation_refused);
	tcase_add_test(masters, cut_before_the_new_file);
	tcase_add_test(masters, cut_before_the_rename);
	tcase_add_test(masters, cut_after_the_rename);
	tcase_add_test(masters, both_keys_open);
	tcase_add_test(bad, missing);
	tcase_add_test(bad, no_master);
	tcase_add_test(bad, of_another_service);
	tcase_add_test(bad, loose);
	tcase_add_loop_test(bad, cut_short, 0, 8);
	tcase_add_loop_test(bad, header_mended, 0, 2);
	tcase_add_test(bad, header_damaged);
	tcase_add_loop_test(bad, header_strange, 0, 2);
	tcase_add_test(bad, longer_than_it_says);
	tcase_add_loop_test(bad, slot_damaged, 0, 3);
	tcase_add_test(bad, slots_exchanged);
	tcase_add_test(bad, service_slot_damaged);
	tcase_add_test(bad, older_than_the_database);
	tcase_add_test(older, restored);
	tcase_add_test(older, restored_without_its_block);
	tcase_add_loop_test(bad, row, 0, (int)nitems(rows));
	suite_add_tcase(suite, keys);
	suite_add_tcase(suite, shreds);
	suite_add_tcase(suite, masters);
	suite_add_tcase(suite, bad);
	suite_add_tcase(suite, older);

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

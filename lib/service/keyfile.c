#include "service/keyfile.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "crypto/arena.h"
#include "service/keyfile_internal.h"

static uint32_t slots_of(const struct keyfile *self)
{
	return self->header.blocks * KEYFILE_BLOCK_SLOTS;
}

/* ---- making slots ---- */

/* Write block ${index}, of new random keys. */
static enum status block_make(
    const struct keyfile *self, int fd, uint32_t index)
{
	uint32_t first = index * KEYFILE_BLOCK_SLOTS;
	uint8_t *block = malloc(BLOCK_BYTES), key[KEY_BYTES];

	if (!block)
		return STATUS_NO_SPACE;
	for (uint32_t i = 0; i < KEYFILE_BLOCK_SLOTS; i++) {
		randombytes_buf(key, sizeof(key));
		slot_encode(block + (size_t)i * SLOT_BYTES,
		    first + i == 0 ? SLOT_BEGUN : SLOT_UNUSED, key,
		    self->secrets->master, self->service, first + i);
	}
	sodium_memzero(key, sizeof(key));
	enum status st =
	    write_at(fd, self->path, block, BLOCK_BYTES, slot_at(first));
	free(block);
	return st == STATUS_OK ? sync_data(fd, self->path) : st;
}

static enum status grow(struct keyfile *self)
{
	struct keyfile_header header = self->header;

	if (header.blocks == BLOCKS_MAX) {
		log_error(NULL, "account_keys_full", NULL);
		return STATUS_NO_SPACE;
	}
	enum status st = block_make(self, self->fd, header.blocks);
	header.blocks++;
	if (st == STATUS_OK)
		st = header_write(self->fd, self->path, &header);
	if (st == STATUS_OK)
		self->header = header;
	return st;
}

/* ---- opening ---- */

/* A file that a crash cuts short has no name yet. */
static enum status make(struct keyfile *self, const struct master *master)
{
	char fresh[PATH_BYTES + 8];

	self->header = (struct keyfile_header){ .blocks = 1 };
	snprintf(self->header.service, sizeof(self->header.service), "%s",
	    self->service);
	memcpy(self->secrets->master, master->keys[0], KEY_BYTES);
	master_id(self->header.master_id, self->secrets->master, self->service);
	snprintf(fresh, sizeof(fresh), "%s.new", self->path);
	unlink(fresh);
	int fd = open(
	    fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fault(fresh, "make");
	enum status st = block_make(self, fd, 0);
	if (st == STATUS_OK)
		st = header_write(fd, fresh, &self->header);
	if (st == STATUS_OK && rename(fresh, self->path) != 0)
		st = fault(self->path, "rename");
	if (st == STATUS_OK)
		st = file_sync_folder(self->path);
	close(fd);
	return st;
}

static bool header_same(
    const struct keyfile_header *one, const struct keyfile_header *two)
{
	return one->blocks == two->blocks &&
	       strcmp(one->service, two->service) == 0 &&
	       memcmp(one->master_id, two->master_id, MASTER_ID_BYTES) == 0;
}

static enum status read_header(struct keyfile *self)
{
	uint8_t bytes[HEADER_BYTES];
	struct keyfile_header one = { 0 }, two = { 0 };
	const char *why, *why_two;

	enum status st = read_at(self->fd, self->path, bytes, sizeof(bytes), 0);
	if (st != STATUS_OK)
		return st;
	enum status st_one = header_decode(&one, bytes, &why);
	st = read_at(self->fd, self->path, bytes, sizeof(bytes), HEADER_AT_TWO);
	if (st != STATUS_OK)
		return st;
	enum status st_two = header_decode(&two, bytes, &why_two);
	if (st_one == STATUS_VERSION || st_two == STATUS_VERSION) {
		damaged(self->path, "a newer program has written it");
		return STATUS_VERSION;
	}
	if (st_one != STATUS_OK && st_two != STATUS_OK)
		return damaged(self->path, why);
	/* The second is written first. */
	self->header = st_two == STATUS_OK &&
			       (st_one != STATUS_OK || two.blocks > one.blocks)
			   ? two
			   : one;
	if (st_one == STATUS_OK && st_two == STATUS_OK &&
	    header_same(&one, &two))
		return STATUS_OK;
	log_warning(NULL, "account_keys_header_mended", NULL);
	return header_write(self->fd, self->path, &self->header);
}

static enum status find_master(
    struct keyfile *self, const struct master *master)
{
	uint8_t id[MASTER_ID_BYTES];
	char quoted[LOG_QUOTED_BYTES];

	for (size_t i = 0; i < master->count; i++) {
		master_id(id, master->keys[i], self->service);
		if (memcmp(id, self->header.master_id, sizeof(id)) != 0)
			continue;
		memcpy(self->secrets->master, master->keys[i], KEY_BYTES);
		return STATUS_OK;
	}
	log_error(NULL, "account_keys_locked",
	    "path=%s why=\"no key of %s.master opens it\" hint=\"put the "
	    "master file back that belongs to it\"",
	    log_quoted(quoted, self->path), self->service);
	return STATUS_DENIED;
}

/* The group behind the last one that is begun. */
static enum status find_next(struct keyfile *self)
{
	uint8_t state = SLOT_UNUSED;
	uint32_t group = slots_of(self) / KEYFILE_GROUP_SLOTS;
	enum status st = STATUS_OK;

	while (group > 0 && state == SLOT_UNUSED && st == STATUS_OK) {
		group--;
		st = read_at(self->fd, self->path, &state, 1,
		    slot_at(group * KEYFILE_GROUP_SLOTS));
	}
	self->next = (group + 1) * KEYFILE_GROUP_SLOTS;
	return st;
}

static enum status check(struct keyfile *self, const struct master *master)
{
	char quoted[LOG_QUOTED_BYTES];
	struct stat found;

	enum status st = read_header(self);
	if (st != STATUS_OK)
		return st;
	if (strcmp(self->header.service, self->service) != 0) {
		log_error(NULL, "account_keys_of_another",
		    "path=%s found=%s wanted=%s", self->path,
		    log_quoted(quoted, self->header.service), self->service);
		return STATUS_CONFLICT;
	}
	if (fstat(self->fd, &found) != 0)
		return fault(self->path, "stat");
	if ((uint64_t)found.st_size < slot_at(slots_of(self)))
		return damaged(self->path, "it is cut short");
	st = find_master(self, master);
	if (st == STATUS_OK)
		st = find_next(self);
	if (st == STATUS_OK)
		st = keyfile_key(self, 0, self->secrets->service);
	return st;
}

enum status keyfile_open(struct keyfile **out, const char *path,
    const char *service, const struct master *master, bool create)
{
	char quoted[LOG_QUOTED_BYTES];
	enum status st = STATUS_NO_SPACE;
	struct keyfile *self = calloc(1, sizeof(*self));

	assert(strlen(service) <= KEYFILE_SERVICE_MAX);
	*out = NULL;
	if (!self)
		return st;
	self->fd = -1;
	self->service = service;
	snprintf(self->path, sizeof(self->path), "%s", path);
	self->secrets = secret_new(sizeof(*self->secrets));
	if (!self->secrets)
		goto out;
	st = file_open_secret(&self->fd, path, O_RDWR);
	if (st == STATUS_NOT_FOUND && create) {
		st = make(self, master);
		if (st == STATUS_OK)
			st = file_open_secret(&self->fd, path, O_RDWR);
	}
	if (st == STATUS_NOT_FOUND)
		log_error(NULL, "account_keys_missing",
		    "path=%s why=\"the database has what only these keys "
		    "open\" hint=\"put this file back, or start with an empty "
		    "data folder\"",
		    log_quoted(quoted, path));
	if (st == STATUS_OK)
		st = rewrap_clear(path, self->fd);
	if (st == STATUS_OK)
		st = check(self, master);
	if (st != STATUS_OK)
		goto out;
	*out = self;
	self = NULL;
out:
	keyfile_close(&self);
	return st;
}

void keyfile_close(struct keyfile **self_p)
{
	assert(self_p);
	struct keyfile *self = *self_p;
	if (!self)
		return;
	void *secrets = self->secrets;
	secret_destroy(&secrets, sizeof(*self->secrets));
	if (self->fd >= 0)
		close(self->fd);
	free(self);
	*self_p = NULL;
}

/* ---- use ---- */

enum status keyfile_key(
    const struct keyfile *self, uint32_t slot, uint8_t out[static KEY_BYTES])
{
	uint8_t bytes[SLOT_BYTES];
	enum status st = STATUS_MALFORMED;

	if (slot < self->next && slot < slots_of(self)) {
		st = read_at(
		    self->fd, self->path, bytes, sizeof(bytes), slot_at(slot));
		if (st != STATUS_OK)
			return st;
		st = slot_decode(
		    out, bytes, self->secrets->master, self->service, slot);
	}
	if (st == STATUS_MALFORMED)
		log_error(NULL, "account_key_damaged", "slot=%u why=\"%s\"",
		    (unsigned int)slot,
		    slot < self->next
			? "the disk is bad"
			: "account.keys is older than the database");
	return st;
}

const uint8_t *keyfile_service_key(const struct keyfile *self)
{
	return self->secrets->service;
}

enum status keyfile_next(struct keyfile *self, uint32_t *slot_out)
{
	const uint8_t begun = SLOT_BEGUN;
	enum status st = STATUS_OK;

	if (self->next % KEYFILE_GROUP_SLOTS == 0) {
		if (self->next == slots_of(self))
			st = grow(self);
		if (st == STATUS_OK)
			st = write_at(self->fd, self->path, &begun, 1,
			    slot_at(self->next));
		if (st == STATUS_OK)
			st = sync_data(self->fd, self->path);
	}
	if (st == STATUS_OK)
		*slot_out = self->next++;
	return st;
}

static enum status lose(const struct keyfile *self, uint32_t slot)
{
	uint8_t bytes[SLOT_BYTES];

	slot_shred(bytes);
	return write_at(
	    self->fd, self->path, bytes, sizeof(bytes), slot_at(slot));
}

/* That a group is begun is the state of its first slot. */
static enum status begin_group(const struct keyfile *self, uint32_t first)
{
	const uint8_t begun = SLOT_BEGUN;
	uint8_t state;

	enum status st =
	    read_at(self->fd, self->path, &state, 1, slot_at(first));
	if (st != STATUS_OK || state != SLOT_UNUSED)
		return st;
	return write_at(self->fd, self->path, &begun, 1, slot_at(first));
}

enum status keyfile_raise(struct keyfile *self, uint32_t slot)
{
	uint32_t had = slots_of(self);
	enum status st = STATUS_OK;

	while (st == STATUS_OK && slot >= slots_of(self))
		st = grow(self);
	for (uint32_t lost = had; st == STATUS_OK && lost <= slot; lost++)
		st = lose(self, lost);
	while (st == STATUS_OK && self->next <= slot) {
		st = begin_group(self, self->next);
		if (st == STATUS_OK)
			self->next += KEYFILE_GROUP_SLOTS;
	}
	return st == STATUS_OK ? sync_data(self->fd, self->path) : st;
}

enum status keyfile_shred(struct keyfile *self, uint32_t slot)
{
	uint8_t bytes[SLOT_BYTES];

	if (slot == 0 || slot >= self->next)
		return damaged(self->path, "a slot was never given out");
	slot_shred(bytes);
	enum status st =
	    write_at(self->fd, self->path, bytes, sizeof(bytes), slot_at(slot));
	return st == STATUS_OK ? sync_data(self->fd, self->path) : st;
}

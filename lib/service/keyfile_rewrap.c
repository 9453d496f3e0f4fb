#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "service/keyfile_internal.h"

/*
 * The new file is made as PATH.new.  The old one gets a second name,
 * PATH.old, the new one takes its place, and then the old one is
 * overwritten: at any moment PATH is one of the two, whole, and what is left
 * beside it is found by the next start.
 */

static void name_of(
    char out[static PATH_BYTES + 8], const char *path, const char *suffix)
{
	snprintf(out, PATH_BYTES + 8, "%s%s", path, suffix);
}

/* Overwrite and remove ${name}, unless it is the file ${fd} itself. */
static enum status remove_wiped(const char *name, int fd)
{
	struct stat ours = { 0 }, found = { 0 };
	enum status st = STATUS_OK;

	int other = open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (other < 0)
		return errno == ENOENT ? STATUS_OK : fault(name, "open");
	if (fstat(fd, &ours) != 0 || fstat(other, &found) != 0)
		st = fault(name, "stat");
	if (st == STATUS_OK &&
	    (ours.st_dev != found.st_dev || ours.st_ino != found.st_ino)) {
		/* Who was killed may not have made the new name last. */
		st = file_sync_folder(name);
		if (st == STATUS_OK)
			st = wipe(other, name);
		else
			close(other);
	} else {
		close(other);
	}
	if (st == STATUS_OK && unlink(name) != 0)
		st = fault(name, "remove");
	return st;
}

enum status rewrap_clear(const char *path, int fd)
{
	char name[PATH_BYTES + 8];

	name_of(name, path, ".new");
	enum status st = remove_wiped(name, fd);
	name_of(name, path, ".old");
	return st == STATUS_OK ? remove_wiped(name, fd) : st;
}

/* Wrap one slot, in place, by ${key}. */
static void slot_rewrap(const struct keyfile *self,
    uint8_t bytes[static SLOT_BYTES], uint32_t number,
    const uint8_t key[static KEY_BYTES], uint64_t *count)
{
	uint8_t plain[KEY_BYTES];

	enum status st = slot_decode(
	    plain, bytes, self->secrets->master, self->service, number);
	if (st == STATUS_OK) {
		slot_encode(bytes, (enum slot_state)bytes[0], plain, key,
		    self->service, number);
		++*count;
	} else if (st == STATUS_EXPIRED) {
		slot_shred(bytes);
	} else {
		/* Lost before: it goes along as it is. */
		log_error(NULL, "account_key_damaged",
		    "slot=%u why=\"the disk is bad\"", (unsigned int)number);
	}
	sodium_memzero(plain, sizeof(plain));
}

static enum status copy_slots(const struct keyfile *self, int fd,
    const char *path, const uint8_t key[static KEY_BYTES], uint64_t *count)
{
	uint8_t *block = malloc(BLOCK_BYTES);
	enum status st = block ? STATUS_OK : STATUS_NO_SPACE;

	for (uint32_t i = 0; st == STATUS_OK && i < self->header.blocks; i++) {
		uint32_t first = i * KEYFILE_BLOCK_SLOTS;
		st = read_at(
		    self->fd, self->path, block, BLOCK_BYTES, slot_at(first));
		for (uint32_t k = 0; st == STATUS_OK && k < KEYFILE_BLOCK_SLOTS;
		     k++)
			slot_rewrap(self, block + (size_t)k * SLOT_BYTES,
			    first + k, key, count);
		if (st == STATUS_OK)
			st = write_at(
			    fd, path, block, BLOCK_BYTES, slot_at(first));
	}
	free(block);
	return st;
}

/* Make the new file; it is whole and on the disk when this returns OK. */
static enum status make_new(const struct keyfile *self, int *fd_out,
    const struct keyfile_header *header, const uint8_t key[static KEY_BYTES],
    uint64_t *count)
{
	char name[PATH_BYTES + 8];

	name_of(name, self->path, ".new");
	int fd = open(
	    name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fault(name, "make");
	enum status st = copy_slots(self, fd, name, key, count);
	if (st == STATUS_OK)
		st = header_write(fd, name, header);
	if (st == STATUS_OK)
		*fd_out = fd;
	else
		close(fd);
	return st;
}

static enum status take_place(const struct keyfile *self)
{
	char fresh[PATH_BYTES + 8], old[PATH_BYTES + 8];

	name_of(fresh, self->path, ".new");
	name_of(old, self->path, ".old");
	if (link(self->path, old) != 0)
		return fault(old, "link");
	if (rename(fresh, self->path) != 0)
		return fault(self->path, "rename");
	return STATUS_OK;
}

enum status keyfile_rewrap(
    struct keyfile *self, const struct master *master, uint64_t *count_out)
{
	const uint8_t *key = master->keys[0];
	struct keyfile_header header = self->header;
	int fd = -1;

	/* Also where nothing is to do it says how many there are. */
	*count_out = 0;
	master_id(header.master_id, key, self->service);
	enum status st = rewrap_clear(self->path, self->fd);
	if (st == STATUS_OK)
		st = make_new(self, &fd, &header, key, count_out);
	if (st == STATUS_OK)
		st = take_place(self);
	if (st != STATUS_OK) {
		if (fd >= 0)
			close(fd);
		rewrap_clear(self->path, self->fd);
		return st;
	}
	close(self->fd);
	self->fd = fd;
	self->header = header;
	memcpy(self->secrets->master, key, KEY_BYTES);
	st = file_sync_folder(self->path);
	/* Not before the new name lasts. */
	if (st == STATUS_OK)
		st = rewrap_clear(self->path, self->fd);
	return st;
}

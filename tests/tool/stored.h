#ifndef KEEPSAKE_TESTS_STORED_H
#define KEEPSAKE_TESTS_STORED_H

#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/db.h"

/*
 * For tools that look into the database of a service, or damage it; it must
 * not be in use.  What goes wrong here ends the tool.
 */

#define STORED_FORMATS_MAX 100

/* Open it as ${service}; it may be of any format. */
static inline struct db *stored_open(const char *data, const char *service)
{
	struct db_options options = {
		.path = data,
		.service = service,
		.map_bytes = 1 << 20,
		.map_bytes_max = 1 << 30,
		.reserve_bytes = 1 << 20,
	};
	struct db *db = NULL;
	enum status st = STATUS_VERSION;

	while (st == STATUS_VERSION && options.format++ < STORED_FORMATS_MAX)
		st = db_open(&options, &db);
	if (st != STATUS_OK)
		errx(1, "%s: %s", data, status_text(st));
	return db;
}

/* The account that an argument names. */
static inline struct id stored_account(const char *hex)
{
	struct id account;

	if (hex_decode(account.bytes, ID_BYTES, hex) != STATUS_OK)
		errx(2, "'%s' is no account's id", hex);
	return account;
}

static inline void stored_submit(struct db *db, struct db_batch *batch)
{
	enum status st = db_submit_wait(db, &batch);

	db_batch_destroy(&batch);
	if (st != STATUS_OK)
		errx(1, "not written: %s", status_text(st));
}

/*
 * Turn a bit of byte ${at} of ${blob} in the file itself, as no batch does:
 * wherever it lies, also as an older copy in a free page.
 */
static inline void stored_flip(const char *data, struct slice blob, size_t at)
{
	char path[PATH_MAX];
	struct stat found;

	snprintf(path, sizeof(path), "%s/data.mdb", data);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &found) < 0)
		err(1, "%s", path);
	size_t len = (size_t)found.st_size;
	uint8_t *file =
	    mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (file == MAP_FAILED)
		err(1, "%s", path);
	uint8_t *copy = memmem(file, len, blob.data, blob.len);
	if (!copy)
		errx(1, "%s: its bytes are not in one piece there", path);
	while (copy) {
		uint8_t *next = copy + blob.len;
		copy[at] ^= 1;
		copy = memmem(
		    next, len - (size_t)(next - file), blob.data, blob.len);
	}
	if (msync(file, len, MS_SYNC) < 0)
		err(1, "%s", path);
	munmap(file, len);
	close(fd);
}

#endif

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "service/keyfile_internal.h"

#define VERSION        1
#define MAGIC          "KPSSLOTS"
#define MAGIC_BYTES    8
#define CHECKSUM_BYTES 16
#define CHECKED_BYTES  (HEADER_BYTES - CHECKSUM_BYTES)

#define AT_VERSION (MAGIC_BYTES)
#define AT_SLOT    (AT_VERSION + 4)
#define AT_BLOCKS  (AT_SLOT + 4)
#define AT_SERVICE (AT_BLOCKS + 4)
#define AT_MASTER  (AT_SERVICE + KEYFILE_SERVICE_MAX)
_Static_assert(AT_MASTER + MASTER_ID_BYTES == CHECKED_BYTES, "layout");

/* ---- bytes ---- */

static void checksum(uint8_t out[static CHECKSUM_BYTES], const uint8_t *bytes)
{
	crypto_generichash(out, CHECKSUM_BYTES, bytes, CHECKED_BYTES, NULL, 0);
}

void header_encode(
    uint8_t out[static HEADER_BYTES], const struct keyfile_header *header)
{
	memset(out, 0, HEADER_BYTES);
	memcpy(out, MAGIC, MAGIC_BYTES);
	put_be32(out + AT_VERSION, VERSION);
	put_be32(out + AT_SLOT, SLOT_BYTES);
	put_be32(out + AT_BLOCKS, header->blocks);
	memcpy(out + AT_SERVICE, header->service, strlen(header->service));
	memcpy(out + AT_MASTER, header->master_id, MASTER_ID_BYTES);
	checksum(out + CHECKED_BYTES, out);
}

enum status header_decode(struct keyfile_header *out,
    const uint8_t bytes[static HEADER_BYTES], const char **why_out)
{
	uint8_t sum[CHECKSUM_BYTES];

	*why_out = "it is no key file";
	if (memcmp(bytes, MAGIC, MAGIC_BYTES) != 0)
		return STATUS_MALFORMED;
	*why_out = "a newer program has written it";
	if (get_be32(bytes + AT_VERSION) > VERSION)
		return STATUS_VERSION;
	*why_out = "its header is damaged";
	checksum(sum, bytes);
	if (memcmp(sum, bytes + CHECKED_BYTES, CHECKSUM_BYTES) != 0)
		return STATUS_MALFORMED;
	out->blocks = get_be32(bytes + AT_BLOCKS);
	memcpy(out->service, bytes + AT_SERVICE, KEYFILE_SERVICE_MAX);
	out->service[KEYFILE_SERVICE_MAX] = '\0';
	memcpy(out->master_id, bytes + AT_MASTER, MASTER_ID_BYTES);
	*why_out = "its header says what no program writes";
	if (get_be32(bytes + AT_VERSION) != VERSION ||
	    get_be32(bytes + AT_SLOT) != SLOT_BYTES || out->blocks == 0 ||
	    out->blocks > BLOCKS_MAX)
		return STATUS_MALFORMED;
	return STATUS_OK;
}

/* What a sealed key is bound to: service and slot. */
#define BOUND_BYTES (KEYFILE_SERVICE_MAX + 4)

static void bound_to(
    uint8_t out[static BOUND_BYTES], const char *service, uint32_t number)
{
	memset(out, 0, BOUND_BYTES);
	memcpy(out, service, strlen(service));
	put_be32(out + KEYFILE_SERVICE_MAX, number);
}

void slot_encode(uint8_t out[static SLOT_BYTES], enum slot_state state,
    const uint8_t key[static KEY_BYTES], const uint8_t master[static KEY_BYTES],
    const char *service, uint32_t number)
{
	uint8_t bound[BOUND_BYTES];

	bound_to(bound, service, number);
	out[0] = (uint8_t)state;
	seal(out + 1, master, slice_of(key, KEY_BYTES),
	    slice_of(bound, sizeof(bound)));
}

enum status slot_decode(uint8_t out[static KEY_BYTES],
    const uint8_t bytes[static SLOT_BYTES],
    const uint8_t master[static KEY_BYTES], const char *service,
    uint32_t number)
{
	uint8_t bound[BOUND_BYTES];

	if (bytes[0] == SLOT_SHREDDED)
		return STATUS_EXPIRED;
	if (bytes[0] != SLOT_UNUSED && bytes[0] != SLOT_BEGUN)
		return STATUS_MALFORMED;
	bound_to(bound, service, number);
	return seal_open(out, master, slice_of(bytes + 1, SEALED_KEY),
		   slice_of(bound, sizeof(bound))) == STATUS_OK
		   ? STATUS_OK
		   : STATUS_MALFORMED;
}

void slot_shred(uint8_t out[static SLOT_BYTES])
{
	out[0] = SLOT_SHREDDED;
	randombytes_buf(out + 1, SEALED_KEY);
}

/* ---- files ---- */

enum status fault(const char *path, const char *step)
{
	enum status st = errno == ENOSPC || errno == EDQUOT
			     ? STATUS_NO_SPACE
			     : STATUS_UNAVAILABLE;
	char quoted[LOG_QUOTED_BYTES];

	log_error(NULL, "account_keys_fault", "step=%s path=%s error=\"%s\"",
	    step, log_quoted(quoted, path), strerror(errno));
	return st;
}

enum status damaged(const char *path, const char *why)
{
	char quoted[LOG_QUOTED_BYTES];

	log_error(NULL, "account_keys_damaged",
	    "path=%s why=\"%s\" hint=\"check the disk; put the newest copy "
	    "of this file back\"",
	    log_quoted(quoted, path), why);
	return STATUS_MALFORMED;
}

enum status read_at(
    int fd, const char *path, void *out, size_t len, uint64_t at)
{
	uint8_t *to = out;

	while (len > 0) {
		ssize_t got = pread(fd, to, len, (off_t)at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fault(path, "read");
		if (got == 0)
			return damaged(path, "it is cut short");
		to += got;
		at += (uint64_t)got;
		len -= (size_t)got;
	}
	return STATUS_OK;
}

enum status write_at(
    int fd, const char *path, const void *data, size_t len, uint64_t at)
{
	const uint8_t *from = data;

	while (len > 0) {
		ssize_t put = pwrite(fd, from, len, (off_t)at);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return fault(path, "write");
		from += put;
		at += (uint64_t)put;
		len -= (size_t)put;
	}
	return STATUS_OK;
}

enum status sync_data(int fd, const char *path)
{
	return fdatasync(fd) == 0 ? STATUS_OK : fault(path, "sync");
}

enum status header_write(
    int fd, const char *path, const struct keyfile_header *header)
{
	static const uint64_t places[] = { HEADER_AT_TWO, 0 };
	uint8_t bytes[HEADER_BYTES];
	enum status st = STATUS_OK;

	header_encode(bytes, header);
	for (size_t i = 0; i < nitems(places) && st == STATUS_OK; i++) {
		st = write_at(fd, path, bytes, sizeof(bytes), places[i]);
		if (st == STATUS_OK)
			st = sync_data(fd, path);
	}
	return st;
}

enum status wipe(int fd, const char *path)
{
	static const uint8_t zeros[BLOCK_BYTES];
	enum status st = STATUS_OK;
	struct stat found;

	if (fstat(fd, &found) != 0)
		st = fault(path, "stat");
	for (off_t at = 0; st == STATUS_OK && at < found.st_size;
	     at += (off_t)sizeof(zeros))
		st = write_at(fd, path, zeros,
		    (size_t)min_of((off_t)sizeof(zeros), found.st_size - at),
		    (uint64_t)at);
	if (st == STATUS_OK)
		st = sync_data(fd, path);
	close(fd);
	return st;
}

#ifndef KEEPSAKE_SERVICE_KEYFILE_INTERNAL_H
#define KEEPSAKE_SERVICE_KEYFILE_INTERNAL_H

#include "base/file.h"
#include "service/keyfile.h"

/* Inside the key file: keyfile.c opens and uses it, keyfile_slots.c knows
 * how its bytes look, keyfile_rewrap.c moves it to another master key. */

#define HEADER_BYTES  84
#define HEADER_AT_TWO 2048
#define SLOTS_AT      4096
#define SEALED_KEY    SEALED_BYTES(KEY_BYTES)
#define SLOT_BYTES    (1 + SEALED_KEY)
#define BLOCK_BYTES   (KEYFILE_BLOCK_SLOTS * SLOT_BYTES)
#define BLOCKS_MAX    (UINT32_MAX / KEYFILE_BLOCK_SLOTS)
#define PATH_BYTES    4096

/** State of a slot: its first byte. */
enum slot_state { SLOT_UNUSED = 0, SLOT_BEGUN = 1, SLOT_SHREDDED = 2 };

struct keyfile_header {
	uint32_t blocks;
	char service[KEYFILE_SERVICE_MAX + 1];
	uint8_t master_id[MASTER_ID_BYTES];
};

/** What is secret of it, in the arena. */
struct keyfile_secrets {
	uint8_t master[KEY_BYTES]; /* that wraps the slots */
	uint8_t service[KEY_BYTES];
};

struct keyfile {
	char path[PATH_BYTES];
	const char *service;
	int fd;
	struct keyfile_header header;
	struct keyfile_secrets *secrets;
	uint32_t next; /* slot to be given out */
};

/* ---- keyfile_slots.c ---- */

void header_encode(
    uint8_t out[static HEADER_BYTES], const struct keyfile_header *header);

/**
 * STATUS_OK         ${out} is filled
 * STATUS_VERSION    of a newer program
 * STATUS_MALFORMED  as ${why_out} says
 */
enum status header_decode(struct keyfile_header *out,
    const uint8_t bytes[static HEADER_BYTES], const char **why_out);

/** Wrap ${key} as slot ${number}. */
void slot_encode(uint8_t out[static SLOT_BYTES], enum slot_state state,
    const uint8_t key[static KEY_BYTES], const uint8_t master[static KEY_BYTES],
    const char *service, uint32_t number);

/**
 * STATUS_OK         ${out} is the key
 * STATUS_EXPIRED    shredded
 * STATUS_MALFORMED  another state, or not sealed by ${master} as this slot
 */
enum status slot_decode(uint8_t out[static KEY_BYTES],
    const uint8_t bytes[static SLOT_BYTES],
    const uint8_t master[static KEY_BYTES], const char *service,
    uint32_t number);

void slot_shred(uint8_t out[static SLOT_BYTES]);

/* ---- files; what fails is logged with ${path} ---- */

enum status fault(const char *path, const char *step);
enum status damaged(const char *path, const char *why);
enum status read_at(
    int fd, const char *path, void *out, size_t len, uint64_t at);
enum status write_at(
    int fd, const char *path, const void *data, size_t len, uint64_t at);
enum status sync_data(int fd, const char *path);

/** Write the header twice, the second when the first is on the disk. */
enum status header_write(
    int fd, const char *path, const struct keyfile_header *header);

/** Overwrite all of a file, sync, and close ${fd}. */
enum status wipe(int fd, const char *path);

static inline uint64_t slot_at(uint32_t number)
{
	return SLOTS_AT + (uint64_t)number * SLOT_BYTES;
}

/* ---- keyfile_rewrap.c ---- */

/** Clear away what a rewrap that was cut short has left. */
enum status rewrap_clear(const char *path, int fd);

#endif

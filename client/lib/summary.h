#ifndef KEEPSAKE_CLIENT_SUMMARY_H
#define KEEPSAKE_CLIENT_SUMMARY_H

#include <stdint.h>

#include "base/status.h"
#include "category.h"
#include "chunk.h"
#include "crypto/seal.h"
#include "remote.h"

/*
 * What a list of snapshots shows, sealed under the snapshot's key (which is
 * sealed in its turn, see snapshot_key.h):
 *
 *   sealed summary  seal(snapshot key, length (2 bytes, big-endian) |
 *                   message Summary | zeros to a multiple of 256,
 *                   "keepsake summary" | account id | root id)
 */

#define SUMMARY_LABEL_BYTES_MAX  200
#define SUMMARY_HOST_BYTES_MAX   100
#define SUMMARY_FOLDER_BYTES_MAX 900

struct category_total {
	uint64_t files;
	uint64_t bytes;
};

struct summary {
	uint8_t root_key[CHUNK_KEY_BYTES]; /* secret: of the top node */
	uint64_t started_ms;
	char label[SUMMARY_LABEL_BYTES_MAX + 1];
	char host[SUMMARY_HOST_BYTES_MAX + 1];
	/* The folder it is of, from the root on; "" where that is longer, and
	 * in snapshots of older terminals. */
	char folder[SUMMARY_FOLDER_BYTES_MAX + 1];
	uint64_t files;  /* of all types */
	uint64_t errors; /* what could not be read */
	struct category_total categories[CATEGORY_COUNT];
};

/** Copy ${text} to ${out} of ${room} bytes, cut between characters. */
void summary_set_text(char *out, size_t room, const char *text);

/**
 * Seal ${summary} under the snapshot's ${key}.
 *
 * snapshot  its root is read; sealed_summary is replaced
 *
 * STATUS_OK         done
 * STATUS_NO_SPACE   no memory
 */
enum status summary_seal(const struct summary *summary,
    const struct id *account, const uint8_t key[static SEAL_KEY_BYTES],
    struct snapshot *snapshot);

/**
 * Open the summary of ${snapshot}.
 *
 * summary_out  the caller's, to be wiped: it holds the root's key
 *
 * STATUS_OK         ${summary_out} is filled
 * STATUS_MALFORMED  not sealed by this account under ${key}, or damaged
 */
enum status summary_open(struct summary *summary_out, const struct id *account,
    const uint8_t key[static SEAL_KEY_BYTES], const struct snapshot *snapshot);

#endif

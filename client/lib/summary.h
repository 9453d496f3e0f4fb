#ifndef KEEPSAKE_CLIENT_SUMMARY_H
#define KEEPSAKE_CLIENT_SUMMARY_H

#include <stdint.h>

#include "account_keys.h"
#include "base/status.h"
#include "category.h"
#include "chunk.h"
#include "remote.h"

/*
 * What belongs to a snapshot besides its manifest, both sealed:
 *
 *   sealed key      mode (1 byte)  origin (1 byte)  body, as the mode says
 *                   SEALED: seal(account's wrapping key, snapshot key,
 *                   "keepsake snapshot key" | account id | mode | origin)
 *   sealed summary  seal(snapshot key, length (2 bytes, big-endian) |
 *                   message Summary | zeros to a multiple of 256,
 *                   "keepsake summary" | account id | root id)
 */

/** How a snapshot's key is kept (K-02 to K-06).  Never renumber. */
enum key_mode {
	KEY_MODE_SEALED = 1, /* under the account's root key, K-06 */
	KEY_MODE_LOCAL,      /* in a privileged place of the terminal, K-02 */
	KEY_MODE_ESCROW,     /* at the server under a key id, K-03 */
	KEY_MODE_WRAPPED,    /* sealed to a key pair of the server, K-04 */
};

/** How it was made (K-01).  Never renumber. */
enum key_origin {
	KEY_ORIGIN_RANDOM = 1, /* fresh for each backup */
	KEY_ORIGIN_DEVICE,     /* from the terminal's unique id and a secret */
	KEY_ORIGIN_TIME,       /* from the moment and a secret */
};

#define SUMMARY_LABEL_BYTES_MAX 200
#define SUMMARY_HOST_BYTES_MAX  100

struct category_total {
	uint64_t files;
	uint64_t bytes;
};

struct summary {
	uint8_t root_key[CHUNK_KEY_BYTES]; /* secret: of the top node */
	uint64_t started_ms;
	char label[SUMMARY_LABEL_BYTES_MAX + 1];
	char host[SUMMARY_HOST_BYTES_MAX + 1];
	uint64_t files;  /* of all types */
	uint64_t errors; /* what could not be read */
	struct category_total categories[CATEGORY_COUNT];
};

/** Copy ${text} to ${out} of ${room} bytes, cut between characters. */
void summary_set_text(char *out, size_t room, const char *text);

/**
 * Make a random key for ${snapshot}, seal ${summary} under it, and it under
 * the account's wrapping key.
 *
 * snapshot  its root is read; sealed_key and sealed_summary are replaced
 *
 * STATUS_OK         done
 * STATUS_NO_SPACE   no memory, or the arena is full
 */
enum status summary_seal(const struct summary *summary,
    const struct account_keys *keys, struct snapshot *snapshot);

/**
 * Open the summary of ${snapshot}.
 *
 * summary_out  the caller's, to be wiped: it holds the root's key
 *
 * STATUS_OK         ${summary_out} is filled
 * STATUS_VERSION    a key mode that is not opened here
 * STATUS_MALFORMED  not sealed by this account, or damaged
 * STATUS_NO_SPACE   no memory, or the arena is full
 */
enum status summary_open(struct summary *summary_out,
    const struct account_keys *keys, const struct snapshot *snapshot);

#endif

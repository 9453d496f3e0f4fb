#ifndef KEEPSAKE_CLIENT_GRANT_FILE_H
#define KEEPSAKE_CLIENT_GRANT_FILE_H

#include "account_keys.h"
#include "base/bytes.h"
#include "base/status.h"
#include "crypto/grant_proof.h"
#include "privileged.h"

/*
 * A standing grant as its terminal keeps it: the file "grant" of the
 * privileged place.  It has what answers auth's challenge, and what writing
 * a backup takes; nothing in it opens one.  To the byte:
 *
 *   keepsake grant 1
 *   account=<32 hex digits>
 *   terminal=<32>
 *   seed=<64>               of the Ed25519 key that auth knows
 *   chunk_id=<64>  chunk_key=<64>  chunker_seed=<64>
 *   snapshot_writer=<64>  account_key=<64>        (a line each)
 */

/** Secret, in the arena. */
struct grant {
	struct id terminal;
	uint8_t seed[GRANT_SEED_BYTES];
	struct account_keys keys; /* whose, and only for writing */
};

/**
 * Make a grant with a new key for ${terminal}.
 *
 * STATUS_OK        ${self_out} is the caller's
 * STATUS_NO_SPACE  the arena is full or not open
 */
enum status grant_new(struct grant **self_out, const struct id *terminal,
    const struct account_keys *keys);

/** Wipe and release it, and leave NULL; NULL is fine. */
void grant_destroy(struct grant **self_p);

/** Keep it; results as privileged_write. */
enum status grant_write(struct grant *self, struct privileged *place);

/**
 * Read it.
 *
 * STATUS_OK         ${self_out} is the caller's
 * STATUS_NOT_FOUND  this terminal has none
 * STATUS_DENIED     refused, as privileged_why says
 * STATUS_MALFORMED  the file is damaged
 * STATUS_NO_SPACE   the arena is full or not open
 */
enum status grant_read(struct grant **self_out, struct privileged *place);

/** Forget it; results as privileged_remove. */
enum status grant_remove(struct privileged *place);

/**
 * Read the bytes of such a file.
 *
 * STATUS_OK         ${out} is filled
 * STATUS_MALFORMED  not such a file, to the byte; ${out} is wiped
 */
enum status grant_parse(struct grant *out, struct slice text);

#endif

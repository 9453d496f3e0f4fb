#ifndef KEEPSAKE_CLIENT_LOCAL_KEYS_H
#define KEEPSAKE_CLIENT_LOCAL_KEYS_H

#include "base/bytes.h"
#include "base/status.h"
#include "crypto/seal.h"
#include "privileged.h"

/*
 * Snapshot keys that are kept on the terminal and nowhere else (K-02): each
 * a file of the privileged place, named by the key's id, 32 lower-case hex
 * digits and ".key".  Another terminal of the account opens the snapshot once
 * the file is copied there.  It is text, to the byte:
 *
 *   keepsake local key 1
 *   account=<32 hex digits>
 *   key=<64 hex digits>
 */

#define LOCAL_KEY_NAME_BYTES (HEX_BYTES(ID_BYTES) + 4) /* with its NUL */
#define LOCAL_KEY_FILE_BYTES (21 + 8 + 32 + 1 + 4 + 64 + 1)

/** A key as its file has it; to be wiped. */
struct local_key {
	struct id account; /* whose snapshot it opens */
	uint8_t key[SEAL_KEY_BYTES];
};

/** Write the file's bytes. */
void local_key_format(
    uint8_t out[static LOCAL_KEY_FILE_BYTES], const struct local_key *key);

/**
 * Read them.
 *
 * STATUS_OK         ${out} is filled
 * STATUS_MALFORMED  not such a file, to the byte; ${out} is wiped
 */
enum status local_key_parse(struct local_key *out, struct slice text);

/** Write the name of the file of key ${id}. */
void local_key_name(char out[static LOCAL_KEY_NAME_BYTES], const struct id *id);

/** Keep ${key}; results as privileged_write. */
enum status local_key_keep(
    struct privileged *place, const struct id *id, const struct local_key *key);

/**
 * Find the key ${id} of ${account}.
 *
 * out  to be wiped
 *
 * STATUS_OK         found
 * STATUS_NOT_FOUND  it is not kept here
 * STATUS_DENIED     refused, as privileged_why says
 * STATUS_MALFORMED  the file is damaged, or of another account's key
 */
enum status local_key_find(struct privileged *place, const struct id *id,
    const struct id *account, struct local_key *out);

/**
 * Forget every key of ${account}, which is no more.  A file of another
 * account, or that is none of ours, is left alone.
 *
 * Results as privileged_remove.
 */
enum status local_keys_forget(
    struct privileged *place, const struct id *account);

#endif

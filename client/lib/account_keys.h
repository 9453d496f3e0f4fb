#ifndef KEEPSAKE_CLIENT_ACCOUNT_KEYS_H
#define KEEPSAKE_CLIENT_ACCOUNT_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

/*
 * The keys of one account, all derived from its 32-byte root key by
 * key_derive(root, label, account id); see crypto/seal.h.  The labels are
 * part of the format: another program derives the same keys from them.
 */
#define ACCOUNT_LABEL_CHUNK_ID      "keepsake chunk id"
#define ACCOUNT_LABEL_CHUNK_KEY     "keepsake chunk key"
#define ACCOUNT_LABEL_CHUNKER       "keepsake chunker"
#define ACCOUNT_LABEL_SNAPSHOT_WRAP "keepsake snapshot wrap"
#define ACCOUNT_LABEL_WRITER        "keepsake snapshot writer"
#define ACCOUNT_LABEL_CACHE         "keepsake cache"
#define ACCOUNT_LABEL_CARD          "keepsake card"
#define ACCOUNT_LABEL_X25519        "keepsake x25519"

#define ACCOUNT_KEY_BYTES 32

/** Lives in the arena of crypto/arena.h; read only once it is made. */
struct account_keys {
	struct id account;

	/* What writing a backup takes, and nothing that reads one. */
	uint8_t chunk_id[ACCOUNT_KEY_BYTES];        /* names chunks */
	uint8_t chunk_key[ACCOUNT_KEY_BYTES];       /* makes their keys */
	uint8_t chunker_seed[ACCOUNT_KEY_BYTES];    /* decides where to cut */
	uint8_t snapshot_writer[ACCOUNT_KEY_BYTES]; /* see snapshot_key.h */
	uint8_t public_key[ACCOUNT_KEY_BYTES];      /* X25519, not secret */

	/* Zero where a standing grant is all there is. */
	bool may_read;
	uint8_t snapshot_wrap[ACCOUNT_KEY_BYTES]; /* seals snapshot keys */
	uint8_t cache[ACCOUNT_KEY_BYTES];         /* seals the local cache */
	uint8_t card[ACCOUNT_KEY_BYTES];          /* seals what cards keep */
	uint8_t private_key[ACCOUNT_KEY_BYTES];   /* X25519 */
};

/**
 * Derive the keys of ${account} from ${root}; both are only read.
 *
 * STATUS_OK        ${self_out} is the caller's
 * STATUS_NO_SPACE  the arena is full or not open
 * STATUS_INTERNAL  libsodium refuses the derived private key: never seen
 */
enum status account_keys_new(struct account_keys **self_out,
    const struct id *account, const uint8_t root[static ACCOUNT_KEY_BYTES]);

/** Fill ${out}, in the arena, with what ${from} has to write with. */
void account_keys_for_writing(
    struct account_keys *out, const struct account_keys *from);

/** Wipe and release the keys, and leave NULL; NULL is fine. */
void account_keys_destroy(struct account_keys **self_p);

#endif

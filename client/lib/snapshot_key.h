#ifndef KEEPSAKE_CLIENT_SNAPSHOT_KEY_H
#define KEEPSAKE_CLIENT_SNAPSHOT_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "account_keys.h"
#include "base/status.h"
#include "crypto/seal.h"
#include "privileged.h"
#include "remote.h"

/*
 * The key of a snapshot, which seals its summary and so all below it, and
 * what the store keeps in its stead:
 *
 *   sealed key  mode (1 byte)  origin (1 byte)  body, as the mode says
 *
 *   SEALED      seal(account's wrapping key, snapshot key, associated)
 *   LOCAL       key id (16): the key is in the privileged place of the
 *               terminal that made it, see local_keys.h
 *   ACCOUNT     E (32)  seal(k, snapshot key, associated), where e, E is an
 *               X25519 pair that was made for this and forgotten, P the
 *               account's X25519 public key, and
 *               k = key_derive(account's writer key,
 *                   "keepsake snapshot to account", X25519(e, P) | E | P)
 *
 *   associated  "keepsake snapshot key" | account id | mode | origin
 *
 * Whoever may write for the account can make an ACCOUNT key, and only who
 * has the root key can open one: that is for a terminal with no more than a
 * standing grant.  The writer key keeps out who has the public key
 * alone: the server.
 */

#define SNAPSHOT_KEY_LABEL_ASSOCIATED "keepsake snapshot key"
#define SNAPSHOT_KEY_LABEL_ACCOUNT    "keepsake snapshot to account"

/** How a snapshot's key is kept.  Stored: append, never renumber. */
enum key_mode {
	KEY_MODE_SEALED = 1, /* under the account's root key, K-06 */
	KEY_MODE_LOCAL,      /* in a privileged place of the terminal, K-02 */
	KEY_MODE_ESCROW,     /* at the server under a key id, K-03 */
	KEY_MODE_WRAPPED,    /* sealed to a key pair of the server, K-04 */
	KEY_MODE_ACCOUNT,    /* sealed to the account's public key, A-15 */
};

/** How it was made (K-01).  Stored: append, never renumber. */
enum key_origin {
	KEY_ORIGIN_RANDOM = 1, /* fresh for each backup */
	KEY_ORIGIN_DEVICE,     /* from the terminal's unique id and a secret */
	KEY_ORIGIN_TIME,       /* from the moment and a secret */
};

/** A key and what is to be stored of it; secret, in the arena. */
struct snapshot_key {
	uint8_t key[SEAL_KEY_BYTES];
	enum key_mode mode;
	struct id id; /* LOCAL: by which it is found */
	uint8_t sealed[SNAPSHOT_SEALED_KEY_BYTES_MAX];
	size_t sealed_len;
};

/**
 * Make a random key.
 *
 * mode  SEALED, which needs keys that may read; LOCAL, and the caller keeps
 *       the key; or ACCOUNT
 *
 * STATUS_OK         ${self_out} is the caller's
 * STATUS_DENIED     SEALED with keys that only write
 * STATUS_MALFORMED  ACCOUNT with a public key that makes no secret
 * STATUS_NO_SPACE   the arena is full or not open
 */
enum status snapshot_key_new(struct snapshot_key **self_out, enum key_mode mode,
    const struct account_keys *keys);

/** Wipe and release it, and leave NULL; NULL is fine. */
void snapshot_key_destroy(struct snapshot_key **self_p);

/** What a sealed key says of itself. */
struct sealed_key {
	enum key_mode mode;
	enum key_origin origin;
	struct id id; /* LOCAL: of the key; else none */
};

/**
 * Read what ${sealed} says of itself; nothing is opened.
 *
 * STATUS_OK         ${out} is filled
 * STATUS_VERSION    a mode or an origin that is not known here
 * STATUS_MALFORMED  too short or too long for what it says it is
 */
enum status sealed_key_read(struct sealed_key *out, struct slice sealed);

/**
 * Open the key of a snapshot.
 *
 * key_out  the caller's, SEAL_KEY_BYTES; to be wiped
 * place    where LOCAL keys are
 *
 * STATUS_OK         ${key_out} is filled
 * STATUS_NOT_FOUND  LOCAL, and it is not kept here
 * STATUS_DENIED     LOCAL, and the place is refused, as privileged_why
 *                   says; or these keys only write
 * STATUS_VERSION    a mode that is not opened here
 * STATUS_MALFORMED  damaged, or not sealed for this account
 * STATUS_NO_SPACE   the arena is full or not open
 */
enum status snapshot_key_open(uint8_t key_out[static SEAL_KEY_BYTES],
    const struct account_keys *keys, struct privileged *place,
    struct slice sealed);

#endif

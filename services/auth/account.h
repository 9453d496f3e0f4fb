#ifndef KEEPSAKE_AUTH_ACCOUNT_H
#define KEEPSAKE_AUTH_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "crypto/opaque.h"
#include "crypto/seal.h"
#include "name.h"

/*
 * An account and the codes it authenticates with.  Each code is an OPAQUE
 * credential of its own.
 */

#define ACCOUNT_KEY_BYTES 32 /* X25519 */

/* The account's root key, 32 bytes, sealed by the terminal. */
#define WRAPPED_ROOT_BYTES_MIN SEALED_BYTES(32)
#define WRAPPED_ROOT_BYTES_MAX 256

struct account {
	enum name_kind kind;            /* of the name it was registered by */
	uint64_t created_ms;            /* wall time */
	uint8_t key[ACCOUNT_KEY_BYTES]; /* public, from the root key */
	char name[NAME_BYTES_MAX + 1];  /* canonical; "" from before format 2 */
};

/** Which of an account's credentials.  Stored: append, never renumber. */
enum credential_slot {
	CREDENTIAL_OWNER = 1,        /* the owner's code */
	CREDENTIAL_VERIFICATION = 2, /* for changing bindings (D-01) */
	CREDENTIAL_TERMINAL = 3,     /* a terminal's own code */
};

/** One of an account's codes. */
struct code_slot {
	enum credential_slot kind;
	struct id terminal; /* whose own code it is; else none */
};

extern const struct code_slot owner_slot, verification_slot;

struct credential {
	uint32_t revision;    /* 1 for the first; one more at each change */
	unsigned int factors; /* CODE_ bits of crypto/code.h */
	uint64_t changed_ms;  /* wall time */
	uint8_t record[OPAQUE_RECORD_BYTES];
	uint8_t wrapped_root[WRAPPED_ROOT_BYTES_MAX];
	size_t wrapped_root_len; /* 0 where the code opens no root key */
};

/** What a terminal sends for a credential; all borrowed. */
struct credential_parts {
	struct slice record;
	unsigned int factors;
	struct slice wrapped_root;
};

/**
 * Check what is to become the owner's code: a password and no identifier,
 * with a root key wrapped under it.
 *
 * revision  that it will have
 * why_out   what is wrong, for people; static
 *
 * STATUS_OK         ${out} is filled, changed_ms with the wall time
 * STATUS_MALFORMED  as ${why_out} says; ${out} is wiped
 */
enum status credential_owner(struct credential *out, uint32_t revision,
    const struct credential_parts *parts, const char **why_out);

/**
 * The same for a terminal's own code, of any factors.  Without a password
 * among them it opens no root key: identifiers are no secrets.
 *
 * allow_identifier_only  whether it may be such a one
 *
 * STATUS_DENIED  it is one, and may not; otherwise as credential_owner
 */
enum status credential_terminal(struct credential *out, uint32_t revision,
    const struct credential_parts *parts, bool allow_identifier_only,
    const char **why_out);

/** The same for verification information, which has a record only. */
enum status credential_verification(struct credential *out, uint32_t revision,
    struct slice record, const char **why_out);

#define CREDENTIAL_ID_BYTES_MAX 40

/** By what OPAQUE knows a credential: it never changes. */
struct credential_id {
	uint8_t bytes[CREDENTIAL_ID_BYTES_MAX];
	size_t len;
};

/** The account's id, and for all but the owner's code what it is for. */
void credential_id_of(struct credential_id *out, const struct id *account,
    const struct code_slot *slot);

#endif

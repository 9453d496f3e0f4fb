#ifndef KEEPSAKE_SERVICE_AUDIT_RECORD_H
#define KEEPSAKE_SERVICE_AUDIT_RECORD_H

#include <stdbool.h>

#include "base/bytes.h"
#include "crypto/seal.h"

/*
 * The bytes of the audit log (O-06): pending rows, records of the chain,
 * signed heads.  No database, no clock: the service writes them, and
 * keepsakectl checks them.
 */

#define AUDIT_ACTION_BYTES_MAX 40
#define AUDIT_ACTOR_BYTES_MAX  100
#define AUDIT_DETAIL_BYTES_MAX 500

#define AUDIT_HASH_BYTES  32
#define AUDIT_STAMP_BYTES (8 + ID_BYTES)
#define AUDIT_PLAIN_BYTES_MAX \
	(1 + AUDIT_ACTOR_BYTES_MAX + ID_BYTES + 2 + AUDIT_DETAIL_BYTES_MAX)
#define AUDIT_SEALED_BYTES_MAX SEALED_BYTES(AUDIT_PLAIN_BYTES_MAX)

/** By which key the personal part is sealed.  Stored: never renumber. */
enum audit_key {
	AUDIT_KEY_ACCOUNT = 1, /* the account's: goes when it is shredded */
	AUDIT_KEY_SERVICE = 2, /* the service's own */
};

/** What happened, but for who did it. */
struct audit_fact {
	uint64_t when_ms;
	struct id event;   /* random: a repeat has the same */
	struct id account; /* none: of the service as a whole */
	enum audit_key key;
	char action[AUDIT_ACTION_BYTES_MAX + 1];
	uint8_t sealed[AUDIT_SEALED_BYTES_MAX]; /* audit_seal */
	size_t sealed_len;
};

/** Who did it, and what else is to be known: the personal part. */
struct audit_person {
	char actor[AUDIT_ACTOR_BYTES_MAX + 1];
	struct id terminal; /* or none */
	char detail[AUDIT_DETAIL_BYTES_MAX + 1];
};

/** Seal ${person} into ${fact}, whose other fields are set already. */
void audit_seal(struct audit_fact *fact, const struct audit_person *person,
    const uint8_t key[static SEAL_KEY_BYTES]);

/**
 * Open it again.
 *
 * STATUS_OK         ${out} is filled
 * STATUS_DENIED     another key, or ${fact} was changed
 * STATUS_MALFORMED  opened, but not what audit_seal makes
 */
enum status audit_open(struct audit_person *out, const struct audit_fact *fact,
    const uint8_t key[static SEAL_KEY_BYTES]);

/* ---- pending rows: the key is time and event, so that they are in order */

/** The key of the row of ${fact}; the account is the row's own. */
void audit_pending_key(
    uint8_t out[static AUDIT_STAMP_BYTES], const struct audit_fact *fact);

/** Append the value of the row; errors as bytes_reserve. */
enum status audit_pending_pack(
    struct bytes *out, const struct audit_fact *fact);

/**
 * Read a row.
 *
 * STATUS_OK         ${out} is filled
 * STATUS_MALFORMED  damaged
 * STATUS_VERSION    of a newer program
 */
enum status audit_pending_unpack(struct audit_fact *out,
    const struct id *account, struct slice key, struct slice value);

/* ---- records */

struct audit_record {
	uint64_t sequence; /* 1, 2, … without a gap */
	struct audit_fact fact;
	uint8_t previous[AUDIT_HASH_BYTES]; /* hash of the record before it */
	uint8_t hash[AUDIT_HASH_BYTES];     /* of all the rest */
};

/** What the first record of a service follows. */
void audit_genesis(uint8_t out[static AUDIT_HASH_BYTES], const char *service);

/** Append ${record}, and set its hash; errors as bytes_reserve. */
enum status audit_record_pack(struct bytes *out, struct audit_record *record);

/**
 * Read a record, whose hash is what it says of itself.
 *
 * STATUS_OK         ${out} is filled
 * STATUS_MALFORMED  no record
 * STATUS_DENIED     the hash is not that of the bytes: it was changed
 * STATUS_VERSION    of a newer program
 */
enum status audit_record_unpack(struct audit_record *out, struct slice bytes);

/* ---- heads: a line of text that says where the chain is */

#define AUDIT_SERVICE_BYTES_MAX 16
#define AUDIT_SIGN_SEED_BYTES   32
#define AUDIT_SIGN_PUBLIC_BYTES 32
#define AUDIT_SIGN_SECRET_BYTES 64
#define AUDIT_SIGNATURE_BYTES   64
#define AUDIT_HEAD_TEXT_BYTES   320 /* with the NUL */

struct audit_head {
	char service[AUDIT_SERVICE_BYTES_MAX + 1];
	uint64_t sequence;
	uint64_t when_ms;
	uint8_t hash[AUDIT_HASH_BYTES];
	uint8_t signature[AUDIT_SIGNATURE_BYTES];
};

/** Sign ${head}: all of it but the signature, which is set. */
void audit_head_sign(struct audit_head *head,
    const uint8_t secret[static AUDIT_SIGN_SECRET_BYTES]);

/** Whether the signature is right. */
bool audit_head_signed(const struct audit_head *head,
    const uint8_t public[static AUDIT_SIGN_PUBLIC_BYTES]);

/** "SERVICE SEQUENCE TIME HASH SIGNATURE", the last two as hex. */
void audit_head_format(
    char out[static AUDIT_HEAD_TEXT_BYTES], const struct audit_head *head);

/** Read such a line, without an end of line; MALFORMED where it is none. */
enum status audit_head_parse(struct audit_head *out, struct slice line);

#endif

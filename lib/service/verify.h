#ifndef KEEPSAKE_SERVICE_VERIFY_H
#define KEEPSAKE_SERVICE_VERIFY_H

#include "service/keyring.h"

/*
 * Proving that a database is whole (O-04): every row is read, opened where it
 * is sealed, unpacked, and what it refers to is looked for.  It is done in
 * steps of some milliseconds, by the VERIFY handler of a service that serves,
 * and by "keepsake-SERVICE --verify FOLDER" for a backup.
 *
 * While the service serves, rows come and go between two reads.  So what
 * looks damaged is read again, and is told of only if its row has not changed.
 */

#define VERIFY_PLACE_BYTES_MAX 120

struct verify;

/** What is wrong, for people; static. */
typedef const char *verify_check_fn(
    struct verify *self, struct slice key, struct slice value);

/** A table of a service's rows. */
struct verify_table {
	uint8_t table;
	const char *name; /* "snapshots" */
	bool sealed;      /* see sealed_row.h; check has the plain value */
	/*
	 * Returns NULL where the row is as it should be.  Of a sealed row that
	 * cannot be opened for lack of keys it is not called.  NULL: nothing
	 * but the seal is looked at.
	 */
	verify_check_fn *check;
};

struct verify_tables {
	const struct verify_table *list;
	size_t count;
};

struct verify_damage {
	const char *table;
	struct id account; /* none: of no account */
	struct slice key;
	const char *why;
};

struct verify {
	struct db *db;           /* borrowed, as is what follows */
	struct keyring *keyring; /* NULL: no keys, what is sealed stays so */
	const struct verify_tables *tables;
	void (*damage)(void *arg, const struct verify_damage *damage);
	void *arg;

	/* For checks: whose row it is. */
	struct id account;

	/* Where the next step begins; len 0: at the beginning. */
	uint8_t place[VERIFY_PLACE_BYTES_MAX];
	size_t place_len;

	/* What was read in this step. */
	uint64_t accounts, rows, blobs, blob_bytes, names, damages;
	uint64_t unopened; /* sealed rows without a key: lost or shredded */
};

/**
 * Take a step of about ${step_ms}.
 *
 * done_out  there is no more
 *
 * STATUS_OK         damage, if there is any, was told
 * STATUS_MALFORMED  self->place is none
 * other             the database cannot be read: as db_scan, db_accounts
 */
enum status verify_step(struct verify *self, uint64_t step_ms, bool *done_out);

/** For checks: whether there is such a row in the account. */
bool verify_has_row(struct verify *self, uint8_t table, struct slice key);

/* ---- both ways to it ---- */

struct exchange;
struct service;

/** Answer VERIFY: see proto/ops.proto. */
enum status verify_on_verify(
    struct service *service, struct exchange *exchange);

/**
 * Verify the backup in ${folder}, and say what was found on standard output
 * and error.
 *
 * Returns an exit code: 0 whole, 1 damaged, or not to be read.
 */
int verify_folder(struct service *service, const char *folder);

#endif

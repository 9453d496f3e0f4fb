#ifndef KEEPSAKE_CLIENT_CHECKER_H
#define KEEPSAKE_CLIENT_CHECKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "account_keys.h"
#include "base/status.h"
#include "remote.h"

/*
 * Proves snapshots whole (B-11): every node is fetched and opened, every
 * chunk asked for, and, where that is wanted, fetched, opened and compared
 * with its id.  What several snapshots share is looked at once.
 */

/** ${path} is damaged, or what follows it is: ${why} says so; static. */
typedef void check_report_fn(void *arg, const char *path, const char *why);

struct check_options {
	struct remote *remote; /* a restore was begun; borrowed, as all here */
	const struct account_keys *keys;
	bool read_data;            /* fetch all chunks as well */
	const atomic_bool *cancel; /* stop soon once it is set; may be NULL */
	check_report_fn *report;   /* may be NULL */
	void *arg;
};

/** Of one snapshot. */
struct check_result {
	uint64_t files;        /* of all types, as far as they are known */
	uint64_t damaged;      /* of those */
	uint64_t lost;         /* parts of the list of files */
	uint64_t chunks;       /* looked at for it, and for none before it */
	uint64_t bytes_read;   /* sealed, likewise */
	uint64_t files_picked; /* of a drill: restored and compared */
};

struct checker;

/** ${options} is copied.  NULL without memory. */
struct checker *checker_new(const struct check_options *options);
void checker_destroy(struct checker **self_p);

/**
 * Check a snapshot.
 *
 * key  the snapshot's, SEAL_KEY_BYTES
 *
 * STATUS_OK         looked at all; ${out} says what was found
 * STATUS_MALFORMED  the summary or the top of the manifest is damaged:
 *                   nothing of it can be restored
 * STATUS_PENDING    cancelled
 * others            what the remote answered; STATUS_NO_SPACE
 */
enum status checker_run(struct checker *self, const struct snapshot *snapshot,
    const uint8_t *key, struct check_result *out);

/**
 * A drill: restore ${sample} files of the snapshot, picked at random, into
 * memory, and compare each with its hash.  Results as checker_run.
 */
enum status checker_drill(struct checker *self, const struct snapshot *snapshot,
    const uint8_t *key, size_t sample, struct check_result *out);

#endif

#ifndef KEEPSAKE_CLIENT_RESTORE_H
#define KEEPSAKE_CLIENT_RESTORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "account_keys.h"
#include "base/status.h"
#include "manifest_entry.h"
#include "remote.h"
#include "summary.h"

/** Why an entry of the snapshot was not written. */
enum restore_skip {
	RESTORE_THERE,   /* as it should be already: an earlier try wrote it */
	RESTORE_DAMAGED, /* a chunk of it is missing or not what was stored */
	RESTORE_DIFFERS, /* read again, it is not what was written */
	RESTORE_REFUSED, /* the system said why: error is an errno */
	RESTORE_NO_LINK, /* the file it is a second name of is not restored */
	RESTORE_LOST,    /* what follows it is not known: the list is damaged */
	RESTORE_KEPT,    /* another one is there already: only with keep */
	RESTORE_SKIP_COUNT
};

/** The text of ${skip} for people; static. */
const char *restore_skip_text(enum restore_skip skip);

struct restore_progress {
	uint64_t files; /* done, or skipped */
	uint64_t files_total;
	uint64_t bytes; /* written */
	uint64_t bytes_total;
	uint64_t bytes_fetched; /* sealed */
};

/** Whether ${entry} is wanted; on the calling thread. */
typedef bool restore_filter_fn(void *arg, const struct entry *entry);

typedef void restore_progress_fn(
    void *arg, const struct restore_progress *progress);

/** One entry skipped; from any thread, but one at a time. */
typedef void restore_report_fn(
    void *arg, enum restore_skip skip, const char *path, int error);

/** What to restore, and where to; all of it borrowed for the call. */
struct restore_options {
	struct remote *remote;
	const struct account_keys *keys;
	const struct snapshot *snapshot;
	const uint8_t *key; /* the snapshot's, SEAL_KEY_BYTES */
	const char *target; /* a folder, new or empty: unless merge */
	bool merge;  /* into what is there: what is already as it should be
			stays, so a broken restore goes on; the rest is
			replaced */
	bool keep;   /* with merge: nothing that is there is replaced, nor
			changed */
	bool verify; /* read each file again and compare */
	bool owner;  /* give files to their owners, and keep set-id bits */
	unsigned int threads;      /* that open and write; 0: two */
	const atomic_bool *cancel; /* stop soon once it is set; may be NULL */
	/* Each may be NULL. */
	restore_filter_fn *filter;
	restore_progress_fn *progress; /* on the calling thread; often */
	restore_report_fn *report;     /* not for RESTORE_THERE */
	void *arg;                     /* of all three */
};

/** What a restore did: files = written + the sum of skipped. */
struct restore_result {
	struct summary summary; /* of the snapshot; root_key is wiped */
	uint64_t files;         /* wanted, of all types */
	uint64_t written;
	uint64_t skipped[RESTORE_SKIP_COUNT];
	uint64_t verified; /* of those written and there */
	uint64_t bytes;    /* written */
	uint64_t bytes_fetched;
};

/**
 * Restore a snapshot, or what the filter lets through.  A file gets its name
 * when it is whole; until then it is ".keepsake-<16 hex digits>.part".
 * What cannot be written is reported, counted, and passed over; so is a part
 * of the manifest that is damaged, as one, with the last path before it.
 *
 * STATUS_OK         done; see result_out for what was skipped
 * STATUS_CONFLICT   the target is not empty, and not merge
 * STATUS_PENDING    cancelled: with merge a later one goes on
 * STATUS_DENIED     the target cannot be made or opened
 * STATUS_NO_SPACE   no memory, or the disk is full
 * STATUS_MALFORMED  the summary or the top of the manifest is damaged, or
 *                   not sealed for this account
 * others            what the remote answered; see remote_detail
 */
enum status restore_run(
    const struct restore_options *options, struct restore_result *result_out);

/** Called for each entry; ${entry} is borrowed.  False: enough. */
typedef bool snapshot_entry_fn(void *arg, const struct entry *entry);

/**
 * Go through the entries of a snapshot in their order.  A part of the manifest
 * that is damaged is reported and passed over as by restore_run.  Uses of
 * ${options} remote, keys, snapshot, key and report; results as restore_run.
 *
 * arg  of ${each}; the report gets its own
 */
enum status snapshot_entries(
    const struct restore_options *options, snapshot_entry_fn *each, void *arg);

#endif

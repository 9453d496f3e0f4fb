#ifndef KEEPSAKE_CLIENT_BACKUP_H
#define KEEPSAKE_CLIENT_BACKUP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "account_keys.h"
#include "base/status.h"
#include "category.h"
#include "remote.h"
#include "snapshot_key.h"
#include "summary.h"
#include "walk.h"

/** How far a backup has come. */
struct backup_progress {
	uint64_t files;       /* of all types, looked at */
	uint64_t files_total; /* 0: not counted */
	uint64_t bytes;       /* of those files */
	uint64_t bytes_total; /* 0: not counted */
	uint64_t bytes_read;  /* off the disk: of new and changed files */
	uint64_t bytes_sent;  /* sealed */
	uint64_t chunks_sent;
};

typedef void backup_progress_fn(
    void *arg, const struct backup_progress *progress);

/** Keep the snapshot's key, durably: nothing else has it. */
typedef enum status backup_keep_fn(void *arg);

/** What to back up, and how; all of it borrowed for the call. */
struct backup_options {
	struct remote *remote;
	const struct account_keys *keys;
	const struct snapshot_key *key; /* of the snapshot to be */
	const char *root;               /* the folder */
	const char *cache_path; /* kept between backups of it; NULL: none */
	const char *label;      /* the owner's words for it; "" for none */
	const char *host;       /* the terminal's name */
	const struct category_rule *rules; /* may be NULL */
	size_t rules_count;
	bool count_first;          /* so that progress knows the totals */
	unsigned int threads;      /* that hash, compress and seal; 0: two */
	const atomic_bool *cancel; /* stop soon once it is set; may be NULL */
	/* Called on the calling thread; each may be NULL. */
	backup_keep_fn *keep;         /* just before the snapshot is published:
					 anything but OK ends the backup */
	backup_progress_fn *progress; /* often: the callee slows it down */
	walk_report_fn *report;       /* what was not, or not quite, stored */
	void *arg;                    /* of all three */
};

/** What the account has and may have, in bytes as the server counts. */
struct backup_space {
	uint64_t used;   /* with this backup */
	uint64_t soft;   /* past it people are warned; 0: no bound */
	uint64_t quota;  /* nothing is taken past it; 0: no bound */
	uint64_t needed; /* by a backup that was refused for it; or 0 */
	uint64_t room;   /* that it had, likewise */
};

/** What a backup did; to be ended with backup_result_clear. */
struct backup_result {
	struct snapshot snapshot; /* as it was published */
	struct summary summary;
	uint64_t files_unchanged; /* taken from the cache, not read */
	uint64_t bytes_read;
	uint64_t bytes_sent; /* sealed, nodes too */
	uint64_t chunks_sent;
	uint64_t chunks_reused;
	bool cache_dropped;       /* it was damaged or out of date */
	enum status cache_status; /* of writing the new one: not fatal */
	struct backup_space space;
};

void backup_result_clear(struct backup_result *self);

/**
 * Back up a folder: read what changed, send what the store lacks, publish.
 * What an earlier call for the account left unfinished is not sent again.
 *
 * Where the server's room may not suffice what is new is weighed first, so
 * that a backup that cannot fit is refused before anything is sent.
 *
 * result_out  filled on STATUS_OK, else empty; but space on STATUS_QUOTA and
 *             STATUS_NO_SPACE too, where it was refused before it began
 *
 * STATUS_OK         published and durable
 * STATUS_PENDING    cancelled: a later backup goes on from what was sent
 * STATUS_NOT_FOUND  the folder is not there
 * STATUS_DENIED     it may not be read
 * STATUS_QUOTA      the account may not have so much
 * STATUS_NO_SPACE   no memory, or the server's disk is full
 * STATUS_MALFORMED  the store holds something else under all the names of
 *                   a chunk
 * STATUS_CONFLICT   the store loses chunks while we refer to them: run again
 * others            what the remote answered, see remote_detail; or keep
 */
enum status backup_run(
    const struct backup_options *options, struct backup_result *result_out);

/** What a backup of a folder would look at. */
struct backup_survey {
	uint64_t files; /* of all types */
	uint64_t bytes;
	struct category_total categories[CATEGORY_COUNT];
};

/**
 * Look through the folder without reading a file, for --dry-run.  A file
 * that its name does not settle counts as CATEGORY_OTHER.  Uses of ${options}
 * root, rules, cancel, report and arg; statuses as backup_run.
 */
enum status backup_look(
    const struct backup_options *options, struct backup_survey *survey_out);

#endif

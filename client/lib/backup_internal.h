#ifndef KEEPSAKE_CLIENT_BACKUP_INTERNAL_H
#define KEEPSAKE_CLIENT_BACKUP_INTERNAL_H

#include <xxhash.h>

#include "backup.h"
#include "cache.h"
#include "chunker.h"
#include "manifest_writer.h"
#include "sender.h"

/* What the files of backup.h share: one attempt at a backup. */

struct pending; /* an entry that is not in the manifest yet */

struct backup {
	const struct backup_options *options;
	struct backup_result *result;
	struct backup_progress progress;
	struct backup_lease lease;
	struct known_chunks *known;
	struct cache *cache;         /* NULL: there is none */
	struct cache_writer *writer; /* NULL: none is written */
	struct walk *walk;
	struct sender *sender;
	struct manifest_writer *manifest;
	struct stored_node root; /* once the manifest is finished */

	/* backup_files.c alone */
	struct chunker *chunker;
	uint8_t *buffer; /* the sender's, being filled; NULL: none */
	size_t filled;
	uint64_t buffer_start; /* of the buffer in the stream */
	XXH3_state_t *hash;    /* of the file being read */
	int read_error;        /* errno of reading it, or 0 */
	struct pending *first; /* owned, a queue */
	struct pending *last;
	size_t pending_count;
};

/* ---- backup.c ---- */

void backup_progress_tell(struct backup *self);

/** Count and pass on what a walk, or reading, could not do. */
void backup_trouble(
    void *arg, enum walk_trouble trouble, const char *path, int error);

/* ---- backup_files.c ---- */

/**
 * One step of the walk; OK also where the entry cannot be stored, which is
 * reported then.
 */
enum status backup_store(struct backup *self, const struct walk_entry *from);

/** The walk is over: wait for what is under way, and store that. */
enum status backup_store_rest(struct backup *self);

/** Free what waits; the sender is gone. */
void backup_files_clear(struct backup *self);

#endif

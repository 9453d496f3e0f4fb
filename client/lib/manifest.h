#ifndef KEEPSAKE_CLIENT_MANIFEST_H
#define KEEPSAKE_CLIENT_MANIFEST_H

#include "base/bytes.h"
#include "base/status.h"
#include "chunk.h"
#include "manifest_entry.h"

/*
 * The manifest of a snapshot: what was backed up and which chunks hold it.
 * proto/manifest.proto is its form; this reads it, and manifest_node.h builds
 * it.  Nothing here touches a file or the network.
 */

/**
 * Where a reader gets nodes from.
 *
 * want  will be asked for soon: may start to fetch it; must not block long
 * get   the plaintext of node ${name}, a copy in ${plain}
 */
struct node_source {
	void *arg;
	void (*want)(void *arg, const struct chunk_name *name);
	enum status (*get)(
	    void *arg, const struct chunk_name *name, struct bytes *plain);
};

/** Reads the entries of a manifest one after the other. */
struct manifest_reader;

/** From the top node ${root} on; ${source} is copied.  NULL: no memory. */
struct manifest_reader *manifest_reader_new(
    const struct node_source *source, const struct chunk_name *root);
void manifest_reader_destroy(struct manifest_reader **self_p);

/**
 * Called for a part of the manifest that is damaged: entries behind
 * ${behind}, which may be "", are not known.
 *
 * broken  an entry was begun and its rest is lost: its path, else NULL
 */
typedef void manifest_lost_fn(
    void *arg, const char *behind, const char *broken);

/**
 * From now on pass over nodes that cannot be had, or are not what was
 * stored, and tell; but for the root, without which there is nothing.
 */
void manifest_reader_tolerate(
    struct manifest_reader *self, manifest_lost_fn *lost, void *arg);

/**
 * Read the next entry into ${entry}, replacing what is in it.
 *
 * STATUS_OK         there it is
 * STATUS_NOT_FOUND  that was the last one
 * STATUS_MALFORMED  not a manifest: order, levels, lengths or fields, or a
 *                   node that ${source} has not
 * others            what ${source} answered
 */
enum status manifest_reader_next(
    struct manifest_reader *self, struct entry *entry);

/**
 * Whether something was lost right before the entry that came last; once that
 * was NOT_FOUND, before the end.
 */
bool manifest_reader_gap(const struct manifest_reader *self);

/**
 * Where both readers are between two nodes, pass over those that come next in
 * both: what is in them is the same, and they need not be fetched.  Neither
 * has given out an entry that is still to be compared.
 *
 * STATUS_OK  done, also where there was nothing to pass over
 * others     as manifest_reader_next, but NOT_FOUND
 */
enum status manifest_readers_skip(
    struct manifest_reader *a, struct manifest_reader *b);

#endif

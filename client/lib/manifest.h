#ifndef KEEPSAKE_CLIENT_MANIFEST_H
#define KEEPSAKE_CLIENT_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bounds.h"
#include "base/bytes.h"
#include "base/status.h"
#include "category.h"
#include "chunk.h"
#include "chunker.h"
#include "remote.h"

/*
 * The manifest of a snapshot: what was backed up and which chunks hold it.
 * proto/manifest.proto is its form; this reads and writes it.  Nothing here
 * touches a file or the network.
 */

#define PATH_BYTES_MAX          4096
#define PATH_NAME_BYTES_MAX     255
#define ENTRY_EXTENTS_MAX       400 /* in one message; more follow it */
#define ENTRY_MESSAGE_BYTES_MAX 65536
#define ENTRY_HASH_BYTES        16
#define ENTRY_MODE_MASK         07777u
#define MANIFEST_NODE_BYTES_MAX (128 * 1024)
#define MANIFEST_LEVELS_MAX     8

enum entry_type {
	ENTRY_FILE = 1,
	ENTRY_FOLDER,
	ENTRY_SYMLINK,
	ENTRY_HARD_LINK,
};

/** A part of a file: in a chunk, or a hole. */
struct extent {
	struct chunk_name chunk; /* all zero for a hole */
	uint32_t offset;         /* in the chunk's plaintext */
	uint64_t length;         /* at least 1 */
	bool hole;
};

/** One thing in a tree; all zero is empty and valid to clear. */
struct entry {
	enum entry_type type;
	struct bytes path;   /* relative; a NUL follows its len bytes */
	struct bytes target; /* of a link; likewise */
	uint32_t mode;       /* within ENTRY_MODE_MASK */
	int64_t mtime_s;
	uint32_t mtime_ns;
	uint64_t size; /* of a file: the sum of its extents */
	enum category category;
	uint32_t user;
	uint32_t group;
	bool changed;                   /* while it was read */
	uint8_t hash[ENTRY_HASH_BYTES]; /* of a file: XXH3-128, no holes */
	struct extent *extents;         /* owned */
	size_t extents_count;
	size_t extents_capacity;
};

/** Free what ${self} owns and wipe the keys in it; it is empty then. */
void entry_clear(struct entry *self);

/** Forget the contents but keep the memory, for the next entry. */
void entry_reset(struct entry *self);

/** Set ${to}, a path or target, to ${source} with a NUL behind. */
enum status entry_set_text(struct bytes *to, struct slice source);

/**
 * Append an extent, a hole where ${chunk} is NULL; one that goes on where
 * the last one ends is joined to it.  STATUS_NO_SPACE without memory.
 */
enum status entry_add_extent(struct entry *self, const struct chunk_name *chunk,
    uint32_t offset, uint64_t length);

/**
 * Order of paths as in a manifest: folder by folder, names by their bytes.
 * Negative, 0 or positive.
 */
int path_compare(struct slice a, struct slice b);

/**
 * Whether ${path} may be in a manifest: relative, not empty, at most
 * PATH_BYTES_MAX bytes, no NUL, no component that is empty, "." or ".." or
 * longer than PATH_NAME_BYTES_MAX.  Any encoding.
 */
bool path_is_valid(struct slice path);

/**
 * Append one message of ${entry}, after its length.
 *
 * at   the first extent that goes into it; 0 for the entry itself
 * end  one behind the last: min_of(at + ENTRY_EXTENTS_MAX, extents_count);
 *      when it is less than the entry has, another message must follow
 *
 * STATUS_NO_SPACE without memory.
 */
enum status entry_encode(
    const struct entry *entry, size_t at, size_t end, struct bytes *out);

/** Reads entry messages; holds the scratch memory for that. */
struct entry_decoder;
struct entry_decoder *entry_decoder_new(void);
void entry_decoder_destroy(struct entry_decoder **self_p);

/**
 * Read an entry off the front of ${input}, which moves on.
 *
 * STATUS_OK         ${entry} is whole and valid
 * STATUS_NOT_FOUND  ${input} is empty, and no entry was begun
 * STATUS_PENDING    it goes on: call again with what follows ${input},
 *                   which is empty now, and the same ${entry}
 * STATUS_MALFORMED  no entry this could have written
 * STATUS_NO_SPACE   no memory
 */
enum status entry_decode(
    struct entry_decoder *self, struct slice *input, struct entry *entry);

/** A node that is full. */
struct node {
	unsigned int level;
	struct slice plain;
	const struct chunk_id *refs; /* each once, in the order of use */
	size_t refs_count;
};

/** Called for each node; everything in it is borrowed for the call. */
typedef enum status node_full_fn(void *arg, const struct node *node);

/** Gathers the messages of one level into nodes. */
struct node_builder;

/** A builder for ${level}; ${full} gets ${arg}.  NULL without memory. */
struct node_builder *node_builder_new(
    const uint8_t chunker_seed[static ACCOUNT_KEY_BYTES], unsigned int level,
    node_full_fn *full, void *arg);
void node_builder_destroy(struct node_builder **self_p);

/**
 * Add all messages of ${entry}, which is level 0.  Results of ${full}, or
 * STATUS_NO_SPACE.
 */
enum status node_builder_add_entry(
    struct node_builder *self, const struct entry *entry);

/** Add a link to ${child}: level 1 and above; results likewise. */
enum status node_builder_add_link(
    struct node_builder *self, const struct chunk_name *child);

/** Give the last node to ${full}; an empty one if there was none at all. */
enum status node_builder_finish(struct node_builder *self);

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

#ifndef KEEPSAKE_CLIENT_MANIFEST_ENTRY_H
#define KEEPSAKE_CLIENT_MANIFEST_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "category.h"
#include "chunk.h"

/* What a manifest lists: files, folders and links, by their paths. */

#define PATH_BYTES_MAX      4096
#define PATH_NAME_BYTES_MAX 255
#define ENTRY_HASH_BYTES    16
#define ENTRY_MODE_MASK     07777u

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

#endif

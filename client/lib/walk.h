#ifndef KEEPSAKE_CLIENT_WALK_H
#define KEEPSAKE_CLIENT_WALK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/status.h"
#include "manifest_entry.h"

/*
 * A walk through a tree of files in the order of a manifest: folder by
 * folder, names by their bytes.  Never leaves the tree: symbolic links are
 * read, not followed.  What cannot be read is reported and passed over.
 */

#define WALK_DEPTH_MAX 256 /* folders in one another: each is kept open */

/** Why something is not, or not quite, in what a walk gives. */
enum walk_trouble {
	WALK_UNREADABLE, /* the system said why: error is an errno */
	WALK_VANISHED,   /* listed, and gone when looked at */
	WALK_CHANGED,    /* while it was read, each time: stored, marked */
	WALK_SPECIAL,    /* a socket, device or pipe: nothing to back up */
	WALK_TOO_DEEP,   /* past WALK_DEPTH_MAX or PATH_BYTES_MAX */
	WALK_TROUBLE_COUNT
};

/** The text of ${trouble} for people; static. */
const char *walk_trouble_text(enum walk_trouble trouble);

/** Called for each; ${path} is relative to the root and ends with a NUL. */
typedef void walk_report_fn(
    void *arg, enum walk_trouble trouble, const char *path, int error);

/** What the walk stands on; all of it borrowed until the next step. */
struct walk_entry {
	enum entry_type type;
	struct slice path;   /* a NUL follows */
	const char *name;    /* its last component */
	int folder_fd;       /* the folder it is in */
	struct stat stat;    /* of itself, when the walk came by */
	struct slice target; /* SYMLINK: what it holds; HARD_LINK: the path
				of the first name; a NUL follows */
};

struct walk;

/**
 * Begin a walk.
 *
 * root    path of a folder; this one may be a symbolic link to it
 * report  called with ${arg}; may be NULL
 *
 * STATUS_OK         ${self_out} is the caller's
 * STATUS_NOT_FOUND  ${root} is not there or no folder
 * STATUS_DENIED     it may not be read
 * STATUS_NO_SPACE   no memory, or no file descriptor left
 */
enum status walk_new(struct walk **self_out, const char *root,
    walk_report_fn *report, void *arg);
void walk_destroy(struct walk **self_p);

/**
 * Step to the next file, folder or link.  The root itself is not given.
 *
 * STATUS_OK         ${out} is filled
 * STATUS_NOT_FOUND  that was all
 * STATUS_NO_SPACE   no memory
 */
enum status walk_next(struct walk *self, struct walk_entry *out);

/**
 * Open the file ${entry} to read it.  Returns a descriptor, or -1 with
 * errno: ENOENT also where another kind of thing took its name.
 *
 * stat_out  as the file is now
 */
int walk_open(const struct walk_entry *entry, struct stat *stat_out);

/**
 * The next part of an open file from ${offset} on.
 *
 * stat    of the file: one without missing blocks is all data
 * length  of the part, at least 1, not past stat's size; 0 at the end
 *
 * Returns whether the part is a hole.
 */
bool walk_part(
    int fd, const struct stat *stat, uint64_t offset, uint64_t *length);

/** Whether two looks at a file show the same contents and inode. */
bool walk_same(const struct stat *a, const struct stat *b);

#endif

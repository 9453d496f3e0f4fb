#ifndef KEEPSAKE_TESTS_DISK_INTERNAL_H
#define KEEPSAKE_TESTS_DISK_INTERNAL_H

#include "disk.h"

/*
 * For disk.c, which plays, and disk_image.c, which makes images, only: what
 * is known of the disk.
 */

/* A write, or a new size where data is NULL. */
struct op {
	uint64_t moment;
	uint64_t at;
	const uint8_t *data; /* in the trace */
	size_t len;
};

/* What a file holds, whatever it is called. */
struct inode {
	struct inode *next; /* of all */
	uint64_t number;    /* in the trace; 0: not seen there yet */
	uint8_t *data;      /* synced; owned */
	uint64_t size;
	struct op *ops; /* not synced; owned */
	size_t ops_count;
};

/* A path and what is there; a folder has no inode. */
struct name {
	char *path; /* owned */
	struct inode *inode;
};

struct names {
	struct name *list; /* owned */
	size_t count;
};

/* A change of names within one folder that is not synced. */
struct change {
	uint64_t moment;
	enum trace_kind kind;
	char *folder; /* owned, as are the two paths */
	char *path;
	char *to; /* of RENAME and LINK */
	struct inode *inode;
};

/* A sync that has begun. */
struct sync {
	uint64_t number;
	uint64_t moment;
};

struct disk {
	uint64_t moment; /* events so far */
	struct inode *inodes;
	struct names synced, now;
	struct change *changes; /* owned */
	size_t changes_count;
	struct sync *syncs; /* owned */
	size_t syncs_count;
};

/** A copy, for names_clear. */
struct names names_copy(const struct names *self);
void names_clear(struct names *self);
void names_change(struct names *self, const struct change *change);

/** How long a file of ${size} bytes is after ${op}. */
uint64_t size_after(uint64_t size, const struct op *op);

/** The longest that the file ever was since its last sync. */
uint64_t size_max(const struct inode *self);

/** Let ${op} happen to bytes ${from} to ${to} of ${data}. */
void op_apply(const struct op *op, uint8_t *data, uint64_t from, uint64_t to);

/** realloc to ${to} bytes and one, those from ${from} on zero. */
uint8_t *resized(uint8_t *data, uint64_t from, uint64_t to);

#endif

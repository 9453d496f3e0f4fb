#ifndef KEEPSAKE_CLIENT_RESTORE_INTERNAL_H
#define KEEPSAKE_CLIENT_RESTORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "chunk.h"
#include "fetch.h"
#include "restore.h"

/*
 * What the files of restore.h share.  One thread plans: it reads the manifest
 * and opens what is to be written.  The others open the chunks that arrive,
 * and write what is in them.
 */

#define RESTORE_THREADS_MAX     8
#define RESTORE_SLOTS_OPEN_MAX  8 /* chunks that still gather their writes */
#define RESTORE_TEMPORARY_BYTES sizeof(".keepsake-0123456789abcdef.part")
#define RESTORE_FOLDER_MODE     0700 /* until its own is set at the end */

/** An open folder of the target, shared by the files that go into it. */
struct folder {
	atomic_uint users;
	int fd;
	struct bytes path;
};

/** A file on its way. */
struct output {
	struct restore *owner;
	struct folder *folder; /* held */
	struct entry entry;    /* moved here; its extents are kept to verify */
	char temporary[RESTORE_TEMPORARY_BYTES];
	int fd;             /* -1: not open yet */
	atomic_uint users;  /* writes to come, and the planner */
	atomic_bool failed; /* and reported */
};

/** What a chunk has for a file. */
struct write {
	struct output *output; /* held; NULL once it is done */
	uint64_t at;           /* in the file */
	uint32_t offset;       /* in the chunk */
	uint32_t length;
};

struct slot;       /* a chunk on its way: restore_chunks.c */
struct other_name; /* a hard link: restore_names.c */
struct later;      /* what is set or made once all files are there */

struct restore {
	const struct restore_options *options;
	struct restore_result *result;
	int root;
	struct node_fetcher *fetcher;
	struct manifest_reader *reader;
	struct folder *folder;                     /* of the last file; held */
	struct slot *open[RESTORE_SLOTS_OPEN_MAX]; /* the one used last first */
	size_t open_count;
	struct later *folders;    /* owned; the last one first */
	struct later *links;      /* owned; likewise */
	struct other_name *names; /* owned; sorted */
	size_t names_count;
	atomic_uint handles;
	atomic_uint_fast64_t bytes;
	pthread_t threads[RESTORE_THREADS_MAX];
	size_t threads_count;

	pthread_mutex_t lock; /* of all below, the result and the report */
	pthread_cond_t arrived;
	pthread_cond_t landed;
	struct slot *first; /* here, for the threads; the oldest first */
	struct slot *last;
	size_t flying;      /* asked for and not done */
	enum status status; /* the first failure that ends it all */
	bool stop;
};

/* ---- restore.c: counting; from any thread ---- */

/** Note the first failure, which ends it all. */
void restore_fail(struct restore *self, enum status status);

/** That failure, or PENDING once it was cancelled. */
enum status restore_status(struct restore *self);

/** Count and report what is not restored. */
void restore_skipped(struct restore *self, enum restore_skip why,
    const struct entry *entry, int error);

/** Count what is. */
void restore_written(struct restore *self, bool verified);

/* ---- restore_files.c: folders and files of the target ---- */

/** The part of ${path} before its last slash, and the name behind it. */
struct slice restore_split(const struct bytes *path, const char **name_out);

/**
 * The folder ${path}, made where it is missing; NULL with errno.  To be
 * released.
 */
struct folder *folder_get(struct restore *self, struct slice path);

/** The same, but what is missing stays so. */
struct folder *folder_find(struct restore *self, struct slice path);

/** Give it up, and leave NULL; NULL is fine. */
void folder_release(struct restore *self, struct folder **folder_p);

/** Only the time of the last change; the other stays. */
void restore_times(struct timespec times[static 2], const struct entry *from);

/** Owner, mode and time of an open file or folder; false with errno. */
bool restore_attributes(
    const struct restore *self, int fd, const struct entry *entry);

/** A name for what becomes ${entry}, the same each time it is tried. */
void restore_temporary(
    char out[static RESTORE_TEMPORARY_BYTES], const struct entry *entry);

/** Whether the file is there as it should be, from an earlier try. */
bool restore_is_there(const struct restore *self, const struct folder *folder,
    const char *name, const struct entry *entry);

/** Whether something has that name, and stays as it is. */
bool restore_keeps(
    const struct restore *self, const struct folder *folder, const char *name);

/** Whether the folder ${entry} is there already. */
bool restore_has_folder(const struct restore *self, const struct entry *entry);

/**
 * Give what is ${temporary} its name, in the place of what has it, unless
 * that stays; false with errno.
 */
bool restore_name(const struct restore *self, const struct folder *folder,
    const char *temporary, const char *name);

/** Why something did not get its name. */
enum restore_skip restore_why(const struct restore *self, int error);

/**
 * Begin a file, with one user: who plans it.
 *
 * folder_p  taken
 * entry     moved
 *
 * NULL without memory; then nothing was taken.
 */
struct output *output_new(
    struct restore *self, struct folder **folder_p, struct entry *entry);

/** Open it under its temporary name; false: that failed, and is reported. */
bool output_open(struct output *self);

/** Report that it is not restored, once. */
void output_fail(struct output *self, enum restore_skip why, int error);

/** Bring a write, from the opened chunk ${plain}, to its file; releases it. */
void output_write(struct write *write, struct slice plain);

/** One user less, and NULL; the last one finishes the file. */
void output_release(struct output **self_p);

/* ---- restore_chunks.c ---- */

/**
 * Have ${write} done once the chunk ${name} is there; holds its file.
 *
 * STATUS_NO_SPACE  no memory
 */
enum status chunk_want(struct restore *self, const struct chunk_name *name,
    const struct write *write);

/** Ask for all that is wanted, and wait until it is written. */
void chunks_drain(struct restore *self);

/** Start and end the threads that write. */
enum status restore_threads_start(struct restore *self);
void restore_threads_end(struct restore *self);

/* ---- restore_names.c: files that are wanted by another name ---- */

/** Gather the wanted hard links, where there is a filter. */
enum status names_gather(struct restore *self);
void names_clear(struct restore *self);

/**
 * Restore the file ${entry}, which is not wanted, by another name that is.
 *
 * STATUS_OK         it has that name now
 * STATUS_NOT_FOUND  none is wanted
 * STATUS_NO_SPACE   no memory
 */
enum status name_take(struct restore *self, struct entry *entry);

/**
 * Lead the hard link ${entry} to where its file is restored.
 *
 * STATUS_OK         there it leads
 * STATUS_NOT_FOUND  nowhere: the file is restored by this very name
 * STATUS_NO_SPACE   no memory
 */
enum status name_follow(const struct restore *self, struct entry *entry);

#endif

#ifndef KEEPSAKE_TESTS_TRACE_H
#define KEEPSAKE_TESTS_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What was done to the files below a folder, in the order in which it was
 * done: record.c writes it, trace.c reads it.  An event is this header, in the
 * byte order of the machine, and ${bytes} of text or data.  Paths are
 * relative to the folder and end with a NUL.
 */
enum trace_kind {
	TRACE_OPENED = 1,   /* file; path; number: 1 where it was made */
	TRACE_WRITE,        /* file; number: offset; data */
	TRACE_SIZE,         /* file; number: its size from now on */
	TRACE_WRITTEN,      /* file: its last write was synced by itself */
	TRACE_SYNC_BEGIN,   /* file; number: of this sync */
	TRACE_SYNC_END,     /* file; number */
	TRACE_FOLDER_BEGIN, /* path; number: of this sync */
	TRACE_FOLDER_END,   /* path; number */
	TRACE_RENAME,       /* two paths */
	TRACE_LINK,         /* two paths */
	TRACE_UNLINK,       /* path, also of a folder */
	TRACE_MKDIR,        /* path */
	TRACE_MARK,         /* text of who records; no NUL */
};

struct trace_header {
	uint32_t kind;
	uint32_t bytes;
	uint64_t file; /* its inode */
	uint64_t number;
};

/** One event of a trace; data lies in the trace. */
struct trace_event {
	struct trace_header header;
	const uint8_t *data;
};

/** A whole trace, mapped; for trace_close. */
struct trace {
	const uint8_t *data;
	size_t bytes;
	size_t at; /* of the next event */
};

struct trace trace_open(const char *path);
void trace_close(struct trace *self);

/** The next event; false behind the last one that is whole. */
bool trace_next(struct trace *self, struct trace_event *out);

/** Whether ${event} is the mark ${text}, or begins like it. */
bool trace_is_mark(const struct trace_event *event, const char *text);

#endif

#ifndef KEEPSAKE_TESTS_RECORD_H
#define KEEPSAKE_TESTS_RECORD_H

/*
 * Records what a process does to the files below a folder: see trace.h.  The
 * functions of the C library that change files are replaced, for LMDB too.
 * A library of it records each process that it is preloaded into, where
 * KEEPSAKE_RECORD_FOLDER and KEEPSAKE_RECORD_TRACE are set.
 *
 * What is mapped and written to is not seen: nothing durable is written so.
 */

/** Record what is done below ${folder} into the file ${trace}, at its end. */
void record_begin(const char *folder, const char *trace);

/** Put a mark into the trace: what was promised is behind it. */
void record_mark(const char *text);

/**
 * Record no more.  From then on a sync does nothing: what a test looks at
 * need not last, and it looks at many.
 */
void record_end(void);

#endif

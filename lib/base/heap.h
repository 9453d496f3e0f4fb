#ifndef KEEPSAKE_BASE_HEAP_H
#define KEEPSAKE_BASE_HEAP_H

/**
 * Fit malloc to a program that passes chunks of up to 256 KiB on: keep a few
 * of them instead of giving the pages back to the kernel, only to fault them
 * in again.  One heap for all threads: chunks are made by one and freed by
 * another, and each heap would keep some.  First thing in main, before any
 * thread.
 */
void heap_tune(void);

#endif

#ifndef KEEPSAKE_GATEWAY_SUPERVISE_H
#define KEEPSAKE_GATEWAY_SUPERVISE_H

/*
 * Each bearer is a process of its own, under a memory limit, and is started
 * again when a signal ends it: libzmq has no bound for the frames of one
 * endless message, and neither other bearers nor the services are to notice
 * what such a peer does (G-05).
 */

/**
 * Run this program again as "${program} BEARER ARGUMENTS…" for each bearer,
 * with ${argv}'s arguments, and see that they go on until TERM or INT, which
 * is passed on; who has not ended 9 s later is killed.  A bearer that was
 * ended by a signal is back at once, or
 * within a second where it ended right after its start.
 *
 * Returns the exit code of the first bearer that ended by itself: it has
 * said why.  The others are stopped then.
 */
int supervise(char **argv);

#endif

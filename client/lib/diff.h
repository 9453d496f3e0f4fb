#ifndef KEEPSAKE_CLIENT_DIFF_H
#define KEEPSAKE_CLIENT_DIFF_H

#include "manifest.h"

/*
 * What differs between two manifests.  Nothing here touches a file or the
 * network.
 */

/** One path that differs; before or after is NULL where it is not there. */
struct difference {
	const struct entry *before, *after;
	bool content;  /* another type, size, data or link target */
	bool metadata; /* mode, time, owner or category */
};

/** Called for each, in the order of paths; false: enough. */
typedef bool difference_fn(void *arg, const struct difference *difference);

/** Whether two entries of one path differ, and in what: fills in ${out}. */
bool entries_differ(struct difference *out, const struct entry *before,
    const struct entry *after);

/**
 * Compare two manifests, passing over the nodes that both have.  Where a
 * reader that tolerates it has lost a part, what the other has there is not
 * told: nobody knows whether it differs.
 *
 * STATUS_OK  done, or each had enough
 * others     as manifest_reader_next, but NOT_FOUND
 */
enum status manifests_compare(struct manifest_reader *before,
    struct manifest_reader *after, difference_fn *each, void *arg);

#endif

#ifndef KEEPSAKE_STORE_PUT_MANY_H
#define KEEPSAKE_STORE_PUT_MANY_H

#include "store_db.h"

/* A PUT_MANY taken apart, before anything is looked up. */

/** A chunk as a message brings it. */
struct sealed_chunk {
	struct chunk_id id;
	struct slice sealed; /* borrowed: lies in the payload */
};

/**
 * Find the chunks in the fields and the payload of a message.
 *
 * out         room for PUT_MANY_MAX; borrows from ${payload}
 * at_out      which chunk is to blame, from 1; 0: not one of them
 * detail_out  what is wrong, for people; static
 *
 * STATUS_OK         out and count_out are filled, with 1 to PUT_MANY_MAX
 * STATUS_TOO_LARGE  more chunks than that
 * STATUS_MALFORMED  none, a length or a number that cannot be, an id twice
 */
enum status put_many_read(struct sealed_chunk *out, size_t *count_out,
    struct slice ids, struct slice pages, struct slice payload, size_t *at_out,
    const char **detail_out);

#endif

#ifndef KEEPSAKE_CLIENT_MANIFEST_MESSAGE_H
#define KEEPSAKE_CLIENT_MANIFEST_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/status.h"
#include "chunk.h"
#include "manifest_entry.h"

/*
 * The messages of proto/manifest.proto that a node is made of, each after its
 * length: entries in level 0, links in those above.
 */

#define ENTRY_EXTENTS_MAX       400 /* in one message; more follow it */
#define ENTRY_MESSAGE_BYTES_MAX 65536

/**
 * Append one message of ${entry}, after its length.
 *
 * at   the first extent that goes into it; 0 for the entry itself
 * end  one behind the last: min_of(at + ENTRY_EXTENTS_MAX, extents_count);
 *      when it is less than the entry has, another message must follow
 *
 * STATUS_NO_SPACE without memory.
 */
enum status entry_encode(
    const struct entry *entry, size_t at, size_t end, struct bytes *out);

/** Reads entry messages; holds the scratch memory for that. */
struct entry_decoder;
struct entry_decoder *entry_decoder_new(void);
void entry_decoder_destroy(struct entry_decoder **self_p);

/**
 * Read an entry off the front of ${input}, which moves on.
 *
 * STATUS_OK         ${entry} is whole and valid
 * STATUS_NOT_FOUND  ${input} is empty, and no entry was begun
 * STATUS_PENDING    it goes on: call again with what follows ${input},
 *                   which is empty now, and the same ${entry}
 * STATUS_MALFORMED  no entry this could have written
 * STATUS_NO_SPACE   no memory
 */
enum status entry_decode(
    struct entry_decoder *self, struct slice *input, struct entry *entry);

/** Whether an entry was begun, and has not ended. */
bool entry_decoder_has_begun(const struct entry_decoder *self);

/**
 * What came next is lost or passed over, with the rest of an entry begun:
 * ${input} may go on within another one, which is passed over.
 */
void entry_decoder_lose(struct entry_decoder *self);

/** Append a link to the node ${child}; STATUS_NO_SPACE without memory. */
enum status link_append(struct bytes *out, const struct chunk_name *child);

/** Take a link off the front of ${input}; false if there is none. */
bool link_take(struct slice *input, struct chunk_name *name_out);

#endif

#ifndef KEEPSAKE_BUS_UNPACK_H
#define KEEPSAKE_BUS_UNPACK_H

#include <protobuf-c/protobuf-c.h>

#include "base/bytes.h"

/*
 * Memory for one unpacked message.  protobuf-c has no limits of its own (a
 * body of 200 KB can ask for 10 MB), so it allocates from here and gets
 * nothing past UNPACK_BYTES_MAX.  Everything goes at once with unpack_end;
 * *_free_unpacked is never called.
 */
struct unpack {
	ProtobufCAllocator allocator;
	struct unpack_block *blocks; /* newest first */
	size_t used;                 /* bytes handed out */
};

/** Make ${self} ready; it must not move until unpack_end. */
void unpack_begin(struct unpack *self);

/**
 * Unpack ${bytes} as ${type}.
 *
 * STATUS_OK         *out is good until unpack_end
 * STATUS_MALFORMED  not such a message, or one that takes too much memory
 * STATUS_VERSION    it has a critical field that we do not know; *out is
 *                   as with OK
 */
enum status unpack_message(struct unpack *self,
    const ProtobufCMessageDescriptor *type, struct slice bytes, void *out);

/** Wipe and free everything that was unpacked. */
void unpack_end(struct unpack *self);

/** The bytes of a protobuf field. */
static inline struct slice field_slice(ProtobufCBinaryData field)
{
	return slice_of(field.data, field.len);
}

/** A protobuf field that borrows ${source}. */
static inline ProtobufCBinaryData field_of(struct slice source)
{
	/* protobuf-c reads only, but its type has no const. */
	return (ProtobufCBinaryData){ source.len, (uint8_t *)source.data };
}

/** Append ${message}, packed, to ${out}; errors as bytes_reserve. */
enum status pack_message(struct bytes *out, const ProtobufCMessage *message);

#endif

#include "bus/unpack.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/util.h"

#define BLOCK_BYTES    8192
#define CRITICAL_FIRST 64 /* field numbers, see proto/common.proto */
#define CRITICAL_LAST  127

struct unpack_block {
	struct unpack_block *next;
	size_t size, used;
	alignas(max_align_t) uint8_t data[];
};

static struct unpack_block *block_add(struct unpack *self, size_t size)
{
	size_t room = max_of(size, (size_t)BLOCK_BYTES);
	struct unpack_block *block = malloc(sizeof(*block) + room);

	if (!block)
		return NULL;
	block->size = room;
	block->used = 0;
	block->next = self->blocks;
	self->blocks = block;
	return block;
}

static void *take(void *data, size_t size)
{
	struct unpack *self = data;
	struct unpack_block *block = self->blocks;

	if (size > UNPACK_BYTES_MAX)
		return NULL;
	size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (self->used + size > UNPACK_BYTES_MAX)
		return NULL;
	if (!block || block->size - block->used < size)
		block = block_add(self, size);
	if (!block)
		return NULL;
	void *at = block->data + block->used;
	block->used += size;
	self->used += size;
	return at;
}

static void give_back(void *data, void *pointer)
{
	(void)data; /* all of it goes with unpack_end */
	(void)pointer;
}

void unpack_begin(struct unpack *self)
{
	*self = (struct unpack){
		.allocator = { take, give_back, self },
	};
}

static bool has_critical_unknown(const ProtobufCMessage *message)
{
	for (unsigned int i = 0; i < message->n_unknown_fields; i++) {
		uint32_t tag = message->unknown_fields[i].tag;
		if (tag >= CRITICAL_FIRST && tag <= CRITICAL_LAST)
			return true;
	}
	return false;
}

enum status unpack_message(struct unpack *self,
    const ProtobufCMessageDescriptor *type, struct slice bytes, void *out)
{
	ProtobufCMessage *message = protobuf_c_message_unpack(
	    type, &self->allocator, bytes.len, bytes.data);

	if (!message)
		return STATUS_MALFORMED;
	memcpy(out, &message, sizeof(message));
	return has_critical_unknown(message) ? STATUS_VERSION : STATUS_OK;
}

void unpack_end(struct unpack *self)
{
	struct unpack_block *next;

	for (struct unpack_block *block = self->blocks; block; block = next) {
		next = block->next;
		explicit_bzero(block->data, block->used);
		free(block);
	}
	self->blocks = NULL;
	self->used = 0;
}

enum status pack_message(struct bytes *out, const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	enum status st = bytes_reserve(out, out->len + len);

	if (st != STATUS_OK)
		return st;
	if (len > 0)
		protobuf_c_message_pack(message, out->data + out->len);
	out->len += len;
	return STATUS_OK;
}

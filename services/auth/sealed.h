#ifndef KEEPSAKE_AUTH_SEALED_H
#define KEEPSAKE_AUTH_SEALED_H

#include "crypto/auth_keys.h"
#include "service/server.h"

/*
 * A request that only auth can read, and the answer to it: the envelope of
 * crypto/envelope.h, with request id and message type as associated data.
 */

#define SEALED_ASSOCIATED_BYTES (ID_BYTES + 4)

/** Must not move between sealed_begin and sealed_end. */
struct sealed {
	struct exchange *exchange; /* borrowed */
	struct bytes plain;        /* what was inside */
	struct unpack unpack;      /* for sealed_unpack */
	struct envelope_reply_key reply_key;
	uint8_t associated[SEALED_ASSOCIATED_BYTES];
};

/** Make ${self} ready for one request; undone by sealed_end. */
void sealed_begin(struct sealed *self, struct exchange *exchange);

/**
 * Open ${data} into self->plain.
 *
 * STATUS_OK         self->plain holds what was inside
 * STATUS_MALFORMED  too short, or not sealed to auth for this request; the
 *                   reply's detail says so
 * STATUS_NO_SPACE   no memory
 */
enum status sealed_open(
    struct sealed *self, const struct auth_keys *keys, struct slice data);

/**
 * Open the exchange's body, which is a Sealed, and unpack what is inside.
 *
 * out  good until sealed_end
 *
 * Results as sealed_open.
 */
enum status sealed_unpack(struct sealed *self, const struct auth_keys *keys,
    const ProtobufCMessageDescriptor *type, void *out);

/** Seal ${message} back as the exchange's answer. */
enum status sealed_reply(struct sealed *self, const ProtobufCMessage *message);

/** Wipe and free all of it. */
void sealed_end(struct sealed *self);

#endif

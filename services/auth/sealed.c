#include "sealed.h"

#include <sodium.h>
#include <string.h>

#include "auth.pb-c.h"

static struct slice associated_of(const struct sealed *self)
{
	return slice_of(self->associated, sizeof(self->associated));
}

void sealed_begin(struct sealed *self, struct exchange *x)
{
	*self = (struct sealed){ .exchange = x };
	unpack_begin(&self->unpack);
	memcpy(self->associated, x->header.request.bytes, ID_BYTES);
	put_be32(self->associated + ID_BYTES, x->header.type);
}

enum status sealed_open(
    struct sealed *self, const struct auth_keys *keys, struct slice data)
{
	if (data.len < ENVELOPE_REQUEST_EXTRA_BYTES)
		return exchange_refuse(
		    self->exchange, STATUS_MALFORMED, "too short to be sealed");
	size_t len = data.len - ENVELOPE_REQUEST_EXTRA_BYTES;
	enum status st = bytes_reserve(&self->plain, len);
	if (st != STATUS_OK)
		return st;
	self->plain.len = len;
	st = envelope_request_open(self->plain.data, &self->reply_key,
	    keys->x25519_public, keys->x25519_secret, data,
	    associated_of(self));
	if (st != STATUS_OK)
		return exchange_refuse(self->exchange, STATUS_MALFORMED,
		    "not sealed to this server: enrol with its new string");
	return STATUS_OK;
}

enum status sealed_unpack(struct sealed *self, const struct auth_keys *keys,
    const ProtobufCMessageDescriptor *type, void *out)
{
	Auth__Sealed *body;

	enum status st =
	    exchange_unpack(self->exchange, &auth__sealed__descriptor, &body);
	if (st == STATUS_OK)
		st = sealed_open(self, keys, field_slice(body->data));
	if (st != STATUS_OK)
		return st;
	st =
	    unpack_message(&self->unpack, type, bytes_slice(&self->plain), out);
	if (st != STATUS_OK)
		return exchange_refuse(self->exchange, st,
		    "what is sealed is no %s message", type->short_name);
	return STATUS_OK;
}

enum status sealed_reply(struct sealed *self, const ProtobufCMessage *message)
{
	Auth__Sealed reply = AUTH__SEALED__INIT;
	struct bytes plain = { 0 }, data = { 0 };

	enum status st = pack_message(&plain, message);
	if (st == STATUS_OK)
		st = bytes_reserve(&data, ENVELOPE_REPLY_BYTES(plain.len));
	if (st == STATUS_OK) {
		envelope_reply_seal(data.data, &self->reply_key,
		    bytes_slice(&plain), associated_of(self));
		data.len = ENVELOPE_REPLY_BYTES(plain.len);
		reply.data = field_of(bytes_slice(&data));
		st = exchange_reply(self->exchange, &reply.base);
	}
	bytes_clear(&plain);
	bytes_clear(&data);
	return st;
}

void sealed_end(struct sealed *self)
{
	unpack_end(&self->unpack);
	bytes_clear(&self->plain);
	sodium_memzero(self, sizeof(*self));
}

#include "crypto/ticket.h"

#include <assert.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/util.h"

#define CACHE_ENTRIES 1024 /* 163 bytes each; a power of two */

_Static_assert(TICKET_SIGNATURE_BYTES == crypto_sign_BYTES, "Ed25519");
_Static_assert(TICKET_PUBLIC_BYTES == crypto_sign_PUBLICKEYBYTES, "Ed25519");
_Static_assert(TICKET_SECRET_BYTES == crypto_sign_SECRETKEYBYTES, "Ed25519");

/* Where each field lies. */
enum {
	AT_VERSION = 0,
	AT_DIRECTION = AT_VERSION + 1,
	AT_ACCOUNT = AT_DIRECTION + 1,
	AT_TERMINAL = AT_ACCOUNT + ID_BYTES,
	AT_PEER = AT_TERMINAL + ID_BYTES,
	AT_ISSUED = AT_PEER + TICKET_PEER_BYTES,
	AT_EXPIRY = AT_ISSUED + 8,
	AT_NONCE = AT_EXPIRY + 8,
	AT_SIGNATURE = AT_NONCE + TICKET_NONCE_BYTES,
};
_Static_assert(AT_SIGNATURE == TICKET_SIGNED_BYTES, "layout of a ticket");

const char *direction_word(enum direction direction)
{
	static const char *const words[] = {
		[DIRECTION_NONE] = "none",
		[DIRECTION_UPLOAD] = "upload",
		[DIRECTION_DOWNLOAD] = "download",
		[DIRECTION_MANAGE] = "manage",
		[DIRECTION_BIND] = "bind",
		[DIRECTION_REPORT] = "report",
		[DIRECTION_ENROL] = "enrol",
		[DIRECTION_NOTICES] = "notices",
	};
	_Static_assert(
	    nitems(words) == DIRECTION_COUNT, "one word per direction");

	return (unsigned int)direction < nitems(words) ? words[direction]
						       : "unknown";
}

void ticket_sign(uint8_t out[static TICKET_BYTES], const struct ticket *ticket,
    const uint8_t secret_key[static TICKET_SECRET_BYTES])
{
	assert(ticket->direction > DIRECTION_NONE &&
	       ticket->direction < DIRECTION_COUNT);
	out[AT_VERSION] = TICKET_VERSION;
	out[AT_DIRECTION] = (uint8_t)ticket->direction;
	memcpy(out + AT_ACCOUNT, ticket->account.bytes, ID_BYTES);
	memcpy(out + AT_TERMINAL, ticket->terminal.bytes, ID_BYTES);
	memcpy(out + AT_PEER, ticket->peer, TICKET_PEER_BYTES);
	put_be64(out + AT_ISSUED, ticket->issued_ms);
	put_be64(out + AT_EXPIRY, ticket->expiry_ms);
	memcpy(out + AT_NONCE, ticket->nonce, TICKET_NONCE_BYTES);
	crypto_sign_detached(
	    out + AT_SIGNATURE, NULL, out, TICKET_SIGNED_BYTES, secret_key);
}

static bool signature_good(const uint8_t bytes[TICKET_BYTES],
    const uint8_t public_key[TICKET_PUBLIC_BYTES])
{
	return crypto_sign_verify_detached(bytes + AT_SIGNATURE, bytes,
		   TICKET_SIGNED_BYTES, public_key) == 0;
}

/** Read and check what follows from a good signature; as ticket_open. */
static enum status ticket_read(
    struct ticket *out, const uint8_t bytes[TICKET_BYTES], uint64_t now_ms)
{
	uint8_t direction = bytes[AT_DIRECTION];

	if (bytes[AT_VERSION] != TICKET_VERSION ||
	    direction == DIRECTION_NONE || direction >= DIRECTION_COUNT)
		return STATUS_VERSION;
	out->direction = (enum direction)direction;
	memcpy(out->account.bytes, bytes + AT_ACCOUNT, ID_BYTES);
	memcpy(out->terminal.bytes, bytes + AT_TERMINAL, ID_BYTES);
	memcpy(out->peer, bytes + AT_PEER, TICKET_PEER_BYTES);
	out->issued_ms = get_be64(bytes + AT_ISSUED);
	out->expiry_ms = get_be64(bytes + AT_EXPIRY);
	memcpy(out->nonce, bytes + AT_NONCE, TICKET_NONCE_BYTES);

	/* Differences, as a sum could pass the end of 64 bits. */
	if (now_ms > out->expiry_ms && now_ms - out->expiry_ms > TICKET_SKEW_MS)
		return STATUS_EXPIRED;
	if (out->issued_ms > now_ms && out->issued_ms - now_ms > TICKET_SKEW_MS)
		return STATUS_EXPIRED;
	return STATUS_OK;
}

enum status ticket_open(struct ticket *out, struct slice signed_bytes,
    const uint8_t public_key[static TICKET_PUBLIC_BYTES], uint64_t now_ms)
{
	if (signed_bytes.len != TICKET_BYTES)
		return STATUS_MALFORMED;
	if (!signature_good(signed_bytes.data, public_key))
		return STATUS_DENIED;
	return ticket_read(out, signed_bytes.data, now_ms);
}

/** A place for one ticket; what is in it has a good signature. */
struct cache_entry {
	bool used;
	uint8_t bytes[TICKET_BYTES];
};

struct ticket_cache {
	uint8_t public_key[TICKET_PUBLIC_BYTES];
	struct cache_entry entries[CACHE_ENTRIES];
};

struct ticket_cache *ticket_cache_new(
    const uint8_t public_key[static TICKET_PUBLIC_BYTES])
{
	struct ticket_cache *self = calloc(1, sizeof(*self));

	if (self)
		memcpy(self->public_key, public_key, TICKET_PUBLIC_BYTES);
	return self;
}

void ticket_cache_destroy(struct ticket_cache **self_p)
{
	assert(self_p);
	struct ticket_cache *self = *self_p;

	if (!self)
		return;
	sodium_memzero(self, sizeof(*self));
	free(self);
	*self_p = NULL;
}

/** The one place for a ticket: a signature's first bytes are like a hash. */
static struct cache_entry *cache_entry_for(
    struct ticket_cache *self, const uint8_t bytes[TICKET_BYTES])
{
	return &self->entries[get_be16(bytes + AT_SIGNATURE) % CACHE_ENTRIES];
}

enum status ticket_cache_open(struct ticket_cache *self, struct ticket *out,
    struct slice signed_bytes, uint64_t now_ms)
{
	if (signed_bytes.len != TICKET_BYTES)
		return STATUS_MALFORMED;
	struct cache_entry *entry = cache_entry_for(self, signed_bytes.data);
	bool known = entry->used && sodium_memcmp(entry->bytes,
					signed_bytes.data, TICKET_BYTES) == 0;

	if (!known) {
		if (!signature_good(signed_bytes.data, self->public_key))
			return STATUS_DENIED;
		memcpy(entry->bytes, signed_bytes.data, TICKET_BYTES);
		entry->used = true;
	}
	return ticket_read(out, signed_bytes.data, now_ms);
}

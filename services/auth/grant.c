#include "grant.h"

#include <sodium.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"

_Static_assert(DIRECTION_COUNT <= 32, "a bit for each");

static uint32_t bit_of(unsigned int direction)
{
	return direction > DIRECTION_NONE && direction < DIRECTION_COUNT
		   ? 1u << direction
		   : 0;
}

enum status grant_make(struct grant *out, const struct id *terminal,
    const Common__Direction *directions, size_t count, struct slice key,
    const char **why_out)
{
	uint32_t wanted = 0;

	*why_out = "a grant is for upload, for report, or for both";
	if (count == 0)
		return STATUS_MALFORMED;
	for (size_t i = 0; i < count; i++) {
		uint32_t bit = bit_of((unsigned int)directions[i]);
		*why_out = "there is no such direction";
		if (bit == 0)
			return STATUS_MALFORMED;
		wanted |= bit;
	}
	*why_out = "a grant is for upload and report only: all else needs the "
		   "owner's code";
	if (wanted & ~GRANT_DIRECTIONS)
		return STATUS_DENIED;
	*why_out = "that is no Ed25519 public key";
	if (grant_public_check(key) != STATUS_OK)
		return STATUS_MALFORMED;
	*why_out = NULL;
	*out = (struct grant){
		.terminal = *terminal,
		.directions = wanted,
		.given_ms = clock_wall_ms(),
	};
	memcpy(out->key, key.data, sizeof(out->key));
	return STATUS_OK;
}

size_t grant_directions(Common__Direction out[static GRANT_DIRECTIONS_MAX],
    const struct grant *self)
{
	size_t count = 0;

	for (unsigned int i = 0; i < DIRECTION_COUNT; i++)
		if (self->directions & GRANT_DIRECTIONS & bit_of(i))
			out[count++] = (Common__Direction)i;
	return count;
}

bool grant_allows(const struct grant *self, enum direction direction)
{
	return (self->directions & GRANT_DIRECTIONS & bit_of(direction)) != 0;
}

bool grant_use(struct grant *self, uint64_t now_ms)
{
	if (now_ms < self->used_ms + GRANT_USED_MS)
		return false;
	self->used_ms = now_ms;
	return true;
}

enum status grant_proven(const struct grant *self,
    const struct grant_login *login,
    const uint8_t peer[static TICKET_PEER_BYTES], struct slice signature)
{
	struct grant_claim claim = {
		.direction = login->direction,
		.account = login->account,
		.terminal = login->terminal,
	};

	memcpy(claim.challenge, login->challenge, sizeof(claim.challenge));
	memcpy(claim.peer, peer, sizeof(claim.peer));
	if (!grant_allows(self, login->direction))
		return STATUS_DENIED;
	return grant_verify(&claim, self->key, signature);
}

void grant_ticket(struct ticket *out, const struct grant_login *login,
    const uint8_t peer[static TICKET_PEER_BYTES], uint64_t good_ms)
{
	*out = (struct ticket){
		.direction = login->direction,
		.account = login->account,
		.terminal = login->terminal,
		.issued_ms = clock_wall_ms(),
	};
	out->expiry_ms = out->issued_ms + good_ms;
	memcpy(out->peer, peer, sizeof(out->peer));
	randombytes_buf(out->nonce, sizeof(out->nonce));
}

#include "crypto/ticket.h"

#include <sodium.h>

#include "base/bounds.h"
#include "fuzz.h"

#define NOW_MS 1790000000000 /* in 2026 */

static const uint8_t seed[crypto_sign_SEEDBYTES] = { 1 };
static uint8_t public_key[TICKET_PUBLIC_BYTES];
static uint8_t secret_key[TICKET_SECRET_BYTES];
static struct ticket_cache *cache;

static void keys_make(void)
{
	must(sodium_init() >= 0);
	crypto_sign_seed_keypair(public_key, secret_key, seed);
	cache = ticket_cache_new(public_key);
	must(cache);
}

/* Open ${bytes} in each way; all must agree. */
static enum status open_all(struct ticket *out, struct slice bytes)
{
	struct ticket cached;
	enum status st = ticket_open(out, bytes, public_key, NOW_MS);

	must(ticket_cache_open(cache, &cached, bytes, NOW_MS) == st);
	must(ticket_cache_open(cache, &cached, bytes, NOW_MS) == st);
	return st;
}

/*
 * A ticket as a terminal presents it, and then one that auth did sign with
 * these contents, as if auth were of another version or had lost its mind.
 *
 * Must hold: the cache says what ticket_open says; a good ticket is of now,
 * for a known direction, and signing it again gives the same bytes.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t bytes[TICKET_BYTES], again[TICKET_BYTES];
	struct ticket ticket;

	if (!cache)
		keys_make();
	open_all(&ticket, slice_of(data, len));
	if (len < TICKET_SIGNED_BYTES)
		return 0;
	memcpy(bytes, data, TICKET_SIGNED_BYTES);
	crypto_sign_detached(bytes + TICKET_SIGNED_BYTES, NULL, bytes,
	    TICKET_SIGNED_BYTES, secret_key);
	enum status st = open_all(&ticket, slice_of(bytes, sizeof(bytes)));
	must(st == STATUS_OK || st == STATUS_VERSION || st == STATUS_EXPIRED);
	if (st != STATUS_OK)
		return 0;
	must(ticket.issued_ms <= NOW_MS + TICKET_SKEW_MS);
	must(ticket.expiry_ms >= NOW_MS - TICKET_SKEW_MS);
	ticket_sign(again, &ticket, secret_key);
	must(memcmp(bytes, again, sizeof(bytes)) == 0);
	return 0;
}

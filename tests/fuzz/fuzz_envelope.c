#include "crypto/envelope.h"

#include <sodium.h>

#include "../../services/auth/cookie.h"
#include "fuzz.h"

#define COOKIE_CONTENT_BYTES 64

static const uint8_t seed[crypto_kx_SEEDBYTES] = { 1 };
static const uint8_t session_key[OPAQUE_KEY_BYTES] = { 2 };
static const uint8_t cookie_key[KEY_BYTES] = { 3 };
static const struct envelope_reply_key reply_key = { { 4 } };
static const struct peer peer = { .kind = PEER_CURVE_KEY, .id_len = 32 };
static uint8_t public_key[ENVELOPE_PUBLIC_BYTES];
static uint8_t secret_key[ENVELOPE_SECRET_BYTES];

/* Whatever is received for a sealed part is refused, unless it is one. */
static void open_all(struct slice sealed, struct slice associated)
{
	uint8_t *out = malloc(sealed.len + 1);
	uint8_t content[COOKIE_CONTENT_BYTES];
	struct envelope_reply_key key;

	must(out);
	envelope_request_open(
	    out, &key, public_key, secret_key, sealed, associated);
	envelope_reply_open(out, &reply_key, sealed, associated);
	for (enum session_way way = SESSION_TO_AUTH; way <= SESSION_TO_TERMINAL;
	     way++)
		session_open(out, session_key, way, "fuzz", sealed, associated);
	for (enum cookie_purpose purpose = COOKIE_REGISTRATION;
	     purpose <= COOKIE_CODE; purpose++)
		cookie_open(content, sizeof(content), cookie_key, purpose,
		    &peer, sealed);
	free(out);
}

/* What a terminal seals, auth opens, and not when a bit was changed. */
static void seal_and_open(struct slice plain, struct slice associated)
{
	size_t len = ENVELOPE_REQUEST_BYTES(plain.len);
	uint8_t *sealed = malloc(len), *opened = malloc(plain.len + 1);
	struct envelope_reply_key terminal, auth;

	must(sealed && opened);
	must(envelope_request_seal(sealed, &terminal, public_key, plain,
		 associated) == STATUS_OK);
	must(envelope_request_open(opened, &auth, public_key, secret_key,
		 slice_of(sealed, len), associated) == STATUS_OK);
	must(slice_equal(plain, slice_of(opened, plain.len)));
	must(memcmp(terminal.bytes, auth.bytes, sizeof(auth.bytes)) == 0);
	sealed[len - 1] ^= 1;
	must(envelope_request_open(opened, &auth, public_key, secret_key,
		 slice_of(sealed, len), associated) == STATUS_DENIED);
	free(sealed);
	free(opened);
}

/*
 * What is sealed to auth, to a terminal or to auth itself.  A byte says how
 * much of what follows is associated data.
 *
 * Must hold: what was sealed opens to the same, and nothing else opens.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice input = slice_of(data, len);
	struct slice associated = take(&input, take_byte(&input));

	must(sodium_init() >= 0);
	crypto_kx_seed_keypair(public_key, secret_key, seed);
	open_all(input, associated);
	seal_and_open(input, associated);
	return 0;
}

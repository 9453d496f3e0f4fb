#include "crypto/grant_proof.h"

#include <sodium.h>
#include <string.h>

#define LABEL "keepsake grant" /* its NUL is signed, too */

#define AT_CHALLENGE sizeof(LABEL)
#define AT_DIRECTION (AT_CHALLENGE + GRANT_CHALLENGE_BYTES)
#define AT_ACCOUNT   (AT_DIRECTION + 1)
#define AT_TERMINAL  (AT_ACCOUNT + ID_BYTES)
#define AT_PEER      (AT_TERMINAL + ID_BYTES)
#define CLAIM_BYTES  (AT_PEER + TICKET_PEER_BYTES)

_Static_assert(GRANT_PUBLIC_BYTES == crypto_sign_PUBLICKEYBYTES &&
		   GRANT_SEED_BYTES == crypto_sign_SEEDBYTES &&
		   GRANT_SIGNATURE_BYTES == crypto_sign_BYTES,
    "Ed25519");
_Static_assert(DIRECTION_COUNT <= UINT8_MAX, "one byte tells a direction");

static void claim_format(
    uint8_t out[static CLAIM_BYTES], const struct grant_claim *claim)
{
	memcpy(out, LABEL, sizeof(LABEL));
	memcpy(out + AT_CHALLENGE, claim->challenge, GRANT_CHALLENGE_BYTES);
	out[AT_DIRECTION] = (uint8_t)claim->direction;
	memcpy(out + AT_ACCOUNT, claim->account.bytes, ID_BYTES);
	memcpy(out + AT_TERMINAL, claim->terminal.bytes, ID_BYTES);
	memcpy(out + AT_PEER, claim->peer, TICKET_PEER_BYTES);
}

void grant_public_key(uint8_t out[static GRANT_PUBLIC_BYTES],
    const uint8_t seed[static GRANT_SEED_BYTES])
{
	uint8_t secret[crypto_sign_SECRETKEYBYTES];

	crypto_sign_seed_keypair(out, secret, seed);
	sodium_memzero(secret, sizeof(secret));
}

enum status grant_public_check(struct slice key)
{
	if (key.len != GRANT_PUBLIC_BYTES ||
	    !crypto_core_ed25519_is_valid_point(key.data))
		return STATUS_MALFORMED;
	return STATUS_OK;
}

void grant_sign(uint8_t out[static GRANT_SIGNATURE_BYTES],
    const struct grant_claim *claim,
    const uint8_t seed[static GRANT_SEED_BYTES])
{
	uint8_t text[CLAIM_BYTES], key[GRANT_PUBLIC_BYTES];
	uint8_t secret[crypto_sign_SECRETKEYBYTES];

	claim_format(text, claim);
	crypto_sign_seed_keypair(key, secret, seed);
	crypto_sign_detached(out, NULL, text, sizeof(text), secret);
	sodium_memzero(secret, sizeof(secret));
}

enum status grant_verify(const struct grant_claim *claim,
    const uint8_t key[static GRANT_PUBLIC_BYTES], struct slice signature)
{
	uint8_t text[CLAIM_BYTES];

	claim_format(text, claim);
	if (signature.len != GRANT_SIGNATURE_BYTES ||
	    crypto_sign_verify_detached(
		signature.data, text, sizeof(text), key) != 0)
		return STATUS_DENIED;
	return STATUS_OK;
}

#include "crypto/oprf.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#define HASH_BYTES       crypto_hash_sha512_BYTES
#define HASH_BLOCK_BYTES 128 /* SHA-512's input block */

/* contextString, RFC 9497 clause 3.1: mode 0 is one zero byte. */
#define CONTEXT "OPRFV1-\0-ristretto255-SHA512"

_Static_assert(
    OPRF_POINT_BYTES == crypto_core_ristretto255_BYTES, "point length");
_Static_assert(
    OPRF_SCALAR_BYTES == crypto_core_ristretto255_SCALARBYTES, "scalar length");
_Static_assert(HASH_BYTES == crypto_core_ristretto255_HASHBYTES,
    "one hash makes a point or a scalar");

/* A domain separation tag; CONTEXT holds a NUL, so not a C string. */
#define TAG(text) ((struct slice){ (const uint8_t *)(text), sizeof(text) - 1 })

static void hash_add(crypto_hash_sha512_state *hash, struct slice part)
{
	if (part.len > 0)
		crypto_hash_sha512_update(hash, part.data, part.len);
}

/** Append ${part} with its length in two bytes before it. */
static void hash_add_prefixed(crypto_hash_sha512_state *hash, struct slice part)
{
	uint8_t len[2];

	assert(part.len <= UINT16_MAX);
	put_be16(len, (uint16_t)part.len);
	hash_add(hash, slice_of(len, sizeof(len)));
	hash_add(hash, part);
}

/** Append DST_prime: the tag with its length in one byte after it. */
static void hash_add_tag(crypto_hash_sha512_state *hash, struct slice tag)
{
	uint8_t len = (uint8_t)tag.len;

	assert(tag.len <= UINT8_MAX);
	hash_add(hash, tag);
	hash_add(hash, slice_of(&len, 1));
}

/* expand_message_xmd of RFC 9380 clause 5.3.1, for one block of output. */

static void expand_begin(crypto_hash_sha512_state *hash)
{
	static const uint8_t pad[HASH_BLOCK_BYTES];

	crypto_hash_sha512_init(hash);
	hash_add(hash, slice_of(pad, sizeof(pad)));
}

static void expand_end(
    uint8_t out[HASH_BYTES], crypto_hash_sha512_state *hash, struct slice tag)
{
	static const uint8_t output_len_and_zero[3] = { 0, HASH_BYTES, 0 };
	static const uint8_t one = 1;
	uint8_t first[HASH_BYTES];

	hash_add(hash, slice_of(output_len_and_zero, 3));
	hash_add_tag(hash, tag);
	crypto_hash_sha512_final(hash, first);

	crypto_hash_sha512_init(hash);
	hash_add(hash, slice_of(first, sizeof(first)));
	hash_add(hash, slice_of(&one, 1));
	hash_add_tag(hash, tag);
	crypto_hash_sha512_final(hash, out);

	sodium_memzero(first, sizeof(first));
	sodium_memzero(hash, sizeof(*hash));
}

/** HashToGroup, clause 4.1; may give the identity. */
static void hash_to_point(uint8_t point[OPRF_POINT_BYTES], struct slice input)
{
	crypto_hash_sha512_state hash;
	uint8_t uniform[HASH_BYTES];

	expand_begin(&hash);
	hash_add(&hash, input);
	expand_end(uniform, &hash, TAG("HashToGroup-" CONTEXT));
	crypto_core_ristretto255_from_hash(point, uniform);
	sodium_memzero(uniform, sizeof(uniform));
}

bool oprf_point_valid(const uint8_t point[static OPRF_POINT_BYTES])
{
	return crypto_core_ristretto255_is_valid_point(point) == 1 &&
	       !sodium_is_zero(point, OPRF_POINT_BYTES);
}

void oprf_scalar_random(uint8_t scalar_out[static OPRF_SCALAR_BYTES])
{
	crypto_core_ristretto255_scalar_random(scalar_out);
}

void oprf_key_derive(uint8_t secret_out[static OPRF_SCALAR_BYTES],
    uint8_t *public_out, const uint8_t seed[static OPRF_SEED_BYTES],
    struct slice info)
{
	crypto_hash_sha512_state hash;
	uint8_t uniform[HASH_BYTES];
	uint8_t counter = 0;

	do {
		expand_begin(&hash);
		hash_add(&hash, slice_of(seed, OPRF_SEED_BYTES));
		hash_add_prefixed(&hash, info);
		hash_add(&hash, slice_of(&counter, 1));
		expand_end(uniform, &hash, TAG("DeriveKeyPair" CONTEXT));
		crypto_core_ristretto255_scalar_reduce(secret_out, uniform);
		counter++;
	} while (sodium_is_zero(secret_out, OPRF_SCALAR_BYTES) && counter > 0);
	sodium_memzero(uniform, sizeof(uniform));

	if (!public_out)
		return;
	int rc = crypto_scalarmult_ristretto255_base(public_out, secret_out);
	assert(rc == 0); /* only for zero, and not 256 times in a row */
	(void)rc;
}

/**
 * ${out} = ${scalar} times ${point}.  libsodium refuses what is no canonical
 * encoding, and the identity as result; as the order is prime and no scalar
 * here is zero, that is the identity as input.
 */
static enum status multiply(uint8_t out[OPRF_POINT_BYTES],
    const uint8_t scalar[OPRF_SCALAR_BYTES],
    const uint8_t point[OPRF_POINT_BYTES])
{
	if (crypto_scalarmult_ristretto255(out, scalar, point) != 0)
		return STATUS_MALFORMED;
	return STATUS_OK;
}

enum status oprf_blind(uint8_t blinded_out[static OPRF_POINT_BYTES],
    const uint8_t blind[static OPRF_SCALAR_BYTES], struct slice input)
{
	uint8_t point[OPRF_POINT_BYTES];

	if (input.len > OPRF_INPUT_BYTES_MAX)
		return STATUS_MALFORMED;
	hash_to_point(point, input);
	enum status st = multiply(blinded_out, blind, point);
	sodium_memzero(point, sizeof(point));
	return st;
}

enum status oprf_evaluate(uint8_t evaluated_out[static OPRF_POINT_BYTES],
    const uint8_t secret[static OPRF_SCALAR_BYTES],
    const uint8_t blinded[static OPRF_POINT_BYTES])
{
	return multiply(evaluated_out, secret, blinded);
}

enum status oprf_finalize(uint8_t output_out[static OPRF_OUTPUT_BYTES],
    const uint8_t blind[static OPRF_SCALAR_BYTES], struct slice input,
    const uint8_t evaluated[static OPRF_POINT_BYTES])
{
	enum status st = STATUS_MALFORMED;
	crypto_hash_sha512_state hash;
	uint8_t inverse[OPRF_SCALAR_BYTES];
	uint8_t unblinded[OPRF_POINT_BYTES];

	if (input.len > OPRF_INPUT_BYTES_MAX ||
	    crypto_core_ristretto255_scalar_invert(inverse, blind) != 0)
		goto out;
	st = multiply(unblinded, inverse, evaluated);
	if (st != STATUS_OK)
		goto out;
	crypto_hash_sha512_init(&hash);
	hash_add_prefixed(&hash, input);
	hash_add_prefixed(&hash, slice_of(unblinded, sizeof(unblinded)));
	hash_add(&hash, TAG("Finalize"));
	crypto_hash_sha512_final(&hash, output_out);
out:
	sodium_memzero(inverse, sizeof(inverse));
	sodium_memzero(unblinded, sizeof(unblinded));
	sodium_memzero(&hash, sizeof(hash));
	return st;
}

#include "crypto/opaque_internal.h"

#include <assert.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "base/util.h"
#include "crypto/hkdf.h"

enum status opaque_registration_start_with(struct opaque_registration *state,
    const uint8_t blind[static OPRF_SCALAR_BYTES],
    uint8_t request_out[static OPAQUE_REQUEST_BYTES], struct slice password)
{
	memcpy(state->blind, blind, sizeof(state->blind));
	return oprf_blind(request_out, state->blind, password);
}

enum status opaque_registration_start(struct opaque_registration *state,
    uint8_t request_out[static OPAQUE_REQUEST_BYTES], struct slice password)
{
	uint8_t blind[OPRF_SCALAR_BYTES];

	oprf_scalar_random(blind);
	enum status st =
	    opaque_registration_start_with(state, blind, request_out, password);
	sodium_memzero(blind, sizeof(blind));
	return st;
}

/** randomized_password, clause 5.2.3: what password and server yield. */
static enum status randomize(uint8_t randomized[OPAQUE_KEY_BYTES],
    const struct opaque_parameters *parameters,
    const uint8_t blind[OPRF_SCALAR_BYTES], struct slice password,
    const uint8_t evaluated[OPRF_POINT_BYTES])
{
	uint8_t output[OPRF_OUTPUT_BYTES], stretched[OPRF_OUTPUT_BYTES];
	const struct slice secrets[] = {
		slice_of(output, sizeof(output)),
		slice_of(stretched, sizeof(stretched)),
	};

	enum status st = oprf_finalize(output, blind, password, evaluated);
	if (st != STATUS_OK)
		goto out;
	st = parameters->stretch(stretched, output);
	if (st != STATUS_OK)
		goto out;
	hkdf_sha512_extract(randomized, secrets, nitems(secrets));
out:
	sodium_memzero(output, sizeof(output));
	sodium_memzero(stretched, sizeof(stretched));
	return st;
}

static void expand(uint8_t *out, size_t len,
    const uint8_t randomized[OPAQUE_KEY_BYTES], struct slice nonce,
    const char *label)
{
	const struct slice info[] = { nonce, slice_text(label) };

	hkdf_sha512_expand(out, len, randomized, info, nitems(info));
}

static void masking_key_derive(uint8_t masking_key[OPAQUE_KEY_BYTES],
    const uint8_t randomized[OPAQUE_KEY_BYTES])
{
	expand(masking_key, OPAQUE_KEY_BYTES, randomized, slice_text(""),
	    "MaskingKey");
}

/** The client's keys, which an envelope's nonce and the password give. */
struct credentials {
	uint8_t secret[OPAQUE_SECRET_BYTES];
	uint8_t public_key[OPAQUE_PUBLIC_BYTES];
	uint8_t export_key[OPAQUE_KEY_BYTES];
	uint8_t tag[OPAQUE_MAC_BYTES]; /* that the envelope must hold */
};

/** What Store and Recover, clauses 4.1.2 and 4.1.3, have in common. */
static void credentials_derive(struct credentials *out,
    const uint8_t randomized[OPAQUE_KEY_BYTES],
    const uint8_t nonce[OPAQUE_NONCE_BYTES],
    const struct opaque_parameters *parameters,
    const uint8_t server_public[OPAQUE_PUBLIC_BYTES])
{
	const struct slice nonce_slice = slice_of(nonce, OPAQUE_NONCE_BYTES);
	uint8_t auth_key[OPAQUE_KEY_BYTES];
	uint8_t seed[OPAQUE_SEED_BYTES];
	uint8_t server_len[2], client_len[2];

	expand(auth_key, sizeof(auth_key), randomized, nonce_slice, "AuthKey");
	expand(out->export_key, sizeof(out->export_key), randomized,
	    nonce_slice, "ExportKey");
	expand(seed, sizeof(seed), randomized, nonce_slice, "PrivateKey");
	opaque_key_pair(out->secret, out->public_key, seed);

	const struct slice server =
	    opaque_identity(parameters->server_identity, server_public);
	const struct slice client =
	    opaque_identity(parameters->client_identity, out->public_key);
	assert(server.len <= UINT16_MAX && client.len <= UINT16_MAX);
	put_be16(server_len, (uint16_t)server.len);
	put_be16(client_len, (uint16_t)client.len);
	const struct slice parts[] = {
		nonce_slice,
		slice_of(server_public, OPAQUE_PUBLIC_BYTES),
		slice_of(server_len, sizeof(server_len)),
		server,
		slice_of(client_len, sizeof(client_len)),
		client,
	};
	hmac_sha512(out->tag, slice_of(auth_key, sizeof(auth_key)), parts,
	    nitems(parts));
	sodium_memzero(auth_key, sizeof(auth_key));
	sodium_memzero(seed, sizeof(seed));
}

enum status opaque_registration_finish_with(
    uint8_t record_out[static OPAQUE_RECORD_BYTES],
    uint8_t export_key_out[static OPAQUE_KEY_BYTES],
    const struct opaque_registration *state,
    const uint8_t envelope_nonce[static OPAQUE_NONCE_BYTES],
    const struct opaque_parameters *parameters,
    const uint8_t server_public[static OPAQUE_PUBLIC_BYTES],
    struct slice password, struct slice response_bytes)
{
	struct opaque_response response;
	struct opaque_record record;
	struct credentials credentials;
	uint8_t randomized[OPAQUE_KEY_BYTES];

	if (response_bytes.len != sizeof(response))
		return STATUS_MALFORMED;
	memcpy(&response, response_bytes.data, sizeof(response));
	if (memcmp(response.server_public, server_public,
		sizeof(response.server_public)) != 0)
		return STATUS_DENIED;
	enum status st = randomize(
	    randomized, parameters, state->blind, password, response.evaluated);
	if (st != STATUS_OK)
		goto out;
	credentials_derive(&credentials, randomized, envelope_nonce, parameters,
	    server_public);
	memcpy(record.client_public, credentials.public_key,
	    sizeof(record.client_public));
	masking_key_derive(record.masking_key, randomized);
	memcpy(record.envelope.nonce, envelope_nonce,
	    sizeof(record.envelope.nonce));
	memcpy(
	    record.envelope.tag, credentials.tag, sizeof(record.envelope.tag));
	memcpy(record_out, &record, sizeof(record));
	memcpy(export_key_out, credentials.export_key, OPAQUE_KEY_BYTES);
out:
	sodium_memzero(randomized, sizeof(randomized));
	sodium_memzero(&credentials, sizeof(credentials));
	sodium_memzero(&record, sizeof(record));
	return st;
}

enum status opaque_registration_finish(
    uint8_t record_out[static OPAQUE_RECORD_BYTES],
    uint8_t export_key_out[static OPAQUE_KEY_BYTES],
    const struct opaque_registration *state,
    const struct opaque_parameters *parameters,
    const uint8_t server_public[static OPAQUE_PUBLIC_BYTES],
    struct slice password, struct slice response)
{
	uint8_t nonce[OPAQUE_NONCE_BYTES];

	randombytes_buf(nonce, sizeof(nonce));
	return opaque_registration_finish_with(record_out, export_key_out,
	    state, nonce, parameters, server_public, password, response);
}

enum status opaque_login_start_with(struct opaque_login *state,
    const struct opaque_client_random *random,
    uint8_t ke1_out[static OPAQUE_KE1_BYTES], struct slice password)
{
	struct opaque_ke1 ke1;

	memcpy(state->blind, random->blind, sizeof(state->blind));
	enum status st = oprf_blind(ke1.blinded, state->blind, password);
	if (st != STATUS_OK)
		return st;
	memcpy(ke1.nonce, random->nonce, sizeof(ke1.nonce));
	opaque_key_pair(state->secret, ke1.keyshare, random->keyshare_seed);
	memcpy(state->ke1, &ke1, sizeof(ke1));
	memcpy(ke1_out, &ke1, sizeof(ke1));
	return STATUS_OK;
}

enum status opaque_login_start(struct opaque_login *state,
    uint8_t ke1_out[static OPAQUE_KE1_BYTES], struct slice password)
{
	struct opaque_client_random random;

	randombytes_buf(&random, sizeof(random));
	oprf_scalar_random(random.blind);
	enum status st =
	    opaque_login_start_with(state, &random, ke1_out, password);
	sodium_memzero(&random, sizeof(random));
	return st;
}

/** RecoverCredentials, clause 6.3.2.3.  DENIED for a wrong password. */
static enum status credentials_recover(struct credentials *out,
    const struct opaque_login *state,
    const struct opaque_parameters *parameters,
    const uint8_t server_public[OPAQUE_PUBLIC_BYTES], struct slice password,
    const struct opaque_ke2 *ke2)
{
	struct opaque_masked plain = ke2->masked;
	uint8_t randomized[OPAQUE_KEY_BYTES], masking_key[OPAQUE_KEY_BYTES];

	enum status st = randomize(
	    randomized, parameters, state->blind, password, ke2->evaluated);
	if (st != STATUS_OK)
		goto out;
	masking_key_derive(masking_key, randomized);
	opaque_mask(&plain, masking_key, ke2->masking_nonce);
	credentials_derive(out, randomized, plain.envelope.nonce, parameters,
	    plain.server_public);
	bool opened =
	    sodium_memcmp(out->tag, plain.envelope.tag, sizeof(out->tag)) == 0;
	bool pinned = sodium_memcmp(plain.server_public, server_public,
			  sizeof(plain.server_public)) == 0;
	if (!opened || !pinned)
		st = STATUS_DENIED;
out:
	sodium_memzero(randomized, sizeof(randomized));
	sodium_memzero(masking_key, sizeof(masking_key));
	sodium_memzero(&plain, sizeof(plain));
	return st;
}

enum status opaque_login_finish(uint8_t ke3_out[static OPAQUE_KE3_BYTES],
    struct opaque_login_keys *keys_out, const struct opaque_login *state,
    const struct opaque_parameters *parameters,
    const uint8_t server_public[static OPAQUE_PUBLIC_BYTES],
    struct slice password, struct slice ke2_bytes)
{
	struct opaque_ke1 ke1;
	struct opaque_ke2 ke2;
	struct credentials credentials;
	struct opaque_shared shared;
	struct opaque_schedule schedule;

	if (ke2_bytes.len != sizeof(ke2))
		return STATUS_MALFORMED;
	memcpy(&ke1, state->ke1, sizeof(ke1));
	memcpy(&ke2, ke2_bytes.data, sizeof(ke2));
	enum status st = credentials_recover(
	    &credentials, state, parameters, server_public, password, &ke2);
	if (st != STATUS_OK)
		goto out;
	st = oprf_evaluate(shared.dh1, state->secret, ke2.keyshare);
	if (st != STATUS_OK)
		goto out;
	st = oprf_evaluate(shared.dh2, state->secret, server_public);
	if (st != STATUS_OK)
		goto out;
	st = oprf_evaluate(shared.dh3, credentials.secret, ke2.keyshare);
	if (st != STATUS_OK)
		goto out;
	opaque_schedule_derive(&schedule, &shared, parameters,
	    credentials.public_key, server_public, &ke1, &ke2);
	if (sodium_memcmp(schedule.server_mac, ke2.mac, sizeof(ke2.mac)) != 0) {
		st = STATUS_DENIED;
		goto out;
	}
	memcpy(ke3_out, schedule.client_mac, OPAQUE_KE3_BYTES);
	memcpy(keys_out->session_key, schedule.session_key,
	    sizeof(keys_out->session_key));
	memcpy(keys_out->export_key, credentials.export_key,
	    sizeof(keys_out->export_key));
out:
	sodium_memzero(&credentials, sizeof(credentials));
	sodium_memzero(&shared, sizeof(shared));
	sodium_memzero(&schedule, sizeof(schedule));
	return st;
}

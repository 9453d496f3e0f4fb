#include "crypto/opaque_internal.h"

#include <sodium.h>
#include <string.h>

#include "base/util.h"
#include "crypto/hkdf.h"

/** Evaluate ${blinded} under the key of ${credential_id}, clause 5.2.2. */
static enum status credential_evaluate(uint8_t evaluated[OPRF_POINT_BYTES],
    const struct opaque_server *server, struct slice credential_id,
    const uint8_t blinded[OPRF_POINT_BYTES])
{
	const struct slice info[] = { credential_id, slice_text("OprfKey") };
	uint8_t seed[OPRF_SEED_BYTES];
	uint8_t secret[OPRF_SCALAR_BYTES];

	hkdf_sha512_expand(
	    seed, sizeof(seed), server->oprf_seed, info, nitems(info));
	oprf_key_derive(secret, NULL, seed, slice_text("OPAQUE-DeriveKeyPair"));
	enum status st = oprf_evaluate(evaluated, secret, blinded);
	sodium_memzero(seed, sizeof(seed));
	sodium_memzero(secret, sizeof(secret));
	return st;
}

enum status opaque_registration_respond(
    uint8_t response_out[static OPAQUE_RESPONSE_BYTES],
    const struct opaque_server *server, struct slice credential_id,
    struct slice request)
{
	struct opaque_response response;

	if (request.len != OPAQUE_REQUEST_BYTES)
		return STATUS_MALFORMED;
	enum status st = credential_evaluate(
	    response.evaluated, server, credential_id, request.data);
	if (st != STATUS_OK)
		return st;
	memcpy(response.server_public, server->public_key,
	    sizeof(response.server_public));
	memcpy(response_out, &response, sizeof(response));
	return STATUS_OK;
}

enum status opaque_record_check(struct slice record)
{
	if (record.len != OPAQUE_RECORD_BYTES)
		return STATUS_MALFORMED;
	return oprf_point_valid(record.data) ? STATUS_OK : STATUS_MALFORMED;
}

void opaque_fake_record(uint8_t record_out[static OPAQUE_RECORD_BYTES],
    const uint8_t seed[static OPAQUE_SEED_BYTES])
{
	const struct slice secret[] = { slice_of(seed, OPAQUE_SEED_BYTES) };
	const struct slice key_info[] = { slice_text("FakeClientKey") };
	const struct slice mask_info[] = { slice_text("FakeMaskingKey") };
	struct opaque_record record = { 0 }; /* with no envelope to open */
	uint8_t key[HKDF_HASH_BYTES];
	uint8_t client_seed[OPAQUE_SEED_BYTES];
	uint8_t client_secret[OPAQUE_SECRET_BYTES];

	hkdf_sha512_extract(key, secret, nitems(secret));
	hkdf_sha512_expand(
	    client_seed, sizeof(client_seed), key, key_info, nitems(key_info));
	hkdf_sha512_expand(record.masking_key, sizeof(record.masking_key), key,
	    mask_info, nitems(mask_info));
	opaque_key_pair(client_secret, record.client_public, client_seed);
	memcpy(record_out, &record, sizeof(record));
	sodium_memzero(key, sizeof(key));
	sodium_memzero(client_seed, sizeof(client_seed));
	sodium_memzero(client_secret, sizeof(client_secret));
	sodium_memzero(&record, sizeof(record));
}

enum status opaque_ke1_check(struct slice bytes)
{
	struct opaque_ke1 ke1;

	if (bytes.len != sizeof(ke1))
		return STATUS_MALFORMED;
	memcpy(&ke1, bytes.data, sizeof(ke1));
	return oprf_point_valid(ke1.blinded) && oprf_point_valid(ke1.keyshare)
		   ? STATUS_OK
		   : STATUS_MALFORMED;
}

/** CreateCredentialResponse, clause 6.3.2.2: the first half of KE2. */
static enum status credential_respond(struct opaque_ke2 *ke2,
    const struct opaque_server *server, struct slice credential_id,
    const struct opaque_record *record, const struct opaque_ke1 *ke1)
{
	enum status st = credential_evaluate(
	    ke2->evaluated, server, credential_id, ke1->blinded);

	if (st != STATUS_OK)
		return st;
	memcpy(ke2->masked.server_public, server->public_key,
	    sizeof(ke2->masked.server_public));
	ke2->masked.envelope = record->envelope;
	opaque_mask(&ke2->masked, record->masking_key, ke2->masking_nonce);
	return STATUS_OK;
}

enum status opaque_login_respond_with(uint8_t ke2_out[static OPAQUE_KE2_BYTES],
    struct opaque_expected *expected, const struct opaque_server_random *random,
    const struct opaque_parameters *parameters,
    const struct opaque_server *server, struct slice credential_id,
    struct slice record_bytes, struct slice ke1_bytes)
{
	enum status st = STATUS_MALFORMED;
	struct opaque_record record;
	struct opaque_ke1 ke1;
	struct opaque_ke2 ke2;
	struct opaque_shared shared;
	struct opaque_schedule schedule;
	uint8_t secret[OPAQUE_SECRET_BYTES]; /* of the key share */

	if (record_bytes.len != sizeof(record) || ke1_bytes.len != sizeof(ke1))
		return STATUS_MALFORMED;
	memcpy(&record, record_bytes.data, sizeof(record));
	memcpy(&ke1, ke1_bytes.data, sizeof(ke1));
	memcpy(ke2.masking_nonce, random->masking_nonce,
	    sizeof(ke2.masking_nonce));
	memcpy(ke2.nonce, random->nonce, sizeof(ke2.nonce));
	opaque_key_pair(secret, ke2.keyshare, random->keyshare_seed);

	st = credential_respond(&ke2, server, credential_id, &record, &ke1);
	if (st != STATUS_OK)
		goto out;
	/* DiffieHellman, clause 6.4.1.1, is the OPRF's multiplication. */
	st = oprf_evaluate(shared.dh1, secret, ke1.keyshare);
	if (st != STATUS_OK)
		goto out;
	st = oprf_evaluate(shared.dh2, server->secret_key, ke1.keyshare);
	if (st != STATUS_OK)
		goto out;
	st = oprf_evaluate(shared.dh3, secret, record.client_public);
	if (st != STATUS_OK)
		goto out;
	opaque_schedule_derive(&schedule, &shared, parameters,
	    record.client_public, server->public_key, &ke1, &ke2);
	memcpy(ke2.mac, schedule.server_mac, sizeof(ke2.mac));
	memcpy(expected->client_mac, schedule.client_mac,
	    sizeof(expected->client_mac));
	memcpy(expected->session_key, schedule.session_key,
	    sizeof(expected->session_key));
	memcpy(ke2_out, &ke2, sizeof(ke2));
out:
	sodium_memzero(&record, sizeof(record));
	sodium_memzero(secret, sizeof(secret));
	sodium_memzero(&shared, sizeof(shared));
	sodium_memzero(&schedule, sizeof(schedule));
	return st;
}

enum status opaque_login_respond(uint8_t ke2_out[static OPAQUE_KE2_BYTES],
    struct opaque_expected *expected,
    const struct opaque_parameters *parameters,
    const struct opaque_server *server, struct slice credential_id,
    struct slice record, struct slice ke1)
{
	struct opaque_server_random random;

	randombytes_buf(&random, sizeof(random));
	enum status st = opaque_login_respond_with(ke2_out, expected, &random,
	    parameters, server, credential_id, record, ke1);
	sodium_memzero(&random, sizeof(random));
	return st;
}

enum status opaque_login_check(
    const struct opaque_expected *expected, struct slice ke3)
{
	if (ke3.len != OPAQUE_KE3_BYTES)
		return STATUS_MALFORMED;
	if (sodium_memcmp(expected->client_mac, ke3.data, ke3.len) != 0)
		return STATUS_DENIED;
	return STATUS_OK;
}

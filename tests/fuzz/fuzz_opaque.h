#ifndef KEEPSAKE_TESTS_FUZZ_OPAQUE_H
#define KEEPSAKE_TESTS_FUZZ_OPAQUE_H

#include <sodium.h>

#include "crypto/opaque.h"
#include "fuzz.h"

/*
 * Both ends of OPAQUE with fixed keys and fixed "random" bytes: a message
 * that one of them made is good at the other each time it is replayed.
 */

static const char *opaque_randombytes_name(void)
{
	return "fixed";
}

static uint32_t opaque_randombytes_number(void)
{
	return 5;
}

static void opaque_randombytes_fill(void *out, const size_t len)
{
	memset(out, 5, len);
}

static randombytes_implementation opaque_randombytes = {
	.implementation_name = opaque_randombytes_name,
	.random = opaque_randombytes_number,
	.buf = opaque_randombytes_fill,
};

static enum status opaque_no_stretch(uint8_t out[static OPRF_OUTPUT_BYTES],
    const uint8_t in[static OPRF_OUTPUT_BYTES])
{
	memcpy(out, in, OPRF_OUTPUT_BYTES);
	return STATUS_OK;
}

static const struct opaque_parameters opaque_fixed = {
	.stretch = opaque_no_stretch,
};

struct opaque_ends {
	struct opaque_server server;
	struct slice password;
	struct slice credential_id;
	struct opaque_registration registration; /* begun by the client */
	uint8_t request[OPAQUE_REQUEST_BYTES];
	struct opaque_login login; /* likewise */
	uint8_t ke1[OPAQUE_KE1_BYTES];
};

/** The ends, made at the first call; for good. */
static struct opaque_ends *opaque_ends(void)
{
	static const uint8_t key_seed[OPAQUE_SEED_BYTES] = { 1 };
	static struct opaque_ends ends;

	if (ends.password.len > 0)
		return &ends;
	must(randombytes_set_implementation(&opaque_randombytes) == 0);
	must(sodium_init() >= 0);
	opaque_key_pair(
	    ends.server.secret_key, ends.server.public_key, key_seed);
	ends.password = slice_text("password");
	ends.credential_id = slice_text("account");
	must(opaque_registration_start(
		 &ends.registration, ends.request, ends.password) == STATUS_OK);
	must(opaque_login_start(&ends.login, ends.ke1, ends.password) ==
	     STATUS_OK);
	return &ends;
}

#endif

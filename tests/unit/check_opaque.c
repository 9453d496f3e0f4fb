#include <check.h>
#include <glob.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "crypto/opaque_internal.h"

#include "../vectors/rfc9497_ristretto255.h"
#include "../vectors/rfc9807_ristretto255.h"

/* OPAQUE and its OPRF against the vectors of their RFCs, and bad peers. */

#define FOLDER "../shared/testdata/opaque/"

#define HEX_PARTS_MAX 1024

/** The bytes of ${hex} in one of a few static buffers; NULL is empty. */
static struct slice bytes_of(const char *hex)
{
	static uint8_t buffers[32][HEX_PARTS_MAX];
	static size_t next;
	uint8_t *buffer = buffers[next++ % nitems(buffers)];
	size_t len = hex ? strlen(hex) / 2 : 0;

	ck_assert_uint_le(len, HEX_PARTS_MAX);
	if (len > 0)
		ck_assert_int_eq(hex_decode(buffer, len, hex), STATUS_OK);
	return slice_of(buffer, len);
}

static void copy_hex(uint8_t *out, size_t len, const char *hex)
{
	struct slice bytes = bytes_of(hex);

	ck_assert_uint_eq(bytes.len, len);
	memcpy(out, bytes.data, len);
}

#define COPY_HEX(array, hex) copy_hex(array, sizeof(array), hex)

static void same(const char *vector, const char *what, const uint8_t *got,
    size_t len, const char *want)
{
	char text[2 * HEX_PARTS_MAX + 1];

	hex_encode(text, slice_of(got, len));
	ck_assert_msg(strcmp(text, want) == 0, "%s: %s is %s, not %s", vector,
	    what, text, want);
}

#define SAME(vector, field, got) \
	same((vector)->name, #field, got, sizeof(got), (vector)->field)

/* RFC 9497 */

static void check_oprf(const struct rfc9497_vector *vector)
{
	uint8_t seed[OPRF_SEED_BYTES], secret[OPRF_SCALAR_BYTES];
	uint8_t public_key[OPRF_POINT_BYTES], blind[OPRF_SCALAR_BYTES];
	uint8_t point[OPRF_POINT_BYTES], output[OPRF_OUTPUT_BYTES];
	struct slice input = bytes_of(vector->input);

	COPY_HEX(seed, RFC9497_SEED);
	oprf_key_derive(secret, public_key, seed, bytes_of(RFC9497_KEY_INFO));
	same("A.1.1", "skSm", secret, sizeof(secret), RFC9497_SECRET);
	COPY_HEX(blind, vector->blind);
	ck_assert_int_eq(oprf_blind(point, blind, input), STATUS_OK);
	same("A.1.1", "blinded", point, sizeof(point), vector->blinded);
	ck_assert_int_eq(oprf_evaluate(point, secret, point), STATUS_OK);
	same("A.1.1", "evaluated", point, sizeof(point), vector->evaluated);
	ck_assert_int_eq(oprf_finalize(output, blind, input, point), STATUS_OK);
	same("A.1.1", "output", output, sizeof(output), vector->output);
}

START_TEST(oprf_vectors)
{
	check_oprf(&rfc9497_vectors[_i]);
}
END_TEST

/* RFC 9807 */

static struct opaque_parameters parameters_of(
    const struct rfc9807_vector *vector)
{
	return (struct opaque_parameters){
		.context = bytes_of(vector->context),
		.client_identity = bytes_of(vector->client_identity),
		.server_identity = bytes_of(vector->server_identity),
		.stretch = opaque_stretch_identity,
	};
}

static struct opaque_server server_of(const struct rfc9807_vector *vector)
{
	struct opaque_server server;

	COPY_HEX(server.oprf_seed, vector->oprf_seed);
	COPY_HEX(server.secret_key, vector->server_private_key);
	COPY_HEX(server.public_key, vector->server_public_key);
	return server;
}

static struct opaque_server_random server_random_of(
    const struct rfc9807_vector *vector)
{
	struct opaque_server_random random;

	COPY_HEX(random.masking_nonce, vector->masking_nonce);
	COPY_HEX(random.nonce, vector->server_nonce);
	COPY_HEX(random.keyshare_seed, vector->server_keyshare_seed);
	return random;
}

static void check_registration(const struct rfc9807_vector *vector)
{
	const struct opaque_parameters parameters = parameters_of(vector);
	const struct opaque_server server = server_of(vector);
	struct slice password = bytes_of(vector->password);
	struct slice id = bytes_of(vector->credential_identifier);
	struct opaque_registration state;
	uint8_t blind[OPRF_SCALAR_BYTES], nonce[OPAQUE_NONCE_BYTES];
	uint8_t request[OPAQUE_REQUEST_BYTES], response[OPAQUE_RESPONSE_BYTES];
	uint8_t record[OPAQUE_RECORD_BYTES], export_key[OPAQUE_KEY_BYTES];

	COPY_HEX(blind, vector->blind_registration);
	COPY_HEX(nonce, vector->envelope_nonce);
	ck_assert_int_eq(
	    opaque_registration_start_with(&state, blind, request, password),
	    STATUS_OK);
	SAME(vector, registration_request, request);
	ck_assert_int_eq(opaque_registration_respond(response, &server, id,
			     slice_of(request, sizeof(request))),
	    STATUS_OK);
	SAME(vector, registration_response, response);
	ck_assert_int_eq(opaque_registration_finish_with(record, export_key,
			     &state, nonce, &parameters, server.public_key,
			     password, slice_of(response, sizeof(response))),
	    STATUS_OK);
	SAME(vector, registration_upload, record);
	SAME(vector, export_key, export_key);
	ck_assert_int_eq(
	    opaque_record_check(slice_of(record, sizeof(record))), STATUS_OK);
}

static void check_login(const struct rfc9807_vector *vector)
{
	const struct opaque_parameters parameters = parameters_of(vector);
	const struct opaque_server server = server_of(vector);
	const struct opaque_server_random server_random =
	    server_random_of(vector);
	struct slice password = bytes_of(vector->password);
	struct opaque_client_random random;
	struct opaque_login state;
	struct opaque_login_keys keys;
	struct opaque_expected expected;
	uint8_t ke1[OPAQUE_KE1_BYTES], ke2[OPAQUE_KE2_BYTES];
	uint8_t ke3[OPAQUE_KE3_BYTES];

	COPY_HEX(random.blind, vector->blind_login);
	COPY_HEX(random.nonce, vector->client_nonce);
	COPY_HEX(random.keyshare_seed, vector->client_keyshare_seed);
	ck_assert_int_eq(
	    opaque_login_start_with(&state, &random, ke1, password), STATUS_OK);
	SAME(vector, KE1, ke1);
	ck_assert_int_eq(
	    opaque_login_respond_with(ke2, &expected, &server_random,
		&parameters, &server, bytes_of(vector->credential_identifier),
		bytes_of(vector->registration_upload),
		slice_of(ke1, sizeof(ke1))),
	    STATUS_OK);
	SAME(vector, KE2, ke2);
	SAME(vector, session_key, expected.session_key);
	ck_assert_int_eq(
	    opaque_login_finish(ke3, &keys, &state, &parameters,
		server.public_key, password, slice_of(ke2, sizeof(ke2))),
	    STATUS_OK);
	SAME(vector, KE3, ke3);
	SAME(vector, session_key, keys.session_key);
	SAME(vector, export_key, keys.export_key);
	ck_assert_int_eq(
	    opaque_login_check(&expected, slice_of(ke3, sizeof(ke3))),
	    STATUS_OK);
}

/** A vector of a record that was never registered: the server's part. */
static void check_fake(const struct rfc9807_vector *vector)
{
	const struct opaque_parameters parameters = parameters_of(vector);
	const struct opaque_server server = server_of(vector);
	const struct opaque_server_random random = server_random_of(vector);
	struct opaque_record record = { 0 };
	struct opaque_expected expected;
	uint8_t ke2[OPAQUE_KE2_BYTES];

	COPY_HEX(record.client_public, vector->client_public_key);
	COPY_HEX(record.masking_key, vector->masking_key);
	ck_assert_int_eq(
	    opaque_login_respond_with(ke2, &expected, &random, &parameters,
		&server, bytes_of(vector->credential_identifier),
		slice_of(&record, sizeof(record)), bytes_of(vector->KE1)),
	    STATUS_OK);
	SAME(vector, KE2, ke2);
}

static void check_vector(const struct rfc9807_vector *vector)
{
	if (!vector->registration_request) {
		check_fake(vector);
		return;
	}
	check_registration(vector);
	check_login(vector);
}

START_TEST(opaque_vectors)
{
	check_vector(&rfc9807_vectors[_i]);
}
END_TEST

/* The same from the published files, where they are at hand. */

/* clang-format off */
#define FIELD(name) { #name, offsetof(struct rfc9807_vector, name) }
static const struct {
	const char *name;
	size_t at;
} fields[] = {
	FIELD(client_identity),
	FIELD(server_identity),
	FIELD(oprf_seed),
	FIELD(credential_identifier),
	FIELD(password),
	FIELD(envelope_nonce),
	FIELD(masking_nonce),
	FIELD(server_private_key),
	FIELD(server_public_key),
	FIELD(server_nonce),
	FIELD(client_nonce),
	FIELD(client_keyshare_seed),
	FIELD(server_keyshare_seed),
	FIELD(blind_registration),
	FIELD(blind_login),
	FIELD(client_public_key),
	FIELD(masking_key),
	FIELD(registration_request),
	FIELD(registration_response),
	FIELD(registration_upload),
	FIELD(KE1),
	FIELD(KE2),
	FIELD(KE3),
	FIELD(export_key),
	FIELD(session_key),
};
/* clang-format on */

static const char *member(json_t *object, const char *part, const char *name)
{
	return json_string_value(
	    json_object_get(json_object_get(object, part), name));
}

/** Check one vector as the RFC's authors publish it, if it is of our kind. */
static size_t check_published(json_t *object, const char *path)
{
	static const char *const parts[] = { "inputs", "intermediates",
		"outputs" };
	const char *group = member(object, "config", "Group");
	struct rfc9807_vector vector = { .name = path };

	ck_assert_ptr_nonnull(group);
	if (strcmp(group, "ristretto255") != 0)
		return 0;
	vector.context = member(object, "config", "Context");
	for (size_t i = 0; i < nitems(fields); i++) {
		for (size_t part = 0; part < nitems(parts); part++) {
			const char *text =
			    member(object, parts[part], fields[i].name);
			if (text)
				memcpy((char *)&vector + fields[i].at, &text,
				    sizeof(text));
		}
	}
	check_vector(&vector);
	return 1;
}

START_TEST(opaque_published)
{
	glob_t paths = { 0 };
	size_t checked = 0;

	if (glob(FOLDER "rfc9807*.json", 0, NULL, &paths) != 0) {
		printf("skipped: ../shared/testdata not found\n");
		return;
	}
	for (size_t i = 0; i < paths.gl_pathc; i++) {
		json_t *list = json_load_file(paths.gl_pathv[i], 0, NULL);
		size_t index;
		json_t *object;

		ck_assert_ptr_nonnull(list);
		json_array_foreach(list, index, object) checked +=
		    check_published(object, paths.gl_pathv[i]);
		json_decref(list);
	}
	globfree(&paths);
	ck_assert_uint_ge(checked, 2);
}
END_TEST

/* Both sides together, with random numbers of their own. */

static const struct opaque_parameters quick = {
	.stretch = opaque_stretch_identity,
};

/** An account on a server, and the state of one login. */
struct account {
	struct opaque_server server;
	uint8_t record[OPAQUE_RECORD_BYTES];
	uint8_t export_key[OPAQUE_KEY_BYTES];
	struct opaque_login login;
	struct opaque_login_keys keys;
	struct opaque_expected expected;
	uint8_t ke1[OPAQUE_KE1_BYTES];
	uint8_t ke2[OPAQUE_KE2_BYTES];
	uint8_t ke3[OPAQUE_KE3_BYTES];
};

static void server_new(struct opaque_server *server)
{
	uint8_t seed[OPAQUE_SEED_BYTES];

	randombytes_buf(server->oprf_seed, sizeof(server->oprf_seed));
	randombytes_buf(seed, sizeof(seed));
	opaque_key_pair(server->secret_key, server->public_key, seed);
}

static void register_account(struct account *self,
    const struct opaque_parameters *parameters, const char *password)
{
	struct opaque_registration state;
	uint8_t request[OPAQUE_REQUEST_BYTES], response[OPAQUE_RESPONSE_BYTES];

	server_new(&self->server);
	ck_assert_int_eq(
	    opaque_registration_start(&state, request, slice_text(password)),
	    STATUS_OK);
	ck_assert_int_eq(
	    opaque_registration_respond(response, &self->server,
		slice_text("id"), slice_of(request, sizeof(request))),
	    STATUS_OK);
	ck_assert_int_eq(
	    opaque_registration_finish(self->record, self->export_key, &state,
		parameters, self->server.public_key, slice_text(password),
		slice_of(response, sizeof(response))),
	    STATUS_OK);
}

/** Up to KE2; what each side says of it. */
static enum status begin_login(struct account *self,
    const struct opaque_parameters *parameters, const char *password)
{
	ck_assert_int_eq(
	    opaque_login_start(&self->login, self->ke1, slice_text(password)),
	    STATUS_OK);
	return opaque_login_respond(self->ke2, &self->expected, parameters,
	    &self->server, slice_text("id"),
	    slice_of(self->record, sizeof(self->record)),
	    slice_of(self->ke1, sizeof(self->ke1)));
}

static enum status finish_login(struct account *self,
    const struct opaque_parameters *parameters, const char *password)
{
	return opaque_login_finish(self->ke3, &self->keys, &self->login,
	    parameters, self->server.public_key, slice_text(password),
	    slice_of(self->ke2, sizeof(self->ke2)));
}

static void check_whole(const struct opaque_parameters *parameters)
{
	struct account self;

	register_account(&self, parameters, "swordfish");
	ck_assert_int_eq(
	    begin_login(&self, parameters, "swordfish"), STATUS_OK);
	ck_assert_int_eq(
	    finish_login(&self, parameters, "swordfish"), STATUS_OK);
	ck_assert_int_eq(opaque_login_check(&self.expected,
			     slice_of(self.ke3, sizeof(self.ke3))),
	    STATUS_OK);
	ck_assert_mem_eq(
	    self.keys.session_key, self.expected.session_key, OPAQUE_KEY_BYTES);
	ck_assert_mem_eq(
	    self.keys.export_key, self.export_key, OPAQUE_KEY_BYTES);
}

START_TEST(whole_keepsake)
{
	check_whole(&opaque_keepsake); /* the real Argon2id, twice */
}
END_TEST

START_TEST(whole_identities)
{
	struct opaque_parameters parameters = quick;

	parameters.context = slice_text("context");
	parameters.client_identity = slice_text("alice");
	parameters.server_identity = slice_text("bob");
	check_whole(&parameters);
}
END_TEST

/** Where the two sides differ in what they must agree on, neither trusts. */
START_TEST(identities_differ)
{
	struct opaque_parameters other = quick;
	struct account self;

	register_account(&self, &quick, "swordfish");
	other.context = slice_text("another");
	ck_assert_int_eq(begin_login(&self, &other, "swordfish"), STATUS_OK);
	ck_assert_int_eq(
	    finish_login(&self, &quick, "swordfish"), STATUS_DENIED);
	other = quick;
	other.server_identity = slice_text("mallory");
	ck_assert_int_eq(begin_login(&self, &other, "swordfish"), STATUS_OK);
	ck_assert_int_eq(
	    finish_login(&self, &quick, "swordfish"), STATUS_DENIED);
	ck_assert_int_eq(begin_login(&self, &quick, "swordfish"), STATUS_OK);
	ck_assert_int_eq(
	    finish_login(&self, &other, "swordfish"), STATUS_DENIED);
}
END_TEST

START_TEST(wrong_password)
{
	struct account self;

	register_account(&self, &quick, "swordfish");
	ck_assert_int_eq(begin_login(&self, &quick, "sword fish"), STATUS_OK);
	ck_assert_int_eq(
	    finish_login(&self, &quick, "sword fish"), STATUS_DENIED);
}
END_TEST

START_TEST(unknown_account)
{
	struct account self;
	uint8_t seed[OPAQUE_SEED_BYTES] = { 7 };
	uint8_t again[OPAQUE_RECORD_BYTES];

	server_new(&self.server);
	opaque_fake_record(self.record, seed);
	opaque_fake_record(again, seed);
	ck_assert_mem_eq(self.record, again, sizeof(again));
	ck_assert_int_eq(
	    opaque_record_check(slice_of(again, sizeof(again))), STATUS_OK);
	ck_assert_int_eq(begin_login(&self, &quick, "swordfish"), STATUS_OK);
	ck_assert_int_eq(
	    finish_login(&self, &quick, "swordfish"), STATUS_DENIED);
}
END_TEST

/** A server that is not the pinned one, at registration and at login. */
START_TEST(other_server)
{
	struct account self;
	struct opaque_server other;
	struct opaque_registration state;
	uint8_t request[OPAQUE_REQUEST_BYTES], response[OPAQUE_RESPONSE_BYTES];

	register_account(&self, &quick, "swordfish");
	server_new(&other);
	ck_assert_int_eq(begin_login(&self, &quick, "swordfish"), STATUS_OK);
	self.server = other;
	ck_assert_int_eq(
	    finish_login(&self, &quick, "swordfish"), STATUS_DENIED);

	ck_assert_int_eq(
	    opaque_registration_start(&state, request, slice_text("swordfish")),
	    STATUS_OK);
	ck_assert_int_eq(
	    opaque_registration_respond(response, &other, slice_text("id"),
		slice_of(request, sizeof(request))),
	    STATUS_OK);
	server_new(&self.server);
	ck_assert_int_eq(
	    opaque_registration_finish(self.record, self.export_key, &state,
		&quick, self.server.public_key, slice_text("swordfish"),
		slice_of(response, sizeof(response))),
	    STATUS_DENIED);
}
END_TEST

/** Any one byte of KE2 or KE3 changed: never a session. */
START_TEST(changed_byte)
{
	struct account self;

	register_account(&self, &quick, "swordfish");
	ck_assert_int_eq(begin_login(&self, &quick, "swordfish"), STATUS_OK);
	for (size_t i = 0; i < sizeof(self.ke2); i++) {
		self.ke2[i] ^= 1;
		ck_assert_int_ne(
		    finish_login(&self, &quick, "swordfish"), STATUS_OK);
		self.ke2[i] ^= 1;
	}
	ck_assert_int_eq(finish_login(&self, &quick, "swordfish"), STATUS_OK);
	for (size_t i = 0; i < sizeof(self.ke3); i++) {
		self.ke3[i] ^= 128;
		ck_assert_int_eq(opaque_login_check(&self.expected,
				     slice_of(self.ke3, sizeof(self.ke3))),
		    STATUS_DENIED);
		self.ke3[i] ^= 128;
	}
}
END_TEST

/* Bad points; RFC 9496 appendix A.3 for those that are no encodings. */
/* clang-format off */
static const struct { const char *name, *hex; } bad_points[] = {
	{ "identity",      "0000000000000000000000000000000000000000000000000000000000000000" },
	{ "non-canonical", "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff" },
	{ "negative",      "0100000000000000000000000000000000000000000000000000000000000000" },
	{ "non-square",    "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371" },
	{ "negative xy",   "3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e" },
	{ "p itself",      "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f" },
};
/* clang-format on */

START_TEST(bad_point)
{
	struct account self, broken;
	struct opaque_registration state;
	uint8_t point[OPRF_POINT_BYTES], out[OPAQUE_RESPONSE_BYTES];
	uint8_t request[OPAQUE_REQUEST_BYTES];

	COPY_HEX(point, bad_points[_i].hex);
	ck_assert(!oprf_point_valid(point));
	register_account(&self, &quick, "swordfish");
	ck_assert_int_eq(begin_login(&self, &quick, "swordfish"), STATUS_OK);

	/* to the server */
	ck_assert_int_eq(opaque_registration_respond(out, &self.server,
			     slice_text("id"), slice_of(point, sizeof(point))),
	    STATUS_MALFORMED);
	static const size_t ke1_points[] = {
		offsetof(struct opaque_ke1, blinded),
		offsetof(struct opaque_ke1, keyshare),
	};
	for (size_t i = 0; i < nitems(ke1_points); i++) {
		broken = self;
		memcpy(broken.ke1 + ke1_points[i], point, sizeof(point));
		ck_assert_int_eq(
		    opaque_login_respond(broken.ke2, &broken.expected, &quick,
			&self.server, slice_text("id"),
			slice_of(self.record, sizeof(self.record)),
			slice_of(broken.ke1, sizeof(broken.ke1))),
		    STATUS_MALFORMED);
	}
	broken = self;
	memcpy(broken.record, point, sizeof(point));
	ck_assert_int_eq(
	    opaque_record_check(slice_of(broken.record, sizeof(broken.record))),
	    STATUS_MALFORMED);
	ck_assert_int_eq(
	    begin_login(&broken, &quick, "swordfish"), STATUS_MALFORMED);

	/* to the client */
	ck_assert_int_eq(
	    opaque_registration_start(&state, request, slice_text("swordfish")),
	    STATUS_OK);
	memcpy(out, point, sizeof(point));
	memcpy(out + sizeof(point), self.server.public_key,
	    sizeof(self.server.public_key));
	ck_assert_int_eq(
	    opaque_registration_finish(broken.record, broken.export_key, &state,
		&quick, self.server.public_key, slice_text("swordfish"),
		slice_of(out, sizeof(out))),
	    STATUS_MALFORMED);
	static const size_t ke2_points[] = {
		offsetof(struct opaque_ke2, evaluated),
		offsetof(struct opaque_ke2, keyshare),
	};
	for (size_t i = 0; i < nitems(ke2_points); i++) {
		broken = self;
		memcpy(broken.ke2 + ke2_points[i], point, sizeof(point));
		ck_assert_int_eq(finish_login(&broken, &quick, "swordfish"),
		    STATUS_MALFORMED);
	}
}
END_TEST

/** Every message one byte short and one long. */
START_TEST(bad_length)
{
	struct account self;
	struct opaque_registration state = { { 1 } };
	uint8_t out[OPAQUE_RECORD_BYTES], long_bytes[512] = { 0 };
	int more = _i;

#define OFF(bytes) slice_of(long_bytes, (size_t)((bytes) + more))
	register_account(&self, &quick, "swordfish");
	ck_assert_int_eq(begin_login(&self, &quick, "swordfish"), STATUS_OK);
	ck_assert_int_eq(opaque_registration_respond(out, &self.server,
			     slice_text("id"), OFF(OPAQUE_REQUEST_BYTES)),
	    STATUS_MALFORMED);
	ck_assert_int_eq(
	    opaque_registration_finish(out, self.export_key, &state, &quick,
		self.server.public_key, slice_text("swordfish"),
		OFF(OPAQUE_RESPONSE_BYTES)),
	    STATUS_MALFORMED);
	ck_assert_int_eq(
	    opaque_record_check(OFF(OPAQUE_RECORD_BYTES)), STATUS_MALFORMED);
	ck_assert_int_eq(
	    opaque_login_respond(self.ke2, &self.expected, &quick, &self.server,
		slice_text("id"), OFF(OPAQUE_RECORD_BYTES),
		slice_of(self.ke1, sizeof(self.ke1))),
	    STATUS_MALFORMED);
	ck_assert_int_eq(
	    opaque_login_respond(self.ke2, &self.expected, &quick, &self.server,
		slice_text("id"), slice_of(self.record, sizeof(self.record)),
		OFF(OPAQUE_KE1_BYTES)),
	    STATUS_MALFORMED);
	ck_assert_int_eq(opaque_login_finish(self.ke3, &self.keys, &self.login,
			     &quick, self.server.public_key,
			     slice_text("swordfish"), OFF(OPAQUE_KE2_BYTES)),
	    STATUS_MALFORMED);
	ck_assert_int_eq(
	    opaque_login_check(&self.expected, OFF(OPAQUE_KE3_BYTES)),
	    STATUS_MALFORMED);
#undef OFF
}
END_TEST

START_TEST(long_password)
{
	static uint8_t password[OPRF_INPUT_BYTES_MAX + 1];
	struct opaque_registration state;
	uint8_t request[OPAQUE_REQUEST_BYTES];

	ck_assert_int_eq(opaque_registration_start(&state, request,
			     slice_of(password, OPRF_INPUT_BYTES_MAX)),
	    STATUS_OK);
	ck_assert_int_eq(opaque_registration_start(&state, request,
			     slice_of(password, OPRF_INPUT_BYTES_MAX + 1)),
	    STATUS_MALFORMED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("opaque");
	TCase *vectors = tcase_create("A-04 RFC 9497 and RFC 9807 vectors");
	TCase *whole = tcase_create("A-04 OPAQUE both sides");
	TCase *hostile = tcase_create("A-04 R-03 OPAQUE with bad peers");
	TCase *unknown = tcase_create("A-09 OPAQUE of an unknown name");

	tcase_add_loop_test(
	    vectors, oprf_vectors, 0, (int)nitems(rfc9497_vectors));
	tcase_add_loop_test(
	    vectors, opaque_vectors, 0, (int)nitems(rfc9807_vectors));
	tcase_add_test(vectors, opaque_published);
	tcase_add_test(whole, whole_keepsake);
	tcase_add_test(whole, whole_identities);
	tcase_add_test(whole, wrong_password);
	tcase_set_timeout(whole, 60);
	tcase_add_test(hostile, identities_differ);
	tcase_add_test(hostile, other_server);
	tcase_add_test(hostile, changed_byte);
	tcase_add_test(hostile, long_password);
	tcase_add_loop_test(hostile, bad_point, 0, (int)nitems(bad_points));
	tcase_add_loop_test(hostile, bad_length, -1, 0);
	tcase_add_loop_test(hostile, bad_length, 1, 2);
	tcase_set_timeout(hostile, 60);
	tcase_add_test(unknown, unknown_account);
	suite_add_tcase(suite, vectors);
	suite_add_tcase(suite, whole);
	suite_add_tcase(suite, hostile);
	suite_add_tcase(suite, unknown);

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* A program's own file, which is in no library. */
#include "../../services/store/store_db.c"

#include <check.h>
#include <stdlib.h>

static void fill_id(struct id *id, uint8_t byte)
{
	memset(id->bytes, byte, ID_BYTES);
}

/* ---- good values come back as they were ---- */

static const struct chunk chunk_cases[] = {
	{ .sequence = 0, .sealed_bytes = 4080 },
	{ .sequence = UINT64_MAX - 1, .sealed_bytes = BLOB_BYTES_MAX },
	{ .sequence = 7, .node = true, .sealed_bytes = 8176 },
	{ .sequence = 8,
	    .node = true,
	    .sealed_bytes = 8176,
	    .refs_count = NODE_REFS_MAX,
	    .data_chunks = UINT64_MAX,
	    .data_bytes = 1 },
};

START_TEST(chunk_round_trip)
{
	struct chunk chunk = chunk_cases[_i], back;
	uint8_t value[CHUNK_VALUE_BYTES];

	fill_id(&chunk.terminal, 0xa5);
	memset(chunk.hash, 0x5a, sizeof(chunk.hash));
	store_db_chunk_pack(value, &chunk);
	ck_assert_int_eq(
	    store_db_chunk_unpack(&back, slice_of(value, sizeof(value))),
	    STATUS_OK);
	ck_assert_uint_eq(back.sequence, chunk.sequence);
	ck_assert(back.node == chunk.node);
	ck_assert_uint_eq(back.sealed_bytes, chunk.sealed_bytes);
	ck_assert_uint_eq(back.refs_count, chunk.refs_count);
	ck_assert_uint_eq(back.data_chunks, chunk.data_chunks);
	ck_assert_uint_eq(back.data_bytes, chunk.data_bytes);
	ck_assert(id_equal(&back.terminal, &chunk.terminal));
	ck_assert_mem_eq(back.hash, chunk.hash, sizeof(chunk.hash));
	ck_assert_uint_eq(store_db_blob_bytes(&back),
	    chunk.sealed_bytes + chunk.refs_count * CHUNK_ID_BYTES);
}
END_TEST

START_TEST(lease_round_trip)
{
	struct lease back, lease = {
		.kind = LEASE_DOWNLOAD,
		.issued_ms = 1,
		.opened_ms = 2,
		.touched_ms = UINT64_MAX,
	};
	uint8_t key[LEASE_KEY_BYTES], value[LEASE_VALUE_BYTES];

	fill_id(&lease.id, 1);
	fill_id(&lease.terminal, 2);
	memset(lease.peer, 3, sizeof(lease.peer));
	memset(lease.nonce, 4, sizeof(lease.nonce));
	store_db_lease_pack(value, &lease);
	ck_assert_int_eq(store_db_lease_unpack(&back,
			     lease_key(key, lease.kind, &lease.terminal),
			     slice_of(value, sizeof(value))),
	    STATUS_OK);
	ck_assert_int_eq(back.kind, lease.kind);
	ck_assert(id_equal(&back.id, &lease.id));
	ck_assert(id_equal(&back.terminal, &lease.terminal));
	ck_assert_mem_eq(back.peer, lease.peer, sizeof(lease.peer));
	ck_assert_mem_eq(back.nonce, lease.nonce, sizeof(lease.nonce));
	ck_assert_uint_eq(back.issued_ms, lease.issued_ms);
	ck_assert_uint_eq(back.opened_ms, lease.opened_ms);
	ck_assert_uint_eq(back.touched_ms, lease.touched_ms);
}
END_TEST

static const struct {
	size_t key_len, summary_len;
} snapshot_cases[] = {
	{ 0, 0 },
	{ 1, 0 },
	{ 0, 1 },
	{ SEALED_KEY_BYTES_MAX, SEALED_SUMMARY_BYTES_MAX },
};

static const uint8_t sealed[SEALED_SUMMARY_BYTES_MAX] = { 9, 8, 7 };

static struct snapshot snapshot_of(size_t key_len, size_t summary_len)
{
	struct snapshot snapshot = {
		.ordinal = 0x0102030405060708,
		.taken_ms = 11,
		.data_chunks = 12,
		.data_bytes = 13,
		.sealed_key = slice_of(sealed, key_len),
		.sealed_summary = slice_of(sealed, summary_len),
	};

	fill_id(&snapshot.terminal, 5);
	memset(snapshot.root.bytes, 6, CHUNK_ID_BYTES);
	return snapshot;
}

START_TEST(snapshot_round_trip)
{
	struct snapshot back, snapshot = snapshot_of(snapshot_cases[_i].key_len,
				  snapshot_cases[_i].summary_len);
	uint8_t key[ORDINAL_KEY_BYTES], value[SNAPSHOT_VALUE_BYTES_MAX];
	size_t len = store_db_snapshot_pack(value, &snapshot);

	ck_assert_int_eq(
	    store_db_snapshot_unpack(&back, ordinal_key(key, snapshot.ordinal),
		slice_of(value, len)),
	    STATUS_OK);
	ck_assert_uint_eq(back.ordinal, snapshot.ordinal);
	ck_assert_uint_eq(back.taken_ms, snapshot.taken_ms);
	ck_assert_uint_eq(back.data_chunks, snapshot.data_chunks);
	ck_assert_uint_eq(back.data_bytes, snapshot.data_bytes);
	ck_assert(id_equal(&back.terminal, &snapshot.terminal));
	ck_assert_mem_eq(back.root.bytes, snapshot.root.bytes, CHUNK_ID_BYTES);
	ck_assert(slice_equal(back.sealed_key, snapshot.sealed_key));
	ck_assert(slice_equal(back.sealed_summary, snapshot.sealed_summary));
}
END_TEST

START_TEST(usage_round_trip)
{
	struct usage back, usage = { UINT64_MAX, 1, 2 };
	uint8_t value[USAGE_VALUE_BYTES];

	store_db_usage_pack(value, &usage);
	ck_assert_int_eq(
	    store_db_usage_unpack(&back, slice_of(value, sizeof(value))),
	    STATUS_OK);
	ck_assert_uint_eq(back.sequence, usage.sequence);
	ck_assert_uint_eq(back.chunks, usage.chunks);
	ck_assert_uint_eq(back.bytes, usage.bytes);
}
END_TEST

/* ---- malformed ones are refused ---- */

enum value_kind { CHUNK, LEASE, SNAPSHOT, USAGE };

/* A good value of that kind, its length, and its key. */
static size_t good_value(enum value_kind kind,
    uint8_t value[static SNAPSHOT_VALUE_BYTES_MAX],
    uint8_t key[static LEASE_KEY_BYTES], size_t *key_len)
{
	struct snapshot snapshot = snapshot_of(3, 5);
	struct chunk chunk = { .node = true, .refs_count = 2 };
	struct lease lease = { .kind = LEASE_UPLOAD };
	struct usage usage = { 1, 2, 3 };

	*key_len = 0;
	switch (kind) {
	case CHUNK:
		store_db_chunk_pack(value, &chunk);
		return CHUNK_VALUE_BYTES;
	case LEASE:
		*key_len = lease_key(key, lease.kind, &lease.terminal).len;
		store_db_lease_pack(value, &lease);
		return LEASE_VALUE_BYTES;
	case SNAPSHOT:
		*key_len = ordinal_key(key, snapshot.ordinal).len;
		return store_db_snapshot_pack(value, &snapshot);
	case USAGE:
		store_db_usage_pack(value, &usage);
		return USAGE_VALUE_BYTES;
	}
	return 0;
}

static enum status unpack_any(
    enum value_kind kind, struct slice key, struct slice value)
{
	struct snapshot snapshot;
	struct chunk chunk;
	struct lease lease;
	struct usage usage;

	switch (kind) {
	case CHUNK:
		return store_db_chunk_unpack(&chunk, value);
	case LEASE:
		return store_db_lease_unpack(&lease, key, value);
	case SNAPSHOT:
		return store_db_snapshot_unpack(&snapshot, key, value);
	case USAGE:
		return store_db_usage_unpack(&usage, value);
	}
	return STATUS_INTERNAL;
}

#define NOWHERE SIZE_MAX

/* clang-format off */
static const struct {
	const char *name;
	enum value_kind kind;
	size_t at;    /* this byte of the value becomes … */
	uint8_t byte; /* … that */
	int longer;   /* bytes at the end of the value */
	int key_longer;
	enum status want;
} malformed_cases[] = {
	{ "chunk as it is",          CHUNK,    NOWHERE, 0,    0,  0, STATUS_OK },
	{ "chunk of version 2",      CHUNK,    0,       2,    0,  0, STATUS_MALFORMED },
	{ "chunk, unknown flag",     CHUNK,    1,       2,    0,  0, STATUS_MALFORMED },
	{ "chunk, refs but no node", CHUNK,    1,       0,    0,  0, STATUS_MALFORMED },
	{ "chunk, sealed too long",  CHUNK,    26,      0x80, 0,  0, STATUS_MALFORMED },
	{ "chunk, too many refs",    CHUNK,    32,      0x7f, 0,  0, STATUS_MALFORMED },
	{ "chunk, one byte less",    CHUNK,    NOWHERE, 0,    -1, 0, STATUS_MALFORMED },
	{ "chunk, one byte more",    CHUNK,    NOWHERE, 0,    1,  0, STATUS_MALFORMED },
	{ "lease as it is",          LEASE,    NOWHERE, 0,    0,  0, STATUS_OK },
	{ "lease of version 0",      LEASE,    0,       0,    0,  0, STATUS_MALFORMED },
	{ "lease, one byte less",    LEASE,    NOWHERE, 0,    -1, 0, STATUS_MALFORMED },
	{ "lease, shorter key",      LEASE,    NOWHERE, 0,    0, -1, STATUS_MALFORMED },
	{ "snapshot as it is",       SNAPSHOT, NOWHERE, 0,    0,  0, STATUS_OK },
	{ "snapshot of version 2",   SNAPSHOT, 0,       2,    0,  0, STATUS_MALFORMED },
	{ "snapshot, longer key",    SNAPSHOT, 74,      4,    0,  0, STATUS_MALFORMED },
	{ "snapshot, key too long",  SNAPSHOT, 73,      0xff, 0,  0, STATUS_MALFORMED },
	{ "snapshot, long summary",  SNAPSHOT, 75,      0xff, 0,  0, STATUS_MALFORMED },
	{ "snapshot, one byte less", SNAPSHOT, NOWHERE, 0,    -1, 0, STATUS_MALFORMED },
	{ "snapshot, short ordinal", SNAPSHOT, NOWHERE, 0,    0, -1, STATUS_MALFORMED },
	{ "usage as it is",          USAGE,    NOWHERE, 0,    0,  0, STATUS_OK },
	{ "usage of version 255",    USAGE,    0,       255,  0,  0, STATUS_MALFORMED },
	{ "usage, one byte more",    USAGE,    NOWHERE, 0,    1,  0, STATUS_MALFORMED },
};
/* clang-format on */

START_TEST(malformed_table)
{
	uint8_t value[SNAPSHOT_VALUE_BYTES_MAX] = { 0 };
	uint8_t key[LEASE_KEY_BYTES] = { 0 };
	size_t key_len;
	size_t len = good_value(malformed_cases[_i].kind, value, key, &key_len);

	if (malformed_cases[_i].at != NOWHERE)
		value[malformed_cases[_i].at] = malformed_cases[_i].byte;
	len += (size_t)malformed_cases[_i].longer;
	key_len += (size_t)malformed_cases[_i].key_longer;
	enum status got = unpack_any(malformed_cases[_i].kind,
	    slice_of(key, key_len), slice_of(value, len));
	ck_assert_msg(got == malformed_cases[_i].want,
	    "%s: got '%s', want '%s'", malformed_cases[_i].name,
	    status_text(got), status_text(malformed_cases[_i].want));
}
END_TEST

/* Whatever the length, nothing is read past the end. */
START_TEST(short_values)
{
	uint8_t value[SNAPSHOT_VALUE_BYTES_MAX], key[LEASE_KEY_BYTES];
	size_t key_len;
	enum value_kind kind = (enum value_kind)_i;
	size_t len = good_value(kind, value, key, &key_len);

	for (size_t i = 0; i < len; i++) {
		uint8_t *cut = malloc(i + 1); /* never NULL for 0 */
		ck_assert_ptr_nonnull(cut);
		memcpy(cut, value, i);
		uint8_t *exact = realloc(cut, i > 0 ? i : 1);
		ck_assert_ptr_nonnull(exact);
		ck_assert_int_eq(unpack_any(kind, slice_of(key, key_len),
				     slice_of(exact, i)),
		    STATUS_MALFORMED);
		free(exact);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_db");
	TCase *good = tcase_create("O-08 stored values come back");
	TCase *malformed = tcase_create("R-03 malformed stored values");

	tcase_add_loop_test(good, chunk_round_trip, 0, nitems(chunk_cases));
	tcase_add_test(good, lease_round_trip);
	tcase_add_loop_test(
	    good, snapshot_round_trip, 0, nitems(snapshot_cases));
	tcase_add_test(good, usage_round_trip);
	suite_add_tcase(suite, good);
	tcase_add_loop_test(
	    malformed, malformed_table, 0, nitems(malformed_cases));
	tcase_add_loop_test(malformed, short_values, CHUNK, USAGE + 1);
	suite_add_tcase(suite, malformed);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

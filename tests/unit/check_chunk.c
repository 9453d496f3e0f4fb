#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "base/util.h"
#include "chunk.h"
#include "crypto/arena.h"

static const struct id account = { { 1 } };
static const uint8_t root[ACCOUNT_KEY_BYTES] = { 9 };
static struct account_keys *keys;
static struct chunk_codec *codec;
static uint8_t *plain;

static void setup(void)
{
	ck_assert_int_eq(arena_open(65536), STATUS_OK);
	ck_assert_int_eq(account_keys_new(&keys, &account, root), STATUS_OK);
	codec = chunk_codec_new(keys);
	plain = malloc(CHUNK_BYTES_MAX);
	ck_assert_ptr_nonnull(codec);
	ck_assert_ptr_nonnull(plain);
}

static void teardown(void)
{
	chunk_codec_destroy(&codec);
	free(plain);
	account_keys_destroy(&keys);
	arena_close();
}

enum content { ZEROS, TEXT, NOISE };

static void plain_fill(enum content content)
{
	static const uint8_t key[randombytes_SEEDBYTES] = { 42 };

	memset(plain, 0, CHUNK_BYTES_MAX);
	if (content != ZEROS)
		randombytes_buf_deterministic(plain, CHUNK_BYTES_MAX, key);
	for (size_t i = 0; content == TEXT && i < CHUNK_BYTES_MAX; i++)
		plain[i] = (uint8_t)('a' + plain[i] % 4);
}

static struct chunk_name name_of(
    size_t len, enum chunk_kind kind, unsigned int variant)
{
	struct chunk_hash hash;
	struct chunk_name name;

	chunk_hash(&hash, slice_of(plain, len));
	chunk_name(&name, keys, &hash, kind, variant);
	return name;
}

static const struct {
	const char *name;
	enum content content;
	size_t len;
	enum status want;
	size_t sealed_max; /* pages; 0: of the plaintext's own length */
} cases[] = {
	{ "nothing", ZEROS, 0, STATUS_OK, 1 },
	{ "one byte", NOISE, 1, STATUS_OK, 1 },
	{ "a page at most", NOISE, 4096 - 16 - 45, STATUS_OK, 1 },
	{ "a page and a byte", NOISE, 4096 - 16 - 44, STATUS_OK, 2 },
	{ "text", TEXT, 200000, STATUS_OK, 16 },
	{ "the longest text", TEXT, CHUNK_BYTES_MAX, STATUS_OK, 60 },
	{ "zeros", ZEROS, CHUNK_BYTES_MAX, STATUS_OK, 1 },
	{ "the longest noise", NOISE, CHUNK_RAW_BYTES_MAX, STATUS_OK, 64 },
	{ "noise too long", NOISE, CHUNK_RAW_BYTES_MAX + 1, STATUS_TOO_LARGE,
	    0 },
	{ "noise far too long", NOISE, CHUNK_BYTES_MAX, STATUS_TOO_LARGE, 0 },
};

START_TEST(there_and_back)
{
	size_t len = cases[_i].len, sealed_len = 0;
	uint8_t *sealed = NULL;
	struct slice opened;

	plain_fill(cases[_i].content);
	struct chunk_name name = name_of(len, CHUNK_DATA, 0);
	enum status st = chunk_seal(
	    codec, &name, slice_of(plain, len), &sealed, &sealed_len);
	ck_assert_msg(
	    st == cases[_i].want, "%s: %s", cases[_i].name, status_text(st));
	if (st != STATUS_OK)
		return;
	ck_assert_uint_eq((sealed_len + PAGE_HEAD_BYTES) % PAGE_BYTES, 0);
	ck_assert_msg(sealed_len <= cases[_i].sealed_max * PAGE_BYTES,
	    "%s: %zu bytes", cases[_i].name, sealed_len);
	ck_assert_int_eq(chunk_open(codec, &name, CHUNK_DATA,
			     slice_of(sealed, sealed_len), &opened),
	    STATUS_OK);
	ck_assert_uint_eq(opened.len, len);
	ck_assert(len == 0 || memcmp(opened.data, plain, len) == 0);
	free(sealed);
}
END_TEST

START_TEST(names)
{
	plain_fill(TEXT);
	struct chunk_name name = name_of(1000, CHUNK_DATA, 0);
	struct chunk_name again = name_of(1000, CHUNK_DATA, 0);
	const struct chunk_name others[] = {
		name_of(1000, CHUNK_DATA, 1),
		name_of(1000, CHUNK_NODE, 0),
		name_of(1001, CHUNK_DATA, 0),
	};

	ck_assert_mem_eq(&name, &again, sizeof(name));
	for (size_t i = 0; i < nitems(others); i++) {
		ck_assert_mem_ne(&name.id, &others[i].id, sizeof(name.id));
		ck_assert_mem_ne(name.key, others[i].key, sizeof(name.key));
	}
	ck_assert_mem_ne(name.id.bytes, name.key, CHUNK_ID_BYTES);
}
END_TEST

START_TEST(variants_open)
{
	uint8_t *sealed = NULL;
	size_t sealed_len = 0;
	struct slice opened;
	enum chunk_kind kind = _i % 2 ? CHUNK_NODE : CHUNK_DATA;

	plain_fill(TEXT);
	struct chunk_name name = name_of(5000, kind, (unsigned int)_i / 2);
	ck_assert_int_eq(chunk_seal(codec, &name, slice_of(plain, 5000),
			     &sealed, &sealed_len),
	    STATUS_OK);
	struct slice all = slice_of(sealed, sealed_len);
	ck_assert_int_eq(
	    chunk_open(codec, &name, kind, all, &opened), STATUS_OK);
	kind = kind == CHUNK_NODE ? CHUNK_DATA : CHUNK_NODE;
	ck_assert_int_eq(
	    chunk_open(codec, &name, kind, all, &opened), STATUS_MALFORMED);
	free(sealed);
}
END_TEST

START_TEST(every_changed_byte_is_seen)
{
	uint8_t *sealed = NULL;
	size_t len = 0;
	struct slice opened;

	plain_fill(TEXT);
	struct chunk_name name = name_of(3000, CHUNK_DATA, 0);
	ck_assert_int_eq(
	    chunk_seal(codec, &name, slice_of(plain, 3000), &sealed, &len),
	    STATUS_OK);
	for (size_t i = 0; i < len; i++) {
		sealed[i] ^= 1;
		ck_assert_int_eq(chunk_open(codec, &name, CHUNK_DATA,
				     slice_of(sealed, len), &opened),
		    STATUS_MALFORMED);
		sealed[i] ^= 1;
	}
	for (size_t i = 0; i < len; i += 101)
		ck_assert_int_eq(chunk_open(codec, &name, CHUNK_DATA,
				     slice_of(sealed, i), &opened),
		    STATUS_MALFORMED);
	free(sealed);
}
END_TEST

/* What a member of the account could have sealed by hand. */
static enum status open_made(const struct chunk_name *name, uint8_t method,
    uint32_t plain_len, const void *data, size_t len)
{
	uint8_t inner[8192] = { method }, sealed[SEALED_BYTES(sizeof(inner))];
	uint8_t associated[1 + ID_BYTES + CHUNK_ID_BYTES] = { CHUNK_VERSION };
	struct slice opened;

	put_be32(inner + 1, plain_len);
	memcpy(inner + CHUNK_HEAD_BYTES, data, len);
	memcpy(associated + 1, account.bytes, ID_BYTES);
	memcpy(associated + 1 + ID_BYTES, name->id.bytes, CHUNK_ID_BYTES);
	seal(sealed, name->key, slice_of(inner, sizeof(inner)),
	    slice_of(associated, sizeof(associated)));
	return chunk_open(
	    codec, name, CHUNK_DATA, slice_of(sealed, sizeof(sealed)), &opened);
}

START_TEST(bombs_and_lies)
{
	uint8_t packed[4096];
	size_t bomb_bytes = (size_t)64 << 20;
	void *bomb = calloc(1, bomb_bytes);

	plain_fill(ZEROS);
	struct chunk_name name = name_of(100, CHUNK_DATA, 0);
	size_t len = ZSTD_compress(packed, sizeof(packed), plain, 100, 3);
	ck_assert_int_eq(open_made(&name, 1, 100, packed, len), STATUS_OK);
	ck_assert_int_eq(open_made(&name, 0, 100, plain, 100), STATUS_OK);
	static const struct {
		uint8_t method;
		uint32_t plain_len;
	} lies[] = { { 2, 100 }, { 1, 99 }, { 1, 101 }, { 1, 0 }, { 0, 101 },
		{ 0, UINT32_MAX }, { 1, UINT32_MAX } };
	for (size_t i = 0; i < nitems(lies); i++)
		ck_assert_int_eq(open_made(&name, lies[i].method,
				     lies[i].plain_len, packed, len),
		    STATUS_MALFORMED);
	/* 64 MiB in a few thousand bytes */
	len = ZSTD_compress(packed, sizeof(packed), bomb, bomb_bytes, 3);
	ck_assert(!ZSTD_isError(len));
	ck_assert_int_eq(open_made(&name, 1, CHUNK_BYTES_MAX, packed, len),
	    STATUS_MALFORMED);
	ck_assert_int_eq(open_made(&name, 1, (uint32_t)bomb_bytes, packed, len),
	    STATUS_MALFORMED);
	free(bomb);
}
END_TEST

START_TEST(poison_is_seen)
{
	/* Sealed under a's name and key, but with other contents. */
	plain_fill(TEXT);
	struct chunk_name name = name_of(1000, CHUNK_DATA, 0);
	uint8_t *sealed = NULL;
	size_t len = 0;
	struct slice opened;

	ck_assert_int_eq(
	    chunk_seal(codec, &name, slice_of(plain + 1, 1000), &sealed, &len),
	    STATUS_OK);
	ck_assert_int_eq(chunk_open(codec, &name, CHUNK_DATA,
			     slice_of(sealed, len), &opened),
	    STATUS_MALFORMED);
	free(sealed);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("chunk");
	TCase *seals = tcase_create("B-04 compressed, padded, sealed");
	TCase *lies = tcase_create("B-05 R-03 poisoned and damaged chunks");

	tcase_add_checked_fixture(seals, setup, teardown);
	tcase_add_loop_test(seals, there_and_back, 0, nitems(cases));
	tcase_add_test(seals, names);
	tcase_add_loop_test(seals, variants_open, 0, 2 * CHUNK_VARIANTS);
	tcase_add_checked_fixture(lies, setup, teardown);
	tcase_set_timeout(lies, 60);
	tcase_add_test(lies, every_changed_byte_is_seen);
	tcase_add_test(lies, bombs_and_lies);
	tcase_add_test(lies, poison_is_seen);
	suite_add_tcase(suite, seals);
	suite_add_tcase(suite, lies);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

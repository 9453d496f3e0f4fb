/* What is inside the seal can only be reached from within. */
#include "../../client/lib/chunk.c"

#include "fuzz.h"

static const struct account_keys keys = { .chunk_id = { 1 } };

/* Seal what the codec has in inner under its own name, and open it. */
static void open_good(struct chunk_codec *codec, struct slice inner,
    struct slice plain, enum chunk_kind kind)
{
	uint8_t associated[ASSOCIATED_BYTES];
	uint8_t *sealed = malloc(SEALED_BYTES(inner.len));
	uint8_t *want = copy_of(plain);
	struct slice opened = { NULL, 0 };
	struct chunk_name name;
	struct chunk_hash hash;

	must(sealed);
	chunk_hash(&hash, plain);
	chunk_name(&name, &keys, &hash, kind, 0);
	associated_fill(associated, &keys, &name);
	seal(sealed, name.key, inner, slice_of(associated, sizeof(associated)));
	must(chunk_open(codec, &name, kind,
		 slice_of(sealed, SEALED_BYTES(inner.len)),
		 &opened) == STATUS_OK);
	must(slice_equal(opened, slice_of(want, plain.len)));
	free(sealed);
	free(want);
}

/*
 * A chunk: first as the store hands it out, then what is inside it, as if
 * the account had sealed these bytes.  The first byte says what it is for.
 *
 * Must hold: no foreign chunk opens; what is inside one unpacks within
 * CHUNK_BYTES_MAX, and opens under the name of just that.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct chunk_codec *codec;
	struct slice input = slice_of(data, len), plain;
	enum chunk_kind kind =
	    take_byte(&input) % 2 == 0 ? CHUNK_DATA : CHUNK_NODE;
	const struct chunk_name name = { .key = { 1 } };

	if (!codec)
		codec = chunk_codec_new(&keys);
	must(sodium_init() >= 0 && codec);
	must(chunk_open(codec, &name, kind, input, &plain) == STATUS_MALFORMED);
	if (input.len < CHUNK_HEAD_BYTES || input.len > INNER_BYTES_MAX)
		return 0;
	memcpy(codec->inner, input.data, input.len);
	if (unpack(codec, input.len, &plain) != STATUS_OK)
		return 0;
	must(plain.len <= CHUNK_BYTES_MAX);
	open_good(codec, input, plain, kind);
	return 0;
}

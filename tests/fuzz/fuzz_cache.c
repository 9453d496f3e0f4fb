/* What is inside the seals can only be made from within. */
#include "../../client/lib/cache_writer.c"

#include "fuzz.h"

#define PATH_TEMPLATE "%s/fuzz_cache.XXXXXX"

static const struct account_keys keys = { .cache = { 1 } };
static const struct id file = { { 2 } };
static char path[PATH_MAX];

static void path_remove(void)
{
	unlink(path);
}

static int path_make(void)
{
	const char *folder = getenv("TMPDIR");

	snprintf(path, sizeof(path), PATH_TEMPLATE, folder ? folder : "/tmp");
	int fd = mkstemp(path);
	must(sodium_init() >= 0 && fd >= 0 && atexit(path_remove) == 0);
	return fd;
}

/* Seal ${plain} as frame ${number} at ${offset}; returns what follows it. */
static uint64_t frame_put(
    int fd, uint64_t offset, uint64_t number, struct slice plain)
{
	uint8_t associated[ASSOCIATED_BYTES];
	size_t head = number == 0 ? 0 : FRAME_LEN_BYTES;
	size_t len = head + SEALED_BYTES(plain.len);
	uint8_t *sealed = malloc(len);

	must(sealed);
	if (head > 0)
		put_be32(sealed, (uint32_t)SEALED_BYTES(plain.len));
	cache_associated(associated, &keys, &file, number);
	seal(sealed + head, keys.cache, plain,
	    slice_of(associated, sizeof(associated)));
	must(write_at(fd, sealed, len, offset) == STATUS_OK);
	free(sealed);
	return offset + len;
}

/*
 * Make a cache of the input: how many frames have entries, how many chunks
 * are in those behind, then each frame after its length, two bytes.
 */
static void file_make(int fd, struct slice input)
{
	uint8_t start[HEAD_AT], head[HEAD_BYTES] = { 0 };
	uint8_t *numbers = head + CHUNK_ID_BYTES + ROOT_HASH_BYTES;
	uint64_t offset = FRAMES_AT, number = 0;
	uint8_t frames = take_byte(&input);

	put_be64(numbers, frames);
	put_be64(numbers + 8, take_16(&input));
	put_be64(numbers + 16, offset);
	must(ftruncate(fd, 0) == 0);
	memcpy(start, MAGIC, MAGIC_BYTES);
	memcpy(start + MAGIC_BYTES, file.bytes, ID_BYTES);
	must(write_at(fd, start, sizeof(start), 0) == STATUS_OK);
	while (input.len > 0) {
		struct slice plain = take(&input, take_16(&input));
		offset = frame_put(fd, offset, ++number, plain);
		if (number == frames)
			put_be64(numbers + 16, offset);
	}
	frame_put(fd, HEAD_AT, 0, slice_of(head, sizeof(head)));
}

static void file_read_all(void)
{
	struct known_chunks *known = known_chunks_new();
	struct cache *cache = NULL;
	const struct entry *entry;
	const struct stat stat = { 0 };

	must(known);
	enum status st = cache_open(&cache, path, &keys, known);
	must((st == STATUS_OK) == (cache != NULL));
	/* Behind every path: so all are read. */
	if (cache && cache_find(cache, slice_text("\xff\xff"), &stat, &entry) ==
			 STATUS_OK)
		must(entry->type == ENTRY_FILE);
	cache_close(&cache);
	known_chunks_destroy(&known);
}

/*
 * The cache in a terminal's state folder: first any bytes, then as if the
 * account had sealed them.
 *
 * Must hold: a cache is there exactly where it opened, and finds files only.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static int fd = -1;

	if (fd < 0)
		fd = path_make();
	must(ftruncate(fd, 0) == 0);
	must(write_at(fd, data, len, 0) == STATUS_OK);
	file_read_all();
	file_make(fd, slice_of(data, len));
	file_read_all();
	return 0;
}

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/arena.h"
#include "fuzz.h"
#include "service/keyfile_internal.h"

/*
 * The file of account keys: how long it is, in units of a slot (2), both
 * headers, and then the first slots.  What cannot be guessed is made good
 * where a bit of the first byte says so: the header's checksum and the id of
 * its master key (1, and 2 for the second), the service's own slot (4).
 *
 * Must hold: what is opened gives out slots that are in it, each once, whose
 * keys open until they are shredded; wrapped anew by another master key it
 * gives the same keys, and opens by that one only.
 */

#define SERVICE        "notify"
#define GOOD_ONE       1
#define GOOD_TWO       2
#define GOOD_SLOT      4
#define REWRAP_MAX     2 /* blocks: more take too long */
#define CHECKSUM_BYTES 16

static const struct master former = { .keys = { { 1 } }, .count = 1 };
static const struct master latter = { .keys = { { 2 } }, .count = 1 };
static char folder[256], path[300];

static void remove_folder(void)
{
	unlink(path);
	rmdir(folder);
}

static void begin(void)
{
	const char *where = getenv("TMPDIR");

	must(arena_open(16384) == STATUS_OK);
	snprintf(folder, sizeof(folder), "%s/fuzz.XXXXXX",
	    where && *where ? where : "/tmp");
	must(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/account.keys", folder);
	atexit(remove_folder);
}

static void make_good(uint8_t bytes[static HEADER_BYTES])
{
	uint8_t *id = bytes + HEADER_BYTES - CHECKSUM_BYTES - MASTER_ID_BYTES;

	master_id(id, former.keys[0], SERVICE);
	crypto_generichash(bytes + HEADER_BYTES - CHECKSUM_BYTES,
	    CHECKSUM_BYTES, bytes, HEADER_BYTES - CHECKSUM_BYTES, NULL, 0);
}

static void write_header(int fd, struct slice *input, bool good, uint64_t at)
{
	uint8_t bytes[HEADER_BYTES] = { 0 };
	struct slice from = take(input, HEADER_BYTES);

	if (from.len > 0)
		memcpy(bytes, from.data, from.len);
	if (good)
		make_good(bytes);
	must(write_at(fd, path, bytes, sizeof(bytes), at) == STATUS_OK);
}

static void write_file(struct slice input)
{
	static const uint8_t key[KEY_BYTES];
	uint8_t good = take_byte(&input), slot[SLOT_BYTES];
	off_t len = SLOTS_AT + (off_t)take_16(&input) * SLOT_BYTES;
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	must(fd >= 0);
	write_header(fd, &input, good & GOOD_ONE, 0);
	write_header(fd, &input, good & GOOD_TWO, HEADER_AT_TWO);
	must(write_at(fd, path, input.data, input.len, SLOTS_AT) == STATUS_OK);
	if (good & GOOD_SLOT) {
		slot_encode(slot, SLOT_BEGUN, key, former.keys[0], SERVICE, 0);
		must(write_at(fd, path, slot, sizeof(slot), SLOTS_AT) ==
		     STATUS_OK);
	}
	must(ftruncate(fd, len) == 0);
	close(fd);
}

static struct keyfile *open_with(const struct master *master)
{
	struct keyfile *self = NULL;

	enum status st = keyfile_open(&self, path, SERVICE, master, false);
	must((st == STATUS_OK) == (self != NULL));
	return self;
}

static void use(struct keyfile *self)
{
	uint32_t first, second;
	uint8_t key[KEY_BYTES];

	if (keyfile_next(self, &first) != STATUS_OK)
		return;
	must(keyfile_next(self, &second) == STATUS_OK && second > first);
	must(slot_at(second) <
	     SLOTS_AT + (uint64_t)self->header.blocks * BLOCK_BYTES);
	keyfile_key(self, first, key); /* damaged, as it may be */
	keyfile_key(self, UINT32_MAX, key);
	must(keyfile_shred(self, first) == STATUS_OK);
	must(keyfile_key(self, first, key) == STATUS_EXPIRED);
	must(keyfile_key(self, second, key) != STATUS_EXPIRED ||
	     second % KEYFILE_GROUP_SLOTS != 0);
}

static void rewrap(struct keyfile **self_p)
{
	struct keyfile *self = *self_p;
	uint8_t before[KEY_BYTES], after[KEY_BYTES];
	uint64_t count;

	memcpy(before, keyfile_service_key(self), KEY_BYTES);
	must(keyfile_rewrap(self, &latter, &count) == STATUS_OK);
	must(count > 0);
	must(keyfile_key(self, 0, after) == STATUS_OK);
	must(memcmp(before, after, KEY_BYTES) == 0);
	keyfile_close(self_p);
	must(!open_with(&former));
	*self_p = open_with(&latter);
	must(*self_p);
	must(memcmp(before, keyfile_service_key(*self_p), KEY_BYTES) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (*folder == '\0')
		begin();
	write_file(slice_of(data, len));
	struct keyfile *self = open_with(&former);
	if (self) {
		use(self);
		if (self->header.blocks <= REWRAP_MAX)
			rewrap(&self);
	}
	keyfile_close(&self);
	return 0;
}

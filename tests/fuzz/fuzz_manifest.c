#include "diff.h"
#include "fuzz.h"
#include "manifest.h"
#include "manifest_message.h"

/* Nodes as the input has them, each after its length, two bytes. */
struct supply {
	struct slice rest;
	bool ran_out;
};

static void node_want(void *arg, const struct chunk_name *name)
{
	(void)arg;
	(void)name;
}

static enum status node_get(
    void *arg, const struct chunk_name *name, struct bytes *plain)
{
	struct supply *supply = arg;

	(void)name;
	supply->ran_out |= supply->rest.len == 0;
	if (supply->ran_out)
		return STATUS_NOT_FOUND;
	return bytes_copy(plain, take(&supply->rest, take_16(&supply->rest)));
}

static void encode(struct bytes *out, const struct entry *entry)
{
	size_t at = 0, end;

	do {
		end = min_of(at + ENTRY_EXTENTS_MAX, entry->extents_count);
		must(entry_encode(entry, at, end, out) == STATUS_OK);
		at = end;
	} while (end < entry->extents_count);
}

/* What was read can be written, and read again to the same. */
static void check_entry(const struct entry *entry)
{
	struct bytes first = { 0 }, second = { 0 };
	struct entry again = { 0 };
	struct entry_decoder *decoder = entry_decoder_new();

	must(decoder);
	must(path_is_valid(bytes_slice(&entry->path)));
	encode(&first, entry);
	struct slice input = bytes_slice(&first);
	must(entry_decode(decoder, &input, &again) == STATUS_OK);
	must(input.len == 0);
	encode(&second, &again);
	must(slice_equal(bytes_slice(&first), bytes_slice(&second)));
	entry_decoder_destroy(&decoder);
	entry_clear(&again);
	bytes_clear(&first);
	bytes_clear(&second);
}

static bool on_difference(void *arg, const struct difference *difference)
{
	(void)arg;
	must(difference->before || difference->after);
	return true;
}

static void on_lost(void *arg, const char *behind, const char *broken)
{
	(void)arg;
	must(behind || broken);
}

/* The nodes of the input, dealt out to two manifests that are compared. */
static void compare(struct slice input, bool tolerate)
{
	struct supply supply = { input, false };
	struct node_source source = { &supply, NULL, node_get };
	const struct chunk_name roots[] = { { .key = { 1 } },
		{ .key = { 2 } } };
	struct manifest_reader *a = manifest_reader_new(&source, &roots[0]);
	struct manifest_reader *b = manifest_reader_new(&source, &roots[1]);

	must(a && b);
	if (tolerate) {
		manifest_reader_tolerate(a, on_lost, NULL);
		manifest_reader_tolerate(b, on_lost, NULL);
	}
	enum status st = manifests_compare(a, b, on_difference, NULL);
	must(st == STATUS_OK || st == STATUS_MALFORMED);
	must(!supply.ran_out || tolerate || st == STATUS_MALFORMED);
	manifest_reader_destroy(&a);
	manifest_reader_destroy(&b);
}

/*
 * The manifest of a snapshot, from its top node on.
 *
 * Must hold: every entry that is read has a valid path and can be written
 * again; and where a node is missing the manifest does not seem to end, also
 * where two are compared.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct supply supply = { slice_of(data, len), false };
	struct node_source source = { &supply, node_want, node_get };
	const struct chunk_name root = { .key = { 1 } };
	struct manifest_reader *reader = manifest_reader_new(&source, &root);
	struct entry entry = { 0 };
	enum status st;

	must(reader);
	while ((st = manifest_reader_next(reader, &entry)) == STATUS_OK)
		check_entry(&entry);
	must(st == STATUS_MALFORMED || st == STATUS_NOT_FOUND);
	must(!supply.ran_out || st == STATUS_MALFORMED);
	manifest_reader_destroy(&reader);
	entry_clear(&entry);
	compare(slice_of(data, len), false);
	compare(slice_of(data, len), true);
	return 0;
}

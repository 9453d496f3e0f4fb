#include "diff.h"

#include <check.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "manifest_node.h"

/*
 * Two states of a tree, each a manifest of real nodes in memory: what the
 * comparison tells must be what was done to the one to get the other.
 */

#define FILES       4000
#define NODES_MAX   4096
#define NOTHING     SIZE_MAX
#define BIG_EXTENTS 2500 /* in several messages, and so in several nodes */

static const uint8_t seed[ACCOUNT_KEY_BYTES] = { 7 };

/* ---- a store of nodes, each once, named by what is in it ---- */

static struct stored {
	struct chunk_name name;
	unsigned int level;
	struct bytes plain;
} nodes[NODES_MAX];
static size_t nodes_count;
static size_t gets;
static size_t lost_node = NOTHING;
static size_t big_file = NOTHING;

/* Those of the level that is being built. */
static struct chunk_name level_names[NODES_MAX];
static size_t level_count;

static enum status node_keep(void *arg, const struct node *node)
{
	struct chunk_name name = { 0 };

	(void)arg;
	crypto_generichash(name.id.bytes, sizeof(name.id.bytes),
	    node->plain.data, node->plain.len, NULL, 0);
	level_names[level_count++] = name;
	for (size_t i = 0; i < nodes_count; i++)
		if (memcmp(&nodes[i].name, &name, sizeof(name)) == 0)
			return STATUS_OK;
	ck_assert_uint_lt(nodes_count, NODES_MAX);
	nodes[nodes_count].name = name;
	nodes[nodes_count].level = node->level;
	ck_assert_int_eq(
	    bytes_copy(&nodes[nodes_count].plain, node->plain), STATUS_OK);
	nodes_count++;
	return STATUS_OK;
}

static enum status node_get(
    void *arg, const struct chunk_name *name, struct bytes *plain)
{
	(void)arg;
	gets++;
	for (size_t i = 0; i < nodes_count; i++)
		if (memcmp(&nodes[i].name, name, sizeof(*name)) == 0 &&
		    i != lost_node)
			return bytes_copy(plain, bytes_slice(&nodes[i].plain));
	return STATUS_NOT_FOUND;
}

static const struct node_source source = { NULL, NULL, node_get };

static void nodes_clear(void)
{
	while (nodes_count > 0)
		bytes_clear(&nodes[--nodes_count].plain);
}

/* ---- a state: of each file its content and its metadata; 0: not there ---- */

struct state {
	uint8_t content[FILES], metadata[FILES];
};

static void entry_make(
    struct entry *entry, const struct state *state, size_t number)
{
	struct chunk_name name = { 0 };
	char path[64];

	entry_reset(entry);
	snprintf(path, sizeof(path), "folder %zu/file %06zu of the tree",
	    number / 100, number);
	ck_assert_int_eq(
	    entry_set_text(&entry->path, slice_text(path)), STATUS_OK);
	ck_assert_int_eq(
	    entry_set_text(&entry->target, slice_of(NULL, 0)), STATUS_OK);
	entry->type = ENTRY_FILE;
	entry->mode = 0644;
	entry->mtime_s = state->metadata[number];
	entry->category = CATEGORY_DOCUMENTS;
	memset(entry->hash, state->content[number], sizeof(entry->hash));
	put_be64(name.id.bytes, number / 5 + 1);
	size_t extents = number == big_file ? BIG_EXTENTS : 1;
	entry->size = 1000 * extents;
	for (size_t i = 0; i < extents; i++) {
		put_be64(name.id.bytes + 8, i);
		ck_assert_int_eq(
		    entry_add_extent(entry, &name, 0, 1000), STATUS_OK);
	}
}

static int by_path(const void *a, const void *b)
{
	char paths[2][64];
	size_t numbers[2] = { *(const size_t *)a, *(const size_t *)b };

	for (size_t i = 0; i < 2; i++)
		snprintf(paths[i], sizeof(paths[i]),
		    "folder %zu/file %06zu of the tree", numbers[i] / 100,
		    numbers[i]);
	return path_compare(slice_text(paths[0]), slice_text(paths[1]));
}

/* The files that are there, as they come in the manifest. */
static size_t put_in_order(
    size_t order[static FILES], const struct state *state)
{
	size_t count = 0;

	for (size_t i = 0; i < FILES; i++)
		if (!state || state->content[i] > 0)
			order[count++] = i;
	qsort(order, count, sizeof(order[0]), by_path);
	return count;
}

static struct chunk_name build(const struct state *state)
{
	size_t order[FILES] = { 0 };
	size_t count = put_in_order(order, state);
	struct entry entry = { 0 };

	struct node_builder *builder =
	    node_builder_new(seed, 0, node_keep, NULL);
	ck_assert_ptr_nonnull(builder);
	level_count = 0;
	for (size_t i = 0; i < count; i++) {
		entry_make(&entry, state, order[i]);
		ck_assert_int_eq(
		    node_builder_add_entry(builder, &entry), STATUS_OK);
	}
	ck_assert_int_eq(node_builder_finish(builder), STATUS_OK);
	node_builder_destroy(&builder);
	entry_clear(&entry);
	for (unsigned int level = 1; level_count > 1; level++) {
		static struct chunk_name below[NODES_MAX];
		size_t below_count = level_count;
		memcpy(below, level_names, below_count * sizeof(below[0]));
		level_count = 0;
		builder = node_builder_new(seed, level, node_keep, NULL);
		for (size_t i = 0; i < below_count; i++)
			ck_assert_int_eq(
			    node_builder_add_link(builder, &below[i]),
			    STATUS_OK);
		ck_assert_int_eq(node_builder_finish(builder), STATUS_OK);
		node_builder_destroy(&builder);
	}
	return level_names[0];
}

/* ---- what is told ---- */

struct told {
	struct state before, after;
	uint8_t seen[FILES];
	size_t count;
	struct bytes last; /* path */
};

static bool on_difference(void *arg, const struct difference *difference)
{
	struct told *told = arg;
	const struct entry *before = difference->before;
	const struct entry *after = difference->after;
	const struct entry *entry = after ? after : before;
	unsigned int folder, number;

	ck_assert_int_eq(sscanf((const char *)entry->path.data,
			     "folder %u/file %u", &folder, &number),
	    2);
	ck_assert_uint_lt(number, FILES);
	ck_assert_uint_eq(told->seen[number]++, 0);
	ck_assert(told->last.len == 0 || path_compare(bytes_slice(&told->last),
					     bytes_slice(&entry->path)) < 0);
	ck_assert_int_eq(
	    bytes_copy(&told->last, bytes_slice(&entry->path)), STATUS_OK);
	ck_assert((before != NULL) == (told->before.content[number] > 0));
	ck_assert((after != NULL) == (told->after.content[number] > 0));
	if (before && after) {
		ck_assert(
		    difference->content == (told->before.content[number] !=
					       told->after.content[number]));
		ck_assert(
		    difference->metadata == (told->before.metadata[number] !=
						told->after.metadata[number]));
	}
	told->count++;
	return true;
}

static size_t compare(struct told *told)
{
	struct chunk_name before = build(&told->before);
	struct chunk_name after = build(&told->after);
	struct manifest_reader *a = manifest_reader_new(&source, &before);
	struct manifest_reader *b = manifest_reader_new(&source, &after);
	size_t want = 0;

	gets = 0;
	ck_assert_int_eq(
	    manifests_compare(a, b, on_difference, told), STATUS_OK);
	for (size_t i = 0; i < FILES; i++) {
		bool differs =
		    told->before.content[i] != told->after.content[i] ||
		    (told->before.content[i] > 0 &&
			told->before.metadata[i] != told->after.metadata[i]);
		ck_assert_msg(differs == (told->seen[i] > 0), "file %zu", i);
		want += differs;
	}
	ck_assert_uint_eq(told->count, want);
	manifest_reader_destroy(&a);
	manifest_reader_destroy(&b);
	bytes_clear(&told->last);
	return want;
}

/* clang-format off */
static const struct {
	const char *name;
	size_t there_before, there_after; /* of the first so many files */
	size_t changed, touched, added, removed; /* one in so many; 0: none */
} cases[] = {
	{ "two empty trees",        0,     0,     0,   0,   0,   0 },
	{ "all added",              0,     FILES, 0,   0,   0,   0 },
	{ "all removed",            FILES, 0,     0,   0,   0,   0 },
	{ "the same",               FILES, FILES, 0,   0,   0,   0 },
	{ "one file and none",      1,     0,     0,   0,   0,   0 },
	{ "few and many",           3,     FILES, 0,   0,   0,   0 },
	{ "some at the end",        FILES, 3900,  0,   0,   0,   0 },
	{ "all changed",            FILES, FILES, 1,   0,   0,   0 },
	{ "all touched",            FILES, FILES, 0,   1,   0,   0 },
	{ "one in 1000 changed",    FILES, FILES, 999, 0,   0,   0 },
	{ "one in 700 removed",     FILES, FILES, 0,   0,   0,   700 },
	{ "one in 300 added",       FILES, FILES, 0,   0,   300, 0 },
	{ "of everything something", FILES, 3500, 37,  53,  71,  19 },
};
/* clang-format on */

START_TEST(compared)
{
	static struct told told;

	for (size_t i = 0; i < FILES; i++) {
		told.before.content[i] = i < cases[_i].there_before;
		told.after.content[i] = i < cases[_i].there_after;
		told.before.metadata[i] = told.after.metadata[i] = 1;
		if (cases[_i].changed && i % cases[_i].changed == 0 &&
		    told.after.content[i] > 0)
			told.after.content[i] = 2;
		if (cases[_i].touched && i % cases[_i].touched == 0)
			told.after.metadata[i] = 2;
		if (cases[_i].added && i % cases[_i].added == 0)
			told.before.content[i] = 0;
		if (cases[_i].removed && i % cases[_i].removed == 0)
			told.after.content[i] = 0;
	}
	compare(&told);
	nodes_clear();
}
END_TEST

/* Of two large trees only what differs is fetched, and what leads there. */
START_TEST(passed_over)
{
	static struct told told;

	memset(told.before.content, 1, FILES);
	memset(told.before.metadata, 1, FILES);
	told.after = told.before;
	told.after.content[2000] = 2;
	ck_assert_uint_eq(compare(&told), 1);
	ck_assert_uint_gt(nodes_count, 10);
	/* A path to it in each: root, perhaps more, leaf; and where the cut
	 * behind it moved, one or two more. */
	ck_assert_uint_le(gets, 10);
	nodes_clear();
}
END_TEST

/* The rest of an entry whose first node is passed over belongs to it. */
START_TEST(passed_over_within)
{
	static struct told told;

	big_file = 2050;
	memset(told.before.content, 1, FILES);
	memset(told.before.metadata, 1, FILES);
	told.after = told.before;
	told.after.content[big_file + 1] = 2;
	ck_assert_uint_eq(compare(&told), 1);
	big_file = NOTHING;
	nodes_clear();
}
END_TEST

static const struct {
	const char *name;
	enum entry_type before, after;
	const char *target_before, *target_after;
	bool content;
} types[] = {
	{ "the same link", ENTRY_SYMLINK, ENTRY_SYMLINK, "a", "a", false },
	{ "another target", ENTRY_SYMLINK, ENTRY_SYMLINK, "a", "b", true },
	{ "another kind of link", ENTRY_SYMLINK, ENTRY_HARD_LINK, "a", "a",
	    true },
	{ "a folder", ENTRY_FOLDER, ENTRY_FOLDER, "", "", false },
	{ "a file where a folder was", ENTRY_FOLDER, ENTRY_FILE, "", "", true },
};

START_TEST(typed)
{
	struct entry before = { .type = types[_i].before };
	struct entry after = { .type = types[_i].after };
	struct difference difference;

	ck_assert_int_eq(
	    entry_set_text(&before.target, slice_text(types[_i].target_before)),
	    STATUS_OK);
	ck_assert_int_eq(
	    entry_set_text(&after.target, slice_text(types[_i].target_after)),
	    STATUS_OK);
	ck_assert_msg(
	    entries_differ(&difference, &before, &after) == types[_i].content,
	    "%s", types[_i].name);
	ck_assert(difference.content == types[_i].content);
	ck_assert(!difference.metadata);
	after.mode = 0111;
	ck_assert(entries_differ(&difference, &before, &after));
	ck_assert(difference.metadata);
	entry_clear(&before);
	entry_clear(&after);
}
END_TEST

/* A node that is missing is damage, not an end. */
START_TEST(damaged)
{
	static struct told told;

	memset(told.before.content, 1, FILES);
	told.after = told.before;
	memset(told.after.content, 2, FILES / 2);
	struct chunk_name before = build(&told.before);
	struct chunk_name after = build(&told.after);
	for (size_t i = 0; i < nodes_count; i++)
		if (nodes[i].level == 0 && i % 3 == 1)
			nodes[i].name.id.bytes[0] ^= 1;
	struct manifest_reader *a = manifest_reader_new(&source, &before);
	struct manifest_reader *b = manifest_reader_new(&source, &after);
	ck_assert_int_eq(
	    manifests_compare(a, b, on_difference, &told), STATUS_MALFORMED);
	manifest_reader_destroy(&a);
	manifest_reader_destroy(&b);
	bytes_clear(&told.last);
	nodes_clear();
}
END_TEST

/* ---- parts that are lost ---- */

static void on_lost(void *arg, const char *behind, const char *broken)
{
	(void)behind;
	ck_assert_ptr_null(broken);
	(*(size_t *)arg)++;
}

/* Of which files it is known whether the state has them. */
static void read_state(const struct chunk_name *root, bool known[static FILES])
{
	static size_t order[FILES];
	struct manifest_reader *reader = manifest_reader_new(&source, root);
	struct entry entry = { 0 };
	size_t at = 0, losses = 0;
	enum status st;

	put_in_order(order, NULL);
	manifest_reader_tolerate(reader, on_lost, &losses);
	do {
		unsigned int folder, number = FILES;
		st = manifest_reader_next(reader, &entry);
		if (st == STATUS_OK)
			ck_assert_int_eq(
			    sscanf((const char *)entry.path.data,
				"folder %u/file %u", &folder, &number),
			    2);
		for (; at < FILES && order[at] != number; at++)
			known[order[at]] = !manifest_reader_gap(reader);
		if (at < FILES)
			known[order[at++]] = true;
	} while (st == STATUS_OK);
	ck_assert_int_eq(st, STATUS_NOT_FOUND);
	manifest_reader_destroy(&reader);
	entry_clear(&entry);
}

/* What is told without one node; returns how many files are unknown. */
static size_t compare_without(struct told *told,
    const struct chunk_name *before, const struct chunk_name *after)
{
	static bool known_before[FILES], known_after[FILES];
	size_t losses[2] = { 0 }, unknown = 0;
	struct manifest_reader *a = manifest_reader_new(&source, before);
	struct manifest_reader *b = manifest_reader_new(&source, after);

	memset(told->seen, 0, sizeof(told->seen));
	told->last.len = 0;
	manifest_reader_tolerate(a, on_lost, &losses[0]);
	manifest_reader_tolerate(b, on_lost, &losses[1]);
	ck_assert_int_eq(
	    manifests_compare(a, b, on_difference, told), STATUS_OK);
	manifest_reader_destroy(&a);
	manifest_reader_destroy(&b);
	read_state(before, known_before);
	read_state(after, known_after);
	for (size_t i = 0; i < FILES; i++) {
		bool differs =
		    told->before.content[i] != told->after.content[i];
		bool known = known_before[i] && known_after[i];
		ck_assert_msg(!differs || !known || told->seen[i] > 0,
		    "node %zu, file %zu", lost_node, i);
		ck_assert(differs || told->seen[i] == 0);
		unknown += differs && told->seen[i] == 0;
	}
	ck_assert(unknown == 0 || losses[0] + losses[1] > 0);
	return unknown;
}

/* Each node but the tops in its turn; what differs elsewhere is told, and
 * nothing that does not differ. */
START_TEST(lost_parts)
{
	static struct told told;
	size_t unknown = 0;

	for (size_t i = 0; i < FILES; i++) {
		told.before.content[i] = i % 71 > 0;
		told.after.content[i] = i % 53 > 0 ? 1 + (i % 37 == 0) : 0;
	}
	struct chunk_name before = build(&told.before);
	struct chunk_name after = build(&told.after);
	for (lost_node = 0; lost_node < nodes_count; lost_node++) {
		const struct chunk_name *name = &nodes[lost_node].name;
		if (memcmp(name, &before, sizeof(before)) != 0 &&
		    memcmp(name, &after, sizeof(after)) != 0)
			unknown += compare_without(&told, &before, &after);
	}
	lost_node = NOTHING;
	ck_assert_uint_gt(unknown, 0);
	bytes_clear(&told.last);
	nodes_clear();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("diff");
	TCase *tcase = tcase_create("B-06 two manifests compared");

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, compared, 0, nitems(cases));
	tcase_add_test(tcase, passed_over);
	tcase_add_test(tcase, passed_over_within);
	tcase_add_loop_test(tcase, typed, 0, nitems(types));
	tcase_add_test(tcase, damaged);
	suite_add_tcase(suite, tcase);
	TCase *lost = tcase_create("B-06 B-11 damaged nodes are gone round");
	tcase_set_timeout(lost, 120);
	tcase_add_test(lost, lost_parts);
	suite_add_tcase(suite, lost);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#include <check.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "manifest.h"
#include "manifest_message.h"
#include "manifest_node.h"
#include "manifest.pb-c.h"

#define NODES_MAX 512
#define FILES     3000

static const uint8_t seed[ACCOUNT_KEY_BYTES] = { 1 };

/* A store of nodes in memory; a node is named by its number. */

static struct stored {
	unsigned int level;
	struct bytes plain;
	size_t refs_count;
} nodes[NODES_MAX];
static size_t nodes_count;
static size_t wanted;

static struct chunk_name numbered(size_t number)
{
	struct chunk_name name = { 0 };

	put_be64(name.id.bytes, number + 1);
	put_be64(name.key, number + 1);
	return name;
}

static void nodes_clear(void)
{
	while (nodes_count > 0)
		bytes_clear(&nodes[--nodes_count].plain);
}

static enum status node_keep(void *arg, const struct node *node)
{
	(void)arg;
	ck_assert_uint_lt(nodes_count, NODES_MAX);
	ck_assert_uint_le(node->plain.len, MANIFEST_NODE_BYTES_MAX);
	ck_assert_uint_le(node->refs_count, NODE_REFS_MAX);
	for (size_t i = 0; i < node->refs_count; i++)
		for (size_t k = 0; k < i; k++)
			ck_assert_mem_ne(&node->refs[i], &node->refs[k],
			    sizeof(node->refs[i]));
	nodes[nodes_count].level = node->level;
	nodes[nodes_count].refs_count = node->refs_count;
	ck_assert_int_eq(
	    bytes_copy(&nodes[nodes_count].plain, node->plain), STATUS_OK);
	nodes_count++;
	return STATUS_OK;
}

static void node_want(void *arg, const struct chunk_name *name)
{
	(void)arg;
	(void)name;
	wanted++;
}

static enum status node_get(
    void *arg, const struct chunk_name *name, struct bytes *plain)
{
	size_t number = (size_t)get_be64(name->id.bytes) - 1;

	(void)arg;
	ck_assert_uint_eq(get_be64(name->key), number + 1);
	if (number >= nodes_count)
		return STATUS_NOT_FOUND;
	return bytes_copy(plain, bytes_slice(&nodes[number].plain));
}

static const struct node_source source = { NULL, node_want, node_get };

/* The same without some of them. */
static size_t lost_from = SIZE_MAX, lost_to; /* numbers */

static enum status node_get_some(
    void *arg, const struct chunk_name *name, struct bytes *plain)
{
	size_t number = (size_t)get_be64(name->id.bytes) - 1;

	if (number >= lost_from && number < lost_to)
		return number % 2 == 0 ? STATUS_NOT_FOUND : STATUS_MALFORMED;
	return node_get(arg, name, plain);
}

static const struct node_source source_of_some = { NULL, node_want,
	node_get_some };

/* A tree */

static void entry_make(struct entry *entry, size_t number)
{
	char path[64];
	struct chunk_name name = numbered(number / 3);

	entry_reset(entry);
	snprintf(path, sizeof(path), "folder/%06zu name.txt", number);
	ck_assert_int_eq(
	    entry_set_text(&entry->path, slice_text(path)), STATUS_OK);
	ck_assert_int_eq(
	    entry_set_text(&entry->target, slice_of(NULL, 0)), STATUS_OK);
	entry->type = ENTRY_FILE;
	entry->mode = 0644;
	entry->mtime_s = (int64_t)number - 1500;
	entry->mtime_ns = 999999999;
	entry->category = CATEGORY_DOCUMENTS;
	entry->user = 1000;
	entry->group = 100;
	entry->changed = number % 7 == 0;
	memset(entry->hash, (int)number, sizeof(entry->hash));
	entry->size = 5000 + 4096;
	ck_assert_int_eq(
	    entry_add_extent(entry, &name, (uint32_t)(number % 3 * 5000), 5000),
	    STATUS_OK);
	ck_assert_int_eq(entry_add_extent(entry, NULL, 0, 4096), STATUS_OK);
}

static void entries_same(const struct entry *a, const struct entry *b)
{
	ck_assert(slice_equal(bytes_slice(&a->path), bytes_slice(&b->path)));
	ck_assert(
	    slice_equal(bytes_slice(&a->target), bytes_slice(&b->target)));
	ck_assert_int_eq(a->type, b->type);
	ck_assert_uint_eq(a->mode, b->mode);
	ck_assert_int_eq(a->mtime_s, b->mtime_s);
	ck_assert_uint_eq(a->mtime_ns, b->mtime_ns);
	ck_assert_uint_eq(a->size, b->size);
	ck_assert_int_eq(a->category, b->category);
	ck_assert_uint_eq(a->user, b->user);
	ck_assert_uint_eq(a->group, b->group);
	ck_assert_int_eq(a->changed, b->changed);
	ck_assert_mem_eq(a->hash, b->hash, ENTRY_HASH_BYTES);
	ck_assert_uint_eq(a->extents_count, b->extents_count);
	for (size_t i = 0; i < a->extents_count; i++) {
		ck_assert_int_eq(a->extents[i].hole, b->extents[i].hole);
		ck_assert_uint_eq(a->extents[i].offset, b->extents[i].offset);
		ck_assert_uint_eq(a->extents[i].length, b->extents[i].length);
		ck_assert_mem_eq(&a->extents[i].chunk, &b->extents[i].chunk,
		    sizeof(struct chunk_name));
	}
}

/** Build all levels over the nodes of level 0 kept; returns the root. */
static struct chunk_name levels_build(void)
{
	size_t first = 0, end = nodes_count;

	for (unsigned int level = 1; end - first > 1; level++) {
		struct node_builder *builder =
		    node_builder_new(seed, level, node_keep, NULL);
		for (size_t i = first; i < end; i++) {
			struct chunk_name name = numbered(i);
			ck_assert_int_eq(
			    node_builder_add_link(builder, &name), STATUS_OK);
		}
		ck_assert_int_eq(node_builder_finish(builder), STATUS_OK);
		node_builder_destroy(&builder);
		first = end;
		end = nodes_count;
	}
	return numbered(first);
}

static void leaves_build(size_t count, size_t skipped)
{
	struct node_builder *builder =
	    node_builder_new(seed, 0, node_keep, NULL);
	struct entry entry = { 0 };

	for (size_t i = 0; i < count; i++) {
		if (i == skipped)
			continue;
		entry_make(&entry, i);
		ck_assert_int_eq(
		    node_builder_add_entry(builder, &entry), STATUS_OK);
	}
	ck_assert_int_eq(node_builder_finish(builder), STATUS_OK);
	node_builder_destroy(&builder);
	entry_clear(&entry);
}

START_TEST(there_and_back)
{
	static const size_t counts[] = { 0, 1, 10, FILES };
	struct entry want = { 0 }, got = { 0 };

	leaves_build(counts[_i], SIZE_MAX);
	struct chunk_name root = levels_build();
	struct manifest_reader *reader = manifest_reader_new(&source, &root);
	for (size_t i = 0; i < counts[_i]; i++) {
		entry_make(&want, i);
		ck_assert_int_eq(manifest_reader_next(reader, &got), STATUS_OK);
		entries_same(&want, &got);
	}
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(
		    manifest_reader_next(reader, &got), STATUS_NOT_FOUND);
	ck_assert(counts[_i] < FILES || wanted > 5);
	manifest_reader_destroy(&reader);
	entry_clear(&want);
	entry_clear(&got);
	nodes_clear();
}
END_TEST

START_TEST(same_tree_same_nodes)
{
	struct stored first[NODES_MAX];

	leaves_build(FILES, SIZE_MAX);
	size_t count = nodes_count;
	memcpy(first, nodes, sizeof(first));
	memset(nodes, 0, sizeof(nodes));
	nodes_count = 0;
	leaves_build(FILES, SIZE_MAX);
	ck_assert_uint_eq(nodes_count, count);
	for (size_t i = 0; i < count; i++)
		ck_assert(slice_equal(bytes_slice(&first[i].plain),
		    bytes_slice(&nodes[i].plain)));
	nodes_clear();
	/* One file less: other nodes only near it. */
	leaves_build(FILES, FILES / 2);
	size_t same = 0;
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < nodes_count; k++)
			same += slice_equal(bytes_slice(&first[i].plain),
			    bytes_slice(&nodes[k].plain));
	ck_assert_msg(same + 4 >= count, "%zu of %zu", same, count);
	nodes_clear();
	for (size_t i = 0; i < count; i++)
		bytes_clear(&first[i].plain);
}
END_TEST

START_TEST(a_file_in_many_pieces)
{
	const size_t pieces = 5 * ENTRY_EXTENTS_MAX + 17;
	struct entry want = { 0 }, got = { 0 };
	struct node_builder *builder =
	    node_builder_new(seed, 0, node_keep, NULL);

	entry_make(&want, 1);
	for (size_t i = 0; i < pieces; i++) {
		struct chunk_name name = numbered(1000 + i);
		ck_assert_int_eq(
		    entry_add_extent(&want, &name, 0, 100000), STATUS_OK);
		want.size += 100000;
	}
	ck_assert_int_eq(node_builder_add_entry(builder, &want), STATUS_OK);
	ck_assert_int_eq(node_builder_finish(builder), STATUS_OK);
	ck_assert_uint_gt(nodes_count, 1);
	struct chunk_name root = levels_build();
	struct manifest_reader *reader = manifest_reader_new(&source, &root);
	ck_assert_int_eq(manifest_reader_next(reader, &got), STATUS_OK);
	entries_same(&want, &got);
	ck_assert_int_eq(manifest_reader_next(reader, &got), STATUS_NOT_FOUND);
	manifest_reader_destroy(&reader);
	node_builder_destroy(&builder);
	entry_clear(&want);
	entry_clear(&got);
	nodes_clear();
}
END_TEST

START_TEST(extents_join)
{
	struct entry entry = { 0 };
	struct chunk_name a = numbered(1), b = numbered(2);

	entry_add_extent(&entry, &a, 0, 10);
	entry_add_extent(&entry, &a, 10, 5);
	ck_assert_uint_eq(entry.extents_count, 1);
	ck_assert_uint_eq(entry.extents[0].length, 15);
	entry_add_extent(&entry, &a, 16, 5);
	entry_add_extent(&entry, &b, 21, 5);
	entry_add_extent(&entry, NULL, 0, 5);
	entry_add_extent(&entry, NULL, 0, 5);
	ck_assert_uint_eq(entry.extents_count, 4);
	ck_assert_uint_eq(entry.extents[3].length, 10);
	entry_clear(&entry);
}
END_TEST

/* clang-format off */
static const struct { const char *path; bool want; } paths[] = {
	{ "a", true },             { "", false },
	{ "a/b", true },           { "/a", false },
	{ ".a", true },            { "a/", false },
	{ "..a", true },           { "a//b", false },
	{ "...", true },           { ".", false },
	{ "a/b../c", true },       { "..", false },
	{ "\xff\xfe/\n", true },   { "a/../b", false },
	{ "a\\..\\b", true },      { "a/./b", false },
	{ "-rf", true },           { "../a", false },
	{ " ", true },             { "a/..", false },
};
/* clang-format on */

START_TEST(valid_paths)
{
	ck_assert_msg(
	    path_is_valid(slice_text(paths[_i].path)) == paths[_i].want, "'%s'",
	    paths[_i].path);
}
END_TEST

START_TEST(path_bounds)
{
	char path[PATH_BYTES_MAX + 2];

	memset(path, 'a', sizeof(path));
	ck_assert(path_is_valid(slice_of(path, PATH_NAME_BYTES_MAX)));
	ck_assert(!path_is_valid(slice_of(path, PATH_NAME_BYTES_MAX + 1)));
	for (size_t i = PATH_NAME_BYTES_MAX; i < sizeof(path);
	     i += PATH_NAME_BYTES_MAX + 1)
		path[i] = '/';
	ck_assert(path_is_valid(slice_of(path, PATH_BYTES_MAX - 1)));
	ck_assert(!path_is_valid(slice_of(path, PATH_BYTES_MAX + 1)));
	ck_assert(!path_is_valid(slice_of("a\0b", 3)));
}
END_TEST

START_TEST(path_order)
{
	static const char *const ordered[] = { "a", "a/b", "a/b/c", "a/c",
		"a b", "a-b", "a.b", "aa", "b", "\xff" };

	for (size_t i = 0; i < nitems(ordered); i++)
		for (size_t k = 0; k < nitems(ordered); k++) {
			int order = path_compare(
			    slice_text(ordered[i]), slice_text(ordered[k]));
			ck_assert_msg(
			    (order < 0) == (i < k) && (order > 0) == (i > k),
			    "'%s' and '%s'", ordered[i], ordered[k]);
		}
}
END_TEST

/* Hostile nodes: a good entry with one thing wrong. */

static uint8_t id_bytes[CHUNK_ID_BYTES] = { 1 };
static Manifest__Extent extent;
static Manifest__Extent *extents[ENTRY_EXTENTS_MAX + 1];

static void bytes_set(ProtobufCBinaryData *to, const char *text)
{
	to->len = strlen(text);
	to->data = (uint8_t *)(uintptr_t)text;
}

/* clang-format off */
static void good(Manifest__Entry *m)            { (void)m; }
static void no_type(Manifest__Entry *m)         { m->type = MANIFEST__TYPE__NO_TYPE; }
static void odd_type(Manifest__Entry *m)        { m->type = (Manifest__Type)77; }
static void more_first(Manifest__Entry *m)      { m->type = MANIFEST__TYPE__MORE; }
static void up(Manifest__Entry *m)              { bytes_set(&m->path, "../etc/passwd"); }
static void absolute(Manifest__Entry *m)        { bytes_set(&m->path, "/etc/passwd"); }
static void no_path(Manifest__Entry *m)         { m->path.len = 0; }
static void odd_mode(Manifest__Entry *m)        { m->mode = 0100644; }
static void odd_time(Manifest__Entry *m)        { m->mtime_ns = 1000000000; }
static void no_owner(Manifest__Entry *m)        { m->owner = NULL; }
static void no_category(Manifest__Entry *m)     { m->category = 0; }
static void odd_category(Manifest__Entry *m)    { m->category = CATEGORY_COUNT; }
static void no_hash(Manifest__Entry *m)         { m->hash.len = 0; }
static void short_hash(Manifest__Entry *m)      { m->hash.len = 15; }
static void target_of_file(Manifest__Entry *m)  { bytes_set(&m->target, "x"); }
static void wrong_size(Manifest__Entry *m)      { m->size = 99; }
static void huge_size(Manifest__Entry *m)       { m->size = UINT64_MAX; extent.length = UINT64_MAX; extent.chunk_id.len = extent.chunk_key.len = 0; extent.offset = 0; }
static void short_id(Manifest__Entry *m)        { (void)m; extent.chunk_id.len = 31; }
static void short_key(Manifest__Entry *m)       { (void)m; extent.chunk_key.len = 31; }
static void hole_with_key(Manifest__Entry *m)   { (void)m; extent.chunk_id.len = 0; }
static void empty_extent(Manifest__Entry *m)    { extent.length = 0; m->size = 0; }
static void far_extent(Manifest__Entry *m)      { (void)m; extent.offset = CHUNK_BYTES_MAX; }
static void many_extents(Manifest__Entry *m)    { m->n_extents = ENTRY_EXTENTS_MAX + 1; m->size = 100 * m->n_extents; }
static void promise(Manifest__Entry *m)         { m->more = true; }
static void folder_of_size(Manifest__Entry *m)  { m->type = MANIFEST__TYPE__FOLDER; }
static void self_link(Manifest__Entry *m)       { m->type = MANIFEST__TYPE__HARD_LINK; m->hash.len = 0; m->n_extents = 0; m->size = 0; m->category = 0; bytes_set(&m->target, "name"); }
static void empty_link(Manifest__Entry *m)      { self_link(m); m->type = MANIFEST__TYPE__SYMLINK; m->target.len = 0; }

static const struct {
	const char *name;
	void (*spoil)(Manifest__Entry *message);
	enum status want;
} spoilt[] = {
	{ "good",                  good,           STATUS_OK },
	{ "no type",               no_type,        STATUS_MALFORMED },
	{ "a type of the future",  odd_type,       STATUS_MALFORMED },
	{ "more of nothing",       more_first,     STATUS_MALFORMED },
	{ "dot dot",               up,             STATUS_MALFORMED },
	{ "absolute",              absolute,       STATUS_MALFORMED },
	{ "no path",               no_path,        STATUS_MALFORMED },
	{ "odd mode",              odd_mode,       STATUS_MALFORMED },
	{ "too many nanoseconds",  odd_time,       STATUS_MALFORMED },
	{ "no owner",              no_owner,       STATUS_MALFORMED },
	{ "no category",           no_category,    STATUS_MALFORMED },
	{ "odd category",          odd_category,   STATUS_MALFORMED },
	{ "no hash",               no_hash,        STATUS_MALFORMED },
	{ "short hash",            short_hash,     STATUS_MALFORMED },
	{ "target of a file",      target_of_file, STATUS_MALFORMED },
	{ "size is not the sum",   wrong_size,     STATUS_MALFORMED },
	{ "size past off_t",       huge_size,      STATUS_MALFORMED },
	{ "short chunk id",        short_id,       STATUS_MALFORMED },
	{ "short chunk key",       short_key,      STATUS_MALFORMED },
	{ "hole with a key",       hole_with_key,  STATUS_MALFORMED },
	{ "empty extent",          empty_extent,   STATUS_MALFORMED },
	{ "extent past a chunk",   far_extent,     STATUS_MALFORMED },
	{ "too many extents",      many_extents,   STATUS_MALFORMED },
	{ "more, too early",       promise,        STATUS_MALFORMED },
	{ "folder with a size",    folder_of_size, STATUS_MALFORMED },
	{ "hard link to itself",   self_link,      STATUS_MALFORMED },
	{ "link to nowhere",       empty_link,     STATUS_MALFORMED },
};
/* clang-format on */

/** ${message} after its length, in ${out}; returns how long both are. */
static size_t framed(const Manifest__Entry *message, uint8_t *out)
{
	size_t len = manifest__entry__get_packed_size(message), used = 0;
	size_t rest = len;

	do {
		out[used] = (uint8_t)(rest & 0x7f);
		rest >>= 7;
		out[used] |= rest > 0 ? 0x80 : 0;
		used++;
	} while (rest > 0);
	return used + manifest__entry__pack(message, out + used);
}

static void message_make(Manifest__Entry *message, Manifest__Owner *owner)
{
	static uint8_t hash[ENTRY_HASH_BYTES];

	manifest__entry__init(message);
	manifest__owner__init(owner);
	manifest__extent__init(&extent);
	extent.chunk_id = (ProtobufCBinaryData){ CHUNK_ID_BYTES, id_bytes };
	extent.chunk_key = (ProtobufCBinaryData){ CHUNK_KEY_BYTES, id_bytes };
	extent.offset = 1;
	extent.length = 100;
	for (size_t i = 0; i < nitems(extents); i++)
		extents[i] = &extent;
	message->type = MANIFEST__TYPE__FILE;
	bytes_set(&message->path, "name");
	message->mode = 0644;
	message->category = CATEGORY_OTHER;
	message->owner = owner;
	message->size = 100;
	message->hash = (ProtobufCBinaryData){ sizeof(hash), hash };
	message->n_extents = 1;
	message->extents = extents;
}

START_TEST(hostile_entries)
{
	uint8_t node[ENTRY_MESSAGE_BYTES_MAX + 1] = { 0 };
	Manifest__Entry message;
	Manifest__Owner owner;
	struct entry got = { 0 };

	message_make(&message, &owner);
	spoilt[_i].spoil(&message);
	size_t len = 1 + framed(&message, node + 1);
	ck_assert_int_eq(
	    bytes_copy(&nodes[0].plain, slice_of(node, len)), STATUS_OK);
	nodes_count = 1;
	struct chunk_name root = numbered(0);
	struct manifest_reader *reader = manifest_reader_new(&source, &root);
	enum status st = manifest_reader_next(reader, &got);
	ck_assert_msg(
	    st == spoilt[_i].want, "%s: %s", spoilt[_i].name, status_text(st));
	manifest_reader_destroy(&reader);
	entry_clear(&got);
	nodes_clear();
}
END_TEST

static enum status node_read(struct slice plain)
{
	struct entry got = { 0 };
	enum status st;

	ck_assert_int_eq(bytes_copy(&nodes[0].plain, plain), STATUS_OK);
	nodes_count = 1;
	struct chunk_name root = numbered(0);
	struct manifest_reader *reader = manifest_reader_new(&source, &root);
	do
		st = manifest_reader_next(reader, &got);
	while (st == STATUS_OK);
	manifest_reader_destroy(&reader);
	entry_clear(&got);
	nodes_clear();
	return st;
}

/* What the store lacks is damage, and not the end of the list. */
START_TEST(a_node_that_is_not_there)
{
	struct chunk_name root = numbered(0);
	struct entry got = { 0 };

	ck_assert_uint_eq(nodes_count, 0);
	struct manifest_reader *reader = manifest_reader_new(&source, &root);
	ck_assert_int_eq(manifest_reader_next(reader, &got), STATUS_MALFORMED);
	manifest_reader_destroy(&reader);
	entry_clear(&got);
}
END_TEST

/* What was told of lost nodes. */
struct losses {
	size_t count, broken;
	char behind[64];
};

static void on_lost(void *arg, const char *behind, const char *broken)
{
	struct losses *losses = arg;

	losses->count++;
	losses->broken += broken != NULL;
	snprintf(losses->behind, sizeof(losses->behind), "%s", behind);
}

/* Read all that is there; how many entries that is, in order. */
static size_t read_rest(const struct chunk_name *root, size_t entries,
    struct losses *losses, enum status want)
{
	struct manifest_reader *reader =
	    manifest_reader_new(&source_of_some, root);
	struct entry got = { 0 };
	size_t count = 0, number, next = 0;
	enum status st;

	manifest_reader_tolerate(reader, on_lost, losses);
	/* An assertion each would take minutes. */
	while ((st = manifest_reader_next(reader, &got)) == STATUS_OK) {
		if (sscanf((const char *)got.path.data, "folder/%zu name.txt",
			&number) != 1 ||
		    number < next || number >= entries ||
		    got.size != 5000 + 4096 || got.extents_count != 2)
			ck_abort_msg("behind entry %zu", next);
		next = number + 1;
		count++;
	}
	ck_assert_int_eq(st, want);
	manifest_reader_destroy(&reader);
	entry_clear(&got);
	return count;
}

START_TEST(lost_nodes)
{
	const size_t entries = 3000;
	struct losses losses = { 0 };

	leaves_build(entries, SIZE_MAX);
	size_t leaves = nodes_count;
	ck_assert_uint_gt(leaves, 3);
	struct chunk_name root = levels_build();
	lost_from = lost_to = 0;
	ck_assert_uint_eq(
	    read_rest(&root, entries, &losses, STATUS_NOT_FOUND), entries);
	ck_assert_uint_eq(losses.count, 0);
	/* each leaf in turn, the first and the last too */
	for (size_t leaf = 0; leaf < leaves; leaf++) {
		losses = (struct losses){ 0 };
		lost_from = leaf;
		lost_to = leaf + 1;
		size_t count =
		    read_rest(&root, entries, &losses, STATUS_NOT_FOUND);
		ck_assert_uint_lt(count, entries);
		ck_assert_uint_gt(count, 0);
		ck_assert_uint_eq(losses.count, 1);
		ck_assert_uint_eq(losses.broken, 0);
		ck_assert(leaf > 0 ? losses.behind[0] != '\0'
				   : losses.behind[0] == '\0');
	}
	/* neighbours are one loss */
	losses = (struct losses){ 0 };
	lost_from = 1;
	lost_to = 3;
	read_rest(&root, entries, &losses, STATUS_NOT_FOUND);
	ck_assert_uint_eq(losses.count, 1);
	/* all leaves; and the top, without which there is nothing */
	losses = (struct losses){ 0 };
	lost_from = 0;
	lost_to = leaves;
	ck_assert_uint_eq(
	    read_rest(&root, entries, &losses, STATUS_NOT_FOUND), 0);
	lost_from = nodes_count - 1;
	lost_to = nodes_count;
	ck_assert_uint_eq(
	    read_rest(&root, entries, &losses, STATUS_MALFORMED), 0);
	nodes_clear();
}
END_TEST

/* A file whose entry goes through several nodes, one of which is lost. */
START_TEST(lost_middle)
{
	struct losses losses = { 0 };
	struct entry entry = { 0 }, got = { 0 };
	struct node_builder *builder =
	    node_builder_new(seed, 0, node_keep, NULL);

	for (size_t number = 0; number < 3; number++) {
		entry_make(&entry, number);
		for (size_t i = 0;
		     number == 1 && i < 5 * (size_t)ENTRY_EXTENTS_MAX + 17;
		     i++) {
			struct chunk_name name = numbered(1000 + i);
			entry_add_extent(&entry, &name, 0, 100000);
			entry.size += 100000;
		}
		ck_assert_int_eq(
		    node_builder_add_entry(builder, &entry), STATUS_OK);
	}
	ck_assert_int_eq(node_builder_finish(builder), STATUS_OK);
	node_builder_destroy(&builder);
	ck_assert_uint_gt(nodes_count, 2);
	lost_from = 1;
	lost_to = 2;
	struct chunk_name root = levels_build();
	struct manifest_reader *reader =
	    manifest_reader_new(&source_of_some, &root);
	manifest_reader_tolerate(reader, on_lost, &losses);
	/* The first and the last one; what is left of the other is none. */
	ck_assert_int_eq(manifest_reader_next(reader, &got), STATUS_OK);
	entry_make(&entry, 0);
	entries_same(&entry, &got);
	ck_assert_int_eq(manifest_reader_next(reader, &got), STATUS_OK);
	entry_make(&entry, 2);
	entries_same(&entry, &got);
	ck_assert_int_eq(manifest_reader_next(reader, &got), STATUS_NOT_FOUND);
	ck_assert_uint_eq(losses.count, 1);
	ck_assert_uint_eq(losses.broken, 1);
	manifest_reader_destroy(&reader);
	entry_clear(&entry);
	entry_clear(&got);
	nodes_clear();
}
END_TEST

START_TEST(hostile_nodes)
{
	uint8_t node[2 * ENTRY_MESSAGE_BYTES_MAX] = { 0 };
	Manifest__Entry message;
	Manifest__Owner owner;

	message_make(&message, &owner);
	size_t len = 1 + framed(&message, node + 1);
	ck_assert_int_eq(node_read(slice_of(node, len)), STATUS_NOT_FOUND);
	/* cut short anywhere */
	for (size_t i = 2; i < len; i++)
		ck_assert_int_eq(
		    node_read(slice_of(node, i)), STATUS_MALFORMED);
	ck_assert_int_eq(node_read(slice_of(node, 0)), STATUS_MALFORMED);
	/* the same path twice */
	size_t two = len + framed(&message, node + len);
	ck_assert_int_eq(node_read(slice_of(node, two)), STATUS_MALFORMED);
	/* levels that are not, or lead to themselves */
	node[0] = 1;
	ck_assert_int_eq(node_read(slice_of(node, len)), STATUS_MALFORMED);
	node[0] = MANIFEST_LEVELS_MAX;
	ck_assert_int_eq(node_read(slice_of(node, len)), STATUS_MALFORMED);
	struct node_builder *builder =
	    node_builder_new(seed, 1, node_keep, NULL);
	struct chunk_name self = numbered(0);
	node_builder_add_link(builder, &self);
	node_builder_finish(builder);
	node_builder_destroy(&builder);
	struct bytes loop = { 0 };
	bytes_copy(&loop, bytes_slice(&nodes[0].plain));
	nodes_clear();
	ck_assert_int_eq(node_read(bytes_slice(&loop)), STATUS_MALFORMED);
	bytes_clear(&loop);
	/* any bytes at all */
	for (int i = 0; i < 500; i++) {
		randombytes_buf(node, 300);
		node[0] = (uint8_t)(i % 3);
		enum status st = node_read(slice_of(node, 300));
		ck_assert(st == STATUS_MALFORMED || st == STATUS_NOT_FOUND);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("manifest");
	TCase *nodes_case = tcase_create("B-05 the same tree, the same nodes");
	TCase *hostile = tcase_create("R-03 hostile manifests");

	tcase_set_timeout(nodes_case, 60);
	tcase_add_loop_test(nodes_case, there_and_back, 0, 4);
	tcase_add_test(nodes_case, same_tree_same_nodes);
	tcase_add_test(nodes_case, a_file_in_many_pieces);
	tcase_add_test(nodes_case, extents_join);
	tcase_add_test(nodes_case, path_order);
	tcase_set_timeout(hostile, 60);
	tcase_add_loop_test(hostile, valid_paths, 0, nitems(paths));
	tcase_add_test(hostile, path_bounds);
	tcase_add_loop_test(hostile, hostile_entries, 0, nitems(spoilt));
	tcase_add_test(hostile, hostile_nodes);
	tcase_add_test(hostile, a_node_that_is_not_there);
	TCase *lost = tcase_create("B-11 damaged nodes are passed over");
	tcase_add_test(lost, lost_nodes);
	tcase_add_test(lost, lost_middle);
	suite_add_tcase(suite, lost);
	suite_add_tcase(suite, nodes_case);
	suite_add_tcase(suite, hostile);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#include "touch.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "chunk.h"

#define SNAPSHOTS_A_PAGE 64
#define NODES_FIRST      64
#define LINKS_FIRST      256
#define BUCKETS_FIRST    256
#define NONE             SIZE_MAX

/* A node that a snapshot reaches. */
struct node {
	struct chunk_id id;
	struct chunk chunk;
	bool touched; /* damaged, or something below it is */
	size_t next;  /* in its bucket */
};

/* One node refers to another. */
struct link {
	size_t parent, child;
};

struct root {
	uint64_t ordinal;
	size_t node; /* NONE: there is no such chunk */
};

struct touch {
	struct db *db;
	struct id account;
	touch_done_fn *done;
	void *arg;
	struct node *nodes; /* owned, in the order they were met */
	size_t nodes_count, nodes_capacity;
	size_t read; /* so many of them */
	struct link *links;
	size_t links_count, links_capacity;
	struct root *roots;
	size_t roots_count, roots_capacity;
	size_t *buckets; /* by the first bytes of the id: a node, or NONE */
	size_t buckets_count;
};

static unsigned int under_way; /* of the one loop of the process */

static void touch_destroy(struct touch *self)
{
	free(self->nodes);
	free(self->links);
	free(self->roots);
	free(self->buckets);
	free(self);
}

/* Room for one more of ${size} bytes; false without memory. */
static bool grow(void **list, size_t count, size_t *capacity, size_t size)
{
	if (count < *capacity)
		return true;
	size_t wanted = max_of(*capacity * 2, (size_t)NODES_FIRST);
	void *grown = reallocarray(*list, wanted, size);
	if (!grown)
		return false;
	*list = grown;
	*capacity = wanted;
	return true;
}

static size_t bucket_of(const struct touch *self, const struct chunk_id *id)
{
	return get_be32(id->bytes) & (self->buckets_count - 1);
}

static size_t find_node(const struct touch *self, const struct chunk_id *id)
{
	size_t at = self->buckets[bucket_of(self, id)];

	while (at != NONE && memcmp(&self->nodes[at].id, id, sizeof(*id)) != 0)
		at = self->nodes[at].next;
	return at;
}

static bool buckets_grow(struct touch *self)
{
	size_t count = self->buckets_count ? self->buckets_count * 2
					   : (size_t)BUCKETS_FIRST;
	size_t *buckets = calloc(count, sizeof(*buckets));

	if (!buckets)
		return false;
	free(self->buckets);
	self->buckets = buckets;
	self->buckets_count = count;
	for (size_t i = 0; i < count; i++)
		buckets[i] = NONE;
	for (size_t i = 0; i < self->nodes_count; i++) {
		size_t bucket = bucket_of(self, &self->nodes[i].id);
		self->nodes[i].next = buckets[bucket];
		buckets[bucket] = i;
	}
	return true;
}

/*
 * Look at what is referred to: index_out is its node, NONE for data, and
 * damaged_out whether it is known to be damaged, or is not there.
 */
static enum status meet(struct touch *self, const struct chunk_id *id,
    size_t *index_out, bool *damaged_out)
{
	struct chunk chunk;
	struct damage damage;

	*index_out = find_node(self, id);
	*damaged_out = false;
	if (*index_out != NONE)
		return STATUS_OK;
	enum status st = store_db_chunk(self->db, &self->account, id, &chunk);
	if (st == STATUS_NOT_FOUND || st == STATUS_MALFORMED) {
		*damaged_out = true;
		return STATUS_OK;
	}
	if (st != STATUS_OK)
		return st;
	st = health_db_damage(self->db, &self->account, id, &damage);
	*damaged_out = st != STATUS_NOT_FOUND;
	if (!chunk.node)
		return STATUS_OK;
	if (!grow((void **)&self->nodes, self->nodes_count,
		&self->nodes_capacity, sizeof(*self->nodes)) ||
	    (self->nodes_count >= self->buckets_count && !buckets_grow(self)))
		return STATUS_NO_SPACE;
	size_t bucket = bucket_of(self, id);
	*index_out = self->nodes_count++;
	self->nodes[*index_out] = (struct node){
		.id = *id,
		.chunk = chunk,
		.touched = *damaged_out,
		.next = self->buckets[bucket],
	};
	self->buckets[bucket] = *index_out;
	return STATUS_OK;
}

/* ---- the result ---- */

/* What is above something touched is touched, level by level. */
static void spread(struct touch *self)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (size_t i = 0; i < self->links_count; i++) {
			struct node *parent =
			    &self->nodes[self->links[i].parent];
			if (parent->touched ||
			    !self->nodes[self->links[i].child].touched)
				continue;
			parent->touched = changed = true;
		}
	}
}

static void touch_end(struct touch *self, enum status st)
{
	uint64_t *ordinals = NULL;
	size_t count = 0;

	if (st == STATUS_OK) {
		ordinals = calloc(self->roots_count + 1, sizeof(*ordinals));
		if (!ordinals)
			st = STATUS_NO_SPACE;
	}
	if (st == STATUS_OK) {
		spread(self);
		for (size_t i = 0; i < self->roots_count; i++)
			if (self->roots[i].node == NONE ||
			    self->nodes[self->roots[i].node].touched)
				ordinals[count++] = self->roots[i].ordinal;
	}
	under_way--;
	self->done(self->arg, st, ordinals, count);
	free(ordinals);
	touch_destroy(self);
}

/* ---- the walk ---- */

static void read_on(struct touch *self);

static enum status follow(
    struct touch *self, size_t parent, const uint8_t *refs, size_t count)
{
	struct chunk_id id;
	size_t child;
	bool damaged;

	for (size_t i = 0; i < count; i++) {
		memcpy(id.bytes, refs + i * CHUNK_ID_BYTES, CHUNK_ID_BYTES);
		enum status st = meet(self, &id, &child, &damaged);
		if (st != STATUS_OK)
			return st;
		if (damaged)
			self->nodes[parent].touched = true;
		if (child == NONE)
			continue;
		if (!grow((void **)&self->links, self->links_count,
			&self->links_capacity, sizeof(*self->links)))
			return STATUS_NO_SPACE;
		self->links[self->links_count++] =
		    (struct link){ parent, child };
	}
	return STATUS_OK;
}

static void on_node(void *arg, enum status st, uint8_t *data, size_t len)
{
	struct touch *self = arg;
	size_t index = self->read++;
	struct chunk chunk = self->nodes[index].chunk;

	if (st == STATUS_OK && chunk_is_whole(&chunk, slice_of(data, len))) {
		st = follow(
		    self, index, data + chunk.sealed_bytes, chunk.refs_count);
	} else if (st == STATUS_OK || st == STATUS_NOT_FOUND ||
		   st == STATUS_MALFORMED) {
		self->nodes[index].touched = true;
		st = STATUS_OK;
	}
	free(data);
	if (st == STATUS_OK)
		read_on(self);
	else
		touch_end(self, st);
}

static void read_on(struct touch *self)
{
	if (self->read == self->nodes_count) {
		touch_end(self, STATUS_OK);
		return;
	}
	enum status st = db_blob_read(self->db, &self->account,
	    self->nodes[self->read].chunk.sequence, on_node, self);
	if (st != STATUS_PENDING)
		touch_end(self, st);
}

static enum status add_roots(struct touch *self)
{
	struct db_page page = { 0 };
	struct snapshot snapshot = { 0 };
	enum status st;

	do {
		st = store_db_snapshots(self->db, &self->account,
		    snapshot.ordinal, SNAPSHOTS_A_PAGE, &page);
		for (size_t i = 0; st == STATUS_OK && i < page.count; i++) {
			bool damaged;
			size_t node;
			st = store_db_snapshot_unpack(&snapshot,
			    page.entries[i].key, page.entries[i].value);
			if (st == STATUS_OK)
				st =
				    meet(self, &snapshot.root, &node, &damaged);
			if (st == STATUS_OK &&
			    !grow((void **)&self->roots, self->roots_count,
				&self->roots_capacity, sizeof(*self->roots)))
				st = STATUS_NO_SPACE;
			if (st == STATUS_OK)
				self->roots[self->roots_count++] =
				    (struct root){ snapshot.ordinal, node };
		}
	} while (st == STATUS_OK && page.more);
	db_page_clear(&page);
	return st;
}

enum status touch_start(
    struct db *db, const struct id *account, touch_done_fn *done, void *arg)
{
	if (under_way == TOUCHES_MAX)
		return STATUS_BUSY;
	struct touch *self = calloc(1, sizeof(*self));
	if (!self)
		return STATUS_NO_SPACE;
	self->db = db;
	self->account = *account;
	self->done = done;
	self->arg = arg;
	enum status st = buckets_grow(self) ? STATUS_OK : STATUS_NO_SPACE;
	if (st == STATUS_OK)
		st = add_roots(self);
	if (st != STATUS_OK) {
		touch_destroy(self);
		return st;
	}
	under_way++;
	read_on(self);
	return STATUS_PENDING;
}

#include "store.h"

#include <assert.h>
#include <string.h>

#include "base/util.h"

#define HAVE_IDS_MAX     1000
#define SNAPSHOTS_A_PAGE 64

/* ---- HAVE ---- */

enum presence {
	PRESENCE_ABSENT,
	PRESENCE_OURS,
	PRESENCE_OTHERS,
	PRESENCE_DAMAGED,
};

/* How it stands with one chunk; the row is there. */
static enum status presence_of(struct store *self, struct exchange *x,
    const struct chunk_id *id, const struct chunk *chunk, bool any_damage,
    uint8_t *presence)
{
	struct damage damage;
	enum status st = STATUS_NOT_FOUND;

	if (any_damage)
		st =
		    health_db_damage(self->db, &x->ticket.account, id, &damage);
	if (st == STATUS_OK)
		*presence = PRESENCE_DAMAGED;
	else if (id_equal(&chunk->terminal, &x->ticket.terminal))
		*presence = PRESENCE_OURS;
	else
		*presence = PRESENCE_OTHERS;
	return st == STATUS_NOT_FOUND ? STATUS_OK : st;
}

static enum status fill_presence(struct store *self, struct exchange *x,
    struct slice ids, uint8_t *presence, uint8_t *pages)
{
	const struct id *account = &x->ticket.account;
	struct chunk_id id;
	struct chunk chunk;
	size_t any_damage = 0;
	enum status st =
	    health_db_damages_count(self->db, account, 1, &any_damage);

	if (st != STATUS_OK)
		return store_read_failed(x, st);
	for (size_t i = 0; i < ids.len / CHUNK_ID_BYTES; i++) {
		memcpy(id.bytes, ids.data + i * CHUNK_ID_BYTES, CHUNK_ID_BYTES);
		st = store_db_chunk(self->db, account, &id, &chunk);
		if (st == STATUS_NOT_FOUND)
			continue;
		if (st == STATUS_MALFORMED) {
			store_found_damage(
			    self, account, &id, NULL, DAMAGE_ROW);
			presence[i] = PRESENCE_DAMAGED;
			continue;
		}
		if (st == STATUS_OK)
			st = presence_of(
			    self, x, &id, &chunk, any_damage > 0, &presence[i]);
		if (st != STATUS_OK)
			return store_read_failed(x, st);
		pages[i] = (uint8_t)((chunk.sealed_bytes + PAGE_HEAD_BYTES) /
				     PAGE_BYTES);
	}
	return STATUS_OK;
}

enum status store_on_have(void *state, struct exchange *x)
{
	struct store *self = state;
	Store__Have *msg = NULL;
	Store__Presence reply = STORE__PRESENCE__INIT;
	uint8_t presence[HAVE_IDS_MAX] = { PRESENCE_ABSENT },
		pages[HAVE_IDS_MAX] = { 0 };
	struct lease lease;

	enum status st = exchange_unpack(x, &store__have__descriptor, &msg);
	if (st != STATUS_OK)
		return st;
	size_t len = msg->chunk_ids.len;
	if (len == 0 || len % CHUNK_ID_BYTES != 0 ||
	    len > HAVE_IDS_MAX * CHUNK_ID_BYTES)
		return store_refuse_length(
		    x, "chunk_ids", len, "32 for each of 1 to 1000 ids");
	st = store_check_lease(self, x, msg->lease_id, &lease);
	if (st == STATUS_OK)
		st = fill_presence(
		    self, x, field_slice(msg->chunk_ids), presence, pages);
	if (st != STATUS_OK)
		return st;
	reply.presence = field_of(slice_of(presence, len / CHUNK_ID_BYTES));
	reply.pages = field_of(slice_of(pages, len / CHUNK_ID_BYTES));
	return exchange_reply(x, &reply.base);
}

/* ---- SNAPSHOTS ---- */

void store_fill_snapshot(Store__Snapshot *out, const struct snapshot *from)
{
	*out = (Store__Snapshot)STORE__SNAPSHOT__INIT;
	out->ordinal = from->ordinal;
	out->taken_ms = from->taken_ms;
	out->terminal_id = field_of(slice_of(from->terminal.bytes, ID_BYTES));
	out->root_id = field_of(slice_of(from->root.bytes, CHUNK_ID_BYTES));
	out->chunks = from->data_chunks;
	out->sealed_bytes = from->data_bytes;
	out->sealed_key = field_of(from->sealed_key);
	out->sealed_summary = field_of(from->sealed_summary);
}

/* Tag and length of one entry: the length has at most three bytes. */
#define ENTRY_HEAD_BYTES 4
#define MORE_BYTES       2

static enum status list_snapshots(
    struct exchange *x, const struct db_page *page, bool damaged)
{
	Store__SnapshotList reply = STORE__SNAPSHOT_LIST__INIT;
	Store__Snapshot items[SNAPSHOTS_A_PAGE];
	Store__Snapshot *pointers[SNAPSHOTS_A_PAGE];
	size_t bytes = 2 * MORE_BYTES;
	struct snapshot snapshots[SNAPSHOTS_A_PAGE];

	assert(page->count <= SNAPSHOTS_A_PAGE);
	reply.snapshots = pointers;
	reply.more = page->more;
	reply.damaged = damaged;
	for (size_t i = 0; i < page->count; i++) {
		const struct db_entry *entry = &page->entries[i];
		enum status st = store_db_snapshot_unpack(
		    &snapshots[i], entry->key, entry->value);
		if (st != STATUS_OK)
			return store_read_failed(x, st);
		store_fill_snapshot(&items[i], &snapshots[i]);
		bytes += ENTRY_HEAD_BYTES +
			 store__snapshot__get_packed_size(&items[i]);
		if (bytes > BODY_BYTES_MAX) {
			reply.more = true;
			break;
		}
		pointers[i] = &items[i];
		reply.n_snapshots++;
	}
	return exchange_reply(x, &reply.base);
}

enum status store_on_snapshots(void *state, struct exchange *x)
{
	struct store *self = state;
	Store__SnapshotQuery *msg = NULL;
	struct db_page page = { 0 };
	size_t damaged = 0;

	enum status st =
	    exchange_unpack(x, &store__snapshot_query__descriptor, &msg);
	if (st != STATUS_OK)
		return st;
	st = store_db_snapshots(
	    self->db, &x->ticket.account, msg->after, SNAPSHOTS_A_PAGE, &page);
	if (st == STATUS_OK)
		st = health_db_damages_count(
		    self->db, &x->ticket.account, 1, &damaged);
	if (st == STATUS_OK)
		st = list_snapshots(x, &page, damaged > 0);
	else
		st = store_read_failed(x, st);
	db_page_clear(&page);
	return st;
}

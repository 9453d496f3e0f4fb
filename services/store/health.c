#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "ops.pb-c.h"
#include "service/listing.h"
#include "store.h"
#include "touch.h"

/* What is damaged, for owners and operators; scrubs; drills. */

#define ORDINAL_BYTES    8
#define ORDINALS_A_REPLY 4096
#define CHUNKS_TOLD_MAX  1000
#define DAMAGES_A_PAGE   64
#define ACCOUNTS_A_PAGE  1000 /* looked at, with damage or without */
#define ACCOUNTS_A_STEP  64
#define TOUCH_RETRY_MS   500

/* ---- a question for which snapshots are walked ---- */

struct asking {
	struct store *store;
	struct id account;
	uint64_t after;      /* ordinals above this */
	bool starting;       /* in touch_start: the handler ends it */
	enum status decided; /* then this is what it came to */
	uint64_t *ordinals;  /* owned */
	size_t count;
	/* Make the answer. */
	enum status (*answer)(struct exchange *x, struct asking *asking);
};

static void asking_end(struct exchange *x)
{
	struct asking *asking = x->parked;

	free(asking->ordinals);
	free(asking);
	x->parked = NULL;
}

static void on_touched(
    void *arg, enum status st, const uint64_t *ordinals, size_t count)
{
	struct exchange *x = arg;
	struct asking *asking = x->parked;

	if (st == STATUS_OK) {
		asking->ordinals = calloc(count + 1, sizeof(*ordinals));
		if (!asking->ordinals)
			st = STATUS_NO_SPACE;
	}
	if (st == STATUS_OK) {
		memcpy(asking->ordinals, ordinals, count * sizeof(*ordinals));
		asking->count = count;
		st = asking->answer(x, asking);
	} else {
		st = store_read_failed(x, st);
	}
	if (st == STATUS_BUSY)
		exchange_retry(x, st, TOUCH_RETRY_MS, "too many reads at once");
	asking->decided = st;
	if (asking->starting)
		return;
	asking_end(x);
	exchange_finish(&x, st);
}

/* Find the snapshots of ${account} that its damage touches, and answer. */
static enum status ask_touched(struct store *self, struct exchange *x,
    const struct id *account, uint64_t after,
    enum status (*answer)(struct exchange *x, struct asking *asking))
{
	struct asking *asking = calloc(1, sizeof(*asking));
	size_t damaged = 0;

	if (!asking)
		return STATUS_NO_SPACE;
	*asking = (struct asking){ .store = self,
		.account = *account,
		.after = after,
		.starting = true,
		.answer = answer };
	x->parked = asking;
	enum status st =
	    health_db_damages_count(self->db, account, 1, &damaged);
	if (st == STATUS_OK && damaged == 0)
		st = answer(x, asking);
	else if (st == STATUS_OK)
		st = touch_start(self->db, account, on_touched, x);
	if (st == STATUS_OK && damaged > 0)
		st = asking->decided;
	asking->starting = false;
	if (st == STATUS_BUSY)
		exchange_retry(x, st, TOUCH_RETRY_MS, "too many reads at once");
	if (st != STATUS_PENDING)
		asking_end(x);
	return st;
}

/* ---- DAMAGE: the owner asks ---- */

static enum status answer_owner(struct exchange *x, struct asking *asking)
{
	Store__DamageList reply = STORE__DAMAGE_LIST__INIT;
	size_t chunks = 0, first = 0;
	enum status st = health_db_damages_count(
	    asking->store->db, &asking->account, CHUNKS_TOLD_MAX, &chunks);

	if (st != STATUS_OK)
		return store_read_failed(x, st);
	while (
	    first < asking->count && asking->ordinals[first] <= asking->after)
		first++;
	reply.chunks = (uint32_t)chunks;
	reply.n_ordinals =
	    min_of(asking->count - first, (size_t)ORDINALS_A_REPLY);
	reply.ordinals = asking->ordinals + first;
	reply.more = first + reply.n_ordinals < asking->count;
	return exchange_reply(x, &reply.base);
}

enum status store_on_damage(void *state, struct exchange *x)
{
	Store__DamageQuery *msg;
	enum status st =
	    exchange_unpack(x, &store__damage_query__descriptor, &msg);

	if (st != STATUS_OK)
		return st;
	return ask_touched(
	    state, x, &x->ticket.account, msg->after, answer_owner);
}

/* ---- DAMAGE: keepsakectl asks ---- */

static bool list_one(struct store *self, struct listing *listing,
    const struct db_entry *entry, const struct damage *damage)
{
	struct chunk_id id;
	struct chunk chunk;

	memcpy(id.bytes, entry->key.data, CHUNK_ID_BYTES);
	enum status st =
	    store_db_chunk(self->db, &listing->account, &id, &chunk);
	if (st == STATUS_NOT_FOUND && damage->kind != DAMAGE_LIST)
		return true; /* gone, with what referred to it */
	listing_row(listing, "damaged_chunk");
	listing_id(listing, "account", &listing->account);
	listing_data(listing, "chunk", entry->key);
	listing_text(listing, "what", damage_word(damage->kind));
	listing_time(listing, "found", damage->found_ms);
	if (st == STATUS_OK)
		listing_number(listing, "bytes", chunk.sealed_bytes);
	else
		listing_nothing(listing, "bytes");
	if (st == STATUS_OK)
		listing_flag(listing, "node", chunk.node);
	else
		listing_nothing(listing, "node");
	return listing_row_end(listing, entry->key);
}

static enum status list_chunks(
    void *state, struct listing *listing, struct slice after)
{
	const struct asking *asking = state;
	struct store *self = asking->store;
	struct db_page page = { 0 };
	struct chunk_id last;
	struct damage damage;
	enum status st;

	if (after.len > 0 && after.len != CHUNK_ID_BYTES)
		return listing_refuse_place(listing);
	do {
		st = health_db_damages(
		    self->db, &listing->account, after, DAMAGES_A_PAGE, &page);
		for (size_t i = 0; i < page.count && st == STATUS_OK; i++) {
			const struct db_entry *entry = &page.entries[i];
			if (entry->key.len != CHUNK_ID_BYTES)
				st = STATUS_MALFORMED;
			if (st == STATUS_OK)
				st = health_db_damage_unpack(
				    &damage, entry->value);
			if (st != STATUS_OK ||
			    !list_one(self, listing, entry, &damage))
				break;
			memcpy(last.bytes, entry->key.data, CHUNK_ID_BYTES);
			after = slice_of(last.bytes, CHUNK_ID_BYTES);
		}
	} while (st == STATUS_OK && page.more && !listing->full &&
		 listing->status == STATUS_OK);
	db_page_clear(&page);
	return st;
}

/* The snapshots that were found; their times are for people. */
static enum status list_touched(
    void *state, struct listing *listing, struct slice after)
{
	const struct asking *asking = state;
	struct db_page page = { 0 };
	struct snapshot snapshot;
	uint8_t place[ORDINAL_BYTES];
	uint64_t behind = 0;
	enum status st = STATUS_OK;

	if (after.len > 0 && after.len != ORDINAL_BYTES)
		return listing_refuse_place(listing);
	if (after.len > 0)
		behind = get_be64(after.data);
	for (size_t i = 0; i < asking->count && st == STATUS_OK; i++) {
		uint64_t ordinal = asking->ordinals[i];
		if (ordinal <= behind)
			continue;
		st = store_db_snapshots(asking->store->db, &listing->account,
		    ordinal - 1, 1, &page);
		if (st == STATUS_OK && page.count == 1)
			st = store_db_snapshot_unpack(&snapshot,
			    page.entries[0].key, page.entries[0].value);
		if (st != STATUS_OK || page.count == 0 ||
		    snapshot.ordinal != ordinal)
			continue;
		put_be64(place, ordinal);
		listing_row(listing, "damaged_snapshot");
		listing_id(listing, "account", &listing->account);
		listing_number(listing, "ordinal", ordinal);
		listing_time(listing, "taken", snapshot.taken_ms);
		listing_id(listing, "terminal", &snapshot.terminal);
		if (!listing_row_end(listing, slice_of(place, sizeof(place))))
			break;
	}
	db_page_clear(&page);
	return st;
}

static enum status answer_operator(struct exchange *x, struct asking *asking)
{
	static listing_part_fn *const parts[] = { list_chunks, list_touched };

	return listing_answer(asking, x, parts, nitems(parts), true);
}

/* Accounts that have damage: how much, and since when. */
static enum status list_account(
    struct store *self, struct listing *listing, const struct id *account)
{
	struct db_page page = { 0 };
	struct damage damage, first = { 0 };
	enum status st = health_db_damages(
	    self->db, account, (struct slice){ 0 }, DB_PAGE_ENTRIES_MAX, &page);

	for (size_t i = 0; i < page.count && st == STATUS_OK; i++) {
		st = health_db_damage_unpack(&damage, page.entries[i].value);
		if (st == STATUS_OK &&
		    (i == 0 || damage.found_ms < first.found_ms))
			first = damage;
	}
	if (st == STATUS_OK && page.count > 0) {
		listing_row(listing, "damaged_account");
		listing_id(listing, "account", account);
		listing_number(listing, "chunks", page.count);
		listing_flag(listing, "more", page.more);
		listing_time(listing, "first_found", first.found_ms);
		listing_row_end(listing, slice_of(account->bytes, ID_BYTES));
	}
	db_page_clear(&page);
	return st;
}

static enum status list_accounts(
    void *state, struct listing *listing, struct slice after)
{
	struct store *self = state;
	struct db_account accounts[ACCOUNTS_A_STEP];
	struct id last = { 0 };
	size_t looked = 0, count;
	enum status st;

	if (after.len > 0 && id_from(&last, after) != STATUS_OK)
		return listing_refuse_place(listing);
	do {
		st = db_accounts(self->db, id_is_none(&last) ? NULL : &last,
		    accounts, nitems(accounts), &count);
		for (size_t i = 0; i < count && st == STATUS_OK; i++) {
			if (!accounts[i].removed)
				st = list_account(
				    self, listing, &accounts[i].id);
			if (listing->full || listing->status != STATUS_OK)
				return st;
			last = accounts[i].id;
		}
		looked += count;
		if (st == STATUS_OK && looked >= ACCOUNTS_A_PAGE &&
		    count == nitems(accounts)) {
			listing_pause(listing, slice_of(last.bytes, ID_BYTES));
			break;
		}
	} while (st == STATUS_OK && count == nitems(accounts));
	return st;
}

enum status store_on_damage_list(void *state, struct exchange *x)
{
	static listing_part_fn *const parts[] = { list_accounts };
	struct store *self = state;
	Ops__ListQuery *message;
	struct id account;

	enum status st =
	    exchange_unpack(x, &ops__list_query__descriptor, &message);
	if (st != STATUS_OK)
		return st;
	if (message->account_id.len == 0)
		return listing_answer(self, x, parts, nitems(parts), false);
	if (id_from(&account, field_slice(message->account_id)) != STATUS_OK)
		return exchange_refuse(
		    x, STATUS_MALFORMED, "account_id: not 16 bytes");
	return ask_touched(self, x, &account, 0, answer_operator);
}

/* ---- SCRUB ---- */

static void time_or_nothing(
    struct listing *listing, const char *name, uint64_t when_ms)
{
	if (when_ms > 0)
		listing_time(listing, name, when_ms);
	else
		listing_nothing(listing, name);
}

static void list_pass(struct listing *listing, const struct scrub_place *place)
{
	listing_row(listing, "pass");
	listing_text(listing, "state",
	    place->over  ? "done"
	    : place->now ? "now"
			 : "going");
	time_or_nothing(listing, "begun", place->begun_ms);
	listing_number(listing, "chunks", place->chunks);
	listing_number(listing, "bytes", place->bytes);
	listing_number(listing, "damaged", place->damaged);
	listing_number(listing, "chunks_before", place->last_chunks);
	time_or_nothing(listing, "last_whole_pass", place->finished_ms);
	listing_row_end(listing, (struct slice){ 0 });
}

static void list_job(struct listing *listing, const struct scrub_job *job)
{
	listing_row(listing, "account");
	listing_id(listing, "account", &job->account);
	listing_text(listing, "state", job->over ? "done" : "now");
	listing_time(listing, "begun", job->begun_ms);
	listing_number(listing, "chunks", job->chunks);
	listing_number(listing, "bytes", job->bytes);
	listing_number(listing, "damaged", job->damaged);
	time_or_nothing(listing, "finished", job->finished_ms);
	listing_row_end(listing, (struct slice){ 0 });
}

static enum status list_scrub(
    void *state, struct listing *listing, struct slice after)
{
	const struct store *self = state;
	const struct scrub_job *job = scrub_job(self->scrub);

	if (after.len > 0)
		return listing_refuse_place(listing);
	list_pass(listing, scrub_place(self->scrub));
	if (!id_is_none(&job->account))
		list_job(listing, job);
	return STATUS_OK;
}

enum status store_on_scrub(void *state, struct exchange *x)
{
	static listing_part_fn *const parts[] = { list_scrub };
	struct store *self = state;
	Ops__ScrubQuery *message;
	struct db_account found;
	struct id account;

	enum status st =
	    exchange_unpack(x, &ops__scrub_query__descriptor, &message);
	if (st != STATUS_OK)
		return st;
	if (!message->start)
		return listing_answer(self, x, parts, nitems(parts), false);
	if (message->account_id.len == 0) {
		scrub_now(self->scrub);
		return listing_answer(self, x, parts, nitems(parts), false);
	}
	if (id_from(&account, field_slice(message->account_id)) != STATUS_OK)
		return exchange_refuse(
		    x, STATUS_MALFORMED, "account_id: not 16 bytes");
	st = db_account_get(self->db, &account, &found);
	if (st == STATUS_NOT_FOUND || (st == STATUS_OK && found.removed))
		return exchange_refuse(x, STATUS_NOT_FOUND,
		    "the store has nothing of this account");
	if (st == STATUS_OK)
		st = scrub_account(self->scrub, &account);
	if (st == STATUS_BUSY)
		return exchange_refuse(x, STATUS_CONFLICT,
		    "another account is being read: keepsakectl scrub "
		    "--status says how far that is");
	if (st != STATUS_OK)
		return store_read_failed(x, st);
	return listing_answer(self, x, parts, nitems(parts), false);
}

/* ---- DRILL ---- */

enum status store_list_drill(
    void *state, struct listing *listing, struct slice after)
{
	const struct store *self = state;
	struct drill drill;

	if (after.len > 0)
		return listing_refuse_place(listing);
	enum status st = health_db_drill(self->db, &listing->account, &drill);
	if (st == STATUS_NOT_FOUND)
		return STATUS_OK;
	if (st != STATUS_OK)
		return st;
	listing_row(listing, "drill");
	listing_time(listing, "when", drill.when_ms);
	listing_id(listing, "terminal", &drill.terminal);
	listing_number(listing, "snapshot", drill.ordinal);
	listing_number(listing, "files", drill.files);
	listing_number(listing, "failed", drill.failed);
	listing_row_end(listing, (struct slice){ 0 });
	return STATUS_OK;
}

static enum status drill_decided(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op)
{
	(void)generation;
	(void)failed_op;
	(void)x;
	return st;
}

enum status store_on_drill(void *state, struct exchange *x)
{
	struct store *self = state;
	Store__Drill *msg;
	enum status st = exchange_unpack(x, &store__drill__descriptor, &msg);

	if (st != STATUS_OK)
		return st;
	if (msg->files == 0 || msg->failed > msg->files)
		return exchange_refuse(x, STATUS_MALFORMED,
		    "failed: %llu of %llu files",
		    (unsigned long long)msg->failed,
		    (unsigned long long)msg->files);
	const struct drill drill = { .when_ms = clock_wall_ms(),
		.terminal = x->ticket.terminal,
		.ordinal = msg->ordinal,
		.files = msg->files,
		.failed = msg->failed };
	self->counts.drills++;
	self->counts.drills_failed += msg->failed > 0;
	self->counts.last_drill_ms = drill.when_ms;
	struct db_batch *batch =
	    db_batch_new(&x->ticket.account, DB_GENERATION_ANY, NULL);
	health_db_put_drill(batch, &drill);
	return exchange_commit(x, &batch, drill_decided);
}

#include "scrub.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "chunk.h"

#define CHUNKS_A_PAGE   32
#define SAVE_EVERY_MS   10000
#define PAUSE_MS        1     /* between two chunks, at least */
#define PAUSE_MS_MAX    60000 /* at most, however few there are */
#define PAUSE_MS_FIRST  100   /* while it is not known how many there are */
#define TROUBLE_MS      1000  /* the database cannot be read now */
#define ACCOUNTS_A_STEP 64
/* A pass is planned to take so much of scrub_ms, for what is added. */
#define PLAN_PARTS 8
#define PLAN_OF    10

struct scrub {
	struct service *service;
	struct damages *damages;
	uint64_t scrub_ms;
	struct timer timer;
	struct scrub_place place; /* of the pass; durable */
	struct scrub_job job;
	uint64_t saved_at_ms; /* on clock_interval_ms */

	/* The account at hand: that of the job, or of the pass. */
	struct id account;
	bool of_job;
	bool has_last;
	struct chunk_id last; /* read, or found damaged */
	bool has_damage;      /* rows of it, when it was begun */
	struct db_page page;
	size_t next; /* of the page */
	/* The chunk at hand. */
	struct finding finding;
	struct chunk chunk;
};

static void run(struct scrub *self);

static void go_on_in(struct scrub *self, uint64_t ms)
{
	loop_timer_set(self->service->program.loop, &self->timer, ms);
}

static void save(struct scrub *self)
{
	if (self->place.begun_ms == 0)
		return;
	health_db_put_scrub(self->service->db, &self->place);
	self->saved_at_ms = clock_interval_ms();
}

/* ---- the pace ---- */

/* When the pass is to be over, wall time. */
static uint64_t planned_end(const struct scrub *self)
{
	return self->place.begun_ms + self->scrub_ms / PLAN_OF * PLAN_PARTS;
}

/* How long to wait for the next chunk. */
static uint64_t pause_ms(const struct scrub *self)
{
	const struct scrub_place *place = &self->place;
	uint64_t now = clock_wall_ms(), end = planned_end(self);

	if (self->of_job || place->now || now >= end)
		return PAUSE_MS;
	if (place->last_chunks == 0)
		return max_of(min_of(PAUSE_MS_FIRST, self->scrub_ms / 1000),
		    (uint64_t)PAUSE_MS);
	/* More than there were: it goes on at the same pace. */
	uint64_t left = place->last_chunks > place->chunks
			    ? place->last_chunks - place->chunks
			    : 1;
	return max_of(
	    min_of((end - now) / left, PAUSE_MS_MAX), (uint64_t)PAUSE_MS);
}

/* ---- passes, jobs and accounts ---- */

static void place_begin(struct scrub *self, bool now)
{
	self->place = (struct scrub_place){
		.begun_ms = clock_wall_ms(),
		.finished_ms = self->place.finished_ms,
		.last_chunks = self->place.last_chunks,
		.now = now,
	};
	save(self);
}

static void pass_end(struct scrub *self)
{
	struct scrub_place *place = &self->place;

	place->over = true;
	place->now = false;
	place->account = (struct id){ 0 };
	place->has_chunk = false;
	place->last_chunks = place->chunks;
	place->finished_ms = clock_wall_ms();
	save(self);
	log_info(NULL, "scrub_finished", "chunks=%llu bytes=%llu damaged=%llu",
	    (unsigned long long)place->chunks, (unsigned long long)place->bytes,
	    (unsigned long long)place->damaged);
	damages_changed(self->damages);
}

static void account_end(struct scrub *self)
{
	db_page_clear(&self->page);
	self->next = 0;
	if (!self->of_job) {
		self->place.has_chunk = false;
		self->account = (struct id){ 0 };
		return;
	}
	self->job.over = true;
	self->job.finished_ms = clock_wall_ms();
	self->of_job = false;
	self->account = (struct id){ 0 };
	damages_changed(self->damages);
}

/*
 * Records of chunks that are no more: deleted with what referred to them.
 * One page: what is behind it is looked at the next time.
 */
static void forget_gone(struct scrub *self)
{
	struct db *db = self->service->db;
	struct db_page page = { 0 };
	struct chunk_id id;
	struct bytes row = { 0 };
	enum status st = health_db_damages(
	    db, &self->account, (struct slice){ 0 }, CHUNKS_A_PAGE, &page);

	self->has_damage = st == STATUS_OK && page.count > 0;
	for (size_t i = 0; st == STATUS_OK && i < page.count; i++) {
		if (page.entries[i].key.len != CHUNK_ID_BYTES)
			continue;
		memcpy(id.bytes, page.entries[i].key.data, CHUNK_ID_BYTES);
		if (store_db_chunk_row(db, &self->account, &id, &row) !=
		    STATUS_NOT_FOUND)
			continue;
		struct db_batch *batch =
		    db_batch_new(&self->account, DB_GENERATION_ANY, NULL);
		store_db_forbid_chunk(batch, &id);
		health_db_delete_damage(
		    batch, slice_of(id.bytes, CHUNK_ID_BYTES));
		db_submit(db, &batch, NULL, NULL);
		db_batch_destroy(&batch);
		damages_changed(self->damages);
	}
	bytes_clear(&row);
	db_page_clear(&page);
}

static void account_begin(struct scrub *self, const struct id *account)
{
	self->account = *account;
	self->has_last = false;
	self->next = 0;
	self->page.count = 0;
	self->page.more = true;
	if (!self->of_job && self->place.has_chunk) {
		self->has_last = true; /* after a restart, or a job */
		self->last = self->place.chunk;
	}
	forget_gone(self);
}

/* The account that the pass is in, or the next one; false: none at once. */
static bool pass_account(struct scrub *self)
{
	struct db_account accounts[ACCOUNTS_A_STEP];
	struct scrub_place *place = &self->place;
	size_t count = 0;

	if (place->has_chunk) {
		account_begin(self, &place->account);
		return true;
	}
	enum status st = db_accounts(self->service->db,
	    id_is_none(&place->account) ? NULL : &place->account, accounts,
	    nitems(accounts), &count);
	if (st != STATUS_OK) {
		go_on_in(self, TROUBLE_MS);
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		place->account = accounts[i].id;
		if (accounts[i].removed ||
		    orders_deleted(self->service->orders, &accounts[i].id))
			continue;
		account_begin(self, &accounts[i].id);
		return true;
	}
	if (count < nitems(accounts))
		pass_end(self);
	go_on_in(self, PAUSE_MS);
	return false;
}

/* Leave the account at hand; the pass goes on behind its last chunk. */
static void put_by(struct scrub *self)
{
	if (!id_is_none(&self->account) && !self->place.has_chunk) {
		self->place.has_chunk = true; /* behind none of them */
		self->place.chunk = (struct chunk_id){ 0 };
	}
	db_page_clear(&self->page);
	self->next = 0;
	self->account = (struct id){ 0 };
}

/* See to it that there is an account at hand; false: go on later. */
static bool find_account(struct scrub *self)
{
	struct scrub_place *place = &self->place;
	uint64_t now = clock_wall_ms();

	bool job = !id_is_none(&self->job.account) && !self->job.over;
	if (job && !self->of_job)
		put_by(self);
	if (!id_is_none(&self->account))
		return true;
	if (job) {
		self->of_job = true;
		account_begin(self, &self->job.account);
		return true;
	}
	if (place->begun_ms == 0) {
		place_begin(self, false);
	} else if (place->over) {
		uint64_t due = planned_end(self);
		if (now < due) {
			go_on_in(self, min_of(due - now, PAUSE_MS_MAX));
			return false;
		}
		place_begin(self, false);
	}
	return pass_account(self);
}

/* ---- chunks ---- */

/* The chunk at hand is done. */
static void count_chunk(struct scrub *self, bool damaged)
{
	size_t bytes = store_db_blob_bytes(&self->chunk);

	if (id_is_none(&self->account))
		return; /* another pass was begun meanwhile */
	self->has_last = true;
	self->last = self->finding.chunk;
	if (self->of_job) {
		self->job.chunks++;
		self->job.bytes += damaged ? 0 : bytes;
		self->job.damaged += damaged;
		return;
	}
	self->place.chunks++;
	self->place.bytes += damaged ? 0 : bytes;
	self->place.damaged += damaged;
	self->place.account = self->account;
	self->place.has_chunk = true;
	self->place.chunk = self->last;
	if (clock_interval_ms() - self->saved_at_ms >= SAVE_EVERY_MS)
		save(self);
}

static void on_damage_kept(void *arg, enum status st)
{
	struct scrub *self = arg;

	if (st == STATUS_UNAVAILABLE || st == STATUS_BUSY) {
		go_on_in(self, TROUBLE_MS); /* this one again */
		return;
	}
	count_chunk(self, st != STATUS_NOT_FOUND);
	self->next++;
	go_on_in(self, pause_ms(self));
}

static void found(struct scrub *self, enum damage_kind kind)
{
	self->finding.kind = kind;
	damages_found(self->damages, &self->finding, on_damage_kept, self);
}

/* It is whole: also where it was not, once. */
static void is_whole(struct scrub *self)
{
	struct db *db = self->service->db;
	struct damage damage;

	const struct id *account = &self->finding.account;
	if (self->has_damage &&
	    health_db_damage(db, account, &self->finding.chunk, &damage) ==
		STATUS_OK) {
		struct db_batch *batch =
		    db_batch_new(account, DB_GENERATION_ANY, NULL);
		store_db_expect_chunk(batch, &self->finding.chunk,
		    slice_of(self->finding.row, CHUNK_VALUE_BYTES));
		health_db_delete_damage(
		    batch, slice_of(self->finding.chunk.bytes, CHUNK_ID_BYTES));
		db_submit(db, &batch, NULL, NULL);
		db_batch_destroy(&batch);
		damages_changed(self->damages);
	}
	count_chunk(self, false);
	self->next++;
	go_on_in(self, pause_ms(self));
}

static void on_blob(void *arg, enum status st, uint8_t *data, size_t len)
{
	struct scrub *self = arg;

	switch (st) {
	case STATUS_OK:
		if (chunk_is_whole(&self->chunk, slice_of(data, len)))
			is_whole(self);
		else
			found(self, DAMAGE_CHANGED);
		break;
	case STATUS_NOT_FOUND:
		found(self, DAMAGE_MISSING);
		break;
	case STATUS_MALFORMED:
		found(self, DAMAGE_UNREADABLE);
		break;
	default: /* no memory, or the map is gone: this one again */
		go_on_in(self, TROUBLE_MS);
		break;
	}
	free(data);
}

/* Get the next page of the account's chunks; false: there is none. */
static bool next_page(struct scrub *self)
{
	struct slice after = { 0 };

	if (!self->page.more) {
		account_end(self);
		go_on_in(self, PAUSE_MS);
		return false;
	}
	if (self->has_last)
		after = slice_of(self->last.bytes, CHUNK_ID_BYTES);
	enum status st = store_db_chunks(self->service->db, &self->account,
	    after, CHUNKS_A_PAGE, &self->page);
	self->next = 0;
	if (st == STATUS_OK)
		return true;
	self->page.count = 0;
	if (st == STATUS_MALFORMED) {
		/* Nothing behind it can be listed: the next account. */
		self->page.more = false;
		self->chunk = (struct chunk){ 0 };
		self->finding = (struct finding){ .account = self->account };
		found(self, DAMAGE_LIST);
	} else {
		go_on_in(self, TROUBLE_MS);
	}
	return false;
}

static void read_chunk(struct scrub *self, const struct db_entry *entry)
{
	self->finding = (struct finding){ .account = self->account };
	if (entry->key.len == CHUNK_ID_BYTES)
		memcpy(
		    self->finding.chunk.bytes, entry->key.data, CHUNK_ID_BYTES);
	if (entry->key.len != CHUNK_ID_BYTES ||
	    store_db_chunk_unpack(&self->chunk, entry->value) != STATUS_OK) {
		self->chunk = (struct chunk){ 0 };
		found(self, DAMAGE_ROW);
		return;
	}
	memcpy(self->finding.row, entry->value.data, CHUNK_VALUE_BYTES);
	enum status st = db_blob_read(self->service->db, &self->account,
	    self->chunk.sequence, on_blob, self);
	if (st != STATUS_PENDING) /* restores have all the reads */
		go_on_in(self, st == STATUS_BUSY ? PAUSE_MS : TROUBLE_MS);
}

static void run(struct scrub *self)
{
	if (!find_account(self))
		return;
	if (orders_deleted(self->service->orders, &self->account)) {
		account_end(self);
		go_on_in(self, PAUSE_MS);
		return;
	}
	if (self->next >= self->page.count && !next_page(self))
		return;
	if (self->next < self->page.count)
		read_chunk(self, &self->page.entries[self->next]);
	else
		go_on_in(self, PAUSE_MS);
}

static void on_timer(void *arg)
{
	run(arg);
}

/* ---- from outside ---- */

const struct scrub_place *scrub_place(const struct scrub *self)
{
	return &self->place;
}

const struct scrub_job *scrub_job(const struct scrub *self)
{
	return &self->job;
}

/* Whether a read or a record is under way, which goes on by itself. */
static bool is_waiting(const struct scrub *self)
{
	return !self->timer.is_set;
}

void scrub_now(struct scrub *self)
{
	if (self->place.now && !self->place.over)
		return;
	place_begin(self, true);
	if (!self->of_job) {
		db_page_clear(&self->page);
		self->next = 0;
		self->account = (struct id){ 0 };
	}
	if (!is_waiting(self))
		go_on_in(self, PAUSE_MS);
}

enum status scrub_account(struct scrub *self, const struct id *account)
{
	struct scrub_job *job = &self->job;

	if (!id_is_none(&job->account) && !job->over)
		return id_equal(&job->account, account) ? STATUS_OK
							: STATUS_BUSY;
	*job = (struct scrub_job){
		.account = *account,
		.begun_ms = clock_wall_ms(),
	};
	if (!is_waiting(self))
		go_on_in(self, PAUSE_MS);
	return STATUS_OK;
}

/* ---- life ---- */

enum status scrub_new(struct service *service, struct damages *damages,
    uint64_t scrub_ms, struct scrub **out)
{
	struct scrub *self = calloc(1, sizeof(*self));

	if (!self)
		return STATUS_NO_SPACE;
	self->service = service;
	self->damages = damages;
	self->scrub_ms = scrub_ms;
	self->timer = (struct timer){ .fired = on_timer, .arg = self };
	if (health_db_scrub(service->db, &self->place) != STATUS_OK) {
		log_warning(NULL, "scrub_place_lost", "again=1");
		self->place = (struct scrub_place){ 0 };
	}
	self->saved_at_ms = clock_interval_ms();
	go_on_in(self, PAUSE_MS_FIRST);
	*out = self;
	return STATUS_OK;
}

void scrub_destroy(struct scrub **self_p)
{
	struct scrub *self = *self_p;

	if (!self)
		return;
	loop_timer_cancel(self->service->program.loop, &self->timer);
	db_page_clear(&self->page);
	free(self);
	*self_p = NULL;
}

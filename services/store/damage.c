#include "damage.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "service/draft.h"

#define TOLD_PAUSE_MS  (24ull * 3600 * 1000)
#define TRIES_MAX      3
#define SLICE_ACCOUNTS 64 /* looked at in one go */
#define PAUSE_MS       2
#define COUNT_SOON_MS  100
#define COUNT_EVERY_MS (3600 * 1000)

struct damages {
	struct service *service;
	struct timer timer;
	struct damage_counts counts;
	/* The count under way. */
	struct id last_account;
	uint64_t chunks, accounts;
	bool again; /* something changed meanwhile */
	bool counting;
};

/* ---- counting ---- */

static void count_account(struct damages *self, const struct id *account)
{
	struct db_page page = { 0 };
	struct slice after = { 0 };
	struct chunk_id last;
	uint64_t chunks = 0;
	enum status st;

	do {
		st = health_db_damages(self->service->db, account, after,
		    DB_PAGE_ENTRIES_MAX, &page);
		if (st != STATUS_OK || page.count == 0)
			break;
		chunks += page.count;
		const struct db_entry *end = &page.entries[page.count - 1];
		if (end->key.len != CHUNK_ID_BYTES)
			break;
		memcpy(last.bytes, end->key.data, CHUNK_ID_BYTES);
		after = slice_of(last.bytes, CHUNK_ID_BYTES);
	} while (page.more);
	db_page_clear(&page);
	self->chunks += chunks;
	self->accounts += chunks > 0;
}

static void count_end(struct damages *self)
{
	self->counting = false;
	self->counts.chunks = self->chunks;
	self->counts.accounts = self->accounts;
	loop_timer_set(self->service->program.loop, &self->timer,
	    self->again ? COUNT_SOON_MS : COUNT_EVERY_MS);
}

static void on_timer(void *arg)
{
	struct damages *self = arg;
	struct db_account accounts[SLICE_ACCOUNTS];
	size_t count = 0;

	if (!self->counting) {
		self->counting = true;
		self->again = false;
		self->last_account = (struct id){ 0 };
		self->chunks = self->accounts = 0;
	}
	enum status st = db_accounts(self->service->db,
	    id_is_none(&self->last_account) ? NULL : &self->last_account,
	    accounts, nitems(accounts), &count);
	for (size_t i = 0; st == STATUS_OK && i < count; i++) {
		if (!accounts[i].removed)
			count_account(self, &accounts[i].id);
		self->last_account = accounts[i].id;
	}
	if (st != STATUS_OK || count < nitems(accounts))
		count_end(self);
	else
		loop_timer_set(
		    self->service->program.loop, &self->timer, PAUSE_MS);
}

void damages_changed(struct damages *self)
{
	if (self->counting)
		self->again = true;
	else
		loop_timer_set(
		    self->service->program.loop, &self->timer, COUNT_SOON_MS);
}

struct damage_counts damages_counts(const struct damages *self)
{
	return self->counts;
}

/* ---- recording ---- */

/* Operations of the batch, in this order. */
enum found_op { FOUND_OP_CHUNK, FOUND_OP_DAMAGE };

/* One that is being recorded. */
struct recording {
	struct damages *damages;
	struct finding finding;
	damage_done_fn *done;
	void *arg;
	bool tells;
	unsigned int tries;
};

static void recording_end(struct recording *recording, enum status st)
{
	struct damages *self = recording->damages;
	char account[HEX_BYTES(ID_BYTES)], chunk[HEX_BYTES(CHUNK_ID_BYTES)];

	hex_encode(
	    account, slice_of(recording->finding.account.bytes, ID_BYTES));
	hex_encode(
	    chunk, slice_of(recording->finding.chunk.bytes, CHUNK_ID_BYTES));
	if (st == STATUS_OK) {
		self->counts.found++;
		log_error(NULL, "damage_found", "account=%s chunk=%s kind=%s",
		    account, chunk, damage_word(recording->finding.kind));
		damages_changed(self);
		if (recording->tells)
			outbox_kick(
			    self->service->outbox, &recording->finding.account);
	} else if (st == STATUS_CONFLICT) {
		st = STATUS_OK; /* known already */
	} else if (st != STATUS_NOT_FOUND) {
		log_error(NULL, "damage_not_recorded",
		    "account=%s chunk=%s kind=%s status=%s", account, chunk,
		    damage_word(recording->finding.kind), status_word(st));
	}
	if (recording->done)
		recording->done(recording->arg, st);
	free(recording);
}

/* Tell the owner, unless that was done for damage that is still there. */
static enum status put_notice(
    struct recording *recording, struct db_batch *batch, uint64_t now_ms)
{
	struct service *service = recording->damages->service;
	const struct id *account = &recording->finding.account;
	struct draft draft;
	uint64_t told_ms = 0;
	size_t known = 0;

	enum status st = health_db_told(service->db, account, &told_ms);
	if (st == STATUS_OK)
		st = health_db_damages_count(
		    service->db, account, DB_PAGE_ENTRIES_MAX, &known);
	if (st != STATUS_OK)
		return st;
	recording->tells =
	    known == 0 || told_ms == 0 || told_ms + TOLD_PAUSE_MS <= now_ms;
	if (!recording->tells)
		return STATUS_OK;
	draft_begin(&draft, NOTIFY__KIND__BACKUP_DAMAGED, NULL);
	draft_add(&draft, "chunks", known + 1);
	health_db_put_told(batch, told_ms, now_ms);
	outbox_put(service->outbox, batch, account, &draft.notice);
	return STATUS_OK;
}

static void on_recorded(
    void *arg, enum status st, uint64_t generation, size_t failed_op);

static enum status recording_submit(struct recording *recording)
{
	struct service *service = recording->damages->service;
	const struct finding *finding = &recording->finding;
	const struct damage damage = { finding->kind, clock_wall_ms() };
	struct db_batch *batch =
	    db_batch_new(&finding->account, DB_GENERATION_ANY, NULL);

	if (finding->kind == DAMAGE_ROW)
		store_db_require_chunk(batch, &finding->chunk);
	else if (finding->kind == DAMAGE_LIST)
		store_db_forbid_chunk(batch, &finding->chunk);
	else
		store_db_expect_chunk(batch, &finding->chunk,
		    slice_of(finding->row, CHUNK_VALUE_BYTES));
	health_db_put_damage(batch, &finding->chunk, &damage);
	enum status st = put_notice(recording, batch, damage.found_ms);
	if (st == STATUS_OK)
		st = db_submit(service->db, &batch, on_recorded, recording);
	db_batch_destroy(&batch);
	return st;
}

static void on_recorded(
    void *arg, enum status st, uint64_t generation, size_t failed_op)
{
	struct recording *recording = arg;

	(void)generation;
	if (st == STATUS_CONFLICT && failed_op == FOUND_OP_CHUNK)
		st = STATUS_NOT_FOUND;
	/* Another one told the owner first. */
	if (st == STATUS_CONFLICT && failed_op != DB_OP_NONE &&
	    failed_op > FOUND_OP_DAMAGE && ++recording->tries < TRIES_MAX)
		st = recording_submit(recording);
	if (st != STATUS_PENDING)
		recording_end(recording, st);
}

void damages_found(struct damages *self, const struct finding *finding,
    damage_done_fn *done, void *arg)
{
	struct recording *recording = calloc(1, sizeof(*recording));

	if (!recording) {
		if (done)
			done(arg, STATUS_NO_SPACE);
		return;
	}
	recording->damages = self;
	recording->finding = *finding;
	recording->done = done;
	recording->arg = arg;
	enum status st = recording_submit(recording);
	if (st != STATUS_PENDING)
		recording_end(recording, st);
}

/* ---- life ---- */

enum status damages_new(struct service *service, struct damages **out)
{
	struct damages *self = calloc(1, sizeof(*self));

	if (!self)
		return STATUS_NO_SPACE;
	self->service = service;
	self->timer = (struct timer){ .fired = on_timer, .arg = self };
	damages_changed(self);
	*out = self;
	return STATUS_OK;
}

void damages_destroy(struct damages **self_p)
{
	struct damages *self = *self_p;

	if (!self)
		return;
	loop_timer_cancel(self->service->program.loop, &self->timer);
	free(self);
	*self_p = NULL;
}

#include "service/audit.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "base/util.h"
#include "service/audit_chain.h"
#include "service/stream.h"
#include "service/tables.h"

#define ACCOUNTS_A_STEP 256
#define SEARCH_RETRY_MS 60000
#define TRACES_MAX      1024 /* a power of two; older ones are forgotten */

/* Which request an event came of: not on record, for the stream alone. */
struct trace {
	struct id event, request;
};

struct audit {
	struct loop *loop;
	struct db *db, *journal;
	struct keyring *keyring;
	struct audit_chain *chain;
	bool connected;
	struct stream *stream;           /* or NULL */
	struct trace traces[TRACES_MAX]; /* by the first bytes of the event */

	struct timer search; /* through all accounts of both, at the start */
	struct db *searching;
	struct id searched; /* the last account looked into */
	bool left_behind;   /* more rows wait than are held in memory */
};

/* ---- what happened ---- */

/* Copy a text, cut between two characters, without control characters. */
static void copy_text(char *out, size_t size, const char *text)
{
	size_t len = strlen(text);

	if (len >= size) {
		len = size - 1;
		while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	}
	memcpy(out, text, len);
	out[len] = '\0';
	if (text_is_clean(slice_of(out, len)))
		return;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)out[i] < ' ' || (unsigned char)out[i] > '~')
			out[i] = '?';
}

/* The key that events of an account are sealed under. */
static void derive(uint8_t out[static KEY_BYTES], const struct account_key *key)
{
	key_derive(out, key->bytes, "keepsake audit", (struct slice){ 0 });
}

/*
 * Find the key for an event.
 *
 * batch  NULL: no key can be made
 */
static enum status choose_key(struct audit *self, struct db_batch *batch,
    const struct id *account, struct audit_fact *fact,
    uint8_t out[static KEY_BYTES])
{
	struct account_key key = { 0 };
	enum status st = STATUS_NOT_FOUND;

	if (account && batch)
		st = keyring_take(self->keyring, self->db, account, &key);
	else if (account)
		st = keyring_find(self->keyring, self->db, account, &key);
	fact->key = AUDIT_KEY_ACCOUNT;
	if (st == STATUS_OK) {
		if (batch)
			keyring_put(batch, &key);
		derive(out, &key);
	} else if (st == STATUS_EXPIRED && batch) {
		/* The account is being deleted, and this goes with it. */
		randombytes_buf(out, KEY_BYTES);
		st = STATUS_OK;
	} else if (st == STATUS_EXPIRED || st == STATUS_NOT_FOUND) {
		fact->key = AUDIT_KEY_SERVICE;
		keyring_derive(self->keyring, "audit", out);
		st = STATUS_OK;
	}
	sodium_memzero(&key, sizeof(key));
	return st;
}

static struct trace *trace_of(struct audit *self, const struct id *event)
{
	return &self->traces[get_be16(event->bytes) & (TRACES_MAX - 1)];
}

static void on_recorded(void *arg, const struct audit_fact *fact)
{
	struct audit *self = arg;
	const struct trace *trace = trace_of(self, &fact->event);
	struct id request = { 0 };

	if (id_equal(&trace->event, &fact->event))
		request = trace->request;
	stream_tell(self->stream, &(struct stream_event){
				      .kind = fact->action,
				      .account = &fact->account,
				      .trace = &request,
				  });
}

void audit_publish(struct audit *self, struct stream *stream)
{
	self->stream = stream;
	audit_chain_tell(self->chain, on_recorded, self);
}

/* Fill ${out} with ${event}, sealed; results as keyring_take. */
static enum status seal_event(struct audit *self, struct db_batch *batch,
    const struct id *account, const struct audit_event *event,
    struct audit_fact *out)
{
	struct audit_person person = { 0 };
	uint8_t key[KEY_BYTES];

	memset(out, 0, sizeof(*out));
	out->when_ms = clock_wall_ms();
	randombytes_buf(out->event.bytes, ID_BYTES);
	*trace_of(self, &out->event) =
	    (struct trace){ out->event, log_request() };
	if (account)
		out->account = *account;
	copy_text(out->action, sizeof(out->action), event->action);
	copy_text(person.actor, sizeof(person.actor), event->actor);
	if (event->terminal)
		person.terminal = *event->terminal;
	if (event->detail)
		copy_text(person.detail, sizeof(person.detail), event->detail);
	enum status st = choose_key(self, batch, account, out, key);
	if (st == STATUS_OK)
		audit_seal(out, &person, key);
	sodium_memzero(key, sizeof(key));
	sodium_memzero(&person, sizeof(person));
	return st;
}

static void put_fact(
    struct db_batch *batch, const struct audit_fact *fact, enum status sealed)
{
	uint8_t key[AUDIT_STAMP_BYTES];
	struct bytes value = { 0 };

	/* Without key or memory the value stays empty, which the batch
	 * refuses: the change and its record go together or not at all. */
	if (sealed != STATUS_OK ||
	    audit_pending_pack(&value, fact) != STATUS_OK)
		value.len = 0;
	audit_pending_key(key, fact);
	db_batch_put(batch, TABLE_AUDIT, slice_of(key, sizeof(key)),
	    bytes_slice(&value));
	bytes_clear(&value);
}

void audit_put(struct audit *self, struct db_batch *batch,
    const struct id *account, const struct audit_event *event)
{
	struct audit_fact fact;
	enum status st = seal_event(self, batch, account, event, &fact);

	put_fact(batch, &fact, st);
}

void audit_put_journal(struct audit *self, struct db_batch *batch,
    const struct id *account, const struct audit_event *event)
{
	struct audit_fact fact;
	enum status st = seal_event(self, NULL, account, event, &fact);

	put_fact(batch, &fact, st);
}

enum status audit_write(struct audit *self, const struct id *account,
    const struct audit_event *event, audit_done_fn *done, void *arg)
{
	struct audit_fact fact;

	enum status st = seal_event(self, NULL, account, event, &fact);
	if (st == STATUS_OK)
		st = audit_chain_add(self->chain, &fact, NULL, done, arg);
	if (st != STATUS_OK)
		return st;
	audit_chain_go(self->chain);
	return STATUS_PENDING;
}

void audit_note(struct audit *self, const struct id *account,
    const struct audit_event *event)
{
	enum status st = audit_write(self, account, event, NULL, NULL);

	if (st != STATUS_PENDING)
		log_error(NULL, "audit_note_lost", "action=%s status=%s",
		    event->action, status_word(st));
}

/* ---- out of the database ---- */

static void search_again(struct audit *self)
{
	self->left_behind = false;
	self->searching = self->db;
	self->searched = (struct id){ 0 };
	loop_timer_set(self->loop, &self->search, 0);
}

/* Some rows were not taken up: they are found again. */
static void leave_behind(struct audit *self)
{
	self->left_behind = true;
	if (!audit_chain_has_rows(self->chain))
		search_again(self);
}

static void on_emptied(void *arg)
{
	struct audit *self = arg;

	if (self->left_behind)
		search_again(self);
}

/* Take up an event; false where there is no room. */
static bool take_row(struct audit *self, struct db *db,
    const struct id *account, const struct db_entry *entry)
{
	struct audit_fact fact;
	enum status st =
	    audit_pending_unpack(&fact, account, entry->key, entry->value);

	if (st != STATUS_OK) {
		log_error(
		    NULL, "audit_event_damaged", "status=%s", status_word(st));
		return true;
	}
	return audit_chain_add(self->chain, &fact, db, NULL, NULL) == STATUS_OK;
}

/* Take up what the account has; results as db_scan. */
static enum status take_rows(
    struct audit *self, struct db *db, const struct id *account)
{
	struct db_page page = { 0 };
	struct slice all = { 0 };

	enum status st = db_scan(db, account, TABLE_AUDIT, all, all,
	    DB_PAGE_ENTRIES_MAX, false, &page);
	bool left = page.more;
	for (size_t i = 0; i < page.count && st == STATUS_OK; i++)
		left |= !take_row(self, db, account, &page.entries[i]);
	if (left)
		leave_behind(self);
	db_page_clear(&page);
	return st;
}

void audit_kick(struct audit *self, struct db *db, const struct id *account)
{
	if (!self->connected)
		return; /* at the next start */
	if (take_rows(self, db, account) != STATUS_OK)
		leave_behind(self);
	audit_chain_go(self->chain);
}

/* Look into the next accounts for what an earlier run left. */
static void on_search(void *arg)
{
	struct audit *self = arg;
	struct db_account accounts[ACCOUNTS_A_STEP];
	size_t count = 0;

	enum status st = db_accounts(self->searching,
	    id_is_none(&self->searched) ? NULL : &self->searched, accounts,
	    nitems(accounts), &count);
	for (size_t i = 0; i < count && st == STATUS_OK; i++)
		if (!accounts[i].removed)
			st = take_rows(self, self->searching, &accounts[i].id);
	audit_chain_go(self->chain);
	if (st != STATUS_OK) {
		loop_timer_set(self->loop, &self->search, SEARCH_RETRY_MS);
		return;
	}
	if (count == nitems(accounts)) {
		self->searched = accounts[count - 1].id;
	} else if (self->searching == self->db) {
		self->searching = self->journal;
		self->searched = (struct id){ 0 };
	} else {
		return;
	}
	loop_timer_set(self->loop, &self->search, 0);
}

/* ---- life ---- */

enum status audit_new(struct audit **out, const struct conf *conf,
    const char *service, struct loop *loop, struct db *db, struct db *journal,
    struct keyring *keyring)
{
	struct audit *self = calloc(1, sizeof(*self));

	if (!self)
		return STATUS_NO_SPACE;
	self->loop = loop;
	self->db = db;
	self->journal = journal;
	self->keyring = keyring;
	self->search = (struct timer){ .fired = on_search, .arg = self };
	enum status st = audit_chain_new(
	    &self->chain, conf, service, loop, journal, on_emptied, self);
	if (st != STATUS_OK) {
		audit_destroy(&self);
		return st;
	}
	self->connected = true;
	search_again(self);
	*out = self;
	return STATUS_OK;
}

void audit_stop(struct audit *self, loop_fn *stopped, void *arg)
{
	audit_chain_stop(self->chain, AUDIT_STOP_MS, stopped, arg);
}

void audit_disconnect(struct audit *self)
{
	self->connected = false;
	audit_chain_disconnect(self->chain);
	loop_timer_cancel(self->loop, &self->search);
}

void audit_destroy(struct audit **self_p)
{
	struct audit *self = *self_p;

	if (!self)
		return;
	loop_timer_cancel(self->loop, &self->search);
	audit_chain_destroy(&self->chain);
	free(self);
	*self_p = NULL;
}

struct audit_figures audit_figures(const struct audit *self)
{
	return (struct audit_figures){
		.records = audit_chain_records(self->chain),
		.pending = audit_chain_pending(self->chain),
	};
}

struct db *audit_journal(const struct audit *self)
{
	return self->journal;
}

enum status audit_reveal(
    struct audit *self, const struct audit_fact *fact, struct audit_person *out)
{
	struct account_key account = { 0 };
	uint8_t key[KEY_BYTES];
	enum status st = STATUS_OK;

	if (fact->key == AUDIT_KEY_SERVICE)
		keyring_derive(self->keyring, "audit", key);
	else
		st = keyring_find(
		    self->keyring, self->db, &fact->account, &account);
	if (st == STATUS_OK && fact->key == AUDIT_KEY_ACCOUNT)
		derive(key, &account);
	if (st == STATUS_OK)
		st = audit_open(out, fact, key);
	sodium_memzero(key, sizeof(key));
	sodium_memzero(&account, sizeof(account));
	return st;
}

#include "service/outbox.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "bus/unpack.h"
#include "service/sealed_row.h"
#include "service/tables.h"

/*
 * Key: time (8), then an id (16), which is the notice's where it is one.  The
 * time is 0 but for notices, so that they are not in front of what is urgent.
 * Value: a packed notify.Tell; or 0x01, role (1), type (4), packed message,
 * for any other.  No packed message begins with 0x01.
 */
#define PARCEL_KEY_BYTES  (8 + ID_BYTES)
#define PARCEL_ADDRESSED  0x01
#define PARCEL_HEAD_BYTES (1 + 1 + 4)
#define ASK_MS            60000
#define RETRY_MS_FIRST    500
#define RETRY_MS_MAX      60000
#define PARCELS_MAX       512 /* to one peer */
#define ACCOUNTS_A_STEP   256

/* One message on its way. */
struct parcel {
	struct outbox *outbox;
	struct parcel *next, *previous;
	struct id account;
	uint8_t key[PARCEL_KEY_BYTES];
	enum role peer;
	uint32_t type;
	struct bytes body;
	bool under_way;
	uint64_t due_ms, pause_ms;
};

struct outbox {
	struct db *db;
	struct db *keys; /* of the accounts: db, or what it is the journal of */
	struct keyring *keyring;
	struct loop *loop;
	struct caller *const *peers; /* NULL once they are to close */
	struct parcel *first;
	size_t count;              /* of all, and */
	size_t counts[ROLE_COUNT]; /* to each */
	struct timer retry;        /* for parcels that failed */
	struct timer search;       /* through all accounts, at the start */
	struct id searched;        /* the last account looked into */
	/* Search again once there is room. */
	bool left_behind[ROLE_COUNT];
};

static struct parcel *find_parcel(struct outbox *self, const struct id *account,
    const uint8_t key[static PARCEL_KEY_BYTES])
{
	struct parcel *parcel = self->first;

	while (parcel && (!id_equal(&parcel->account, account) ||
			     memcmp(parcel->key, key, PARCEL_KEY_BYTES) != 0))
		parcel = parcel->next;
	return parcel;
}

static void parcel_destroy(struct parcel **parcel_p)
{
	struct parcel *parcel = *parcel_p;
	struct outbox *self = parcel->outbox;
	enum role peer = parcel->peer;

	if (parcel->previous)
		parcel->previous->next = parcel->next;
	else
		self->first = parcel->next;
	if (parcel->next)
		parcel->next->previous = parcel->previous;
	self->count--;
	self->counts[peer]--;
	bytes_clear(&parcel->body);
	free(parcel);
	*parcel_p = NULL;
	if (self->counts[peer] == 0 && self->left_behind[peer] && self->peers) {
		self->left_behind[peer] = false;
		self->searched = (struct id){ 0 };
		loop_timer_set(self->loop, &self->search, 0);
	}
}

static void retry_later(struct parcel *parcel)
{
	struct outbox *self = parcel->outbox;

	parcel->under_way = false;
	parcel->due_ms = clock_interval_ms() + parcel->pause_ms;
	parcel->pause_ms = min_of(parcel->pause_ms * 2, (uint64_t)RETRY_MS_MAX);
	if (!self->retry.is_set)
		loop_timer_set(self->loop, &self->retry, RETRY_MS_FIRST);
}

static void on_deleted(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	struct parcel *parcel = arg;

	(void)generation;
	(void)failed_op;
	/* A removed account has taken its outbox along. */
	if (status == STATUS_OK || status == STATUS_CONFLICT)
		parcel_destroy(&parcel);
	else
		retry_later(parcel); /* a repeat does no harm */
}

static void on_told(void *arg, const struct answer *answer)
{
	struct parcel *parcel = arg;

	/* CONFLICT: the account is no more, and nobody is left to be told. */
	if (answer->status != STATUS_OK && answer->status != STATUS_CONFLICT) {
		log_info(NULL, "parcel_waits", "peer=%s status=%s",
		    role_word(parcel->peer), status_word(answer->status));
		retry_later(parcel);
		return;
	}
	struct db_batch *batch =
	    db_batch_new(&parcel->account, DB_GENERATION_ANY, NULL);
	db_batch_delete(
	    batch, TABLE_OUTBOX, slice_of(parcel->key, PARCEL_KEY_BYTES));
	enum status st =
	    db_submit(parcel->outbox->db, &batch, on_deleted, parcel);
	db_batch_destroy(&batch);
	if (st != STATUS_PENDING)
		retry_later(parcel);
}

static void send_parcel(struct parcel *parcel)
{
	struct caller *const *peers = parcel->outbox->peers;
	struct header header = {
		.type = parcel->type,
		.account = parcel->account,
		.deadline_ms = ASK_MS,
	};

	if (!peers || !peers[parcel->peer])
		return; /* at the next start */
	parcel->under_way = true;
	if (caller_ask(peers[parcel->peer], &header, bytes_slice(&parcel->body),
		NULL, on_told, parcel) != STATUS_OK)
		retry_later(parcel);
}

static void on_retry(void *arg)
{
	struct outbox *self = arg;
	uint64_t now = clock_interval_ms();
	bool waiting = false;

	for (struct parcel *parcel = self->first; parcel;
	     parcel = parcel->next) {
		if (!parcel->under_way && parcel->due_ms <= now)
			send_parcel(parcel);
		waiting |= !parcel->under_way;
	}
	if (waiting)
		loop_timer_set(self->loop, &self->retry, RETRY_MS_FIRST);
}

/* Where a value goes, and what. */
struct address {
	enum role peer;
	uint32_t type;
	struct slice body;
};

static enum status read_address(struct address *out, struct slice value)
{
	*out = (struct address){ ROLE_NOTIFY, NOTIFY__TYPE__TELL, value };
	if (value.len == 0)
		return STATUS_MALFORMED;
	if (value.data[0] != PARCEL_ADDRESSED)
		return STATUS_OK;
	if (value.len < PARCEL_HEAD_BYTES || value.data[1] >= ROLE_COUNT)
		return STATUS_MALFORMED;
	out->peer = (enum role)value.data[1];
	out->type = get_be32(value.data + 2);
	out->body = slice_of(
	    value.data + PARCEL_HEAD_BYTES, value.len - PARCEL_HEAD_BYTES);
	return STATUS_OK;
}

/* More wait than are held in memory: they are found again later. */
static bool is_full(struct outbox *self, enum role peer)
{
	if (self->counts[peer] < PARCELS_MAX)
		return false;
	self->left_behind[peer] = true;
	return true;
}

static void add_parcel(struct outbox *self, const struct id *account,
    const uint8_t key[static PARCEL_KEY_BYTES], const struct address *address)
{
	struct parcel *parcel = calloc(1, sizeof(*parcel));

	if (!parcel || bytes_copy(&parcel->body, address->body) != STATUS_OK) {
		log_error(NULL, "no_memory", NULL);
		free(parcel);
		return; /* it stays in its row, for the next kick or start */
	}
	parcel->outbox = self;
	parcel->account = *account;
	parcel->peer = address->peer;
	parcel->type = address->type;
	memcpy(parcel->key, key, PARCEL_KEY_BYTES);
	parcel->pause_ms = RETRY_MS_FIRST;
	parcel->next = self->first;
	if (self->first)
		self->first->previous = parcel;
	self->first = parcel;
	self->count++;
	self->counts[parcel->peer]++;
	send_parcel(parcel);
}

/* What does not open is logged and stays; of a deleted account it goes. */
static void take_row(
    struct outbox *self, const struct id *account, const struct db_entry *row)
{
	struct bytes value = { 0 };
	struct address address;

	if (row->key.len != PARCEL_KEY_BYTES) {
		log_error(NULL, "row_unusable", "table=outbox");
		return;
	}
	if (find_parcel(self, account, row->key.data) ||
	    (get_be64(row->key.data) != 0 && is_full(self, ROLE_NOTIFY)))
		return;
	if (sealed_row_open(self->keyring, self->keys, account, TABLE_OUTBOX,
		row->key, row->value, &value) != STATUS_OK)
		goto out;
	if (read_address(&address, bytes_slice(&value)) != STATUS_OK ||
	    !self->peers[address.peer])
		log_error(NULL, "row_unusable", "table=outbox");
	else if (!is_full(self, address.peer))
		add_parcel(self, account, row->key.data, &address);
out:
	bytes_clear(&value);
}

void outbox_kick(struct outbox *self, const struct id *account)
{
	struct db_page page = { 0 };
	struct slice all = { 0 };

	if (!self->peers)
		return; /* at the next start */
	enum status st = db_scan(self->db, account, TABLE_OUTBOX, all, all,
	    DB_PAGE_ENTRIES_MAX, false, &page);
	for (size_t i = 0; i < page.count && st == STATUS_OK; i++)
		take_row(self, account, &page.entries[i]);
	db_page_clear(&page);
}

/* Look into the next accounts for what an earlier run left. */
static void on_search(void *arg)
{
	struct outbox *self = arg;
	struct db_account accounts[ACCOUNTS_A_STEP];
	size_t count = 0;

	if (db_accounts(self->db,
		id_is_none(&self->searched) ? NULL : &self->searched, accounts,
		nitems(accounts), &count) != STATUS_OK) {
		loop_timer_set(self->loop, &self->search, RETRY_MS_MAX);
		return;
	}
	for (size_t i = 0; i < count; i++)
		if (!accounts[i].removed)
			outbox_kick(self, &accounts[i].id);
	if (count < nitems(accounts))
		return;
	self->searched = accounts[count - 1].id;
	loop_timer_set(self->loop, &self->search, 0);
}

enum status outbox_new(struct db *db, struct db *keys, struct keyring *keyring,
    struct loop *loop, struct caller *const *peers, struct outbox **out)
{
	struct outbox *self = calloc(1, sizeof(*self));

	if (!self)
		return STATUS_NO_SPACE;
	self->db = db;
	self->keys = keys;
	self->keyring = keyring;
	self->loop = loop;
	self->peers = peers;
	self->retry = (struct timer){ .fired = on_retry, .arg = self };
	self->search = (struct timer){ .fired = on_search, .arg = self };
	loop_timer_set(loop, &self->search, 0);
	*out = self;
	return STATUS_OK;
}

void outbox_disconnect(struct outbox *self)
{
	self->peers = NULL;
}

void outbox_destroy(struct outbox **self_p)
{
	struct outbox *self = *self_p;

	if (!self)
		return;
	outbox_disconnect(self); /* the last parcel searches for no more */
	loop_timer_cancel(self->loop, &self->retry);
	loop_timer_cancel(self->loop, &self->search);
	while (self->first) {
		struct parcel *parcel = self->first;
		parcel_destroy(&parcel);
	}
	free(self);
	*self_p = NULL;
}

/* A journal must not be where an account's key is noted. */
static enum status has_key(struct outbox *self, const struct id *account)
{
	struct account_key key;

	if (self->keys == self->db)
		return STATUS_OK;
	enum status st = keyring_find(self->keyring, self->keys, account, &key);
	sodium_memzero(&key, sizeof(key));
	return st == STATUS_NOT_FOUND || st == STATUS_EXPIRED ? STATUS_CONFLICT
							      : st;
}

/* Make a key whose id has not been before. */
static void make_key(uint8_t out[static PARCEL_KEY_BYTES], uint64_t time_ms)
{
	put_be64(out, time_ms);
	randombytes_buf(out + 8, ID_BYTES);
}

/* Append ${message} to ${head} and put that: a change and its news go
 * together or not at all. */
static void put_row(struct outbox *self, struct db_batch *batch,
    const struct id *account, const uint8_t key[static PARCEL_KEY_BYTES],
    struct slice head, const ProtobufCMessage *message)
{
	struct bytes value = { 0 };

	enum status st = bytes_append(&value, head);
	if (st == STATUS_OK)
		st = pack_message(&value, message);
	if (st == STATUS_OK)
		st = has_key(self, account);
	if (st != STATUS_OK)
		db_batch_fail(batch, st);
	sealed_row_put(self->keyring, self->keys, batch, account, TABLE_OUTBOX,
	    slice_of(key, PARCEL_KEY_BYTES), bytes_slice(&value));
	bytes_clear(&value);
}

void outbox_put(struct outbox *self, struct db_batch *batch,
    const struct id *account, Notify__Notice *notice)
{
	Notify__Tell tell = NOTIFY__TELL__INIT;
	uint8_t key[PARCEL_KEY_BYTES];

	notice->when_ms = clock_wall_ms();
	make_key(key, notice->when_ms);
	notice->notice_id = field_of(slice_of(key + 8, ID_BYTES));
	tell.account_id = field_of(slice_of(account->bytes, ID_BYTES));
	tell.notice = notice;
	put_row(self, batch, account, key, (struct slice){ 0 }, &tell.base);
	notice->notice_id = field_of(slice_of(NULL, 0));
}

void outbox_put_for(struct outbox *self, struct db_batch *batch,
    const struct id *account, enum role peer, uint32_t type,
    const ProtobufCMessage *message)
{
	uint8_t head[PARCEL_HEAD_BYTES] = { PARCEL_ADDRESSED, (uint8_t)peer };
	uint8_t key[PARCEL_KEY_BYTES];

	make_key(key, 0);
	put_be32(head + 2, type);
	put_row(
	    self, batch, account, key, slice_of(head, sizeof(head)), message);
}

size_t outbox_waiting(const struct outbox *self)
{
	return self->count;
}

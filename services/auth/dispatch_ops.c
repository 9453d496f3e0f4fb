#include "deed.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "crypto/code.h"
#include "ops.pb-c.h"
#include "service/listing.h"

/* What keepsakectl asks auth. */

#define ACCOUNTS_A_STEP 64
#define LANES_A_STEP    16
#define ACCOUNTS_A_PAGE 4096 /* looked at: tombstones make no rows */

static const char *const kind_words[] = {
	[NAME_PHONE] = "phone",
	[NAME_EMAIL] = "email",
	[NAME_NICKNAME] = "nickname",
};

static const char *const code_words[] = {
	[CREDENTIAL_OWNER] = "owner",
	[CREDENTIAL_VERIFICATION] = "verification",
	[CREDENTIAL_TERMINAL] = "terminal",
};

/* A word of a list without an entry 0, or no value. */
static void list_word(struct listing *listing, const char *name,
    const char *const *words, size_t count, unsigned int index)
{
	if (index > 0 && index < count)
		listing_text(listing, name, words[index]);
	else
		listing_nothing(listing, name);
}

enum status auth_refuse_unknown(struct exchange *x)
{
	return exchange_refuse(x, STATUS_NOT_FOUND,
	    "there is no such account; keepsakectl accounts lists them");
}

enum status on_find_account(void *state, struct exchange *x)
{
	struct auth *self = state;
	Ops__Account reply = OPS__ACCOUNT__INIT;
	uint8_t hash[NAME_HASH_BYTES];
	Ops__AccountName *message;
	struct name name = { 0 };
	struct id found;

	enum status st =
	    exchange_unpack(x, &ops__account_name__descriptor, &message);
	if (st == STATUS_OK)
		st = auth_read_name(x, &name, slice_text(message->name));
	if (st != STATUS_OK)
		goto out;
	name_hash(hash, &name, self->keys->names_key);
	st = auth_db_name(self->db, hash, &found);
	if (st == STATUS_NOT_FOUND) {
		exchange_refuse(x, st, "no account has that login name");
		goto out;
	}
	reply.account_id = field_of(slice_of(found.bytes, ID_BYTES));
	if (st == STATUS_OK)
		st = exchange_reply(x, &reply.base);
out:
	sodium_memzero(&name, sizeof(name));
	return st;
}

/* ---- accounts ---- */

/* Lanes that are shut, but for those of strangers, which open by themselves. */
static enum status count_locked(
    struct auth *self, const struct id *id, uint64_t *out)
{
	struct lane_cursor cursor = { 0 };
	struct lane_listed page[LANES_A_STEP];
	enum status st = STATUS_OK;
	size_t count;

	*out = 0;
	while (st == STATUS_OK && !cursor.ended) {
		st = journal_db_shut_lanes(self->service->journal, id,
		    clock_wall_ms(), &cursor, page, nitems(page), &count);
		for (size_t i = 0; i < count && st == STATUS_OK; i++)
			*out += page[i].key.kind != LANE_STRANGER;
	}
	return st;
}

static enum status list_one(
    struct auth *self, struct listing *listing, const struct id *id)
{
	struct account account = { 0 };
	bool disabled = false;
	uint64_t locked = 0;

	enum status st = auth_db_account(&self->rows, id, &account);
	if (st == STATUS_OK)
		st = auth_db_disabled(self->db, id, &disabled);
	if (st == STATUS_OK)
		st = count_locked(self, id, &locked);
	if (st == STATUS_OK) {
		listing_row(listing, "account");
		listing_id(listing, "id", id);
		list_word(listing, "kind", kind_words, nitems(kind_words),
		    account.kind);
		listing_text(listing, "name", account.name);
		listing_time(listing, "created", account.created_ms);
		listing_flag(listing, "disabled", disabled);
		listing_number(listing, "locked_lanes", locked);
		listing_row_end(listing, slice_of(id->bytes, ID_BYTES));
	}
	sodium_memzero(&account, sizeof(account));
	return st;
}

static enum status list_all(
    struct auth *self, struct listing *listing, struct slice after)
{
	struct db_account accounts[ACCOUNTS_A_STEP];
	struct id last = { 0 };
	size_t count, seen = 0;
	enum status st;

	if (after.len > 0 && id_from(&last, after) != STATUS_OK)
		return listing_refuse_place(listing);
	do {
		st = db_accounts(self->db, id_is_none(&last) ? NULL : &last,
		    accounts, nitems(accounts), &count);
		for (size_t i = 0; i < count && st == STATUS_OK; i++) {
			last = accounts[i].id;
			if (accounts[i].removed)
				continue;
			st = list_one(self, listing, &last);
			/* One that was never written: a claim that lapsed. */
			if (st == STATUS_NOT_FOUND)
				st = STATUS_OK;
			if (listing->full)
				return st;
		}
		seen += count;
	} while (st == STATUS_OK && listing->status == STATUS_OK &&
		 count == nitems(accounts) && seen < ACCOUNTS_A_PAGE);
	if (st == STATUS_OK && count == nitems(accounts))
		listing_pause(listing, slice_of(last.bytes, ID_BYTES));
	return st;
}

static enum status list_accounts(
    void *state, struct listing *listing, struct slice after)
{
	struct auth *self = state;

	if (id_is_none(&listing->account))
		return list_all(self, listing, after);
	if (after.len > 0)
		return listing_refuse_place(listing);
	enum status st = list_one(self, listing, &listing->account);
	if (st == STATUS_NOT_FOUND)
		return auth_refuse_unknown(listing->exchange);
	return st;
}

static void list_factors(struct listing *listing, unsigned int factors)
{
	listing_flag(listing, "password", factors & CODE_PASSWORD);
	listing_flag(listing, "serial", factors & CODE_SERIAL);
	listing_flag(listing, "imei", factors & CODE_IMEI);
	listing_flag(listing, "imsi", factors & CODE_IMSI);
}

/* The codes of an account: what they are made of, never what they are. */
static enum status list_codes(
    void *state, struct listing *listing, struct slice after)
{
	struct auth *self = state;
	struct code_slot slot = { 0 };
	const struct id *account = &listing->account;
	bool begun = after.len > 0;
	uint8_t place[1 + ID_BYTES];

	if (begun && after.len != sizeof(place))
		return listing_refuse_place(listing);
	if (begun) {
		slot.kind = after.data[0];
		memcpy(slot.terminal.bytes, after.data + 1, ID_BYTES);
	}
	for (;;) {
		struct credential found;
		enum status st = auth_db_next_code(
		    self->db, account, begun ? &slot : NULL, &slot);
		if (st == STATUS_OK)
			st = auth_db_credential(
			    &self->rows, account, &slot, &found);
		if (st != STATUS_OK)
			return st == STATUS_NOT_FOUND ? STATUS_OK : st;
		begun = true;
		listing_row(listing, "code");
		list_word(
		    listing, "for", code_words, nitems(code_words), slot.kind);
		listing_id(listing, "terminal", &slot.terminal);
		list_factors(listing, found.factors);
		listing_number(listing, "revision", found.revision);
		listing_time(listing, "changed", found.changed_ms);
		sodium_memzero(&found, sizeof(found));
		place[0] = (uint8_t)slot.kind;
		memcpy(place + 1, slot.terminal.bytes, ID_BYTES);
		if (!listing_row_end(listing, slice_of(place, sizeof(place))))
			return STATUS_OK;
	}
}

enum status on_accounts(void *state, struct exchange *x)
{
	static listing_part_fn *const parts[] = { list_accounts };

	return listing_answer(state, x, parts, nitems(parts), false);
}

/* ---- EXPORT ---- */

static listing_part_fn *const export_parts[] = { list_accounts, list_codes,
	auth_list_sessions, auth_list_grants, auth_list_lanes };

static enum status answer_export(struct auth *self, struct exchange *x)
{
	return listing_answer(
	    self, x, export_parts, nitems(export_parts), true);
}

static enum status act_export(struct deed *deed)
{
	return answer_export(deed->auth, deed->x);
}

enum status on_export(void *state, struct exchange *x)
{
	struct deed deed = {
		.auth = state,
		.x = x,
		.action = "exported",
		.act = act_export,
	};
	Ops__ListQuery *message;

	enum status st =
	    exchange_unpack(x, &ops__list_query__descriptor, &message);
	/* The first page is on record; the others belong to it. */
	if (st == STATUS_OK && message->after.len > 0)
		return answer_export(state, x);
	if (st == STATUS_OK)
		st = deed_check(state, x, message->account_id, message->by,
		    OPERATOR_NEEDS_NOTHING, &deed.account);
	if (st != STATUS_OK)
		return st;
	deed.by = message->by;
	return deed_begin(&deed, sizeof(deed), "");
}

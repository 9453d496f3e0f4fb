#include "quota.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "ops.pb-c.h"
#include "service/draft.h"
#include "service/listing.h"
#include "service/operator.h"

/* The most that is refused at once: a message full of the smallest chunks. */
#define PUT_COST_MAX (PAYLOAD_BYTES_MAX + PUT_MANY_MAX * QUOTA_CHUNK_BYTES)

uint64_t quota_used(const struct account_usage *usage, bool under_way)
{
	uint64_t chunks = usage->settled.chunks, bytes = usage->settled.bytes;

	if (under_way) {
		chunks += usage->under_way_chunks;
		bytes += usage->under_way_bytes;
	}
	return bytes + chunks * QUOTA_CHUNK_BYTES;
}

enum status quota_of(
    struct store *self, const struct id *account, struct quota *out, bool *own)
{
	enum status st = health_db_quota(self->db, account, out);

	if (own)
		*own = st == STATUS_OK;
	if (st == STATUS_NOT_FOUND) {
		*out = self->quota;
		st = STATUS_OK;
	}
	return st;
}

static void put_notice(struct store *self, struct db_batch *batch,
    const struct id *account, Notify__Kind kind, uint64_t used,
    const struct quota *quota)
{
	struct draft draft;

	draft_begin(&draft, kind, NULL);
	draft_add(&draft, "used_bytes", used);
	draft_add(&draft, "quota_soft_bytes", quota->soft);
	draft_add(&draft, "quota_bytes", quota->hard);
	outbox_put(self->service->outbox, batch, account, &draft.notice);
}

/* ---- the hard quota ---- */

struct telling {
	struct store *store;
	struct id account;
};

static void on_told(
    void *arg, enum status st, uint64_t generation, size_t failed_op)
{
	struct telling *telling = arg;

	(void)generation;
	(void)failed_op;
	/* CONFLICT: a put that came at the same time has told. */
	if (st == STATUS_OK)
		outbox_kick(telling->store->service->outbox, &telling->account);
	free(telling);
}

/* Tell the owner that a backup was refused; where it fails, the next does. */
static void tell_refused(struct store *self, const struct id *account,
    uint64_t used, const struct quota *quota)
{
	struct telling *telling = NULL;
	enum quota_told told;

	if (health_db_quota_told(self->db, account, &told) != STATUS_OK ||
	    told == QUOTA_TOLD_HARD)
		return;
	telling = calloc(1, sizeof(*telling));
	if (!telling)
		return;
	*telling = (struct telling){ self, *account };
	struct db_batch *batch = db_batch_new(account, DB_GENERATION_ANY, NULL);
	health_db_put_quota_told(batch, told, QUOTA_TOLD_HARD);
	put_notice(
	    self, batch, account, NOTIFY__KIND__QUOTA_REACHED, used, quota);
	if (db_submit(self->db, &batch, on_told, telling) != STATUS_PENDING)
		free(telling);
	db_batch_destroy(&batch);
}

enum status quota_check(struct store *self, struct exchange *x,
    const struct account_usage *usage, size_t chunks, size_t bytes)
{
	size_t cost = bytes + chunks * QUOTA_CHUNK_BYTES;
	char has[TEXT_SIZE_BYTES], may[TEXT_SIZE_BYTES];
	uint64_t used = quota_used(usage, true);
	struct quota quota;

	enum status st = quota_of(self, &x->ticket.account, &quota, NULL);
	if (st != STATUS_OK)
		return st;
	if (quota.hard == 0 ||
	    (used <= quota.hard && quota.hard - used >= cost))
		return STATUS_OK;
	self->counts.puts_over_quota += chunks;
	tell_refused(self, &x->ticket.account, used, &quota);
	return exchange_refuse(x, STATUS_QUOTA,
	    "the account's space is used up: %s of %s", text_of_size(has, used),
	    text_of_size(may, quota.hard));
}

/* ---- the soft quota ---- */

/* What the owner is to have been told, of what was. */
static enum quota_told told_of(
    const struct quota *quota, uint64_t used, enum quota_told told)
{
	bool past = quota->soft > 0 && used > quota->soft;

	/* As long as what was refused may not fit yet. */
	if (told == QUOTA_TOLD_HARD && quota->hard > 0 &&
	    used + PUT_COST_MAX > quota->hard)
		return QUOTA_TOLD_HARD;
	return past ? QUOTA_TOLD_SOFT : QUOTA_TOLD_NOTHING;
}

enum status quota_note(struct store *self, struct db_batch *batch,
    const struct id *account, bool *tells)
{
	struct account_usage *usage = NULL;
	enum quota_told before, told;
	struct quota quota;

	*tells = false;
	enum status st = usage_pin(self->usages, account, &usage);
	if (st != STATUS_OK)
		return st == STATUS_BUSY ? STATUS_OK : st; /* the next time */
	uint64_t used = quota_used(usage, false);
	usage_unpin(&usage);
	st = quota_of(self, account, &quota, NULL);
	if (st == STATUS_OK)
		st = health_db_quota_told(self->db, account, &before);
	if (st != STATUS_OK)
		return st;
	told = told_of(&quota, used, before);
	if (told == before)
		return STATUS_OK;
	health_db_put_quota_told(batch, before, told);
	*tells = before == QUOTA_TOLD_NOTHING;
	if (*tells)
		put_notice(self, batch, account, NOTIFY__KIND__QUOTA_SOON, used,
		    &quota);
	return STATUS_OK;
}

/* ---- what keepsakectl asks ---- */

enum status quota_list(void *state, struct listing *listing, struct slice after)
{
	struct store *self = state;
	struct account_usage *usage = NULL;
	struct quota quota;
	bool own;

	if (after.len > 0)
		return listing_refuse_place(listing);
	enum status st = usage_pin(self->usages, &listing->account, &usage);
	if (st == STATUS_OK)
		st = quota_of(self, &listing->account, &quota, &own);
	if (st == STATUS_OK) {
		listing_row(listing, "quota");
		listing_number(listing, "used", quota_used(usage, false));
		if (quota.soft > 0)
			listing_number(listing, "soft", quota.soft);
		else
			listing_nothing(listing, "soft");
		if (quota.hard > 0)
			listing_number(listing, "hard", quota.hard);
		else
			listing_nothing(listing, "hard");
		listing_flag(listing, "own", own);
		listing_row_end(listing, (struct slice){ 0 });
	}
	usage_unpin(&usage);
	return st;
}

enum status store_on_quota(void *state, struct exchange *x)
{
	static listing_part_fn *const parts[] = { quota_list };

	return listing_answer(state, x, parts, nitems(parts), true);
}

/* One QUOTA_SET while it is committed. */
struct setting {
	struct store *store;
	struct id account;
};

static enum status set_decided(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op)
{
	struct setting *setting = x->parked;
	struct store *self = setting->store;

	(void)generation;
	(void)failed_op;
	if (st == STATUS_OK)
		audit_kick(self->service->audit, self->db, &setting->account);
	free(setting);
	x->parked = NULL;
	return st;
}

/* The account is one that the store has, or may have: auth knows better. */
static enum status check_set(
    struct exchange *x, const Ops__QuotaSet *message, struct id *account)
{
	const char *why;

	if (id_from(account, field_slice(message->account_id)) != STATUS_OK)
		return exchange_refuse(
		    x, STATUS_MALFORMED, "account_id: not 16 bytes");
	if (message->inherit && (message->soft > 0 || message->hard > 0))
		return exchange_refuse(
		    x, STATUS_MALFORMED, "inherit: with a soft or hard quota");
	if (message->soft > 0 && message->hard > 0 &&
	    message->soft > message->hard)
		return exchange_refuse(x, STATUS_MALFORMED,
		    "soft: above the hard quota, so it would say nothing");
	enum status st =
	    operator_check(message->by, OPERATOR_NEEDS_REASON, &why);
	return st == STATUS_OK ? st : exchange_refuse(x, st, "%s", why);
}

enum status store_on_quota_set(void *state, struct exchange *x)
{
	struct store *self = state;
	Ops__QuotaSet *message;
	struct id account;
	char actor[OPERATOR_ACTOR_BYTES], detail[OPERATOR_DETAIL_BYTES];
	char what[64];

	enum status st =
	    exchange_unpack(x, &ops__quota_set__descriptor, &message);
	if (st == STATUS_OK)
		st = check_set(x, message, &account);
	if (st != STATUS_OK)
		return st;
	struct setting *setting = calloc(1, sizeof(*setting));
	if (!setting)
		return STATUS_NO_SPACE;
	*setting = (struct setting){ self, account };
	x->parked = setting;
	if (message->inherit)
		snprintf(what, sizeof(what), "as in the settings");
	else
		snprintf(what, sizeof(what), "soft %llu, hard %llu bytes",
		    (unsigned long long)message->soft,
		    (unsigned long long)message->hard);
	operator_actor(actor, message->by);
	operator_detail(detail, what, message->by);
	const struct quota quota = { message->soft, message->hard };
	struct db_batch *batch =
	    db_batch_new(&account, DB_GENERATION_ANY, NULL);
	health_db_put_quota(batch, message->inherit ? NULL : &quota);
	audit_put(self->service->audit, batch, &account,
	    &(struct audit_event){
		.action = "quota_set", .actor = actor, .detail = detail });
	st = exchange_commit(x, &batch, set_decided);
	if (st != STATUS_PENDING) {
		free(x->parked);
		x->parked = NULL;
	}
	return st;
}

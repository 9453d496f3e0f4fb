#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "notify.h"
#include "ops.pb-c.h"
#include "service/listing.h"
#include "service/operator.h"

/* What keepsakectl asks notify. */

#define ACCOUNTS_A_STEP 64
#define ACCOUNTS_A_PAGE 4096 /* looked at: most have nothing in the queue */
#define RESEND_RETRY_MS 200

/* ---- lists, of one account or of all ---- */

/*
 * The place in a list of all accounts: an account and a place in its rows.
 * In the list of one account it is the same.
 */
static bool read_place(
    struct slice after, struct id *account, struct queue_place *place)
{
	*account = (struct id){ 0 };
	place->len = 0;
	if (after.len == 0)
		return true;
	if (after.len < ID_BYTES || after.len - ID_BYTES > sizeof(place->bytes))
		return false;
	memcpy(account->bytes, after.data, ID_BYTES);
	place->len = after.len - ID_BYTES;
	memcpy(place->bytes, after.data + ID_BYTES, place->len);
	return true;
}

/* Returns the length. */
static size_t write_place(uint8_t out[static LISTING_AT_BYTES_MAX],
    const struct id *account, const struct queue_place *place)
{
	_Static_assert(ID_BYTES + QUEUE_PLACE_BYTES_MAX <= LISTING_AT_BYTES_MAX,
	    "fits a listing's place");
	memcpy(out, account->bytes, ID_BYTES);
	memcpy(out + ID_BYTES, place->bytes, place->len);
	return ID_BYTES + place->len;
}

#define KIND_WORD_BYTES 48

/* What a notice is called, as in notify.proto, in lower case; "" unknown. */
static const char *kind_word(
    char out[static KIND_WORD_BYTES], const struct gist *gist)
{
	const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(
	    &notify__kind__descriptor, (int)gist->kind);
	size_t len = 0;

	if (gist->kind > 0 && value)
		for (; value->name[len] && len + 1 < KIND_WORD_BYTES; len++)
			out[len] =
			    (char)tolower((unsigned char)value->name[len]);
	out[len] = '\0';
	return out;
}

static bool list_queued(struct listing *listing, const struct id *account,
    const struct queued *queued)
{
	uint8_t at[LISTING_AT_BYTES_MAX];
	char word[KIND_WORD_BYTES];
	size_t len = write_place(at, account, &queued->place);
	const struct delivery *delivery = &queued->delivery;

	listing_row(listing, "waiting");
	listing_id(listing, "account", account);
	listing_text(listing, "notice", kind_word(word, &queued->gist));
	listing_id(listing, "id", &delivery->notice.id);
	listing_id(listing, "terminal", &queued->terminal);
	listing_time(listing, "since", delivery->notice.stored_ms);
	listing_number(listing, "attempts", delivery->attempts);
	if (delivery->due_ms > 0)
		listing_time(listing, "due", delivery->due_ms);
	else
		listing_nothing(listing, "due");
	listing_text(listing, "figures", queued->gist.figures);
	return listing_row_end(listing, slice_of(at, len));
}

static enum status list_queue_of(struct notify *self, struct listing *listing,
    const struct id *account, struct queue_place *place)
{
	struct queued page[QUEUE_PAGE_MAX];
	size_t count;
	enum status st;

	do {
		st = notify_db_queue(&self->rows, account, place, page, &count);
		for (size_t i = 0; i < count && st == STATUS_OK; i++) {
			if (!list_queued(listing, account, &page[i]))
				return st;
			*place = page[i].place;
		}
	} while (st == STATUS_OK && count == nitems(page));
	return st;
}

static bool list_letter(struct listing *listing, const struct id *account,
    const struct letter *letter)
{
	uint8_t at[LISTING_AT_BYTES_MAX];
	char word[KIND_WORD_BYTES];
	size_t len = write_place(at, account, &letter->place);

	listing_row(listing, "dead_letter");
	listing_id(listing, "account", account);
	listing_text(listing, "notice", kind_word(word, &letter->gist));
	listing_id(listing, "id", &letter->notice.id);
	listing_id(listing, "terminal", &letter->terminal);
	listing_time(listing, "since", letter->notice.stored_ms);
	listing_number(listing, "attempts", letter->attempts);
	listing_time(listing, "given_up", letter->gave_up_ms);
	listing_text(listing, "figures", letter->gist.figures);
	return listing_row_end(listing, slice_of(at, len));
}

static enum status list_letters_of(struct notify *self, struct listing *listing,
    const struct id *account, struct queue_place *place)
{
	struct letter page[QUEUE_PAGE_MAX];
	size_t count;
	enum status st;

	do {
		st = notify_db_letters(
		    &self->rows, account, place, page, &count);
		for (size_t i = 0; i < count && st == STATUS_OK; i++) {
			if (!list_letter(listing, account, &page[i]))
				return st;
			*place = page[i].place;
		}
	} while (st == STATUS_OK && count == nitems(page));
	return st;
}

typedef enum status list_account_fn(struct notify *self,
    struct listing *listing, const struct id *account,
    struct queue_place *place);

/* List the rows of one account, or of all of them, with ${list}. */
static enum status list_accounts(struct notify *self, struct listing *listing,
    struct slice after, list_account_fn *list)
{
	struct db_account accounts[ACCOUNTS_A_STEP];
	static const struct queue_place behind_all;
	struct queue_place place;
	struct id last;
	size_t count, seen = 0;

	if (!read_place(after, &last, &place))
		return listing_refuse_place(listing);
	if (!id_is_none(&listing->account))
		return list(self, listing, &listing->account, &place);
	enum status st = STATUS_OK;
	if (!id_is_none(&last))
		st = list(self, listing, &last, &place);
	if (st != STATUS_OK || listing->full)
		return st;
	do {
		st = db_accounts(self->db, id_is_none(&last) ? NULL : &last,
		    accounts, nitems(accounts), &count);
		for (size_t i = 0; i < count && st == STATUS_OK; i++) {
			last = accounts[i].id;
			place = behind_all;
			if (!accounts[i].removed)
				st = list(self, listing, &last, &place);
			if (listing->full)
				return st;
		}
		seen += count;
	} while (st == STATUS_OK && listing->status == STATUS_OK &&
		 count == nitems(accounts) && seen < ACCOUNTS_A_PAGE);
	if (st == STATUS_OK && count == nitems(accounts)) {
		uint8_t at[LISTING_AT_BYTES_MAX];
		listing_pause(
		    listing, slice_of(at, write_place(at, &last, &place)));
	}
	return st;
}

static enum status list_queue(
    void *state, struct listing *listing, struct slice after)
{
	return list_accounts(state, listing, after, list_queue_of);
}

static enum status list_letters(
    void *state, struct listing *listing, struct slice after)
{
	return list_accounts(state, listing, after, list_letters_of);
}

/* ---- lists of one account ---- */

static enum status list_waiting(
    void *state, struct listing *listing, struct slice after)
{
	struct notify *self = state;
	struct totals totals = { 0 };

	if (after.len > 0)
		return listing_refuse_place(listing);
	enum status st =
	    notify_db_count(&self->rows, &listing->account, &totals);
	if (st != STATUS_OK)
		return st;
	listing_row(listing, "notices");
	listing_number(listing, "waiting", totals.notices);
	listing_number(listing, "deliveries", totals.deliveries);
	listing_number(listing, "dead_letters", totals.letters);
	listing_row_end(listing, after);
	return STATUS_OK;
}

/* Who is subscribed, a few: one for each terminal. */
static enum status list_subscriptions(
    void *state, struct listing *listing, struct slice after)
{
	struct notify *self = state;
	struct lease leases[LEASES_A_PAGE];
	size_t count;

	if (after.len > 0)
		return listing_refuse_place(listing);
	enum status st =
	    notify_db_leases(&self->rows, &listing->account, leases, &count);
	for (size_t i = 0; i < count && st == STATUS_OK; i++) {
		listing_row(listing, "subscription");
		listing_id(listing, "terminal", &leases[i].terminal);
		listing_time(listing, "opened", leases[i].opened_ms);
		if (!listing_row_end(listing, after))
			break;
	}
	return st;
}

#define TOLD_PLACE_BYTES (8 + ID_BYTES)

static enum status list_told(
    void *state, struct listing *listing, struct slice after)
{
	struct notify *self = state;
	struct notice_key page[QUEUE_PAGE_MAX], last;
	size_t count;
	enum status st;

	if (after.len > 0 && after.len != TOLD_PLACE_BYTES)
		return listing_refuse_place(listing);
	if (after.len > 0) {
		last.stored_ms = get_be64(after.data);
		memcpy(last.id.bytes, after.data + 8, ID_BYTES);
	}
	const struct notice_key *behind = after.len > 0 ? &last : NULL;
	do {
		st = notify_db_told_list(
		    &self->rows, &listing->account, behind, page, &count);
		for (size_t i = 0; i < count && st == STATUS_OK; i++) {
			uint8_t at[TOLD_PLACE_BYTES];
			put_be64(at, page[i].stored_ms);
			memcpy(at + 8, page[i].id.bytes, ID_BYTES);
			listing_row(listing, "told");
			listing_id(listing, "id", &page[i].id);
			listing_time(listing, "taken", page[i].stored_ms);
			if (!listing_row_end(listing, slice_of(at, sizeof(at))))
				return st;
			last = page[i];
			behind = &last;
		}
	} while (st == STATUS_OK && count == nitems(page));
	return st;
}

enum status notify_on_queue(void *state, struct exchange *x)
{
	static listing_part_fn *const parts[] = { list_queue };

	return listing_answer(state, x, parts, nitems(parts), false);
}

enum status notify_on_dead_letters(void *state, struct exchange *x)
{
	static listing_part_fn *const parts[] = { list_letters };

	return listing_answer(state, x, parts, nitems(parts), false);
}

enum status notify_on_waiting(void *state, struct exchange *x)
{
	static listing_part_fn *const parts[] = { list_waiting };

	return listing_answer(state, x, parts, nitems(parts), true);
}

enum status notify_on_export(void *state, struct exchange *x)
{
	static listing_part_fn *const parts[] = { list_queue, list_letters,
		list_subscriptions, list_told };

	return listing_answer(state, x, parts, nitems(parts), true);
}

/* ---- RESEND ---- */

/* One RESEND while it is committed. */
struct resend {
	struct notify *notify;
	struct id account;
	uint64_t notices, letters;
};

static enum status on_resent(struct exchange *x, enum status status,
    uint64_t generation, size_t failed_op)
{
	struct resend *resend = x->parked;
	struct notify *self = resend->notify;

	(void)generation;
	(void)failed_op;
	if (status == STATUS_OK) {
		audit_kick(self->service->audit, self->db, &resend->account);
		self->totals.notices += resend->notices;
		notify_lower(&self->totals.letters, resend->letters);
		expand_account(self, &resend->account);
	} else if (status == STATUS_NOT_FOUND) {
		status = exchange_retry(x, STATUS_BUSY, RESEND_RETRY_MS,
		    "somebody else resends the same letters");
	}
	free(resend);
	x->parked = NULL;
	return status;
}

static void put_event(
    const struct resend *resend, struct db_batch *batch, const Ops__By *by)
{
	char actor[OPERATOR_ACTOR_BYTES], detail[OPERATOR_DETAIL_BYTES];
	char what[64];

	snprintf(what, sizeof(what), "notices: %" PRIu64, resend->notices);
	operator_actor(actor, by);
	operator_detail(detail, what, by);
	audit_put(resend->notify->service->audit, batch, &resend->account,
	    &(struct audit_event){ .action = "dead_letters_resent",
		.actor = actor,
		.detail = detail });
}

/* Returns STATUS_PENDING once ${resend} is on_resent's. */
static enum status submit_resend(struct resend *resend, struct exchange *x,
    const struct id *notice, const Ops__By *by)
{
	Ops__Resent reply = OPS__RESENT__INIT;
	struct db_batch *batch =
	    db_batch_new(&resend->account, DB_GENERATION_ANY, NULL);
	bool more;

	enum status st = notify_db_resend(&resend->notify->rows, batch,
	    &resend->account, notice, clock_wall_ms(), &resend->notices,
	    &resend->letters, &more);
	if (st == STATUS_OK && resend->letters == 0 && notice)
		st = exchange_refuse(x, STATUS_NOT_FOUND,
		    "the account has no dead letter of this notice; "
		    "keepsakectl dead-letters lists them");
	if (st != STATUS_OK)
		goto out;
	reply.letters = resend->letters;
	reply.more = more;
	st = exchange_reply(x, &reply.base);
	if (st == STATUS_OK && resend->letters > 0) {
		put_event(resend, batch, by);
		x->parked = resend;
		st = exchange_commit(x, &batch, on_resent);
	}
out:
	db_batch_destroy(&batch);
	return st;
}

enum status notify_on_resend(void *state, struct exchange *x)
{
	struct resend *resend = NULL;
	struct id account, notice;
	Ops__Resend *message;
	const char *why;

	enum status st = exchange_unpack(x, &ops__resend__descriptor, &message);
	if (st != STATUS_OK)
		return st;
	if (id_from(&account, field_slice(message->account_id)) != STATUS_OK)
		return exchange_refuse(
		    x, STATUS_MALFORMED, "account_id: not 16 bytes");
	if (message->notice_id.len > 0 &&
	    id_from(&notice, field_slice(message->notice_id)) != STATUS_OK)
		return exchange_refuse(
		    x, STATUS_MALFORMED, "notice_id: not 16 bytes");
	st = operator_check(message->by, OPERATOR_NEEDS_NOTHING, &why);
	if (st != STATUS_OK)
		return exchange_refuse(x, st, "%s", why);
	resend = calloc(1, sizeof(*resend));
	if (!resend)
		return STATUS_NO_SPACE;
	resend->notify = state;
	resend->account = account;
	st = submit_resend(resend, x,
	    message->notice_id.len > 0 ? &notice : NULL, message->by);
	if (st != STATUS_PENDING)
		free(resend);
	return st;
}

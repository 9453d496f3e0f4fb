#include "deed.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"

/* Lanes that are shut, and how an operator opens them. */

#define LANES_A_STEP    32
#define LANES_A_DEED    256 /* of one account */
#define ACCOUNTS_CALLS  32  /* of journal_db_shut_lanes for one page */
#define UNLOCK_RETRY_MS 200

static const char *const lane_words[] = {
	[LANE_BOUND] = "bound",
	[LANE_INVITED] = "invited",
	[LANE_STRANGER] = "stranger",
};

static const char *const code_words[] = {
	[CREDENTIAL_OWNER] = "owner",
	[CREDENTIAL_VERIFICATION] = "verification",
	[CREDENTIAL_TERMINAL] = "terminal",
};

static const char *word_of(
    const char *const *words, size_t count, unsigned int index)
{
	return index > 0 && index < count ? words[index] : "";
}

static const char *lane_word(enum lane_kind kind)
{
	return word_of(lane_words, nitems(lane_words), kind);
}

static const char *code_word(enum credential_slot code)
{
	return word_of(code_words, nitems(code_words), code);
}

/*
 * Whether the lanes of an account of which the journal knows nothing count
 * as shut, because it was lost since: until an operator trusts the account.
 */
static enum status is_mistrusted(
    struct auth *self, const struct id *account, bool *out)
{
	const struct subject subject = { .account = *account, .known = true };
	struct service *service = self->service;
	struct account found;
	uint64_t trusted_ms;

	*out = false;
	if (service->journal_since_ms == 0)
		return STATUS_OK;
	enum status st = journal_db_moment(
	    service->journal, &subject, MOMENT_TRUSTED, &trusted_ms);
	if (st != STATUS_NOT_FOUND)
		return st;
	st = auth_db_account(&self->rows, account, &found);
	*out = st == STATUS_OK && found.created_ms < service->journal_since_ms;
	sodium_memzero(&found, sizeof(found));
	return st;
}

/* ---- LOCKS ---- */

#define PLACE_BYTES (ID_BYTES + 1 + LANE_KEY_BYTES)
_Static_assert(PLACE_BYTES <= LISTING_AT_BYTES_MAX, "fits a place");

static void write_place(
    uint8_t out[static PLACE_BYTES], const struct lane_cursor *cursor)
{
	memcpy(out, cursor->account.bytes, ID_BYTES);
	out[ID_BYTES] = cursor->inside;
	memcpy(out + ID_BYTES + 1, cursor->listed, LANE_KEY_BYTES);
}

static enum status read_place(
    struct listing *listing, struct slice after, struct lane_cursor *out)
{
	*out = (struct lane_cursor){ 0 };
	if (after.len == 0)
		return STATUS_OK;
	if (after.len != PLACE_BYTES)
		return listing_refuse_place(listing);
	memcpy(out->account.bytes, after.data, ID_BYTES);
	out->inside = after.data[ID_BYTES] != 0;
	memcpy(out->listed, after.data + ID_BYTES + 1, LANE_KEY_BYTES);
	return STATUS_OK;
}

static bool list_lane(struct listing *listing, const struct lane_listed *listed,
    const struct lane_cursor *behind, uint64_t now_ms)
{
	const struct lane *lane = &listed->lane;
	uint64_t opens_ms = lane_opens_ms(lane, now_ms);
	uint8_t place[PLACE_BYTES];

	listing_row(listing, "lock");
	listing_id(listing, "account", &listed->key.subject.account);
	listing_text(listing, "code", code_word(listed->key.code));
	listing_text(listing, "lane", lane_word(lane->kind));
	listing_id(listing, "terminal", &listed->key.terminal);
	listing_time(listing, "since",
	    lane->kind == LANE_STRANGER ? lane->closed_ms : lane->used_ms);
	if (opens_ms > 0)
		listing_time(listing, "opens", now_ms + opens_ms);
	else
		listing_text(listing, "opens", "by unlock");
	listing_number(listing, "unlocks", lane->unlocks);
	listing_number(listing, "unlocks_left",
	    LANE_UNLOCKS_MAX - min_of(lane->unlocks, LANE_UNLOCKS_MAX));
	write_place(place, behind);
	return listing_row_end(listing, slice_of(place, sizeof(place)));
}

enum status auth_list_lanes(
    void *state, struct listing *listing, struct slice after)
{
	struct auth *self = state;
	struct db *journal = self->service->journal;
	const struct id *account =
	    id_is_none(&listing->account) ? NULL : &listing->account;
	uint64_t now_ms = clock_wall_ms();
	struct lane_cursor cursor;
	struct lane_listed listed;
	size_t count;

	enum status st = read_place(listing, after, &cursor);
	for (int i = 0; st == STATUS_OK && !cursor.ended; i++) {
		uint8_t place[PLACE_BYTES];
		if (i == ACCOUNTS_CALLS) {
			write_place(place, &cursor);
			listing_pause(listing, slice_of(place, sizeof(place)));
			break;
		}
		/* One by one, so that each has the place behind it. */
		st = journal_db_shut_lanes(
		    journal, account, now_ms, &cursor, &listed, 1, &count);
		if (st != STATUS_OK || count == 0)
			continue;
		if (!list_lane(listing, &listed, &cursor, now_ms))
			break;
		i = -1; /* a page is bounded by its rows, too */
	}
	return st;
}

/* What the loss of the journal has shut: of one account, or of all. */
static enum status list_mistrusted(
    void *state, struct listing *listing, struct slice after)
{
	struct auth *self = state;
	bool mistrusted = self->service->journal_since_ms > 0;
	enum status st = STATUS_OK;

	if (after.len > 0)
		return listing_refuse_place(listing);
	if (!id_is_none(&listing->account))
		st = is_mistrusted(self, &listing->account, &mistrusted);
	if (st == STATUS_NOT_FOUND)
		return auth_refuse_unknown(listing->exchange);
	if (st != STATUS_OK || !mistrusted)
		return st;
	listing_row(listing, "journal_lost");
	listing_id(listing, "account", &listing->account);
	listing_time(listing, "since", self->service->journal_since_ms);
	listing_row_end(listing, after);
	return st;
}

enum status on_locks(void *state, struct exchange *x)
{
	static listing_part_fn *const parts[] = { list_mistrusted,
		auth_list_lanes };

	return listing_answer(state, x, parts, nitems(parts), false);
}

/* ---- invitations from the desk ---- */

static void on_invited(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	struct deed *deed = arg;

	(void)generation;
	(void)failed_op;
	deed_end(&deed, status);
}

/* Make an invitation for who is at the desk. */
static enum status act_invite(struct deed *deed)
{
	const struct subject subject = {
		.account = deed->account,
		.known = true,
	};
	Ops__Invitation reply = OPS__INVITATION__INIT;
	struct auth *auth = deed->auth;
	struct db_batch *batch = journal_db_batch(&subject);
	char code[INVITATION_TEXT_BYTES];

	reply.expiry_ms = clock_wall_ms() + INVITATION_GOOD_MS;
	reply.code = code;
	enum status st =
	    auth_put_invitation(auth, batch, &subject, code, reply.expiry_ms);
	if (st == STATUS_OK)
		st = exchange_reply(deed->x, &reply.base);
	if (st == STATUS_OK)
		st =
		    db_submit(auth->service->journal, &batch, on_invited, deed);
	db_batch_destroy(&batch);
	sodium_memzero(code, sizeof(code));
	return st;
}

/* ---- UNLOCK, HAND_BACK ---- */

struct unlocking {
	struct deed deed;
	bool hands_back; /* not bound by LANE_UNLOCKS_MAX; then invites */
	bool trusts;     /* open also what the loss of the journal has shut */
	struct lane_key keys[LANES_A_DEED];
	size_t count, next;
	struct turn turn;
	uint32_t unlocked, exhausted;
};

static bool is_wanted(
    const struct unlocking *self, const struct lane_key *key, const char *lane)
{
	if (self->hands_back)
		return key->kind == LANE_INVITED;
	if (*lane == '\0')
		return key->kind != LANE_STRANGER;
	return strcmp(lane, lane_word(key->kind)) == 0;
}

/* Find the lanes that are to be unlocked, and those that cannot be. */
static enum status find_lanes(struct unlocking *self, const char *lane)
{
	struct deed *deed = &self->deed;
	struct lane_listed listed[LANES_A_STEP];
	struct lane_cursor cursor = { 0 };
	size_t count;

	while (!cursor.ended && self->count < LANES_A_DEED) {
		size_t room =
		    min_of((size_t)LANES_A_STEP, LANES_A_DEED - self->count);
		enum status st = journal_db_shut_lanes(
		    deed->auth->service->journal, &deed->account,
		    clock_wall_ms(), &cursor, listed, room, &count);
		if (st != STATUS_OK)
			return st;
		for (size_t i = 0; i < count; i++) {
			if (!is_wanted(self, &listed[i].key, lane))
				continue;
			if (!self->hands_back &&
			    listed[i].lane.unlocks >= LANE_UNLOCKS_MAX)
				self->exhausted++;
			else
				self->keys[self->count++] = listed[i].key;
		}
	}
	return STATUS_OK;
}

static enum status refuse_nothing(
    const struct unlocking *self, struct exchange *x, const char *lane)
{
	if (self->exhausted > 0)
		return exchange_refuse(x, STATUS_DENIED,
		    "this was unlocked %d times, and cannot be again; what it "
		    "guards can be handed back: keepsakectl help handback",
		    LANE_UNLOCKS_MAX);
	return exchange_refuse(x, STATUS_NOT_FOUND,
	    "nothing of this account is locked%s; keepsakectl locks lists "
	    "what is",
	    *lane ? " in that lane" : "");
}

static enum status end_unlocking(struct unlocking *self)
{
	Ops__Unlocked reply = OPS__UNLOCKED__INIT;

	if (self->hands_back)
		return act_invite(&self->deed);
	reply.lanes = self->unlocked;
	reply.exhausted = self->exhausted;
	reply.trusted = self->trusts;
	return exchange_reply(self->deed.x, &reply.base);
}

static enum status unlock_next(struct unlocking *self);

static void on_unlocked(void *arg, enum status status)
{
	struct unlocking *self = arg;
	struct deed *deed = &self->deed;

	if (status == STATUS_OK)
		self->unlocked++;
	else if (status == STATUS_DENIED)
		self->exhausted++;
	/* NOT_FOUND: it has opened meanwhile. */
	if (status == STATUS_OK || status == STATUS_DENIED ||
	    status == STATUS_NOT_FOUND)
		status = unlock_next(self);
	else if (status == STATUS_BUSY)
		exchange_retry(deed->x, status, UNLOCK_RETRY_MS,
		    "others are at the same lane");
	if (status != STATUS_PENDING)
		deed_end(&deed, status);
}

/* Returns PENDING, or what is answered when all is done. */
static enum status unlock_next(struct unlocking *self)
{
	struct tries *tries = self->deed.auth->tries;

	while (self->next < self->count) {
		self->turn = (struct turn){
			.key = self->keys[self->next++],
			.done = on_unlocked,
			.arg = self,
		};
		enum status st = self->hands_back
				     ? tries_hand_back(tries, &self->turn)
				     : tries_unlock(tries, &self->turn);
		if (st == STATUS_DENIED)
			self->exhausted++;
		else if (st != STATUS_NOT_FOUND)
			return st;
	}
	return end_unlocking(self);
}

static void on_trusted(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	struct unlocking *self = arg;
	struct deed *deed = &self->deed;

	(void)generation;
	(void)failed_op;
	if (status == STATUS_OK)
		status = unlock_next(self);
	if (status != STATUS_PENDING)
		deed_end(&deed, status);
}

static enum status act_unlock(struct deed *deed)
{
	struct unlocking *self = (struct unlocking *)deed;

	if (!self->trusts)
		return unlock_next(self);
	return tries_trust(deed->auth->tries, &deed->account, on_trusted, self);
}

/* What the record says is opened. */
static void say_lanes(char *out, size_t size, const struct unlocking *self)
{
	size_t len = 0;

	out[0] = '\0';
	if (self->trusts)
		len = (size_t)snprintf(out, size,
		    "all of before the loss of "
		    "the journal");
	for (size_t i = 0; i < self->count && len < size; i++) {
		const struct lane_key *key = &self->keys[i];
		len += (size_t)snprintf(out + len, size - len, "%s%s by %s",
		    len > 0 ? ", " : "", code_word(key->code),
		    lane_word(key->kind));
	}
}

/*
 * Begin a deed that opens lanes.
 *
 * lane  as UNLOCK names it; not looked at where it hands back
 */
static enum status begin_unlocking(
    const struct deed *deed, bool hands_back, const char *lane)
{
	struct unlocking model = { .deed = *deed, .hands_back = hands_back };
	char what[120];

	model.deed.act = act_unlock;
	enum status st =
	    is_mistrusted(deed->auth, &deed->account, &model.trusts);
	if (st == STATUS_OK)
		st = find_lanes(&model, lane);
	if (st == STATUS_OK && model.count == 0 && !model.trusts && !hands_back)
		st = refuse_nothing(&model, deed->x, lane);
	if (st != STATUS_OK)
		return st;
	say_lanes(what, sizeof(what), &model);
	return deed_begin(&model.deed, sizeof(model), what);
}

static bool is_lane(const char *word)
{
	for (size_t i = 1; i < nitems(lane_words); i++)
		if (strcmp(word, lane_words[i]) == 0)
			return true;
	return *word == '\0';
}

#define AT_THE_DESK (OPERATOR_NEEDS_REASON | OPERATOR_NEEDS_DOCUMENT)

enum status on_unlock(void *state, struct exchange *x)
{
	struct deed deed = { .auth = state, .x = x, .action = "unlocked" };
	Ops__Unlock *message;

	enum status st = exchange_unpack(x, &ops__unlock__descriptor, &message);
	if (st == STATUS_OK)
		st = deed_check(state, x, message->account_id, message->by,
		    AT_THE_DESK, &deed.account);
	if (st == STATUS_OK && !is_lane(message->lane))
		st = exchange_refuse(x, STATUS_MALFORMED,
		    "lane: expected bound, invited or stranger");
	if (st != STATUS_OK)
		return st;
	deed.by = message->by;
	return begin_unlocking(&deed, false, message->lane);
}

enum status on_hand_back(void *state, struct exchange *x)
{
	struct deed deed = { .auth = state, .x = x, .action = "handed_back" };
	Ops__Deed *message;

	enum status st = exchange_unpack(x, &ops__deed__descriptor, &message);
	if (st == STATUS_OK)
		st = deed_check(state, x, message->account_id, message->by,
		    AT_THE_DESK, &deed.account);
	if (st != STATUS_OK)
		return st;
	deed.by = message->by;
	return begin_unlocking(&deed, true, "");
}

enum status on_ops_invite(void *state, struct exchange *x)
{
	struct deed deed = {
		.auth = state,
		.x = x,
		.action = "invited",
		.act = act_invite,
	};
	Ops__Deed *message;

	enum status st = exchange_unpack(x, &ops__deed__descriptor, &message);
	if (st == STATUS_OK)
		st = deed_check(state, x, message->account_id, message->by,
		    AT_THE_DESK, &deed.account);
	if (st != STATUS_OK)
		return st;
	deed.by = message->by;
	return deed_begin(&deed, sizeof(deed), "");
}

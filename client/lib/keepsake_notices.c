#include "keepsake.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/util.h"
#include "bus/unpack.h"
#include "keepsake_internal.h"
#include "notice_kind.h"
#include "notify.pb-c.h"

/* What the server has to tell. */

#define SUBSCRIBE_MS   20000 /* presence is a lease of 60 s */
#define LISTEN_MS      500   /* then look whether to stop */
#define NOTICE_IDS_MAX 64

struct notice_reader {
	keepsake_notice_fn *each;
	void *arg;
	/* Taken, and not acknowledged yet. */
	uint8_t ids[NOTICE_IDS_MAX][ID_BYTES];
	size_t ids_count;
};

static void give_notice(
    struct notice_reader *reader, const Notify__Notice *message)
{
	const struct notice_kind *kind = notice_kind(message->kind);
	struct keepsake_notice notice = {
		.kind = kind->word,
		.meaning = kind->meaning,
		.text = message->text,
		.when_ms = message->when_ms,
		.figures_count =
		    min_of(message->n_figures, (size_t)KEEPSAKE_FIGURES_MAX),
	};

	if (message->notice_id.len != ID_BYTES ||
	    reader->ids_count == NOTICE_IDS_MAX)
		return; /* the rest is told again */
	memcpy(notice.id, message->notice_id.data, ID_BYTES);
	if (message->terminal_id.len == ID_BYTES)
		memcpy(notice.terminal, message->terminal_id.data, ID_BYTES);
	for (size_t i = 0; i < notice.figures_count; i++) {
		notice.figures[i].name = message->figures[i]->name;
		notice.figures[i].value = message->figures[i]->value;
	}
	if (reader->each(reader->arg, &notice))
		memcpy(reader->ids[reader->ids_count++], notice.id, ID_BYTES);
}

/* Give out ${list}, then acknowledge what was taken. */
static enum status give_notices(struct keepsake *self,
    struct notice_reader *reader, const Notify__NoticeList *list)
{
	Notify__Ack message = NOTIFY__ACK__INIT;
	ProtobufCBinaryData ids[NOTICE_IDS_MAX];

	reader->ids_count = 0;
	for (size_t i = 0; i < list->n_notices; i++)
		give_notice(reader, list->notices[i]);
	if (reader->ids_count == 0)
		return STATUS_OK;
	for (size_t i = 0; i < reader->ids_count; i++)
		ids[i] = field_of(slice_of(reader->ids[i], ID_BYTES));
	message.notice_ids = ids;
	message.n_notice_ids = reader->ids_count;
	return session_ask(self->session, NOTIFY__TYPE__ACK,
	    login_ticket(self->login), &message.base, NULL, NULL);
}

/* Fetch what waits until nothing more comes that is taken. */
static enum status fetch_notices(
    struct keepsake *self, struct notice_reader *reader)
{
	Notify__Fetch message = NOTIFY__FETCH__INIT;
	Notify__NoticeList *list;
	enum status st;

	do {
		st = session_ask(self->session, NOTIFY__TYPE__FETCH,
		    login_ticket(self->login), &message.base,
		    &notify__notice_list__descriptor, &list);
		if (st == STATUS_OK)
			st = give_notices(self, reader, list);
	} while (st == STATUS_OK && reader->ids_count > 0);
	return st;
}

/* How far the clock on the wall is ahead of UTC, in minutes. */
static int32_t utc_offset_min(void)
{
	time_t now = time(NULL);
	struct tm local;

	return localtime_r(&now, &local) ? (int32_t)(local.tm_gmtoff / 60) : 0;
}

static enum status subscribe(struct keepsake *self)
{
	Notify__Subscribe message = NOTIFY__SUBSCRIBE__INIT;

	message.utc_offset_min = utc_offset_min();
	return session_ask(self->session, NOTIFY__TYPE__SUBSCRIBE,
	    login_ticket(self->login), &message.base, NULL, NULL);
}

/* Take pushes for as long as one subscription is good: it ends with the
 * connection, which may be to another gateway next. */
static enum status listen_a_while(struct keepsake *self,
    struct notice_reader *reader, const atomic_bool *cancel)
{
	uint64_t until_ms = clock_interval_ms() + SUBSCRIBE_MS;
	Notify__NoticeList *list;
	enum status st = subscribe(self);
	unsigned int connections = session_connections(self->session);

	while (st == STATUS_OK && clock_interval_ms() < until_ms &&
	       session_connections(self->session) == connections &&
	       !(cancel && atomic_load(cancel))) {
		st = session_pushed(self->session, NOTIFY__TYPE__PUSH,
		    LISTEN_MS, &notify__notice_list__descriptor, &list);
		if (st == STATUS_OK)
			st = give_notices(self, reader, list);
		else if (st == STATUS_NOT_FOUND)
			st = STATUS_OK; /* none came */
	}
	return st;
}

/* A ticket lasts minutes: prove once more. */
static enum status prove_again(struct keepsake *self)
{
	struct state_account account;

	call_end(self);
	return call_prove(self, DIRECTION_NOTICES, &account);
}

static enum status follow_notices(struct keepsake *self,
    struct notice_reader *reader, const atomic_bool *cancel)
{
	enum status st = STATUS_OK;

	while (st == STATUS_OK && !(cancel && atomic_load(cancel))) {
		st = listen_a_while(self, reader, cancel);
		if (st == STATUS_EXPIRED || st == STATUS_AUTH_REQUIRED) {
			st = prove_again(self);
			if (st != STATUS_OK)
				return st; /* prove has said why */
		}
	}
	return st == STATUS_OK ? st : call_refuse_session(self, st);
}

enum status keepsake_notices(struct keepsake *self, bool follow,
    const atomic_bool *cancel, keepsake_notice_fn *each, void *arg)
{
	struct notice_reader reader = { .each = each, .arg = arg };
	struct state_account account;

	call_begin(self);
	enum status st = call_prove(self, DIRECTION_NOTICES, &account);
	if (st == STATUS_OK) {
		st = fetch_notices(self, &reader);
		if (st != STATUS_OK)
			call_refuse_session(self, st);
	}
	if (st == STATUS_OK && follow)
		st = follow_notices(self, &reader, cancel);
	call_end(self);
	return st;
}

#include "keepsake.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "binding.pb-c.h"
#include "bus/unpack.h"
#include "card.h"
#include "card/iccid.h"
#include "keepsake_internal.h"

/* Cards: what the account keeps with each, by its ICCID (D-09). */

_Static_assert(KEEPSAKE_CARD_BYTES_MAX == CARD_DATA_MAX, "what fits");
_Static_assert(KEEPSAKE_ICCID_DIGITS_MAX == ICCID_DIGITS_MAX, "E.118");

static enum status refuse_iccid(struct keepsake *self, const char *iccid)
{
	if (iccid_check(iccid) == STATUS_OK)
		return STATUS_OK;
	return call_refuse(self, STATUS_MALFORMED,
	    "it is printed on the card; some phones show it in their settings",
	    "the ICCID is not 19 or 20 digits with the right check digit");
}

/* Prove for ${direction}, and get the account's keys. */
static enum status prove_with_keys(
    struct keepsake *self, enum direction direction)
{
	struct state_account account;
	enum status st = call_prove(self, direction, &account);

	return st == STATUS_OK ? call_account_keys(self, &account) : st;
}

static enum status refuse_answer(struct keepsake *self)
{
	return call_refuse(self, STATUS_MALFORMED,
	    "update keepsake; if that does not help tell the operator",
	    "what the server says of a card is not to be understood");
}

/* ---- save ---- */

static enum status seal_data(struct keepsake *self,
    const struct keepsake_card_content *what, struct bytes *out)
{
	enum status st = card_seal(out, self->account_keys, what->iccid,
	    slice_of(what->data, what->data_bytes));

	if (st == STATUS_TOO_LARGE)
		return call_refuse(self, st,
		    "keep a longer file with keepsake backup",
		    "more than %d bytes do not fit a card's entry",
		    KEEPSAKE_CARD_BYTES_MAX);
	return st == STATUS_OK ? st : call_refuse_plainly(self, st);
}

static enum status card_save(struct keepsake *self,
    const struct keepsake_card_content *what, struct keepsake_card *out)
{
	Binding__EntrySave message;
	Binding__EntryDates *dates;
	struct bytes sealed = { 0 };
	enum status st = refuse_iccid(self, what->iccid);

	if (st == STATUS_OK)
		st = prove_with_keys(self, DIRECTION_UPLOAD);
	if (st == STATUS_OK && what->data)
		st = seal_data(self, what, &sealed);
	if (st != STATUS_OK)
		goto out;
	binding__entry_save__init(&message);
	message.iccid = (char *)what->iccid; /* protobuf-c only reads them */
	message.number = (char *)what->number;
	if (what->data) {
		message.content_case = BINDING__ENTRY_SAVE__CONTENT_DATA;
		message.data = field_of(bytes_slice(&sealed));
	}
	st = session_ask(self->session, BINDING__TYPE__ENTRY_SAVE,
	    login_ticket(self->login), &message.base,
	    &binding__entry_dates__descriptor, &dates);
	if (st != STATUS_OK) {
		call_refuse_session(self, st);
		goto out;
	}
	*out = (struct keepsake_card){
		.first_save_ms = dates->first_save_ms,
		.last_update_ms = dates->last_update_ms,
		.stored_bytes = sealed.len,
	};
	text_copy(out->iccid, sizeof(out->iccid), what->iccid);
	text_copy(out->number, sizeof(out->number), what->number);
out:
	bytes_clear(&sealed);
	return st;
}

enum status keepsake_card_save(struct keepsake *self,
    const struct keepsake_card_content *what, struct keepsake_card *out)
{
	call_begin(self);
	enum status st = card_save(self, what, out);
	call_end(self);
	return st;
}

/* ---- read ---- */

static enum status read_card(
    struct keepsake_card *out, const Binding__Entry *message)
{
	*out = (struct keepsake_card){
		.first_save_ms = message->first_save_ms,
		.last_update_ms = message->last_update_ms,
		.stored_bytes = message->data_bytes,
	};
	if (iccid_check(message->iccid) != STATUS_OK ||
	    !text_copy(out->iccid, sizeof(out->iccid), message->iccid) ||
	    !text_copy(out->number, sizeof(out->number), message->number) ||
	    !text_is_clean(slice_text(out->number)))
		return STATUS_MALFORMED;
	return STATUS_OK;
}

static enum status list_cards(
    struct keepsake *self, struct keepsake_card **list_out, size_t *count_out)
{
	struct state_account account;
	struct keepsake_card *cards;
	Binding__EntryList *list;
	enum status st = call_prove(self, DIRECTION_MANAGE, &account);

	if (st != STATUS_OK)
		return st;
	st = session_ask(self->session, BINDING__TYPE__ENTRIES,
	    login_ticket(self->login), NULL, &binding__entry_list__descriptor,
	    &list);
	if (st != STATUS_OK)
		return call_refuse_session(self, st);
	if (list->n_entries == 0)
		return STATUS_OK;
	cards = calloc(list->n_entries, sizeof(*cards));
	if (!cards)
		return call_refuse_plainly(self, STATUS_NO_SPACE);
	for (size_t i = 0; i < list->n_entries && st == STATUS_OK; i++)
		st = read_card(&cards[i], list->entries[i]);
	if (st != STATUS_OK) {
		free(cards);
		return refuse_answer(self);
	}
	*list_out = cards;
	*count_out = list->n_entries;
	return STATUS_OK;
}

enum status keepsake_cards(
    struct keepsake *self, struct keepsake_card **list_out, size_t *count_out)
{
	*list_out = NULL;
	*count_out = 0;
	call_begin(self);
	enum status st = list_cards(self, list_out, count_out);
	call_end(self);
	return st;
}

static enum status open_data(struct keepsake *self, const char *iccid,
    struct slice stored, struct bytes *out)
{
	enum status st = STATUS_OK;

	if (stored.len > 0)
		st = card_open(out, self->account_keys, iccid, stored);
	if (st == STATUS_VERSION)
		return call_refuse(self, st,
		    "fetch it with the program that saved it, or update "
		    "keepsake",
		    "the data of this card was not saved by this program");
	if (st == STATUS_MALFORMED)
		return call_refuse(self, st,
		    "save it again from the card; tell the operator",
		    "the data of this card does not open: it is damaged");
	return st == STATUS_OK ? st : call_refuse_plainly(self, st);
}

static enum status fetch_card(struct keepsake *self, const char *iccid,
    struct keepsake_card *out, struct bytes *data_out)
{
	Binding__EntryFetch message = BINDING__ENTRY_FETCH__INIT;
	Binding__Entry *entry;
	enum status st = refuse_iccid(self, iccid);

	if (st == STATUS_OK)
		st = prove_with_keys(self, DIRECTION_DOWNLOAD);
	if (st != STATUS_OK)
		return st;
	message.iccid = (char *)iccid; /* protobuf-c only reads it */
	st = session_ask(self->session, BINDING__TYPE__ENTRY_FETCH,
	    login_ticket(self->login), &message.base,
	    &binding__entry__descriptor, &entry);
	if (st != STATUS_OK)
		return call_refuse_session(self, st);
	if (read_card(out, entry) != STATUS_OK ||
	    strcmp(out->iccid, iccid) != 0)
		return refuse_answer(self);
	return open_data(self, iccid, field_slice(entry->data), data_out);
}

enum status keepsake_card_fetch(struct keepsake *self, const char *iccid,
    struct keepsake_card *out, uint8_t **data_out, size_t *data_bytes_out)
{
	struct bytes data = { 0 };

	*data_out = NULL;
	*data_bytes_out = 0;
	call_begin(self);
	enum status st = fetch_card(self, iccid, out, &data);
	if (st == STATUS_OK) {
		*data_out = data.data;
		*data_bytes_out = data.len;
		data = (struct bytes){ 0 };
	}
	bytes_clear(&data);
	call_end(self);
	return st;
}

#include "service/event.h"

#include <stdio.h>
#include <string.h>

#include "bus/unpack.h"
#include "events.pb-c.h"

enum status event_pack(const struct event *event, struct bytes *out)
{
	Events__Event message = EVENTS__EVENT__INIT;
	Events__Figure figures[EVENT_FIGURES_MAX];
	Events__Figure *pointers[EVENT_FIGURES_MAX];

	for (size_t i = 0; i < event->figures_count; i++) {
		figures[i] = (Events__Figure)EVENTS__FIGURE__INIT;
		figures[i].name = (char *)event->figures[i].name;
		figures[i].value = event->figures[i].value;
		pointers[i] = &figures[i];
	}
	message.service = (char *)event->service;
	message.run_ms = event->run_ms;
	message.sequence = event->sequence;
	message.kind_sequence = event->kind_sequence;
	message.when_ms = event->when_ms;
	message.kind = (char *)event->kind;
	message.subject = (char *)event->subject;
	if (!id_is_none(&event->account))
		message.account_id =
		    field_of(slice_of(event->account.bytes, ID_BYTES));
	if (!id_is_none(&event->trace))
		message.trace_id =
		    field_of(slice_of(event->trace.bytes, ID_BYTES));
	message.figures = pointers;
	message.n_figures = event->figures_count;
	return pack_message(out, &message.base);
}

/* Copy a word; false where it is none, or longer than ${max}. */
static bool copy_word(char *out, size_t max, const char *word)
{
	size_t len = strlen(word);

	if (len > max ||
	    strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_") != len)
		return false;
	memcpy(out, word, len + 1);
	return true;
}

static bool copy_id(struct id *out, ProtobufCBinaryData field)
{
	return field.len == 0 || id_from(out, field_slice(field)) == STATUS_OK;
}

static bool take(struct event *out, const Events__Event *message)
{
	if (!copy_word(out->service, EVENT_WORD_BYTES_MAX, message->service) ||
	    !copy_word(out->kind, EVENT_WORD_BYTES_MAX, message->kind) ||
	    !copy_word(out->subject, EVENT_WORD_BYTES_MAX, message->subject) ||
	    *out->service == '\0' || *out->kind == '\0' ||
	    !copy_id(&out->account, message->account_id) ||
	    !copy_id(&out->trace, message->trace_id) ||
	    message->n_figures > EVENT_FIGURES_MAX)
		return false;
	bool numbered = message->sequence > 0 && message->kind_sequence > 0;
	if (!numbered && strcmp(out->kind, EVENT_HELLO) != 0)
		return false;
	out->run_ms = message->run_ms;
	out->sequence = message->sequence;
	out->kind_sequence = message->kind_sequence;
	out->when_ms = message->when_ms;
	for (size_t i = 0; i < message->n_figures; i++) {
		struct event_figure *figure = &out->figures[i];
		if (!copy_word(figure->name, EVENT_FIGURE_BYTES_MAX,
			message->figures[i]->name))
			return false;
		figure->value = message->figures[i]->value;
	}
	out->figures_count = message->n_figures;
	return true;
}

enum status event_unpack(struct event *out, struct slice packed)
{
	Events__Event *message;
	struct unpack unpack;

	memset(out, 0, sizeof(*out));
	if (packed.len > EVENT_BYTES_MAX)
		return STATUS_MALFORMED;
	unpack_begin(&unpack);
	enum status st = unpack_message(
	    &unpack, &events__event__descriptor, packed, &message);
	if (st == STATUS_OK && !take(out, message))
		st = STATUS_MALFORMED;
	unpack_end(&unpack);
	return st == STATUS_OK ? st : STATUS_MALFORMED;
}

const char *event_topic(
    char out[static EVENT_TOPIC_BYTES], const struct event *event)
{
	snprintf(out, EVENT_TOPIC_BYTES, "%s/%s", event->service, event->kind);
	return out;
}

uint64_t event_follow(struct event_place *self, const struct event *event)
{
	bool hello = strcmp(event->kind, EVENT_HELLO) == 0;
	uint64_t before = hello ? event->sequence : event->sequence - 1;
	uint64_t lost = 0;

	if (self->run_ms == 0)
		lost = 0; /* it has just come in */
	else if (self->run_ms != event->run_ms)
		lost = before;
	else if (before > self->sequence)
		lost = before - self->sequence;
	if (self->run_ms != event->run_ms || event->sequence > self->sequence)
		self->sequence = event->sequence;
	self->run_ms = event->run_ms;
	return lost;
}

#include "entry.h"

#include <stdbool.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"

#define NUMBER_DIGITS_MIN 7

/* Whether it is a number as ITU-T E.164 has it, written with a plus. */
static bool is_number(const char *text)
{
	size_t digits = strspn(text + (text[0] == '+'), "0123456789");

	return text[0] == '+' && digits >= NUMBER_DIGITS_MIN &&
	       digits < ENTRY_NUMBER_BYTES_MAX && text[1 + digits] == '\0';
}

enum status entry_check(const Binding__EntrySave *message, const char **why_out)
{
	if (iccid_check(message->iccid) != STATUS_OK) {
		*why_out = "iccid: not 19 or 20 digits with the right check "
			   "digit; it is printed on the card";
		return STATUS_MALFORMED;
	}
	if (!is_number(message->number)) {
		*why_out = "number: not a plus and 7 to 15 digits, with the "
			   "country code and without spaces";
		return STATUS_MALFORMED;
	}
	if (message->content_case == BINDING__ENTRY_SAVE__CONTENT_DATA &&
	    message->data.len > ENTRY_DATA_BYTES_MAX) {
		*why_out = "data: more than 3500 bytes; back up more than "
			   "that as a file";
		return STATUS_TOO_LARGE;
	}
	return STATUS_OK;
}

void entry_update(
    struct entry *self, const Binding__EntrySave *message, uint64_t now_ms)
{
	text_copy(self->iccid, sizeof(self->iccid), message->iccid);
	text_copy(self->number, sizeof(self->number), message->number);
	if (message->content_case == BINDING__ENTRY_SAVE__CONTENT_DATA) {
		self->data_len = message->data.len;
		if (message->data.len > 0)
			memcpy(
			    self->data, message->data.data, message->data.len);
	}
	if (self->first_save_ms == 0)
		self->first_save_ms = now_ms;
	self->last_update_ms = max_of(now_ms, self->last_update_ms);
}

void entry_report(Binding__Entry *out, const struct entry *self)
{
	/* protobuf-c reads only, but its type has no const. */
	out->iccid = (char *)self->iccid;
	out->number = (char *)self->number;
	out->first_save_ms = self->first_save_ms;
	out->last_update_ms = self->last_update_ms;
	out->data_bytes = (uint32_t)self->data_len;
}

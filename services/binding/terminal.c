#include "terminal.h"

#include <string.h>

#include "base/text.h"
#include "bus/unpack.h"

#define NOWHERE SIZE_MAX

enum status terminal_describe(struct terminal *self, const char *imei,
    const char *serial, const char *label, const char **why_out)
{
	bool nameless = self->imei[0] == '\0' && self->serial[0] == '\0';
	const char *why = NULL;

	if (nameless && imei[0] == '\0' && serial[0] == '\0')
		why = "imei, serial: a terminal needs one of them";
	else if (imei[0] != '\0' && imei_check(imei) != STATUS_OK)
		why = "imei: not 15 digits with the right check digit; a phone "
		      "shows its own when *#06# is dialled";
	else if (strlen(serial) > TERMINAL_SERIAL_BYTES_MAX)
		why = "serial: more than 64 bytes";
	else if (!text_is_clean(slice_text(serial)))
		why = "serial: not UTF-8, or with control characters";
	else if (strlen(label) > TERMINAL_LABEL_BYTES_MAX)
		why = "label: more than 64 bytes";
	else if (!text_is_clean(slice_text(label)))
		why = "label: not UTF-8, or with control characters";
	if (why) {
		*why_out = why;
		return STATUS_MALFORMED;
	}
	if (imei[0] != '\0')
		text_copy(self->imei, sizeof(self->imei), imei);
	if (serial[0] != '\0')
		text_copy(self->serial, sizeof(self->serial), serial);
	if (label[0] != '\0')
		text_copy(self->label, sizeof(self->label), label);
	return STATUS_OK;
}

bool terminal_same_identifiers(
    const struct terminal *a, const struct terminal *b)
{
	return strcmp(a->imei, b->imei) == 0 &&
	       strcmp(a->serial, b->serial) == 0;
}

enum status terminal_find(const struct terminal *terminals, size_t count,
    const struct terminal_clue *clue, size_t *index_out, const char **why_out)
{
	size_t by_key = NOWHERE, by_imei = NOWHERE, by_serial = NOWHERE;

	for (size_t i = 0; i < count; i++) {
		const struct terminal *terminal = &terminals[i];
		if (clue->peer_key && memcmp(terminal->peer_key, clue->peer_key,
					  TERMINAL_KEY_BYTES) == 0)
			by_key = i;
		if (clue->imei[0] != '\0' &&
		    strcmp(terminal->imei, clue->imei) == 0)
			by_imei = i;
		if (clue->serial[0] != '\0' &&
		    strcmp(terminal->serial, clue->serial) == 0)
			by_serial = i;
	}
	if (by_imei != NOWHERE && by_serial != NOWHERE &&
	    by_imei != by_serial) {
		*why_out = "imei and serial are of two terminals of the "
			   "account: unbind one of them first";
		return STATUS_CONFLICT;
	}
	size_t named = by_imei != NOWHERE ? by_imei : by_serial;
	if (named != NOWHERE && by_key != NOWHERE && named != by_key) {
		*why_out = "this key is bound as another terminal of the "
			   "account: unbind one of the two first";
		return STATUS_CONFLICT;
	}
	*index_out = named != NOWHERE ? named : by_key;
	return *index_out == NOWHERE ? STATUS_NOT_FOUND : STATUS_OK;
}

void terminal_report(Binding__Terminal *out, const struct terminal *self)
{
	out->terminal_id = field_of(slice_of(self->id.bytes, ID_BYTES));
	out->peer_key = field_of(slice_of(self->peer_key, TERMINAL_KEY_BYTES));
	/* protobuf-c reads only, but its type has no const. */
	out->imei = (char *)self->imei;
	out->serial = (char *)self->serial;
	out->label = (char *)self->label;
	out->bound_ms = self->bound_ms;
}

#include "terminal.h"

#include <string.h>

#include "base/text.h"
#include "bus/unpack.h"

enum status terminal_describe(
    struct terminal *self, const Binding__Bind *bind, const char **why_out)
{
	struct slice serial = slice_text(bind->serial);
	struct slice label = slice_text(bind->label);
	const char *why = NULL;

	if (*bind->imei == '\0' && serial.len == 0)
		why = "imei, serial: a terminal needs one of them";
	else if (*bind->imei != '\0' && imei_check(bind->imei) != STATUS_OK)
		why = "imei: not 15 digits with the right check digit";
	else if (serial.len > TERMINAL_SERIAL_BYTES_MAX)
		why = "serial: more than 64 bytes";
	else if (!text_is_clean(serial))
		why = "serial: not UTF-8, or with control characters";
	else if (label.len > TERMINAL_LABEL_BYTES_MAX)
		why = "label: more than 64 bytes";
	else if (!text_is_clean(label))
		why = "label: not UTF-8, or with control characters";
	if (why) {
		*why_out = why;
		return STATUS_MALFORMED;
	}
	text_copy(self->imei, sizeof(self->imei), bind->imei);
	text_copy(self->serial, sizeof(self->serial), bind->serial);
	text_copy(self->label, sizeof(self->label), bind->label);
	return STATUS_OK;
}

bool terminal_same_identifiers(
    const struct terminal *a, const struct terminal *b)
{
	return strcmp(a->imei, b->imei) == 0 &&
	       strcmp(a->serial, b->serial) == 0;
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

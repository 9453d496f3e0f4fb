#include "identity.h"

#include <stddef.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/util.h"
#include "card/imei.h"

#define FILE_BYTES_MAX 4096

_Static_assert(IMEI_DIGITS == IDENTITY_DIGITS_MAX, "an IMEI fits");

/* clang-format off */
static const struct row {
	const char *name;
	size_t field;
	size_t len_min, len_max;
	bool digits;
} rows[] = {
	{ "serial", offsetof(struct identity, serial), 1,           IDENTITY_SERIAL_BYTES_MAX, false },
	{ "imei",   offsetof(struct identity, imei),   IMEI_DIGITS, IMEI_DIGITS,               true },
	{ "imsi",   offsetof(struct identity, imsi),   6,           IDENTITY_DIGITS_MAX,       true },
};
/* clang-format on */

/* Take the value of ${row}; why it is none, or NULL. */
static const char *take_value(
    struct identity *out, const struct row *row, struct slice value)
{
	char *field = (char *)out + row->field;

	if (field[0] != '\0')
		return "this name is there twice";
	if (value.len < row->len_min || value.len > row->len_max)
		return row->digits ? "an imei has 15 digits, an imsi 6 to 15"
				   : "a serial number has 1 to 256 bytes";
	if (!text_is_clean(value))
		return "not text";
	memcpy(field, value.data, value.len);
	field[value.len] = '\0';
	if (row->digits && strspn(field, "0123456789") != value.len)
		return "imei and imsi are digits only";
	if (strcmp(row->name, "imei") == 0 && imei_check(field) != STATUS_OK)
		return "its check digit is wrong: not an imei";
	return NULL;
}

/* Take a line without its end; why it is none, or NULL. */
static const char *take_line(struct identity *out, struct slice line)
{
	if (line.len == 0 || line.data[0] == '#')
		return NULL;
	for (size_t i = 0; i < nitems(rows); i++) {
		size_t name_len = strlen(rows[i].name);
		if (line.len > name_len && line.data[name_len] == '=' &&
		    memcmp(line.data, rows[i].name, name_len) == 0)
			return take_value(out, &rows[i],
			    slice_of(line.data + name_len + 1,
				line.len - name_len - 1));
	}
	return "want serial=…, imei=… or imsi=…";
}

enum status identity_parse(
    struct identity *out, struct slice text, struct identity_fault *fault_out)
{
	*out = (struct identity){ .serial = "" };
	*fault_out = (struct identity_fault){ .line = 0 };
	while (text.len > 0) {
		const uint8_t *end = memchr(text.data, '\n', text.len);
		size_t len = end ? (size_t)(end - text.data) : text.len;
		fault_out->line++;
		fault_out->why = take_line(out, slice_of(text.data, len));
		if (fault_out->why)
			return STATUS_MALFORMED;
		len += end ? 1 : 0;
		text = slice_of(text.data + len, text.len - len);
	}
	return STATUS_OK;
}

enum status identity_read(
    struct identity *out, const char *path, struct identity_fault *fault_out)
{
	struct bytes text = { 0 };
	enum status st = file_read_secret(&text, path, FILE_BYTES_MAX);

	*fault_out = (struct identity_fault){ .why = "" };
	switch (st) {
	case STATUS_OK:
		st = identity_parse(out, bytes_slice(&text), fault_out);
		break;
	case STATUS_NOT_FOUND:
		fault_out->why = "no such file";
		break;
	case STATUS_DENIED:
		fault_out->why = "refused: it must be yours, no symlink, "
				 "with mode 0600";
		break;
	case STATUS_TOO_LARGE:
		fault_out->why = "too long for what it is to hold";
		st = STATUS_MALFORMED;
		break;
	default:
		fault_out->why = status_text(st);
		break;
	}
	bytes_clear(&text);
	return st;
}

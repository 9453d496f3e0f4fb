#include "crypto/code.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

#include "base/util.h"
#include "crypto/arena.h"

/* Room for the values, and for each factor "99:name9999:". */
#define TEXT_BYTES_MAX                                                       \
	(CODE_PASSWORD_BYTES_MAX + CODE_SERIAL_BYTES_MAX + CODE_IMEI_BYTES + \
	    CODE_IMSI_BYTES_MAX + 4 * 24)

struct code {
	size_t len;
	uint8_t text[TEXT_BYTES_MAX + 1]; /* snprintf writes a NUL */
};

enum kind { KIND_TEXT, KIND_DIGITS };

/* In the order of the text. */
/* clang-format off */
static const struct factor {
	unsigned int bit;
	const char *name;
	size_t value;	/* where it is in struct code_factors */
	enum kind kind;
	size_t min, max;	/* bytes */
} factor_table[] = {
	{ CODE_PASSWORD, "password", offsetof(struct code_factors, password), KIND_TEXT,   1,                   CODE_PASSWORD_BYTES_MAX },
	{ CODE_SERIAL,   "serial",   offsetof(struct code_factors, serial),   KIND_TEXT,   1,                   CODE_SERIAL_BYTES_MAX },
	{ CODE_IMEI,     "imei",     offsetof(struct code_factors, imei),     KIND_DIGITS, CODE_IMEI_BYTES,     CODE_IMEI_BYTES },
	{ CODE_IMSI,     "imsi",     offsetof(struct code_factors, imsi),     KIND_DIGITS, CODE_IMSI_BYTES_MIN, CODE_IMSI_BYTES_MAX },
};
/* clang-format on */

bool code_set_valid(unsigned int set)
{
	return set != 0 && (set & ~CODE_ALL) == 0;
}

bool code_set_identifier_only(unsigned int set)
{
	return code_set_valid(set) && (set & CODE_PASSWORD) == 0;
}

/** Append "length:value". */
static void append(struct code *self, struct slice value)
{
	size_t room = sizeof(self->text) - self->len;
	int prefix =
	    snprintf((char *)self->text + self->len, room, "%zu:", value.len);

	assert(prefix > 0 && (size_t)prefix + value.len < room);
	self->len += (size_t)prefix;
	memcpy(self->text + self->len, value.data, value.len);
	self->len += value.len;
}

static enum status append_digits(struct code *self, struct slice value)
{
	for (size_t i = 0; i < value.len; i++)
		if (value.data[i] < '0' || value.data[i] > '9')
			return STATUS_MALFORMED;
	append(self, value);
	return STATUS_OK;
}

/** Append ${value} in NFC, which may make it longer, but not past ${max}. */
static enum status append_text(
    struct code *self, struct slice value, size_t max)
{
	const utf8proc_option_t nfc = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
	const utf8proc_ssize_t len = (utf8proc_ssize_t)value.len;
	enum status st = STATUS_MALFORMED;
	utf8proc_int32_t *points = NULL;
	size_t points_bytes = 0;
	void *secret = NULL;

	if (memchr(value.data, '\0', value.len))
		goto out;
	utf8proc_ssize_t count =
	    utf8proc_decompose(value.data, len, NULL, 0, nfc);
	if (count <= 0)
		goto out;

	/* One more than there are code points: reencode writes a NUL. */
	points_bytes = ((size_t)count + 1) * sizeof(*points);
	points = secret = secret_new(points_bytes);
	if (!points) {
		st = STATUS_NO_SPACE;
		goto out;
	}
	count = utf8proc_decompose(value.data, len, points, count, nfc);
	if (count > 0)
		count = utf8proc_reencode(points, count, nfc);
	if (count <= 0)
		goto out;
	st = STATUS_TOO_LARGE;
	if ((size_t)count > max)
		goto out;
	append(self, slice_of(points, (size_t)count));
	st = STATUS_OK;
out:
	secret_destroy(&secret, points_bytes);
	return st;
}

static enum status append_factor(struct code *self, const struct factor *factor,
    const struct code_factors *factors)
{
	struct slice value;

	memcpy(&value, (const char *)factors + factor->value, sizeof(value));
	if (value.len < factor->min)
		return STATUS_MALFORMED;
	if (value.len > factor->max)
		return factor->kind == KIND_TEXT ? STATUS_TOO_LARGE
						 : STATUS_MALFORMED;
	append(self, slice_text(factor->name));
	return factor->kind == KIND_TEXT ? append_text(self, value, factor->max)
					 : append_digits(self, value);
}

enum status code_new(struct code **code_out, const struct code_factors *factors)
{
	struct code *self = NULL;
	enum status st = STATUS_MALFORMED;

	if (!code_set_valid(factors->set))
		goto out;
	st = STATUS_NO_SPACE;
	self = secret_new(sizeof(*self));
	if (!self)
		goto out;
	for (size_t i = 0; i < nitems(factor_table); i++) {
		if (!(factors->set & factor_table[i].bit))
			continue;
		st = append_factor(self, &factor_table[i], factors);
		if (st != STATUS_OK)
			goto out;
	}
	*code_out = self;
	self = NULL;
	st = STATUS_OK;
out:
	code_destroy(&self);
	return st;
}

struct slice code_text(const struct code *self)
{
	return slice_of(self->text, self->len);
}

void code_destroy(struct code **self_p)
{
	assert(self_p);
	void *secret = *self_p;

	secret_destroy(&secret, sizeof(struct code));
	*self_p = NULL;
}

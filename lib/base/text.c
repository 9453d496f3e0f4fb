#include "base/text.h"

#include <stdio.h>
#include <string.h>

#include "base/util.h"

/* Bytes of the UTF-8 sequence at ${at} of ${len} bytes, or 0. */
static size_t utf8_length(const uint8_t *at, size_t len)
{
	uint32_t point;
	size_t need;

	if (at[0] < 0x80)
		return 1;
	if (at[0] >= 0xc2 && at[0] <= 0xdf)
		need = 2;
	else if (at[0] >= 0xe0 && at[0] <= 0xef)
		need = 3;
	else if (at[0] >= 0xf0 && at[0] <= 0xf4)
		need = 4;
	else
		return 0;
	if (len < need)
		return 0;
	point = at[0] & (0x7fu >> need);
	for (size_t i = 1; i < need; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (at[i] & 0x3f);
	}
	if ((need == 3 && point < 0x800) || (need == 4 && point < 0x10000) ||
	    (point >= 0xd800 && point <= 0xdfff) || point > 0x10ffff)
		return 0;
	return need;
}

/* U+0000..U+001F, U+007F and, two bytes long, U+0080..U+009F. */
static bool is_control(const uint8_t *at, size_t len)
{
	return at[0] < 0x20 || at[0] == 0x7f ||
	       (len == 2 && at[0] == 0xc2 && at[1] < 0xa0);
}

bool text_is_clean(struct slice text)
{
	for (size_t i = 0; i < text.len;) {
		size_t step = utf8_length(text.data + i, text.len - i);
		if (step == 0 || is_control(text.data + i, step))
			return false;
		i += step;
	}
	return true;
}

bool text_copy(char *out, size_t size, const char *text)
{
	size_t len = strlen(text) + 1;

	if (len > size) {
		out[0] = '\0';
		return false;
	}
	memcpy(out, text, len);
	return true;
}

/* Read the digits ${text} starts with; ${rest} is what follows them. */
static enum status leading_number(
    uint64_t *out, const char *text, uint64_t max, const char **rest)
{
	uint64_t number = 0;

	if (*text < '0' || *text > '9')
		return STATUS_MALFORMED;
	for (; *text >= '0' && *text <= '9'; text++) {
		uint64_t digit = (uint64_t)(*text - '0');
		if (number > (max - digit) / 10 || digit > max)
			return STATUS_MALFORMED;
		number = number * 10 + digit;
	}
	*out = number;
	*rest = text;
	return STATUS_OK;
}

enum status text_number(uint64_t *out, const char *text, uint64_t max)
{
	const char *rest;
	uint64_t number;
	enum status st = leading_number(&number, text, max, &rest);

	if (st != STATUS_OK)
		return st;
	if (*rest != '\0')
		return STATUS_MALFORMED;
	*out = number;
	return STATUS_OK;
}

struct unit {
	const char *name;
	uint64_t factor;
};

static enum status number_with_unit(uint64_t *out, const char *text,
    const struct unit *units, size_t units_count)
{
	const char *rest;
	uint64_t number;
	enum status st = leading_number(&number, text, UINT64_MAX, &rest);

	if (st != STATUS_OK)
		return st;
	for (size_t i = 0; i < units_count; i++) {
		if (strcmp(rest, units[i].name) != 0)
			continue;
		if (number > INT64_MAX / units[i].factor)
			return STATUS_MALFORMED;
		*out = number * units[i].factor;
		return STATUS_OK;
	}
	return STATUS_MALFORMED;
}

enum status text_size(uint64_t *out, const char *text)
{
	static const struct unit units[] = {
		{ "", 1 },
		{ "K", 1ull << 10 },
		{ "M", 1ull << 20 },
		{ "G", 1ull << 30 },
		{ "T", 1ull << 40 },
	};

	return number_with_unit(out, text, units, nitems(units));
}

enum status text_duration(uint64_t *out_ms, const char *text)
{
	static const struct unit units[] = {
		{ "ms", 1 },
		{ "s", 1000 },
		{ "min", 60000 },
		{ "h", 3600000 },
		{ "d", 86400000 },
	};

	return number_with_unit(out_ms, text, units, nitems(units));
}

const char *text_of_size(char out[static TEXT_SIZE_BYTES], uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB",
		"PiB" };
	double scaled = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		snprintf(out, TEXT_SIZE_BYTES, "%u B", (unsigned int)bytes);
		return out;
	}
	while (scaled >= 1024 && unit + 1 < nitems(units)) {
		scaled /= 1024;
		unit++;
	}
	snprintf(out, TEXT_SIZE_BYTES, "%.1f %s", scaled, units[unit]);
	return out;
}

const char *text_of_duration(
    char out[static TEXT_DURATION_BYTES], uint64_t duration_ms)
{
	static const struct {
		const char *name;
		uint64_t seconds; /* in one */
		uint64_t parts;   /* of the next unit in one */
	} units[] = {
		{ "d", 86400, 24 },
		{ "h", 3600, 60 },
		{ "min", 60, 60 },
		{ "s", 1, 1 },
	};
	uint64_t seconds = duration_ms / 1000 + (duration_ms % 1000 > 0);
	size_t unit = 0;

	while (unit + 1 < nitems(units) && seconds < units[unit].seconds)
		unit++;
	/* To the next unit only: nobody waits for a day and a second. */
	uint64_t step = units[unit].seconds / units[unit].parts;
	uint64_t steps = seconds / step + (seconds % step > 0);
	uint64_t whole = steps / units[unit].parts;
	uint64_t rest = steps % units[unit].parts;

	if (rest == 0)
		snprintf(out, TEXT_DURATION_BYTES, "%llu %s",
		    (unsigned long long)whole, units[unit].name);
	else
		snprintf(out, TEXT_DURATION_BYTES, "%llu %s %llu %s",
		    (unsigned long long)whole, units[unit].name,
		    (unsigned long long)rest, units[unit + 1].name);
	return out;
}

#include "name.h"

#include <sodium.h>
#include <string.h>
#include <utf8proc.h>

#include "base/text.h"

#define POINTS_MAX 1024 /* code points of a name that is taken apart */

#define WHY_TEXT   "a name is UTF-8 text without control characters"
#define WHY_LONG   "a name has at most 254 bytes"
#define WHY_PHONE  "a phone number is + and 7 to 15 digits, country code first"
#define WHY_LOCAL  "the part before the @ is no e-mail mailbox"
#define WHY_DOMAIN "the part behind the @ is no domain (xn--… where not ASCII)"
#define WHY_NICKNAME                                                           \
	"a nickname is 3 to 64 letters, digits, dots, dashes or underscores, " \
	"a letter first"

/* Canonical text and what is still to be read of it. */
struct cursor {
	const uint8_t *at;
	size_t left;
};

/* The next code point; -1 at the end. */
static utf8proc_int32_t next_point(struct cursor *self)
{
	utf8proc_int32_t point = -1;

	if (self->left == 0)
		return -1;
	utf8proc_ssize_t step =
	    utf8proc_iterate(self->at, (utf8proc_ssize_t)self->left, &point);
	if (step <= 0)
		return -1;
	self->at += step;
	self->left -= (size_t)step;
	return point;
}

static bool is_letter(utf8proc_int32_t point)
{
	switch (utf8proc_category(point)) {
	case UTF8PROC_CATEGORY_LU:
	case UTF8PROC_CATEGORY_LL:
	case UTF8PROC_CATEGORY_LT:
	case UTF8PROC_CATEGORY_LM:
	case UTF8PROC_CATEGORY_LO:
		return true;
	default:
		return false;
	}
}

/* Part of a word: many scripts cannot be written without marks. */
static bool is_word(utf8proc_int32_t point)
{
	switch (utf8proc_category(point)) {
	case UTF8PROC_CATEGORY_ND:
	case UTF8PROC_CATEGORY_MN:
	case UTF8PROC_CATEGORY_MC:
		return true;
	default:
		return is_letter(point);
	}
}

/* Whether ${point} is one of ${characters}, which are ASCII. */
static bool is_one_of(utf8proc_int32_t point, const char *characters)
{
	return point > 0 && point < 0x80 && strchr(characters, point);
}

/* Put the canonical form of ${text} into ${out}: NFC, case folded. */
static enum status fold(
    struct name *out, struct slice text, const char **why_out)
{
	const utf8proc_option_t options =
	    UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD;
	/* One more: reencode writes a NUL. */
	utf8proc_int32_t points[POINTS_MAX + 1];
	enum status st = STATUS_MALFORMED;

	*why_out = WHY_TEXT;
	utf8proc_ssize_t count = utf8proc_decompose(
	    text.data, (utf8proc_ssize_t)text.len, points, POINTS_MAX, options);
	if (count < 0)
		goto out;
	*why_out = WHY_LONG;
	if (count > POINTS_MAX)
		goto out;
	count = utf8proc_reencode(points, count, options);
	if (count < 0 || count > NAME_BYTES_MAX)
		goto out;
	memcpy(out->text, points, (size_t)count);
	out->len = (size_t)count;
	st = STATUS_OK;
out:
	sodium_memzero(points, sizeof(points));
	return st;
}

static enum status nickname_check(const struct name *name)
{
	struct cursor rest = { (const uint8_t *)name->text, name->len };
	size_t letters = 0;

	for (utf8proc_int32_t point = next_point(&rest); point >= 0;
	     point = next_point(&rest), letters++) {
		if (letters == 0 && !is_letter(point))
			return STATUS_MALFORMED;
		if (!is_word(point) && !is_one_of(point, "._-"))
			return STATUS_MALFORMED;
	}
	if (letters < NICKNAME_LETTERS_MIN || letters > NICKNAME_LETTERS_MAX)
		return STATUS_MALFORMED;
	return STATUS_OK;
}

/* RFC 5322 clause 3.2.3 (dot-atom), letters as in RFC 6531. */
static enum status local_check(struct slice local)
{
	struct cursor rest = { local.data, local.len };
	utf8proc_int32_t last = '.';

	if (local.len == 0 || local.len > EMAIL_LOCAL_BYTES_MAX)
		return STATUS_MALFORMED;
	for (utf8proc_int32_t point = next_point(&rest); point >= 0;
	     point = next_point(&rest)) {
		if (point == '.' && last == '.')
			return STATUS_MALFORMED;
		if (!is_word(point) && point != '.' &&
		    !is_one_of(point, "!#$%&'*+-/=?^_`{|}~"))
			return STATUS_MALFORMED;
		last = point;
	}
	return last == '.' ? STATUS_MALFORMED : STATUS_OK;
}

static bool label_valid(struct slice label)
{
	if (label.len == 0 || label.len > EMAIL_LABEL_BYTES_MAX ||
	    label.data[0] == '-' || label.data[label.len - 1] == '-')
		return false;
	for (size_t i = 0; i < label.len; i++)
		if (!is_one_of(
			label.data[i], "abcdefghijklmnopqrstuvwxyz0123456789-"))
			return false;
	return true;
}

static enum status domain_check(struct slice domain)
{
	while (domain.len > 0) {
		const uint8_t *dot = memchr(domain.data, '.', domain.len);
		size_t len = dot ? (size_t)(dot - domain.data) : domain.len;
		if (!label_valid(slice_of(domain.data, len)))
			return STATUS_MALFORMED;
		if (!dot)
			return STATUS_OK;
		domain = slice_of(dot + 1, domain.len - len - 1);
	}
	return STATUS_MALFORMED; /* nothing, or a dot at the end */
}

static enum status email_check(const struct name *name, const char **why_out)
{
	const char *at = memchr(name->text, '@', name->len);
	size_t local_len = (size_t)(at - name->text);

	*why_out = WHY_LOCAL;
	if (local_check(slice_of(name->text, local_len)) != STATUS_OK)
		return STATUS_MALFORMED;
	*why_out = WHY_DOMAIN;
	return domain_check(slice_of(at + 1, name->len - local_len - 1));
}

/* Read a phone number; NOT_FOUND where ${text} does not begin as one. */
static enum status phone_parse(struct name *out, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t byte = text.data[i];
		if (is_one_of(byte, " -()"))
			continue;
		if (out->len == 0 && byte != '+')
			return STATUS_NOT_FOUND;
		if (out->len > 0 && !is_one_of(byte, "0123456789"))
			return STATUS_MALFORMED;
		if (out->len > PHONE_DIGITS_MAX)
			return STATUS_MALFORMED;
		out->text[out->len++] = (char)byte;
	}
	if (out->len == 0)
		return STATUS_NOT_FOUND;
	if (out->len < 1 + PHONE_DIGITS_MIN || out->text[1] == '0')
		return STATUS_MALFORMED;
	return STATUS_OK;
}

static enum status parse_kind(
    struct name *out, struct slice text, const char **why_out)
{
	if (text.len > 0 && memchr(text.data, '@', text.len)) {
		out->kind = NAME_EMAIL;
		enum status st = fold(out, text, why_out);
		return st == STATUS_OK ? email_check(out, why_out) : st;
	}
	out->kind = NAME_PHONE;
	*why_out = WHY_PHONE;
	enum status st = phone_parse(out, text);
	if (st != STATUS_NOT_FOUND)
		return st;
	out->kind = NAME_NICKNAME;
	st = fold(out, text, why_out);
	if (st != STATUS_OK)
		return st;
	*why_out = WHY_NICKNAME;
	return nickname_check(out);
}

enum status name_parse(
    struct name *out, struct slice text, const char **why_out)
{
	*out = (struct name){ 0 };
	*why_out = WHY_LONG;
	enum status st = STATUS_MALFORMED;
	if (text.len > NAME_TEXT_BYTES_MAX)
		return st;
	*why_out = WHY_TEXT;
	if (text_is_clean(text))
		st = parse_kind(out, text, why_out);
	if (st != STATUS_OK)
		sodium_memzero(out, sizeof(*out));
	return st;
}

bool name_is_address(enum name_kind kind)
{
	return kind != NAME_NICKNAME;
}

void name_hash(uint8_t out[static NAME_HASH_BYTES], const struct name *name,
    const uint8_t names_key[static KEY_BYTES])
{
	key_derive(out, names_key, "keepsake login name",
	    slice_of(name->text, name->len));
}

void name_unknown_account(struct id *out, const struct name *name,
    const uint8_t names_key[static KEY_BYTES])
{
	uint8_t hash[KEY_BYTES];

	key_derive(hash, names_key, "keepsake unknown name",
	    slice_of(name->text, name->len));
	memcpy(out->bytes, hash, ID_BYTES);
}

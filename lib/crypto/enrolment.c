#include "crypto/enrolment.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "crypto/oprf.h"

#define SCHEME          "keepsake://"
#define LABEL_BYTES_MAX 63 /* of a host name, RFC 1035 clause 2.3.4 */
#define PORT_DIGITS_MAX 5
#define OTHER           'a'
#define VARIANT         sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define KEY_TEXT_BYTES  sodium_base64_ENCODED_LEN(ENROLMENT_KEY_BYTES, VARIANT)

/* clang-format off */
static const struct key {
	char name;
	size_t at;	/* in struct enrolment */
	const char *missing, *repeated, *wrong;
} keys[] = {
	{ 'g', offsetof(struct enrolment, gateway_key), "the gateway's key g= is missing",     "g= stands there twice", "g= is not a key: 43 characters of base64url" },
	{ 'x', offsetof(struct enrolment, auth_x25519), "auth's sealing key x= is missing",    "x= stands there twice", "x= is not a key: 43 characters of base64url" },
	{ 'o', offsetof(struct enrolment, auth_opaque), "auth's OPAQUE key o= is missing",     "o= stands there twice", "o= is not a key: 43 characters of base64url" },
};
/* clang-format on */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_alphanumeric(char c)
{
	return is_digit(c) || is_lower(c) || is_upper(c);
}

/** RFC 1123 clause 2.1: labels of letters, digits and inner hyphens. */
static bool name_valid(const char *host)
{
	for (;;) {
		size_t len = strcspn(host, ".");

		if (len == 0 || len > LABEL_BYTES_MAX || host[0] == '-' ||
		    host[len - 1] == '-')
			return false;
		for (size_t i = 0; i < len; i++)
			if (!is_alphanumeric(host[i]) && host[i] != '-')
				return false;
		if (host[len] == '\0')
			return true;
		host += len + 1;
	}
}

static bool host_valid(const char *host)
{
	struct in6_addr address;
	char inner[INET6_ADDRSTRLEN];
	size_t len = strlen(host);

	if (len == 0 || len > ENROLMENT_HOST_BYTES_MAX)
		return false;
	if (strspn(host, "0123456789.") == len)
		return inet_pton(AF_INET, host, &address) == 1;
	if (host[0] != '[')
		return name_valid(host);
	if (len < 3 || host[len - 1] != ']' || len - 2 >= sizeof(inner))
		return false;
	memcpy(inner, host + 1, len - 2);
	inner[len - 2] = '\0';
	return inet_pton(AF_INET6, inner, &address) == 1;
}

static void key_format(char text_out[static KEY_TEXT_BYTES], const void *key)
{
	sodium_bin2base64(
	    text_out, KEY_TEXT_BYTES, key, ENROLMENT_KEY_BYTES, VARIANT);
}

static bool key_parse(uint8_t *out, const char *text, size_t len)
{
	size_t key_len = 0;

	return sodium_base642bin(out, ENROLMENT_KEY_BYTES, text, len, NULL,
		   &key_len, NULL, VARIANT) == 0 &&
	       key_len == ENROLMENT_KEY_BYTES;
}

/** Append "&a=…"; the key only where it is not that of the first gateway. */
static enum status other_format(char text_out[static ENROLMENT_TEXT_BYTES],
    const struct enrolment *enrolment, const struct enrolment_gateway *other)
{
	size_t len = strlen(text_out);
	char key[KEY_TEXT_BYTES];

	if (!host_valid(other->host) || other->port == 0)
		return STATUS_MALFORMED;
	key_format(key, other->key);
	bool same = memcmp(other->key, enrolment->gateway_key,
			ENROLMENT_KEY_BYTES) == 0;
	snprintf(text_out + len, ENROLMENT_TEXT_BYTES - len, "&a=%s:%u%s%s",
	    other->host, other->port, same ? "" : ",", same ? "" : key);
	return STATUS_OK;
}

enum status enrolment_format(char text_out[static ENROLMENT_TEXT_BYTES],
    const struct enrolment *enrolment)
{
	char texts[nitems(keys)][KEY_TEXT_BYTES];
	enum status st = STATUS_OK;

	if (!host_valid(enrolment->host) || enrolment->port == 0)
		return STATUS_MALFORMED;
	for (size_t i = 0; i < nitems(keys); i++)
		key_format(texts[i], (const uint8_t *)enrolment + keys[i].at);
	snprintf(text_out, ENROLMENT_TEXT_BYTES, SCHEME "%s:%u?g=%s&x=%s&o=%s",
	    enrolment->host, enrolment->port, texts[0], texts[1], texts[2]);
	for (size_t i = 0; i < enrolment->others_count && st == STATUS_OK; i++)
		st = other_format(text_out, enrolment, &enrolment->others[i]);
	return st;
}

const char *enrolment_place_parse(
    char host_out[static ENROLMENT_HOST_BYTES_MAX + 1], uint16_t *port_out,
    const char *text, size_t len)
{
	size_t host_len = len;
	unsigned int port = 0;

	/* The last colon: an IPv6 address has its own before it. */
	while (host_len > 0 && text[host_len - 1] != ':')
		host_len--;
	if (host_len == 0)
		return "the port is missing after the host";
	host_len--;
	if (host_len > ENROLMENT_HOST_BYTES_MAX)
		return "the host is too long";
	memcpy(host_out, text, host_len);
	host_out[host_len] = '\0';
	if (!host_valid(host_out))
		return "the host is not a name, an IPv4 address or an IPv6 "
		       "address in brackets";

	const char *digits = text + host_len + 1;
	size_t digits_len = len - host_len - 1;
	if (digits_len == 0 || digits_len > PORT_DIGITS_MAX || *digits == '0')
		return "the port is not a number from 1 to 65535";
	for (size_t i = 0; i < digits_len; i++) {
		if (!is_digit(digits[i]))
			return "the port is not a number from 1 to 65535";
		port = port * 10 + (unsigned int)(digits[i] - '0');
	}
	if (port > UINT16_MAX)
		return "the port is not a number from 1 to 65535";
	*port_out = (uint16_t)port;
	return NULL;
}

/**
 * Read "host:port" or "host:port,key", ${len} bytes; NULL or what is wrong.
 * A key of zeros stands for that of g=, which may come later.
 */
static const char *other_parse(
    struct enrolment *out, const char *text, size_t len)
{
	const char *comma = memchr(text, ',', len);
	size_t place_len = comma ? (size_t)(comma - text) : len;

	if (out->others_count == ENROLMENT_OTHERS_MAX)
		return "there are more than 8 gateways";
	struct enrolment_gateway *other = &out->others[out->others_count];
	const char *why =
	    enrolment_place_parse(other->host, &other->port, text, place_len);
	if (why)
		return why;
	if (comma && (!key_parse(other->key, comma + 1, len - place_len - 1) ||
			 sodium_is_zero(other->key, ENROLMENT_KEY_BYTES)))
		return "a= has no key behind its comma: 43 characters of "
		       "base64url";
	out->others_count++;
	return NULL;
}

/**
 * Read one "name=value", ${len} bytes, and note in ${seen} which key it is.
 * Results and ${why_out} as enrolment_parse.
 */
static enum status parameter_parse(struct enrolment *out, const char *text,
    size_t len, bool seen[static nitems(keys)], const char **why_out)
{
	const char *equals = memchr(text, '=', len);
	size_t name_len = equals ? (size_t)(equals - text) : 0;

	*why_out = "a parameter is not of the form name=value";
	if (name_len == 0 || is_digit(text[0]))
		return STATUS_MALFORMED;
	for (size_t i = 0; i < name_len; i++)
		if (!is_alphanumeric(text[i]))
			return STATUS_MALFORMED;
	for (size_t i = 0; i < nitems(keys); i++) {
		if (name_len != 1 || text[0] != keys[i].name)
			continue;
		*why_out = keys[i].repeated;
		if (seen[i])
			return STATUS_MALFORMED;
		*why_out = keys[i].wrong;
		if (!key_parse((uint8_t *)out + keys[i].at, equals + 1,
			len - name_len - 1))
			return STATUS_MALFORMED;
		seen[i] = true;
		*why_out = NULL;
		return STATUS_OK;
	}
	if (name_len == 1 && text[0] == OTHER) {
		*why_out = other_parse(out, equals + 1, len - name_len - 1);
		return *why_out ? STATUS_MALFORMED : STATUS_OK;
	}
	*why_out = "a critical parameter is not known: a newer program is "
		   "needed";
	if (is_upper(text[0]))
		return STATUS_VERSION;
	*why_out = NULL;
	return STATUS_OK;
}

static enum status parameters_parse(
    struct enrolment *out, const char *text, const char **why_out)
{
	bool seen[nitems(keys)] = { false };

	for (;;) {
		size_t len = strcspn(text, "&");
		enum status st = parameter_parse(out, text, len, seen, why_out);

		if (st != STATUS_OK)
			return st;
		if (text[len] == '\0')
			break;
		text += len + 1;
	}
	for (size_t i = 0; i < nitems(keys); i++) {
		if (!seen[i]) {
			*why_out = keys[i].missing;
			return STATUS_MALFORMED;
		}
	}
	for (size_t i = 0; i < out->others_count; i++)
		if (sodium_is_zero(out->others[i].key, ENROLMENT_KEY_BYTES))
			memcpy(out->others[i].key, out->gateway_key,
			    ENROLMENT_KEY_BYTES);
	if (!oprf_point_valid(out->auth_opaque)) {
		*why_out = "o= is not an OPAQUE public key";
		return STATUS_MALFORMED;
	}
	return STATUS_OK;
}

enum status enrolment_parse(
    struct enrolment *out, const char *text, const char **why_out)
{
	struct enrolment parsed = { 0 };
	size_t len = strnlen(text, ENROLMENT_TEXT_BYTES);

	*why_out = "the text is too long";
	if (len == ENROLMENT_TEXT_BYTES)
		return STATUS_MALFORMED;
	*why_out = "there is a character that is not printable ASCII";
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return STATUS_MALFORMED;
	*why_out = "it does not begin with " SCHEME;
	if (strncmp(text, SCHEME, strlen(SCHEME)) != 0)
		return STATUS_MALFORMED;
	text += strlen(SCHEME);
	const char *question = strchr(text, '?');
	*why_out = "the keys are missing after the port";
	if (!question)
		return STATUS_MALFORMED;
	*why_out = enrolment_place_parse(
	    parsed.host, &parsed.port, text, (size_t)(question - text));
	if (*why_out)
		return STATUS_MALFORMED;
	enum status st = parameters_parse(&parsed, question + 1, why_out);
	if (st == STATUS_OK)
		*out = parsed;
	return st;
}

#include "service/audit_record.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"

/*
 * A pending row's value:
 *
 *   version (1)  key (1)  length (1) action  sealed (the rest)
 *
 * A record, numbers big-endian:
 *
 *   version (1)  sequence (8)  time (8)  event (16)  account (16)  key (1)
 *   length (1) action  length (2) sealed  previous (32)  hash (32)
 *
 * The hash is BLAKE2b-256 over all that stands before it.  The sealed part
 * has time, event, account and action as associated data:
 *
 *   length (1) actor  terminal (16)  length (2) detail
 */
#define VERSION          1
#define HEAD_FIXED_BYTES (1 + 8 + 8 + ID_BYTES + ID_BYTES + 1)
#define ASSOCIATED_BYTES (AUDIT_STAMP_BYTES + ID_BYTES + AUDIT_ACTION_BYTES_MAX)

static const char genesis_label[] = "keepsake audit ";
static const char head_label[] = "keepsake audit head ";

_Static_assert(AUDIT_SIGN_SEED_BYTES == crypto_sign_SEEDBYTES &&
		   AUDIT_SIGN_PUBLIC_BYTES == crypto_sign_PUBLICKEYBYTES &&
		   AUDIT_SIGN_SECRET_BYTES == crypto_sign_SECRETKEYBYTES &&
		   AUDIT_SIGNATURE_BYTES == crypto_sign_BYTES,
    "Ed25519, as libsodium has it");
_Static_assert(AUDIT_ACTION_BYTES_MAX <= UINT8_MAX &&
		   AUDIT_ACTOR_BYTES_MAX <= UINT8_MAX &&
		   AUDIT_SEALED_BYTES_MAX <= UINT16_MAX,
    "each fits its length");

/* ---- reading, without ever going past the end ---- */

struct reader {
	struct slice rest;
	bool bad; /* something was missing: all that follows is none */
};

static const uint8_t *take(struct reader *in, size_t len)
{
	if (in->bad || in->rest.len < len) {
		in->bad = true;
		return NULL;
	}
	const uint8_t *at = in->rest.data;
	in->rest.data += len;
	in->rest.len -= len;
	return at;
}

static void take_bytes(struct reader *in, void *out, size_t len)
{
	const uint8_t *at = take(in, len);

	if (at)
		memcpy(out, at, len);
}

static uint64_t take_number(struct reader *in, size_t len)
{
	const uint8_t *at = take(in, len);
	uint64_t number = 0;

	for (size_t i = 0; at && i < len; i++)
		number = number << 8 | at[i];
	return number;
}

/* A text of ${len} bytes at most ${max}, without control characters. */
static void take_text(struct reader *in, char *out, size_t len, size_t max)
{
	if (len > max)
		in->bad = true;
	const uint8_t *at = take(in, len);
	if (!at)
		return;
	if (!text_is_clean(slice_of(at, len))) {
		in->bad = true;
		return;
	}
	memcpy(out, at, len);
	out[len] = '\0';
}

/* An action is a plain word: lower case, digits, underscores. */
static bool is_action(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

	return *text != '\0' && text[strspn(text, letters)] == '\0';
}

static void take_action(struct reader *in, struct audit_fact *out)
{
	size_t len = (size_t)take_number(in, 1);

	take_text(in, out->action, len, AUDIT_ACTION_BYTES_MAX);
	if (!in->bad && !is_action(out->action))
		in->bad = true;
}

static void take_sealed(struct reader *in, struct audit_fact *out, size_t len)
{
	if (len < SEAL_EXTRA_BYTES || len > AUDIT_SEALED_BYTES_MAX) {
		in->bad = true;
		return;
	}
	take_bytes(in, out->sealed, len);
	out->sealed_len = len;
}

static void take_key(struct reader *in, struct audit_fact *out)
{
	uint64_t key = take_number(in, 1);

	if (key != AUDIT_KEY_ACCOUNT && key != AUDIT_KEY_SERVICE)
		in->bad = true;
	out->key = (enum audit_key)key;
}

static enum status reader_end(const struct reader *in)
{
	return in->bad || in->rest.len > 0 ? STATUS_MALFORMED : STATUS_OK;
}

/* ---- writing: each part fits, by the bounds above ---- */

static uint8_t *give(uint8_t *at, const void *data, size_t len)
{
	memcpy(at, data, len);
	return at + len;
}

static uint8_t *give_action(uint8_t *at, const struct audit_fact *fact)
{
	size_t len = strlen(fact->action);

	assert(len <= AUDIT_ACTION_BYTES_MAX && is_action(fact->action));
	*at++ = (uint8_t)len;
	return give(at, fact->action, len);
}

/* ---- the personal part ---- */

static struct slice associated_of(
    uint8_t out[static ASSOCIATED_BYTES], const struct audit_fact *fact)
{
	uint8_t *at = out;

	audit_pending_key(at, fact);
	at = give(at + AUDIT_STAMP_BYTES, fact->account.bytes, ID_BYTES);
	at = give(at, fact->action, strlen(fact->action));
	return slice_of(out, (size_t)(at - out));
}

void audit_seal(struct audit_fact *fact, const struct audit_person *person,
    const uint8_t key[static SEAL_KEY_BYTES])
{
	uint8_t plain[AUDIT_PLAIN_BYTES_MAX], associated[ASSOCIATED_BYTES];
	size_t actor_len = strlen(person->actor);
	size_t detail_len = strlen(person->detail);
	uint8_t *at = plain;

	*at++ = (uint8_t)actor_len;
	at = give(at, person->actor, actor_len);
	at = give(at, person->terminal.bytes, ID_BYTES);
	put_be16(at, (uint16_t)detail_len);
	at = give(at + 2, person->detail, detail_len);
	struct slice all = slice_of(plain, (size_t)(at - plain));
	seal(fact->sealed, key, all, associated_of(associated, fact));
	fact->sealed_len = SEALED_BYTES(all.len);
	sodium_memzero(plain, sizeof(plain));
}

enum status audit_open(struct audit_person *out, const struct audit_fact *fact,
    const uint8_t key[static SEAL_KEY_BYTES])
{
	uint8_t plain[AUDIT_PLAIN_BYTES_MAX], associated[ASSOCIATED_BYTES];
	struct audit_person person = { 0 };

	enum status st =
	    seal_open(plain, key, slice_of(fact->sealed, fact->sealed_len),
		associated_of(associated, fact));
	if (st != STATUS_OK)
		return st;
	struct reader in = {
		.rest = slice_of(plain, fact->sealed_len - SEAL_EXTRA_BYTES),
	};
	size_t len = (size_t)take_number(&in, 1);
	take_text(&in, person.actor, len, AUDIT_ACTOR_BYTES_MAX);
	take_bytes(&in, person.terminal.bytes, ID_BYTES);
	len = (size_t)take_number(&in, 2);
	take_text(&in, person.detail, len, AUDIT_DETAIL_BYTES_MAX);
	st = reader_end(&in);
	if (st == STATUS_OK)
		*out = person;
	sodium_memzero(plain, sizeof(plain));
	sodium_memzero(&person, sizeof(person));
	return st;
}

/* ---- pending rows ---- */

void audit_pending_key(
    uint8_t out[static AUDIT_STAMP_BYTES], const struct audit_fact *fact)
{
	put_be64(out, fact->when_ms);
	memcpy(out + 8, fact->event.bytes, ID_BYTES);
}

enum status audit_pending_pack(struct bytes *out, const struct audit_fact *fact)
{
	uint8_t head[3 + AUDIT_ACTION_BYTES_MAX], *at = head;

	*at++ = VERSION;
	*at++ = (uint8_t)fact->key;
	at = give_action(at, fact);
	enum status st = bytes_append(out, slice_of(head, (size_t)(at - head)));
	if (st == STATUS_OK)
		st =
		    bytes_append(out, slice_of(fact->sealed, fact->sealed_len));
	return st;
}

enum status audit_pending_unpack(struct audit_fact *out,
    const struct id *account, struct slice key, struct slice value)
{
	struct audit_fact fact = { .account = *account };
	struct reader stamp = { .rest = key };
	struct reader in = { .rest = value };

	fact.when_ms = take_number(&stamp, 8);
	take_bytes(&stamp, fact.event.bytes, ID_BYTES);
	if (reader_end(&stamp) != STATUS_OK)
		return STATUS_MALFORMED;
	uint64_t version = take_number(&in, 1);
	if (!in.bad && version > VERSION)
		return STATUS_VERSION;
	take_key(&in, &fact);
	take_action(&in, &fact);
	take_sealed(&in, &fact, in.rest.len);
	if (version != VERSION || reader_end(&in) != STATUS_OK)
		return STATUS_MALFORMED;
	*out = fact;
	return STATUS_OK;
}

/* ---- records ---- */

static void hash_of(uint8_t out[static AUDIT_HASH_BYTES], struct slice bytes)
{
	crypto_generichash(
	    out, AUDIT_HASH_BYTES, bytes.data, bytes.len, NULL, 0);
}

void audit_genesis(uint8_t out[static AUDIT_HASH_BYTES], const char *service)
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, AUDIT_HASH_BYTES);
	crypto_generichash_update(
	    &state, (const uint8_t *)genesis_label, sizeof(genesis_label) - 1);
	crypto_generichash_update(
	    &state, (const uint8_t *)service, strlen(service));
	crypto_generichash_final(&state, out, AUDIT_HASH_BYTES);
}

enum status audit_record_pack(struct bytes *out, struct audit_record *record)
{
	const struct audit_fact *fact = &record->fact;
	uint8_t head[HEAD_FIXED_BYTES + 1 + AUDIT_ACTION_BYTES_MAX + 2];
	uint8_t *at = head;
	size_t start = out->len;

	*at++ = VERSION;
	put_be64(at, record->sequence);
	put_be64(at + 8, fact->when_ms);
	at = give(at + 16, fact->event.bytes, ID_BYTES);
	at = give(at, fact->account.bytes, ID_BYTES);
	*at++ = (uint8_t)fact->key;
	at = give_action(at, fact);
	put_be16(at, (uint16_t)fact->sealed_len);
	at += 2;
	enum status st = bytes_append(out, slice_of(head, (size_t)(at - head)));
	if (st == STATUS_OK)
		st =
		    bytes_append(out, slice_of(fact->sealed, fact->sealed_len));
	if (st == STATUS_OK)
		st = bytes_append(
		    out, slice_of(record->previous, AUDIT_HASH_BYTES));
	if (st != STATUS_OK)
		return st;
	hash_of(record->hash, slice_of(out->data + start, out->len - start));
	return bytes_append(out, slice_of(record->hash, AUDIT_HASH_BYTES));
}

enum status audit_record_unpack(struct audit_record *out, struct slice bytes)
{
	struct audit_record record = { 0 };
	struct audit_fact *fact = &record.fact;
	struct reader in = { .rest = bytes };
	uint8_t hash[AUDIT_HASH_BYTES];

	uint64_t version = take_number(&in, 1);
	if (!in.bad && version > VERSION)
		return STATUS_VERSION;
	record.sequence = take_number(&in, 8);
	fact->when_ms = take_number(&in, 8);
	take_bytes(&in, fact->event.bytes, ID_BYTES);
	take_bytes(&in, fact->account.bytes, ID_BYTES);
	take_key(&in, fact);
	take_action(&in, fact);
	take_sealed(&in, fact, (size_t)take_number(&in, 2));
	take_bytes(&in, record.previous, AUDIT_HASH_BYTES);
	take_bytes(&in, record.hash, AUDIT_HASH_BYTES);
	if (version != VERSION || reader_end(&in) != STATUS_OK)
		return STATUS_MALFORMED;
	hash_of(hash, slice_of(bytes.data, bytes.len - AUDIT_HASH_BYTES));
	if (memcmp(hash, record.hash, AUDIT_HASH_BYTES) != 0)
		return STATUS_DENIED;
	*out = record;
	return STATUS_OK;
}

/* ---- heads ---- */

/* What is signed: "keepsake audit head " and the line as far as the hash. */
static size_t signed_text(char out[static AUDIT_HEAD_TEXT_BYTES],
    const struct audit_head *head, const char *label)
{
	char hash[HEX_BYTES(AUDIT_HASH_BYTES)];

	hex_encode(hash, slice_of(head->hash, AUDIT_HASH_BYTES));
	int len = snprintf(out, AUDIT_HEAD_TEXT_BYTES, "%s%s %llu %llu %s",
	    label, head->service, (unsigned long long)head->sequence,
	    (unsigned long long)head->when_ms, hash);
	assert(len > 0 && len < AUDIT_HEAD_TEXT_BYTES);
	return (size_t)len;
}

void audit_head_sign(struct audit_head *head,
    const uint8_t secret[static AUDIT_SIGN_SECRET_BYTES])
{
	char text[AUDIT_HEAD_TEXT_BYTES];
	size_t len = signed_text(text, head, head_label);

	crypto_sign_detached(
	    head->signature, NULL, (const uint8_t *)text, len, secret);
}

bool audit_head_signed(const struct audit_head *head,
    const uint8_t public[static AUDIT_SIGN_PUBLIC_BYTES])
{
	char text[AUDIT_HEAD_TEXT_BYTES];
	size_t len = signed_text(text, head, head_label);

	return crypto_sign_verify_detached(
		   head->signature, (const uint8_t *)text, len, public) == 0;
}

void audit_head_format(
    char out[static AUDIT_HEAD_TEXT_BYTES], const struct audit_head *head)
{
	size_t len = signed_text(out, head, "");

	_Static_assert(sizeof(head_label) + AUDIT_SERVICE_BYTES_MAX +
			       2 * sizeof("18446744073709551615") +
			       HEX_BYTES(AUDIT_HASH_BYTES) +
			       HEX_BYTES(AUDIT_SIGNATURE_BYTES) <=
			   AUDIT_HEAD_TEXT_BYTES,
	    "the longest line fits");
	out[len++] = ' ';
	hex_encode(out + len, slice_of(head->signature, AUDIT_SIGNATURE_BYTES));
}

enum head_field { SERVICE, SEQUENCE, WHEN, HASH, SIGNATURE, FIELDS };

enum status audit_head_parse(struct audit_head *out, struct slice line)
{
	struct audit_head head = { 0 };
	char text[AUDIT_HEAD_TEXT_BYTES], *fields[FIELDS], *at = text;

	if (line.len == 0 || line.len >= sizeof(text) ||
	    memchr(line.data, '\0', line.len))
		return STATUS_MALFORMED;
	memcpy(text, line.data, line.len);
	text[line.len] = '\0';
	for (size_t i = 0; i < FIELDS; i++) {
		fields[i] = at;
		at = strchr(at, ' ');
		if (!at != (i == FIELDS - 1))
			return STATUS_MALFORMED;
		if (at)
			*at++ = '\0';
	}
	if (*fields[SERVICE] == '\0' || !is_action(fields[SERVICE]) ||
	    !text_copy(head.service, sizeof(head.service), fields[SERVICE]) ||
	    text_number(&head.sequence, fields[SEQUENCE], UINT64_MAX) !=
		STATUS_OK ||
	    text_number(&head.when_ms, fields[WHEN], UINT64_MAX) != STATUS_OK ||
	    hex_decode(head.hash, AUDIT_HASH_BYTES, fields[HASH]) !=
		STATUS_OK ||
	    hex_decode(head.signature, AUDIT_SIGNATURE_BYTES,
		fields[SIGNATURE]) != STATUS_OK)
		return STATUS_MALFORMED;
	*out = head;
	return STATUS_OK;
}

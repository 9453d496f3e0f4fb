#include "service/answers.h"

#include <sodium.h>
#include <string.h>

#include "base/clock.h"
#include "service/sealed_row.h"

#define ANSWER_KEY_BYTES (PEER_ID_BYTES + ID_BYTES)
#define HASH_BYTES       16
#define TIME_BYTES       8
#define EXPIRED_BURST    8 /* expired answers dropped with each new one */

/* Sealed: hash of the request, then the packed body of the answer. */

static void key_of(
    uint8_t out[static ANSWER_KEY_BYTES], const struct exchange *x)
{
	memset(out, 0, ANSWER_KEY_BYTES);
	memcpy(out, x->header.peer.id, x->header.peer.id_len);
	memcpy(out + PEER_ID_BYTES, x->header.request.bytes, ID_BYTES);
}

static void hash_of(uint8_t out[static HASH_BYTES], const struct exchange *x)
{
	crypto_generichash_state state;
	uint8_t type[4];

	put_be32(type, x->header.type);
	crypto_generichash_init(&state, NULL, 0, HASH_BYTES);
	crypto_generichash_update(&state, type, sizeof(type));
	crypto_generichash_update(&state, x->body.data, x->body.len);
	crypto_generichash_final(&state, out, HASH_BYTES);
}

enum status answers_find(struct exchange *x)
{
	uint8_t key[ANSWER_KEY_BYTES], hash[HASH_BYTES];
	struct bytes value = { 0 };

	key_of(key, x);
	enum status st = sealed_row_get(server_keyring(x->server),
	    server_db(x->server), &x->ticket.account, TABLE_ANSWERS,
	    slice_of(key, ANSWER_KEY_BYTES), &value);
	if (st == STATUS_EXPIRED)
		st = STATUS_DENIED; /* the account is being deleted */
	if (st != STATUS_OK)
		goto out;
	hash_of(hash, x);
	if (value.len < HASH_BYTES ||
	    sodium_memcmp(value.data, hash, HASH_BYTES) != 0) {
		st = STATUS_CONFLICT;
		goto out;
	}
	st = bytes_copy(&x->reply_body,
	    slice_of(value.data + HASH_BYTES, value.len - HASH_BYTES));
out:
	bytes_clear(&value);
	return st;
}

/* Drop a few answers whose time is over. */
static void drop_expired(
    struct db_batch *batch, struct exchange *x, uint64_t now_ms)
{
	struct db_page page = { 0 };
	struct slice all = { 0 };

	/* What cannot be read is dropped another time. */
	enum status st = db_scan(server_db(x->server), &x->ticket.account,
	    TABLE_ANSWER_TIMES, all, all, EXPIRED_BURST, false, &page);
	for (size_t i = 0; i < page.count && st == STATUS_OK; i++) {
		struct slice key = page.entries[i].key;
		if (key.len != TIME_BYTES + ANSWER_KEY_BYTES ||
		    get_be64(key.data) > now_ms)
			break;
		db_batch_delete(batch, TABLE_ANSWER_TIMES, key);
		db_batch_delete(batch, TABLE_ANSWERS,
		    slice_of(key.data + TIME_BYTES, ANSWER_KEY_BYTES));
	}
	db_page_clear(&page);
}

void answers_put(struct db_batch *batch, struct exchange *x)
{
	uint8_t timed[TIME_BYTES + ANSWER_KEY_BYTES], hash[HASH_BYTES];
	uint64_t now_ms = clock_wall_ms();
	struct slice key = slice_of(timed + TIME_BYTES, ANSWER_KEY_BYTES);
	struct bytes value = { 0 };

	put_be64(timed, now_ms + ANSWER_KEPT_MS);
	key_of(timed + TIME_BYTES, x);
	hash_of(hash, x);
	db_batch_forbid(batch, TABLE_ANSWERS, key);
	drop_expired(batch, x, now_ms);
	/* The change and its answer go together or not at all. */
	enum status st = bytes_append(&value, slice_of(hash, HASH_BYTES));
	if (st == STATUS_OK)
		st = bytes_append(&value, bytes_slice(&x->reply_body));
	if (st != STATUS_OK)
		db_batch_fail(batch, st);
	sealed_row_put(server_keyring(x->server), server_db(x->server), batch,
	    &x->ticket.account, TABLE_ANSWERS, key, bytes_slice(&value));
	/* A value is never empty: the row itself is the news. */
	db_batch_put(batch, TABLE_ANSWER_TIMES, slice_of(timed, sizeof(timed)),
	    slice_of("", 1));
	bytes_clear(&value);
}

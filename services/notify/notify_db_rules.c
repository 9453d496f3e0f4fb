#include "bus/unpack.h"
#include "notify_rows.h"

/* What an owner wants of notices, as the rows of notify have it. */

static const struct slice rules_key = { (const uint8_t *)"rules", 5 };

static enum status unpack_rules(struct rules *out, struct slice packed)
{
	Notify__Rules *message;
	struct unpack unpack;
	const char *why;

	unpack_begin(&unpack);
	enum status st = unpack_message(
	    &unpack, &notify__rules__descriptor, packed, &message);
	if (st == STATUS_OK)
		st = rules_read(out, message, &why);
	unpack_end(&unpack);
	return st == STATUS_DENIED ? STATUS_MALFORMED : st;
}

enum status decode_rules(
    struct rules *out, struct slice key, struct slice value)
{
	enum status st = check_row(
	    "rules", key, rules_key.len, value, 1, 1 + RULES_BYTES_MAX);

	if (st == STATUS_OK && !slice_equal(key, rules_key))
		st = STATUS_MALFORMED;
	return st == STATUS_OK
		   ? unpack_rules(out, slice_of(value.data + 1, value.len - 1))
		   : st;
}

enum status notify_db_rules(
    struct notify_db *self, const struct id *account, struct rules *out)
{
	struct bytes value = { 0 };

	enum status st = row_get(self, account, TABLE_RULES, rules_key, &value);
	if (st == STATUS_OK)
		st = decode_rules(out, rules_key, bytes_slice(&value));
	if (st == STATUS_NOT_FOUND) {
		*out = (struct rules){ 0 };
		st = STATUS_OK;
	}
	bytes_clear(&value);
	return st;
}

void notify_db_put_rules(struct notify_db *self, struct db_batch *batch,
    const struct id *account, const struct rules *rules)
{
	Notify__Rules message = NOTIFY__RULES__INIT;
	Notify__Rule list[RULES_MAX], *pointers[RULES_MAX];
	struct bytes value = { 0 };
	const uint8_t version = ROW_VERSION;

	rules_fill(&message, list, pointers, rules);
	enum status st = bytes_append(&value, slice_of(&version, 1));
	if (st == STATUS_OK)
		st = pack_message(&value, &message.base);
	if (st == STATUS_OK)
		row_put(self, batch, account, TABLE_RULES, rules_key,
		    bytes_slice(&value));
	else
		db_batch_fail(batch, st);
	bytes_clear(&value);
}

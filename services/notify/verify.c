#include "service/verify.h"

#include <string.h>

#include "base/util.h"
#include "service/sealed_row.h"
#include "notify.h"
#include "notify_rows.h"

#define HEAD_BYTES 2 /* of a notice: version, terminals left */

/* Proving that what notify has is whole: see service/verify.h. */

static const char *check_delivery(
    struct verify *self, struct slice key, struct slice plain)
{
	(void)plain;
	if (key.len != DELIVERY_KEY_BYTES)
		return "its key is none";
	return verify_has_row(self, TABLE_NOTICES,
		   slice_of(key.data + ID_BYTES, NOTICE_KEY_BYTES))
		   ? NULL
		   : "its notice is missing";
}

static const char *check_notice(
    struct verify *self, struct slice key, struct slice plain)
{
	uint8_t delivery[DELIVERY_KEY_BYTES];

	if (check_row("notices", key, NOTICE_KEY_BYTES, plain, HEAD_BYTES,
		SEALED_PLAIN_BYTES_MAX) != STATUS_OK ||
	    plain.len < HEAD_BYTES + (size_t)plain.data[1] * ID_BYTES)
		return "it does not unpack";
	for (size_t i = 0; i < plain.data[1]; i++) {
		memcpy(
		    delivery, plain.data + HEAD_BYTES + i * ID_BYTES, ID_BYTES);
		memcpy(delivery + ID_BYTES, key.data, NOTICE_KEY_BYTES);
		if (!verify_has_row(self, TABLE_DELIVERIES,
			slice_of(delivery, sizeof(delivery))))
			return "a delivery of it is missing";
	}
	return NULL;
}

static const char *check_rules(
    struct verify *self, struct slice key, struct slice plain)
{
	struct rules rules;

	(void)self;
	return decode_rules(&rules, key, plain) == STATUS_OK
		   ? NULL
		   : "it does not unpack";
}

static const char *check_told_time(
    struct verify *self, struct slice key, struct slice value)
{
	if (check_row("told_times", key, NOTICE_KEY_BYTES, value, 1, 1) !=
	    STATUS_OK)
		return "it does not unpack";
	return verify_has_row(
		   self, TABLE_TOLD, slice_of(key.data + 8, ID_BYTES))
		   ? NULL
		   : "its notice was never told";
}

/* clang-format off */
static const struct verify_table tables[] = {
	{ TABLE_TOLD,       "told",       true,  NULL },
	{ TABLE_TOLD_TIMES, "told_times", false, check_told_time },
	{ TABLE_ARRIVED,    "arrived",    true,  NULL },
	{ TABLE_NOTICES,    "notices",    true,  check_notice },
	{ TABLE_DELIVERIES, "deliveries", true,  check_delivery },
	{ TABLE_LETTERS,    "letters",    true,  NULL },
	{ TABLE_LEASES,     "leases",     true,  NULL },
	{ TABLE_RULES,      "rules",      true,  check_rules },
};
/* clang-format on */
const struct verify_tables notify_verify = { tables, nitems(tables) };

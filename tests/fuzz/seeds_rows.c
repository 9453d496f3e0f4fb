#include "../../services/notify/notice.h"
#include "../../services/store/health_db.h"
#include "../../services/store/store_db.h"
#include "base/bounds.h"
#include "crypto/opaque.h"
#include "crypto/seal.h"
#include "seeds.h"
#include "service/audit_record.h"
#include "service/event.h"
#include "service/keyfile_internal.h"
#include "service/order.h"

#define NOTICE_KEY_BYTES (8 + ID_BYTES)

/* Begin a row whose key is ${key_len} times the byte ${key}. */
static void add_row(uint8_t key, size_t key_len, size_t value_len)
{
	add_byte((unsigned int)key_len);
	add_16(value_len);
	add_many(key, key_len);
	if (value_len > 0)
		add_byte(1); /* version */
}

static void auth_rows(void)
{
	add_byte(0);
	add_many(1, 41);
	add_text("anna@example.org");
	save("auth_db", "account");
	add_byte(1);
	add_many(1, 13 + OPAQUE_RECORD_BYTES + 72);
	save("auth_db", "credential");
	add_byte(2);
	add_row(7, 1, 9);
	add_many(1, 8);
	save("auth_db", "told");
	add_byte(2);
	add_row(7, 0, 10);
	add_many(1, 9);
	save("auth_db", "state");
}

/* The first byte chooses in fuzz_journal_db.c. */
static void journal_rows(void)
{
	for (unsigned int choice = 0; choice < 2; choice++) {
		add_byte(choice);
		add_byte(1); /* version */
		add_many(0, 9);
		add_byte(3); /* tries */
		add_many(1, 109);
		save("journal_db", choice == 0 ? "bound" : "stranger");
	}
	add_byte(2);
	add_row(7, 34, 120);
	add_many(0, 8);
	add_byte(1); /* locked */
	add_many(0, 110);
	save("journal_db", "listed");
	add_byte(3);
	add_row(7, 17, 9);
	add_many(1, 8);
	save("journal_db", "moment");
	add_byte(4);
	for (unsigned int i = 0; i < 18; i++) {
		add_row((uint8_t)(i + 1), 17, 9);
		add_many((uint8_t)i, 8);
	}
	save("journal_db", "room");
	save_text("invitation", "good", "7qk3m-xohfs");
}

static void grant_rows(void)
{
	add_many(0, 3);
	add_byte(0x22);
	add_many(4, 32);
	add_64(1790000000000);
	add_64(0);
	save("grant_db", "both");
}

static void session_rows(void)
{
	for (unsigned int i = 0; i < 3; i++) {
		add_row((uint8_t)(1 + i), 8 + TICKET_NONCE_BYTES, 34);
		add_byte(DIRECTION_UPLOAD + i);
		add_many(2, ID_BYTES);
		add_64(1790000000000);
		add_many(3, 8);
	}
	save("sessions_db", "three");
}

static void order_rows(void)
{
	struct order order = {
		.sequence = 1790000000000,
		.kind = ORDER_REVOKE_TICKET,
		.account = { { 1 } },
		.subject = { { 2 } },
		.when_ms = 1790000000000,
	};
	uint8_t key[ORDER_KEY_BYTES], value[ORDER_VALUE_BYTES];

	for (unsigned int i = 0; i < 4; i++) {
		order_pack(key, value, &order);
		add(slice_of(key, sizeof(key)));
		add(slice_of(value, sizeof(value)));
		order.kind++;
		order.sequence++;
	}
	save("order", "four");
}

static void store_rows(void)
{
	const struct chunk chunk = { .sequence = 7,
		.node = true,
		.sealed_bytes = 4080,
		.refs_count = 3,
		.data_chunks = 3 };
	const struct snapshot snapshot = { .ordinal = 7,
		.taken_ms = 1,
		.data_chunks = 3,
		.sealed_key = slice_text("key"),
		.sealed_summary = slice_text("summary") };
	uint8_t value[SNAPSHOT_VALUE_BYTES_MAX];

	add_byte(0);
	add_byte(CHUNK_ID_BYTES);
	add_16(CHUNK_VALUE_BYTES);
	add_many(7, CHUNK_ID_BYTES);
	store_db_chunk_pack(value, &chunk);
	add(slice_of(value, CHUNK_VALUE_BYTES));
	save("store_db", "chunk");
	add_byte(1);
	add_row(2, 1 + ID_BYTES, LEASE_VALUE_BYTES);
	add_many(3, LEASE_VALUE_BYTES - 1);
	save("store_db", "lease");
	size_t len = store_db_snapshot_pack(value, &snapshot);
	add_byte(2);
	add_byte(8);
	add_16(len);
	add_many(7, 8);
	add(slice_of(value, len));
	save("store_db", "snapshot");
	add_byte(3);
	add_row(7, 1, USAGE_VALUE_BYTES);
	add_many(0, USAGE_VALUE_BYTES - 1);
	add_row(7, 1, 9);
	add_many(0, 8);
	save("store_db", "usage");
	add_byte(4);
	add_row(7, 1, 9);
	add_many(7, 8);
	save("store_db", "ordinal");
}

/* The first byte chooses in fuzz_health_db.c. */
static void health_rows(void)
{
	const struct damage damage = { DAMAGE_MISSING, 1790000000000 };
	const struct quota quota = { 1, 2 };
	const struct drill drill = { .when_ms = 1, .files = 20, .failed = 3 };
	const struct scrub_place place = {
		.begun_ms = 1, .chunks = 2, .now = true, .has_chunk = true
	};
	uint8_t value[SCRUB_PLACE_BYTES];

	add_byte(0);
	add_byte(CHUNK_ID_BYTES);
	add_16(DAMAGE_VALUE_BYTES);
	add_many(7, CHUNK_ID_BYTES);
	health_db_damage_pack(value, &damage);
	add(slice_of(value, DAMAGE_VALUE_BYTES));
	save("health_db", "damage");
	add_byte(1);
	add_byte(1);
	add_16(QUOTA_VALUE_BYTES);
	add_many('1', 1);
	health_db_quota_pack(value, &quota);
	add(slice_of(value, QUOTA_VALUE_BYTES));
	add_row('1', 1, 2);
	add_byte(1);
	add_row('1', 1, 9);
	add_many(3, 8);
	save("health_db", "quota");
	add_byte(2);
	add_byte(1);
	add_16(DRILL_VALUE_BYTES);
	add_many('1', 1);
	health_db_drill_pack(value, &drill);
	add(slice_of(value, DRILL_VALUE_BYTES));
	save("health_db", "drill");
	add_byte(3);
	health_db_scrub_pack(value, &place);
	add(slice_of(value, SCRUB_PLACE_BYTES));
	save("health_db", "scrub");
}

/* The first byte chooses in fuzz_binding_row.c. */
static void binding_rows(void)
{
	add_byte(0);
	add_byte(1); /* the first */
	add_many(7, ID_BYTES);
	add_64(1790000000000);
	add_byte(15);
	add_text("490154203237518");
	add_byte(3);
	add_text("SN1");
	add_byte(5);
	add_text("phone");
	save("binding_row", "terminal");
	add_byte(1);
	add(slice_of("\x98\x88\x12\x01\0\0\x50\x03\x80\xf2", 10));
	add_64(1790000000000);
	add_64(1790000000001);
	add_byte(14);
	add_text("+4915112345678");
	add_text("data");
	save("binding_row", "entry");
}

static void outbox_rows(void)
{
	add_text("\x0a\x10");
	add_many(7, ID_BYTES);
	save("outbox", "notice");
	add_byte(1);
	add_byte(2); /* auth */
	add_16(0);
	add_16(0x0181);
	add_text("\x0a\x10");
	add_many(7, ID_BYTES);
	save("outbox", "addressed");
}

/* A notice that came, of ${packed_len} bytes. */
static void add_arrived(size_t packed_len)
{
	add_row(7, NOTICE_KEY_BYTES, 1 + packed_len);
	add_many(3, packed_len);
}

/* One on its way to ${terminal}, and to another one. */
static void add_notice(uint8_t terminal, size_t packed_len)
{
	add_row(7, NOTICE_KEY_BYTES, 2 + 2 * ID_BYTES + packed_len);
	add_byte(2);
	add_byte(terminal);
	add_many(0, ID_BYTES - 1);
	add_many(9, ID_BYTES + packed_len);
}

static void add_delivery(void)
{
	add_row(7, ID_BYTES + NOTICE_KEY_BYTES, 1 + 4 + 8);
	add_many(3, 4 + 8);
}

/* The first byte chooses in fuzz_notify_db.c; "long" rows are damaged. */
static void notify_rows(void)
{
	static const size_t lens[] = { 40, NOTICE_BYTES_MAX + 1,
		DB_VALUE_BYTES_MAX - 2 - 2 * ID_BYTES };
	static const char *const names[][4] = {
		{ "arrived", "notice", "acknowledged", "buried" },
		{ "arrived-long", "notice-long", "acknowledged-long",
		    "buried-long" },
		{ "arrived-longest", "notice-longest", "acknowledged-longest",
		    "buried-longest" },
	};

	for (size_t i = 0; i < nitems(lens); i++) {
		add_byte(0);
		add_arrived(lens[i]);
		save("notify_db", names[i][0]);
		add_byte(3);
		add_notice(2, lens[i]);
		save("notify_db", names[i][1]);
		add_byte(4);
		add_row(7, ID_BYTES, 1 + 8);
		add_many(0, 8);
		add_notice(2, lens[i]);
		save("notify_db", names[i][2]);
		add_byte(5);
		add_arrived(lens[i]);
		save("notify_db", names[i][3]);
	}
	add_byte(1);
	add_delivery();
	save("notify_db", "delivery");
	add_byte(2);
	add_row(7, ID_BYTES, 17 + 48);
	add_many(3, 16 + 48);
	save("notify_db", "lease");
	add_byte(8);
	add_delivery();
	add_notice(2, 40);
	save("notify_db", "queue");
	for (uint8_t choice = 9; choice <= 10; choice++) {
		add_byte(choice);
		add_row(7, NOTICE_KEY_BYTES + ID_BYTES, 1 + 8 + 4 + 40);
		add_many(3, 8 + 4 + 40);
		add_row(7, ID_BYTES, 1 + 8);
		add_many(0, 8);
		save("notify_db", choice == 9 ? "letter" : "resent");
	}
	add_byte(11);
	add_row(
	    7, 5, 1 + protobuf_c_message_get_packed_size(&notice_rules.base));
	add_message(&notice_rules.base);
	save("notify_db", "rules");
}

/* The first byte chooses in fuzz_audit.c. */
static void audit(void)
{
	const size_t sealed = SEALED_BYTES(1 + 5 + ID_BYTES + 2 + 9);
	struct audit_head head = { "auth", 7, 1790000000000, { 1 }, { 2 } };
	char line[AUDIT_HEAD_TEXT_BYTES];

	add_byte(0);
	add_byte(1); /* version */
	add_64(7);
	add_64(1790000000000);
	add_many(3, ID_BYTES);
	add_many(4, ID_BYTES);
	add_byte(AUDIT_KEY_ACCOUNT);
	add_byte(12);
	add_text("code_changed");
	add_16(sealed);
	add_many(5, sealed);
	add_many(6, AUDIT_HASH_BYTES);
	save("audit", "record");

	add_byte(1);
	add_64(1790000000000);
	add_many(3, ID_BYTES);
	add_byte(1);
	add_byte(AUDIT_KEY_SERVICE);
	add_byte(12);
	add_text("code_changed");
	add_many(5, sealed);
	save("audit", "pending");

	add_byte(2);
	add_byte(5);
	add_text("owner");
	add_many(3, ID_BYTES);
	add_16(9);
	add_text("by letter");
	save("audit", "person");

	add_byte(3);
	audit_head_format(line, &head);
	save_text("audit", "head", line);
}

static void add_key_header(uint32_t blocks)
{
	uint8_t bytes[HEADER_BYTES];
	struct keyfile_header header = {
		.blocks = blocks,
		.service = "notify",
	};

	header_encode(bytes, &header);
	add(slice_of(bytes, sizeof(bytes)));
}

/* The first byte says what is made good in fuzz_account_keys.c. */
static void account_keys(void)
{
	static const struct {
		const char *name;
		uint8_t good;
		uint32_t one, two; /* blocks in the headers */
		uint16_t slots;
	} files[] = {
		{ "whole", 7, 1, 1, 1024 },
		{ "longer", 7, 1, 1, 1030 },
		{ "grown", 7, 1, 2, 2048 },
		{ "second-only", 6, 1, 2, 2048 },
		{ "cut", 7, 2, 2, 1500 },
		{ "locked", 0, 1, 1, 1024 },
	};

	for (size_t i = 0; i < nitems(files); i++) {
		add_byte(files[i].good);
		add_16(files[i].slots);
		add_key_header(files[i].one);
		add_key_header(files[i].two);
		add_many(0, SLOT_BYTES); /* the service's */
		add_byte(SLOT_SHREDDED);
		add_many(7, SEALED_KEY);
		save("account_keys", files[i].name);
	}
}

static void event_of(const char *name, const struct event *event)
{
	must(event_pack(event, &seed) == STATUS_OK);
	save("event", name);
}

static void stream_events(void)
{
	static const struct event hello = {
		.service = "auth", .kind = EVENT_HELLO, .run_ms = 1
	};
	static const struct event told = {
		.service = "store",
		.kind = "snapshot_published",
		.subject = "notify",
		.run_ms = 1790000000000,
		.sequence = 7,
		.kind_sequence = 2,
		.when_ms = 1790000000001,
		.account = { { 1 } },
		.trace = { { 2 } },
		.figures = { { "chunks", 3 } },
		.figures_count = 1,
	};

	event_of("hello", &hello);
	event_of("told", &told);
}

static void masters(void)
{
	char line[] = "00112233445566778899aabbccddeeff"
		      "00112233445566778899AABBCCDDEEFF\n";

	save_text("master", "one", line);
	add_text(line);
	add_text(line);
	line[64] = '\0';
	add_text(line);
	save("master", "three");
}

void seed_rows(void)
{
	static const uint8_t escaped[] = { 2, 'a', 'b', 'c', 1, 1, 1, 2, 'd' };

	add(slice_of(escaped, sizeof(escaped)));
	save("db_key", "escaped");
	auth_rows();
	journal_rows();
	grant_rows();
	session_rows();
	order_rows();
	store_rows();
	health_rows();
	binding_rows();
	outbox_rows();
	notify_rows();
	account_keys();
	masters();
	audit();
	stream_events();
}

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "bus/header.h"
#include "bus/unpack.h"
#include "common.pb-c.h"

static const struct id request = { "request" };
static const struct id account = { "account" };
static const struct id trace = { "trace" };

static struct header header, got;
static struct bytes packed;

static void setup(void)
{
	header = (struct header){
		.request = request,
		.account = account,
		.trace = trace,
		.type = 0x0102,
		.deadline_ms = 5000,
		.ticket = "ticket",
		.ticket_len = 6,
		.peer = { PEER_CURVE_KEY, "key", PEER_ID_BYTES, "::1" },
		.status = STATUS_BUSY,
		.retry_after_ms = 200,
		.tries_remaining = 3,
		.server_time_ms = 1700000000000,
		.detail = "zu viel auf einmal: später",
		.stopping = true,
	};
}

static void teardown(void)
{
	bytes_clear(&packed);
}

static void pack(void)
{
	packed.len = 0;
	ck_assert_int_eq(header_pack(&packed, &header), STATUS_OK);
}

static enum status unpack(void)
{
	return header_unpack(&got, bytes_slice(&packed));
}

static void assert_same(void)
{
	ck_assert(id_equal(&got.request, &header.request));
	ck_assert(id_equal(&got.account, &header.account));
	ck_assert(id_equal(&got.trace, &header.trace));
	ck_assert_uint_eq(got.type, header.type);
	ck_assert_uint_eq(got.deadline_ms, header.deadline_ms);
	ck_assert_uint_eq(got.ticket_len, header.ticket_len);
	ck_assert_mem_eq(got.ticket, header.ticket, header.ticket_len);
	ck_assert_int_eq(got.peer.kind, header.peer.kind);
	ck_assert_uint_eq(got.peer.id_len, header.peer.id_len);
	ck_assert_mem_eq(got.peer.id, header.peer.id, header.peer.id_len);
	ck_assert_str_eq(got.peer.address, header.peer.address);
	ck_assert_int_eq(got.status, header.status);
	ck_assert_uint_eq(got.retry_after_ms, header.retry_after_ms);
	ck_assert_uint_eq(got.tries_remaining, header.tries_remaining);
	ck_assert_uint_eq(got.server_time_ms, header.server_time_ms);
	ck_assert_str_eq(got.detail, header.detail);
	ck_assert(got.stopping == header.stopping);
}

START_TEST(there_and_back)
{
	pack();
	ck_assert_int_eq(unpack(), STATUS_OK);
	assert_same();
}
END_TEST

START_TEST(least)
{
	header = (struct header){ .request = request };
	pack();
	ck_assert_int_eq(unpack(), STATUS_OK);
	header.trace = request; /* the request's own, where none is set */
	assert_same();
}
END_TEST

/* The most that each field holds is still within HEADER_BYTES_MAX. */
START_TEST(most)
{
	memset(header.ticket, 0xff, sizeof(header.ticket));
	header.ticket_len = TICKET_BYTES_MAX;
	memset(header.peer.address, 'f', PEER_ADDRESS_BYTES - 1);
	memset(header.detail, 'x', DETAIL_BYTES_MAX);
	header.detail[DETAIL_BYTES_MAX] = '\0';
	header.type = header.retry_after_ms = header.tries_remaining =
	    UINT32_MAX;
	header.deadline_ms = DEADLINE_MS_MAX;
	pack();
	ck_assert_uint_le(packed.len, HEADER_BYTES_MAX);
	ck_assert_int_eq(unpack(), STATUS_OK);
	assert_same();
}
END_TEST

START_TEST(long_deadline)
{
	header.deadline_ms = UINT32_MAX;
	pack();
	ck_assert_int_eq(unpack(), STATUS_OK);
	ck_assert_uint_eq(got.deadline_ms, DEADLINE_MS_MAX);
}
END_TEST

/* clang-format off */
static const struct {
	const char *name, *character;
	size_t before; /* bytes of 'x' before the characters */
	size_t want;   /* bytes that are left */
} details[] = {
	{ "short",                    "\xc3\xa4",         10,  12 },
	{ "just fits",                "\xc3\xa4",         198, 200 },
	{ "ASCII, cut",               "y",                200, 200 },
	{ "two bytes, in the middle", "\xc3\xa4",         199, 199 },
	{ "three bytes, behind one",  "\xe2\x82\xac",     199, 199 },
	{ "three bytes, behind two",  "\xe2\x82\xac",     198, 198 },
	{ "four bytes, behind three", "\xf0\x9f\x98\x80", 197, 197 },
};
/* clang-format on */

START_TEST(detail)
{
	char before[DETAIL_BYTES_MAX + 1] = "";

	memset(before, 'x', details[_i].before);
	header_detail(&header, "%s%s", before, details[_i].character);
	pack();
	ck_assert_msg(unpack() == STATUS_OK, "%s", details[_i].name);
	ck_assert_str_eq(got.detail, header.detail);
	ck_assert_uint_eq(strlen(got.detail), details[_i].want);
}
END_TEST

/* ---- what others may send ---- */

static Common__Header raw;
static uint8_t raw_id[64] = "sixteen bytes id";
static char raw_text[300];

static ProtobufCBinaryData field(size_t len)
{
	return (ProtobufCBinaryData){ len, raw_id };
}

static void raw_setup(void)
{
	raw = (Common__Header)COMMON__HEADER__INIT;
	raw.magic = PROTOCOL_MAGIC;
	raw.major = raw.oldest_major = PROTOCOL_MAJOR;
	raw.request_id = field(ID_BYTES);
	raw.type = 0x0102;
	memset(raw_text, 'x', sizeof(raw_text) - 1);
}

static enum status unpack_raw(void)
{
	packed.len = 0;
	ck_assert_int_eq(pack_message(&packed, &raw.base), STATUS_OK);
	return unpack();
}

static void set_magic(size_t value)
{
	raw.magic = (uint32_t)value;
}

static void set_major(size_t value)
{
	raw.major = (uint32_t)value;
}

static void set_newer(size_t oldest)
{
	raw.major = PROTOCOL_MAJOR + 1;
	raw.minor = 7;
	raw.oldest_major = (uint32_t)oldest;
}

static void set_minor(size_t value)
{
	raw.minor = (uint32_t)value;
}

static void set_request(size_t len)
{
	raw.request_id = field(len);
}

static void set_no_request(size_t len)
{
	static uint8_t zeros[ID_BYTES];

	raw.request_id = (ProtobufCBinaryData){ len, zeros };
}

static void set_account(size_t len)
{
	raw.account_id = field(len);
}

static void set_trace(size_t len)
{
	raw.trace_id = field(len);
}

static void set_ticket(size_t len)
{
	static uint8_t ticket[TICKET_BYTES_MAX + 1];

	raw.ticket = (ProtobufCBinaryData){ len, ticket };
}

static void set_detail(size_t len)
{
	raw_text[len] = '\0';
	raw.detail = raw_text;
}

static void set_detail_byte(size_t byte)
{
	set_detail(3);
	raw_text[1] = (char)byte;
}

static Common__Peer peer = COMMON__PEER__INIT;

static void set_peer_kind(size_t kind)
{
	peer.kind = (Common__Peer__Kind)kind;
	raw.peer = &peer;
}

static void set_peer_id(size_t len)
{
	set_peer_kind(PEER_CURVE_KEY);
	peer.id = field(len);
}

static void set_peer_address(size_t len)
{
	set_peer_kind(PEER_CURVE_KEY);
	raw_text[len] = '\0';
	peer.address = raw_text;
}

static void set_unknown(size_t tag)
{
	static ProtobufCMessageUnknownField unknown;
	static uint8_t value[] = { 1, 'x' };

	unknown = (ProtobufCMessageUnknownField){ (uint32_t)tag,
		PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, sizeof(value), value };
	raw.base.unknown_fields = &unknown;
	raw.base.n_unknown_fields = 1;
}

/* clang-format off */
static const struct {
	const char *name;
	void (*change)(size_t value);
	size_t value;
	enum status want;
} changes[] = {
	{ "R-03 right magic",               set_magic,        PROTOCOL_MAGIC,       STATUS_OK },
	{ "R-03 no magic",                  set_magic,        0,                    STATUS_MALFORMED },
	{ "R-03 another magic",             set_magic,        PROTOCOL_MAGIC + 1,   STATUS_MALFORMED },
	{ "O-08 newer, understood by us",   set_newer,        PROTOCOL_MAJOR,       STATUS_OK },
	{ "O-08 newer, not understood",     set_newer,        PROTOCOL_MAJOR + 1,   STATUS_VERSION },
	{ "O-08 older major",               set_major,        PROTOCOL_MAJOR - 1,   STATUS_VERSION },
	{ "O-08 newer minor",               set_minor,        PROTOCOL_MINOR + 1,   STATUS_OK },
	{ "R-03 no request id",             set_request,      0,                    STATUS_MALFORMED },
	{ "R-03 request id of zeros",       set_no_request,   ID_BYTES,             STATUS_MALFORMED },
	{ "R-03 request id, short",         set_request,      ID_BYTES - 1,         STATUS_MALFORMED },
	{ "R-03 request id, long",          set_request,      ID_BYTES + 1,         STATUS_MALFORMED },
	{ "R-03 account id",                set_account,      ID_BYTES,             STATUS_OK },
	{ "R-03 account id, short",         set_account,      ID_BYTES - 1,         STATUS_MALFORMED },
	{ "R-03 account id, long",          set_account,      ID_BYTES + 1,         STATUS_MALFORMED },
	{ "R-03 trace id",                  set_trace,        ID_BYTES,             STATUS_OK },
	{ "R-03 trace id, short",           set_trace,        1,                    STATUS_MALFORMED },
	{ "R-03 ticket, the longest",       set_ticket,       TICKET_BYTES_MAX,     STATUS_OK },
	{ "R-03 ticket, longer",            set_ticket,       TICKET_BYTES_MAX + 1, STATUS_MALFORMED },
	{ "R-03 detail, the longest",       set_detail,       DETAIL_BYTES_MAX,     STATUS_OK },
	{ "R-03 detail, longer",            set_detail,       DETAIL_BYTES_MAX + 1, STATUS_MALFORMED },
	{ "R-03 detail with a newline",     set_detail_byte,  '\n',                 STATUS_MALFORMED },
	{ "R-03 detail with an escape",     set_detail_byte,  0x1b,                 STATUS_MALFORMED },
	{ "R-03 detail, no UTF-8",          set_detail_byte,  0xff,                 STATUS_MALFORMED },
	{ "R-03 peer of the last kind",     set_peer_kind,    PEER_CARD,            STATUS_OK },
	{ "R-03 peer of another kind",      set_peer_kind,    PEER_CARD + 1,        STATUS_MALFORMED },
	{ "R-03 peer of a negative kind",   set_peer_kind,    UINT32_MAX,           STATUS_MALFORMED },
	{ "R-03 peer id, the longest",      set_peer_id,      PEER_ID_BYTES,        STATUS_OK },
	{ "R-03 peer id, longer",           set_peer_id,      PEER_ID_BYTES + 1,    STATUS_MALFORMED },
	{ "R-03 peer address, the longest", set_peer_address, PEER_ADDRESS_BYTES - 1, STATUS_OK },
	{ "R-03 peer address, longer",      set_peer_address, PEER_ADDRESS_BYTES,   STATUS_MALFORMED },
	{ "O-08 unknown field",             set_unknown,      12,                   STATUS_OK },
	{ "O-08 below the critical ones",   set_unknown,      63,                   STATUS_OK },
	{ "O-08 the first critical field",  set_unknown,      64,                   STATUS_VERSION },
	{ "O-08 the last critical field",   set_unknown,      127,                  STATUS_VERSION },
	{ "O-08 above the critical ones",   set_unknown,      128,                  STATUS_OK },
};
/* clang-format on */

START_TEST(change)
{
	changes[_i].change(changes[_i].value);
	enum status st = unpack_raw();
	ck_assert_msg(st == changes[_i].want, "%s: got '%s', want '%s'",
	    changes[_i].name, status_text(st), status_text(changes[_i].want));
	if (st == STATUS_OK || st == STATUS_VERSION) {
		/* enough for the answer */
		ck_assert_mem_eq(got.request.bytes, raw_id, ID_BYTES);
		ck_assert_uint_eq(got.type, 0x0102);
	}
}
END_TEST

/* A status that no peer may send is a fault of that peer. */
START_TEST(foreign_status)
{
	raw.status = (Common__Status)STATUS_PENDING;
	ck_assert_int_eq(unpack_raw(), STATUS_OK);
	ck_assert_int_eq(got.status, STATUS_INTERNAL);
	raw.status = (Common__Status)-1;
	ck_assert_int_eq(unpack_raw(), STATUS_OK);
	ck_assert_int_eq(got.status, STATUS_INTERNAL);
}
END_TEST

START_TEST(too_large)
{
	static uint8_t bytes[HEADER_BYTES_MAX + 1];

	ck_assert_int_eq(header_unpack(&got, slice_of(bytes, sizeof(bytes))),
	    STATUS_TOO_LARGE);
	ck_assert_int_eq(header_unpack(&got, slice_of(bytes, HEADER_BYTES_MAX)),
	    STATUS_MALFORMED);
	ck_assert_int_eq(
	    header_unpack(&got, (struct slice){ 0 }), STATUS_MALFORMED);
}
END_TEST

/*
 * Cut anywhere: refused, or what is left happens to be whole fields.  The
 * bytes are copied, so that a read past their end is seen.
 */
START_TEST(cut_short)
{
	size_t whole = 0;

	pack();
	for (size_t len = 0; len < packed.len; len++) {
		uint8_t *copy = malloc(len);
		ck_assert(copy || len == 0);
		if (len > 0)
			memcpy(copy, packed.data, len);
		enum status st = header_unpack(&got, slice_of(copy, len));
		free(copy);
		ck_assert(st == STATUS_OK || st == STATUS_MALFORMED ||
			  st == STATUS_VERSION);
		whole += st == STATUS_OK;
	}
	ck_assert_uint_gt(whole, 0);
	ck_assert_uint_le(whole, 16); /* fields of a header */
}
END_TEST

/* One byte changed anywhere, and bytes that never were a header. */
START_TEST(noise)
{
	unsigned int state = (unsigned int)_i + 1;
	uint8_t bytes[300];

	pack();
	for (int round = 0; round < 3000; round++) {
		size_t at = (size_t)rand_r(&state) % packed.len;
		uint8_t was = packed.data[at];
		packed.data[at] = (uint8_t)rand_r(&state);
		(void)unpack();
		packed.data[at] = was;
		size_t len = (size_t)rand_r(&state) % sizeof(bytes);
		for (size_t i = 0; i < len; i++)
			bytes[i] = (uint8_t)rand_r(&state);
		ck_assert_int_eq(header_unpack(&got, slice_of(bytes, len)),
		    STATUS_MALFORMED);
	}
	ck_assert_int_eq(unpack(), STATUS_OK);
	assert_same();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("header");
	TCase *good = tcase_create("G-01 headers");
	TCase *bad = tcase_create("R-03 O-08 headers of others");
	TCase *hostile = tcase_create("R-03 bytes that are no header");

	tcase_add_checked_fixture(good, setup, teardown);
	tcase_add_checked_fixture(bad, raw_setup, teardown);
	tcase_add_checked_fixture(hostile, setup, teardown);
	tcase_add_test(good, there_and_back);
	tcase_add_test(good, least);
	tcase_add_test(good, most);
	tcase_add_test(good, long_deadline);
	tcase_add_loop_test(good, detail, 0, (int)nitems(details));
	tcase_add_loop_test(bad, change, 0, (int)nitems(changes));
	tcase_add_test(bad, foreign_status);
	tcase_add_test(hostile, too_large);
	tcase_add_test(hostile, cut_short);
	tcase_add_loop_test(hostile, noise, 0, 4);
	suite_add_tcase(suite, good);
	suite_add_tcase(suite, bad);
	suite_add_tcase(suite, hostile);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

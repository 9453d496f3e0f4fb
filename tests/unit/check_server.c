#include <stdlib.h>
#include <string.h>

#include "stage.h"

/* The server's own checks, seen from its doors. */

#define TYPE_READ     0x0701 /* gateway, DOWNLOAD or MANAGE */
#define TYPE_RENEWED  0x0702 /* gateway, DOWNLOAD, expired is fine */
#define TYPE_PARK     0x0703 /* gateway */
#define TYPE_OPS_ONLY 0x0704 /* ops */
#define TYPE_ECHO     0x0705 /* both, the payload too */
#define TYPE_REFUSE   0x0706 /* both; the body's number is the status */
#define TYPE_UNKNOWN  0x0799

#define PARKED_MAX 4096 /* exchanges under way */
#define SKEW_MS    TICKET_SKEW_MS
#define MINUTE_MS  60000

#define ROWS 1 /* table */

static const struct id anna = { "account of anna" };
static const struct id bert = { "account of bert" };

static struct stage_state {
	unsigned int runs;
	struct exchange *parked[PARKED_MAX];
	unsigned int parked_count;
} state;

/* ---- handlers ---- */

/* Whose row it is: the number in the account's own. */
static enum status on_read(void *arg, struct exchange *x)
{
	struct bytes value = { 0 };
	Common__Figure reply = COMMON__FIGURE__INIT;

	ck_assert_ptr_eq(arg, &state);
	state.runs++;
	ck_assert(x->has_ticket);
	enum status st = db_get(server_db(x->server), &x->ticket.account, ROWS,
	    slice_text("owner"), &value);
	if (st == STATUS_OK) {
		reply.value = value.data[0];
		st = exchange_reply(x, &reply.base);
	}
	bytes_clear(&value);
	return st;
}

static enum status on_renewed(void *arg, struct exchange *x)
{
	Common__Figure reply = COMMON__FIGURE__INIT;

	(void)arg;
	state.runs++;
	reply.value = x->ticket_expired;
	return exchange_reply(x, &reply.base);
}

static enum status on_park(void *arg, struct exchange *x)
{
	(void)arg;
	state.runs++;
	ck_assert_uint_lt(state.parked_count, PARKED_MAX);
	state.parked[state.parked_count++] = x;
	return STATUS_PENDING;
}

static enum status on_ops_only(void *arg, struct exchange *x)
{
	(void)arg;
	(void)x;
	state.runs++;
	return STATUS_OK;
}

static enum status on_echo(void *arg, struct exchange *x)
{
	Common__Figure *message;

	(void)arg;
	state.runs++;
	enum status st =
	    exchange_unpack(x, &common__figure__descriptor, &message);
	if (st != STATUS_OK)
		return st;
	zmq_msg_move(&x->reply_payload, &x->message.payload);
	x->reply_has_payload = x->message.has_payload;
	return exchange_reply(x, &message->base);
}

static enum status on_refuse(void *arg, struct exchange *x)
{
	(void)arg;
	ck_assert_int_eq(
	    bytes_copy(&x->reply_body, slice_text("secret")), STATUS_OK);
	x->reply_has_payload = true;
	return (enum status)figure_of(x->body);
}

/* clang-format off */
static const struct handler handlers[] = {
	{ TYPE_READ,     "READ",     FROM(ROLE_GATEWAY), GOOD_FOR(DIRECTION_DOWNLOAD) | GOOD_FOR(DIRECTION_MANAGE), PLAIN, on_read },
	{ TYPE_RENEWED,  "RENEWED",  FROM(ROLE_GATEWAY), GOOD_FOR(DIRECTION_DOWNLOAD), RENEWED, on_renewed },
	{ TYPE_PARK,     "PARK",     FROM(ROLE_GATEWAY), NO_TICKET, PLAIN, on_park },
	{ TYPE_OPS_ONLY, "OPS_ONLY", FROM(ROLE_OPS),     NO_TICKET, PLAIN, on_ops_only },
	{ TYPE_ECHO,     "ECHO",     FROM(ROLE_GATEWAY) | FROM(ROLE_OPS), NO_TICKET, PLAIN, on_echo },
	{ TYPE_REFUSE,   "REFUSE",   FROM(ROLE_GATEWAY) | FROM(ROLE_OPS), NO_TICKET, PLAIN, on_refuse },
};
/* clang-format on */

static void add_figure(void *arg, struct exchange *x,
    void (*add)(struct exchange *exchange, const char *name, uint64_t value))
{
	ck_assert_ptr_eq(arg, &state);
	add(x, "runs", state.runs);
}

static void on_row(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	(void)arg;
	(void)generation;
	(void)failed_op;
	ck_assert_int_eq(status, STATUS_OK);
}

static void put_owner(const struct id *account, uint8_t number)
{
	struct db_batch *batch = db_batch_new(account, 0, NULL);

	db_batch_put(batch, ROWS, slice_text("owner"), slice_of(&number, 1));
	ck_assert_int_eq(db_submit(db, &batch, on_row, NULL), STATUS_PENDING);
}

static void setup(void)
{
	memset(&state, 0, sizeof(state));
	stage_options = (struct server_options){
		.state = &state,
		.figures = add_figure,
	};
	stage_setup(handlers, nitems(handlers));
	put_owner(&anna, 'a');
	put_owner(&bert, 'b');
	stage_restart(); /* waits until both are on the disk */
}

static void teardown(void)
{
	stage_teardown();
}

/* ---- tickets ---- */

struct
try {
	struct request request;
	struct ticket ticket;
	bool own_signature; /* set by the change itself */
};

static void sign_with_another_key(struct try *try)
{
	uint8_t public_key[TICKET_PUBLIC_BYTES];
	uint8_t secret_key[TICKET_SECRET_BYTES];

	crypto_sign_keypair(public_key, secret_key);
	ticket_sign(try->request.header.ticket, &try->ticket, secret_key);
	try->request.header.ticket_len = TICKET_BYTES;
	try->own_signature = true;
}

static void set_right(struct try *try)
{
	(void)try;
}

static void set_no_ticket(struct try *try)
{
	try->request.header.ticket_len = 0;
	try->own_signature = true;
}

static void set_short_ticket(struct try *try)
{
	request_sign(&try->request, &try->ticket);
	try->request.header.ticket_len--;
	try->own_signature = true;
}

static void set_long_ticket(struct try *try)
{
	request_sign(&try->request, &try->ticket);
	try->request.header.ticket_len++;
	try->own_signature = true;
}

/* Another account written into a ticket that auth has signed. */
static void set_account_in_it(struct try *try)
{
	request_sign(&try->request, &try->ticket);
	memcpy(try->request.header.ticket + 2, bert.bytes, ID_BYTES);
	try->own_signature = true;
}

static void set_direction_in_it(struct try *try)
{
	try->ticket.direction = DIRECTION_UPLOAD;
	request_sign(&try->request, &try->ticket);
	try->request.header.ticket[1] = DIRECTION_DOWNLOAD;
	try->own_signature = true;
}

static void set_expired(struct try *try)
{
	try->ticket.expiry_ms = clock_wall_ms() - SKEW_MS - MINUTE_MS;
}

static void set_just_expired(struct try *try)
{
	try->ticket.expiry_ms = clock_wall_ms() - 1;
}

static void set_future(struct try *try)
{
	try->ticket.issued_ms = clock_wall_ms() + SKEW_MS + MINUTE_MS;
	try->ticket.expiry_ms = try->ticket.issued_ms + MINUTE_MS;
}

static void set_other_peer(struct try *try)
{
	try->request.header.peer.id[PEER_ID_BYTES - 1] ^= 1;
}

static void set_short_peer(struct try *try)
{
	try->request.header.peer.id_len--;
}

static void set_no_peer(struct try *try)
{
	try->request.header.peer.kind = PEER_NOBODY;
}

static void set_card_peer(struct try *try)
{
	try->request.header.peer.kind = PEER_CARD;
}

static void set_session_peer(struct try *try)
{
	try->request.header.peer.kind = PEER_HTTP_SESSION;
}

static void set_upload(struct try *try)
{
	try->ticket.direction = DIRECTION_UPLOAD;
}

static void set_manage(struct try *try)
{
	try->ticket.direction = DIRECTION_MANAGE;
}

static void set_own_account(struct try *try)
{
	try->request.header.account = anna;
}

static void set_other_account(struct try *try)
{
	try->request.header.account = bert;
}

static void set_other_ticket(struct try *try)
{
	try->ticket.account = bert;
	try->request.header.account = anna;
}

/* clang-format off */
static const struct {
	const char *name;
	void (*change)(struct try *try);
	enum status want;
} tries[] = {
	{ "A-06 as it should be",                 set_right,             STATUS_OK },
	{ "A-06 the row's other direction",       set_manage,            STATUS_OK },
	{ "A-06 over within the skew",            set_just_expired,      STATUS_OK },
	{ "A-06 header names the account too",    set_own_account,       STATUS_OK },
	{ "A-06 no ticket",                       set_no_ticket,         STATUS_AUTH_REQUIRED },
	{ "A-06 another direction",               set_upload,            STATUS_AUTH_REQUIRED },
	{ "A-06 a foreign signature",             sign_with_another_key, STATUS_DENIED },
	{ "A-06 cut short",                       set_short_ticket,      STATUS_MALFORMED },
	{ "A-06 one byte more",                   set_long_ticket,       STATUS_MALFORMED },
	{ "A-06 direction changed after signing", set_direction_in_it,   STATUS_DENIED },
	{ "A-06 expired",                         set_expired,           STATUS_EXPIRED },
	{ "A-06 from the future",                 set_future,            STATUS_EXPIRED },
	{ "A-06 another terminal's key",          set_other_peer,        STATUS_DENIED },
	{ "A-06 part of the terminal's key",      set_short_peer,        STATUS_DENIED },
	{ "A-06 no peer",                         set_no_peer,           STATUS_DENIED },
	{ "A-06 a card with the key's bytes",     set_card_peer,         STATUS_DENIED },
	{ "A-06 a session with the key's bytes",  set_session_peer,      STATUS_DENIED },
	{ "R-07 account changed after signing",   set_account_in_it,     STATUS_DENIED },
	{ "R-07 header names another account",    set_other_account,     STATUS_DENIED },
	{ "R-07 the ticket is another account's", set_other_ticket,      STATUS_DENIED },
};
/* clang-format on */

static struct try try_of(uint32_t type)
{
	struct try try = { .request = request_of(type) };

	try.ticket = ticket_for(&try.request, &anna, DIRECTION_DOWNLOAD);
	try.ticket.issued_ms -= 3 * MINUTE_MS;
	return try;
}

static enum status run_try(struct try *try)
{
	if (!try->own_signature)
		request_sign(&try->request, &try->ticket);
	return asker_ask(&gateway, &try->request);
}

START_TEST(ticket)
{
	struct try try = try_of(TYPE_READ), right = try_of(TYPE_READ);

	tries[_i].change(&try);
	/* before and after a right one, which is verified once and cached */
	for (int round = 0; round < 2; round++) {
		state.runs = 0;
		randombytes_buf(try.request.header.request.bytes, ID_BYTES);
		enum status st = run_try(&try);
		ck_assert_msg(st == tries[_i].want, "%s: got '%s', want '%s'",
		    tries[_i].name, status_text(st),
		    status_text(tries[_i].want));
		ck_assert_uint_eq(state.runs, st == STATUS_OK);
		if (st == STATUS_OK)
			ck_assert_uint_eq(
			    figure_of(frame_slice(&gateway.answer.body)), 'a');
		else
			ck_assert_uint_eq(
			    zmq_msg_size(&gateway.answer.body), 0);
		ck_assert_int_eq(
		    st == STATUS_OK, gateway.reply.detail[0] == '\0');
		randombytes_buf(right.request.header.request.bytes, ID_BYTES);
		ck_assert_int_eq(run_try(&right), STATUS_OK);
	}
}
END_TEST

START_TEST(renewed)
{
	struct try try = try_of(TYPE_RENEWED);

	ck_assert_int_eq(run_try(&try), STATUS_OK);
	ck_assert_uint_eq(figure_of(frame_slice(&gateway.answer.body)), 0);
	set_expired(&try);
	randombytes_buf(try.request.header.request.bytes, ID_BYTES);
	ck_assert_int_eq(run_try(&try), STATUS_OK);
	ck_assert_uint_eq(figure_of(frame_slice(&gateway.answer.body)), 1);
	/* all else is checked as ever */
	set_other_peer(&try);
	randombytes_buf(try.request.header.request.bytes, ID_BYTES);
	ck_assert_int_eq(run_try(&try), STATUS_DENIED);
}
END_TEST

/* Accounts by turns, also under request ids that another one used. */
START_TEST(own_rows_only)
{
	static const struct id *const accounts[] = { &anna, &bert };
	struct request request = request_of(TYPE_READ);

	for (size_t i = 0; i < 20; i++) {
		request_ticket(&request, accounts[i % 2], DIRECTION_DOWNLOAD);
		ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_OK);
		ck_assert_uint_eq(figure_of(frame_slice(&gateway.answer.body)),
		    i % 2 == 0 ? 'a' : 'b');
	}
}
END_TEST

/* ---- doors and rows of the table ---- */

/* clang-format off */
static const struct {
	const char *name;
	struct asker *asker;
	uint32_t type;
	enum status want;
} rows[] = {
	{ "A-06 a gateway's, from the operator", &ops,     TYPE_READ,         STATUS_DENIED },
	{ "A-06 the operator's, from a gateway", &gateway, TYPE_OPS_ONLY,     STATUS_DENIED },
	{ "A-06 the operator's own",             &ops,     TYPE_OPS_ONLY,     STATUS_OK },
	{ "A-06 status, from a gateway",         &gateway, TYPE_STATUS_QUERY, STATUS_DENIED },
	{ "K-08 rekey, from a gateway",          &gateway, TYPE_REKEY,        STATUS_DENIED },
	{ "K-08 rekey, from the operator",       &ops,     TYPE_REKEY,        STATUS_OK },
	{ "O-01 status, from the operator",      &ops,     TYPE_STATUS_QUERY, STATUS_OK },
	{ "O-03 ping, from a gateway",           &gateway, TYPE_PING,         STATUS_OK },
	{ "O-03 ping, from the operator",        &ops,     TYPE_PING,         STATUS_OK },
	{ "R-03 no type",                        &gateway, 0,                 STATUS_MALFORMED },
	{ "R-03 an answer",                      &gateway, TYPE_REPLY,        STATUS_MALFORMED },
	{ "R-03 an unknown type",                &gateway, TYPE_UNKNOWN,      STATUS_MALFORMED },
	{ "R-03 the largest type",               &ops,     UINT32_MAX,        STATUS_MALFORMED },
};
/* clang-format on */

START_TEST(row)
{
	struct request request = request_of(rows[_i].type);

	/* the best of tickets opens no other door */
	request_ticket(&request, &anna, DIRECTION_DOWNLOAD);
	enum status st = asker_ask(rows[_i].asker, &request);
	ck_assert_msg(st == rows[_i].want, "%s: got '%s', want '%s'",
	    rows[_i].name, status_text(st), status_text(rows[_i].want));
	ck_assert_uint_eq(
	    state.runs, rows[_i].type == TYPE_OPS_ONLY && st == STATUS_OK);
}
END_TEST

START_TEST(status_report)
{
	struct request request = request_of(TYPE_STATUS_QUERY);
	Common__StatusReport *report;
	struct unpack unpack;
	bool has_rows = false, has_runs = false;

	state.runs = 7;
	ck_assert_int_eq(asker_ask(&ops, &request), STATUS_OK);
	unpack_begin(&unpack);
	ck_assert_int_eq(
	    unpack_message(&unpack, &common__status_report__descriptor,
		frame_slice(&ops.answer.body), &report),
	    STATUS_OK);
	ck_assert_str_eq(report->program, "keepsake-store");
	ck_assert_uint_eq(report->pid, (uint32_t)getpid());
	for (size_t i = 0; i < report->n_figures; i++) {
		const Common__Figure *figure = report->figures[i];
		has_rows |=
		    strcmp(figure->name, "db_rows") == 0 && figure->value == 2;
		has_runs |=
		    strcmp(figure->name, "runs") == 0 && figure->value == 7;
	}
	unpack_end(&unpack);
	ck_assert(has_rows && has_runs);
}
END_TEST

START_TEST(echo)
{
	static uint8_t bytes[PAYLOAD_BYTES_MAX];
	struct request request = request_of(TYPE_ECHO);
	struct bytes body = { 0 };

	randombytes_buf(bytes, sizeof(bytes));
	figure_pack(&body, 42);
	request.body = bytes_slice(&body);
	request.payload = slice_of(bytes, sizeof(bytes));
	request.header.trace = (struct id){ "a trace" };
	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_OK);
	ck_assert(slice_equal(
	    frame_slice(&gateway.answer.envelope[0]), slice_text("route")));
	ck_assert(
	    slice_equal(frame_slice(&gateway.answer.body), bytes_slice(&body)));
	ck_assert(
	    slice_equal(frame_slice(&gateway.answer.payload), request.payload));
	ck_assert(id_equal(&gateway.reply.trace, &request.header.trace));
	ck_assert_uint_le(gateway.reply.server_time_ms, clock_wall_ms());
	ck_assert_uint_ge(
	    gateway.reply.server_time_ms + MINUTE_MS, clock_wall_ms());
	/* nothing of the request comes back */
	ck_assert_int_eq(gateway.reply.peer.kind, PEER_NOBODY);
	ck_assert_uint_eq(gateway.reply.ticket_len, 0);
	bytes_clear(&body);
}
END_TEST

/* A refusal carries its reason, and nothing that was prepared before it. */
START_TEST(refusal)
{
	struct request request = request_of(TYPE_REFUSE);
	struct bytes body = { 0 };

	figure_pack(&body, STATUS_QUOTA);
	request.body = bytes_slice(&body);
	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_QUOTA);
	ck_assert_str_eq(gateway.reply.detail, status_text(STATUS_QUOTA));
	ck_assert_uint_eq(zmq_msg_size(&gateway.answer.body), 0);
	ck_assert(!gateway.answer.has_payload);
	bytes_clear(&body);
}
END_TEST

/* ---- hostile bytes ---- */

START_TEST(body_refused)
{
	struct request request = request_of(TYPE_ECHO);

	request.body = slice_text("\xff\xff\xff");
	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_MALFORMED);
	ck_assert_ptr_nonnull(strstr(gateway.reply.detail, "Figure"));
}
END_TEST

static void ask_raw_header(struct slice header)
{
	struct request request = request_of(TYPE_ECHO);
	struct message message;

	message_fill(&message, &request);
	ck_assert_int_eq(frame_copy(&message.header, header), STATUS_OK);
	asker_send_message(&gateway, &message);
}

/* Without a request id there is nothing to answer; the next one is. */
START_TEST(header_refused)
{
	static const uint8_t large[HEADER_BYTES_MAX + 1];
	static const char *const texts[] = { "", "x", "no header at all" };

	capture_begin(STDERR_FILENO);
	for (size_t i = 0; i < nitems(texts); i++)
		ask_raw_header(slice_text(texts[i]));
	ask_raw_header(slice_of(large, sizeof(large)));
	asker_hears_nothing(&gateway);
	const char *said = capture_end();
	ck_assert_ptr_nonnull(
	    strstr(said, "event=message_refused from=gateway"));
	ck_assert_uint_eq(state.runs, 0);
}
END_TEST

/* With one, it is answered. */
START_TEST(header_answered)
{
	Common__Header raw = COMMON__HEADER__INIT;
	struct bytes packed = { 0 };
	struct request request = request_of(TYPE_ECHO);

	raw.magic = PROTOCOL_MAGIC;
	raw.major = raw.oldest_major = PROTOCOL_MAJOR + 1;
	raw.request_id =
	    field_of(slice_of(request.header.request.bytes, ID_BYTES));
	ck_assert_int_eq(pack_message(&packed, &raw.base), STATUS_OK);
	ask_raw_header(bytes_slice(&packed));
	ck_assert_int_eq(asker_wait(&gateway), STATUS_VERSION);
	ck_assert(id_equal(&gateway.reply.request, &request.header.request));
	ck_assert_str_eq(
	    gateway.reply.detail, "this server speaks protocol 1.0");

	raw.major = raw.oldest_major = PROTOCOL_MAJOR;
	raw.account_id = field_of(slice_text("no account id"));
	packed.len = 0;
	ck_assert_int_eq(pack_message(&packed, &raw.base), STATUS_OK);
	ask_raw_header(bytes_slice(&packed));
	ck_assert_int_eq(asker_wait(&gateway), STATUS_MALFORMED);
	ck_assert(id_equal(&gateway.reply.request, &request.header.request));
	bytes_clear(&packed);
	ck_assert_uint_eq(state.runs, 0);
}
END_TEST

START_TEST(frames_refused)
{
	capture_begin(STDERR_FILENO);
	for (int count = 1; count <= 8; count++) {
		zmq_pollitem_t item = { gateway.socket, 0, ZMQ_POLLOUT, 0 };
		ck_assert_int_eq(zmq_poll(&item, 1, STAGE_WAIT_MS), 1);
		for (int i = 1; i <= count; i++)
			ck_assert_int_eq(zmq_send(gateway.socket, "frame", 5,
					     i < count ? ZMQ_SNDMORE : 0),
			    5);
	}
	asker_hears_nothing(&gateway);
	capture_end();
	ck_assert_uint_eq(state.runs, 0);
}
END_TEST

/* ---- exchanges under way ---- */

/* Run the loop until ${count} exchanges are parked. */
static void wait_parked(unsigned int count)
{
	while (state.parked_count < count) {
		struct request ping = request_of(TYPE_PING);
		asker_ask(&ops, &ping); /* BUSY is fine: it is a turn */
	}
}

START_TEST(repeat_under_way)
{
	struct request request = request_of(TYPE_PARK);

	asker_send(&gateway, &request);
	request.route = "another way";
	asker_send(&gateway, &request);
	asker_hears_nothing(&gateway);
	ck_assert_uint_eq(state.runs, 1);
	exchange_finish(&state.parked[0], STATUS_OK);
	ck_assert_ptr_null(state.parked[0]);
	/* one answer, which goes where the repeat came from */
	ck_assert_int_eq(asker_wait(&gateway), STATUS_OK);
	ck_assert(id_equal(&gateway.reply.request, &request.header.request));
	ck_assert(slice_equal(frame_slice(&gateway.answer.envelope[0]),
	    slice_text("another way")));
	asker_hears_nothing(&gateway);
	/* answered and not kept: it runs again */
	asker_send(&gateway, &request);
	wait_parked(2);
	exchange_finish(&state.parked[1], STATUS_OK);
	ck_assert_int_eq(asker_wait(&gateway), STATUS_OK);
}
END_TEST

/* By another gateway: the former one does not wait in vain. */
START_TEST(repeat_by_another_gateway)
{
	struct request request = request_of(TYPE_PARK);
	struct asker second = { .role = ROLE_GATEWAY };

	asker_connect(&second);
	asker_send(&gateway, &request);
	wait_parked(1);
	request.route = "another way";
	asker_send(&second, &request);
	ck_assert_int_eq(asker_wait(&gateway), STATUS_UNAVAILABLE);
	ck_assert(id_equal(&gateway.reply.request, &request.header.request));
	ck_assert_uint_gt(gateway.reply.retry_after_ms, 0);
	ck_assert(slice_equal(
	    frame_slice(&gateway.answer.envelope[0]), slice_text("route")));
	ck_assert_uint_eq(state.runs, 1);
	exchange_finish(&state.parked[0], STATUS_OK);
	ck_assert_int_eq(asker_wait(&second), STATUS_OK);
	ck_assert(id_equal(&second.reply.request, &request.header.request));
	ck_assert(slice_equal(frame_slice(&second.answer.envelope[0]),
	    slice_text("another way")));
	asker_hears_nothing(&gateway);
	asker_disconnect(&second);
}
END_TEST

/* The same where the former one has ended meanwhile. */
START_TEST(repeat_after_a_gateway_has_gone)
{
	struct request request = request_of(TYPE_PARK);
	struct asker first = { .role = ROLE_GATEWAY };

	asker_connect(&first);
	asker_send(&first, &request);
	wait_parked(1);
	asker_disconnect(&first);
	asker_send(&gateway, &request);
	asker_hears_nothing(&gateway);
	ck_assert_uint_eq(state.runs, 1);
	exchange_finish(&state.parked[0], STATUS_OK);
	ck_assert_int_eq(asker_wait(&gateway), STATUS_OK);
	ck_assert(id_equal(&gateway.reply.request, &request.header.request));
}
END_TEST

static void set_repeat_peer(struct request *request)
{
	request->header.peer.id[0] ^= 1;
}

static void set_repeat_peer_length(struct request *request)
{
	request->header.peer.id_len--;
}

static void set_repeat_body(struct request *request)
{
	request->body = slice_text("another body");
}

static const struct {
	const char *name;
	void (*change)(struct request *request);
} others[] = {
	{ "R-07 another terminal's", set_repeat_peer },
	{ "R-07 a key that begins alike", set_repeat_peer_length },
	{ "G-04 another body", set_repeat_body },
};

/* The same id is not enough to be a repeat, and to get the answer. */
START_TEST(no_repeat)
{
	struct request request = request_of(TYPE_PARK);

	asker_send(&gateway, &request);
	others[_i].change(&request);
	request.route = "another way";
	asker_send(&gateway, &request);
	asker_hears_nothing(&gateway);
	ck_assert_msg(
	    state.runs == 2, "%s: taken for a repeat", others[_i].name);
	exchange_finish(&state.parked[0], STATUS_OK);
	ck_assert_int_eq(asker_wait(&gateway), STATUS_OK);
	ck_assert(slice_equal(
	    frame_slice(&gateway.answer.envelope[0]), slice_text("route")));
	exchange_finish(&state.parked[1], STATUS_CONFLICT);
	ck_assert_int_eq(asker_wait(&gateway), STATUS_CONFLICT);
	ck_assert(slice_equal(frame_slice(&gateway.answer.envelope[0]),
	    slice_text("another way")));
}
END_TEST

START_TEST(too_many)
{
	struct request request = request_of(TYPE_PARK);

	for (unsigned int i = 1; i <= PARKED_MAX; i++) {
		randombytes_buf(request.header.request.bytes, ID_BYTES);
		asker_send(&gateway, &request);
		if (i % 1000 == 0)
			wait_parked(i);
	}
	wait_parked(PARKED_MAX);
	request = request_of(TYPE_ECHO);
	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_BUSY);
	ck_assert_uint_gt(gateway.reply.retry_after_ms, 0);
	exchange_finish(&state.parked[0], STATUS_OK);
	ck_assert_int_eq(asker_wait(&gateway), STATUS_OK);
	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_OK);
	/* the rest goes with the server */
}
END_TEST

START_TEST(push)
{
	struct request request = request_of(TYPE_PARK), news = { 0 };
	struct message message;

	asker_send(&gateway, &request);
	wait_parked(1);
	struct exchange *x = state.parked[0];
	news = request_of(TYPE_UNKNOWN);
	news.body = slice_text("news");
	message_fill(&message, &news);
	for (size_t i = 0; i < ENVELOPE_FRAMES_MAX; i++)
		ck_assert_int_eq(
		    zmq_msg_copy(&message.envelope[i], &x->message.envelope[i]),
		    0);
	message.envelope_count = ENVELOPE_FRAMES_MAX;
	ck_assert_int_eq(server_push(server, x->door, &message), STATUS_OK);
	asker_wait(&gateway);
	ck_assert_uint_eq(gateway.reply.type, TYPE_UNKNOWN);
	ck_assert(
	    slice_equal(frame_slice(&gateway.answer.body), slice_text("news")));

	/* by a way that nobody is at */
	message_fill(&message, &news);
	message.envelope_count = ENVELOPE_FRAMES_MAX;
	ck_assert_int_eq(
	    server_push(server, x->door, &message), STATUS_UNAVAILABLE);
	message_clear(&message);
	exchange_finish(&x, STATUS_OK);
}
END_TEST

/* ---- the end ---- */

static unsigned int stops;

static void on_stopped(void *arg)
{
	ck_assert_ptr_eq(arg, &stops);
	stops++;
	loop_stop(program.loop);
}

START_TEST(stop_when_idle)
{
	server_stop(server, on_stopped, &stops);
	ck_assert_uint_eq(stops, 1);
}
END_TEST

START_TEST(stop_with_work)
{
	struct request request = request_of(TYPE_PARK);
	struct request late = request_of(TYPE_ECHO);

	asker_send(&gateway, &request);
	wait_parked(1);
	server_stop(server, on_stopped, &stops);
	ck_assert_uint_eq(stops, 0);
	ck_assert_int_eq(asker_ask(&gateway, &late), STATUS_UNAVAILABLE);
	ck_assert_uint_gt(gateway.reply.retry_after_ms, 0);
	/* a repeat of what is under way still finds its answer */
	asker_send(&gateway, &request);
	late = request_of(TYPE_ECHO);
	ck_assert_int_eq(asker_ask(&gateway, &late), STATUS_UNAVAILABLE);
	ck_assert_uint_eq(stops, 0);
	exchange_finish(&state.parked[0], STATUS_OK);
	ck_assert_uint_eq(stops, 1);
	ck_assert_int_eq(asker_wait(&gateway), STATUS_OK);
}
END_TEST

START_TEST(stop_in_10_s)
{
	struct request request = request_of(TYPE_PARK);

	asker_send(&gateway, &request);
	wait_parked(1);
	server_stop(server, on_stopped, &stops);
	skipped_ms += 6000;
	request = request_of(TYPE_ECHO);
	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_UNAVAILABLE);
	ck_assert_uint_eq(stops, 0);
	skipped_ms += 2000;
	capture_begin(STDERR_FILENO);
	ck_assert_int_eq(loop_run(program.loop), STATUS_OK);
	const char *said = capture_end();
	ck_assert_uint_eq(stops, 1);
	ck_assert_ptr_nonnull(strstr(said, "event=stop_timed_out under_way=1"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("server");
	TCase *tickets = tcase_create("A-06 R-07 tickets at a server");
	TCase *table = tcase_create("A-06 R-03 rows of the message table");
	TCase *hostile = tcase_create("R-03 O-08 bytes at a server's door");
	TCase *parked = tcase_create("G-04 R-07 exchanges under way");
	TCase *bounds = tcase_create("G-05 exchanges at once");
	TCase *stop = tcase_create("G-06 a server that stops");

	tcase_add_checked_fixture(tickets, setup, teardown);
	tcase_add_checked_fixture(table, setup, teardown);
	tcase_add_checked_fixture(hostile, setup, teardown);
	tcase_add_checked_fixture(parked, setup, teardown);
	tcase_add_checked_fixture(bounds, setup, teardown);
	tcase_add_checked_fixture(stop, setup, teardown);
	tcase_add_loop_test(tickets, ticket, 0, (int)nitems(tries));
	tcase_add_test(tickets, renewed);
	tcase_add_test(tickets, own_rows_only);
	tcase_add_loop_test(table, row, 0, (int)nitems(rows));
	tcase_add_test(table, status_report);
	tcase_add_test(table, echo);
	tcase_add_test(table, refusal);
	tcase_add_test(hostile, body_refused);
	tcase_add_test(hostile, header_refused);
	tcase_add_test(hostile, header_answered);
	tcase_add_test(hostile, frames_refused);
	tcase_add_test(parked, repeat_under_way);
	tcase_add_test(parked, repeat_by_another_gateway);
	tcase_add_test(parked, repeat_after_a_gateway_has_gone);
	tcase_add_loop_test(parked, no_repeat, 0, (int)nitems(others));
	tcase_add_test(parked, push);
	tcase_add_test(bounds, too_many);
	tcase_add_test(stop, stop_when_idle);
	tcase_add_test(stop, stop_with_work);
	tcase_add_test(stop, stop_in_10_s);
	tcase_set_timeout(bounds, 60);
	suite_add_tcase(suite, tickets);
	suite_add_tcase(suite, table);
	suite_add_tcase(suite, hostile);
	suite_add_tcase(suite, parked);
	suite_add_tcase(suite, bounds);
	suite_add_tcase(suite, stop);

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

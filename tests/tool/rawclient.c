/*
 * rawclient --state DIR --password-file FILE login NAME DIRECTION
 * rawclient --state DIR --password-file FILE verify NAME DIRECTION NEW-FILE
 * rawclient --state DIR [OPTION...] ask TYPE
 *
 * A terminal that sends what no honest one would.  It uses the keys and the
 * server of the state folder DIR.
 *
 * login  prove the password for DIRECTION (UPLOAD, …) and print the ticket
 *        and the account's id, as hex
 * verify the same, and then set the verification information that is in
 *        NEW-FILE; print what that comes to: "ok", …
 * ask    send one message of TYPE (store.HAVE, common.PING, a number) and
 *        print what comes back: the status, the payload's length, the body
 *        as hex or "-", the detail; "silence" where nothing comes in time
 *
 * --ticket HEX    with this ticket
 * --account HEX   for this account
 * --request HEX   under this request id; a random one without
 * --peer HEX      with this CURVE key as the peer, which only a gateway says
 * --append HEX    with this at the header's end: a field again replaces it
 * --header HEX    with this instead of the header
 * --body HEX      with this body; empty without
 * --body-bytes N, --payload-bytes N   with so many bytes of zero
 * --payload-random N   with so many random bytes
 * --frames N      in so many frames, 1 to 8
 * --copies N      sent so many times, by one connection
 * --figures       print also, behind the status, tries_remaining and
 *                 retry_after_ms
 * --routing-id TEXT   under this name, which only libzmq gives
 * --wait MS       for an answer, or a connection; 10000 without
 *
 * Exit status: 0 printed, 1 no login or no connection, 2 wrong arguments.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth.pb-c.h"
#include "base/clock.h"
#include "base/util.h"
#include "binding.pb-c.h"
#include "bus/unpack.h"
#include "common.pb-c.h"
#include "crypto/arena.h"
#include "notify.pb-c.h"
#include "session.h"
#include "store.pb-c.h"
#include "terminal.h"

#define ARENA_BYTES (64 * 1024)
#define WAIT_MS     10000
#define FRAMES_MAX  8

/** What the command line asks for; all bytes are owned. */
struct wishes {
	const char *state, *password_file, *routing_id;
	struct bytes ticket, account, request, peer, append, header, body;
	struct bytes payload;
	size_t frames, copies;
	long wait_ms;
	bool figures;
};

static size_t number_from(const char *text)
{
	char *end = NULL;

	errno = 0;
	unsigned long number = strtoul(text, &end, 0);
	if (errno != 0 || end == text || *end != '\0' || *text == '-')
		errx(2, "'%s' is not a number", text);
	return number;
}

static struct bytes zeros(const char *count)
{
	struct bytes self = { 0 };
	size_t len = number_from(count);

	if (bytes_reserve(&self, len + 1) != STATUS_OK)
		errx(1, "no memory");
	memset(self.data, 0, len);
	self.len = len;
	return self;
}

static struct bytes noise(const char *count)
{
	struct bytes self = zeros(count);

	randombytes_buf(self.data, self.len);
	return self;
}

/* ---- login ---- */

struct secret {
	char text[256];
};

static struct secret secret_read(const char *path)
{
	struct secret self = { "" };
	FILE *file = fopen(path, "re");

	if (!file || !fgets(self.text, sizeof(self.text), file))
		err(2, "%s", path);
	fclose(file);
	self.text[strcspn(self.text, "\n")] = '\0';
	return self;
}

/* Set it anew under ${login}. */
static void verify(
    struct session *session, const struct login *login, const char *path)
{
	struct secret next = secret_read(path);
	enum status st =
	    session_set_verification(session, login, slice_text(next.text));

	printf("%s %s\n", status_word(st), session_detail(session));
	sodium_memzero(&next, sizeof(next));
}

/* verification_file  to be set then; NULL: print the ticket */
static int command_login(const struct wishes *wishes, const char *name,
    const char *word, const char *verification_file)
{
	const ProtobufCEnumValue *direction =
	    protobuf_c_enum_descriptor_get_value_by_name(
		&common__direction__descriptor, word);
	struct secret password = secret_read(wishes->password_file);
	struct terminal terminal = terminal_open(wishes->state);
	const struct session_options options = {
		.enrolment = &terminal.enrolment,
		.keys = &terminal.keys,
		.timeout_ms = WAIT_MS,
	};
	struct session *session = NULL;
	struct login *login = NULL;

	if (!direction)
		errx(2, "'%s' is not a direction", word);
	const struct code_factors code = {
		.set = CODE_PASSWORD,
		.password = slice_text(password.text),
	};
	if (session_new(&session, &options) != STATUS_OK)
		errx(1, "no session");
	enum status st = session_login(
	    session, name, &code, (enum direction)direction->value, &login);
	if (st == STATUS_OK && verification_file) {
		verify(session, login, verification_file);
	} else if (st == STATUS_OK) {
		print_hex(login_ticket(login));
		putchar(' ');
		print_hex(slice_of(login->account.bytes, ID_BYTES));
		putchar('\n');
	} else {
		warnx("%s: %s", status_word(st), session_detail(session));
	}
	sodium_memzero(&password, sizeof(password));
	login_destroy(&login);
	session_destroy(&session);
	terminal_close(&terminal);
	return st == STATUS_OK ? 0 : 1;
}

/* ---- ask ---- */

static uint32_t type_from(const char *text)
{
	static const struct {
		const char *prefix;
		const ProtobufCEnumDescriptor *types;
	} rows[] = {
		{ "common.", &common__type__descriptor },
		{ "auth.", &auth__type__descriptor },
		{ "store.", &store__type__descriptor },
		{ "binding.", &binding__type__descriptor },
		{ "notify.", &notify__type__descriptor },
	};
	const ProtobufCEnumValue *value = NULL;

	for (size_t i = 0; !value && i < nitems(rows); i++)
		if (strncmp(text, rows[i].prefix, strlen(rows[i].prefix)) == 0)
			value = protobuf_c_enum_descriptor_get_value_by_name(
			    rows[i].types, text + strlen(rows[i].prefix));
	return value ? (uint32_t)value->value : (uint32_t)number_from(text);
}

static struct bytes header_make(const struct wishes *wishes, uint32_t type)
{
	Common__Header message = COMMON__HEADER__INIT;
	Common__Peer peer = COMMON__PEER__INIT;
	uint8_t request[ID_BYTES];
	struct bytes packed = { 0 };

	randombytes_buf(request, sizeof(request));
	message.magic = PROTOCOL_MAGIC;
	message.major = PROTOCOL_MAJOR;
	message.oldest_major = PROTOCOL_MAJOR;
	message.type = type;
	message.deadline_ms = WAIT_MS;
	message.request_id =
	    field_of(wishes->request.len > 0 ? bytes_slice(&wishes->request)
					     : slice_of(request, ID_BYTES));
	message.ticket = field_of(bytes_slice(&wishes->ticket));
	message.account_id = field_of(bytes_slice(&wishes->account));
	if (wishes->peer.len > 0) {
		peer.kind = COMMON__PEER__KIND__CURVE_KEY;
		peer.id = field_of(bytes_slice(&wishes->peer));
		message.peer = &peer;
	}
	enum status st = wishes->header.len > 0
			     ? bytes_copy(&packed, bytes_slice(&wishes->header))
			     : pack_message(&packed, &message.base);
	if (st == STATUS_OK)
		st = bytes_append(&packed, bytes_slice(&wishes->append));
	if (st != STATUS_OK)
		errx(1, "the header cannot be packed");
	return packed;
}

/* Send header, body, payload, and empty frames after these. */
static void send_frames(
    void *socket, const struct wishes *wishes, const struct bytes *header)
{
	const struct bytes *const frames[] = { header, &wishes->body,
		&wishes->payload };
	size_t count = wishes->frames;

	if (count == 0)
		count = wishes->payload.len > 0 ? 3 : 2;
	for (size_t i = 0; i < count; i++) {
		const struct bytes *frame =
		    i < nitems(frames) ? frames[i] : NULL;
		int more = i + 1 < count ? ZMQ_SNDMORE : 0;
		if (zmq_send(socket, frame ? frame->data : NULL,
			frame ? frame->len : 0, more) < 0)
			errx(1, "not sent: %s", zmq_strerror(errno));
	}
}

/* Not by header_unpack, which wants the request id that not all have. */
static void print_answer(const struct wishes *wishes, struct line *line)
{
	struct message answer;
	Common__Header *header;
	struct unpack unpack;

	message_init(&answer);
	unpack_begin(&unpack);
	if (!line_wait(line, ZMQ_POLLIN)) {
		printf("silence\n");
		goto out;
	}
	if (message_receive(&answer, line->socket, 0) != STATUS_OK ||
	    unpack_message(&unpack, &common__header__descriptor,
		frame_slice(&answer.header), &header) != STATUS_OK)
		errx(1, "the answer is no message");
	printf("%s ", status_word((enum status)header->status));
	if (wishes->figures)
		printf(
		    "%u %u ", header->tries_remaining, header->retry_after_ms);
	printf("%zu ", answer.has_payload ? zmq_msg_size(&answer.payload) : 0);
	print_hex(frame_slice(&answer.body));
	printf(" %s\n", header->detail);
out:
	unpack_end(&unpack);
	message_clear(&answer);
}

static int command_ask(const struct wishes *wishes, const char *type)
{
	struct terminal terminal = terminal_open(wishes->state);
	struct bytes header = header_make(wishes, type_from(type));
	struct line line = line_open(&terminal, wishes->wait_ms);

	if (wishes->routing_id &&
	    (zmq_setsockopt(line.socket, ZMQ_ROUTING_ID, wishes->routing_id,
		 strlen(wishes->routing_id)) != 0 ||
		bus_reconnect(line.socket) != STATUS_OK))
		errx(1, "%s: no such name", wishes->routing_id);
	line_ready(&line);
	for (size_t i = 0; i < wishes->copies; i++)
		send_frames(line.socket, wishes, &header);
	print_answer(wishes, &line);
	bytes_clear(&header);
	line_close(&line);
	terminal_close(&terminal);
	return 0;
}

/* ---- the command line ---- */

static struct wishes wishes_read(int argc, char **argv)
{
	static const struct option options[] = {
		{ "state", required_argument, NULL, 's' },
		{ "password-file", required_argument, NULL, 'w' },
		{ "ticket", required_argument, NULL, 't' },
		{ "account", required_argument, NULL, 'a' },
		{ "request", required_argument, NULL, 'r' },
		{ "peer", required_argument, NULL, 'p' },
		{ "append", required_argument, NULL, 'x' },
		{ "header", required_argument, NULL, 'h' },
		{ "body", required_argument, NULL, 'b' },
		{ "body-bytes", required_argument, NULL, 'B' },
		{ "payload-bytes", required_argument, NULL, 'P' },
		{ "payload-random", required_argument, NULL, 'R' },
		{ "frames", required_argument, NULL, 'f' },
		{ "copies", required_argument, NULL, 'c' },
		{ "figures", no_argument, NULL, 'F' },
		{ "routing-id", required_argument, NULL, 'i' },
		{ "wait", required_argument, NULL, 'W' },
		{ 0 },
	};
	struct wishes self = { .wait_ms = WAIT_MS, .copies = 1 };
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		/* clang-format off */
		case 's': self.state = optarg;                     break;
		case 'w': self.password_file = optarg;             break;
		case 't': self.ticket = bytes_from_hex(optarg);    break;
		case 'a': self.account = bytes_from_hex(optarg);   break;
		case 'r': self.request = bytes_from_hex(optarg);   break;
		case 'p': self.peer = bytes_from_hex(optarg);      break;
		case 'x': self.append = bytes_from_hex(optarg);    break;
		case 'h': self.header = bytes_from_hex(optarg);    break;
		case 'b': self.body = bytes_from_hex(optarg);      break;
		case 'B': self.body = zeros(optarg);               break;
		case 'P': self.payload = zeros(optarg);            break;
		case 'R': self.payload = noise(optarg);            break;
		case 'f': self.frames = number_from(optarg);       break;
		case 'c': self.copies = number_from(optarg);       break;
		case 'F': self.figures = true;                     break;
		case 'i': self.routing_id = optarg;                break;
		case 'W': self.wait_ms = (long)number_from(optarg); break;
		/* clang-format on */
		default:
			exit(2);
		}
	}
	return self;
}

static void wishes_clear(struct wishes *self)
{
	struct bytes *const all[] = { &self->ticket, &self->account,
		&self->request, &self->peer, &self->append, &self->header,
		&self->body, &self->payload };

	for (size_t i = 0; i < nitems(all); i++)
		bytes_clear(all[i]);
}

int main(int argc, char **argv)
{
	struct wishes wishes = wishes_read(argc, argv);
	char **command = argv + optind;
	int count = argc - optind, status;

	if (arena_open(ARENA_BYTES) != STATUS_OK)
		errx(1, "no memory for secrets");
	if (wishes.state && wishes.password_file && count == 3 &&
	    strcmp(command[0], "login") == 0)
		status = command_login(&wishes, command[1], command[2], NULL);
	else if (wishes.state && wishes.password_file && count == 4 &&
		 strcmp(command[0], "verify") == 0)
		status =
		    command_login(&wishes, command[1], command[2], command[3]);
	else if (wishes.state && wishes.frames <= FRAMES_MAX && count == 2 &&
		 strcmp(command[0], "ask") == 0)
		status = command_ask(&wishes, command[1]);
	else
		errx(2, "usage: rawclient --state DIR [OPTION...] "
			"login NAME DIRECTION | "
			"verify NAME DIRECTION NEW-FILE | ask TYPE");
	wishes_clear(&wishes);
	arena_close();
	return status;
}

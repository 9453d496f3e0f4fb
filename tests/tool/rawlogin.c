/*
 * rawlogin --state DIR [OPTION...] NAME DIRECTION
 *
 * A terminal that asks to be challenged and then goes away: sends one
 * LOGIN_BEGIN, with the keys and to the server of the state folder DIR, and
 * prints, on one line, "-" for what is empty,
 *
 *   status tries_remaining retry_after_ms request begin right wrong detail
 *
 * request  the request id, as hex
 * begin    the body of the LOGIN_BEGIN, to be sent again
 * right    the body of the LOGIN_FINISH that proves the code; empty where
 *          the code is wrong
 * wrong    the body of the one that gives up
 *
 * rawclient sends them.
 *
 * --password-file FILE, --serial TEXT, --imei DIGITS, --imsi DIGITS
 *                      of what the code is made
 * --invitation CODE    goes along with the name
 * --request HEX        under this request id
 *
 * Exit status: 0 printed, 1 no connection or no answer, 2 wrong arguments.
 */
#include <getopt.h>
#include <sodium.h>
#include <string.h>

#include "auth.pb-c.h"
#include "base/util.h"
#include "bus/header.h"
#include "crypto/arena.h"
#include "crypto/code.h"
#include "crypto/envelope.h"
#include "crypto/opaque.h"
#include "crypto/ticket.h"
#include "terminal.h"

#define ARENA_BYTES   (64 * 1024)
#define WAIT_MS       10000
#define SECRET_BYTES  256
#define WHOM_BYTES    600
#define BEGIN_TYPE_AT ID_BYTES /* in the associated data */

struct wishes {
	const char *state, *invitation, *name;
	enum direction direction;
	char password[SECRET_BYTES];
	struct code_factors factors;
	struct header header;
};

/* What there is to print, as it comes. */
struct told {
	struct header reply;
	struct bytes begin, right, wrong;
};

static void read_password(struct wishes *self, const char *path)
{
	FILE *file = fopen(path, "re");

	if (!file || !fgets(self->password, sizeof(self->password), file))
		err(2, "%s", path);
	fclose(file);
	self->password[strcspn(self->password, "\n")] = '\0';
	self->factors.set |= CODE_PASSWORD;
	self->factors.password = slice_text(self->password);
}

static void pack(struct bytes *out, const ProtobufCMessage *message)
{
	if (pack_message(out, message) != STATUS_OK)
		errx(1, "no memory");
}

/* Seal the name, and the invitation behind it, to auth. */
static void seal_name(struct bytes *out, const struct wishes *wishes,
    const struct terminal *terminal)
{
	uint8_t associated[ID_BYTES + 4];
	char whom[WHOM_BYTES];
	struct envelope_reply_key reply_key;
	size_t len = strlen(wishes->name);

	if (snprintf(whom, sizeof(whom), "%s%c%s", wishes->name, 0,
		wishes->invitation ? wishes->invitation : "") >=
	    (int)sizeof(whom))
		errx(2, "a name too long");
	if (wishes->invitation)
		len += 1 + strlen(wishes->invitation);
	memcpy(associated, wishes->header.request.bytes, ID_BYTES);
	put_be32(associated + BEGIN_TYPE_AT, AUTH__TYPE__LOGIN_BEGIN);
	if (bytes_reserve(out, len + ENVELOPE_REQUEST_EXTRA_BYTES) !=
		STATUS_OK ||
	    envelope_request_seal(out->data, &reply_key,
		terminal->enrolment.auth_x25519, slice_of(whom, len),
		slice_of(associated, sizeof(associated))) != STATUS_OK)
		errx(1, "the name cannot be sealed");
	out->len = len + ENVELOPE_REQUEST_EXTRA_BYTES;
	sodium_memzero(&reply_key, sizeof(reply_key));
}

static void ask(const struct terminal *terminal, struct told *told,
    const struct wishes *wishes, struct bytes *body)
{
	struct line line = line_open(terminal, WAIT_MS);
	struct message message;
	struct bytes packed = { 0 };

	line_ready(&line);
	if (header_pack(&packed, &wishes->header) != STATUS_OK)
		errx(1, "no memory");
	if (zmq_send(line.socket, packed.data, packed.len, ZMQ_SNDMORE) < 0 ||
	    zmq_send(line.socket, told->begin.data, told->begin.len, 0) < 0)
		errx(1, "not sent");
	message_init(&message);
	if (!line_wait(&line, ZMQ_POLLIN))
		errx(1, "silence");
	if (message_receive(&message, line.socket, 0) != STATUS_OK ||
	    header_unpack(&told->reply, frame_slice(&message.header)) !=
		STATUS_OK ||
	    bytes_copy(body, frame_slice(&message.body)) != STATUS_OK)
		errx(1, "the answer is no message");
	message_clear(&message);
	bytes_clear(&packed);
	line_close(&line);
}

/* Make both ends of the login from the server's challenge. */
static void answer(struct told *told, const struct terminal *terminal,
    const struct opaque_login *state, struct slice code, struct slice body)
{
	Auth__LoginFinish finish = AUTH__LOGIN_FINISH__INIT;
	Auth__LoginChallenge *challenge;
	struct opaque_login_keys keys;
	uint8_t ke3[OPAQUE_KE3_BYTES];
	struct unpack unpack;

	unpack_begin(&unpack);
	if (unpack_message(&unpack, &auth__login_challenge__descriptor, body,
		&challenge) != STATUS_OK)
		errx(1, "the answer is no challenge");
	finish.cookie = challenge->cookie;
	pack(&told->wrong, &finish.base);
	if (opaque_login_finish(ke3, &keys, state, &opaque_keepsake,
		terminal->enrolment.auth_opaque, code,
		field_slice(challenge->ke2)) == STATUS_OK) {
		finish.ke3 = field_of(slice_of(ke3, sizeof(ke3)));
		pack(&told->right, &finish.base);
	}
	sodium_memzero(&keys, sizeof(keys));
	unpack_end(&unpack);
}

static void print_told(const struct wishes *wishes, const struct told *told)
{
	printf("%s %u %u ", status_word(told->reply.status),
	    told->reply.tries_remaining, told->reply.retry_after_ms);
	print_hex(slice_of(wishes->header.request.bytes, ID_BYTES));
	putchar(' ');
	print_hex(bytes_slice(&told->begin));
	putchar(' ');
	print_hex(bytes_slice(&told->right));
	putchar(' ');
	print_hex(bytes_slice(&told->wrong));
	printf(" %s\n", told->reply.detail);
}

static void login(const struct wishes *wishes)
{
	Auth__LoginBegin begin = AUTH__LOGIN_BEGIN__INIT;
	struct terminal terminal = terminal_open(wishes->state);
	struct told told = { 0 };
	struct bytes sealed = { 0 }, body = { 0 };
	struct opaque_login state;
	struct code *code = NULL;
	uint8_t ke1[OPAQUE_KE1_BYTES];

	if (code_new(&code, &wishes->factors) != STATUS_OK ||
	    opaque_login_start(&state, ke1, code_text(code)) != STATUS_OK)
		errx(2, "that is no code");
	seal_name(&sealed, wishes, &terminal);
	begin.name_sealed = field_of(bytes_slice(&sealed));
	begin.ke1 = field_of(slice_of(ke1, sizeof(ke1)));
	begin.direction = (Common__Direction)wishes->direction;
	pack(&told.begin, &begin.base);
	ask(&terminal, &told, wishes, &body);
	if (told.reply.status == STATUS_OK)
		answer(&told, &terminal, &state, code_text(code),
		    bytes_slice(&body));
	print_told(wishes, &told);
	sodium_memzero(&state, sizeof(state));
	code_destroy(&code);
	bytes_clear(&sealed);
	bytes_clear(&body);
	bytes_clear(&told.begin);
	bytes_clear(&told.right);
	bytes_clear(&told.wrong);
	terminal_close(&terminal);
}

/* ---- the command line ---- */

static void read_request(struct wishes *self, const char *hex)
{
	if (hex_decode(self->header.request.bytes, ID_BYTES, hex) != STATUS_OK)
		errx(2, "'%s' is no request id", hex);
}

static void add_factor(struct wishes *self, unsigned int factor,
    struct slice *value, const char *text)
{
	self->factors.set |= factor;
	*value = slice_text(text);
}

static void wishes_read(struct wishes *self, int argc, char **argv)
{
	static const struct option options[] = {
		{ "state", required_argument, NULL, 's' },
		{ "password-file", required_argument, NULL, 'w' },
		{ "serial", required_argument, NULL, 'n' },
		{ "imei", required_argument, NULL, 'e' },
		{ "imsi", required_argument, NULL, 'i' },
		{ "invitation", required_argument, NULL, 'v' },
		{ "request", required_argument, NULL, 'r' },
		{ 0 },
	};
	struct code_factors *code = &self->factors;
	int option;

	self->header.type = AUTH__TYPE__LOGIN_BEGIN;
	self->header.deadline_ms = WAIT_MS;
	randombytes_buf(self->header.request.bytes, ID_BYTES);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		/* clang-format off */
		case 's': self->state = optarg;                                 break;
		case 'w': read_password(self, optarg);                          break;
		case 'n': add_factor(self, CODE_SERIAL, &code->serial, optarg); break;
		case 'e': add_factor(self, CODE_IMEI, &code->imei, optarg);     break;
		case 'i': add_factor(self, CODE_IMSI, &code->imsi, optarg);     break;
		case 'v': self->invitation = optarg;                            break;
		case 'r': read_request(self, optarg);                           break;
		/* clang-format on */
		default:
			exit(2);
		}
	}
	if (!self->state || code->set == 0 || argc - optind != 2)
		errx(2, "usage: rawlogin --state DIR --password-file FILE "
			"[OPTION...] NAME DIRECTION");
	self->name = argv[optind];
	const ProtobufCEnumValue *direction =
	    protobuf_c_enum_descriptor_get_value_by_name(
		&common__direction__descriptor, argv[optind + 1]);
	if (!direction)
		errx(2, "'%s' is not a direction", argv[optind + 1]);
	self->direction = (enum direction)direction->value;
}

int main(int argc, char **argv)
{
	struct wishes wishes = { 0 };

	if (arena_open(ARENA_BYTES) != STATUS_OK)
		errx(1, "no memory for secrets");
	wishes_read(&wishes, argc, argv);
	login(&wishes);
	sodium_memzero(&wishes, sizeof(wishes));
	arena_close();
	return 0;
}

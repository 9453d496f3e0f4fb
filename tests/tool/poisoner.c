/*
 * poisoner --password-file FILE [--variants N] [--wait] STATE NAME CONTENT
 *
 * A terminal of the account NAME that was stolen, and its password with it:
 * under the ids of the chunks that another terminal of the account is about
 * to store for the file CONTENT, it puts junk.
 *
 * --variants N  under so many ids of each chunk, 1 to 8; one without
 * --wait        print "ready" with a transfer begun, and wait for a line on
 *               standard input before the first PUT
 *
 * Prints how many PUTs were taken, and how many met what another terminal
 * had put: "put=N conflict=N".  Exit status: 0 all were answered so, 1 not,
 * 2 wrong arguments.
 */
#include <getopt.h>
#include <stdlib.h>

#include "account_keys.h"
#include "base/file.h"
#include "base/util.h"
#include "chunk.h"
#include "chunker.h"
#include "crypto/arena.h"
#include "store.pb-c.h"
#include "attack.h"

#define ARENA_BYTES       (64 * 1024)
#define CONTENT_BYTES_MAX (64u * 1024 * 1024)
#define IDS_MAX           200 /* all under way at once */
#define JUNK_BYTES        (PAGE_BYTES - PAGE_HEAD_BYTES)

static struct terminal terminal;
static struct login *login;
static struct account_keys *keys;
static struct id lease;

static struct chunk_id ids[IDS_MAX];
static size_t ids_count;

static struct header header_of(uint32_t type)
{
	struct slice ticket = login_ticket(login);
	struct header header = {
		.type = type,
		.deadline_ms = TERMINAL_WAIT_MS,
		.ticket_len = ticket.len,
	};

	randombytes_buf(header.request.bytes, ID_BYTES);
	memcpy(header.ticket, ticket.data, ticket.len);
	return header;
}

static void begin_backup(struct message *answer)
{
	struct header header = header_of(STORE__TYPE__BACKUP_BEGIN), reply;
	Store__Lease *begun;
	struct unpack unpack;

	unpack_begin(&unpack);
	terminal_send(
	    &terminal, &header, (struct slice){ 0 }, (struct slice){ 0 });
	terminal_receive(&terminal, answer, &reply);
	if (reply.status != STATUS_OK ||
	    unpack_message(&unpack, &store__lease__descriptor,
		frame_slice(&answer->body), &begun) != STATUS_OK ||
	    id_from(&lease, field_slice(begun->lease_id)) != STATUS_OK)
		errx(1, "no transfer: %s: %s", status_word(reply.status),
		    reply.detail);
	unpack_end(&unpack);
}

static void add_ids(struct slice plain, unsigned int variants)
{
	struct chunk_hash hash;
	struct chunk_name name;

	chunk_hash(&hash, plain);
	for (unsigned int i = 0; i < variants; i++) {
		if (ids_count == IDS_MAX)
			errx(1, "more than %d ids", IDS_MAX);
		chunk_name(&name, keys, &hash, CHUNK_DATA, i);
		ids[ids_count++] = name.id;
	}
	sodium_memzero(&name, sizeof(name));
}

/* The ids of the file's chunks, cut as a backup cuts them. */
static void find_ids(const char *path, unsigned int variants)
{
	struct chunker *chunker = chunker_new(keys->chunker_seed, CHUNKER_DATA);
	struct bytes content = { 0 };
	size_t len;

	if (!chunker ||
	    file_read(&content, path, CONTENT_BYTES_MAX) != STATUS_OK)
		errx(1, "%s: cannot be read", path);
	struct slice rest = bytes_slice(&content);
	while ((len = chunker_cut(chunker, rest.data,
		    min_of(rest.len, (size_t)CHUNK_BYTES_MAX),
		    rest.len <= CHUNK_BYTES_MAX)) > 0) {
		add_ids(slice_of(rest.data, len), variants);
		rest = slice_of(rest.data + len, rest.len - len);
	}
	bytes_clear(&content);
	chunker_destroy(&chunker);
}

static void send_puts(void)
{
	uint8_t junk[JUNK_BYTES];

	for (size_t i = 0; i < ids_count; i++) {
		struct header header = header_of(STORE__TYPE__PUT);
		Store__Put put = STORE__PUT__INIT;
		struct bytes body = { 0 };
		put.lease_id = field_of(slice_of(lease.bytes, ID_BYTES));
		put.chunk_id = field_of(slice_of(ids[i].bytes, CHUNK_ID_BYTES));
		randombytes_buf(junk, sizeof(junk));
		if (pack_message(&body, &put.base) != STATUS_OK)
			errx(1, "no memory");
		terminal_send(&terminal, &header, bytes_slice(&body),
		    slice_of(junk, sizeof(junk)));
		bytes_clear(&body);
	}
}

static void count_answers(struct message *answer)
{
	unsigned int put = 0, conflict = 0;
	struct header reply;

	for (size_t i = 0; i < ids_count; i++) {
		terminal_receive(&terminal, answer, &reply);
		if (reply.status != STATUS_OK &&
		    reply.status != STATUS_CONFLICT)
			errx(1, "PUT: %s: %s", status_word(reply.status),
			    reply.detail);
		put += reply.status == STATUS_OK;
		conflict += reply.status == STATUS_CONFLICT;
	}
	printf("put=%u conflict=%u\n", put, conflict);
}

static void wait_for_a_line(void)
{
	char line[16];

	printf("ready\n");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		errx(1, "nobody said go");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "password-file", required_argument, NULL, 'w' },
		{ "variants", required_argument, NULL, 'v' },
		{ "wait", no_argument, NULL, 'W' },
		{ 0 },
	};
	const char *password_file = NULL;
	char password[256] = "";
	unsigned int variants = 1;
	bool wait = false;
	struct message answer;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		/* clang-format off */
		case 'w': password_file = optarg;                 break;
		case 'v': variants = (unsigned int)atoi(optarg);  break;
		case 'W': wait = true;                            break;
		/* clang-format on */
		default:
			return 2;
		}
	}
	argv += optind;
	if (argc - optind != 3 || !password_file || variants < 1 ||
	    variants > CHUNK_VARIANTS)
		errx(2, "usage: poisoner --password-file FILE [--variants N] "
			"[--wait] STATE NAME CONTENT");
	if (arena_open(ARENA_BYTES) != STATUS_OK)
		errx(1, "no memory for secrets");
	password_read(password_file, password);
	terminal_open(&terminal, argv[0]);
	login = terminal_login(&terminal, argv[1], password, DIRECTION_UPLOAD);
	if (account_keys_new(&keys, &login->account, login->root) != STATUS_OK)
		errx(1, "no keys");
	message_init(&answer);
	find_ids(argv[2], variants);
	begin_backup(&answer);
	if (wait)
		wait_for_a_line();
	send_puts();
	count_answers(&answer);

	message_clear(&answer);
	account_keys_destroy(&keys);
	login_destroy(&login);
	terminal_close(&terminal);
	sodium_memzero(password, sizeof(password));
	arena_close();
	return 0;
}

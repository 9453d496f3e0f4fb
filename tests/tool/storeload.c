/*
 * storeload ENROLMENT
 *
 * A terminal with an account of its own that loads the store.  It begins a
 * backup, prints "account<tab>HEX", and then does what it reads, a line each:
 *
 * put COUNT [WINDOW]     put new chunks of one page
 * many COUNT [WINDOW]    put 64 of them, with one message
 * have COUNT [WINDOW]    ask for ten chunks that are there
 * get COUNT [WINDOW]     fetch such a chunk
 * begin COUNT [WINDOW]   begin the backup again, which takes the lease over
 * list COUNT [WINDOW]    list the snapshots
 * login COUNT            log in
 * cpu PID                print the CPU of a process so far
 *
 * WINDOW are under way at a time; without it, one.  Each prints a line of
 * what it took: the word, COUNT, ns for all of them, and the median of one
 * (with WINDOW 0).  It ends with its input.
 *
 * A chunk has 4,080 bytes: PUT takes n * 4,096 - 16.
 */
#include <inttypes.h>
#include <unistd.h>

#include "bus/unpack.h"
#include "crypto/arena.h"
#include "load.h"
#include "pump.h"
#include "remote.h"
#include "store.pb-c.h"

#define CHUNK_BYTES    (PAGE_BYTES - PAGE_HEAD_BYTES)
#define HAVE_IDS       10
#define REMEMBERED_MAX 1024
#define ENDPOINT_BYTES (ENROLMENT_HOST_BYTES_MAX + 16)

struct loader {
	struct load_terminal terminal;
	struct login *login;
	struct bus *bus;
	struct pump pump;
	struct id lease;
	uint8_t chunks[PUT_MANY_MAX * CHUNK_BYTES];
	struct chunk_id remembered[REMEMBERED_MAX]; /* that are there */
	size_t remembered_count;
};

static void header_set(
    const struct loader *self, struct header *header, uint32_t type)
{
	struct slice ticket = login_ticket(self->login);

	header->type = type;
	header->ticket_len = ticket.len;
	memcpy(header->ticket, ticket.data, ticket.len);
}

static void pack(struct bytes *body, const ProtobufCMessage *message)
{
	if (pack_message(body, message) != STATUS_OK)
		errx(1, "no memory");
}

/* ---- requests ---- */

static void make_put(void *arg, size_t index, struct header *header,
    struct bytes *body, struct slice *payload)
{
	struct loader *self = arg;
	Store__Put message = STORE__PUT__INIT;
	struct chunk_id id;

	/* Ids are hashes: as random as these. */
	randombytes_buf(id.bytes, sizeof(id.bytes));
	if (index < REMEMBERED_MAX) {
		self->remembered[index] = id;
		self->remembered_count =
		    max_of(self->remembered_count, index + 1);
	}
	header_set(self, header, STORE__TYPE__PUT);
	message.lease_id = field_of(slice_of(self->lease.bytes, ID_BYTES));
	message.chunk_id = field_of(slice_of(id.bytes, CHUNK_ID_BYTES));
	pack(body, &message.base);
	*payload = slice_of(self->chunks, CHUNK_BYTES);
}

static void make_many(void *arg, size_t index, struct header *header,
    struct bytes *body, struct slice *payload)
{
	const struct loader *self = arg;
	Store__PutMany message = STORE__PUT_MANY__INIT;
	uint8_t ids[PUT_MANY_MAX * CHUNK_ID_BYTES], pages[PUT_MANY_MAX];

	(void)index;
	randombytes_buf(ids, sizeof(ids));
	memset(pages, 1, sizeof(pages));
	header_set(self, header, STORE__TYPE__PUT_MANY);
	message.lease_id = field_of(slice_of(self->lease.bytes, ID_BYTES));
	message.chunk_ids = field_of(slice_of(ids, sizeof(ids)));
	message.pages = field_of(slice_of(pages, sizeof(pages)));
	pack(body, &message.base);
	*payload = slice_of(self->chunks, sizeof(self->chunks));
}

static const struct chunk_id *any_remembered(const struct loader *self)
{
	if (self->remembered_count < HAVE_IDS)
		errx(2, "put some first");
	return &self->remembered[randombytes_uniform(
	    (uint32_t)(self->remembered_count - HAVE_IDS + 1))];
}

static void make_have(void *arg, size_t index, struct header *header,
    struct bytes *body, struct slice *payload)
{
	const struct loader *self = arg;
	Store__Have message = STORE__HAVE__INIT;

	(void)index;
	(void)payload;
	header_set(self, header, STORE__TYPE__HAVE);
	message.lease_id = field_of(slice_of(self->lease.bytes, ID_BYTES));
	message.chunk_ids =
	    field_of(slice_of(any_remembered(self), HAVE_IDS * CHUNK_ID_BYTES));
	pack(body, &message.base);
}

static void make_get(void *arg, size_t index, struct header *header,
    struct bytes *body, struct slice *payload)
{
	const struct loader *self = arg;
	Store__Get message = STORE__GET__INIT;

	(void)index;
	(void)payload;
	header_set(self, header, STORE__TYPE__GET);
	message.lease_id = field_of(slice_of(self->lease.bytes, ID_BYTES));
	message.chunk_id =
	    field_of(slice_of(any_remembered(self), CHUNK_ID_BYTES));
	pack(body, &message.base);
}

static void make_begin(void *arg, size_t index, struct header *header,
    struct bytes *body, struct slice *payload)
{
	(void)index;
	(void)body;
	(void)payload;
	header_set(arg, header, STORE__TYPE__BACKUP_BEGIN);
}

static void make_list(void *arg, size_t index, struct header *header,
    struct bytes *body, struct slice *payload)
{
	(void)index;
	(void)body;
	(void)payload;
	header_set(arg, header, STORE__TYPE__SNAPSHOTS);
}

/* ---- commands ---- */

/* Begin the backup, or take it over, and keep the lease. */
static void take_lease(struct loader *self)
{
	Store__Lease *lease;
	struct unpack unpack;

	pump_settle(&self->pump, make_begin, self);
	unpack_begin(&unpack);
	if (unpack_message(&unpack, &store__lease__descriptor,
		frame_slice(&self->pump.answer.body), &lease) != STATUS_OK ||
	    id_from(&self->lease, field_slice(lease->lease_id)) != STATUS_OK)
		errx(1, "no lease");
	unpack_end(&unpack);
}

static void log_in(struct loader *self)
{
	login_destroy(&self->login);
	self->login = load_login(&self->terminal, DIRECTION_UPLOAD);
}

static void report(
    const char *word, size_t count, uint64_t all_ns, uint64_t median_ns)
{
	printf("%s\t%zu\t%" PRIu64 "\t%" PRIu64 "\n", word, count, all_ns,
	    median_ns);
	fflush(stdout);
}

static void one_by_one(
    struct loader *self, const char *word, size_t count, pump_make_fn *make)
{
	uint64_t begin = now_ns(CLOCK_MONOTONIC);
	uint64_t median =
	    pump_latency(&self->pump, count, STATUS_OK, make, self);

	report(word, count, now_ns(CLOCK_MONOTONIC) - begin, median);
}

static void do_logins(struct loader *self, size_t count)
{
	uint64_t *samples = calloc(count, sizeof(*samples));
	uint64_t begin = now_ns(CLOCK_MONOTONIC);

	if (!samples)
		errx(1, "no memory");
	for (size_t i = 0; i < count; i++) {
		uint64_t one = now_ns(CLOCK_MONOTONIC);
		log_in(self);
		samples[i] = now_ns(CLOCK_MONOTONIC) - one;
	}
	report("login", count, now_ns(CLOCK_MONOTONIC) - begin,
	    median_of(samples, count));
	free(samples);
}

static void obey(struct loader *self, char *line)
{
	static const struct {
		const char *word;
		pump_make_fn *make;
	} rows[] = {
		{ "put", make_put },
		{ "many", make_many },
		{ "have", make_have },
		{ "get", make_get },
		{ "begin", make_begin },
		{ "list", make_list },
	};
	const char *word = strtok(line, " \n"), *number = strtok(NULL, " \n"),
		   *window = strtok(NULL, " \n");

	if (!word || !number)
		errx(2, "not a command");
	size_t count = number_from(number);
	if (strcmp(word, "cpu") == 0) {
		printf("cpu\t%" PRIu64 "\n", cpu_ns((pid_t)count));
		fflush(stdout);
		return;
	}
	if (strcmp(word, "login") == 0) {
		do_logins(self, count);
		return;
	}
	log_in(self); /* a ticket is good for minutes only */
	take_lease(self);
	for (size_t i = 0; i < nitems(rows); i++) {
		if (strcmp(word, rows[i].word) != 0)
			continue;
		if (window)
			report(word, count,
			    pump_run(&self->pump, count, number_from(window),
				STATUS_OK, rows[i].make, self),
			    0);
		else
			one_by_one(self, word, count, rows[i].make);
		return;
	}
	errx(2, "%s: no such command", word);
}

int main(int argc, char **argv)
{
	struct loader *self = calloc(1, sizeof(*self));
	char endpoint[ENDPOINT_BYTES], line[128];

	if (argc != 2)
		errx(2, "usage: storeload ENROLMENT");
	if (!self || sodium_init() < 0 ||
	    arena_open(LOAD_ARENA_BYTES) != STATUS_OK)
		errx(1, "no locked memory");
	load_open(&self->terminal, argv[1]);
	load_register(&self->terminal);
	load_bind(&self->terminal);
	log_in(self);
	snprintf(endpoint, sizeof(endpoint), "tcp://%s:%u",
	    self->terminal.server.host, self->terminal.server.port);
	if (bus_new(&self->terminal.keys, &self->bus) != STATUS_OK)
		errx(1, "no context");
	self->pump =
	    pump_open(self->bus, endpoint, self->terminal.server.gateway_key);
	randombytes_buf(self->chunks, sizeof(self->chunks));
	take_lease(self);
	char account[HEX_BYTES(ID_BYTES)];
	hex_encode(account, slice_of(self->login->account.bytes, ID_BYTES));
	printf("account\t%s\n", account);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		obey(self, line);

	pump_close(&self->pump);
	bus_destroy(&self->bus);
	login_destroy(&self->login);
	load_close(&self->terminal);
	free(self);
	arena_close();
	return 0;
}

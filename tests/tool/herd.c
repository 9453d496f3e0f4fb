/*
 * herd serve ENDPOINT
 * herd keep gateway ENROLMENT COUNT PROCESSES
 * herd keep bare ENDPOINT COUNT PROCESSES
 *
 * Many terminals at once.
 *
 * serve  a bare CURVE ROUTER that sends back what it gets
 * keep   COUNT terminals, each with a key and a connection of its own, in
 *        PROCESSES processes.  Each connects and has one PING answered; then
 *        "back<tab>COUNT<tab>NS" is printed: how many were answered, and how
 *        long it took from the first answer to the last.  For each line read
 *        they wait until their connection is lost, print "lost", and come
 *        back as they came.  The end of the input ends them.
 *
 * Connections have the options that a terminal's have.
 */
#include <inttypes.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/message.h"
#include "load.h"

#define PROCESSES_MAX  64
#define EVENTS         256
#define BACK_MS_MAX    120000 /* then who is not back is lost */
#define LOOK_MS        5
#define ENDPOINT_BYTES (ENROLMENT_HOST_BYTES_MAX + 16)

/* ---- serve ---- */

static int command_serve(int argc, char **argv)
{
	void *context = zmq_ctx_new(), *socket;
	zmq_msg_t frame;

	(void)argc;
	if (!context || zmq_ctx_set(context, ZMQ_MAX_SOCKETS, 65000) != 0)
		errx(1, "no context");
	socket = bare_bind(context, ZMQ_ROUTER, argv[0]);
	printf("ready\n");
	fflush(stdout);
	zmq_msg_init(&frame);
	while (zmq_msg_recv(&frame, socket, 0) >= 0) {
		int more = zmq_msg_more(&frame) ? ZMQ_SNDMORE : 0;
		if (zmq_msg_send(&frame, socket, more) < 0)
			break;
	}
	errx(1, "%s", zmq_strerror(zmq_errno()));
}

/* ---- one terminal ---- */

struct one {
	void *socket;
	bool asked, answered;
};

static int set(void *socket, int option, int value)
{
	return zmq_setsockopt(socket, option, &value, sizeof(value));
}

static void one_open(struct one *self, void *context, const char *endpoint,
    const uint8_t *server_key)
{
	struct curve_keys keys;
	void *socket = zmq_socket(context, ZMQ_DEALER);

	if (!socket || curve_keys_make(&keys) != STATUS_OK ||
	    zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server_key,
		CURVE_KEY_BYTES) != 0 ||
	    zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, keys.public_key,
		CURVE_KEY_BYTES) != 0 ||
	    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, keys.secret_key,
		CURVE_KEY_BYTES) != 0 ||
	    set(socket, ZMQ_IMMEDIATE, 1) != 0 ||
	    set(socket, ZMQ_LINGER, 0) != 0 ||
	    set(socket, ZMQ_RECONNECT_IVL, 50) != 0 ||
	    set(socket, ZMQ_RECONNECT_IVL_MAX, 1000) != 0 ||
	    set(socket, ZMQ_HEARTBEAT_IVL, 5000) != 0 ||
	    set(socket, ZMQ_HEARTBEAT_TIMEOUT, 30000) != 0 ||
	    set(socket, ZMQ_HANDSHAKE_IVL, 30000) != 0 ||
	    zmq_connect(socket, endpoint) != 0)
		errx(1, "terminal: %s", zmq_strerror(zmq_errno()));
	self->socket = socket;
}

static int one_events(const struct one *self)
{
	int events = 0;
	size_t len = sizeof(events);

	if (zmq_getsockopt(self->socket, ZMQ_EVENTS, &events, &len) != 0)
		errx(1, "terminal: %s", zmq_strerror(zmq_errno()));
	return events;
}

static void one_ping(struct one *self)
{
	struct header header = { .type = TYPE_PING };
	struct bytes packed = { 0 };
	struct message message;

	message_init(&message);
	randombytes_buf(header.request.bytes, ID_BYTES);
	if (header_pack(&packed, &header) != STATUS_OK ||
	    frame_copy(&message.header, bytes_slice(&packed)) != STATUS_OK)
		errx(1, "no memory");
	self->asked = message_send(&message, self->socket) == STATUS_OK;
	message_clear(&message);
	bytes_clear(&packed);
}

static bool one_take(struct one *self)
{
	struct message answer;

	message_init(&answer);
	self->answered = message_receive(&answer, self->socket, 0) == STATUS_OK;
	message_clear(&answer);
	return self->answered;
}

/*
 * Go on as far as it can; true when that was its answer.  The descriptor
 * tells of what is new only: nothing may be left when this returns.
 */
static bool one_look(struct one *self)
{
	bool done = false;

	for (;;) {
		int events = one_events(self);
		if (!self->asked && (events & ZMQ_POLLOUT))
			one_ping(self);
		else if (self->asked && !self->answered &&
			 (events & ZMQ_POLLIN))
			done = one_take(self);
		else
			return done;
	}
}

/* ---- a process of them ---- */

struct round {
	uint64_t count, first_ns, last_ns;
};

struct herd {
	struct one *all;
	size_t count;
	int epoll;
};

static struct herd herd_open(
    size_t count, const char *endpoint, const uint8_t *server_key)
{
	struct herd self = { .all = calloc(count, sizeof(struct one)),
		.count = count,
		.epoll = epoll_create1(EPOLL_CLOEXEC) };
	void *context = zmq_ctx_new();

	if (!self.all || self.epoll < 0 || !context ||
	    zmq_ctx_set(context, ZMQ_MAX_SOCKETS, 65000) != 0)
		errx(1, "no context");
	for (size_t i = 0; i < count; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u64 = i };
		int fd;
		size_t len = sizeof(fd);
		one_open(&self.all[i], context, endpoint, server_key);
		if (zmq_getsockopt(self.all[i].socket, ZMQ_FD, &fd, &len) !=
			0 ||
		    epoll_ctl(self.epoll, EPOLL_CTL_ADD, fd, &event) != 0)
			err(1, "epoll");
	}
	return self;
}

static void herd_note(struct round *round)
{
	round->last_ns = now_ns(CLOCK_MONOTONIC);
	if (round->count++ == 0)
		round->first_ns = round->last_ns;
}

/* Have each answered once. */
static struct round herd_back(struct herd *self)
{
	uint64_t by_ns = now_ns(CLOCK_MONOTONIC) + BACK_MS_MAX * 1000000ull;
	struct epoll_event events[EVENTS];
	struct round round = { 0 };

	for (size_t i = 0; i < self->count; i++) {
		self->all[i].asked = self->all[i].answered = false;
		if (one_look(&self->all[i]))
			herd_note(&round);
	}
	while (round.count < self->count && now_ns(CLOCK_MONOTONIC) < by_ns) {
		int ready = epoll_wait(self->epoll, events, EVENTS, 1000);
		for (int i = 0; i < ready; i++)
			if (one_look(&self->all[events[i].data.u64]))
				herd_note(&round);
	}
	return round;
}

/* Wait until no connection is left. */
static void herd_lost(struct herd *self)
{
	static const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000 };

	for (size_t i = 0; i < self->count; i++)
		while (one_events(&self->all[i]) & ZMQ_POLLOUT)
			nanosleep(&pause, NULL);
}

static void herd_run(size_t count, const char *endpoint,
    const uint8_t *server_key, int orders, int results)
{
	struct herd self = herd_open(count, endpoint, server_key);
	struct round round = herd_back(&self);
	uint8_t byte;

	do {
		if (write(results, &round, sizeof(round)) != sizeof(round) ||
		    read(orders, &byte, 1) != 1)
			return;
		herd_lost(&self);
		round = (struct round){ 0 };
		if (write(results, &round, sizeof(round)) != sizeof(round))
			return;
		round = herd_back(&self);
	} while (true);
}

/* ---- keep ---- */

static struct round results_read(int results, size_t processes)
{
	struct round all = { 0 }, one;

	for (size_t i = 0; i < processes; i++) {
		if (read(results, &one, sizeof(one)) != sizeof(one))
			errx(1, "a process of terminals ended");
		if (one.count == 0)
			continue;
		if (all.count == 0 || one.first_ns < all.first_ns)
			all.first_ns = one.first_ns;
		all.last_ns = max_of(all.last_ns, one.last_ns);
		all.count += one.count;
	}
	return all;
}

static void print_back(const struct round *round)
{
	printf("back\t%" PRIu64 "\t%" PRIu64 "\n", round->count,
	    round->last_ns - round->first_ns);
	fflush(stdout);
}

static int command_keep(int argc, char **argv)
{
	struct curve_keys server = bare_keys();
	size_t count = number_from(argv[2]), processes = number_from(argv[3]);
	uint8_t server_key[CURVE_KEY_BYTES];
	char endpoint[ENDPOINT_BYTES], line[16];
	int orders[2], results[2];

	(void)argc;
	if (processes > PROCESSES_MAX || count < processes)
		errx(2, "at most %d processes", PROCESSES_MAX);
	memcpy(server_key, server.public_key, CURVE_KEY_BYTES);
	snprintf(endpoint, sizeof(endpoint), "%s", argv[1]);
	if (strcmp(argv[0], "gateway") == 0) {
		struct enrolment enrolment;
		const char *why;
		if (enrolment_parse(&enrolment, argv[1], &why) != STATUS_OK)
			errx(2, "%s", why);
		memcpy(server_key, enrolment.gateway_key, CURVE_KEY_BYTES);
		snprintf(endpoint, sizeof(endpoint), "tcp://%s:%u",
		    enrolment.host, enrolment.port);
	}
	if (pipe(orders) != 0 || pipe(results) != 0)
		err(1, "pipe");
	for (size_t i = 0; i < processes; i++) {
		if (fork() == 0) {
			close(orders[1]);
			close(results[0]);
			herd_run(count / processes + (i < count % processes),
			    endpoint, server_key, orders[0], results[1]);
			_exit(0);
		}
	}
	close(orders[0]);
	close(results[1]);
	struct round round = results_read(results[0], processes);
	print_back(&round);
	while (fgets(line, sizeof(line), stdin)) {
		for (size_t i = 0; i < processes; i++)
			if (write(orders[1], "l", 1) != 1)
				err(1, "pipe");
		results_read(results[0], processes);
		printf("lost\n");
		fflush(stdout);
		round = results_read(results[0], processes);
		print_back(&round);
	}
	close(orders[1]);
	while (wait(NULL) > 0)
		;
	return 0;
}

int main(int argc, char **argv)
{
	if (sodium_init() < 0)
		errx(1, "no libsodium");
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return command_serve(argc - 2, argv + 2);
	if (argc == 6 && strcmp(argv[1], "keep") == 0)
		return command_keep(argc - 2, argv + 2);
	errx(2, "usage: see the top of herd.c");
}

/*
 * chain sink ENDPOINT [KEY-FILE]
 * chain proxy ENDPOINT NEXT-PORT
 * chain measure gateway|bare|hop|service WHERE PID MIB TRIPS
 *
 * Bulk bytes and round trips through a gateway, and through what is not one.
 *
 * sink     the far end: a ROUTER behind a middle part, which answers what it
 *          is asked with as many bytes as that says.  ipc://, where it stands
 *          in for a service; or tcp:// with CURVE, with the service's key
 *          from KEY-FILE, or else with that of a bare server
 * proxy    the bare middle part: zmq_proxy between ROUTER and DEALER, with
 *          CURVE on both sides, before the sink at NEXT-PORT
 * measure  a terminal.  WHERE: the enrolment of a gateway; the endpoint of a
 *          bare proxy; or, without a middle part (hop, service), that of a
 *          sink on tcp:// or ipc://.  MIB up and as much down in frames of
 *          262,128 bytes, CHAIN_WINDOW of them under way; TRIPS round trips
 *          without a payload.  Lines of "name<tab>value", CPU that of the
 *          process PID meanwhile.
 *
 * All of these frames are the ones of the protocol.
 */
#include <inttypes.h>
#include <unistd.h>

#include "crypto/arena.h"
#include "load.h"
#include "pump.h"
#include "store.pb-c.h"

#define CHAIN_WINDOW   32
#define BODY_BYTES     64 /* about those of a PUT */
#define TRIPS_FIRST    50 /* not counted */
#define ENDPOINT_BYTES (ENROLMENT_HOST_BYTES_MAX + 16)
#define MIB            (1024.0 * 1024.0)

static uint8_t bulk[PAYLOAD_BYTES_MAX];

/* ---- sink ---- */

/* Answer: the body begins with how many bytes are wanted. */
static void answer(void *socket, struct message *message)
{
	struct header header, reply = { .type = TYPE_REPLY };
	struct slice body = frame_slice(&message->body);
	struct bytes packed = { 0 };

	if (header_unpack(&header, frame_slice(&message->header)) !=
		STATUS_OK ||
	    body.len < 4)
		errx(1, "sink: no request");
	size_t wanted = get_be32(body.data);
	if (wanted > sizeof(bulk))
		errx(1, "sink: %zu bytes wanted", wanted);
	reply.request = header.request;
	reply.trace = header.trace;
	if (header_pack(&packed, &reply) != STATUS_OK ||
	    frame_copy(&message->header, bytes_slice(&packed)) != STATUS_OK)
		errx(1, "no memory");
	zmq_msg_close(&message->payload);
	zmq_msg_init(&message->payload);
	message->has_payload = wanted > 0;
	if (wanted > 0)
		zmq_msg_init_data(&message->payload, bulk, wanted, NULL, NULL);
	while (message_send(message, socket) == STATUS_BUSY) {
		zmq_pollitem_t item = { .socket = socket,
			.events = ZMQ_POLLOUT };
		zmq_poll(&item, 1, PUMP_WAIT_MS);
	}
	bytes_clear(&packed);
}

static void *sink_open(const char *endpoint, const char *key_file)
{
	struct allow_list anyone = { .anyone = true };
	struct curve_keys keys = bare_keys();
	struct bus *bus;
	void *socket;

	if (key_file && curve_keys_read(&keys, key_file) != STATUS_OK)
		errx(1, "%s: no key", key_file);
	if (bus_new(&keys, &bus) != STATUS_OK ||
	    bus_bind(bus, "sink", endpoint, &anyone, &socket) != STATUS_OK)
		errx(1, "%s: cannot bind", endpoint);
	return socket;
}

static int command_sink(int argc, char **argv)
{
	void *socket = sink_open(argv[0], argc > 1 ? argv[1] : NULL);
	zmq_pollitem_t item = { .socket = socket, .events = ZMQ_POLLIN };
	struct message message;

	message_init(&message);
	while (zmq_poll(&item, 1, -1) >= 0) {
		while (message_receive(&message, socket, 2) == STATUS_OK)
			answer(socket, &message);
	}
	return 1;
}

/* ---- proxy ---- */

static int command_proxy(int argc, char **argv)
{
	struct curve_keys server = bare_keys(), own;
	void *context = zmq_ctx_new(), *back = zmq_socket(context, ZMQ_DEALER);
	int hwm = SOCKET_HWM;
	char next[64];

	(void)argc;
	snprintf(
	    next, sizeof(next), "tcp://127.0.0.1:%lu", number_from(argv[1]));
	if (!back || curve_keys_make(&own) != STATUS_OK ||
	    zmq_setsockopt(back, ZMQ_CURVE_SERVERKEY, server.public_key,
		CURVE_KEY_BYTES) != 0 ||
	    zmq_setsockopt(back, ZMQ_CURVE_PUBLICKEY, own.public_key,
		CURVE_KEY_BYTES) != 0 ||
	    zmq_setsockopt(back, ZMQ_CURVE_SECRETKEY, own.secret_key,
		CURVE_KEY_BYTES) != 0 ||
	    zmq_setsockopt(back, ZMQ_SNDHWM, &hwm, sizeof(hwm)) != 0 ||
	    zmq_setsockopt(back, ZMQ_RCVHWM, &hwm, sizeof(hwm)) != 0 ||
	    zmq_connect(back, next) != 0)
		errx(1, "%s: %s", next, zmq_strerror(zmq_errno()));
	return zmq_proxy(bare_bind(context, ZMQ_ROUTER, argv[0]), back, NULL);
}

/* ---- measure ---- */

/* How many bytes go up and come down with each request. */
struct load {
	size_t up, down;
};

static void make_request(void *arg, size_t index, struct header *header,
    struct bytes *body, struct slice *payload)
{
	const struct load *load = arg;
	uint8_t text[BODY_BYTES] = { 0 };

	(void)index;
	header->type = STORE__TYPE__PUT;
	put_be32(text, (uint32_t)load->down);
	if (bytes_copy(body, slice_of(text, sizeof(text))) != STATUS_OK)
		errx(1, "no memory");
	*payload = slice_of(bulk, load->up);
}

static void measure_bulk(struct pump *pump, const char *name, struct load load,
    size_t mib, pid_t pid)
{
	size_t count = (size_t)((double)mib * MIB / sizeof(bulk));
	double bytes = (double)count * sizeof(bulk) / MIB;
	uint64_t cpu = cpu_ns(pid);
	uint64_t ns =
	    pump_run(pump, count, CHAIN_WINDOW, STATUS_OK, make_request, &load);

	cpu = cpu_ns(pid) - cpu;
	printf("%s_mib_s\t%.3f\n", name, bytes / ((double)ns / 1e9));
	printf("%s_cpu_ms_mib\t%.4f\n", name, (double)cpu / 1e6 / bytes);
}

static struct pump measure_open(const char *kind, const char *where)
{
	struct curve_keys keys, server = bare_keys();
	struct enrolment enrolment;
	char endpoint[ENDPOINT_BYTES];
	struct bus *bus;
	const char *why;

	if (curve_keys_make(&keys) != STATUS_OK ||
	    bus_new(&keys, &bus) != STATUS_OK)
		errx(1, "no keys");
	if (strcmp(kind, "service") == 0)
		return pump_open(bus, where, NULL);
	if (strcmp(kind, "bare") == 0 || strcmp(kind, "hop") == 0) {
		struct pump pump = pump_open(bus, where, server.public_key);
		pump.envelope_count = strcmp(kind, "hop") == 0;
		return pump;
	}
	if (enrolment_parse(&enrolment, where, &why) != STATUS_OK)
		errx(2, "%s", why);
	snprintf(endpoint, sizeof(endpoint), "tcp://%s:%u", enrolment.host,
	    enrolment.port);
	return pump_open(bus, endpoint, enrolment.gateway_key);
}

static int command_measure(int argc, char **argv)
{
	struct pump pump = measure_open(argv[0], argv[1]);
	pid_t pid = (pid_t)number_from(argv[2]);
	size_t mib = number_from(argv[3]), trips = number_from(argv[4]);
	struct load none = { 0, 0 };

	(void)argc;
	pump_run(&pump, TRIPS_FIRST, 1, STATUS_OK, make_request, &none);
	printf("trip_us\t%.2f\n",
	    (double)pump_latency(&pump, trips, STATUS_OK, make_request, &none) /
		1e3);
	measure_bulk(&pump, "up", (struct load){ sizeof(bulk), 0 }, mib, pid);
	measure_bulk(&pump, "down", (struct load){ 0, sizeof(bulk) }, mib, pid);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int arguments_min;
		int (*run)(int argc, char **argv);
	} commands[] = {
		{ "sink", 1, command_sink },
		{ "proxy", 2, command_proxy },
		{ "measure", 5, command_measure },
	};

	if (sodium_init() < 0)
		errx(1, "no libsodium");
	randombytes_buf(bulk, sizeof(bulk));
	for (size_t i = 0; argc > 1 && i < nitems(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0 &&
		    argc - 2 >= commands[i].arguments_min)
			return commands[i].run(argc - 2, argv + 2);
	errx(2, "usage: see the top of chain.c");
}

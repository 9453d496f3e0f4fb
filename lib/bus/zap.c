#include "bus/zap.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/util.h"

#define DOORS_MAX      16
#define DOOR_BYTES     32
#define ZAP_ENDPOINT   "inproc://zeromq.zap.01"
#define STOP_ENDPOINT  "inproc://zap.stop"
#define FIELD_BYTES    256
#define REQUEST_FRAMES 7

struct door {
	char name[DOOR_BYTES];
	struct allow_list allow;
};

struct zap {
	void *context;
	void *handler; /* REP: libzmq asks */
	void *stop;    /* PAIR: zap_destroy tells the thread to end */
	pthread_t thread;
	bool thread_runs;
	pthread_mutex_t mutex; /* guards doors */
	struct door doors[DOORS_MAX];
	size_t doors_count;
};

static const struct door *find_door(const struct zap *self, const char *name)
{
	for (size_t i = 0; i < self->doors_count; i++)
		if (strcmp(self->doors[i].name, name) == 0)
			return &self->doors[i];
	return NULL;
}

static bool may_enter(struct zap *self, const char *door_name,
    const uint8_t key[static CURVE_KEY_BYTES])
{
	bool allowed = false;

	pthread_mutex_lock(&self->mutex);
	const struct door *door = find_door(self, door_name);
	if (door)
		allowed = door->allow.anyone;
	for (size_t i = 0; door && i < door->allow.keys_count; i++)
		if (memcmp(door->allow.keys[i], key, CURVE_KEY_BYTES) == 0)
			allowed = true;
	pthread_mutex_unlock(&self->mutex);
	return allowed;
}

/* A ZAP request, RFC 27: what of it matters here. */
struct zap_request {
	char version[8];
	uint8_t id[FIELD_BYTES];
	size_t id_len;
	char door[DOOR_BYTES];
	char mechanism[16];
	uint8_t key[CURVE_KEY_BYTES];
	size_t key_len;
};

/* Read one frame into ${buffer}; longer than ${size} is cut by libzmq. */
static int receive_frame(void *socket, void *buffer, size_t size)
{
	return zmq_recv(socket, buffer, size, 0);
}

static void receive_text(void *socket, char *text, size_t size)
{
	int len = receive_frame(socket, text, size - 1);

	text[len < 0 ? 0 : min_of((size_t)len, size - 1)] = '\0';
}

static size_t receive_bytes(void *socket, uint8_t *bytes, size_t size)
{
	int len = receive_frame(socket, bytes, size);

	return len < 0 ? 0 : (size_t)len;
}

/* What comes behind the version; false: none that may be let in. */
static bool receive_request(void *socket, struct zap_request *out)
{
	char unused[FIELD_BYTES];
	int more = 1;
	size_t more_len = sizeof(more);

	size_t id_len = receive_bytes(socket, out->id, sizeof(out->id));
	out->id_len = min_of(id_len, sizeof(out->id));
	receive_text(socket, out->door, sizeof(out->door));
	receive_text(socket, unused, sizeof(unused)); /* address */
	receive_text(socket, unused, sizeof(unused)); /* identity */
	receive_text(socket, out->mechanism, sizeof(out->mechanism));
	zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &more_len);
	out->key_len =
	    more ? receive_bytes(socket, out->key, sizeof(out->key)) : 0;
	zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &more_len);
	while (more) {
		receive_text(socket, unused, sizeof(unused));
		zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &more_len);
	}
	return strcmp(out->version, "1.0") == 0 &&
	       strcmp(out->mechanism, "CURVE") == 0 &&
	       out->key_len == CURVE_KEY_BYTES;
}

static void send_answer(
    void *socket, const struct zap_request *request, bool allowed)
{
	char user[HEX_BYTES(CURVE_KEY_BYTES)] = "";

	/* The peer's key comes with each message as its User-Id. */
	if (allowed)
		hex_encode(user, slice_of(request->key, CURVE_KEY_BYTES));
	zmq_send(socket, "1.0", 3, ZMQ_SNDMORE);
	zmq_send(socket, request->id, request->id_len, ZMQ_SNDMORE);
	zmq_send(socket, allowed ? "200" : "400", 3, ZMQ_SNDMORE);
	zmq_send(
	    socket, allowed ? "OK" : "refused", allowed ? 2 : 7, ZMQ_SNDMORE);
	zmq_send(socket, user, strlen(user), ZMQ_SNDMORE);
	zmq_send(socket, "", 0, 0);
}

/* Answer a request; false: none waits. */
static bool serve(struct zap *self)
{
	struct zap_request request = { 0 };

	if (zmq_recv(self->handler, request.version,
		sizeof(request.version) - 1, ZMQ_DONTWAIT) < 0)
		return false;
	bool allowed = receive_request(self->handler, &request) &&
		       may_enter(self, request.door, request.key);
	if (!allowed && strcmp(request.door, SELF_TEST_DOOR) != 0)
		log_warning(NULL, "peer_refused", "door=%.31s", request.door);
	send_answer(self->handler, &request, allowed);
	return true;
}

static void *zap_thread(void *arg)
{
	struct zap *self = arg;
	zmq_pollitem_t items[] = {
		{ self->handler, 0, ZMQ_POLLIN, 0 },
		{ self->stop, 0, ZMQ_POLLIN, 0 },
	};

	for (;;) {
		if (zmq_poll(items, nitems(items), -1) < 0 && errno != EINTR)
			break;
		if (items[1].revents)
			break;
		/* Many come at once when a gateway was started again. */
		while (serve(self))
			;
	}
	zmq_close(self->handler);
	zmq_close(self->stop);
	return NULL;
}

enum status zap_new(void *context, struct zap **out)
{
	struct zap *self = calloc(1, sizeof(*self));
	int no_linger = 0;

	if (!self)
		return STATUS_NO_SPACE;
	self->context = context;
	pthread_mutex_init(&self->mutex, NULL);
	self->handler = zmq_socket(context, ZMQ_REP);
	self->stop = zmq_socket(context, ZMQ_PAIR);
	if (!self->handler || !self->stop)
		goto out;
	zmq_setsockopt(
	    self->handler, ZMQ_LINGER, &no_linger, sizeof(no_linger));
	if (zmq_bind(self->handler, ZAP_ENDPOINT) != 0 ||
	    zmq_bind(self->stop, STOP_ENDPOINT) != 0)
		goto out;
	if (pthread_create(&self->thread, NULL, zap_thread, self) != 0)
		goto out;
	self->thread_runs = true;
	*out = self;
	return STATUS_OK;
out:
	log_error(NULL, "zap_failed", "error=%d", errno);
	zap_destroy(&self);
	return STATUS_INTERNAL;
}

void zap_destroy(struct zap **self_p)
{
	struct zap *self = *self_p;

	if (!self)
		return;
	if (self->thread_runs) {
		void *teller = zmq_socket(self->context, ZMQ_PAIR);
		zmq_connect(teller, STOP_ENDPOINT);
		zmq_send(teller, "", 0, 0);
		pthread_join(self->thread, NULL);
		zmq_close(teller);
	} else {
		if (self->handler)
			zmq_close(self->handler);
		if (self->stop)
			zmq_close(self->stop);
	}
	pthread_mutex_destroy(&self->mutex);
	free(self);
	*self_p = NULL;
}

enum status zap_allow(
    struct zap *self, const char *door, const struct allow_list *allow)
{
	enum status st = STATUS_OK;

	pthread_mutex_lock(&self->mutex);
	struct door *entry = (struct door *)find_door(self, door);
	if (!entry && self->doors_count < DOORS_MAX)
		entry = &self->doors[self->doors_count++];
	if (entry) {
		snprintf(entry->name, sizeof(entry->name), "%s", door);
		entry->allow = *allow;
	} else {
		st = STATUS_NO_SPACE;
	}
	pthread_mutex_unlock(&self->mutex);
	return st;
}

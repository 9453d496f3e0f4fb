/*
 * wiretap.so: what a process packs and what it sends, written down.
 *
 *	LD_PRELOAD=wiretap.so WIRETAP=FILE keepsake-store …
 *
 * appends a line to FILE for each protobuf message that is packed, and for
 * each message that is sent on a socket:
 *
 *	pack NAME HEX
 *	wire PROGRAM HEADER-HEX BODY-HEX PAYLOAD-BYTES		(- for no body)
 *
 * It sees what is encrypted later, so it is for keys that are for tests.
 * tests/vectors/record/record uses it, and nothing else does.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <protobuf-c/protobuf-c.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#define FRAMES_MAX 6

/* magic, the first field of every header: fixed32 0x4b505331 */
static const uint8_t header_begins[] = { 0x0d, 0x31, 0x53, 0x50, 0x4b };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct frame {
	uint8_t *data;
	size_t len;
};

/* The frames of the message that each thread is sending: one at a time. */
static __thread struct frame frames[FRAMES_MAX];
static __thread size_t frames_count;

static void *original(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (!found)
		abort();
	return found;
}

static void hex_write(FILE *out, const uint8_t *data, size_t len)
{
	if (len == 0)
		fputc('-', out);
	for (size_t i = 0; i < len; i++)
		fprintf(out, "%02x", data[i]);
}

/* A line in one write, so that processes do not cut each other's. */
static void line_write(const char *line, size_t len)
{
	const char *path = getenv("WIRETAP");

	if (!path)
		return;
	pthread_mutex_lock(&lock);
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, line, len) != (ssize_t)len)
		abort();
	close(fd);
	pthread_mutex_unlock(&lock);
}

size_t protobuf_c_message_pack(const ProtobufCMessage *message, uint8_t *out)
{
	size_t (*pack)(const ProtobufCMessage *, uint8_t *) =
	    (size_t(*)(const ProtobufCMessage *, uint8_t *))original(
		"protobuf_c_message_pack");
	char *line = NULL;
	size_t line_len = 0, len = pack(message, out);
	FILE *to = open_memstream(&line, &line_len);

	fprintf(to, "pack %s ", message->descriptor->name);
	hex_write(to, out, len);
	fputc('\n', to);
	fclose(to);
	line_write(line, line_len);
	free(line);
	return len;
}

static void message_write(void)
{
	size_t at = 0, line_len = 0;
	char *line = NULL;

	while (at < frames_count && (frames[at].len < sizeof(header_begins) ||
					memcmp(frames[at].data, header_begins,
					    sizeof(header_begins)) != 0))
		at++;
	if (at == frames_count)
		return;
	FILE *to = open_memstream(&line, &line_len);
	fprintf(to, "wire %s ", program_invocation_short_name);
	hex_write(to, frames[at].data, frames[at].len);
	fputc(' ', to);
	if (at + 1 < frames_count)
		hex_write(to, frames[at + 1].data, frames[at + 1].len);
	else
		fputc('-', to);
	fprintf(to, " %zu\n", at + 2 < frames_count ? frames[at + 2].len : 0);
	fclose(to);
	line_write(line, line_len);
	free(line);
}

int zmq_msg_send(zmq_msg_t *message, void *socket, int flags)
{
	int (*send)(zmq_msg_t *, void *, int) =
	    (int (*)(zmq_msg_t *, void *, int))original("zmq_msg_send");
	struct frame frame = { NULL, zmq_msg_size(message) };

	frame.data = malloc(frame.len + 1);
	if (!frame.data)
		abort();
	memcpy(frame.data, zmq_msg_data(message), frame.len);
	int rc = send(message, socket, flags);
	if (rc < 0 || frames_count == FRAMES_MAX) {
		free(frame.data);
		return rc;
	}
	frames[frames_count++] = frame;
	if (!(flags & ZMQ_SNDMORE)) {
		message_write();
		while (frames_count > 0)
			free(frames[--frames_count].data);
	}
	return rc;
}

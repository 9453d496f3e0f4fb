/*
 * endless --state DIR FRAME-BYTES
 *
 * A terminal that sends one message which never ends: frames of FRAME-BYTES,
 * each with more to follow.  libzmq's own sender would gather them in its
 * memory first, so this speaks ZMTP 3.0 (RFC 23) and CURVE (RFC 26) itself,
 * with the keys and the server of the state folder DIR.
 *
 * It goes on until the server ends the connection, and then prints how many
 * frames it took.  Exit status: 0 the server ended it, 1 it did not within
 * FRAMES_MAX frames or no connection, 2 wrong arguments.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "crypto/arena.h"
#include "state.h"

#define FRAMES_MAX      50000000u
#define FRAME_BYTES_MAX (256u * 1024)
#define ARENA_BYTES     (64 * 1024)
#define NONCE_BYTES     crypto_box_NONCEBYTES
#define BOX_BYTES       crypto_box_MACBYTES
#define KEY             crypto_box_PUBLICKEYBYTES
#define COMMAND         0x04
#define LONG            0x02
#define MORE            0x01
#define BATCH_BYTES     65536

struct line {
	int fd;
	uint64_t counter; /* of nonces */
	uint8_t once_public[KEY], once_secret[KEY];
	uint8_t server_once[KEY];
};

static void send_all(const struct line *line, const void *data, size_t len)
{
	const uint8_t *at = data;

	while (len > 0) {
		ssize_t sent = send(line->fd, at, len, MSG_NOSIGNAL);
		if (sent < 0)
			err(1, "send");
		at += sent;
		len -= (size_t)sent;
	}
}

static void receive_all(const struct line *line, void *out, size_t len)
{
	uint8_t *at = out;

	while (len > 0) {
		ssize_t got = recv(line->fd, at, len, 0);
		if (got <= 0)
			errx(1, "the server ended the handshake");
		at += got;
		len -= (size_t)got;
	}
}

/* Eight bytes that never come twice, behind ${prefix}. */
static void next_nonce(
    struct line *line, uint8_t out[static NONCE_BYTES], const char *prefix)
{
	memcpy(out, prefix, 16);
	put_be64(out + 16, ++line->counter);
}

static void random_nonce(uint8_t out[static NONCE_BYTES], const char *prefix)
{
	memcpy(out, prefix, 8);
	randombytes_buf(out + 8, 16);
}

static void seal_box(uint8_t *out, const uint8_t *plain, size_t len,
    const uint8_t *nonce, const uint8_t *public_key, const uint8_t *secret_key)
{
	if (crypto_box_easy(out, plain, len, nonce, public_key, secret_key) !=
	    0)
		errx(1, "no box");
}

/* Frame a command: flags, length, name with its length, data. */
static void send_command(
    const struct line *line, const char *name, const uint8_t *data, size_t len)
{
	uint8_t head[32];
	size_t name_len = strlen(name), at = 0, total = 1 + name_len + len;

	if (total > 255) {
		head[at++] = COMMAND | LONG;
		put_be64(head + at, total);
		at += 8;
	} else {
		head[at++] = COMMAND;
		head[at++] = (uint8_t)total;
	}
	head[at++] = (uint8_t)name_len;
	memcpy(head + at, name, name_len);
	send_all(line, head, at + name_len);
	send_all(line, data, len);
}

/* Receive one frame; its length is returned. */
static size_t receive_frame(
    const struct line *line, uint8_t *out, size_t len_max)
{
	uint8_t flags, length[8];
	size_t len;

	receive_all(line, &flags, 1);
	if (flags & LONG) {
		receive_all(line, length, 8);
		len = get_be64(length);
	} else {
		receive_all(line, length, 1);
		len = length[0];
	}
	if (len > len_max)
		errx(1, "a frame of %zu bytes in the handshake", len);
	receive_all(line, out, len);
	return len;
}

static void greet(const struct line *line)
{
	uint8_t ours[64] = { 0xff }, theirs[64];

	ours[9] = 0x7f;
	ours[10] = 3; /* major version; the minor is 0 */
	memcpy(ours + 12, "CURVE", 5);
	send_all(line, ours, sizeof(ours));
	receive_all(line, theirs, sizeof(theirs));
	if (theirs[0] != 0xff || memcmp(theirs + 12, "CURVE", 6) != 0)
		errx(1, "no CURVE server");
}

static void send_hello(struct line *line, const uint8_t *server)
{
	static const uint8_t zeros[64];
	uint8_t nonce[NONCE_BYTES];
	uint8_t hello[2 + 72 + KEY + 8 + sizeof(zeros) + BOX_BYTES] = { 1, 0 };

	crypto_box_keypair(line->once_public, line->once_secret);
	next_nonce(line, nonce, "CurveZMQHELLO---");
	memcpy(hello + 74, line->once_public, KEY);
	memcpy(hello + 74 + KEY, nonce + 16, 8);
	seal_box(hello + 82 + KEY, zeros, sizeof(zeros), nonce, server,
	    line->once_secret);
	send_command(line, "HELLO", hello, sizeof(hello));
}

static void receive_welcome(
    struct line *line, const uint8_t *server, uint8_t cookie[static 96])
{
	uint8_t frame[256], nonce[NONCE_BYTES], plain[KEY + 96];

	if (receive_frame(line, frame, sizeof(frame)) != 8 + 16 + 144 ||
	    memcmp(frame, "\7WELCOME", 8) != 0)
		errx(1, "no WELCOME");
	memcpy(nonce, "WELCOME-", 8);
	memcpy(nonce + 8, frame + 8, 16);
	if (crypto_box_open_easy(
		plain, frame + 24, 144, nonce, server, line->once_secret) != 0)
		errx(1, "WELCOME is not the server's");
	memcpy(line->server_once, plain, KEY);
	memcpy(cookie, plain + KEY, 96);
}

static void send_initiate(struct line *line, const struct curve_keys *keys,
    const uint8_t *server, const uint8_t cookie[static 96])
{
	static const uint8_t metadata[] = "\x0bSocket-Type\0\0\0\x06"
					  "DEALER";
	uint8_t vouched[2 * KEY], nonce[NONCE_BYTES];
	uint8_t plain[KEY + 16 + sizeof(vouched) + BOX_BYTES +
		      sizeof(metadata) - 1];
	uint8_t initiate[96 + 8 + sizeof(plain) + BOX_BYTES];

	memcpy(plain, keys->public_key, KEY);
	memcpy(vouched, line->once_public, KEY);
	memcpy(vouched + KEY, server, KEY);
	random_nonce(nonce, "VOUCH---");
	memcpy(plain + KEY, nonce + 8, 16);
	seal_box(plain + KEY + 16, vouched, sizeof(vouched), nonce,
	    line->server_once, keys->secret_key);
	memcpy(plain + sizeof(plain) - (sizeof(metadata) - 1), metadata,
	    sizeof(metadata) - 1);
	next_nonce(line, nonce, "CurveZMQINITIATE");
	memcpy(initiate, cookie, 96);
	memcpy(initiate + 96, nonce + 16, 8);
	seal_box(initiate + 104, plain, sizeof(plain), nonce, line->server_once,
	    line->once_secret);
	send_command(line, "INITIATE", initiate, sizeof(initiate));
}

static void handshake(
    struct line *line, const struct curve_keys *keys, const uint8_t *server)
{
	uint8_t cookie[96], frame[512];

	greet(line);
	send_hello(line, server);
	receive_welcome(line, server, cookie);
	send_initiate(line, keys, server, cookie);
	size_t len = receive_frame(line, frame, sizeof(frame));
	if (len < 6 || memcmp(frame, "\5READY", 6) != 0)
		errx(1, "no READY");
}

/* Write one frame of ${len} zero bytes with MORE to ${out}. */
static size_t make_frame(
    struct line *line, uint8_t *out, const uint8_t *plain, size_t len)
{
	uint8_t nonce[NONCE_BYTES];
	size_t total = 8 + 8 + BOX_BYTES + 1 + len, at = 0;

	if (total > 255) {
		out[at++] = LONG;
		put_be64(out + at, total);
		at += 8;
	} else {
		out[at++] = 0;
		out[at++] = (uint8_t)total;
	}
	next_nonce(line, nonce, "CurveZMQMESSAGEC");
	memcpy(out + at, "\7MESSAGE", 8);
	memcpy(out + at + 8, nonce + 16, 8);
	seal_box(out + at + 16, plain, 1 + len, nonce, line->server_once,
	    line->once_secret);
	return at + total;
}

/* Send frames until the server has had enough; how many, or 0. */
static uint64_t send_frames(struct line *line, size_t len)
{
	uint8_t *plain = calloc(1, 1 + len);
	uint8_t *batch = malloc(BATCH_BYTES + FRAME_BYTES_MAX + 64);
	uint64_t frames = 0;
	bool ended = false;

	if (!plain || !batch)
		errx(1, "no memory");
	plain[0] = MORE;
	while (!ended && frames < FRAMES_MAX) {
		size_t filled = 0, sent = 0;
		for (; filled < BATCH_BYTES; frames++)
			filled += make_frame(line, batch + filled, plain, len);
		while (!ended && sent < filled) {
			ssize_t now = send(line->fd, batch + sent,
			    filled - sent, MSG_NOSIGNAL);
			ended = now < 0 && errno != EINTR;
			if (now > 0)
				sent += (size_t)now;
		}
	}
	free(plain);
	free(batch);
	return ended ? frames : 0;
}

static int connect_to(const struct enrolment *enrolment)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	char port[8];

	snprintf(port, sizeof(port), "%u", enrolment->port);
	if (getaddrinfo(enrolment->host, port, &hints, &found) != 0)
		errx(1, "%s: no such host", enrolment->host);
	int fd = socket(found->ai_family, found->ai_socktype, 0);
	if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) != 0)
		err(1, "%s:%s", enrolment->host, port);
	freeaddrinfo(found);
	return fd;
}

int main(int argc, char **argv)
{
	struct state *state = NULL;
	struct curve_keys keys;
	struct enrolment enrolment;
	struct line line = { 0 };
	const char *why;

	if (argc != 4 || strcmp(argv[1], "--state") != 0)
		errx(2, "usage: endless --state DIR FRAME-BYTES");
	size_t len = (size_t)strtoul(argv[3], NULL, 10);
	if (len > FRAME_BYTES_MAX)
		errx(2, "at most %u bytes", FRAME_BYTES_MAX);
	if (sodium_init() < 0 || arena_open(ARENA_BYTES) != STATUS_OK)
		errx(1, "no locked memory");
	if (state_open(&state, argv[2], &why) != STATUS_OK)
		errx(1, "%s: %s", argv[2], why);
	if (state_keys(state, &keys) != STATUS_OK ||
	    state_enrolment(state, &enrolment) != STATUS_OK)
		errx(1, "%s: no keys, or not enrolled", argv[2]);
	line.fd = connect_to(&enrolment);
	handshake(&line, &keys, enrolment.gateway_key);
	uint64_t frames = send_frames(&line, len);
	printf("%" PRIu64 "\n", frames);
	sodium_memzero(&keys, sizeof(keys));
	close(line.fd);
	state_close(&state);
	arena_close();
	return frames > 0 ? 0 : 1;
}

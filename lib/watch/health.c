#include "watch/health.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"
#include "base/clock.h"

static const char question[] = "GET /readyz HTTP/1.0\r\n\r\n";

enum status health_read(
    struct slice answer, unsigned int *code_out, struct slice *body_out)
{
	static const char begin[] = "HTTP/1.", end[] = "\r\n\r\n";
	const uint8_t *data = answer.data;
	unsigned int code = 0;

	/* "HTTP/1.x NNN " */
	if (answer.len < 13 || memcmp(data, begin, 7) != 0 || data[8] != ' ')
		return STATUS_MALFORMED;
	for (size_t i = 9; i < 12; i++) {
		if (data[i] < '0' || data[i] > '9')
			return STATUS_MALFORMED;
		code = code * 10 + (data[i] - '0');
	}
	if ((data[12] != ' ' && data[12] != '\r') || code < 100 || code > 599)
		return STATUS_MALFORMED;
	const uint8_t *head = memmem(data, answer.len, end, sizeof(end) - 1);
	if (!head)
		return STATUS_MALFORMED;
	head += sizeof(end) - 1;
	*code_out = code;
	*body_out = slice_of(head, answer.len - (size_t)(head - data));
	return STATUS_OK;
}

/* Wait until ${fd} can be written to, or read; false when time is up. */
static bool wait_until(int fd, short events, uint64_t by_ms)
{
	struct pollfd item = { fd, events, 0 };
	uint64_t now_ms = clock_interval_ms();
	int rc;

	do {
		rc = now_ms < by_ms ? poll(&item, 1, (int)(by_ms - now_ms)) : 0;
		now_ms = clock_interval_ms();
	} while (rc < 0 && errno == EINTR);
	if (rc == 0)
		errno = ETIMEDOUT;
	return rc > 0;
}

/* Send the question; false, and errno says why, where it cannot be. */
static bool ask(int fd, const struct address *at, uint64_t by_ms)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (connect(fd, (const struct sockaddr *)&at->socket, at->len) != 0) {
		if (errno != EINPROGRESS || !wait_until(fd, POLLOUT, by_ms))
			return false;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
			return false;
		if (error != 0) {
			errno = error;
			return false;
		}
	}
	/* It is so short that it goes at once, or never. */
	return send(fd, question, sizeof(question) - 1, MSG_NOSIGNAL) ==
	       (ssize_t)sizeof(question) - 1;
}

/* Read to the end; false, and errno says why, where it does not come. */
static bool read_answer(int fd, uint8_t *buffer, size_t *used, uint64_t by_ms)
{
	while (*used < HEALTH_BYTES_MAX) {
		if (!wait_until(fd, POLLIN, by_ms))
			return false;
		ssize_t got =
		    recv(fd, buffer + *used, HEALTH_BYTES_MAX - *used, 0);
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (got == 0)
			return true;
		*used += got > 0 ? (size_t)got : 0;
	}
	errno = EMSGSIZE;
	return false;
}

int health_ask(const char *address, const char *name)
{
	uint64_t by_ms = clock_interval_ms() + HEALTH_MS_MAX;
	struct address at;
	uint8_t answer[HEALTH_BYTES_MAX];
	size_t used = 0;
	unsigned int code = 0;
	struct slice body;

	if (address_read(&at, address) != STATUS_OK) {
		fprintf(stderr,
		    "keepsake-%s: set http of [%s], which --health asks\n",
		    name, name);
		return EXIT_FAILURE;
	}
	address_to_local(&at);
	int fd = socket(
	    at.socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || !ask(fd, &at, by_ms) ||
	    !read_answer(fd, answer, &used, by_ms)) {
		fprintf(stderr, "keepsake-%s: %s does not answer: %s\n", name,
		    address, strerror(errno));
	} else if (health_read(slice_of(answer, used), &code, &body) !=
		   STATUS_OK) {
		fprintf(stderr, "keepsake-%s: what answers at %s is none\n",
		    name, address);
	} else {
		fwrite(body.data, 1, body.len, stdout);
	}
	if (fd >= 0)
		close(fd);
	return code == 200 ? EXIT_SUCCESS : EXIT_FAILURE;
}

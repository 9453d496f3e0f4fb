#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum status address_read(struct address *out, const char *text)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&out->socket;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->socket;
	char host[INET6_ADDRSTRLEN];
	const char *colon = strrchr(text, ':');
	uint64_t port;

	memset(out, 0, sizeof(*out));
	if (!colon || text_number(&port, colon + 1, UINT16_MAX) != STATUS_OK ||
	    port == 0)
		return STATUS_MALFORMED;
	size_t len = (size_t)(colon - text);
	bool bracketed = len >= 2 && text[0] == '[' && colon[-1] == ']';
	if (bracketed) {
		text++;
		len -= 2;
	}
	if (len >= sizeof(host))
		return STATUS_MALFORMED;
	memcpy(host, text, len);
	host[len] = '\0';
	if (bracketed && inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		out->len = sizeof(*v6);
		return STATUS_OK;
	}
	if (!bracketed && inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		out->len = sizeof(*v4);
		return STATUS_OK;
	}
	return STATUS_MALFORMED;
}

void address_to_local(struct address *self)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&self->socket;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&self->socket;

	if (self->socket.ss_family == AF_INET &&
	    v4->sin_addr.s_addr == htonl(INADDR_ANY))
		v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (self->socket.ss_family == AF_INET6 &&
	    IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
		v6->sin6_addr = in6addr_loopback;
}

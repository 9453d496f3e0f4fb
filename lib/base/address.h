#ifndef KEEPSAKE_BASE_ADDRESS_H
#define KEEPSAKE_BASE_ADDRESS_H

#include <sys/socket.h>

#include "base/status.h"

/** An address of this machine or another one, IPv4 or IPv6, with a port. */
struct address {
	struct sockaddr_storage socket;
	socklen_t len;
};

/**
 * Read "192.0.2.1:9641" or "[2001:db8::1]:9641"; names are not resolved.
 *
 * STATUS_OK         ${out} is filled
 * STATUS_MALFORMED  no such address, or a port that is not in 1..65535
 */
enum status address_read(struct address *out, const char *text);

/** Where "any address" of a server is met from the same machine. */
void address_to_local(struct address *self);

#endif

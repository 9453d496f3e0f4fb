#ifndef KEEPSAKE_WATCH_HTTP_H
#define KEEPSAKE_WATCH_HTTP_H

#include "base/address.h"
#include "base/bytes.h"
#include "bus/loop.h"

/*
 * A few pages by HTTP, out of the event loop: for a monitoring system and
 * for health checks.  GET and HEAD only; what is no page is 404, another
 * method 405.  At most HTTP_CONNECTIONS_MAX connections; further ones wait.
 * One is closed when HTTP_TURN_S have gone by since it began, or since its
 * last answer was taken: who sends or reads byte by byte keeps nobody out for
 * longer.  A request line with its headers takes HTTP_MEMORY_BYTES at most,
 * else it is 414 or 431.
 *
 * No TLS and no password: what is on the pages is nobody's secret, and the
 * address is the operator's choice.
 */

#define HTTP_CONNECTIONS_MAX 32
#define HTTP_TURN_S          10
#define HTTP_MEMORY_BYTES    8192

struct http;

/** One page. */
struct http_page {
	const char *path;         /* "/metrics" */
	const char *content_type; /* with the version, if it has one */
	/* Append the page to ${out}; returns the HTTP status, 200 or 503. */
	unsigned int (*render)(void *arg, struct bytes *out);
};

/**
 * Listen at ${address}, and serve ${pages} from ${loop}.
 *
 * pages    borrowed for good
 * arg      for render
 *
 * STATUS_OK           *out is the caller's
 * STATUS_UNAVAILABLE  the address cannot be had; logged
 * STATUS_NO_SPACE     no memory; logged
 */
enum status http_new(struct http **out, struct loop *loop, const char *address,
    const struct http_page *pages, size_t pages_count, void *arg);

void http_destroy(struct http **self_p);

#endif

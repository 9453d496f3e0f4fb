#ifndef KEEPSAKE_GATEWAY_ZMTP_BEARER_H
#define KEEPSAKE_GATEWAY_ZMTP_BEARER_H

#include "route.h"

/*
 * The data channel (G-01): terminals come by ZMTP over tcp with CURVE.  Any
 * key may come in; each request is stamped with the key it came by.
 */

struct zmtp_bearer;

/** Open the door of [gateway] listen. */
enum status zmtp_bearer_new(struct program *program, struct zmtp_bearer **out);
void zmtp_bearer_destroy(struct zmtp_bearer **self_p);

/**
 * Refuse what is new, and say that another gateway may be asked at once; call
 * ${stopped} when all under way is answered, at the latest after 7 s.
 */
void zmtp_bearer_stop(struct zmtp_bearer *self, loop_fn *stopped, void *arg);

/** Figures for the operator. */
struct zmtp_figures {
	uint64_t requests, refused, answers, dropped;
	uint64_t under_way, under_way_bytes;
	uint64_t repeats_held; /* the first was under way */
};

void zmtp_bearer_figures(
    const struct zmtp_bearer *self, struct zmtp_figures *out);

/** The links to the services behind it. */
const struct router *zmtp_bearer_router(const struct zmtp_bearer *self);

#endif

#ifndef KEEPSAKE_CLIENT_GATEWAYS_H
#define KEEPSAKE_CLIENT_GATEWAYS_H

#include "bus/caller.h"
#include "crypto/enrolment.h"

/* The gateways of an enrolment, as a caller wants them. */

#define GATEWAY_ENDPOINT_BYTES (ENROLMENT_HOST_BYTES_MAX + 16)

struct gateways {
	char endpoints[1 + ENROLMENT_OTHERS_MAX][GATEWAY_ENDPOINT_BYTES];
	struct place others[ENROLMENT_OTHERS_MAX];
};

/**
 * Fill name, endpoint, server_key, others and others_count of ${options}.
 *
 * storage    holds what they point to, with ${enrolment}: until caller_new
 */
void gateways_fill(struct caller_options *options, struct gateways *storage,
    const struct enrolment *enrolment);

#endif

#include "gateways.h"

#include <stdio.h>

_Static_assert(1 + ENROLMENT_OTHERS_MAX <= PLACES_MAX,
    "a caller takes all gateways of an enrolment");

static const char *endpoint_write(
    char out[static GATEWAY_ENDPOINT_BYTES], const char *host, uint16_t port)
{
	snprintf(out, GATEWAY_ENDPOINT_BYTES, "tcp://%s:%u", host, port);
	return out;
}

void gateways_fill(struct caller_options *options, struct gateways *storage,
    const struct enrolment *enrolment)
{
	options->name = "gateway";
	options->far = true;
	options->endpoint = endpoint_write(
	    storage->endpoints[0], enrolment->host, enrolment->port);
	options->server_key = enrolment->gateway_key;
	for (size_t i = 0; i < enrolment->others_count; i++) {
		const struct enrolment_gateway *other = &enrolment->others[i];
		storage->others[i] = (struct place){
			.endpoint = endpoint_write(storage->endpoints[1 + i],
			    other->host, other->port),
			.server_key = other->key,
		};
	}
	options->others = storage->others;
	options->others_count = enrolment->others_count;
}

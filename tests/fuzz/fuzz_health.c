#include "watch/health.h"

#include "fuzz.h"

/*
 * What answers at the address that --health asks.
 *
 * Must hold: a code is one of HTTP's, and the body lies in the answer.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	unsigned int code;
	struct slice body;

	if (health_read(slice_of(data, len), &code, &body) != STATUS_OK)
		return 0;
	must(code >= 100 && code <= 599);
	must(body.data >= data && body.data + body.len == data + len);
	return 0;
}

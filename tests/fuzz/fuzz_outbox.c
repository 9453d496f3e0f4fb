#include "fuzz.h"

#include "../../lib/service/outbox.c"

/*
 * A row of an outbox: to whom it goes.
 *
 * Must hold: to a role that there is, with a body that lies in the row.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct address address;

	if (len == 0) /* the engine refuses such a value */
		return 0;
	if (read_address(&address, slice_of(data, len)) != STATUS_OK)
		return 0;
	must(address.peer < ROLE_COUNT);
	must(address.body.len <= len);
	if (address.body.len > 0)
		must(address.body.data >= data &&
		     address.body.data + address.body.len == data + len);
	return 0;
}

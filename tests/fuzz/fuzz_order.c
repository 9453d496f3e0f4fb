#include "fuzz.h"
#include "service/order.h"

/*
 * Damaged rows of orders, one after the other: key, then value.
 *
 * Must hold: what is read is written as it was, refuses tickets without
 * touching what is not there, and a later one that covers it refuses no
 * less.
 */
static void check(const struct order *order, const struct order *former)
{
	struct ticket ticket = {
		.account = former->account,
		.terminal = former->subject,
		.issued_ms = former->when_ms,
	};

	memcpy(ticket.nonce, former->subject.bytes, TICKET_NONCE_BYTES);
	for (int i = 0; i < 2; i++) {
		if (order->when_ms >= former->when_ms &&
		    order_covers(order, former))
			must(!order_refuses(former, &ticket) ||
			     order_refuses(order, &ticket));
		memset(ticket.nonce, 0xff, TICKET_NONCE_BYTES);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice input = slice_of(data, len);
	uint8_t key[ORDER_KEY_BYTES], value[ORDER_VALUE_BYTES];
	struct order order = { 0 }, former;
	bool has_former = false;

	while (input.len > 0) {
		struct slice row_key = take(&input, ORDER_KEY_BYTES);
		struct slice row_value = take(&input, ORDER_VALUE_BYTES);
		former = order;
		if (order_unpack(&order, row_key, row_value) != STATUS_OK)
			continue;
		order_pack(key, value, &order);
		must(slice_equal(row_key, slice_of(key, sizeof(key))));
		must(slice_equal(row_value, slice_of(value, sizeof(value))));
		if (has_former)
			check(&order, &former);
		has_former = true;
	}
	return 0;
}

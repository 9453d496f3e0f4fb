#include "service/order.h"

#include <string.h>

#include "base/bounds.h"
#include "bus/unpack.h"

#define VERSION    1
#define AT_KIND    1
#define AT_ACCOUNT 2
#define AT_SUBJECT (AT_ACCOUNT + ID_BYTES)
#define AT_WHEN    (AT_SUBJECT + ID_BYTES)

_Static_assert(AT_WHEN + 8 == ORDER_VALUE_BYTES, "the layout is on disks");
_Static_assert(TICKET_NONCE_BYTES == ID_BYTES, "a subject holds a nonce");
_Static_assert(
    ORDER_KEPT_MS > TRANSFER_MS_MAX + 2 * TICKET_SKEW_MS, "tickets end first");

bool order_is_over(const struct order *self, uint64_t now_ms)
{
	return self->kind != ORDER_DELETE_ACCOUNT && now_ms > self->when_ms &&
	       now_ms - self->when_ms > ORDER_KEPT_MS;
}

static bool has_nonce(const struct order *self, const struct ticket *ticket)
{
	return memcmp(self->subject.bytes, ticket->nonce, TICKET_NONCE_BYTES) ==
	       0;
}

bool order_refuses(const struct order *self, const struct ticket *ticket)
{
	if (!id_equal(&self->account, &ticket->account))
		return false;
	switch (self->kind) {
	case ORDER_REVOKE_TICKET:
		return has_nonce(self, ticket);
	case ORDER_REVOKE_TERMINAL:
		return id_equal(&self->subject, &ticket->terminal) &&
		       ticket->issued_ms <= self->when_ms;
	case ORDER_REVOKE_ACCOUNT:
		return ticket->issued_ms <= self->when_ms &&
		       (id_is_none(&self->subject) || !has_nonce(self, ticket));
	case ORDER_DELETE_ACCOUNT:
		return true;
	}
	return true; /* an order that is not understood is no leave */
}

/* Whether ${self}, of the whole account, leaves nothing of ${other}. */
static bool account_covers(const struct order *self, const struct order *other)
{
	if (other->when_ms > self->when_ms)
		return false;
	if (id_is_none(&self->subject))
		return true;
	switch (other->kind) {
	case ORDER_REVOKE_TICKET:
		return !id_equal(&self->subject, &other->subject);
	case ORDER_REVOKE_ACCOUNT:
		return id_equal(&self->subject, &other->subject);
	default:
		return false; /* it may be the spared one's terminal */
	}
}

bool order_covers(const struct order *self, const struct order *other)
{
	if (!id_equal(&self->account, &other->account) ||
	    other->kind == ORDER_DELETE_ACCOUNT)
		return false;
	switch (self->kind) {
	case ORDER_REVOKE_TICKET:
	case ORDER_REVOKE_TERMINAL:
		return other->kind == self->kind &&
		       id_equal(&self->subject, &other->subject) &&
		       other->when_ms <= self->when_ms;
	case ORDER_REVOKE_ACCOUNT:
		return account_covers(self, other);
	case ORDER_DELETE_ACCOUNT:
		return true;
	}
	return false;
}

static bool kind_is_known(uint32_t kind)
{
	return kind >= ORDER_REVOKE_TICKET && kind <= ORDER_DELETE_ACCOUNT;
}

void order_pack(uint8_t key[static ORDER_KEY_BYTES],
    uint8_t value[static ORDER_VALUE_BYTES], const struct order *order)
{
	put_be64(key, order->sequence);
	value[0] = VERSION;
	value[AT_KIND] = (uint8_t)order->kind;
	memcpy(value + AT_ACCOUNT, order->account.bytes, ID_BYTES);
	memcpy(value + AT_SUBJECT, order->subject.bytes, ID_BYTES);
	put_be64(value + AT_WHEN, order->when_ms);
}

enum status order_unpack(
    struct order *out, struct slice key, struct slice value)
{
	if (value.len > 0 && value.data[0] > VERSION)
		return STATUS_VERSION;
	if (key.len != ORDER_KEY_BYTES || value.len != ORDER_VALUE_BYTES ||
	    value.data[0] != VERSION || get_be64(key.data) == 0 ||
	    value.data[AT_KIND] == 0)
		return STATUS_MALFORMED;
	if (!kind_is_known(value.data[AT_KIND]))
		return STATUS_VERSION;
	*out = (struct order){
		.sequence = get_be64(key.data),
		.kind = (enum order_kind)value.data[AT_KIND],
		.when_ms = get_be64(value.data + AT_WHEN),
	};
	memcpy(out->account.bytes, value.data + AT_ACCOUNT, ID_BYTES);
	memcpy(out->subject.bytes, value.data + AT_SUBJECT, ID_BYTES);
	return STATUS_OK;
}

void order_to_message(Common__Order *out, const struct order *order)
{
	out->sequence = order->sequence;
	out->kind = (uint32_t)order->kind;
	out->account_id = field_of(slice_of(order->account.bytes, ID_BYTES));
	out->subject = field_of(slice_of(order->subject.bytes, ID_BYTES));
	out->when_ms = order->when_ms;
}

enum status order_from_message(struct order *out, const Common__Order *message)
{
	struct order order = {
		.sequence = message->sequence,
		.when_ms = message->when_ms,
	};

	enum status st =
	    id_from(&order.account, field_slice(message->account_id));
	if (st == STATUS_OK)
		st = id_from(&order.subject, field_slice(message->subject));
	if (st != STATUS_OK || message->sequence == 0 || message->kind == 0 ||
	    id_is_none(&order.account))
		return STATUS_MALFORMED;
	if (!kind_is_known(message->kind))
		return STATUS_VERSION;
	order.kind = (enum order_kind)message->kind;
	*out = order;
	return STATUS_OK;
}

#include "../../services/binding/entry.h"
#include "../../services/binding/terminal.h"
#include "../../services/notify/notice.h"
#include "base/bounds.h"
#include "bus/unpack.h"
#include "fuzz.h"
#include "fuzz_body.h"
#include "service/operator.h"
#include "service/order.h"

/* Who acts, as keepsakectl says: what is taken fits an audit record. */
static void check_by(const Ops__By *by)
{
	char actor[OPERATOR_ACTOR_BYTES], detail[OPERATOR_DETAIL_BYTES];
	const char *why = NULL;

	if (operator_check(by, 0, &why) != STATUS_OK) {
		must(why);
		return;
	}
	operator_actor(actor, by);
	operator_detail(detail, "what", by);
	must(strlen(actor) < sizeof(actor) - 1 &&
	     strlen(detail) < sizeof(detail) - 1);
}

/* An order that is taken can be sent and stored, and is the same then. */
static void check_order(const Common__Order *message)
{
	Common__Order again = COMMON__ORDER__INIT;
	uint8_t key[ORDER_KEY_BYTES], value[ORDER_VALUE_BYTES];
	struct order order, stored;

	if (order_from_message(&order, message) != STATUS_OK)
		return;
	order_to_message(&again, &order);
	must(again.sequence == message->sequence);
	must(again.kind == message->kind);
	must(again.when_ms == message->when_ms);
	order_pack(key, value, &order);
	must(order_unpack(&stored, slice_of(key, sizeof(key)),
		 slice_of(value, sizeof(value))) == STATUS_OK);
	must(stored.kind == order.kind);
	must(id_equal(&stored.account, &order.account));
	must(id_equal(&stored.subject, &order.subject));
}

/* What a terminal says of itself. */
static void check_terminal(
    const char *imei, const char *serial, const char *label)
{
	struct terminal terminal = { 0 };
	const char *why = NULL;

	if (terminal_describe(&terminal, imei, serial, label, &why) !=
	    STATUS_OK)
		must(why);
}

static void check_entry(const Binding__EntrySave *message)
{
	static struct entry entry;
	const char *why = NULL;

	if (entry_check(message, &why) == STATUS_OK)
		entry_update(&entry, message, 1);
	else
		must(why);
}

/* Those of which a service takes in more than is here. */
static void check_contents(const ProtobufCMessage *message)
{
	const char *why = NULL;

	if (message->descriptor == &common__orders__descriptor) {
		const Common__Orders *orders = (const Common__Orders *)message;
		for (size_t i = 0; i < orders->n_orders; i++)
			check_order(orders->orders[i]);
	} else if (message->descriptor == &binding__bind__descriptor) {
		const Binding__Bind *bind = (const Binding__Bind *)message;
		check_terminal(bind->imei, bind->serial, bind->label);
	} else if (message->descriptor == &binding__rebind__descriptor) {
		const Binding__Rebind *rebind =
		    (const Binding__Rebind *)message;
		check_terminal(rebind->imei, rebind->serial, rebind->label);
	} else if (message->descriptor == &binding__entry_save__descriptor) {
		check_entry((const Binding__EntrySave *)message);
	} else if (message->descriptor == &notify__tell__descriptor) {
		const Notify__Tell *tell = (const Notify__Tell *)message;
		struct id id;
		if (tell->notice &&
		    notice_check(tell->notice, &id, &why) != STATUS_OK)
			must(why);
	} else if (message->descriptor == &ops__resend__descriptor) {
		check_by(((const Ops__Resend *)message)->by);
	} else if (message->descriptor == &ops__deed__descriptor) {
		check_by(((const Ops__Deed *)message)->by);
	} else if (message->descriptor == &ops__unlock__descriptor) {
		check_by(((const Ops__Unlock *)message)->by);
	} else if (message->descriptor == &ops__quota_set__descriptor) {
		check_by(((const Ops__QuotaSet *)message)->by);
	} else if (message->descriptor == &ops__revoke__descriptor) {
		check_by(((const Ops__Revoke *)message)->by);
	}
}

/*
 * The body of every message; the first byte chooses which.
 *
 * Must hold: no more than UNPACK_BYTES_MAX is used, and what unpacks also
 * packs, to what unpacks to the same if it unpacks at all.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice input = slice_of(data, len);
	const ProtobufCMessageDescriptor *type =
	    body_types[take_byte(&input) % nitems(body_types)];
	ProtobufCMessage *first = NULL, *second = NULL;
	struct bytes packed = { 0 }, again = { 0 };
	struct unpack unpack, unpack_again;

	unpack_begin(&unpack);
	unpack_begin(&unpack_again);
	enum status st = unpack_message(&unpack, type, input, &first);
	must(unpack.used <= UNPACK_BYTES_MAX);
	if (st == STATUS_MALFORMED)
		goto out;
	check_contents(first);
	must(pack_message(&packed, first) == STATUS_OK);
	if (unpack_message(&unpack_again, type, bytes_slice(&packed),
		&second) == STATUS_MALFORMED)
		goto out; /* protobuf-c passes a field 0 on, wrongly */
	must(pack_message(&again, second) == STATUS_OK);
	must(slice_equal(bytes_slice(&packed), bytes_slice(&again)));
out:
	unpack_end(&unpack);
	unpack_end(&unpack_again);
	bytes_clear(&packed);
	bytes_clear(&again);
	return 0;
}

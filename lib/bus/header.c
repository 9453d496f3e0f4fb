#include "bus/header.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "bus/unpack.h"
#include "common.pb-c.h"

/* An id that may be left out. */
static enum status optional_id(struct id *out, ProtobufCBinaryData field)
{
	if (field.len == 0)
		return STATUS_OK;
	return id_from(out, field_slice(field));
}

static enum status peer_from(struct peer *out, const Common__Peer *peer)
{
	if (!peer)
		return STATUS_OK;
	if (peer->kind < COMMON__PEER__KIND__NOBODY ||
	    peer->kind > COMMON__PEER__KIND__CARD ||
	    peer->id.len > PEER_ID_BYTES ||
	    strlen(peer->address) >= PEER_ADDRESS_BYTES)
		return STATUS_MALFORMED;
	out->kind = (enum peer_kind)peer->kind;
	out->id_len = peer->id.len;
	if (peer->id.len > 0)
		memcpy(out->id, peer->id.data, peer->id.len);
	memcpy(out->address, peer->address, strlen(peer->address) + 1);
	return STATUS_OK;
}

/* newer: it has a critical field that we do not know */
static enum status header_from(
    struct header *out, const Common__Header *in, bool newer)
{
	if (in->magic != PROTOCOL_MAGIC ||
	    id_from(&out->request, field_slice(in->request_id)) != STATUS_OK ||
	    id_is_none(&out->request))
		return STATUS_MALFORMED;
	out->type = in->type;
	if (in->oldest_major > PROTOCOL_MAJOR || in->major < PROTOCOL_MAJOR ||
	    newer)
		return STATUS_VERSION;
	if (optional_id(&out->account, in->account_id) != STATUS_OK ||
	    optional_id(&out->trace, in->trace_id) != STATUS_OK ||
	    peer_from(&out->peer, in->peer) != STATUS_OK ||
	    in->ticket.len > TICKET_BYTES_MAX ||
	    strlen(in->detail) > DETAIL_BYTES_MAX ||
	    !text_is_clean(slice_text(in->detail)))
		return STATUS_MALFORMED;
	if (id_is_none(&out->trace))
		out->trace = out->request;
	out->deadline_ms = min_of(in->deadline_ms, (uint32_t)DEADLINE_MS_MAX);
	out->ticket_len = in->ticket.len;
	if (in->ticket.len > 0)
		memcpy(out->ticket, in->ticket.data, in->ticket.len);
	out->status = status_from_wire((unsigned int)in->status);
	out->retry_after_ms = in->retry_after_ms;
	out->tries_remaining = in->tries_remaining;
	out->server_time_ms = in->server_time_ms;
	memcpy(out->detail, in->detail, strlen(in->detail) + 1);
	out->stopping = in->stopping;
	return STATUS_OK;
}

enum status header_unpack(struct header *out, struct slice bytes)
{
	Common__Header *message = NULL;
	struct unpack unpack;
	enum status st;

	*out = (struct header){ 0 };
	if (bytes.len > HEADER_BYTES_MAX)
		return STATUS_TOO_LARGE;
	unpack_begin(&unpack);
	st = unpack_message(
	    &unpack, &common__header__descriptor, bytes, &message);
	if (st == STATUS_OK || st == STATUS_VERSION)
		st = header_from(out, message, st == STATUS_VERSION);
	unpack_end(&unpack);
	return st;
}

static ProtobufCBinaryData id_field(const struct id *id)
{
	return field_of(slice_of(id->bytes, id_is_none(id) ? 0 : ID_BYTES));
}

enum status header_pack(struct bytes *out, const struct header *header)
{
	Common__Header message = COMMON__HEADER__INIT;
	Common__Peer peer = COMMON__PEER__INIT;

	message.magic = PROTOCOL_MAGIC;
	message.major = PROTOCOL_MAJOR;
	message.minor = PROTOCOL_MINOR;
	message.oldest_major = PROTOCOL_MAJOR;
	message.request_id = id_field(&header->request);
	message.type = header->type;
	message.account_id = id_field(&header->account);
	message.deadline_ms = header->deadline_ms;
	message.ticket = field_of(slice_of(header->ticket, header->ticket_len));
	if (!id_equal(&header->trace, &header->request))
		message.trace_id = id_field(&header->trace);
	if (header->peer.kind != PEER_NOBODY) {
		peer.kind = (Common__Peer__Kind)header->peer.kind;
		peer.id =
		    field_of(slice_of(header->peer.id, header->peer.id_len));
		peer.address = (char *)header->peer.address;
		message.peer = &peer;
	}
	message.status = (Common__Status)header->status;
	message.retry_after_ms = header->retry_after_ms;
	message.tries_remaining = header->tries_remaining;
	message.server_time_ms = header->server_time_ms;
	message.detail = (char *)header->detail;
	message.stopping = header->stopping;
	return pack_message(out, &message.base);
}

void header_detail(struct header *header, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	header_detail_args(header, format, args);
	va_end(args);
}

void header_detail_args(struct header *header, const char *format, va_list args)
{
	char *detail = header->detail;
	int len = vsnprintf(detail, sizeof(header->detail), format, args);

	if (len <= DETAIL_BYTES_MAX)
		return;
	/* Half a character would make the peer refuse the whole header. */
	for (len = DETAIL_BYTES_MAX; len > 0; len--) {
		uint8_t last = (uint8_t)detail[len - 1];
		if (last < 0x80)
			break;
		detail[len - 1] = '\0';
		if (last >= 0xc0)
			break; /* that was where the character began */
	}
}

/*
 * rawbody MESSAGE HEX
 *
 * Print the body HEX ("-" where it is empty), which rawclient printed, as one
 * line of JSON: MESSAGE says what it is (auth.SessionList).  Bytes are hex,
 * numbers of an enum are numbers, every field is there.
 *
 * Exit status: 0 printed, 1 no such message, 2 wrong arguments.
 */
#include <err.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth.pb-c.h"
#include "base/bytes.h"
#include "base/util.h"
#include "binding.pb-c.h"
#include "bus/unpack.h"
#include "common.pb-c.h"
#include "notify.pb-c.h"
#include "store.pb-c.h"

static const ProtobufCMessageDescriptor *const messages[] = {
	&common__orders_kept__descriptor,
	&auth__session_list__descriptor,
	&auth__revoked__descriptor,
	&auth__deregistered__descriptor,
	&binding__terminal_list__descriptor,
	&notify__notice_list__descriptor,
	&store__lease__descriptor,
	&store__snapshot_list__descriptor,
};

static json_t *message_value(const ProtobufCMessage *message);

static json_t *bytes_value(const ProtobufCBinaryData *data)
{
	char *text = malloc(HEX_BYTES(data->len));

	if (!text)
		errx(1, "no memory");
	hex_encode(text, field_slice(*data));
	json_t *value = json_string(text);
	free(text);
	return value;
}

/* The value of ${type} at ${at}, in an array of such or alone. */
static json_t *value_of(ProtobufCType type, const void *at)
{
	switch (type) {
	case PROTOBUF_C_TYPE_BOOL:
		return json_boolean(*(const protobuf_c_boolean *)at);
	case PROTOBUF_C_TYPE_ENUM:
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		return json_integer(*(const uint32_t *)at);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return json_integer((json_int_t) * (const uint64_t *)at);
	case PROTOBUF_C_TYPE_STRING:
		return json_string(*(char *const *)at);
	case PROTOBUF_C_TYPE_BYTES:
		return bytes_value(at);
	case PROTOBUF_C_TYPE_MESSAGE:
		return message_value(*(ProtobufCMessage *const *)at);
	default:
		errx(1, "a field of a type that no message has");
	}
}

static size_t size_of(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return sizeof(uint64_t);
	default:
		return sizeof(uint32_t);
	}
}

static json_t *field_value(
    const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	const uint8_t *base = (const uint8_t *)message;
	const void *at = base + field->offset;

	if (field->label != PROTOBUF_C_LABEL_REPEATED)
		return value_of(field->type, at);
	json_t *list = json_array();
	size_t count = *(const size_t *)(base + field->quantifier_offset);
	const uint8_t *first = *(const uint8_t *const *)at;
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list,
		    value_of(field->type, first + i * size_of(field->type)));
	return list;
}

static json_t *message_value(const ProtobufCMessage *message)
{
	json_t *object = json_object();

	if (!message)
		return json_null();
	for (unsigned int i = 0; i < message->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field =
		    &message->descriptor->fields[i];
		json_object_set_new(
		    object, field->name, field_value(message, field));
	}
	return object;
}

int main(int argc, char **argv)
{
	const ProtobufCMessageDescriptor *type = NULL;
	ProtobufCMessage *message;
	struct bytes body = { 0 };
	struct unpack unpack;

	if (argc != 3)
		errx(2, "usage: rawbody MESSAGE HEX");
	for (size_t i = 0; i < nitems(messages) && !type; i++)
		if (strcmp(messages[i]->name, argv[1]) == 0)
			type = messages[i];
	if (!type)
		errx(2, "'%s' is not a message that is known here", argv[1]);
	size_t len = strcmp(argv[2], "-") == 0 ? 0 : strlen(argv[2]) / 2;
	if (bytes_reserve(&body, len + 1) != STATUS_OK)
		errx(1, "no memory");
	if (len > 0 && hex_decode(body.data, len, argv[2]) != STATUS_OK)
		errx(2, "'%s' is not hex", argv[2]);
	body.len = len;
	unpack_begin(&unpack);
	if (unpack_message(&unpack, type, bytes_slice(&body), &message) !=
	    STATUS_OK)
		errx(1, "that is no %s", argv[1]);
	json_t *value = message_value(message);
	json_dumpf(value, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(value);
	unpack_end(&unpack);
	bytes_clear(&body);
	return 0;
}

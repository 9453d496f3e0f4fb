#ifndef KEEPSAKE_TESTS_RECORDED_H
#define KEEPSAKE_TESTS_RECORDED_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "auth.pb-c.h"
#include "base/util.h"
#include "binding.pb-c.h"
#include "common.pb-c.h"
#include "manifest.pb-c.h"
#include "notify.pb-c.h"
#include "ops.pb-c.h"
#include "store.pb-c.h"

/*
 * Messages that an earlier version packed, tests/vectors/messages-*: which
 * there are, and what is in one, as text.  tests/tool/recordmessages.c
 * writes them, tests/unit/check_recorded.c reads them with the present code.
 */

/* Every message that can be met.  None is ever taken away. */
static const ProtobufCMessageDescriptor *const recorded_types[] = {
	&auth__code_begin__descriptor,
	&auth__code_finish__descriptor,
	&auth__deregister__descriptor,
	&auth__deregistered__descriptor,
	&auth__empty__descriptor,
	&auth__factor_list__descriptor,
	&auth__factors__descriptor,
	&auth__grant_add__descriptor,
	&auth__grant_challenge__descriptor,
	&auth__grant_list__descriptor,
	&auth__grant_login_begin__descriptor,
	&auth__grant_proof__descriptor,
	&auth__grant_remove__descriptor,
	&auth__invitation__descriptor,
	&auth__invite__descriptor,
	&auth__login_begin__descriptor,
	&auth__login_challenge__descriptor,
	&auth__login_done__descriptor,
	&auth__login_finish__descriptor,
	&auth__register_begin__descriptor,
	&auth__register_challenge__descriptor,
	&auth__register_finish__descriptor,
	&auth__registered__descriptor,
	&auth__revoke__descriptor,
	&auth__revoked__descriptor,
	&auth__sealed__descriptor,
	&auth__session_list__descriptor,
	&auth__terminal_gone__descriptor,
	&auth__verification_answer__descriptor,
	&auth__verification_begin__descriptor,
	&auth__verification_finish__descriptor,
	&auth__verification_query__descriptor,
	&binding__bind__descriptor,
	&binding__bound__descriptor,
	&binding__empty__descriptor,
	&binding__entry__descriptor,
	&binding__entry_dates__descriptor,
	&binding__entry_fetch__descriptor,
	&binding__entry_list__descriptor,
	&binding__entry_save__descriptor,
	&binding__lookup__descriptor,
	&binding__lookup_answer__descriptor,
	&binding__rebind__descriptor,
	&binding__terminal_list__descriptor,
	&binding__terminals_of__descriptor,
	&binding__unbind__descriptor,
	&binding__unbound__descriptor,
	&common__audit_page__descriptor,
	&common__audit_query__descriptor,
	&common__header__descriptor,
	&common__orders__descriptor,
	&common__orders_kept__descriptor,
	&common__rekey_done__descriptor,
	&common__status_report__descriptor,
	&manifest__entry__descriptor,
	&manifest__summary__descriptor,
	&notify__ack__descriptor,
	&notify__empty__descriptor,
	&notify__fetch__descriptor,
	&notify__notice_list__descriptor,
	&notify__subscribe__descriptor,
	&notify__subscribed__descriptor,
	&notify__tell__descriptor,
	&ops__account__descriptor,
	&ops__account_name__descriptor,
	&ops__deed__descriptor,
	&ops__empty__descriptor,
	&ops__invitation__descriptor,
	&ops__list_page__descriptor,
	&ops__list_query__descriptor,
	&ops__ordered__descriptor,
	&ops__resend__descriptor,
	&ops__resent__descriptor,
	&ops__revoke__descriptor,
	&ops__unlock__descriptor,
	&ops__unlocked__descriptor,
	&store__abandon__descriptor,
	&store__chunk__descriptor,
	&store__empty__descriptor,
	&store__get__descriptor,
	&store__have__descriptor,
	&store__lease__descriptor,
	&store__presence__descriptor,
	&store__publish__descriptor,
	&store__put__descriptor,
	&store__snapshot__descriptor,
	&store__snapshot_list__descriptor,
	&store__snapshot_query__descriptor,
};

/* Where the numbers of types are given out. */
static const ProtobufCEnumDescriptor *const recorded_enums[] = {
	&auth__type__descriptor,
	&binding__type__descriptor,
	&common__type__descriptor,
	&notify__type__descriptor,
	&ops__type__descriptor,
	&store__type__descriptor,
};

/* What the body of a request is, and of its answer.  (An empty body is any
 * message without fields.) */
/* clang-format off */
static const struct recorded_bodies {
	const char *type, *request, *answer;
} recorded_bodies[] = {
	{ "auth.REGISTER_BEGIN",       "auth.Sealed",               "auth.Sealed" },
	{ "auth.REGISTER_FINISH",      "auth.Sealed",               "auth.Sealed" },
	{ "auth.FACTORS",              "auth.Factors",              "auth.FactorList" },
	{ "auth.LOGIN_BEGIN",          "auth.LoginBegin",           "auth.LoginChallenge" },
	{ "auth.LOGIN_FINISH",         "auth.LoginFinish",          "auth.LoginDone" },
	{ "auth.VERIFICATION_BEGIN",   "auth.Sealed",               "auth.Sealed" },
	{ "auth.VERIFICATION_FINISH",  "auth.Sealed",               "auth.Sealed" },
	{ "auth.CODE_BEGIN",           "auth.Sealed",               "auth.Sealed" },
	{ "auth.CODE_FINISH",          "auth.Sealed",               "auth.Sealed" },
	{ "auth.INVITE",               "auth.Invite",               "auth.Empty" },
	{ "auth.INVITATION",           "auth.Sealed",               "auth.Sealed" },
	{ "auth.CODE_REMOVE",          "auth.Sealed",               "auth.Sealed" },
	{ "auth.SESSIONS",             "auth.Empty",                "auth.SessionList" },
	{ "auth.REVOKE",               "auth.Revoke",               "auth.Revoked" },
	{ "auth.DEREGISTER",           "auth.Deregister",           "auth.Deregistered" },
	{ "auth.GRANT_ADD",            "auth.GrantAdd",             "auth.Empty" },
	{ "auth.GRANT_LIST",           "auth.Empty",                "auth.GrantList" },
	{ "auth.GRANT_REMOVE",         "auth.GrantRemove",          "auth.Revoked" },
	{ "auth.GRANT_LOGIN_BEGIN",    "auth.GrantLoginBegin",      "auth.GrantChallenge" },
	{ "auth.GRANT_LOGIN_FINISH",   "auth.GrantProof",           "auth.LoginDone" },
	{ "auth.VERIFICATION_STATE",   "auth.VerificationQuery",    "auth.VerificationAnswer" },
	{ "auth.TERMINAL_GONE",        "auth.TerminalGone",         "auth.Empty" },
	{ "binding.BIND",              "binding.Bind",              "binding.Bound" },
	{ "binding.TERMINALS",         "binding.Empty",             "binding.TerminalList" },
	{ "binding.REBIND",            "binding.Rebind",            "binding.Bound" },
	{ "binding.UNBIND",            "binding.Unbind",            "binding.Unbound" },
	{ "binding.ENTRY_SAVE",        "binding.EntrySave",         "binding.EntryDates" },
	{ "binding.ENTRIES",           "binding.Empty",             "binding.EntryList" },
	{ "binding.ENTRY_FETCH",       "binding.EntryFetch",        "binding.Entry" },
	{ "binding.LOOKUP",            "binding.Lookup",            "binding.LookupAnswer" },
	{ "binding.TERMINALS_OF",      "binding.TerminalsOf",       "binding.TerminalList" },
	{ "common.PING",               "auth.Empty",                "auth.Empty" },
	{ "common.STATUS_QUERY",       "auth.Empty",                "common.StatusReport" },
	{ "common.ORDERS",             "common.Orders",             "common.OrdersKept" },
	{ "common.AUDIT_READ",         "common.AuditQuery",         "common.AuditPage" },
	{ "common.REKEY",              "auth.Empty",                "common.RekeyDone" },
	{ "notify.SUBSCRIBE",          "notify.Subscribe",          "notify.Subscribed" },
	{ "notify.FETCH",              "notify.Fetch",              "notify.NoticeList" },
	{ "notify.ACK",                "notify.Ack",                "notify.Empty" },
	{ "notify.PUSH",               "notify.NoticeList",         "notify.Empty" },
	{ "notify.TELL",               "notify.Tell",               "notify.Empty" },
	{ "ops.EXPORT",                "ops.ListQuery",             "ops.ListPage" },
	{ "ops.FIND_ACCOUNT",          "ops.AccountName",           "ops.Account" },
	{ "ops.ACCOUNTS",              "ops.ListQuery",             "ops.ListPage" },
	{ "ops.LOCKS",                 "ops.ListQuery",             "ops.ListPage" },
	{ "ops.UNLOCK",                "ops.Unlock",                "ops.Unlocked" },
	{ "ops.HAND_BACK",             "ops.Deed",                  "ops.Invitation" },
	{ "ops.INVITE",                "ops.Deed",                  "ops.Invitation" },
	{ "ops.SESSIONS",              "ops.ListQuery",             "ops.ListPage" },
	{ "ops.REVOKE",                "ops.Revoke",                "ops.Ordered" },
	{ "ops.DISABLE",               "ops.Deed",                  "ops.Ordered" },
	{ "ops.ENABLE",                "ops.Deed",                  "ops.Empty" },
	{ "ops.REMOVE",                "ops.Deed",                  "ops.Ordered" },
	{ "ops.USAGE",                 "ops.ListQuery",             "ops.ListPage" },
	{ "ops.BINDINGS",              "ops.ListQuery",             "ops.ListPage" },
	{ "ops.QUEUE",                 "ops.ListQuery",             "ops.ListPage" },
	{ "ops.DEAD_LETTERS",          "ops.ListQuery",             "ops.ListPage" },
	{ "ops.WAITING",               "ops.ListQuery",             "ops.ListPage" },
	{ "ops.RESEND",                "ops.Resend",                "ops.Resent" },
	{ "store.BACKUP_BEGIN",        "store.Empty",               "store.Lease" },
	{ "store.HAVE",                "store.Have",                "store.Presence" },
	{ "store.PUT",                 "store.Put",                 "store.Empty" },
	{ "store.PUBLISH",             "store.Publish",             "store.Snapshot" },
	{ "store.BACKUP_ABANDON",      "store.Abandon",             "store.Empty" },
	{ "store.SNAPSHOTS",           "store.SnapshotQuery",       "store.SnapshotList" },
	{ "store.RESTORE_BEGIN",       "store.Empty",               "store.Lease" },
	{ "store.GET",                 "store.Get",                 "store.Chunk" },
};
/* clang-format on */

static inline const struct recorded_bodies *recorded_bodies_of(const char *type)
{
	for (size_t i = 0; i < nitems(recorded_bodies); i++)
		if (strcmp(recorded_bodies[i].type, type) == 0)
			return &recorded_bodies[i];
	return NULL;
}

/** The message of that name, NULL where there is none. */
static inline const ProtobufCMessageDescriptor *recorded_type(const char *name)
{
	for (size_t i = 0; i < nitems(recorded_types); i++)
		if (strcmp(recorded_types[i]->name, name) == 0)
			return recorded_types[i];
	return NULL;
}

/** "auth.LOGIN_BEGIN" of its number; false where there is none. */
static inline bool recorded_type_word(uint32_t type, char out[static 64])
{
	for (size_t i = 0; i < nitems(recorded_enums); i++) {
		const ProtobufCEnumValue *value =
		    protobuf_c_enum_descriptor_get_value(
			recorded_enums[i], (int)type);
		if (!value || type == 0)
			continue;
		snprintf(out, 64, "%s.%s", recorded_enums[i]->package_name,
		    value->name);
		return true;
	}
	return false;
}

static inline void recorded_text(
    FILE *out, const ProtobufCMessage *message, const char *prefix);

/* One value; nothing where it is what an absent field is, unless ${shown}. */
static inline void recorded_value(FILE *out,
    const ProtobufCFieldDescriptor *field, const void *at, const char *path,
    bool shown)
{
	const ProtobufCMessage *part;
	const ProtobufCBinaryData *data;
	const char *text;
	uint64_t number = 0;

	switch (field->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
		part = *(ProtobufCMessage *const *)at;
		if (!part)
			return;
		fprintf(out, "  %s {}\n", path);
		recorded_text(out, part, path);
		return;
	case PROTOBUF_C_TYPE_STRING:
		text = *(char *const *)at;
		if (!shown && (!text || *text == '\0'))
			return;
		fprintf(out, "  %s \"", path);
		for (; text && *text != '\0'; text++)
			if (*text == '"' || *text == '\\' ||
			    (unsigned char)*text < ' ')
				fprintf(out, "\\x%02x", (unsigned char)*text);
			else
				fputc(*text, out);
		fputs("\"\n", out);
		return;
	case PROTOBUF_C_TYPE_BYTES:
		data = at;
		if (!shown && data->len == 0)
			return;
		fprintf(out, "  %s x", path);
		for (size_t i = 0; i < data->len; i++)
			fprintf(out, "%02x", data->data[i]);
		fputc('\n', out);
		return;
	case PROTOBUF_C_TYPE_BOOL:
		number = *(const protobuf_c_boolean *)at != 0;
		break;
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_INT64:
		number = *(const uint64_t *)at;
		break;
	default:
		number = *(const uint32_t *)at;
	}
	if (shown || number != 0)
		fprintf(out, "  %s %" PRIu64 "\n", path, number);
}

/* Bytes of a value in an array. */
static inline size_t recorded_width(const ProtobufCFieldDescriptor *field)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
	case PROTOBUF_C_TYPE_STRING:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_INT64:
		return sizeof(uint64_t);
	default:
		return sizeof(uint32_t);
	}
}

/**
 * Write every field that has a value, a line each: "  PATH VALUE".  So what a
 * later version adds, and finds absent, has no line.
 *
 * prefix  of each path; "" for the message itself
 */
static inline void recorded_text(
    FILE *out, const ProtobufCMessage *message, const char *prefix)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;
	const char *dot = *prefix == '\0' ? "" : ".";
	char path[512];

	for (unsigned int i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[i];
		const uint8_t *at = (const uint8_t *)message + field->offset;
		const uint8_t *count =
		    (const uint8_t *)message + field->quantifier_offset;

		if (field->label == PROTOBUF_C_LABEL_REPEATED) {
			const uint8_t *array = *(uint8_t *const *)at;
			for (size_t k = 0; k < *(const size_t *)count; k++) {
				snprintf(path, sizeof(path), "%s%s%s[%zu]",
				    prefix, dot, field->name, k);
				recorded_value(out, field,
				    array + k * recorded_width(field), path,
				    true);
			}
			continue;
		}
		bool chosen = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
		if (chosen && *(const uint32_t *)count != field->id)
			continue;
		snprintf(
		    path, sizeof(path), "%s%s%s", prefix, dot, field->name);
		recorded_value(out, field, at, path, chosen);
	}
}

/** Bytes of hex digits; -1 where they are none, or too many. */
static inline ssize_t recorded_hex(
    uint8_t *out, size_t capacity, const char *hex)
{
	size_t len = strlen(hex);
	unsigned int byte;

	if (strcmp(hex, "-") == 0)
		return 0;
	if (len % 2 != 0 || len / 2 > capacity)
		return -1;
	for (size_t i = 0; i < len / 2; i++) {
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return -1;
		out[i] = (uint8_t)byte;
	}
	return (ssize_t)(len / 2);
}

#endif

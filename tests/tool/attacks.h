#ifndef KEEPSAKE_TESTS_ATTACKS_H
#define KEEPSAKE_TESTS_ATTACKS_H

/*
 * What attacker.c tries, in tables: each message that takes a ticket, each
 * way to ask for it that must be refused, what can be named that is
 * another's, and what then may be answered.  Included by attacker.c alone,
 * behind its two sides.
 */

/* ---- bodies: all of them name what is the victim's ---- */

typedef void body_fn(struct bytes *out);

static void pack(struct bytes *out, const ProtobufCMessage *message)
{
	if (pack_message(out, message) != STATUS_OK)
		errx(1, "no memory");
}

static ProtobufCBinaryData id_field(const struct id *id)
{
	return field_of(slice_of(id->bytes, ID_BYTES));
}

static ProtobufCBinaryData chunk_field(const uint8_t id[static CHUNK_BYTES])
{
	return field_of(slice_of(id, CHUNK_BYTES));
}

static void body_empty(struct bytes *out)
{
	(void)out;
}

static void have(struct bytes *out, const struct id *lease)
{
	Store__Have message = STORE__HAVE__INIT;
	uint8_t ids[2 * CHUNK_BYTES];

	memcpy(ids, theirs.root, CHUNK_BYTES);
	memcpy(ids + CHUNK_BYTES, theirs.chunk, CHUNK_BYTES);
	message.lease_id = id_field(lease);
	message.chunk_ids = field_of(slice_of(ids, sizeof(ids)));
	pack(out, &message.base);
}

static void body_have(struct bytes *out)
{
	have(out, &victim.upload);
}

static void body_have_own_lease(struct bytes *out)
{
	have(out, &attacker.upload);
}

static void body_put(struct bytes *out)
{
	Store__Put message = STORE__PUT__INIT;

	message.lease_id = id_field(&victim.upload);
	message.chunk_id = chunk_field(theirs.chunk);
	pack(out, &message.base);
}

static void body_put_many(struct bytes *out)
{
	Store__PutMany message = STORE__PUT_MANY__INIT;
	static const uint8_t pages[] = { 1 };

	message.lease_id = id_field(&victim.upload);
	message.chunk_ids = chunk_field(theirs.chunk);
	message.pages = field_of(slice_of(pages, sizeof(pages)));
	pack(out, &message.base);
}

/* A node of the attacker's own that refers to the victim's chunk. */
static void body_put_reference(struct bytes *out)
{
	Store__Put message = STORE__PUT__INIT;
	uint8_t id[CHUNK_BYTES];

	randombytes_buf(id, sizeof(id));
	message.lease_id = id_field(&attacker.upload);
	message.chunk_id = chunk_field(id);
	message.node = true;
	message.refs = chunk_field(theirs.chunk);
	pack(out, &message.base);
}

static void publish(struct bytes *out, const struct id *lease)
{
	Store__Publish message = STORE__PUBLISH__INIT;
	static const uint8_t hash[32];

	message.lease_id = id_field(lease);
	message.root_id = chunk_field(theirs.root);
	message.root_hash = field_of(slice_of(hash, sizeof(hash)));
	message.chunks = 1;
	message.sealed_bytes = SEALED_BYTES_ONE;
	message.sealed_key = field_of(slice_text("key"));
	message.sealed_summary = field_of(slice_text("summary"));
	pack(out, &message.base);
}

static void body_publish(struct bytes *out)
{
	publish(out, &victim.upload);
}

static void body_publish_own_lease(struct bytes *out)
{
	publish(out, &attacker.upload);
}

static void body_abandon(struct bytes *out)
{
	Store__Abandon message = STORE__ABANDON__INIT;

	message.lease_id = id_field(&victim.upload);
	pack(out, &message.base);
}

static void body_restore_end(struct bytes *out)
{
	Store__RestoreEnd message = STORE__RESTORE_END__INIT;

	message.lease_id = id_field(&victim.upload);
	message.ordinal = 1;
	pack(out, &message.base);
}

static void body_rules(struct bytes *out)
{
	Notify__Rules message = NOTIFY__RULES__INIT;

	message.quiet_to = 60;
	pack(out, &message.base);
}

static void get(struct bytes *out, const struct id *lease, const uint8_t *id)
{
	Store__Get message = STORE__GET__INIT;

	message.lease_id = id_field(lease);
	message.chunk_id = chunk_field(id);
	pack(out, &message.base);
}

static void body_get(struct bytes *out)
{
	get(out, &victim.download, theirs.root);
}

static void body_get_root_own_lease(struct bytes *out)
{
	get(out, &attacker.download, theirs.root);
}

static void body_get_chunk_own_lease(struct bytes *out)
{
	get(out, &attacker.download, theirs.chunk);
}

static void body_bind(struct bytes *out)
{
	Binding__Bind message = BINDING__BIND__INIT;

	message.serial = theirs.serial;
	message.label = (char *)"mine now";
	pack(out, &message.base);
}

static void body_ack(struct bytes *out)
{
	Notify__Ack message = NOTIFY__ACK__INIT;
	ProtobufCBinaryData id = id_field(&theirs.notice);

	message.notice_ids = &id;
	message.n_notice_ids = 1;
	pack(out, &message.base);
}

static void body_account(struct bytes *out)
{
	Binding__TerminalsOf message = BINDING__TERMINALS_OF__INIT;

	message.account_id = id_field(&victim.account);
	pack(out, &message.base);
}

/* A ticket's nonce is the id of its session: see crypto/ticket.h. */
#define TICKET_NONCE_AT 82

static void body_revoke_session(struct bytes *out)
{
	Auth__Revoke message = AUTH__REVOKE__INIT;

	message.session_id = field_of(
	    slice_of(victim.tickets[DIRECTION_MANAGE] + TICKET_NONCE_AT,
		TICKET_NONCE_BYTES));
	pack(out, &message.base);
}

static void body_revoke_terminal(struct bytes *out)
{
	Auth__Revoke message = AUTH__REVOKE__INIT;

	message.terminal_id = id_field(&victim.id);
	pack(out, &message.base);
}

static void body_deregister(struct bytes *out)
{
	Auth__Deregister message = AUTH__DEREGISTER__INIT;

	message.account_id = id_field(&victim.account);
	pack(out, &message.base);
}

static void body_grant_remove(struct bytes *out)
{
	Auth__GrantRemove message = AUTH__GRANT_REMOVE__INIT;

	message.terminal_id = id_field(&victim.id);
	pack(out, &message.base);
}

static void body_lookup(struct bytes *out)
{
	Binding__Lookup message = BINDING__LOOKUP__INIT;

	message.peer_key = field_of(
	    slice_of(victim.terminal.keys.public_key, CURVE_KEY_BYTES));
	pack(out, &message.base);
}

static void body_tell(struct bytes *out)
{
	Notify__Tell message = NOTIFY__TELL__INIT;
	Notify__Notice notice = NOTIFY__NOTICE__INIT;

	message.account_id = id_field(&victim.account);
	notice.notice_id = id_field(&theirs.notice);
	notice.kind = NOTIFY__KIND__CODE_CHANGED;
	message.notice = &notice;
	pack(out, &message.base);
}

static void body_audit(struct bytes *out)
{
	Common__AuditQuery message = COMMON__AUDIT_QUERY__INIT;

	message.account_id = id_field(&victim.account);
	pack(out, &message.base);
}

/* ---- answers that are OK: they hold what is the attacker's own ---- */

typedef bool check_fn(struct slice body);

static bool unpacks(struct slice body, const ProtobufCMessageDescriptor *type,
    struct unpack *memory, void *out)
{
	unpack_begin(memory);
	return unpack_message(memory, type, body, out) == STATUS_OK;
}

static bool is_own(ProtobufCBinaryData id)
{
	return slice_equal(
	    field_slice(id), slice_of(attacker.id.bytes, ID_BYTES));
}

static bool check_empty(struct slice body)
{
	return body.len == 0;
}

/* The victim's chunks are not there. */
static bool check_absent(struct slice body)
{
	static const uint8_t absent[2];
	Store__Presence *list;
	struct unpack memory;

	bool good =
	    unpacks(body, &store__presence__descriptor, &memory, &list) &&
	    slice_equal(field_slice(list->presence), slice_of(absent, 2)) &&
	    slice_equal(field_slice(list->pages), slice_of(absent, 2));
	unpack_end(&memory);
	return good;
}

static bool check_snapshots(struct slice body)
{
	Store__SnapshotList *list;
	struct unpack memory;

	bool good =
	    unpacks(body, &store__snapshot_list__descriptor, &memory, &list) &&
	    list->n_snapshots > 0;
	for (size_t i = 0; good && i < list->n_snapshots; i++)
		good = is_own(list->snapshots[i]->terminal_id);
	unpack_end(&memory);
	return good;
}

static bool check_sessions(struct slice body)
{
	Auth__SessionList *list;
	struct unpack memory;

	bool good =
	    unpacks(body, &auth__session_list__descriptor, &memory, &list) &&
	    list->n_sessions > 0;
	for (size_t i = 0; good && i < list->n_sessions; i++)
		good = list->sessions[i]->terminal_id.len == 0 ||
		       is_own(list->sessions[i]->terminal_id);
	unpack_end(&memory);
	return good;
}

static bool check_grants(struct slice body)
{
	Auth__GrantList *list;
	struct unpack memory;

	bool good =
	    unpacks(body, &auth__grant_list__descriptor, &memory, &list) &&
	    list->n_grants == 0;
	unpack_end(&memory);
	return good;
}

/* It revoked something of its own, or nothing; the victim goes on. */
static bool check_revoked(struct slice body)
{
	Auth__Revoked *revoked;
	struct unpack memory;

	bool good =
	    unpacks(body, &auth__revoked__descriptor, &memory, &revoked);
	unpack_end(&memory);
	return good;
}

static bool check_terminals(struct slice body)
{
	Binding__TerminalList *list;
	struct unpack memory;

	bool good = unpacks(body, &binding__terminal_list__descriptor, &memory,
			&list) &&
		    list->n_terminals == 1 &&
		    is_own(list->terminals[0]->terminal_id);
	unpack_end(&memory);
	return good;
}

static bool check_notices(struct slice body)
{
	Notify__NoticeList *list;
	struct unpack memory;

	bool good =
	    unpacks(body, &notify__notice_list__descriptor, &memory, &list);
	for (size_t i = 0; good && i < list->n_notices; i++)
		good = list->notices[i]->terminal_id.len == 0 ||
		       is_own(list->notices[i]->terminal_id);
	unpack_end(&memory);
	return good;
}

/* ---- what is tried ---- */

#define BIT(status) (1u << (status))
#define OK          BIT(STATUS_OK)
#define NOT_FOUND   BIT(STATUS_NOT_FOUND)
#define CONFLICT    BIT(STATUS_CONFLICT)
#define DENIED      BIT(STATUS_DENIED)
#define NEEDS       BIT(STATUS_AUTH_REQUIRED)
#define EXPIRED     BIT(STATUS_EXPIRED)
#define MALFORMED   BIT(STATUS_MALFORMED)

/* Every message that takes a ticket, and what it is good for. */
/* clang-format off */
static const struct asked {
	const char *name;
	uint32_t type;
	enum direction direction;
	body_fn *body;
	bool payload;
} messages[] = {
	{ "VERIFICATION_BEGIN",  AUTH__TYPE__VERIFICATION_BEGIN,  DIRECTION_ENROL,    body_empty,   false },
	{ "VERIFICATION_FINISH", AUTH__TYPE__VERIFICATION_FINISH, DIRECTION_ENROL,    body_empty,   false },
	{ "CODE_BEGIN",          AUTH__TYPE__CODE_BEGIN,          DIRECTION_MANAGE,   body_empty,   false },
	{ "CODE_FINISH",         AUTH__TYPE__CODE_FINISH,         DIRECTION_MANAGE,   body_empty,   false },
	{ "CODE_REMOVE",         AUTH__TYPE__CODE_REMOVE,         DIRECTION_MANAGE,   body_empty,   false },
	{ "INVITATION",          AUTH__TYPE__INVITATION,          DIRECTION_MANAGE,   body_empty,   false },
	{ "GRANT_ADD",           AUTH__TYPE__GRANT_ADD,           DIRECTION_MANAGE,   body_empty,   false },
	{ "GRANT_LIST",          AUTH__TYPE__GRANT_LIST,          DIRECTION_MANAGE,   body_empty,   false },
	{ "GRANT_REMOVE",        AUTH__TYPE__GRANT_REMOVE,        DIRECTION_MANAGE,   body_grant_remove, false },
	{ "SESSIONS",            AUTH__TYPE__SESSIONS,            DIRECTION_MANAGE,   body_empty,   false },
	{ "REVOKE",              AUTH__TYPE__REVOKE,              DIRECTION_MANAGE,   body_revoke_session, false },
	{ "DEREGISTER",          AUTH__TYPE__DEREGISTER,          DIRECTION_MANAGE,   body_deregister, false },
	{ "BACKUP_BEGIN",        STORE__TYPE__BACKUP_BEGIN,       DIRECTION_UPLOAD,   body_empty,   false },
	{ "HAVE",                STORE__TYPE__HAVE,               DIRECTION_UPLOAD,   body_have,    false },
	{ "PUT",                 STORE__TYPE__PUT,                DIRECTION_UPLOAD,   body_put,     true },
	{ "PUT_MANY",            STORE__TYPE__PUT_MANY,           DIRECTION_UPLOAD,   body_put_many, true },
	{ "PUBLISH",             STORE__TYPE__PUBLISH,            DIRECTION_UPLOAD,   body_publish, false },
	{ "BACKUP_ABANDON",      STORE__TYPE__BACKUP_ABANDON,     DIRECTION_UPLOAD,   body_abandon, false },
	{ "SNAPSHOTS",           STORE__TYPE__SNAPSHOTS,          DIRECTION_DOWNLOAD, body_empty,   false },
	{ "RESTORE_BEGIN",       STORE__TYPE__RESTORE_BEGIN,      DIRECTION_DOWNLOAD, body_empty,   false },
	{ "GET",                 STORE__TYPE__GET,                DIRECTION_DOWNLOAD, body_get,     false },
	{ "RESTORE_END",         STORE__TYPE__RESTORE_END,        DIRECTION_DOWNLOAD, body_restore_end, false },
	{ "BIND",                BINDING__TYPE__BIND,             DIRECTION_ENROL,    body_bind,    false },
	{ "TERMINALS",           BINDING__TYPE__TERMINALS,        DIRECTION_MANAGE,   body_empty,   false },
	{ "SUBSCRIBE",           NOTIFY__TYPE__SUBSCRIBE,         DIRECTION_NOTICES,  body_empty,   false },
	{ "RULES",               NOTIFY__TYPE__RULES,             DIRECTION_NOTICES,  body_empty,   false },
	{ "SET_RULES",           NOTIFY__TYPE__SET_RULES,         DIRECTION_MANAGE,   body_rules,   false },
	{ "FETCH",               NOTIFY__TYPE__FETCH,             DIRECTION_NOTICES,  body_empty,   false },
	{ "ACK",                 NOTIFY__TYPE__ACK,               DIRECTION_NOTICES,  body_ack,     false },
};

enum credential { NO_TICKET_AT_ALL, OWN, OWN_EXPIRED, OWN_OTHER, OWN_EDITED, STOLEN, STOLEN_EXPIRED, STOLEN_EDITED };
enum claim { SAYS_NOTHING, SAYS_OWN, SAYS_VICTIM };

/* Every way to ask each of them that must be refused. */
static const struct way {
	const char *name;
	enum credential credential;
	enum claim claim;
	uint32_t allowed;
} ways[] = {
	{ "no ticket",                           NO_TICKET_AT_ALL, SAYS_VICTIM,  NEEDS },
	{ "own ticket, the victim's account",    OWN,              SAYS_VICTIM,  DENIED },
	{ "own ticket for another direction",    OWN_OTHER,        SAYS_OWN,     NEEDS },
	{ "own ticket with the victim's account written in", OWN_EDITED, SAYS_VICTIM, DENIED },
	{ "own expired ticket",                  OWN_EXPIRED,      SAYS_OWN,     EXPIRED | CONFLICT },
	{ "the victim's ticket",                 STOLEN,           SAYS_VICTIM,  DENIED },
	{ "the victim's ticket, nothing said",   STOLEN,           SAYS_NOTHING, DENIED },
	{ "the victim's ticket, own account",    STOLEN,           SAYS_OWN,     DENIED },
	{ "the victim's expired ticket",         STOLEN_EXPIRED,   SAYS_VICTIM,  EXPIRED | DENIED },
	{ "the victim's ticket with own key written in", STOLEN_EDITED, SAYS_VICTIM, DENIED },
};

/* Own ticket, own account: but what is named is the victim's, or nothing. */
static const struct named {
	const char *name;
	struct asked asked;
	uint32_t allowed;
	check_fn *check; /* of an answer that is OK */
} names[] = {
	{ "the victim's lease",           { "HAVE",      STORE__TYPE__HAVE,           DIRECTION_UPLOAD,   body_have,                false }, CONFLICT,  NULL },
	{ "the victim's lease",           { "PUT",       STORE__TYPE__PUT,            DIRECTION_UPLOAD,   body_put,                 true },  CONFLICT,  NULL },
	{ "the victim's lease",           { "PUT_MANY",  STORE__TYPE__PUT_MANY,       DIRECTION_UPLOAD,   body_put_many,            true },  CONFLICT,  NULL },
	{ "the victim's lease",           { "PUBLISH",   STORE__TYPE__PUBLISH,        DIRECTION_UPLOAD,   body_publish,             false }, CONFLICT,  NULL },
	{ "the victim's lease",           { "ABANDON",   STORE__TYPE__BACKUP_ABANDON, DIRECTION_UPLOAD,   body_abandon,             false }, CONFLICT,  NULL },
	{ "the victim's lease",           { "GET",       STORE__TYPE__GET,            DIRECTION_DOWNLOAD, body_get,                 false }, CONFLICT,  NULL },
	{ "the victim's lease",           { "RESTORE_END", STORE__TYPE__RESTORE_END,  DIRECTION_DOWNLOAD, body_restore_end,         false }, CONFLICT,  NULL },
	{ "the victim's chunks",          { "HAVE",      STORE__TYPE__HAVE,           DIRECTION_UPLOAD,   body_have_own_lease,      false }, OK,        check_absent },
	{ "a reference to its chunk",     { "PUT",       STORE__TYPE__PUT,            DIRECTION_UPLOAD,   body_put_reference,       true },  NOT_FOUND, NULL },
	{ "its root",                     { "PUBLISH",   STORE__TYPE__PUBLISH,        DIRECTION_UPLOAD,   body_publish_own_lease,   false }, NOT_FOUND, NULL },
	{ "its root",                     { "GET",       STORE__TYPE__GET,            DIRECTION_DOWNLOAD, body_get_root_own_lease,  false }, NOT_FOUND, NULL },
	{ "its chunk",                    { "GET",       STORE__TYPE__GET,            DIRECTION_DOWNLOAD, body_get_chunk_own_lease, false }, NOT_FOUND, NULL },
	{ "its serial number",            { "BIND",      BINDING__TYPE__BIND,         DIRECTION_ENROL,    body_bind,                false }, CONFLICT,  NULL },
	{ "its notice",                   { "ACK",       NOTIFY__TYPE__ACK,           DIRECTION_NOTICES,  body_ack,                 false }, OK,        check_empty },
	{ "nothing",                      { "SNAPSHOTS", STORE__TYPE__SNAPSHOTS,      DIRECTION_DOWNLOAD, body_empty,               false }, OK,        check_snapshots },
	{ "its account",                  { "DEREGISTER", AUTH__TYPE__DEREGISTER,     DIRECTION_MANAGE,   body_deregister,          false }, DENIED,    NULL },
	{ "its session",                  { "REVOKE",    AUTH__TYPE__REVOKE,          DIRECTION_MANAGE,   body_revoke_session,      false }, NOT_FOUND, NULL },
	{ "its terminal",                 { "REVOKE",    AUTH__TYPE__REVOKE,          DIRECTION_MANAGE,   body_revoke_terminal,     false }, OK | NOT_FOUND | CONFLICT, check_revoked },
	{ "its terminal",                 { "GRANT_REMOVE", AUTH__TYPE__GRANT_REMOVE, DIRECTION_MANAGE,   body_grant_remove,        false }, OK | NOT_FOUND, check_revoked },
	{ "nothing",                      { "SESSIONS",  AUTH__TYPE__SESSIONS,        DIRECTION_MANAGE,   body_empty,               false }, OK,        check_sessions },
	{ "nothing",                      { "GRANT_LIST", AUTH__TYPE__GRANT_LIST,     DIRECTION_MANAGE,   body_empty,               false }, OK,        check_grants },
	{ "nothing",                      { "TERMINALS", BINDING__TYPE__TERMINALS,    DIRECTION_MANAGE,   body_empty,               false }, OK,        check_terminals },
	{ "nothing",                      { "FETCH",     NOTIFY__TYPE__FETCH,         DIRECTION_NOTICES,  body_empty,               false }, OK,        check_notices },
	{ "what only a service may ask",  { "LOOKUP",    BINDING__TYPE__LOOKUP,       DIRECTION_MANAGE,   body_lookup,              false }, MALFORMED | DENIED, NULL },
	{ "what only a service may ask",  { "TERMINALS_OF", BINDING__TYPE__TERMINALS_OF, DIRECTION_MANAGE, body_account,            false }, MALFORMED | DENIED, NULL },
	{ "what only a service may ask",  { "VERIFICATION_STATE", AUTH__TYPE__VERIFICATION_STATE, DIRECTION_MANAGE, body_account,  false }, MALFORMED | DENIED, NULL },
	{ "what only a service may say",  { "TELL",      NOTIFY__TYPE__TELL,          DIRECTION_MANAGE,   body_tell,                false }, MALFORMED | DENIED, NULL },
	{ "what only an operator may ask", { "STATUS_QUERY", COMMON__TYPE__STATUS_QUERY, DIRECTION_MANAGE, body_empty,              false }, MALFORMED | DENIED, NULL },
	{ "what only an operator may ask", { "AUDIT_READ", COMMON__TYPE__AUDIT_READ,  DIRECTION_MANAGE,   body_audit,               false }, MALFORMED | DENIED, NULL },
	{ "what only an operator may ask", { "EXPORT",   OPS__TYPE__EXPORT,           DIRECTION_MANAGE,   body_account,             false }, MALFORMED | DENIED, NULL },
	{ "what only an operator may ask", { "ACCOUNTS", OPS__TYPE__ACCOUNTS,         DIRECTION_MANAGE,   body_account,             false }, MALFORMED | DENIED, NULL },
	{ "what only an operator may ask", { "LOCKS",    OPS__TYPE__LOCKS,            DIRECTION_MANAGE,   body_account,             false }, MALFORMED | DENIED, NULL },
	{ "what only an operator may do",  { "UNLOCK",   OPS__TYPE__UNLOCK,           DIRECTION_MANAGE,   body_account,             false }, MALFORMED | DENIED, NULL },
	{ "what only an operator may do",  { "HAND_BACK", OPS__TYPE__HAND_BACK,       DIRECTION_MANAGE,   body_account,             false }, MALFORMED | DENIED, NULL },
	{ "what only an operator may do",  { "REMOVE",   OPS__TYPE__REMOVE,           DIRECTION_MANAGE,   body_account,             false }, MALFORMED | DENIED, NULL },
	{ "what only an operator may ask", { "USAGE",    OPS__TYPE__USAGE,            DIRECTION_MANAGE,   body_account,             false }, MALFORMED | DENIED, NULL },
	{ "what only an operator may ask", { "BINDINGS", OPS__TYPE__BINDINGS,         DIRECTION_MANAGE,   body_account,             false }, MALFORMED | DENIED, NULL },
	{ "what only an operator may ask", { "QUEUE",    OPS__TYPE__QUEUE,            DIRECTION_MANAGE,   body_account,             false }, MALFORMED | DENIED, NULL },
	{ "what only an operator may do",  { "RESEND",   OPS__TYPE__RESEND,           DIRECTION_MANAGE,   body_account,             false }, MALFORMED | DENIED, NULL },
	{ "what only an operator may ask", { "REKEY",    COMMON__TYPE__REKEY,         DIRECTION_MANAGE,   body_empty,               false }, MALFORMED | DENIED, NULL },
};

/* Under the victim's own request id, at the same time as it asks. */
static const struct named races[] = {
	{ "the victim's request id", { "SNAPSHOTS", STORE__TYPE__SNAPSHOTS,   DIRECTION_DOWNLOAD, body_empty, false }, OK,       check_snapshots },
	{ "the victim's request id", { "TERMINALS", BINDING__TYPE__TERMINALS, DIRECTION_MANAGE,   body_empty, false }, OK,       check_terminals },
	{ "the victim's request id", { "FETCH",     NOTIFY__TYPE__FETCH,      DIRECTION_NOTICES,  body_empty, false }, OK,       check_notices },
	{ "the victim's request id", { "HAVE",      STORE__TYPE__HAVE,        DIRECTION_UPLOAD,   body_have,  false }, CONFLICT, NULL },
	{ "the victim's request id", { "GET",       STORE__TYPE__GET,         DIRECTION_DOWNLOAD, body_get,   false }, CONFLICT, NULL },
};
/* clang-format on */

#endif

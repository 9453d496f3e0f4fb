#include "attacks.h"

#include "auth.pb-c.h"
#include "binding.pb-c.h"
#include "common.pb-c.h"
#include "crypto/envelope.h"
#include "notify.pb-c.h"
#include "store.pb-c.h"

/* Bodies: all of them name what is the victim's. */

#define NOW_CALLED "mine now"

void pack(struct bytes *out, const ProtobufCMessage *message)
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

void body_empty(struct bytes *out)
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

void body_have(struct bytes *out)
{
	have(out, &victim.upload);
}

void body_have_own_lease(struct bytes *out)
{
	have(out, &attacker.upload);
}

void body_put(struct bytes *out)
{
	Store__Put message = STORE__PUT__INIT;

	message.lease_id = id_field(&victim.upload);
	message.chunk_id = chunk_field(theirs.chunk);
	pack(out, &message.base);
}

void body_put_many(struct bytes *out)
{
	Store__PutMany message = STORE__PUT_MANY__INIT;
	static const uint8_t pages[] = { 1 };

	message.lease_id = id_field(&victim.upload);
	message.chunk_ids = chunk_field(theirs.chunk);
	message.pages = field_of(slice_of(pages, sizeof(pages)));
	pack(out, &message.base);
}

/* A node of the attacker's own that refers to the victim's chunk. */
void body_put_reference(struct bytes *out)
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

void body_publish(struct bytes *out)
{
	publish(out, &victim.upload);
}

void body_publish_own_lease(struct bytes *out)
{
	publish(out, &attacker.upload);
}

void body_abandon(struct bytes *out)
{
	Store__Abandon message = STORE__ABANDON__INIT;

	message.lease_id = id_field(&victim.upload);
	pack(out, &message.base);
}

void body_restore_end(struct bytes *out)
{
	Store__RestoreEnd message = STORE__RESTORE_END__INIT;

	message.lease_id = id_field(&victim.upload);
	message.ordinal = 1;
	pack(out, &message.base);
}

void body_rules(struct bytes *out)
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

void body_get(struct bytes *out)
{
	get(out, &victim.download, theirs.root);
}

void body_get_root_own_lease(struct bytes *out)
{
	get(out, &attacker.download, theirs.root);
}

void body_get_chunk_own_lease(struct bytes *out)
{
	get(out, &attacker.download, theirs.chunk);
}

void body_bind(struct bytes *out)
{
	Binding__Bind message = BINDING__BIND__INIT;

	message.serial = theirs.serial;
	message.label = (char *)NOW_CALLED;
	pack(out, &message.base);
}

void body_rebind(struct bytes *out)
{
	Binding__Rebind message = BINDING__REBIND__INIT;

	message.serial = theirs.serial;
	message.label = (char *)NOW_CALLED;
	pack(out, &message.base);
}

void body_unbind_terminal(struct bytes *out)
{
	Binding__Unbind message = BINDING__UNBIND__INIT;

	message.terminal_id = id_field(&victim.id);
	pack(out, &message.base);
}

void body_unbind_serial(struct bytes *out)
{
	Binding__Unbind message = BINDING__UNBIND__INIT;

	message.serial = theirs.serial;
	pack(out, &message.base);
}

void body_entry_save(struct bytes *out)
{
	Binding__EntrySave message;

	binding__entry_save__init(&message);
	message.iccid = (char *)victim.iccid;
	message.number = (char *)"+8613800138000";
	pack(out, &message.base);
}

void body_entry_fetch(struct bytes *out)
{
	Binding__EntryFetch message = BINDING__ENTRY_FETCH__INIT;

	message.iccid = (char *)victim.iccid;
	pack(out, &message.base);
}

void body_snapshot_delete(struct bytes *out)
{
	Store__SnapshotDelete message = STORE__SNAPSHOT_DELETE__INIT;

	message.ordinals = &theirs.ordinal;
	message.n_ordinals = 1;
	pack(out, &message.base);
}

void body_drill(struct bytes *out)
{
	Store__Drill message = STORE__DRILL__INIT;

	message.ordinal = theirs.ordinal;
	message.files = 1;
	message.failed = 1;
	pack(out, &message.base);
}

void body_ack(struct bytes *out)
{
	Notify__Ack message = NOTIFY__ACK__INIT;
	ProtobufCBinaryData id = id_field(&theirs.notice);

	message.notice_ids = &id;
	message.n_notice_ids = 1;
	pack(out, &message.base);
}

void body_account(struct bytes *out)
{
	Binding__TerminalsOf message = BINDING__TERMINALS_OF__INIT;

	message.account_id = id_field(&victim.account);
	pack(out, &message.base);
}

/* A ticket's nonce is the id of its session: see crypto/ticket.h. */
#define TICKET_NONCE_AT 82

void body_revoke_session(struct bytes *out)
{
	Auth__Revoke message = AUTH__REVOKE__INIT;

	message.session_id = field_of(
	    slice_of(victim.tickets[DIRECTION_MANAGE] + TICKET_NONCE_AT,
		TICKET_NONCE_BYTES));
	pack(out, &message.base);
}

void body_revoke_terminal(struct bytes *out)
{
	Auth__Revoke message = AUTH__REVOKE__INIT;

	message.terminal_id = id_field(&victim.id);
	pack(out, &message.base);
}

void body_deregister(struct bytes *out)
{
	Auth__Deregister message = AUTH__DEREGISTER__INIT;

	message.account_id = id_field(&victim.account);
	pack(out, &message.base);
}

void body_grant_remove(struct bytes *out)
{
	Auth__GrantRemove message = AUTH__GRANT_REMOVE__INIT;

	message.terminal_id = id_field(&victim.id);
	pack(out, &message.base);
}

void body_lookup(struct bytes *out)
{
	Binding__Lookup message = BINDING__LOOKUP__INIT;

	message.peer_key = field_of(
	    slice_of(victim.terminal.keys.public_key, CURVE_KEY_BYTES));
	pack(out, &message.base);
}

void body_tell(struct bytes *out)
{
	Notify__Tell message = NOTIFY__TELL__INIT;
	Notify__Notice notice = NOTIFY__NOTICE__INIT;

	message.account_id = id_field(&victim.account);
	notice.notice_id = id_field(&theirs.notice);
	notice.kind = NOTIFY__KIND__CODE_CHANGED;
	message.notice = &notice;
	pack(out, &message.base);
}

void body_audit(struct bytes *out)
{
	Common__AuditQuery message = COMMON__AUDIT_QUERY__INIT;

	message.account_id = id_field(&victim.account);
	pack(out, &message.base);
}

/* ---- what takes no ticket, and what another began ---- */

void body_register_begin(struct bytes *out)
{
	Auth__RegisterBegin message = AUTH__REGISTER_BEGIN__INIT;
	struct opaque_registration state;
	uint8_t request[OPAQUE_REQUEST_BYTES];

	if (opaque_registration_start(&state, request, slice_text(password)) !=
	    STATUS_OK)
		errx(1, "no registration");
	message.name = (char *)victim.name;
	message.opaque_request = field_of(slice_of(request, sizeof(request)));
	pack(out, &message.base);
}

void body_register_finish(struct bytes *out)
{
	Auth__RegisterFinish message = AUTH__REGISTER_FINISH__INIT;

	message.cookie = field_of(bytes_slice(&theirs.register_cookie));
	message.factors = AUTH__FACTOR__PASSWORD;
	pack(out, &message.base);
}

void body_code_finish(struct bytes *out)
{
	Auth__CodeFinish message = AUTH__CODE_FINISH__INIT;

	message.cookie = field_of(bytes_slice(&theirs.code_cookie));
	message.factors = AUTH__FACTOR__PASSWORD;
	pack(out, &message.base);
}

void body_verification_finish(struct bytes *out)
{
	Auth__VerificationFinish message = AUTH__VERIFICATION_FINISH__INIT;

	message.cookie = field_of(bytes_slice(&theirs.verification_cookie));
	pack(out, &message.base);
}

void body_factors(struct bytes *out)
{
	Auth__Factors message = AUTH__FACTORS__INIT;

	message.direction = COMMON__DIRECTION__DOWNLOAD;
	pack(out, &message.base);
}

void body_login_begin(struct bytes *out)
{
	Auth__LoginBegin message = AUTH__LOGIN_BEGIN__INIT;
	struct opaque_login state;
	uint8_t ke1[OPAQUE_KE1_BYTES];

	if (opaque_login_start(&state, ke1, slice_text("a guess")) != STATUS_OK)
		errx(1, "no login");
	message.ke1 = field_of(slice_of(ke1, sizeof(ke1)));
	message.direction = COMMON__DIRECTION__DOWNLOAD;
	pack(out, &message.base);
}

/* The right proof, overheard. */
void body_login_finish(struct bytes *out)
{
	Auth__LoginFinish message = AUTH__LOGIN_FINISH__INIT;

	message.ke3 = field_of(slice_of(theirs.ke3, sizeof(theirs.ke3)));
	message.cookie = field_of(bytes_slice(&theirs.login_cookie));
	pack(out, &message.base);
}

void body_grant_login_begin(struct bytes *out)
{
	Auth__GrantLoginBegin message = AUTH__GRANT_LOGIN_BEGIN__INIT;

	message.direction = COMMON__DIRECTION__UPLOAD;
	pack(out, &message.base);
}

void body_grant_login_finish(struct bytes *out)
{
	Auth__GrantProof message = AUTH__GRANT_PROOF__INIT;

	message.signature =
	    field_of(slice_of(theirs.signature, sizeof(theirs.signature)));
	message.cookie = field_of(bytes_slice(&theirs.grant_cookie));
	pack(out, &message.base);
}

/* ---- the forms ---- */

/* Seal ${plain} to auth for the request that ${header} is of. */
static void seal_to_auth(
    struct bytes *out, const struct header *header, struct slice plain)
{
	uint8_t associated[ID_BYTES + 4];
	struct envelope_reply_key reply_key;

	memcpy(associated, header->request.bytes, ID_BYTES);
	put_be32(associated + ID_BYTES, header->type);
	if (bytes_reserve(out, ENVELOPE_REQUEST_BYTES(plain.len)) !=
		STATUS_OK ||
	    envelope_request_seal(out->data, &reply_key,
		victim.terminal.enrolment.auth_x25519, plain,
		slice_of(associated, sizeof(associated))) != STATUS_OK)
		errx(1, "nothing can be sealed");
	out->len = ENVELOPE_REQUEST_BYTES(plain.len);
}

/* The message that ${out} holds, as a whole. */
static void seal_whole(struct bytes *out, const struct header *header)
{
	Auth__Sealed message = AUTH__SEALED__INIT;
	struct bytes sealed = { 0 };

	seal_to_auth(&sealed, header, bytes_slice(out));
	message.data = field_of(bytes_slice(&sealed));
	bytes_clear(out);
	pack(out, &message.base);
	bytes_clear(&sealed);
}

/*
 * The name goes behind the message that ${out} holds: a field of a message
 * may come last, and in all three that have a sealed name it is the first.
 */
void body_seal_name(struct bytes *out, const struct header *header)
{
	Auth__Invite message = AUTH__INVITE__INIT;
	struct bytes sealed = { 0 }, field = { 0 };

	seal_to_auth(&sealed, header, slice_text(victim.name));
	message.name_sealed = field_of(bytes_slice(&sealed));
	pack(&field, &message.base);
	if (bytes_append(out, bytes_slice(&field)) != STATUS_OK)
		errx(1, "no memory");
	bytes_clear(&sealed);
	bytes_clear(&field);
}

void body_make(struct bytes *out, const struct header *header, body_fn *body,
    enum form form)
{
	body(out);
	if (form == SEALED)
		seal_whole(out, header);
	if (form == NAME_SEALED)
		body_seal_name(out, header);
}

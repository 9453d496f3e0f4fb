#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <zmq.h>

#include "../../services/notify/notice.h"
#include "../../services/store/health_db.h"
#include "../../services/store/store_db.h"
#include "base/bounds.h"
#include "bus/header.h"
#include "bus/unpack.h"
#include "crypto/auth_keys.h"
#include "crypto/enrolment.h"
#include "crypto/seal.h"
#include "crypto/ticket.h"
#include "fuzz_body.h"
#include "fuzz_opaque.h"
#include "service/backup_manifest.h"
#include "service/keyfile_internal.h"
#include "manifest.pb-c.h"
#include "service/order.h"
#include "service/audit_record.h"
#include "service/event.h"

/*
 * seeds FOLDER: write the corpus that the harnesses begin with, a folder
 * for each with a few small and good inputs.  Run it again when a layout
 * changes:
 *
 *   make build/tests/fuzz/seeds && build/tests/fuzz/seeds tests/fuzz/corpus
 */

#define PATH_BYTES       4096
#define MANIFEST_BYTES   32 /* of chunk ids and keys */
#define NOTICE_KEY_BYTES (8 + ID_BYTES)

static const char *folder;

/* What is being put together. */
static struct bytes seed;

static void add(struct slice part)
{
	must(bytes_append(&seed, part) == STATUS_OK);
}

static void add_byte(unsigned int number)
{
	const uint8_t byte = (uint8_t)number;

	add(slice_of(&byte, 1));
}

static void add_16(size_t number)
{
	uint8_t bytes[2];

	put_be16(bytes, (uint16_t)number);
	add(slice_of(bytes, sizeof(bytes)));
}

static void add_64(uint64_t number)
{
	uint8_t bytes[8];

	put_be64(bytes, number);
	add(slice_of(bytes, sizeof(bytes)));
}

static void add_text(const char *text)
{
	add(slice_text(text));
}

/* ${len} times the same byte: an id, a key. */
static void add_many(uint8_t byte, size_t len)
{
	for (size_t i = 0; i < len; i++)
		add_byte(byte);
}

static void add_message(const ProtobufCMessage *message)
{
	must(pack_message(&seed, message) == STATUS_OK);
}

/* A message after its length, as in a manifest. */
static void add_delimited(const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);

	for (; len >= 0x80; len >>= 7)
		add_byte(0x80 | (len & 0x7f));
	add_byte((unsigned int)len);
	add_message(message);
}

/* Put the length, two bytes, before what was added since ${at}. */
static void frame_since(size_t at)
{
	size_t len = seed.len - at;

	add_16(0);
	memmove(seed.data + at + 2, seed.data + at, len);
	put_be16(seed.data + at, (uint16_t)len);
}

/* What was put together is corpus/${what}/${name}. */
static void save(const char *what, const char *name)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s", folder, what);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/%s/%s", folder, what, name);
	FILE *file = fopen(path, "wb");
	must(file);
	must(fwrite(seed.data, 1, seed.len, file) == seed.len);
	must(fclose(file) == 0);
	bytes_clear(&seed);
}

static void save_text(const char *what, const char *name, const char *text)
{
	add_text(text);
	save(what, name);
}

/* ---- the bus ---- */

static void headers(void)
{
	static const uint8_t critical[] = { 0x80, 0x04, 1 }; /* field 64 */
	struct header header = {
		.request = { { 1 } },
		.account = { { 2 } },
		.trace = { { 3 } },
		.type = 0x0203,
		.deadline_ms = 30000,
		.ticket = { 1, 2, 3 },
		.ticket_len = TICKET_BYTES,
		.peer = { .kind = PEER_CURVE_KEY,
		    .id = { 4 },
		    .id_len = 32,
		    .address = "192.0.2.1" },
	};

	must(header_pack(&seed, &header) == STATUS_OK);
	save("header", "request");
	header = (struct header){ .request = { { 1 } },
		.trace = { { 1 } },
		.type = TYPE_REPLY,
		.status = STATUS_BUSY,
		.retry_after_ms = 500,
		.tries_remaining = 2,
		.server_time_ms = 1790000000000,
		.detail = "später" };
	must(header_pack(&seed, &header) == STATUS_OK);
	save("header", "reply");
	must(header_pack(&seed, &header) == STATUS_OK);
	add(slice_of(critical, sizeof(critical)));
	save("header", "critical");
}

static void body(const ProtobufCMessage *message)
{
	struct bytes packed = { 0 };
	size_t type = 0;

	while (body_types[type] != message->descriptor) {
		type++;
		must(type < nitems(body_types));
	}
	must(pack_message(&packed, message) == STATUS_OK);
	add_byte((unsigned int)type);
	add(bytes_slice(&packed));
	save("body", message->descriptor->name);
	bytes_clear(&packed);
}

static Notify__Rule notice_rule = {
	.base = PROTOBUF_C_MESSAGE_INIT(&notify__rule__descriptor),
	.kind = NOTIFY__KIND__BACKUP_DONE,
	.urgency = NOTIFY__URGENCY__IN_TIME,
	.together_s = 3600,
};
static Notify__Rule *notice_rule_list[] = { &notice_rule };
static const Notify__Rules notice_rules = {
	.base = PROTOBUF_C_MESSAGE_INIT(&notify__rules__descriptor),
	.quiet_from = 1320,
	.quiet_to = 420,
	.n_rules = 1,
	.rules = notice_rule_list,
};

/* What keepsakectl asks, and how it is answered. */
static void operator_bodies(void)
{
	Ops__ListQuery query = OPS__LIST_QUERY__INIT;
	Ops__ListPage page = OPS__LIST_PAGE__INIT;
	Ops__ListRow row = OPS__LIST_ROW__INIT, *rows[] = { &row };
	Ops__ListField field = OPS__LIST_FIELD__INIT, *fields[] = { &field };
	Ops__Resend resend = OPS__RESEND__INIT;
	Ops__Deed deed = OPS__DEED__INIT;
	Ops__Unlock unlock = OPS__UNLOCK__INIT;
	Ops__Revoke revoke = OPS__REVOKE__INIT;
	Ops__ScrubQuery scrub = OPS__SCRUB_QUERY__INIT;
	Ops__QuotaSet quota = OPS__QUOTA_SET__INIT;
	Ops__By by = OPS__BY__INIT;

	query.account_id = query.after =
	    field_of(slice_of("0123456789abcdef", ID_BYTES));
	body(&query.base);
	field.name = (char *)"label";
	field.value_case = OPS__LIST_FIELD__VALUE_TEXT;
	field.text = (char *)"phone";
	row.kind = (char *)"terminal";
	row.n_fields = 1;
	row.fields = fields;
	page.n_rows = 1;
	page.rows = rows;
	page.next = query.after;
	body(&page.base);
	by.name = (char *)"ann";
	by.reason = (char *)"asked for";
	by.document = (char *)"passport:12AB";
	resend.by = deed.by = unlock.by = revoke.by = &by;
	resend.account_id = resend.notice_id = query.after;
	deed.account_id = unlock.account_id = query.after;
	revoke.account_id = revoke.session_id = query.after;
	unlock.lane = (char *)"bound";
	body(&resend.base);
	body(&deed.base);
	body(&unlock.base);
	body(&revoke.base);
	scrub.account_id = query.account_id;
	scrub.start = true;
	body(&scrub.base);
	quota.account_id = query.account_id;
	quota.soft = 1 << 30;
	quota.hard = 2ull << 30;
	quota.by = &by;
	body(&quota.base);
}

/* Backups: the messages, the manifest, the list of deletions. */
static void backups(void)
{
	Ops__Backup backup = OPS__BACKUP__INIT;
	Ops__BackupState state = OPS__BACKUP_STATE__INIT;
	struct backup_manifest manifest = {
		.service = "store",
		.version = "0.1.0",
		.database = { .format = 3, .point_ms = 1740819626138 },
		.files = { { BACKUP_DATABASE, 4096, { 1 } },
		    { BACKUP_KEYS, 5, { 2 } }, { BACKUP_JOURNAL, 6, { 3 } } },
		.files_count = 3,
	};

	backup.name = (char *)"2026-11-20";
	backup.set_id = field_of(slice_of("0123456789abcdef", ID_BYTES));
	body(&backup.base);
	state.done = state.ledger = true;
	state.folder = (char *)"/var/lib/keepsake/store.backups/2026-11-20";
	state.point_ms = 1740819626138;
	state.format = 3;
	body(&state.base);
	must(backup_manifest_write(&seed, &manifest) == STATUS_OK);
	save("backup", "manifest");
	must(backup_manifest_write(&seed, &manifest) == STATUS_OK);
	seed.len -= strlen("end \n") + 2 * (size_t)BACKUP_HASH_BYTES;
	save("backup", "manifest-without-hash");
	add_byte(0);
	save_text("backup", "deletion",
	    "5 000102030405060708090a0b0c0d0e0f 1740819626138");
}

static void bodies(void)
{
	uint8_t bytes[64] = { 1, 2, 3 };
	ProtobufCBinaryData id = { ID_BYTES, bytes }, long_id = { 32, bytes };
	ProtobufCBinaryData ids[] = { id, id };
	Common__Figure *reported = &(Common__Figure)COMMON__FIGURE__INIT;
	Common__StatusReport report = COMMON__STATUS_REPORT__INIT;
	Auth__RegisterBegin begin = AUTH__REGISTER_BEGIN__INIT;
	Auth__LoginDone done = AUTH__LOGIN_DONE__INIT;
	Store__Snapshot *snapshot = &(Store__Snapshot)STORE__SNAPSHOT__INIT;
	Store__SnapshotList snapshots = STORE__SNAPSHOT_LIST__INIT;
	Common__CompactedFile *file =
	    &(Common__CompactedFile)COMMON__COMPACTED_FILE__INIT;
	Common__Compacted compacted = COMMON__COMPACTED__INIT;
	Store__Put put = STORE__PUT__INIT;
	Store__PutMany put_many = STORE__PUT_MANY__INIT;
	Store__SnapshotDelete snapshot_delete = STORE__SNAPSHOT_DELETE__INIT;
	Store__DamageList damage = STORE__DAMAGE_LIST__INIT;
	Store__Drill drill = STORE__DRILL__INIT;
	uint64_t ordinals[] = { 1, 2, UINT64_MAX };
	Binding__Bind bind = BINDING__BIND__INIT;
	Binding__Terminal *terminal =
	    &(Binding__Terminal)BINDING__TERMINAL__INIT;
	Binding__TerminalList terminals = BINDING__TERMINAL_LIST__INIT;
	Binding__Rebind rebind = BINDING__REBIND__INIT;
	Binding__Unbind unbind = BINDING__UNBIND__INIT;
	Binding__EntrySave entry_save;
	Binding__Entry *entry = &(Binding__Entry)BINDING__ENTRY__INIT;
	Binding__EntryList entries = BINDING__ENTRY_LIST__INIT;
	Notify__Figure *figure = &(Notify__Figure)NOTIFY__FIGURE__INIT;
	Notify__Notice notice = NOTIFY__NOTICE__INIT;
	Notify__Tell tell = NOTIFY__TELL__INIT;
	Notify__Ack ack = NOTIFY__ACK__INIT;
	Store__RestoreEnd restore_end = STORE__RESTORE_END__INIT;

	report.program = "keepsake-store";
	reported->name = "map_bytes";
	report.figures = &reported;
	report.n_figures = 1;
	body(&report.base);
	begin.name = "ann@example.org";
	begin.opaque_request = long_id;
	body(&begin.base);
	done.ticket = done.wrapped_root = long_id;
	done.account_id = id;
	done.expiry_ms = 1790000000000;
	body(&done.base);
	snapshot->ordinal = 7;
	snapshot->root_id = snapshot->sealed_key = long_id;
	snapshots.snapshots = &snapshot;
	snapshots.n_snapshots = 1;
	body(&snapshots.base);
	file->name = "journal";
	file->before_bytes = UINT64_MAX;
	compacted.files = &file;
	compacted.n_files = 1;
	body(&compacted.base);
	snapshot_delete.ordinals = ordinals;
	snapshot_delete.n_ordinals = nitems(ordinals);
	body(&snapshot_delete.base);
	damage.chunks = 3;
	damage.ordinals = ordinals;
	damage.n_ordinals = nitems(ordinals);
	damage.more = true;
	body(&damage.base);
	drill.ordinal = 7;
	drill.files = 20;
	drill.failed = 1;
	body(&drill.base);
	put.lease_id = id;
	put.chunk_id = put.refs = long_id;
	put.node = true;
	body(&put.base);
	put_many.lease_id = id;
	put_many.chunk_ids = (ProtobufCBinaryData){ 64, bytes };
	put_many.pages = (ProtobufCBinaryData){ 2, bytes };
	body(&put_many.base);
	bind.imei = "490154203237518";
	bind.serial = "R58M123";
	bind.label = "Anns Telefon";
	body(&bind.base);
	terminal->terminal_id = id;
	terminal->peer_key = long_id;
	terminals.terminals = &terminal;
	terminals.n_terminals = 1;
	body(&terminals.base);
	rebind.imei = bind.imei;
	rebind.serial = bind.serial;
	rebind.label = bind.label;
	body(&rebind.base);
	unbind.terminal_id = id;
	body(&unbind.base);
	binding__entry_save__init(&entry_save);
	entry_save.iccid = "8988211000000530082";
	entry_save.number = "+4915112345678";
	entry_save.content_case = BINDING__ENTRY_SAVE__CONTENT_DATA;
	entry_save.data = long_id;
	body(&entry_save.base);
	entry->iccid = entry_save.iccid;
	entry->number = entry_save.number;
	entry->first_save_ms = entry->last_update_ms = 1790000000000;
	entry->data = long_id;
	entries.entries = &entry;
	entries.n_entries = 1;
	body(&entries.base);
	figure->name = "ordinal";
	figure->value = 7;
	notice.notice_id = id;
	notice.kind = NOTIFY__KIND__BACKUP_DONE;
	notice.when_ms = 1790000000000;
	notice.figures = &figure;
	notice.n_figures = 1;
	tell.account_id = id;
	tell.notice = &notice;
	body(&tell.base);
	ack.notice_ids = ids;
	ack.n_notice_ids = nitems(ids);
	body(&ack.base);
	restore_end.lease_id = id;
	restore_end.ordinal = 7;
	body(&notice_rules.base);
	body(&restore_end.base);
	operator_bodies();
}

/* What comes before a login, and a code that is changed after one. */
static void login_bodies(void)
{
	uint8_t bytes[OPAQUE_RECORD_BYTES] = { 1, 2, 3 };
	ProtobufCBinaryData ke1 = { OPAQUE_KE1_BYTES, bytes };
	ProtobufCBinaryData name = { 80, bytes };
	Auth__Factors factors = AUTH__FACTORS__INIT;
	Auth__LoginBegin begin = AUTH__LOGIN_BEGIN__INIT;
	Auth__LoginFinish finish = AUTH__LOGIN_FINISH__INIT;
	Auth__CodeFinish code = AUTH__CODE_FINISH__INIT;
	Auth__Invite invite = AUTH__INVITE__INIT;
	Auth__Invitation invitation = AUTH__INVITATION__INIT;

	factors.name_sealed = name;
	factors.direction = COMMON__DIRECTION__UPLOAD;
	body(&factors.base);
	begin.name_sealed = name;
	begin.ke1 = ke1;
	begin.direction = COMMON__DIRECTION__BIND;
	body(&begin.base);
	finish.cookie = name;
	body(&finish.base);
	code.cookie = name;
	code.opaque_record =
	    (ProtobufCBinaryData){ OPAQUE_RECORD_BYTES, bytes };
	code.factors = 5;
	code.slot = AUTH__CODE_SLOT__TERMINAL_CODE;
	body(&code.base);
	invite.name_sealed = name;
	body(&invite.base);
	invitation.code = "7QK3M-X0HFS";
	invitation.expiry_ms = 1790000000000;
	body(&invitation.base);
}

/* What auth orders, and what makes it. */
static void order_bodies(void)
{
	uint8_t bytes[ID_BYTES] = { 1, 2, 3 };
	ProtobufCBinaryData id = { ID_BYTES, bytes };
	Common__Order *order = &(Common__Order)COMMON__ORDER__INIT;
	Common__Orders orders = COMMON__ORDERS__INIT;
	Auth__Session *session = &(Auth__Session)AUTH__SESSION__INIT;
	Auth__SessionList sessions = AUTH__SESSION_LIST__INIT;
	Auth__Revoke revoke = AUTH__REVOKE__INIT;
	Auth__Revoked revoked = AUTH__REVOKED__INIT;
	Auth__TerminalGone gone = AUTH__TERMINAL_GONE__INIT;
	char *store = "store";

	order->sequence = order->when_ms = 1790000000000;
	order->kind = ORDER_REVOKE_TERMINAL;
	order->account_id = order->subject = id;
	orders.latest = orders.reaches = order->sequence;
	orders.orders = &order;
	orders.n_orders = 1;
	body(&orders.base);
	session->session_id = session->terminal_id = id;
	session->direction = COMMON__DIRECTION__UPLOAD;
	session->current = true;
	sessions.sessions = &session;
	sessions.n_sessions = 1;
	body(&sessions.base);
	revoke.all = revoke.keep_current = true;
	body(&revoke.base);
	revoked.unconfirmed = &store;
	revoked.n_unconfirmed = 1;
	body(&revoked.base);
	gone.account_id = gone.terminal_id = id;
	body(&gone.base);
}

static void messages(void)
{
	static const size_t frames[] = { 5, 1, 40, 100, 200 };

	add_byte(2);
	for (size_t i = 0; i < nitems(frames); i++) {
		add_16(frames[i]);
		add_many((uint8_t)i, frames[i]);
	}
	save("message", "routed");
	add_byte(0);
	add_16(40);
	add_many(1, 40);
	add_16(0);
	save("message", "empty-body");
}

/* ---- what is signed or sealed ---- */

static void tickets(void)
{
	static const uint8_t key_seed[crypto_sign_SEEDBYTES] = { 1 };
	uint8_t public_key[TICKET_PUBLIC_BYTES];
	uint8_t secret_key[TICKET_SECRET_BYTES];
	uint8_t bytes[TICKET_BYTES];
	struct ticket ticket = { .direction = DIRECTION_UPLOAD,
		.account = { { 1 } },
		.terminal = { { 2 } },
		.issued_ms = 1790000000000,
		.expiry_ms = 1790000600000 };

	crypto_sign_seed_keypair(public_key, secret_key, key_seed);
	ticket_sign(bytes, &ticket, secret_key);
	add(slice_of(bytes, sizeof(bytes)));
	save("ticket", "good");
	ticket.expiry_ms = ticket.issued_ms = 1;
	ticket_sign(bytes, &ticket, secret_key);
	add(slice_of(bytes, sizeof(bytes)));
	save("ticket", "expired");
}

static void envelopes(void)
{
	static const uint8_t key_seed[crypto_kx_SEEDBYTES] = { 1 };
	static const uint8_t session_key[OPAQUE_KEY_BYTES] = { 2 };
	uint8_t public_key[ENVELOPE_PUBLIC_BYTES];
	uint8_t secret_key[ENVELOPE_SECRET_BYTES];
	uint8_t sealed[ENVELOPE_REQUEST_BYTES(5)];
	struct envelope_reply_key key;
	struct slice plain = slice_text("plain"), label = slice_text("type");

	crypto_kx_seed_keypair(public_key, secret_key, key_seed);
	must(envelope_request_seal(sealed, &key, public_key, plain, label) ==
	     STATUS_OK);
	add_byte((unsigned int)label.len);
	add(label);
	add(slice_of(sealed, sizeof(sealed)));
	save("envelope", "request");
	session_seal(
	    sealed, session_key, SESSION_TO_AUTH, "fuzz", plain, label);
	add_byte((unsigned int)label.len);
	add(label);
	add(slice_of(sealed, SEALED_BYTES(plain.len)));
	save("envelope", "session");
}

static void opaque_message(
    const char *what, unsigned int choice, const char *name, struct slice part)
{
	add_byte(choice);
	add(part);
	save(what, name);
}

static void opaque(void)
{
	struct opaque_ends *ends = opaque_ends();
	uint8_t response[OPAQUE_RESPONSE_BYTES], record[OPAQUE_RECORD_BYTES];
	uint8_t export_key[OPAQUE_KEY_BYTES], ke2[OPAQUE_KE2_BYTES];
	struct slice request = slice_of(ends->request, OPAQUE_REQUEST_BYTES);
	struct slice ke1 = slice_of(ends->ke1, OPAQUE_KE1_BYTES);
	struct opaque_expected expected;

	must(opaque_registration_respond(response, &ends->server,
		 ends->credential_id, request) == STATUS_OK);
	must(opaque_registration_finish(record, export_key, &ends->registration,
		 &opaque_fixed, ends->server.public_key, ends->password,
		 slice_of(response, sizeof(response))) == STATUS_OK);
	must(opaque_login_respond(ke2, &expected, &opaque_fixed, &ends->server,
		 ends->credential_id, slice_of(record, sizeof(record)),
		 ke1) == STATUS_OK);
	opaque_message("opaque_server", 0, "request", request);
	opaque_message(
	    "opaque_server", 1, "record", slice_of(record, sizeof(record)));
	opaque_message("opaque_server", 2, "ke1", ke1);
	opaque_message("opaque_server", 3, "ke3",
	    slice_of(expected.client_mac, OPAQUE_KE3_BYTES));
	opaque_message("opaque_client", 0, "response",
	    slice_of(response, sizeof(response)));
	opaque_message("opaque_client", 1, "ke2", slice_of(ke2, sizeof(ke2)));
}

static void keys(void)
{
	static const uint8_t key_seed[OPAQUE_SEED_BYTES] = { 1 };
	uint8_t secret[OPAQUE_SECRET_BYTES];
	char text[ENROLMENT_TEXT_BYTES], trust[AUTH_PUBLIC_TEXT_BYTES];
	char z85[41];
	struct enrolment enrolment = { .host = "keepsake.example.org",
		.port = 7700,
		.gateway_key = { 1 },
		.auth_x25519 = { 2 } };
	struct auth_public public_keys = { .x25519 = { 2 }, .ticket = { 3 } };

	opaque_key_pair(secret, public_keys.opaque, key_seed);
	memcpy(enrolment.auth_opaque, public_keys.opaque, ENROLMENT_KEY_BYTES);
	must(enrolment_format(text, &enrolment) == STATUS_OK);
	save_text("enrolment", "name", text);
	strcpy(enrolment.host, "[2001:db8::1]");
	must(enrolment_format(text, &enrolment) == STATUS_OK);
	add_text(text);
	save_text("enrolment", "address", "&future=1");
	strcpy(enrolment.others[0].host, "second.example.org");
	enrolment.others[0].port = 7701;
	enrolment.others[0].key[0] = 1;
	enrolment.others[1] = enrolment.others[0];
	enrolment.others[1].key[0] = 4;
	enrolment.others_count = 2;
	must(enrolment_format(text, &enrolment) == STATUS_OK);
	save_text("enrolment", "gateways", text);
	auth_public_format(trust, &public_keys);
	save_text("trust", "keys", trust);
	must(zmq_z85_encode(z85, secret, sizeof(secret)));
	add_text(z85);
	save_text("curve_key", "key", "\n");
}

/* ---- what people and phones write ---- */

static void texts(void)
{
	save_text("health", "not-ready",
	    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 17\r\n\r\n"
	    "no link to store\n");
	save_text("name", "phone", "+49 (151) 234-567 89");
	save_text("name", "email", "Ann.B@Example.ORG");
	save_text("name", "nickname", "Straße_7");
	save_text("imei", "good", "490154203237518");
	save_text("iccid", "digits", "89882110000005300811");
	add(slice_of("\x98\x88\x12\x01\0\0\x50\x03\x80\xf2", 10));
	save("iccid", "card");
	save_text("conf", "example",
	    "# comment\n[common]\nrun = /run/keepsake\nkeys = /etc/keepsake\n"
	    "\n[store]\ndata = /var/lib/keepsake/store\nquota = 10G\n"
	    "[gateway]\nlisten = tcp://0.0.0.0:7700\n");
	add_64(UINT64_MAX);
	save_text("text", "size", "12M");
	add_64(1000);
	save_text("text", "number", "999");
	add_64(0);
	save_text("text", "duration", "90min");
	add_64(0);
	save_text("text", "hex", "00112233445566778899aAbBcCdDeEfF");
	add_64(0);
	save_text("text", "words", "käse \xe2\x82\xac \xf0\x9f\x93\xb1 \"x\"");
	add_text("DCIM/Camera/IMG_1.JPG");
	add_byte(0);
	save("category", "name");
	add_text("data/unknown");
	add_byte(0);
	save_text("category", "head", "\xff\xd8\xff\xe0 JFIF");
	save_text("state", "account",
	    "name=ann\naccount=00112233445566778899aabbccddeeff\nasked=17\n");
	save_text("identity", "all",
	    "# mine\nserial=R58M1234ABC\nimei=490154203237518\n"
	    "imsi=262011234567890\n");
	save_text("identity", "twice", "imsi=262011\nimsi=262011\n");
	add_byte(15);
	add_16(9);
	add_text("swordfish");
	add_16(3);
	add_text("SN1");
	add_16(15);
	add_text("490154203237518");
	save_text("code", "all", "262011234567890");
}

static void put_manys(void)
{
	add_byte(0); /* three pages in two chunks, less 16 bytes for each */
	add_16(3 * PAGE_BYTES - 2 * PAGE_HEAD_BYTES);
	add_byte(2);
	add_byte(1);
	add_byte(2);
	add_many(5, CHUNK_ID_BYTES);
	add_many(6, CHUNK_ID_BYTES);
	save("put_many", "two");
	add_byte(0);
	add_16(2 * (PAGE_BYTES - PAGE_HEAD_BYTES));
	add_byte(2);
	add_many(1, 2);
	add_many(5, 2 * CHUNK_ID_BYTES);
	save("put_many", "twice");
}

static void cards(void)
{
	add_byte(1);
	add_many(7, SEALED_BYTES(30));
	save("card", "sealed");
	save_text("card", "plain", "a mirror that somebody else has kept");
}

/* ---- backups ---- */

static void add_entry(
    Manifest__Type type, const char *path, const char *target, bool extent)
{
	static uint8_t bytes[MANIFEST_BYTES];
	Manifest__Entry entry = MANIFEST__ENTRY__INIT;
	Manifest__Owner owner = MANIFEST__OWNER__INIT;
	Manifest__Extent parts[] = { MANIFEST__EXTENT__INIT,
		MANIFEST__EXTENT__INIT };
	Manifest__Extent *pointers[] = { &parts[0], &parts[1] };

	entry.type = type;
	entry.path = field_of(slice_text(path));
	entry.target = field_of(slice_text(target));
	entry.mode = 0644;
	entry.mtime_s = 1790000000;
	entry.owner = &owner;
	if (extent) {
		entry.category = 9;
		entry.size = 150;
		entry.hash = field_of(slice_of(bytes, 16));
		parts[0].chunk_id = parts[0].chunk_key =
		    field_of(slice_of(bytes, sizeof(bytes)));
		parts[0].offset = 10;
		parts[0].length = 100;
		parts[1].length = 50; /* a hole */
		entry.extents = pointers;
		entry.n_extents = nitems(parts);
	}
	add_delimited(&entry.base);
}

static void add_leaf(void)
{
	size_t at = seed.len;

	add_byte(0); /* level */
	add_entry(MANIFEST__TYPE__FOLDER, "a", "", false);
	add_entry(MANIFEST__TYPE__FILE, "a/b", "", true);
	add_entry(MANIFEST__TYPE__HARD_LINK, "a/c", "a/b", false);
	add_entry(MANIFEST__TYPE__SYMLINK, "d", "a/b", false);
	frame_since(at);
}

static void manifests(void)
{
	static uint8_t bytes[MANIFEST_BYTES];
	Manifest__Link link = MANIFEST__LINK__INIT;

	add_leaf();
	save("manifest", "leaf");
	link.chunk_id = link.chunk_key =
	    field_of(slice_of(bytes, sizeof(bytes)));
	add_byte(1);
	add_delimited(&link.base);
	frame_since(0);
	add_leaf();
	save("manifest", "tree");

	add_byte(1); /* frames with entries */
	add_16(1);   /* chunks */
	size_t at = seed.len;
	add_many(1, 20); /* stamp */
	add_entry(MANIFEST__TYPE__FILE, "a/b", "", true);
	frame_since(at);
	at = seed.len;
	add_many(7, 15);
	add_byte(64); /* pages */
	frame_since(at);
	save("cache", "one-file");
}

static void summaries(void)
{
	static uint8_t bytes[MANIFEST_BYTES];
	Manifest__Summary summary = MANIFEST__SUMMARY__INIT;
	Manifest__CategoryTotal total = MANIFEST__CATEGORY_TOTAL__INIT;
	Manifest__CategoryTotal *totals[] = { &total };

	summary.root_key = field_of(slice_of(bytes, sizeof(bytes)));
	summary.started_ms = 1790000000000;
	summary.label = "before the holiday";
	summary.host = "phone";
	summary.folder = field_of(slice_text("/home/ann/photos"));
	total.category = 9;
	total.files = total.bytes = 17;
	summary.categories = totals;
	summary.n_categories = nitems(totals);
	add_message(&summary.base);
	frame_since(0);
	add_many(0, 16);
	save("summary", "good");
}

/* Mode, origin, and a body as long as the mode's. */
static void snapshot_keys(void)
{
	static const struct {
		const char *name;
		unsigned int mode;
		size_t len;
	} modes[] = {
		{ "sealed", 1, 72 },
		{ "local", 2, 16 },
		{ "account", 5, 32 + 72 },
	};

	for (size_t i = 0; i < nitems(modes); i++) {
		add_byte(modes[i].mode);
		add_byte(1);
		add_many(9, modes[i].len);
		save("snapshot_key", modes[i].name);
	}
}

static void add_field(const char *name, size_t len)
{
	add_text(name);
	for (size_t i = 0; i < len; i++)
		add_text("1f");
	add_text("\n");
}

static void key_files(void)
{
	static const char *const keys[] = { "seed=", "chunk_id=", "chunk_key=",
		"chunker_seed=", "snapshot_writer=", "account_key=" };

	add_text("keepsake local key 1\n");
	add_field("account=", ID_BYTES);
	add_field("key=", 32);
	save("key_file", "local");
	add_text("keepsake grant 1\n");
	add_field("account=", ID_BYTES);
	add_field("terminal=", ID_BYTES);
	for (size_t i = 0; i < nitems(keys); i++)
		add_field(keys[i], 32);
	save("key_file", "grant");
	save_text("tool_lock", "line",
	    "$argon2id$v=19$m=65536,t=3,p=1$MDEyMzQ1Njc4OWFiY2RlZg$"
	    "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\n");
}

static void add_chunk(unsigned int method, size_t plain_len)
{
	add_byte(0);
	add_byte(method);
	add_16(0);
	add_16(plain_len);
}

static void chunks(void)
{
	/* zstd of 64 times "a": one block, a run, RFC 8878 clause 3.1.1. */
	static const uint8_t run[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x40, 0x03,
		0x02, 0x00, 'a' };

	add_chunk(0, 5);
	add_text("plain");
	add_many(0, 8);
	save("chunk", "raw");
	add_chunk(1, 64);
	add(slice_of(run, sizeof(run)));
	add_many(0, 8);
	save("chunk", "zstd");
}

/* ---- rows ---- */

/* Begin a row whose key is ${key_len} times the byte ${key}. */
static void add_row(uint8_t key, size_t key_len, size_t value_len)
{
	add_byte((unsigned int)key_len);
	add_16(value_len);
	add_many(key, key_len);
	if (value_len > 0)
		add_byte(1); /* version */
}

static void auth_rows(void)
{
	add_byte(0);
	add_many(1, 41);
	add_text("anna@example.org");
	save("auth_db", "account");
	add_byte(1);
	add_many(1, 13 + OPAQUE_RECORD_BYTES + 72);
	save("auth_db", "credential");
	add_byte(2);
	add_row(7, 1, 9);
	add_many(1, 8);
	save("auth_db", "told");
	add_byte(2);
	add_row(7, 0, 10);
	add_many(1, 9);
	save("auth_db", "state");
}

/* The first byte chooses in fuzz_journal_db.c. */
static void journal_rows(void)
{
	for (unsigned int choice = 0; choice < 2; choice++) {
		add_byte(choice);
		add_byte(1); /* version */
		add_many(0, 9);
		add_byte(3); /* tries */
		add_many(1, 109);
		save("journal_db", choice == 0 ? "bound" : "stranger");
	}
	add_byte(2);
	add_row(7, 34, 120);
	add_many(0, 8);
	add_byte(1); /* locked */
	add_many(0, 110);
	save("journal_db", "listed");
	add_byte(3);
	add_row(7, 17, 9);
	add_many(1, 8);
	save("journal_db", "moment");
	add_byte(4);
	for (unsigned int i = 0; i < 18; i++) {
		add_row((uint8_t)(i + 1), 17, 9);
		add_many((uint8_t)i, 8);
	}
	save("journal_db", "room");
	save_text("invitation", "good", "7qk3m-xohfs");
}

static void grant_rows(void)
{
	add_many(0, 3);
	add_byte(0x22);
	add_many(4, 32);
	add_64(1790000000000);
	add_64(0);
	save("grant_db", "both");
}

static void session_rows(void)
{
	for (unsigned int i = 0; i < 3; i++) {
		add_row((uint8_t)(1 + i), 8 + TICKET_NONCE_BYTES, 34);
		add_byte(DIRECTION_UPLOAD + i);
		add_many(2, ID_BYTES);
		add_64(1790000000000);
		add_many(3, 8);
	}
	save("sessions_db", "three");
}

static void order_rows(void)
{
	struct order order = {
		.sequence = 1790000000000,
		.kind = ORDER_REVOKE_TICKET,
		.account = { { 1 } },
		.subject = { { 2 } },
		.when_ms = 1790000000000,
	};
	uint8_t key[ORDER_KEY_BYTES], value[ORDER_VALUE_BYTES];

	for (unsigned int i = 0; i < 4; i++) {
		order_pack(key, value, &order);
		add(slice_of(key, sizeof(key)));
		add(slice_of(value, sizeof(value)));
		order.kind++;
		order.sequence++;
	}
	save("order", "four");
}

static void store_rows(void)
{
	const struct chunk chunk = { .sequence = 7,
		.node = true,
		.sealed_bytes = 4080,
		.refs_count = 3,
		.data_chunks = 3 };
	const struct snapshot snapshot = { .ordinal = 7,
		.taken_ms = 1,
		.data_chunks = 3,
		.sealed_key = slice_text("key"),
		.sealed_summary = slice_text("summary") };
	uint8_t value[SNAPSHOT_VALUE_BYTES_MAX];

	add_byte(0);
	add_byte(CHUNK_ID_BYTES);
	add_16(CHUNK_VALUE_BYTES);
	add_many(7, CHUNK_ID_BYTES);
	store_db_chunk_pack(value, &chunk);
	add(slice_of(value, CHUNK_VALUE_BYTES));
	save("store_db", "chunk");
	add_byte(1);
	add_row(2, 1 + ID_BYTES, LEASE_VALUE_BYTES);
	add_many(3, LEASE_VALUE_BYTES - 1);
	save("store_db", "lease");
	size_t len = store_db_snapshot_pack(value, &snapshot);
	add_byte(2);
	add_byte(8);
	add_16(len);
	add_many(7, 8);
	add(slice_of(value, len));
	save("store_db", "snapshot");
	add_byte(3);
	add_row(7, 1, USAGE_VALUE_BYTES);
	add_many(0, USAGE_VALUE_BYTES - 1);
	add_row(7, 1, 9);
	add_many(0, 8);
	save("store_db", "usage");
	add_byte(4);
	add_row(7, 1, 9);
	add_many(7, 8);
	save("store_db", "ordinal");
}

/* The first byte chooses in fuzz_health_db.c. */
static void health_rows(void)
{
	const struct damage damage = { DAMAGE_MISSING, 1790000000000 };
	const struct quota quota = { 1, 2 };
	const struct drill drill = { .when_ms = 1, .files = 20, .failed = 3 };
	const struct scrub_place place = {
		.begun_ms = 1, .chunks = 2, .now = true, .has_chunk = true
	};
	uint8_t value[SCRUB_PLACE_BYTES];

	add_byte(0);
	add_byte(CHUNK_ID_BYTES);
	add_16(DAMAGE_VALUE_BYTES);
	add_many(7, CHUNK_ID_BYTES);
	health_db_damage_pack(value, &damage);
	add(slice_of(value, DAMAGE_VALUE_BYTES));
	save("health_db", "damage");
	add_byte(1);
	add_byte(1);
	add_16(QUOTA_VALUE_BYTES);
	add_many('1', 1);
	health_db_quota_pack(value, &quota);
	add(slice_of(value, QUOTA_VALUE_BYTES));
	add_row('1', 1, 2);
	add_byte(1);
	add_row('1', 1, 9);
	add_many(3, 8);
	save("health_db", "quota");
	add_byte(2);
	add_byte(1);
	add_16(DRILL_VALUE_BYTES);
	add_many('1', 1);
	health_db_drill_pack(value, &drill);
	add(slice_of(value, DRILL_VALUE_BYTES));
	save("health_db", "drill");
	add_byte(3);
	health_db_scrub_pack(value, &place);
	add(slice_of(value, SCRUB_PLACE_BYTES));
	save("health_db", "scrub");
}

/* The first byte chooses in fuzz_binding_row.c. */
static void binding_rows(void)
{
	add_byte(0);
	add_byte(1); /* the first */
	add_many(7, ID_BYTES);
	add_64(1790000000000);
	add_byte(15);
	add_text("490154203237518");
	add_byte(3);
	add_text("SN1");
	add_byte(5);
	add_text("phone");
	save("binding_row", "terminal");
	add_byte(1);
	add(slice_of("\x98\x88\x12\x01\0\0\x50\x03\x80\xf2", 10));
	add_64(1790000000000);
	add_64(1790000000001);
	add_byte(14);
	add_text("+4915112345678");
	add_text("data");
	save("binding_row", "entry");
}

static void outbox_rows(void)
{
	add_text("\x0a\x10");
	add_many(7, ID_BYTES);
	save("outbox", "notice");
	add_byte(1);
	add_byte(2); /* auth */
	add_16(0);
	add_16(0x0181);
	add_text("\x0a\x10");
	add_many(7, ID_BYTES);
	save("outbox", "addressed");
}

/* A notice that came, of ${packed_len} bytes. */
static void add_arrived(size_t packed_len)
{
	add_row(7, NOTICE_KEY_BYTES, 1 + packed_len);
	add_many(3, packed_len);
}

/* One on its way to ${terminal}, and to another one. */
static void add_notice(uint8_t terminal, size_t packed_len)
{
	add_row(7, NOTICE_KEY_BYTES, 2 + 2 * ID_BYTES + packed_len);
	add_byte(2);
	add_byte(terminal);
	add_many(0, ID_BYTES - 1);
	add_many(9, ID_BYTES + packed_len);
}

static void add_delivery(void)
{
	add_row(7, ID_BYTES + NOTICE_KEY_BYTES, 1 + 4 + 8);
	add_many(3, 4 + 8);
}

/* The first byte chooses in fuzz_notify_db.c; "long" rows are damaged. */
static void notify_rows(void)
{
	static const size_t lens[] = { 40, NOTICE_BYTES_MAX + 1,
		DB_VALUE_BYTES_MAX - 2 - 2 * ID_BYTES };
	static const char *const names[][4] = {
		{ "arrived", "notice", "acknowledged", "buried" },
		{ "arrived-long", "notice-long", "acknowledged-long",
		    "buried-long" },
		{ "arrived-longest", "notice-longest", "acknowledged-longest",
		    "buried-longest" },
	};

	for (size_t i = 0; i < nitems(lens); i++) {
		add_byte(0);
		add_arrived(lens[i]);
		save("notify_db", names[i][0]);
		add_byte(3);
		add_notice(2, lens[i]);
		save("notify_db", names[i][1]);
		add_byte(4);
		add_row(7, ID_BYTES, 1 + 8);
		add_many(0, 8);
		add_notice(2, lens[i]);
		save("notify_db", names[i][2]);
		add_byte(5);
		add_arrived(lens[i]);
		save("notify_db", names[i][3]);
	}
	add_byte(1);
	add_delivery();
	save("notify_db", "delivery");
	add_byte(2);
	add_row(7, ID_BYTES, 17 + 48);
	add_many(3, 16 + 48);
	save("notify_db", "lease");
	add_byte(8);
	add_delivery();
	add_notice(2, 40);
	save("notify_db", "queue");
	for (uint8_t choice = 9; choice <= 10; choice++) {
		add_byte(choice);
		add_row(7, NOTICE_KEY_BYTES + ID_BYTES, 1 + 8 + 4 + 40);
		add_many(3, 8 + 4 + 40);
		add_row(7, ID_BYTES, 1 + 8);
		add_many(0, 8);
		save("notify_db", choice == 9 ? "letter" : "resent");
	}
	add_byte(11);
	add_row(
	    7, 5, 1 + protobuf_c_message_get_packed_size(&notice_rules.base));
	add_message(&notice_rules.base);
	save("notify_db", "rules");
}

/* The first byte chooses in fuzz_audit.c. */
static void audit(void)
{
	const size_t sealed = SEALED_BYTES(1 + 5 + ID_BYTES + 2 + 9);
	struct audit_head head = { "auth", 7, 1790000000000, { 1 }, { 2 } };
	char line[AUDIT_HEAD_TEXT_BYTES];

	add_byte(0);
	add_byte(1); /* version */
	add_64(7);
	add_64(1790000000000);
	add_many(3, ID_BYTES);
	add_many(4, ID_BYTES);
	add_byte(AUDIT_KEY_ACCOUNT);
	add_byte(12);
	add_text("code_changed");
	add_16(sealed);
	add_many(5, sealed);
	add_many(6, AUDIT_HASH_BYTES);
	save("audit", "record");

	add_byte(1);
	add_64(1790000000000);
	add_many(3, ID_BYTES);
	add_byte(1);
	add_byte(AUDIT_KEY_SERVICE);
	add_byte(12);
	add_text("code_changed");
	add_many(5, sealed);
	save("audit", "pending");

	add_byte(2);
	add_byte(5);
	add_text("owner");
	add_many(3, ID_BYTES);
	add_16(9);
	add_text("by letter");
	save("audit", "person");

	add_byte(3);
	audit_head_format(line, &head);
	save_text("audit", "head", line);
}

static void add_key_header(uint32_t blocks)
{
	uint8_t bytes[HEADER_BYTES];
	struct keyfile_header header = {
		.blocks = blocks,
		.service = "notify",
	};

	header_encode(bytes, &header);
	add(slice_of(bytes, sizeof(bytes)));
}

/* The first byte says what is made good in fuzz_account_keys.c. */
static void account_keys(void)
{
	static const struct {
		const char *name;
		uint8_t good;
		uint32_t one, two; /* blocks in the headers */
		uint16_t slots;
	} files[] = {
		{ "whole", 7, 1, 1, 1024 },
		{ "longer", 7, 1, 1, 1030 },
		{ "grown", 7, 1, 2, 2048 },
		{ "second-only", 6, 1, 2, 2048 },
		{ "cut", 7, 2, 2, 1500 },
		{ "locked", 0, 1, 1, 1024 },
	};

	for (size_t i = 0; i < nitems(files); i++) {
		add_byte(files[i].good);
		add_16(files[i].slots);
		add_key_header(files[i].one);
		add_key_header(files[i].two);
		add_many(0, SLOT_BYTES); /* the service's */
		add_byte(SLOT_SHREDDED);
		add_many(7, SEALED_KEY);
		save("account_keys", files[i].name);
	}
}

static void event_of(const char *name, const struct event *event)
{
	must(event_pack(event, &seed) == STATUS_OK);
	save("event", name);
}

static void stream_events(void)
{
	static const struct event hello = {
		.service = "auth", .kind = EVENT_HELLO, .run_ms = 1
	};
	static const struct event told = {
		.service = "store",
		.kind = "snapshot_published",
		.subject = "notify",
		.run_ms = 1790000000000,
		.sequence = 7,
		.kind_sequence = 2,
		.when_ms = 1790000000001,
		.account = { { 1 } },
		.trace = { { 2 } },
		.figures = { { "chunks", 3 } },
		.figures_count = 1,
	};

	event_of("hello", &hello);
	event_of("told", &told);
}

static void masters(void)
{
	char line[] = "00112233445566778899aabbccddeeff"
		      "00112233445566778899AABBCCDDEEFF\n";

	save_text("master", "one", line);
	add_text(line);
	add_text(line);
	line[64] = '\0';
	add_text(line);
	save("master", "three");
}

static void rows(void)
{
	static const uint8_t escaped[] = { 2, 'a', 'b', 'c', 1, 1, 1, 2, 'd' };

	add(slice_of(escaped, sizeof(escaped)));
	save("db_key", "escaped");
	auth_rows();
	journal_rows();
	grant_rows();
	session_rows();
	order_rows();
	store_rows();
	health_rows();
	binding_rows();
	outbox_rows();
	notify_rows();
	account_keys();
	masters();
	audit();
	stream_events();
	backups();
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	folder = argv[1];
	mkdir(folder, 0755);
	opaque_ends(); /* before anything random is made */
	headers();
	bodies();
	login_bodies();
	order_bodies();
	messages();
	tickets();
	envelopes();
	opaque();
	keys();
	texts();
	manifests();
	summaries();
	snapshot_keys();
	key_files();
	chunks();
	put_manys();
	cards();
	rows();
	return 0;
}

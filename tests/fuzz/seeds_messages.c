#include "base/bounds.h"
#include "bus/header.h"
#include "crypto/enrolment.h"
#include "crypto/opaque.h"
#include "fuzz_body.h"
#include "seeds.h"
#include "service/backup_manifest.h"
#include "service/order.h"

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
const Notify__Rules notice_rules = {
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

void seed_messages(void)
{
	headers();
	bodies();
	login_bodies();
	order_bodies();
	backups();
	messages();
}

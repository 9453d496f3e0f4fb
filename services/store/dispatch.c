#include "dispatch.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "ops.pb-c.h"
#include "quota.h"
#include "store.h"

/* ---- what several handlers do ---- */

enum status store_refuse_length(
    struct exchange *x, const char *field, size_t len, const char *expected)
{
	return exchange_refuse(
	    x, STATUS_MALFORMED, "%s: %zu bytes, not %s", field, len, expected);
}

/* Damage in our rows is no fault of who asks. */
enum status store_read_failed(struct exchange *x, enum status st)
{
	if (st != STATUS_MALFORMED && st != STATUS_TOO_LARGE)
		return st;
	log_error(&x->header.trace, "stored_data_damaged", "type=%s",
	    x->handler->name);
	return STATUS_INTERNAL;
}

void store_found_damage(struct store *self, const struct id *account,
    const struct chunk_id *id, const struct chunk *row, enum damage_kind kind)
{
	struct finding finding = {
		.account = *account, .chunk = *id, .kind = kind
	};

	if (kind != DAMAGE_ROW)
		store_db_chunk_pack(finding.row, row);
	damages_found(self->damages, &finding, NULL, NULL);
}

enum status store_lease_over(struct exchange *x)
{
	return exchange_refuse(
	    x, STATUS_CONFLICT, "the lease ended or was taken over meanwhile");
}

/* Write that the lease was used; should that fail, the next use does. */
static void note_use(
    struct store *self, struct exchange *x, struct lease *lease, uint64_t now)
{
	uint64_t known_ms = self->lease_ms;

	if (lease->kind == LEASE_DOWNLOAD)
		known_ms = min_of(known_ms, self->idle_restore_ms);
	if (!lease_touch(lease, &x->ticket, x->ticket_expired, now, known_ms))
		return;
	struct db_batch *batch =
	    db_batch_new(&x->ticket.account, DB_GENERATION_ANY, NULL);
	store_db_touch_lease(batch, lease);
	db_submit(self->db, &batch, NULL, NULL);
	db_batch_destroy(&batch);
}

enum status store_check_lease(struct store *self, struct exchange *x,
    ProtobufCBinaryData field, struct lease *lease)
{
	uint64_t now = clock_wall_ms();
	enum lease_kind kind = x->ticket.direction == DIRECTION_UPLOAD
				   ? LEASE_UPLOAD
				   : LEASE_DOWNLOAD;
	const char *detail = "";
	struct id id;

	if (id_from(&id, field_slice(field)) != STATUS_OK)
		return store_refuse_length(x, "lease_id", field.len, "16");
	enum status st = store_db_lease(
	    self->db, &x->ticket.account, kind, &x->ticket.terminal, lease);
	if (st != STATUS_OK && st != STATUS_NOT_FOUND)
		return store_read_failed(x, st);
	st = lease_check(st == STATUS_OK ? lease : NULL, &id, &x->ticket,
	    x->ticket_expired, now, self->lease_ms, &detail);
	if (st != STATUS_OK)
		return exchange_refuse(x, st, "%s", detail);
	note_use(self, x, lease, now);
	return STATUS_OK;
}

enum status store_read_chunk_id(struct exchange *x, const char *name,
    ProtobufCBinaryData field, struct chunk_id *out)
{
	if (field.len != CHUNK_ID_BYTES)
		return store_refuse_length(x, name, field.len, "32");
	memcpy(out->bytes, field.data, CHUNK_ID_BYTES);
	return STATUS_OK;
}

void store_lease_ended(struct store *self, const struct id *account)
{
	bool owed = false;

	if (store_db_sweep_owed(self->db, account, &owed) == STATUS_OK && owed)
		sweep_soon(self->sweep, account);
}

/* ---- the table ---- */

#define UPLOAD   GOOD_FOR(DIRECTION_UPLOAD)
#define DOWNLOAD GOOD_FOR(DIRECTION_DOWNLOAD)
#define MANAGE   GOOD_FOR(DIRECTION_MANAGE)

/* clang-format off */
const struct handler store_handlers[] = {
	{ STORE__TYPE__BACKUP_BEGIN,    "BACKUP_BEGIN",    FROM(ROLE_GATEWAY), UPLOAD,                     KEPT,           store_on_backup_begin },
	{ STORE__TYPE__HAVE,            "HAVE",            FROM(ROLE_GATEWAY), UPLOAD | DOWNLOAD,          RENEWED,        store_on_have },
	{ STORE__TYPE__PUT,             "PUT",             FROM(ROLE_GATEWAY), UPLOAD,                     RENEWED,        store_on_put },
	{ STORE__TYPE__PUT_MANY,        "PUT_MANY",        FROM(ROLE_GATEWAY), UPLOAD,                     RENEWED,        store_on_put_many },
	{ STORE__TYPE__PUBLISH,         "PUBLISH",         FROM(ROLE_GATEWAY), UPLOAD,                     KEPT | RENEWED, store_on_publish },
	{ STORE__TYPE__BACKUP_ABANDON,  "BACKUP_ABANDON",  FROM(ROLE_GATEWAY), UPLOAD,                     KEPT | RENEWED, store_on_backup_abandon },
	{ STORE__TYPE__SNAPSHOTS,       "SNAPSHOTS",       FROM(ROLE_GATEWAY), UPLOAD | DOWNLOAD | MANAGE, PLAIN,          store_on_snapshots },
	{ STORE__TYPE__RESTORE_BEGIN,   "RESTORE_BEGIN",   FROM(ROLE_GATEWAY), DOWNLOAD,                   KEPT,           store_on_restore_begin },
	{ STORE__TYPE__RESTORE_END,     "RESTORE_END",     FROM(ROLE_GATEWAY), DOWNLOAD,                   KEPT | RENEWED, store_on_restore_end },
	{ STORE__TYPE__GET,             "GET",             FROM(ROLE_GATEWAY), UPLOAD | DOWNLOAD,          RENEWED,        store_on_get },
	{ STORE__TYPE__SNAPSHOT_DELETE, "SNAPSHOT_DELETE", FROM(ROLE_GATEWAY), MANAGE,                     KEPT,           store_on_snapshot_delete },
	{ STORE__TYPE__DAMAGE,          "DAMAGE",          FROM(ROLE_GATEWAY), UPLOAD | DOWNLOAD,          PLAIN,          store_on_damage },
	{ STORE__TYPE__DRILL,           "DRILL",           FROM(ROLE_GATEWAY), UPLOAD | DOWNLOAD,          KEPT,           store_on_drill },
	{ OPS__TYPE__DAMAGE,            "DAMAGE",          FROM(ROLE_OPS),     NO_TICKET,                  PLAIN,          store_on_damage_list },
	{ OPS__TYPE__SCRUB,             "SCRUB",           FROM(ROLE_OPS),     NO_TICKET,                  PLAIN,          store_on_scrub },
	{ OPS__TYPE__QUOTA,             "QUOTA",           FROM(ROLE_OPS),     NO_TICKET,                  PLAIN,          store_on_quota },
	{ OPS__TYPE__QUOTA_SET,         "QUOTA_SET",       FROM(ROLE_OPS),     NO_TICKET,                  PLAIN,          store_on_quota_set },
	{ OPS__TYPE__USAGE,             "USAGE",           FROM(ROLE_OPS),     NO_TICKET,                  PLAIN,          store_on_usage },
	{ OPS__TYPE__EXPORT,            "EXPORT",          FROM(ROLE_OPS),     NO_TICKET,                  PLAIN,          store_on_export },
};
/* clang-format on */

const size_t store_handlers_count = nitems(store_handlers);

/* ---- life ---- */

enum status store_open(struct service *service, void **state_out)
{
	const struct conf *conf = service->program.conf;
	struct store *self = calloc(1, sizeof(*self));
	void *state = self;

	if (!self)
		return STATUS_NO_SPACE;
	self->service = service;
	self->db = service->db;
	self->lease_ms = conf_number(conf, "store", "lease_ms");
	self->idle_restore_ms = conf_number(conf, "store", "idle_restore_ms");
	self->quota = (struct quota){
		.soft = conf_number(conf, "store", "quota_soft"),
		.hard = conf_number(conf, "store", "quota_hard"),
	};
	enum status st = usages_new(self->db, &self->usages);
	if (st == STATUS_OK)
		st = damages_new(service, &self->damages);
	if (st == STATUS_OK)
		st = scrub_new(service, self->damages,
		    conf_number(conf, "store", "scrub_ms"), &self->scrub);
	if (st == STATUS_OK) {
		struct sweep_options options = {
			.db = self->db,
			.loop = service->program.loop,
			.usages = self->usages,
			.orders = service->orders,
			.sweep_ms = conf_number(conf, "store", "sweep_ms"),
			.lease_ms = self->lease_ms,
			.idle_restore_ms = self->idle_restore_ms,
		};
		st = sweep_new(&options, &self->sweep);
	}
	if (st != STATUS_OK)
		store_close(&state);
	*state_out = state;
	return st;
}

void store_close(void **state_p)
{
	struct store *self = *state_p;

	if (!self)
		return;
	scrub_destroy(&self->scrub);
	damages_destroy(&self->damages);
	sweep_destroy(&self->sweep);
	usages_destroy(&self->usages);
	free(self);
	*state_p = NULL;
}

void store_figures(void *state, struct exchange *x,
    void (*add)(struct exchange *exchange, const char *name, uint64_t value))
{
	const struct store *self = state;
	struct sweep_counts swept = sweep_counts(self->sweep);

	add(x, "leases_begun", self->counts.leases_begun);
	add(x, "chunks_put", self->counts.chunks_put);
	add(x, "bytes_put", self->counts.bytes_put);
	add(x, "chunks_sent", self->counts.chunks_sent);
	add(x, "bytes_sent", self->counts.bytes_sent);
	add(x, "snapshots_published", self->counts.snapshots_published);
	add(x, "snapshots_deleted", self->counts.snapshots_deleted);
	add(x, "sweep_rounds", swept.rounds);
	add(x, "accounts_swept", swept.accounts);
	add(x, "chunks_swept", swept.chunks);
	add(x, "bytes_swept", swept.bytes);
	add(x, "damaged_chunks", damages_counts(self->damages).chunks);
	add(x, "damaged_accounts", damages_counts(self->damages).accounts);
	add(x, "damage_found", damages_counts(self->damages).found);
	add(x, "chunks_healed", self->counts.chunks_healed);
	add(x, "scrub_begun_ms", scrub_place(self->scrub)->begun_ms);
	add(x, "scrub_finished_ms", scrub_place(self->scrub)->finished_ms);
	add(x, "scrub_chunks", scrub_place(self->scrub)->chunks);
	add(x, "scrub_damaged", scrub_place(self->scrub)->damaged);
	add(x, "puts_over_quota", self->counts.puts_over_quota);
	add(x, "drills", self->counts.drills);
	add(x, "drills_failed", self->counts.drills_failed);
	add(x, "last_drill_ms", self->counts.last_drill_ms);
	add(x, "outbox_waiting", outbox_waiting(self->service->outbox));
}

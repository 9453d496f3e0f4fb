#include <assert.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "common.pb-c.h"
#include "service/audit_read.h"
#include "service/backup.h"
#include "service/compact.h"
#include "service/orders.h"
#include "service/server_internal.h"
#include "service/settings.h"
#include "service/verify.h"

/* What every process answers. */

#define FIGURES_MAX 64

static enum status on_ping(void *state, struct exchange *x)
{
	(void)state;
	(void)x;
	return STATUS_OK;
}

/* The figures of one report while it is made. */
struct report {
	Common__StatusReport message;
	Common__Figure figures[FIGURES_MAX];
	Common__Figure *pointers[FIGURES_MAX];
};

static void add_figure(struct exchange *x, const char *name, uint64_t value)
{
	struct report *report = x->parked;
	size_t index = report->message.n_figures;

	assert(index < FIGURES_MAX);
	report->figures[index] = (Common__Figure)COMMON__FIGURE__INIT;
	report->figures[index].name = (char *)name;
	report->figures[index].value = value;
	report->pointers[index] = &report->figures[index];
	report->message.n_figures++;
}

static void add_db_figures(struct exchange *x, struct db *db)
{
	struct db_stats stats;

	if (db_stats(db, &stats) != STATUS_OK)
		return;
	add_figure(x, "db_accounts", stats.accounts);
	add_figure(x, "db_rows", stats.rows);
	add_figure(x, "db_blobs", stats.blobs);
	add_figure(x, "db_used_bytes", stats.used_bytes);
	add_figure(x, "db_free_bytes", stats.free_bytes);
	add_figure(x, "db_map_bytes", stats.map_bytes);
	add_figure(x, "db_commits", stats.commits);
	add_figure(x, "db_batches", stats.batches);
	add_figure(x, "db_queue_batches", stats.queue_batches);
}

static void add_order_figures(struct exchange *x, const struct orders *orders)
{
	add_figure(x, "revocations", orders_revocations(orders));
	add_figure(x, "accounts_deleted", orders_deletions(orders));
	add_figure(x, "auth_in_touch", orders_in_touch(orders));
}

/* ${x} carries ${report} to those who add to it. */
static void collect_figures(struct exchange *x, struct report *report)
{
	const struct server *self = x->server;

	x->parked = report;
	add_figure(x, "requests_under_way", self->count);
	if (self->options.db)
		add_db_figures(x, self->options.db);
	if (self->options.audit) {
		struct audit_figures audit = audit_figures(self->options.audit);
		add_figure(x, "audit_records", audit.records);
		add_figure(x, "audit_pending", audit.pending);
	}
	if (self->options.orders)
		add_order_figures(x, self->options.orders);
	if (self->options.figures)
		self->options.figures(self->options.state, x, add_figure);
	x->parked = NULL;
}

void server_figures(struct server *self,
    void (*each)(void *arg, const char *name, uint64_t value), void *arg)
{
	struct exchange nobody = { .server = self };
	struct report report = { .message = COMMON__STATUS_REPORT__INIT };

	collect_figures(&nobody, &report);
	for (size_t i = 0; i < report.message.n_figures; i++)
		each(arg, report.figures[i].name, report.figures[i].value);
}

static enum status on_status(void *state, struct exchange *x)
{
	const struct server *self = x->server;
	char name[64];
	struct report report = {
		.message = COMMON__STATUS_REPORT__INIT,
	};

	(void)state;
	snprintf(name, sizeof(name), "keepsake-%s",
	    settings_instance(self->program->conf, self->program->name));
	report.message.program = name;
	report.message.version = (char *)KEEPSAKE_VERSION;
	report.message.uptime_ms =
	    clock_interval_ms() - self->program->started_ms;
	report.message.pid = (uint32_t)getpid();
	report.message.figures = report.pointers;
	collect_figures(x, &report);
	return exchange_reply(x, &report.message.base);
}

static enum status on_rekey(void *state, struct exchange *x)
{
	struct server *self = x->server;
	Common__RekeyDone done = COMMON__REKEY_DONE__INIT;
	uint8_t id[MASTER_ID_BYTES];

	(void)state;
	if (!self->options.keyring)
		return exchange_refuse(
		    x, STATUS_NOT_FOUND, "this process has no account keys");
	if (backup_runs(self->options.backup))
		return exchange_retry(x, STATUS_BUSY, 1000,
		    "a backup is being made: try again when it is");
	enum status st = keyring_rotate(
	    self->options.keyring, self->program->conf, &done.slots, id);
	if (st != STATUS_OK)
		return exchange_refuse(
		    x, st, "account keys not wrapped anew: see the log");
	done.master_id = (ProtobufCBinaryData){ sizeof(id), id };
	log_info(&x->header.trace, "account_keys_rotated", "slots=%llu",
	    (unsigned long long)done.slots);
	if (self->options.audit)
		audit_note(self->options.audit, NULL,
		    &(struct audit_event){
			.action = "master_key_rotated", .actor = "operator" });
	return exchange_reply(x, &done.base);
}

static enum status on_audit_read(void *state, struct exchange *x)
{
	struct audit *audit = x->server->options.audit;

	(void)state;
	if (!audit)
		return exchange_refuse(
		    x, STATUS_NOT_FOUND, "this process has no audit log");
	return audit_on_read(audit, x);
}

static enum status on_compact(void *state, struct exchange *x)
{
	const struct server_options *options = &x->server->options;

	(void)state;
	return compact_on_compact(
	    options->db, options->journal, options->audit, x);
}

static enum status on_backup(void *state, struct exchange *x)
{
	(void)state;
	return backup_on_backup(x->server->options.backup, x);
}

static enum status on_verify(void *state, struct exchange *x)
{
	(void)state;
	return verify_on_verify(x->server->options.service, x);
}

/* clang-format off */
const struct handler server_common_handlers[] = {
	{ TYPE_PING,         "PING",         UINT32_MAX,      NO_TICKET, PLAIN, on_ping },
	{ TYPE_STATUS_QUERY, "STATUS_QUERY", FROM(ROLE_OPS),  NO_TICKET, PLAIN, on_status },
	{ TYPE_ORDERS,       "ORDERS",       FROM(ROLE_AUTH), NO_TICKET, PLAIN, orders_on_orders },
	{ TYPE_AUDIT_READ,   "AUDIT_READ",   FROM(ROLE_OPS),  NO_TICKET, PLAIN, on_audit_read },
	{ TYPE_REKEY,        "REKEY",        FROM(ROLE_OPS),  NO_TICKET, PLAIN, on_rekey },
	{ TYPE_COMPACT,      "COMPACT",      FROM(ROLE_OPS),  NO_TICKET, PLAIN, on_compact },
	{ TYPE_BACKUP,       "BACKUP",       FROM(ROLE_OPS),  NO_TICKET, PLAIN, on_backup },
	{ TYPE_VERIFY,       "VERIFY",       FROM(ROLE_OPS),  NO_TICKET, PLAIN, on_verify },
};
/* clang-format on */

const size_t server_common_handlers_count = nitems(server_common_handlers);

#include "service/figures.h"

#include <stdio.h>
#include <string.h>

#include "base/util.h"

#define FIGURES_MAX      128
#define METRIC_BYTES_MAX 96

/* clang-format off */
static const struct figure_row {
	const char *figure; /* as in StatusReport */
	const char *metric; /* rows of one metric stand together */
	const char *label, *value; /* or NULL */
	const char *type;
	const char *help;
} figure_rows[] = {
	{ "requests_under_way",  "keepsake_requests_under_way",            NULL, NULL, "gauge",   "Requests that are not answered yet." },

	{ "db_accounts",         "keepsake_db_accounts",                   NULL, NULL, "gauge",   "Accounts in the database, deleted ones as well." },
	{ "db_rows",             "keepsake_db_rows",                       NULL, NULL, "gauge",   "Rows in the database." },
	{ "db_blobs",            "keepsake_db_blobs",                      NULL, NULL, "gauge",   "Blobs in the database." },
	{ "db_used_bytes",       "keepsake_db_used_bytes",                 NULL, NULL, "gauge",   "Pages of the database file in use, in bytes." },
	{ "db_free_bytes",       "keepsake_db_free_bytes",                 NULL, NULL, "gauge",   "Pages of the database file free to be used again, in bytes." },
	{ "db_map_bytes",        "keepsake_db_map_bytes",                  NULL, NULL, "gauge",   "How far the database is mapped, in bytes." },
	{ "db_commits",          "keepsake_db_commits_total",              NULL, NULL, "counter", "Synced transactions." },
	{ "db_batches",          "keepsake_db_batches_total",              NULL, NULL, "counter", "Batches in synced transactions." },
	{ "db_queue_batches",    "keepsake_db_queue_batches",              NULL, NULL, "gauge",   "Batches that are not synced yet." },

	{ "audit_records",       "keepsake_audit_records",                 NULL, NULL, "gauge",   "Records in the audit log." },
	{ "audit_pending",       "keepsake_audit_pending_records",         NULL, NULL, "gauge",   "Audit events on the way into the log." },

	{ "revocations",         "keepsake_revocations",                   NULL, NULL, "gauge",   "Revocations of tickets in force." },
	{ "accounts_deleted",    "keepsake_accounts_deleted",              NULL, NULL, "gauge",   "Deletions of accounts that are known." },
	{ "auth_in_touch",       "keepsake_auth_in_touch",                 NULL, NULL, "gauge",   "1 where auth was heard of within 10 s, else 0." },
	{ "outbox_waiting",      "keepsake_outbox_waiting_messages",       NULL, NULL, "gauge",   "Messages that a peer has not taken yet." },

	{ "accounts",            "keepsake_accounts",                      NULL, NULL, "gauge",   "Accounts that this service has something of." },

	{ "registrations",       "keepsake_registrations_total",           NULL, NULL, "counter", "Accounts registered." },
	{ "logins_ok",           "keepsake_logins_total",                  "result", "ok",     "counter", "Proofs that were finished, by result." },
	{ "logins_denied",       "keepsake_logins_total",                  "result", "denied", "counter", "Proofs that were finished, by result." },
	{ "tickets_issued",      "keepsake_tickets_issued_total",          NULL, NULL, "counter", "Tickets issued." },
	{ "limited",             "keepsake_proofs_limited_total",          NULL, NULL, "counter", "Proofs refused for being asked for too often." },
	{ "services_behind",     "keepsake_services_behind",               NULL, NULL, "gauge",   "Services that have not confirmed an order of auth yet." },
	{ "journal_rows",        "keepsake_journal_rows",                  NULL, NULL, "gauge",   "Rows in the journal." },
	{ "journal_commits",     "keepsake_journal_commits_total",         NULL, NULL, "counter", "Synced transactions of the journal." },
	{ "journal_batches",     "keepsake_journal_batches_total",         NULL, NULL, "counter", "Batches in synced transactions of the journal." },

	{ "leases_begun",        "keepsake_leases_begun_total",            NULL, NULL, "counter", "Backups begun." },
	{ "snapshots_published", "keepsake_snapshots_published_total",     NULL, NULL, "counter", "Backups completed." },
	{ "snapshots_deleted",   "keepsake_snapshots_deleted_total",       NULL, NULL, "counter", "Snapshots deleted by their owners." },
	{ "chunks_put",          "keepsake_chunks_total",                  "direction", "put",  "counter", "Chunks moved, by direction." },
	{ "chunks_sent",         "keepsake_chunks_total",                  "direction", "sent", "counter", "Chunks moved, by direction." },
	{ "bytes_put",           "keepsake_chunk_bytes_total",             "direction", "put",  "counter", "Bytes of chunks moved, by direction." },
	{ "bytes_sent",          "keepsake_chunk_bytes_total",             "direction", "sent", "counter", "Bytes of chunks moved, by direction." },
	{ "sweep_rounds",        "keepsake_sweep_rounds_total",            NULL, NULL, "counter", "Rounds of the sweep through all accounts." },
	{ "accounts_swept",      "keepsake_sweep_accounts_total",          NULL, NULL, "counter", "Accounts swept." },
	{ "chunks_swept",        "keepsake_sweep_chunks_total",            NULL, NULL, "counter", "Unreferenced chunks deleted." },
	{ "bytes_swept",         "keepsake_sweep_bytes_total",             NULL, NULL, "counter", "Bytes of unreferenced chunks deleted." },

	{ "puts_over_quota",     "keepsake_puts_over_quota_total",         NULL, NULL, "counter", "Chunks refused for an account's quota." },
	{ "damaged_chunks",      "keepsake_damaged_chunks",                NULL, NULL, "gauge",   "Chunks that are known to be damaged." },
	{ "damaged_accounts",    "keepsake_damaged_accounts",              NULL, NULL, "gauge",   "Accounts that have such a chunk." },
	{ "damage_found",        "keepsake_damage_found_total",            NULL, NULL, "counter", "Chunks found to be damaged." },
	{ "chunks_healed",       "keepsake_chunks_healed_total",           NULL, NULL, "counter", "Damaged chunks that a terminal has sent again." },
	{ "scrub_begun_ms",      "keepsake_scrub_begun_time_seconds",      NULL, NULL, "gauge",   "When the scrub began, in seconds since 1970; 0: never." },
	{ "scrub_finished_ms",   "keepsake_scrub_finished_time_seconds",   NULL, NULL, "gauge",   "When the last scrub ended, in seconds since 1970; 0: never." },
	{ "scrub_chunks",        "keepsake_scrub_chunks",                  NULL, NULL, "gauge",   "Chunks that the scrub has read." },
	{ "scrub_damaged",       "keepsake_scrub_damaged_chunks",          NULL, NULL, "gauge",   "Those of them that were damaged." },
	{ "drills",              "keepsake_drills_total",                  NULL, NULL, "counter", "Drills that terminals have reported." },
	{ "drills_failed",       "keepsake_drills_failed_total",           NULL, NULL, "counter", "Those of them in which something failed." },
	{ "last_drill_ms",       "keepsake_last_drill_time_seconds",       NULL, NULL, "gauge",   "When the last one was, in seconds since 1970; 0: none yet." },

	{ "terminals",           "keepsake_terminals",                     NULL, NULL, "gauge",   "Terminals bound." },
	{ "entries",             "keepsake_card_entries",                  NULL, NULL, "gauge",   "Card entries." },
	{ "bindings_refused",    "keepsake_bindings_refused_total",        NULL, NULL, "counter", "Bindings refused." },

	{ "notices_waiting",     "keepsake_notices_waiting",               NULL, NULL, "gauge",   "Notices that wait." },
	{ "deliveries_waiting",  "keepsake_deliveries_waiting",            NULL, NULL, "gauge",   "Notices that wait, for each terminal." },
	{ "dead_letters",        "keepsake_dead_letters",                  NULL, NULL, "gauge",   "Notices that were given up." },
	{ "terminals_present",   "keepsake_terminals_present",             NULL, NULL, "gauge",   "Terminals connected for notices." },
	{ "pushed",              "keepsake_notices_total",                 "step", "pushed",       "counter", "Notices, by what was done." },
	{ "fetched",             "keepsake_notices_total",                 "step", "fetched",      "counter", "Notices, by what was done." },
	{ "acknowledged",        "keepsake_notices_total",                 "step", "acknowledged", "counter", "Notices, by what was done." },

	{ "terminal_requests",        "keepsake_terminal_requests_total",         NULL, NULL, "counter", "Requests of terminals." },
	{ "terminal_refused",         "keepsake_terminal_refused_total",          NULL, NULL, "counter", "Requests that the gateway refused itself." },
	{ "terminal_answers",         "keepsake_terminal_answers_total",          NULL, NULL, "counter", "Answers and pushes sent to terminals." },
	{ "terminal_answers_dropped", "keepsake_terminal_answers_dropped_total",  NULL, NULL, "counter", "Answers and pushes to terminals that had gone." },
	{ "terminal_repeats_held",    "keepsake_terminal_repeats_held_total",     NULL, NULL, "counter", "Repeats that were not passed on, the first being under way." },
	{ "terminal_under_way",       "keepsake_terminal_requests_under_way",     NULL, NULL, "gauge",   "Requests passed on and not answered yet." },
	{ "terminal_under_way_bytes", "keepsake_terminal_under_way_bytes",        NULL, NULL, "gauge",   "Bytes of those requests." },
};
/* clang-format on */

/* The figures of one moment. */
struct collected {
	struct {
		const char *name;
		uint64_t value;
		bool exposed;
	} figures[FIGURES_MAX];
	size_t count;
};

static void collect(void *arg, const char *name, uint64_t value)
{
	struct collected *self = arg;

	if (self->count == FIGURES_MAX)
		return;
	self->figures[self->count].name = name;
	self->figures[self->count].value = value;
	self->figures[self->count].exposed = false;
	self->count++;
}

/* A figure in milliseconds, by its name, becomes seconds. */
static void expose_value(struct exposition *out, const char *labels,
    const char *figure, uint64_t value)
{
	size_t len = strlen(figure);

	if (len > 3 && strcmp(figure + len - 3, "_ms") == 0)
		exposition_seconds(out, labels, value * 1000);
	else
		exposition_number(out, labels, value);
}

/* Expose the figure of ${row}, if this process has it. */
static void expose_row(struct exposition *out, const struct figure_row *row,
    struct collected *collected, bool begun)
{
	for (size_t i = 0; i < collected->count; i++) {
		char labels[LABELS_BYTES] = "";
		if (strcmp(collected->figures[i].name, row->figure) != 0)
			continue;
		if (!begun)
			exposition_begin(
			    out, row->metric, row->type, row->help);
		if (row->label)
			exposition_label(labels, row->label, row->value);
		expose_value(
		    out, labels, row->figure, collected->figures[i].value);
		collected->figures[i].exposed = true;
	}
}

void figures_expose(struct server *server, struct exposition *out)
{
	struct collected collected = { .count = 0 };

	server_figures(server, collect, &collected);
	for (size_t i = 0; i < nitems(figure_rows); i++) {
		const struct figure_row *row = &figure_rows[i];
		expose_row(out, row, &collected,
		    out->metric && strcmp(out->metric, row->metric) == 0);
	}
	for (size_t i = 0; i < collected.count; i++) {
		char name[METRIC_BYTES_MAX];
		if (collected.figures[i].exposed)
			continue;
		snprintf(name, sizeof(name), "keepsake_%s",
		    collected.figures[i].name);
		exposition_begin(
		    out, name, "untyped", "A figure of keepsakectl figures.");
		exposition_number(out, "", collected.figures[i].value);
		out->metric = NULL; /* it ends with this turn */
	}
}

#include "service/service.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "base/util.h"
#include "service/ledger.h"
#include "service/sealed_row.h"
#include "service/settings.h"
#include "service/tables.h"
#include "service/trust.h"
#include "service/verify.h"
#include "service/watch.h"

/* Before this format of its database no service sealed rows. */
#define FORMAT_SEALED 2

static void on_db(void *arg)
{
	struct service *self = arg;

	db_complete(self->db);
}

static void on_journal(void *arg)
{
	struct service *self = arg;

	db_complete(self->journal);
}

static void on_erased(void *arg, const struct id *account)
{
	struct service *self = arg;

	if (self->kind->erased && self->state)
		self->kind->erased(self->state, account);
}

/* Of what is erased now the audit log keeps that it was there. */
static void note_deletion(struct service *self, const struct id *account)
{
	audit_kick(self->audit, self->db, account);
	audit_kick(self->audit, self->journal, account);
	audit_note(self->audit, account,
	    &(struct audit_event){
		.action = "account_erased", .actor = "system" });
	if (self->kind->deleting && self->state)
		self->kind->deleting(self->state, account);
}

/* An order has come: its key first, then all the rest, by and by. */
static enum status on_delete_account(void *arg, const struct id *account)
{
	struct service *self = arg;
	struct db_account found;

	if (db_account_get(self->db, account, &found) == STATUS_OK &&
	    !found.removed)
		note_deletion(self, account);
	enum status st = keyring_shred(self->keyring, self->db, account);
	if (st == STATUS_OK)
		st = erase_account(self->erase, account);
	if (st == STATUS_OK)
		st = erase_account(self->journal_erase, account);
	return st;
}

static void on_audit_stopped(void *arg)
{
	struct service *self = arg;

	loop_stop(self->program.loop);
}

static void on_stopped(void *arg)
{
	struct service *self = arg;

	audit_note(self->audit, NULL,
	    &(struct audit_event){
		.action = "service_stopped", .actor = "system" });
	audit_stop(self->audit, on_audit_stopped, self);
}

static void on_stop_requested(void *arg)
{
	struct service *self = arg;

	server_stop(self->server, on_stopped, self);
}

static enum status open_ledger(struct service *self)
{
	const char *name = self->kind->name;
	const char *ledger = conf_text(self->program.conf, name, "ledger");

	enum status st = folder_make(ledger);
	if (st == STATUS_OK)
		st = ledger_open_journal(&self->journal, ledger, name);
	if (st == STATUS_OK)
		st = loop_watch_fd(self->program.loop,
		    db_event_fd(self->journal), on_journal, self);
	return st;
}

static enum status open_keyring(struct service *self, bool create)
{
	const struct conf *conf = self->program.conf;
	const char *name = self->kind->name;

	return keyring_new(&self->keyring, conf, name,
	    conf_text(conf, name, "ledger"), create);
}

/* What every service has: accounts had no key, and names no rows. */
static enum status migrate_shared(struct keyring *keyring, struct db *db)
{
	enum status st = keyring_migrate(keyring, db);

	if (st == STATUS_OK)
		st = sealed_rows_migrate(keyring, db, TABLE_ANSWERS, 0);
	if (st == STATUS_OK)
		st = sealed_rows_migrate(keyring, db, TABLE_OUTBOX, 0);
	return st == STATUS_OK ? names_migrate(db) : st;
}

static enum status on_migrate(void *arg, struct db *db, uint32_t from)
{
	struct service *self = arg;

	enum status st = open_keyring(self, from < FORMAT_SEALED);
	if (st == STATUS_OK && from < FORMAT_SEALED)
		st = migrate_shared(self->keyring, db);
	if (st == STATUS_OK && self->kind->migrate)
		st = self->kind->migrate(self, db, from);
	return st;
}

/* Open the keyring where no migration has: a new database may have new
 * keys; to any other belong those that have sealed its rows. */
static enum status find_keyring(struct service *self)
{
	struct db_account first;
	size_t count;

	if (self->keyring)
		return STATUS_OK;
	enum status st = db_accounts(self->db, NULL, &first, 1, &count);
	if (st != STATUS_OK)
		return st;
	return open_keyring(
	    self, count == 0 || self->kind->format < FORMAT_SEALED);
}

static enum status open_db(struct service *self)
{
	const struct service_kind *kind = self->kind;
	const struct conf *conf = self->program.conf;
	struct db_options options = {
		.path = conf_text(conf, kind->name, "data"),
		.service = kind->name,
		.format = kind->format,
		.map_bytes = conf_number(conf, kind->name, "map_bytes"),
		.map_bytes_max = conf_number(conf, kind->name, "map_bytes_max"),
		.reserve_bytes = conf_number(conf, kind->name, "reserve_bytes"),
		.blob_reader = kind->blob_reader,
		.migrate = on_migrate,
		.migrate_arg = self,
	};

	enum status st = folder_make(options.path);
	if (st == STATUS_OK)
		st = db_open(&options, &self->db);
	if (st == STATUS_OK)
		st = find_keyring(self);
	if (st == STATUS_OK)
		st = ledger_bind(self->db, self->journal, &self->journal_lost,
		    &self->journal_since_ms);
	if (st == STATUS_OK)
		st = ledger_settle(conf_text(conf, kind->name, "ledger"),
		    self->journal, self->db, self->keyring);
	if (st == STATUS_OK)
		st = erase_new(&self->erase, self->db, self->program.loop,
		    on_erased, self);
	if (st != STATUS_OK)
		return st;
	return loop_watch_fd(
	    self->program.loop, db_event_fd(self->db), on_db, self);
}

static void on_deletion_kept(void *arg, const struct order *order)
{
	struct service *self = arg;

	if (self->backup)
		backup_note_deletion(self->backup, order);
}

static void on_backup_made(void *arg, const char *name)
{
	struct service *self = arg;

	audit_note(self->audit, NULL,
	    &(struct audit_event){
		.action = "backup_made", .actor = "operator", .detail = name });
}

static enum status open_backup(struct service *self)
{
	const struct backup_options options = {
		.conf = self->program.conf,
		.service = self->kind->name,
		.loop = self->program.loop,
		.db = self->db,
		.journal = self->journal,
		.made = on_backup_made,
		.arg = self,
	};

	return backup_new(&self->backup, &options);
}

static enum status open_orders(struct service *self)
{
	const struct orders_options options = {
		.journal = self->journal,
		.loop = self->program.loop,
		.issuer = !(self->kind->doors & FROM(ROLE_AUTH)),
		.delete_account = on_delete_account,
		.deletion_kept = on_deletion_kept,
		.arg = self,
	};

	enum status st = erase_new(&self->journal_erase, self->journal,
	    self->program.loop, NULL, NULL);
	return st == STATUS_OK ? orders_new(&self->orders, &options) : st;
}

static enum status open_audit(struct service *self)
{
	return audit_new(&self->audit, self->program.conf, self->kind->name,
	    self->program.loop, self->db, self->journal, self->keyring);
}

static enum status connect_peer(struct service *self, enum role role)
{
	struct program *program = &self->program;
	const char *word = role_word(role);
	uint8_t key[CURVE_KEY_BYTES];
	char endpoint[ENDPOINT_BYTES];

	enum status st = program_peer_key(program, word, key);
	if (st != STATUS_OK)
		return st;
	settings_endpoint(
	    program->conf, program->name, word, word, program->name, endpoint);
	struct caller_options options = {
		.name = word,
		.endpoint = endpoint,
		.server_key = key,
		.envelope_count = 1,
	};
	return caller_new(
	    program->bus, program->loop, &options, &self->peers[role]);
}

static enum status connect_peers(struct service *self, uint32_t peers)
{
	for (enum role role = 0; role < ROLE_COUNT; role++) {
		if (!(peers & FROM(role)))
			continue;
		enum status st = connect_peer(self, role);
		if (st != STATUS_OK)
			return st;
	}
	if (!self->peers[ROLE_NOTIFY])
		return STATUS_OK;
	return outbox_new(self->db, self->db, self->keyring, self->program.loop,
	    self->peers, &self->outbox);
}

static enum status open_server(
    struct service *self, const struct service_kind *kind)
{
	struct auth_public trusted;

	enum status st = trust_read(&trusted, self->program.conf);
	if (st != STATUS_OK)
		return st;
	struct server_options options = {
		.handlers = kind->handlers,
		.handlers_count = kind->handlers_count,
		.state = self->state,
		.db = self->db,
		.journal = self->journal,
		.keyring = self->keyring,
		.audit = self->audit,
		.backup = self->backup,
		.service = self,
		.ticket_key = trusted.ticket,
		.orders = self->orders,
		.figures = kind->figures,
	};
	st = server_new(&self->program, &options, &self->server);
	for (enum role role = 0; role < ROLE_COUNT && st == STATUS_OK; role++)
		if (kind->doors & FROM(role))
			st = server_open_door(self->server, role);
	return st;
}

static size_t find_links(
    const void *arg, struct watch_link out[static WATCH_LINKS_MAX])
{
	const struct service *self = arg;
	size_t count = 0;

	for (enum role role = 0; role < ROLE_COUNT; role++)
		if (self->peers[role])
			out[count++] = (struct watch_link){
				.peer = role_word(role),
				.up = caller_link(self->peers[role]) == LINK_UP,
			};
	return count;
}

static enum status open_watch(struct service *self)
{
	enum status st = stream_new(&self->stream, &self->program);
	if (st != STATUS_OK)
		return st;
	audit_publish(self->audit, self->stream);
	const struct watch_options options = {
		.program = &self->program,
		.server = self->server,
		.db = self->db,
		.journal = self->journal,
		.orders = self->orders,
		.stream = self->stream,
		.links = find_links,
		.arg = self,
	};

	return watch_new(&self->watch, &options);
}

int service_main(const struct service_kind *kind, int argc, char **argv)
{
	struct service self = { .kind = kind };
	int exit_code;

	if (program_begin(&self.program, kind->name, kind->about, argc, argv,
		&exit_code) != PROGRAM_GO_ON)
		return exit_code;
	if (self.program.verify) {
		exit_code = verify_folder(&self, self.program.verify);
		program_end(&self.program);
		return exit_code;
	}
	enum status st = open_ledger(&self);
	if (st == STATUS_OK)
		st = open_db(&self);
	if (st == STATUS_OK)
		st = open_backup(&self);
	if (st == STATUS_OK)
		st = open_orders(&self);
	if (st == STATUS_OK)
		st = open_audit(&self);
	if (st == STATUS_OK)
		st = connect_peers(&self, kind->peers);
	if (st == STATUS_OK)
		st = kind->open(&self, &self.state);
	if (st == STATUS_OK)
		st = open_server(&self, kind);
	if (st == STATUS_OK)
		st = open_watch(&self);
	if (st == STATUS_OK) {
		audit_note(self.audit, NULL,
		    &(struct audit_event){ .action = "service_started",
			.actor = "system",
			.detail = "version " KEEPSAKE_VERSION });
		self.program.stop_requested = on_stop_requested;
		self.program.stop_arg = &self;
		orders_begin(self.orders);
		st = program_run(&self.program);
	} else {
		log_error(NULL, "start_failed", "status=%s", status_word(st));
	}

	/*
	 * Who waits for a peer is told that none answers; then what is
	 * submitted still becomes durable, and is answered too.  What that
	 * submits in turn to the other database is refused at worst.
	 */
	watch_destroy(&self.watch);
	if (self.db)
		loop_forget_fd(self.program.loop, db_event_fd(self.db));
	if (self.journal)
		loop_forget_fd(self.program.loop, db_event_fd(self.journal));
	if (self.outbox)
		outbox_disconnect(self.outbox);
	if (self.audit)
		audit_disconnect(self.audit);
	for (size_t i = 0; i < nitems(self.peers); i++)
		caller_destroy(&self.peers[i]);
	if (self.db)
		db_stop(self.db);
	if (self.journal)
		db_stop(self.journal);
	backup_destroy(&self.backup); /* before what it copies */
	outbox_destroy(&self.outbox);
	erase_destroy(&self.erase);
	erase_destroy(&self.journal_erase);
	server_destroy(&self.server);
	if (self.state)
		kind->close(&self.state);
	orders_destroy(&self.orders);
	audit_destroy(&self.audit);
	stream_destroy(&self.stream);
	keyring_destroy(&self.keyring);
	db_close(&self.db);
	db_close(&self.journal);
	log_info(NULL, "stopped", NULL);
	program_end(&self.program);
	return st == STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

enum status service_ask(struct service *self, enum role peer, uint32_t type,
    const struct id *account, const struct header *behalf,
    const ProtobufCMessage *body, answer_fn *done, void *arg)
{
	struct header header = {
		.type = type,
		.deadline_ms = SERVICE_ASK_MS,
	};
	struct bytes packed = { 0 };

	if (!self->peers[peer])
		return STATUS_UNAVAILABLE; /* closed, as the service ends */
	if (account)
		header.account = *account;
	if (behalf)
		header.trace = behalf->trace;
	if (behalf && behalf->deadline_ms > 0)
		header.deadline_ms = min_of(header.deadline_ms,
		    behalf->deadline_ms - behalf->deadline_ms / 4);
	enum status st = pack_message(&packed, body);
	if (st == STATUS_OK)
		st = caller_ask(self->peers[peer], &header,
		    bytes_slice(&packed), NULL, done, arg);
	bytes_clear(&packed);
	return st;
}

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "base/file.h"
#include "base/util.h"
#include "bus/keys.h"
#include "bus/unpack.h"
#include "common.pb-c.h"
#include "service/audit_heads.h"
#include "service/master.h"
#include "service/settings.h"
#include "service/trust.h"

#define REKEY_MS 300000

/* Every process has a CURVE key of its own; ops is this tool. */
static const char *const holders[] = { "gateway", "auth", "store", "binding",
	"notify", "ops" };

/* Those that seal what they store, under a master key of their own, and sign
 * the heads of an audit log. */
static const char *const sealers[] = { "auth", "store", "binding", "notify" };

static void print_outcome(
    struct ops *self, const char *name, const char *kind, enum status st)
{
	char file[INSTANCE_BYTES_MAX + 16];

	snprintf(file, sizeof(file), "%s%s", name, kind);
	if (st != STATUS_OK && st != STATUS_CONFLICT)
		self->exit_code = EXIT_FAILED;
	if (st == STATUS_OK)
		printf("%-14s made\n", file);
	else if (st == STATUS_CONFLICT)
		printf("%-14s kept: there was one\n", file);
	else
		printf("%-14s failed: %s\n", file, status_text(st));
}

static enum status make_curve(const struct conf *conf, const char *name)
{
	char secret[SETTINGS_PATH_BYTES], public[SETTINGS_PATH_BYTES];
	struct curve_keys keys = { 0 };

	settings_key_path(conf, name, ".key", secret);
	settings_key_path(conf, name, ".public", public);
	enum status st = curve_keys_read(&keys, secret);
	if (st == STATUS_NOT_FOUND && access(public, F_OK) == 0)
		return STATUS_CONFLICT; /* it runs on another machine */
	if (st == STATUS_NOT_FOUND) {
		st = curve_keys_make(&keys);
		if (st == STATUS_OK)
			st = curve_keys_write(&keys, secret);
	}
	if (st == STATUS_OK)
		st = curve_public_write(keys.public_key, public);
	sodium_memzero(&keys, sizeof(keys));
	return st;
}

/* A service that runs on another machine has its master key there. */
static bool is_elsewhere(const struct conf *conf, const char *name)
{
	char path[SETTINGS_PATH_BYTES];

	settings_key_path(conf, name, ".key", path);
	return access(path, F_OK) != 0;
}

static void make_all(struct ops *self)
{
	if (folder_make(conf_text(self->conf, "common", "keys")) != STATUS_OK) {
		self->exit_code = EXIT_FAILED;
		return;
	}
	for (size_t i = 0; i < nitems(holders); i++)
		print_outcome(
		    self, holders[i], "", make_curve(self->conf, holders[i]));
	for (size_t i = 0; i < nitems(sealers); i++)
		if (!is_elsewhere(self->conf, sealers[i]))
			print_outcome(self, sealers[i], ".master",
			    master_make(self->conf, sealers[i]));
	for (size_t i = 0; i < nitems(sealers); i++)
		if (!is_elsewhere(self->conf, sealers[i]))
			print_outcome(self, sealers[i], ".audit",
			    audit_signer_make(self->conf, sealers[i]));
	print_outcome(self, "seed", "", trust_make(self->conf));
	if (self->exit_code == EXIT_OK)
		printf("Keep a copy of auth.seed in a safe place: without it "
		       "every account is lost.\n"
		       "Keep copies of the .master files too, apart from the "
		       "databases: without one\n"
		       "what its service has sealed is lost.\n");
}

/* Whether it is one more of a kind of which there may be several keys. */
static bool is_another(const char *name)
{
	for (size_t i = 0; i < nitems(holders); i++)
		if (strcmp(name, holders[i]) != 0 &&
		    conf_is_instance(name, holders[i]))
			return true;
	return false;
}

/* The CURVE keys of gateways, or tools, beside the first. */
static void make_some(struct ops *self, int count, char **names)
{
	for (int i = 0; i < count; i++) {
		if (is_another(names[i]))
			continue;
		fprintf(stderr,
		    "name \"%s\": expected gateway-NAME or the like, of "
		    "letters, digits and hyphens\n",
		    names[i]);
		self->exit_code = EXIT_USAGE;
		return;
	}
	if (folder_make(conf_text(self->conf, "common", "keys")) != STATUS_OK) {
		self->exit_code = EXIT_FAILED;
		return;
	}
	for (int i = 0; i < count; i++)
		print_outcome(
		    self, names[i], "", make_curve(self->conf, names[i]));
}

/* ---- rotate ---- */

struct rekeyed {
	enum status status;
	uint64_t slots;
	uint8_t master_id[MASTER_ID_BYTES]; /* by which they are wrapped */
	char detail[DETAIL_BYTES_MAX + 1];
};

static void on_rekeyed(void *arg, const struct answer *answer)
{
	struct rekeyed *out = arg;
	Common__RekeyDone *done;
	struct unpack unpack;

	unpack_begin(&unpack);
	out->status = answer->status;
	if (out->status == STATUS_OK)
		out->status = unpack_message(&unpack,
		    &common__rekey_done__descriptor, answer->body, &done);
	if (out->status == STATUS_OK &&
	    done->master_id.len != sizeof(out->master_id))
		out->status = STATUS_VERSION;
	if (out->status == STATUS_OK) {
		out->slots = done->slots;
		memcpy(out->master_id, done->master_id.data,
		    sizeof(out->master_id));
	}
	snprintf(out->detail, sizeof(out->detail), "%s", answer->detail);
	unpack_end(&unpack);
}

/* Not ops_ask: it takes as long as there are accounts. */
static void ask_rekey(
    struct ops *self, const char *service, struct rekeyed *out)
{
	*out = (struct rekeyed){ 0 };
	out->status = ops_begin(
	    self, service, TYPE_REKEY, NULL, REKEY_MS, on_rekeyed, out);
	if (out->status == STATUS_OK)
		ops_await(self);
}

/*
 * Whether the service has wrapped its keys by the first key of our file.  It
 * may have read another: a copy that it was given at its start.
 */
static enum status compare_master(
    struct ops *self, const char *service, struct rekeyed *rekeyed)
{
	uint8_t id[MASTER_ID_BYTES];
	struct master *master = NULL;

	enum status st = master_read(&master, self->conf, service);
	if (st != STATUS_OK)
		return st;
	master_id(id, master->keys[0], service);
	master_destroy(&master);
	if (sodium_memcmp(id, rekeyed->master_id, sizeof(id)) == 0)
		return STATUS_OK;
	snprintf(rekeyed->detail, sizeof(rekeyed->detail),
	    "%s reads another %s.master: give it this one, and start it again",
	    service, service);
	return STATUS_CONFLICT;
}

/*
 * A new master key above the former one, then the service wraps its account
 * keys anew, then the former key goes.  Cut short anywhere, both keys are in
 * the file, and the next try goes on with the same new one.
 */
static void rotate(struct ops *self, const char *service)
{
	struct rekeyed rekeyed;

	/* Whoever does not answer is not waited for with two keys. */
	enum status st = ops_ask(self, service, TYPE_PING, NULL, NULL, NULL);
	if (st != STATUS_OK) {
		ops_refused(self, service, st);
		fprintf(stderr, "%s.master: nothing was changed\n", service);
		return;
	}
	st = master_renew(self->conf, service);
	if (st != STATUS_OK && st != STATUS_CONFLICT) {
		fprintf(stderr, "%s.master: %s: nothing was changed\n", service,
		    status_text(st));
		self->exit_code = EXIT_FAILED;
		return;
	}
	ask_rekey(self, service, &rekeyed);
	st = rekeyed.status;
	if (st == STATUS_OK)
		st = compare_master(self, service, &rekeyed);
	if (st == STATUS_OK)
		st = master_settle(self->conf, service);
	if (st != STATUS_OK) {
		fprintf(stderr,
		    "%s.master: not rotated: %s.  It has the new key and the "
		    "former one; keepsakectl keys rotate %s goes on from "
		    "there.\n",
		    service, *rekeyed.detail ? rekeyed.detail : status_text(st),
		    service);
		self->exit_code = EXIT_FAILED;
		return;
	}
	printf("%-14s %llu keys wrapped by a new master key\n", service,
	    (unsigned long long)rekeyed.slots);
}

static const char *find_sealer(const char *name)
{
	for (size_t i = 0; i < nitems(sealers); i++)
		if (strcmp(sealers[i], name) == 0)
			return sealers[i];
	return NULL;
}

static void rotate_some(struct ops *self, int count, char **names)
{
	for (int i = 0; i < count; i++) {
		if (find_sealer(names[i]))
			continue;
		fprintf(stderr,
		    "service \"%s\": expected auth, store, binding or "
		    "notify\n",
		    names[i]);
		self->exit_code = EXIT_USAGE;
		return;
	}
	for (int i = 0; i < count; i++)
		rotate(self, names[i]);
	for (size_t i = 0; count == 0 && i < nitems(sealers); i++)
		rotate(self, sealers[i]);
	if (self->exit_code == EXIT_OK)
		printf("Put the new .master files where their copies are, and "
		       "destroy the former copies.\n");
}

void command_keys(struct ops *self, int argc, char **argv)
{
	if (argc == 1 && strcmp(argv[0], "make") == 0) {
		make_all(self);
	} else if (argc > 1 && strcmp(argv[0], "make") == 0) {
		make_some(self, argc - 1, argv + 1);
	} else if (argc > 0 && strcmp(argv[0], "rotate") == 0) {
		rotate_some(self, argc - 1, argv + 1);
	} else {
		fprintf(stderr,
		    "usage: keepsakectl keys make [gateway-NAME]...\n"
		    "       keepsakectl keys rotate [SERVICE]...\n");
		self->exit_code = EXIT_USAGE;
	}
}

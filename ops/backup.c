#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ask.h"
#include "backup.h"
#include "base/util.h"
#include "bus/header.h"
#include "bus/unpack.h"
#include "ops.pb-c.h"
#include "rows.h"
#include "service/backup_manifest.h"

#define POLL_NS 100000000L

/*
 * auth comes last.  An account begins at auth, so what the others had of one
 * when they were copied auth's copy has too: nobody's terminal is bound to an
 * account that is not there.
 */
static const char *const services[BACKUP_SERVICES] = { "store", "binding",
	"notify", "auth" };

const char *backup_service(const char *name)
{
	for (size_t i = 0; i < nitems(services); i++)
		if (strcmp(services[i], name) == 0)
			return services[i];
	fprintf(stderr,
	    "service \"%s\": expected auth, store, binding or notify\n", name);
	return NULL;
}

bool backup_services(struct ops *self, int argc, char **argv,
    const char *out[static BACKUP_SERVICES], size_t *count_out)
{
	bool all = argc == 0 || (argc == 1 && strcmp(argv[0], "all") == 0);

	*count_out = 0;
	for (int i = 0; !all && i < argc; i++)
		if (!backup_service(argv[i])) {
			self->exit_code = EXIT_USAGE;
			return false;
		}
	for (size_t i = 0; i < nitems(services); i++) {
		bool wanted = all;
		for (int k = 0; k < argc && !all; k++)
			wanted |= strcmp(argv[k], services[i]) == 0;
		if (wanted)
			out[(*count_out)++] = services[i];
	}
	return true;
}

/* ---- making one ---- */

static json_t *state_json(
    const char *service, const char *name, const Ops__BackupState *state)
{
	char point[32] = "";
	time_t seconds = (time_t)(state->point_ms / 1000);
	struct tm broken;

	if (gmtime_r(&seconds, &broken))
		strftime(point, sizeof(point), "%Y-%m-%dT%H:%M:%SZ", &broken);
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:b}", "service",
	    service, "name", name, "folder", state->folder, "point", point,
	    "format", (json_int_t)state->format, "accounts",
	    (json_int_t)state->accounts, "bytes", (json_int_t)state->bytes,
	    "ledger", state->ledger);
}

static enum status back_up(struct ops *self, const char *service,
    const Ops__Backup *request, json_t *done)
{
	const struct timespec pause = { 0, POLL_NS };
	Ops__BackupState *state = NULL;
	enum status st;

	for (;;) {
		st = ops_ask(self, service, TYPE_BACKUP, &request->base,
		    &ops__backup_state__descriptor, &state);
		if (st != STATUS_OK || state->done)
			break;
		nanosleep(&pause, NULL);
	}
	if (st != STATUS_OK) {
		ops_refused(self, service, st);
		return st;
	}
	json_t *object = state_json(service, request->name, state);
	if (!self->json)
		printf("%-8s %s  as of %s, %llu accounts, %llu bytes%s\n",
		    service, state->folder,
		    json_string_value(json_object_get(object, "point")),
		    (unsigned long long)state->accounts,
		    (unsigned long long)state->bytes,
		    state->ledger ? ", with a copy of the ledger" : "");
	json_array_append_new(done, object);
	return STATUS_OK;
}

void command_backup(struct ops *self, int argc, char **argv)
{
	Ops__Backup request = OPS__BACKUP__INIT;
	const char *chosen[BACKUP_SERVICES];
	char name[BACKUP_NAME_BYTES_MAX + 1];
	uint8_t set[ID_BYTES];
	size_t count;
	time_t now = time(NULL);
	struct tm broken;

	if (!backup_services(self, argc, argv, chosen, &count))
		return;
	gmtime_r(&now, &broken);
	strftime(name, sizeof(name), "%Y-%m-%dT%H%M%SZ", &broken);
	request.name = name;
	if (self->options.to)
		request.name = (char *)self->options.to;
	if (!backup_name_ok(request.name)) {
		fprintf(stderr,
		    "keepsakectl: --to \"%s\": a name, not a path: each "
		    "service writes it below its own [SERVICE] backups; "
		    "letters, digits, \".\", \"_\" and \"-\"\n",
		    request.name);
		self->exit_code = EXIT_USAGE;
		return;
	}
	randombytes_buf(set, sizeof(set));
	request.set_id = field_of(slice_of(set, sizeof(set)));
	request.no_ledger = self->options.no_ledger;
	json_t *done = json_array();
	/* One that fails does not keep the others from being copied. */
	for (size_t i = 0; i < count; i++)
		back_up(self, chosen[i], &request, done);
	if (self->json)
		rows_print_json(done);
	else
		json_decref(done);
}

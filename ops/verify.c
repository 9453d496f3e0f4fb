#include <errno.h>
#include <libgen.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backup.h"
#include "base/util.h"
#include "bus/header.h"
#include "ask.h"
#include "list.h"
#include "rows.h"
#include "service/backup_manifest.h"

/* Proving that what is stored is whole: what is served is asked of its
 * service, a backup is looked at by the service's own program. */

#define PATH_BYTES 4096

/* ---- what is served ---- */

#define FIGURES_MAX 8

struct verified {
	struct ops *ops;
	const char *service;
	json_t *damages;
	size_t damages_count;
	char names[FIGURES_MAX][32];
	uint64_t sums[FIGURES_MAX];
	size_t count;
};

static void add_figures(struct verified *self, const Ops__ListRow *row)
{
	for (size_t i = 0; i < row->n_fields && i < FIGURES_MAX; i++) {
		snprintf(self->names[i], sizeof(self->names[i]), "%s",
		    row->fields[i]->name);
		self->sums[i] += row->fields[i]->number;
		self->count = max_of(self->count, i + 1);
	}
}

static void add_damage(struct verified *self, const Ops__ListRow *row)
{
	json_t *object = rows_json(row);

	self->damages_count++;
	fprintf(stderr, "%s: damaged: table %s, account %s, key %s: %s\n",
	    self->service, json_string_value(json_object_get(object, "table")),
	    json_string_value(json_object_get(object, "account")),
	    json_string_value(json_object_get(object, "key")),
	    json_string_value(json_object_get(object, "why")));
	json_array_append_new(self->damages, object);
}

static void on_rows(void *arg, Ops__ListRow *const *rows, size_t count)
{
	struct verified *self = arg;

	for (size_t i = 0; i < count; i++)
		if (strcmp(rows[i]->kind, "damage") == 0)
			add_damage(self, rows[i]);
		else
			add_figures(self, rows[i]);
}

static json_t *verified_json(struct verified *self)
{
	json_t *object = json_pack(
	    "{s:s, s:O}", "service", self->service, "damage", self->damages);

	for (size_t i = 0; i < self->count; i++)
		json_object_set_new(object, self->names[i],
		    json_integer((json_int_t)self->sums[i]));
	return object;
}

static void verify_served(struct ops *self, const char *service, json_t *all)
{
	struct verified verified = {
		.ops = self,
		.service = service,
		.damages = json_array(),
	};

	enum status st = ops_list(self, service, TYPE_VERIFY, NULL,
	    (struct slice){ 0 }, NULL, on_rows, &verified);
	if (st != STATUS_OK) {
		ops_refused(self, service, st);
		goto out;
	}
	if (!self->json) {
		printf("%-8s", service);
		for (size_t i = 0; i < verified.count; i++)
			printf(" %llu %s,",
			    (unsigned long long)verified.sums[i],
			    verified.names[i]);
		printf(" %zu damaged\n", verified.damages_count);
	}
	if (verified.damages_count > 0 && self->exit_code == EXIT_OK)
		self->exit_code = EXIT_FAILED;
	json_array_append_new(all, verified_json(&verified));
out:
	json_decref(verified.damages);
}

/* ---- a backup ---- */

/* The service's program lies where this one does. */
static bool find_program(const char *service, char out[static PATH_BYTES])
{
	char self[PATH_BYTES / 2];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len < 0)
		return false;
	self[len] = '\0';
	return snprintf(out, PATH_BYTES, "%s/keepsake-%s", dirname(self),
		   service) < PATH_BYTES &&
	       access(out, X_OK) == 0;
}

static void verify_folder(struct ops *self, const char *folder)
{
	extern char **environ;
	struct backup_manifest manifest;
	const char *why = "it cannot be read";
	char program[PATH_BYTES];
	pid_t pid;
	int status = -1;

	enum status st = backup_manifest_load(&manifest, folder, &why);
	if (st != STATUS_OK) {
		fprintf(stderr, "keepsakectl: %s: %s\n", folder, why);
		self->exit_code =
		    st == STATUS_NOT_FOUND ? EXIT_NOT_FOUND : EXIT_FAILED;
		return;
	}
	const char *service = backup_service(manifest.service);
	if (!service || !find_program(service, program)) {
		fprintf(stderr,
		    "keepsakectl: keepsake-%s is not installed here: verify "
		    "the backup where it is\n",
		    manifest.service);
		self->exit_code = EXIT_FAILED;
		return;
	}
	char *argv[] = { program, "--config", (char *)self->config, "--verify",
		(char *)folder, NULL };
	fflush(stdout);
	int rc = posix_spawn(&pid, program, NULL, NULL, argv, environ);
	if (rc != 0 || waitpid(pid, &status, 0) != pid) {
		fprintf(stderr, "keepsakectl: %s: %s\n", program,
		    strerror(rc != 0 ? rc : errno));
		self->exit_code = EXIT_FAILED;
		return;
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		self->exit_code = EXIT_FAILED;
}

void command_verify(struct ops *self, int argc, char **argv)
{
	const char *chosen[BACKUP_SERVICES];
	size_t count;

	if (self->options.folder && argc > 0) {
		fprintf(stderr, "keepsakectl: the backup says whose it is: no "
				"SERVICE with --folder\n");
		self->exit_code = EXIT_USAGE;
		return;
	}
	if (self->options.folder) {
		verify_folder(self, self->options.folder);
		return;
	}
	if (!backup_services(self, argc, argv, chosen, &count))
		return;
	json_t *all = json_array();
	for (size_t i = 0; i < count; i++)
		verify_served(self, chosen[i], all);
	if (self->json)
		rows_print_json(all);
	else
		json_decref(all);
}

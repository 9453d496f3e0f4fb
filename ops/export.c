#include "export.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/util.h"
#include "by.h"
#include "list.h"
#include "rows.h"
#include "target.h"

#define PATH_BYTES 4096

static const char *const services[] = { "auth", "store", "binding", "notify" };

static enum status folder_refused(
    struct ops *self, const char *folder, const char *why)
{
	fprintf(stderr,
	    "keepsakectl: %s: %s: name a new folder, or an empty one of yours "
	    "with mode 0700\n",
	    folder, why);
	self->exit_code = EXIT_USAGE;
	return STATUS_CONFLICT;
}

static bool folder_is_empty(const char *folder)
{
	size_t entries = 0;
	DIR *dir = opendir(folder);

	if (!dir)
		return false;
	while (readdir(dir))
		entries++;
	closedir(dir);
	return entries == 2; /* . and .. */
}

enum status export_folder(struct ops *self, const char *folder)
{
	struct stat found;

	if (mkdir(folder, 0700) == 0)
		return STATUS_OK;
	if (errno != EEXIST)
		return folder_refused(self, folder, strerror(errno));
	if (lstat(folder, &found) < 0)
		return folder_refused(self, folder, strerror(errno));
	if (!S_ISDIR(found.st_mode) || found.st_uid != geteuid() ||
	    (found.st_mode & 0077) != 0)
		return folder_refused(
		    self, folder, "others may see what is in it");
	if (!folder_is_empty(folder))
		return folder_refused(self, folder, "there is something in it");
	return STATUS_OK;
}

static enum status write_file(
    struct ops *self, const char *folder, const char *service, json_t *held)
{
	char path[PATH_BYTES];
	char *text = json_dumps(held, JSON_INDENT(2));
	size_t len = text ? strlen(text) : 0;
	enum status st = STATUS_NO_SPACE;

	if (text) {
		snprintf(path, sizeof(path), "%s/%s.json", folder, service);
		text[len] = '\n'; /* in the place of its NUL */
		st = file_create(path, slice_of(text, len + 1), 0600);
		explicit_bzero(text, len + 1);
	}
	free(text);
	if (st != STATUS_OK) {
		fprintf(stderr,
		    "keepsakectl: %s/%s.json: %s: the folder is not complete; "
		    "remove it and try again\n",
		    folder, service, status_text(st));
		self->exit_code = EXIT_FAILED;
	}
	return st;
}

enum status export_write(
    struct ops *self, const struct id *account, Ops__By *by, const char *folder)
{
	json_t *held[nitems(services)] = { NULL };
	char id[HEX_BYTES(ID_BYTES)], when[CLOCK_TEXT_BYTES];
	enum status st = STATUS_OK;

	hex_encode(id, slice_of(account->bytes, ID_BYTES));
	clock_text(when, clock_wall_ms());
	for (size_t i = 0; i < nitems(services) && st == STATUS_OK; i++) {
		json_t *rows = json_object();
		held[i] = json_pack("{s:s, s:s, s:s, s:o}", "service",
		    services[i], "account", id, "exported", when, "held", rows);
		st = ops_list(self, services[i], OPS__TYPE__EXPORT, account,
		    (struct slice){ 0 }, by, rows_gather, rows);
		if (st != STATUS_OK)
			ops_refused(self, services[i], st);
	}
	for (size_t i = 0; i < nitems(services) && st == STATUS_OK; i++)
		st = write_file(self, folder, services[i], held[i]);
	for (size_t i = 0; i < nitems(services); i++)
		json_decref(held[i]);
	return st;
}

void command_export(struct ops *self, int argc, char **argv)
{
	const char *folder = self->options.to;
	struct id account;
	Ops__By by;

	if (!folder) {
		fprintf(stderr, "keepsakectl: where to? --to FOLDER\n");
		self->exit_code = EXIT_USAGE;
		return;
	}
	if (ops_by(self, OPERATOR_NEEDS_NOTHING, &by) != STATUS_OK ||
	    ops_account(self, &argc, &argv, false, &account) != STATUS_OK ||
	    export_folder(self, folder) != STATUS_OK ||
	    export_write(self, &account, &by, folder) != STATUS_OK)
		return;
	if (self->json)
		rows_print_json(json_pack("{s:s}", "folder", folder));
	else
		printf("written to %s: hand it over, then remove it\n", folder);
}

#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "base/text.h"
#include "base/util.h"
#include "bus/header.h"
#include "bus/unpack.h"
#include "common.pb-c.h"
#include "rows.h"

/* compact SERVICE: the files of its databases, without their free pages. */

#define COMPACT_MS 600000 /* it writes all that is there */

struct compacted {
	struct unpack unpack;
	Common__Compacted *message; /* NULL unless OK */
	enum status status;
	char detail[DETAIL_BYTES_MAX + 1];
};

static void on_compacted(void *arg, const struct answer *answer)
{
	struct compacted *out = arg;

	out->status = answer->status;
	snprintf(out->detail, sizeof(out->detail), "%s", answer->detail);
	if (answer->status == STATUS_OK)
		out->status =
		    unpack_message(&out->unpack, &common__compacted__descriptor,
			answer->body, &out->message);
}

static void print_files(const char *service, const Common__Compacted *message)
{
	char before[TEXT_SIZE_BYTES], after[TEXT_SIZE_BYTES];

	for (size_t i = 0; i < message->n_files; i++)
		printf("%-8s  %-8s  %10s to %10s\n", service,
		    message->files[i]->name,
		    text_of_size(before, message->files[i]->before_bytes),
		    text_of_size(after, message->files[i]->after_bytes));
}

static json_t *files_json(const char *service, const Common__Compacted *message)
{
	json_t *files = json_array();

	for (size_t i = 0; i < message->n_files; i++)
		json_array_append_new(
		    files, json_pack("{s:s, s:s, s:I, s:I}", "service", service,
			       "file", message->files[i]->name, "before_bytes",
			       (json_int_t)message->files[i]->before_bytes,
			       "after_bytes",
			       (json_int_t)message->files[i]->after_bytes));
	return files;
}

static bool is_service(const char *name)
{
	for (size_t i = 0; i < OPS_PROCESSES; i++)
		if (strcmp(ops_processes[i], name) == 0)
			return strcmp(name, "gateway") != 0;
	return false;
}

void command_compact(struct ops *self, int argc, char **argv)
{
	struct compacted compacted = { .status = STATUS_OK };
	const char *service = argv[0];

	(void)argc; /* one, as the table says */
	if (!is_service(service)) {
		fprintf(stderr,
		    "service \"%s\": expected auth, store, binding or "
		    "notify\n",
		    service);
		self->exit_code = EXIT_USAGE;
		return;
	}
	/* What takes long is asked of one who answers. */
	enum status st = ops_ask(self, service, TYPE_PING, NULL, NULL, NULL);
	if (st != STATUS_OK) {
		ops_refused(self, service, st);
		return;
	}
	unpack_begin(&compacted.unpack);
	st = ops_begin(self, service, TYPE_COMPACT, NULL, COMPACT_MS,
	    on_compacted, &compacted);
	if (st == STATUS_OK) {
		ops_await(self);
		st = compacted.status;
	}
	if (st != STATUS_OK)
		ops_refused_with(self, service, st, compacted.detail);
	else if (self->json)
		rows_print_json(files_json(service, compacted.message));
	else
		print_files(service, compacted.message);
	unpack_end(&compacted.unpack);
}

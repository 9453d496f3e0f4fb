#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "command.h"
#include "output.h"

/* terminals, rebind, unbind: which terminals the account has. */

/* ---- terminals ---- */

/* A text that may be missing: "" is null. */
static json_t *json_of_text(const char *text)
{
	return text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *terminal_json(const struct keepsake_terminal *terminal)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b}", "terminal",
	    json_of_id(terminal->id), "imei", json_of_text(terminal->imei),
	    "serial", json_of_text(terminal->serial), "label",
	    json_of_text(terminal->label), "bound",
	    json_of_time(terminal->bound_ms), "this", terminal->is_this);
}

static void print_terminal(const struct keepsake_terminal *terminal)
{
	char id[HEX_BYTES(KEEPSAKE_ID_BYTES)], bound[CLOCK_TEXT_BYTES];

	hex_encode(id, slice_of(terminal->id, KEEPSAKE_ID_BYTES));
	clock_text(bound, terminal->bound_ms);
	printf("%s  bound %s", id, bound);
	if (terminal->imei[0] != '\0')
		printf("  imei %s", terminal->imei);
	if (terminal->serial[0] != '\0')
		printf("  serial %s", terminal->serial);
	if (terminal->label[0] != '\0')
		printf("  \"%s\"", terminal->label);
	printf("%s\n", terminal->is_this ? "  (this one)" : "");
}

enum exit_code command_terminals(struct run *run)
{
	struct keepsake_terminal *list = NULL;
	json_t *array = NULL;
	enum exit_code code = EXIT_DONE;
	size_t count;
	enum status st = keepsake_terminals(run->keepsake, &list, &count);

	if (st != STATUS_OK)
		return command_failed(run, st);
	if (run->options.json)
		array = json_array();
	for (size_t i = 0; i < count; i++)
		if (array)
			json_array_append_new(array, terminal_json(&list[i]));
		else
			print_terminal(&list[i]);
	if (array && !json_print(array))
		code = EXIT_FAILED;
	if (!array && count == 0 && !run->options.quiet)
		puts("The account has no terminal.  Next: keepsake bind "
		     "--serial SERIAL");
	free(list);
	return code;
}

/* ---- rebind ---- */

enum exit_code command_rebind(struct run *run)
{
	struct keepsake_standing standing;
	const struct options *options = &run->options;
	const struct keepsake_device device = {
		.imei = options->imei ? options->imei : "",
		.serial = options->serial ? options->serial : "",
		.label = options->label ? options->label : "",
	};

	if (!options->imei && !options->serial && !options->label) {
		fprintf(stderr,
		    "keepsake: rebind: as which terminal of the account?  "
		    "--imei IMEI, --serial SERIAL,\nor both; keepsake "
		    "terminals lists them\n");
		return EXIT_USAGE;
	}
	enum status st = keepsake_rebind(run->keepsake, &device);
	if (st == STATUS_OK)
		st = keepsake_standing(run->keepsake, &standing);
	if (st != STATUS_OK)
		return command_failed(run, st);
	if (run->options.json)
		return json_print(json_pack("{s:o, s:o}", "terminal",
			   json_of_id(standing.terminal), "account",
			   json_of_id(standing.account)))
			   ? EXIT_DONE
			   : EXIT_FAILED;
	if (!run->options.quiet)
		puts("This is that terminal now; one that was it before is "
		     "signed out.");
	return EXIT_DONE;
}

/* ---- unbind ---- */

/* What the arguments name: a terminal's id, a device, or this terminal. */
struct named {
	uint8_t id[KEEPSAKE_ID_BYTES];
	bool has_id;
	struct keepsake_device device;
	bool has_device;
};

static bool read_named(const struct run *run, struct named *out)
{
	const char *imei = run->options.imei, *serial = run->options.serial;
	const char *id = run->operands_count > 0 ? run->operands[0] : NULL;

	out->has_id = id != NULL;
	if (id && hex_decode(out->id, sizeof(out->id), id) != STATUS_OK) {
		fprintf(stderr,
		    "keepsake: unbind: a terminal's id has %d hex digits; "
		    "keepsake terminals lists them\n",
		    2 * KEEPSAKE_ID_BYTES);
		return false;
	}
	out->has_device = !id && (imei || serial);
	out->device = (struct keepsake_device){
		.imei = imei ? imei : "",
		.serial = serial ? serial : "",
		.label = "",
	};
	return true;
}

enum exit_code command_unbind(struct run *run)
{
	struct named named;
	uint8_t unbound[KEEPSAKE_ID_BYTES];

	if (!read_named(run, &named))
		return EXIT_USAGE;
	enum status st =
	    keepsake_unbind(run->keepsake, named.has_id ? named.id : NULL,
		named.has_device ? &named.device : NULL, unbound);
	if (st != STATUS_OK)
		return command_failed(run, st);
	if (run->options.json)
		return json_print(
			   json_pack("{s:o}", "unbound", json_of_id(unbound)))
			   ? EXIT_DONE
			   : EXIT_FAILED;
	if (!run->options.quiet)
		puts("The terminal is released: any account can bind it now.  "
		     "What it backed up\nis still the account's.");
	return EXIT_DONE;
}

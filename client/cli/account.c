#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"
#include "bus/keys.h"
#include "command.h"
#include "output.h"

#include <zmq.h>

/* enrol, register, bind, password, status: what makes a terminal one. */

/* Print ${result}, or, without --json, ${text}. */
static enum exit_code finish(
    const struct run *run, json_t *result, const char *text)
{
	if (run->options.json)
		return json_print(result) ? EXIT_DONE : EXIT_FAILED;
	json_decref(result);
	if (!run->options.quiet)
		puts(text);
	return EXIT_DONE;
}

enum exit_code command_enrol(struct run *run)
{
	struct keepsake_standing standing;
	char server[KEEPSAKE_HOST_BYTES_MAX + 16], text[512];
	enum status st = keepsake_enrol(run->keepsake, run->operands[0]);

	if (st == STATUS_OK)
		st = keepsake_standing(run->keepsake, &standing);
	if (st != STATUS_OK)
		return command_failed(run, st);
	snprintf(server, sizeof(server), "%s:%u", standing.host, standing.port);
	snprintf(text, sizeof(text),
	    "This terminal trusts the server at %s.  Next: keepsake register "
	    "NAME,\nor keepsake --name NAME bind --serial SERIAL for an "
	    "account that you have.",
	    server);
	return finish(run, json_pack("{s:s}", "server", server), text);
}

enum exit_code command_register(struct run *run)
{
	struct keepsake_standing standing;
	const char *name =
	    run->operands_count > 0 ? run->operands[0] : run->options.name;

	if (!name) {
		fprintf(stderr, "keepsake: register: which name?  keepsake "
				"register NAME\n");
		return EXIT_USAGE;
	}
	run->registering = true;
	enum status st = keepsake_register(run->keepsake, name);
	if (st == STATUS_OK)
		st = keepsake_standing(run->keepsake, &standing);
	if (st != STATUS_OK)
		return command_failed(run, st);
	return finish(run,
	    json_pack("{s:s, s:o}", "name", standing.name, "account",
		json_of_id(standing.account)),
	    "The account is made.  Keep the password well: nobody can restore "
	    "the backups\nwithout it.  Next: keepsake bind --serial SERIAL");
}

enum exit_code command_bind(struct run *run)
{
	struct keepsake_standing standing;
	const struct options *options = &run->options;
	const struct keepsake_device device = {
		.imei = options->imei ? options->imei : "",
		.serial = options->serial ? options->serial : "",
		.label = options->label ? options->label : "",
	};

	if (!options->imei && !options->serial) {
		fprintf(stderr,
		    "keepsake: bind: which terminal is this?  --serial "
		    "SERIAL, --imei IMEI, or both\n");
		return EXIT_USAGE;
	}
	enum status st = keepsake_bind(run->keepsake, &device);
	if (st == STATUS_OK)
		st = keepsake_standing(run->keepsake, &standing);
	if (st != STATUS_OK)
		return command_failed(run, st);
	return finish(run,
	    json_pack("{s:o, s:o}", "terminal", json_of_id(standing.terminal),
		"account", json_of_id(standing.account)),
	    "This terminal is bound to the account.  Next: keepsake backup "
	    "FOLDER");
}

enum exit_code command_password(struct run *run)
{
	enum status st = keepsake_change_password(run->keepsake);

	if (st != STATUS_OK)
		return command_failed(run, st);
	return finish(run, json_pack("{s:b}", "changed", 1),
	    "The password is changed.  All terminals of the account use the "
	    "new one from now on;\nno backup was touched.");
}

static void print_standing(const struct keepsake_standing *standing,
    const char *folder, const char *terminal_key)
{
	char id[HEX_BYTES(KEEPSAKE_ID_BYTES)];

	printf("state folder  %s\n", folder);
	printf("terminal key  %s\n", terminal_key);
	if (standing->port == 0)
		printf("server        none: keepsake enrol STRING\n");
	else
		printf("server        %s:%u\n", standing->host, standing->port);
	if (standing->name[0] == '\0')
		printf("account       none: keepsake register NAME\n");
	else
		printf("account       %s\n", standing->name);
	if (!is_none(standing->account)) {
		hex_encode(id, slice_of(standing->account, KEEPSAKE_ID_BYTES));
		printf("account id    %s\n", id);
	}
	if (is_none(standing->terminal)) {
		printf("bound         no: keepsake bind --serial SERIAL\n");
		return;
	}
	hex_encode(id, slice_of(standing->terminal, KEEPSAKE_ID_BYTES));
	printf("bound         yes, as terminal %s\n", id);
}

static json_t *standing_json(const struct keepsake_standing *standing,
    const char *folder, const char *terminal_key)
{
	char server[KEEPSAKE_HOST_BYTES_MAX + 16];

	snprintf(
	    server, sizeof(server), "%s:%u", standing->host, standing->port);
	return json_pack("{s:o, s:s, s:s?, s:s?, s:o, s:o, s:b}", "state",
	    json_path(folder), "terminal_key", terminal_key, "server",
	    standing->port ? server : NULL, "name",
	    standing->name[0] ? standing->name : NULL, "account",
	    json_of_id(standing->account), "terminal",
	    json_of_id(standing->terminal), "bound",
	    !is_none(standing->terminal));
}

enum exit_code command_status(struct run *run)
{
	struct keepsake_standing standing;
	char terminal_key[CURVE_Z85_BYTES];
	const char *folder = keepsake_folder(run->keepsake);
	uint64_t took_ms = 0;
	enum status st = keepsake_standing(run->keepsake, &standing);

	if (st != STATUS_OK)
		return command_failed(run, st);
	zmq_z85_encode(terminal_key, standing.terminal_key, CURVE_KEY_BYTES);
	if (!run->options.json)
		print_standing(&standing, folder, terminal_key);
	st = keepsake_ping(run->keepsake, &took_ms);
	if (run->options.json) {
		json_t *result = standing_json(&standing, folder, terminal_key);
		json_object_set_new(
		    result, "reachable", json_boolean(st == STATUS_OK));
		if (st == STATUS_OK)
			json_object_set_new(result, "round_trip_ms",
			    json_integer((json_int_t)took_ms));
		else
			json_object_update_new(result,
			    json_pack("{s:s, s:s}", "detail",
				keepsake_detail(run->keepsake), "advice",
				keepsake_advice(run->keepsake)));
		return json_print(result) ? exit_code_of(st) : EXIT_FAILED;
	}
	if (st != STATUS_OK)
		return command_failed(run, st);
	printf("reachable     yes, in %llu ms\n", (unsigned long long)took_ms);
	return EXIT_DONE;
}

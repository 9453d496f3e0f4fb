#include "ask.h"

#include <sodium.h>
#include <stdio.h>

#include "service/settings.h"

enum status ask_open_bus(struct ops *self, struct bus **out)
{
	char path[SETTINGS_PATH_BYTES];
	struct curve_keys keys = { 0 };

	settings_key_path(self->conf, "ops", ".key", path);
	enum status st = curve_keys_read(&keys, path);
	if (st != STATUS_OK)
		fprintf(stderr, "%s: %s: see keepsakectl keys make\n", path,
		    status_text(st));
	else
		st = bus_new(&keys, out);
	sodium_memzero(&keys, sizeof(keys));
	return st;
}

enum status ask_connect(struct ops *self, struct bus *bus, struct loop *loop,
    const char *process, struct caller **out)
{
	char path[SETTINGS_PATH_BYTES], endpoint[ENDPOINT_BYTES];
	uint8_t key[CURVE_KEY_BYTES];

	settings_key_path(self->conf, process, ".public", path);
	settings_endpoint(self->conf, "ops", process, process, "ops", endpoint);
	enum status st = curve_public_read(key, path);
	struct caller_options options = {
		.name = process,
		.endpoint = endpoint,
		.server_key = key,
		.envelope_count = 1,
	};

	return st == STATUS_OK ? caller_new(bus, loop, &options, out) : st;
}

/* One question while it is asked. */
struct asking {
	const char *process;
	struct loop *loop;
	struct bytes *reply;
	enum status status;
};

static void on_answer(void *arg, const struct answer *answer)
{
	struct asking *asking = arg;

	asking->status = answer->status;
	if (answer->status == STATUS_OK && asking->reply)
		asking->status = bytes_copy(asking->reply, answer->body);
	if (answer->status != STATUS_OK)
		fprintf(stderr, "%s: %s%s%s\n", asking->process,
		    status_text(answer->status), *answer->detail ? ": " : "",
		    answer->detail);
	loop_stop(asking->loop);
}

enum status ask_one(struct ops *self, const char *process, uint32_t type,
    uint32_t ask_ms, struct slice body, struct bytes *reply)
{
	struct asking asking = { .process = process, .reply = reply };
	struct header header = { .type = type, .deadline_ms = ask_ms };
	struct caller *caller = NULL;
	struct bus *bus = NULL;

	enum status st = ask_open_bus(self, &bus);
	if (st != STATUS_OK)
		return st; /* it has said why */
	st = loop_new(&asking.loop);
	if (st == STATUS_OK)
		st = ask_connect(self, bus, asking.loop, process, &caller);
	if (st == STATUS_OK)
		st =
		    caller_ask(caller, &header, body, NULL, on_answer, &asking);
	if (st == STATUS_OK)
		st = loop_run(asking.loop);
	if (st == STATUS_OK)
		st = asking.status;
	else
		fprintf(stderr, "%s: %s\n", process, status_text(st));
	caller_destroy(&caller);
	loop_destroy(&asking.loop);
	bus_destroy(&bus);
	return st;
}

/*
 * stranger ENDPOINT SERVER.public [OWN.key]
 *
 * Knocks at the door of a process, with the key of OWN.key or a new one, and
 * asks PING.  Prints "refused" where the door does not let that key in,
 * "let in" where it answers, "nobody" where nobody is there.
 */
#include <err.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "bus/caller.h"

#define ASK_MS 20000

static struct loop *loop;

static void on_answer(void *arg, const struct answer *answer)
{
	enum status *out = arg;

	*out = answer->status;
	loop_stop(loop);
}

int main(int argc, char **argv)
{
	uint8_t server_key[CURVE_KEY_BYTES];
	struct curve_keys keys;
	struct header header = { .type = TYPE_PING, .deadline_ms = ASK_MS };
	struct slice empty = { 0 };
	struct bus *bus = NULL;
	struct caller *caller = NULL;
	enum status status = STATUS_PENDING;

	if (argc < 3 || argc > 4)
		errx(2, "usage: stranger ENDPOINT SERVER.public [OWN.key]");
	log_level_set(LOG_ERROR);
	if (curve_public_read(server_key, argv[2]) != STATUS_OK)
		errx(1, "%s: no key", argv[2]);
	enum status st = argc == 4 ? curve_keys_read(&keys, argv[3])
				   : curve_keys_make(&keys);
	const struct caller_options options = {
		.name = "door",
		.endpoint = argv[1],
		.server_key = server_key,
		.envelope_count = 1,
		.refusals_max = 1,
	};
	if (st != STATUS_OK || bus_new(&keys, &bus) != STATUS_OK ||
	    loop_new(&loop) != STATUS_OK ||
	    caller_new(bus, loop, &options, &caller) != STATUS_OK ||
	    caller_ask(caller, &header, empty, NULL, on_answer, &status) !=
		STATUS_OK)
		errx(1, "cannot ask");
	loop_run(loop);
	if (status == STATUS_OK)
		printf("let in\n");
	else if (caller_link(caller) == LINK_REFUSED)
		printf("refused\n");
	else
		printf("nobody\n");
	caller_destroy(&caller);
	loop_destroy(&loop);
	bus_destroy(&bus);
	return 0;
}

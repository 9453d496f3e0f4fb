/*
 * setformat SERVICE FOLDER FROM TO
 *
 * Change the format version that the database of SERVICE in FOLDER carries,
 * as a newer release would, and nothing else.
 *
 * Exit status: 0 done, 1 it is no such database, 2 wrong arguments.
 */
#include <err.h>
#include <errno.h>
#include <stdlib.h>

#include "db/engine.h"

#define MAP_BYTES (1024ull * 1024 * 1024)

static uint32_t format_from(const char *text)
{
	char *end = NULL;

	errno = 0;
	unsigned long number = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || number == 0 || number > UINT16_MAX)
		errx(2, "'%s' is not a format version", text);
	return (uint32_t)number;
}

int main(int argc, char **argv)
{
	struct engine *engine = NULL;

	if (argc != 5)
		errx(2, "usage: setformat SERVICE FOLDER FROM TO");
	const struct db_options options = {
		.path = argv[2],
		.service = argv[1],
		.format = format_from(argv[3]),
		.map_bytes = MAP_BYTES,
		.map_bytes_max = MAP_BYTES,
	};
	uint32_t to = format_from(argv[4]);
	enum status st = engine_open(&options, &engine);
	if (st == STATUS_OK)
		st = engine_format_set(engine, to);
	engine_close(&engine);
	if (st != STATUS_OK)
		errx(1, "%s: %s", argv[2], status_text(st));
	return 0;
}

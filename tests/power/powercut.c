/*
 * powercut count TRACE
 * powercut mark TRACE TEXT
 * powercut marks TRACE MOMENT
 * powercut image TRACE BEFORE MOMENT SEED FOLDER
 *
 * What a power cut leaves of the files that record.so has recorded.
 *
 * count  print how many events there are
 * mark   append a mark: what was promised is behind it
 * marks  print the marks before event MOMENT, one a line
 * image  write into FOLDER, new, what a cut after event MOMENT may leave of
 *        the folder that was recorded; BEFORE is what was in it at first.
 *        The same SEED makes the same image; see disk.h
 *
 * Exit status: 0 done, 2 wrong arguments, 70 the system refused, or the trace
 * makes no sense.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "disk.h"

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 10);

	if (*text == '\0' || *end != '\0')
		errx(2, "'%s' is no number", text);
	return value;
}

static void count(const char *path)
{
	struct trace trace = trace_open(path);
	struct trace_event event;
	uint64_t events = 0;

	while (trace_next(&trace, &event))
		events++;
	printf("%llu\n", (unsigned long long)events);
	trace_close(&trace);
}

static void mark(const char *path, const char *text)
{
	struct trace_header header = { TRACE_MARK, (uint32_t)strlen(text), 0,
		0 };
	struct iovec parts[] = { { &header, sizeof(header) },
		{ (void *)text, strlen(text) } };
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd < 0 ||
	    writev(fd, parts, 2) != (ssize_t)(sizeof(header) + strlen(text)))
		err(70, "%s", path);
	close(fd);
}

static void marks(const char *path, uint64_t moment)
{
	struct trace trace = trace_open(path);
	struct trace_event event;

	while (moment-- > 0 && trace_next(&trace, &event))
		if (event.header.kind == TRACE_MARK)
			printf("%.*s\n", (int)event.header.bytes,
			    (const char *)event.data);
	trace_close(&trace);
}

static void image(const char *path, const char *before, uint64_t moment,
    uint64_t seed, const char *folder)
{
	struct trace trace = trace_open(path);
	struct disk *disk = disk_new();
	struct trace_event event;

	disk_load(disk, before);
	while (moment-- > 0 && trace_next(&trace, &event))
		disk_play(disk, &event);
	if (mkdir(folder, 0700) != 0)
		err(70, "%s", folder);
	disk_image(disk, folder, seed);
	disk_destroy(&disk);
	trace_close(&trace);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	if (argc == 3 && strcmp(what, "count") == 0)
		count(argv[2]);
	else if (argc == 4 && strcmp(what, "mark") == 0)
		mark(argv[2], argv[3]);
	else if (argc == 4 && strcmp(what, "marks") == 0)
		marks(argv[2], number(argv[3]));
	else if (argc == 7 && strcmp(what, "image") == 0)
		image(argv[2], argv[3], number(argv[4]), number(argv[5]),
		    argv[6]);
	else
		errx(2, "usage: powercut count|mark|marks|image TRACE ...");
	return 0;
}

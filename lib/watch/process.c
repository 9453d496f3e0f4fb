#include "watch/process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 1024

static void expose_cpu(struct exposition *out)
{
	struct timespec used;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0)
		return;
	exposition_begin(out, "process_cpu_seconds_total", "counter",
	    "Processor time that the process has used, in seconds.");
	exposition_seconds(out, "",
	    (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000);
}

/* The numbers of a line of /proc, as many as there are up to ${max}. */
static size_t read_numbers(const char *text, uint64_t *out, size_t max)
{
	size_t count = 0;
	char *end;

	for (; count < max; count++, text = end) {
		out[count] = strtoull(text, &end, 10);
		if (end == text)
			break;
	}
	return count;
}

static bool read_line(const char *path, char line[static LINE_BYTES])
{
	FILE *file = fopen(path, "re");

	if (!file)
		return false;
	bool read = fgets(line, LINE_BYTES, file) != NULL;
	fclose(file);
	return read;
}

static void expose_memory(struct exposition *out)
{
	char line[LINE_BYTES];
	uint64_t pages[2]; /* in all, resident */

	if (!read_line("/proc/self/statm", line) ||
	    read_numbers(line, pages, 2) != 2)
		return;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	exposition_begin(out, "process_virtual_memory_bytes", "gauge",
	    "Address space, with the mapped database, in bytes.");
	exposition_number(out, "", pages[0] * page);
	exposition_begin(out, "process_resident_memory_bytes", "gauge",
	    "Memory that is in use, with mapped pages, in bytes.");
	exposition_number(out, "", pages[1] * page);
}

static void expose_files(struct exposition *out)
{
	struct rlimit limit;
	uint64_t open = 0;
	DIR *folder = opendir("/proc/self/fd");

	if (folder) {
		while (readdir(folder))
			open++;
		closedir(folder);
		exposition_begin(out, "process_open_fds", "gauge",
		    "File descriptors that are open.");
		/* Not "." and "..", nor the folder itself. */
		exposition_number(out, "", open > 3 ? open - 3 : 0);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		exposition_begin(out, "process_max_fds", "gauge",
		    "File descriptors that may be open.");
		exposition_number(out, "", limit.rlim_cur);
	}
}

/* Field 22 of /proc/self/stat: ticks from the boot to the start. */
static bool started_after_boot(uint64_t *ticks_out)
{
	char line[LINE_BYTES];

	if (!read_line("/proc/self/stat", line))
		return false;
	/* Field 2, in brackets, may have blanks in it. */
	const char *at = strrchr(line, ')');
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at && read_numbers(at, ticks_out, 1) == 1;
}

static void expose_start(struct exposition *out)
{
	struct timespec wall, boot;
	uint64_t ticks;

	if (!started_after_boot(&ticks) ||
	    clock_gettime(CLOCK_REALTIME, &wall) != 0 ||
	    clock_gettime(CLOCK_BOOTTIME, &boot) != 0)
		return;
	uint64_t wall_us =
	    (uint64_t)wall.tv_sec * 1000000 + (uint64_t)wall.tv_nsec / 1000;
	uint64_t boot_us =
	    (uint64_t)boot.tv_sec * 1000000 + (uint64_t)boot.tv_nsec / 1000;
	uint64_t hertz = (uint64_t)sysconf(_SC_CLK_TCK);
	exposition_begin(out, "process_start_time_seconds", "gauge",
	    "When the process started, in seconds since 1970.");
	exposition_seconds(
	    out, "", wall_us - boot_us + ticks * 1000000 / hertz);
}

void process_expose(struct exposition *out)
{
	expose_cpu(out);
	expose_memory(out);
	expose_files(out);
	expose_start(out);
}

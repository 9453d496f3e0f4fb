#ifndef KEEPSAKE_TESTS_CUTS_H
#define KEEPSAKE_TESTS_CUTS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "../power/disk.h"
#include "../power/record.h"
#include "scratch.h"

/*
 * Power cuts of what a test does to the files in scratch/live: it is
 * recorded, and then the disk is looked at as a cut at many a moment may
 * leave it.
 *
 * Environment: CUTS, how many moments (120); CUTS_SEED, which ones, to repeat
 * a run that failed.
 */

#define CUTS_USUAL  120
#define CUTS_IMAGES 4  /* of each moment: nothing, all, the rest by chance */
#define CUTS_BIRTH  24 /* of each before anything was promised */

static uint64_t cuts_seed;
static char cuts_said[128]; /* which image this is, for a failure */

static inline uint64_t cuts_number(const char *name, uint64_t usual)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 10) : usual;
}

static inline uint64_t cuts_random(void)
{
	cuts_seed = cuts_seed * 6364136223846793005u + 1442695040888963407u;
	return cuts_seed >> 20;
}

/* Begin: what is done in the folder that this returns is recorded. */
static inline const char *cuts_begin(void)
{
	ck_assert_int_eq(mkdir(scratch_path("live"), 0700), 0);
	cuts_seed = cuts_number("CUTS_SEED", (uint64_t)time(NULL));
	printf("CUTS_SEED=%llu\n", (unsigned long long)cuts_seed);
	record_begin(scratch_path("live"), scratch_path("trace"));
	return scratch_path("live");
}

static inline void cuts_promise(const char *what, unsigned long number)
{
	char text[64];

	snprintf(text, sizeof(text), "%s %lu", what, number);
	record_mark(text);
}

static inline size_t cuts_events(void)
{
	struct trace trace = trace_open(scratch_path("trace"));
	struct trace_event event;
	size_t count = 0;

	while (trace_next(&trace, &event))
		count++;
	trace_close(&trace);
	return count;
}

static inline void cuts_look(const struct disk *disk, size_t moment,
    size_t image, void (*look)(const char *folder))
{
	uint64_t seed = image < 2 ? image : cuts_random();
	char folder[SCRATCH_BYTES + 16];

	snprintf(folder, sizeof(folder), "%s/image", scratch);
	snprintf(cuts_said, sizeof(cuts_said), "cut at event %zu, image %llu",
	    moment, (unsigned long long)seed);
	ck_assert_int_eq(mkdir(folder, 0700), 0);
	disk_image(disk, folder, seed);
	look(folder);
	ck_assert_int_eq(
	    nftw(folder, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/*
 * End, and cut: on_mark is told each promise that was made before the cut,
 * in order; then look is to find all of them kept in the folder.
 */
static inline void cuts_try(void (*on_mark)(const char *what, unsigned long n),
    void (*look)(const char *folder))
{
	struct disk *disk = disk_new();
	struct trace_event event;
	uint64_t cuts = cuts_number("CUTS", CUTS_USUAL);
	size_t moment = 0, images = CUTS_BIRTH;
	char what[64];

	record_end();
	size_t events = cuts_events();
	struct trace trace = trace_open(scratch_path("trace"));
	for (; trace_next(&trace, &event); moment++) {
		disk_play(disk, &event);
		if (event.header.kind == TRACE_MARK) {
			snprintf(what, sizeof(what), "%.*s",
			    (int)event.header.bytes, (const char *)event.data);
			char *number = strchr(what, ' ');
			*number++ = '\0';
			on_mark(what, strtoul(number, NULL, 10));
			images = CUTS_IMAGES;
		}
		if (images != CUTS_BIRTH && moment + 1 < events &&
		    cuts_random() % events >= cuts)
			continue;
		for (size_t image = 0; image < images; image++)
			cuts_look(disk, moment, image, look);
	}
	ck_assert_uint_gt(moment, 0);
	trace_close(&trace);
	disk_destroy(&disk);
}

#endif

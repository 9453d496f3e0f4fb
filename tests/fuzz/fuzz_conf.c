#include "base/conf.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "service/settings.h"

/*
 * The configuration file, read against the table of all programs.  What it
 * says of each fault on standard error is the runner's to silence.
 *
 * Must hold: in a file that is accepted every key of the table has a value,
 * numbers within their bounds.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char path[64];
	struct conf *conf = NULL;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	must(fd >= 0);
	must(write(fd, data, len) == (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (conf_load(settings, settings_count, path, &conf) == STATUS_OK)
		for (size_t i = 0; i < settings_count; i++) {
			const struct conf_key *row = &settings[i];
			must(conf_text(conf, row->section, row->key));
			if (row->type < CONF_NUMBER ||
			    row->type > CONF_DURATION)
				continue;
			uint64_t number =
			    conf_number(conf, row->section, row->key);
			must(number >= row->min && number <= row->max);
		}
	conf_destroy(&conf);
	close(fd);
	return 0;
}

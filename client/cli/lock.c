#include <stdio.h>

#include "command.h"
#include "output.h"

/* lock: a password of the tool itself. */

enum exit_code command_lock(struct run *run)
{
	bool on = !run->options.off;

	enum status st = keepsake_lock(run->keepsake, on);
	if (st != STATUS_OK)
		return command_failed(run, st);
	if (run->options.json)
		return json_print(json_pack("{s:b}", "locked", on))
			   ? EXIT_DONE
			   : EXIT_FAILED;
	if (!run->options.quiet)
		puts(on ? "This tool asks for its password before each backup "
			  "and restore from now on."
			: "This tool has no password of its own any more.");
	return EXIT_DONE;
}

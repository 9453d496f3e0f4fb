#include "keepsake_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"

/* Why a call fails, and what to do: in words. */

#define REASON_BYTES  128
#define WHEN_BYTES    64
#define OPENING_BYTES 160

enum status call_refuse(struct keepsake *self, enum status status,
    const char *advice, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(self->detail, sizeof(self->detail), format, args);
	va_end(args);
	self->advice = advice;
	return status;
}

enum status call_refuse_plainly(struct keepsake *self, enum status status)
{
	return call_refuse(self, status, session_advice_here(status), "%s",
	    status_text(status));
}

enum status call_refuse_file(
    struct keepsake *self, enum status status, const char *name)
{
	const char *folder = state_folder(self->state);

	switch (status) {
	case STATUS_DENIED:
		return call_refuse(self, status,
		    "files in the state folder must be yours, with mode 0600",
		    "%s/%s: refused: a symlink, another user's, open to "
		    "others, or not to be written",
		    folder, name);
	case STATUS_MALFORMED:
		return call_refuse(self, status,
		    "put it back from a copy, or begin anew with another "
		    "folder: --state DIR; the backups are on the server",
		    "%s/%s: damaged, or not written by keepsake", folder, name);
	default:
		return call_refuse(self, status, session_advice_here(status),
		    "%s/%s: %s", folder, name, status_text(status));
	}
}

/* "; it opens by itself in 57 min, at 19:40 on 2026-11-20", or nothing. */
static void opening_text(char out[static OPENING_BYTES], uint64_t wait_ms)
{
	char wait[TEXT_DURATION_BYTES], when[WHEN_BYTES] = "";
	time_t opens = (time_t)((clock_wall_ms() + wait_ms + 999) / 1000);
	struct tm parts;

	out[0] = '\0';
	if (wait_ms == 0)
		return;
	if (localtime_r(&opens, &parts) &&
	    strftime(when, sizeof(when), ", at %H:%M on %Y-%m-%d", &parts) == 0)
		when[0] = '\0'; /* a year past all reason */
	snprintf(out, OPENING_BYTES, "; it opens by itself in %s%s",
	    text_of_duration(wait, wait_ms), when);
}

enum status call_refuse_session(struct keepsake *self, enum status status)
{
	const char *detail = session_detail(self->session);
	const char *advice = session_advice(self->session);
	char opening[OPENING_BYTES];
	uint32_t tries = 0;

	self->tries_told = session_tries_remaining(self->session, &tries);
	self->tries_remaining = tries;
	self->retry_after_ms = session_retry_after_ms(self->session);
	if (status == STATUS_DENIED && tries > 0)
		return call_refuse(self, status, advice, "%s: %u %s", detail,
		    tries, tries == 1 ? "try remains" : "tries remain");
	if (status != STATUS_LOCKED && status != STATUS_DENIED)
		return call_refuse(self, status, advice, "%s", detail);
	/* Shut: the server has said for whom, and whom to ask. */
	opening_text(opening, self->retry_after_ms);
	if (self->tries_told && self->retry_after_ms == 0)
		advice = "go and see the operator, who opens it again for who "
			 "shows who they are; what is stored is not touched, "
			 "and the account's other terminals still work";
	return call_refuse(self, status, advice, "%s%s", detail, opening);
}

enum status call_refuse_remote(struct keepsake *self, enum status status)
{
	const char *detail = remote_detail(self->remote);

	if (detail[0] == '\0')
		return call_refuse_plainly(self, status);
	return call_refuse(
	    self, status, remote_advice(self->remote), "%s", detail);
}

void report_path(keepsake_report_fn *report, void *arg, const char *path,
    const char *text, int error)
{
	char why[REASON_BYTES];

	if (error != 0)
		snprintf(why, sizeof(why), "%s: %s", text, strerror(error));
	else
		snprintf(why, sizeof(why), "%s", text);
	report(arg, path, why);
}

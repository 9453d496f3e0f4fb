#include "base/status.h"

#include "base/util.h"

/* clang-format off */
static const struct {
	const char *word;
	const char *text;
} texts[] = {
	[STATUS_OK]            = { "ok",            "ok" },
	[STATUS_NOT_FOUND]     = { "not_found",     "not found" },
	[STATUS_CONFLICT]      = { "conflict",      "conflict with the present state" },
	[STATUS_DENIED]        = { "denied",        "denied" },
	[STATUS_AUTH_REQUIRED] = { "auth_required", "authentication required" },
	[STATUS_LOCKED]        = { "locked",        "locked after too many wrong tries" },
	[STATUS_FROZEN]        = { "frozen",        "frozen for the owner's safety" },
	[STATUS_EXPIRED]       = { "expired",       "expired" },
	[STATUS_BUSY]          = { "busy",          "busy, try again later" },
	[STATUS_UNAVAILABLE]   = { "unavailable",   "unavailable" },
	[STATUS_MALFORMED]     = { "malformed",     "malformed" },
	[STATUS_TOO_LARGE]     = { "too_large",     "too large" },
	[STATUS_QUOTA]         = { "quota",         "quota used up" },
	[STATUS_NO_SPACE]      = { "no_space",      "no space left" },
	[STATUS_VERSION]       = { "version",       "version not supported" },
	[STATUS_UNKNOWN]       = { "unknown",       "outcome unknown" },
	[STATUS_INTERNAL]      = { "internal",      "internal error" },
	[STATUS_PENDING]       = { "pending",       "pending" },
};
/* clang-format on */
_Static_assert(nitems(texts) == STATUS_COUNT, "one text per status");

const char *status_text(enum status status)
{
	if ((unsigned int)status >= STATUS_COUNT)
		status = STATUS_INTERNAL;
	return texts[status].text;
}

const char *status_word(enum status status)
{
	if ((unsigned int)status >= STATUS_COUNT)
		status = STATUS_INTERNAL;
	return texts[status].word;
}

enum status status_from_wire(unsigned int number)
{
	if (number >= STATUS_PENDING)
		return STATUS_INTERNAL;
	return (enum status)number;
}

#include "base/util.h"
#include "session.h"

/*
 * What a person can do about a failure, where the one who failed knows
 * nothing better.  A sentence to follow why it failed.
 */

/* clang-format off */
static const char *const advices[] = {
	[STATUS_OK]            = "",
	[STATUS_NOT_FOUND]     = "what was named is not there, or no longer: list what there is (keepsake --help) and run it again",
	[STATUS_CONFLICT]      = "something else came first: look at how things stand now, and run it again if it is still wanted",
	[STATUS_DENIED]        = "nothing was changed; 'keepsake status' shows whose terminal this is, and the account's owner or the operator knows who may",
	[STATUS_AUTH_REQUIRED] = "run the command again and prove who you are; a transfer goes on where it stopped",
	[STATUS_LOCKED]        = "wait until then, or ask the operator, who lifts it for who shows who they are; what is stored is not touched",
	[STATUS_FROZEN]        = "wait, or cancel the freeze from another terminal",
	[STATUS_EXPIRED]       = "run the command again and prove who you are; a transfer goes on where it stopped",
	[STATUS_BUSY]          = "the server has much to do: try again in a minute",
	[STATUS_UNAVAILABLE]   = "the gateway is there, but not all behind it: try again later, or tell the operator which part is down",
	[STATUS_MALFORMED]     = ("check what was given; if nothing is wrong with it, the two sides do not agree: update the older one, this is keepsake " KEEPSAKE_VERSION),
	[STATUS_TOO_LARGE]     = ("it is longer than the server takes: make it shorter; if it is not long, update the older side, this is keepsake " KEEPSAKE_VERSION),
	[STATUS_QUOTA]         = "delete old snapshots or ask the operator for more space; nothing stored is harmed",
	[STATUS_NO_SPACE]      = "ask the operator: the server has no room, on its disk or in memory; nothing stored is harmed",
	[STATUS_VERSION]       = ("update the older side: this is keepsake " KEEPSAKE_VERSION),
	[STATUS_UNKNOWN]       = "it may have happened: look (keepsake status, keepsake snapshots) before you run it again",
	[STATUS_INTERNAL]      = "tell the operator: the server's log has the reason",
	[STATUS_PENDING]       = "run it again to go on",
};

/* Of STATUS_UNAVAILABLE: why nobody answers. */
static const char *const links[] = {
	[LINK_NEVER]   = "is the network up, the gateway running, and its address right?  'keepsake status' shows it; an operator prints the right enrolment string with 'keepsakectl enrolment'",
	[LINK_REFUSED] = "somebody else may be answering at that address, or the server has new keys: get a new enrolment string from the operator in a way you trust",
	[LINK_LOST]    = "try again: what was sent is not sent again",
};

/* Of a fault on this machine, where it is another thing than at the server. */
static const struct {
	enum status status;
	const char *advice;
} here[] = {
	{ STATUS_NO_SPACE, "this machine is short of memory, or its disk is full: make room and run it again" },
	{ STATUS_DENIED,   "this is not the server that was enrolled, or somebody stands between: get a new enrolment string from the operator in a way you trust" },
	{ STATUS_INTERNAL, "this is a fault of keepsake " KEEPSAKE_VERSION " or of this machine: run it again, and report it if it stays" },
};
/* clang-format on */
_Static_assert(nitems(advices) == STATUS_COUNT, "one for each status");

const char *session_advice_for(enum status status, enum link_state link)
{
	if ((unsigned int)status >= STATUS_COUNT)
		status = STATUS_INTERNAL;
	if (status == STATUS_UNAVAILABLE && link != LINK_UP)
		return links[link];
	return advices[status];
}

const char *session_advice_here(enum status status)
{
	for (size_t i = 0; i < nitems(here); i++)
		if (here[i].status == status)
			return here[i].advice;
	return session_advice_for(status, LINK_UP);
}

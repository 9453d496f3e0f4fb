#include "session.h"

/* What a person can do about a failure. */

const char *session_advice_for(enum status status, enum link_state link)
{
	switch (status) {
	case STATUS_UNAVAILABLE:
		break;
	case STATUS_BUSY:
		return "the server has much to do: try again in a minute";
	case STATUS_AUTH_REQUIRED:
	case STATUS_EXPIRED:
		return "run the command again and prove who you are; a "
		       "transfer goes on where it stopped";
	case STATUS_LOCKED:
		return "wait as long as it says, or ask the operator, who "
		       "can lift the lock in person";
	case STATUS_FROZEN:
		return "wait, or cancel the freeze from another terminal";
	case STATUS_VERSION:
		return "update the older side: this is "
		       "keepsake " KEEPSAKE_VERSION;
	case STATUS_QUOTA:
		return "delete old snapshots or ask the operator for more "
		       "space; nothing stored is harmed";
	case STATUS_NO_SPACE:
		return "ask the operator: the server's disk is full; nothing "
		       "stored is harmed";
	case STATUS_INTERNAL:
		return "tell the operator: the server's log has the reason";
	default:
		return "";
	}
	switch (link) {
	case LINK_NEVER:
		return "is the network up, the gateway running, and its "
		       "address right?  'keepsake status' shows it; an "
		       "operator prints the right enrolment string with "
		       "'keepsakectl enrolment'";
	case LINK_REFUSED:
		return "somebody else may be answering at that address, or "
		       "the server has new keys: get a new enrolment string "
		       "from the operator in a way you trust";
	case LINK_LOST:
		return "try again: what was sent is not sent again";
	case LINK_UP:
	default:
		return "the gateway is there, but not all behind it: try "
		       "again later, or tell the operator which part is down";
	}
}

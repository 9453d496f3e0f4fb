#ifndef KEEPSAKE_SERVICE_ROLE_H
#define KEEPSAKE_SERVICE_ROLE_H

/**
 * Who is on the other side of a door: the door tells, not the message.
 * Stored in outboxes: append, never renumber.
 */
enum role {
	ROLE_GATEWAY,
	ROLE_OPS,
	ROLE_AUTH,
	ROLE_STORE,
	ROLE_BINDING,
	ROLE_NOTIFY,
	ROLE_COUNT
};

/** "gateway", "ops", …: also the names of key files and settings. */
const char *role_word(enum role role);

#endif

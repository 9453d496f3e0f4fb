#ifndef KEEPSAKE_CLIENT_TOOL_LOCK_H
#define KEEPSAKE_CLIENT_TOOL_LOCK_H

#include "base/bytes.h"
#include "base/status.h"
#include "state.h"

/*
 * A password of the backup tool itself (K-02), asked for before a backup or
 * a restore, whatever the account's is: against who sits down at a machine
 * that its user left.  The state folder keeps a hash of it, a line of
 * crypto_pwhash_str, in the file "tool-password".  Who may write there can
 * take it away; it is no key and encrypts nothing.
 */

/**
 * Whether one is set.
 *
 * STATUS_OK         it is
 * STATUS_NOT_FOUND  it is not
 * STATUS_MALFORMED, STATUS_DENIED  the file is not one: taken as set
 */
enum status tool_lock_state(const struct state *state);

/** Set it; results as file_replace, and NO_SPACE without memory. */
enum status tool_lock_set(const struct state *state, struct slice password);

/**
 * Check ${password}: a fifth of a second and 64 MiB.
 *
 * STATUS_OK      it is the one
 * STATUS_DENIED  it is another
 * others         as tool_lock_state
 */
enum status tool_lock_check(const struct state *state, struct slice password);

/** Take it away. */
enum status tool_lock_clear(const struct state *state);

#endif

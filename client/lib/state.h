#ifndef KEEPSAKE_CLIENT_STATE_H
#define KEEPSAKE_CLIENT_STATE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/status.h"
#include "bus/keys.h"
#include "crypto/enrolment.h"

/*
 * What a terminal keeps between two runs: a folder of its own, mode 0700,
 * with files of mode 0600:
 *
 *   terminal.key    secret CURVE key, see bus/keys.h
 *   enrolment       the enrolment string: which server, with which keys
 *   account         name=, account= and terminal= with ids as hex
 *   password-check  verifier=, a hash of crypto_pwhash_str, and asked=,
 *                   when its user last typed the password (K-06)
 *   sim-pin         confirmed=, when its user said that the card's PIN is
 *                   on
 *   cache-…         what was backed up last, see cache.h
 *   lock            held by the one backup that runs, with its process id
 *
 * Neither the password nor the account's root key is ever here.
 */

#define STATE_NAME_BYTES_MAX 254 /* of an account's login name */
#define STATE_ASK_MS_MAX     (30ull * 24 * 3600 * 1000)

struct state;

/**
 * Write the usual folder to ${out}: $XDG_STATE_HOME/keepsake, else
 * ~/.local/state/keepsake.
 *
 * STATUS_OK         ${out} has it
 * STATUS_NOT_FOUND  neither of the two variables says where, or too long
 */
enum status state_folder_usual(char out[static PATH_MAX]);

/**
 * Open the folder, made where it is missing.
 *
 * why_out  what is wrong with it, for people; static
 *
 * STATUS_OK        ${self_out} is the caller's
 * STATUS_DENIED    a symlink, another user's, or open to others
 * STATUS_NO_SPACE  no memory, or the disk is full
 */
enum status state_open(
    struct state **self_out, const char *folder, const char **why_out);

/** Give up the lock, if held, and leave NULL; NULL is fine. */
void state_close(struct state **self_p);

/** Where it is; good as long as ${self}. */
const char *state_folder(const struct state *self);

/** Write the path of file ${name} to ${out}; false where it is too long. */
bool state_path(
    const struct state *self, const char *name, char out[static PATH_MAX]);

/**
 * The terminal's keys, made the first time.
 *
 * keys_out  the caller's, to be wiped
 *
 * Results as curve_keys_read and curve_keys_write.
 */
enum status state_keys(struct state *self, struct curve_keys *keys_out);

/**
 * STATUS_OK         ${out} is filled
 * STATUS_NOT_FOUND  this terminal was not enrolled
 * STATUS_MALFORMED, STATUS_VERSION, STATUS_DENIED  the file is not one
 */
enum status state_enrolment(const struct state *self, struct enrolment *out);

/**
 * Keep an enrolment.
 *
 * STATUS_OK        kept; also where it was the same
 * STATUS_CONFLICT  the folder belongs to an account of another server
 * others           as file_replace
 */
enum status state_set_enrolment(
    struct state *self, const struct enrolment *enrolment);

/** Whose terminal this is. */
struct state_account {
	char name[STATE_NAME_BYTES_MAX + 1]; /* personal data */
	struct id account;                   /* none until it is known */
	struct id terminal;                  /* none until it is bound */
};

/**
 * STATUS_OK         ${out} is filled
 * STATUS_NOT_FOUND  no account yet
 * STATUS_MALFORMED, STATUS_DENIED  the file is not one
 */
enum status state_account(const struct state *self, struct state_account *out);

/** Keep ${account}, which has a clean name; results as file_replace. */
enum status state_set_account(
    struct state *self, const struct state_account *account);

/**
 * Delete all that belongs to the account, after which this is a terminal of
 * nobody: everything but terminal.key, enrolment and lock.  What keepsake
 * did not write is left alone.
 *
 * STATUS_OK      it is gone, now or before
 * STATUS_DENIED  a file cannot be removed; the others are
 */
enum status state_forget_account(struct state *self);

/** The user said at ${now_ms} that the PIN of the card in it is on. */
enum status state_sim_pin_confirm(struct state *self, uint64_t now_ms);

/**
 * That no longer holds, for it may be another card.
 *
 * STATUS_OK      it is gone, now or before
 * STATUS_DENIED  it cannot be removed
 */
enum status state_sim_pin_forget(struct state *self);

/**
 * When the user said so, wall time.
 *
 * STATUS_NOT_FOUND  the user did not
 * STATUS_MALFORMED, STATUS_DENIED  the file is not one
 */
enum status state_sim_pin_when(
    const struct state *self, uint64_t *confirmed_ms_out);

/**
 * Keep other backups of this terminal out, until state_close.
 *
 * holder_out  who has it: a process id, 0 where that is not known
 *
 * STATUS_OK        it is ours, now or already
 * STATUS_CONFLICT  another process has it
 * STATUS_DENIED    the file cannot be made
 */
enum status state_lock(struct state *self, pid_t *holder_out);

/**
 * Remember what checks the password, which its user typed just now.
 * Takes 64 MiB and a tenth of a second, as crypto/opaque.h.
 *
 * now_ms  wall time
 */
enum status state_set_password(
    struct state *self, struct slice password, uint64_t now_ms);

/** The user typed the right password at ${now_ms}: no need to ask soon. */
enum status state_password_asked(struct state *self, uint64_t now_ms);

/**
 * When the user last typed the password, wall time.
 *
 * STATUS_NOT_FOUND  no password is remembered
 * STATUS_MALFORMED, STATUS_DENIED  the file is not one
 */
enum status state_password_when(
    const struct state *self, uint64_t *asked_ms_out);

/**
 * Check ${password} without the server.
 *
 * STATUS_OK         it is the one that was remembered
 * STATUS_DENIED     it is another
 * STATUS_NOT_FOUND  none is remembered
 */
enum status state_check_password(
    const struct state *self, struct slice password);

#endif

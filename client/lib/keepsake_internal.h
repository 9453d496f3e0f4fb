#ifndef KEEPSAKE_INTERNAL_H
#define KEEPSAKE_INTERNAL_H

#include <limits.h>

#include "account_keys.h"
#include "crypto/ticket.h"
#include "keepsake.h"
#include "privileged.h"
#include "remote.h"
#include "session.h"
#include "snapshot_key.h"
#include "state.h"
#include "summary.h"

/*
 * What the files of keepsake.h share.  A call of the library begins with
 * call_begin and ends with call_end; in between it fails by "return
 * call_refuse(…)", which is what keepsake_detail and keepsake_advice tell.
 */

#define KEEPSAKE_DETAIL_BYTES (PATH_MAX + 256)

/* What was asked for in one call: secret, in the arena. */
struct answers {
	char texts[KEEPSAKE_SECRET_COUNT][KEEPSAKE_SECRET_BYTES];
};

struct keepsake {
	struct state *state;
	struct privileged *place; /* for keys that stay here */
	bool unlocked;            /* the tool's password was given */
	char name[KEEPSAKE_NAME_BYTES_MAX + 1]; /* as the options say, or "" */
	bool invited;                           /* likewise */
	uint32_t timeout_ms;                    /* likewise, or 0 */
	keepsake_ask_fn *ask;
	void (*waiting)(void *arg, const char *host_and_port);
	void *arg;

	enum keepsake_sim_pin sim_pin; /* as far as it was needed so far */

	/* What a call makes and call_end takes down. */
	struct enrolment enrolment;
	struct curve_keys *keys; /* in the arena, as the next two */
	struct answers *answers;
	bool password_typed;
	struct login *login;
	struct session *session;
	struct account_keys *account_keys;
	uint8_t *snapshot_key;        /* of one that is read; in the arena */
	struct snapshot_key *new_key; /* of one that is made */
	struct remote *remote;

	/* Of the last call that failed. */
	char detail[KEEPSAKE_DETAIL_BYTES];
	const char *advice;
	bool tries_told;
	uint32_t tries_remaining;
	uint32_t retry_after_ms; /* 0: not told */
};

void call_begin(struct keepsake *self);

/** Wipe and take down what the call has made. */
void call_end(struct keepsake *self);

/* ---- why a call fails: each sets detail and advice ---- */

/**
 * Say why; returns ${status}.
 *
 * advice  static, "" where there is nothing to do
 */
enum status call_refuse(struct keepsake *self, enum status status,
    const char *advice, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/** The same with what the status says by itself. */
enum status call_refuse_plainly(struct keepsake *self, enum status status);

/** The same for a file of the state folder. */
enum status call_refuse_file(
    struct keepsake *self, enum status status, const char *name);

/** The same with what self->session, or self->remote, has to say. */
enum status call_refuse_session(struct keepsake *self, enum status status);
enum status call_refuse_remote(struct keepsake *self, enum status status);

/* ---- from the state folder; results as keepsake.h says for all ---- */

/** The terminal's keys, to self->keys. */
enum status call_keys(struct keepsake *self);

/**
 * Whose terminal this is; ${out} is empty for a new one.  Another name in
 * the options makes it that name's, with no ids known.
 */
enum status call_account(struct keepsake *self, struct state_account *out);

enum status call_keep_account(
    struct keepsake *self, const struct state_account *account);

/** Keep out backups of this terminal, until keepsake_close. */
enum status call_lock(struct keepsake *self);

/* ---- questions to the user and to the server ---- */

/** Ask for ${secret}; ${out} stays good until call_end. */
enum status call_secret(
    struct keepsake *self, enum keepsake_secret secret, struct slice *out);

/**
 * Ask for the factors that ${set} names (CODE_ bits); those that ${out}
 * refers to stay good until call_end.
 *
 * password  which secret the password is
 */
enum status call_collect(struct keepsake *self, unsigned int set,
    enum keepsake_secret password, struct code_factors *out);

/** A code with ${factors} was proved or set: note whether A-05 minds. */
void call_note_factors(struct keepsake *self, unsigned int factors);

/**
 * Remember what checks ${password}, which the server took just now, and when
 * it was typed (K-06).  The transfer does not wait for it to work.
 */
void call_remember_password(struct keepsake *self, struct slice password);

/** Connect for questions: self->session. */
enum status call_session(struct keepsake *self);

/**
 * The same, and find who is asked about: ${account_out} has a name.  Asks for
 * the invitation, where the options say that there is one.
 */
enum status call_named(
    struct keepsake *self, struct state_account *account_out);

/**
 * Prove who we are for ${direction}: self->login and self->session are there
 * afterwards.
 *
 * account_out  as the state has it now
 */
enum status call_prove(struct keepsake *self, enum direction direction,
    struct state_account *account_out);

/**
 * Prove for ${direction} and connect for bulk bytes: self->account_keys and
 * self->remote are there afterwards.
 */
enum status call_transfer(struct keepsake *self, enum direction direction);

/**
 * The same by this terminal's standing grant, with nobody asked:
 * self->account_keys only write.
 */
enum status call_transfer_by_grant(
    struct keepsake *self, enum direction direction);

/**
 * Derive the account's keys of self->login's root key, which is then wiped:
 * self->account_keys.  Where the code that was proved opened none, the
 * account's password is asked for.
 */
enum status call_account_keys(
    struct keepsake *self, const struct state_account *account);

/** Connect for bulk bytes, with self->login's ticket: self->remote. */
enum status call_remote(struct keepsake *self);

/* ---- keys of snapshots, and the place of those that stay here ---- */

/** Ask for the tool's password, where one is set and was not given yet. */
enum status call_tool_password(struct keepsake *self);

/**
 * Whether keys may be read from the place, before anything else is done for
 * it; OK also where there is none.  ${make}: written to it, and it is made.
 */
enum status call_place(struct keepsake *self, bool make);

/** Say why the place, or a file there, is refused. */
enum status call_refuse_place(struct keepsake *self, enum status status);

/** Make the key of a snapshot to be: self->new_key. */
enum status call_new_key(struct keepsake *self, enum key_mode mode);

/** Keep that key, of mode LOCAL, in the place. */
enum status call_keep_key(struct keepsake *self);

/**
 * Open the key of ${snapshot}: self->snapshot_key.  Results as
 * snapshot_key_open; nothing is said yet.
 */
enum status call_open_key(
    struct keepsake *self, const struct snapshot *snapshot);

/** Say why it did not open; returns the status. */
enum status call_refuse_key(
    struct keepsake *self, enum status status, const struct snapshot *snapshot);

/** Wipe both. */
void call_wipe_key(struct keepsake *self);

/** Tell of services that have not confirmed; names are the server's. */
void tell_unconfirmed(char *const *names, size_t count,
    keepsake_unconfirmed_fn *unconfirmed, void *arg);

/* ---- snapshots, for whoever reads one ---- */

/** The bytes of all categories. */
uint64_t totals_bytes(
    const struct category_total totals[static CATEGORY_COUNT]);

void totals_copy(struct keepsake_total out[static KEEPSAKE_CATEGORIES],
    const struct category_total totals[static CATEGORY_COUNT]);

/** What ${snapshot} is; self->snapshot_key becomes its, or none. */
void snapshot_describe(struct keepsake *self, const struct snapshot *snapshot,
    struct keepsake_snapshot *out);

/** Free what remote_snapshots gave. */
void snapshots_free(struct snapshot *list, size_t count);

/** NOT_FOUND, and says so, where no snapshot can be named ${which}. */
enum status snapshot_check_name(struct keepsake *self, const char *which);

/** Find in ${list} the one that ${which} names; NOT_FOUND: said so. */
enum status snapshot_pick(struct keepsake *self, const struct snapshot *list,
    size_t count, const char *which, size_t *at_out);

/**
 * Prove and connect to read the snapshots that ${which} names; no key is
 * opened yet.
 *
 * out  room for ${count}, each to be cleared in any case
 */
enum status snapshots_begin(struct keepsake *self, const char *const *which,
    size_t count, struct snapshot *out);

/**
 * Prove and connect to read the snapshot that ${which} names, and open its
 * key: self->snapshot_key.
 *
 * out  filled on STATUS_OK; to be cleared in any case
 */
enum status snapshot_begin(
    struct keepsake *self, const char *which, struct snapshot *out);

/** Say why ${snapshot} could not be read to its end; returns the status. */
enum status snapshot_refuse(
    struct keepsake *self, enum status status, const struct snapshot *snapshot);

/** Report ${path}: ${text}, and what ${error} means unless it is 0. */
void report_path(keepsake_report_fn *report, void *arg, const char *path,
    const char *text, int error);

#endif

#ifndef KEEPSAKE_H
#define KEEPSAKE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/*
 * libkeepsake: a terminal of a Keepsake server, for programs that back up
 * and restore by themselves.  The command keepsake(1) is such a program.
 *
 *	struct keepsake *keepsake = NULL;
 *
 *	keepsake_library_begin();
 *	keepsake_open(&keepsake, &options, &why);
 *	keepsake_backup(keepsake, &what, &result);
 *	keepsake_close(&keepsake);
 *	keepsake_library_end();
 *
 * One thread at a time in one struct keepsake.  Every call that talks to the
 * server asks for the secrets it needs by keepsake_options.ask, proves them,
 * and gets a ticket for no more than what it is about to do.  Where a call
 * fails, keepsake_detail says why and keepsake_advice what to do.  All of
 * them may return, besides what they list:
 *
 *   STATUS_NOT_FOUND      not enrolled, or no account name known
 *   STATUS_DENIED         wrong code, or the terminal is not bound
 *   STATUS_LOCKED, STATUS_FROZEN, STATUS_EXPIRED
 *   STATUS_UNAVAILABLE    server or service not reachable, or it is not the
 *                         enrolled one
 *   STATUS_BUSY, STATUS_VERSION, STATUS_NO_SPACE, STATUS_INTERNAL
 *   what keepsake_options.ask returned, where that was not STATUS_OK
 */

#define KEEPSAKE_ID_BYTES        16
#define KEEPSAKE_KEY_BYTES       32
#define KEEPSAKE_NAME_BYTES_MAX  254 /* login names, UTF-8 */
#define KEEPSAKE_LABEL_BYTES_MAX 200 /* UTF-8; longer ones are cut */
#define KEEPSAKE_HOST_BYTES_MAX  253
#define KEEPSAKE_SECRET_BYTES    1025 /* the longest, with its NUL */
#define KEEPSAKE_CATEGORIES      17   /* numbers 1 to 16 are in use */

/* A terminal's serial number and label: 64 bytes and a NUL. */
#define KEEPSAKE_DEVICE_TEXT_BYTES 65

/** Open and close the memory for secrets: first and last in main. */
enum status keepsake_library_begin(void);
void keepsake_library_end(void);

struct keepsake;

/** What may be asked for. */
enum keepsake_secret {
	KEEPSAKE_PASSWORD,     /* of the account, as it is */
	KEEPSAKE_NEW_PASSWORD, /* as it is to be; to be asked for twice */
	KEEPSAKE_VERIFICATION, /* verification information, to be set */
	KEEPSAKE_SERIAL,       /* of this terminal: part of its code */
	KEEPSAKE_IMEI,
	KEEPSAKE_IMSI,
	KEEPSAKE_OWN_PASSWORD,      /* of this terminal's own code, as it is */
	KEEPSAKE_NEW_OWN_PASSWORD,  /* as it is to be; to be asked for twice */
	KEEPSAKE_INVITATION,        /* that the owner was sent */
	KEEPSAKE_TOOL_PASSWORD,     /* see keepsake_lock */
	KEEPSAKE_NEW_TOOL_PASSWORD, /* to be asked for twice */
	KEEPSAKE_VERIFICATION_NOW,  /* verification information, as it is */
	KEEPSAKE_SECRET_COUNT
};

/**
 * Write the secret as UTF-8 with a NUL to ${out}, which is locked memory and
 * wiped by the library.
 *
 * typed_out  set to whether a person typed it just now
 *
 * Anything but STATUS_OK ends the call with that status.
 */
typedef enum status keepsake_ask_fn(void *arg, enum keepsake_secret secret,
    char out[static KEEPSAKE_SECRET_BYTES], bool *typed_out);

struct keepsake_options {
	const char *state; /* folder; NULL: the usual one, see keepsake(1) */
	const char *name;  /* of the account; NULL: as remembered */
	const char *key_folder; /* for keys that stay here, see keepsake(1);
				   NULL: "keys" in the state folder */
	bool invited;        /* with KEEPSAKE_INVITATION, see keepsake_invite */
	uint32_t timeout_ms; /* 0: a minute to answer, 10 for transfers */
	keepsake_ask_fn *ask;
	/* An answer is long in coming; may be NULL. */
	void (*waiting)(void *arg, const char *host_and_port);
	void *arg; /* of both */
};

/**
 * Open a terminal by its state folder; no network yet.
 *
 * options  copied, its texts too
 * why_out  what is wrong, for people; static
 *
 * STATUS_OK         ${self_out} is the caller's
 * STATUS_DENIED     the folder is a symlink, another user's or open to
 *                   others, or a file in it is
 * STATUS_NOT_FOUND  no folder named, and none usual
 * STATUS_MALFORMED  the account's name is none
 */
enum status keepsake_open(struct keepsake **self_out,
    const struct keepsake_options *options, const char **why_out);

/** Wipe and close, and leave NULL; NULL is fine. */
void keepsake_close(struct keepsake **self_p);

/** Why the last call failed, for people; "" where it did not. */
const char *keepsake_detail(const struct keepsake *self);

/** What to do about it, for people; static, "" where nothing. */
const char *keepsake_advice(const struct keepsake *self);

/**
 * How many wrong tries are left before it is locked, where the last call
 * failed and the server told; false, and ${out} untouched, otherwise.
 */
bool keepsake_tries_remaining(const struct keepsake *self, uint32_t *out);

/** In how long the server may say otherwise; 0: it did not tell. */
uint64_t keepsake_retry_after_ms(const struct keepsake *self);

/** The state folder; good as long as ${self}. */
const char *keepsake_folder(const struct keepsake *self);

/**
 * Trust the server that an enrolment string names, from now on.
 *
 * STATUS_MALFORMED  not such a string
 * STATUS_CONFLICT   the folder belongs to an account of another server
 */
enum status keepsake_enrol(struct keepsake *self, const char *string);

/** Where this terminal stands. */
struct keepsake_standing {
	char host[KEEPSAKE_HOST_BYTES_MAX + 1];
	uint16_t port; /* 0: not enrolled */
	uint8_t gateway_key[KEEPSAKE_KEY_BYTES];
	uint8_t terminal_key[KEEPSAKE_KEY_BYTES]; /* public; what binds it */
	char name[KEEPSAKE_NAME_BYTES_MAX + 1];   /* "": no account */
	uint8_t account[KEEPSAKE_ID_BYTES];       /* all zero: not known */
	uint8_t terminal[KEEPSAKE_ID_BYTES];      /* all zero: not bound */
};

enum status keepsake_standing(
    struct keepsake *self, struct keepsake_standing *out);

/** Ask the gateway for a sign of life; ${took_ms_out} is how long it took. */
enum status keepsake_ping(struct keepsake *self, uint64_t *took_ms_out);

/**
 * Make an account; asks for KEEPSAKE_NEW_PASSWORD.
 *
 * name  phone number ("+…"), e-mail address or nickname
 *
 * STATUS_OK         made; for a number or an address, a message to it tells
 *                   whether it really was free
 * STATUS_CONFLICT   the name is taken
 * STATUS_MALFORMED  not a name that the server takes
 */
enum status keepsake_register(struct keepsake *self, const char *name);

/** How a terminal is told apart; "" where there is none. */
struct keepsake_device {
	const char *imei; /* 15 digits */
	const char *serial;
	const char *label; /* what its owner calls it */
};

/**
 * Bind this terminal to the account; at the account's first binding asks for
 * KEEPSAKE_VERIFICATION.
 *
 * STATUS_OK         bound, now or before
 * STATUS_CONFLICT   the device is bound to another account
 * STATUS_MALFORMED  not such an IMEI or serial number
 */
enum status keepsake_bind(
    struct keepsake *self, const struct keepsake_device *device);

/* ---- terminals of the account ---- */

struct keepsake_terminal {
	uint8_t id[KEEPSAKE_ID_BYTES];
	uint8_t key[KEEPSAKE_KEY_BYTES]; /* public */
	char imei[16];                   /* "": none */
	char serial[KEEPSAKE_DEVICE_TEXT_BYTES];
	char label[KEEPSAKE_DEVICE_TEXT_BYTES];
	uint64_t bound_ms; /* wall time */
	bool is_this;
};

/**
 * The terminals of the account, also for a terminal that is not one of them.
 *
 * list_out  to be freed with free; NULL where there are none
 */
enum status keepsake_terminals(struct keepsake *self,
    struct keepsake_terminal **list_out, size_t *count_out);

/**
 * Make this terminal the one of the account that has the IMEI or the serial
 * number: after new software, or where its key was lost.  Where it is bound
 * already, change its identifiers or its label; what is "" stays.  Asks for
 * KEEPSAKE_VERIFICATION_NOW.
 *
 * STATUS_OK         bound
 * STATUS_NOT_FOUND  the account has no such terminal
 * STATUS_CONFLICT   an identifier is another account's, or another
 *                   terminal's of this one
 * STATUS_MALFORMED  not such an IMEI or serial number
 */
enum status keepsake_rebind(
    struct keepsake *self, const struct keepsake_device *device);

/**
 * Release a terminal: any account may bind it then.  Asks for
 * KEEPSAKE_VERIFICATION_NOW.
 *
 * terminal     which, KEEPSAKE_ID_BYTES; or NULL
 * device       which, by its IMEI, its serial number or both; or NULL; with
 *              neither terminal nor device, this one
 * unbound_out  the id that it had
 *
 * STATUS_NOT_FOUND  the account has no such terminal
 */
enum status keepsake_unbind(struct keepsake *self, const uint8_t *terminal,
    const struct keepsake_device *device,
    uint8_t unbound_out[static KEEPSAKE_ID_BYTES]);

/* ---- cards ---- */

#define KEEPSAKE_ICCID_DIGITS_MAX 20
#define KEEPSAKE_CARD_BYTES_MAX   3459

/** What the account keeps of a card. */
struct keepsake_card {
	char iccid[KEEPSAKE_ICCID_DIGITS_MAX + 1];
	char number[17];         /* "+" and 7 to 15 digits */
	uint64_t first_save_ms;  /* wall time */
	uint64_t last_update_ms; /* likewise */
	uint64_t stored_bytes;   /* sealed; 0: no data */
};

struct keepsake_card_content {
	const char *iccid;  /* 19 or 20 digits */
	const char *number; /* as above */
	const void *data;   /* sealed before it is sent; NULL: as it is */
	size_t data_bytes;  /* KEEPSAKE_CARD_BYTES_MAX at most */
};

/**
 * Save a card: a new one, or its number and data of now.
 *
 * out  as it is on the server; stored_bytes only with data
 *
 * STATUS_CONFLICT   another account has this card, or this one has as many
 *                   as it may
 * STATUS_MALFORMED  not such an ICCID or number
 * STATUS_TOO_LARGE  too much data
 */
enum status keepsake_card_save(struct keepsake *self,
    const struct keepsake_card_content *what, struct keepsake_card *out);

/**
 * The cards of the account.
 *
 * list_out  to be freed with free; NULL where there are none
 */
enum status keepsake_cards(
    struct keepsake *self, struct keepsake_card **list_out, size_t *count_out);

/**
 * Fetch a card with its data.
 *
 * data_out  to be freed with free; NULL where there is none
 *
 * STATUS_NOT_FOUND  the account has no such card
 * STATUS_VERSION    another program saved the data, or a newer one
 */
enum status keepsake_card_fetch(struct keepsake *self, const char *iccid,
    struct keepsake_card *out, uint8_t **data_out, size_t *data_bytes_out);

/* ---- the password ---- */

/**
 * Replace the owner's code; asks for both passwords.  Keys are wrapped anew,
 * nothing else is sent.
 */
enum status keepsake_change_password(struct keepsake *self);

/* ---- what a code is made of, and the card's PIN (A-05) ---- */

/* Factors, as bits of a set. */
#define KEEPSAKE_FACTOR_PASSWORD 1u
#define KEEPSAKE_FACTOR_SERIAL   2u
#define KEEPSAKE_FACTOR_IMEI     4u
#define KEEPSAKE_FACTOR_IMSI     8u

struct keepsake_codes {
	unsigned int account; /* factors of the account's code */
	unsigned int own;     /* of this terminal's own; 0: it has none */
};

/** Ask the server which factors it wants here; nothing has to be proved. */
enum status keepsake_codes(struct keepsake *self, struct keepsake_codes *out);

/**
 * Give this terminal a code of its own, or another one, which its transfers
 * are proved by from now on; the account's code manages the account as ever.
 * Asks for KEEPSAKE_PASSWORD, then for what the code is to be made of:
 * KEEPSAKE_NEW_OWN_PASSWORD, KEEPSAKE_SERIAL, _IMEI, _IMSI.
 *
 * A code without a password is no secret, and does not open the key of the
 * backups: who uses one is asked for the account's password besides, where
 * that key is needed.
 *
 * STATUS_DENIED     also where the server takes no code without a password
 * STATUS_MALFORMED  no such factors, or a value that is not of its form
 */
enum status keepsake_set_code(struct keepsake *self, unsigned int factors);

/**
 * Take it away: its transfers are proved by the account's code again.  Asks
 * for KEEPSAKE_PASSWORD only, so that a code that was forgotten can go.
 *
 * STATUS_NOT_FOUND  this terminal has none
 */
enum status keepsake_remove_code(struct keepsake *self);

/** Whether a person should turn on the PIN of the card in this terminal. */
enum keepsake_sim_pin {
	KEEPSAKE_SIM_PIN_NOT_NEEDED, /* no code with IMEI or IMSI was used */
	KEEPSAKE_SIM_PIN_DUE,        /* one was: urge them, and say why */
	KEEPSAKE_SIM_PIN_CONFIRMED,  /* they said that it is on */
};

/** As the calls on ${self} so far have shown. */
enum keepsake_sim_pin keepsake_sim_pin(const struct keepsake *self);

/** A person says that it is on; good until the terminal's code changes. */
enum status keepsake_confirm_sim_pin(struct keepsake *self);

/**
 * Whether a month has gone by since a person typed the password (K-06): time
 * to ask, so that it is not forgotten.
 */
bool keepsake_password_due(struct keepsake *self);

/**
 * Check a password that was typed, without the server.
 *
 * STATUS_OK         right; not due for another month
 * STATUS_DENIED     another than was used here last
 * STATUS_NOT_FOUND  none was used here yet
 */
enum status keepsake_check_password(
    struct keepsake *self, const char *password);

/* ---- who may come in, and who is in ---- */

#define KEEPSAKE_INVITATION_BYTES 64 /* with its NUL */

struct keepsake_invitation {
	char code[KEEPSAKE_INVITATION_BYTES]; /* secret until it is used */
	uint64_t expiry_ms;                   /* wall time */
};

/**
 * Make an invitation: a code for once, by which a terminal that is not bound
 * proves the account's code even where strangers are shut out.
 *
 * out  the caller's, to be wiped
 */
enum status keepsake_invite(
    struct keepsake *self, struct keepsake_invitation *out);

/**
 * Have an invitation sent to the terminals of the account's owner; nothing
 * has to be proved.
 *
 * STATUS_OK  also where there is no such account: nobody can tell
 */
enum status keepsake_ask_invitation(struct keepsake *self);

/** One who is signed in: a ticket that can still be used. */
struct keepsake_session {
	uint8_t id[KEEPSAKE_ID_BYTES];
	uint8_t terminal[KEEPSAKE_ID_BYTES]; /* all zero: one not bound yet */
	const char *direction;               /* "upload", …; static */
	uint64_t issued_ms;                  /* wall time, as the others */
	uint64_t expiry_ms;
	uint64_t ends_ms; /* that, or later where a transfer renews it */
	bool current;     /* it is the one that asked */
};

/**
 * Who is signed in to the account, the oldest first.
 *
 * list_out  to be freed with free; never NULL
 */
enum status keepsake_sessions(struct keepsake *self,
    struct keepsake_session **list_out, size_t *count_out);

/** Who is to be signed out: one of the three. */
struct keepsake_revocation {
	const uint8_t *session;  /* KEEPSAKE_ID_BYTES, or NULL */
	const uint8_t *terminal; /* likewise: all sessions of that terminal */
	bool all;                /* everybody */
};

/** Called for each service, by its name, that has not confirmed. */
typedef void keepsake_unconfirmed_fn(void *arg, const char *service);

/**
 * Sign out.  Every service that can be reached refuses their tickets from
 * now on; one that has not confirmed does so when it is back.
 *
 * STATUS_NOT_FOUND  no such session or terminal
 */
enum status keepsake_revoke(struct keepsake *self,
    const struct keepsake_revocation *what,
    keepsake_unconfirmed_fn *unconfirmed, void *arg);

/**
 * Delete the account: its bindings, cards, backups and keys, for
 * ever; then what this terminal has of it.
 *
 * account  its id, to be compared with whose this turns out to be
 *
 * STATUS_OK        it is gone; a service that has not confirmed deletes it
 *                  when it is back
 * STATUS_CONFLICT  another account, or a backup of this terminal runs
 */
enum status keepsake_forget(struct keepsake *self,
    const uint8_t account[static KEEPSAKE_ID_BYTES],
    keepsake_unconfirmed_fn *unconfirmed, void *arg);

/**
 * Delete what this terminal alone has of its account; the server is not
 * asked, and not told.
 *
 * STATUS_NOT_FOUND  it has no account
 * STATUS_CONFLICT   a backup of this terminal runs
 */
enum status keepsake_forget_here(struct keepsake *self);

struct keepsake_total {
	uint64_t files;
	uint64_t bytes;
};

/** The word for category ${number} ("photos"); static, never NULL. */
const char *keepsake_category(unsigned int number);

/**
 * Set a password of the tool itself, which backups and restores by this
 * state folder ask for as KEEPSAKE_TOOL_PASSWORD; or, not ${on}, take it
 * away.  Asks for the old one, if there is one, and the new one.
 *
 * STATUS_DENIED  the old one is wrong
 */
enum status keepsake_lock(struct keepsake *self, bool on);

/* ---- standing grants ---- */

/*
 * Nobody sits by an agent to type a password: by a grant this terminal backs
 * up with nobody asked.  It keeps what that takes in the place for keys, and
 * nothing there opens a backup, its own included.
 */

#define KEEPSAKE_GRANT_UPLOAD (1u << 1) /* backups */
#define KEEPSAKE_GRANT_REPORT (1u << 5) /* reports about the terminal */

/**
 * Give this terminal a grant, in the place of the one that it may have.
 *
 * directions  bits of the above, one at least
 *
 * STATUS_DENIED  also where the place for keys is refused, or for a
 *                direction that is not granted
 */
enum status keepsake_grant_add(struct keepsake *self, unsigned int directions);

struct keepsake_grant {
	uint8_t terminal[KEEPSAKE_ID_BYTES];
	bool here;               /* it is this terminal */
	unsigned int directions; /* bits */
	uint64_t given_ms;       /* wall time */
	uint64_t used_ms;        /* the same, to the hour; 0: never */
};

/**
 * The grants of the account.
 *
 * list_out  to be freed with free
 */
enum status keepsake_grants(
    struct keepsake *self, struct keepsake_grant **list_out, size_t *count_out);

/**
 * End a grant, and sign out that terminal.
 *
 * terminal     KEEPSAKE_ID_BYTES; NULL: this one
 * unconfirmed  as in keepsake_revoke
 *
 * STATUS_NOT_FOUND  that terminal has none
 */
enum status keepsake_grant_remove(struct keepsake *self,
    const uint8_t *terminal, keepsake_unconfirmed_fn *unconfirmed, void *arg);

/* ---- backup ---- */

/** How the key of a snapshot is kept. */
enum keepsake_key {
	KEEPSAKE_KEY_USUAL = 0,   /* not said; of a snapshot: not known here */
	KEEPSAKE_KEY_SEALED = 1,  /* under the account's root key */
	KEEPSAKE_KEY_LOCAL = 2,   /* on the terminal that made it, only there */
	KEEPSAKE_KEY_ACCOUNT = 5, /* to the account, by who cannot read it */
};

/** Its word ("sealed"); static, never NULL. */
const char *keepsake_key_word(enum keepsake_key key);

/** How far a transfer has come. */
struct keepsake_progress {
	uint64_t files;
	uint64_t files_total; /* 0: not known */
	uint64_t bytes;       /* of the files */
	uint64_t bytes_total; /* 0: not known */
	uint64_t moved_bytes; /* sealed, over the network */
};

/** Called often, on the calling thread. */
typedef void keepsake_progress_fn(
    void *arg, const struct keepsake_progress *progress);

/**
 * Something was not stored or not written, or not quite.
 *
 * path  within the folder; any bytes but NUL
 * why   for people
 *
 * During a restore from other threads, one at a time.
 */
typedef void keepsake_report_fn(void *arg, const char *path, const char *why);

struct keepsake_backup {
	const char *path;               /* of a folder */
	const char *label;              /* the owner's words; NULL: the path */
	enum keepsake_key key;          /* LOCAL, or USUAL */
	bool unattended;                /* by the grant; reads every file */
	bool count_first;               /* for the totals of the progress */
	const atomic_bool *cancel;      /* NULL, or stop soon once it is set */
	keepsake_progress_fn *progress; /* may be NULL */
	keepsake_report_fn *report;     /* may be NULL */
	void *arg;                      /* of both */
};

struct keepsake_backup_result {
	uint64_t snapshot; /* its ordinal */
	uint64_t taken_ms; /* wall time */
	uint64_t files;    /* of all types */
	uint64_t bytes;
	uint64_t unchanged; /* files that were not even read */
	uint64_t chunks_sent;
	uint64_t bytes_sent; /* sealed */
	uint64_t errors;     /* files not stored, or not quite */
	bool cache_lost;     /* the next backup reads every file */
	/* Of the account, as the server counts it. */
	uint64_t used_bytes;       /* with this backup */
	uint64_t quota_soft_bytes; /* past it the owner is warned; 0: none */
	uint64_t quota_bytes;      /* past it nothing is taken; 0: none */
};

/**
 * Back up a folder as a new snapshot.
 *
 * STATUS_OK         it is on the server's disk
 * STATUS_PENDING    cancelled; the next one goes on from there
 * STATUS_NOT_FOUND  no such folder
 * STATUS_CONFLICT   another backup of this terminal runs
 * STATUS_QUOTA      the account may not have so much: as a rule nothing was
 *                   sent; what is stored is not harmed
 */
enum status keepsake_backup(struct keepsake *self,
    const struct keepsake_backup *what, struct keepsake_backup_result *out);

/** What a backup of a folder would look at. */
struct keepsake_survey {
	uint64_t files; /* of all types */
	uint64_t bytes;
	struct keepsake_total categories[KEEPSAKE_CATEGORIES];
};

/**
 * Look through a folder as keepsake_backup would, by names and sizes: reads
 * no file, asks for nothing, and needs no server.  A file that its name does
 * not sort counts as other here.
 *
 * what  its path, cancel, report and arg are used
 *
 * STATUS_OK         ${out} is filled
 * STATUS_PENDING    cancelled
 * STATUS_NOT_FOUND  no such folder
 */
enum status keepsake_look(struct keepsake *self,
    const struct keepsake_backup *what, struct keepsake_survey *out);

/* ---- snapshots ---- */

struct keepsake_snapshot {
	uint64_t ordinal;
	uint64_t taken_ms; /* wall time */
	uint8_t terminal[KEEPSAKE_ID_BYTES];
	uint64_t sealed_bytes;
	enum keepsake_key key;
	uint8_t key_id[KEEPSAKE_ID_BYTES]; /* LOCAL; else all zero */
	bool damaged;  /* the store says so: see keepsake_check */
	bool readable; /* its key opened; what follows is empty otherwise */
	char label[KEEPSAKE_LABEL_BYTES_MAX + 1];
	char host[KEEPSAKE_LABEL_BYTES_MAX + 1];
	uint64_t files; /* of all types */
	uint64_t bytes;
	uint64_t errors;
	struct keepsake_total categories[KEEPSAKE_CATEGORIES];
};

/**
 * The snapshots of the account, oldest first.
 *
 * list_out  to be freed with free; NULL where there are none
 */
enum status keepsake_snapshots(struct keepsake *self,
    struct keepsake_snapshot **list_out, size_t *count_out);

/*
 * Below, ${which} names a snapshot: "latest"; an ordinal, "12"; or a moment,
 * RFC 3339 in UTC, or the beginning of one from the month on:
 * "2026-11", "2026-11-20", "2026-11-20T18:30", "2026-11-20T18:30:00Z": the
 * newest that was taken then or before.
 */

enum keepsake_type {
	KEEPSAKE_FILE = 1,
	KEEPSAKE_FOLDER,
	KEEPSAKE_SYMLINK,
	KEEPSAKE_HARD_LINK,
};

/** One thing in a snapshot; all of it borrowed. */
struct keepsake_entry {
	enum keepsake_type type;
	const char *path;   /* any bytes but NUL */
	const char *target; /* of a link; likewise */
	uint64_t size;
	uint32_t mode; /* the low 12 bits */
	int64_t mtime_s;
	uint32_t mtime_ns;
	unsigned int category;
	bool changed; /* while it was read */
};

/** Called for each; false: enough. */
typedef bool keepsake_entry_fn(void *arg, const struct keepsake_entry *entry);

/**
 * Go through a snapshot in the order of its paths.
 *
 * report        a part of its list of files is damaged and was passed over:
 *               the path before it; or of a file whose part of the list is;
 *               may be NULL
 * snapshot_out  filled with what is gone through; may be NULL
 *
 * STATUS_NOT_FOUND  no such snapshot, or its key is kept elsewhere
 * STATUS_DENIED     also where the place for keys is refused: before anything
 *                   is asked
 * STATUS_MALFORMED  it is damaged, and nothing of it can be had
 */
enum status keepsake_show(struct keepsake *self, const char *which,
    keepsake_entry_fn *each, keepsake_report_fn *report, void *arg,
    struct keepsake_snapshot *snapshot_out);

/** How a path differs between two snapshots. */
enum keepsake_change { KEEPSAKE_ADDED = 1, KEEPSAKE_REMOVED, KEEPSAKE_CHANGED };

/** One of them; all of it borrowed. */
struct keepsake_difference {
	enum keepsake_change change;
	bool content;  /* CHANGED: another type, size, data or link target */
	bool metadata; /* CHANGED: another mode, time, owner or category */
	enum keepsake_type type; /* after; of one that is REMOVED, before */
	const char *path;        /* any bytes but NUL */
	unsigned int category;   /* like the type */
	uint64_t before_bytes, after_bytes; /* of a file */
};

/** Called for each, in the order of paths; false: enough. */
typedef bool keepsake_difference_fn(
    void *arg, const struct keepsake_difference *difference);

struct keepsake_comparison {
	uint64_t before, after; /* their ordinals */
	uint64_t added, removed, changed;
};

/**
 * Compare two snapshots, named as above.  Only their manifests are read, and
 * of these only what is not the same in both.  What one of them has where the
 * other's list of files is damaged is not told: it may be in both.
 *
 * report  as keepsake_show's; says of which snapshot
 *
 * Results as keepsake_show.
 */
enum status keepsake_diff(struct keepsake *self, const char *before,
    const char *after, keepsake_difference_fn *each, keepsake_report_fn *report,
    void *arg, struct keepsake_comparison *out);

#define KEEPSAKE_FOLDER_BYTES_MAX 4095

struct keepsake_restore {
	const char *which;
	const char *target; /* folder, new or empty unless resume; NULL: the
			       one that was backed up, and nothing that is
			       there is changed */
	bool resume;        /* keep what is there and right, replace the rest */
	bool overwrite;     /* into the folder that was backed up: likewise */
	bool verify;        /* read each file again and compare */
	const char *category; /* only this one; NULL: all */
	const char *path; /* only this file, or this folder and what is below
			     it, as keepsake_show tells it; NULL: all */
	const atomic_bool *cancel;      /* NULL, or stop soon once it is set */
	keepsake_progress_fn *progress; /* may be NULL */
	keepsake_report_fn *report;     /* may be NULL */
	void *arg;                      /* of both */
};

struct keepsake_restore_result {
	uint64_t snapshot; /* its ordinal */
	uint64_t files;    /* wanted: written + there + skipped */
	uint64_t written;
	uint64_t there;   /* right already */
	uint64_t skipped; /* reported */
	uint64_t verified;
	uint64_t bytes;         /* written */
	uint64_t bytes_fetched; /* sealed */
	char target[KEEPSAKE_FOLDER_BYTES_MAX + 1];
};

/**
 * Restore a snapshot, or a part of it, into a folder.
 *
 * STATUS_OK         done, but for what was reported
 * STATUS_NOT_FOUND  no such snapshot, its key is kept elsewhere, no such
 *                   category, no such path in it, or it does not say which
 *                   folder it is of
 * STATUS_DENIED     as keepsake_show
 * STATUS_CONFLICT   the target is not empty
 * STATUS_PENDING    cancelled; with resume, the next one goes on
 * STATUS_MALFORMED  the snapshot is damaged
 */
enum status keepsake_restore(struct keepsake *self,
    const struct keepsake_restore *what, struct keepsake_restore_result *out);

/* ---- snapshots that go ---- */

/** Called for each snapshot that is deleted, after that is so. */
typedef void keepsake_deleted_fn(void *arg, uint64_t ordinal);

/**
 * Delete snapshots, for good: each is named by ${which} as above.  Asks for
 * the account's password, whatever code this terminal has of its own; a
 * standing grant does not do.  Up to 100 go together or not at all.
 *
 * each  may be NULL
 *
 * STATUS_OK         they are gone; what only they had is swept soon
 * STATUS_NOT_FOUND  one of the names fits none; nothing was deleted
 */
enum status keepsake_delete(struct keepsake *self, const char *const *which,
    size_t count, keepsake_deleted_fn *each, void *arg);

/** What keeps a snapshot when they are thinned. */
enum keepsake_keep {
	KEEPSAKE_KEEP_LAST,
	KEEPSAKE_KEEP_DAILY,
	KEEPSAKE_KEEP_WEEKLY,
	KEEPSAKE_KEEP_MONTHLY,
	KEEPSAKE_KEEP_COUNT
};

/**
 * Called for each snapshot, oldest first, before any is deleted.
 *
 * kept  bits of enum keepsake_keep; 0 of one that can be read: it goes
 */
typedef void keepsake_thin_fn(
    void *arg, const struct keepsake_snapshot *snapshot, unsigned int kept);

struct keepsake_thin {
	/* Of each series (one terminal's snapshots with one label): the newest
	 * so many, and the newest of so many days, weeks (from Monday) and
	 * months of local time that have one.  What any rule keeps stays. */
	uint32_t keep[KEEPSAKE_KEEP_COUNT];
	bool dry_run;           /* delete nothing */
	keepsake_thin_fn *each; /* may be NULL */
	void *arg;
};

struct keepsake_thin_result {
	uint64_t kept;
	uint64_t deleted; /* or would be */
	uint64_t unread;  /* kept, too: their keys do not open here */
};

/**
 * Delete the snapshots that no rule keeps.
 *
 * STATUS_OK         done
 * STATUS_MALFORMED  no rule keeps any: nothing was deleted
 * others            as keepsake_delete
 */
enum status keepsake_thin(struct keepsake *self,
    const struct keepsake_thin *what, struct keepsake_thin_result *out);

/* ---- checks ---- */

/** What a check of a snapshot came to. */
enum keepsake_condition {
	KEEPSAKE_WHOLE,
	KEEPSAKE_DAMAGED, /* files of it, which were reported */
	KEEPSAKE_BROKEN,  /* its list of files: nothing of it can be restored */
	KEEPSAKE_CLOSED,  /* its key is not here: it could not be checked */
};

struct keepsake_checked {
	uint64_t snapshot; /* its ordinal */
	uint64_t taken_ms; /* wall time */
	enum keepsake_condition condition;
	uint64_t files;      /* of all types */
	uint64_t damaged;    /* of those; of a drill: of those picked */
	uint64_t lost;       /* parts of the list of files: more are damaged */
	uint64_t chunks;     /* looked at now: not again for another one */
	uint64_t bytes_read; /* sealed */
	uint64_t picked;     /* of a drill: files restored and compared */
};

struct keepsake_check {
	const char *const *which; /* see above; or "all" */
	size_t which_count;
	bool read_data;            /* fetch, open and compare all chunks */
	uint32_t sample;           /* a drill of so many files; 0: a check */
	const atomic_bool *cancel; /* NULL, or stop soon once it is set */
	/* A file is damaged, or what follows it is; may be NULL. */
	void (*report)(
	    void *arg, uint64_t snapshot, const char *path, const char *why);
	/* One snapshot is done. */
	void (*checked)(void *arg, const struct keepsake_checked *result);
	void *arg; /* of both */
};

/**
 * Prove snapshots whole.  A drill, a check with sample, restores files that
 * are picked at random into memory, compares them, and reports to the server
 * what that came to.
 *
 * STATUS_OK         looked at all: "checked" has told what was found
 * STATUS_NOT_FOUND  no such snapshot, or there are none
 * STATUS_PENDING    cancelled
 */
enum status keepsake_check(
    struct keepsake *self, const struct keepsake_check *what);

/* ---- notices ---- */

#define KEEPSAKE_FIGURES_MAX 8

/** Something the owner is to know; borrowed. */
struct keepsake_notice {
	uint8_t id[KEEPSAKE_ID_BYTES]; /* tells repeats apart */
	const char *kind;              /* "backup_done", …; "other" */
	const char *meaning;           /* for people; static */
	const char *text; /* of "invitation": it, secret until used; or "" */
	uint8_t terminal[KEEPSAKE_ID_BYTES]; /* it is about; or all zero */
	uint64_t when_ms;                    /* wall time */
	struct {
		const char *name; /* with its unit */
		uint64_t value;
	} figures[KEEPSAKE_FIGURES_MAX];
	size_t figures_count;
};

/** Called for each; true: it was taken, and need not be told again. */
typedef bool keepsake_notice_fn(
    void *arg, const struct keepsake_notice *notice);

/**
 * Get the notices that wait; with ${follow}, those to come too, until
 * ${cancel} (may be NULL) is set.
 */
enum status keepsake_notices(struct keepsake *self, bool follow,
    const atomic_bool *cancel, keepsake_notice_fn *each, void *arg);

#define KEEPSAKE_RULES_MAX 32

/** When a notice is pushed to a terminal that listens. */
enum keepsake_tell {
	KEEPSAKE_TELL_USUAL,   /* as its kind has it */
	KEEPSAKE_TELL_AT_ONCE, /* also in quiet hours */
	KEEPSAKE_TELL_IN_TIME, /* when the quiet hours are over */
	KEEPSAKE_TELL_NEVER,   /* it is not told at all */
};

struct keepsake_rules {
	uint32_t quiet_from; /* minute of each terminal's local day */
	uint32_t quiet_to;   /* the first one after; equal: no quiet hours */
	bool keep_quiet;     /* in a change: leave the two above as they are */
	struct keepsake_rule {
		const char *kind; /* as in keepsake_notice */
		enum keepsake_tell tell;
		uint32_t together_s; /* at most this often; 0: each */
	} rules[KEEPSAKE_RULES_MAX];
	size_t count;
};

/** Read what the owner wants of notices. */
enum status keepsake_rules_get(
    struct keepsake *self, struct keepsake_rules *out);

/**
 * Change it: quiet hours, and the rules of the kinds that are named; the
 * others stay.  What tells of a danger is always told at once.
 *
 * changes  filled with all that is in force then
 *
 * STATUS_NOT_FOUND  no such kind
 * STATUS_DENIED     one of those that are always told
 * STATUS_MALFORMED  together_s is not 60 s to a day
 */
enum status keepsake_rules_change(
    struct keepsake *self, struct keepsake_rules *changes);

#endif

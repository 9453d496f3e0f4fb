#include "keepsake.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "account_keys.h"
#include "backup.h"
#include "base/bounds.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/util.h"
#include "binding.pb-c.h"
#include "bus/header.h"
#include "bus/unpack.h"
#include "category.h"
#include "crypto/arena.h"
#include "notify.pb-c.h"
#include "remote.h"
#include "restore.h"
#include "session.h"
#include "state.h"
#include "summary.h"

#define ARENA_BYTES        (64 * 1024)
#define ANSWER_MS          (60 * 1000)
#define DETAIL_ROOM        (PATH_MAX + 256)
#define SUBSCRIBE_MS       20000 /* presence is a lease of 60 s */
#define LISTEN_MS          500   /* then look whether to stop */
#define NOTICE_IDS_MAX     64
#define CACHE_HASH_BYTES   8
#define ORDINAL_DIGITS_MAX 18
#define MOMENT_FORM        "dddd-dd-ddTdd:dd:ddZ"
#define MOMENT_LEN_MIN     (sizeof("dddd-dd") - 1)

_Static_assert(KEEPSAKE_CATEGORIES == CATEGORY_COUNT, "one for each");
_Static_assert(KEEPSAKE_ID_BYTES == ID_BYTES, "ids are ids");
_Static_assert(KEEPSAKE_NAME_BYTES_MAX == STATE_NAME_BYTES_MAX, "names too");
_Static_assert(KEEPSAKE_HOST_BYTES_MAX == ENROLMENT_HOST_BYTES_MAX, "hosts");
_Static_assert(KEEPSAKE_LABEL_BYTES_MAX >= SUMMARY_LABEL_BYTES_MAX &&
		   KEEPSAKE_LABEL_BYTES_MAX >= SUMMARY_HOST_BYTES_MAX,
    "both texts of a summary fit");
_Static_assert(KEEPSAKE_SECRET_BYTES == CODE_PASSWORD_BYTES_MAX + 1,
    "the longest password fits");
_Static_assert((int)KEEPSAKE_FILE == (int)ENTRY_FILE &&
		   (int)KEEPSAKE_HARD_LINK == (int)ENTRY_HARD_LINK,
    "types are types");

/* What was asked for in one call: secret, in the arena. */
struct answers {
	char texts[KEEPSAKE_SECRET_COUNT][KEEPSAKE_SECRET_BYTES];
};

struct keepsake {
	struct state *state;
	char name[KEEPSAKE_NAME_BYTES_MAX + 1]; /* as the options say, or "" */
	uint32_t timeout_ms;                    /* likewise, or 0 */
	keepsake_ask_fn *ask;
	void (*waiting)(void *arg, const char *host_and_port);
	void *arg;

	/* What a call makes and end_call takes down. */
	struct enrolment enrolment;
	struct curve_keys *keys; /* in the arena, as the next two */
	struct answers *answers;
	bool password_typed;
	struct login *login;
	struct session *session;
	struct account_keys *account_keys;
	struct remote *remote;

	char detail[DETAIL_ROOM];
	const char *advice;
};

enum status keepsake_library_begin(void)
{
	return arena_open(ARENA_BYTES);
}

void keepsake_library_end(void)
{
	arena_close();
}

/* ---- opening, and what every call begins and ends with ---- */

/* Say why a call fails; returns ${status}, for "return refuse(…)". */
static enum status refuse(struct keepsake *self, enum status status,
    const char *advice, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static enum status refuse(struct keepsake *self, enum status status,
    const char *advice, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(self->detail, sizeof(self->detail), format, args);
	va_end(args);
	self->advice = advice;
	return status;
}

/* The same with what the status says by itself. */
static enum status refuse_plainly(struct keepsake *self, enum status status)
{
	return refuse(self, status, session_advice_for(status, LINK_UP), "%s",
	    status_text(status));
}

static void begin_call(struct keepsake *self)
{
	self->detail[0] = '\0';
	self->advice = "";
	self->password_typed = false;
}

static void wipe_answers(struct keepsake *self)
{
	void *answers = self->answers;

	secret_destroy(&answers, sizeof(*self->answers));
	self->answers = NULL;
}

static void wipe_keys(struct keepsake *self)
{
	void *keys = self->keys;

	secret_destroy(&keys, sizeof(*self->keys));
	self->keys = NULL;
}

static void end_call(struct keepsake *self)
{
	remote_destroy(&self->remote);
	session_destroy(&self->session);
	account_keys_destroy(&self->account_keys);
	login_destroy(&self->login);
	wipe_answers(self);
	wipe_keys(self);
}

enum status keepsake_open(struct keepsake **self_out,
    const struct keepsake_options *options, const char **why_out)
{
	struct keepsake *self = calloc(1, sizeof(*self));
	char folder[PATH_MAX];
	enum status st = STATUS_NO_SPACE;

	*why_out = "there is no memory";
	if (!self)
		goto out;
	self->advice = "";
	self->timeout_ms = options->timeout_ms;
	self->ask = options->ask;
	self->waiting = options->waiting;
	self->arg = options->arg;
	if (options->name && (strlen(options->name) > KEEPSAKE_NAME_BYTES_MAX ||
				 !text_is_clean(slice_text(options->name)))) {
		*why_out = "the account's name is too long, or no text";
		st = STATUS_MALFORMED;
		goto out;
	}
	if (options->name)
		snprintf(self->name, sizeof(self->name), "%s", options->name);
	st = STATUS_OK;
	if (!options->state)
		st = state_folder_usual(folder);
	*why_out = "neither HOME nor XDG_STATE_HOME says where it is";
	if (st == STATUS_OK)
		st = state_open(&self->state,
		    options->state ? options->state : folder, why_out);
	if (st != STATUS_OK)
		goto out;
	*self_out = self;
	self = NULL;
out:
	keepsake_close(&self);
	return st;
}

void keepsake_close(struct keepsake **self_p)
{
	struct keepsake *self = *self_p;

	if (!self)
		return;
	end_call(self);
	state_close(&self->state);
	free(self);
	*self_p = NULL;
}

const char *keepsake_detail(const struct keepsake *self)
{
	return self->detail;
}

const char *keepsake_advice(const struct keepsake *self)
{
	return self->advice;
}

const char *keepsake_folder(const struct keepsake *self)
{
	return state_folder(self->state);
}

/* ---- the state folder ---- */

static enum status refuse_file(
    struct keepsake *self, enum status status, const char *name)
{
	return refuse(self, status,
	    status == STATUS_DENIED
		? "files in the state folder must be yours, with mode 0600"
		: "",
	    "%s/%s: %s", state_folder(self->state), name,
	    status == STATUS_DENIED
		? "refused: a symlink, another user's, open to others, or "
		  "not to be written"
		: status_text(status));
}

static enum status read_enrolment(struct keepsake *self)
{
	enum status st = state_enrolment(self->state, &self->enrolment);

	if (st == STATUS_NOT_FOUND)
		return refuse(self, st,
		    "get the enrolment string from the operator "
		    "('keepsakectl enrolment') and run: keepsake enrol STRING",
		    "this terminal does not know its server yet");
	return st == STATUS_OK ? st : refuse_file(self, st, "enrolment");
}

static enum status read_keys(struct keepsake *self)
{
	self->keys = secret_new(sizeof(*self->keys));
	if (!self->keys)
		return refuse_plainly(self, STATUS_NO_SPACE);
	enum status st = state_keys(self->state, self->keys);
	return st == STATUS_OK ? st : refuse_file(self, st, "terminal.key");
}

/*
 * Whose terminal this is; ${out} is empty for a new one.  Another name in
 * the options makes it that name's, with no ids known.
 */
static enum status read_account(
    struct keepsake *self, struct state_account *out)
{
	enum status st = state_account(self->state, out);

	if (st == STATUS_NOT_FOUND) {
		*out = (struct state_account){ .name = "" };
		st = STATUS_OK;
	}
	if (st != STATUS_OK)
		return refuse_file(self, st, "account");
	if (self->name[0] != '\0' && strcmp(self->name, out->name) != 0) {
		*out = (struct state_account){ .name = "" };
		memcpy(out->name, self->name, sizeof(out->name));
	}
	return STATUS_OK;
}

static enum status keep_account(
    struct keepsake *self, const struct state_account *account)
{
	enum status st = state_set_account(self->state, account);

	return st == STATUS_OK ? st : refuse_file(self, st, "account");
}

enum status keepsake_enrol(struct keepsake *self, const char *string)
{
	struct enrolment enrolment;
	const char *why;

	begin_call(self);
	enum status st = enrolment_parse(&enrolment, string, &why);
	if (st != STATUS_OK)
		return refuse(self, st,
		    "copy it whole, in quotes: keepsake enrol "
		    "'keepsake://…'",
		    "not an enrolment string: %s", why);
	st = state_set_enrolment(self->state, &enrolment);
	if (st == STATUS_CONFLICT)
		return refuse(self, st,
		    "for another server use another folder: --state DIR",
		    "%s belongs to an account of another server",
		    state_folder(self->state));
	return st == STATUS_OK ? st : refuse_file(self, st, "enrolment");
}

enum status keepsake_standing(
    struct keepsake *self, struct keepsake_standing *out)
{
	struct state_account account;

	begin_call(self);
	memset(out, 0, sizeof(*out));
	enum status st = state_enrolment(self->state, &self->enrolment);
	if (st != STATUS_OK && st != STATUS_NOT_FOUND)
		return refuse_file(self, st, "enrolment");
	if (st == STATUS_OK) {
		memcpy(out->host, self->enrolment.host, sizeof(out->host));
		out->port = self->enrolment.port;
		memcpy(out->gateway_key, self->enrolment.gateway_key,
		    sizeof(out->gateway_key));
	}
	st = read_account(self, &account);
	if (st == STATUS_OK)
		st = read_keys(self);
	if (st == STATUS_OK) {
		memcpy(out->terminal_key, self->keys->public_key,
		    sizeof(out->terminal_key));
		memcpy(out->name, account.name, sizeof(out->name));
		memcpy(out->account, account.account.bytes, ID_BYTES);
		memcpy(out->terminal, account.terminal.bytes, ID_BYTES);
	}
	end_call(self);
	return st;
}

/* ---- secrets ---- */

/* Ask for ${secret}; ${out} stays good until end_call. */
static enum status ask_for(
    struct keepsake *self, enum keepsake_secret secret, struct slice *out)
{
	bool typed = false;

	if (!self->answers)
		self->answers = secret_new(sizeof(*self->answers));
	if (!self->answers)
		return refuse_plainly(self, STATUS_NO_SPACE);
	char *text = self->answers->texts[secret];
	enum status st = self->ask(self->arg, secret, text, &typed);
	if (st != STATUS_OK)
		return st; /* who asked has said why */
	if (secret == KEEPSAKE_PASSWORD || secret == KEEPSAKE_NEW_PASSWORD)
		self->password_typed = typed;
	*out = slice_text(text);
	return STATUS_OK;
}

/* Collect the factors that ${set} names. */
static enum status collect(
    struct keepsake *self, unsigned int set, struct code_factors *out)
{
	const struct {
		unsigned int factor;
		enum keepsake_secret secret;
		struct slice *value;
	} rows[] = {
		{ CODE_PASSWORD, KEEPSAKE_PASSWORD, &out->password },
		{ CODE_SERIAL, KEEPSAKE_SERIAL, &out->serial },
		{ CODE_IMEI, KEEPSAKE_IMEI, &out->imei },
		{ CODE_IMSI, KEEPSAKE_IMSI, &out->imsi },
	};
	enum status st = STATUS_OK;

	*out = (struct code_factors){ .set = set };
	for (size_t i = 0; st == STATUS_OK && i < nitems(rows); i++)
		if (set & rows[i].factor)
			st = ask_for(self, rows[i].secret, rows[i].value);
	return st;
}

/*
 * Remember what checks ${password}, which the server took just now, and when
 * it was typed (K-06).  The transfer does not wait for it to work.
 */
static void remember_password(struct keepsake *self, struct slice password)
{
	const struct code_factors factors = {
		.set = CODE_PASSWORD,
		.password = password,
	};
	struct code *code = NULL;
	uint64_t asked_ms;

	if (!self->password_typed &&
	    state_password_when(self->state, &asked_ms) == STATUS_OK)
		return;
	if (code_new(&code, &factors) == STATUS_OK)
		(void)state_set_password(
		    self->state, code_text(code), clock_wall_ms());
	code_destroy(&code);
}

bool keepsake_password_due(struct keepsake *self)
{
	uint64_t asked_ms;

	if (state_password_when(self->state, &asked_ms) != STATUS_OK)
		return false;
	return clock_wall_ms() > asked_ms &&
	       clock_wall_ms() - asked_ms > STATE_ASK_MS_MAX;
}

enum status keepsake_check_password(struct keepsake *self, const char *password)
{
	const struct code_factors factors = {
		.set = CODE_PASSWORD,
		.password = slice_text(password),
	};
	struct code *code = NULL;

	begin_call(self);
	enum status st = code_new(&code, &factors);
	if (st == STATUS_MALFORMED)
		st = STATUS_DENIED; /* no password at all */
	if (st == STATUS_OK)
		st = state_check_password(self->state, code_text(code));
	if (st == STATUS_OK)
		st = state_password_asked(self->state, clock_wall_ms());
	code_destroy(&code);
	return st;
}

/* ---- questions to the server ---- */

static enum status refuse_session(struct keepsake *self, enum status status)
{
	uint32_t tries = session_tries_remaining(self->session);

	/* The wire counts from 1, so that 0 can say: not told. */
	if (status == STATUS_DENIED && tries > 0)
		return refuse(self, status, session_advice(self->session),
		    "%s; %u more tries", session_detail(self->session),
		    tries - 1);
	return refuse(self, status, session_advice(self->session), "%s",
	    session_detail(self->session));
}

static enum status session_begin(struct keepsake *self)
{
	enum status st = read_enrolment(self);

	if (st == STATUS_OK)
		st = read_keys(self);
	if (st != STATUS_OK)
		return st;
	const struct session_options options = {
		.enrolment = &self->enrolment,
		.keys = self->keys,
		.timeout_ms = self->timeout_ms ? self->timeout_ms : ANSWER_MS,
		.waiting = self->waiting,
		.arg = self->arg,
	};
	st = session_new(&self->session, &options);
	return st == STATUS_OK ? st : refuse_plainly(self, st);
}

enum status keepsake_ping(struct keepsake *self, uint64_t *took_ms_out)
{
	begin_call(self);
	enum status st = session_begin(self);
	uint64_t begun_ms = clock_interval_ms();
	if (st == STATUS_OK) {
		st = session_ask(self->session, TYPE_PING, (struct slice){ 0 },
		    NULL, NULL, NULL);
		if (st != STATUS_OK)
			refuse_session(self, st);
	}
	*took_ms_out = clock_interval_ms() - begun_ms;
	end_call(self);
	return st;
}

/* What a refused login means for a terminal that stands so. */
static enum status refuse_login(struct keepsake *self, enum status status,
    const struct state_account *account)
{
	refuse_session(self, status);
	if (status == STATUS_DENIED && self->advice[0] == '\0' &&
	    id_is_none(&account->terminal))
		self->advice = "before a terminal may do this it must be "
			       "bound: keepsake bind";
	return status;
}

/* Note in the state whose terminal this turned out to be. */
static enum status note_account(
    struct keepsake *self, struct state_account *account)
{
	struct state_account kept;
	enum status st = state_account(self->state, &kept);

	/* --name for once does not change whose terminal it is. */
	if (st == STATUS_OK && strcmp(kept.name, account->name) != 0)
		return STATUS_OK;
	if (id_equal(&account->account, &self->login->account))
		return STATUS_OK;
	account->account = self->login->account;
	return keep_account(self, account);
}

/*
 * Prove who we are for ${direction}: self->login and self->session are there
 * afterwards.
 *
 * account_out  as the state has it now
 */
static enum status prove(struct keepsake *self, enum direction direction,
    struct state_account *account_out)
{
	struct code_factors factors;
	unsigned int set = 0;
	enum status st = session_begin(self);

	if (st == STATUS_OK)
		st = read_account(self, account_out);
	if (st != STATUS_OK)
		return st;
	if (account_out->name[0] == '\0')
		return refuse(self, STATUS_NOT_FOUND,
		    "keepsake register NAME makes an account; one that you "
		    "have is named with --name NAME",
		    "this terminal does not know whose it is");
	st = session_factors(self->session, account_out->name, &set);
	if (st != STATUS_OK)
		return refuse_session(self, st);
	st = collect(self, set, &factors);
	if (st != STATUS_OK)
		return st;
	st = session_login(self->session, account_out->name, &factors,
	    direction, &self->login);
	if (st != STATUS_OK)
		return refuse_login(self, st, account_out);
	if (set & CODE_PASSWORD)
		remember_password(self, factors.password);
	return note_account(self, account_out);
}

/* ---- registration, binding, code ---- */

static enum status may_register(struct keepsake *self)
{
	struct state_account kept;
	enum status st = state_account(self->state, &kept);

	if (st == STATUS_NOT_FOUND)
		return STATUS_OK;
	if (st != STATUS_OK)
		return refuse_file(self, st, "account");
	if (id_is_none(&kept.terminal))
		return STATUS_OK; /* bound to nobody: it may begin anew */
	return refuse(self, STATUS_CONFLICT,
	    "for another account use another folder: --state DIR",
	    "%s belongs to an account already", state_folder(self->state));
}

static enum status register_name(struct keepsake *self, const char *name)
{
	struct state_account account = { .name = "" };
	struct code_factors factors = { .set = CODE_PASSWORD };

	if (name[0] == '\0' || strlen(name) > KEEPSAKE_NAME_BYTES_MAX ||
	    !text_is_clean(slice_text(name)))
		return refuse(self, STATUS_MALFORMED,
		    "a phone number (+…), an e-mail address or a nickname",
		    "not a name for an account");
	memcpy(account.name, name, strlen(name));
	enum status st = may_register(self);
	if (st == STATUS_OK)
		st = session_begin(self);
	if (st == STATUS_OK)
		st = ask_for(self, KEEPSAKE_NEW_PASSWORD, &factors.password);
	if (st != STATUS_OK)
		return st;
	st = session_register(self->session, name, &factors, &account.account);
	if (st == STATUS_CONFLICT)
		return refuse(self, st,
		    "choose another name; if it is yours, use it: keepsake "
		    "--name NAME bind",
		    "this name is taken");
	if (st != STATUS_OK)
		return refuse_session(self, st);
	remember_password(self, factors.password);
	return keep_account(self, &account);
}

enum status keepsake_register(struct keepsake *self, const char *name)
{
	begin_call(self);
	enum status st = register_name(self, name);
	end_call(self);
	return st;
}

static enum status bind_device(
    struct keepsake *self, const struct keepsake_device *device)
{
	Binding__Bind message = BINDING__BIND__INIT;
	Binding__Bound *bound;
	struct state_account account;
	struct slice verification;
	enum status st = prove(self, DIRECTION_ENROL, &account);

	if (st != STATUS_OK)
		return st;
	if (!self->login->verification_set) {
		st = ask_for(self, KEEPSAKE_VERIFICATION, &verification);
		if (st != STATUS_OK)
			return st;
		st = session_set_verification(
		    self->session, self->login, verification);
		if (st != STATUS_OK)
			return refuse_session(self, st);
	}
	message.imei = (char *)device->imei; /* protobuf-c only reads them */
	message.serial = (char *)device->serial;
	message.label = (char *)device->label;
	st = session_ask(self->session, BINDING__TYPE__BIND,
	    login_ticket(self->login), &message.base,
	    &binding__bound__descriptor, &bound);
	if (st != STATUS_OK)
		return refuse_session(self, st);
	st = id_from(&account.terminal, field_slice(bound->terminal_id));
	if (st != STATUS_OK)
		return refuse(self, st, "", "the server gave no terminal id");
	return keep_account(self, &account);
}

enum status keepsake_bind(
    struct keepsake *self, const struct keepsake_device *device)
{
	begin_call(self);
	enum status st = bind_device(self, device);
	end_call(self);
	return st;
}

static enum status change_password(struct keepsake *self)
{
	struct state_account account;
	struct code_factors factors = { .set = CODE_PASSWORD };
	enum status st = prove(self, DIRECTION_MANAGE, &account);

	if (st == STATUS_OK)
		st = ask_for(self, KEEPSAKE_NEW_PASSWORD, &factors.password);
	if (st != STATUS_OK)
		return st;
	st = session_change_code(self->session, self->login, &factors);
	if (st != STATUS_OK)
		return refuse_session(self, st);
	self->password_typed = true; /* a new one is remembered in any case */
	remember_password(self, factors.password);
	return STATUS_OK;
}

enum status keepsake_change_password(struct keepsake *self)
{
	begin_call(self);
	enum status st = change_password(self);
	end_call(self);
	return st;
}

/* ---- transfers ---- */

static enum status refuse_remote(struct keepsake *self, enum status status)
{
	const char *detail = remote_detail(self->remote);

	if (detail[0] == '\0')
		return refuse_plainly(self, status);
	return refuse(self, status, remote_advice(self->remote), "%s", detail);
}

/* Prove for ${direction} and connect for bulk bytes. */
static enum status transfer_begin(
    struct keepsake *self, enum direction direction)
{
	struct state_account account;
	enum status st = prove(self, direction, &account);

	if (st != STATUS_OK)
		return st;
	session_destroy(&self->session); /* the transfer has a connection */
	st = account_keys_new(
	    &self->account_keys, &self->login->account, self->login->root);
	sodium_memzero(self->login->root, sizeof(self->login->root));
	const struct remote_options options = {
		.enrolment = &self->enrolment,
		.keys = self->keys,
		.account = &self->login->account,
		.ticket = login_ticket(self->login),
		.timeout_ms =
		    self->timeout_ms ? self->timeout_ms : DEADLINE_MS_MAX,
	};
	if (st == STATUS_OK)
		st = remote_new(&self->remote, &options);
	return st == STATUS_OK ? st : refuse_plainly(self, st);
}

/* Who gets what a backup or restore tells. */
struct listener {
	keepsake_progress_fn *progress;
	keepsake_report_fn *report;
	void *arg;
	enum category category; /* restores: only this one; 0: all */
};

static void on_backup_progress(
    void *arg, const struct backup_progress *progress)
{
	const struct listener *listener = arg;
	const struct keepsake_progress passed = {
		.files = progress->files,
		.files_total = progress->files_total,
		.bytes = progress->bytes,
		.bytes_total = progress->bytes_total,
		.moved_bytes = progress->bytes_sent,
	};

	listener->progress(listener->arg, &passed);
}

static void on_trouble(
    void *arg, enum walk_trouble trouble, const char *path, int error)
{
	const struct listener *listener = arg;
	char why[128];

	if (error != 0)
		snprintf(why, sizeof(why), "%s: %s", walk_trouble_text(trouble),
		    strerror(error));
	else
		snprintf(why, sizeof(why), "%s", walk_trouble_text(trouble));
	listener->report(listener->arg, path, why);
}

/* The file that remembers the last backup of the folder ${path}. */
static bool cache_path_of(
    struct keepsake *self, const char *path, char out[static PATH_MAX])
{
	uint8_t hash[crypto_generichash_BYTES];
	char name[sizeof("cache-") + HEX_BYTES(CACHE_HASH_BYTES)] = "cache-";

	crypto_generichash(
	    hash, sizeof(hash), (const uint8_t *)path, strlen(path), NULL, 0);
	hex_encode(name + strlen(name), slice_of(hash, CACHE_HASH_BYTES));
	return state_path(self->state, name, out);
}

static uint64_t total_bytes(const struct summary *summary)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < nitems(summary->categories); i++)
		bytes += summary->categories[i].bytes;
	return bytes;
}

static enum status refuse_backup(
    struct keepsake *self, enum status status, const char *path)
{
	if (status == STATUS_PENDING)
		return refuse(self, status,
		    "the next backup goes on from there", "interrupted");
	if (remote_detail(self->remote)[0] != '\0')
		return refuse_remote(self, status);
	if (status == STATUS_NOT_FOUND)
		return refuse(self, status,
		    "name a folder; of a file, name the folder it is in",
		    "%s: no such folder", path);
	if (status == STATUS_DENIED)
		return refuse(self, status,
		    "run it as a user who may read the folder",
		    "%s: the folder may not be read", path);
	return refuse(self, status, "", "%s: %s", path, status_text(status));
}

static enum status run_backup(struct keepsake *self,
    const struct keepsake_backup *what, const char *real_path,
    struct keepsake_backup_result *out)
{
	struct listener listener = { what->progress, what->report, what->arg,
		0 };
	struct backup_result result;
	char cache_path[PATH_MAX], host[SUMMARY_HOST_BYTES_MAX + 1] = "";

	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	const struct backup_options options = {
		.remote = self->remote,
		.keys = self->account_keys,
		.root = real_path,
		.cache_path = cache_path_of(self, real_path, cache_path)
				  ? cache_path
				  : NULL,
		.label = what->label ? what->label : real_path,
		.host = host,
		.count_first = what->count_first,
		.cancel = what->cancel,
		.progress = what->progress ? on_backup_progress : NULL,
		.report = what->report ? on_trouble : NULL,
		.arg = &listener,
	};
	enum status st = backup_run(&options, &result);
	if (st != STATUS_OK)
		return refuse_backup(self, st, real_path);
	*out = (struct keepsake_backup_result){
		.snapshot = result.snapshot.ordinal,
		.taken_ms = result.snapshot.taken_ms,
		.files = result.summary.files,
		.bytes = total_bytes(&result.summary),
		.unchanged = result.files_unchanged,
		.chunks_sent = result.chunks_sent,
		.bytes_sent = result.bytes_sent,
		.errors = result.summary.errors,
		.cache_lost = result.cache_status != STATUS_OK,
	};
	backup_result_clear(&result);
	return STATUS_OK;
}

static enum status lock_terminal(struct keepsake *self)
{
	pid_t holder;
	enum status st = state_lock(self->state, &holder);

	if (st == STATUS_CONFLICT)
		return refuse(self, st,
		    "wait for it to end, or use another terminal's folder: "
		    "--state DIR",
		    "another backup of this terminal runs: process %ld",
		    (long)holder);
	return st == STATUS_OK ? st : refuse_file(self, st, "lock");
}

enum status keepsake_backup(struct keepsake *self,
    const struct keepsake_backup *what, struct keepsake_backup_result *out)
{
	char *real_path = realpath(what->path, NULL);
	enum status st;

	begin_call(self);
	if (!real_path)
		st = refuse(self,
		    errno == EACCES ? STATUS_DENIED : STATUS_NOT_FOUND,
		    "name a folder that is there and may be read", "%s: %s",
		    what->path, strerror(errno));
	else
		st = lock_terminal(self);
	if (st == STATUS_OK)
		st = transfer_begin(self, DIRECTION_UPLOAD);
	if (st == STATUS_OK)
		st = run_backup(self, what, real_path, out);
	end_call(self);
	free(real_path);
	return st;
}

/* ---- snapshots ---- */

const char *keepsake_category(unsigned int number)
{
	return category_word((enum category)number);
}

static void describe(struct keepsake *self, const struct snapshot *snapshot,
    struct keepsake_snapshot *out)
{
	struct summary summary;

	*out = (struct keepsake_snapshot){
		.ordinal = snapshot->ordinal,
		.taken_ms = snapshot->taken_ms,
		.sealed_bytes = snapshot->sealed_bytes,
	};
	memcpy(out->terminal, snapshot->terminal.bytes, ID_BYTES);
	if (summary_open(&summary, self->account_keys, snapshot) != STATUS_OK)
		return;
	out->readable = true;
	snprintf(out->label, sizeof(out->label), "%s", summary.label);
	snprintf(out->host, sizeof(out->host), "%s", summary.host);
	out->files = summary.files;
	out->bytes = total_bytes(&summary);
	out->errors = summary.errors;
	for (size_t i = 0; i < nitems(out->categories); i++) {
		out->categories[i].files = summary.categories[i].files;
		out->categories[i].bytes = summary.categories[i].bytes;
	}
	sodium_memzero(&summary, sizeof(summary));
}

static void free_snapshots(struct snapshot *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		snapshot_clear(&list[i]);
	free(list);
}

static enum status list_snapshots(struct keepsake *self,
    struct keepsake_snapshot **list_out, size_t *count_out)
{
	struct snapshot *list = NULL;
	size_t count = 0;
	enum status st = transfer_begin(self, DIRECTION_DOWNLOAD);

	if (st != STATUS_OK)
		return st;
	st = remote_snapshots(self->remote, &list, &count);
	if (st != STATUS_OK)
		return refuse_remote(self, st);
	*list_out = NULL;
	*count_out = count;
	if (count > 0)
		*list_out = calloc(count, sizeof(**list_out));
	if (count > 0 && !*list_out)
		st = refuse_plainly(self, STATUS_NO_SPACE);
	for (size_t i = 0; st == STATUS_OK && i < count; i++)
		describe(self, &list[i], &(*list_out)[i]);
	free_snapshots(list, count);
	return st;
}

enum status keepsake_snapshots(struct keepsake *self,
    struct keepsake_snapshot **list_out, size_t *count_out)
{
	begin_call(self);
	enum status st = list_snapshots(self, list_out, count_out);
	end_call(self);
	return st;
}

/* How a text names a snapshot. */
enum naming { NAMING_LATEST, NAMING_ORDINAL, NAMING_MOMENT, NAMING_NONE };

/* Whether ${text} is the beginning of a moment, from the month on. */
static bool is_moment(const char *text)
{
	const char *form = MOMENT_FORM;
	size_t len = strlen(text);

	if (len < MOMENT_LEN_MIN || len > strlen(form))
		return false;
	for (size_t i = 0; i < len; i++) {
		bool digit = text[i] >= '0' && text[i] <= '9';
		if (form[i] == 'd' ? !digit : text[i] != form[i])
			return false;
	}
	return true;
}

static enum naming naming_of(const char *which)
{
	size_t digits = strspn(which, "0123456789");

	if (strcmp(which, "latest") == 0)
		return NAMING_LATEST;
	if (digits > 0 && digits <= ORDINAL_DIGITS_MAX && which[digits] == '\0')
		return NAMING_ORDINAL;
	return is_moment(which) ? NAMING_MOMENT : NAMING_NONE;
}

/* Whether ${snapshot} may be the one that ${which} names. */
static bool is_named(
    const struct snapshot *snapshot, enum naming naming, const char *which)
{
	char taken[CLOCK_TEXT_BYTES];
	uint64_t ordinal;

	switch (naming) {
	case NAMING_LATEST:
		return true;
	case NAMING_ORDINAL:
		return text_number(&ordinal, which, UINT64_MAX) == STATUS_OK &&
		       snapshot->ordinal == ordinal;
	case NAMING_MOMENT:
		/* As texts: the moment's own length takes in all of it. */
		clock_text(taken, snapshot->taken_ms);
		return strncmp(taken, which, strlen(which)) <= 0;
	case NAMING_NONE:
	default:
		return false;
	}
}

/* Find the snapshot ${which}; ${out} is to be cleared. */
static enum status find_snapshot(
    struct keepsake *self, const char *which, struct snapshot *out)
{
	enum naming naming = naming_of(which);
	struct snapshot *list = NULL;
	size_t count = 0, at;

	if (naming == NAMING_NONE)
		return refuse(self, STATUS_NOT_FOUND,
		    "name one by latest, by its number, or by a moment in "
		    "UTC such as 2026-11-20 or 2026-11-20T18:30:00Z",
		    "%s: not how snapshots are named", which);
	enum status st = remote_snapshots(self->remote, &list, &count);
	if (st != STATUS_OK)
		return refuse_remote(self, st);
	/* The newest that fits. */
	for (at = count; at > 0; at--)
		if (is_named(&list[at - 1], naming, which))
			break;
	if (at > 0) {
		*out = list[at - 1];
		list[at - 1] = (struct snapshot){ 0 };
	} else {
		st = refuse(self, STATUS_NOT_FOUND,
		    "see what there is: keepsake snapshots",
		    "%s: no such snapshot", which);
	}
	free_snapshots(list, count);
	return st;
}

/* Begin to read snapshot ${which}, which is found and in ${out} then. */
static enum status reading_begin(
    struct keepsake *self, const char *which, struct snapshot *out)
{
	enum status st = transfer_begin(self, DIRECTION_DOWNLOAD);

	if (st != STATUS_OK)
		return st;
	st = remote_restore_begin(self->remote);
	if (st != STATUS_OK)
		return refuse_remote(self, st);
	return find_snapshot(self, which, out);
}

struct shower {
	keepsake_entry_fn *each;
	void *arg;
};

static bool on_entry(void *arg, const struct entry *entry)
{
	const struct shower *shower = arg;
	const struct keepsake_entry passed = {
		.type = (enum keepsake_type)entry->type,
		.path = (const char *)entry->path.data,
		.target =
		    entry->target.data ? (const char *)entry->target.data : "",
		.size = entry->size,
		.mode = entry->mode,
		.mtime_s = entry->mtime_s,
		.mtime_ns = entry->mtime_ns,
		.category = entry->category,
		.changed = entry->changed,
	};

	return shower->each(shower->arg, &passed);
}

/* A snapshot could not be read to its end. */
static enum status refuse_reading(
    struct keepsake *self, enum status status, const struct snapshot *snapshot)
{
	unsigned long long ordinal = snapshot->ordinal;

	switch (status) {
	case STATUS_NOT_FOUND: /* of a chunk: no answer to "which" */
	case STATUS_MALFORMED:
		return refuse(self, STATUS_MALFORMED,
		    "try an older one, and tell the operator: the server's "
		    "disk may be failing",
		    "snapshot %llu is damaged, or not this account's", ordinal);
	case STATUS_VERSION:
		return refuse(self, status,
		    "update keepsake, or restore where its key is kept",
		    "the key of snapshot %llu is kept in a way that is not "
		    "known here",
		    ordinal);
	default:
		return refuse_remote(self, status);
	}
}

enum status keepsake_show(struct keepsake *self, const char *which,
    keepsake_entry_fn *each, void *arg, struct keepsake_snapshot *snapshot_out)
{
	struct shower shower = { each, arg };
	struct snapshot snapshot = { 0 };

	begin_call(self);
	enum status st = reading_begin(self, which, &snapshot);
	if (st == STATUS_OK && snapshot_out)
		describe(self, &snapshot, snapshot_out);
	if (st == STATUS_OK) {
		st = snapshot_entries(self->remote, self->account_keys,
		    &snapshot, on_entry, &shower);
		if (st != STATUS_OK)
			st = refuse_reading(self, st, &snapshot);
	}
	snapshot_clear(&snapshot);
	end_call(self);
	return st;
}

static void on_restore_progress(
    void *arg, const struct restore_progress *progress)
{
	const struct listener *listener = arg;
	const struct keepsake_progress passed = {
		.files = progress->files,
		.files_total = progress->files_total,
		.bytes = progress->bytes,
		.bytes_total = progress->bytes_total,
		.moved_bytes = progress->bytes_fetched,
	};

	listener->progress(listener->arg, &passed);
}

static void on_skipped(
    void *arg, enum restore_skip skip, const char *path, int error)
{
	const struct listener *listener = arg;
	char why[128];

	if (error != 0)
		snprintf(why, sizeof(why), "%s: %s", restore_skip_text(skip),
		    strerror(error));
	else
		snprintf(why, sizeof(why), "%s", restore_skip_text(skip));
	listener->report(listener->arg, path, why);
}

/* The folders that a wanted file is in are made as it needs them. */
static bool is_wanted(void *arg, const struct entry *entry)
{
	const struct listener *listener = arg;

	return entry->category == listener->category;
}

static enum status refuse_restore(struct keepsake *self, enum status status,
    const struct keepsake_restore *what, const struct snapshot *snapshot)
{
	bool remote_said = remote_detail(self->remote)[0] != '\0';

	if (status == STATUS_PENDING)
		return refuse(self, status,
		    "the same command with --resume goes on from there",
		    "interrupted");
	if (status == STATUS_CONFLICT && !remote_said)
		return refuse(self, status,
		    "name a new or empty folder; --resume goes on with one "
		    "that was begun, and replaces what differs",
		    "%s: the target is not empty", what->target);
	if (status == STATUS_DENIED && !remote_said)
		return refuse(self, status,
		    "name a folder that you may write to",
		    "%s: the target cannot be made or opened", what->target);
	if (status == STATUS_NO_SPACE && !remote_said)
		return refuse(self, status, "make room, then use --resume",
		    "%s: no space left, or no memory", what->target);
	return refuse_reading(self, status, snapshot);
}

static enum status run_restore(struct keepsake *self,
    const struct keepsake_restore *what, enum category category,
    const struct snapshot *snapshot, struct keepsake_restore_result *out)
{
	struct listener listener = { what->progress, what->report, what->arg,
		category };
	const struct restore_options options = {
		.remote = self->remote,
		.keys = self->account_keys,
		.snapshot = snapshot,
		.target = what->target,
		.merge = what->resume,
		.verify = what->verify,
		.owner = geteuid() == 0,
		.cancel = what->cancel,
		.filter = category != 0 ? is_wanted : NULL,
		.progress = what->progress ? on_restore_progress : NULL,
		.report = what->report ? on_skipped : NULL,
		.arg = &listener,
	};
	struct restore_result result;
	enum status st = restore_run(&options, &result);

	if (st != STATUS_OK)
		return refuse_restore(self, st, what, snapshot);
	*out = (struct keepsake_restore_result){
		.snapshot = snapshot->ordinal,
		.files = result.files,
		.written = result.written,
		.there = result.skipped[RESTORE_THERE],
		.verified = result.verified,
		.bytes = result.bytes,
		.bytes_fetched = result.bytes_fetched,
	};
	for (size_t i = 0; i < nitems(result.skipped); i++)
		if (i != RESTORE_THERE)
			out->skipped += result.skipped[i];
	return STATUS_OK;
}

enum status keepsake_restore(struct keepsake *self,
    const struct keepsake_restore *what, struct keepsake_restore_result *out)
{
	enum category category = 0;
	struct snapshot snapshot = { 0 };
	enum status st = STATUS_OK;

	begin_call(self);
	if (what->category)
		st = category_from_word(&category, what->category);
	if (st != STATUS_OK)
		return refuse(self, STATUS_NOT_FOUND,
		    "the man page lists them: keepsake(1)",
		    "%s: no such category", what->category);
	st = reading_begin(self, what->which, &snapshot);
	if (st == STATUS_OK)
		st = run_restore(self, what, category, &snapshot, out);
	snapshot_clear(&snapshot);
	end_call(self);
	return st;
}

/* ---- notices ---- */

static const char *kind_word(Notify__Kind kind)
{
	switch (kind) {
	case NOTIFY__KIND__BACKUP_DONE:
		return "backup_done";
	case NOTIFY__KIND__TERMINAL_BOUND:
		return "terminal_bound";
	case NOTIFY__KIND__NAME_ASKED_AGAIN:
		return "name_asked_again";
	case NOTIFY__KIND__REGISTERED:
		return "registered";
	case NOTIFY__KIND__CODE_CHANGED:
		return "code_changed";
	default:
		return "other";
	}
}

struct notice_reader {
	keepsake_notice_fn *each;
	void *arg;
	/* Taken, and not acknowledged yet. */
	uint8_t ids[NOTICE_IDS_MAX][ID_BYTES];
	size_t ids_count;
};

static void give_notice(
    struct notice_reader *reader, const Notify__Notice *message)
{
	struct keepsake_notice notice = {
		.kind = kind_word(message->kind),
		.when_ms = message->when_ms,
		.figures_count =
		    min_of(message->n_figures, (size_t)KEEPSAKE_FIGURES_MAX),
	};

	if (message->notice_id.len != ID_BYTES ||
	    reader->ids_count == NOTICE_IDS_MAX)
		return; /* the rest is told again */
	memcpy(notice.id, message->notice_id.data, ID_BYTES);
	for (size_t i = 0; i < notice.figures_count; i++) {
		notice.figures[i].name = message->figures[i]->name;
		notice.figures[i].value = message->figures[i]->value;
	}
	if (reader->each(reader->arg, &notice))
		memcpy(reader->ids[reader->ids_count++], notice.id, ID_BYTES);
}

/* Give out ${list}, then acknowledge what was taken. */
static enum status give_notices(struct keepsake *self,
    struct notice_reader *reader, const Notify__NoticeList *list)
{
	Notify__Ack message = NOTIFY__ACK__INIT;
	ProtobufCBinaryData ids[NOTICE_IDS_MAX];

	reader->ids_count = 0;
	for (size_t i = 0; i < list->n_notices; i++)
		give_notice(reader, list->notices[i]);
	if (reader->ids_count == 0)
		return STATUS_OK;
	for (size_t i = 0; i < reader->ids_count; i++)
		ids[i] = field_of(slice_of(reader->ids[i], ID_BYTES));
	message.notice_ids = ids;
	message.n_notice_ids = reader->ids_count;
	return session_ask(self->session, NOTIFY__TYPE__ACK,
	    login_ticket(self->login), &message.base, NULL, NULL);
}

/* Fetch what waits until nothing more comes that is taken. */
static enum status fetch_notices(
    struct keepsake *self, struct notice_reader *reader)
{
	Notify__Fetch message = NOTIFY__FETCH__INIT;
	Notify__NoticeList *list;
	enum status st;

	do {
		st = session_ask(self->session, NOTIFY__TYPE__FETCH,
		    login_ticket(self->login), &message.base,
		    &notify__notice_list__descriptor, &list);
		if (st == STATUS_OK)
			st = give_notices(self, reader, list);
	} while (st == STATUS_OK && reader->ids_count > 0);
	return st;
}

static enum status subscribe(struct keepsake *self)
{
	Notify__Subscribe message = NOTIFY__SUBSCRIBE__INIT;

	return session_ask(self->session, NOTIFY__TYPE__SUBSCRIBE,
	    login_ticket(self->login), &message.base, NULL, NULL);
}

/* Take pushes for as long as one subscription is good. */
static enum status listen_a_while(struct keepsake *self,
    struct notice_reader *reader, const atomic_bool *cancel)
{
	uint64_t until_ms = clock_interval_ms() + SUBSCRIBE_MS;
	Notify__NoticeList *list;
	enum status st = subscribe(self);

	while (st == STATUS_OK && clock_interval_ms() < until_ms &&
	       !(cancel && atomic_load(cancel))) {
		st = session_pushed(self->session, NOTIFY__TYPE__PUSH,
		    LISTEN_MS, &notify__notice_list__descriptor, &list);
		if (st == STATUS_OK)
			st = give_notices(self, reader, list);
		else if (st == STATUS_NOT_FOUND)
			st = STATUS_OK; /* none came */
	}
	return st;
}

/* A ticket lasts minutes: prove once more. */
static enum status prove_again(struct keepsake *self)
{
	struct state_account account;

	end_call(self);
	return prove(self, DIRECTION_NOTICES, &account);
}

static enum status follow_notices(struct keepsake *self,
    struct notice_reader *reader, const atomic_bool *cancel)
{
	enum status st = STATUS_OK;

	while (st == STATUS_OK && !(cancel && atomic_load(cancel))) {
		st = listen_a_while(self, reader, cancel);
		if (st == STATUS_EXPIRED || st == STATUS_AUTH_REQUIRED) {
			st = prove_again(self);
			if (st != STATUS_OK)
				return st; /* prove has said why */
		}
	}
	return st == STATUS_OK ? st : refuse_session(self, st);
}

enum status keepsake_notices(struct keepsake *self, bool follow,
    const atomic_bool *cancel, keepsake_notice_fn *each, void *arg)
{
	struct notice_reader reader = { .each = each, .arg = arg };
	struct state_account account;

	begin_call(self);
	enum status st = prove(self, DIRECTION_NOTICES, &account);
	if (st == STATUS_OK) {
		st = fetch_notices(self, &reader);
		if (st != STATUS_OK)
			refuse_session(self, st);
	}
	if (st == STATUS_OK && follow)
		st = follow_notices(self, &reader, cancel);
	end_call(self);
	return st;
}

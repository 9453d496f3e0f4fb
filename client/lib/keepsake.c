#include "keepsake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "bus/header.h"
#include "category.h"
#include "crypto/arena.h"
#include "keepsake_internal.h"

/* Opening, enrolling, and how the terminal stands. */

#define ARENA_BYTES (64 * 1024)
#define KEY_FOLDER  "keys" /* in the state folder */

_Static_assert(KEEPSAKE_ID_BYTES == ID_BYTES, "ids are ids");
_Static_assert(KEEPSAKE_NAME_BYTES_MAX == STATE_NAME_BYTES_MAX, "names too");
_Static_assert(KEEPSAKE_HOST_BYTES_MAX == ENROLMENT_HOST_BYTES_MAX, "hosts");

enum status keepsake_library_begin(void)
{
	return arena_open(ARENA_BYTES);
}

void keepsake_library_end(void)
{
	arena_close();
}

/* Note where keys stay; nothing is looked at. */
static enum status place_new(
    struct keepsake *self, const char *folder, const char **why_out)
{
	char usual[PATH_MAX];

	*why_out = "the path of the key folder is empty or too long";
	if (!folder && !state_path(self->state, KEY_FOLDER, usual))
		return STATUS_MALFORMED;
	enum status st = privileged_new(&self->place, folder ? folder : usual);
	if (st == STATUS_OK)
		*why_out = "";
	return st;
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
	self->invited = options->invited;
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
	if (st == STATUS_OK)
		st = place_new(self, options->key_folder, why_out);
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
	call_end(self);
	privileged_destroy(&self->place);
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

bool keepsake_tries_remaining(const struct keepsake *self, uint32_t *out)
{
	if (!self->tries_told)
		return false;
	*out = self->tries_remaining;
	return true;
}

uint64_t keepsake_retry_after_ms(const struct keepsake *self)
{
	return self->retry_after_ms;
}

const char *keepsake_folder(const struct keepsake *self)
{
	return state_folder(self->state);
}

enum status keepsake_enrol(struct keepsake *self, const char *string)
{
	struct enrolment enrolment;
	const char *why;

	call_begin(self);
	enum status st = enrolment_parse(&enrolment, string, &why);
	if (st != STATUS_OK)
		return call_refuse(self, st,
		    "copy it whole, in quotes: keepsake enrol "
		    "'keepsake://…'",
		    "not an enrolment string: %s", why);
	st = state_set_enrolment(self->state, &enrolment);
	if (st == STATUS_CONFLICT)
		return call_refuse(self, st,
		    "for another server use another folder: --state DIR",
		    "%s belongs to an account of another server",
		    state_folder(self->state));
	return st == STATUS_OK ? st : call_refuse_file(self, st, "enrolment");
}

enum status keepsake_standing(
    struct keepsake *self, struct keepsake_standing *out)
{
	struct state_account account;

	call_begin(self);
	memset(out, 0, sizeof(*out));
	enum status st = state_enrolment(self->state, &self->enrolment);
	if (st != STATUS_OK && st != STATUS_NOT_FOUND)
		return call_refuse_file(self, st, "enrolment");
	if (st == STATUS_OK) {
		memcpy(out->host, self->enrolment.host, sizeof(out->host));
		out->port = self->enrolment.port;
		memcpy(out->gateway_key, self->enrolment.gateway_key,
		    sizeof(out->gateway_key));
	}
	st = call_account(self, &account);
	if (st == STATUS_OK)
		st = call_keys(self);
	if (st == STATUS_OK) {
		memcpy(out->terminal_key, self->keys->public_key,
		    sizeof(out->terminal_key));
		memcpy(out->name, account.name, sizeof(out->name));
		memcpy(out->account, account.account.bytes, ID_BYTES);
		memcpy(out->terminal, account.terminal.bytes, ID_BYTES);
	}
	call_end(self);
	return st;
}

enum status keepsake_ping(struct keepsake *self, uint64_t *took_ms_out)
{
	call_begin(self);
	enum status st = call_session(self);
	uint64_t begun_ms = clock_interval_ms();
	if (st == STATUS_OK) {
		st = session_ask(self->session, TYPE_PING, (struct slice){ 0 },
		    NULL, NULL, NULL);
		if (st != STATUS_OK)
			call_refuse_session(self, st);
	}
	*took_ms_out = clock_interval_ms() - begun_ms;
	call_end(self);
	return st;
}

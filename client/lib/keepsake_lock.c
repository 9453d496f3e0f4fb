#include "keepsake.h"

#include "crypto/code.h"
#include "keepsake_internal.h"
#include "tool_lock.h"

/* The password of the backup tool itself. */

#define FILE_NAME "tool-password"

/* Both forms of "é" are one password here, too: as crypto/code.h has it. */
static enum status check(struct keepsake *self, struct slice password)
{
	const struct code_factors factors = {
		.set = CODE_PASSWORD,
		.password = password,
	};
	struct code *code = NULL;

	enum status st = code_new(&code, &factors);
	if (st == STATUS_OK)
		st = tool_lock_check(self->state, code_text(code));
	else if (st == STATUS_MALFORMED)
		st = STATUS_DENIED; /* no password at all */
	code_destroy(&code);
	return st;
}

enum status call_tool_password(struct keepsake *self)
{
	struct slice password;
	enum status st = tool_lock_state(self->state);

	if (st == STATUS_NOT_FOUND || self->unlocked)
		return STATUS_OK;
	if (st != STATUS_OK)
		return call_refuse_file(self, st, FILE_NAME);
	st = call_secret(self, KEEPSAKE_TOOL_PASSWORD, &password);
	if (st != STATUS_OK)
		return st;
	st = check(self, password);
	if (st == STATUS_DENIED)
		return call_refuse(self, st,
		    "it is the one that 'keepsake lock' set, not the "
		    "account's",
		    "the tool's password is wrong");
	if (st != STATUS_OK)
		return call_refuse_plainly(self, st);
	self->unlocked = true;
	return STATUS_OK;
}

static enum status set(struct keepsake *self, struct slice password)
{
	const struct code_factors factors = {
		.set = CODE_PASSWORD,
		.password = password,
	};
	struct code *code = NULL;

	enum status st = code_new(&code, &factors);
	if (st == STATUS_MALFORMED)
		return call_refuse(
		    self, st, "choose another", "that is no text");
	if (st == STATUS_OK)
		st = tool_lock_set(self->state, code_text(code));
	code_destroy(&code);
	return st == STATUS_OK ? st : call_refuse_file(self, st, FILE_NAME);
}

enum status keepsake_lock(struct keepsake *self, bool on)
{
	struct slice password = { 0 };

	call_begin(self);
	self->unlocked = false; /* to be typed anew, whatever came before */
	enum status st = call_tool_password(self);
	if (st == STATUS_OK && on)
		st = call_secret(self, KEEPSAKE_NEW_TOOL_PASSWORD, &password);
	if (st == STATUS_OK && on) {
		st = set(self, password);
	} else if (st == STATUS_OK) {
		st = tool_lock_clear(self->state);
		if (st != STATUS_OK)
			call_refuse_file(self, st, FILE_NAME);
	}
	self->unlocked = false;
	call_end(self);
	return st;
}

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

#include "base/clock.h"
#include "bus/unpack.h"
#include "by.h"
#include "crypto/invitation.h"
#include "export.h"
#include "list.h"
#include "rows.h"
#include "target.h"

static void print_unlocked(
    const struct ops *self, const Ops__Unlocked *unlocked)
{
	if (self->json) {
		rows_print_json(json_pack("{s:i, s:i, s:b}", "lanes",
		    (int)unlocked->lanes, "exhausted", (int)unlocked->exhausted,
		    "trusted", (int)unlocked->trusted));
		return;
	}
	if (unlocked->trusted)
		printf("open again: all that the loss of the journal had "
		       "locked\n");
	if (unlocked->lanes > 0 || !unlocked->trusted)
		printf("open again: %" PRIu32 " %s\n", unlocked->lanes,
		    unlocked->lanes == 1 ? "lane" : "lanes");
	if (unlocked->exhausted > 0)
		printf("still locked: %" PRIu32 ", unlocked too often; what "
		       "is behind can be handed back: keepsakectl help "
		       "handback\n",
		    unlocked->exhausted);
}

void command_unlock(struct ops *self, int argc, char **argv)
{
	Ops__Unlock unlock = OPS__UNLOCK__INIT;
	Ops__Unlocked *unlocked;
	struct id account;
	Ops__By by;

	if (ops_by(self, OPERATOR_NEEDS_REASON | OPERATOR_NEEDS_DOCUMENT,
		&by) != STATUS_OK ||
	    ops_account(self, &argc, &argv, false, &account) != STATUS_OK)
		return;
	unlock.account_id = field_of(slice_of(account.bytes, ID_BYTES));
	unlock.by = &by;
	if (self->options.lane)
		unlock.lane = (char *)self->options.lane; /* only read */
	enum status st = ops_ask(self, "auth", OPS__TYPE__UNLOCK, &unlock.base,
	    &ops__unlocked__descriptor, &unlocked);
	if (st == STATUS_OK)
		print_unlocked(self, unlocked);
	else
		ops_refused(self, "auth", st);
}

/* ---- invitations ---- */

/* A Deed for the person at the desk; said where something is wrong. */
static enum status read_deed(struct ops *self, int argc, char **argv,
    Ops__Deed *deed, Ops__By *by, struct id *account)
{
	enum status st =
	    ops_by(self, OPERATOR_NEEDS_REASON | OPERATOR_NEEDS_DOCUMENT, by);

	if (st == STATUS_OK)
		st = ops_account(self, &argc, &argv, false, account);
	ops__deed__init(deed);
	deed->account_id = field_of(slice_of(account->bytes, ID_BYTES));
	deed->by = by;
	return st;
}

/* The code is secret until it is used: it goes to standard output only. */
static void print_invitation(const struct ops *self, const char *code,
    uint64_t expiry_ms, const char *folder)
{
	char until[CLOCK_TEXT_BYTES];

	clock_text(until, expiry_ms);
	if (self->json) {
		rows_print_json(json_pack("{s:s, s:s, s:s*}", "invitation",
		    code, "expiry", until, "folder", folder));
		return;
	}
	if (folder)
		printf("written to %s: hand it over, then remove it\n", folder);
	printf("invitation: %s, good once, until %s\n"
	       "With it and the password, on a new terminal: keepsake enrol, "
	       "then\n"
	       "keepsake --name NAME --invitation-file - bind --serial "
	       "SERIAL\n",
	    code, until);
}

void command_invite(struct ops *self, int argc, char **argv)
{
	Ops__Invitation *invitation;
	struct id account;
	Ops__Deed deed;
	Ops__By by;

	if (read_deed(self, argc, argv, &deed, &by, &account) != STATUS_OK)
		return;
	enum status st = ops_ask(self, "auth", OPS__TYPE__INVITE, &deed.base,
	    &ops__invitation__descriptor, &invitation);
	if (st == STATUS_OK)
		print_invitation(
		    self, invitation->code, invitation->expiry_ms, NULL);
	else
		ops_refused(self, "auth", st);
}

void command_hand_back(struct ops *self, int argc, char **argv)
{
	const char *folder = self->options.to;
	Ops__Invitation *invitation;
	struct id account;
	Ops__Deed deed;
	Ops__By by;

	if (!folder) {
		fprintf(stderr, "keepsakectl: where to? --to FOLDER\n");
		self->exit_code = EXIT_USAGE;
		return;
	}
	if (read_deed(self, argc, argv, &deed, &by, &account) != STATUS_OK ||
	    export_folder(self, folder) != STATUS_OK)
		return;
	enum status st = ops_ask(self, "auth", OPS__TYPE__HAND_BACK, &deed.base,
	    &ops__invitation__descriptor, &invitation);
	if (st != STATUS_OK) {
		ops_refused(self, "auth", st);
		return;
	}
	/* The next answer takes its place. */
	char code[INVITATION_TEXT_BYTES];
	uint64_t expiry_ms = invitation->expiry_ms;
	snprintf(code, sizeof(code), "%s", invitation->code);
	if (export_write(self, &account, &by, folder) != STATUS_OK) {
		fprintf(stderr, "keepsakectl: nothing was exported yet: "
				"keepsakectl export, when that is mended\n");
		folder = NULL;
	}
	print_invitation(self, code, expiry_ms, folder);
	sodium_memzero(code, sizeof(code));
}

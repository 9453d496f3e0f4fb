#include <inttypes.h>
#include <stdio.h>

#include "bus/unpack.h"
#include "by.h"
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

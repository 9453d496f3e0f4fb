#include <inttypes.h>
#include <stdio.h>

#include "ask.h"
#include "bus/unpack.h"
#include "by.h"
#include "ops.pb-c.h"
#include "rows.h"
#include "target.h"

static void print_resent(const struct ops *self, uint64_t letters)
{
	if (self->json)
		rows_print_json(
		    json_pack("{s:I}", "letters", (json_int_t)letters));
	else
		printf("%" PRIu64 " dead %s in the queue again\n", letters,
		    letters == 1 ? "letter is" : "letters are");
}

void command_resend(struct ops *self, int argc, char **argv)
{
	Ops__Resend resend = OPS__RESEND__INIT;
	Ops__By by;
	struct id account, notice;
	uint64_t letters = 0;
	Ops__Resent *resent;
	bool more = true;

	if (ops_by(self, OPERATOR_NEEDS_NOTHING, &by) != STATUS_OK ||
	    ops_account(self, &argc, &argv, false, &account) != STATUS_OK ||
	    (argc > 0 &&
		ops_id(self, "a notice", argv[0], &notice) != STATUS_OK))
		return;
	resend.by = &by;
	resend.account_id = field_of(slice_of(account.bytes, ID_BYTES));
	if (argc > 0)
		resend.notice_id = field_of(slice_of(notice.bytes, ID_BYTES));
	while (more) {
		enum status st = ops_ask(self, "notify", OPS__TYPE__RESEND,
		    &resend.base, &ops__resent__descriptor, &resent);
		if (st != STATUS_OK) {
			ops_refused(self, "notify", st);
			break;
		}
		letters += resent->letters;
		more = resent->more;
	}
	if (self->exit_code == EXIT_OK || letters > 0)
		print_resent(self, letters);
}

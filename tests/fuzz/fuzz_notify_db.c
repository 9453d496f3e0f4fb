#include "hostile_db.h"

#include "../../services/notify/notify_db.c"
#include "../../services/notify/notify_db_bury.c"
#include "../../services/notify/notify_db_leases.c"
#include "../../services/notify/notify_db_letters.c"
#include "../../services/notify/notify_db_rules.c"
#include "../../services/notify/notify_rows.c"
#include "../../services/notify/rules.c"

static const struct id terminal = { { 2 } };
static struct notify_db rows;

static void expand(struct db_batch *batch)
{
	struct recipients terminals = { { { { 2 } } }, ACCOUNT_TERMINALS_MAX };
	size_t count;
	bool more;

	notify_db_expand(
	    &rows, batch, &HOSTILE_ACCOUNT, &terminals, 1, &count, &more);
}

static void deliveries(struct db_batch *batch)
{
	struct delivery page[DELIVERY_BATCH_MAX];
	size_t count;
	bool more;

	if (notify_db_deliveries(&rows, &HOSTILE_ACCOUNT, &terminal, NULL, page,
		&count, &more) != STATUS_OK)
		return;
	must(count <= DELIVERY_BATCH_MAX);
	for (size_t i = 0; i < count; i++)
		notify_db_put_attempt(
		    &rows, batch, &HOSTILE_ACCOUNT, &terminal, &page[i]);
}

static void leases(struct db_batch *batch)
{
	struct lease page[LEASES_A_PAGE];
	size_t count;

	if (notify_db_leases(&rows, &HOSTILE_ACCOUNT, page, &count) !=
	    STATUS_OK)
		return;
	for (size_t i = 0; i < count; i++)
		notify_db_put_lease(&rows, batch, &HOSTILE_ACCOUNT, &page[i]);
}

static void notice(void)
{
	const struct notice_key key = { .stored_ms = 1 };
	struct bytes packed = { 0 };

	if (notify_db_notice(&rows, &HOSTILE_ACCOUNT, &key, &packed) ==
	    STATUS_OK)
		must(packed.len <= NOTICE_BYTES_MAX);
	bytes_clear(&packed);
}

static void set_rules(struct db_batch *batch)
{
	struct rules read;

	if (notify_db_rules(&rows, &HOSTILE_ACCOUNT, &read) != STATUS_OK)
		return;
	must(read.count <= RULES_MAX);
	notify_db_put_rules(&rows, batch, &HOSTILE_ACCOUNT, &read);
	must(rules_due_ms(
		 &read, NOTIFY__KIND__BACKUP_DONE, 1, 1, -UTC_OFFSET_MAX) >= 1);
}

static void queue(void)
{
	static struct queued page[QUEUE_PAGE_MAX];
	const struct queue_place beginning = { .len = 0 };
	size_t count;

	if (notify_db_queue(
		&rows, &HOSTILE_ACCOUNT, &beginning, page, &count) != STATUS_OK)
		return;
	must(count <= QUEUE_PAGE_MAX);
	for (size_t i = 0; i < count; i++)
		must(page[i].place.len <= QUEUE_PLACE_BYTES_MAX &&
		     strlen(page[i].gist.figures) < GIST_FIGURES_BYTES);
}

static void letters(void)
{
	static struct letter page[QUEUE_PAGE_MAX];
	const struct queue_place beginning = { .len = 0 };
	size_t count;

	if (notify_db_letters(
		&rows, &HOSTILE_ACCOUNT, &beginning, page, &count) != STATUS_OK)
		return;
	must(count <= QUEUE_PAGE_MAX);
	for (size_t i = 0; i < count; i++)
		must(page[i].place.len <= QUEUE_PLACE_BYTES_MAX &&
		     strlen(page[i].gist.figures) < GIST_FIGURES_BYTES);
}

/*
 * Damaged rows of notify; the first byte chooses what is done with them.
 *
 * Must hold: a notice that is read has at most NOTICE_BYTES_MAX, and what
 * is read can be written to its next table.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice input = slice_of(data, len);
	unsigned int choice = take_byte(&input) % 12;
	struct db_batch *batch = hostile_batch();
	struct totals totals = { 0 };
	struct buried buried;
	uint64_t notices, resent;
	bool last;

	hostile_rows = input;
	switch (choice) {
	case 0:
		expand(batch);
		break;
	case 1:
		deliveries(batch);
		break;
	case 2:
		leases(batch);
		break;
	case 3:
		notice();
		break;
	case 4:
		notify_db_acknowledge(&rows, batch, &HOSTILE_ACCOUNT, &terminal,
		    &terminal, &last);
		break;
	case 5:
		notify_db_bury(
		    &rows, batch, &HOSTILE_ACCOUNT, UINT64_MAX, 1, &buried);
		break;
	case 6:
		notify_db_forget_told(
		    &rows, batch, &HOSTILE_ACCOUNT, UINT64_MAX);
		break;
	case 8:
		queue();
		break;
	case 9:
		letters();
		break;
	case 11:
		set_rules(batch);
		break;
	case 10:
		notify_db_resend(&rows, batch, &HOSTILE_ACCOUNT, NULL, 1,
		    &notices, &resent, &last);
		must(notices <= resent);
		break;
	default:
		notify_db_count(&rows, &HOSTILE_ACCOUNT, &totals);
		break;
	}
	db_batch_destroy(&batch);
	return 0;
}

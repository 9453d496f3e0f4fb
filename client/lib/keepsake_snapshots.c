#include "keepsake.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/util.h"
#include "category.h"
#include "keepsake_internal.h"
#include "restore.h"

#define ORDINAL_DIGITS_MAX 18
#define MOMENT_FORM        "dddd-dd-ddTdd:dd:ddZ"
#define MOMENT_LEN_MIN     (sizeof("dddd-dd") - 1)

_Static_assert(KEEPSAKE_CATEGORIES == CATEGORY_COUNT, "one for each");
_Static_assert(KEEPSAKE_LABEL_BYTES_MAX >= SUMMARY_LABEL_BYTES_MAX &&
		   KEEPSAKE_LABEL_BYTES_MAX >= SUMMARY_HOST_BYTES_MAX,
    "both texts of a summary fit");
_Static_assert((int)KEEPSAKE_FILE == (int)ENTRY_FILE &&
		   (int)KEEPSAKE_HARD_LINK == (int)ENTRY_HARD_LINK,
    "types are types");

const char *keepsake_category(unsigned int number)
{
	return category_word((enum category)number);
}

uint64_t totals_bytes(const struct category_total totals[static CATEGORY_COUNT])
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < CATEGORY_COUNT; i++)
		bytes += totals[i].bytes;
	return bytes;
}

void totals_copy(struct keepsake_total out[static KEEPSAKE_CATEGORIES],
    const struct category_total totals[static CATEGORY_COUNT])
{
	for (size_t i = 0; i < CATEGORY_COUNT; i++)
		out[i] = (struct keepsake_total){
			.files = totals[i].files,
			.bytes = totals[i].bytes,
		};
}

void snapshot_describe(struct keepsake *self, const struct snapshot *snapshot,
    struct keepsake_snapshot *out)
{
	struct sealed_key head;
	struct summary summary;

	*out = (struct keepsake_snapshot){
		.ordinal = snapshot->ordinal,
		.taken_ms = snapshot->taken_ms,
		.sealed_bytes = snapshot->sealed_bytes,
	};
	memcpy(out->terminal, snapshot->terminal.bytes, ID_BYTES);
	if (sealed_key_read(&head, bytes_slice(&snapshot->sealed_key)) ==
	    STATUS_OK) {
		out->key = (enum keepsake_key)head.mode;
		memcpy(out->key_id, head.id.bytes, ID_BYTES);
	}
	if (call_open_key(self, snapshot) != STATUS_OK ||
	    summary_open(&summary, &self->account_keys->account,
		self->snapshot_key, snapshot) != STATUS_OK)
		return;
	out->readable = true;
	snprintf(out->label, sizeof(out->label), "%s", summary.label);
	snprintf(out->host, sizeof(out->host), "%s", summary.host);
	out->files = summary.files;
	out->bytes = totals_bytes(summary.categories);
	out->errors = summary.errors;
	totals_copy(out->categories, summary.categories);
	sodium_memzero(&summary, sizeof(summary));
}

void snapshots_free(struct snapshot *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		snapshot_clear(&list[i]);
	free(list);
}

/* Mark those that the store says damage touches. */
static enum status mark_damaged(
    struct keepsake *self, struct keepsake_snapshot *list, size_t count)
{
	uint64_t *ordinals = NULL;
	size_t ordinals_count = 0, at = 0;
	uint32_t chunks = 0;
	enum status st =
	    remote_damage(self->remote, &chunks, &ordinals, &ordinals_count);

	if (st != STATUS_OK)
		return call_refuse_remote(self, st);
	/* Both rise. */
	for (size_t i = 0; i < count; i++) {
		while (at < ordinals_count && ordinals[at] < list[i].ordinal)
			at++;
		list[i].damaged =
		    at < ordinals_count && ordinals[at] == list[i].ordinal;
	}
	free(ordinals);
	return STATUS_OK;
}

static enum status list_snapshots(struct keepsake *self,
    struct keepsake_snapshot **list_out, size_t *count_out)
{
	struct snapshot *list = NULL;
	size_t count = 0;
	enum status st = call_transfer(self, DIRECTION_DOWNLOAD);

	if (st != STATUS_OK)
		return st;
	st = remote_snapshots(self->remote, &list, &count);
	if (st != STATUS_OK)
		return call_refuse_remote(self, st);
	/* One at least: calloc may give NULL for none. */
	struct keepsake_snapshot *described =
	    calloc(count > 0 ? count : 1, sizeof(*described));
	if (!described)
		st = call_refuse_plainly(self, STATUS_NO_SPACE);
	for (size_t i = 0; described && i < count; i++)
		snapshot_describe(self, &list[i], &described[i]);
	if (described && remote_any_damage(self->remote))
		st = mark_damaged(self, described, count);
	if (st != STATUS_OK) {
		free(described);
		described = NULL;
	}
	*list_out = described;
	*count_out = count;
	snapshots_free(list, count);
	return st;
}

enum status keepsake_snapshots(struct keepsake *self,
    struct keepsake_snapshot **list_out, size_t *count_out)
{
	call_begin(self);
	enum status st = call_tool_password(self);
	if (st == STATUS_OK)
		st = list_snapshots(self, list_out, count_out);
	call_end(self);
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

enum status snapshot_check_name(struct keepsake *self, const char *which)
{
	if (naming_of(which) != NAMING_NONE)
		return STATUS_OK;
	return call_refuse(self, STATUS_NOT_FOUND,
	    "name one by latest, by its number, or by a moment in "
	    "UTC such as 2026-11-20 or 2026-11-20T18:30:00Z",
	    "%s: not how snapshots are named", which);
}

enum status snapshot_pick(struct keepsake *self, const struct snapshot *list,
    size_t count, const char *which, size_t *at_out)
{
	enum naming naming = naming_of(which);

	/* The newest that fits. */
	for (size_t at = count; at > 0; at--)
		if (is_named(&list[at - 1], naming, which)) {
			*at_out = at - 1;
			return STATUS_OK;
		}
	return call_refuse(self, STATUS_NOT_FOUND,
	    "see what there is: keepsake snapshots", "%s: no such snapshot",
	    which);
}

/* Find each of the snapshots; those in ${out} are to be cleared. */
static enum status find_snapshots(struct keepsake *self,
    const char *const *which, size_t wanted, struct snapshot *out)
{
	struct snapshot *list = NULL;
	size_t count = 0, at = 0;
	enum status st = remote_snapshots(self->remote, &list, &count);

	if (st != STATUS_OK)
		return call_refuse_remote(self, st);
	for (size_t i = 0; i < wanted && st == STATUS_OK; i++) {
		st = snapshot_pick(self, list, count, which[i], &at);
		if (st == STATUS_OK)
			st = snapshot_copy(&out[i], &list[at]);
		if (st == STATUS_NO_SPACE)
			call_refuse_plainly(self, st);
	}
	snapshots_free(list, count);
	return st;
}

enum status snapshots_begin(struct keepsake *self, const char *const *which,
    size_t count, struct snapshot *out)
{
	enum status st = STATUS_OK;

	for (size_t i = 0; i < count && st == STATUS_OK; i++)
		st = snapshot_check_name(self, which[i]);
	/* Who may not read the keys that are kept here ends here (K-02). */
	if (st == STATUS_OK)
		st = call_place(self, false);
	if (st == STATUS_OK)
		st = call_tool_password(self);
	if (st == STATUS_OK)
		st = call_transfer(self, DIRECTION_DOWNLOAD);
	if (st != STATUS_OK)
		return st;
	st = remote_restore_begin(self->remote);
	if (st != STATUS_OK)
		return call_refuse_remote(self, st);
	return find_snapshots(self, which, count, out);
}

enum status snapshot_begin(
    struct keepsake *self, const char *which, struct snapshot *out)
{
	enum status st = snapshots_begin(self, &which, 1, out);

	if (st != STATUS_OK)
		return st;
	st = call_open_key(self, out);
	return st == STATUS_OK ? st : call_refuse_key(self, st, out);
}

struct shower {
	keepsake_entry_fn *each;
	keepsake_report_fn *report;
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

static void on_lost(
    void *arg, enum restore_skip skip, const char *path, int error)
{
	const struct shower *shower = arg;

	report_path(
	    shower->report, shower->arg, path, restore_skip_text(skip), error);
}

enum status snapshot_refuse(
    struct keepsake *self, enum status status, const struct snapshot *snapshot)
{
	unsigned long long ordinal = snapshot->ordinal;

	switch (status) {
	case STATUS_NOT_FOUND: /* of a chunk: no answer to "which" */
	case STATUS_MALFORMED:
		return call_refuse(self, STATUS_MALFORMED,
		    "try an older one, and tell the operator: the server's "
		    "disk may be failing",
		    "snapshot %llu is damaged, or not this account's", ordinal);
	case STATUS_VERSION:
		return call_refuse(self, status,
		    "update keepsake, or restore where its key is kept",
		    "the key of snapshot %llu is kept in a way that is not "
		    "known here",
		    ordinal);
	default:
		return call_refuse_remote(self, status);
	}
}

enum status keepsake_show(struct keepsake *self, const char *which,
    keepsake_entry_fn *each, keepsake_report_fn *report, void *arg,
    struct keepsake_snapshot *snapshot_out)
{
	struct shower shower = { each, report, arg };
	struct snapshot snapshot = { 0 };

	call_begin(self);
	enum status st = snapshot_begin(self, which, &snapshot);
	if (st == STATUS_OK && snapshot_out)
		snapshot_describe(self, &snapshot, snapshot_out);
	if (st == STATUS_OK) {
		const struct restore_options options = {
			.remote = self->remote,
			.keys = self->account_keys,
			.snapshot = &snapshot,
			.key = self->snapshot_key,
			.report = on_lost,
			.arg = &shower,
		};
		st = snapshot_entries(&options, on_entry, &shower);
		if (st == STATUS_OK)
			remote_restore_end(self->remote, 0, 0, 0);
		else
			st = snapshot_refuse(self, st, &snapshot);
	}
	snapshot_clear(&snapshot);
	call_end(self);
	return st;
}

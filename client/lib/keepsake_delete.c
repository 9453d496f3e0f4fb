#include "keepsake.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "keepsake_internal.h"
#include "thin.h"

/* Snapshots that are to go: by name, or by rule (B-06). */

_Static_assert((int)KEEPSAKE_KEEP_LAST == (int)THIN_LAST &&
		   (int)KEEPSAKE_KEEP_DAILY == (int)THIN_DAILY &&
		   (int)KEEPSAKE_KEEP_WEEKLY == (int)THIN_WEEKLY &&
		   (int)KEEPSAKE_KEEP_MONTHLY == (int)THIN_MONTHLY &&
		   (int)KEEPSAKE_KEEP_COUNT == (int)THIN_RULE_COUNT,
    "rules are rules");

/* Prove that we may delete, and list what there is. */
static enum status begin(
    struct keepsake *self, struct snapshot **list_out, size_t *count_out)
{
	enum status st = call_tool_password(self);

	if (st == STATUS_OK)
		st = call_transfer(self, DIRECTION_MANAGE);
	if (st != STATUS_OK)
		return st;
	st = remote_snapshots(self->remote, list_out, count_out);
	return st == STATUS_OK ? st : call_refuse_remote(self, st);
}

/* Delete those of ${list} that ${doomed} marks; says which are gone. */
static enum status delete_marked(struct keepsake *self,
    const struct snapshot *list, const bool *doomed, size_t count,
    keepsake_deleted_fn *each, void *arg)
{
	uint64_t ordinals[REMOTE_DELETE_MAX];
	size_t taken = 0, told = 0;
	enum status st = STATUS_OK;

	for (size_t i = 0; i < count && st == STATUS_OK; i++) {
		if (doomed[i])
			ordinals[taken++] = list[i].ordinal;
		if (taken == 0 || (taken < REMOTE_DELETE_MAX && i + 1 < count))
			continue;
		st = remote_delete(self->remote, ordinals, taken);
		if (st == STATUS_NOT_FOUND)
			return call_refuse(self, st,
			    "somebody else deletes as well: see what there is "
			    "now, keepsake snapshots",
			    "%s", remote_detail(self->remote));
		if (st != STATUS_OK)
			return call_refuse_remote(self, st);
		for (told = 0; told < taken && each; told++)
			each(arg, ordinals[told]);
		taken = 0;
	}
	return st;
}

static enum status delete_named(struct keepsake *self, const char *const *which,
    size_t wanted, keepsake_deleted_fn *each, void *arg)
{
	struct snapshot *list = NULL;
	size_t count = 0, at;
	bool *doomed = NULL;
	enum status st = STATUS_OK;

	for (size_t i = 0; i < wanted && st == STATUS_OK; i++)
		st = snapshot_check_name(self, which[i]);
	if (st == STATUS_OK)
		st = begin(self, &list, &count);
	if (st != STATUS_OK)
		return st;
	doomed = calloc(count + 1, sizeof(*doomed));
	if (!doomed) {
		snapshots_free(list, count);
		return call_refuse_plainly(self, STATUS_NO_SPACE);
	}
	for (size_t i = 0; i < wanted && st == STATUS_OK; i++) {
		st = snapshot_pick(self, list, count, which[i], &at);
		if (st == STATUS_OK)
			doomed[at] = true;
	}
	if (st == STATUS_OK)
		st = delete_marked(self, list, doomed, count, each, arg);
	free(doomed);
	snapshots_free(list, count);
	return st;
}

enum status keepsake_delete(struct keepsake *self, const char *const *which,
    size_t count, keepsake_deleted_fn *each, void *arg)
{
	call_begin(self);
	enum status st = delete_named(self, which, count, each, arg);
	call_end(self);
	return st;
}

/* ---- by rule ---- */

/* What thinning is about: all three are as long as the list. */
struct thinning {
	struct snapshot *list;
	size_t count;
	struct keepsake_snapshot *described;
	struct thin_item *items; /* only of those that can be read */
	bool *doomed;
};

static void thinning_clear(struct thinning *self)
{
	snapshots_free(self->list, self->count);
	free(self->described);
	free(self->items);
	free(self->doomed);
}

/* A series: one terminal's snapshots of one label, that is, of one folder. */
static size_t series_of(const struct keepsake_snapshot *list, size_t at)
{
	size_t i = 0;

	while (
	    i < at &&
	    (!list[i].readable || strcmp(list[i].label, list[at].label) != 0 ||
		memcmp(list[i].terminal, list[at].terminal, ID_BYTES) != 0))
		i++;
	return i;
}

static enum status thinning_begin(
    struct keepsake *self, struct thinning *thinning)
{
	enum status st = begin(self, &thinning->list, &thinning->count);
	size_t count = thinning->count;

	if (st != STATUS_OK)
		return st;
	/* One at least: calloc may give NULL for none. */
	thinning->described = calloc(count + 1, sizeof(*thinning->described));
	thinning->items = calloc(count + 1, sizeof(*thinning->items));
	thinning->doomed = calloc(count + 1, sizeof(*thinning->doomed));
	if (!thinning->described || !thinning->items || !thinning->doomed)
		return call_refuse_plainly(self, STATUS_NO_SPACE);
	for (size_t i = 0; i < count; i++)
		snapshot_describe(
		    self, &thinning->list[i], &thinning->described[i]);
	return STATUS_OK;
}

/* Decide, and show it to who asked; counts in ${out}. */
static void thinning_decide(struct thinning *self,
    const struct keepsake_thin *what, struct keepsake_thin_result *out)
{
	size_t items = 0;

	for (size_t i = 0; i < self->count; i++)
		if (self->described[i].readable)
			self->items[items++] = (struct thin_item){
				.taken_ms = self->described[i].taken_ms,
				.series = series_of(self->described, i),
			};
	thin_select(self->items, items, what->keep);
	items = 0;
	for (size_t i = 0; i < self->count; i++) {
		const struct keepsake_snapshot *snapshot = &self->described[i];
		unsigned int kept = 0;
		if (snapshot->readable) {
			kept = self->items[items++].kept;
			self->doomed[i] = kept == 0;
			out->kept += kept != 0;
			out->deleted += kept == 0;
		} else {
			out->unread++;
		}
		if (what->each)
			what->each(what->arg, snapshot, kept);
	}
}

static enum status thin(struct keepsake *self, const struct keepsake_thin *what,
    struct keepsake_thin_result *out)
{
	struct thinning thinning = { 0 };
	bool any = false;

	for (size_t i = 0; i < KEEPSAKE_KEEP_COUNT; i++)
		any |= what->keep[i] > 0;
	if (!any)
		return call_refuse(self, STATUS_MALFORMED,
		    "say what stays: --keep-last, --keep-daily, "
		    "--keep-weekly, --keep-monthly, with a number each",
		    "no rule keeps a snapshot: nothing was deleted");
	enum status st = thinning_begin(self, &thinning);
	if (st == STATUS_OK) {
		thinning_decide(&thinning, what, out);
		if (!what->dry_run && out->deleted > 0)
			st = delete_marked(self, thinning.list, thinning.doomed,
			    thinning.count, NULL, NULL);
	}
	thinning_clear(&thinning);
	return st;
}

enum status keepsake_thin(struct keepsake *self,
    const struct keepsake_thin *what, struct keepsake_thin_result *out)
{
	*out = (struct keepsake_thin_result){ 0 };
	call_begin(self);
	enum status st = thin(self, what, out);
	call_end(self);
	return st;
}

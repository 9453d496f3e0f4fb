#include "keepsake.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "diff.h"
#include "fetch.h"
#include "keepsake_internal.h"

/* Two snapshots compared, by their manifests (B-06). */

#define SIDES 2 /* before, after */

struct comparer {
	keepsake_difference_fn *each;
	keepsake_report_fn *report;
	void *arg;
	struct keepsake_comparison *out;
};

static bool on_difference(void *arg, const struct difference *difference)
{
	const struct comparer *comparer = arg;
	struct keepsake_comparison *out = comparer->out;
	const struct entry *before = difference->before;
	const struct entry *after = difference->after;
	const struct entry *entry = after ? after : before;

	assert(entry);
	const struct keepsake_difference passed = {
		.change = !before  ? KEEPSAKE_ADDED
			  : !after ? KEEPSAKE_REMOVED
				   : KEEPSAKE_CHANGED,
		.content = difference->content,
		.metadata = difference->metadata,
		.type = (enum keepsake_type)entry->type,
		.path = (const char *)entry->path.data,
		.category = entry->category,
		.before_bytes = before ? before->size : 0,
		.after_bytes = after ? after->size : 0,
	};

	out->added += passed.change == KEEPSAKE_ADDED;
	out->removed += passed.change == KEEPSAKE_REMOVED;
	out->changed += passed.change == KEEPSAKE_CHANGED;
	return comparer->each(comparer->arg, &passed);
}

/* One of the two snapshots, for what is lost of it. */
struct compared {
	const struct comparer *comparer;
	unsigned long long ordinal;
};

static void on_lost(void *arg, const char *behind, const char *broken)
{
	const struct compared *compared = arg;
	const struct comparer *comparer = compared->comparer;
	const char *path = broken ? broken : (*behind ? behind : ".");
	char why[128];

	if (!comparer->report)
		return;
	snprintf(why, sizeof(why),
	    broken ? "is damaged in snapshot %llu"
		   : "what follows it is lost in snapshot %llu: its list of "
		     "files is damaged in the store",
	    compared->ordinal);
	comparer->report(comparer->arg, path, why);
}

/* Open the key of ${snapshot}, and find the root of its manifest. */
static enum status find_root(struct keepsake *self,
    const struct snapshot *snapshot, struct chunk_name *root_out)
{
	struct summary summary;

	enum status st = call_open_key(self, snapshot);
	if (st != STATUS_OK)
		return call_refuse_key(self, st, snapshot);
	st = summary_open(&summary, &self->account_keys->account,
	    self->snapshot_key, snapshot);
	if (st != STATUS_OK)
		return snapshot_refuse(self, st, snapshot);
	root_out->id = snapshot->root;
	memcpy(root_out->key, summary.root_key, CHUNK_KEY_BYTES);
	sodium_memzero(&summary, sizeof(summary));
	return STATUS_OK;
}

static enum status compare(struct keepsake *self,
    const struct chunk_name roots[static SIDES], struct comparer *comparer)
{
	struct node_fetcher *fetcher =
	    node_fetcher_new(self->remote, self->account_keys);
	struct manifest_reader *readers[SIDES] = { NULL };
	struct compared compared[SIDES] = {
		{ comparer, comparer->out->before },
		{ comparer, comparer->out->after },
	};
	enum status st = STATUS_NO_SPACE;

	if (!fetcher)
		return st;
	/* Nothing ahead: it may be a node that is passed over. */
	struct node_source source = node_fetcher_source(fetcher);
	source.want = NULL;
	for (size_t i = 0; i < SIDES; i++) {
		readers[i] = manifest_reader_new(&source, &roots[i]);
		if (readers[i])
			manifest_reader_tolerate(
			    readers[i], on_lost, &compared[i]);
	}
	if (readers[0] && readers[1])
		st = manifests_compare(
		    readers[0], readers[1], on_difference, comparer);
	for (size_t i = 0; i < SIDES; i++)
		manifest_reader_destroy(&readers[i]);
	node_fetcher_destroy(&fetcher);
	return st;
}

static enum status diff(
    struct keepsake *self, const char *const *which, struct comparer *comparer)
{
	struct snapshot snapshots[SIDES] = { 0 };
	struct chunk_name roots[SIDES] = { 0 };
	enum status st = snapshots_begin(self, which, SIDES, snapshots);

	for (size_t i = 0; i < SIDES && st == STATUS_OK; i++)
		st = find_root(self, &snapshots[i], &roots[i]);
	if (st != STATUS_OK)
		goto out;
	comparer->out->before = snapshots[0].ordinal;
	comparer->out->after = snapshots[1].ordinal;
	/* The same node is the same tree. */
	if (memcmp(&roots[0].id, &roots[1].id, sizeof(roots[0].id)) != 0)
		st = compare(self, roots, comparer);
	if (st == STATUS_OK)
		remote_restore_end(self->remote, 0, 0, 0);
	else
		st = snapshot_refuse(self, st, &snapshots[1]);
out:
	sodium_memzero(roots, sizeof(roots));
	for (size_t i = 0; i < SIDES; i++)
		snapshot_clear(&snapshots[i]);
	return st;
}

enum status keepsake_diff(struct keepsake *self, const char *before,
    const char *after, keepsake_difference_fn *each, keepsake_report_fn *report,
    void *arg, struct keepsake_comparison *out)
{
	const char *const which[SIDES] = { before, after };
	struct comparer comparer = { each, report, arg, out };

	*out = (struct keepsake_comparison){ 0 };
	call_begin(self);
	enum status st = diff(self, which, &comparer);
	call_end(self);
	return st;
}

#include "diff.h"

#include <string.h>

/* One of the two sides, and the entry that it has come to. */
struct side {
	struct manifest_reader *reader;
	struct entry entry;
	bool ahead; /* the entry is to be compared yet */
	bool ended;
};

static bool content_differs(const struct entry *a, const struct entry *b)
{
	if (a->type != b->type)
		return true;
	switch (a->type) {
	case ENTRY_FILE:
		return a->size != b->size ||
		       memcmp(a->hash, b->hash, sizeof(a->hash)) != 0;
	case ENTRY_SYMLINK:
	case ENTRY_HARD_LINK:
		return !slice_equal(
		    bytes_slice(&a->target), bytes_slice(&b->target));
	case ENTRY_FOLDER:
	default:
		return false;
	}
}

bool entries_differ(struct difference *out, const struct entry *before,
    const struct entry *after)
{
	*out = (struct difference){ .before = before, .after = after };
	if (!before || !after)
		return before || after;
	out->content = content_differs(before, after);
	out->metadata =
	    before->mode != after->mode || before->mtime_s != after->mtime_s ||
	    before->mtime_ns != after->mtime_ns ||
	    before->user != after->user || before->group != after->group ||
	    before->category != after->category;
	return out->content || out->metadata;
}

static enum status side_next(struct side *self)
{
	if (self->ahead || self->ended)
		return STATUS_OK;
	enum status st = manifest_reader_next(self->reader, &self->entry);
	self->ahead = st == STATUS_OK;
	self->ended = st == STATUS_NOT_FOUND;
	return self->ended ? STATUS_OK : st;
}

/* Negative: the entry of ${a} comes first, or ${b} has none any more. */
static int side_compare(const struct side *a, const struct side *b)
{
	if (!a->ahead || !b->ahead)
		return (int)b->ahead - (int)a->ahead;
	return path_compare(
	    bytes_slice(&a->entry.path), bytes_slice(&b->entry.path));
}

static enum status sides_next(struct side *before, struct side *after)
{
	enum status st = STATUS_OK;

	if (!before->ahead && !after->ahead && !before->ended && !after->ended)
		st = manifest_readers_skip(before->reader, after->reader);
	if (st == STATUS_OK)
		st = side_next(before);
	return st == STATUS_OK ? side_next(after) : st;
}

/* Whether the side that has no such entry may have lost it. */
static bool is_unknown(
    int order, const struct side *before, const struct side *after)
{
	return (order < 0 && manifest_reader_gap(after->reader)) ||
	       (order > 0 && manifest_reader_gap(before->reader));
}

enum status manifests_compare(struct manifest_reader *before,
    struct manifest_reader *after, difference_fn *each, void *arg)
{
	struct side from = { .reader = before }, to = { .reader = after };
	struct difference difference;
	bool go_on = true;
	enum status st;

	while ((st = sides_next(&from, &to)) == STATUS_OK && go_on &&
	       (from.ahead || to.ahead)) {
		int order = side_compare(&from, &to);
		const struct entry *was = order <= 0 ? &from.entry : NULL;
		const struct entry *is = order >= 0 ? &to.entry : NULL;
		if (!is_unknown(order, &from, &to) &&
		    entries_differ(&difference, was, is))
			go_on = each(arg, &difference);
		from.ahead &= order > 0;
		to.ahead &= order < 0;
	}
	entry_clear(&from.entry);
	entry_clear(&to.entry);
	return st;
}

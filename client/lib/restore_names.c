#include "restore_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/*
 * Of a file with several names the manifest has the data by the first, and
 * links to it by the others.  Where the filter wants one of the others and not
 * the first, the file is restored by that one.
 */

/** A wanted name, which leads to the first one of its file. */
struct other_name {
	struct bytes path;
	struct bytes target;
	bool taken; /* it stands for the first one */
};

/** What is gathered. */
struct gathering {
	struct restore *restore;
	size_t capacity;
	enum status status;
};

/* By the first name, then by the other: the least one stands for it. */
static int name_compare(const void *a, const void *b)
{
	const struct other_name *one = a, *two = b;
	int order = strcmp(
	    (const char *)one->target.data, (const char *)two->target.data);

	return order != 0 ? order
			  : strcmp((const char *)one->path.data,
				(const char *)two->path.data);
}

static enum status name_add(struct gathering *self, const struct entry *entry)
{
	struct restore *restore = self->restore;

	if (restore->names_count == self->capacity) {
		size_t capacity = max_of(16, self->capacity * 2);
		struct other_name *grown =
		    realloc(restore->names, capacity * sizeof(*grown));
		if (!grown)
			return STATUS_NO_SPACE;
		restore->names = grown;
		self->capacity = capacity;
	}
	struct other_name *name = &restore->names[restore->names_count++];
	*name = (struct other_name){ 0 };
	enum status st = entry_set_text(&name->path, bytes_slice(&entry->path));
	if (st == STATUS_OK)
		st = entry_set_text(&name->target, bytes_slice(&entry->target));
	return st;
}

static bool on_entry(void *arg, const struct entry *entry)
{
	struct gathering *self = arg;
	const struct restore_options *options = self->restore->options;

	if (entry->type == ENTRY_HARD_LINK &&
	    options->filter(options->arg, entry))
		self->status = name_add(self, entry);
	return self->status == STATUS_OK;
}

enum status names_gather(struct restore *self)
{
	struct gathering gathering = { .restore = self };

	if (!self->options->filter)
		return STATUS_OK;
	enum status st = snapshot_entries(self->options, on_entry, &gathering);
	/* What is damaged is met again, and told. */
	if (st == STATUS_OK || st == STATUS_NOT_FOUND || st == STATUS_MALFORMED)
		st = gathering.status;
	if (self->names_count > 0)
		qsort(self->names, self->names_count, sizeof(self->names[0]),
		    name_compare);
	return st;
}

/** The one that may stand for the first name ${target}; or NULL. */
static struct other_name *name_find(
    const struct restore *self, const struct bytes *target)
{
	size_t low = 0, high = self->names_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp((const char *)self->names[middle].target.data,
			(const char *)target->data) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == self->names_count ||
	    !slice_equal(
		bytes_slice(&self->names[low].target), bytes_slice(target)))
		return NULL;
	return &self->names[low];
}

enum status name_take(struct restore *self, struct entry *entry)
{
	struct other_name *name = NULL;

	if (entry->type == ENTRY_FILE)
		name = name_find(self, &entry->path);
	if (!name)
		return STATUS_NOT_FOUND;
	name->taken = true;
	return entry_set_text(&entry->path, bytes_slice(&name->path));
}

enum status name_follow(const struct restore *self, struct entry *entry)
{
	const struct other_name *name = name_find(self, &entry->target);

	if (!name || !name->taken)
		return STATUS_OK;
	if (slice_equal(bytes_slice(&entry->path), bytes_slice(&name->path)))
		return STATUS_NOT_FOUND;
	return entry_set_text(&entry->target, bytes_slice(&name->path));
}

void names_clear(struct restore *self)
{
	for (size_t i = 0; i < self->names_count; i++) {
		bytes_clear(&self->names[i].path);
		bytes_clear(&self->names[i].target);
	}
	free(self->names);
	self->names = NULL;
	self->names_count = 0;
}

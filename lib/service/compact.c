#include "service/compact.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/util.h"
#include "common.pb-c.h"

#define FILES 2

/* One request: what it shrinks, and how far that is. */
struct compaction {
	struct audit *audit;
	struct db *files[FILES];
	struct db_compaction done[FILES];
	size_t at;
};

static const char *const names[FILES] = { "database", "journal" };

static enum status answer(struct exchange *x, struct compaction *self)
{
	Common__Compacted reply = COMMON__COMPACTED__INIT;
	Common__CompactedFile files[FILES];
	Common__CompactedFile *pointers[FILES];
	char detail[128];

	for (size_t i = 0; i < FILES; i++) {
		files[i] = (Common__CompactedFile)COMMON__COMPACTED_FILE__INIT;
		files[i].name = (char *)(uintptr_t)names[i];
		files[i].before_bytes = self->done[i].before_bytes;
		files[i].after_bytes = self->done[i].after_bytes;
		pointers[i] = &files[i];
	}
	reply.files = pointers;
	reply.n_files = FILES;
	snprintf(detail, sizeof(detail), "database: %llu to %llu bytes",
	    (unsigned long long)self->done[0].before_bytes,
	    (unsigned long long)self->done[0].after_bytes);
	audit_note(self->audit, NULL,
	    &(struct audit_event){
		.action = "compacted", .actor = "operator", .detail = detail });
	return exchange_reply(x, &reply.base);
}

static enum status refuse(
    struct exchange *x, const struct compaction *self, enum status st)
{
	const struct db_compaction *file = &self->done[self->at];
	const char *name = names[self->at];
	char needed[TEXT_SIZE_BYTES], room[TEXT_SIZE_BYTES];

	if (st == STATUS_NO_SPACE && file->needed_bytes > file->room_bytes)
		return exchange_refuse(x, st,
		    "the copy of the %s takes %s, and its disk has %s: nothing "
		    "was changed",
		    name, text_of_size(needed, file->needed_bytes),
		    text_of_size(room, file->room_bytes));
	if (st == STATUS_BUSY)
		return exchange_refuse(x, st,
		    "the %s is being read, by a backup: nothing was changed, "
		    "try again when that is done",
		    name);
	return exchange_refuse(
	    x, st, "the %s was not compacted: see the log", name);
}

static enum status next(struct exchange *x);

static void on_compacted(
    void *arg, enum status st, uint64_t generation, size_t failed_op)
{
	struct exchange *x = arg;
	struct compaction *self = x->parked;

	(void)generation;
	(void)failed_op;
	if (st != STATUS_OK)
		st = refuse(x, self, st);
	else if (++self->at < FILES)
		st = next(x);
	else
		st = answer(x, self);
	if (st == STATUS_PENDING)
		return;
	free(self);
	x->parked = NULL;
	exchange_finish(&x, st);
}

static enum status next(struct exchange *x)
{
	struct compaction *self = x->parked;
	enum status st = db_compact(
	    self->files[self->at], &self->done[self->at], on_compacted, x);

	return st == STATUS_PENDING ? st : refuse(x, self, st);
}

enum status compact_on_compact(
    struct db *db, struct db *journal, struct audit *audit, struct exchange *x)
{
	if (!db || !journal)
		return exchange_refuse(
		    x, STATUS_NOT_FOUND, "this process has no database");
	struct compaction *self = calloc(1, sizeof(*self));
	if (!self)
		return STATUS_NO_SPACE;
	*self = (struct compaction){ .audit = audit, .files = { db, journal } };
	x->parked = self;
	enum status st = next(x);
	if (st != STATUS_PENDING) {
		free(self);
		x->parked = NULL;
	}
	return st;
}

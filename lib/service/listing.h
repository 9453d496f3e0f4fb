#ifndef KEEPSAKE_SERVICE_LISTING_H
#define KEEPSAKE_SERVICE_LISTING_H

#include "ops.pb-c.h"
#include "service/server.h"

/*
 * Answering keepsakectl with rows, proto/ops.proto.  A listing has parts,
 * one behind the other; each adds rows for as long as they fit, and says
 * behind each of them where to go on.  The first mistake sticks, so parts
 * need not check.
 */

#define LISTING_FIELDS_MAX   24
#define LISTING_AT_BYTES_MAX 128
#define LISTING_BYTES_MAX    (BODY_BYTES_MAX - 1024)

struct listing {
	struct exchange *exchange; /* rows are packed into its reply */
	struct id account;         /* whose; none: of all accounts */
	enum status status;
	bool full;     /* a row did not fit, nor would another, or paused */
	size_t at_len; /* of the part's place */
	uint8_t at[LISTING_AT_BYTES_MAX];
	Ops__ListRow row;
	Ops__ListField fields[LISTING_FIELDS_MAX];
	Ops__ListField *pointers[LISTING_FIELDS_MAX];
};

/**
 * A part of a listing.
 *
 * state  the service's
 * after  go on behind this place, which is what an earlier call of the same
 *        part gave listing_at; empty to begin.  It came over the wire
 *        meanwhile, so it may be anything.
 *
 * STATUS_OK         all that is left was added, or self->full is set
 * STATUS_MALFORMED  by listing_refuse_place, or a row is damaged: the asker
 *                   is told INTERNAL then
 * other             what the asker is told
 */
typedef enum status listing_part_fn(
    void *state, struct listing *self, struct slice after);

/**
 * Answer a ListQuery.
 *
 * of_one  the query must name an account
 *
 * Returns as a handler does.
 */
enum status listing_answer(void *state, struct exchange *exchange,
    listing_part_fn *const *parts, size_t parts_count, bool of_one);

/* ---- for parts ---- */

/** ${after} is no place of this part: "return listing_refuse_place(…)". */
enum status listing_refuse_place(struct listing *self);

/** Begin a row of ${kind}.  All that follows is borrowed until row_end. */
void listing_row(struct listing *self, const char *kind);

/** Fields of the row, in the order of their columns; "" is nothing. */
void listing_text(struct listing *self, const char *name, const char *text);
void listing_number(struct listing *self, const char *name, uint64_t number);
void listing_time(struct listing *self, const char *name, uint64_t when_ms);
void listing_data(struct listing *self, const char *name, struct slice data);
void listing_flag(struct listing *self, const char *name, bool flag);

/** An id; one that is none becomes listing_nothing. */
void listing_id(struct listing *self, const char *name, const struct id *id);

/** A field that has no value in this row. */
void listing_nothing(struct listing *self, const char *name);

/**
 * End the row.
 *
 * at  the row's place, copied: at most LISTING_AT_BYTES_MAX bytes
 *
 * False: the row is not in this page, because the page is full or something
 * went wrong before; stop adding.
 */
bool listing_row_end(struct listing *self, struct slice at);

/** Go on behind ${at} in another page: this one has taken long enough. */
void listing_pause(struct listing *self, struct slice at);

#endif

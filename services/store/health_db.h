#ifndef KEEPSAKE_STORE_HEALTH_DB_H
#define KEEPSAKE_STORE_HEALTH_DB_H

#include "store_db.h"

/*
 * Tables, keys and value layouts of what the store knows of its own health:
 * damage, the scrub's progress, quotas.  As store_db.h for the rest; nobody
 * else knows these.
 */

/* For verify.c, which looks at the rows as they are. */
#define STORE_TABLE_DAMAGE      0x28
#define STORE_TABLE_DAMAGE_TOLD 0x29
#define STORE_TABLE_QUOTA       0x2a
#define STORE_TABLE_QUOTA_TOLD  0x2b
#define STORE_TABLE_DRILL       0x2c

/* ---- damage: a row for each chunk, until it is whole again or gone ---- */

/** What is wrong.  Stored: append, never renumber. */
enum damage_kind {
	DAMAGE_CHANGED = 1,    /* its bytes are not those that were stored */
	DAMAGE_MISSING = 2,    /* its row leads to no bytes */
	DAMAGE_ROW = 3,        /* its row cannot be read */
	DAMAGE_UNREADABLE = 4, /* the database cannot read its bytes */
	DAMAGE_LIST = 5,       /* the account's chunks cannot be listed */
};

/** "changed", …; static. */
const char *damage_word(enum damage_kind kind);

struct damage {
	enum damage_kind kind;
	uint64_t found_ms; /* wall time */
};

#define DAMAGE_VALUE_BYTES 10

void health_db_damage_pack(
    uint8_t out[static DAMAGE_VALUE_BYTES], const struct damage *damage);
enum status health_db_damage_unpack(struct damage *out, struct slice value);

enum status health_db_damage(struct db *db, const struct id *account,
    const struct chunk_id *id, struct damage *out);

/** A page of them in order of chunk ids: for health_db_damage_unpack. */
enum status health_db_damages(struct db *db, const struct id *account,
    struct slice after, size_t limit, struct db_page *out);

/** How many rows there are, no further than ${limit} (1 to 1000). */
enum status health_db_damages_count(
    struct db *db, const struct id *account, size_t limit, size_t *count_out);

/** Guard, and the row: CONFLICT where the chunk is known to be damaged. */
void health_db_put_damage(struct db_batch *batch, const struct chunk_id *id,
    const struct damage *damage);

void health_db_delete_damage(struct db_batch *batch, struct slice id);

enum status health_db_told_unpack(uint64_t *told_ms_out, struct slice value);

/** When the owner was last told of damage, wall time; 0: never. */
enum status health_db_told(
    struct db *db, const struct id *account, uint64_t *told_ms_out);

/** Guard that it is as it was read, and the new time. */
void health_db_put_told(
    struct db_batch *batch, uint64_t before_ms, uint64_t told_ms);

/* ---- the scrub's progress: a note of the database ---- */

struct scrub_place {
	uint64_t begun_ms;    /* wall time, of this pass; 0: none yet */
	uint64_t finished_ms; /* of the last whole pass; 0: none yet */
	uint64_t last_chunks; /* that pass read so many */
	uint64_t chunks;      /* read in this pass */
	uint64_t bytes;
	uint64_t damaged;      /* found, or found again, in this pass */
	struct id account;     /* none: the first is to come, or it is over */
	bool over;             /* waiting for the next pass */
	bool now;              /* as fast as may be: an operator asked */
	bool has_chunk;        /* else the account's first is to come */
	struct chunk_id chunk; /* the last one that was read */
};

#define SCRUB_PLACE_BYTES 98

void health_db_scrub_pack(
    uint8_t out[static SCRUB_PLACE_BYTES], const struct scrub_place *place);
enum status health_db_scrub_unpack(struct scrub_place *out, struct slice value);

/** All zero where it was never written. */
enum status health_db_scrub(struct db *db, struct scrub_place *out);

/** Write it; returns as db_submit, and nobody is told. */
enum status health_db_put_scrub(struct db *db, const struct scrub_place *place);

/* ---- quotas ---- */

/** In bytes; 0: none.  Where both are set soft is not above hard. */
struct quota {
	uint64_t soft, hard;
};

#define QUOTA_VALUE_BYTES 17

void health_db_quota_pack(
    uint8_t out[static QUOTA_VALUE_BYTES], const struct quota *quota);
enum status health_db_quota_unpack(struct quota *out, struct slice value);

/** The account's own; NOT_FOUND: it has that of the settings. */
enum status health_db_quota(
    struct db *db, const struct id *account, struct quota *out);

/** NULL: that of the settings again. */
void health_db_put_quota(struct db_batch *batch, const struct quota *quota);

/** What the owner was told.  Stored: append, never renumber. */
enum quota_told { QUOTA_TOLD_NOTHING, QUOTA_TOLD_SOFT, QUOTA_TOLD_HARD };

enum status health_db_quota_told_unpack(
    enum quota_told *out, struct slice value);
enum status health_db_quota_told(
    struct db *db, const struct id *account, enum quota_told *out);

/** Guard that it is as it was read, and what it is now. */
void health_db_put_quota_told(
    struct db_batch *batch, enum quota_told before, enum quota_told told);

/* ---- drills: what the account's last one came to ---- */

struct drill {
	uint64_t when_ms; /* wall time, when it was reported */
	struct id terminal;
	uint64_t ordinal; /* of the snapshot */
	uint64_t files;   /* restored and compared */
	uint64_t failed;  /* of those */
};

#define DRILL_VALUE_BYTES 49

void health_db_drill_pack(
    uint8_t out[static DRILL_VALUE_BYTES], const struct drill *drill);
enum status health_db_drill_unpack(struct drill *out, struct slice value);

/** NOT_FOUND: there was none. */
enum status health_db_drill(
    struct db *db, const struct id *account, struct drill *out);
void health_db_put_drill(struct db_batch *batch, const struct drill *drill);

#endif

#ifndef KEEPSAKE_STORE_DAMAGE_H
#define KEEPSAKE_STORE_DAMAGE_H

#include "health_db.h"
#include "service/service.h"

/*
 * What is damaged, as it is found: by the scrub, by a restore, by a backup.
 * It is kept in the account's rows until the chunk is put again or gone, its
 * owner is told, and nothing is ever deleted on account of it (B-11).
 */

struct damages;

/** Something that was found. */
struct finding {
	struct id account;
	struct chunk_id chunk;
	enum damage_kind kind;
	/* CHANGED, MISSING, UNREADABLE: the chunk's row as it was read, so
	 * that nothing is said of one that was put again meanwhile. */
	uint8_t row[CHUNK_VALUE_BYTES];
};

/**
 * STATUS_OK         it is on the disk, or was
 * STATUS_NOT_FOUND  it is no longer so: the chunk was put anew, or is gone
 * other             as db_submit
 */
typedef void damage_done_fn(void *arg, enum status status);

/** Counts what earlier runs found, in slices; borrows ${service} for good. */
enum status damages_new(struct service *service, struct damages **out);

/** The database is closed already. */
void damages_destroy(struct damages **self_p);

/**
 * Record it, and tell the owner: at the first damage of an account, and of
 * what comes later once a day.
 *
 * finding  copied
 * done     called once, maybe within this call; may be NULL
 */
void damages_found(struct damages *self, const struct finding *finding,
    damage_done_fn *done, void *arg);

/** A record went, or may have: count again soon. */
void damages_changed(struct damages *self);

struct damage_counts {
	uint64_t chunks; /* damaged now, as last counted */
	uint64_t accounts;
	uint64_t found; /* since the start */
};

struct damage_counts damages_counts(const struct damages *self);

#endif

#ifndef KEEPSAKE_STORE_STORE_H
#define KEEPSAKE_STORE_STORE_H

#include "damage.h"
#include "lease.h"
#include "scrub.h"
#include "service/service.h"
#include "store.pb-c.h"
#include "sweep.h"

/* The service's state, its handlers, and what several of them do. */

#define STORE_TRIES_MAX     3 /* after a lost race */
#define STORE_BUSY_RETRY_MS 100

struct fetch;

struct store {
	struct service *service;
	struct db *db;
	struct usages *usages;
	struct sweep *sweep;
	struct damages *damages;
	struct scrub *scrub;
	uint64_t lease_ms, idle_restore_ms; /* settings */
	struct quota quota;                 /* of the settings */
	struct {
		uint64_t bytes, at_ms; /* on clock_interval_ms; 0: not yet */
	} room;
	struct fetch *waiting_first, *waiting_last; /* get.c's */
	struct {
		uint64_t leases_begun;
		uint64_t chunks_put, bytes_put;
		uint64_t chunks_sent, bytes_sent;
		uint64_t snapshots_published, snapshots_deleted;
		uint64_t chunks_healed;
		uint64_t puts_over_quota;
		uint64_t drills, drills_failed, last_drill_ms;
	} counts;
};

/* Handlers: transfer.c, restore_end.c, query.c, put.c, get.c, publish.c,
 * delete.c.  State: a store. */
enum status store_on_backup_begin(void *state, struct exchange *x);
enum status store_on_restore_begin(void *state, struct exchange *x);
enum status store_on_backup_abandon(void *state, struct exchange *x);
enum status store_on_restore_end(void *state, struct exchange *x);
enum status store_on_have(void *state, struct exchange *x);
enum status store_on_put(void *state, struct exchange *x);
enum status store_on_put_many(void *state, struct exchange *x);
enum status store_on_get(void *state, struct exchange *x);
enum status store_on_publish(void *state, struct exchange *x);
enum status store_on_snapshots(void *state, struct exchange *x);
enum status store_on_snapshot_delete(void *state, struct exchange *x);

/* health.c: what is damaged, and drills. */
enum status store_on_damage(void *state, struct exchange *x);
enum status store_on_drill(void *state, struct exchange *x);
enum status store_on_damage_list(void *state, struct exchange *x);
enum status store_on_scrub(void *state, struct exchange *x);

/** A listing_part_fn: the account's last drill, a row where it had one. */
struct listing;
enum status store_list_drill(
    void *state, struct listing *listing, struct slice after);

/* What keepsakectl asks: dispatch_ops.c. */
enum status store_on_usage(void *state, struct exchange *x);
enum status store_on_export(void *state, struct exchange *x);

/** Refuse as MALFORMED a field of ${len} bytes that should be ${expected}. */
enum status store_refuse_length(
    struct exchange *x, const char *field, size_t len, const char *expected);

/** Read a chunk id from the field ${name}; refuses as above. */
enum status store_read_chunk_id(struct exchange *x, const char *name,
    ProtobufCBinaryData field, struct chunk_id *out);

/**
 * What to answer after a read that failed with ${st}: damage in our rows is
 * INTERNAL, and logged, as it is no fault of who asks.
 */
enum status store_read_failed(struct exchange *x, enum status st);

/**
 * Check the lease that a request names against its ticket, and note that it
 * was used.
 *
 * STATUS_OK  *out is filled
 * other      refused, as lease_check says; the reply's detail is set
 */
enum status store_check_lease(struct store *self, struct exchange *x,
    ProtobufCBinaryData field, struct lease *out);

/**
 * A chunk that was read is not what was stored: have that recorded.
 *
 * row  of the chunk, as it was read
 */
void store_found_damage(struct store *self, const struct id *account,
    const struct chunk_id *id, const struct chunk *row, enum damage_kind kind);

/** Refuse after a batch whose lease had gone. */
enum status store_lease_over(struct exchange *x);

/** A lease has ended: sweep the account if it waited for that. */
void store_lease_ended(struct store *self, const struct id *account);

/** A snapshot as the wire has it; ${out} borrows from ${from}. */
void store_fill_snapshot(Store__Snapshot *out, const struct snapshot *from);

/** Start the reads that waited for a free place; after each read. */
void store_reads_go_on(struct store *self);

#endif

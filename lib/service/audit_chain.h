#ifndef KEEPSAKE_SERVICE_AUDIT_CHAIN_H
#define KEEPSAKE_SERVICE_AUDIT_CHAIN_H

#include "base/conf.h"
#include "bus/loop.h"
#include "db/db.h"
#include "service/audit_record.h"
#include "service/audit_tip.h"

/*
 * The chain of a service's audit log, in its journal, and the events on
 * their way into it: one batch at a time, in order of arrival.  A batch that
 * fails is tried again, with the same order.  A row that an event came from
 * is deleted once its record is on the disk; a repeat is recognised by the
 * event's id.
 */

struct audit_chain;

/** Told of each event when its record is on the disk. */
typedef void audit_recorded_fn(void *arg, const struct audit_fact *fact);

/** Set who is told; NULL: nobody. */
void audit_chain_tell(
    struct audit_chain *self, audit_recorded_fn *recorded, void *arg);

/**
 * Read where the chain ends.
 *
 * journal  borrowed for good
 * emptied  called when no event is left that came from a row
 *
 * STATUS_OK  ${out} is the caller's, for audit_chain_destroy
 * other      as audit_signer_new, or as db_get; logged
 */
enum status audit_chain_new(struct audit_chain **out, const struct conf *conf,
    const char *service, struct loop *loop, struct db *journal,
    loop_fn *emptied, void *arg);

/** The databases are about to close: from now on nothing is moved. */
void audit_chain_disconnect(struct audit_chain *self);

/** Export the head, and close, after the databases. */
void audit_chain_destroy(struct audit_chain **self_p);

/**
 * OK: the record is on the disk.  Else as db_done_fn, and it is not; or
 * UNAVAILABLE at audit_chain_disconnect.
 */
typedef void audit_done_fn(void *arg, enum status status);

/**
 * Take an event; audit_chain_go moves it.
 *
 * db    where its row is, in TABLE_AUDIT; borrowed.  NULL: it has none
 * done  told what became of it, and then it is not tried again; or NULL
 *
 * STATUS_OK           taken, or known already
 * STATUS_BUSY         too many are on their way
 * STATUS_NO_SPACE     no memory; logged
 * STATUS_UNAVAILABLE  closing
 */
enum status audit_chain_add(struct audit_chain *self,
    const struct audit_fact *fact, struct db *db, audit_done_fn *done,
    void *arg);

/** Append what waits, and delete the rows of what is there. */
void audit_chain_go(struct audit_chain *self);

/** Call ${stopped} once all is appended, at the latest after ${in_ms}. */
void audit_chain_stop(
    struct audit_chain *self, uint64_t in_ms, loop_fn *stopped, void *arg);

uint64_t audit_chain_records(const struct audit_chain *self);

/** Events that are not yet in the chain. */
uint64_t audit_chain_pending(const struct audit_chain *self);

/** Whether there are events that came from a row. */
bool audit_chain_has_rows(const struct audit_chain *self);

#endif

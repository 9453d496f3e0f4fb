#ifndef KEEPSAKE_SERVICE_AUDIT_TIP_H
#define KEEPSAKE_SERVICE_AUDIT_TIP_H

#include "db/db.h"
#include "service/audit_heads.h"
#include "service/audit_record.h"

/*
 * The chain of a service's audit log as its journal has it, and its end:
 * what the next record is put behind.
 */

/** Where it is in the journal. */
extern const struct id audit_chain_account;
#define AUDIT_TABLE_RECORDS 1 /* sequence (8) → record */
#define AUDIT_TABLE_EVENTS  2 /* time (8), event (16) → sequence (8) */
#define AUDIT_TABLE_HEAD    3 /* AUDIT_HEAD_KEY → line of the signed head */
#define AUDIT_HEAD_KEY      "head"

/** The end of the chain. */
struct audit_tip {
	uint64_t sequence; /* of the record that comes next */
	struct audit_head head;
	char line[AUDIT_HEAD_TEXT_BYTES]; /* "" before the first record */
};

/**
 * Find the end of the chain.  What comes next always follows what was
 * signed: records that somebody else put behind it are not followed, and do
 * not become part of the chain.  Such a thing is logged.
 *
 * service, signer  whose chain it is, and who has signed it
 *
 * STATUS_OK  ${out} is filled
 * other      as db_get; logged, and ${out} is untouched
 */
enum status audit_tip_load(struct audit_tip *out, struct db *journal,
    const char *service, const struct audit_signer *signer);

/** Whether the record of ${fact} is in the chain; false if unreadable. */
bool audit_is_recorded(struct db *journal, const struct audit_fact *fact);

#define AUDIT_RECORD_OPS 3 /* of a batch */

/** Add the record of ${fact} behind ${self}, which moves on. */
void audit_tip_put_record(struct audit_tip *self, struct db_batch *batch,
    const struct audit_fact *fact);

/** Sign the head as of now, and add it, one operation. */
void audit_tip_put_head(struct audit_tip *self, struct db_batch *batch,
    const char service[static AUDIT_SERVICE_BYTES_MAX + 1],
    const struct audit_signer *signer);

#endif

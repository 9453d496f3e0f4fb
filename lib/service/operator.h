#ifndef KEEPSAKE_SERVICE_OPERATOR_H
#define KEEPSAKE_SERVICE_OPERATOR_H

#include <stdbool.h>

#include "base/status.h"
#include "ops.pb-c.h"

/*
 * Who at the operator's does something, and why: part of each message of
 * keepsakectl that changes something, and of its audit record (A-08, O-06).
 */

#define OPERATOR_NAME_BYTES_MAX   64
#define OPERATOR_REASON_BYTES_MAX 200

/** "passport", …, or "other". */
#define OPERATOR_DOCUMENT_KINDS 5
extern const char *const operator_document_kinds[OPERATOR_DOCUMENT_KINDS];

/** Of a document nothing is recorded but its kind and these characters. */
#define OPERATOR_DOCUMENT_LAST 4

/**
 * Check the identity document that was seen: "KIND:LAST4", its last four
 * letters and digits.
 *
 * why_out  what is wrong, for people; static; untouched when OK
 *
 * STATUS_MALFORMED  as ${why_out} says
 */
enum status operator_check_document(const char *document, const char **why_out);

/** What a change asks for, beside the operator's name. */
enum operator_needs {
	OPERATOR_NEEDS_NOTHING = 0,
	OPERATOR_NEEDS_REASON = 1,
	OPERATOR_NEEDS_DOCUMENT = 2,
};

/**
 * Check ${by}, which may be NULL, as it came off the wire.
 *
 * needs    bits of operator_needs; what is not needed may be given
 * why_out  as operator_check_document
 *
 * STATUS_MALFORMED  as ${why_out} says
 */
enum status operator_check(
    const Ops__By *by, unsigned int needs, const char **why_out);

#define OPERATOR_ACTOR_BYTES  (sizeof("operator ") + OPERATOR_NAME_BYTES_MAX)
#define OPERATOR_DETAIL_BYTES 400

/** "operator NAME", for an audit record; ${by} was checked. */
void operator_actor(char out[static OPERATOR_ACTOR_BYTES], const Ops__By *by);

/**
 * "what; document: KIND:LAST4; reason: …", of what there is, for an audit
 * record.
 *
 * what  for people, or ""
 */
void operator_detail(char out[static OPERATOR_DETAIL_BYTES], const char *what,
    const Ops__By *by);

#endif

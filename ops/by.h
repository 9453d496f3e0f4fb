#ifndef KEEPSAKE_OPS_BY_H
#define KEEPSAKE_OPS_BY_H

#include "command.h"
#include "service/operator.h"

/**
 * Who does it, and why, from the options: --operator, else who called sudo,
 * else who runs the tool; --reason, --document.
 *
 * needs  bits of operator_needs
 * out    initialised here; borrows from the options
 *
 * STATUS_MALFORMED  something is missing or wrong: said, and the exit code
 *                   is set
 */
enum status ops_by(struct ops *self, unsigned int needs, Ops__By *out);

#endif

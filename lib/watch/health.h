#ifndef KEEPSAKE_WATCH_HEALTH_H
#define KEEPSAKE_WATCH_HEALTH_H

#include "base/bytes.h"

/* Asking a process by HTTP whether it is ready: for --health. */

/**
 * Take an HTTP/1 answer that is all there apart.
 *
 * code_out  100..599
 * body_out  lies in ${answer}
 *
 * STATUS_OK         both are filled
 * STATUS_MALFORMED  this is none
 */
enum status health_read(
    struct slice answer, unsigned int *code_out, struct slice *body_out);

#define HEALTH_BYTES_MAX 16384 /* of an answer */
#define HEALTH_MS_MAX    5000  /* for the whole question */

/**
 * Ask http://${address}/readyz and print the answer's body on standard
 * output; why there is none, on standard error.  Returns the exit code: 0
 * where it is ready, else 1.
 *
 * address  as in the configuration; "": nothing to ask, which is said
 * name     of the process, for texts: "auth"
 */
int health_ask(const char *address, const char *name);

#endif

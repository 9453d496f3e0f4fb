#ifndef KEEPSAKE_OPS_ASK_H
#define KEEPSAKE_OPS_ASK_H

#include <protobuf-c/protobuf-c.h>

#include "bus/caller.h"
#include "command.h"

/* Asking the processes of the server, by their doors for keepsakectl. */

#define OPS_PROCESSES 5

/** "gateway", "auth", "store", "binding", "notify". */
extern const char *const ops_processes[OPS_PROCESSES];

/**
 * Read the tool's own key and make ready.  The first question does it too;
 * who asks many processes calls it first, so that a fault is said once.
 *
 * STATUS_OK  ready, until ops_hang_up
 * other      as curve_keys_read; said on standard error
 */
enum status ops_open(struct ops *self);

/** The bus, once ops_open has made ready. */
struct bus *ops_bus(const struct ops *self);

#define OPS_ASK_MS 10000 /* how long ops_ask waits for an answer */

/**
 * Ask one process, and wait for its answer.
 *
 * process     one of ops_processes
 * type, body  the message; ${body} NULL: an empty one
 * answer      what the answer's body is, and
 * answer_out  where it goes; good until the next question.  NULL where the
 *             answer has no body that matters.
 *
 * STATUS_OK  answered
 * other      as the process said, or UNAVAILABLE where it does not answer,
 *            MALFORMED where the answer is none, or why nothing could be
 *            asked.  Nothing is printed: see ops_refused.
 */
enum status ops_ask(struct ops *self, const char *process, uint32_t type,
    const ProtobufCMessage *body, const ProtobufCMessageDescriptor *answer,
    void *answer_out);

/**
 * Say on standard error why ops_ask returned ${status}, and set the exit
 * code that it means.
 */
void ops_refused(struct ops *self, const char *process, enum status status);

/** The same for an answer to ops_begin, with its ${detail}. */
void ops_refused_with(struct ops *self, const char *process, enum status status,
    const char *detail);

/**
 * Ask without waiting, so that many can be asked at once: ${done} is called
 * by ops_await.  Results as caller_ask, or why no link could be made.
 */
enum status ops_begin(struct ops *self, const char *process, uint32_t type,
    const ProtobufCMessage *body, uint32_t deadline_ms, answer_fn *done,
    void *arg);

/** Wait until all that ops_begin asked is answered, or its time is over. */
void ops_await(struct ops *self);

/** Close all links; main does it at the end. */
void ops_hang_up(struct ops *self);

#endif

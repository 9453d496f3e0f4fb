#ifndef KEEPSAKE_CLIENT_SESSION_INTERNAL_H
#define KEEPSAKE_CLIENT_SESSION_INTERNAL_H

#include "crypto/opaque.h"
#include "crypto/seal.h"
#include "session.h"

/* What the files of session.h share; nobody else includes it. */

#define COOKIE_BYTES_MAX   1024
#define WRAPPED_ROOT_BYTES SEALED_BYTES(ACCOUNT_KEY_BYTES)

/**
 * Note why a call failed; returns ${status}.
 *
 * detail  for people; NULL or "": what the status says by itself
 */
enum status session_refuse(
    struct session *self, enum status status, const char *detail);

/** Give the last refusal another advice, which is static. */
void session_advise(struct session *self, const char *advice);

/** Why code_new failed; returns ${status}. */
enum status session_refuse_code(struct session *self, enum status status);

/** The server that ${self} talks to; good as long as ${self}. */
const struct enrolment *session_enrolment(const struct session *self);

/**
 * Ask with a body of which one field alone is sealed to auth: the name, and
 * behind it, after a NUL, the invitation where there is one.  The answers to
 * such questions are plain: there is nothing in them that a gateway must not
 * see.
 *
 * name_sealed  the field of ${body}; empty again afterwards
 *
 * Results as session_ask.
 */
enum status session_ask_named(struct session *self, uint32_t type,
    const char *name, const ProtobufCMessage *body,
    ProtobufCBinaryData *name_sealed,
    const ProtobufCMessageDescriptor *reply_type, void *reply_out);

/** The key that an export key makes, for the account's root key; secret. */
void session_root_key(uint8_t out[static KEY_BYTES],
    const uint8_t export_key[static OPAQUE_KEY_BYTES]);

#endif

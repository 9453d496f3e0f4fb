#ifndef KEEPSAKE_SERVICE_AUDIT_HEADS_H
#define KEEPSAKE_SERVICE_AUDIT_HEADS_H

#include "base/conf.h"
#include "service/audit_record.h"

/*
 * The key that signs a service's heads, and the file they are exported to.
 * KEYS/SERVICE.audit, mode 0600, has the Ed25519 seed as a line of hex;
 * KEYS/SERVICE.audit.public the public key likewise.
 */

struct audit_signer {
	uint8_t secret[AUDIT_SIGN_SECRET_BYTES];
	uint8_t public[AUDIT_SIGN_PUBLIC_BYTES];
};

/**
 * Read the key into the arena.
 *
 * STATUS_OK        ${out} is the caller's, for audit_signer_destroy
 * STATUS_NO_SPACE  no room in the arena
 * other            as file_read_secret, or MALFORMED; logged
 */
enum status audit_signer_new(
    struct audit_signer **out, const struct conf *conf, const char *service);

void audit_signer_destroy(struct audit_signer **self_p);

/**
 * Make the key, and write both files.
 *
 * STATUS_CONFLICT  there is one already, or a public one alone, of a service
 *                  elsewhere: it is not touched
 */
enum status audit_signer_make(const struct conf *conf, const char *service);

/** Read the public key of a file; results as file_read, or MALFORMED. */
enum status audit_public_read(
    uint8_t out[static AUDIT_SIGN_PUBLIC_BYTES], const char *path);

#define AUDIT_PATH_BYTES 4096

/** Where the heads of a service are exported to, as the settings say. */
void audit_heads_path(char out[static AUDIT_PATH_BYTES],
    const struct conf *conf, const char *service);

/**
 * Append ${line}, synced, to the heads file, unless it is the last line
 * there already.  One that a crash cut short is left as it is: the new line
 * begins behind it.
 *
 * STATUS_OK  it is on the disk
 * other      DENIED or NO_SPACE, logged
 */
enum status audit_heads_append(const char *path, const char *line);

#endif

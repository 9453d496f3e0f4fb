#ifndef KEEPSAKE_SERVICE_BACKUP_MANIFEST_H
#define KEEPSAKE_SERVICE_BACKUP_MANIFEST_H

#include <stdbool.h>

#include "base/bytes.h"
#include "db/db.h"

/*
 * The manifest of a backup: what is in its folder, so that one that was cut
 * short, changed, or is another's is known for it before anything is put in
 * place.  It is text, a line each, and is written last:
 *
 *   keepsake backup 1
 *   service store
 *   set 0123…                    16 bytes, the same for services backed up at
 * once version 0.1.0                of the program format 3 of the database
 *   point 1740819626138          wall time in ms of the last commit in it
 *   transaction 812              the number of that commit
 *   accounts 4
 *   rows 98
 *   blobs 12
 *   names 7
 *   file data.mdb 77824 5f0c…    bytes, BLAKE2b-256 of them
 *   file ledger-copy/journal.mdb …
 *   file ledger-copy/account.keys …
 *   end 9a1b…                    BLAKE2b-256 of all above
 *
 * The hash at the end tells chance from harm, not a forger: whoever can write
 * there can make another.  A folder is as trusted as its disk.
 */

#define BACKUP_DATABASE "data.mdb"
#define BACKUP_LEDGER   "ledger-copy"
#define BACKUP_JOURNAL  BACKUP_LEDGER "/journal.mdb"
#define BACKUP_KEYS     BACKUP_LEDGER "/account.keys"
#define BACKUP_MANIFEST "manifest"
#define BACKUP_DELETED  "deleted"

#define BACKUP_HASH_BYTES         32
#define BACKUP_FILES_MAX          3
#define BACKUP_WORD_BYTES         40 /* of a service, a version; with a NUL */
#define BACKUP_NAME_BYTES_MAX     64
#define BACKUP_MANIFEST_BYTES_MAX 4096

struct backup_file {
	const char *name; /* one of the three above */
	uint64_t bytes;
	uint8_t hash[BACKUP_HASH_BYTES];
};

struct backup_manifest {
	char service[BACKUP_WORD_BYTES];
	char version[BACKUP_WORD_BYTES];
	struct id set;
	struct id ledger;          /* see ledger_id */
	struct db_copied database; /* all but bytes */
	struct backup_file files[BACKUP_FILES_MAX];
	size_t files_count;
};

/** Whether a backup may be called so: letters, digits, ".", "_", "-". */
bool backup_name_ok(const char *name);

/** Append ${from}, as text, to ${out}; OK or NO_SPACE. */
enum status backup_manifest_write(
    struct bytes *out, const struct backup_manifest *from);

/**
 * Read one.
 *
 * why_out  what is wrong, for people; static; untouched when OK
 *
 * STATUS_OK         ${out} is filled
 * STATUS_VERSION    of a newer program
 * STATUS_MALFORMED  none, cut short, or changed
 */
enum status backup_manifest_read(
    struct backup_manifest *out, struct slice text, const char **why_out);

/** The file of that name, or NULL. */
const struct backup_file *backup_manifest_file(
    const struct backup_manifest *self, const char *name);

/** Read the manifest of the backup in ${folder}; also as file_read. */
enum status backup_manifest_load(
    struct backup_manifest *out, const char *folder, const char **why_out);

/**
 * Hash a file that may be large.
 *
 * STATUS_OK           ${out} is filled, but for the name
 * STATUS_NOT_FOUND    there is none
 * STATUS_UNAVAILABLE  it cannot be read; logged
 */
enum status backup_file_hash(struct backup_file *out, const char *path);

/**
 * Compare the files of the backup in ${folder} with what its manifest says.
 *
 * STATUS_OK         they are as they were written
 * STATUS_MALFORMED  one is not, as ${why_out} says
 * other             as backup_file_hash
 */
enum status backup_files_check(const struct backup_manifest *self,
    const char *folder, const char **why_out);

#endif

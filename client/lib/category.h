#ifndef KEEPSAKE_CLIENT_CATEGORY_H
#define KEEPSAKE_CLIENT_CATEGORY_H

#include <stddef.h>

#include "base/bytes.h"
#include "base/status.h"

/** What a file is (B-01).  In the manifest: append, never renumber. */
enum category {
	CATEGORY_CONTACTS = 1,
	CATEGORY_SMS,
	CATEGORY_MMS,
	CATEGORY_EMAIL,
	CATEGORY_CALLS,
	CATEGORY_MESSAGES, /* of instant messengers */
	CATEGORY_CALENDAR,
	CATEGORY_NOTES,
	CATEGORY_PHOTOS,
	CATEGORY_MUSIC,
	CATEGORY_VIDEO,
	CATEGORY_BOOKS,
	CATEGORY_DOCUMENTS,
	CATEGORY_APPS, /* and their data */
	CATEGORY_SETTINGS,
	CATEGORY_OTHER,
	CATEGORY_COUNT /* one more than the last */
};

/** Files that match ${glob} are ${category}, whatever they look like. */
struct category_rule {
	const char *glob; /* fnmatch(3), of the whole path; * takes a slash */
	enum category category;
};

#define CATEGORY_HEAD_BYTES 512 /* as much of a file as is looked at */

/** The word for ${category} ("call_log"); static, never NULL. */
const char *category_word(enum category category);

/** The category named ${word}; STATUS_NOT_FOUND where there is none. */
enum status category_from_word(enum category *out, const char *word);

/**
 * Sort a file by its name alone.
 *
 * rules  looked at first, the first that matches wins; may be NULL
 * path   of the file, ends with a NUL
 *
 * STATUS_OK         ${out} is filled
 * STATUS_NOT_FOUND  its first bytes must be seen too: category_of
 */
enum status category_by_name(enum category *out,
    const struct category_rule *rules, size_t rules_count, const char *path);

/** Sort a file by its name and by ${head}, its first bytes. */
enum category category_of(const struct category_rule *rules, size_t rules_count,
    const char *path, struct slice head);

#endif

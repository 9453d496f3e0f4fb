#ifndef KEEPSAKE_NOTICE_KIND_H
#define KEEPSAKE_NOTICE_KIND_H

#include "notify.pb-c.h"

/* The kinds of notices, in words. */

struct notice_kind {
	Notify__Kind number;
	const char *word;
	const char *meaning; /* for people */
};

/** Of a number; one that is newer than this code is called "other". */
const struct notice_kind *notice_kind(Notify__Kind number);

/** Of a word; NULL: there is none. */
const struct notice_kind *notice_kind_named(const char *word);

#endif

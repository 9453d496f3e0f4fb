#ifndef KEEPSAKE_NOTIFY_NOTICE_H
#define KEEPSAKE_NOTIFY_NOTICE_H

#include "base/bytes.h"
#include "notify.pb-c.h"

/* What an account is to be told; the text of it is the terminal's affair. */

#define NOTICE_BYTES_MAX             1024 /* packed */
#define NOTICE_FIGURES_MAX           16
#define NOTICE_FIGURE_NAME_BYTES_MAX 32

/**
 * Check a notice that a service hands in.
 *
 * id_out   filled when OK
 * why_out  what is wrong, for people; static; untouched when OK
 *
 * STATUS_OK         it may be stored
 * STATUS_MALFORMED  as ${why_out} says
 */
enum status notice_check(
    const Notify__Notice *notice, struct id *id_out, const char **why_out);

#endif

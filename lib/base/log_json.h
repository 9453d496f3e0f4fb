#ifndef KEEPSAKE_BASE_LOG_JSON_H
#define KEEPSAKE_BASE_LOG_JSON_H

#include <stddef.h>

/**
 * Turn "key=value other=\"a value\"", as log_line takes it, into the members
 * of a JSON object: ,"key":"value","other":"a value".  Digits alone become a
 * number.  What is no key=value becomes ,"text":"…", and bytes that are no
 * UTF-8 become U+FFFD.  A member that does not fit is left out whole.
 *
 * out   has room for ${size} bytes
 *
 * Returns how many bytes were written; no NUL follows.
 */
size_t log_json_members(char *out, size_t size, const char *rest);

#endif

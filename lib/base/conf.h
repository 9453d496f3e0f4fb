#ifndef KEEPSAKE_BASE_CONF_H
#define KEEPSAKE_BASE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/*
 * One configuration file for the whole system (O-07):
 *
 *   # comment
 *   [section]
 *   key = value
 *
 * Each key is a row of a table, which is also the documentation.  The
 * environment overrides the file: KEEPSAKE_SECTION_KEY=value.
 */

enum conf_type {
	CONF_TEXT,     /* anything, may be empty */
	CONF_PATH,     /* an absolute path */
	CONF_ENDPOINT, /* "", tcp://host:port or ipc:///folder/name */
	CONF_ADDRESS,  /* "", IP:PORT or [IP]:PORT */
	CONF_NUMBER,   /* within min..max */
	CONF_SIZE,     /* bytes, with K M G T, within min..max */
	CONF_DURATION, /* ms, s, min, h, d; within min..max milliseconds */
	CONF_CHOICE,   /* one of the words in expected: "a|b|c" */
	CONF_INSTANCE, /* as conf_is_instance of the word in expected */
};

struct conf_key {
	const char *section;
	const char *key;
	enum conf_type type;
	const char *fallback; /* valid, except that a PATH may be "" */
	uint64_t min, max;    /* NUMBER, SIZE, DURATION */
	const char *expected; /* CHOICE: the words; INSTANCE; else NULL */
	const char *help;     /* one line */
};

struct conf;

/**
 * Where and why a configuration was refused goes to standard error, a line
 * for each fault: "FILE:LINE: [section] key: got "x", expected …", where
 * "environment: VARIABLE" stands for the file and line of a variable.
 *
 * keys   the table; borrowed as long as ${out} lives
 * path   the file, or NULL for the defaults and the environment alone
 *
 * STATUS_OK         *out is the caller's
 * STATUS_NOT_FOUND  no such file, or not readable; said on standard error
 * STATUS_MALFORMED  unknown section or key, a key twice, or a wrong value
 * STATUS_NO_SPACE   no memory
 */
enum status conf_load(const struct conf_key *keys, size_t keys_count,
    const char *path, struct conf **out);

void conf_destroy(struct conf **self_p);

/** The value of a key of the table; borrowed until conf_destroy. */
const char *conf_text(
    const struct conf *self, const char *section, const char *key);

/** The same for NUMBER, SIZE (bytes), DURATION (milliseconds). */
uint64_t conf_number(
    const struct conf *self, const char *section, const char *key);

#define INSTANCE_BYTES_MAX 63

/**
 * Whether ${name} is ${word}, or "${word}-" and letters, digits and hyphens:
 * the name of one of several programs of a kind, also in file names.
 */
bool conf_is_instance(const char *name, const char *word);

/** Print the whole table with the values in force, as a file to start from. */
void conf_print(const struct conf *self);

#endif

#include "base/conf.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/text.h"
#include "base/util.h"

#define LINE_BYTES_MAX 4096
#define VARIABLE_MAX   128
#define WANTED_MAX     128
#define PREFIX         "KEEPSAKE_"

struct conf {
	const struct conf_key *keys;
	size_t keys_count;
	char **values; /* one for each key, owned; NULL is the fallback */
};

/* Where a value comes from, for the message. */
struct place {
	const char *file;  /* or the name of an environment variable */
	unsigned int line; /* 0 for the environment */
};

static void complain(const struct place *at, const char *what, const char *got,
    const char *expected)
{
	if (at->line > 0)
		fprintf(stderr, "%s:%u: ", at->file, at->line);
	else
		fprintf(stderr, "environment: %s: ", at->file);
	fprintf(stderr, "%s: got \"%s\", expected %s\n", what, got, expected);
}

static const struct conf_key *find_key(
    const struct conf *self, const char *section, const char *key)
{
	for (size_t i = 0; i < self->keys_count; i++)
		if (strcmp(self->keys[i].section, section) == 0 &&
		    strcmp(self->keys[i].key, key) == 0)
			return &self->keys[i];
	return NULL;
}

static bool is_section(const struct conf *self, const char *section)
{
	for (size_t i = 0; i < self->keys_count; i++)
		if (strcmp(self->keys[i].section, section) == 0)
			return true;
	return false;
}

bool conf_is_instance(const char *name, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(name, word, len) != 0 || strlen(name) > INSTANCE_BYTES_MAX)
		return false;
	name += len;
	return *name == '\0' ||
	       (*name == '-' && name[1] != '\0' &&
		   name[strspn(name, "-0123456789abcdefghijklmnopqrstuvwxyz"
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0');
}

static bool is_choice(const char *choices, const char *value)
{
	size_t len = strlen(value);

	if (strchr(value, '|'))
		return false; /* several of them are not one */
	for (const char *p = choices; p; p = strchr(p, '|')) {
		p += *p == '|';
		if (strncmp(p, value, len) == 0 &&
		    (p[len] == '|' || p[len] == '\0') && len > 0)
			return true;
	}
	return false;
}

static bool is_endpoint(const char *value)
{
	const char *port;

	if (*value == '\0')
		return true;
	if (strncmp(value, "ipc:///", 7) == 0) {
		/* The folder is made, so it is not the root. */
		const char *slash = strrchr(value, '/');
		return slash > value + 6 && slash[1] != '\0';
	}
	if (strncmp(value, "tcp://", 6) != 0)
		return false;
	port = strrchr(value + 6, ':');
	uint64_t number;
	return port && port > value + 6 &&
	       text_number(&number, port + 1, 65535) == STATUS_OK && number > 0;
}

static bool is_address(const char *value)
{
	struct address address;

	return *value == '\0' || address_read(&address, value) == STATUS_OK;
}

static enum status parse_number(
    const struct conf_key *key, const char *value, uint64_t *out)
{
	enum status st;

	switch (key->type) {
	case CONF_SIZE:
		st = text_size(out, value);
		break;
	case CONF_DURATION:
		st = text_duration(out, value);
		break;
	default:
		st = text_number(out, value, key->max);
		break;
	}
	if (st == STATUS_OK && (*out < key->min || *out > key->max))
		st = STATUS_MALFORMED;
	return st;
}

/* Whether ${value} is right for ${key}; ${wanted} tells what would be. */
static bool value_fits(const struct conf_key *key, const char *value,
    char wanted[static WANTED_MAX])
{
	uint64_t number;

	switch (key->type) {
	case CONF_TEXT:
		return true;
	case CONF_PATH:
		snprintf(wanted, WANTED_MAX, "an absolute path");
		return *value == '/';
	case CONF_ENDPOINT:
		snprintf(wanted, WANTED_MAX,
		    "tcp://HOST:PORT or ipc:///FOLDER/NAME");
		return is_endpoint(value);
	case CONF_ADDRESS:
		snprintf(wanted, WANTED_MAX,
		    "IP:PORT, such as 127.0.0.1:9641 or [::1]:9641");
		return is_address(value);
	case CONF_CHOICE:
		snprintf(wanted, WANTED_MAX, "one of %s", key->expected);
		return is_choice(key->expected, value);
	case CONF_INSTANCE:
		snprintf(wanted, WANTED_MAX, "%s or %s-NAME, at most %d bytes",
		    key->expected, key->expected, INSTANCE_BYTES_MAX);
		return conf_is_instance(value, key->expected);
	case CONF_NUMBER:
		snprintf(wanted, WANTED_MAX, "a number from %ju to %ju",
		    (uintmax_t)key->min, (uintmax_t)key->max);
		break;
	case CONF_SIZE:
		snprintf(wanted, WANTED_MAX,
		    "a size from %ju to %ju bytes, such as 64M",
		    (uintmax_t)key->min, (uintmax_t)key->max);
		break;
	case CONF_DURATION:
		snprintf(wanted, WANTED_MAX,
		    "a duration from %ju to %ju ms, such as 5min",
		    (uintmax_t)key->min, (uintmax_t)key->max);
		break;
	}
	return parse_number(key, value, &number) == STATUS_OK;
}

static enum status set_value(struct conf *self, const struct conf_key *key,
    const char *value, const struct place *at)
{
	char wanted[WANTED_MAX], what[VARIABLE_MAX];
	size_t row = (size_t)(key - self->keys);

	snprintf(what, sizeof(what), "[%s] %s", key->section, key->key);
	if (at->line > 0 && self->values[row]) {
		complain(at, what, "the key a second time", "it once");
		return STATUS_MALFORMED;
	}
	if (!value_fits(key, value, wanted)) {
		complain(at, what, value, wanted);
		return STATUS_MALFORMED;
	}
	char *copy = strdup(value);
	if (!copy)
		return STATUS_NO_SPACE;
	free(self->values[row]);
	self->values[row] = copy;
	return STATUS_OK;
}

/* ${text} without blanks at either end, in place. */
static char *trimmed(char *text)
{
	size_t len;

	while (isspace((unsigned char)*text))
		text++;
	len = strlen(text);
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
	return text;
}

static enum status read_line(struct conf *self, char *line,
    char section[static VARIABLE_MAX], const struct place *at)
{
	char *text = trimmed(line);
	size_t len = strlen(text);

	if (len == 0 || *text == '#')
		return STATUS_OK;
	if (*text == '[') {
		if (text[len - 1] != ']' || len >= VARIABLE_MAX) {
			complain(at, "section", text, "[section]");
			return STATUS_MALFORMED;
		}
		text[len - 1] = '\0';
		snprintf(section, VARIABLE_MAX, "%s", text + 1);
		if (!is_section(self, section)) {
			complain(at, "section", section, "a known section");
			return STATUS_MALFORMED;
		}
		return STATUS_OK;
	}
	char *equals = strchr(text, '=');
	if (!equals) {
		complain(at, "line", text, "key = value");
		return STATUS_MALFORMED;
	}
	*equals = '\0';
	const char *name = trimmed(text);
	const struct conf_key *key = find_key(self, section, name);
	if (!key) {
		char what[2 * VARIABLE_MAX];
		snprintf(what, sizeof(what), "[%s]", section);
		complain(at, what, name, "a known key");
		return STATUS_MALFORMED;
	}
	return set_value(self, key, trimmed(equals + 1), at);
}

static enum status read_file(struct conf *self, const char *path)
{
	char line[LINE_BYTES_MAX], section[VARIABLE_MAX] = "";
	struct place at = { path, 0 };
	enum status worst = STATUS_OK;
	FILE *file = fopen(path, "re");

	if (!file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return STATUS_NOT_FOUND;
	}
	while (fgets(line, sizeof(line), file)) {
		at.line++;
		if (!strchr(line, '\n') && !feof(file)) {
			complain(&at, "line", "too long a line",
			    "less than 4096 bytes");
			worst = STATUS_MALFORMED;
			break;
		}
		enum status st = read_line(self, line, section, &at);
		if (st != STATUS_OK)
			worst = st;
	}
	if (ferror(file)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		worst = STATUS_NOT_FOUND;
	}
	fclose(file);
	return worst;
}

static enum status read_environment(struct conf *self)
{
	enum status worst = STATUS_OK;

	for (size_t i = 0; i < self->keys_count; i++) {
		const struct conf_key *key = &self->keys[i];
		char name[VARIABLE_MAX];
		int len = snprintf(
		    name, sizeof(name), PREFIX "%s_%s", key->section, key->key);
		assert(len > 0 && (size_t)len < sizeof(name));
		for (char *p = name; *p; p++)
			*p = (char)toupper((unsigned char)*p);
		const char *value = getenv(name);
		if (!value)
			continue;
		struct place at = { name, 0 };
		enum status st = set_value(self, key, value, &at);
		if (st != STATUS_OK)
			worst = st;
	}
	return worst;
}

enum status conf_load(const struct conf_key *keys, size_t keys_count,
    const char *path, struct conf **out)
{
	enum status st = STATUS_NO_SPACE;
	struct conf *self = calloc(1, sizeof(*self));

	if (!self)
		return st;
	self->keys = keys;
	self->keys_count = keys_count;
	self->values = calloc(keys_count, sizeof(*self->values));
	if (!self->values)
		goto out;
	st = path ? read_file(self, path) : STATUS_OK;
	if (st == STATUS_OK)
		st = read_environment(self);
	if (st == STATUS_OK) {
		*out = self;
		self = NULL;
	}
out:
	conf_destroy(&self);
	return st;
}

void conf_destroy(struct conf **self_p)
{
	struct conf *self = *self_p;

	if (!self)
		return;
	for (size_t i = 0; self->values && i < self->keys_count; i++)
		free(self->values[i]);
	free(self->values);
	free(self);
	*self_p = NULL;
}

const char *conf_text(
    const struct conf *self, const char *section, const char *key)
{
	const struct conf_key *row = find_key(self, section, key);

	assert(row);
	const char *value = self->values[row - self->keys];
	return value ? value : row->fallback;
}

uint64_t conf_number(
    const struct conf *self, const char *section, const char *key)
{
	const struct conf_key *row = find_key(self, section, key);
	uint64_t number = 0;

	assert(row);
	const char *value = self->values[row - self->keys];
	enum status st =
	    parse_number(row, value ? value : row->fallback, &number);
	assert(st == STATUS_OK);
	(void)st;
	return number;
}

void conf_print(const struct conf *self)
{
	const char *section = "";

	for (size_t i = 0; i < self->keys_count; i++) {
		const struct conf_key *key = &self->keys[i];
		if (strcmp(section, key->section) != 0) {
			section = key->section;
			printf("%s[%s]\n", i > 0 ? "\n" : "", section);
		}
		const char *value = conf_text(self, section, key->key);
		/* Empty by default is left out: no path may be set to that. */
		bool unset = *value == '\0' && *key->fallback == '\0';
		printf("# %s\n%s%s = %s\n", key->help, unset ? "# " : "",
		    key->key, value);
	}
}

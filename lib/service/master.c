#include "service/master.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "crypto/arena.h"
#include "service/settings.h"

#define LINE_BYTES     HEX_BYTES(KEY_BYTES) /* the newline for the NUL */
#define FILE_BYTES_MAX (MASTER_KEYS_MAX * LINE_BYTES)

static enum status refuse(enum status st, const char *path, const char *why)
{
	char quoted[LOG_QUOTED_BYTES];

	log_error(NULL, "master_key_unusable",
	    "path=%s status=%s why=\"%s\" hint=\"keepsakectl keys make, or "
	    "put the file back from its copy\"",
	    log_quoted(quoted, path), status_word(st), why);
	return st;
}

static void path_of(char out[static SETTINGS_PATH_BYTES],
    const struct conf *conf, const char *service)
{
	settings_key_path(conf, service, ".master", out);
}

static enum status parse(
    struct master *out, struct slice text, const char **why_out)
{
	char line[LINE_BYTES];

	*why_out = "it is empty";
	if (text.len == 0)
		return STATUS_MALFORMED;
	while (text.len > 0) {
		*why_out = "it has more than 4 lines";
		if (out->count == MASTER_KEYS_MAX)
			return STATUS_MALFORMED;
		*why_out = "a line is not 64 hex digits";
		if (text.len < LINE_BYTES - 1 ||
		    (text.len >= LINE_BYTES &&
			text.data[LINE_BYTES - 1] != '\n'))
			return STATUS_MALFORMED;
		memcpy(line, text.data, LINE_BYTES - 1);
		line[LINE_BYTES - 1] = '\0';
		enum status st =
		    hex_decode(out->keys[out->count], KEY_BYTES, line);
		sodium_memzero(line, sizeof(line));
		if (st != STATUS_OK)
			return st;
		out->count++;
		size_t used = text.len < LINE_BYTES ? text.len : LINE_BYTES;
		text = slice_of(text.data + used, text.len - used);
	}
	return STATUS_OK;
}

enum status master_read(
    struct master **out, const struct conf *conf, const char *service)
{
	char path[SETTINGS_PATH_BYTES];
	struct bytes file = { 0 };
	const char *why = NULL;
	struct master *self = secret_new(sizeof(*self));

	*out = NULL;
	path_of(path, conf, service);
	enum status st = self ? file_read_secret(&file, path, FILE_BYTES_MAX)
			      : STATUS_NO_SPACE;
	if (st == STATUS_OK)
		st = parse(self, bytes_slice(&file), &why);
	if (st == STATUS_OK) {
		*out = self;
		self = NULL;
	} else {
		refuse(st, path, why ? why : status_text(st));
	}
	bytes_clear(&file);
	master_destroy(&self);
	return st;
}

void master_destroy(struct master **self_p)
{
	assert(self_p);
	void *secret = *self_p;

	secret_destroy(&secret, sizeof(struct master));
	*self_p = NULL;
}

void master_id(uint8_t out[static MASTER_ID_BYTES],
    const uint8_t key[static KEY_BYTES], const char *service)
{
	uint8_t derived[KEY_BYTES];

	key_derive(derived, key, "keepsake master id", slice_text(service));
	memcpy(out, derived, MASTER_ID_BYTES);
	sodium_memzero(derived, sizeof(derived));
}
/* The text of the first ${count} keys. */
static size_t format(char text[static FILE_BYTES_MAX + 1],
    const struct master *self, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		hex_encode(
		    text + i * LINE_BYTES, slice_of(self->keys[i], KEY_BYTES));
		text[(i + 1) * LINE_BYTES - 1] = '\n';
	}
	return count * LINE_BYTES;
}

enum status master_make(const struct conf *conf, const char *service)
{
	char path[SETTINGS_PATH_BYTES], text[FILE_BYTES_MAX + 1];
	struct master *self = secret_new(sizeof(*self));

	if (!self)
		return STATUS_NO_SPACE;
	randombytes_buf(self->keys[0], KEY_BYTES);
	path_of(path, conf, service);
	enum status made =
	    file_create(path, slice_of(text, format(text, self, 1)), 0600);
	enum status st = made;
	master_destroy(&self);
	if (made == STATUS_CONFLICT)
		st = master_read(&self, conf, service);
	master_destroy(&self);
	sodium_memzero(text, sizeof(text));
	return st == STATUS_OK ? made : st;
}

static enum status replace(const struct conf *conf, const char *service,
    const struct master *self, size_t count)
{
	char path[SETTINGS_PATH_BYTES], text[FILE_BYTES_MAX + 1];

	path_of(path, conf, service);
	enum status st =
	    file_replace(path, slice_of(text, format(text, self, count)), 0600);
	sodium_memzero(text, sizeof(text));
	return st;
}

enum status master_renew(const struct conf *conf, const char *service)
{
	struct master *self = NULL;

	enum status st = master_read(&self, conf, service);
	if (st != STATUS_OK)
		return st;
	if (self->count > 1) {
		st = STATUS_CONFLICT;
	} else {
		memcpy(self->keys[1], self->keys[0], KEY_BYTES);
		randombytes_buf(self->keys[0], KEY_BYTES);
		st = replace(conf, service, self, 2);
	}
	master_destroy(&self);
	return st;
}

enum status master_settle(const struct conf *conf, const char *service)
{
	struct master *self = NULL;

	enum status st = master_read(&self, conf, service);
	if (st == STATUS_OK && self->count > 1)
		st = replace(conf, service, self, 1);
	master_destroy(&self);
	return st;
}

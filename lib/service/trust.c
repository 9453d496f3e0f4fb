#include "service/trust.h"

#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "service/settings.h"

#define SEED_FILE_BYTES_MAX (HEX_BYTES(AUTH_SEED_BYTES) + 2)

static enum status refuse(enum status st, const char *path, const char *why)
{
	char quoted[LOG_QUOTED_BYTES];

	log_error(NULL, "auth_keys_unusable",
	    "path=%s status=%s why=\"%s\" hint=\"keepsakectl keys make\"",
	    log_quoted(quoted, path), status_word(st), why);
	return st;
}

enum status trust_read(struct auth_public *out, const struct conf *conf)
{
	char path[SETTINGS_PATH_BYTES];
	struct bytes file = { 0 };
	const char *why = "cannot be read";

	settings_key_path(conf, "auth", ".trust", path);
	enum status st = file_read(&file, path, AUTH_PUBLIC_TEXT_BYTES);
	if (st == STATUS_OK)
		st = bytes_append(&file, slice_of("", 1));
	if (st == STATUS_OK)
		st = auth_public_parse(out, (const char *)file.data, &why);
	bytes_clear(&file);
	return st == STATUS_OK ? st : refuse(st, path, why);
}

static enum status seed_parse(
    uint8_t seed[static AUTH_SEED_BYTES], struct bytes *file)
{
	while (file->len > 0 && file->data[file->len - 1] == '\n')
		file->len--;
	enum status st = bytes_append(file, slice_of("", 1));
	if (st != STATUS_OK)
		return st;
	return hex_decode(seed, AUTH_SEED_BYTES, (const char *)file->data);
}

static enum status seed_read(
    uint8_t seed[static AUTH_SEED_BYTES], const struct conf *conf)
{
	char path[SETTINGS_PATH_BYTES];
	struct bytes file = { 0 };

	settings_key_path(conf, "auth", ".seed", path);
	enum status st = file_read_secret(&file, path, SEED_FILE_BYTES_MAX);
	if (st == STATUS_OK)
		st = seed_parse(seed, &file);
	bytes_clear(&file);
	return st == STATUS_OK ? st : refuse(st, path, status_text(st));
}

enum status trust_keys(struct auth_keys **out, const struct conf *conf)
{
	uint8_t seed[AUTH_SEED_BYTES];

	enum status st = seed_read(seed, conf);
	if (st == STATUS_OK)
		st = auth_keys_new(out, seed);
	sodium_memzero(seed, sizeof(seed));
	return st;
}

static enum status write_trust(
    const struct conf *conf, const uint8_t seed[static AUTH_SEED_BYTES])
{
	char path[SETTINGS_PATH_BYTES], text[AUTH_PUBLIC_TEXT_BYTES];
	struct auth_keys *keys = NULL;
	struct auth_public trusted;

	enum status st = auth_keys_new(&keys, seed);
	if (st != STATUS_OK)
		return st;
	auth_keys_public(&trusted, keys);
	auth_keys_destroy(&keys);
	auth_public_format(text, &trusted);
	settings_key_path(conf, "auth", ".trust", path);
	return file_replace(path, slice_text(text), 0644);
}

/* Public halves without a seed: auth runs on another machine. */
static bool trust_is_elsewheres(const struct conf *conf)
{
	char path[SETTINGS_PATH_BYTES];

	settings_key_path(conf, "auth", ".seed", path);
	if (access(path, F_OK) == 0)
		return false;
	settings_key_path(conf, "auth", ".trust", path);
	return access(path, F_OK) == 0;
}

enum status trust_make(const struct conf *conf)
{
	char path[SETTINGS_PATH_BYTES], text[HEX_BYTES(AUTH_SEED_BYTES) + 1];
	uint8_t seed[AUTH_SEED_BYTES];

	if (trust_is_elsewheres(conf))
		return STATUS_CONFLICT;
	randombytes_buf(seed, sizeof(seed));
	hex_encode(text, slice_of(seed, sizeof(seed)));
	text[sizeof(text) - 2] = '\n';
	text[sizeof(text) - 1] = '\0';
	settings_key_path(conf, "auth", ".seed", path);
	enum status made = file_create(path, slice_text(text), 0600);
	enum status st = made;
	if (made == STATUS_CONFLICT)
		st = seed_read(seed, conf);
	if (st == STATUS_OK)
		st = write_trust(conf, seed);
	sodium_memzero(seed, sizeof(seed));
	sodium_memzero(text, sizeof(text));
	return st == STATUS_OK ? made : st;
}

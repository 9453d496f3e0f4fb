#include "tool_lock.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define FILE_NAME "tool-password"
#define FILE_MODE 0600

/* As for the account's password: guessing here is no cheaper. */
#define PASSES 3
#define BYTES  (64u * 1024 * 1024)

/* What the file holds: the hash with its NUL, and zeros behind it. */
struct verifier {
	char text[crypto_pwhash_STRBYTES];
};

/* One line that looks like a hash of libsodium's; else MALFORMED. */
static enum status verifier_parse(struct verifier *out, struct slice line)
{
	memset(out, 0, sizeof(*out));
	if (line.len < 2 || line.len > sizeof(out->text) ||
	    line.data[line.len - 1] != '\n')
		return STATUS_MALFORMED;
	memcpy(out->text, line.data, line.len - 1);
	if (strlen(out->text) != line.len - 1 ||
	    crypto_pwhash_str_needs_rehash(out->text, PASSES, BYTES) < 0)
		return STATUS_MALFORMED;
	return STATUS_OK;
}

static enum status verifier_read(
    const struct state *state, struct verifier *out)
{
	char path[PATH_MAX];
	struct bytes line = { 0 };

	if (!state_path(state, FILE_NAME, path))
		return STATUS_DENIED;
	enum status st = file_read_secret(&line, path, sizeof(out->text));
	if (st == STATUS_TOO_LARGE)
		st = STATUS_MALFORMED;
	if (st == STATUS_OK)
		st = verifier_parse(out, bytes_slice(&line));
	bytes_clear(&line);
	return st;
}

enum status tool_lock_state(const struct state *state)
{
	struct verifier verifier;

	enum status st = verifier_read(state, &verifier);
	sodium_memzero(&verifier, sizeof(verifier));
	return st;
}

enum status tool_lock_set(const struct state *state, struct slice password)
{
	char path[PATH_MAX], line[crypto_pwhash_STRBYTES + 1];
	struct verifier verifier;

	if (!state_path(state, FILE_NAME, path))
		return STATUS_DENIED;
	if (crypto_pwhash_str(verifier.text, (const char *)password.data,
		password.len, PASSES, BYTES) != 0)
		return STATUS_NO_SPACE;
	snprintf(line, sizeof(line), "%s\n", verifier.text);
	enum status st = file_replace(path, slice_text(line), FILE_MODE);
	sodium_memzero(&verifier, sizeof(verifier));
	sodium_memzero(line, sizeof(line));
	return st;
}

enum status tool_lock_check(const struct state *state, struct slice password)
{
	struct verifier verifier;

	enum status st = verifier_read(state, &verifier);
	if (st == STATUS_OK &&
	    crypto_pwhash_str_verify(
		verifier.text, (const char *)password.data, password.len) != 0)
		st = STATUS_DENIED;
	sodium_memzero(&verifier, sizeof(verifier));
	return st;
}

enum status tool_lock_clear(const struct state *state)
{
	char path[PATH_MAX];

	if (!state_path(state, FILE_NAME, path))
		return STATUS_DENIED;
	if (unlink(path) != 0 && errno != ENOENT)
		return STATUS_DENIED;
	return file_sync_folder(path);
}

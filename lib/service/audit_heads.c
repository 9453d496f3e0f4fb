#include "service/audit_heads.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "crypto/arena.h"
#include "service/settings.h"

#define KEY_FILE_BYTES_MAX (HEX_BYTES(AUDIT_SIGN_SEED_BYTES) + 2)

_Static_assert(
    AUDIT_SIGN_SEED_BYTES == AUDIT_SIGN_PUBLIC_BYTES, "one length of file");

static enum status refuse(enum status st, const char *path)
{
	char quoted[LOG_QUOTED_BYTES];

	log_error(NULL, "audit_key_unusable",
	    "path=%s status=%s hint=\"keepsakectl keys make\"",
	    log_quoted(quoted, path), status_word(st));
	return st;
}

/* A line of hex; ${file} is what was read, and its end goes. */
static enum status parse_key(
    uint8_t out[static AUDIT_SIGN_SEED_BYTES], struct bytes *file)
{
	while (file->len > 0 && file->data[file->len - 1] == '\n')
		file->len--;
	enum status st = bytes_append(file, slice_of("", 1));
	if (st != STATUS_OK)
		return st;
	return hex_decode(out, AUDIT_SIGN_SEED_BYTES, (const char *)file->data);
}

static void format_key(char out[static HEX_BYTES(AUDIT_SIGN_SEED_BYTES) + 1],
    const uint8_t key[static AUDIT_SIGN_SEED_BYTES])
{
	hex_encode(out, slice_of(key, AUDIT_SIGN_SEED_BYTES));
	memcpy(out + HEX_BYTES(AUDIT_SIGN_SEED_BYTES) - 1, "\n", 2);
}

static enum status read_seed(
    uint8_t seed[static AUDIT_SIGN_SEED_BYTES], const char *path)
{
	struct bytes file = { 0 };
	enum status st = file_read_secret(&file, path, KEY_FILE_BYTES_MAX);

	if (st == STATUS_OK)
		st = parse_key(seed, &file);
	bytes_clear(&file);
	return st == STATUS_OK ? st : refuse(st, path);
}

enum status audit_signer_new(
    struct audit_signer **out, const struct conf *conf, const char *service)
{
	char path[SETTINGS_PATH_BYTES];
	uint8_t seed[AUDIT_SIGN_SEED_BYTES];

	settings_key_path(conf, service, ".audit", path);
	enum status st = read_seed(seed, path);
	if (st == STATUS_OK) {
		*out = secret_new(sizeof(**out));
		if (*out)
			crypto_sign_seed_keypair(
			    (*out)->public, (*out)->secret, seed);
		else
			st = STATUS_NO_SPACE;
	}
	sodium_memzero(seed, sizeof(seed));
	return st;
}

void audit_signer_destroy(struct audit_signer **self_p)
{
	void *secret = *self_p;

	secret_destroy(&secret, sizeof(struct audit_signer));
	*self_p = NULL;
}

static enum status write_public(const struct conf *conf, const char *service,
    const uint8_t seed[static AUDIT_SIGN_SEED_BYTES])
{
	char path[SETTINGS_PATH_BYTES];
	char text[HEX_BYTES(AUDIT_SIGN_PUBLIC_BYTES) + 1];
	uint8_t public[AUDIT_SIGN_PUBLIC_BYTES];
	uint8_t secret[AUDIT_SIGN_SECRET_BYTES];

	crypto_sign_seed_keypair(public, secret, seed);
	sodium_memzero(secret, sizeof(secret));
	format_key(text, public);
	settings_key_path(conf, service, ".audit.public", path);
	return file_replace(path, slice_text(text), 0644);
}

enum status audit_signer_make(const struct conf *conf, const char *service)
{
	char path[SETTINGS_PATH_BYTES], public[SETTINGS_PATH_BYTES];
	char text[HEX_BYTES(AUDIT_SIGN_SEED_BYTES) + 1];
	uint8_t seed[AUDIT_SIGN_SEED_BYTES];

	settings_key_path(conf, service, ".audit", path);
	settings_key_path(conf, service, ".audit.public", public);
	if (access(path, F_OK) != 0 && access(public, F_OK) == 0)
		return STATUS_CONFLICT; /* it runs on another machine */
	randombytes_buf(seed, sizeof(seed));
	format_key(text, seed);
	enum status made = file_create(path, slice_text(text), 0600);
	enum status st = made;
	if (made == STATUS_CONFLICT)
		st = read_seed(seed, path);
	if (st == STATUS_OK)
		st = write_public(conf, service, seed);
	sodium_memzero(seed, sizeof(seed));
	sodium_memzero(text, sizeof(text));
	return st == STATUS_OK ? made : st;
}

enum status audit_public_read(
    uint8_t out[static AUDIT_SIGN_PUBLIC_BYTES], const char *path)
{
	struct bytes file = { 0 };
	enum status st = file_read(&file, path, KEY_FILE_BYTES_MAX);

	if (st == STATUS_OK)
		st = parse_key(out, &file);
	bytes_clear(&file);
	return st;
}

/* ---- the file ---- */

void audit_heads_path(char out[static AUDIT_PATH_BYTES],
    const struct conf *conf, const char *service)
{
	const char *given = conf_text(conf, service, "audit_heads");

	if (*given != '\0')
		snprintf(out, AUDIT_PATH_BYTES, "%s", given);
	else
		snprintf(out, AUDIT_PATH_BYTES, "%s/audit.heads",
		    conf_text(conf, service, "ledger"));
}

/* How the file ends: with ${line} already, or within a line. */
struct end {
	bool has_line, is_cut;
};

static bool read_end(int fd, const char *line, struct end *out)
{
	char tail[AUDIT_HEAD_TEXT_BYTES + 1];
	size_t len = strlen(line) + 1;
	off_t size = lseek(fd, 0, SEEK_END);

	*out = (struct end){ 0 };
	if (size <= 0)
		return size == 0;
	if ((size_t)size < len)
		len = (size_t)size;
	if (pread(fd, tail, len, size - (off_t)len) != (ssize_t)len)
		return false;
	out->is_cut = tail[len - 1] != '\n';
	out->has_line = !out->is_cut && len == strlen(line) + 1 &&
			memcmp(tail, line, len - 1) == 0;
	return true;
}

static enum status append(int fd, const char *line)
{
	char text[AUDIT_HEAD_TEXT_BYTES + 2];
	struct end end;

	if (!read_end(fd, line, &end))
		return STATUS_DENIED;
	if (end.has_line)
		return STATUS_OK;
	int len = snprintf(
	    text, sizeof(text), "%s%s\n", end.is_cut ? "\n" : "", line);
	errno = 0;
	if (write(fd, text, (size_t)len) == len && fsync(fd) == 0)
		return STATUS_OK;
	/* A part of it, where there is no error: the disk is full. */
	return errno == 0 || errno == ENOSPC || errno == EDQUOT
		   ? STATUS_NO_SPACE
		   : STATUS_DENIED;
}

enum status audit_heads_append(const char *path, const char *line)
{
	char quoted[LOG_QUOTED_BYTES];
	enum status st = STATUS_DENIED;
	int fd = open(path,
	    O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY,
	    0644);

	if (fd >= 0)
		st = append(fd, line);
	/* Also of one that is there: who made it may have been killed. */
	if (st == STATUS_OK)
		st = file_sync_folder(path);
	if (st != STATUS_OK)
		log_error(NULL, "audit_head_not_exported", "path=%s why=\"%s\"",
		    log_quoted(quoted, path),
		    errno ? strerror(errno) : "the disk is full");
	if (fd >= 0)
		close(fd);
	return st;
}

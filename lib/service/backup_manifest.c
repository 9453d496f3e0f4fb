#include "service/backup_manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/util.h"

#define FIRST_WORDS "keepsake backup "
#define VERSION     1
#define READ_BYTES  (256u * 1024)
#define PATH_BYTES  4096
#define HASH_HEX    (2 * BACKUP_HASH_BYTES + 1)

static const char *const file_names[BACKUP_FILES_MAX] = { BACKUP_DATABASE,
	BACKUP_KEYS, BACKUP_JOURNAL };

bool backup_name_ok(const char *name)
{
	static const char allowed[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789._-";
	size_t len = strlen(name);

	return len >= 1 && len <= BACKUP_NAME_BYTES_MAX && name[0] != '.' &&
	       strspn(name, allowed) == len;
}

/* ---- writing ---- */

static void hex(char out[static HASH_HEX], const uint8_t *hash)
{
	sodium_bin2hex(out, HASH_HEX, hash, BACKUP_HASH_BYTES);
}

enum status backup_manifest_write(
    struct bytes *out, const struct backup_manifest *from)
{
	char text[BACKUP_MANIFEST_BYTES_MAX], digits[HASH_HEX];
	char set[2 * ID_BYTES + 1], ledger[2 * ID_BYTES + 1];
	uint8_t end[BACKUP_HASH_BYTES];
	const struct db_copied *database = &from->database;

	sodium_bin2hex(set, sizeof(set), from->set.bytes, ID_BYTES);
	sodium_bin2hex(ledger, sizeof(ledger), from->ledger.bytes, ID_BYTES);
	int len = snprintf(text, sizeof(text),
	    FIRST_WORDS
	    "%d\n"
	    "service %s\nset %s\nledger %s\nversion %s\nformat %" PRIu32
	    "\npoint %" PRIu64 "\ntransaction %" PRIu64 "\naccounts %" PRIu64
	    "\nrows %" PRIu64 "\nblobs %" PRIu64 "\nnames %" PRIu64 "\n",
	    VERSION, from->service, set, ledger, from->version,
	    database->format, database->point_ms, database->transaction,
	    database->accounts, database->rows, database->blobs,
	    database->names);
	for (size_t i = 0; i < from->files_count; i++) {
		hex(digits, from->files[i].hash);
		len += snprintf(text + len, sizeof(text) - (size_t)len,
		    "file %s %" PRIu64 " %s\n", from->files[i].name,
		    from->files[i].bytes, digits);
	}
	crypto_generichash(end, sizeof(end), (const uint8_t *)text,
	    (unsigned long long)len, NULL, 0);
	hex(digits, end);
	len += snprintf(
	    text + len, sizeof(text) - (size_t)len, "end %s\n", digits);
	return bytes_append(out, slice_of(text, (size_t)len));
}

/* ---- reading ---- */

/* What is left of the text; a line is cut off at a time. */
struct reader {
	char *at;
	bool failed;
};

/* The rest of the next line, which must begin with ${word}; "" where not. */
static char *take(struct reader *self, const char *word)
{
	char *line = self->at, *end = strchr(line, '\n');
	size_t len = strlen(word);

	if (self->failed || !end || strncmp(line, word, len) != 0 ||
	    line[len] != ' ') {
		self->failed = true;
		return self->at + strlen(self->at);
	}
	*end = '\0';
	self->at = end + 1;
	return line + len + 1;
}

static uint64_t number_from(struct reader *self, const char *text)
{
	char *end = NULL;

	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || errno != 0 || *end != '\0')
		self->failed = true;
	return self->failed ? 0 : number;
}

static uint64_t take_number(struct reader *self, const char *word)
{
	return number_from(self, take(self, word));
}

static void take_word(
    struct reader *self, const char *word, char out[static BACKUP_WORD_BYTES])
{
	const char *text = take(self, word);

	if (*text == '\0' || strlen(text) >= BACKUP_WORD_BYTES ||
	    strpbrk(text, " \t\"/"))
		self->failed = true;
	else
		memcpy(out, text, strlen(text) + 1);
}

static void from_hex(
    struct reader *self, uint8_t *out, size_t len, const char *text)
{
	size_t got = 0;

	if (strlen(text) != 2 * len ||
	    sodium_hex2bin(out, len, text, 2 * len, NULL, &got, NULL) != 0 ||
	    got != len)
		self->failed = true;
}

static void take_file(struct reader *self, struct backup_manifest *out)
{
	char *name = take(self, "file"), *rest = NULL, *digits = NULL;
	struct backup_file *file = &out->files[out->files_count];

	if (!self->failed && (rest = strchr(name, ' ')))
		digits = strchr(rest + 1, ' ');
	if (!digits) {
		self->failed = true;
		return;
	}
	*rest++ = *digits++ = '\0';
	file->name = NULL;
	for (size_t i = 0; i < nitems(file_names); i++)
		if (strcmp(name, file_names[i]) == 0 &&
		    !backup_manifest_file(out, file_names[i]))
			file->name = file_names[i];
	if (!file->name)
		self->failed = true;
	file->bytes = number_from(self, rest);
	from_hex(self, file->hash, sizeof(file->hash), digits);
	if (!self->failed)
		out->files_count++;
}

static void read_lines(struct backup_manifest *out, struct reader *self)
{
	struct db_copied *database = &out->database;

	take_word(self, "service", out->service);
	from_hex(self, out->set.bytes, ID_BYTES, take(self, "set"));
	from_hex(self, out->ledger.bytes, ID_BYTES, take(self, "ledger"));
	take_word(self, "version", out->version);
	uint64_t format = take_number(self, "format");
	if (format == 0 || format > UINT32_MAX)
		self->failed = true;
	database->format = (uint32_t)format;
	database->point_ms = take_number(self, "point");
	database->transaction = take_number(self, "transaction");
	database->accounts = take_number(self, "accounts");
	database->rows = take_number(self, "rows");
	database->blobs = take_number(self, "blobs");
	database->names = take_number(self, "names");
	while (!self->failed && strncmp(self->at, "file ", 5) == 0 &&
	       out->files_count < nitems(out->files))
		take_file(self, out);
	if (!backup_manifest_file(out, BACKUP_DATABASE))
		self->failed = true;
}

enum status backup_manifest_read(
    struct backup_manifest *out, struct slice text, const char **why_out)
{
	char copy[BACKUP_MANIFEST_BYTES_MAX + 1];
	uint8_t sum[BACKUP_HASH_BYTES], end[BACKUP_HASH_BYTES];
	struct reader reader = { .at = copy };

	*out = (struct backup_manifest){ 0 };
	*why_out = "its manifest is none";
	if (text.len == 0 || text.len > BACKUP_MANIFEST_BYTES_MAX ||
	    memchr(text.data, '\0', text.len))
		return STATUS_MALFORMED;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	if (strncmp(copy, FIRST_WORDS, strlen(FIRST_WORDS)) != 0)
		return STATUS_MALFORMED;
	uint64_t version = take_number(&reader, "keepsake backup");
	if (!reader.failed && version > VERSION) {
		*why_out = "a newer program has made it";
		return STATUS_VERSION;
	}
	read_lines(out, &reader);
	size_t summed = (size_t)(reader.at - copy);
	from_hex(&reader, end, sizeof(end), take(&reader, "end"));
	if (reader.failed || version != VERSION || *reader.at != '\0') {
		*why_out = "its manifest is damaged, or cut short";
		return STATUS_MALFORMED;
	}
	crypto_generichash(sum, sizeof(sum), text.data, summed, NULL, 0);
	if (memcmp(sum, end, sizeof(sum)) != 0) {
		*why_out = "its manifest was changed";
		return STATUS_MALFORMED;
	}
	return STATUS_OK;
}

const struct backup_file *backup_manifest_file(
    const struct backup_manifest *self, const char *name)
{
	for (size_t i = 0; i < self->files_count; i++)
		if (strcmp(self->files[i].name, name) == 0)
			return &self->files[i];
	return NULL;
}

enum status backup_manifest_load(
    struct backup_manifest *out, const char *folder, const char **why_out)
{
	char path[PATH_BYTES];
	struct bytes text = { 0 };

	snprintf(path, sizeof(path), "%s/" BACKUP_MANIFEST, folder);
	enum status st = file_read(&text, path, BACKUP_MANIFEST_BYTES_MAX);
	if (st == STATUS_NOT_FOUND)
		*why_out = "it has no manifest: no backup, or cut short";
	else if (st != STATUS_OK)
		*why_out = "its manifest cannot be read";
	else
		st = backup_manifest_read(out, bytes_slice(&text), why_out);
	bytes_clear(&text);
	return st;
}

/* ---- the files ---- */

enum status backup_file_hash(struct backup_file *out, const char *path)
{
	crypto_generichash_state state;
	char quoted[LOG_QUOTED_BYTES];
	enum status st = STATUS_UNAVAILABLE;
	ssize_t got = -1;
	uint8_t *buffer = malloc(READ_BYTES);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	out->bytes = 0;
	if (fd < 0 && errno == ENOENT) {
		st = STATUS_NOT_FOUND;
		goto out;
	}
	crypto_generichash_init(&state, NULL, 0, BACKUP_HASH_BYTES);
	while (fd >= 0 && buffer && (got = read(fd, buffer, READ_BYTES)) > 0) {
		crypto_generichash_update(
		    &state, buffer, (unsigned long long)got);
		out->bytes += (uint64_t)got;
	}
	if (got == 0) {
		crypto_generichash_final(&state, out->hash, BACKUP_HASH_BYTES);
		st = STATUS_OK;
	} else {
		log_error(NULL, "backup_unreadable", "path=%s error=\"%s\"",
		    log_quoted(quoted, path), strerror(errno));
	}
out:
	if (fd >= 0)
		close(fd);
	free(buffer);
	return st;
}

enum status backup_files_check(const struct backup_manifest *self,
    const char *folder, const char **why_out)
{
	char path[PATH_BYTES];
	struct backup_file found;

	for (size_t i = 0; i < self->files_count; i++) {
		const struct backup_file *file = &self->files[i];
		snprintf(path, sizeof(path), "%s/%s", folder, file->name);
		enum status st = backup_file_hash(&found, path);
		*why_out = "one of its files cannot be read";
		if (st == STATUS_NOT_FOUND) {
			*why_out = "one of its files is missing";
			return STATUS_MALFORMED;
		}
		if (st != STATUS_OK)
			return st;
		*why_out = "one of its files is not as it was written";
		if (found.bytes != file->bytes ||
		    memcmp(found.hash, file->hash, BACKUP_HASH_BYTES) != 0)
			return STATUS_MALFORMED;
	}
	return STATUS_OK;
}

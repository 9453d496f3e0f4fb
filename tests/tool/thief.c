/*
 * thief --state DIR ticket
 * thief --state DIR open
 *
 * What somebody has who copied the state folder of a terminal with a
 * standing grant, key folder and all.
 *
 * ticket  prove the grant for upload; print the ticket as hex
 * open    prove it, get all that the server hands out for that, and try
 *         every secret that is in a file of the folder in every place where
 *         a key belongs; print "secrets S snapshots N opened K", and the
 *         number of each snapshot that opened
 *
 * Exit status: 0 printed, 1 no ticket, 2 wrong arguments.
 */
#include <ctype.h>
#include <dirent.h>
#include <err.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "crypto/arena.h"
#include "fetch.h"
#include "keepsake_internal.h"

#define SECRETS_MAX    256
#define FILE_BYTES_MAX (64 * 1024)
#define KEY_HEX        (2 * (size_t)SEAL_KEY_BYTES)

static uint8_t secrets[SECRETS_MAX][SEAL_KEY_BYTES];
static size_t secrets_count;

static void secret_add(const void *key)
{
	if (secrets_count == SECRETS_MAX)
		errx(1, "more secrets than there is room for");
	memcpy(secrets[secrets_count++], key, SEAL_KEY_BYTES);
}

/* Every run of hex that is as long as a key. */
static void scan_text(const char *text, size_t len)
{
	char hex[KEY_HEX + 1] = { 0 };
	uint8_t key[SEAL_KEY_BYTES];
	size_t run = 0;

	for (size_t i = 0; i < len; i++) {
		run = isxdigit((unsigned char)text[i]) ? run + 1 : 0;
		if (run < KEY_HEX)
			continue;
		memcpy(hex, text + i + 1 - KEY_HEX, KEY_HEX);
		if (hex_decode(key, sizeof(key), hex) == STATUS_OK)
			secret_add(key);
		run = 0;
	}
}

static void scan_file(const char *path)
{
	static char text[FILE_BYTES_MAX];
	FILE *stream = fopen(path, "rb");

	if (!stream)
		err(1, "%s", path);
	scan_text(text, fread(text, 1, sizeof(text), stream));
	fclose(stream);
}

static void scan_folder(const char *folder)
{
	char path[PATH_MAX];
	struct stat found;
	DIR *stream = opendir(folder);
	const struct dirent *entry;

	if (!stream)
		err(1, "%s", folder);
	while ((entry = readdir(stream)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (stat(path, &found) != 0)
			err(1, "%s", path);
		if (S_ISDIR(found.st_mode))
			scan_folder(path);
		else
			scan_file(path);
	}
	closedir(stream);
}

/* The account's keys with ${secret} wherever there is none, or as its root. */
static struct account_keys *pretend(
    const struct keepsake *self, const uint8_t *secret, bool as_root)
{
	struct account_keys *keys = NULL;

	if (as_root) {
		if (account_keys_new(&keys, &self->account_keys->account,
			secret) != STATUS_OK)
			errx(1, "no keys");
		return keys;
	}
	keys = secret_new(sizeof(*keys));
	if (!keys)
		errx(1, "no memory");
	*keys = *self->account_keys;
	keys->may_read = true;
	memcpy(keys->snapshot_wrap, secret, ACCOUNT_KEY_BYTES);
	memcpy(keys->private_key, secret, ACCOUNT_KEY_BYTES);
	return keys;
}

/* Whether ${secret} opens ${snapshot}, or the top of its manifest. */
static bool opens(struct keepsake *self, const struct snapshot *snapshot,
    struct slice root, const uint8_t *secret)
{
	uint8_t associated[1 + ID_BYTES + CHUNK_ID_BYTES] = { 1 };
	uint8_t *plain = malloc(root.len), key[SEAL_KEY_BYTES];
	struct summary summary;
	bool opened = summary_open(&summary, &self->account_keys->account,
			  secret, snapshot) == STATUS_OK;

	if (!plain)
		errx(1, "no memory");
	for (unsigned int as_root = 0; as_root < 2; as_root++) {
		struct account_keys *keys = pretend(self, secret, as_root);
		opened |= snapshot_key_open(key, keys, self->place,
			      bytes_slice(&snapshot->sealed_key)) == STATUS_OK;
		account_keys_destroy(&keys);
	}
	memcpy(associated + 1, self->account_keys->account.bytes, ID_BYTES);
	memcpy(associated + 1 + ID_BYTES, snapshot->root.bytes, CHUNK_ID_BYTES);
	opened |= seal_open(plain, secret, root,
		      slice_of(associated, sizeof(associated))) == STATUS_OK;
	free(plain);
	return opened;
}

static bool opens_any(struct keepsake *self, const struct snapshot *snapshot)
{
	uint8_t *sealed = NULL;
	size_t len = 0;
	bool opened = false;

	if (fetch_chunk(self->remote, &snapshot->root, &sealed, &len) !=
	    STATUS_OK)
		errx(1, "no root: %s", remote_detail(self->remote));
	for (size_t i = 0; i < secrets_count; i++)
		opened |=
		    opens(self, snapshot, slice_of(sealed, len), secrets[i]);
	free(sealed);
	return opened;
}

static void print_opened(struct keepsake *self)
{
	struct backup_lease lease;
	struct snapshot *list = NULL;
	size_t count = 0, opened = 0;
	bool *is_open = NULL;

	/* A lease lets an upload fetch what it is to refer to. */
	if (remote_backup_begin(self->remote, &lease) != STATUS_OK ||
	    remote_snapshots(self->remote, &list, &count) != STATUS_OK)
		errx(1, "%s", remote_detail(self->remote));
	is_open = calloc(count + 1, sizeof(*is_open));
	for (size_t i = 0; is_open && i < count; i++) {
		is_open[i] = opens_any(self, &list[i]);
		opened += is_open[i];
	}
	printf("secrets %zu snapshots %zu opened %zu\n", secrets_count, count,
	    opened);
	for (size_t i = 0; is_open && i < count; i++) {
		if (is_open[i])
			printf("snapshot %llu\n",
			    (unsigned long long)list[i].ordinal);
		snapshot_clear(&list[i]);
	}
	free(is_open);
	free(list);
	if (remote_backup_abandon(self->remote) != STATUS_OK)
		errx(1, "%s", remote_detail(self->remote));
}

static void print_ticket(const struct keepsake *self)
{
	char hex[HEX_BYTES(TICKET_BYTES_MAX)];

	hex_encode(hex, login_ticket(self->login));
	puts(hex);
}

static enum status ask_nobody(void *arg, enum keepsake_secret secret,
    char out[static KEEPSAKE_SECRET_BYTES], bool *typed_out)
{
	(void)arg;
	(void)secret;
	(void)typed_out;
	out[0] = '\0';
	return STATUS_AUTH_REQUIRED;
}

int main(int argc, char **argv)
{
	struct keepsake_options options = { .ask = ask_nobody };
	struct keepsake *self = NULL;
	const char *why;

	if (argc != 4 || strcmp(argv[1], "--state") != 0 ||
	    (strcmp(argv[3], "ticket") != 0 && strcmp(argv[3], "open") != 0)) {
		fprintf(stderr, "usage: thief --state DIR ticket|open\n");
		return 2;
	}
	options.state = argv[2];
	if (keepsake_library_begin() != STATUS_OK ||
	    keepsake_open(&self, &options, &why) != STATUS_OK)
		errx(1, "%s cannot be opened", argv[2]);
	call_begin(self);
	if (call_transfer_by_grant(self, DIRECTION_UPLOAD) != STATUS_OK)
		errx(1, "%s", keepsake_detail(self));
	if (strcmp(argv[3], "ticket") == 0) {
		print_ticket(self);
	} else {
		scan_folder(argv[2]);
		secret_add(self->keys->secret_key);
		print_opened(self);
	}
	keepsake_close(&self);
	keepsake_library_end();
	return 0;
}

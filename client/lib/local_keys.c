#include "local_keys.h"

#include <assert.h>
#include <dirent.h>
#include <sodium.h>
#include <string.h>

#include "key_text.h"

#define HEAD   "keepsake local key 1"
#define SUFFIX ".key"

_Static_assert(LOCAL_KEY_NAME_BYTES <= PRIVILEGED_NAME_BYTES_MAX, "a name");

#define FIELDS_COUNT 2

static void fields_of(
    struct key_field out[static FIELDS_COUNT], struct local_key *key)
{
	out[0] = (struct key_field){ "account", key->account.bytes, ID_BYTES };
	out[1] = (struct key_field){ "key", key->key, SEAL_KEY_BYTES };
}

void local_key_format(
    uint8_t out[static LOCAL_KEY_FILE_BYTES], const struct local_key *key)
{
	struct key_field fields[FIELDS_COUNT];
	struct local_key copy = *key;

	fields_of(fields, &copy);
	assert(
	    key_text_bytes(HEAD, fields, FIELDS_COUNT) == LOCAL_KEY_FILE_BYTES);
	key_text_format(out, HEAD, fields, FIELDS_COUNT);
	sodium_memzero(&copy, sizeof(copy));
}

enum status local_key_parse(struct local_key *out, struct slice text)
{
	struct key_field fields[FIELDS_COUNT];

	fields_of(fields, out);
	enum status st = key_text_parse(text, HEAD, fields, FIELDS_COUNT);
	if (st != STATUS_OK)
		sodium_memzero(out, sizeof(*out));
	return st;
}

void local_key_name(char out[static LOCAL_KEY_NAME_BYTES], const struct id *id)
{
	hex_encode(out, slice_of(id->bytes, ID_BYTES));
	memcpy(out + 2 * (size_t)ID_BYTES, SUFFIX, sizeof(SUFFIX));
}

enum status local_key_keep(
    struct privileged *place, const struct id *id, const struct local_key *key)
{
	char name[LOCAL_KEY_NAME_BYTES];
	uint8_t text[LOCAL_KEY_FILE_BYTES];

	local_key_name(name, id);
	local_key_format(text, key);
	enum status st =
	    privileged_write(place, name, slice_of(text, sizeof(text)));
	sodium_memzero(text, sizeof(text));
	return st;
}

enum status local_key_find(struct privileged *place, const struct id *id,
    const struct id *account, struct local_key *out)
{
	char name[LOCAL_KEY_NAME_BYTES];
	uint8_t text[LOCAL_KEY_FILE_BYTES];
	size_t len = 0;

	local_key_name(name, id);
	enum status st = privileged_read(place, name, text, sizeof(text), &len);
	if (st == STATUS_TOO_LARGE)
		st = STATUS_MALFORMED;
	if (st == STATUS_OK)
		st = local_key_parse(out, slice_of(text, len));
	if (st == STATUS_OK && !id_equal(&out->account, account)) {
		sodium_memzero(out, sizeof(*out));
		st = STATUS_MALFORMED;
	}
	sodium_memzero(text, sizeof(text));
	return st;
}

/* Read an id off the name of a key's file. */
static bool id_of_name(struct id *out, const char *name)
{
	char hex[HEX_BYTES(ID_BYTES)];

	if (strlen(name) != LOCAL_KEY_NAME_BYTES - 1 ||
	    strcmp(name + 2 * (size_t)ID_BYTES, SUFFIX) != 0)
		return false;
	memcpy(hex, name, 2 * (size_t)ID_BYTES);
	hex[2 * (size_t)ID_BYTES] = '\0';
	return hex_decode(out->bytes, ID_BYTES, hex) == STATUS_OK;
}

enum status local_keys_forget(
    struct privileged *place, const struct id *account)
{
	enum status st = privileged_check(place);
	const struct dirent *entry;
	struct local_key key;
	struct id id;

	if (st != STATUS_OK)
		return st == STATUS_NOT_FOUND ? STATUS_OK : st;
	DIR *folder = opendir(privileged_folder(place));
	if (!folder)
		return STATUS_DENIED;
	while (st == STATUS_OK && (entry = readdir(folder))) {
		if (!id_of_name(&id, entry->d_name) ||
		    local_key_find(place, &id, account, &key) != STATUS_OK)
			continue;
		sodium_memzero(&key, sizeof(key));
		st = privileged_remove(place, entry->d_name);
	}
	closedir(folder);
	return st;
}

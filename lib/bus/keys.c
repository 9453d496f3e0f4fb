#include "bus/keys.h"

#include <ctype.h>
#include <sodium.h>
#include <string.h>
#include <zmq.h>

#include "base/file.h"

#define KEY_FILE_BYTES_MAX 128

enum status curve_keys_make(struct curve_keys *out)
{
	if (crypto_box_keypair(out->public_key, out->secret_key) != 0)
		return STATUS_INTERNAL;
	return STATUS_OK;
}

/* Turn the text of a key file into the key. */
static enum status key_parse(
    uint8_t out[static CURVE_KEY_BYTES], const struct bytes *file)
{
	char text[CURVE_Z85_BYTES];
	size_t len = file->len;

	while (len > 0 && isspace(file->data[len - 1]))
		len--;
	/* Behind a NUL zmq_z85_decode would see nothing missing. */
	if (len != CURVE_Z85_BYTES - 1 || memchr(file->data, '\0', len))
		return STATUS_MALFORMED;
	memcpy(text, file->data, len);
	text[len] = '\0';
	const uint8_t *done = zmq_z85_decode(out, text);
	sodium_memzero(text, sizeof(text));
	return done ? STATUS_OK : STATUS_MALFORMED;
}

static enum status key_format(
    struct bytes *out, const uint8_t key[static CURVE_KEY_BYTES])
{
	enum status st = bytes_reserve(out, CURVE_Z85_BYTES);

	if (st != STATUS_OK)
		return st;
	zmq_z85_encode((char *)out->data, key, CURVE_KEY_BYTES);
	out->data[CURVE_Z85_BYTES - 1] = '\n';
	out->len = CURVE_Z85_BYTES;
	return STATUS_OK;
}

enum status curve_keys_read(struct curve_keys *out, const char *path)
{
	struct bytes file = { 0 };
	enum status st = file_read_secret(&file, path, KEY_FILE_BYTES_MAX);

	if (st == STATUS_OK)
		st = key_parse(out->secret_key, &file);
	if (st == STATUS_OK &&
	    crypto_scalarmult_base(out->public_key, out->secret_key) != 0)
		st = STATUS_MALFORMED;
	bytes_clear(&file);
	return st;
}

enum status curve_keys_write(const struct curve_keys *keys, const char *path)
{
	struct bytes file = { 0 };
	enum status st = key_format(&file, keys->secret_key);

	if (st == STATUS_OK)
		st = file_create(path, bytes_slice(&file), 0600);
	bytes_clear(&file);
	return st;
}

enum status curve_public_read(
    uint8_t out[static CURVE_KEY_BYTES], const char *path)
{
	struct bytes file = { 0 };
	enum status st = file_read(&file, path, KEY_FILE_BYTES_MAX);

	if (st == STATUS_OK)
		st = key_parse(out, &file);
	bytes_clear(&file);
	return st;
}

enum status curve_public_write(
    const uint8_t key[static CURVE_KEY_BYTES], const char *path)
{
	struct bytes file = { 0 };
	enum status st = key_format(&file, key);

	if (st == STATUS_OK)
		st = file_create(path, bytes_slice(&file), 0644);
	bytes_clear(&file);
	return st;
}

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bus/keys.h"
#include "command.h"
#include "crypto/enrolment.h"
#include "qr.h"
#include "service/settings.h"
#include "service/trust.h"

/* One gateway of the string to be. */
struct address {
	char host[ENROLMENT_HOST_BYTES_MAX + 1];
	uint16_t port;
	uint8_t key[ENROLMENT_KEY_BYTES];
};

static enum status read_key(
    const struct ops *self, const char *name, struct address *out)
{
	char path[SETTINGS_PATH_BYTES];

	settings_key_path(self->conf, name, ".public", path);
	enum status st = curve_public_read(out->key, path);
	if (st != STATUS_OK)
		fprintf(stderr,
		    "%s cannot be read: make it by keepsakectl keys make%s%s\n",
		    path, strcmp(name, "gateway") == 0 ? "" : " ",
		    strcmp(name, "gateway") == 0 ? "" : name);
	return st;
}

/* Read "host:port" or "host:port,gateway-NAME", ${len} bytes. */
static enum status read_address(
    const struct ops *self, const char *text, size_t len, struct address *out)
{
	const char *comma = memchr(text, ',', len);
	size_t place_len = comma ? (size_t)(comma - text) : len;
	char name[INSTANCE_BYTES_MAX + 1] = "gateway";

	const char *why =
	    enrolment_place_parse(out->host, &out->port, text, place_len);
	if (!why && comma) {
		size_t name_len = len - place_len - 1;
		why = "the name is not gateway-NAME";
		if (name_len < sizeof(name)) {
			memcpy(name, comma + 1, name_len);
			name[name_len] = '\0';
			if (conf_is_instance(name, "gateway"))
				why = NULL;
		}
	}
	if (why) {
		fprintf(stderr,
		    "address \"%.*s\": %s: expected HOST:PORT or "
		    "HOST:PORT,gateway-NAME\n",
		    (int)len, text, why);
		return STATUS_MALFORMED;
	}
	return read_key(self, name, out);
}

static enum status add_address(struct ops *self, const char *text, size_t len,
    struct enrolment *enrolment, size_t *count)
{
	struct address address;

	if (*count > ENROLMENT_OTHERS_MAX) {
		fprintf(stderr, "more than %d addresses\n",
		    1 + ENROLMENT_OTHERS_MAX);
		return STATUS_TOO_LARGE;
	}
	enum status st = read_address(self, text, len, &address);
	if (st != STATUS_OK)
		return st;
	if ((*count)++ == 0) {
		memcpy(enrolment->host, address.host, sizeof(address.host));
		enrolment->port = address.port;
		memcpy(
		    enrolment->gateway_key, address.key, sizeof(address.key));
		return STATUS_OK;
	}
	struct enrolment_gateway *other =
	    &enrolment->others[enrolment->others_count++];
	memcpy(other->host, address.host, sizeof(address.host));
	other->port = address.port;
	memcpy(other->key, address.key, sizeof(address.key));
	return STATUS_OK;
}

/* The string as a QR code, where it is asked for. */
static enum status show_qr(const struct ops_options *options, const char *text)
{
	enum status st = STATUS_OK;

	if (options->qr)
		st = qr_print(stdout, text, isatty(STDOUT_FILENO) == 1);
	if (st == STATUS_OK && options->qr_file)
		st = qr_write(options->qr_file, text);
	if (st == STATUS_MALFORMED)
		fprintf(stderr,
		    "--qr-file %s: a name that ends in .png or .svg is "
		    "expected\n",
		    options->qr_file);
	else if (st != STATUS_OK)
		fprintf(stderr, "--qr-file %s: %s\n",
		    options->qr_file ? options->qr_file : "-",
		    st == STATUS_CONFLICT ? "there is such a file"
					  : status_text(st));
	return st;
}

/* Those of the command line, else those of the settings. */
static enum status add_addresses(struct ops *self, struct enrolment *enrolment)
{
	const struct ops_list *given = &self->options.addresses;
	const char *at = conf_text(self->conf, "gateway", "public_address");
	enum status st = STATUS_OK;
	size_t count = 0;

	for (size_t i = 0; i < given->count && st == STATUS_OK; i++)
		st = add_address(self, given->texts[i], strlen(given->texts[i]),
		    enrolment, &count);
	if (given->count > 0)
		return st;
	while (st == STATUS_OK && *(at += strspn(at, " "))) {
		size_t len = strcspn(at, " ");
		st = add_address(self, at, len, enrolment, &count);
		at += len;
	}
	if (st == STATUS_OK && count == 0) {
		fprintf(stderr, "[gateway] public_address: got \"\", expected "
				"HOST:PORT\n");
		st = STATUS_MALFORMED;
	}
	return st;
}

void command_enrolment(struct ops *self, int argc, char **argv)
{
	struct enrolment enrolment = { 0 };
	char text[ENROLMENT_TEXT_BYTES];
	struct auth_public trusted;

	(void)argc;
	(void)argv;
	self->exit_code = EXIT_FAILED;
	if (trust_read(&trusted, self->conf) != STATUS_OK ||
	    add_addresses(self, &enrolment) != STATUS_OK)
		return; /* it has said why */
	memcpy(enrolment.auth_x25519, trusted.x25519, ENROLMENT_KEY_BYTES);
	memcpy(enrolment.auth_opaque, trusted.opaque, ENROLMENT_KEY_BYTES);
	if (enrolment_format(text, &enrolment) != STATUS_OK)
		return; /* cannot be: each address was read */
	printf("%s\n", text);
	if (show_qr(&self->options, text) == STATUS_OK)
		self->exit_code = EXIT_OK;
}

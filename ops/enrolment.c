#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "bus/keys.h"
#include "command.h"
#include "crypto/enrolment.h"
#include "qr.h"
#include "service/settings.h"
#include "service/trust.h"

/* Split "host:port" of the settings into the enrolment. */
static enum status parse_address(struct enrolment *out, const char *address)
{
	const char *colon = strrchr(address, ':');
	uint64_t port;

	if (!colon || colon == address ||
	    (size_t)(colon - address) > ENROLMENT_HOST_BYTES_MAX ||
	    text_number(&port, colon + 1, UINT16_MAX) != STATUS_OK || port == 0)
		return STATUS_MALFORMED;
	memcpy(out->host, address, (size_t)(colon - address));
	out->host[colon - address] = '\0';
	out->port = (uint16_t)port;
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

void command_enrolment(struct ops *self, int argc, char **argv)
{
	const char *address =
	    conf_text(self->conf, "gateway", "public_address");
	char path[SETTINGS_PATH_BYTES], text[ENROLMENT_TEXT_BYTES];
	struct enrolment enrolment = { 0 };
	struct auth_public trusted;

	(void)argv;
	if (argc != 0) {
		fprintf(stderr, "usage: keepsakectl enrolment\n");
		self->exit_code = EXIT_USAGE;
		return;
	}
	self->exit_code = EXIT_FAILED;
	settings_key_path(self->conf, "gateway", ".public", path);
	if (trust_read(&trusted, self->conf) != STATUS_OK)
		return; /* it has said why */
	if (curve_public_read(enrolment.gateway_key, path) != STATUS_OK) {
		fprintf(stderr,
		    "%s cannot be read: make it by keepsakectl keys make\n",
		    path);
		return;
	}
	memcpy(enrolment.auth_x25519, trusted.x25519, ENROLMENT_KEY_BYTES);
	memcpy(enrolment.auth_opaque, trusted.opaque, ENROLMENT_KEY_BYTES);
	if (parse_address(&enrolment, address) != STATUS_OK ||
	    enrolment_format(text, &enrolment) != STATUS_OK) {
		fprintf(stderr,
		    "[gateway] public_address: got \"%s\", expected "
		    "HOST:PORT\n",
		    address);
		return;
	}
	printf("%s\n", text);
	if (show_qr(&self->options, text) == STATUS_OK)
		self->exit_code = EXIT_OK;
}

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "base/util.h"
#include "bus/keys.h"
#include "command.h"
#include "crypto/enrolment.h"
#include "service/settings.h"
#include "service/trust.h"

/* Every process has a CURVE key of its own; ops is this tool. */
static const char *const holders[] = { "gateway", "auth", "store", "binding",
	"notify", "ops" };

static void print_outcome(const char *name, enum status st)
{
	if (st == STATUS_OK)
		printf("%-8s made\n", name);
	else if (st == STATUS_CONFLICT)
		printf("%-8s kept: there was one\n", name);
	else
		printf("%-8s failed: %s\n", name, status_text(st));
}

static enum status make_curve(const struct conf *conf, const char *name)
{
	char secret[SETTINGS_PATH_BYTES], public[SETTINGS_PATH_BYTES];
	struct curve_keys keys = { 0 };

	settings_key_path(conf, name, ".key", secret);
	settings_key_path(conf, name, ".public", public);
	enum status st = curve_keys_read(&keys, secret);
	if (st == STATUS_NOT_FOUND && access(public, F_OK) == 0)
		return STATUS_CONFLICT; /* it runs on another machine */
	if (st == STATUS_NOT_FOUND) {
		st = curve_keys_make(&keys);
		if (st == STATUS_OK)
			st = curve_keys_write(&keys, secret);
	}
	if (st == STATUS_OK)
		st = curve_public_write(keys.public_key, public);
	sodium_memzero(&keys, sizeof(keys));
	return st;
}

void command_keys(struct ops *self, int argc, char **argv)
{
	if (argc != 1 || strcmp(argv[0], "make") != 0) {
		fprintf(stderr, "usage: keepsakectl keys make\n");
		self->exit_code = EXIT_USAGE;
		return;
	}
	enum status st = folder_make(conf_text(self->conf, "common", "keys"));
	if (st != STATUS_OK) {
		self->exit_code = EXIT_FAILED;
		return;
	}
	for (size_t i = 0; i < nitems(holders); i++) {
		st = make_curve(self->conf, holders[i]);
		print_outcome(holders[i], st);
		if (st != STATUS_OK && st != STATUS_CONFLICT)
			self->exit_code = EXIT_FAILED;
	}
	st = trust_make(self->conf);
	print_outcome("seed", st);
	if (st != STATUS_OK && st != STATUS_CONFLICT)
		self->exit_code = EXIT_FAILED;
	if (self->exit_code == EXIT_OK)
		printf("Keep a copy of auth.seed in a safe place: without it "
		       "every account is lost.\n");
}

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
	self->exit_code = EXIT_OK;
}

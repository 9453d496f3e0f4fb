#ifndef KEEPSAKE_TESTS_LOAD_H
#define KEEPSAKE_TESTS_LOAD_H

#include <err.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/util.h"
#include "binding.pb-c.h"
#include "bus/bus.h"
#include "session.h"

/*
 * What the tools that put a server under load have in common: clocks, and
 * terminals that cost the machine little.
 *
 * Their Argon2id is replaced by a hash, so that it does not take the machine
 * from the server: auth cannot tell.
 */

#define LOAD_ARENA_BYTES (256 * 1024)
#define LOAD_WAIT_MS     60000
#define LOAD_NAME_BYTES  32

static const char load_password[] = "correct horse battery staple";

typedef int stretch_fn(unsigned char *out, unsigned long long out_len,
    const char *text, unsigned long long text_len, const unsigned char *salt,
    unsigned long long ops, size_t memory, int algorithm);

/* Stands in for libsodium's, in these tools only. */
stretch_fn crypto_pwhash;
int crypto_pwhash(unsigned char *out, unsigned long long out_len,
    const char *text, unsigned long long text_len, const unsigned char *salt,
    unsigned long long ops, size_t memory, int algorithm)
{
	(void)ops;
	(void)memory;
	(void)algorithm;
	return crypto_generichash(out, (size_t)out_len,
	    (const unsigned char *)text, text_len, salt, 16);
}

static inline uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* CPU of a process so far, all its threads. */
static inline uint64_t cpu_ns(pid_t pid)
{
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0)
		errx(1, "%d: no such process", (int)pid);
	return now_ns(clock);
}

static inline unsigned long number_from(const char *text)
{
	char *end;

	errno = 0;
	unsigned long number = strtoul(text, &end, 10);
	if (errno != 0 || *text == '\0' || *end != '\0' || number == 0)
		errx(2, "'%s' is not a number", text);
	return number;
}

static inline int compare_numbers(const void *a, const void *b)
{
	uint64_t left, right;

	memcpy(&left, a, sizeof(left));
	memcpy(&right, b, sizeof(right));
	return (left > right) - (left < right);
}

static inline uint64_t median_of(uint64_t *samples, size_t count)
{
	qsort(samples, count, sizeof(*samples), compare_numbers);
	return samples[count / 2];
}

/* ---- terminals ---- */

/** One terminal with an account of its own. */
struct load_terminal {
	struct enrolment server;
	struct curve_keys keys;
	struct session *session;
	char name[LOAD_NAME_BYTES];
};

static const struct code_factors load_code = {
	.set = CODE_PASSWORD,
	.password = { (const uint8_t *)load_password,
	    sizeof(load_password) - 1 },
};

static inline void load_check(
    struct load_terminal *self, enum status st, const char *what)
{
	if (st != STATUS_OK)
		errx(1, "%s: %s: %s", what, status_word(st),
		    session_detail(self->session));
}

static inline void load_name(char out[static LOAD_NAME_BYTES])
{
	uint8_t random[LOAD_NAME_BYTES / 2 - 1];

	randombytes_buf(random, sizeof(random));
	out[0] = 'n';
	sodium_bin2hex(out + 1, LOAD_NAME_BYTES - 1, random, sizeof(random));
}

/* Connect with a key and a name of its own. */
static inline void load_open(struct load_terminal *self, const char *enrolment)
{
	const char *why;

	load_name(self->name);
	if (enrolment_parse(&self->server, enrolment, &why) != STATUS_OK)
		errx(2, "%s", why);
	if (curve_keys_make(&self->keys) != STATUS_OK)
		errx(1, "no keys");
	const struct session_options options = {
		.enrolment = &self->server,
		.keys = &self->keys,
		.timeout_ms = LOAD_WAIT_MS,
	};
	if (session_new(&self->session, &options) != STATUS_OK)
		errx(1, "no session");
}

static inline void load_register(struct load_terminal *self)
{
	struct id account;

	load_check(self,
	    session_register(self->session, self->name, &load_code, &account),
	    "register");
}

/* Prove the password; the login is the caller's. */
static inline struct login *load_login(
    struct load_terminal *self, enum direction direction)
{
	struct login *login = NULL;

	load_check(self,
	    session_login(
		self->session, self->name, &load_code, direction, &login),
	    "login");
	return login;
}

/* With verification information, as the first binding needs. */
static inline void load_bind(struct load_terminal *self)
{
	Binding__Bind message = BINDING__BIND__INIT;
	struct login *login = load_login(self, DIRECTION_ENROL);
	Binding__Bound *bound;

	load_check(self,
	    session_set_verification(
		self->session, login, slice_text(load_password)),
	    "verification");
	message.serial = self->name;
	load_check(self,
	    session_ask(self->session, BINDING__TYPE__BIND, login_ticket(login),
		&message.base, &binding__bound__descriptor, &bound),
	    "bind");
	login_destroy(&login);
}

static inline void load_close(struct load_terminal *self)
{
	session_destroy(&self->session);
	sodium_memzero(&self->keys, sizeof(self->keys));
}

/* ---- a server that is no Keepsake ---- */

/* Its key pair, the same in every process. */
static inline struct curve_keys bare_keys(void)
{
	static const uint8_t seed[crypto_box_SEEDBYTES] = { 1 };
	struct curve_keys self;

	crypto_box_seed_keypair(self.public_key, self.secret_key, seed);
	return self;
}

/* Open a CURVE ROUTER or DEALER that is bound, with nothing of ours. */
static inline void *bare_bind(void *context, int type, const char *endpoint)
{
	struct curve_keys keys = bare_keys();
	void *socket = zmq_socket(context, type);
	int on = 1, hwm = SOCKET_HWM, backlog = 1024;

	if (!socket ||
	    zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &on, sizeof(on)) != 0 ||
	    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, keys.secret_key,
		CURVE_KEY_BYTES) != 0 ||
	    zmq_setsockopt(socket, ZMQ_SNDHWM, &hwm, sizeof(hwm)) != 0 ||
	    zmq_setsockopt(socket, ZMQ_RCVHWM, &hwm, sizeof(hwm)) != 0 ||
	    zmq_setsockopt(socket, ZMQ_BACKLOG, &backlog, sizeof(backlog)) !=
		0 ||
	    zmq_bind(socket, endpoint) != 0)
		errx(1, "%s: %s", endpoint, zmq_strerror(zmq_errno()));
	return socket;
}

#endif

#include "ask.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/unpack.h"
#include "service/settings.h"

const char *const ops_processes[OPS_PROCESSES] = { "gateway", "auth", "store",
	"binding", "notify" };

/* The links of one run of the tool, made as they are needed. */
struct asking {
	struct bus *bus;
	struct loop *loop;
	struct caller *callers[OPS_PROCESSES];
	size_t pending;       /* questions of ops_begin without an answer */
	struct unpack unpack; /* the answer that ops_ask returned last */
	char detail[DETAIL_BYTES_MAX + 1]; /* what its process said of it */
};

/* A question under way. */
struct question {
	struct asking *asking;
	answer_fn *done;
	void *arg;
};

static enum status read_keys(const struct ops *self, struct curve_keys *keys)
{
	char path[SETTINGS_PATH_BYTES];

	settings_key_path(self->conf, "ops", ".key", path);
	enum status st = curve_keys_read(keys, path);
	if (st != STATUS_OK)
		fprintf(stderr, "%s: %s: see keepsakectl keys make\n", path,
		    status_text(st));
	return st;
}

enum status ops_open(struct ops *self)
{
	struct curve_keys keys = { 0 };

	if (self->asking)
		return STATUS_OK;
	enum status st = read_keys(self, &keys);
	if (st != STATUS_OK)
		return st;
	self->asking = calloc(1, sizeof(*self->asking));
	if (self->asking) {
		unpack_begin(&self->asking->unpack);
		st = bus_new(&keys, &self->asking->bus);
		if (st == STATUS_OK)
			st = loop_new(&self->asking->loop);
	} else {
		st = STATUS_NO_SPACE;
	}
	sodium_memzero(&keys, sizeof(keys));
	if (st != STATUS_OK) {
		fprintf(stderr, "keepsakectl: %s\n", status_text(st));
		ops_hang_up(self);
	}
	return st;
}

struct bus *ops_bus(const struct ops *self)
{
	return self->asking->bus;
}

static enum status connect_to(
    const struct ops *self, const char *process, struct caller **out)
{
	const char *instance = settings_instance(self->conf, process);
	char path[SETTINGS_PATH_BYTES], endpoint[ENDPOINT_BYTES];
	uint8_t key[CURVE_KEY_BYTES];

	settings_key_path(self->conf, instance, ".public", path);
	enum status st = curve_public_read(key, path);
	if (st != STATUS_OK) {
		fprintf(stderr, "%s: %s: see keepsakectl keys make\n", path,
		    status_text(st));
		return st;
	}
	settings_endpoint(
	    self->conf, "ops", process, instance, "ops", endpoint);
	struct caller_options options = {
		.name = process,
		.endpoint = endpoint,
		.server_key = key,
		.envelope_count = 1,
	};
	return caller_new(self->asking->bus, self->asking->loop, &options, out);
}

static enum status find_caller(
    const struct ops *self, const char *process, struct caller **out)
{
	size_t index = 0;

	while (strcmp(ops_processes[index], process) != 0) {
		index++;
		assert(index < OPS_PROCESSES);
	}
	struct caller **caller = &self->asking->callers[index];
	enum status st =
	    *caller ? STATUS_OK : connect_to(self, process, caller);
	*out = *caller;
	return st;
}

static void on_answered(void *arg, const struct answer *answer)
{
	struct question *question = arg;
	struct asking *asking = question->asking;

	question->done(question->arg, answer);
	free(question);
	if (--asking->pending == 0)
		loop_stop(asking->loop);
}

enum status ops_begin(struct ops *self, const char *process, uint32_t type,
    const ProtobufCMessage *body, uint32_t deadline_ms, answer_fn *done,
    void *arg)
{
	struct header header = { .type = type, .deadline_ms = deadline_ms };
	struct question *question = NULL;
	struct caller *caller = NULL;
	struct bytes packed = { 0 };

	enum status st = ops_open(self);
	if (st == STATUS_OK)
		st = find_caller(self, process, &caller);
	if (st == STATUS_OK && body)
		st = pack_message(&packed, body);
	if (st != STATUS_OK)
		goto out;
	st = STATUS_NO_SPACE;
	question = malloc(sizeof(*question));
	if (!question)
		goto out;
	*question = (struct question){ self->asking, done, arg };
	st = caller_ask(
	    caller, &header, bytes_slice(&packed), NULL, on_answered, question);
	if (st != STATUS_OK)
		goto out;
	question = NULL; /* on_answered's */
	self->asking->pending++;
out:
	free(question);
	bytes_clear(&packed);
	return st;
}

void ops_await(struct ops *self)
{
	if (self->asking && self->asking->pending > 0)
		loop_run(self->asking->loop);
}

/* What ops_ask waits for. */
struct expected {
	struct asking *asking;
	const ProtobufCMessageDescriptor *type;
	void *out;
	enum status status;
};

static void on_expected(void *arg, const struct answer *answer)
{
	struct expected *expected = arg;
	struct asking *asking = expected->asking;

	expected->status = answer->status;
	snprintf(asking->detail, sizeof(asking->detail), "%s", answer->detail);
	if (answer->status == STATUS_OK && expected->type)
		expected->status = unpack_message(&asking->unpack,
		    expected->type, answer->body, expected->out);
}

enum status ops_ask(struct ops *self, const char *process, uint32_t type,
    const ProtobufCMessage *body, const ProtobufCMessageDescriptor *answer,
    void *answer_out)
{
	enum status st = ops_open(self);

	if (st != STATUS_OK)
		return st;
	struct expected expected = {
		.asking = self->asking,
		.type = answer,
		.out = answer_out,
	};
	unpack_end(&self->asking->unpack);
	unpack_begin(&self->asking->unpack);
	self->asking->detail[0] = '\0';
	st = ops_begin(
	    self, process, type, body, OPS_ASK_MS, on_expected, &expected);
	if (st != STATUS_OK)
		return st;
	ops_await(self);
	return expected.status;
}

static enum exit_code exit_code_of(enum status status)
{
	switch (status) {
	case STATUS_UNAVAILABLE:
	case STATUS_BUSY:
		return EXIT_SILENT;
	case STATUS_NOT_FOUND:
		return EXIT_NOT_FOUND;
	case STATUS_CONFLICT:
	case STATUS_DENIED:
	case STATUS_LOCKED:
	case STATUS_FROZEN:
	case STATUS_EXPIRED:
		return EXIT_REFUSED;
	default:
		return EXIT_FAILED;
	}
}

void ops_refused(struct ops *self, const char *process, enum status status)
{
	ops_refused_with(
	    self, process, status, self->asking ? self->asking->detail : "");
}

void ops_refused_with(struct ops *self, const char *process, enum status status,
    const char *detail)
{
	if (strcmp(detail, status_text(status)) == 0)
		detail = "";
	fprintf(stderr, "keepsakectl: %s: %s%s%s\n", process,
	    status_text(status), *detail ? ": " : "", detail);
	self->exit_code = exit_code_of(status);
}

void ops_hang_up(struct ops *self)
{
	struct asking *asking = self->asking;

	if (!asking)
		return;
	for (size_t i = 0; i < OPS_PROCESSES; i++)
		caller_destroy(&asking->callers[i]);
	loop_destroy(&asking->loop);
	bus_destroy(&asking->bus);
	unpack_end(&asking->unpack);
	free(asking);
	self->asking = NULL;
}

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/util.h"
#include "bus/unpack.h"
#include "service/audit_heads.h"
#include "service/settings.h"

/*
 * What is checked of a service, in this order:
 *
 *   1  each line of its heads file: whole, of this service, signed
 *   2  each record: that it is one, that its hash is that of its bytes, that
 *      none is missing before it, that it follows the record before it
 *   3  at each sequence that a head names: that the record there has its hash
 *   4  at the end: that the chain ends where the signed head in the journal
 *      says, and that no head is of a record further on
 */

#define HEADS_BYTES_MAX (64u * 1024 * 1024)
#define WHY_BYTES       300
#define ASK_AGAIN_MAX   10 /* while records come in */

/* A head that the chain must fit. */
struct mark {
	uint64_t sequence, when_ms;
	uint8_t hash[AUDIT_HASH_BYTES];
};

struct check {
	struct ops *ops;
	const char *service;
	uint8_t key[AUDIT_SIGN_PUBLIC_BYTES];
	char heads_path[AUDIT_PATH_BYTES];

	struct mark *marks; /* owned; by rising sequence */
	size_t marks_count, marks_capacity;
	size_t mark; /* the next one to come */
	enum status heads_read;
	size_t cut_lines;        /* of the heads file, passed over */
	struct mark signed_head; /* the newest that the service sent */

	uint64_t records;               /* so far, all of them good */
	uint8_t hash[AUDIT_HASH_BYTES]; /* of the last one */

	enum status status; /* CONFLICT: it does not fit */
	uint64_t sequence;  /* where not; 0: of no single record */
	char why[WHY_BYTES];
};

/* Note that it does not fit; returns CONFLICT. */
static enum status wrong(struct check *self, uint64_t sequence,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

static enum status wrong(
    struct check *self, uint64_t sequence, const char *format, ...)
{
	va_list args;

	self->sequence = sequence;
	va_start(args, format);
	vsnprintf(self->why, sizeof(self->why), format, args);
	va_end(args);
	return STATUS_CONFLICT;
}

/* ---- heads ---- */

static enum status add_mark(struct check *self, const struct audit_head *head)
{
	if (self->marks_count == self->marks_capacity) {
		size_t capacity = max_of(2 * self->marks_capacity, (size_t)64);
		struct mark *marks =
		    realloc(self->marks, capacity * sizeof(*marks));
		if (!marks)
			return STATUS_NO_SPACE;
		self->marks = marks;
		self->marks_capacity = capacity;
	}
	struct mark *mark = &self->marks[self->marks_count++];
	mark->sequence = head->sequence;
	mark->when_ms = head->when_ms;
	memcpy(mark->hash, head->hash, AUDIT_HASH_BYTES);
	return STATUS_OK;
}

static enum status read_line(
    struct check *self, struct slice line, size_t number)
{
	struct audit_head head;

	if (audit_head_parse(&head, line) != STATUS_OK) {
		self->cut_lines++; /* written while the power failed */
		return STATUS_OK;
	}
	if (strcmp(head.service, self->service) != 0)
		return wrong(self, 0, "line %zu of %s is a head of %s", number,
		    self->heads_path, head.service);
	if (!audit_head_signed(&head, self->key))
		return wrong(self, head.sequence,
		    "line %zu of %s is not signed with the service's key",
		    number, self->heads_path);
	return add_mark(self, &head);
}

static int compare_marks(const void *left, const void *right)
{
	const struct mark *a = left, *b = right;

	return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

static enum status read_lines(struct check *self, struct slice text)
{
	size_t number = 1;
	enum status st = STATUS_OK;

	for (; text.len > 0 && st == STATUS_OK; number++) {
		const uint8_t *end = memchr(text.data, '\n', text.len);
		size_t len = end ? (size_t)(end - text.data) : text.len;
		if (len > 0)
			st = read_line(self, slice_of(text.data, len), number);
		len += end ? 1 : 0;
		text.data += len;
		text.len -= len;
	}
	if (self->marks_count > 0)
		qsort(self->marks, self->marks_count, sizeof(*self->marks),
		    compare_marks);
	return st;
}

/* Without a heads file the chain itself is still worth a look. */
static enum status read_heads(struct check *self)
{
	struct bytes text = { 0 };
	enum status st = STATUS_OK;

	self->heads_read = file_read(&text, self->heads_path, HEADS_BYTES_MAX);
	if (self->heads_read == STATUS_OK)
		st = read_lines(self, bytes_slice(&text));
	bytes_clear(&text);
	return st;
}

/* Where heads and key are: the operator's copies, or the server's own. */
static enum status find_files(struct check *self)
{
	const char *folder = self->ops->options.heads;
	char path[AUDIT_PATH_BYTES];

	settings_key_path(
	    self->ops->conf, self->service, ".audit.public", path);
	audit_heads_path(self->heads_path, self->ops->conf, self->service);
	if (folder) {
		char copy[AUDIT_PATH_BYTES];
		snprintf(self->heads_path, sizeof(self->heads_path),
		    "%s/%s.heads", folder, self->service);
		snprintf(copy, sizeof(copy), "%s/%s.audit.public", folder,
		    self->service);
		if (access(copy, F_OK) == 0)
			memcpy(path, copy, sizeof(path));
	}
	enum status st = audit_public_read(self->key, path);
	if (st != STATUS_OK)
		return wrong(self, 0,
		    "the public key %s: %s: see keepsakectl "
		    "keys make",
		    path, status_text(st));
	return STATUS_OK;
}

/* ---- records ---- */

static enum status check_mark(struct check *self, const struct mark *mark)
{
	char when[CLOCK_TEXT_BYTES];

	if (memcmp(mark->hash, self->hash, AUDIT_HASH_BYTES) == 0)
		return STATUS_OK;
	clock_text(when, mark->when_ms);
	return wrong(self, mark->sequence,
	    "its hash is not that of the head that was signed at %s", when);
}

static enum status check_marks(struct check *self)
{
	enum status st = STATUS_OK;

	for (; self->mark < self->marks_count && st == STATUS_OK &&
	       self->marks[self->mark].sequence <= self->records;
	     self->mark++)
		st = check_mark(self, &self->marks[self->mark]);
	if (st == STATUS_OK && self->signed_head.sequence == self->records &&
	    self->records > 0)
		st = check_mark(self, &self->signed_head);
	return st;
}

/* ${record} does not follow the one before it: see whether it follows one
 * whose head was signed. */
static enum status wrong_link(
    struct check *self, const struct audit_record *record)
{
	for (size_t i = 0; i < self->marks_count; i++)
		if (self->marks[i].sequence < self->records &&
		    memcmp(self->marks[i].hash, record->previous,
			AUDIT_HASH_BYTES) == 0)
			return wrong(self, self->marks[i].sequence + 1,
			    "it was put there by somebody else: the service's "
			    "own record %" PRIu64 " follows the one before it",
			    record->sequence);
	return wrong(self, record->sequence,
	    "it does not follow the one before it: one of the two is not the "
	    "service's");
}

static enum status check_record(struct check *self, struct slice raw)
{
	static const char *const texts[STATUS_COUNT] = {
		[STATUS_MALFORMED] = "what is there is no record",
		[STATUS_DENIED] =
		    "it was changed: its hash is not that of its bytes",
		[STATUS_VERSION] = "it was written by a newer program",
	};
	uint64_t expected = self->records + 1;
	struct audit_record record;

	enum status st = audit_record_unpack(&record, raw);
	if (st != STATUS_OK)
		return wrong(self, expected, "%s", texts[st]);
	if (record.sequence > expected)
		return wrong(self, expected,
		    "it is missing: the next one there is %" PRIu64,
		    record.sequence);
	if (record.sequence < expected)
		return wrong(self, expected,
		    "what is there is a copy of %" PRIu64, record.sequence);
	if (memcmp(record.previous, self->hash, AUDIT_HASH_BYTES) != 0)
		return wrong_link(self, &record);
	self->records = expected;
	memcpy(self->hash, record.hash, AUDIT_HASH_BYTES);
	return check_marks(self);
}

/* The newest head that the service has signed, as it came with a page. */
static enum status check_signed_head(struct check *self, const char *line)
{
	struct audit_head head;

	if (*line == '\0')
		return STATUS_OK; /* there is none, or it is damaged */
	if (audit_head_parse(&head, slice_text(line)) != STATUS_OK ||
	    strcmp(head.service, self->service) != 0 ||
	    !audit_head_signed(&head, self->key))
		return wrong(self, 0,
		    "the head in the journal is not signed with the "
		    "service's key");
	self->signed_head.sequence = head.sequence;
	self->signed_head.when_ms = head.when_ms;
	memcpy(self->signed_head.hash, head.hash, AUDIT_HASH_BYTES);
	return STATUS_OK;
}

static enum status check_page(struct check *self, bool *more)
{
	Common__AuditPage *page;

	enum status st = audit_page(self->ops, self->service, self->records,
	    (struct slice){ 0 }, &page);
	if (st == STATUS_MALFORMED)
		return wrong(
		    self, self->records + 1, "what is there is no record");
	if (st != STATUS_OK)
		return st;
	st = check_signed_head(self, page->head);
	for (size_t i = 0; i < page->n_records && st == STATUS_OK; i++)
		st = check_record(self, field_slice(page->records[i]->raw));
	*more = page->more;
	return st;
}

/* Read all there is, as far as it had come when the last page was sent. */
static enum status check_pages(struct check *self)
{
	enum status st = STATUS_OK;
	bool more = true;

	while (more && st == STATUS_OK)
		st = check_page(self, &more);
	return st;
}

/*
 * The head is signed in the batch that appends, and each answer has it from
 * before its records: asked again, it is at least where the records were.
 */
static enum status check_end(struct check *self)
{
	uint64_t seen = 0;
	enum status st = STATUS_OK;

	for (int i = 0; i < ASK_AGAIN_MAX && st == STATUS_OK &&
			self->signed_head.sequence < self->records;
	     i++) {
		seen = self->records;
		st = check_pages(self);
		if (st == STATUS_OK && self->signed_head.sequence < seen)
			return wrong(self, self->signed_head.sequence + 1,
			    "it was put there by somebody else: the service "
			    "has signed as far as %" PRIu64,
			    self->signed_head.sequence);
	}
	if (st == STATUS_OK && self->signed_head.sequence > self->records)
		return wrong(self, self->records + 1,
		    "it is missing: the service has signed as far as %" PRIu64,
		    self->signed_head.sequence);
	if (st == STATUS_OK && self->mark < self->marks_count)
		return wrong(self, self->records + 1,
		    "it is missing: there is a signed head of %" PRIu64,
		    self->marks[self->marks_count - 1].sequence);
	return st;
}

static enum status check_service(struct check *self)
{
	audit_genesis(self->hash, self->service);
	enum status st = find_files(self);
	if (st == STATUS_OK)
		st = read_heads(self);
	if (st == STATUS_OK)
		st = check_pages(self);
	if (st == STATUS_OK)
		st = check_end(self);
	if (st == STATUS_OK && self->heads_read != STATUS_OK)
		return wrong(self, 0,
		    "no heads in %s: %s: a chain that was rewritten as a whole "
		    "would not be noticed",
		    self->heads_path, status_text(self->heads_read));
	return st;
}

/* ---- what comes of it ---- */

static json_t *check_json(const struct check *self)
{
	json_t *object = json_object();

	json_object_set_new(object, "status",
	    json_string(self->status == STATUS_CONFLICT
			    ? "changed"
			    : status_word(self->status)));
	json_object_set_new(
	    object, "records", json_integer((json_int_t)self->records));
	json_object_set_new(
	    object, "heads", json_integer((json_int_t)self->marks_count));
	if (self->status == STATUS_CONFLICT) {
		json_object_set_new(object, "sequence",
		    self->sequence ? json_integer((json_int_t)self->sequence)
				   : json_null());
		json_object_set_new(object, "why", json_string(self->why));
	}
	return object;
}

static void print_check(const struct check *self)
{
	if (self->status == STATUS_OK)
		printf("%s: ok, %" PRIu64 " records fit %zu heads\n",
		    self->service, self->records, self->marks_count);
	else if (self->status == STATUS_CONFLICT && self->sequence > 0)
		printf("%s: record %" PRIu64 ": %s\n", self->service,
		    self->sequence, self->why);
	else if (self->status == STATUS_CONFLICT)
		printf("%s: %s\n", self->service, self->why);
	if (self->cut_lines > 0)
		printf("%s: %zu lines of %s are cut short, and were passed "
		       "over\n",
		    self->service, self->cut_lines, self->heads_path);
}

void audit_verify(struct ops *self, const char *service)
{
	json_t *reports = json_object();
	bool changed = false;

	for (size_t i = 0; i < AUDIT_SERVICES; i++) {
		if (service && strcmp(service, audit_services[i]) != 0)
			continue;
		struct check check = { .ops = self,
			.service = audit_services[i] };
		check.status = check_service(&check);
		changed |= check.status == STATUS_CONFLICT;
		if (check.status != STATUS_OK &&
		    check.status != STATUS_CONFLICT)
			ops_refused(self, check.service, check.status);
		if (self->json)
			json_object_set_new(
			    reports, check.service, check_json(&check));
		else
			print_check(&check);
		free(check.marks);
	}
	if (changed)
		self->exit_code = EXIT_FAILED;
	if (self->json) {
		json_dumpf(reports, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
		putchar('\n');
	}
	json_decref(reports);
}

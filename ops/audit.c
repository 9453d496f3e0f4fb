#include "audit.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/util.h"
#include "bus/unpack.h"
#include "service/audit_record.h"

const char *const audit_services[AUDIT_SERVICES] = { "auth", "store", "binding",
	"notify" };

/* What is to be listed. */
struct listing {
	struct ops *ops;
	const char *service;  /* or NULL: all */
	struct slice account; /* or none */
	uint64_t since;       /* the first sequence */
	bool printed;         /* something, so far */
};

enum status audit_page(struct ops *self, const char *service, uint64_t after,
    struct slice account, Common__AuditPage **out)
{
	Common__AuditQuery query = COMMON__AUDIT_QUERY__INIT;

	query.after = after;
	query.account_id = field_of(account);
	enum status st = ops_ask(self, service, TYPE_AUDIT_READ, &query.base,
	    &common__audit_page__descriptor, out);
	if (st == STATUS_OK && (*out)->more && (*out)->last <= after)
		return STATUS_MALFORMED;
	return st;
}

static const char *hex_of(char out[static HEX_BYTES(ID_BYTES)], struct slice id)
{
	struct id copy = { 0 };

	if (id_from(&copy, id) != STATUS_OK || id_is_none(&copy))
		return NULL;
	hex_encode(out, id);
	return out;
}

static void print_people(const char *service, const Common__AuditRecord *shown,
    const struct audit_record *record)
{
	char when[CLOCK_TEXT_BYTES], hex[HEX_BYTES(ID_BYTES)];
	const struct audit_fact *fact = &record->fact;

	clock_text(when, fact->when_ms);
	printf("%s %s %" PRIu64 " %s", when, service, record->sequence,
	    fact->action);
	if (hex_of(hex, slice_of(fact->account.bytes, ID_BYTES)))
		printf(" account=%s", hex);
	if (!shown->readable) {
		printf(" (by whom cannot be read any more)\n");
		return;
	}
	printf(" by=\"%s\"", shown->actor);
	if (hex_of(hex, field_slice(shown->terminal)))
		printf(" terminal=%s", hex);
	if (*shown->detail != '\0')
		printf(" detail=\"%s\"", shown->detail);
	putchar('\n');
}

static void set_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(
	    object, key, text ? json_string(text) : json_null());
}

static void print_json(struct listing *self, const char *service,
    const Common__AuditRecord *shown, const struct audit_record *record)
{
	char when[CLOCK_TEXT_BYTES], hex[HEX_BYTES(ID_BYTES)];
	const struct audit_fact *fact = &record->fact;
	json_t *object = json_object();

	clock_text(when, fact->when_ms);
	set_text(object, "service", service);
	json_object_set_new(
	    object, "sequence", json_integer((json_int_t)record->sequence));
	set_text(object, "when", when);
	set_text(object, "action", fact->action);
	set_text(object, "account",
	    hex_of(hex, slice_of(fact->account.bytes, ID_BYTES)));
	json_object_set_new(object, "readable", json_boolean(shown->readable));
	set_text(object, "actor", shown->readable ? shown->actor : NULL);
	set_text(object, "terminal", hex_of(hex, field_slice(shown->terminal)));
	set_text(object, "detail",
	    shown->readable && *shown->detail ? shown->detail : NULL);
	printf("%s", self->printed ? ",\n" : "[\n");
	json_dumpf(object, stdout, 0);
	self->printed = true;
	json_decref(object);
}

static void print_record(
    struct listing *self, const char *service, const Common__AuditRecord *shown)
{
	struct audit_record record;

	if (audit_record_unpack(&record, field_slice(shown->raw)) !=
	    STATUS_OK) {
		fprintf(stderr,
		    "keepsakectl: %s: a record was changed: see keepsakectl "
		    "audit verify\n",
		    service);
		self->ops->exit_code = EXIT_FAILED;
	} else if (self->ops->json) {
		print_json(self, service, shown, &record);
	} else {
		print_people(service, shown, &record);
	}
}

static void list_service(struct listing *self, const char *service)
{
	uint64_t after = self->since - 1;
	Common__AuditPage *page;
	bool more = true;

	while (more) {
		enum status st =
		    audit_page(self->ops, service, after, self->account, &page);
		if (st != STATUS_OK) {
			ops_refused(self->ops, service, st);
			return;
		}
		for (size_t i = 0; i < page->n_records; i++)
			print_record(self, service, page->records[i]);
		more = page->more;
		after = page->last;
	}
}

static void list_all(struct listing *self)
{
	for (size_t i = 0; i < AUDIT_SERVICES; i++)
		if (!self->service ||
		    strcmp(self->service, audit_services[i]) == 0)
			list_service(self, audit_services[i]);
	if (self->ops->json)
		printf("%s", self->printed ? "\n]\n" : "[]\n");
}

static bool is_service(const char *name)
{
	for (size_t i = 0; i < AUDIT_SERVICES; i++)
		if (strcmp(name, audit_services[i]) == 0)
			return true;
	fprintf(stderr,
	    "keepsakectl: no audit log of \"%s\": it is auth, store, binding "
	    "or notify\n",
	    name);
	return false;
}

void command_audit(struct ops *self, int argc, char **argv)
{
	struct listing listing = { .ops = self, .since = 1 };
	const struct ops_options *given = &self->options;
	uint8_t account[ID_BYTES];
	bool verify = argc > 0 && strcmp(argv[0], "verify") == 0;

	if (verify) {
		argc--;
		argv++;
	}
	self->exit_code = EXIT_USAGE;
	if (argc > 1 || (verify && (given->account || given->since)) ||
	    (!verify && given->heads)) {
		fprintf(stderr,
		    "usage: keepsakectl audit [SERVICE] [--account ID] "
		    "[--since N]\n"
		    "       keepsakectl audit verify [SERVICE] "
		    "[--heads FOLDER]\n");
		return;
	}
	if (argc == 1 && !is_service(argv[0]))
		return;
	listing.service = argc == 1 ? argv[0] : NULL;
	if (given->account &&
	    hex_decode(account, ID_BYTES, given->account) != STATUS_OK) {
		fprintf(stderr, "keepsakectl: --account: 32 hex digits, as "
				"keepsakectl audit shows them\n");
		return;
	}
	if (given->account)
		listing.account = slice_of(account, ID_BYTES);
	if (given->since && (text_number(&listing.since, given->since,
				 UINT64_MAX) != STATUS_OK ||
				listing.since == 0)) {
		fprintf(stderr, "keepsakectl: --since: the number of a record, "
				"from 1\n");
		return;
	}
	self->exit_code = EXIT_FAILED;
	if (ops_open(self) != STATUS_OK)
		return;
	self->exit_code = EXIT_OK;
	if (verify)
		audit_verify(self, listing.service);
	else
		list_all(&listing);
}

#include <check.h>
#include <glob.h>
#include <stdlib.h>

#include "../tool/recorded.h"
#include "bus/header.h"
#include "bus/unpack.h"

/*
 * O-08: what earlier versions sent is understood by this one: every recorded
 * message has the values it had, also when there is more in it than we know,
 * and what this version packs of the same values are the same bytes.
 */

#define LINE_BYTES_MAX (5 * BODY_BYTES_MAX)
#define MESSAGES_MIN   300 /* of one version: they are all there */

static const char folders[] = "tests/vectors/messages-*";

/* One recorded message, and where it is. */
struct recorded {
	const char *path;
	size_t line;
	char name[128];
	uint8_t bytes[BODY_BYTES_MAX];
	size_t len;
	char text[LINE_BYTES_MAX]; /* its values, a line each */
};

typedef void recorded_fn(const struct recorded *one);

static struct recorded one;
static size_t met;

static void read_file(const char *path, recorded_fn *each)
{
	static char line[LINE_BYTES_MAX];
	size_t number = 0, text_len = 0;
	FILE *in = fopen(path, "r");

	ck_assert_msg(in != NULL, "cannot read %s", path);
	one = (struct recorded){ .path = path };
	for (;;) {
		bool more = fgets(line, sizeof(line), in) != NULL;
		number++;
		if (more && line[0] == ' ') {
			memcpy(one.text + text_len, line, strlen(line) + 1);
			text_len += strlen(line);
			continue;
		}
		if (one.line > 0)
			each(&one);
		if (!more)
			break;
		one.line = 0;
		if (strncmp(line, "wire ", 5) == 0)
			continue;
		char *rest = NULL, *word = strtok_r(line, " \n", &rest);
		char *name = strtok_r(NULL, " \n", &rest);
		char *hex = strtok_r(NULL, " \n", &rest);
		ck_assert_msg(hex && strcmp(word, "message") == 0,
		    "%s:%zu: not a message", path, number);
		snprintf(one.name, sizeof(one.name), "%s", name);
		ssize_t len = recorded_hex(one.bytes, sizeof(one.bytes), hex);
		ck_assert_msg(len >= 0, "%s:%zu: not hex", path, number);
		one.len = (size_t)len;
		one.line = number;
		one.text[0] = '\0';
		text_len = 0;
		met++;
	}
	fclose(in);
}

/* Every message of every version. */
static void read_all(recorded_fn *each)
{
	static const char *const files[] = { "parts", "wire" };
	glob_t found = { 0 };
	char path[4096];

	ck_assert_int_eq(glob(folders, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		met = 0;
		for (size_t k = 0; k < nitems(files); k++) {
			snprintf(path, sizeof(path), "%s/%s", found.gl_pathv[i],
			    files[k]);
			read_file(path, each);
		}
		ck_assert_uint_ge(met, MESSAGES_MIN);
	}
	globfree(&found);
}

static ProtobufCMessage *unpack(
    struct unpack *memory, const struct recorded *from, struct slice bytes)
{
	const ProtobufCMessageDescriptor *type = recorded_type(from->name);
	ProtobufCMessage *message = NULL;

	ck_assert_msg(type != NULL, "%s:%zu: there is no %s any more",
	    from->path, from->line, from->name);
	unpack_begin(memory);
	enum status st = unpack_message(memory, type, bytes, &message);
	ck_assert_msg(st == STATUS_OK, "%s:%zu: %s is refused as %s",
	    from->path, from->line, from->name, status_word(st));
	return message;
}

static void assert_values(
    const struct recorded *from, const ProtobufCMessage *message)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(to);
	recorded_text(to, message, "");
	fclose(to);
	ck_assert_msg(strcmp(text, from->text) == 0,
	    "%s:%zu: %s had the values\n%sand has now\n%s", from->path,
	    from->line, from->name, from->text, text);
	free(text);
}

static void check_values(const struct recorded *from)
{
	struct unpack memory;
	ProtobufCMessage *message =
	    unpack(&memory, from, slice_of(from->bytes, from->len));

	ck_assert_msg(message->n_unknown_fields == 0,
	    "%s:%zu: %s has fields that are not known any more", from->path,
	    from->line, from->name);
	assert_values(from, message);
	unpack_end(&memory);
}

START_TEST(values)
{
	read_all(check_values);
}
END_TEST

static void check_repacked(const struct recorded *from)
{
	struct unpack memory;
	struct bytes packed = { 0 };
	ProtobufCMessage *message =
	    unpack(&memory, from, slice_of(from->bytes, from->len));

	ck_assert_int_eq(pack_message(&packed, message), STATUS_OK);
	ck_assert_msg(
	    slice_equal(bytes_slice(&packed), slice_of(from->bytes, from->len)),
	    "%s:%zu: %s is packed in other bytes", from->path, from->line,
	    from->name);
	bytes_clear(&packed);
	unpack_end(&memory);
}

START_TEST(repacked)
{
	read_all(check_repacked);
}
END_TEST

/* Fields that a later version might add, one of each wire type: 5000 a
 * number, 5001 eight bytes, 5002 a text, 5003 four bytes. */
static const uint8_t later[] = { 0xc0, 0xb8, 0x02, 0x2a, 0xc9, 0xb8, 0x02, 1, 2,
	3, 4, 5, 6, 7, 8, 0xd2, 0xb8, 0x02, 3, 'n', 'e', 'w', 0xdd, 0xb8, 0x02,
	1, 2, 3, 4 };

static void check_later(const struct recorded *from)
{
	struct unpack memory;
	struct bytes longer = { 0 };

	ck_assert_int_eq(
	    bytes_append(&longer, slice_of(from->bytes, from->len)), STATUS_OK);
	ck_assert_int_eq(
	    bytes_append(&longer, slice_of(later, sizeof(later))), STATUS_OK);
	ProtobufCMessage *message = unpack(&memory, from, bytes_slice(&longer));
	assert_values(from, message);
	/* Who passes it on passes on what it does not know. */
	ck_assert_uint_eq(message->n_unknown_fields, 4);
	unpack_end(&memory);
	bytes_clear(&longer);
}

START_TEST(unknown_fields)
{
	read_all(check_later);
}
END_TEST

static void check_header(const struct recorded *from)
{
	/* field 64, a number, and field 127, an empty text: critical */
	static const uint8_t critical[][3] = { { 0x80, 0x04, 1 },
		{ 0xfa, 0x07, 0 } };
	struct header header;
	struct unpack memory;
	struct bytes longer = { 0 };

	if (strcmp(from->name, "common.Header") != 0)
		return;
	const Common__Header *message = (const Common__Header *)unpack(
	    &memory, from, slice_of(from->bytes, from->len));
	ck_assert_int_eq(
	    header_unpack(&header, slice_of(from->bytes, from->len)),
	    STATUS_OK);
	ck_assert_uint_eq(header.type, message->type);
	ck_assert_uint_eq(header.status, message->status);
	ck_assert_uint_eq(header.server_time_ms, message->server_time_ms);
	ck_assert(slice_equal(slice_of(header.request.bytes, ID_BYTES),
	    field_slice(message->request_id)));
	ck_assert(slice_equal(slice_of(header.ticket, header.ticket_len),
	    field_slice(message->ticket)));
	ck_assert_str_eq(header.detail, message->detail);
	unpack_end(&memory);

	for (size_t i = 0; i < nitems(critical); i++) {
		longer.len = 0;
		ck_assert_int_eq(
		    bytes_append(&longer, slice_of(from->bytes, from->len)),
		    STATUS_OK);
		ck_assert_int_eq(
		    bytes_append(&longer, slice_of(later, sizeof(later))),
		    STATUS_OK);
		if (longer.len + sizeof(critical[i]) > HEADER_BYTES_MAX)
			continue;
		ck_assert_int_eq(
		    header_unpack(&header, bytes_slice(&longer)), STATUS_OK);
		ck_assert_int_eq(
		    bytes_append(
			&longer, slice_of(critical[i], sizeof(critical[i]))),
		    STATUS_OK);
		ck_assert_int_eq(header_unpack(&header, bytes_slice(&longer)),
		    STATUS_VERSION);
	}
	bytes_clear(&longer);
}

START_TEST(headers)
{
	read_all(check_header);
}
END_TEST

/* Types of the version of which messages are here first. */
START_TEST(types)
{
	static char line[LINE_BYTES_MAX];
	char type[64];
	size_t count = 0;

	FILE *in = fopen("tests/vectors/messages-0.1.0/wire", "r");
	ck_assert_ptr_nonnull(in);
	while (fgets(line, sizeof(line), in)) {
		unsigned int number;
		char was[64];
		if (sscanf(line, "wire %63s", was) == 1)
			memcpy(type, was, sizeof(type));
		if (sscanf(line, "  type %u", &number) != 1)
			continue;
		char is[64] = "";
		recorded_type_word(number, is);
		ck_assert_str_eq(is, type);
		count++;
	}
	fclose(in);
	ck_assert_uint_ge(count, 200);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("recorded");
	TCase *tcase = tcase_create("O-08 messages of earlier versions");

	tcase_add_test(tcase, values);
	tcase_add_test(tcase, repacked);
	tcase_add_test(tcase, unknown_fields);
	tcase_add_test(tcase, headers);
	tcase_add_test(tcase, types);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/*
 * recordmessages FOLDER < LINES: choose from what wiretap.so has written
 * (tests/vectors/record/wiretap.c) a few messages of each kind, and write
 * them with their values into FOLDER, a file for each package and one for
 * whole messages.  Says on standard error which types of the protocol it has
 * not met; exit status 1 if there is one.
 */
#include <stdlib.h>

#include "recorded.h"

#define BYTES_MAX      65536
#define LINE_BYTES_MAX (5 * BYTES_MAX)
#define WORDS_MAX      5
#define OF_A_KIND_MAX  3    /* messages of one kind that are kept */
#define KEPT_MAX       4096 /* of all kinds */
#define LARGE_BYTES    3000 /* of what is larger one is enough */

static void die(const char *what)
{
	fprintf(stderr, "recordmessages: %s\n", what);
	exit(2);
}

struct kept {
	char *kind;   /* of which a few are kept */
	char *shape;  /* which fields have a value: no two are alike */
	char *hex[2]; /* message, or header and body */
	char *name;   /* of the message, or of the body */
	size_t payload_bytes;
};

static struct kept packs[KEPT_MAX], wires[KEPT_MAX];
static size_t packs_count, wires_count;

static char *copy(const char *text)
{
	char *made = strdup(text);

	if (!made)
		die("no memory");
	return made;
}

static ProtobufCMessage *unpack(const char *name, const char *hex)
{
	static uint8_t bytes[BYTES_MAX];
	const ProtobufCMessageDescriptor *type = recorded_type(name);
	ssize_t len = recorded_hex(bytes, sizeof(bytes), hex);

	if (!type || len < 0)
		return NULL;
	return protobuf_c_message_unpack(type, NULL, (size_t)len, bytes);
}

/* The text without values and numbers of entries. */
static char *shape_of(const char *text)
{
	char *out = copy(text), *to = out;
	bool value = false;

	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '\n')
			value = false;
		else if (*c == ' ' && c > text && c[-1] != '\n' && c[-1] != ' ')
			value = true;
		else if (*c >= '0' && *c <= '9')
			continue;
		if (!value)
			*to++ = *c;
	}
	*to = '\0';
	return out;
}

static char *text_of(const ProtobufCMessage *message)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	if (!to)
		die("no memory");
	recorded_text(to, message, "");
	fclose(to);
	return text;
}

/* Keep it, unless there are enough of its kind, or one that is like it. */
static void keep(struct kept *list, size_t *count, const struct kept *new)
{
	size_t of_kind = 0;

	for (size_t i = 0; i < *count; i++) {
		if (strcmp(list[i].kind, new->kind) != 0)
			continue;
		if (strcmp(list[i].shape, new->shape) == 0 ||
		    ++of_kind == OF_A_KIND_MAX ||
		    strlen(new->hex[0]) + strlen(new->hex[1]) >
			(size_t)2 * LARGE_BYTES)
			return;
	}
	if (*count == KEPT_MAX)
		die("too many kinds");
	list[(*count)++] = *new;
}

static void on_pack(const char *name, const char *hex)
{
	ProtobufCMessage *message = unpack(name, hex);

	if (!message)
		return; /* part of another, as orders are */
	char *text = text_of(message);
	keep(packs, &packs_count,
	    &(struct kept){
		.kind = copy(name),
		.shape = shape_of(text),
		.hex = { copy(hex), copy("") },
		.name = copy(name),
	    });
	free(text);
	protobuf_c_message_free_unpacked(message, NULL);
}

/* Which request an answer belongs to tells what it is. */
static struct {
	uint8_t request[16];
	char type[64];
} asked[20000];
static size_t asked_count;

static const char *type_asked(const Common__Header *header, const char *type)
{
	for (size_t i = asked_count; i > 0; i--)
		if (memcmp(asked[i - 1].request, header->request_id.data, 16) ==
		    0)
			return asked[i - 1].type;
	if (asked_count == nitems(asked))
		die("too many requests");
	memcpy(asked[asked_count].request, header->request_id.data, 16);
	snprintf(asked[asked_count++].type, sizeof(asked[0].type), "%s", type);
	return type;
}

static void on_wire(const char *from, const char *header_hex,
    const char *body_hex, size_t payload_bytes)
{
	ProtobufCMessage *message = unpack("common.Header", header_hex);
	const Common__Header *header = (const Common__Header *)message;
	char type[64], kind[256];

	if (!message || !recorded_type_word(header->type, type) ||
	    header->request_id.len != 16)
		die("a header that is none");
	const char *about = type_asked(header, type);
	if (strcmp(about, "common.REPLY") == 0)
		return; /* to a tool of the tests, which is not listened to */
	const struct recorded_bodies *bodies = recorded_bodies_of(about);
	if (!bodies)
		die("a type without a row in recorded_bodies");
	/* All answers are of one type: their bodies tell them apart. */
	bool reply = strcmp(type, "common.REPLY") == 0;
	const char *name = reply ? bodies->answer : bodies->request;
	snprintf(kind, sizeof(kind), "%s %s %s %s", type,
	    reply ? "reply" : "request", from, name);
	char *text = text_of(message), *shape = shape_of(text), all[8192];
	snprintf(all, sizeof(all), "%u %zu %s", (unsigned int)header->status,
	    strlen(body_hex) > 1 ? (size_t)1 : 0, shape);
	keep(wires, &wires_count,
	    &(struct kept){
		.kind = copy(kind),
		.shape = copy(all),
		.hex = { copy(header_hex), copy(body_hex) },
		.name = copy(name),
		.payload_bytes = payload_bytes,
	    });
	free(text);
	free(shape);
	protobuf_c_message_free_unpacked(message, NULL);
}

static int by_kind(const void *a, const void *b)
{
	const struct kept *one = a, *two = b;
	int order = strcmp(one->kind, two->kind);

	return order != 0 ? order : strcmp(one->hex[0], two->hex[0]);
}

static void write_text(FILE *out, const char *name, const char *hex)
{
	ProtobufCMessage *message = unpack(name, hex);

	if (!message)
		die("a body that is none");
	recorded_text(out, message, "");
	protobuf_c_message_free_unpacked(message, NULL);
}

static FILE *file_make(const char *folder, const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *out = fopen(path, "w");
	if (!out)
		die("cannot write there");
	return out;
}

static void write_packs(const char *folder)
{
	FILE *out = file_make(folder, "parts");

	qsort(packs, packs_count, sizeof(packs[0]), by_kind);
	for (size_t i = 0; i < packs_count; i++) {
		fprintf(out, "message %s %s\n", packs[i].name, packs[i].hex[0]);
		write_text(out, packs[i].name, packs[i].hex[0]);
	}
	fclose(out);
}

static void write_wires(const char *folder)
{
	FILE *out = file_make(folder, "wire");

	qsort(wires, wires_count, sizeof(wires[0]), by_kind);
	for (size_t i = 0; i < wires_count; i++) {
		fprintf(out, "wire %s %zu\n", wires[i].kind,
		    wires[i].payload_bytes);
		fprintf(out, "message common.Header %s\n", wires[i].hex[0]);
		write_text(out, "common.Header", wires[i].hex[0]);
		fprintf(out, "message %s %s\n", wires[i].name, wires[i].hex[1]);
		write_text(out, wires[i].name, wires[i].hex[1]);
	}
	fclose(out);
}

/* Which types were never asked, or never answered well. */
static size_t missing_types(void)
{
	size_t missing = 0;

	for (size_t e = 0; e < nitems(recorded_enums); e++) {
		for (unsigned int v = 0; v < recorded_enums[e]->n_values; v++) {
			const ProtobufCEnumValue *value =
			    &recorded_enums[e]->values[v];
			char type[64];
			bool met = false;
			if (!recorded_type_word((uint32_t)value->value, type))
				continue;
			for (size_t i = 0; i < wires_count; i++)
				met |= strncmp(wires[i].kind, type,
					   strlen(type)) == 0 &&
				       wires[i].kind[strlen(type)] == ' ';
			if (!met)
				fprintf(stderr, "not met: type %s\n", type);
			missing += !met;
		}
	}
	for (size_t t = 0; t < nitems(recorded_types); t++) {
		const char *name = recorded_types[t]->name;
		bool met = recorded_types[t]->n_fields == 0;
		for (size_t i = 0; i < packs_count; i++)
			met |= strcmp(packs[i].name, name) == 0;
		for (size_t i = 0; i < wires_count; i++)
			met |=
			    wires[i].name && strcmp(wires[i].name, name) == 0;
		if (!met)
			fprintf(stderr, "not met: message %s\n",
			    recorded_types[t]->name);
		missing += !met;
	}
	return missing;
}

/* The words of a line, cut apart; returns how many. */
static size_t words_of(char *line, char *out[static WORDS_MAX])
{
	size_t count = 0;
	char *rest = NULL;

	for (char *word = strtok_r(line, " \n", &rest);
	     word && count < WORDS_MAX; word = strtok_r(NULL, " \n", &rest))
		out[count++] = word;
	return count;
}

int main(int argc, char **argv)
{
	static char line[LINE_BYTES_MAX];
	char *words[WORDS_MAX];

	if (argc != 2) {
		fputs("usage: recordmessages FOLDER < LINES\n", stderr);
		return 2;
	}
	while (fgets(line, sizeof(line), stdin)) {
		size_t count = words_of(line, words);
		if (count == 3 && strcmp(words[0], "pack") == 0)
			on_pack(words[1], words[2]);
		else if (count == 5 && strcmp(words[0], "wire") == 0)
			on_wire(words[1], words[2], words[3],
			    strtoul(words[4], NULL, 10));
		else
			die("a line that is none");
	}
	write_packs(argv[1]);
	write_wires(argv[1]);
	return missing_types() == 0 ? 0 : 1;
}

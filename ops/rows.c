#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/util.h"

#define COLUMNS_MAX 24
#define COLUMN_GAP  2
#define NOTHING     "-"

/* ---- as JSON ---- */

static json_t *data_json(ProtobufCBinaryData data)
{
	json_t *value = NULL;
	char *text = malloc(HEX_BYTES(data.len));

	if (text) {
		hex_encode(text, slice_of(data.data, data.len));
		value = json_string(text);
	}
	free(text);
	return value;
}

static json_t *field_json(const Ops__ListField *field)
{
	char when[CLOCK_TEXT_BYTES];

	switch (field->value_case) {
	case OPS__LIST_FIELD__VALUE_TEXT:
		return json_string(field->text);
	case OPS__LIST_FIELD__VALUE_NUMBER:
		return json_integer((json_int_t)field->number);
	case OPS__LIST_FIELD__VALUE_WHEN_MS:
		clock_text(when, field->when_ms);
		return json_string(when);
	case OPS__LIST_FIELD__VALUE_DATA:
		return data_json(field->data);
	case OPS__LIST_FIELD__VALUE_FLAG:
		return json_boolean(field->flag);
	default:
		return json_null();
	}
}

json_t *rows_json(const Ops__ListRow *row)
{
	json_t *object = json_object();

	for (size_t i = 0; i < row->n_fields; i++) {
		json_t *value = field_json(row->fields[i]);
		/* A text that is no UTF-8 is none. */
		json_object_set_new(
		    object, row->fields[i]->name, value ? value : json_null());
	}
	return object;
}

void rows_gather(void *arg, Ops__ListRow *const *rows, size_t count)
{
	json_t *all = arg;

	for (size_t i = 0; i < count; i++) {
		json_t *same = json_object_get(all, rows[i]->kind);
		if (!same) {
			same = json_array();
			json_object_set_new(all, rows[i]->kind, same);
		}
		json_array_append_new(same, rows_json(rows[i]));
	}
}

void rows_print_json(json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(value);
}

/* ---- for people ---- */

/* A value for people; to be freed, NULL without memory. */
static char *cell_text(const json_t *value)
{
	if (json_is_true(value))
		return strdup("yes");
	if (json_is_false(value))
		return strdup("no");
	if (json_is_integer(value)) {
		char number[24];
		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
		    json_integer_value(value));
		return strdup(number);
	}
	const char *text = json_string_value(value);
	char *out = strdup(text && *text ? text : NOTHING);
	/* Nothing that a terminal would obey. */
	if (out && !text_is_clean(slice_text(out)))
		for (char *at = out; *at; at++)
			if ((unsigned char)*at < 0x20 || *at == 0x7f ||
			    (unsigned char)*at >= 0x80)
				*at = '?';
	return out;
}

/* Characters, as a fixed-width font has them more or less. */
static size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static void print_cell(const char *text, size_t width, bool last)
{
	size_t used = text_width(text);

	fputs(text, stdout);
	if (last)
		putchar('\n');
	else
		printf("%*s",
		    (int)(COLUMN_GAP + (used < width ? width - used : 0)), "");
}

/* One stretch of rows of the same kind, and a header above it. */
static void print_stretch(Ops__ListRow *const *rows, size_t count, bool header)
{
	size_t columns = min_of(rows[0]->n_fields, (size_t)COLUMNS_MAX);
	size_t widths[COLUMNS_MAX] = { 0 };
	char **cells = calloc(count * columns + 1, sizeof(*cells));

	if (!cells)
		return;
	for (size_t c = 0; c < columns; c++)
		widths[c] = text_width(rows[0]->fields[c]->name);
	for (size_t i = 0; i < count; i++)
		for (size_t c = 0; c < min_of(columns, rows[i]->n_fields);
		     c++) {
			json_t *value = field_json(rows[i]->fields[c]);
			char *cell = cell_text(value);
			json_decref(value);
			cells[i * columns + c] = cell;
			if (cell)
				widths[c] = max_of(widths[c], text_width(cell));
		}
	for (size_t c = 0; header && c < columns; c++)
		print_cell(
		    rows[0]->fields[c]->name, widths[c], c + 1 == columns);
	for (size_t i = 0; i < count; i++)
		for (size_t c = 0; c < columns; c++) {
			char **cell = &cells[i * columns + c];
			print_cell(*cell ? *cell : NOTHING, widths[c],
			    c + 1 == columns);
			free(*cell);
		}
	free(cells);
}

static void add_people(
    struct rows_table *self, Ops__ListRow *const *rows, size_t count)
{
	size_t first = 0;

	while (first < count) {
		const char *kind = rows[first]->kind;
		size_t end = first + 1;
		while (end < count && strcmp(rows[end]->kind, kind) == 0)
			end++;
		bool header = strcmp(self->kind, kind) != 0;
		if (header && self->printed > 0)
			putchar('\n');
		print_stretch(&rows[first], end - first, header);
		snprintf(self->kind, sizeof(self->kind), "%s", kind);
		self->printed += end - first;
		first = end;
	}
}

static void add_json(
    struct rows_table *self, Ops__ListRow *const *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		json_t *object = rows_json(rows[i]);
		json_object_set_new(object, "row", json_string(rows[i]->kind));
		fputs(self->printed++ == 0 ? "[\n" : ",\n", stdout);
		json_dumpf(object, stdout, 0);
		json_decref(object);
	}
}

void rows_table_add(void *arg, Ops__ListRow *const *rows, size_t count)
{
	struct rows_table *self = arg;

	if (self->json)
		add_json(self, rows, count);
	else
		add_people(self, rows, count);
}

void rows_table_end(struct rows_table *self)
{
	if (self->json)
		puts(self->printed == 0 ? "[]" : "\n]");
}

void rows_print(const json_t *gathered)
{
	const char *kind, *name;
	json_t *rows, *row, *value;
	size_t i;

	json_object_foreach((json_t *)gathered, kind, rows)
	{
		json_array_foreach(rows, i, row)
		{
			printf("%s:\n", kind);
			json_object_foreach(row, name, value)
			{
				char *text = cell_text(value);
				printf("  %-20s %s\n", name,
				    text ? text : NOTHING);
				free(text);
			}
		}
	}
}

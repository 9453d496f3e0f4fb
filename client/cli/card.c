#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/util.h"
#include "command.h"
#include "output.h"

/* card: what the account keeps with each card. */

static json_t *card_json(const struct keepsake_card *card)
{
	return json_pack("{s:s, s:s, s:o, s:o}", "iccid", card->iccid, "number",
	    card->number, "first_save", json_of_time(card->first_save_ms),
	    "last_update", json_of_time(card->last_update_ms));
}

static void print_card(const struct keepsake_card *card)
{
	char first[CLOCK_TEXT_BYTES], last[CLOCK_TEXT_BYTES];

	clock_text(first, card->first_save_ms);
	clock_text(last, card->last_update_ms);
	printf("%s  %s  saved %s  updated %s", card->iccid, card->number, first,
	    last);
}

/* What is wrong with a file of the command line. */
static enum exit_code file_failed(
    const struct run *run, const char *path, const char *why)
{
	char *shown = path_text(path);

	if (run->options.json)
		json_print(json_pack("{s:s, s:s+, s:s}", "error", "denied",
		    "detail", shown ? shown : "?", why, "advice",
		    "name another file"));
	else
		fprintf(stderr, "keepsake: %s%s\n", shown ? shown : "?", why);
	free(shown);
	return EXIT_FAILED;
}

/* ---- save ---- */

/* Read ${path}; "-" is standard input. */
static enum exit_code read_data(
    const struct run *run, const char *path, struct bytes *out)
{
	uint8_t part[KEEPSAKE_CARD_BYTES_MAX + 1];
	bool is_input = strcmp(path, "-") == 0;
	FILE *file = is_input ? stdin : fopen(path, "re");
	enum exit_code code = EXIT_DONE;

	if (!file)
		return file_failed(run, path, ": cannot be read");
	size_t len = fread(part, 1, sizeof(part), file);
	if (ferror(file))
		code = file_failed(run, path, ": cannot be read");
	else if (len > KEEPSAKE_CARD_BYTES_MAX)
		code = file_failed(run, path,
		    ": more than 3459 bytes do not fit a card's entry; keep "
		    "a longer file with keepsake backup");
	else if (bytes_append(out, slice_of(part, len)) != STATUS_OK)
		code = file_failed(run, path, ": there is no memory");
	if (!is_input)
		fclose(file);
	sodium_memzero(part, sizeof(part));
	return code;
}

static enum exit_code save(struct run *run)
{
	const struct options *options = &run->options;
	struct keepsake_card card;
	struct bytes data = { 0 };
	enum exit_code code = EXIT_DONE;

	if (run->operands_count != 1 || !options->iccid || !options->number) {
		fprintf(stderr,
		    "usage: keepsake card save --iccid ICCID --number NUMBER "
		    "[--data-file FILE]\n");
		return EXIT_USAGE;
	}
	if (options->data_file)
		code = read_data(run, options->data_file, &data);
	if (code != EXIT_DONE)
		return code;
	const struct keepsake_card_content what = {
		.iccid = options->iccid,
		.number = options->number,
		/* of an empty file too */
		.data = options->data_file ? (data.len ? (void *)data.data : "")
					   : NULL,
		.data_bytes = data.len,
	};
	enum status st = keepsake_card_save(run->keepsake, &what, &card);
	bytes_clear(&data);
	if (st != STATUS_OK)
		return command_failed(run, st);
	if (options->json)
		return json_print(card_json(&card)) ? EXIT_DONE : EXIT_FAILED;
	if (!options->quiet) {
		print_card(&card);
		putchar('\n');
	}
	return EXIT_DONE;
}

/* ---- list ---- */

static enum exit_code list(struct run *run)
{
	struct keepsake_card *cards = NULL;
	json_t *array = NULL;
	enum exit_code code = EXIT_DONE;
	size_t count;

	if (run->operands_count != 1) {
		fprintf(stderr, "usage: keepsake card list\n");
		return EXIT_USAGE;
	}
	enum status st = keepsake_cards(run->keepsake, &cards, &count);
	if (st != STATUS_OK)
		return command_failed(run, st);
	if (run->options.json)
		array = json_array();
	for (size_t i = 0; i < count; i++) {
		if (array) {
			json_t *card = card_json(&cards[i]);
			json_object_set_new(card, "stored_bytes",
			    json_integer((json_int_t)cards[i].stored_bytes));
			json_array_append_new(array, card);
		} else {
			print_card(&cards[i]);
			puts(cards[i].stored_bytes > 0 ? "  with data" : "");
		}
	}
	if (array && !json_print(array))
		code = EXIT_FAILED;
	if (!array && count == 0 && !run->options.quiet)
		puts("The account has no card.  Next: keepsake card save "
		     "--iccid ICCID --number NUMBER");
	free(cards);
	return code;
}

/* ---- fetch ---- */

/* Write the data to ${path}, a new file for its owner's eyes only. */
static enum exit_code write_data(
    const struct run *run, const char *path, struct slice data)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool good = fd >= 0;

	if (fd < 0 && errno == EEXIST)
		return file_failed(
		    run, path, ": is there already, and is not written over");
	for (size_t done = 0; good && done < data.len;) {
		ssize_t n = write(fd, data.data + done, data.len - done);
		good = n > 0 || (n < 0 && errno == EINTR);
		done += n > 0 ? (size_t)n : 0;
	}
	if (good)
		good = fsync(fd) == 0;
	if (fd >= 0)
		good = close(fd) == 0 && good;
	if (good)
		return EXIT_DONE;
	if (fd >= 0)
		unlink(path);
	return file_failed(run, path, ": cannot be written");
}

static json_t *fetched_json(
    const struct keepsake_card *card, struct slice data, bool with_data)
{
	char hex[HEX_BYTES(KEEPSAKE_CARD_BYTES_MAX)];
	json_t *value = card_json(card);

	json_object_set_new(
	    value, "data_bytes", json_integer((json_int_t)data.len));
	if (with_data) {
		hex_encode(hex, data);
		json_object_set_new(value, "data", json_string(hex));
		sodium_memzero(hex, sizeof(hex));
	}
	return value;
}

static enum exit_code show(
    const struct run *run, const struct keepsake_card *card, struct slice data)
{
	const char *path = run->options.output;

	if (path && strcmp(path, "-") == 0) {
		size_t n = fwrite(data.data ? data.data : (const void *)"", 1,
		    data.len, stdout);
		return n == data.len ? EXIT_DONE : EXIT_FAILED;
	}
	enum exit_code code = path ? write_data(run, path, data) : EXIT_DONE;
	if (code != EXIT_DONE)
		return code;
	if (run->options.json)
		return json_print(fetched_json(card, data, path == NULL))
			   ? EXIT_DONE
			   : EXIT_FAILED;
	if (run->options.quiet)
		return EXIT_DONE;
	print_card(card);
	if (!path && data.len > 0)
		printf("  with %zu bytes: --output FILE writes them", data.len);
	putchar('\n');
	return EXIT_DONE;
}

static enum exit_code fetch(struct run *run)
{
	struct keepsake_card card;
	uint8_t *data = NULL;
	size_t len = 0;

	if (run->operands_count != 2) {
		fprintf(stderr,
		    "usage: keepsake card fetch ICCID [--output FILE]\n");
		return EXIT_USAGE;
	}
	enum status st = keepsake_card_fetch(
	    run->keepsake, run->operands[1], &card, &data, &len);
	if (st != STATUS_OK)
		return command_failed(run, st);
	enum exit_code code = show(run, &card, slice_of(data, len));
	if (data)
		sodium_memzero(data, len);
	free(data);
	return code;
}

enum exit_code command_card(struct run *run)
{
	static const struct {
		const char *word;
		command_fn *run;
	} rows[] = {
		{ "save", save },
		{ "list", list },
		{ "fetch", fetch },
	};

	for (size_t i = 0; i < nitems(rows); i++)
		if (strcmp(run->operands[0], rows[i].word) == 0)
			return rows[i].run(run);
	fprintf(stderr, "keepsake: card: it is card save, card list or card "
			"fetch ICCID\n");
	return EXIT_USAGE;
}

#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "command.h"
#include "output.h"

/* code and sim-pin: what this terminal proves itself by. */

static const struct {
	const char *word;
	unsigned int factor;
} factor_words[] = {
	{ "password", KEEPSAKE_FACTOR_PASSWORD },
	{ "serial", KEEPSAKE_FACTOR_SERIAL },
	{ "imei", KEEPSAKE_FACTOR_IMEI },
	{ "imsi", KEEPSAKE_FACTOR_IMSI },
};

/* The factor that a word of ${len} bytes names, or 0. */
static unsigned int factor_of(const char *word, size_t len)
{
	for (size_t i = 0; i < nitems(factor_words); i++)
		if (strlen(factor_words[i].word) == len &&
		    memcmp(factor_words[i].word, word, len) == 0)
			return factor_words[i].factor;
	return 0;
}

/* Read "password,imei"; 0 where it is none, or a word is there twice. */
static unsigned int factors_of(const char *list)
{
	unsigned int set = 0;

	for (;;) {
		size_t len = strcspn(list, ",");
		unsigned int factor = factor_of(list, len);
		if (factor == 0 || set & factor)
			return 0;
		set |= factor;
		if (list[len] == '\0')
			return set;
		list += len + 1;
	}
}

static json_t *factors_json(unsigned int set)
{
	json_t *words = json_array();

	for (size_t i = 0; i < nitems(factor_words); i++)
		if (set & factor_words[i].factor)
			json_array_append_new(
			    words, json_string(factor_words[i].word));
	return words;
}

static void print_factors(unsigned int set)
{
	const char *before = "";

	for (size_t i = 0; i < nitems(factor_words); i++) {
		if (!(set & factor_words[i].factor))
			continue;
		printf("%s%s", before, factor_words[i].word);
		before = ", ";
	}
}

/* "confirmed", "unconfirmed", or NULL where no code needs the card's PIN. */
static const char *sim_pin_word(enum keepsake_sim_pin sim_pin)
{
	switch (sim_pin) {
	case KEEPSAKE_SIM_PIN_DUE:
		return "unconfirmed";
	case KEEPSAKE_SIM_PIN_CONFIRMED:
		return "confirmed";
	case KEEPSAKE_SIM_PIN_NOT_NEEDED:
	default:
		return NULL;
	}
}

static enum exit_code show(struct run *run)
{
	struct keepsake_codes codes;
	enum status st = keepsake_codes(run->keepsake, &codes);

	if (st != STATUS_OK)
		return command_failed(run, st);
	const char *sim_pin = sim_pin_word(keepsake_sim_pin(run->keepsake));
	if (run->options.json)
		return json_print(json_pack("{s:o, s:o, s:s?}", "account",
			   factors_json(codes.account), "own",
			   codes.own ? factors_json(codes.own) : json_null(),
			   "sim_pin", sim_pin))
			   ? EXIT_DONE
			   : EXIT_FAILED;
	printf("account's code     ");
	print_factors(codes.account);
	printf("\nthis terminal's    ");
	if (codes.own)
		print_factors(codes.own);
	else
		printf("none of its own: transfers are proved by the "
		       "account's");
	putchar('\n');
	if (sim_pin)
		printf("SIM PIN            %s\n", sim_pin);
	return EXIT_DONE;
}

/* What an option that was not given, or wrongly, is told. */
static enum exit_code wrong_factors(const struct run *run)
{
	if (run->options.factors)
		fprintf(
		    stderr, "keepsake: --factors %s: ", run->options.factors);
	else
		fprintf(stderr, "keepsake: code set: of what?  --factors: ");
	fprintf(stderr,
	    "one or more of password, serial, imei, imsi, each once, with "
	    "commas between\n");
	return EXIT_USAGE;
}

/* A code that anybody may find out is not chosen by accident. */
static const char identifiers_risk[] =
    "a code without a password is no secret: serial number, IMEI and IMSI "
    "stand on the\n"
    "label, in the settings, and go over the air.  Who has read them and has "
    "this\n"
    "terminal's key can begin transfers in your name.  It does not open the "
    "key of the\n"
    "backups either: to read them here, the account's password is asked for; "
    "to write\n"
    "them, too, unless the terminal has a standing grant.\n";

static enum exit_code set(struct run *run)
{
	const struct options *options = &run->options;
	unsigned int factors =
	    options->factors ? factors_of(options->factors) : 0;

	if (factors == 0)
		return wrong_factors(run);
	if (!(factors & KEEPSAKE_FACTOR_PASSWORD) &&
	    !options->identifiers_only) {
		fprintf(stderr,
		    "keepsake: %sIf you want that: --identifiers-only; better: "
		    "--factors password,%s\n",
		    identifiers_risk, options->factors);
		return EXIT_USAGE;
	}
	enum status st = keepsake_set_code(run->keepsake, factors);
	if (st != STATUS_OK)
		return command_failed(run, st);
	if (options->json)
		return json_print(json_pack("{s:o, s:s?}", "own",
			   factors_json(factors), "sim_pin",
			   sim_pin_word(keepsake_sim_pin(run->keepsake))))
			   ? EXIT_DONE
			   : EXIT_FAILED;
	if (options->quiet)
		return EXIT_DONE;
	puts("This terminal has a code of its own now, which its transfers "
	     "are proved by.\nThe account's password is still what manages "
	     "the account, here and elsewhere.");
	if (!(factors & KEEPSAKE_FACTOR_PASSWORD))
		fprintf(stderr, "keepsake: remember: %s", identifiers_risk);
	return EXIT_DONE;
}

static enum exit_code remove_own(struct run *run)
{
	enum status st = keepsake_remove_code(run->keepsake);

	if (st != STATUS_OK)
		return command_failed(run, st);
	if (run->options.json)
		return json_print(json_pack("{s:n}", "own")) ? EXIT_DONE
							     : EXIT_FAILED;
	if (!run->options.quiet)
		puts("This terminal has no code of its own any more: its "
		     "transfers are proved by the\naccount's password.");
	return EXIT_DONE;
}

enum exit_code command_code(struct run *run)
{
	static const struct {
		const char *word;
		command_fn *run;
	} rows[] = { { "show", show }, { "set", set },
		{ "remove", remove_own } };

	bool sets = strcmp(run->operands[0], "set") == 0;
	if (!sets && (run->options.factors || run->options.identifiers_only)) {
		fprintf(stderr, "keepsake: code %s takes no --factors\n",
		    run->operands[0]);
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < nitems(rows); i++)
		if (strcmp(run->operands[0], rows[i].word) == 0)
			return rows[i].run(run);
	fprintf(stderr, "keepsake: code %s: it is show, set or remove\n",
	    run->operands[0]);
	return EXIT_USAGE;
}

enum exit_code command_sim_pin(struct run *run)
{
	if (strcmp(run->operands[0], "confirmed") != 0) {
		fprintf(stderr,
		    "keepsake: sim-pin %s: it is confirmed, once the PIN of "
		    "the card is on\n",
		    run->operands[0]);
		return EXIT_USAGE;
	}
	enum status st = keepsake_confirm_sim_pin(run->keepsake);
	if (st != STATUS_OK)
		return command_failed(run, st);
	if (run->options.json)
		return json_print(json_pack("{s:s}", "sim_pin", "confirmed"))
			   ? EXIT_DONE
			   : EXIT_FAILED;
	if (!run->options.quiet)
		puts("Noted: the PIN of the card is on.  You will be reminded "
		     "again when this terminal\ngets another code.");
	return EXIT_DONE;
}

void urge_sim_pin(const struct run *run)
{
	if (run->options.quiet ||
	    keepsake_sim_pin(run->keepsake) != KEEPSAKE_SIM_PIN_DUE)
		return;
	fprintf(stderr,
	    "keepsake: turn on the SIM PIN: this terminal's code has its IMEI "
	    "or IMSI in it,\n"
	    "keepsake: and without the PIN who takes the card, or the phone, "
	    "can read them,\n"
	    "keepsake: and use the card elsewhere as if it were you.  When it "
	    "is on:\n"
	    "keepsake: keepsake sim-pin confirmed\n");
}

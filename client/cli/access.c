#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "command.h"
#include "crypto/arena.h"
#include "output.h"

/* invite, sessions, revoke, forget: who may come in, who is in, the end. */

static enum exit_code ask_for_invitation(struct run *run)
{
	enum status st = keepsake_ask_invitation(run->keepsake);

	if (st != STATUS_OK)
		return command_failed(run, st);
	if (run->options.json)
		return json_print(json_pack("{s:b}", "asked", 1)) ? EXIT_DONE
								  : EXIT_FAILED;
	if (!run->options.quiet)
		puts("If there is such an account, its owner gets an "
		     "invitation: on a terminal that is\nbound, keepsake "
		     "notices shows it.  Then, here: --invitation-file FILE");
	return EXIT_DONE;
}

enum exit_code command_invite(struct run *run)
{
	struct keepsake_invitation invitation;
	char until[CLOCK_TEXT_BYTES];
	enum exit_code code = EXIT_DONE;

	if (run->options.ask)
		return ask_for_invitation(run);
	enum status st = keepsake_invite(run->keepsake, &invitation);
	if (st != STATUS_OK)
		return command_failed(run, st);
	clock_text(until, invitation.expiry_ms);
	if (run->options.json) {
		if (!json_print(json_pack("{s:s, s:s}", "invitation",
			invitation.code, "expiry", until)))
			code = EXIT_FAILED;
	} else {
		printf("%s\n", invitation.code);
		if (!run->options.quiet)
			fprintf(stderr,
			    "Good for one terminal, until %s.  There: keepsake "
			    "--name NAME\n--invitation-file FILE bind --serial "
			    "SERIAL.  It does not replace the password.\n",
			    until);
	}
	sodium_memzero(&invitation, sizeof(invitation));
	return code;
}

/* ---- sessions ---- */

static json_t *session_json(const struct keepsake_session *session)
{
	return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:b}", "session",
	    json_of_id(session->id), "direction", session->direction,
	    "terminal", json_of_id(session->terminal), "since",
	    json_of_time(session->issued_ms), "expiry",
	    json_of_time(session->expiry_ms), "ends",
	    json_of_time(session->ends_ms), "current", session->current);
}

static void print_session(const struct keepsake_session *session)
{
	char id[HEX_BYTES(KEEPSAKE_ID_BYTES)];
	char terminal[HEX_BYTES(KEEPSAKE_ID_BYTES)];
	char since[CLOCK_TEXT_BYTES], ends[CLOCK_TEXT_BYTES];

	hex_encode(id, slice_of(session->id, KEEPSAKE_ID_BYTES));
	hex_encode(terminal, slice_of(session->terminal, KEEPSAKE_ID_BYTES));
	clock_text(since, session->issued_ms);
	clock_text(ends, session->ends_ms);
	printf("%s  %-8s  since %s  until %s  %s%s\n", id, session->direction,
	    since, ends,
	    is_none(session->terminal) ? "a terminal to be bound" : "terminal ",
	    is_none(session->terminal) ? "" : terminal);
	if (session->current)
		printf("%*s(this command's own)\n", (int)sizeof(id) + 1, "");
}

enum exit_code command_sessions(struct run *run)
{
	struct keepsake_session *list = NULL;
	size_t count = 0;
	enum exit_code code = EXIT_DONE;
	enum status st = keepsake_sessions(run->keepsake, &list, &count);

	if (st != STATUS_OK)
		return command_failed(run, st);
	if (run->options.json) {
		json_t *all = json_array();
		for (size_t i = 0; i < count; i++)
			json_array_append_new(all, session_json(&list[i]));
		code = json_print(all) ? EXIT_DONE : EXIT_FAILED;
	} else {
		for (size_t i = 0; i < count; i++)
			print_session(&list[i]);
	}
	free(list);
	return code;
}

/* Read an id as hex; false, and says so, where it is none. */
static bool take_id(uint8_t out[static KEEPSAKE_ID_BYTES], const char *text,
    const char *what, const char *where)
{
	if (hex_decode(out, KEEPSAKE_ID_BYTES, text) == STATUS_OK)
		return true;
	fprintf(stderr,
	    "keepsake: %s: not the id of %s: 32 hex digits, as %s "
	    "prints it\n",
	    text, what, where);
	return false;
}

enum exit_code command_revoke(struct run *run)
{
	const struct options *options = &run->options;
	const char *session = run->operands_count > 0 ? run->operands[0] : NULL;
	uint8_t id[KEEPSAKE_ID_BYTES];
	struct keepsake_revocation what = { .all = options->all };
	struct unconfirmed unconfirmed = {
		.meaning = MEANING_REVOKED,
	};

	if ((session != NULL) + (options->terminal != NULL) + options->all !=
	    1) {
		fprintf(stderr,
		    "keepsake: revoke: whom?  One of SESSION (keepsake "
		    "sessions lists them), --terminal ID, --all\n");
		return EXIT_USAGE;
	}
	if (session) {
		if (!take_id(id, session, "a session", "keepsake sessions"))
			return EXIT_USAGE;
		what.session = id;
	} else if (options->terminal) {
		if (!take_id(id, options->terminal, "a terminal",
			"keepsake sessions"))
			return EXIT_USAGE;
		what.terminal = id;
	}
	unconfirmed.names = options->json ? json_array() : NULL;
	enum status st =
	    keepsake_revoke(run->keepsake, &what, on_unconfirmed, &unconfirmed);
	if (st != STATUS_OK) {
		json_decref(unconfirmed.names);
		return command_failed(run, st);
	}
	if (options->json)
		return json_print(json_pack("{s:b, s:o}", "revoked", 1,
			   "unconfirmed", unconfirmed.names))
			   ? EXIT_DONE
			   : EXIT_FAILED;
	if (!options->quiet)
		puts("Signed out.  Who knows the password can sign in again "
		     "from a terminal that is\nbound: keepsake password "
		     "changes it.");
	return EXIT_DONE;
}

/* ---- forget ---- */

static enum exit_code forget_here(struct run *run)
{
	enum status st = keepsake_forget_here(run->keepsake);

	if (st != STATUS_OK)
		return command_failed(run, st);
	if (run->options.json)
		return json_print(json_pack("{s:b}", "forgotten", 1))
			   ? EXIT_DONE
			   : EXIT_FAILED;
	if (!run->options.quiet)
		puts("This terminal has nothing of the account any more.  The "
		     "account and its backups\nare as they were.");
	return EXIT_DONE;
}

/* Let a person say that it is meant: by the account's name, typed. */
static enum status confirm(struct run *run, const char *name)
{
	void *memory = secret_new(KEEPSAKE_SECRET_BYTES);
	char *typed = memory;
	enum status st = STATUS_NO_SPACE;

	fprintf(stderr,
	    "This deletes the account %s for ever: all its backups, the cards "
	    "that are kept\nfor it, the bindings of its terminals, and its "
	    "keys.  Nobody can bring it back,\nthe operator included.  What "
	    "is on this machine outside of keepsake stays.\n",
	    name);
	if (typed)
		st = ask_line(run, "Its name, to delete it: ", typed);
	if (st == STATUS_OK && strcmp(typed, name) != 0)
		st = ask_refuse(run, STATUS_CONFLICT,
		    "run it again and type the name as it is written above",
		    "that is not its name: nothing was deleted");
	secret_destroy(&memory, KEEPSAKE_SECRET_BYTES);
	return st;
}

/* Whose account is to go, and that it is meant. */
static enum exit_code find_doomed(
    struct run *run, uint8_t out[static KEEPSAKE_ID_BYTES])
{
	struct keepsake_standing standing;

	if (run->options.account)
		return take_id(out, run->options.account, "an account",
			   "keepsake status --json")
			   ? EXIT_DONE
			   : EXIT_USAGE;
	enum status st = keepsake_standing(run->keepsake, &standing);
	if (st == STATUS_OK && is_none(standing.account))
		st = ask_refuse(run, STATUS_NOT_FOUND,
		    "whose it is it learns when it proves itself: keepsake "
		    "--name NAME sessions",
		    "this terminal does not know its account");
	if (st == STATUS_OK)
		st = confirm(run, standing.name);
	memcpy(out, standing.account, KEEPSAKE_ID_BYTES);
	return st == STATUS_OK ? EXIT_DONE : command_failed(run, st);
}

enum exit_code command_forget(struct run *run)
{
	uint8_t account[KEEPSAKE_ID_BYTES];
	struct unconfirmed unconfirmed = {
		.meaning = "it is down, or cut off from auth; nobody gets at "
			   "what it has, and when it is back it deletes that",
	};

	if (run->options.local)
		return forget_here(run);
	enum exit_code code = find_doomed(run, account);
	if (code != EXIT_DONE)
		return code;
	unconfirmed.names = run->options.json ? json_array() : NULL;
	enum status st = keepsake_forget(
	    run->keepsake, account, on_unconfirmed, &unconfirmed);
	if (st != STATUS_OK) {
		json_decref(unconfirmed.names);
		return command_failed(run, st);
	}
	if (run->options.json)
		return json_print(json_pack("{s:o, s:o}", "forgotten",
			   json_of_id(account), "unconfirmed",
			   unconfirmed.names))
			   ? EXIT_DONE
			   : EXIT_FAILED;
	if (!run->options.quiet)
		puts("The account is deleted, and this terminal is nobody's.");
	return EXIT_DONE;
}

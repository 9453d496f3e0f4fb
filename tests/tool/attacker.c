/*
 * attacker --config FILE --password-file FILE --verification-file FILE
 *          --until FILE STATE NAME VICTIM-STATE VICTIM-NAME
 * attacker --types
 *
 * A terminal that is bound to its own account, STATE and NAME, and wants the
 * data of another one.  It knows all about the victim that can be known: as
 * VICTIM-STATE, a terminal of the account VICTIM-NAME, it learns account,
 * terminals, tickets, leases, chunks, snapshots, cards, notices, cookies and
 * proofs.  As itself it then asks for them in every way there is, many at
 * once, round by round, until the file --until is there.
 *
 * Each answer must be the refusal that is expected, or hold what is its own;
 * no answer may hold a byte string that is the victim's.  The victim's own
 * requests, under the same ids at the same time, must be answered as ever.
 *
 * --config             of the server: expired tickets are signed with
 *                      auth.seed
 * --password-file      of both accounts
 * --verification-file  their verification information
 * --types              print all types of messages that are tried, a line
 *                      each: number, name
 *
 * Prints what was done.  Exit status: 0 all was as it must be, 1 not: it says
 * what was not, 2 wrong arguments.
 *
 * The files of attacks/: tables.c what is tried; bodies.c, answers.c what is
 * asked and what may be answered; sides.c, learn.c both terminals and what
 * the victim has; under_way.c asks and judges.
 */
#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

#include "attacks/attacks.h"
#include "base/clock.h"
#include "base/conf.h"
#include "crypto/arena.h"
#include "service/settings.h"
#include "store.pb-c.h"

#define ARENA_BYTES    (64 * 1024)
#define ROUNDS_MIN     3
#define LOGIN_AGAIN_MS 120000 /* less than tickets are good */

/*
 * The victim begins a restore, which is kept for a repeat; the attacker asks
 * under the same id and gets a transfer of its own, once more under it.
 */
static void replay_kept(void)
{
	struct header header = header_of(STORE__TYPE__RESTORE_BEGIN);
	const struct asked restore = { "RESTORE_BEGIN", header.type,
		DIRECTION_DOWNLOAD, body_empty, CLEAR };

	begin_transfer(&victim, &header, DIRECTION_DOWNLOAD, &victim.download);
	loot_add(slice_of(victim.download.bytes, ID_BYTES));
	try_kept(&restore, &header);
	collect();
	header.account = attacker.account;
	begin_transfer(
	    &attacker, &header, DIRECTION_DOWNLOAD, &attacker.download);
	if (id_equal(&attacker.download, &victim.download))
		errx(1, "the attacker got the victim's lease");
}

static void attack_once(void)
{
	learn_data();
	replay_kept();
	for (size_t i = 0; i < messages_count; i++) {
		for (size_t j = 0; j < ways_count; j++)
			try_way(&messages[i], &ways[j]);
		collect_if_many();
	}
	collect();
	for (size_t i = 0; i < names_count; i++)
		try_named(&names[i]);
	for (size_t i = 0; i < forbidden_count; i++)
		try_forbidden(&forbidden[i]);
	collect();
	for (size_t i = 0; i < races_count; i++) {
		try_race(&races[i], OWN, true);
		try_race(&races[i], OWN, false);
		try_race(&races[i], STOLEN, true);
		try_race(&races[i], STOLEN, false);
	}
	collect();
	counts.rounds++;
}

static void attack(const char *until)
{
	uint64_t logged_in_ms = 0;

	do {
		uint64_t now = clock_interval_ms();
		if (logged_in_ms == 0 || now - logged_in_ms > LOGIN_AGAIN_MS) {
			side_login(&victim);
			side_login(&attacker);
			learn_accounts();
			logged_in_ms = now;
		}
		attack_once();
	} while (counts.rounds < ROUNDS_MIN || access(until, F_OK) != 0);
}

static void print_type(const struct asked *asked)
{
	printf("0x%04x %s\n", asked->type, asked->name);
}

static void print_types(void)
{
	for (size_t i = 0; i < messages_count; i++)
		print_type(&messages[i]);
	for (size_t i = 0; i < names_count; i++)
		print_type(&names[i].asked);
	for (size_t i = 0; i < forbidden_count; i++)
		print_type(&forbidden[i]);
}

static struct conf *conf_read(const char *path)
{
	struct conf *conf = NULL;

	if (conf_load(settings, settings_count, path, &conf) != STATUS_OK ||
	    trust_keys(&auth_keys, conf) != STATUS_OK)
		errx(1, "%s: no keys of auth", path);
	return conf;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "password-file", required_argument, NULL, 'w' },
		{ "verification-file", required_argument, NULL, 'v' },
		{ "until", required_argument, NULL, 'u' },
		{ "types", no_argument, NULL, 't' },
		{ 0 },
	};
	const char *config = NULL, *password_file = NULL;
	const char *verification_file = NULL, *until = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		/* clang-format off */
		case 'c': config = optarg;            break;
		case 'w': password_file = optarg;     break;
		case 'v': verification_file = optarg; break;
		case 'u': until = optarg;             break;
		case 't': print_types();              return 0;
		/* clang-format on */
		default:
			return 2;
		}
	}
	argv += optind;
	if (argc - optind != 4 || !config || !password_file ||
	    !verification_file || !until)
		errx(2, "usage: attacker --config FILE --password-file FILE "
			"--verification-file FILE --until FILE "
			"STATE NAME VICTIM-STATE VICTIM-NAME | --types");
	if (arena_open(ARENA_BYTES) != STATUS_OK)
		errx(1, "no memory for secrets");
	struct conf *conf = conf_read(config);
	password_read(password_file, password);
	password_read(verification_file, verification);
	attacker.name = argv[1];
	attacker.iccid = "8949001234567890011";
	victim.iccid = "8949001234567890029";
	victim.name = argv[3];
	terminal_open(&attacker.terminal, argv[0]);
	terminal_open(&victim.terminal, argv[2]);
	message_init(&answer);

	attack(until);
	printf("rounds=%u asked=%u refused=%u own=%u again=%u raced=%u\n",
	    counts.rounds, counts.asked, counts.refused, counts.own,
	    counts.again, counts.raced);

	sides_end();
	learned_end();
	terminal_close(&attacker.terminal);
	terminal_close(&victim.terminal);
	conf_destroy(&conf);
	arena_close();
	return 0;
}

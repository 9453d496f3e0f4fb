/*
 * findkey CONFIG SERVICE DATA ACCOUNT
 *
 * What who has it all can do: with the master key and the ledger of SERVICE,
 * as CONFIG says, and the database in the folder DATA, an older copy say,
 * look for the key that the rows of ACCOUNT (hex) are sealed under.  Prints
 * the status: ok, not_found, expired where it was shredded.  The service must
 * not be running, nor DATA be in use.
 *
 * Exit status: 0 printed, 1 no such files, 2 wrong arguments.
 */
#include <sodium.h>

#include "base/conf.h"
#include "crypto/arena.h"
#include "service/keyring.h"
#include "service/settings.h"
#include "stored.h"

#define ARENA_BYTES (64 * 1024)

int main(int argc, char **argv)
{
	struct keyring *keyring = NULL;
	struct account_key key;
	struct conf *conf = NULL;

	if (argc != 5)
		errx(2, "usage: findkey CONFIG SERVICE DATA ACCOUNT");
	struct id account = stored_account(argv[4]);
	if (sodium_init() < 0 || arena_open(ARENA_BYTES) != STATUS_OK)
		errx(1, "no memory for secrets");
	if (conf_load(settings, settings_count, argv[1], &conf) != STATUS_OK)
		return 1;
	if (keyring_new(&keyring, conf, argv[2],
		conf_text(conf, argv[2], "ledger"), false) != STATUS_OK)
		return 1;
	struct db *db = stored_open(argv[3], argv[2]);
	enum status st = keyring_find(keyring, db, &account, &key);
	printf("%s\n", status_word(st));
	sodium_memzero(&key, sizeof(key));
	keyring_destroy(&keyring);
	db_close(&db);
	conf_destroy(&conf);
	arena_close();
	return 0;
}

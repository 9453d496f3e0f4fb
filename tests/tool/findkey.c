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
#include <err.h>
#include <sodium.h>
#include <stdio.h>

#include "base/conf.h"
#include "crypto/arena.h"
#include "db/db.h"
#include "service/keyring.h"
#include "service/settings.h"

#define ARENA_BYTES (64 * 1024)
#define FORMATS_MAX 100

/* A copy may be of any format that this code knows. */
static struct db *open_copy(const char *service, const char *data)
{
	struct db_options options = {
		.path = data,
		.service = service,
		.map_bytes = 1 << 20,
		.map_bytes_max = 1 << 30,
		.reserve_bytes = 1 << 20,
	};
	struct db *db = NULL;
	enum status st = STATUS_VERSION;

	while (st == STATUS_VERSION && options.format++ < FORMATS_MAX)
		st = db_open(&options, &db);
	if (st != STATUS_OK)
		errx(1, "%s: %s", data, status_text(st));
	return db;
}

int main(int argc, char **argv)
{
	struct keyring *keyring = NULL;
	struct account_key key;
	struct conf *conf = NULL;
	struct id account;

	if (argc != 5)
		errx(2, "usage: findkey CONFIG SERVICE DATA ACCOUNT");
	if (hex_decode(account.bytes, ID_BYTES, argv[4]) != STATUS_OK)
		errx(2, "'%s' is no account's id", argv[4]);
	if (sodium_init() < 0 || arena_open(ARENA_BYTES) != STATUS_OK)
		errx(1, "no memory for secrets");
	if (conf_load(settings, settings_count, argv[1], &conf) != STATUS_OK)
		return 1;
	if (keyring_new(&keyring, conf, argv[2],
		conf_text(conf, argv[2], "ledger"), false) != STATUS_OK)
		return 1;
	struct db *db = open_copy(argv[2], argv[3]);
	enum status st = keyring_find(keyring, db, &account, &key);
	printf("%s\n", status_word(st));
	sodium_memzero(&key, sizeof(key));
	keyring_destroy(&keyring);
	db_close(&db);
	conf_destroy(&conf);
	arena_close();
	return 0;
}

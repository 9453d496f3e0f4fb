#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "service/backup_manifest.h"
#include "service/listing.h"
#include "service/service.h"
#include "service/settings.h"
#include "service/verify.h"

/* Verifying what is served, and what is not. */

#define STEP_MS    10 /* of a service that serves */
#define APART_MS   1000
#define PATH_BYTES 4096
#define KEY_SHOWN  32 /* bytes */

static struct verify verify_of(const struct service *service, struct db *db)
{
	return (struct verify){
		.db = db,
		.keyring = service->keyring,
		.tables = service->kind->verify,
	};
}

/* ---- while serving ---- */

static void add_damage(void *arg, const struct verify_damage *damage)
{
	struct listing *listing = arg;
	struct slice key = damage->key;

	key.len = min_of(key.len, (size_t)KEY_SHOWN);
	log_error(NULL, "stored_data_damaged", "table=%s why=\"%s\"",
	    damage->table, damage->why);
	listing_row(listing, "damage");
	listing_text(listing, "table", damage->table);
	listing_id(listing, "account", &damage->account);
	listing_data(listing, "key", key);
	listing_text(listing, "why", damage->why);
	listing_row_end(listing, (struct slice){ 0 });
}

static enum status list_step(
    void *state, struct listing *listing, struct slice after)
{
	struct service *service = state;
	struct verify verify = verify_of(service, service->db);
	bool done;

	if (after.len > sizeof(verify.place))
		return listing_refuse_place(listing);
	if (after.len > 0)
		memcpy(verify.place, after.data, after.len);
	verify.place_len = after.len;
	verify.damage = add_damage;
	verify.arg = listing;
	enum status st = verify_step(&verify, STEP_MS, &done);
	if (st == STATUS_MALFORMED)
		return listing_refuse_place(listing);
	if (st != STATUS_OK)
		return st;
	listing_row(listing, "read");
	listing_number(listing, "accounts", verify.accounts);
	listing_number(listing, "rows", verify.rows);
	listing_number(listing, "blobs", verify.blobs);
	listing_number(listing, "blob_bytes", verify.blob_bytes);
	listing_number(listing, "names", verify.names);
	listing_number(listing, "unopened", verify.unopened);
	listing_row_end(listing, slice_of(verify.place, verify.place_len));
	if (!done)
		listing_pause(
		    listing, slice_of(verify.place, verify.place_len));
	return STATUS_OK;
}

enum status verify_on_verify(struct service *service, struct exchange *x)
{
	static listing_part_fn *const parts[] = { list_step };

	if (!service)
		return exchange_refuse(
		    x, STATUS_NOT_FOUND, "this process has no database");
	return listing_answer(service, x, parts, nitems(parts), false);
}

/* ---- a backup ---- */

static void print_damage(void *arg, const struct verify_damage *damage)
{
	const struct service *service = arg;
	char account[2 * ID_BYTES + 1], key[2 * KEY_SHOWN + 1];

	sodium_bin2hex(
	    account, sizeof(account), damage->account.bytes, ID_BYTES);
	sodium_bin2hex(key, sizeof(key), damage->key.data,
	    min_of(damage->key.len, (size_t)KEY_SHOWN));
	fprintf(stderr, "%s: damaged: table %s, account %s, key %s: %s\n",
	    service->kind->name, damage->table, account, key, damage->why);
}

static int verify_all(struct service *service)
{
	struct verify verify = verify_of(service, service->db), sum = { 0 };
	enum status st = STATUS_OK;
	bool done = false;

	verify.damage = print_damage;
	verify.arg = service;
	while (st == STATUS_OK && !done) {
		st = verify_step(&verify, APART_MS, &done);
		sum.accounts += verify.accounts;
		sum.rows += verify.rows;
		sum.blobs += verify.blobs;
		sum.names += verify.names;
		sum.damages += verify.damages;
		sum.unopened += verify.unopened;
	}
	if (st != STATUS_OK) {
		fprintf(stderr, "%s: not all can be read: %s\n",
		    service->kind->name, status_text(st));
		return EXIT_FAILURE;
	}
	printf("%s: %llu accounts, %llu rows, %llu blobs, %llu names, "
	       "%llu not opened, %llu damaged\n",
	    service->kind->name, (unsigned long long)sum.accounts,
	    (unsigned long long)sum.rows, (unsigned long long)sum.blobs,
	    (unsigned long long)sum.names, (unsigned long long)sum.unopened,
	    (unsigned long long)sum.damages);
	return sum.damages == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The keys that are in the backup, if they are; without them what is sealed
 * is not opened. */
static void find_keys(struct service *self, const char *folder)
{
	char ledger[PATH_BYTES], keys[PATH_BYTES];

	snprintf(ledger, sizeof(ledger), "%s/" BACKUP_LEDGER, folder);
	snprintf(keys, sizeof(keys), "%s/" BACKUP_KEYS, folder);
	if (access(keys, F_OK) == 0 &&
	    keyring_new(&self->keyring, self->program.conf, self->kind->name,
		ledger, false) == STATUS_OK)
		return;
	fprintf(stderr,
	    "%s: no account keys at hand: what is sealed is not opened\n",
	    self->kind->name);
}

/* In a folder of its own, which holds the locks, so that nothing is written
 * beside the backup. */
static enum status open_apart(
    struct service *self, const char *database, const char *apart)
{
	char link[PATH_BYTES];
	const struct db_options options = {
		.path = apart,
		.service = self->kind->name,
		.format = self->kind->format,
		.reserve_bytes = 1,
	};

	snprintf(link, sizeof(link), "%s/" BACKUP_DATABASE, apart);
	if (symlink(database, link) != 0)
		return STATUS_UNAVAILABLE;
	return db_open(&options, &self->db);
}

static void remove_apart(const char *apart)
{
	static const char *const names[] = { BACKUP_DATABASE, "lock.mdb",
		"owner.lock", "reserve" };
	char path[PATH_BYTES];

	for (size_t i = 0; i < nitems(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", apart, names[i]);
		unlink(path);
	}
	rmdir(apart);
}

int verify_folder(struct service *self, const char *folder)
{
	char apart[] = "/tmp/keepsake-verify.XXXXXX";
	char *whole = realpath(folder, NULL), *database = NULL;
	struct backup_manifest manifest;
	const char *why = "it cannot be read";
	int exit_code = EXIT_FAILURE;

	enum status st = whole ? backup_manifest_load(&manifest, whole, &why)
			       : STATUS_NOT_FOUND;
	if (st == STATUS_OK &&
	    strcmp(manifest.service, self->kind->name) != 0) {
		why = "it is another service's backup";
		st = STATUS_CONFLICT;
	}
	if (st == STATUS_OK)
		st = backup_files_check(&manifest, whole, &why);
	if (st != STATUS_OK) {
		fprintf(stderr, "%s: %s: %s\n", self->kind->name, folder, why);
		goto out;
	}
	if (asprintf(&database, "%s/" BACKUP_DATABASE, whole) < 0)
		goto out;
	if (!mkdtemp(apart)) {
		fprintf(stderr, "%s: %s: %s\n", self->kind->name, apart,
		    strerror(errno));
		goto out;
	}
	st = open_apart(self, database, apart);
	if (st == STATUS_VERSION)
		fprintf(stderr,
		    "%s: %s: its database is of format %u, and this program "
		    "has %u: its files are as they were written; the rest "
		    "can be verified when it is restored\n",
		    self->kind->name, folder, manifest.database.format,
		    self->kind->format);
	else if (st != STATUS_OK)
		fprintf(stderr, "%s: %s: %s\n", self->kind->name, folder,
		    status_text(st));
	if (st == STATUS_OK) {
		find_keys(self, whole);
		exit_code = verify_all(self);
	}
	keyring_destroy(&self->keyring);
	db_close(&self->db);
	remove_apart(apart);
out:
	free(whole);
	free(database);
	return exit_code;
}

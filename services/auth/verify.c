#include "service/verify.h"

#include <sodium.h>
#include <string.h>

#include "auth_db.h"
#include "base/util.h"
#include "dispatch.h"

/* Proving that what auth has is whole: see service/verify.h. */

static const char *check_account(
    struct verify *self, struct slice key, struct slice plain)
{
	struct auth_rows rows;
	struct account account;

	(void)key;
	(void)plain;
	auth_rows_init(&rows, self->db, self->keyring);
	enum status st = auth_db_account(&rows, &self->account, &account);
	sodium_memzero(&account, sizeof(account));
	return st == STATUS_OK ? NULL : "it does not unpack";
}

/* Of an account that is there, in a slot that is one. */
static const char *check_credential(
    struct verify *self, struct slice key, struct slice plain)
{
	struct code_slot slot = { 0 };
	struct auth_rows rows;
	struct credential credential;

	(void)plain;
	if (key.len != 1 && key.len != 1 + ID_BYTES)
		return "its key is none";
	slot.kind = (enum credential_slot)key.data[0];
	if (key.len > 1)
		memcpy(slot.terminal.bytes, key.data + 1, ID_BYTES);
	auth_rows_init(&rows, self->db, self->keyring);
	enum status st =
	    auth_db_credential(&rows, &self->account, &slot, &credential);
	sodium_memzero(&credential, sizeof(credential));
	if (st != STATUS_OK)
		return "it does not unpack";
	return verify_has_row(self, AUTH_TABLE_ACCOUNT, (struct slice){ 0 })
		   ? NULL
		   : "its account is missing";
}

static const char *check_grant(
    struct verify *self, struct slice key, struct slice plain)
{
	(void)key;
	(void)plain;
	return verify_has_row(self, AUTH_TABLE_ACCOUNT, (struct slice){ 0 })
		   ? NULL
		   : "its account is missing";
}

/* clang-format off */
static const struct verify_table tables[] = {
	{ AUTH_TABLE_ACCOUNT,     "accounts",    true,  check_account },
	{ AUTH_TABLE_CREDENTIALS, "credentials", true,  check_credential },
	{ AUTH_TABLE_GRANTS,      "grants",      true,  check_grant },
};
/* clang-format on */
const struct verify_tables auth_verify = { tables, nitems(tables) };

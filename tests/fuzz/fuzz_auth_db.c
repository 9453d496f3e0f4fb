#include "hostile_db.h"

#include "../../services/auth/auth_db.c"

/*
 * Damaged rows of auth, as they are inside their seal or in clear; the first
 * byte chooses what is read.
 *
 * Must hold: what is read has lengths within their bounds, and is written as
 * it was read.
 */

static void read_account(struct slice input)
{
	struct account account;
	uint8_t again[ACCOUNT_BYTES_MAX];

	if (account_parse(&account, input) != STATUS_OK)
		return;
	must(strlen(account.name) <= NAME_BYTES_MAX);
	must(account_format(again, &account) <= input.len);
	must(memcmp(again, input.data, ACCOUNT_AT_NAME) == 0);
}

static void read_credential(struct slice input)
{
	struct credential credential;
	uint8_t again[CREDENTIAL_BYTES_MAX];

	if (credential_parse(&credential, input) != STATUS_OK)
		return;
	must(credential.wrapped_root_len <= WRAPPED_ROOT_BYTES_MAX);
	must(credential_format(again, &credential) == input.len);
	must(memcmp(again, input.data, input.len) == 0);
}

static void read_clear(struct slice input)
{
	struct db_batch *batch = hostile_batch();
	uint64_t told_ms;
	bool disabled;

	hostile_rows = input;
	if (auth_db_asked_again(NULL, &HOSTILE_ACCOUNT, &told_ms) == STATUS_OK)
		auth_db_put_asked_again(batch, told_ms, told_ms);
	hostile_rows = input;
	(void)auth_db_disabled(NULL, &HOSTILE_ACCOUNT, &disabled);
	db_batch_destroy(&batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice input = slice_of(data, len);

	switch (take_byte(&input) % 3) {
	case 0:
		read_account(input);
		break;
	case 1:
		read_credential(input);
		break;
	default:
		read_clear(input);
		break;
	}
	return 0;
}

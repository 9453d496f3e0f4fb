#include "hostile_db.h"

#include "../../services/auth/auth_db.c"

/*
 * Damaged rows of auth; the first byte chooses what is read.
 *
 * Must hold: what is read has lengths within their bounds, and can be
 * written.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice input = slice_of(data, len);
	unsigned int choice = take_byte(&input) % 3;
	struct db_batch *batch = hostile_batch();
	struct credential credential;
	struct account account;
	uint64_t told_ms;

	hostile_rows = input;
	switch (choice) {
	case 0:
		if (auth_db_account(NULL, &HOSTILE_ACCOUNT, &account) ==
		    STATUS_OK)
			auth_db_put_account(batch, &account);
		break;
	case 1:
		if (auth_db_credential(NULL, &HOSTILE_ACCOUNT, &owner_slot,
			&credential) != STATUS_OK)
			break;
		must(credential.wrapped_root_len <= WRAPPED_ROOT_BYTES_MAX);
		auth_db_put_credential(batch, &owner_slot, &credential);
		break;
	default:
		if (auth_db_asked_again(NULL, &HOSTILE_ACCOUNT, &told_ms) ==
		    STATUS_OK)
			auth_db_put_asked_again(batch, told_ms, told_ms);
		break;
	}
	db_batch_destroy(&batch);
	return 0;
}

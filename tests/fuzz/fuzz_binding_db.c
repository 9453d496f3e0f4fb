#include "hostile_db.h"

#include "../../services/binding/binding_db.c"

/*
 * Damaged rows of binding.
 *
 * Must hold: what is read is made of texts that fit their places, and can
 * be written.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct terminal terminals[ACCOUNT_TERMINALS_MAX];
	struct db_batch *batch = hostile_batch();
	size_t count = 0;

	hostile_rows = slice_of(data, len);
	if (binding_db_terminals(
		NULL, &HOSTILE_ACCOUNT, terminals, &count, NULL) == STATUS_OK)
		for (size_t i = 0; i < count; i++)
			binding_db_put_terminal(batch, &terminals[i]);
	db_batch_destroy(&batch);
	return 0;
}

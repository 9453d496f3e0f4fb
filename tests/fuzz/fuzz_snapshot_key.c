/* What opens a key can only be reached from within. */
#include "../../client/lib/snapshot_key.c"

#include "fuzz.h"

/*
 * The sealed key of a snapshot, as the store hands it out: what it says of
 * itself, then opened by an account that did not seal it, in both ways that
 * need no file.
 *
 * Must hold: what is understood has the length of its mode, and nothing
 * opens.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct account_keys keys = { .private_key = { 1 } };
	struct slice input = slice_of(data, len);
	struct sealed_key head;
	uint8_t key[SEAL_KEY_BYTES];

	if (sealed_key_read(&head, input) != STATUS_OK)
		return 0;
	must(len == lengths[head.mode] && len <= SNAPSHOT_SEALED_KEY_BYTES_MAX);
	must((head.mode == KEY_MODE_LOCAL) == !id_is_none(&head.id));
	if (head.mode == KEY_MODE_LOCAL)
		return 0;
	keys.may_read = false;
	must(snapshot_key_open(key, &keys, NULL, input) == STATUS_DENIED);
	keys.may_read = true;
	must(snapshot_key_open(key, &keys, NULL, input) == STATUS_MALFORMED);
	return 0;
}

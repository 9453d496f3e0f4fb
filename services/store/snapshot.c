#include "snapshot.h"

#include <sodium.h>

enum status snapshot_verify(const struct snapshot *claim,
    const uint8_t root_hash[static ROOT_HASH_BYTES], const struct chunk *root,
    struct slice sealed, const char **detail)
{
	uint8_t hash[ROOT_HASH_BYTES];

	crypto_generichash(
	    hash, sizeof(hash), sealed.data, sealed.len, NULL, 0);
	if (!root->node)
		*detail = "root_id: not a node";
	else if (root->data_chunks != claim->data_chunks)
		*detail = "chunks: the store counts another number";
	else if (root->data_bytes != claim->data_bytes)
		*detail = "sealed_bytes: the store counts another size";
	else if (sodium_memcmp(hash, root_hash, sizeof(hash)) != 0)
		*detail = "root_hash: the stored root has another one";
	else
		return STATUS_OK;
	return STATUS_CONFLICT;
}

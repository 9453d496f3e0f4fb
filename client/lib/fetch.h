#ifndef KEEPSAKE_CLIENT_FETCH_H
#define KEEPSAKE_CLIENT_FETCH_H

#include <stddef.h>
#include <stdint.h>

#include "account_keys.h"
#include "base/status.h"
#include "manifest.h"
#include "remote.h"

/**
 * Fetch the chunk ${id} and wait for it.
 *
 * sealed_out  malloc'ed, becomes the caller's
 *
 * STATUS_OK, or what the remote answered; STATUS_NO_SPACE without memory.
 */
enum status fetch_chunk(struct remote *remote, const struct chunk_id *id,
    uint8_t **sealed_out, size_t *sealed_len);

/** Fetches the nodes of a manifest, some ahead; for one thread. */
struct node_fetcher;

/** Borrows ${remote} and ${keys}; NULL without memory. */
struct node_fetcher *node_fetcher_new(
    struct remote *remote, const struct account_keys *keys);

/** Wait for what is under way, free, and leave NULL; NULL is fine. */
void node_fetcher_destroy(struct node_fetcher **self_p);

/** ${self} as a manifest_reader takes it. */
struct node_source node_fetcher_source(struct node_fetcher *self);

#endif

#ifndef KEEPSAKE_CLIENT_SENDER_H
#define KEEPSAKE_CLIENT_SENDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "account_keys.h"
#include "base/status.h"
#include "chunk.h"
#include "known_chunks.h"
#include "remote.h"

/*
 * From cut plaintext to chunks in the store: worker threads hash, look up
 * what is known, ask the store, compress, seal and put.  What is submitted
 * counts as one stream of bytes; once a part of it is settled, the stream
 * tells which chunk holds it.
 */

/* Each of CHUNK_BYTES_MAX: two are filled, two batches are worked on, and
 * the rest wait.  What is never touched is never resident. */
#define SENDER_BUFFERS     8
#define SENDER_BATCH       3 /* chunks asked for in one question */
#define SENDER_THREADS     2
#define SENDER_THREADS_MAX 8

struct sender_options {
	struct remote *remote; /* borrowed, as all here */
	const struct account_keys *keys;
	struct known_chunks *known; /* by this sender alone, until it ends */
	bool ask;                   /* the store has chunks: may have ours */
	bool weigh;           /* send nothing: the figures say what would be */
	unsigned int threads; /* 0: SENDER_THREADS */
	const atomic_bool *cancel; /* may be NULL */
};

struct sender_figures {
	uint64_t chunks_sent;
	uint64_t chunks_reused; /* known, or found in the store */
	uint64_t bytes_sent;    /* sealed */
};

struct sender;

/** Start the threads.  NULL without memory or threads. */
struct sender *sender_new(const struct sender_options *options);

/** Stop, dropping what was not done; leaves NULL; NULL is fine. */
void sender_destroy(struct sender **self_p);

/**
 * A buffer of CHUNK_BYTES_MAX bytes; waits for one to be free.
 *
 * STATUS_OK       to be given to sender_submit, or left: it stays ours
 * STATUS_PENDING  cancelled
 * others          what stopped the sender
 */
enum status sender_buffer(struct sender *self, uint8_t **buffer_out);

/** The next ${len} bytes of the stream, a chunk in ${buffer}; takes it. */
void sender_submit(struct sender *self, uint8_t *buffer, size_t len);

/** Up to here the stream is settled: sender_piece answers. */
uint64_t sender_settled(struct sender *self);

/** Wait until the stream is settled up to ${at}; results as sender_buffer. */
enum status sender_wait(struct sender *self, uint64_t at);

/** Where a part of the stream went. */
struct sender_piece {
	struct chunk_name chunk;
	uint32_t offset; /* in the chunk's plaintext */
	uint32_t length; /* to the end of the chunk */
};

/** The piece at ${at}, which must be settled and not forgotten. */
void sender_piece(
    struct sender *self, uint64_t at, struct sender_piece *piece_out);

/** Nothing before ${at} will be asked for. */
void sender_forget(struct sender *self, uint64_t at);

/** known_chunks_use and known_chunks_add, safe beside the threads. */
unsigned int sender_known_use(struct sender *self, const struct chunk_id *id);
enum status sender_known_add(
    struct sender *self, const struct chunk_id *id, unsigned int pages);

/** What has been done so far. */
struct sender_figures sender_figures(struct sender *self);

/** A chunk on its way to its place in the store. */
struct settling {
	enum chunk_kind kind;
	struct slice plain;
	const struct chunk_id *refs; /* NODE; borrowed */
	size_t refs_count;
	/* Filled by sender_settle_batch: */
	struct chunk_name name;
	unsigned int pages; /* of the sealed form */
	bool sent;
	uint8_t sealed_hash[32]; /* NODE: BLAKE2b-256 of it, if hash_known */
	bool hash_known;
	/* Its own: */
	struct chunk_hash hash;
	unsigned int variant;
	struct chunk_standing standing;
};

/**
 * Bring up to REMOTE_HAVE_MAX chunks to the store, in the calling thread and
 * with its ${codec}: for nodes, and for the threads themselves.
 *
 * STATUS_TOO_LARGE   data that does not fit a chunk: bring it in parts;
 *                    those before it are done, those behind are not
 * STATUS_MALFORMED   the store holds something else under each of a
 *                    chunk's CHUNK_VARIANTS ids
 * others             what the remote answered; STATUS_NO_SPACE
 */
enum status sender_settle_batch(struct sender *self, struct chunk_codec *codec,
    struct settling *batch, size_t count);

#endif

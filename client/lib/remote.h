#ifndef KEEPSAKE_CLIENT_REMOTE_H
#define KEEPSAKE_CLIENT_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bounds.h"
#include "base/bytes.h"
#include "base/status.h"
#include "bus/keys.h"
#include "crypto/enrolment.h"

/*
 * The store as a backup or restore sees it, over one connection to a
 * gateway.  A thread of its own moves the messages, keeps a bounded window
 * of them under way, sends again what a broken link or a restarted service
 * lost, and calls back; every function here may be called from any thread.
 *
 * The first failure that sending again cannot cure sticks: later calls
 * return it too, and remote_detail tells it in words.
 */

struct remote;

/*
 * The windows, which open as far as the link allows.  Puts: at most enough
 * under way to keep a group commit at the store busy, and few enough to be in
 * the caches of the processors still when the store copies them; fetches:
 * enough for the round trip.  Both in memory, so bounded.  At least as much as
 * 1,000 bytes a second carry within the deadline of a transfer.
 */
#define REMOTE_PUTS_MAX        192
#define REMOTE_PUT_BYTES_MIN   PAYLOAD_BYTES_MAX
#define REMOTE_PUT_BYTES_FIRST (2u * PAYLOAD_BYTES_MAX)
#define REMOTE_PUT_BYTES_MAX   (8u * 1024 * 1024)
#define REMOTE_FETCHES_MIN     1
#define REMOTE_FETCHES_FIRST   2
#define REMOTE_FETCHES_MAX     32

/*
 * A chunk of data up to this size waits, as long as an answer to a put is
 * still to come, so that others go in the same message.  Of larger ones fewer
 * than four would fit, which is not worth the copy.
 */
#define REMOTE_SMALL_BYTES (16 * PAGE_BYTES - PAGE_HEAD_BYTES)

struct remote_options {
	const struct enrolment *enrolment; /* copied */
	const struct curve_keys *keys;     /* copied; secret */
	const struct id *account;          /* copied */
	struct slice ticket;               /* copied: of a login */
	/* How long a request is tried, through broken links, restarted
	 * services and BUSY; 1 to DEADLINE_MS_MAX. */
	uint32_t timeout_ms;
};

/**
 * Connect, and start the thread.
 *
 * STATUS_OK        ${self_out} is the caller's; nothing was asked yet
 * STATUS_NO_SPACE  no memory, or no thread
 * STATUS_INTERNAL  libzmq refuses; logged
 */
enum status remote_new(
    struct remote **self_out, const struct remote_options *options);

/**
 * Stop the thread and close the connection; what is under way ends with
 * STATUS_UNAVAILABLE, each fetch by its callback.  Leaves NULL; NULL is
 * fine.  Nobody may be in another call then.
 */
void remote_destroy(struct remote **self_p);

#define CHUNK_ID_BYTES 32

struct chunk_id {
	uint8_t bytes[CHUNK_ID_BYTES];
};

enum chunk_kind {
	CHUNK_DATA, /* file contents; refers to nothing */
	CHUNK_NODE, /* part of a manifest; refers to chunks and nodes */
};

/** One chunk on its way out.  malloc'ed, and so are its two arrays. */
struct chunk_out {
	struct chunk_id id;
	enum chunk_kind kind;
	struct chunk_id *refs; /* NODE: what it refers to, each once */
	size_t refs_count;
	uint8_t *sealed; /* padded: n * 4096 - 16 bytes */
	size_t sealed_len;
};

/** Free ${chunk_p} and what it owns, and leave NULL; NULL is fine. */
void chunk_out_destroy(struct chunk_out **chunk_p);

/** What the store knows of a chunk. */
enum chunk_presence {
	CHUNK_ABSENT,
	CHUNK_OURS,    /* written by this terminal: may be referred to */
	CHUNK_OTHERS,  /* written by another: fetch and verify first (B-05) */
	CHUNK_DAMAGED, /* may be put again, with as many pages; 0: any */
};

struct chunk_standing {
	enum chunk_presence presence;
	unsigned int pages; /* n of its n * 4096 - 16 bytes; ABSENT: 0 */
};

/**
 * Ask what the store has of ${count} chunks, at most REMOTE_HAVE_MAX.
 * Blocks for the answer, filled into ${out}.
 */
#define REMOTE_HAVE_MAX 1000
enum status remote_have(struct remote *self, const struct chunk_id *ids,
    size_t count, struct chunk_standing *out);

/**
 * Send a chunk; takes ${chunk_p}.  Blocks while the window is full and
 * returns before the answer; remote_flush waits for the answers.  A chunk
 * that the store has already counts as sent.  A NODE leaves only when what
 * it refers to and was put before it is acknowledged.
 */
enum status remote_put(struct remote *self, struct chunk_out **chunk_p);

/** Wait until everything put is acknowledged, that is: on the disk. */
enum status remote_flush(struct remote *self);

/**
 * Called on the network thread, once for each remote_fetch that returned
 * STATUS_OK, when the chunk is here; must not block.  ${sealed} becomes the
 * callee's (malloc'ed; NULL unless STATUS_OK).  STATUS_NOT_FOUND, the store
 * has no such chunk, is this chunk's alone: it does not stick.
 */
typedef void remote_fetched_fn(
    void *arg, enum status status, uint8_t *sealed, size_t sealed_len);

/** Ask for a chunk.  Blocks while the window is full, not for the answer. */
enum status remote_fetch(struct remote *self, const struct chunk_id *id,
    remote_fetched_fn *fetched, void *arg);

/** Begin a restore: before the first remote_fetch outside a backup. */
enum status remote_restore_begin(struct remote *self);

/**
 * End it: the owner is told of ${files} files of a snapshot, ${failed} of
 * which could not be restored (ordinal 0: there was nothing to restore), and
 * what was deleted meanwhile may be swept now.  Waits a few seconds at most;
 * what goes wrong is no matter, the lease runs out by itself.  Leave it where
 * the restore is to go on later.
 */
void remote_restore_end(
    struct remote *self, uint64_t ordinal, uint64_t files, uint64_t failed);

/** What a backup begins with. */
struct backup_lease {
	struct id id;
	uint64_t chunks; /* the account has in the store; 0: ask nothing */
	uint64_t last_ordinal; /* of the account; 0: none yet */
	/* In bytes, sealed, with REMOTE_CHUNK_COST for each chunk. */
	uint64_t used_bytes;
	uint64_t quota_bytes;      /* past it nothing is taken; 0: none */
	uint64_t quota_soft_bytes; /* past it people are warned; 0: none */
	uint64_t room_bytes;       /* of the server's disk; 0: not known */
	uint32_t damaged_chunks;   /* what is known must be asked again */
};

#define REMOTE_CHUNK_COST 256 /* what the rows of a chunk count */

/**
 * Begin a backup.  Until it is published or abandoned nothing it puts or
 * refers to is swept.  A lease this terminal left behind is taken over:
 * that is how a broken backup goes on.
 */
enum status remote_backup_begin(
    struct remote *self, struct backup_lease *lease_out);

/** A snapshot as the store keeps it. */
struct snapshot {
	uint64_t ordinal;  /* 1, 2, … within the account */
	uint64_t taken_ms; /* wall time of the publication */
	struct id terminal;
	struct chunk_id root;    /* the top node of the manifest */
	uint64_t chunks;         /* that the manifest refers to, with repeats */
	uint64_t sealed_bytes;   /* of those */
	struct bytes sealed_key; /* snapshot key under the account's root key */
	struct bytes sealed_summary; /* under the snapshot key; see summary.h */
};

/** Free what ${self} owns; ${self} is empty then. */
void snapshot_clear(struct snapshot *self);

/** A copy, to be cleared; empty unless OK.  STATUS_NO_SPACE: no memory. */
enum status snapshot_copy(struct snapshot *out, const struct snapshot *from);

#define SNAPSHOT_SEALED_KEY_BYTES_MAX     256
#define SNAPSHOT_SEALED_SUMMARY_BYTES_MAX 2048

/**
 * Publish: the store checks that the root is there and that its count, size
 * and hash agree with ${snapshot}, then makes it durable and fills in
 * ordinal, taken_ms and terminal.
 *
 * root_hash  BLAKE2b-256 of the root node's sealed bytes as they were put
 *
 * STATUS_NOT_FOUND  the root, or a chunk below it, is not there
 * STATUS_CONFLICT   count, size or hash differ, or the lease is not ours
 */
enum status remote_publish(struct remote *self, struct snapshot *snapshot,
    const uint8_t root_hash[static 32]);

/**
 * End a backup without a snapshot: what only it refers to may be swept.
 * Also for one that ended with QUOTA or NO_SPACE.
 */
enum status remote_backup_abandon(struct remote *self);

/**
 * The snapshots of the account, oldest first; ${out} is malloc'ed, each
 * entry to be cleared with snapshot_clear.
 */
enum status remote_snapshots(
    struct remote *self, struct snapshot **out, size_t *count_out);

/** Whether the last list of snapshots said that something is damaged. */
bool remote_any_damage(const struct remote *self);

/**
 * What the store knows to be damaged; needs no transfer.
 *
 * chunks_out    how many chunks, at most 1000
 * ordinals_out  malloc'ed: the snapshots that it touches, rising
 */
enum status remote_damage(struct remote *self, uint32_t *chunks_out,
    uint64_t **ordinals_out, size_t *count_out);

/** Report what a drill came to: ${failed} of ${files} files. */
enum status remote_drill(
    struct remote *self, uint64_t ordinal, uint64_t files, uint64_t failed);

/**
 * Delete snapshots by their ordinals, which rise: all of them, or none.  The
 * ticket is for DIRECTION_MANAGE.
 *
 * STATUS_NOT_FOUND  one is not there; does not stick
 */
#define REMOTE_DELETE_MAX 100
enum status remote_delete(
    struct remote *self, const uint64_t *ordinals, size_t count);

/**
 * Why the first call that failed did, for people; "" where none did.  Good
 * as long as ${self}, once every other thread has ended its calls.
 */
const char *remote_detail(struct remote *self);

/** What a person can do about it; static, "" where nothing. */
const char *remote_advice(struct remote *self);

/** What went over the connection so far: sealed bytes, without repeats. */
struct remote_traffic {
	uint64_t chunks_sent; /* acknowledged */
	uint64_t bytes_sent;
	uint64_t chunks_fetched;
	uint64_t bytes_fetched;
};

struct remote_traffic remote_traffic(struct remote *self);

#endif

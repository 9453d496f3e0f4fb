#ifndef KEEPSAKE_BASE_BOUNDS_H
#define KEEPSAKE_BASE_BOUNDS_H

/*
 * Every bound that two parts must agree on has its name here, in one place.
 * docs/protocol.md repeats the ones a terminal must know.
 */

/* Messages: [header] [body] [payload] */
#define HEADER_BYTES_MAX  1024          /* encoded */
#define BODY_BYTES_MAX    65536         /* encoded */
#define PAYLOAD_BYTES_MAX 262128        /* sealed chunks, see below */
#define CUT_FRAME_BYTES   (1024 * 1024) /* one larger ends the connection */
#define DETAIL_BYTES_MAX  200           /* text in a reply's header */
#define UNPACK_BYTES_MAX  (1024 * 1024) /* memory for one unpacked message */

/*
 * A value of n * 4096 - 16 bytes wastes no LMDB page: sealed chunks are
 * padded to that, and the largest blob is such a length.
 */
#define PAGE_BYTES      4096
#define PAGE_HEAD_BYTES 16
#define BLOB_BYTES_MAX  (64 * PAGE_BYTES - PAGE_HEAD_BYTES)

/* Chunks in one PUT_MANY: as many of a page as its payload holds, 64. */
#define PUT_MANY_MAX (PAYLOAD_BYTES_MAX / (PAGE_BYTES - PAGE_HEAD_BYTES))

/* Flow */
#define TERMINAL_INFLIGHT_MAX 256  /* requests of one terminal at a gateway */
#define SOCKET_HWM            4096 /* messages; credits keep well below */
#define DEADLINE_MS_MAX       (10 * 60 * 1000)

/* Time */
#define TICKET_SKEW_MS  5000
#define PRESENCE_MS     60000
#define TRANSFER_MS_MAX (24ull * 3600 * 1000) /* a ticket renewed by use */
#define ANSWER_KEPT_MS  (24ull * 3600 * 1000)

/* Accounts */
#define ACCOUNT_TERMINALS_MAX 64 /* bound to one account */

/* Storage interface */
#define DB_KEY_BYTES_MAX    500
#define DB_VALUE_BYTES_MAX  4096
#define DB_BATCH_OPS_MAX    1000
#define DB_BATCH_BYTES_MAX  (1024 * 1024)
#define DB_PAGE_ENTRIES_MAX 1000

/*
 * Chunks that one node refers to: each is guarded in the batch that stores
 * the node, with room for what else that batch holds.
 */
#define NODE_REFS_MAX 900

#endif

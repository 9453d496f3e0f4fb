#ifndef KEEPSAKE_BUS_BUS_H
#define KEEPSAKE_BUS_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "bus/keys.h"

/*
 * The ZeroMQ context of a process and its doors.  Each tcp door has CURVE
 * and an allow-list; ipc doors carry no keys: the folder of the endpoint
 * says who may come.  libzmq lets everyone in where no ZAP handler runs, so
 * one runs before the first tcp door is bound, and bus_self_test proves that
 * it refuses.
 */

struct bus;

/**
 * keys  of this process; copied
 *
 * STATUS_OK        *out is the caller's
 * STATUS_INTERNAL  libzmq refused; logged
 */
enum status bus_new(const struct curve_keys *keys, struct bus **out);

/** Wait for the threads; every socket is closed by then. */
void bus_destroy(struct bus **self_p);

#define ALLOW_KEYS_MAX 64

/** Who may come in by a tcp door. */
struct allow_list {
	bool anyone; /* any key: the peer is told by it, not chosen */
	uint8_t keys[ALLOW_KEYS_MAX][CURVE_KEY_BYTES];
	size_t keys_count;
};

/**
 * Open a ROUTER and bind it.
 *
 * door      name of the door, unique in the process; borrowed
 * endpoint  tcp://… or ipc://…; the folder of an ipc one is made, 0700
 * allow     for tcp; copied
 *
 * STATUS_OK           *socket_out is the caller's, to be closed by
 *                     bus_close before bus_destroy
 * STATUS_UNAVAILABLE  the address is taken or not ours; logged.  An ipc
 *                     one is taken over: its folder says whose it is
 * other               the folder of an ipc endpoint cannot be made, as
 *                     folder_make; DENIED where it is given none
 */
enum status bus_bind(struct bus *self, const char *door, const char *endpoint,
    const struct allow_list *allow, void **socket_out);

/**
 * The same, an XPUB: who comes in takes what it subscribes to.  Each
 * subscription can be read from the socket.  One that has ${queue_max}
 * messages before it does not get what is sent then.
 */
enum status bus_bind_stream(struct bus *self, const char *door,
    const char *endpoint, const struct allow_list *allow, int queue_max,
    void **socket_out);

/**
 * Open a SUB that takes what begins with ${topic}, and connect it; with a
 * PAIR as bus_connect_watched makes it.
 */
enum status bus_connect_stream(struct bus *self, const char *endpoint,
    const uint8_t *server_key, const char *topic, void **socket_out,
    void **monitor_out);

/**
 * Open a DEALER and connect it; libzmq connects again by itself.
 *
 * server_key  the peer's public key; NULL for ipc
 */
enum status bus_connect(struct bus *self, const char *endpoint,
    const uint8_t *server_key, void **socket_out);

/**
 * The same, with a PAIR that reports the connection's events from the first
 * on; for bus_unmonitor.
 */
enum status bus_connect_watched(struct bus *self, const char *endpoint,
    const uint8_t *server_key, void **socket_out, void **monitor_out);

/**
 * The same, to a gateway from a terminal: the link may be slow, and lose much.
 * It is given up when the kernel gets nothing through it for half a minute.
 */
enum status bus_connect_far(struct bus *self, const char *endpoint,
    const uint8_t *server_key, void **socket_out, void **monitor_out);

/**
 * How many bytes went over a connection so far, both ways: those that the
 * peer's kernel has acknowledged, and those that came.  0 where that cannot
 * be told.
 *
 * fd  as ZMQ_EVENT_CONNECTED gives it; libzmq's own: what is told of one that
 *     it has closed means nothing
 */
uint64_t bus_bytes_moved(int fd);

/**
 * Connect ${socket}, of bus_connect, anew.  libzmq does so by itself but in
 * one case: the peer has refused our key (ZMQ_EVENT_HANDSHAKE_FAILED_AUTH),
 * which it may cease to do.
 */
enum status bus_reconnect(void *socket);

/**
 * Read the next event of a monitor; waits as long as its ZMQ_RCVTIMEO, which
 * is 0 unless set.  Returns ZMQ_EVENT_…, or -1 where there is none; the address
 * is dropped.
 */
int bus_monitor_event(void *monitor, int64_t *value_out);

/**
 * End a monitor, before its socket is closed: libzmq's I/O thread would wait
 * for ever to report an event that nobody reads.  A NULL monitor is fine.
 */
void bus_unmonitor(void *socket, void **monitor_p);

/** Close ${socket_p}, and leave NULL; NULL is fine.  What waits is lost. */
void bus_close(void **socket_p);

/**
 * The same, but what was sent may still leave: bus_destroy waits for it, at
 * most a second.
 */
void bus_close_sent(void **socket_p);

/**
 * Prove that a key on no list is refused and one on a list is let in, by
 * connecting to a door of our own: in every server before its first bind.
 *
 * STATUS_OK      CURVE and the allow-list work
 * STATUS_DENIED  they do not: do not go on; logged
 */
enum status bus_self_test(struct bus *self);

#endif

/*
 * badlink NAMESPACE-A NAMESPACE-B --delay MIN-MAX --drop N --duplicate N
 *         --seed S
 *
 * A link between two network namespaces that delays, reorders, duplicates
 * and loses packets: a TUN device "bad" in each, and this process in between.
 * The caller gives them addresses once "ready" is printed.
 *
 * --delay      ms, each packet on its own: so they overtake one another
 * --drop       of 100 packets, at random
 * --duplicate  likewise: a second copy, with a delay of its own
 *
 * Runs until TERM; then prints what it did, as JSON.  Exit status: 0 done, 1
 * the system refused, 2 wrong arguments, 3 there are no such devices here.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"

#define PACKET_BYTES_MAX 2048 /* more than an MTU */
#define QUEUE_MAX        20000
#define NAMESPACES       "/run/netns/"

struct packet {
	uint64_t due_ms;
	uint64_t number; /* of its direction, as it came */
	size_t side;     /* to which it goes */
	size_t len;
	uint8_t bytes[PACKET_BYTES_MAX];
};

struct side {
	int fd;
	uint64_t came, last; /* the highest number that went */
};

struct link {
	struct side sides[2];
	struct packet *queue[QUEUE_MAX]; /* a heap by due_ms; owned */
	size_t count;
	uint64_t random;
	unsigned int delay_min_ms, delay_max_ms, drop, duplicate;
	uint64_t bytes, packets, dropped, duplicated, reordered;
};

static uint64_t draw(struct link *self, uint64_t bound)
{
	self->random =
	    self->random * 6364136223846793005u + 1442695040888963407;
	return (self->random >> 33) % bound;
}

/* ---- the queue ---- */

static void queue_swap(struct link *self, size_t a, size_t b)
{
	struct packet *kept = self->queue[a];

	self->queue[a] = self->queue[b];
	self->queue[b] = kept;
}

static void queue_put(struct link *self, struct packet *packet)
{
	size_t at = self->count++;

	self->queue[at] = packet;
	while (at > 0 &&
	       self->queue[(at - 1) / 2]->due_ms > self->queue[at]->due_ms) {
		queue_swap(self, at, (at - 1) / 2);
		at = (at - 1) / 2;
	}
}

static struct packet *queue_take(struct link *self)
{
	struct packet *first = self->queue[0];
	size_t at = 0;

	self->queue[0] = self->queue[--self->count];
	for (;;) {
		size_t least = at, child = 2 * at + 1;
		for (size_t i = child; i < child + 2 && i < self->count; i++)
			if (self->queue[i]->due_ms < self->queue[least]->due_ms)
				least = i;
		if (least == at)
			return first;
		queue_swap(self, at, least);
		at = least;
	}
}

/* ---- packets ---- */

static void packet_queue(
    struct link *self, const struct packet *packet, uint64_t now_ms)
{
	struct packet *copy = malloc(sizeof(*copy));

	if (!copy)
		err(1, "packet");
	if (self->count == QUEUE_MAX) { /* as any router's is, some time */
		self->dropped++;
		free(copy);
		return;
	}
	*copy = *packet;
	copy->due_ms = now_ms + self->delay_min_ms +
		       draw(self, self->delay_max_ms - self->delay_min_ms + 1);
	queue_put(self, copy);
}

static void packets_come(struct link *self, size_t side, uint64_t now_ms)
{
	struct packet packet = { .side = 1 - side };
	ssize_t len;

	while ((len = read(self->sides[side].fd, packet.bytes,
		    sizeof(packet.bytes))) > 0) {
		packet.len = (size_t)len;
		packet.number = ++self->sides[side].came;
		self->packets++;
		self->bytes += packet.len;
		if (draw(self, 100) < self->drop) {
			self->dropped++;
			continue;
		}
		packet_queue(self, &packet, now_ms);
		if (draw(self, 100) < self->duplicate) {
			self->duplicated++;
			packet_queue(self, &packet, now_ms);
		}
	}
}

static void packets_go(struct link *self, uint64_t now_ms)
{
	while (self->count > 0 && self->queue[0]->due_ms <= now_ms) {
		struct packet *packet = queue_take(self);
		struct side *from = &self->sides[1 - packet->side];
		if (packet->number < from->last)
			self->reordered++;
		from->last = max_of(from->last, packet->number);
		/* An interface that is down takes none: lost, then. */
		if (write(self->sides[packet->side].fd, packet->bytes,
			packet->len) < 0)
			self->dropped++;
		free(packet);
	}
}

/* ---- devices ---- */

static int device_open(const char *namespace)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	char path[256];

	snprintf(path, sizeof(path), NAMESPACES "%s", namespace);
	int where = open(path, O_RDONLY | O_CLOEXEC);
	if (where < 0 || setns(where, CLONE_NEWNET) != 0)
		err(1, "namespace %s", namespace);
	close(where);
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		err(3, "/dev/net/tun");
	strcpy(request.ifr_name, "bad");
	if (ioctl(fd, TUNSETIFF, &request) != 0)
		err(3, "TUN device");
	return fd;
}

static void run(struct link *self, int signal_fd)
{
	for (;;) {
		struct pollfd events[] = {
			{ self->sides[0].fd, POLLIN, 0 },
			{ self->sides[1].fd, POLLIN, 0 },
			{ signal_fd, POLLIN, 0 },
		};
		uint64_t now_ms = clock_interval_ms();
		int wait_ms = -1;

		if (self->count > 0)
			wait_ms = self->queue[0]->due_ms > now_ms
				      ? (int)(self->queue[0]->due_ms - now_ms)
				      : 0;
		if (poll(events, nitems(events), wait_ms) < 0 && errno != EINTR)
			err(1, "poll");
		if (events[2].revents)
			return;
		now_ms = clock_interval_ms();
		packets_come(self, 0, now_ms);
		packets_come(self, 1, now_ms);
		packets_go(self, now_ms);
	}
}

/* ---- the command line ---- */

static unsigned int percent(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || value > 100)
		errx(2, "'%s' is no percentage", text);
	return (unsigned int)value;
}

static void options_read(struct link *self, int argc, char **argv)
{
	static const struct option options[] = {
		{ "delay", required_argument, NULL, 'd' },
		{ "drop", required_argument, NULL, 'l' },
		{ "duplicate", required_argument, NULL, 'u' },
		{ "seed", required_argument, NULL, 's' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'd':
			if (sscanf(optarg, "%u-%u", &self->delay_min_ms,
				&self->delay_max_ms) != 2 ||
			    self->delay_max_ms < self->delay_min_ms)
				errx(2, "'%s' is no MIN-MAX", optarg);
			break;
		case 'l':
			self->drop = percent(optarg);
			break;
		case 'u':
			self->duplicate = percent(optarg);
			break;
		case 's':
			self->random = strtoull(optarg, NULL, 10);
			break;
		default:
			exit(2);
		}
	}
	if (argc - optind != 2)
		errx(2, "usage: badlink NAMESPACE-A NAMESPACE-B [OPTION...]");
}

int main(int argc, char **argv)
{
	static struct link self;
	sigset_t signals;

	options_read(&self, argc, argv);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	if (signal_fd < 0)
		err(1, "signalfd");
	for (size_t i = 0; i < 2; i++)
		self.sides[i].fd = device_open(argv[optind + (int)i]);
	printf("ready\n");
	fflush(stdout);
	run(&self, signal_fd);
	while (self.count > 0)
		free(queue_take(&self));
	printf("{\"packets\": %llu, \"bytes\": %llu, \"dropped\": %llu, "
	       "\"duplicated\": %llu, \"reordered\": %llu}\n",
	    (unsigned long long)self.packets, (unsigned long long)self.bytes,
	    (unsigned long long)self.dropped,
	    (unsigned long long)self.duplicated,
	    (unsigned long long)self.reordered);
	return 0;
}

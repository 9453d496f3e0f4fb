#include "flight.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/histogram.h"
#include "base/util.h"

#define BUCKETS 4096 /* a power of two */

/* How much one terminal has under way; gone when that is nothing. */
struct flight_terminal {
	uint8_t peer[PEER_ID_BYTES];
	size_t count;
	struct flight_terminal *next_in_bucket;
};

struct flights {
	/* Ids and keys are the terminals' choice: none is to fill a bucket. */
	uint8_t hash_key[crypto_shorthash_KEYBYTES];
	struct flight *buckets[BUCKETS];
	struct flight_terminal *terminals[BUCKETS];
	struct flight *first, *last;
	size_t count, bytes;
};

_Static_assert(sizeof(struct flight_key) == ID_BYTES + PEER_ID_BYTES,
    "a key is hashed and compared as bytes");

enum status flights_new(struct flights **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return STATUS_NO_SPACE;
	crypto_shorthash_keygen((*out)->hash_key);
	return STATUS_OK;
}

struct flight_key flight_key_of(const struct header *header)
{
	struct flight_key key = { .request = header->request };

	memcpy(key.peer, header->peer.id, header->peer.id_len);
	return key;
}

static size_t hash(const struct flights *self, const void *data, size_t len)
{
	uint8_t out[crypto_shorthash_BYTES];

	crypto_shorthash(out, data, len, self->hash_key);
	return get_be16(out) & (BUCKETS - 1);
}

static struct flight **flight_at(
    struct flights *self, const struct flight_key *key)
{
	struct flight **at = &self->buckets[hash(self, key, sizeof(*key))];

	while (*at && memcmp(&(*at)->key, key, sizeof(*key)) != 0)
		at = &(*at)->next_in_bucket;
	return at;
}

static struct flight_terminal **terminal_at(
    struct flights *self, const uint8_t peer[static PEER_ID_BYTES])
{
	struct flight_terminal **at =
	    &self->terminals[hash(self, peer, PEER_ID_BYTES)];

	while (*at && memcmp((*at)->peer, peer, PEER_ID_BYTES) != 0)
		at = &(*at)->next_in_bucket;
	return at;
}

/* NULL: no memory. */
static struct flight_terminal *terminal_of(
    struct flights *self, const uint8_t peer[static PEER_ID_BYTES])
{
	struct flight_terminal **at = terminal_at(self, peer);

	if (!*at) {
		*at = calloc(1, sizeof(**at));
		if (*at)
			memcpy((*at)->peer, peer, PEER_ID_BYTES);
	}
	return *at;
}

static void terminal_drop_idle(
    struct flights *self, const struct flight_terminal *terminal)
{
	if (!terminal || terminal->count > 0)
		return;
	struct flight_terminal **at = terminal_at(self, terminal->peer);
	struct flight_terminal *idle = *at;
	assert(idle == terminal);
	*at = idle->next_in_bucket;
	free(idle);
}

static bool has_room(const struct flights *self,
    const struct flight_terminal *terminal, size_t bytes)
{
	return terminal->count < TERMINAL_INFLIGHT_MAX &&
	       self->bytes + bytes <= FLIGHT_BYTES_MAX;
}

static void count_copy(
    struct flights *self, struct flight *flight, size_t bytes)
{
	flight->copies++;
	flight->bytes += bytes;
	flight->terminal->count++;
	flight->repeat_ms = clock_interval_ms() + FLIGHT_REPEAT_MS;
	self->bytes += bytes;
}

static void append(struct flights *self, struct flight *flight)
{
	*flight_at(self, &flight->key) = flight;
	flight->previous = self->last;
	if (self->last)
		self->last->next = flight;
	else
		self->first = flight;
	self->last = flight;
	self->count++;
}

static enum status add_new(struct flights *self, const struct header *header,
    const struct flight_key *key, enum role service, size_t bytes,
    struct flight **out)
{
	struct flight_terminal *terminal = terminal_of(self, key->peer);
	struct flight *flight = NULL;

	if (terminal && has_room(self, terminal, bytes))
		flight = calloc(1, sizeof(*flight));
	if (!flight) {
		terminal_drop_idle(self, terminal);
		return STATUS_BUSY;
	}
	flight->key = *key;
	flight->trace = header->trace;
	flight->service = service;
	flight->type = header->type;
	flight->terminal = terminal;
	flight->began_us = histogram_now_us();
	flight->expires_ms = clock_interval_ms() + FLIGHT_MS_MAX;
	append(self, flight);
	*out = flight;
	return STATUS_OK;
}

enum status flights_add(struct flights *self, const struct header *header,
    const struct route *route, enum role service, size_t bytes, bool *pass_out)
{
	struct flight_key key = flight_key_of(header);
	struct flight *flight = *flight_at(self, &key);
	bool pass = true;

	bytes += FLIGHT_NOTE_BYTES;
	if (!flight) {
		enum status st =
		    add_new(self, header, &key, service, bytes, &flight);
		if (st != STATUS_OK)
			return st;
	} else if (flight->type != header->type) {
		return STATUS_CONFLICT;
	} else {
		pass = flight->repeat_ms <= clock_interval_ms() &&
		       has_room(self, flight->terminal, bytes);
	}
	flight->route = *route;
	if (pass)
		count_copy(self, flight, bytes);
	*pass_out = pass;
	return STATUS_OK;
}

bool flights_unsent(
    struct flights *self, const struct flight_key *key, size_t bytes)
{
	struct flight *flight = *flight_at(self, key);

	if (flight->copies == 1) {
		flights_remove(self, key);
		return false;
	}
	bytes += FLIGHT_NOTE_BYTES;
	flight->copies--;
	flight->bytes -= bytes;
	flight->terminal->count--;
	self->bytes -= bytes;
	return true;
}

const struct flight *flights_find(
    const struct flights *self, const struct flight_key *key)
{
	return *flight_at((struct flights *)self, key);
}

void flights_remove(struct flights *self, const struct flight_key *key)
{
	struct flight **at = flight_at(self, key), *flight = *at;

	if (!flight)
		return;
	*at = flight->next_in_bucket;
	if (flight->previous)
		flight->previous->next = flight->next;
	else
		self->first = flight->next;
	if (flight->next)
		flight->next->previous = flight->previous;
	else
		self->last = flight->previous;
	self->count--;
	self->bytes -= flight->bytes;
	flight->terminal->count -= flight->copies;
	terminal_drop_idle(self, flight->terminal);
	free(flight);
}

const struct flight *flights_of(const struct flights *self, enum role service)
{
	const struct flight *flight = self->first;

	while (flight && flight->service != service)
		flight = flight->next;
	return flight;
}

const struct flight *flights_expired(const struct flights *self)
{
	const struct flight *flight = self->first;

	return flight && flight->expires_ms <= clock_interval_ms() ? flight
								   : NULL;
}

size_t flights_count(const struct flights *self)
{
	return self->count;
}

size_t flights_bytes(const struct flights *self)
{
	return self->bytes;
}

void flights_destroy(struct flights **self_p)
{
	struct flights *self = *self_p;

	if (!self)
		return;
	while (self->first) {
		struct flight_key key = self->first->key;
		flights_remove(self, &key);
	}
	free(self);
	*self_p = NULL;
}

#include "flight.h"

#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/histogram.h"
#include "base/util.h"

#define BUCKETS 1024 /* a power of two */

/* How much one terminal has under way; gone when that is nothing. */
struct terminal {
	struct route route;
	size_t count;
	struct terminal *next_in_bucket;
};

struct flights {
	struct flight *buckets[BUCKETS];
	struct terminal *terminals[BUCKETS];
	struct flight *first, *last;
	size_t count, bytes;
};

enum status flights_new(struct flights **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? STATUS_OK : STATUS_NO_SPACE;
}

static struct flight **bucket_of(struct flights *self, const struct id *id)
{
	return &self->buckets[get_be16(id->bytes) & (BUCKETS - 1)];
}

static bool same_route(const struct route *a, const struct route *b)
{
	return slice_equal(
	    slice_of(a->bytes, a->len), slice_of(b->bytes, b->len));
}

static struct terminal **terminal_at(
    struct flights *self, const struct route *route)
{
	size_t hash = 0;

	for (size_t i = 0; i < route->len; i++)
		hash = hash * 31 + route->bytes[i];
	struct terminal **at = &self->terminals[hash & (BUCKETS - 1)];
	while (*at && !same_route(&(*at)->route, route))
		at = &(*at)->next_in_bucket;
	return at;
}

static enum status terminal_count_up(
    struct flights *self, const struct route *route)
{
	struct terminal **at = terminal_at(self, route);

	if (!*at) {
		*at = calloc(1, sizeof(**at));
		if (!*at)
			return STATUS_BUSY;
		(*at)->route = *route;
	}
	if ((*at)->count >= TERMINAL_INFLIGHT_MAX)
		return STATUS_BUSY;
	(*at)->count++;
	return STATUS_OK;
}

static void terminal_count_down(struct flights *self, const struct route *route)
{
	struct terminal **at = terminal_at(self, route), *terminal = *at;

	if (!terminal || --terminal->count > 0)
		return;
	*at = terminal->next_in_bucket;
	free(terminal);
}

static struct flight *find(struct flights *self, const struct id *request)
{
	struct flight *flight = *bucket_of(self, request);

	while (flight && !id_equal(&flight->request, request))
		flight = flight->next_in_bucket;
	return flight;
}

static void append(struct flights *self, struct flight *flight)
{
	struct flight **bucket = bucket_of(self, &flight->request);

	flight->next_in_bucket = *bucket;
	*bucket = flight;
	flight->previous = self->last;
	if (self->last)
		self->last->next = flight;
	else
		self->first = flight;
	self->last = flight;
	self->count++;
	self->bytes += flight->bytes;
}

static enum status flight_reroute(
    struct flights *self, struct flight *flight, const struct route *route)
{
	if (same_route(&flight->route, route))
		return STATUS_OK;
	enum status st = terminal_count_up(self, route);
	if (st != STATUS_OK)
		return st;
	terminal_count_down(self, &flight->route);
	flight->route = *route;
	return STATUS_OK;
}

enum status flights_add(struct flights *self, const struct header *header,
    const struct route *route, enum role service, size_t bytes)
{
	struct flight *flight = find(self, &header->request);

	if (flight)
		return flight_reroute(self, flight, route);
	if (self->bytes + bytes > FLIGHT_BYTES_MAX)
		return STATUS_BUSY;
	flight = calloc(1, sizeof(*flight));
	if (!flight)
		return STATUS_BUSY;
	enum status st = terminal_count_up(self, route);
	if (st != STATUS_OK) {
		free(flight);
		return st;
	}
	flight->request = header->request;
	flight->trace = header->trace;
	flight->route = *route;
	flight->service = service;
	flight->type = header->type;
	flight->began_us = histogram_now_us();
	flight->bytes = bytes;
	flight->expires_ms = clock_interval_ms() + FLIGHT_MS_MAX;
	append(self, flight);
	return STATUS_OK;
}

const struct flight *flights_find(
    struct flights *self, const struct id *request)
{
	return find(self, request);
}

void flights_remove(struct flights *self, const struct id *request)
{
	struct flight *flight = find(self, request);

	if (!flight)
		return;
	struct flight **at = bucket_of(self, request);
	while (*at != flight)
		at = &(*at)->next_in_bucket;
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
	terminal_count_down(self, &flight->route);
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
		struct id request = self->first->request;
		flights_remove(self, &request);
	}
	free(self);
	*self_p = NULL;
}

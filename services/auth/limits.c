#include "limits.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define MINUTE_US     60000000ull
#define WHO_BYTES     16 /* of its hash */
#define WAYS          8  /* buckets that a hash may be in */
#define SETS          (LIMITS_MAX / WAYS)
#define IPV6_BYTES    16
#define IPV6_PREFIX   8
#define MAPPED_PREFIX 12 /* of ::ffff:a.b.c.d */

/*
 * A bucket is known by the moment when it is full again: each token taken
 * puts that off by what one takes to come back.
 */
struct bucket {
	uint8_t who[WHO_BYTES]; /* hashed, so that nobody can pick a set */
	uint64_t full_us;       /* 0: nobody's */
};

struct limits {
	uint64_t token_us; /* that one token takes */
	uint64_t empty_us; /* that an empty bucket takes to be full */
	uint8_t key[crypto_generichash_KEYBYTES];
	struct bucket buckets[SETS][WAYS];
};

enum status limits_new(struct limits **out, uint64_t per_minute)
{
	struct limits *self = calloc(1, sizeof(*self));

	if (!self)
		return STATUS_NO_SPACE;
	self->token_us = max_of(MINUTE_US / per_minute, 1);
	self->empty_us = self->token_us * per_minute;
	randombytes_buf(self->key, sizeof(self->key));
	*out = self;
	return STATUS_OK;
}

void limits_destroy(struct limits **self_p)
{
	free(*self_p);
	*self_p = NULL;
}

/* The bucket of ${who}, or the fullest of those that it may have. */
static struct bucket *find_bucket(
    struct limits *self, const uint8_t who[static WHO_BYTES])
{
	struct bucket *set = self->buckets[get_be32(who) % SETS];
	struct bucket *fullest = set;

	for (size_t i = 0; i < WAYS; i++) {
		if (memcmp(set[i].who, who, WHO_BYTES) == 0)
			return &set[i];
		if (set[i].full_us < fullest->full_us)
			fullest = &set[i];
	}
	memcpy(fullest->who, who, WHO_BYTES);
	fullest->full_us = 0;
	return fullest;
}

bool limits_take(struct limits *self, struct slice who, uint64_t now_ms,
    uint64_t *retry_ms_out)
{
	uint8_t hash[WHO_BYTES];
	uint64_t now_us = now_ms * 1000;

	crypto_generichash(hash, sizeof(hash), who.data, who.len, self->key,
	    sizeof(self->key));
	struct bucket *bucket = find_bucket(self, hash);
	uint64_t full_us = max_of(bucket->full_us, now_us) + self->token_us;
	if (full_us > now_us + self->empty_us) {
		*retry_ms_out =
		    (full_us - now_us - self->empty_us + 999) / 1000;
		return false;
	}
	bucket->full_us = full_us;
	return true;
}

void source_of(struct source *out, const char *address)
{
	static const uint8_t mapped[MAPPED_PREFIX] = {
		[10] = 0xff, [11] = 0xff
	};
	uint8_t bytes[IPV6_BYTES];

	if (inet_pton(AF_INET, address, out->bytes) == 1) {
		out->len = sizeof(struct in_addr);
		return;
	}
	if (inet_pton(AF_INET6, address, bytes) != 1) {
		out->len = strnlen(address, SOURCE_BYTES_MAX);
		memcpy(out->bytes, address, out->len);
		return;
	}
	if (memcmp(bytes, mapped, MAPPED_PREFIX) == 0) {
		out->len = IPV6_BYTES - MAPPED_PREFIX;
		memcpy(out->bytes, bytes + MAPPED_PREFIX, out->len);
		return;
	}
	out->len = IPV6_PREFIX;
	memcpy(out->bytes, bytes, out->len);
}

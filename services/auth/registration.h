#ifndef KEEPSAKE_AUTH_REGISTRATION_H
#define KEEPSAKE_AUTH_REGISTRATION_H

#include "account.h"
#include "bus/header.h"
#include "name.h"

/*
 * A registration: what its first message fixes travels in a cookie, what its
 * last one brings is written at once.  It is the same for an address that is
 * taken, until the name is claimed.
 */

struct registration {
	struct id account; /* of the account to be: random */
	uint8_t name_hash[NAME_HASH_BYTES];
	struct name name; /* to be wiped after use */
};

/** Begin one for ${name}: a new random account id. */
void registration_begin(struct registration *out, const struct name *name,
    const uint8_t names_key[static KEY_BYTES]);

/** A taken name's registration is answered like any other for so long. */
#define ASKED_AGAIN_MS (60ull * 60 * 1000)

/**
 * Whether the owner of an address is to be told that it was asked for again.
 *
 * told_ms  when that was last done; 0: never
 */
bool registration_tells_owner(uint64_t told_ms, uint64_t now_ms);

/**
 * Make the account.
 *
 * account_key  X25519 public key that the terminal derived
 * why_out      what is wrong, for people; static
 *
 * STATUS_OK         ${out} is filled
 * STATUS_MALFORMED  no key that anything could be sealed to
 */
enum status registration_account(struct account *out,
    const struct registration *registration, struct slice account_key,
    const char **why_out);

#endif

#include "registration.h"

#include <sodium.h>
#include <string.h>

#include "base/clock.h"

void registration_begin(struct registration *out, const struct name *name,
    const uint8_t names_key[static KEY_BYTES])
{
	memset(out, 0, sizeof(*out)); /* it is sealed with its padding */
	randombytes_buf(out->account.bytes, ID_BYTES);
	name_hash(out->name_hash, name, names_key);
	out->name = *name;
}

bool registration_tells_owner(uint64_t told_ms, uint64_t now_ms)
{
	return told_ms == 0 || now_ms >= told_ms + ASKED_AGAIN_MS;
}

enum status registration_account(struct account *out,
    const struct registration *registration, struct slice account_key,
    const char **why_out)
{
	*why_out = "the account's key is no X25519 public key";
	if (account_key.len != ACCOUNT_KEY_BYTES ||
	    sodium_is_zero(account_key.data, account_key.len))
		return STATUS_MALFORMED;
	*why_out = NULL;
	*out = (struct account){
		.kind = registration->name.kind,
		.created_ms = clock_wall_ms(),
	};
	memcpy(out->key, account_key.data, sizeof(out->key));
	memcpy(out->name, registration->name.text, sizeof(out->name));
	return STATUS_OK;
}

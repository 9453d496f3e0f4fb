#include "account.h"

#include <sodium.h>
#include <string.h>

#include "base/clock.h"
#include "crypto/code.h"

#define VERIFICATION_ID "verification"

_Static_assert(ID_BYTES + sizeof(VERIFICATION_ID) <= CREDENTIAL_ID_BYTES_MAX,
    "room for the longest id");

static enum status parts_check(
    const struct credential_parts *parts, const char **why_out)
{
	*why_out = "the owner's code holds a password and no identifier";
	if (parts->factors != CODE_PASSWORD)
		return STATUS_MALFORMED;
	*why_out = "the record is none that can be kept";
	if (opaque_record_check(parts->record) != STATUS_OK)
		return STATUS_MALFORMED;
	*why_out = "the wrapped root key has 72 to 256 bytes";
	if (parts->wrapped_root.len < WRAPPED_ROOT_BYTES_MIN ||
	    parts->wrapped_root.len > WRAPPED_ROOT_BYTES_MAX)
		return STATUS_MALFORMED;
	*why_out = NULL;
	return STATUS_OK;
}

enum status credential_owner(struct credential *out, uint32_t revision,
    const struct credential_parts *parts, const char **why_out)
{
	sodium_memzero(out, sizeof(*out));
	enum status st = parts_check(parts, why_out);
	if (st != STATUS_OK)
		return st;
	out->revision = revision;
	out->factors = parts->factors;
	out->changed_ms = clock_wall_ms();
	memcpy(out->record, parts->record.data, sizeof(out->record));
	memcpy(out->wrapped_root, parts->wrapped_root.data,
	    parts->wrapped_root.len);
	out->wrapped_root_len = parts->wrapped_root.len;
	return STATUS_OK;
}

enum status credential_verification(
    struct credential *out, struct slice record, const char **why_out)
{
	sodium_memzero(out, sizeof(*out));
	*why_out = "the record is none that can be kept";
	if (opaque_record_check(record) != STATUS_OK)
		return STATUS_MALFORMED;
	*why_out = NULL;
	out->revision = 1;
	out->factors = CODE_PASSWORD;
	out->changed_ms = clock_wall_ms();
	memcpy(out->record, record.data, sizeof(out->record));
	return STATUS_OK;
}

void credential_id_of(struct credential_id *out, const struct id *account,
    enum credential_slot slot)
{
	*out = (struct credential_id){ .len = ID_BYTES };
	memcpy(out->bytes, account->bytes, ID_BYTES);
	if (slot == CREDENTIAL_OWNER)
		return;
	memcpy(out->bytes + ID_BYTES, VERIFICATION_ID,
	    sizeof(VERIFICATION_ID) - 1);
	out->len += sizeof(VERIFICATION_ID) - 1;
}

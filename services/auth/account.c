#include "account.h"

#include <sodium.h>
#include <string.h>

#include "base/clock.h"
#include "crypto/code.h"

#define VERIFICATION_ID "verification"
#define TERMINAL_ID     "terminal" /* the terminal's id follows */

_Static_assert(
    2 * ID_BYTES + sizeof(TERMINAL_ID) - 1 <= CREDENTIAL_ID_BYTES_MAX &&
	ID_BYTES + sizeof(VERIFICATION_ID) - 1 <= CREDENTIAL_ID_BYTES_MAX,
    "room for the longest id");

const struct code_slot owner_slot = { .kind = CREDENTIAL_OWNER };
const struct code_slot verification_slot = { .kind = CREDENTIAL_VERIFICATION };

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

static void id_append(struct credential_id *out, struct slice part)
{
	memcpy(out->bytes + out->len, part.data, part.len);
	out->len += part.len;
}

void credential_id_of(struct credential_id *out, const struct id *account,
    const struct code_slot *slot)
{
	*out = (struct credential_id){ 0 };
	id_append(out, slice_of(account->bytes, ID_BYTES));
	if (slot->kind == CREDENTIAL_VERIFICATION)
		id_append(out, slice_text(VERIFICATION_ID));
	if (slot->kind != CREDENTIAL_TERMINAL)
		return;
	id_append(out, slice_text(TERMINAL_ID));
	id_append(out, slice_of(slot->terminal.bytes, ID_BYTES));
}

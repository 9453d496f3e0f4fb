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

static enum status check_record(struct slice record, const char **why_out)
{
	*why_out = "the record is none that can be kept";
	return opaque_record_check(record);
}

static enum status check_root(struct slice wrapped_root, const char **why_out)
{
	*why_out = "the wrapped root key has 72 to 256 bytes";
	if (wrapped_root.len < WRAPPED_ROOT_BYTES_MIN ||
	    wrapped_root.len > WRAPPED_ROOT_BYTES_MAX)
		return STATUS_MALFORMED;
	return STATUS_OK;
}

/* Fill ${out} with what was checked. */
static void fill(struct credential *out, uint32_t revision,
    const struct credential_parts *parts)
{
	sodium_memzero(out, sizeof(*out));
	out->revision = revision;
	out->factors = parts->factors;
	out->changed_ms = clock_wall_ms();
	memcpy(out->record, parts->record.data, sizeof(out->record));
	if (parts->wrapped_root.len > 0)
		memcpy(out->wrapped_root, parts->wrapped_root.data,
		    parts->wrapped_root.len);
	out->wrapped_root_len = parts->wrapped_root.len;
}

enum status credential_owner(struct credential *out, uint32_t revision,
    const struct credential_parts *parts, const char **why_out)
{
	sodium_memzero(out, sizeof(*out));
	*why_out = "the owner's code holds a password and no identifier";
	if (parts->factors != CODE_PASSWORD)
		return STATUS_MALFORMED;
	enum status st = check_record(parts->record, why_out);
	if (st == STATUS_OK)
		st = check_root(parts->wrapped_root, why_out);
	if (st != STATUS_OK)
		return st;
	*why_out = NULL;
	fill(out, revision, parts);
	return STATUS_OK;
}

enum status credential_terminal(struct credential *out, uint32_t revision,
    const struct credential_parts *parts, bool allow_identifier_only,
    const char **why_out)
{
	sodium_memzero(out, sizeof(*out));
	*why_out = "a code is made of password, serial, IMEI or IMSI";
	if (!code_set_valid(parts->factors))
		return STATUS_MALFORMED;
	*why_out = "this server wants a password in every code: identifiers "
		   "are no secrets";
	bool identifier_only = code_set_identifier_only(parts->factors);
	if (identifier_only && !allow_identifier_only)
		return STATUS_DENIED;
	*why_out = "a code without a password opens no root key";
	if (identifier_only && parts->wrapped_root.len > 0)
		return STATUS_MALFORMED;
	enum status st = check_record(parts->record, why_out);
	if (st == STATUS_OK && !identifier_only)
		st = check_root(parts->wrapped_root, why_out);
	if (st != STATUS_OK)
		return st;
	*why_out = NULL;
	fill(out, revision, parts);
	return STATUS_OK;
}

enum status credential_verification(struct credential *out, uint32_t revision,
    struct slice record, const char **why_out)
{
	const struct credential_parts parts = {
		.record = record,
		.factors = CODE_PASSWORD,
	};

	sodium_memzero(out, sizeof(*out));
	enum status st = check_record(record, why_out);
	if (st != STATUS_OK)
		return st;
	*why_out = NULL;
	fill(out, revision, &parts);
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

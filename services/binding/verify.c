#include "service/verify.h"

#include <string.h>

#include "base/util.h"
#include "binding.h"
#include "binding_row.h"

/* Proving that what binding has is whole: see service/verify.h. */

static const char *check_owner(struct verify *self, const struct name *name)
{
	const struct binding_db db = { self->db, self->keyring };
	struct id owner;

	enum status st = binding_db_owner(&db, name, &owner);
	if (st == STATUS_OK && id_equal(&owner, &self->account))
		return NULL;
	return st == STATUS_OK ? "a name of it is another account's"
			       : "a name of it is nobody's";
}

static const char *check_terminal(
    struct verify *self, struct slice key, struct slice plain)
{
	const struct binding_db db = { self->db, self->keyring };
	struct terminal terminal;
	const char *why = NULL;

	if (key.len != TERMINAL_KEY_BYTES ||
	    terminal_row_decode(&terminal, plain) != STATUS_OK)
		return "it does not unpack";
	memcpy(terminal.peer_key, key.data, TERMINAL_KEY_BYTES);
	struct names names = binding_db_names(&db, &terminal);
	for (size_t i = 0; i < names.count && !why; i++)
		why = check_owner(self, &names.list[i]);
	return why;
}

static const char *check_entry(
    struct verify *self, struct slice key, struct slice plain)
{
	const struct binding_db db = { self->db, self->keyring };
	struct entry entry;

	(void)key;
	if (entry_row_decode(&entry, plain) != STATUS_OK)
		return "it does not unpack";
	struct name name =
	    binding_db_name(&db, NAME_ICCID, slice_text(entry.iccid));
	return check_owner(self, &name);
}

/* clang-format off */
static const struct verify_table tables[] = {
	{ TABLE_TERMINALS, "terminals", true, check_terminal },
	{ TABLE_ENTRIES,   "cards",     true, check_entry },
};
/* clang-format on */
const struct verify_tables binding_verify = { tables, nitems(tables) };

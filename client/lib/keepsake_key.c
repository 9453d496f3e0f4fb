#include <sodium.h>
#include <string.h>

#include "crypto/arena.h"
#include "keepsake_internal.h"
#include "local_keys.h"

/* Snapshot keys, and the place of those that are kept on the terminal. */

_Static_assert((int)KEEPSAKE_KEY_SEALED == (int)KEY_MODE_SEALED &&
		   (int)KEEPSAKE_KEY_LOCAL == (int)KEY_MODE_LOCAL &&
		   (int)KEEPSAKE_KEY_ACCOUNT == (int)KEY_MODE_ACCOUNT,
    "modes are modes");

const char *keepsake_key_word(enum keepsake_key key)
{
	switch (key) {
	case KEEPSAKE_KEY_SEALED:
		return "sealed";
	case KEEPSAKE_KEY_LOCAL:
		return "local";
	case KEEPSAKE_KEY_ACCOUNT:
		return "account";
	case KEEPSAKE_KEY_USUAL:
	default:
		return "unknown";
	}
}

enum status call_refuse_place(struct keepsake *self, enum status status)
{
	return call_refuse(self, status,
	    status == STATUS_DENIED
		? "the place for keys is a folder of mode 0700 with files of "
		  "mode 0600, yours or root's, no links; --key-folder DIR "
		  "names another"
		: session_advice_here(status),
	    "%s", privileged_why(self->place));
}

enum status call_place(struct keepsake *self, bool make)
{
	enum status st =
	    make ? privileged_make(self->place) : privileged_check(self->place);

	if (st == STATUS_OK || (st == STATUS_NOT_FOUND && !make))
		return STATUS_OK;
	return call_refuse_place(self, st);
}

enum status call_new_key(struct keepsake *self, enum key_mode mode)
{
	enum status st =
	    snapshot_key_new(&self->new_key, mode, self->account_keys);

	if (st == STATUS_MALFORMED)
		return call_refuse(self, st,
		    "make the grant anew: keepsake grant add",
		    "the account's public key in the grant is none");
	return st == STATUS_OK ? st : call_refuse_plainly(self, st);
}

enum status call_keep_key(struct keepsake *self)
{
	const struct snapshot_key *key = self->new_key;
	void *memory = secret_new(sizeof(struct local_key));
	struct local_key *kept = memory;

	if (!kept)
		return call_refuse_plainly(self, STATUS_NO_SPACE);
	kept->account = self->account_keys->account;
	memcpy(kept->key, key->key, sizeof(kept->key));
	enum status st = local_key_keep(self->place, &key->id, kept);
	secret_destroy(&memory, sizeof(*kept));
	return st == STATUS_OK ? st : call_refuse_place(self, st);
}

void call_wipe_key(struct keepsake *self)
{
	void *key = self->snapshot_key;

	secret_destroy(&key, SEAL_KEY_BYTES);
	self->snapshot_key = NULL;
	snapshot_key_destroy(&self->new_key);
}

enum status call_open_key(
    struct keepsake *self, const struct snapshot *snapshot)
{
	call_wipe_key(self);
	self->snapshot_key = secret_new(SEAL_KEY_BYTES);
	if (!self->snapshot_key)
		return STATUS_NO_SPACE;
	return snapshot_key_open(self->snapshot_key, self->account_keys,
	    self->place, bytes_slice(&snapshot->sealed_key));
}

/* The key of ${snapshot} is on another terminal. */
static enum status refuse_elsewhere(
    struct keepsake *self, const struct snapshot *snapshot)
{
	struct sealed_key head;
	char terminal[HEX_BYTES(ID_BYTES)], name[LOCAL_KEY_NAME_BYTES] = "?";

	hex_encode(terminal, slice_of(snapshot->terminal.bytes, ID_BYTES));
	if (sealed_key_read(&head, bytes_slice(&snapshot->sealed_key)) ==
	    STATUS_OK)
		local_key_name(name, &head.id);
	return call_refuse(self, STATUS_NOT_FOUND,
	    "copy that file from the key folder there into the one here, for "
	    "you alone (mode 0600), and run this again; there is no other "
	    "copy of the key",
	    "the key of snapshot %llu is kept on the terminal that made it, "
	    "%s; here there is no %s/%s",
	    (unsigned long long)snapshot->ordinal, terminal,
	    privileged_folder(self->place), name);
}

enum status call_refuse_key(
    struct keepsake *self, enum status status, const struct snapshot *snapshot)
{
	struct sealed_key head = { 0 };

	(void)sealed_key_read(&head, bytes_slice(&snapshot->sealed_key));
	switch (status) {
	case STATUS_NOT_FOUND:
		return refuse_elsewhere(self, snapshot);
	case STATUS_DENIED:
		return call_refuse_place(self, status);
	case STATUS_MALFORMED:
		if (head.mode != KEY_MODE_LOCAL)
			return snapshot_refuse(self, status, snapshot);
		return call_refuse(self, status,
		    "copy its file again from the terminal that made it",
		    "the key of snapshot %llu that is kept in %s is damaged, "
		    "or another account's",
		    (unsigned long long)snapshot->ordinal,
		    privileged_folder(self->place));
	case STATUS_VERSION:
		return snapshot_refuse(self, status, snapshot);
	default:
		return call_refuse_plainly(self, status);
	}
}

#include "attacks.h"

#include "auth.pb-c.h"
#include "binding.pb-c.h"
#include "notify.pb-c.h"
#include "store.pb-c.h"

/* Answers that are OK: they hold what is the attacker's own. */

static bool unpacks(struct slice body, const ProtobufCMessageDescriptor *type,
    struct unpack *memory, void *out)
{
	unpack_begin(memory);
	return unpack_message(memory, type, body, out) == STATUS_OK;
}

static bool is_own(ProtobufCBinaryData id)
{
	return slice_equal(
	    field_slice(id), slice_of(attacker.id.bytes, ID_BYTES));
}

bool check_empty(struct slice body)
{
	return body.len == 0;
}

/* The victim's chunks are not there. */
bool check_absent(struct slice body)
{
	static const uint8_t absent[2];
	Store__Presence *list;
	struct unpack memory;

	bool good =
	    unpacks(body, &store__presence__descriptor, &memory, &list) &&
	    slice_equal(field_slice(list->presence), slice_of(absent, 2)) &&
	    slice_equal(field_slice(list->pages), slice_of(absent, 2));
	unpack_end(&memory);
	return good;
}

bool check_snapshots(struct slice body)
{
	Store__SnapshotList *list;
	struct unpack memory;

	bool good =
	    unpacks(body, &store__snapshot_list__descriptor, &memory, &list) &&
	    list->n_snapshots > 0;
	for (size_t i = 0; good && i < list->n_snapshots; i++)
		good = is_own(list->snapshots[i]->terminal_id);
	unpack_end(&memory);
	return good;
}

bool check_sessions(struct slice body)
{
	Auth__SessionList *list;
	struct unpack memory;

	bool good =
	    unpacks(body, &auth__session_list__descriptor, &memory, &list) &&
	    list->n_sessions > 0;
	for (size_t i = 0; good && i < list->n_sessions; i++)
		good = list->sessions[i]->terminal_id.len == 0 ||
		       is_own(list->sessions[i]->terminal_id);
	unpack_end(&memory);
	return good;
}

bool check_grants(struct slice body)
{
	Auth__GrantList *list;
	struct unpack memory;

	bool good =
	    unpacks(body, &auth__grant_list__descriptor, &memory, &list) &&
	    list->n_grants == 0;
	unpack_end(&memory);
	return good;
}

/* It revoked something of its own, or nothing; the victim goes on. */
bool check_revoked(struct slice body)
{
	Auth__Revoked *revoked;
	struct unpack memory;

	bool good =
	    unpacks(body, &auth__revoked__descriptor, &memory, &revoked);
	unpack_end(&memory);
	return good;
}

bool check_terminals(struct slice body)
{
	Binding__TerminalList *list;
	struct unpack memory;

	bool good = unpacks(body, &binding__terminal_list__descriptor, &memory,
			&list) &&
		    list->n_terminals == 1 &&
		    is_own(list->terminals[0]->terminal_id);
	unpack_end(&memory);
	return good;
}

bool check_notices(struct slice body)
{
	Notify__NoticeList *list;
	struct unpack memory;

	bool good =
	    unpacks(body, &notify__notice_list__descriptor, &memory, &list);
	for (size_t i = 0; good && i < list->n_notices; i++)
		good = list->notices[i]->terminal_id.len == 0 ||
		       is_own(list->notices[i]->terminal_id);
	unpack_end(&memory);
	return good;
}

bool check_damage(struct slice body)
{
	Store__DamageList *list;
	struct unpack memory;

	bool good =
	    unpacks(body, &store__damage_list__descriptor, &memory, &list) &&
	    list->chunks == 0 && list->n_ordinals == 0;
	unpack_end(&memory);
	return good;
}

bool check_entries(struct slice body)
{
	Binding__EntryList *list;
	struct unpack memory;

	bool good =
	    unpacks(body, &binding__entry_list__descriptor, &memory, &list) &&
	    list->n_entries == 1 &&
	    strcmp(list->entries[0]->iccid, attacker.iccid) == 0;
	unpack_end(&memory);
	return good;
}

/* It has made none; the victim has. */
bool check_rules(struct slice body)
{
	Notify__Rules *rules;
	struct unpack memory;

	bool good =
	    unpacks(body, &notify__rules__descriptor, &memory, &rules) &&
	    rules->n_rules == 0;
	unpack_end(&memory);
	return good;
}

/* Told of any name, one that is nobody's too. */
bool check_factors(struct slice body)
{
	Auth__FactorList *list;
	struct unpack memory;

	bool good =
	    unpacks(body, &auth__factor_list__descriptor, &memory, &list) &&
	    list->factors == AUTH__FACTOR__PASSWORD && !list->own;
	unpack_end(&memory);
	return good;
}

#include "service/ledger.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "service/deletions.h"
#include "service/settings.h"

#define JOURNAL_FORMAT        1
#define JOURNAL_MAP_BYTES     (64ull << 20)
#define JOURNAL_MAP_BYTES_MAX (16ull << 30)
#define JOURNAL_RESERVE_BYTES (16ull << 20)
#define JOURNAL_NAME_BYTES    32

enum status ledger_open_journal(
    struct db **out, const char *ledger, const char *service)
{
	char path[SETTINGS_PATH_BYTES + 16], name[JOURNAL_NAME_BYTES];

	snprintf(path, sizeof(path), "%s/journal", ledger);
	snprintf(name, sizeof(name), "%s-journal", service);
	struct db_options options = {
		.path = path,
		.service = name,
		.format = JOURNAL_FORMAT,
		.map_bytes = JOURNAL_MAP_BYTES,
		.map_bytes_max = JOURNAL_MAP_BYTES_MAX,
		.reserve_bytes = JOURNAL_RESERVE_BYTES,
	};

	return db_open(&options, out);
}

/* The note that both have: version, id, since when (8). */
#define NOTE         "journal"
#define NOTE_VERSION 1
#define NOTE_BYTES   (1 + ID_BYTES + 8)

struct bond {
	struct id id; /* none: there is no note */
	uint64_t since_ms;
};

static enum status read_bond(struct bond *out, struct db *db)
{
	struct bytes note = { 0 };

	*out = (struct bond){ 0 };
	enum status st = db_note_get(db, NOTE, &note);
	if (st == STATUS_NOT_FOUND)
		return STATUS_OK;
	if (st == STATUS_OK &&
	    (note.len != NOTE_BYTES || note.data[0] != NOTE_VERSION)) {
		log_error(NULL, "row_unusable", "table=notes status=malformed");
		st = STATUS_MALFORMED;
	}
	if (st == STATUS_OK) {
		memcpy(out->id.bytes, note.data + 1, ID_BYTES);
		out->since_ms = get_be64(note.data + 1 + ID_BYTES);
	}
	bytes_clear(&note);
	return st;
}

static enum status write_bond(struct db *db, const struct bond *bond)
{
	uint8_t note[NOTE_BYTES];

	note[0] = NOTE_VERSION;
	memcpy(note + 1, bond->id.bytes, ID_BYTES);
	put_be64(note + 1 + ID_BYTES, bond->since_ms);
	return db_note_put(db, NOTE, slice_of(note, sizeof(note)));
}

enum status ledger_bind(
    struct db *db, struct db *journal, bool *lost_out, uint64_t *since_ms_out)
{
	struct bond ours, theirs;

	enum status st = read_bond(&ours, db);
	if (st == STATUS_OK)
		st = read_bond(&theirs, journal);
	if (st != STATUS_OK)
		return st;
	*lost_out = !id_is_none(&ours.id) && !id_equal(&ours.id, &theirs.id);
	if (*lost_out)
		log_warning(NULL, "journal_lost",
		    "why=\"%s\" hint=\"what it knew is closed or asked anew\"",
		    id_is_none(&theirs.id) ? "it is not there"
					   : "it is another database's");
	/* A new id, so that neither takes the other for its own again. */
	if (*lost_out || id_is_none(&theirs.id)) {
		randombytes_buf(theirs.id.bytes, ID_BYTES);
		theirs.since_ms = *lost_out ? clock_wall_ms() : 0;
		st = write_bond(journal, &theirs);
	}
	*since_ms_out = theirs.since_ms;
	/* The journal first: a crash in between is a journal lost again. */
	if (st == STATUS_OK && !id_equal(&ours.id, &theirs.id))
		st = write_bond(db, &theirs);
	return st;
}

enum status ledger_settle(const char *ledger, struct db *journal, struct db *db,
    struct keyring *keyring)
{
	char marker[SETTINGS_PATH_BYTES + 32], list[SETTINGS_PATH_BYTES + 32];
	uint64_t deleted = 0, lost = 0;

	snprintf(marker, sizeof(marker), "%s/" LEDGER_RESTORED, ledger);
	snprintf(list, sizeof(list), "%s/" LEDGER_DELETED, ledger);
	if (access(marker, F_OK) != 0)
		return STATUS_OK;
	enum status st = deletions_replay(list, journal, &deleted);
	if (st == STATUS_OK)
		st = keyring_restored(keyring, db, &lost);
	if (st != STATUS_OK) {
		log_error(
		    NULL, "ledger_not_settled", "status=%s", status_word(st));
		return st;
	}
	log_warning(NULL, "ledger_restored",
	    "deletions_listed=%llu accounts_without_key=%llu",
	    (unsigned long long)deleted, (unsigned long long)lost);
	unlink(list);
	unlink(marker);
	return file_sync_folder(marker);
}

enum status ledger_id(struct db *journal, struct id *out)
{
	struct bond bond;

	enum status st = read_bond(&bond, journal);
	*out = bond.id;
	return st;
}

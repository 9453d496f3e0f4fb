#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/util.h"
#include "crypto/arena.h"
#include "cuts.h"
#include "privileged.h"
#include "service/audit_heads.h"
#include "service/keyfile.h"
#include "state.h"

/* The files beside the databases: each is recorded at work, and then cut. */

static void setup(void)
{
	scratch_make();
	log_level_set(LOG_ERROR);
	ck_assert_int_eq(arena_open(65536), STATUS_OK);
}

static void teardown(void)
{
	arena_close();
	scratch_remove();
}

static const char *path_in(const char *folder, const char *name)
{
	static char path[2 * SCRATCH_BYTES];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

/* ---- whole small files ---- */

#define VERSIONS 12

static unsigned long promised;

static void on_version(const char *what, unsigned long number)
{
	ck_assert_str_eq(what, "version");
	promised = number;
}

static struct slice version_text(char room[static 6000], unsigned long version)
{
	int len = snprintf(room, 32, "version %lu ", version);

	/* More than a sector, and of any length. */
	for (; (unsigned long)len < 300 + version * 400; len++)
		room[len] = (char)('a' + version);
	return slice_of(room, (size_t)len);
}

/* One whole version, and not one before what was promised. */
static void check_version(struct slice found)
{
	char room[6000];

	for (unsigned long v = promised; v <= VERSIONS; v++)
		if (slice_equal(found, version_text(room, v)))
			return;
	ck_abort_msg(
	    "%s: of version %lu on none is there", cuts_said, promised);
}

static void write_file(const char *folder, struct slice text)
{
	ck_assert_int_eq(
	    file_replace(path_in(folder, "file"), text, 0600), STATUS_OK);
}

static void look_at_file(const char *folder)
{
	struct bytes found = { 0 };

	enum status st = file_read(&found, path_in(folder, "file"), 6000);
	if (st != STATUS_NOT_FOUND || promised > 0)
		check_version(bytes_slice(&found));
	bytes_clear(&found);
}

static struct privileged *place_in(const char *folder)
{
	struct privileged *place = NULL;

	ck_assert_int_eq(
	    privileged_new(&place, path_in(folder, "a/b/keys")), STATUS_OK);
	return place;
}

static void write_privileged(const char *folder, struct slice text)
{
	struct privileged *place = place_in(folder);

	ck_assert_int_eq(privileged_write(place, "file", text), STATUS_OK);
	privileged_destroy(&place);
}

static void look_at_privileged(const char *folder)
{
	struct privileged *place = place_in(folder);
	uint8_t found[6000];
	size_t len = 0;

	enum status st =
	    privileged_read(place, "file", found, sizeof(found), &len);
	if (st != STATUS_NOT_FOUND || promised > 0)
		check_version(slice_of(found, len));
	privileged_destroy(&place);
}

static const struct {
	const char *name;
	void (*write)(const char *folder, struct slice text);
	void (*look)(const char *folder);
} files[] = {
	{ "file_replace", write_file, look_at_file },
	{ "a key of a terminal", write_privileged, look_at_privileged },
};

START_TEST(old_or_new)
{
	const char *live = cuts_begin();
	char room[6000];

	promised = 0;
	for (unsigned long v = 1; v <= VERSIONS; v++) {
		files[_i].write(live, version_text(room, v));
		cuts_promise("version", v);
	}
	cuts_try(on_version, files[_i].look);
	ck_assert_uint_eq(promised, VERSIONS);
}
END_TEST

/* ---- a terminal's state ---- */

static struct curve_keys keys;

static struct state *state_in(const char *folder)
{
	struct state *state = NULL;
	const char *why;

	ck_assert_int_eq(
	    state_open(&state, path_in(folder, "home/state/keepsake"), &why),
	    STATUS_OK);
	return state;
}

static void look_at_state(const char *folder)
{
	struct state_account account;
	struct curve_keys found;
	uint64_t confirmed = 0;

	if (promised == 0)
		return;
	struct state *state = state_in(folder);
	ck_assert_int_eq(state_keys(state, &found), STATUS_OK);
	ck_assert_msg(memcmp(&found, &keys, sizeof(keys)) == 0,
	    "%s: the terminal's key is another", cuts_said);
	if (promised >= 2)
		ck_assert_msg(state_account(state, &account) == STATUS_OK &&
				  strcmp(account.name, "anna") == 0,
		    "%s: whose it is is forgotten", cuts_said);
	enum status st = state_sim_pin_when(state, &confirmed);
	if (promised >= 4)
		ck_assert_msg(st == STATUS_NOT_FOUND,
		    "%s: what was taken back is there", cuts_said);
	else if (promised >= 3)
		ck_assert_msg(st == STATUS_NOT_FOUND || confirmed == 7,
		    "%s: not what was confirmed", cuts_said);
	state_close(&state);
}

START_TEST(state_lasts)
{
	struct state_account account = { .name = "anna" };
	const char *live = cuts_begin();
	struct state *state = state_in(live);

	promised = 0;
	ck_assert_int_eq(state_keys(state, &keys), STATUS_OK);
	cuts_promise("version", 1);
	ck_assert_int_eq(state_set_account(state, &account), STATUS_OK);
	cuts_promise("version", 2);
	ck_assert_int_eq(state_sim_pin_confirm(state, 7), STATUS_OK);
	cuts_promise("version", 3);
	ck_assert_int_eq(state_sim_pin_forget(state), STATUS_OK);
	cuts_promise("version", 4);
	state_close(&state);
	cuts_try(on_version, look_at_state);
}
END_TEST

/* ---- heads of the audit log ---- */

static const char *line_of(unsigned long number)
{
	static char line[64];

	snprintf(line, sizeof(line), "auth %lu head-of-that-number", number);
	return line;
}

static void append_heads(const char *folder, unsigned long from)
{
	for (unsigned long n = from; n < from + VERSIONS; n++) {
		ck_assert_int_eq(
		    audit_heads_append(path_in(folder, "heads"), line_of(n)),
		    STATUS_OK);
		cuts_promise("version", n);
	}
}

/* Every promised line, and who goes on begins a line of its own. */
static void look_at_heads(const char *folder)
{
	struct bytes text = { 0 };
	const char *at = NULL;

	ck_assert_int_eq(
	    audit_heads_append(path_in(folder, "heads"), "the next one"),
	    STATUS_OK);
	ck_assert_int_eq(
	    file_read(&text, path_in(folder, "heads"), 65536), STATUS_OK);
	ck_assert_int_eq(bytes_append(&text, slice_of("", 1)), STATUS_OK);
	at = (const char *)text.data;
	for (unsigned long n = 1; n <= promised; n++) {
		at = strstr(at, line_of(n));
		ck_assert_msg(at && at[strlen(line_of(n))] == '\n',
		    "%s: head %lu is missing", cuts_said, n);
	}
	/* Between them there may be anything that a cut leaves. */
	ck_assert_msg(promised == 0 ||
			  memmem(text.data, text.len, "\nthe next one\n", 14),
	    "%s: no line of its own", cuts_said);
	bytes_clear(&text);
}

START_TEST(heads_last)
{
	const char *live = cuts_begin();

	promised = 0;
	append_heads(live, 1);
	cuts_try(on_version, look_at_heads);
	ck_assert_uint_eq(promised, VERSIONS);
}
END_TEST

/* The one who made the file was killed before it synced the folder. */
START_TEST(heads_of_one_who_was_killed)
{
	const char *live = cuts_begin();

	promised = 0;
	scratch_write("live/heads", "", 0, 0644);
	append_heads(live, 1);
	cuts_try(on_version, look_at_heads);
}
END_TEST

/* ---- account keys ---- */

#define SLOTS 1200 /* more than a block */

/* While the keys move from the first to the second, and when they have. */
static struct master masters[2];
static uint8_t slot_keys[2 * SLOTS][KEY_BYTES];
static bool shredding[2 * SLOTS]; /* at some time */
static bool shredded[2 * SLOTS];  /* promised */
static unsigned long slots_given, rewrapped;
static uint32_t slot_first;

static struct keyfile *open_keys(
    const char *folder, const struct master *master, bool create)
{
	struct keyfile *file = NULL;

	enum status st = keyfile_open(
	    &file, path_in(folder, "account.keys"), "auth", master, create);
	ck_assert_msg(st == STATUS_OK, "%s: it does not open: %s", cuts_said,
	    status_text(st));
	return file;
}

static void on_keys_mark(const char *what, unsigned long number)
{
	if (strcmp(what, "slot") == 0)
		slots_given = number;
	else if (strcmp(what, "shredded") == 0)
		shredded[number] = true;
	else
		rewrapped = number;
}

static void look_at_keys(const char *folder)
{
	struct keyfile *file =
	    open_keys(folder, &masters[rewrapped ? 1 : 0], slots_given == 0);
	uint8_t key[KEY_BYTES];
	uint32_t next = 0;

	for (uint32_t slot = slot_first; slot <= slots_given; slot++) {
		enum status st = keyfile_key(file, slot, key);
		if (shredding[slot] && st == STATUS_EXPIRED)
			continue;
		ck_assert_msg(!shredded[slot], "%s: slot %u is back", cuts_said,
		    (unsigned int)slot);
		/* A cut while it is overwritten may leave neither. */
		if (shredding[slot] && st == STATUS_MALFORMED)
			continue;
		ck_assert_msg(st == STATUS_OK &&
				  memcmp(key, slot_keys[slot], KEY_BYTES) == 0,
		    "%s: slot %u is lost: %s", cuts_said, (unsigned int)slot,
		    status_text(st));
	}
	ck_assert_int_eq(keyfile_next(file, &next), STATUS_OK);
	ck_assert_msg(next > slots_given, "%s: slot %u is given out twice",
	    cuts_said, (unsigned int)next);
	keyfile_close(&file);
}

static void give_slots(struct keyfile *file, unsigned int count)
{
	uint32_t slot = 0;

	for (unsigned int i = 0; i < count; i++) {
		ck_assert_int_eq(keyfile_next(file, &slot), STATUS_OK);
		ck_assert_uint_lt(slot, nitems(slot_keys));
		if (slot_first == 0)
			slot_first = slot;
		ck_assert_int_eq(
		    keyfile_key(file, slot, slot_keys[slot]), STATUS_OK);
		cuts_promise("slot", slot);
		if (slot % 97 != 0)
			continue;
		shredding[slot] = true;
		ck_assert_int_eq(keyfile_shred(file, slot), STATUS_OK);
		cuts_promise("shredded", slot);
	}
}

static void make_masters(void)
{
	memset(masters, 0, sizeof(masters));
	memset(shredding, 0, sizeof(shredding));
	memset(shredded, 0, sizeof(shredded));
	slots_given = rewrapped = slot_first = 0;
	randombytes_buf(masters[0].keys[1], KEY_BYTES);
	randombytes_buf(masters[0].keys[0], KEY_BYTES);
	masters[0].count = 2;
	memcpy(masters[1].keys[0], masters[0].keys[0], KEY_BYTES);
	masters[1].count = 1;
}

START_TEST(account_keys_last)
{
	struct master first = { .count = 1 };
	uint64_t count;

	make_masters();
	memcpy(first.keys[0], masters[0].keys[1], KEY_BYTES);
	struct keyfile *file = open_keys(cuts_begin(), &first, true);
	give_slots(file, SLOTS);
	ck_assert_int_eq(keyfile_rewrap(file, &masters[0], &count), STATUS_OK);
	cuts_promise("rewrapped", 1);
	give_slots(file, 70);
	keyfile_close(&file);
	cuts_try(on_keys_mark, look_at_keys);
	ck_assert_uint_eq(rewrapped, 1);
	ck_assert_uint_gt(slots_given, SLOTS);
}
END_TEST

/*
 * A rotation that was killed before the new name lasted; the next start
 * clears away the old file, and then the power goes.
 */
START_TEST(account_keys_of_one_who_was_killed)
{
	char from[2 * SCRATCH_BYTES], to[2 * SCRATCH_BYTES];
	struct master first = { .count = 1 };
	const char *live = cuts_begin();
	uint64_t count;

	make_masters();
	memcpy(first.keys[0], masters[0].keys[1], KEY_BYTES);
	struct keyfile *file = open_keys(live, &first, true);
	give_slots(file, 20);
	struct bytes copy = { 0 };
	strcpy(from, path_in(live, "account.keys"));
	ck_assert_int_eq(file_read(&copy, from, 1 << 20), STATUS_OK);
	keyfile_close(&file);
	strcpy(to, path_in(live, "other"));
	ck_assert_int_eq(file_create(to, bytes_slice(&copy), 0600), STATUS_OK);
	bytes_clear(&copy);
	ck_assert_int_eq(
	    keyfile_open(&file, to, "auth", &masters[0], false), STATUS_OK);
	ck_assert_int_eq(keyfile_rewrap(file, &masters[0], &count), STATUS_OK);
	keyfile_close(&file);
	ck_assert_int_eq(link(from, path_in(live, "account.keys.old")), 0);
	ck_assert_int_eq(rename(to, from), 0);
	file = open_keys(live, &masters[0], false);
	keyfile_close(&file);
	cuts_try(on_keys_mark, look_at_keys);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("power_files");
	TCase *tcase =
	    tcase_create("R-01 files after a power cut at any moment");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 600);
	tcase_add_loop_test(tcase, old_or_new, 0, nitems(files));
	tcase_add_test(tcase, state_lasts);
	tcase_add_test(tcase, heads_last);
	tcase_add_test(tcase, heads_of_one_who_was_killed);
	tcase_add_test(tcase, account_keys_last);
	tcase_add_test(tcase, account_keys_of_one_who_was_killed);
	suite_add_tcase(suite, tcase);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

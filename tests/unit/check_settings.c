#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/util.h"
#include "scratch.h"
#include "service/program.h"
#include "service/settings.h"

static struct program program;

static void setup(void)
{
	scratch_make();
	ck_assert_int_eq(mkdir(scratch_path("keys"), 0700), 0);
	ck_assert_int_eq(
	    setenv("KEEPSAKE_COMMON_KEYS", scratch_path("keys"), 1), 0);
	ck_assert_int_eq(setenv("KEEPSAKE_COMMON_RUN", "/run/test", 1), 0);
	ck_assert_int_eq(
	    conf_load(settings, settings_count, NULL, &program.conf),
	    STATUS_OK);
}

static void teardown(void)
{
	conf_destroy(&program.conf);
	scratch_remove();
}

/* ---- the table ---- */

/* What it falls back to is valid, as a file that can be printed and read. */
START_TEST(defaults)
{
	struct conf *again = NULL;

	capture_begin(STDOUT_FILENO);
	conf_print(program.conf);
	const char *printed = capture_end();
	scratch_write("keepsake.conf", printed, strlen(printed), 0600);
	ck_assert_int_eq(conf_load(settings, settings_count,
			     scratch_path("keepsake.conf"), &again),
	    STATUS_OK);
	for (size_t i = 0; i < settings_count; i++)
		ck_assert_str_eq(
		    conf_text(again, settings[i].section, settings[i].key),
		    conf_text(
			program.conf, settings[i].section, settings[i].key));
	conf_destroy(&again);
}
END_TEST

static bool is_same(const struct conf_key *a, const struct conf_key *b)
{
	return strcmp(a->section, b->section) == 0 &&
	       strcmp(a->key, b->key) == 0;
}

START_TEST(rows)
{
	const struct conf_key *row = &settings[_i];
	size_t changes = 0;

	ck_assert_str_ne(row->help, "");
	for (size_t i = 0; i < settings_count; i++)
		ck_assert_msg((int)i == _i || !is_same(row, &settings[i]),
		    "[%s] %s is there twice", row->section, row->key);
	/* a section is in one piece, as conf_print needs it */
	for (size_t i = 1; i < settings_count; i++)
		changes += strcmp(settings[i].section, row->section) == 0 &&
			   strcmp(settings[i - 1].section, row->section) != 0;
	ck_assert_msg(changes <= 1, "[%s] is in pieces", row->section);
	if (row->type == CONF_NUMBER || row->type == CONF_SIZE ||
	    row->type == CONF_DURATION)
		ck_assert_uint_le(row->min,
		    conf_number(program.conf, row->section, row->key));
}
END_TEST

static const struct conf_key *find(const char *section, const char *key)
{
	for (size_t i = 0; i < settings_count; i++)
		if (strcmp(settings[i].section, section) == 0 &&
		    strcmp(settings[i].key, key) == 0)
			return &settings[i];
	return NULL;
}

/* Each door has one who is to come, who meets it at the same address. */
START_TEST(both_ends_agree)
{
	const struct conf_key *row = &settings[_i];
	char here[ENDPOINT_BYTES], there[ENDPOINT_BYTES];
	static const char prefix[] = "listen_";

	if (strncmp(row->key, prefix, strlen(prefix)) != 0)
		return;
	const char *server = row->section, *client = row->key + strlen(prefix);
	ck_assert_msg(find(client, server), "[%s] %s: no [%s] %s", server,
	    row->key, client, server);
	settings_endpoint(program.conf, server, row->key, server, client, here);
	settings_endpoint(program.conf, client, server, server, client, there);
	ck_assert_str_eq(here, there);
}
END_TEST

START_TEST(endpoints)
{
	struct conf *conf = NULL;
	char endpoint[ENDPOINT_BYTES];

	settings_endpoint(
	    program.conf, "gateway", "auth", "auth", "gateway", endpoint);
	ck_assert_str_eq(endpoint, "ipc:///run/test/auth.gateway/socket");
	ck_assert_int_eq(
	    setenv("KEEPSAKE_GATEWAY_AUTH", "tcp://auth:7401", 1), 0);
	ck_assert_int_eq(
	    conf_load(settings, settings_count, NULL, &conf), STATUS_OK);
	settings_endpoint(conf, "gateway", "auth", "auth", "gateway", endpoint);
	ck_assert_str_eq(endpoint, "tcp://auth:7401");
	conf_destroy(&conf);
}
END_TEST

START_TEST(key_paths)
{
	char path[SETTINGS_PATH_BYTES];

	settings_key_path(program.conf, "auth", ".key", path);
	ck_assert_str_eq(path, scratch_path("keys/auth.key"));
}
END_TEST

/* ---- allow lists ---- */

/* Write KEYS/${name} for a new key; returns it. */
static struct curve_keys write_key(const char *name)
{
	char path[64];
	struct curve_keys keys;

	snprintf(path, sizeof(path), "keys/%s", name);
	ck_assert_int_eq(curve_keys_make(&keys), STATUS_OK);
	ck_assert_int_eq(
	    curve_public_write(keys.public_key, scratch_path(path)), STATUS_OK);
	return keys;
}

static enum status allow_quietly(const char *role, struct allow_list *out)
{
	capture_begin(STDERR_FILENO);
	enum status st = program_allow(&program, role, out);
	capture_end();
	return st;
}

static bool is_allowed(
    const struct allow_list *allow, const struct curve_keys *keys)
{
	for (size_t i = 0; i < allow->keys_count; i++)
		if (memcmp(allow->keys[i], keys->public_key, CURVE_KEY_BYTES) ==
		    0)
			return true;
	return false;
}

START_TEST(one_key)
{
	struct allow_list allow;
	struct curve_keys keys = write_key("gateway.public");

	ck_assert_int_eq(program_allow(&program, "gateway", &allow), STATUS_OK);
	ck_assert_uint_eq(allow.keys_count, 1);
	ck_assert(!allow.anyone);
	ck_assert(is_allowed(&allow, &keys));
}
END_TEST

START_TEST(several_keys)
{
	static const char *const others[] = { "gate.public", "gateways.public",
		"gateway.public.old", "gateway-3.key", "old-gateway.public",
		"ops.public" };
	struct allow_list allow;
	struct curve_keys first = write_key("gateway.public");
	struct curve_keys second = write_key("gateway-2.public");
	struct curve_keys third = write_key("gateway-sms-3.public");

	for (size_t i = 0; i < nitems(others); i++)
		write_key(others[i]);
	ck_assert_int_eq(program_allow(&program, "gateway", &allow), STATUS_OK);
	ck_assert_uint_eq(allow.keys_count, 3);
	ck_assert(is_allowed(&allow, &first));
	ck_assert(is_allowed(&allow, &second));
	ck_assert(is_allowed(&allow, &third));
}
END_TEST

START_TEST(only_named_keys)
{
	struct allow_list allow;
	struct curve_keys keys = write_key("ops-anna.public");

	ck_assert_int_eq(program_allow(&program, "ops", &allow), STATUS_OK);
	ck_assert_uint_eq(allow.keys_count, 1);
	ck_assert(is_allowed(&allow, &keys));
}
END_TEST

START_TEST(no_key)
{
	struct allow_list allow = { .anyone = true, .keys_count = 5 };

	write_key("auth.public");
	ck_assert_int_eq(allow_quietly("gateway", &allow), STATUS_NOT_FOUND);
	ck_assert_uint_eq(allow.keys_count, 0);
	ck_assert(!allow.anyone);
}
END_TEST

/* A file that is no key is said, not passed over. */
START_TEST(broken_key)
{
	struct allow_list allow;

	write_key("gateway.public");
	scratch_write("keys/gateway-2.public", "no key\n", 7, 0644);
	ck_assert_int_eq(allow_quietly("gateway", &allow), STATUS_MALFORMED);
}
END_TEST

START_TEST(too_many_keys)
{
	struct allow_list allow;
	char name[32];

	for (int i = 0; i < ALLOW_KEYS_MAX; i++) {
		snprintf(name, sizeof(name), "gateway-%d.public", i);
		write_key(name);
	}
	ck_assert_int_eq(program_allow(&program, "gateway", &allow), STATUS_OK);
	ck_assert_uint_eq(allow.keys_count, ALLOW_KEYS_MAX);
	write_key("gateway.public");
	ck_assert_int_eq(allow_quietly("gateway", &allow), STATUS_TOO_LARGE);
}
END_TEST

START_TEST(peer_key)
{
	uint8_t key[CURVE_KEY_BYTES];
	struct curve_keys keys = write_key("auth.public");

	ck_assert_int_eq(program_peer_key(&program, "auth", key), STATUS_OK);
	ck_assert_mem_eq(key, keys.public_key, CURVE_KEY_BYTES);
	capture_begin(STDERR_FILENO);
	enum status st = program_peer_key(&program, "store", key);
	const char *said = capture_end();
	ck_assert_int_eq(st, STATUS_NOT_FOUND);
	ck_assert_ptr_nonnull(
	    strstr(said, "event=peer_key_unusable peer=store"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("settings");
	TCase *table = tcase_create("O-07 settings");
	TCase *lists = tcase_create("O-05 G-01 allow lists");

	tcase_add_checked_fixture(table, setup, teardown);
	tcase_add_checked_fixture(lists, setup, teardown);
	tcase_add_test(table, defaults);
	tcase_add_loop_test(table, rows, 0, (int)settings_count);
	tcase_add_loop_test(table, both_ends_agree, 0, (int)settings_count);
	tcase_add_test(table, endpoints);
	tcase_add_test(table, key_paths);
	tcase_add_test(lists, one_key);
	tcase_add_test(lists, several_keys);
	tcase_add_test(lists, only_named_keys);
	tcase_add_test(lists, no_key);
	tcase_add_test(lists, broken_key);
	tcase_add_test(lists, too_many_keys);
	tcase_add_test(lists, peer_key);
	suite_add_tcase(suite, table);
	suite_add_tcase(suite, lists);

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#include "service/settings.h"

#include <stdio.h>
#include <string.h>

#include "base/util.h"

/* clang-format off */
#define MIB (1ull << 20)
#define TIB (1ull << 40)

#define LISTEN(section, client)                                            \
	{ section, "listen_" client, CONF_ENDPOINT, "", 0, 0, NULL,        \
	  "where " client " comes in; empty: ipc below [common] run" }
#define PEER(section, server)                                              \
	{ section, server, CONF_ENDPOINT, "", 0, 0, NULL,                  \
	  "where " server " is met; empty: ipc below [common] run" }
#define WATCH(section)                                                     \
	{ section, "http", CONF_ADDRESS, "", 0, 0, NULL,                   \
	  "where metrics and health are asked by HTTP; empty: nowhere" },  \
	{ section, "events", CONF_ENDPOINT, "", 0, 0, NULL,                \
	  "where keepsakectl takes events; empty: ipc below [common] run" }
#define EVENTS(service)                                                    \
	{ "ops", service "_events", CONF_ENDPOINT, "", 0, 0, NULL,         \
	  "where events of " service " are; empty: ipc below [common] run" }
#define DATABASE(section)                                                  \
	{ section, "data", CONF_PATH, "/var/lib/keepsake/" section, 0, 0,  \
	  NULL, "folder of the database" },                                \
	{ section, "ledger", CONF_PATH,                                    \
	  "/var/lib/keepsake/" section ".ledger", 0, 0, NULL,              \
	  "folder of what an older database must not undo" },       \
	{ section, "backups", CONF_PATH,                                   \
	  "/var/lib/keepsake/" section ".backups", 0, 0, NULL,             \
	  "folder below which keepsakectl backup has copies made" },       \
	{ section, "audit_heads", CONF_PATH, "", 0, 0, NULL,               \
	  "file of the audit log's signed heads; empty: in the ledger" },  \
	{ section, "map_bytes", CONF_SIZE, "1G", MIB, 64 * TIB, NULL,      \
	  "memory map to begin with; it grows" },                          \
	{ section, "map_bytes_max", CONF_SIZE, "1T", MIB, 64 * TIB, NULL,  \
	  "the database never grows past this" },                          \
	{ section, "reserve_bytes", CONF_SIZE, "64M", MIB, TIB, NULL,      \
	  "held back so that deleting always works" }

const struct conf_key settings[] = {
	{ "common", "run",  CONF_PATH, "/run/keepsake", 0, 0, NULL,
	  "folder of the ipc sockets" },
	{ "common", "keys", CONF_PATH, "/etc/keepsake/keys", 0, 0, NULL,
	  "folder of the keys made by: keepsakectl keys make" },
	{ "common", "sandbox", CONF_CHOICE, "auto", 0, 0, "auto|yes|no",
	  "whether files and system calls that are not needed are given up" },
	{ "common", "contact", CONF_TEXT, "", 0, 0, NULL,
	  "whom people are told to ask: an address, a phone number" },
	{ "common", "audit_head_ms", CONF_DURATION, "1h", 100, 86400000, NULL,
	  "how often the signed head of the audit log is exported" },
	{ "common", "log_level", CONF_CHOICE, "info", 0, 0,
	  "error|warning|info|debug", "how much is logged" },
	{ "common", "log_format", CONF_CHOICE, "text", 0, 0, "text|json",
	  "key=value, or an object of JSON a line" },

	LISTEN("auth", "gateway"),
	LISTEN("auth", "binding"),
	LISTEN("auth", "ops"),
	PEER("auth", "store"),
	PEER("auth", "binding"),
	PEER("auth", "notify"),
	DATABASE("auth"),
	WATCH("auth"),
	{ "auth", "ticket_ms", CONF_DURATION, "5min", 1000, 3600000, NULL,
	  "how long a ticket is good" },
	{ "auth", "allow_identifier_only", CONF_CHOICE, "no", 0, 0, "yes|no",
	  "whether a terminal's code may do without a password" },
	{ "auth", "proofs_per_minute_account", CONF_NUMBER, "30", 1, 1000000,
	  NULL, "how often one account may be asked for" },
	{ "auth", "proofs_per_minute_address", CONF_NUMBER, "30", 1, 1000000,
	  NULL, "how often one source address may ask" },

	LISTEN("store", "gateway"),
	LISTEN("store", "auth"),
	LISTEN("store", "ops"),
	PEER("store", "notify"),
	DATABASE("store"),
	WATCH("store"),
	{ "store", "lease_ms", CONF_DURATION, "24h", 1000, 604800000, NULL,
	  "how long a broken backup or restore may wait to go on" },
	{ "store", "idle_restore_ms", CONF_DURATION, "1h", 1000, 604800000,
	  NULL, "after this a restore that reads nothing yields to deletions" },
	{ "store", "sweep_ms", CONF_DURATION, "1h", 100, 604800000, NULL,
	  "how often unreferenced chunks are looked for" },
	{ "store", "scrub_ms", CONF_DURATION, "30d", 1000, 31536000000ull,
	  NULL, "within this every chunk is read and compared with its hash" },
	{ "store", "quota_soft", CONF_SIZE, "0", 0, 64 * TIB, NULL,
	  "bytes of an account past which its owner is warned; 0: none" },
	{ "store", "quota_hard", CONF_SIZE, "0", 0, 64 * TIB, NULL,
	  "bytes of an account past which nothing is taken; 0: none" },

	LISTEN("binding", "gateway"),
	LISTEN("binding", "auth"),
	LISTEN("binding", "notify"),
	LISTEN("binding", "ops"),
	PEER("binding", "auth"),
	PEER("binding", "notify"),
	DATABASE("binding"),
	WATCH("binding"),

	LISTEN("notify", "gateway"),
	LISTEN("notify", "auth"),
	LISTEN("notify", "store"),
	LISTEN("notify", "binding"),
	LISTEN("notify", "ops"),
	PEER("notify", "binding"),
	DATABASE("notify"),
	WATCH("notify"),
	{ "notify", "retry_ms", CONF_DURATION, "1min", 10, 3600000, NULL,
	  "first pause before a notice is pushed again; it doubles" },
	{ "notify", "retry_ms_max", CONF_DURATION, "6h", 10, 86400000, NULL,
	  "longest pause before a notice is pushed again" },
	{ "notify", "give_up_ms", CONF_DURATION, "3d", 1000, 2592000000ull,
	  NULL, "a notice older than this is a dead letter" },

	{ "gateway", "name", CONF_INSTANCE, "gateway", 0, 0, "gateway",
	  "of this one: its keys, and where keepsakectl comes in" },
	{ "gateway", "listen", CONF_ENDPOINT, "tcp://0.0.0.0:7400", 0, 0,
	  NULL, "where terminals come in" },
	{ "gateway", "public_address", CONF_TEXT, "127.0.0.1:7400", 0, 0,
	  NULL, "host:port[,gateway-NAME] of each, as enrolment strings name" },
	{ "gateway", "memory_max", CONF_SIZE, "1G", 0, TIB, NULL,
	  "a bearer that wants more memory is started anew; 0: no limit" },
	WATCH("gateway"),
	LISTEN("gateway", "ops"),
	PEER("gateway", "auth"),
	PEER("gateway", "store"),
	PEER("gateway", "binding"),
	PEER("gateway", "notify"),

	PEER("ops", "gateway"),
	PEER("ops", "auth"),
	PEER("ops", "store"),
	PEER("ops", "binding"),
	PEER("ops", "notify"),
	EVENTS("gateway"),
	EVENTS("auth"),
	EVENTS("store"),
	EVENTS("binding"),
	EVENTS("notify"),
};
/* clang-format on */

const size_t settings_count = nitems(settings);

void settings_endpoint(const struct conf *conf, const char *section,
    const char *key, const char *server, const char *client,
    char out[static ENDPOINT_BYTES])
{
	const char *given = conf_text(conf, section, key);

	if (*given != '\0')
		snprintf(out, ENDPOINT_BYTES, "%s", given);
	else
		snprintf(out, ENDPOINT_BYTES, "ipc://%s/%s.%s/socket",
		    conf_text(conf, "common", "run"), server, client);
}

const char *settings_instance(const struct conf *conf, const char *program)
{
	return strcmp(program, "gateway") == 0
		   ? conf_text(conf, "gateway", "name")
		   : program;
}

void settings_key_path(const struct conf *conf, const char *name,
    const char *suffix, char out[static SETTINGS_PATH_BYTES])
{
	snprintf(out, SETTINGS_PATH_BYTES, "%s/%s%s",
	    conf_text(conf, "common", "keys"), name, suffix);
}

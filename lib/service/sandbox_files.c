#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/util.h"
#include "service/sandbox.h"
#include "service/settings.h"

/* A right that is newer than Debian's headers: Linux 6.2. */
#define ACCESS_TRUNCATE (1ULL << 14)

#define FILE_READ   LANDLOCK_ACCESS_FS_READ_FILE
#define FILE_WRITE  (FILE_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_TRUNCATE)
#define FOLDER_READ (FILE_READ | LANDLOCK_ACCESS_FS_READ_DIR)
#define FOLDER_WRITE                                                       \
	(FOLDER_READ | FILE_WRITE | LANDLOCK_ACCESS_FS_REMOVE_DIR |        \
	    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | \
	    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |   \
	    LANDLOCK_ACCESS_FS_REFER)

/* All that is given up where no rule leaves it. */
#define HANDLED                                                           \
	(FOLDER_WRITE | LANDLOCK_ACCESS_FS_EXECUTE |                      \
	    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_FIFO | \
	    LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

#define VERSION_REFER    2
#define VERSION_TRUNCATE 3

/* Rules that are being made. */
struct rules {
	int fd;
	uint64_t handled; /* what this kernel knows of HANDLED */
};

static unsigned int kernel_version(void)
{
	long got = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);

	return got > 0 ? (unsigned int)got : 0;
}

/* Leave ${folder_rights} to what is below ${path}, or, where it is a file,
 * those of them that a file can have.  What is missing gets no rule. */
static void allow(
    const struct rules *rules, const char *path, uint64_t folder_rights)
{
	struct landlock_path_beneath_attr rule = { 0 };
	struct stat found;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return;
	rule.allowed_access = folder_rights & rules->handled;
	if (fstat(rule.parent_fd, &found) == 0 && !S_ISDIR(found.st_mode))
		rule.allowed_access &= FILE_WRITE;
	if (syscall(SYS_landlock_add_rule, rules->fd,
		LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
		log_warning(NULL, "sandbox_rule_failed", "path=%s error=\"%s\"",
		    path, strerror(errno));
	close(rule.parent_fd);
}

/*
 * /etc, which has what finds hosts; without the entry of it that holds the
 * keys, where they are there: they have rules of their own.
 */
static void allow_etc(const struct rules *rules, const char *keys)
{
	static const char etc[] = "/etc/";
	char path[sizeof(etc) + NAME_MAX];
	const struct dirent *entry;

	if (strncmp(keys, etc, sizeof(etc) - 1) != 0) {
		allow(rules, etc, FOLDER_READ);
		return;
	}
	const char *part = keys + sizeof(etc) - 1;
	size_t len = strcspn(part, "/");
	DIR *folder = opendir(etc);
	while (folder && (entry = readdir(folder)) != NULL) {
		const char *name = entry->d_name;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		    (strlen(name) == len && memcmp(name, part, len) == 0))
			continue;
		snprintf(path, sizeof(path), "%s%s", etc, name);
		allow(rules, path, FOLDER_READ);
	}
	if (folder)
		closedir(folder);
}

/* What libraries read: themselves, addresses of hosts, processors, time. */
static void allow_system(const struct rules *rules, const char *keys)
{
	static const char *const read[] = {
		"/usr",
		"/lib",
		"/lib64",
		"/proc",
		"/sys/devices/system/cpu",
		"/dev/urandom",
		"/dev/random",
		/* where /etc/resolv.conf leads to */
		"/run/systemd/resolve",
		"/run/resolvconf",
		"/run/NetworkManager",
	};

	for (size_t i = 0; i < nitems(read); i++)
		allow(rules, read[i], FOLDER_READ);
	allow(rules, "/dev/null", FILE_WRITE);
	allow_etc(rules, keys);
#ifdef __SANITIZE_ADDRESS__
	/* Its reports name lines of the program, which may lie anywhere. */
	allow(rules, "/proc/self/exe", FILE_READ);
#endif
}

/* A service reads its master key again from a file that took the place of
 * the one before; the gateway needs its own key and public ones, once. */
static void allow_keys(
    const struct rules *rules, const struct conf *conf, const char *name)
{
	const char *keys = conf_text(conf, "common", "keys");
	char pattern[SETTINGS_PATH_BYTES];
	glob_t found = { 0 };

	if (strcmp(name, "gateway") != 0) {
		allow(rules, keys, FOLDER_READ);
		return;
	}
	allow(rules, keys, LANDLOCK_ACCESS_FS_READ_DIR);
	settings_key_path(conf, settings_instance(conf, name), ".key", pattern);
	allow(rules, pattern, FILE_READ);
	settings_key_path(conf, "*", ".public", pattern);
	glob(pattern, 0, NULL, &found);
	for (size_t i = 0; i < found.gl_pathc; i++)
		allow(rules, found.gl_pathv[i], FILE_READ);
	globfree(&found);
}

/* Make a folder and those above it, or not: who needs it says why it is not
 * there. */
static void make_folder(const char *path)
{
	char part[SETTINGS_PATH_BYTES];

	snprintf(part, sizeof(part), "%s", path);
	for (char *at = strchr(part + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		if (mkdir(part, 0700) == 0)
			file_sync_folder(part);
		*at = '/';
	}
	if (mkdir(part, 0700) == 0)
		file_sync_folder(part);
}

/* A path of its section: what it is for is to be written. */
static void allow_path(
    const struct rules *rules, const char *key, const char *path)
{
	char folder[SETTINGS_PATH_BYTES];

	snprintf(folder, sizeof(folder), "%s", path);
	if (strcmp(key, "audit_heads") == 0) {
		/* a file: a new one takes its place in the folder */
		char *slash = strrchr(folder, '/');
		if (!slash || slash == folder)
			return;
		*slash = '\0';
	} else if (strcmp(key, "data") == 0 || strcmp(key, "ledger") == 0) {
		make_folder(folder);
	} else if (mkdir(folder, 0700) == 0) {
		/* what is not always used is made where it has a place */
		file_sync_folder(folder);
	}
	allow(rules, folder, FOLDER_WRITE);
}

/* The folder of the socket of an ipc door: empty is one below ${run}. */
static void allow_door(
    const struct rules *rules, const char *endpoint, const char *run)
{
	static const char ipc[] = "ipc://";
	char folder[SETTINGS_PATH_BYTES];

	if (*endpoint == '\0')
		snprintf(folder, sizeof(folder), "%s", run);
	else if (strncmp(endpoint, ipc, sizeof(ipc) - 1) == 0)
		snprintf(folder, sizeof(folder), "%.*s",
		    (int)(strrchr(endpoint, '/') - endpoint) -
			(int)(sizeof(ipc) - 1),
		    endpoint + sizeof(ipc) - 1);
	else
		return;
	make_folder(folder);
	allow(rules, folder, FOLDER_WRITE);
}

static void allow_own(
    const struct rules *rules, const struct conf *conf, const char *name)
{
	const char *run = conf_text(conf, "common", "run");

	for (size_t i = 0; i < settings_count; i++) {
		const struct conf_key *row = &settings[i];
		if (strcmp(row->section, name) != 0)
			continue;
		const char *value = conf_text(conf, name, row->key);
		if (row->type == CONF_PATH)
			allow_path(rules, row->key, value);
		else if (row->type == CONF_ENDPOINT &&
			 strncmp(row->key, "listen", 6) == 0)
			allow_door(rules, value, run);
	}
}

static bool restrict_files(
    const struct conf *conf, const char *name, unsigned int version)
{
	struct landlock_ruleset_attr handled = { .handled_access_fs = HANDLED };

	if (version < VERSION_REFER)
		handled.handled_access_fs &= ~LANDLOCK_ACCESS_FS_REFER;
	if (version < VERSION_TRUNCATE)
		handled.handled_access_fs &= ~ACCESS_TRUNCATE;
	struct rules rules = {
		.fd = (int)syscall(
		    SYS_landlock_create_ruleset, &handled, sizeof(handled), 0),
		.handled = handled.handled_access_fs,
	};
	if (rules.fd < 0)
		return false;
	allow_system(&rules, conf_text(conf, "common", "keys"));
	allow_keys(&rules, conf, name);
	allow_own(&rules, conf, name);
	bool done = syscall(SYS_landlock_restrict_self, rules.fd, 0) == 0;
	close(rules.fd);
	return done;
}

enum status sandbox_files(
    struct sandbox *out, const struct conf *conf, const char *name)
{
	const char *wanted = conf_text(conf, "common", "sandbox");
	unsigned int version = kernel_version();

	*out = (struct sandbox){ 0 };
	if (strcmp(wanted, "no") == 0)
		return STATUS_OK;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && version > 0 &&
	    restrict_files(conf, name, version))
		out->landlock = version;
	if (out->landlock == 0 && strcmp(wanted, "yes") == 0) {
		log_error(NULL, "sandbox_failed",
		    "why=\"this kernel has no Landlock, or it is off\" "
		    "hint=\"[common] sandbox = auto\"");
		return STATUS_UNAVAILABLE;
	}
	return STATUS_OK;
}

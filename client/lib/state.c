#include "state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "base/util.h"

#define FILE_BYTES_MAX 4096
#define FILE_MODE      0600

/* As for the proof itself: guessing here is no cheaper than there. */
#define CHECK_PASSES 3
#define CHECK_BYTES  (64u * 1024 * 1024)

struct state {
	char folder[PATH_MAX];
	int lock_fd; /* -1 unless it is ours */
};

enum status state_folder_usual(char out[static PATH_MAX])
{
	const char *state_home = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	int len;

	/* The XDG specification: a relative path counts as none. */
	if (state_home && state_home[0] == '/')
		len = snprintf(out, PATH_MAX, "%s/keepsake", state_home);
	else if (home && home[0] == '/')
		len = snprintf(out, PATH_MAX, "%s/.local/state/keepsake", home);
	else
		return STATUS_NOT_FOUND;
	return len < PATH_MAX ? STATUS_OK : STATUS_NOT_FOUND;
}

/* Look at the folder itself, not at where a symlink leads. */
static enum status check_folder(const char *folder, const char **why_out)
{
	struct stat found;

	if (lstat(folder, &found) != 0)
		*why_out = "it cannot be looked at";
	else if (S_ISLNK(found.st_mode))
		*why_out = "it is a symlink: name the folder itself";
	else if (!S_ISDIR(found.st_mode))
		*why_out = "it is not a folder";
	else if (found.st_uid != geteuid())
		*why_out = "it belongs to another user";
	else if (found.st_mode & 077)
		*why_out = "others may enter it: chmod 700";
	else
		return STATUS_OK;
	return STATUS_DENIED;
}

enum status state_open(
    struct state **self_out, const char *folder, const char **why_out)
{
	struct state *self = calloc(1, sizeof(*self));
	size_t len = strlen(folder);
	enum status st;

	*why_out = "there is no memory";
	if (!self)
		return STATUS_NO_SPACE;
	self->lock_fd = -1;
	while (len > 1 && folder[len - 1] == '/')
		len--; /* with a slash behind, lstat would follow a symlink */
	*why_out = "its path is too long";
	st = STATUS_DENIED;
	if (len >= sizeof(self->folder))
		goto out;
	memcpy(self->folder, folder, len);
	*why_out = "it cannot be made";
	st = folder_make(self->folder);
	if (st == STATUS_NO_SPACE)
		*why_out = "there is no room for it on its disk";
	if (st == STATUS_NOT_FOUND)
		st = STATUS_DENIED; /* a file where a folder should be */
	if (st == STATUS_OK)
		st = check_folder(self->folder, why_out);
	if (st != STATUS_OK)
		goto out;
	*why_out = "";
	*self_out = self;
	self = NULL;
out:
	state_close(&self);
	return st;
}

void state_close(struct state **self_p)
{
	struct state *self = *self_p;

	if (!self)
		return;
	if (self->lock_fd >= 0)
		close(self->lock_fd); /* and with it the lock */
	free(self);
	*self_p = NULL;
}

const char *state_folder(const struct state *self)
{
	return self->folder;
}

bool state_path(
    const struct state *self, const char *name, char out[static PATH_MAX])
{
	int len = snprintf(out, PATH_MAX, "%s/%s", self->folder, name);

	return len > 0 && len < PATH_MAX;
}

/* Read file ${name} as text: its bytes end with a NUL and hold no other. */
static enum status read_text(
    const struct state *self, const char *name, struct bytes *out)
{
	char path[PATH_MAX];

	if (!state_path(self, name, path))
		return STATUS_DENIED;
	enum status st = file_read_secret(out, path, FILE_BYTES_MAX);
	if (st == STATUS_TOO_LARGE)
		return STATUS_MALFORMED;
	if (st == STATUS_OK && memchr(out->data, '\0', out->len))
		return STATUS_MALFORMED;
	if (st == STATUS_OK)
		st = bytes_append(out, slice_of("", 1));
	return st;
}

static enum status write_text(
    const struct state *self, const char *name, const char *text)
{
	char path[PATH_MAX];

	if (!state_path(self, name, path))
		return STATUS_DENIED;
	return file_replace(path, slice_text(text), FILE_MODE);
}

/*
 * Copy the value of the line "KEY=value" of ${text} to ${out}.
 *
 * STATUS_MALFORMED  no such line, or too long
 */
static enum status text_field(
    const struct bytes *text, const char *key, char *out, size_t room)
{
	size_t key_len = strlen(key);
	const char *line = (const char *)text->data;

	while (*line) {
		size_t len = strcspn(line, "\n");
		if (len > key_len && memcmp(line, key, key_len) == 0 &&
		    line[key_len] == '=') {
			len -= key_len + 1;
			if (len >= room)
				return STATUS_MALFORMED;
			memcpy(out, line + key_len + 1, len);
			out[len] = '\0';
			return STATUS_OK;
		}
		line += len + (line[len] == '\n');
	}
	return STATUS_MALFORMED;
}

/* The same for an id; an empty value is none. */
static enum status id_field(
    const struct bytes *text, const char *key, struct id *out)
{
	char hex[HEX_BYTES(ID_BYTES)];
	enum status st = text_field(text, key, hex, sizeof(hex));

	*out = (struct id){ { 0 } };
	if (st != STATUS_OK || hex[0] == '\0')
		return st;
	return hex_decode(out->bytes, ID_BYTES, hex);
}

enum status state_keys(struct state *self, struct curve_keys *keys_out)
{
	char path[PATH_MAX];

	if (!state_path(self, "terminal.key", path))
		return STATUS_DENIED;
	enum status st = curve_keys_read(keys_out, path);
	if (st != STATUS_NOT_FOUND)
		return st;
	st = curve_keys_make(keys_out);
	if (st == STATUS_OK)
		st = curve_keys_write(keys_out, path);
	if (st == STATUS_CONFLICT) /* made by another program just now */
		st = curve_keys_read(keys_out, path);
	return st;
}

enum status state_enrolment(const struct state *self, struct enrolment *out)
{
	struct bytes text = { 0 };
	const char *why;
	enum status st = read_text(self, "enrolment", &text);

	if (st == STATUS_OK) {
		char *line = (char *)text.data;
		line[strcspn(line, "\n")] = '\0';
		st = enrolment_parse(out, line, &why);
	}
	bytes_clear(&text);
	return st;
}

/* Whether both lead to the same server. */
static bool enrolment_equal(
    const struct enrolment *a, const struct enrolment *b)
{
	return memcmp(a->auth_opaque, b->auth_opaque, ENROLMENT_KEY_BYTES) ==
		   0 &&
	       memcmp(a->auth_x25519, b->auth_x25519, ENROLMENT_KEY_BYTES) == 0;
}

enum status state_set_enrolment(
    struct state *self, const struct enrolment *enrolment)
{
	struct state_account account;
	struct enrolment old;
	char text[ENROLMENT_TEXT_BYTES + 1];

	/* The gateway of a server may move: its auth says which one it is. */
	if (state_account(self, &account) != STATUS_NOT_FOUND &&
	    state_enrolment(self, &old) == STATUS_OK &&
	    !enrolment_equal(&old, enrolment))
		return STATUS_CONFLICT;
	enum status st = enrolment_format(text, enrolment);
	if (st != STATUS_OK)
		return st;
	size_t len = strlen(text);
	text[len] = '\n'; /* there is room for one more */
	text[len + 1] = '\0';
	return write_text(self, "enrolment", text);
}

enum status state_account(const struct state *self, struct state_account *out)
{
	struct bytes text = { 0 };
	enum status st = read_text(self, "account", &text);

	if (st == STATUS_OK)
		st = text_field(&text, "name", out->name, sizeof(out->name));
	if (st == STATUS_OK &&
	    (out->name[0] == '\0' || !text_is_clean(slice_text(out->name))))
		st = STATUS_MALFORMED;
	if (st == STATUS_OK)
		st = id_field(&text, "account", &out->account);
	if (st == STATUS_OK)
		st = id_field(&text, "terminal", &out->terminal);
	bytes_clear(&text);
	return st;
}

static void id_text(char out[static HEX_BYTES(ID_BYTES)], const struct id *id)
{
	out[0] = '\0';
	if (!id_is_none(id))
		hex_encode(out, slice_of(id->bytes, ID_BYTES));
}

enum status state_set_account(
    struct state *self, const struct state_account *account)
{
	char text[STATE_NAME_BYTES_MAX + 128];
	char account_hex[HEX_BYTES(ID_BYTES)];
	char terminal_hex[HEX_BYTES(ID_BYTES)];

	id_text(account_hex, &account->account);
	id_text(terminal_hex, &account->terminal);
	snprintf(text, sizeof(text), "name=%s\naccount=%s\nterminal=%s\n",
	    account->name, account_hex, terminal_hex);
	return write_text(self, "account", text);
}

/* Remove file ${name}, for good; one that is not there is fine. */
static enum status remove_file(const struct state *self, const char *name)
{
	char path[PATH_MAX];

	if (!state_path(self, name, path))
		return STATUS_DENIED;
	if (unlink(path) == 0)
		return file_sync_folder(path);
	return errno == ENOENT ? STATUS_OK : STATUS_DENIED;
}

/* Whether file ${name} is one that belongs to the account. */
static bool is_accounts(const char *name)
{
	static const char *const names[] = { "account", "password-check",
		"sim-pin" };

	for (size_t i = 0; i < nitems(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return strncmp(name, "cache-", strlen("cache-")) == 0;
}

enum status state_forget_account(struct state *self)
{
	DIR *folder = opendir(self->folder);
	enum status st = STATUS_OK;
	const struct dirent *entry;

	if (!folder)
		return STATUS_DENIED;
	while ((entry = readdir(folder)))
		if (is_accounts(entry->d_name) &&
		    remove_file(self, entry->d_name) != STATUS_OK)
			st = STATUS_DENIED;
	closedir(folder);
	return st;
}

enum status state_sim_pin_confirm(struct state *self, uint64_t now_ms)
{
	char text[64];

	snprintf(
	    text, sizeof(text), "confirmed=%llu\n", (unsigned long long)now_ms);
	return write_text(self, "sim-pin", text);
}

enum status state_sim_pin_forget(struct state *self)
{
	return remove_file(self, "sim-pin");
}

enum status state_sim_pin_when(
    const struct state *self, uint64_t *confirmed_ms_out)
{
	struct bytes text = { 0 };
	char confirmed[32];
	enum status st = read_text(self, "sim-pin", &text);

	if (st == STATUS_OK)
		st = text_field(
		    &text, "confirmed", confirmed, sizeof(confirmed));
	if (st == STATUS_OK)
		st = text_number(confirmed_ms_out, confirmed, UINT64_MAX);
	bytes_clear(&text);
	return st;
}

/* The process id in the lock file, or 0. */
static pid_t read_holder(int fd)
{
	char text[32];
	uint64_t number;
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);

	if (len <= 0)
		return 0;
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return text_number(&number, text, INT_MAX) == STATUS_OK ? (pid_t)number
								: 0;
}

enum status state_lock(struct state *self, pid_t *holder_out)
{
	char path[PATH_MAX], text[32];

	*holder_out = 0;
	if (self->lock_fd >= 0)
		return STATUS_OK;
	if (!state_path(self, "lock", path))
		return STATUS_DENIED;
	int fd =
	    open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	if (fd < 0)
		return STATUS_DENIED;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		enum status st =
		    errno == EWOULDBLOCK ? STATUS_CONFLICT : STATUS_DENIED;
		*holder_out = read_holder(fd);
		close(fd);
		return st;
	}
	/* Only a hint for people: the lock itself does not need it. */
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len) {
		close(fd);
		return STATUS_DENIED;
	}
	self->lock_fd = fd;
	return STATUS_OK;
}

struct password_check {
	char verifier[crypto_pwhash_STRBYTES];
	uint64_t asked_ms;
};

static enum status read_check(
    const struct state *self, struct password_check *out)
{
	struct bytes text = { 0 };
	char asked[32];
	enum status st = read_text(self, "password-check", &text);

	memset(out, 0, sizeof(*out)); /* crypto_pwhash_str_verify reads all */
	if (st == STATUS_OK)
		st = text_field(
		    &text, "verifier", out->verifier, sizeof(out->verifier));
	if (st == STATUS_OK)
		st = text_field(&text, "asked", asked, sizeof(asked));
	if (st == STATUS_OK)
		st = text_number(&out->asked_ms, asked, UINT64_MAX);
	bytes_clear(&text);
	return st;
}

static enum status write_check(
    struct state *self, const struct password_check *check)
{
	char text[crypto_pwhash_STRBYTES + 64];

	snprintf(text, sizeof(text), "verifier=%s\nasked=%llu\n",
	    check->verifier, (unsigned long long)check->asked_ms);
	enum status st = write_text(self, "password-check", text);
	sodium_memzero(text, sizeof(text));
	return st;
}

enum status state_set_password(
    struct state *self, struct slice password, uint64_t now_ms)
{
	struct password_check check = { .asked_ms = now_ms };

	if (crypto_pwhash_str(check.verifier, (const char *)password.data,
		password.len, CHECK_PASSES, CHECK_BYTES) != 0)
		return STATUS_NO_SPACE;
	enum status st = write_check(self, &check);
	sodium_memzero(&check, sizeof(check));
	return st;
}

enum status state_password_asked(struct state *self, uint64_t now_ms)
{
	struct password_check check;
	enum status st = read_check(self, &check);

	check.asked_ms = now_ms;
	if (st == STATUS_OK)
		st = write_check(self, &check);
	sodium_memzero(&check, sizeof(check));
	return st;
}

enum status state_password_when(
    const struct state *self, uint64_t *asked_ms_out)
{
	struct password_check check;
	enum status st = read_check(self, &check);

	if (st == STATUS_OK)
		*asked_ms_out = check.asked_ms;
	sodium_memzero(&check, sizeof(check));
	return st;
}

enum status state_check_password(
    const struct state *self, struct slice password)
{
	struct password_check check;
	enum status st = read_check(self, &check);

	if (st == STATUS_OK &&
	    crypto_pwhash_str_verify(
		check.verifier, (const char *)password.data, password.len) != 0)
		st = STATUS_DENIED;
	sodium_memzero(&check, sizeof(check));
	return st;
}

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/util.h"
#include "manifest_entry.h"
#include "walk.h"

#define LISTING_BYTES 4096
#define SPARSE_BYTES  (4 << 20)

static char root[64];
static int root_fd;
static char troubles[LISTING_BYTES]; /* "path:trouble " for each */

static void setup(void)
{
	strcpy(root, "/tmp/check_walk.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	root_fd = open(root, O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(root_fd, 0);
	troubles[0] = '\0';
}

static void teardown(void)
{
	char command[128];

	close(root_fd);
	snprintf(command, sizeof(command), "rm -rf %s", root);
	ck_assert_int_eq(system(command), 0);
}

static void file_make(const char *name, const char *text)
{
	int fd = openat(root_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	ck_assert_msg(fd >= 0, "%s: %s", name, strerror(errno));
	ck_assert_int_eq(write(fd, text, strlen(text)), (int)strlen(text));
	close(fd);
}

static void folder_make(const char *name)
{
	ck_assert_int_eq(mkdirat(root_fd, name, 0755), 0);
}

static void note(
    void *arg, enum walk_trouble trouble, const char *path, int error)
{
	size_t len = strlen(troubles);

	(void)arg;
	(void)error;
	snprintf(troubles + len, sizeof(troubles) - len, "%.40s:%d ", path,
	    (int)trouble);
}

/** Everything a walk gives, "type path[>target] " each. */
static void list(char out[static LISTING_BYTES])
{
	static const char types[] = { 0, 'f', 'd', 's', 'h' };
	struct walk *walk = NULL;
	struct walk_entry entry;
	enum status st = walk_new(&walk, root, note, NULL);
	size_t len = 0;

	ck_assert_int_eq(st, STATUS_OK);
	out[0] = '\0';
	while ((st = walk_next(walk, &entry)) == STATUS_OK) {
		ck_assert(path_is_valid(entry.path));
		len += (size_t)snprintf(out + len, LISTING_BYTES - len,
		    "%c %s%s%s ", types[entry.type], entry.path.data,
		    entry.target.len > 0 ? ">" : "",
		    entry.target.len > 0 ? (const char *)entry.target.data
					 : "");
		ck_assert_uint_lt(len, LISTING_BYTES);
	}
	ck_assert_int_eq(st, STATUS_NOT_FOUND);
	ck_assert_int_eq(walk_next(walk, &entry), STATUS_NOT_FOUND);
	walk_destroy(&walk);
}

START_TEST(order_and_kinds)
{
	char got[LISTING_BYTES];

	folder_make("a");
	file_make("a/\xff", "");
	file_make("a/b", "1");
	file_make("a-b", "2");
	file_make("a b", "");
	folder_make("a/c");
	folder_make("a/c/empty");
	symlinkat("..", root_fd, "up");
	symlinkat("/etc", root_fd, "a/etc");
	file_make("B", "");
	list(got);
	ck_assert_str_eq(got, "f B d a f a/b d a/c d a/c/empty s a/etc>/etc "
			      "f a/\xff f a b f a-b s up>.. ");
	ck_assert_str_eq(troubles, "");
}
END_TEST

START_TEST(hard_links)
{
	char got[LISTING_BYTES];

	folder_make("d");
	file_make("d/one", "x");
	linkat(root_fd, "d/one", root_fd, "z", 0);
	linkat(root_fd, "d/one", root_fd, "a", 0);
	for (int i = 0; i < 100; i++) { /* more than the table starts with */
		char name[16], other[16];
		snprintf(name, sizeof(name), "d/n%02d", i);
		snprintf(other, sizeof(other), "d/o%02d", i);
		file_make(name, "");
		linkat(root_fd, name, root_fd, other, 0);
	}
	list(got);
	ck_assert(strncmp(got, "f a d d f d/n00 ", 16) == 0);
	ck_assert_ptr_nonnull(strstr(got, "h d/one>a "));
	ck_assert_ptr_nonnull(strstr(got, "h z>a "));
	ck_assert_ptr_nonnull(strstr(got, "h d/o99>d/n99 "));
}
END_TEST

START_TEST(what_is_no_file)
{
	char got[LISTING_BYTES];
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", root);
	ck_assert_int_eq(
	    bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(mkfifoat(root_fd, "fifo", 0600), 0);
	file_make("file", "");
	list(got);
	ck_assert_str_eq(got, "f file ");
	char want[64];
	snprintf(want, sizeof(want), "fifo:%d socket:%d ", WALK_SPECIAL,
	    WALK_SPECIAL);
	ck_assert_str_eq(troubles, want);
	close(fd);
}
END_TEST

START_TEST(what_may_not_be_read)
{
	char got[LISTING_BYTES], want[64];

	if (geteuid() == 0) {
		/* Nothing is closed to root: give it up for this one. */
		ck_assert_int_eq(fchown(root_fd, 65534, 65534), 0);
		ck_assert_int_eq(seteuid(65534), 0);
	}
	folder_make("closed");
	file_make("closed/file", "");
	file_make("open", "");
	ck_assert_int_eq(fchmodat(root_fd, "closed", 0, 0), 0);
	list(got);
	fchmodat(root_fd, "closed", 0755, 0);
	ck_assert_str_eq(got, "d closed f open ");
	snprintf(want, sizeof(want), "closed:%d ", WALK_UNREADABLE);
	ck_assert_str_eq(troubles, want);
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(long_names_and_deep_folders)
{
	char name[PATH_NAME_BYTES_MAX + 1], got[LISTING_BYTES];
	int at = dup(root_fd);

	memset(name, 'n', PATH_NAME_BYTES_MAX);
	name[PATH_NAME_BYTES_MAX] = '\0';
	file_make(name, "");
	list(got);
	ck_assert_uint_eq(strlen(got), PATH_NAME_BYTES_MAX + 3);
	unlinkat(root_fd, name, 0);
	/* deeper than is followed, and with a longer path */
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(mkdirat(at, name, 0755), 0);
		int next = openat(at, name, O_RDONLY | O_DIRECTORY);
		close(at);
		at = next;
	}
	close(at);
	struct walk *walk = NULL;
	struct walk_entry entry;
	ck_assert_int_eq(walk_new(&walk, root, note, NULL), STATUS_OK);
	int folders = 0;
	while (walk_next(walk, &entry) == STATUS_OK)
		folders++;
	ck_assert_int_eq(folders, PATH_BYTES_MAX / 256);
	ck_assert_ptr_nonnull(strstr(troubles, ":4 "));
	walk_destroy(&walk);
}
END_TEST

START_TEST(what_vanishes)
{
	struct walk *walk = NULL;
	struct walk_entry entry;
	struct stat stat;
	char want[64];

	file_make("a", "");
	file_make("b", "");
	file_make("c", "");
	ck_assert_int_eq(walk_new(&walk, root, note, NULL), STATUS_OK);
	unlinkat(root_fd, "b", 0);
	ck_assert_int_eq(walk_next(walk, &entry), STATUS_OK);
	unlinkat(root_fd, "a", 0);
	ck_assert_int_eq(walk_open(&entry, &stat), -1);
	ck_assert_int_eq(errno, ENOENT);
	symlinkat("/etc/passwd", root_fd, "a");
	ck_assert_int_eq(walk_open(&entry, &stat), -1);
	ck_assert_int_eq(errno, ENOENT);
	unlinkat(root_fd, "a", 0);
	ck_assert_int_eq(mkfifoat(root_fd, "a", 0600), 0);
	ck_assert_int_eq(walk_open(&entry, &stat), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(walk_next(walk, &entry), STATUS_OK);
	ck_assert_str_eq(entry.name, "c");
	int fd = walk_open(&entry, &stat);
	ck_assert_int_ge(fd, 0);
	ck_assert(walk_same(&stat, &entry.stat));
	close(fd);
	walk_destroy(&walk);
	snprintf(want, sizeof(want), "b:%d ", WALK_VANISHED);
	ck_assert_str_eq(troubles, want);
}
END_TEST

START_TEST(holes)
{
	int fd = openat(root_fd, "sparse", O_RDWR | O_CREAT, 0600);
	struct stat stat;
	uint64_t at = 0, length, data = 0;

	ck_assert_int_eq(pwrite(fd, "data", 4, SPARSE_BYTES / 2), 4);
	ck_assert_int_eq(ftruncate(fd, SPARSE_BYTES), 0);
	ck_assert_int_eq(fstat(fd, &stat), 0);
	for (;;) {
		bool hole = walk_part(fd, &stat, at, &length);
		if (length == 0)
			break;
		ck_assert_uint_le(at + length, SPARSE_BYTES);
		ck_assert(!hole || at + length <= SPARSE_BYTES / 2 ||
			  at > SPARSE_BYTES / 2);
		data += hole ? 0 : length;
		at += length;
	}
	ck_assert_uint_eq(at, SPARSE_BYTES);
	ck_assert_uint_ge(data, 4);
	/* of no length, and longer than it was */
	ck_assert(!walk_part(fd, &stat, SPARSE_BYTES, &length));
	ck_assert_uint_eq(length, 0);
	ck_assert(!walk_part(fd, &stat, SPARSE_BYTES + 5, &length));
	ck_assert_uint_eq(length, 0);
	close(fd);
}
END_TEST

START_TEST(roots)
{
	struct walk *walk = NULL;
	char path[128];

	file_make("file", "");
	snprintf(path, sizeof(path), "%s/file", root);
	ck_assert_int_eq(walk_new(&walk, path, NULL, NULL), STATUS_NOT_FOUND);
	snprintf(path, sizeof(path), "%s/nothing", root);
	ck_assert_int_eq(walk_new(&walk, path, NULL, NULL), STATUS_NOT_FOUND);
	ck_assert_ptr_null(walk);
	walk_destroy(&walk);
	for (int i = 0; i < WALK_TROUBLE_COUNT; i++)
		ck_assert_ptr_nonnull(walk_trouble_text((enum walk_trouble)i));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("walk");
	TCase *tcase = tcase_create("B-09 names, links, holes and troubles");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, order_and_kinds);
	tcase_add_test(tcase, hard_links);
	tcase_add_test(tcase, what_is_no_file);
	tcase_add_test(tcase, what_may_not_be_read);
	tcase_add_test(tcase, long_names_and_deep_folders);
	tcase_add_test(tcase, what_vanishes);
	tcase_add_test(tcase, holes);
	tcase_add_test(tcase, roots);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

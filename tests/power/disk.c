#include "disk_internal.h"

#include <assert.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"

/* ---- memory ---- */

static void *grown(void *list, size_t count, size_t item)
{
	/* By doubling: there is room up to the next power of two. */
	if ((count & (count - 1)) != 0)
		return list;
	void *larger = realloc(list, (count ? 2 * count : 1) * item);

	if (!larger)
		err(70, "disk");
	return larger;
}

static char *copied(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		err(70, "disk");
	return copy;
}

/* ---- names ---- */

static struct name *names_find(const struct names *self, const char *path)
{
	for (size_t i = 0; i < self->count; i++)
		if (strcmp(self->list[i].path, path) == 0)
			return &self->list[i];
	return NULL;
}

static void names_remove(struct names *self, const char *path)
{
	struct name *name = names_find(self, path);

	if (!name)
		return;
	free(name->path);
	*name = self->list[--self->count];
}

static void names_put(struct names *self, const char *path, struct inode *inode)
{
	names_remove(self, path);
	self->list = grown(self->list, self->count, sizeof(*self->list));
	self->list[self->count++] = (struct name){ copied(path), inode };
}

struct names names_copy(const struct names *self)
{
	struct names copy = { 0 };

	for (size_t i = 0; i < self->count; i++)
		names_put(&copy, self->list[i].path, self->list[i].inode);
	return copy;
}

void names_clear(struct names *self)
{
	for (size_t i = 0; i < self->count; i++)
		free(self->list[i].path);
	free(self->list);
	*self = (struct names){ 0 };
}

void names_change(struct names *self, const struct change *change)
{
	switch (change->kind) {
	case TRACE_UNLINK:
		names_remove(self, change->path);
		break;
	case TRACE_RENAME:
		names_remove(self, change->path);
		names_put(self, change->to, change->inode);
		break;
	case TRACE_LINK:
		names_put(self, change->to, change->inode);
		break;
	default:
		names_put(self, change->path, change->inode);
		break;
	}
}

static char *folder_of(const char *path)
{
	char *folder = copied(path);
	char *slash = strrchr(folder, '/');

	*(slash ? slash : folder) = '\0';
	return folder;
}

static void disk_change(struct disk *self, enum trace_kind kind,
    const char *path, const char *to, struct inode *inode)
{
	struct change change = { self->moment, kind, folder_of(path),
		copied(path), to ? copied(to) : NULL, inode };

	if (to) {
		char *folder = folder_of(to);
		if (strcmp(folder, change.folder) != 0)
			errx(70, "%s goes to another folder", path);
		free(folder);
	}
	self->changes =
	    grown(self->changes, self->changes_count, sizeof(change));
	self->changes[self->changes_count++] = change;
	names_change(&self->now, &change);
}

static void change_clear(struct change *self)
{
	free(self->folder);
	free(self->path);
	free(self->to);
}

/* ---- inodes ---- */

static struct inode *inode_new(struct disk *self, uint64_t number)
{
	struct inode *inode = calloc(1, sizeof(*inode));

	if (!inode)
		err(70, "disk");
	inode->number = number;
	inode->next = self->inodes;
	self->inodes = inode;
	return inode;
}

static struct inode *inode_find(const struct disk *self, uint64_t number)
{
	struct inode *inode = self->inodes; /* the newest of a number first */

	while (inode && inode->number != number)
		inode = inode->next;
	if (!inode)
		errx(70, "inode %llu was not opened",
		    (unsigned long long)number);
	return inode;
}

static void inode_op(struct inode *self, const struct op *op)
{
	self->ops = grown(self->ops, self->ops_count, sizeof(*op));
	self->ops[self->ops_count++] = *op;
}

uint64_t size_after(uint64_t size, const struct op *op)
{
	return op->data ? max_of(size, op->at + op->len) : op->at;
}

void op_apply(const struct op *op, uint8_t *data, uint64_t from, uint64_t to)
{
	if (!op->data) { /* what is cut off, and comes back, is zero */
		if (op->at < to)
			memset(data + max_of(op->at, from), 0,
			    to - max_of(op->at, from));
		return;
	}
	uint64_t begin = max_of(op->at, from);
	uint64_t end = min_of(op->at + op->len, to);
	if (begin < end)
		memcpy(data + begin, op->data + (begin - op->at), end - begin);
}

uint64_t size_max(const struct inode *self)
{
	uint64_t size = self->size, longest = size;

	for (size_t i = 0; i < self->ops_count; i++) {
		size = size_after(size, &self->ops[i]);
		longest = max_of(longest, size);
	}
	return longest;
}

uint8_t *resized(uint8_t *data, uint64_t from, uint64_t to)
{
	data = realloc(data, to + 1);
	if (!data)
		err(70, "disk");
	if (to > from)
		memset(data + from, 0, to - from);
	return data;
}

/* What happened before ${moment} is synced. */
static void inode_sync(struct inode *self, uint64_t moment)
{
	uint64_t longest = size_max(self);
	size_t done = 0;

	self->data = resized(self->data, self->size, longest);
	while (done < self->ops_count && self->ops[done].moment < moment) {
		op_apply(&self->ops[done], self->data, 0, longest);
		self->size = size_after(self->size, &self->ops[done++]);
	}
	self->ops_count -= done;
	if (self->ops_count > 0)
		memmove(self->ops, self->ops + done,
		    self->ops_count * sizeof(*self->ops));
	/* What grows by doubling must be of that size. */
	struct op *ops = NULL;
	for (size_t i = 0; i < self->ops_count; i++) {
		ops = grown(ops, i, sizeof(*ops));
		ops[i] = self->ops[i];
	}
	free(self->ops);
	self->ops = ops;
}

/* The last write of it was synced by itself: so was no other. */
static void inode_written(struct inode *self)
{
	assert(self->ops_count > 0);
	const struct op *op = &self->ops[--self->ops_count];
	uint64_t end = op->at + op->len;

	for (size_t i = 0; i < self->ops_count; i++)
		if (!self->ops[i].data ||
		    (self->ops[i].at < end &&
			self->ops[i].at + self->ops[i].len > op->at))
			errx(70, "a synced write over one that is not");
	self->data = resized(self->data, self->size, max_of(self->size, end));
	op_apply(op, self->data, 0, end);
	self->size = max_of(self->size, end);
}

/* ---- playing ---- */

static void sync_begin(struct disk *self, uint64_t number)
{
	self->syncs =
	    grown(self->syncs, self->syncs_count, sizeof(struct sync));
	self->syncs[self->syncs_count++] =
	    (struct sync){ number, self->moment };
}

/* When the sync began that ends now. */
static uint64_t sync_end(struct disk *self, uint64_t number)
{
	for (size_t i = self->syncs_count; i-- > 0;)
		if (self->syncs[i].number == number)
			return self->syncs[i].moment;
	errx(70, "a sync ends that did not begin");
}

static void folder_synced(
    struct disk *self, const char *folder, uint64_t moment)
{
	struct change *left = NULL;
	size_t count = 0;

	for (size_t i = 0; i < self->changes_count; i++) {
		struct change *change = &self->changes[i];
		if (change->moment < moment &&
		    strcmp(change->folder, folder) == 0) {
			names_change(&self->synced, change);
			change_clear(change);
			continue;
		}
		left = grown(left, count, sizeof(*left));
		left[count++] = *change;
	}
	free(self->changes);
	self->changes = left;
	self->changes_count = count;
}

static void play_opened(struct disk *self, const struct trace_event *event)
{
	const char *path = (const char *)event->data;
	const struct name *name = names_find(&self->now, path);

	if (event->header.number || !name) {
		disk_change(self, TRACE_OPENED, path, NULL,
		    inode_new(self, event->header.file));
		return;
	}
	/* It was there when the trace began. */
	if (name->inode->number == 0)
		name->inode->number = event->header.file;
}

void disk_play(struct disk *self, const struct trace_event *event)
{
	const struct trace_header *header = &event->header;
	const char *path = (const char *)event->data;
	const struct name *name;
	struct op op = { self->moment, header->number, event->data,
		header->bytes };

	switch (header->kind) {
	case TRACE_OPENED:
		play_opened(self, event);
		break;
	case TRACE_SIZE:
		op.data = NULL;
		/* fallthrough */
	case TRACE_WRITE:
		inode_op(inode_find(self, header->file), &op);
		break;
	case TRACE_WRITTEN:
		inode_written(inode_find(self, header->file));
		break;
	case TRACE_SYNC_BEGIN:
	case TRACE_FOLDER_BEGIN:
		sync_begin(self, header->number);
		break;
	case TRACE_SYNC_END:
		inode_sync(inode_find(self, header->file),
		    sync_end(self, header->number));
		break;
	case TRACE_FOLDER_END:
		folder_synced(self, path, sync_end(self, header->number));
		break;
	case TRACE_RENAME:
	case TRACE_LINK:
		name = names_find(&self->now, path);
		if (name)
			disk_change(self, header->kind, path,
			    path + strlen(path) + 1, name->inode);
		break;
	case TRACE_UNLINK:
	case TRACE_MKDIR:
		disk_change(self, header->kind, path, NULL, NULL);
		break;
	default:
		break;
	}
	self->moment++;
}

/* ---- loading ---- */

static void load_file(struct disk *self, const char *from, const char *path)
{
	struct inode *inode = inode_new(self, 0);
	struct stat found;
	int fd = open(from, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &found) != 0)
		err(70, "%s", from);
	inode->data = resized(NULL, 0, (uint64_t)found.st_size);
	inode->size = (uint64_t)found.st_size;
	if (read(fd, inode->data, inode->size) != found.st_size)
		err(70, "%s", from);
	close(fd);
	names_put(&self->synced, path, inode);
}

static void load_folder(struct disk *self, const char *from, const char *path)
{
	DIR *folder = opendir(from);
	const struct dirent *entry;
	char inner[PATH_MAX], inner_path[PATH_MAX];

	if (!folder)
		err(70, "%s", from);
	while ((entry = readdir(folder))) {
		const char *name = entry->d_name;
		struct stat found;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		snprintf(inner, sizeof(inner), "%s/%s", from, name);
		snprintf(inner_path, sizeof(inner_path), "%s%s%s", path,
		    *path ? "/" : "", name);
		if (lstat(inner, &found) != 0)
			err(70, "%s", inner);
		if (S_ISDIR(found.st_mode)) {
			names_put(&self->synced, inner_path, NULL);
			load_folder(self, inner, inner_path);
		} else if (S_ISREG(found.st_mode)) {
			load_file(self, inner, inner_path);
		}
	}
	closedir(folder);
}

void disk_load(struct disk *self, const char *path)
{
	load_folder(self, path, "");
	names_clear(&self->now);
	self->now = names_copy(&self->synced);
}

struct disk *disk_new(void)
{
	struct disk *self = calloc(1, sizeof(*self));

	if (!self)
		err(70, "disk");
	return self;
}

void disk_destroy(struct disk **self_p)
{
	struct disk *self = *self_p;
	struct inode *inode, *next;

	if (!self)
		return;
	for (inode = self->inodes; inode; inode = next) {
		next = inode->next;
		free(inode->data);
		free(inode->ops);
		free(inode);
	}
	for (size_t i = 0; i < self->changes_count; i++)
		change_clear(&self->changes[i]);
	free(self->changes);
	free(self->syncs);
	names_clear(&self->synced);
	names_clear(&self->now);
	free(self);
	*self_p = NULL;
}

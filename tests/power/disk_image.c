#include "disk_internal.h"

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

#define SECTOR_BYTES 512
#define PAGE_BYTES   4096

/* A number that is random, and the same for the same two. */
static uint64_t mixed(uint64_t seed, uint64_t about)
{
	uint64_t z = seed + (about + 1) * 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/*
 * What of a list of things that are not synced is there, as how many of the
 * first: by chance none, all, those before one moment, or anything.
 */
struct chance {
	uint64_t seed;
	enum { NONE, ALL, UNTIL, FEW, MANY, ANY } kind;
	uint64_t until;      /* of UNTIL */
	uint64_t unit_bytes; /* what is written as a whole */
};

static struct chance chance_of(uint64_t seed, uint64_t moment)
{
	struct chance self = { .seed = seed };
	uint64_t draw = mixed(seed, UINT64_MAX - 1);

	self.kind = seed == 0 ? NONE : seed == 1 ? ALL : UNTIL + draw % 4;
	self.unit_bytes = draw & 16 ? PAGE_BYTES : SECTOR_BYTES;
	/* The newest moments are the most interesting ones. */
	uint64_t back = mixed(seed, UINT64_MAX - 2) % (draw & 32 ? 16 : 512);
	self.until = moment > back ? moment - back : 0;
	return self;
}

/* How many of ${count} are there; ${about} what they are of. */
static size_t chance_draw(
    const struct chance *self, uint64_t about, size_t count)
{
	uint64_t draw = mixed(self->seed, about);
	size_t any = (size_t)((draw >> 8) % (count + 1));

	switch (self->kind) {
	case NONE:
		return 0;
	case FEW:
		return draw % 8 == 0 ? any : 0;
	case MANY:
		return draw % 8 == 0 ? any : count;
	case ANY:
		return any;
	default:
		return count;
	}
}

static bool is_until(const struct chance *chance, uint64_t moment)
{
	return chance->kind != UNTIL || moment < chance->until;
}

/* What a file may hold: ${size_out} bytes, for free(). */
static uint8_t *inode_image(
    const struct inode *self, const struct chance *chance, uint64_t *size_out)
{
	uint64_t longest = size_max(self), about = mixed(7, self->number);
	uint8_t *data = resized(NULL, 0, longest);
	size_t there;

	if (self->size > 0)
		memcpy(data, self->data, self->size);
	there = chance_draw(chance, about, self->ops_count);
	*size_out = self->size;
	for (size_t i = 0; i < there; i++)
		if (is_until(chance, self->ops[i].moment))
			*size_out = size_after(*size_out, &self->ops[i]);
	for (size_t i = 0; i < self->ops_count; i++) {
		const struct op *op = &self->ops[i];
		uint64_t unit = op->at / chance->unit_bytes;
		uint64_t end = op->data ? op->at + op->len : longest;
		if (!is_until(chance, op->moment))
			break;
		for (; unit * chance->unit_bytes < end; unit++) {
			if (i >= chance_draw(
				     chance, about + unit + 1, self->ops_count))
				continue;
			uint64_t from = unit * chance->unit_bytes;
			op_apply(op, data, from,
			    min_of(from + chance->unit_bytes, longest));
		}
	}
	return data;
}

static void image_file(
    const char *path, const struct inode *inode, const struct chance *chance)
{
	static const char lock_file[] = "lock.mdb";
	size_t len = strlen(path);
	uint64_t size;

	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno == ENOENT)
		return; /* its folder is not there */
	if (fd < 0)
		err(70, "%s", path);
	uint8_t *data = inode_image(inode, chance, &size);
	/* It is mapped and written to, so what it holds is not known. */
	if (len >= sizeof(lock_file) &&
	    strcmp(path + len - strlen(lock_file), lock_file) == 0)
		for (uint64_t i = 0; i < size; i++)
			data[i] = (uint8_t)mixed(chance->seed, i);
	if (write(fd, data, size) != (ssize_t)size)
		err(70, "%s", path);
	free(data);
	close(fd);
}

static int by_path(const void *a, const void *b)
{
	const struct name *one = a, *two = b;

	return strcmp(one->path, two->path);
}

/* How many changes of a folder there are. */
static size_t changes_of(const struct disk *self, const char *folder)
{
	size_t count = 0;

	for (size_t i = 0; i < self->changes_count; i++)
		count += strcmp(self->changes[i].folder, folder) == 0;
	return count;
}

static uint64_t hash_of(const char *text)
{
	uint64_t hash = 5381;

	while (*text)
		hash = hash * 33 + (uint8_t)*text++;
	return hash;
}

void disk_image(const struct disk *self, const char *folder, uint64_t seed)
{
	struct chance chance = chance_of(seed, self->moment);
	struct names names = names_copy(&self->synced);
	char path[PATH_MAX];

	for (size_t i = 0; i < self->changes_count; i++) {
		const struct change *change = &self->changes[i];
		size_t before = 0;
		for (size_t k = 0; k < i; k++)
			before += strcmp(self->changes[k].folder,
				      change->folder) == 0;
		if (is_until(&chance, change->moment) &&
		    before < chance_draw(&chance, hash_of(change->folder),
				 changes_of(self, change->folder)))
			names_change(&names, change);
	}
	/* A folder before what is in it. */
	if (names.count > 0)
		qsort(names.list, names.count, sizeof(*names.list), by_path);
	for (size_t i = 0; i < names.count; i++) {
		const struct name *name = &names.list[i];
		snprintf(path, sizeof(path), "%s/%s", folder, name->path);
		if (name->inode)
			image_file(path, name->inode, &chance);
		else if (mkdir(path, 0700) != 0 && errno != ENOENT)
			err(70, "%s", path);
	}
	names_clear(&names);
}

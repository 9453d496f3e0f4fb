#include "db/lmdb_engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * LMDB writes the first pages of a new file without a sync, and does not open
 * a file that has half of them.  So a new one gets its name when it is whole
 * and on the disk.
 */

#define NAME_BYTES 32 /* more than any file's name, with a slash */

struct paths {
	char *name, *fresh, *fresh_lock; /* owned */
};

char *lmdb_path(const char *folder, const char *name)
{
	size_t room = strlen(folder) + NAME_BYTES;
	char *path = malloc(room);

	if (path)
		snprintf(path, room, "%s/%s", folder, name);
	return path;
}

static int make(const struct paths *paths, uint64_t map_bytes)
{
	MDB_env *env = NULL;

	int rc = mdb_env_create(&env);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_set_mapsize(env, map_bytes);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_open(env, paths->fresh, MDB_NOSUBDIR, 0600);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_sync(env, 1);
	if (env)
		mdb_env_close(env);
	if (rc == MDB_SUCCESS && rename(paths->fresh, paths->name) != 0)
		rc = errno;
	return rc;
}

int lmdb_make(const char *folder, uint64_t map_bytes)
{
	struct paths paths = { lmdb_path(folder, LMDB_FILE),
		lmdb_path(folder, "data.new"),
		lmdb_path(folder, "data.new-lock") };
	struct stat found;
	int rc = ENOMEM;

	if (!paths.name || !paths.fresh || !paths.fresh_lock)
		goto out;
	unlink(paths.fresh); /* left by one who was killed */
	rc = stat(paths.name, &found) == 0 ? MDB_SUCCESS : errno;
	/* An empty one is what a crash left of an older program's. */
	if (rc == ENOENT || (rc == MDB_SUCCESS && found.st_size == 0))
		rc = make(&paths, map_bytes);
	unlink(paths.fresh);
	unlink(paths.fresh_lock);
out:
	free(paths.name);
	free(paths.fresh);
	free(paths.fresh_lock);
	return rc;
}

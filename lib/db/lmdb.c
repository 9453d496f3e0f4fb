#include "db/lmdb_engine.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"

#define NAME_ROW_BYTES    (ID_BYTES + 1 + 8)
#define NAME_LEASED       0
#define NAME_CONFIRMED    1
#define ACCOUNT_ROW_BYTES (8 + ID_BYTES + 1)
#define ACCOUNT_LIVES     0
#define ACCOUNT_REMOVED   1
#define SERVICE_BYTES_MAX 32

enum status lmdb_status(int rc)
{
	switch (rc) {
	case MDB_SUCCESS:
		return STATUS_OK;
	case MDB_NOTFOUND:
		return STATUS_NOT_FOUND;
	case MDB_KEYEXIST:
		return STATUS_CONFLICT;
	case MDB_BAD_VALSIZE:
		return STATUS_TOO_LARGE;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
	case ENOMEM:
		return STATUS_NO_SPACE;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE:
		return STATUS_MALFORMED;
	default:
		return STATUS_UNAVAILABLE;
	}
}

enum status lmdb_fault(const char *event, int rc)
{
	if (rc != MDB_SUCCESS && rc != MDB_NOTFOUND)
		log_error(NULL, event, "error=\"%s\"", mdb_strerror(rc));
	return lmdb_status(rc);
}

int lmdb_find(
    MDB_txn *txn, MDB_dbi dbi, struct slice key, struct slice *value_out)
{
	MDB_val k = val_of(key), v = { 0, NULL };
	int rc = mdb_get(txn, dbi, &k, &v);

	*value_out = (struct slice){ 0 };
	if (rc == MDB_SUCCESS)
		*value_out = slice_from(v);
	return rc == MDB_NOTFOUND ? MDB_SUCCESS : rc;
}

int lmdb_put(MDB_txn *txn, MDB_dbi dbi, struct slice key, struct slice value)
{
	MDB_val k = val_of(key), v = val_of(value);

	return mdb_put(txn, dbi, &k, &v, 0);
}

int lmdb_read_begin(struct engine *self, MDB_txn **txn_out)
{
	int rc = EIO;

	pthread_rwlock_rdlock(&self->map_lock);
	if (!self->map_lost)
		rc = mdb_txn_begin(self->env, NULL, MDB_RDONLY, txn_out);
	if (rc != MDB_SUCCESS) {
		*txn_out = NULL;
		pthread_rwlock_unlock(&self->map_lock);
	}
	return rc;
}

void lmdb_read_end(struct engine *self, MDB_txn *txn)
{
	if (!txn)
		return;
	mdb_txn_abort(txn);
	pthread_rwlock_unlock(&self->map_lock);
}

/* ---- account and name rows ---- */

int account_decode(struct account *out, struct slice row)
{
	*out = (struct account){ 0 };
	if (!row.data)
		return MDB_SUCCESS;
	if (row.len != ACCOUNT_ROW_BYTES)
		return MDB_CORRUPTED;
	out->found = true;
	out->generation = get_be64(row.data);
	memcpy(out->last_batch.bytes, row.data + 8, ID_BYTES);
	out->removed = row.data[8 + ID_BYTES] == ACCOUNT_REMOVED;
	return MDB_SUCCESS;
}

int account_load(struct account *out, const struct engine *self, MDB_txn *txn,
    const struct id *account)
{
	struct slice row;
	int rc = lmdb_find(
	    txn, self->accounts, slice_of(account->bytes, ID_BYTES), &row);

	return rc == MDB_SUCCESS ? account_decode(out, row) : rc;
}

int account_store(const struct account *account, const struct engine *self,
    MDB_txn *txn, const struct id *id)
{
	uint8_t row[ACCOUNT_ROW_BYTES];

	put_be64(row, account->generation);
	memcpy(row + 8, account->last_batch.bytes, ID_BYTES);
	row[8 + ID_BYTES] = account->removed ? ACCOUNT_REMOVED : ACCOUNT_LIVES;
	return lmdb_put(txn, self->accounts, slice_of(id->bytes, ID_BYTES),
	    slice_of(row, sizeof(row)));
}

int name_decode(struct name *out, struct slice row)
{
	*out = (struct name){ 0 };
	if (!row.data)
		return MDB_SUCCESS;
	if (row.len != NAME_ROW_BYTES)
		return MDB_CORRUPTED;
	out->found = true;
	memcpy(out->account.bytes, row.data, ID_BYTES);
	out->confirmed = row.data[ID_BYTES] == NAME_CONFIRMED;
	out->expires_ms = get_be64(row.data + ID_BYTES + 1);
	return MDB_SUCCESS;
}

int name_load(
    struct name *out, const struct engine *self, MDB_txn *txn, struct slice key)
{
	struct slice row;
	int rc = lmdb_find(txn, self->names, key, &row);

	return rc == MDB_SUCCESS ? name_decode(out, row) : rc;
}

int name_store(const struct name *name, const struct engine *self, MDB_txn *txn,
    struct slice key)
{
	uint8_t row[NAME_ROW_BYTES];

	memcpy(row, name->account.bytes, ID_BYTES);
	row[ID_BYTES] = name->confirmed ? NAME_CONFIRMED : NAME_LEASED;
	put_be64(row + ID_BYTES + 1, name->expires_ms);
	return lmdb_put(txn, self->names, key, slice_of(row, sizeof(row)));
}

/* ---- opening ---- */

static int meta_put(const struct engine *self, MDB_txn *txn, const char *key,
    struct slice value)
{
	return lmdb_put(txn, self->meta, slice_text(key), value);
}

static int meta_put_format(struct engine *self, MDB_txn *txn, uint32_t format)
{
	uint8_t value[4];

	put_be32(value, format);
	return meta_put(self, txn, "format", slice_of(value, sizeof(value)));
}

int wall_store(const struct engine *self, MDB_txn *txn, uint64_t wall_ms)
{
	uint8_t value[8];

	put_be64(value, wall_ms);
	return meta_put(self, txn, "wall", slice_of(value, sizeof(value)));
}

int wall_load(const struct engine *self, MDB_txn *txn, uint64_t *wall_ms_out)
{
	struct slice value;
	int rc = lmdb_find(txn, self->meta, slice_text("wall"), &value);

	*wall_ms_out = 0;
	if (rc != MDB_SUCCESS || !value.data)
		return rc;
	if (value.len != 8)
		return MDB_CORRUPTED;
	*wall_ms_out = get_be64(value.data);
	return MDB_SUCCESS;
}

int lmdb_databases_open(struct engine *self, MDB_txn *txn)
{
	const struct {
		const char *name;
		MDB_dbi *dbi;
	} databases[] = {
		{ "rows", &self->rows },
		{ "blobs", &self->blobs },
		{ "names", &self->names },
		{ "accounts", &self->accounts },
		{ "meta", &self->meta },
	};

	for (size_t i = 0; i < nitems(databases); i++) {
		int rc = mdb_dbi_open(
		    txn, databases[i].name, MDB_CREATE, databases[i].dbi);
		if (rc != MDB_SUCCESS)
			return rc;
	}
	return MDB_SUCCESS;
}

/* Whose database it is and of which version, or write that into a new one. */
static enum status check_format(
    struct engine *self, MDB_txn *txn, const struct db_options *options)
{
	char quoted[LOG_QUOTED_BYTES], found[SERVICE_BYTES_MAX + 1] = "";
	struct slice service = { 0 }, format = { 0 };

	int rc = lmdb_find(txn, self->meta, slice_text("service"), &service);
	if (rc == MDB_SUCCESS)
		rc = lmdb_find(txn, self->meta, slice_text("format"), &format);
	if (rc == MDB_SUCCESS && !service.data && !format.data) {
		self->format = options->format;
		rc = meta_put(
		    self, txn, "service", slice_text(options->service));
		if (rc == MDB_SUCCESS)
			rc = meta_put_format(self, txn, options->format);
		return lmdb_fault("database_made", rc);
	}
	if (rc == MDB_SUCCESS &&
	    (!service.data || service.len > SERVICE_BYTES_MAX ||
		format.len != 4))
		rc = MDB_CORRUPTED;
	if (rc != MDB_SUCCESS)
		return lmdb_fault("database_damaged", rc);

	if (!slice_equal(service, slice_text(options->service))) {
		memcpy(found, service.data, service.len);
		log_error(NULL, "database_of_another", "found=%s wanted=%s",
		    log_quoted(quoted, found), options->service);
		return STATUS_CONFLICT;
	}
	self->format = get_be32(format.data);
	if (self->format > options->format ||
	    (self->format < options->format && !options->migrate)) {
		log_error(NULL, "database_version",
		    "service=%s found=%u supported=%u", options->service,
		    (unsigned int)self->format, (unsigned int)options->format);
		return STATUS_VERSION;
	}
	return STATUS_OK;
}

/*
 * A file cut short would be a SIGBUS on the first page that is missing;
 * with a hole in its place the page is found to be damaged.  (A sound file
 * may lack its last pages: those freed in the transaction that made them.)
 */
static int fill_up(MDB_env *env)
{
	MDB_envinfo info;
	MDB_stat stat_out;
	struct stat file;
	mdb_filehandle_t fd;

	int rc = mdb_env_info(env, &info);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_stat(env, &stat_out);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_get_fd(env, &fd);
	if (rc != MDB_SUCCESS)
		return rc;
	off_t wanted = (off_t)((info.me_last_pgno + 1) * stat_out.ms_psize);
	if (fstat(fd, &file) != 0)
		return errno;
	if (file.st_size < wanted && ftruncate(fd, wanted) != 0)
		return errno;
	return MDB_SUCCESS;
}

static uint64_t or_default(uint64_t value, uint64_t fallback)
{
	uint64_t bytes = value == 0 ? fallback : value;

	return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

int lmdb_env_open(struct engine *self, uint64_t map_bytes)
{
	MDB_envinfo info;
	int dead;

	int rc = mdb_env_create(&self->env);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_set_maxdbs(self->env, 5);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_set_mapsize(self->env, map_bytes);
	/* NOTLS: a thread may come and go without leaving a reader behind.
	 * NORDAHEAD: rows are read at random; blobs ask for theirs. */
	if (rc == MDB_SUCCESS)
		rc = mdb_env_open(
		    self->env, self->path, MDB_NOTLS | MDB_NORDAHEAD, 0600);
	if (rc == MDB_SUCCESS)
		rc = fill_up(self->env);
	if (rc == MDB_SUCCESS)
		rc = mdb_reader_check(self->env, &dead);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_info(self->env, &info);
	if (rc == MDB_SUCCESS)
		self->map_bytes = info.me_mapsize;
	return rc;
}

static int open_env(struct engine *self, const struct db_options *options)
{
	uint64_t map_bytes = or_default(options->map_bytes, DB_MAP_BYTES);

	map_bytes = min_of(map_bytes, self->map_bytes_cap);
	self->path = strdup(options->path);
	if (!self->path)
		return ENOMEM;
	lmdb_compact_clear(self->path);
	int rc = lmdb_make(self->path, map_bytes);
	return rc == MDB_SUCCESS ? lmdb_env_open(self, map_bytes) : rc;
}

static enum status open_contents(
    struct engine *self, const struct db_options *options)
{
	MDB_txn *txn = NULL;
	uint64_t wall_ms = 0;
	enum status st;

	int rc = mdb_txn_begin(self->env, NULL, 0, &txn);
	if (rc == MDB_SUCCESS)
		rc = lmdb_databases_open(self, txn);
	if (rc == MDB_SUCCESS)
		rc = wall_load(self, txn, &wall_ms);
	if (rc != MDB_SUCCESS) {
		st = lmdb_fault("database_open", rc);
		goto out;
	}
	st = check_format(self, txn, options);
	if (st != STATUS_OK)
		goto out;
	st = lmdb_fault("database_open", mdb_txn_commit(txn));
	txn = NULL;
	if (st == STATUS_OK)
		clock_wall_floor(wall_ms);
out:
	mdb_txn_abort(txn);
	return st;
}

enum status engine_open(const struct db_options *options, struct engine **out)
{
	enum status st = STATUS_NO_SPACE;
	struct engine *self = calloc(1, sizeof(*self));
	pthread_rwlockattr_t attributes;

	assert(strlen(options->service) <= SERVICE_BYTES_MAX);
	*out = NULL;
	if (!self)
		return st;
	/* Else readers without a pause between them could keep it small. */
	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(
	    &attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&self->map_lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);

	self->map_bytes_max =
	    or_default(options->map_bytes_max, DB_MAP_BYTES_MAX);
	uint64_t reserve = or_default(options->reserve_bytes, DB_RESERVE_BYTES);
	reserve =
	    min_of(reserve, self->map_bytes_max / 2 / PAGE_BYTES * PAGE_BYTES);
	self->map_bytes_cap = self->map_bytes_max - reserve;

	st = folder_open(&self->folder, options->path, reserve);
	if (st != STATUS_OK)
		goto out;
	st = lmdb_fault("database_open", open_env(self, options));
	if (st == STATUS_OK)
		st = open_contents(self, options);
	if (st == STATUS_OK)
		st = folder_sync(self->folder);
	if (st != STATUS_OK)
		goto out;
	*out = self;
	self = NULL;
out:
	engine_close(&self);
	return st;
}

void engine_close(struct engine **self_p)
{
	assert(self_p);
	struct engine *self = *self_p;
	if (!self)
		return;
	if (self->env)
		mdb_env_close(self->env);
	folder_close(&self->folder);
	pthread_rwlock_destroy(&self->map_lock);
	free(self->path);
	free(self);
	*self_p = NULL;
}

uint32_t engine_format(const struct engine *self)
{
	return self->format;
}

enum status engine_format_set(struct engine *self, uint32_t format)
{
	MDB_txn *txn = NULL;
	int rc = mdb_txn_begin(self->env, NULL, 0, &txn);

	if (rc == MDB_SUCCESS)
		rc = meta_put_format(self, txn, format);
	if (rc == MDB_SUCCESS) {
		rc = mdb_txn_commit(txn);
		txn = NULL;
	}
	mdb_txn_abort(txn);
	if (rc == MDB_SUCCESS)
		self->format = format;
	return lmdb_fault("database_version_set", rc);
}

/* ---- the map ---- */

/* Whether the address space has so much room: LMDB unmaps before it maps. */
static bool map_fits(uint64_t bytes)
{
	void *trial = mmap(NULL, bytes, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (trial == MAP_FAILED)
		return false;
	munmap(trial, bytes);
	return true;
}

bool map_set(struct engine *self, uint64_t bytes)
{
	MDB_envinfo info;

	if (bytes > self->map_bytes && !map_fits(bytes)) {
		log_error(NULL, "map_refused", "bytes=%llu",
		    (unsigned long long)bytes);
		return false;
	}
	pthread_rwlock_wrlock(&self->map_lock);
	int rc = mdb_env_set_mapsize(self->env, bytes);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_info(self->env, &info);
	if (rc == MDB_SUCCESS) {
		self->map_bytes = info.me_mapsize;
	} else {
		self->map_lost = true;
		self->broken = true;
	}
	pthread_rwlock_unlock(&self->map_lock);
	return lmdb_fault("map_lost", rc) == STATUS_OK;
}

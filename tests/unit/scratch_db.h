#ifndef KEEPSAKE_TESTS_SCRATCH_DB_H
#define KEEPSAKE_TESTS_SCRATCH_DB_H

#include "db/db.h"
#include "scratch.h"

/*
 * Open the database in the folder ${name} of scratch.h, made where it is
 * missing.  For tests to which its sizes do not matter.
 */
static inline struct db *scratch_db(
    const char *name, const char *service, uint32_t format)
{
	const struct db_options options = {
		.path = scratch_path(name),
		.service = service,
		.format = format,
		.map_bytes = 1 << 20,
		.map_bytes_max = 64 << 20,
		.reserve_bytes = 1 << 20,
	};
	struct db *db = NULL;

	ck_assert_int_eq(db_open(&options, &db), STATUS_OK);
	return db;
}

#endif

#include "dispatch.h"
#include "store_db.h"
#include "service/formats.h"
#include "service/verify.h"

_Static_assert(STORE_DB_FORMAT == FORMAT_STORE, "tools know it too");

static enum status on_migrate(
    struct service *service, struct db *db, uint32_t from)
{
	(void)service;
	return store_db_migrate(db, from);
}

int main(int argc, char **argv)
{
	const struct service_kind kind = {
		.name = "store",
		.about = "keeps the sealed chunks and snapshots of backups",
		.format = STORE_DB_FORMAT,
		.migrate = on_migrate,
		.blob_reader = true,
		.doors = FROM(ROLE_GATEWAY) | FROM(ROLE_AUTH) | FROM(ROLE_OPS),
		.peers = FROM(ROLE_NOTIFY),
		.handlers = store_handlers,
		.handlers_count = store_handlers_count,
		.verify = &store_verify,
		.open = store_open,
		.close = store_close,
		.figures = store_figures,
	};

	return service_main(&kind, argc, argv);
}

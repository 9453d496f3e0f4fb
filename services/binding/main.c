#include "binding.h"
#include "service/formats.h"
#include "service/verify.h"

_Static_assert(BINDING_DB_FORMAT == FORMAT_BINDING, "tools know it too");

static enum status on_migrate(
    struct service *service, struct db *db, uint32_t from)
{
	const struct binding_db self = { db, service->keyring };

	return binding_db_migrate(&self, from);
}

int main(int argc, char **argv)
{
	const struct service_kind kind = {
		.name = "binding",
		.about = "which terminal belongs to which account",
		.format = BINDING_DB_FORMAT,
		.migrate = on_migrate,
		.doors = FROM(ROLE_GATEWAY) | FROM(ROLE_AUTH) |
			 FROM(ROLE_NOTIFY) | FROM(ROLE_OPS),
		.peers = FROM(ROLE_AUTH) | FROM(ROLE_NOTIFY),
		.handlers = binding_handlers,
		.handlers_count = binding_handlers_count,
		.verify = &binding_verify,
		.open = binding_open,
		.close = binding_close,
		.deleting = binding_deleting,
		.figures = binding_figures,
	};

	return service_main(&kind, argc, argv);
}

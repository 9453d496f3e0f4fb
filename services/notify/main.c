#include "notify.h"
#include "service/formats.h"
#include "service/verify.h"

_Static_assert(NOTIFY_DB_FORMAT == FORMAT_NOTIFY, "tools know it too");

int main(int argc, char **argv)
{
	const struct service_kind kind = {
		.name = "notify",
		.about = "what is promised to be told, until it is",
		.format = NOTIFY_DB_FORMAT,
		.doors = FROM(ROLE_GATEWAY) | FROM(ROLE_AUTH) |
			 FROM(ROLE_STORE) | FROM(ROLE_BINDING) | FROM(ROLE_OPS),
		.peers = FROM(ROLE_BINDING),
		.handlers = notify_handlers,
		.handlers_count = notify_handlers_count,
		.migrate = notify_migrate,
		.verify = &notify_verify,
		.open = notify_open,
		.close = notify_close,
		.figures = notify_figures,
	};

	return service_main(&kind, argc, argv);
}

#include "auth_db.h"
#include "dispatch.h"
#include "service/formats.h"
#include "service/verify.h"

_Static_assert(AUTH_DB_FORMAT == FORMAT_AUTH, "tools know it too");

int main(int argc, char **argv)
{
	const struct service_kind kind = {
		.name = "auth",
		.about = "accounts, OPAQUE, tickets",
		.format = AUTH_DB_FORMAT,
		.migrate = auth_migrate,
		.doors =
		    FROM(ROLE_GATEWAY) | FROM(ROLE_BINDING) | FROM(ROLE_OPS),
		.peers =
		    FROM(ROLE_STORE) | FROM(ROLE_BINDING) | FROM(ROLE_NOTIFY),
		.handlers = auth_handlers,
		.handlers_count = auth_handlers_count,
		.verify = &auth_verify,
		.open = auth_open,
		.close = auth_close,
		.figures = auth_figures,
	};

	return service_main(&kind, argc, argv);
}

#include "service/manager.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "base/util.h"

#define US_PER_MS 1000

static void tell(const char *state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");

	if (!path || *path == '\0')
		return;
	size_t len = strlen(path);
	int fd = -1;
	if (len < sizeof(address.sun_path))
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	memcpy(
	    address.sun_path, path, min_of(len, sizeof(address.sun_path) - 1));
	if (*path == '@')
		address.sun_path[0] =
		    '\0'; /* no file: a name of the kernel's */
	socklen_t address_len =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL,
			  (const struct sockaddr *)&address, address_len) < 0)
		log_warning(NULL, "manager_not_told", "state=%s error=\"%s\"",
		    state, fd < 0 ? "no socket" : strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void on_watchdog(void *arg)
{
	struct manager *self = arg;

	tell("WATCHDOG=1");
	loop_timer_set(self->loop, &self->watchdog, self->watchdog_ms);
}

void manager_ready(struct manager *self, struct loop *loop)
{
	const char *text = getenv("WATCHDOG_USEC");
	uint64_t silent_us;

	*self = (struct manager){
		.loop = loop,
		.watchdog = { .fired = on_watchdog, .arg = self },
	};
	tell("READY=1");
	if (!getenv("NOTIFY_SOCKET") || !text ||
	    text_number(&silent_us, text, UINT64_MAX) != STATUS_OK)
		return;
	self->watchdog_ms = max_of(silent_us / US_PER_MS / 2, (uint64_t)1);
	loop_timer_set(loop, &self->watchdog, self->watchdog_ms);
}

void manager_stopping(void)
{
	tell("STOPPING=1");
}

void manager_end(struct manager *self)
{
	if (self->loop)
		loop_timer_cancel(self->loop, &self->watchdog);
	self->loop = NULL;
}

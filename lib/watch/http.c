#include "watch/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"

#define BACKLOG    64
#define MS_PER_S   1000
#define TURN_ENDED UINT64_MAX /* it is being closed */

/* A connection, and until when it may have an answer. */
struct turn {
	bool used;
	int fd; /* libmicrohttpd's */
	uint64_t due_ms;
};

struct http {
	struct loop *loop;
	struct MHD_Daemon *daemon;
	int epoll_fd; /* -1: not watched */
	struct timer timeout;
	struct turn turns[HTTP_CONNECTIONS_MAX];
	unsigned int connections; /* when it ran last */
	const struct http_page *pages;
	size_t pages_count;
	void *arg;
};

static const struct http_page *find_page(
    const struct http *self, const char *path)
{
	for (size_t i = 0; i < self->pages_count; i++)
		if (strcmp(self->pages[i].path, path) == 0)
			return &self->pages[i];
	return NULL;
}

/* Answer with ${body}, which libmicrohttpd copies. */
static enum MHD_Result answer(struct MHD_Connection *connection,
    unsigned int code, const char *content_type, struct slice body)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
	    body.len, (void *)(uintptr_t)body.data, MHD_RESPMEM_MUST_COPY);

	if (!response)
		return MHD_NO; /* no memory: the connection ends */
	MHD_add_response_header(
	    response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
	MHD_add_response_header(
	    response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(
		    response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	enum MHD_Result queued = MHD_queue_response(connection, code, response);
	MHD_destroy_response(response);
	return queued;
}

static enum MHD_Result answer_text(
    struct MHD_Connection *connection, unsigned int code, const char *text)
{
	return answer(
	    connection, code, "text/plain; charset=utf-8", slice_text(text));
}

/* Called first when the headers are there: a body is never read. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection,
    const char *url, const char *method, const char *version,
    const char *upload, size_t *upload_len, void **request)
{
	struct http *self = arg;
	struct bytes body = { 0 };

	(void)version;
	(void)upload;
	(void)upload_len;
	(void)request;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
	    strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
		    "only GET and HEAD\n");
	const struct http_page *page = find_page(self, url);
	if (!page)
		return answer_text(
		    connection, MHD_HTTP_NOT_FOUND, "no such page\n");
	unsigned int code = page->render(self->arg, &body);
	enum MHD_Result result =
	    answer(connection, code, page->content_type, bytes_slice(&body));
	bytes_clear(&body);
	return result;
}

/* ---- connections ---- */

static void on_connection(void *arg, struct MHD_Connection *connection,
    void **turn_p, enum MHD_ConnectionNotificationCode what)
{
	struct http *self = arg;
	struct turn *turn = *turn_p;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	    connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	if (what == MHD_CONNECTION_NOTIFY_CLOSED && turn)
		turn->used = false;
	if (what != MHD_CONNECTION_NOTIFY_STARTED)
		return;
	for (size_t i = 0; i < nitems(self->turns) && !turn; i++)
		if (!self->turns[i].used)
			turn = &self->turns[i];
	if (!turn)
		return; /* never: there are no more connections than that */
	*turn = (struct turn){
		.used = true,
		.fd = info->connect_fd,
		.due_ms = clock_interval_ms() + HTTP_TURN_S * MS_PER_S,
	};
	*turn_p = turn;
}

/* An answer was taken: another turn. */
static void on_answered(void *arg, struct MHD_Connection *connection,
    void **request, enum MHD_RequestTerminationCode how)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	    connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct turn *turn = info ? info->socket_context : NULL;

	(void)arg;
	(void)request;
	(void)how;
	if (turn && turn->due_ms != TURN_ENDED)
		turn->due_ms = clock_interval_ms() + HTTP_TURN_S * MS_PER_S;
}

/* End the turns that are over; returns when the next one is. */
static uint64_t end_turns(struct http *self)
{
	uint64_t next_ms = TURN_ENDED, now_ms = clock_interval_ms();

	for (size_t i = 0; i < nitems(self->turns); i++) {
		struct turn *turn = &self->turns[i];
		if (!turn->used)
			continue;
		if (turn->due_ms <= now_ms) {
			/* Which libmicrohttpd sees, and closes it. */
			shutdown(turn->fd, SHUT_RDWR);
			turn->due_ms = TURN_ENDED;
		}
		next_ms = min_of(next_ms, turn->due_ms);
	}
	return next_ms;
}

static unsigned int connections(const struct http *self)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(
	    self->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info ? info->num_connections : 0;
}

/* Let libmicrohttpd do what can be done, and note when it is to run next. */
static void on_ready(void *arg)
{
	struct http *self = arg;
	MHD_UNSIGNED_LONG_LONG run_ms;
	uint64_t wait_ms = TURN_ENDED;

	MHD_run(self->daemon);
	/* It makes room for what has ended last, and listens again first. */
	MHD_run(self->daemon);
	/* What has ended is cleared away by asking how many there are; only
	 * another run lets others in, where there were too many. */
	if (connections(self) < self->connections)
		MHD_run(self->daemon);
	self->connections = connections(self);
	uint64_t due_ms = end_turns(self), now_ms = clock_interval_ms();
	if (due_ms != TURN_ENDED)
		wait_ms = due_ms > now_ms ? due_ms - now_ms : 0;
	if (MHD_get_timeout(self->daemon, &run_ms) == MHD_YES)
		wait_ms = min_of(wait_ms, (uint64_t)run_ms);
	if (wait_ms != TURN_ENDED)
		loop_timer_set(self->loop, &self->timeout, wait_ms);
	else
		loop_timer_cancel(self->loop, &self->timeout);
}

enum status http_new(struct http **out, struct loop *loop, const char *address,
    const struct http_page *pages, size_t pages_count, void *arg)
{
	struct address at;
	enum status st = STATUS_NO_SPACE;
	struct http *self = calloc(1, sizeof(*self));

	if (!self)
		goto out;
	self->loop = loop;
	self->epoll_fd = -1;
	self->pages = pages;
	self->pages_count = pages_count;
	self->arg = arg;
	self->timeout = (struct timer){ .fired = on_ready, .arg = self };
	st = address_read(&at, address);
	if (st != STATUS_OK)
		goto out;
	unsigned int flags = MHD_USE_EPOLL;
	if (at.socket.ss_family == AF_INET6)
		flags |= MHD_USE_DUAL_STACK;
	errno = 0;
	self->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, self,
	    MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&at.socket,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned int)HTTP_CONNECTIONS_MAX,
	    MHD_OPTION_NOTIFY_CONNECTION, on_connection, self,
	    MHD_OPTION_NOTIFY_COMPLETED, on_answered, self,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_MEMORY_BYTES,
	    MHD_OPTION_LISTEN_BACKLOG_SIZE, (unsigned int)BACKLOG,
	    MHD_OPTION_END);
	st = STATUS_UNAVAILABLE;
	if (!self->daemon)
		goto out;
	const union MHD_DaemonInfo *info =
	    MHD_get_daemon_info(self->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		goto out;
	st = loop_watch_fd(loop, info->epoll_fd, on_ready, self);
	if (st != STATUS_OK)
		goto out;
	self->epoll_fd = info->epoll_fd;
	*out = self;
	self = NULL;
out:
	if (st != STATUS_OK)
		log_error(NULL, "http_failed",
		    "address=%s status=%s error=\"%s\"", address,
		    status_word(st), strerror(errno));
	http_destroy(&self);
	return st;
}

void http_destroy(struct http **self_p)
{
	struct http *self = *self_p;

	if (!self)
		return;
	loop_timer_cancel(self->loop, &self->timeout);
	if (self->epoll_fd >= 0)
		loop_forget_fd(self->loop, self->epoll_fd);
	if (self->daemon)
		MHD_stop_daemon(self->daemon);
	free(self);
	*self_p = NULL;
}

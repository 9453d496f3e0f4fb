#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "notify.h"
#include "ops.pb-c.h"

#define APPOINTMENTS_BURST 256

/* clang-format off */
#define SERVICES (FROM(ROLE_AUTH) | FROM(ROLE_STORE) | FROM(ROLE_BINDING))
#define NOTICES  GOOD_FOR(DIRECTION_NOTICES)
#define MANAGE   GOOD_FOR(DIRECTION_MANAGE)

const struct handler notify_handlers[] = {
	{ NOTIFY__TYPE__SUBSCRIBE, "SUBSCRIBE",    FROM(ROLE_GATEWAY), NOTICES,   RENEWED, notify_on_subscribe },
	{ NOTIFY__TYPE__FETCH,     "FETCH",        FROM(ROLE_GATEWAY), NOTICES,   RENEWED, notify_on_fetch },
	{ NOTIFY__TYPE__ACK,       "ACK",          FROM(ROLE_GATEWAY), NOTICES,   RENEWED, notify_on_ack },
	{ NOTIFY__TYPE__RULES,     "RULES",        FROM(ROLE_GATEWAY), NOTICES | MANAGE, PLAIN, notify_on_rules },
	{ NOTIFY__TYPE__SET_RULES, "SET_RULES",    FROM(ROLE_GATEWAY), MANAGE,    KEPT,    notify_on_set_rules },
	{ NOTIFY__TYPE__TELL,      "TELL",         SERVICES,           NO_TICKET, PLAIN,   notify_on_tell },
	{ OPS__TYPE__QUEUE,        "QUEUE",        FROM(ROLE_OPS),     NO_TICKET, PLAIN,   notify_on_queue },
	{ OPS__TYPE__DEAD_LETTERS, "DEAD_LETTERS", FROM(ROLE_OPS),     NO_TICKET, PLAIN,   notify_on_dead_letters },
	{ OPS__TYPE__WAITING,      "WAITING",      FROM(ROLE_OPS),     NO_TICKET, PLAIN,   notify_on_waiting },
	{ OPS__TYPE__EXPORT,       "EXPORT",       FROM(ROLE_OPS),     NO_TICKET, PLAIN,   notify_on_export },
	{ OPS__TYPE__RESEND,       "RESEND",       FROM(ROLE_OPS),     NO_TICKET, PLAIN,   notify_on_resend },
};
/* clang-format on */

const size_t notify_handlers_count = nitems(notify_handlers);

void notify_figures(void *state, struct exchange *x,
    void (*add)(struct exchange *exchange, const char *name, uint64_t value))
{
	const struct notify *self = state;

	add(x, "notices_waiting", self->totals.notices);
	add(x, "deliveries_waiting", self->totals.deliveries);
	add(x, "dead_letters", self->totals.letters);
	add(x, "pushed", self->pushed);
	add(x, "fetched", self->fetched);
	add(x, "acknowledged", self->acknowledged);
	add(x, "terminals_present", presences_reachable(self->presences));
}

void notify_lower(uint64_t *figure, uint64_t by)
{
	*figure -= min_of(*figure, by);
}

/* Set the timer for the soonest appointment. */
static void set_timer(struct notify *self)
{
	struct loop *loop = self->service->program.loop;
	uint64_t soonest = schedule_soonest_ms(&self->schedule);
	uint64_t now = clock_interval_ms();

	if (soonest == SCHEDULE_NEVER)
		loop_timer_cancel(loop, &self->timer);
	else
		loop_timer_set(
		    loop, &self->timer, soonest > now ? soonest - now : 0);
}

void notify_arrange(
    struct notify *self, struct appointment *appointment, uint64_t due_ms)
{
	if (schedule_set(&self->schedule, appointment, due_ms) != STATUS_OK)
		log_error(NULL, "no_memory", NULL);
	set_timer(self);
}

static void on_timer(void *arg)
{
	struct notify *self = arg;
	uint64_t now = clock_interval_ms();
	struct appointment *appointment;

	for (int i = 0; i < APPOINTMENTS_BURST; i++) {
		appointment = schedule_take_due(&self->schedule, now);
		if (!appointment)
			break;
		appointment->kept(appointment->arg);
	}
	set_timer(self);
}

enum status notify_open(struct service *service, void **state_out)
{
	const struct conf *conf = service->program.conf;
	struct notify *self = calloc(1, sizeof(*self));

	if (!self)
		return STATUS_NO_SPACE;
	self->service = service;
	self->db = service->db;
	self->rows = (struct notify_db){ service->db, service->keyring };
	self->retry_ms = conf_number(conf, "notify", "retry_ms");
	self->retry_ms_max = conf_number(conf, "notify", "retry_ms_max");
	self->give_up_ms = conf_number(conf, "notify", "give_up_ms");
	self->started_ms = clock_interval_ms();
	self->timer = (struct timer){ .fired = on_timer, .arg = self };
	*state_out = self;
	enum status st = presences_new(&self->presences);
	if (st == STATUS_OK)
		patrol_begin(self);
	return st;
}

/* From format 1, where rows were in clear. */
enum status notify_migrate(
    struct service *service, struct db *db, uint32_t from)
{
	struct notify_db rows = { db, service->keyring };

	(void)from;
	return notify_db_migrate(&rows);
}

void notify_close(void **state_p)
{
	struct notify *self = *state_p;

	loop_timer_cancel(self->service->program.loop, &self->timer);
	expand_destroy_all(self);
	presences_destroy(&self->presences);
	schedule_clear(&self->schedule);
	free(self);
	*state_p = NULL;
}

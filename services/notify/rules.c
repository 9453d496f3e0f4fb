#include "rules.h"

#include "base/util.h"

#define MINUTE_MS 60000ull

/*
 * The kinds whose owner may say when; and what is usual for them.  Every
 * other, also one that is newer than this code, is told at once.
 */
static const struct {
	Notify__Kind kind;
	enum urgency usual;
} kinds[] = {
	{ NOTIFY__KIND__BACKUP_DONE, URGENCY_IN_TIME },
	{ NOTIFY__KIND__REGISTERED, URGENCY_IN_TIME },
	{ NOTIFY__KIND__GRANT_REMOVED, URGENCY_IN_TIME },
};

static bool usual(uint32_t kind, enum urgency *out)
{
	for (size_t i = 0; i < nitems(kinds); i++) {
		if ((uint32_t)kinds[i].kind != kind)
			continue;
		*out = kinds[i].usual;
		return true;
	}
	*out = URGENCY_AT_ONCE;
	return false;
}

static const struct rule *find(const struct rules *self, uint32_t kind)
{
	for (size_t i = 0; i < self->count; i++)
		if (self->rules[i].kind == kind)
			return &self->rules[i];
	return NULL;
}

static const char *check_rule(
    const struct rules *before, const struct rule *rule)
{
	if (rule->urgency >= URGENCY_COUNT)
		return "rules.urgency: not one of those in notify.proto";
	if (rule->together_s != 0 && (rule->together_s < TOGETHER_S_MIN ||
					 rule->together_s > TOGETHER_S_MAX))
		return "rules.together_s: neither 0 nor 60 to 86400";
	if (find(before, rule->kind))
		return "rules.kind: one has two rules";
	return NULL;
}

enum status rules_read(
    struct rules *out, const Notify__Rules *message, const char **why_out)
{
	struct rules rules = {
		.quiet_from = message->quiet_from,
		.quiet_to = message->quiet_to,
	};
	enum urgency ignored;

	if (rules.quiet_from >= DAY_MINUTES || rules.quiet_to >= DAY_MINUTES) {
		*why_out = "quiet_from, quiet_to: not minutes of a day";
		return STATUS_MALFORMED;
	}
	if (message->n_rules > RULES_MAX) {
		*why_out = "rules: more than 32";
		return STATUS_MALFORMED;
	}
	for (size_t i = 0; i < message->n_rules; i++) {
		struct rule rule = {
			.kind = (uint32_t)message->rules[i]->kind,
			.urgency = (enum urgency)message->rules[i]->urgency,
			.together_s = message->rules[i]->together_s,
		};
		const char *why = check_rule(&rules, &rule);
		if (why) {
			*why_out = why;
			return STATUS_MALFORMED;
		}
		if (!usual(rule.kind, &ignored)) {
			*why_out = "rules.kind: one that is always told at "
				   "once, for the account's safety";
			return STATUS_DENIED;
		}
		rules.rules[rules.count++] = rule;
	}
	*out = rules;
	return STATUS_OK;
}

void rules_fill(Notify__Rules *out, Notify__Rule list[static RULES_MAX],
    Notify__Rule *pointers[static RULES_MAX], const struct rules *from)
{
	out->quiet_from = from->quiet_from;
	out->quiet_to = from->quiet_to;
	for (size_t i = 0; i < from->count; i++) {
		notify__rule__init(&list[i]);
		list[i].kind = (Notify__Kind)from->rules[i].kind;
		list[i].urgency = (Notify__Urgency)from->rules[i].urgency;
		list[i].together_s = from->rules[i].together_s;
		pointers[i] = &list[i];
	}
	out->rules = pointers;
	out->n_rules = from->count;
}

/* The rule of ${kind} in force. */
static struct rule in_force(const struct rules *self, uint32_t kind)
{
	const struct rule *set = find(self, kind);
	struct rule rule = { .kind = kind };
	enum urgency of_kind;

	if (!usual(kind, &of_kind) || !set) {
		rule.urgency = of_kind;
		return rule;
	}
	rule = *set;
	if (rule.urgency == URGENCY_USUAL)
		rule.urgency = of_kind;
	return rule;
}

bool rules_wanted(const struct rules *self, uint32_t kind)
{
	return in_force(self, kind).urgency != URGENCY_NEVER;
}

/* The first local moment from ${local_ms} on that is not quiet. */
static uint64_t after_quiet(const struct rules *self, uint64_t local_ms)
{
	uint64_t minute = local_ms / MINUTE_MS % DAY_MINUTES;
	uint64_t from = self->quiet_from, to = self->quiet_to;
	bool quiet = from <= to ? minute >= from && minute < to
				: minute >= from || minute < to;

	if (!quiet)
		return local_ms;
	uint64_t left = (to + DAY_MINUTES - minute) % DAY_MINUTES;
	return (local_ms / MINUTE_MS + left) * MINUTE_MS;
}

uint64_t rules_due_ms(const struct rules *self, uint32_t kind,
    uint64_t stored_ms, uint64_t due_ms, int32_t utc_offset_min)
{
	struct rule rule = in_force(self, kind);
	/* Ahead of UTC by days, so that no offset goes below 0. */
	uint64_t ahead_ms =
	    (uint64_t)((int64_t)(2 * DAY_MINUTES) + utc_offset_min) * MINUTE_MS;
	uint64_t local_ms = due_ms + ahead_ms;

	if (rule.together_s > 0) {
		uint64_t slot_ms = rule.together_s * 1000ull;
		uint64_t stored = stored_ms + ahead_ms;
		uint64_t slot_end = (stored + slot_ms - 1) / slot_ms * slot_ms;
		local_ms = max_of(local_ms, slot_end);
	}
	if (rule.urgency == URGENCY_IN_TIME)
		local_ms = after_quiet(self, local_ms);
	return local_ms - ahead_ms;
}

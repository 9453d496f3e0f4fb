#include "keepsake.h"

#include <string.h>

#include "base/util.h"
#include "bus/unpack.h"
#include "keepsake_internal.h"
#include "notice_kind.h"
#include "notify.pb-c.h"

/* When notices are pushed: asked for, and set. */

_Static_assert((int)KEEPSAKE_TELL_NEVER == (int)NOTIFY__URGENCY__NEVER,
    "what the library calls them, notify does");

static enum status ask_rules(struct keepsake *self, struct keepsake_rules *out)
{
	Notify__Empty message = NOTIFY__EMPTY__INIT;
	Notify__Rules *answer;

	enum status st = session_ask(self->session, NOTIFY__TYPE__RULES,
	    login_ticket(self->login), &message.base,
	    &notify__rules__descriptor, &answer);
	if (st != STATUS_OK)
		return call_refuse_session(self, st);
	*out = (struct keepsake_rules){
		.quiet_from = answer->quiet_from,
		.quiet_to = answer->quiet_to,
		.count = min_of(answer->n_rules, (size_t)KEEPSAKE_RULES_MAX),
	};
	for (size_t i = 0; i < out->count; i++) {
		const Notify__Rule *rule = answer->rules[i];
		out->rules[i].kind = notice_kind(rule->kind)->word;
		out->rules[i].tell = (enum keepsake_tell)rule->urgency;
		out->rules[i].together_s = rule->together_s;
	}
	return STATUS_OK;
}

enum status keepsake_rules_get(
    struct keepsake *self, struct keepsake_rules *out)
{
	struct state_account account;

	call_begin(self);
	enum status st = call_prove(self, DIRECTION_NOTICES, &account);
	if (st == STATUS_OK)
		st = ask_rules(self, out);
	call_end(self);
	return st;
}

/* Put ${change} in the place of the rule that its kind had. */
static enum status change_rule(struct keepsake *self,
    struct keepsake_rules *rules, const struct keepsake_rule *change)
{
	size_t i = 0;

	if (!notice_kind_named(change->kind))
		return call_refuse(self, STATUS_NOT_FOUND,
		    "keepsake(1) lists them, under NOTICES",
		    "%s: no such kind of notice", change->kind);
	while (
	    i < rules->count && strcmp(rules->rules[i].kind, change->kind) != 0)
		i++;
	if (i == KEEPSAKE_RULES_MAX)
		return call_refuse_plainly(self, STATUS_TOO_LARGE);
	rules->rules[i] = *change;
	rules->count = max_of(rules->count, i + 1);
	return STATUS_OK;
}

static enum status send_rules(
    struct keepsake *self, const struct keepsake_rules *rules)
{
	Notify__Rules message = NOTIFY__RULES__INIT;
	Notify__Rule list[KEEPSAKE_RULES_MAX], *pointers[KEEPSAKE_RULES_MAX];

	message.quiet_from = rules->quiet_from;
	message.quiet_to = rules->quiet_to;
	message.rules = pointers;
	for (size_t i = 0; i < rules->count; i++) {
		const struct notice_kind *kind =
		    notice_kind_named(rules->rules[i].kind);
		Notify__Rule *rule = &list[message.n_rules];
		/* As usual is no rule; another that is newer is left out. */
		if (!kind || (rules->rules[i].tell == KEEPSAKE_TELL_USUAL &&
				 rules->rules[i].together_s == 0))
			continue;
		notify__rule__init(rule);
		rule->kind = kind->number;
		rule->urgency = (Notify__Urgency)rules->rules[i].tell;
		rule->together_s = rules->rules[i].together_s;
		pointers[message.n_rules++] = rule;
	}
	enum status st = session_ask(self->session, NOTIFY__TYPE__SET_RULES,
	    login_ticket(self->login), &message.base, NULL, NULL);
	return st == STATUS_OK ? st : call_refuse_session(self, st);
}

enum status keepsake_rules_change(
    struct keepsake *self, struct keepsake_rules *changes)
{
	struct state_account account;
	struct keepsake_rules rules = { 0 };

	call_begin(self);
	enum status st = call_prove(self, DIRECTION_MANAGE, &account);
	if (st == STATUS_OK)
		st = ask_rules(self, &rules);
	if (st == STATUS_OK && !changes->keep_quiet) {
		rules.quiet_from = changes->quiet_from;
		rules.quiet_to = changes->quiet_to;
	}
	for (size_t i = 0; i < changes->count && st == STATUS_OK; i++)
		st = change_rule(self, &rules, &changes->rules[i]);
	if (st == STATUS_OK)
		st = send_rules(self, &rules);
	if (st == STATUS_OK)
		*changes = rules;
	call_end(self);
	return st;
}

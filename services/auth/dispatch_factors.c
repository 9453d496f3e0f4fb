#include <sodium.h>
#include <stdlib.h>

#include "asked.h"
#include "crypto/code.h"

static enum status reply_factors(struct asked *self)
{
	Auth__FactorList reply = AUTH__FACTOR_LIST__INIT;

	enum status st = asked_find(self);
	if (st == STATUS_OK)
		st = auth_limit_account(self->auth, self->x,
		    &self->lane.subject.account, &self->lane.terminal);
	if (st == STATUS_OK) {
		reply.factors = self->has_credential ? self->credential.factors
						     : CODE_PASSWORD;
		reply.own = self->slot.kind == CREDENTIAL_TERMINAL;
		st = exchange_reply(self->x, &reply.base);
	}
	return st;
}

static void asked_destroy(struct asked **self_p)
{
	sodium_memzero(*self_p, sizeof(**self_p));
	free(*self_p);
	*self_p = NULL;
}

static void on_looked_up(struct asked *self, enum status st)
{
	struct exchange *x = self->x;

	if (st == STATUS_OK)
		st = reply_factors(self);
	asked_destroy(&self);
	exchange_finish(&x, st);
}

enum status on_factors(void *state, struct exchange *x)
{
	Auth__Factors *message;
	struct asked *asked = calloc(1, sizeof(*asked));

	if (!asked)
		return STATUS_NO_SPACE;
	asked->auth = state;
	asked->x = x;
	asked->looked_up = on_looked_up;
	enum status st = auth_limit_address(state, x);
	if (st == STATUS_OK)
		st = exchange_unpack(x, &auth__factors__descriptor, &message);
	if (st == STATUS_OK) {
		asked->direction = (enum direction)message->direction;
		if (asked->direction != DIRECTION_NONE &&
		    !login_direction_valid(asked->direction))
			st = exchange_refuse(
			    x, STATUS_MALFORMED, "there is no such direction");
	}
	if (st == STATUS_OK)
		st = asked_read(asked, message->name_sealed);
	if (st == STATUS_OK && asked->direction != DIRECTION_NONE)
		st = asked_look_up(asked);
	else if (st == STATUS_OK)
		st = reply_factors(asked);
	if (st != STATUS_PENDING)
		asked_destroy(&asked);
	return st;
}

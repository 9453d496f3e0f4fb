#include "deed.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum status deed_check(struct auth *auth, struct exchange *x,
    ProtobufCBinaryData account, const Ops__By *by, unsigned int needs,
    struct id *out)
{
	struct account found;
	const char *why;

	if (id_from(out, field_slice(account)) != STATUS_OK)
		return exchange_refuse(
		    x, STATUS_MALFORMED, "account_id: not 16 bytes");
	enum status st = operator_check(by, needs, &why);
	if (st != STATUS_OK)
		return exchange_refuse(x, st, "%s", why);
	st = auth_db_account(&auth->rows, out, &found);
	sodium_memzero(&found, sizeof(found));
	return st == STATUS_NOT_FOUND ? auth_refuse_unknown(x) : st;
}

static void unlink_deed(struct deed *self)
{
	struct deed **at = &self->auth->deeds;

	while (*at != self)
		at = &(*at)->next;
	*at = self->next;
}

/* On record it is done: say there that it was not. */
static void note_failure(const struct deed *self, enum status status)
{
	char actor[OPERATOR_ACTOR_BYTES], detail[100];

	operator_actor(actor, self->by);
	snprintf(detail, sizeof(detail), "%s: %s", self->action,
	    status_word(status));
	audit_note(self->auth->service->audit,
	    self->lasting ? NULL : &self->account,
	    &(struct audit_event){
		.action = "deed_failed", .actor = actor, .detail = detail });
}

void deed_end(struct deed **self_p, enum status status)
{
	struct deed *self = *self_p;
	struct exchange *x = self->x;

	if (status != STATUS_OK)
		note_failure(self, status);
	unlink_deed(self);
	free(self);
	*self_p = NULL;
	exchange_finish(&x, status);
}

static void on_recorded(void *arg, enum status status)
{
	struct deed *self = arg;

	if (status != STATUS_OK) {
		struct exchange *x = self->x;
		unlink_deed(self);
		free(self);
		exchange_refuse(x, status,
		    "this could not be put on record, so it was not done");
		exchange_finish(&x, status);
		return;
	}
	status = self->act(self);
	if (status != STATUS_PENDING)
		deed_end(&self, status);
}

static enum status put_on_record(struct deed *self, const char *what)
{
	char actor[OPERATOR_ACTOR_BYTES], detail[OPERATOR_DETAIL_BYTES];
	char hex[HEX_BYTES(ID_BYTES)], account[64];
	const struct audit_event event = {
		.action = self->action,
		.actor = actor,
		.detail = detail,
	};
	Ops__By by = *self->by;

	operator_actor(actor, &by);
	if (self->lasting) {
		hex_encode(hex, slice_of(self->account.bytes, ID_BYTES));
		snprintf(account, sizeof(account), "account %s", hex);
		by.document = (char *)"";
		what = account;
	}
	operator_detail(detail, what, &by);
	return audit_write(self->auth->service->audit,
	    self->lasting ? NULL : &self->account, &event, on_recorded, self);
}

enum status deed_begin(const struct deed *model, size_t size, const char *what)
{
	struct auth *auth = model->auth;
	struct exchange *x = model->x;
	struct deed *self = malloc(size);

	if (!self)
		return STATUS_NO_SPACE;
	memcpy(self, model, size);
	self->next = auth->deeds;
	auth->deeds = self;
	enum status st = put_on_record(self, what);
	if (st == STATUS_PENDING)
		return st;
	auth->deeds = self->next;
	free(self);
	return exchange_refuse(
	    x, st, "this cannot be put on record, so it was not done");
}

void deed_destroy_all(struct auth *auth)
{
	while (auth->deeds) {
		struct deed *self = auth->deeds;
		auth->deeds = self->next;
		free(self);
	}
}

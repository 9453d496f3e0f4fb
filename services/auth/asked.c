#include "asked.h"

#include <sodium.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "binding.pb-c.h"

#define BUSY_RETRY_MS    200
#define BINDING_RETRY_MS 1000

/* Note the invitation behind the name, if there is one; returns the name. */
static struct slice read_invitation(
    struct asked *self, const struct bytes *plain)
{
	const uint8_t *nul =
	    plain->len > 0 ? memchr(plain->data, 0, plain->len) : NULL;
	size_t len = nul ? (size_t)(nul - plain->data) : plain->len;

	/* One that cannot be is as good as none: that is told to nobody. */
	if (nul)
		self->has_invitation =
		    invitation_read(self->invitation,
			slice_of(nul + 1, plain->len - len - 1)) == STATUS_OK;
	return slice_of(plain->data, len);
}

enum status asked_read(struct asked *self, ProtobufCBinaryData name_sealed)
{
	struct auth *auth = self->auth;
	struct sealed sealed;
	struct name name = { 0 };

	sealed_begin(&sealed, self->x);
	enum status st =
	    sealed_open(&sealed, auth->keys, field_slice(name_sealed));
	if (st == STATUS_OK)
		st = auth_read_name(
		    self->x, &name, read_invitation(self, &sealed.plain));
	if (st == STATUS_OK) {
		name_hash(self->hash, &name, auth->keys->names_key);
		name_unknown_account(
		    &self->unknown, &name, auth->keys->names_key);
	}
	sodium_memzero(&name, sizeof(name));
	sealed_end(&sealed);
	return st;
}

/* ---- whose the terminal is ---- */

static enum status read_binding(
    struct exchange *x, struct login_binding *out, const struct answer *answer)
{
	Binding__LookupAnswer *message;
	struct unpack unpack;

	*out = (struct login_binding){ 0 };
	if (answer->status == STATUS_NOT_FOUND)
		return STATUS_OK;
	if (answer->status != STATUS_OK)
		return exchange_retry(x, STATUS_UNAVAILABLE, BINDING_RETRY_MS,
		    "the binding service does not answer");
	unpack_begin(&unpack);
	enum status st = unpack_message(&unpack,
	    &binding__lookup_answer__descriptor, answer->body, &message);
	if (st == STATUS_OK)
		st = id_from(&out->account, field_slice(message->account_id));
	if (st == STATUS_OK)
		st = id_from(&out->terminal, field_slice(message->terminal_id));
	unpack_end(&unpack);
	if (st == STATUS_OK)
		return st;
	log_error(&x->header.trace, "answer_malformed", "from=binding");
	return STATUS_INTERNAL;
}

static void on_looked_up(void *arg, const struct answer *answer)
{
	struct asked *self = arg;

	self->looked_up(self, read_binding(self->x, &self->binding, answer));
}

enum status asked_look_up(struct asked *self)
{
	Binding__Lookup lookup = BINDING__LOOKUP__INIT;
	const struct header *header = &self->x->header;

	lookup.peer_key =
	    field_of(slice_of(header->peer.id, header->peer.id_len));
	enum status st = service_ask(self->auth->service, ROLE_BINDING,
	    BINDING__TYPE__LOOKUP, NULL, header, &lookup.base, on_looked_up,
	    self);
	if (st == STATUS_OK)
		return STATUS_PENDING;
	if (st == STATUS_BUSY)
		return exchange_retry(self->x, st, BUSY_RETRY_MS,
		    "the binding service has much to do");
	return st;
}

/* ---- the account ---- */

enum status asked_find_account(struct asked *self)
{
	struct subject *subject = &self->lane.subject;

	enum status st =
	    auth_db_name(self->auth->db, self->hash, &subject->account);
	/* An older copy may still have it, until it is erased again. */
	if (st == STATUS_OK &&
	    orders_deleted(self->auth->service->orders, &subject->account))
		st = STATUS_NOT_FOUND;
	subject->known = st == STATUS_OK;
	if (st != STATUS_NOT_FOUND)
		return st;
	subject->account = self->unknown;
	return STATUS_OK;
}

/* Nobody asks for it where the journal goes back to its begin. */
static enum status find_created(struct asked *self)
{
	struct account account = { 0 };

	if (self->auth->service->journal_since_ms == 0)
		return STATUS_OK;
	enum status st = auth_db_account(
	    &self->auth->rows, &self->lane.subject.account, &account);
	self->created_ms = account.created_ms;
	sodium_memzero(&account, sizeof(account));
	return st == STATUS_NOT_FOUND ? STATUS_OK : st;
}

/* Whether a terminal's own code is asked for, where it has one. */
static bool is_transfer(enum direction direction)
{
	return direction == DIRECTION_UPLOAD ||
	       direction == DIRECTION_DOWNLOAD ||
	       direction == DIRECTION_REPORT || direction == DIRECTION_NOTICES;
}

static enum status find_credential(struct asked *self)
{
	const struct id *account = &self->lane.subject.account;
	enum status st = STATUS_NOT_FOUND;

	self->slot = (struct code_slot){ 0 };
	if (self->lane.kind == LANE_BOUND && is_transfer(self->direction)) {
		self->slot.kind = CREDENTIAL_TERMINAL;
		self->slot.terminal = self->lane.terminal;
		st = auth_db_credential(
		    &self->auth->rows, account, &self->slot, &self->credential);
	}
	if (st == STATUS_NOT_FOUND) {
		self->slot = self->direction == DIRECTION_BIND
				 ? verification_slot
				 : owner_slot;
		st = auth_db_credential(
		    &self->auth->rows, account, &self->slot, &self->credential);
	}
	self->has_credential = st == STATUS_OK;
	self->lane.code = self->slot.kind;
	return st == STATUS_NOT_FOUND ? STATUS_OK : st;
}

/* Whether a good invitation came along: then it has a lane of its own. */
static enum status find_invitation(struct asked *self)
{
	uint64_t expiry_ms = 0;

	if (!self->has_invitation)
		return STATUS_OK;
	auth_hash_invitation(self->auth, self->invitation_hash,
	    &self->lane.subject.account, self->invitation);
	enum status st = journal_db_invitation(self->auth->service->journal,
	    &self->lane.subject, self->invitation_hash, &expiry_ms);
	if (st == STATUS_OK && expiry_ms > clock_wall_ms())
		self->lane.kind = LANE_INVITED;
	return st == STATUS_NOT_FOUND ? STATUS_OK : st;
}

enum status asked_find(struct asked *self)
{
	enum status st = asked_find_account(self);

	if (st == STATUS_OK)
		st = find_created(self);
	if (st != STATUS_OK)
		return st;
	self->lane.kind = LANE_STRANGER;
	if (id_equal(&self->binding.account, &self->lane.subject.account)) {
		self->lane.kind = LANE_BOUND;
		self->lane.terminal = self->binding.terminal;
	} else {
		st = find_invitation(self);
	}
	return st == STATUS_OK ? find_credential(self) : st;
}

#include "login.h"

#include <sodium.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"

static const char *const verdict_texts[] = {
	[LOGIN_ALLOWED] = NULL,
	[LOGIN_NOT_BOUND] = "this terminal is not bound: keepsake bind",
	[LOGIN_BOUND_TO_ANOTHER] = "this terminal is bound to another account",
};
_Static_assert(nitems(verdict_texts) == LOGIN_VERDICT_COUNT, "one text each");

bool login_direction_valid(unsigned int number)
{
	return number > DIRECTION_NONE && number < DIRECTION_COUNT;
}

enum login_verdict login_verdict(enum direction direction,
    const struct id *account, const struct login_binding *binding)
{
	/* Who can verify may take a terminal over, whosever it is (D-02). */
	if (direction == DIRECTION_BIND)
		return LOGIN_ALLOWED;
	if (id_equal(&binding->account, account))
		return LOGIN_ALLOWED;
	if (!id_is_none(&binding->account))
		return LOGIN_BOUND_TO_ANOTHER;
	return direction == DIRECTION_ENROL ? LOGIN_ALLOWED : LOGIN_NOT_BOUND;
}

struct id login_terminal(enum direction direction, const struct id *account,
    const struct login_binding *binding)
{
	if (direction == DIRECTION_ENROL ||
	    !id_equal(&binding->account, account))
		return (struct id){ 0 };
	return binding->terminal;
}

const char *login_verdict_text(enum login_verdict verdict)
{
	return verdict_texts[verdict];
}

enum status login_challenge(uint8_t ke2_out[static OPAQUE_KE2_BYTES],
    struct login *out, const struct auth_keys *keys,
    const struct credential *credential, struct slice ke1)
{
	struct credential_id id;
	const uint8_t *record =
	    credential ? credential->record : keys->fake_record;

	out->revision = credential ? credential->revision : 0;
	out->changed_ms = credential ? credential->changed_ms : 0;
	credential_id_of(&id, &out->lane.subject.account, &out->slot);
	return opaque_login_respond(ke2_out, &out->expected, &opaque_keepsake,
	    &keys->opaque, slice_of(id.bytes, id.len),
	    slice_of(record, OPAQUE_RECORD_BYTES), ke1);
}

enum status login_proof(const struct login *self,
    const struct credential *credential, struct slice ke3)
{
	/* The proof is always compared: no other fault is told by the time. */
	enum status st = opaque_login_check(&self->expected, ke3);

	if (st != STATUS_OK || !credential || self->revision == 0 ||
	    credential->revision != self->revision ||
	    credential->changed_ms != self->changed_ms)
		return STATUS_DENIED;
	return STATUS_OK;
}

void login_ticket(struct ticket *out, const struct login *self,
    const uint8_t peer[static TICKET_PEER_BYTES], uint64_t good_ms)
{
	*out = (struct ticket){
		.direction = self->direction,
		.account = self->lane.subject.account,
		.terminal = self->terminal,
		.issued_ms = clock_wall_ms(),
	};
	out->expiry_ms = out->issued_ms + good_ms;
	memcpy(out->peer, peer, sizeof(out->peer));
	randombytes_buf(out->nonce, sizeof(out->nonce));
}

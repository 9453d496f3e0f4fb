#include "lease.h"

#include <sodium.h>
#include <string.h>

#include "base/bounds.h"

#define TOUCHES_A_LEASE 16 /* how often a use is written, per known_ms */

bool lease_is_live(const struct lease *self, uint64_t now_ms, uint64_t lease_ms)
{
	return now_ms < self->touched_ms ||
	       now_ms - self->touched_ms < lease_ms;
}

bool lease_yields(const struct lease *self, uint64_t now_ms, uint64_t idle_ms)
{
	return self->kind == LEASE_DOWNLOAD &&
	       !lease_is_live(self, now_ms, idle_ms);
}

static void take_ticket(struct lease *self, const struct ticket *ticket)
{
	memcpy(self->peer, ticket->peer, TICKET_PEER_BYTES);
	memcpy(self->nonce, ticket->nonce, TICKET_NONCE_BYTES);
	self->issued_ms = ticket->issued_ms;
}

void lease_open(struct lease *out, enum lease_kind kind,
    const struct ticket *ticket, const struct lease *before, uint64_t now_ms)
{
	*out = (struct lease){
		.kind = kind,
		.terminal = ticket->terminal,
		.opened_ms = before ? before->opened_ms : now_ms,
		.touched_ms = now_ms,
	};
	randombytes_buf(out->id.bytes, ID_BYTES);
	take_ticket(out, ticket);
}

/* Whether the lease keeps ${ticket}, which has expired, good. */
static bool renews(
    const struct lease *self, const struct ticket *ticket, uint64_t now_ms)
{
	return memcmp(self->peer, ticket->peer, TICKET_PEER_BYTES) == 0 &&
	       memcmp(self->nonce, ticket->nonce, TICKET_NONCE_BYTES) == 0 &&
	       now_ms >= ticket->issued_ms &&
	       now_ms - ticket->issued_ms < TRANSFER_MS_MAX;
}

enum status lease_check(const struct lease *self, const struct id *id,
    const struct ticket *ticket, bool ticket_expired, uint64_t now_ms,
    uint64_t lease_ms, const char **detail)
{
	bool live = self && lease_is_live(self, now_ms, lease_ms);
	bool ours = live && id_equal(&self->id, id);

	if (ticket_expired && (!ours || !renews(self, ticket, now_ms))) {
		*detail = "the ticket has expired: authenticate again";
		return STATUS_EXPIRED;
	}
	if (ours)
		return STATUS_OK;
	*detail = live ? "another transfer of this terminal took over"
		       : "the lease has ended: begin again";
	return STATUS_CONFLICT;
}

bool lease_touch(struct lease *self, const struct ticket *ticket,
    bool ticket_expired, uint64_t now_ms, uint64_t known_ms)
{
	bool newer = !ticket_expired && ticket->issued_ms > self->issued_ms;
	bool late = now_ms > self->touched_ms &&
		    now_ms - self->touched_ms >= known_ms / TOUCHES_A_LEASE;

	if (newer)
		take_ticket(self, ticket);
	if (newer || late)
		self->touched_ms = now_ms;
	return newer || late;
}

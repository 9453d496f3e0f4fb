#include "attacks.h"

#include "base/util.h"

/* Both sides, their logins, and what an honest one asks. */

struct side attacker, victim;
char password[256], verification[256];
struct auth_keys *auth_keys;
struct message answer;

static struct unpack unpack; /* of the last ask */

static const enum direction directions[] = { DIRECTION_UPLOAD,
	DIRECTION_DOWNLOAD, DIRECTION_MANAGE, DIRECTION_BIND, DIRECTION_ENROL,
	DIRECTION_NOTICES };

void side_login(struct side *self)
{
	for (size_t i = 0; i < nitems(directions); i++) {
		enum direction direction = directions[i];
		struct login *login =
		    terminal_login(&self->terminal, self->name,
			direction == DIRECTION_BIND ? verification : password,
			direction);
		struct slice ticket = login_ticket(login);
		self->account = login->account;
		if (ticket.len != TICKET_BYTES)
			errx(1, "a ticket of %zu bytes", ticket.len);
		memcpy(self->tickets[direction], ticket.data, TICKET_BYTES);
		if (self == &victim)
			loot_add(ticket);
		login_destroy(&login);
	}
}

struct header header_of(uint32_t type)
{
	struct header header = {
		.type = type,
		.deadline_ms = TERMINAL_WAIT_MS,
	};

	randombytes_buf(header.request.bytes, ID_BYTES);
	return header;
}

void header_ticket(
    struct header *header, const struct side *self, enum direction direction)
{
	if (direction == DIRECTION_NONE)
		return;
	memcpy(header->ticket, self->tickets[direction], TICKET_BYTES);
	header->ticket_len = TICKET_BYTES;
}

void ask(struct side *self, struct header *header, enum direction direction,
    struct slice body, struct slice payload,
    const ProtobufCMessageDescriptor *type, void *out)
{
	struct header reply;

	header_ticket(header, self, direction);
	do {
		terminal_send(&self->terminal, header, body, payload);
		terminal_receive(&self->terminal, &answer, &reply);
	} while (
	    reply.status == STATUS_BUSY || reply.status == STATUS_UNAVAILABLE);
	if (!id_equal(&reply.request, &header->request) ||
	    reply.status != STATUS_OK)
		errx(1, "%s: type %#x: %s: %s", self->name, header->type,
		    status_word(reply.status), reply.detail);
	unpack_end(&unpack);
	unpack_begin(&unpack);
	if (type && unpack_message(&unpack, type, frame_slice(&answer.body),
			out) != STATUS_OK)
		errx(1, "%s: type %#x: no answer to it", self->name,
		    header->type);
}

void sides_end(void)
{
	unpack_end(&unpack);
	message_clear(&answer);
	sodium_memzero(password, sizeof(password));
	sodium_memzero(verification, sizeof(verification));
	auth_keys_destroy(&auth_keys);
}

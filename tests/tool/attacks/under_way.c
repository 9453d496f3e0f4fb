#include "attacks.h"

#include "base/clock.h"
#include "base/util.h"

/* Requests under way, with the tickets they go by, and their answers. */

#define UNDER_WAY_MAX 256
#define HOUR_MS       3600000

struct counts counts;

static struct under_way {
	struct id request;
	const char *what, *how;
	uint32_t allowed;
	check_fn *check;
	struct side *side;
} under_way[UNDER_WAY_MAX];
static size_t under_way_count;

static void note(struct side *side, const struct header *header,
    const char *what, const char *how, uint32_t allowed, check_fn *check)
{
	if (under_way_count == UNDER_WAY_MAX)
		errx(1, "too many at once");
	under_way[under_way_count++] = (struct under_way){ header->request,
		what, how, allowed, check, side };
	counts.asked++;
}

static void send_asked(
    struct side *side, const struct header *header, const struct asked *asked)
{
	static const uint8_t junk[SEALED_BYTES_ONE] = { 7 };
	struct bytes body = { 0 };

	body_make(&body, header, asked->body, asked->form);
	terminal_send(&side->terminal, header, bytes_slice(&body),
	    asked->form == WITH_PAYLOAD ? slice_of(junk, sizeof(junk))
					: (struct slice){ 0 });
	bytes_clear(&body);
}

/* As auth would have signed it two hours ago. */
static void sign_expired(
    struct header *header, const struct side *whose, enum direction direction)
{
	struct ticket ticket = {
		.direction = direction,
		.account = whose->account,
		.terminal = whose->id,
		.issued_ms = clock_wall_ms() - 2 * HOUR_MS,
		.expiry_ms = clock_wall_ms() - HOUR_MS,
	};

	memcpy(ticket.peer, whose->terminal.keys.public_key, TICKET_PEER_BYTES);
	randombytes_buf(ticket.nonce, sizeof(ticket.nonce));
	ticket_sign(header->ticket, &ticket, auth_keys->ticket_secret);
	header->ticket_len = TICKET_BYTES;
}

/* Offsets in a ticket: see crypto/ticket.h. */
#define TICKET_ACCOUNT_AT 2
#define TICKET_PEER_AT    34

static void fill_ticket(
    struct header *header, enum credential credential, enum direction direction)
{
	bool stolen = credential >= STOLEN;
	const struct side *whose = stolen ? &victim : &attacker;
	enum direction other = direction == DIRECTION_NOTICES
				   ? DIRECTION_DOWNLOAD
				   : DIRECTION_NOTICES;

	if (credential == NO_TICKET_AT_ALL || direction == DIRECTION_NONE)
		return;
	if (credential == OWN_EXPIRED || credential == STOLEN_EXPIRED) {
		sign_expired(header, whose, direction);
		return;
	}
	header_ticket(
	    header, whose, credential == OWN_OTHER ? other : direction);
	if (credential == OWN_EDITED)
		memcpy(header->ticket + TICKET_ACCOUNT_AT, victim.account.bytes,
		    ID_BYTES);
	if (credential == STOLEN_EDITED)
		memcpy(header->ticket + TICKET_PEER_AT,
		    attacker.terminal.keys.public_key, TICKET_PEER_BYTES);
}

static void fill_claim(struct header *header, enum claim claim)
{
	if (claim == SAYS_OWN)
		header->account = attacker.account;
	if (claim == SAYS_VICTIM)
		header->account = victim.account;
}

void try_way(const struct asked *asked, const struct way *way)
{
	struct header header = header_of(asked->type);

	fill_ticket(&header, way->credential, asked->direction);
	fill_claim(&header, way->claim);
	note(&attacker, &header, asked->name, way->name, way->allowed, NULL);
	send_asked(&attacker, &header, asked);
}

void try_named(const struct named *named)
{
	struct header header = header_of(named->asked.type);

	fill_ticket(&header, OWN, named->asked.direction);
	fill_claim(&header, SAYS_OWN);
	note(&attacker, &header, named->asked.name, named->name, named->allowed,
	    named->check);
	send_asked(&attacker, &header, &named->asked);
}

void try_forbidden(const struct asked *asked)
{
	const struct named named = { "what no terminal may send", *asked,
		forbidden_allowed, NULL };

	try_named(&named);
}

void try_kept(const struct asked *asked, const struct header *header)
{
	struct header stolen = *header;

	fill_ticket(&stolen, STOLEN, asked->direction);
	note(&attacker, &stolen, asked->name, "a kept answer, stolen ticket",
	    BIT(STATUS_DENIED), NULL);
	send_asked(&attacker, &stolen, asked);
}

void try_race(
    const struct named *named, enum credential credential, bool victim_first)
{
	struct header theirs_header = header_of(named->asked.type);
	struct header own_header = theirs_header;

	header_ticket(&theirs_header, &victim, named->asked.direction);
	fill_ticket(&own_header, credential, named->asked.direction);
	note(&victim, &theirs_header, named->asked.name, "the victim itself",
	    BIT(STATUS_OK), NULL);
	note(&attacker, &own_header, named->asked.name, named->name,
	    credential == OWN ? named->allowed : BIT(STATUS_DENIED),
	    credential == OWN ? named->check : NULL);
	counts.raced++;
	if (victim_first)
		send_asked(&victim, &theirs_header, &named->asked);
	send_asked(&attacker, &own_header, &named->asked);
	if (!victim_first)
		send_asked(&victim, &theirs_header, &named->asked);
}

/* ---- judging ---- */

static void judge(struct side *side, const struct header *reply)
{
	struct slice body = frame_slice(&answer.body);
	size_t i = 0;

	while (i < under_way_count &&
	       (under_way[i].side != side ||
		   !id_equal(&under_way[i].request, &reply->request)))
		i++;
	if (i == under_way_count)
		errx(1, "an answer that %s did not ask for", side->name);
	const struct under_way *asked = &under_way[i];
	if (reply->status == STATUS_BUSY ||
	    reply->status == STATUS_UNAVAILABLE) {
		counts.again++; /* nothing was told; another round asks */
	} else if (!(asked->allowed & BIT(reply->status))) {
		errx(1, "%s, %s: answered %s: %s", asked->what, asked->how,
		    status_word(reply->status), reply->detail);
	} else if (reply->status == STATUS_OK) {
		counts.own += side == &attacker;
		if (asked->check && !asked->check(body))
			errx(1, "%s, %s: it is not the attacker's own",
			    asked->what, asked->how);
	} else {
		counts.refused++;
		if (body.len > 0 || answer.has_payload)
			errx(1, "%s, %s: a refusal with a body", asked->what,
			    asked->how);
	}
	if (side == &attacker &&
	    (holds_loot(body) || holds_loot(slice_text(reply->detail)) ||
		(answer.has_payload &&
		    holds_loot(frame_slice(&answer.payload)))))
		errx(1, "%s, %s: the answer holds what is the victim's",
		    asked->what, asked->how);
	if (side == &attacker && answer.has_payload)
		errx(1, "%s, %s: the answer has a payload", asked->what,
		    asked->how);
	under_way[i] = under_way[--under_way_count];
}

void collect(void)
{
	struct side *const sides[] = { &attacker, &victim };
	struct header reply;

	while (under_way_count > 0) {
		zmq_pollitem_t items[] = {
			{ attacker.terminal.socket, 0, ZMQ_POLLIN, 0 },
			{ victim.terminal.socket, 0, ZMQ_POLLIN, 0 },
		};
		if (zmq_poll(items, nitems(items), TERMINAL_WAIT_MS) <= 0)
			errx(1, "%s, %s: no answer comes", under_way[0].what,
			    under_way[0].how);
		for (size_t i = 0; i < nitems(items); i++) {
			if (!(items[i].revents & ZMQ_POLLIN))
				continue;
			terminal_receive(&sides[i]->terminal, &answer, &reply);
			judge(sides[i], &reply);
		}
	}
}

void collect_if_many(void)
{
	if (under_way_count > UNDER_WAY_MAX / 2)
		collect();
}

/*
 * attacker --config FILE --password-file FILE --until FILE
 *          STATE NAME VICTIM-STATE VICTIM-NAME
 *
 * A terminal that is bound to its own account, STATE and NAME, and wants the
 * data of another one.  It knows all about the victim that can be known: as
 * VICTIM-STATE, a terminal of the account VICTIM-NAME, it learns account,
 * terminals, tickets, leases, chunks, snapshots and notices.  As itself it
 * then asks for them in every way there is, many at once, round by round,
 * until the file --until is there.
 *
 * Each answer must be the refusal that is expected, or hold what is its own;
 * no answer may hold a byte string that is the victim's.  The victim's own
 * requests, under the same ids at the same time, must be answered as ever.
 *
 * --config         of the server: expired tickets are signed with auth.seed
 * --password-file  of both accounts
 *
 * Prints what was done.  Exit status: 0 all was as it must be, 1 not: it says
 * what was not, 2 wrong arguments.
 */
#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth.pb-c.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/util.h"
#include "binding.pb-c.h"
#include "common.pb-c.h"
#include "crypto/arena.h"
#include "notify.pb-c.h"
#include "ops.pb-c.h"
#include "service/settings.h"
#include "service/trust.h"
#include "store.pb-c.h"
#include "attack.h"

#define ARENA_BYTES      (64 * 1024)
#define ROUNDS_MIN       3
#define LOGIN_AGAIN_MS   120000 /* less than tickets are good */
#define LOOT_MAX         4096
#define LOOT_BYTES_MIN   8 /* shorter ones may be there by chance */
#define UNDER_WAY_MAX    256
#define CHUNK_BYTES      32
#define SEALED_BYTES_ONE (PAGE_BYTES - PAGE_HEAD_BYTES)
#define HOUR_MS          3600000

/* ---- both sides ---- */

struct side {
	const char *name;
	struct terminal terminal;
	struct id account;
	uint8_t tickets[DIRECTION_COUNT][TICKET_BYTES];
	struct id id; /* of the terminal */
	struct id upload, download;
};

static struct side attacker, victim;
static char password[256];
static struct auth_keys *auth_keys;

/* What the victim has, for the bodies of requests. */
static struct {
	uint8_t root[CHUNK_BYTES], chunk[CHUNK_BYTES];
	struct id notice;
	char serial[65];
} theirs;

/* Byte strings that are the victim's: none may be in an answer. */
static struct bytes loot[LOOT_MAX];
static size_t loot_count;

static void loot_add(struct slice bytes)
{
	if (bytes.len < LOOT_BYTES_MIN)
		return;
	for (size_t i = 0; i < loot_count; i++)
		if (slice_equal(bytes_slice(&loot[i]), bytes))
			return;
	if (loot_count == LOOT_MAX)
		errx(1, "too much loot");
	if (bytes_copy(&loot[loot_count++], bytes) != STATUS_OK)
		errx(1, "no memory");
}

static bool holds_loot(struct slice bytes)
{
	for (size_t i = 0; i < loot_count; i++)
		if (bytes.len >= loot[i].len &&
		    memmem(bytes.data, bytes.len, loot[i].data, loot[i].len))
			return true;
	return false;
}

static const enum direction directions[] = { DIRECTION_UPLOAD,
	DIRECTION_DOWNLOAD, DIRECTION_MANAGE, DIRECTION_ENROL,
	DIRECTION_NOTICES };

static void side_login(struct side *self)
{
	for (size_t i = 0; i < nitems(directions); i++) {
		struct login *login = terminal_login(
		    &self->terminal, self->name, password, directions[i]);
		struct slice ticket = login_ticket(login);
		self->account = login->account;
		if (ticket.len != TICKET_BYTES)
			errx(1, "a ticket of %zu bytes", ticket.len);
		memcpy(self->tickets[directions[i]], ticket.data, TICKET_BYTES);
		login_destroy(&login);
	}
}

static struct header header_of(uint32_t type)
{
	struct header header = {
		.type = type,
		.deadline_ms = TERMINAL_WAIT_MS,
	};

	randombytes_buf(header.request.bytes, ID_BYTES);
	return header;
}

static void header_ticket(
    struct header *header, const uint8_t ticket[static TICKET_BYTES])
{
	memcpy(header->ticket, ticket, TICKET_BYTES);
	header->ticket_len = TICKET_BYTES;
}

static struct message answer;
static struct unpack unpack; /* of the last ask */

/* Ask as an honest terminal, and insist on OK. */
static void ask(struct side *self, struct header *header,
    enum direction direction, const ProtobufCMessage *body,
    struct slice payload, const ProtobufCMessageDescriptor *type, void *out)
{
	struct bytes packed = { 0 };
	struct header reply;

	if (body && pack_message(&packed, body) != STATUS_OK)
		errx(1, "no memory");
	header_ticket(header, self->tickets[direction]);
	do {
		terminal_send(
		    &self->terminal, header, bytes_slice(&packed), payload);
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
	bytes_clear(&packed);
}

static void begin_transfer(struct side *self, struct header *header,
    enum direction direction, struct id *lease_out)
{
	Store__Lease *lease;

	ask(self, header, direction, NULL, (struct slice){ 0 },
	    &store__lease__descriptor, &lease);
	if (id_from(lease_out, field_slice(lease->lease_id)) != STATUS_OK)
		errx(1, "no lease");
}

/* The terminal's own id; the others of the account go to the loot. */
static void learn_terminals(struct side *self)
{
	struct header header = header_of(BINDING__TYPE__TERMINALS);
	Binding__TerminalList *list;

	ask(self, &header, DIRECTION_ENROL, NULL, (struct slice){ 0 },
	    &binding__terminal_list__descriptor, &list);
	for (size_t i = 0; i < list->n_terminals; i++) {
		const Binding__Terminal *terminal = list->terminals[i];
		if (slice_equal(field_slice(terminal->peer_key),
			slice_of(
			    self->terminal.keys.public_key, CURVE_KEY_BYTES)) &&
		    id_from(&self->id, field_slice(terminal->terminal_id)) !=
			STATUS_OK)
			errx(1, "no terminal id");
		if (self != &victim)
			continue;
		loot_add(field_slice(terminal->terminal_id));
		loot_add(field_slice(terminal->peer_key));
		loot_add(slice_text(terminal->serial));
		loot_add(slice_text(terminal->label));
		snprintf(theirs.serial, sizeof(theirs.serial), "%s",
		    terminal->serial);
	}
}

static void learn_snapshots(void)
{
	struct header header = header_of(STORE__TYPE__SNAPSHOTS);
	Store__SnapshotQuery query = STORE__SNAPSHOT_QUERY__INIT;
	Store__SnapshotList *list;

	ask(&victim, &header, DIRECTION_DOWNLOAD, &query.base,
	    (struct slice){ 0 }, &store__snapshot_list__descriptor, &list);
	if (list->n_snapshots == 0)
		errx(1, "the victim has no snapshot");
	for (size_t i = 0; i < list->n_snapshots; i++) {
		const Store__Snapshot *snapshot = list->snapshots[i];
		loot_add(field_slice(snapshot->terminal_id));
		loot_add(field_slice(snapshot->root_id));
		loot_add(field_slice(snapshot->sealed_key));
		loot_add(field_slice(snapshot->sealed_summary));
		memcpy(theirs.root, snapshot->root_id.data, CHUNK_BYTES);
	}
}

/* A chunk of the victim: its id and its bytes. */
static void learn_chunk(void)
{
	struct header header = header_of(STORE__TYPE__PUT);
	Store__Put put = STORE__PUT__INIT;
	uint8_t sealed[SEALED_BYTES_ONE];

	randombytes_buf(sealed, sizeof(sealed));
	randombytes_buf(theirs.chunk, CHUNK_BYTES);
	put.lease_id = field_of(slice_of(victim.upload.bytes, ID_BYTES));
	put.chunk_id = field_of(slice_of(theirs.chunk, CHUNK_BYTES));
	ask(&victim, &header, DIRECTION_UPLOAD, &put.base,
	    slice_of(sealed, sizeof(sealed)), NULL, NULL);
	loot_add(slice_of(theirs.chunk, CHUNK_BYTES));
	loot_add(slice_of(sealed, 64));
}

/* Its notices; what the attacker acknowledged must still be there. */
static void learn_notices(void)
{
	struct header header = header_of(NOTIFY__TYPE__FETCH);
	Notify__NoticeList *list;
	bool seen = id_is_none(&theirs.notice);

	ask(&victim, &header, DIRECTION_NOTICES, NULL, (struct slice){ 0 },
	    &notify__notice_list__descriptor, &list);
	for (size_t i = 0; i < list->n_notices; i++) {
		struct id id;
		if (id_from(&id, field_slice(list->notices[i]->notice_id)) !=
		    STATUS_OK)
			errx(1, "a notice without an id");
		loot_add(slice_of(id.bytes, ID_BYTES));
		seen |= id_equal(&id, &theirs.notice);
		if (id_is_none(&theirs.notice))
			theirs.notice = id;
	}
	if (!seen)
		errx(1, "the attacker has acknowledged the victim's notice");
}

#include "attacks.h"

/* ---- requests under way ---- */

static struct under_way {
	struct id request;
	const char *what, *how;
	uint32_t allowed;
	check_fn *check;
	struct side *side;
} under_way[UNDER_WAY_MAX];
static size_t under_way_count;

static struct {
	unsigned int rounds, asked, refused, own, again, raced;
} counts;

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

	asked->body(&body);
	terminal_send(&side->terminal, header, bytes_slice(&body),
	    asked->payload ? slice_of(junk, sizeof(junk))
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

	if (credential == NO_TICKET_AT_ALL)
		return;
	if (credential == OWN_EXPIRED || credential == STOLEN_EXPIRED) {
		sign_expired(header, whose, direction);
		return;
	}
	header_ticket(header,
	    whose->tickets[credential == OWN_OTHER ? other : direction]);
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

static void try_way(const struct asked *asked, const struct way *way)
{
	struct header header = header_of(asked->type);

	fill_ticket(&header, way->credential, asked->direction);
	fill_claim(&header, way->claim);
	note(&attacker, &header, asked->name, way->name, way->allowed, NULL);
	send_asked(&attacker, &header, asked);
}

static void try_named(const struct named *named)
{
	struct header header = header_of(named->asked.type);

	fill_ticket(&header, OWN, named->asked.direction);
	fill_claim(&header, SAYS_OWN);
	note(&attacker, &header, named->asked.name, named->name, named->allowed,
	    named->check);
	send_asked(&attacker, &header, &named->asked);
}

/* Both under one id; the attacker with its own ticket, or the stolen one. */
static void try_race(
    const struct named *named, enum credential credential, bool victim_first)
{
	struct header theirs_header = header_of(named->asked.type);
	struct header own_header = theirs_header;

	header_ticket(&theirs_header, victim.tickets[named->asked.direction]);
	fill_ticket(&own_header, credential, named->asked.direction);
	note(&victim, &theirs_header, named->asked.name, "the victim itself",
	    OK, NULL);
	note(&attacker, &own_header, named->asked.name, named->name,
	    credential == OWN ? named->allowed : DENIED,
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

static void collect(void)
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

/* ---- rounds ---- */

/*
 * The victim begins a restore, which is kept for a repeat; the attacker asks
 * under the same id and gets a transfer of its own, once more under it.
 */
static void replay_kept(void)
{
	struct header header = header_of(STORE__TYPE__RESTORE_BEGIN);
	const struct asked restore = { "RESTORE_BEGIN",
		STORE__TYPE__RESTORE_BEGIN, DIRECTION_DOWNLOAD, body_empty,
		false };

	begin_transfer(&victim, &header, DIRECTION_DOWNLOAD, &victim.download);
	loot_add(slice_of(victim.download.bytes, ID_BYTES));
	struct header stolen = header;
	fill_ticket(&stolen, STOLEN, DIRECTION_DOWNLOAD);
	note(&attacker, &stolen, restore.name, "a kept answer, stolen ticket",
	    DENIED, NULL);
	send_asked(&attacker, &stolen, &restore);
	collect();
	header.account = attacker.account;
	begin_transfer(
	    &attacker, &header, DIRECTION_DOWNLOAD, &attacker.download);
	if (id_equal(&attacker.download, &victim.download))
		errx(1, "the attacker got the victim's lease");
}

static void learn(void)
{
	struct header upload = header_of(STORE__TYPE__BACKUP_BEGIN);
	struct header own = header_of(STORE__TYPE__BACKUP_BEGIN);

	begin_transfer(&victim, &upload, DIRECTION_UPLOAD, &victim.upload);
	begin_transfer(&attacker, &own, DIRECTION_UPLOAD, &attacker.upload);
	loot_add(slice_of(victim.account.bytes, ID_BYTES));
	loot_add(slice_of(victim.upload.bytes, ID_BYTES));
	for (size_t i = 0; i < nitems(directions); i++)
		loot_add(slice_of(victim.tickets[directions[i]], TICKET_BYTES));
	learn_snapshots();
	learn_chunk();
	learn_notices();
	replay_kept();
}

static void attack_once(void)
{
	learn();
	for (size_t i = 0; i < nitems(messages); i++) {
		for (size_t j = 0; j < nitems(ways); j++)
			try_way(&messages[i], &ways[j]);
		if (under_way_count > UNDER_WAY_MAX / 2)
			collect();
	}
	collect();
	for (size_t i = 0; i < nitems(names); i++)
		try_named(&names[i]);
	for (size_t i = 0; i < nitems(races); i++) {
		try_race(&races[i], OWN, true);
		try_race(&races[i], OWN, false);
		try_race(&races[i], STOLEN, true);
		try_race(&races[i], STOLEN, false);
	}
	collect();
	counts.rounds++;
}

static void attack(const char *until)
{
	uint64_t logged_in_ms = 0;

	do {
		uint64_t now = clock_interval_ms();
		if (logged_in_ms == 0 || now - logged_in_ms > LOGIN_AGAIN_MS) {
			side_login(&victim);
			side_login(&attacker);
			learn_terminals(&victim);
			learn_terminals(&attacker);
			logged_in_ms = now;
		}
		attack_once();
	} while (counts.rounds < ROUNDS_MIN || access(until, F_OK) != 0);
}

static struct conf *conf_read(const char *path)
{
	struct conf *conf = NULL;

	if (conf_load(settings, settings_count, path, &conf) != STATUS_OK ||
	    trust_keys(&auth_keys, conf) != STATUS_OK)
		errx(1, "%s: no keys of auth", path);
	return conf;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "password-file", required_argument, NULL, 'w' },
		{ "until", required_argument, NULL, 'u' },
		{ 0 },
	};
	const char *config = NULL, *password_file = NULL, *until = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		/* clang-format off */
		case 'c': config = optarg;        break;
		case 'w': password_file = optarg; break;
		case 'u': until = optarg;         break;
		/* clang-format on */
		default:
			return 2;
		}
	}
	argv += optind;
	if (argc - optind != 4 || !config || !password_file || !until)
		errx(2, "usage: attacker --config FILE --password-file FILE "
			"--until FILE STATE NAME VICTIM-STATE VICTIM-NAME");
	if (arena_open(ARENA_BYTES) != STATUS_OK)
		errx(1, "no memory for secrets");
	struct conf *conf = conf_read(config);
	password_read(password_file, password);
	attacker.name = argv[1];
	victim.name = argv[3];
	terminal_open(&attacker.terminal, argv[0]);
	terminal_open(&victim.terminal, argv[2]);
	message_init(&answer);
	unpack_begin(&unpack);

	attack(until);
	printf("rounds=%u asked=%u refused=%u own=%u again=%u raced=%u\n",
	    counts.rounds, counts.asked, counts.refused, counts.own,
	    counts.again, counts.raced);

	unpack_end(&unpack);
	message_clear(&answer);
	for (size_t i = 0; i < loot_count; i++)
		bytes_clear(&loot[i]);
	terminal_close(&attacker.terminal);
	terminal_close(&victim.terminal);
	sodium_memzero(password, sizeof(password));
	auth_keys_destroy(&auth_keys);
	conf_destroy(&conf);
	arena_close();
	return 0;
}

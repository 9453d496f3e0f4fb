#include "attacks.h"

#include "auth.pb-c.h"
#include "base/util.h"
#include "binding.pb-c.h"
#include "crypto/code.h"
#include "notify.pb-c.h"
#include "store.pb-c.h"

/*
 * What the victim has: it makes some of it here, and asks for the rest.  The
 * attacker knows all of that, and no answer to it may hold any.
 */

#define LOOT_MAX        4096
#define LOOT_BYTES_MIN  8 /* shorter ones may be there by chance */
#define CARD_DATA_BYTES 64
#define QUIET_FROM      1234
#define QUIET_TO        1235

struct theirs theirs;

static struct bytes loot[LOOT_MAX];
static size_t loot_count;

static const struct slice nothing;

void loot_add(struct slice bytes)
{
	if (bytes.len < LOOT_BYTES_MIN || holds_loot(bytes))
		return;
	if (loot_count == LOOT_MAX)
		errx(1, "too much loot");
	if (bytes_copy(&loot[loot_count++], bytes) != STATUS_OK)
		errx(1, "no memory");
}

bool holds_loot(struct slice bytes)
{
	for (size_t i = 0; i < loot_count; i++)
		if (bytes.len >= loot[i].len &&
		    memmem(bytes.data, bytes.len, loot[i].data, loot[i].len))
			return true;
	return false;
}

static void keep(struct bytes *out, struct slice bytes)
{
	if (bytes_copy(out, bytes) != STATUS_OK)
		errx(1, "no memory");
	loot_add(bytes);
}

/* Ask with ${message} for the body. */
static void ask_with(struct side *self, uint32_t type, enum direction direction,
    const ProtobufCMessage *message, struct slice payload,
    const ProtobufCMessageDescriptor *reply_type, void *out)
{
	struct header header = header_of(type);
	struct bytes body = { 0 };

	pack(&body, message);
	ask(self, &header, direction, bytes_slice(&body), payload, reply_type,
	    out);
	bytes_clear(&body);
}

void begin_transfer(struct side *self, struct header *header,
    enum direction direction, struct id *lease_out)
{
	Store__Lease *lease;

	ask(self, header, direction, nothing, nothing,
	    &store__lease__descriptor, &lease);
	if (id_from(lease_out, field_slice(lease->lease_id)) != STATUS_OK)
		errx(1, "no lease");
}

/* ---- terminals, cards, rules ---- */

/* The terminal's own id; the others of the account go to the loot. */
static void learn_terminals(struct side *self)
{
	struct header header = header_of(BINDING__TYPE__TERMINALS);
	Binding__TerminalList *list;

	ask(self, &header, DIRECTION_ENROL, nothing, nothing,
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

static void save_card(struct side *self)
{
	Binding__EntrySave save;
	uint8_t data[CARD_DATA_BYTES];

	binding__entry_save__init(&save);
	randombytes_buf(data, sizeof(data));
	save.iccid = (char *)self->iccid;
	save.number = (char *)"+8613900139000";
	save.content_case = BINDING__ENTRY_SAVE__CONTENT_DATA;
	save.data = field_of(slice_of(data, sizeof(data)));
	ask_with(self, BINDING__TYPE__ENTRY_SAVE, DIRECTION_UPLOAD, &save.base,
	    nothing, NULL, NULL);
	if (self != &victim)
		return;
	loot_add(slice_text(self->iccid));
	loot_add(slice_of(data, sizeof(data)));
}

/* The victim has its quiet hours; the attacker has set none. */
static void set_rules(void)
{
	Notify__Rules rules = NOTIFY__RULES__INIT;

	rules.quiet_from = QUIET_FROM;
	rules.quiet_to = QUIET_TO;
	ask_with(&victim, NOTIFY__TYPE__SET_RULES, DIRECTION_MANAGE,
	    &rules.base, nothing, NULL, NULL);
}

/* ---- cookies and proofs ---- */

/* Begin to register or change a credential, and keep the cookie. */
static void learn_cookie(struct bytes *out, uint32_t type,
    enum direction direction, const ProtobufCMessage *body)
{
	struct header header = { 0 };
	Auth__RegisterChallenge *challenge;

	header_ticket(&header, &victim, direction);
	if (session_ask_sealed(victim.terminal.session, type,
		slice_of(header.ticket, header.ticket_len), body,
		&auth__register_challenge__descriptor, &challenge) != STATUS_OK)
		errx(1, "type %#x: %s", type,
		    session_detail(victim.terminal.session));
	keep(out, field_slice(challenge->cookie));
}

static void learn_cookies(void)
{
	Auth__RegisterBegin registers = AUTH__REGISTER_BEGIN__INIT;
	Auth__CodeBegin changes = AUTH__CODE_BEGIN__INIT;
	Auth__VerificationBegin verifies = AUTH__VERIFICATION_BEGIN__INIT;
	struct opaque_registration state;
	uint8_t bytes[OPAQUE_REQUEST_BYTES];

	if (opaque_registration_start(&state, bytes, slice_text(password)) !=
	    STATUS_OK)
		errx(1, "no registration");
	ProtobufCBinaryData request = field_of(slice_of(bytes, sizeof(bytes)));
	registers.name = (char *)"newcomer";
	registers.opaque_request = request;
	changes.opaque_request = request;
	verifies.opaque_request = request;
	learn_cookie(&theirs.register_cookie, AUTH__TYPE__REGISTER_BEGIN,
	    DIRECTION_NONE, &registers.base);
	learn_cookie(&theirs.code_cookie, AUTH__TYPE__CODE_BEGIN,
	    DIRECTION_MANAGE, &changes.base);
	learn_cookie(&theirs.verification_cookie,
	    AUTH__TYPE__VERIFICATION_BEGIN, DIRECTION_BIND, &verifies.base);
}

/* The proof of ${code} by the challenge that was asked for with ${state}. */
static void learn_proof(const struct opaque_login *state, struct slice code,
    const Auth__LoginChallenge *challenge)
{
	struct opaque_login_keys keys;

	if (opaque_login_finish(theirs.ke3, &keys, state, &opaque_keepsake,
		victim.terminal.enrolment.auth_opaque, code,
		field_slice(challenge->ke2)) != STATUS_OK)
		errx(1, "the victim cannot prove itself");
	keep(&theirs.login_cookie, field_slice(challenge->cookie));
	loot_add(slice_of(theirs.ke3, sizeof(theirs.ke3)));
	sodium_memzero(&keys, sizeof(keys));
}

/* A login, proved at once, so that no try of the victim stays open. */
static void learn_login(void)
{
	Auth__LoginBegin begin = AUTH__LOGIN_BEGIN__INIT;
	struct header header = header_of(AUTH__TYPE__LOGIN_BEGIN);
	struct header proof = header_of(AUTH__TYPE__LOGIN_FINISH);
	const struct code_factors factors = {
		.set = CODE_PASSWORD,
		.password = slice_text(password),
	};
	Auth__LoginChallenge *challenge;
	struct opaque_login state;
	struct code *code = NULL;
	struct bytes body = { 0 };
	uint8_t ke1[OPAQUE_KE1_BYTES];

	if (code_new(&code, &factors) != STATUS_OK ||
	    opaque_login_start(&state, ke1, code_text(code)) != STATUS_OK)
		errx(1, "no code");
	begin.ke1 = field_of(slice_of(ke1, sizeof(ke1)));
	begin.direction = COMMON__DIRECTION__DOWNLOAD;
	pack(&body, &begin.base);
	body_seal_name(&body, &header);
	ask(&victim, &header, DIRECTION_NONE, bytes_slice(&body), nothing,
	    &auth__login_challenge__descriptor, &challenge);
	learn_proof(&state, code_text(code), challenge);
	bytes_clear(&body);
	body_login_finish(&body);
	ask(&victim, &proof, DIRECTION_NONE, bytes_slice(&body), nothing, NULL,
	    NULL);
	bytes_clear(&body);
	code_destroy(&code);
	sodium_memzero(&state, sizeof(state));
}

/* A grant, and what proves it. */
static void learn_grant(void)
{
	Auth__GrantAdd add = AUTH__GRANT_ADD__INIT;
	Auth__GrantLoginBegin begin = AUTH__GRANT_LOGIN_BEGIN__INIT;
	Common__Direction upload = COMMON__DIRECTION__UPLOAD;
	uint8_t seed[GRANT_SEED_BYTES], key[GRANT_PUBLIC_BYTES];
	struct grant_claim claim = {
		.direction = DIRECTION_UPLOAD,
		.account = victim.account,
		.terminal = victim.id,
	};
	Auth__GrantChallenge *challenge;

	randombytes_buf(seed, sizeof(seed));
	grant_public_key(key, seed);
	add.public_key = field_of(slice_of(key, sizeof(key)));
	add.directions = &upload;
	add.n_directions = 1;
	ask_with(&victim, AUTH__TYPE__GRANT_ADD, DIRECTION_MANAGE, &add.base,
	    nothing, NULL, NULL);
	begin.direction = upload;
	ask_with(&victim, AUTH__TYPE__GRANT_LOGIN_BEGIN, DIRECTION_NONE,
	    &begin.base, nothing, &auth__grant_challenge__descriptor,
	    &challenge);
	if (challenge->challenge.len != GRANT_CHALLENGE_BYTES)
		errx(1, "no challenge");
	memcpy(
	    claim.challenge, challenge->challenge.data, GRANT_CHALLENGE_BYTES);
	memcpy(claim.peer, victim.terminal.keys.public_key, TICKET_PEER_BYTES);
	grant_sign(theirs.signature, &claim, seed);
	keep(&theirs.grant_cookie, field_slice(challenge->cookie));
	loot_add(slice_of(theirs.signature, sizeof(theirs.signature)));
}

/* ---- data ---- */

static void learn_snapshots(void)
{
	Store__SnapshotQuery query = STORE__SNAPSHOT_QUERY__INIT;
	Store__SnapshotList *list;

	ask_with(&victim, STORE__TYPE__SNAPSHOTS, DIRECTION_DOWNLOAD,
	    &query.base, nothing, &store__snapshot_list__descriptor, &list);
	/* The attacker has one: the ordinal of a later one is not its own. */
	if (list->n_snapshots < 2)
		errx(1, "the victim has not two snapshots");
	for (size_t i = 0; i < list->n_snapshots; i++) {
		const Store__Snapshot *snapshot = list->snapshots[i];
		loot_add(field_slice(snapshot->terminal_id));
		loot_add(field_slice(snapshot->root_id));
		loot_add(field_slice(snapshot->sealed_key));
		loot_add(field_slice(snapshot->sealed_summary));
		memcpy(theirs.root, snapshot->root_id.data, CHUNK_BYTES);
		theirs.ordinal = snapshot->ordinal;
	}
}

/* A chunk of the victim: its id and its bytes. */
static void learn_chunk(void)
{
	Store__Put put = STORE__PUT__INIT;
	uint8_t sealed[SEALED_BYTES_ONE];

	randombytes_buf(sealed, sizeof(sealed));
	randombytes_buf(theirs.chunk, CHUNK_BYTES);
	put.lease_id = field_of(slice_of(victim.upload.bytes, ID_BYTES));
	put.chunk_id = field_of(slice_of(theirs.chunk, CHUNK_BYTES));
	ask_with(&victim, STORE__TYPE__PUT, DIRECTION_UPLOAD, &put.base,
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

	ask(&victim, &header, DIRECTION_NOTICES, nothing, nothing,
	    &notify__notice_list__descriptor, &list);
	for (size_t i = 0; i < list->n_notices; i++) {
		struct id id;
		if (id_from(&id, field_slice(list->notices[i]->notice_id)) !=
		    STATUS_OK)
			errx(1, "a notice without an id");
		loot_add(slice_of(id.bytes, ID_BYTES));
		loot_add(slice_text(list->notices[i]->text));
		seen |= id_equal(&id, &theirs.notice);
		if (id_is_none(&theirs.notice))
			theirs.notice = id;
	}
	if (!seen)
		errx(1, "the attacker has acknowledged the victim's notice");
}

/* What the attacker tried to change is as it was. */
static void check_unchanged(void)
{
	struct header header = header_of(NOTIFY__TYPE__RULES);
	Binding__EntryFetch fetch = BINDING__ENTRY_FETCH__INIT;
	Notify__Rules *rules;
	Binding__Entry *entry;

	ask(&victim, &header, DIRECTION_NOTICES, nothing, nothing,
	    &notify__rules__descriptor, &rules);
	if (rules->quiet_from != QUIET_FROM || rules->quiet_to != QUIET_TO)
		errx(1, "the victim's rules have changed");
	fetch.iccid = (char *)victim.iccid;
	ask_with(&victim, BINDING__TYPE__ENTRY_FETCH, DIRECTION_DOWNLOAD,
	    &fetch.base, nothing, &binding__entry__descriptor, &entry);
	if (!holds_loot(field_slice(entry->data)))
		errx(1, "the victim's card has changed");
}

void learn_accounts(void)
{
	learn_terminals(&victim);
	learn_terminals(&attacker);
	loot_add(slice_of(victim.account.bytes, ID_BYTES));
	save_card(&victim);
	save_card(&attacker);
	set_rules();
	learn_cookies();
	learn_login();
	learn_grant();
}

void learn_data(void)
{
	struct header upload = header_of(STORE__TYPE__BACKUP_BEGIN);
	struct header own = header_of(STORE__TYPE__BACKUP_BEGIN);

	begin_transfer(&victim, &upload, DIRECTION_UPLOAD, &victim.upload);
	begin_transfer(&attacker, &own, DIRECTION_UPLOAD, &attacker.upload);
	loot_add(slice_of(victim.upload.bytes, ID_BYTES));
	learn_snapshots();
	learn_chunk();
	learn_notices();
	check_unchanged();
}

void learned_end(void)
{
	struct bytes *const cookies[] = { &theirs.register_cookie,
		&theirs.code_cookie, &theirs.verification_cookie,
		&theirs.login_cookie, &theirs.grant_cookie };

	for (size_t i = 0; i < nitems(cookies); i++)
		bytes_clear(cookies[i]);
	for (size_t i = 0; i < loot_count; i++)
		bytes_clear(&loot[i]);
}

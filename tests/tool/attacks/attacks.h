#ifndef KEEPSAKE_TESTS_ATTACKS_H
#define KEEPSAKE_TESTS_ATTACKS_H

#include "../attack.h"

#include "crypto/grant_proof.h"
#include "crypto/opaque.h"
#include "service/trust.h"

/*
 * What the files of attacker.c share.  What goes wrong in them ends the tool
 * with status 1, and says what it was.
 */

#define CHUNK_BYTES      32
#define SEALED_BYTES_ONE (PAGE_BYTES - PAGE_HEAD_BYTES)

/* ---- both sides ---- */

struct side {
	const char *name;  /* of the account */
	const char *iccid; /* of the card that it saves */
	struct terminal terminal;
	struct id account;
	uint8_t tickets[DIRECTION_COUNT][TICKET_BYTES];
	struct id id; /* of the terminal */
	struct id upload, download;
};

extern struct side attacker, victim;

/** What accounts prove themselves by: the same for both. */
extern char password[256], verification[256];

/** What expired tickets are signed with. */
extern struct auth_keys *auth_keys;

/** What the victim has, for the bodies of requests; see learn.c. */
struct theirs {
	uint8_t root[CHUNK_BYTES], chunk[CHUNK_BYTES];
	uint64_t ordinal; /* of its last snapshot */
	struct id notice;
	char serial[65];
	/* Of what it began, and the proofs that it gave. */
	struct bytes register_cookie, code_cookie, verification_cookie,
	    login_cookie, grant_cookie;
	uint8_t ke3[OPAQUE_KE3_BYTES];
	uint8_t signature[GRANT_SIGNATURE_BYTES];
};

extern struct theirs theirs;

/** Log in for every direction. */
void side_login(struct side *self);

struct header header_of(uint32_t type);

/** Give it the ticket of ${self}, where the direction needs one. */
void header_ticket(
    struct header *header, const struct side *self, enum direction direction);

/** The last answer that came, to ask() or under way. */
extern struct message answer;

/**
 * Ask as an honest terminal, and insist on OK.
 *
 * body  packed
 * type  what the answer is to be; NULL: whatever it is
 * out   pointer to it, unpacked, good until the next call
 */
void ask(struct side *self, struct header *header, enum direction direction,
    struct slice body, struct slice payload,
    const ProtobufCMessageDescriptor *type, void *out);

/** Begin a backup or a restore. */
void begin_transfer(struct side *self, struct header *header,
    enum direction direction, struct id *lease_out);

/** Release what ask() holds, and wipe the secrets. */
void sides_end(void);

/* ---- byte strings that are the victim's: none may be in an answer ---- */

void loot_add(struct slice bytes);
bool holds_loot(struct slice bytes);

/** Of both sides, after a login. */
void learn_accounts(void);

/** In each round; what was tried before has changed nothing. */
void learn_data(void);

void learned_end(void);

/* ---- bodies: all of them name what is the victim's ---- */

/** Write the message, packed, into ${out}, which is empty. */
typedef void body_fn(struct bytes *out);

/** How a body goes on the wire. */
enum form {
	CLEAR,
	WITH_PAYLOAD,
	SEALED,     /* to auth, in auth.Sealed */
	NAME_SEALED /* but for the victim's name, which is sealed to auth */
};

void pack(struct bytes *out, const ProtobufCMessage *message);

/** Add the victim's name to the message that ${out} holds, sealed to auth. */
void body_seal_name(struct bytes *out, const struct header *header);

/** The body of ${header} in its form. */
void body_make(struct bytes *out, const struct header *header, body_fn *body,
    enum form form);

body_fn body_abandon, body_account, body_ack, body_audit, body_bind,
    body_code_finish, body_deregister, body_drill, body_empty, body_entry_fetch,
    body_entry_save, body_factors, body_get, body_get_chunk_own_lease,
    body_get_root_own_lease, body_grant_login_begin, body_grant_login_finish,
    body_grant_remove, body_have, body_have_own_lease, body_login_begin,
    body_login_finish, body_lookup, body_publish, body_publish_own_lease,
    body_put, body_put_many, body_put_reference, body_rebind,
    body_register_begin, body_register_finish, body_restore_end,
    body_revoke_session, body_revoke_terminal, body_rules, body_snapshot_delete,
    body_tell, body_unbind_serial, body_unbind_terminal,
    body_verification_finish;

/* ---- answers that are OK: they hold what is the attacker's own ---- */

typedef bool check_fn(struct slice body);

check_fn check_absent, check_damage, check_empty, check_entries, check_factors,
    check_grants, check_notices, check_revoked, check_rules, check_sessions,
    check_snapshots, check_terminals;

/* ---- what is tried ---- */

#define BIT(status) (1u << (status))

/** A message, and the ticket that it takes. */
struct asked {
	const char *name; /* as its .proto has it */
	uint32_t type;
	enum direction direction; /* NONE: it takes no ticket */
	body_fn *body;
	enum form form;
};

enum credential {
	NO_TICKET_AT_ALL,
	OWN,
	OWN_EXPIRED,
	OWN_OTHER, /* for another direction */
	OWN_EDITED,
	STOLEN,
	STOLEN_EXPIRED,
	STOLEN_EDITED
};

enum claim { SAYS_NOTHING, SAYS_OWN, SAYS_VICTIM };

struct way {
	const char *name;
	enum credential credential;
	enum claim claim;
	uint32_t allowed; /* BITs of the statuses */
};

struct named {
	const char *name;
	struct asked asked;
	uint32_t allowed;
	check_fn *check; /* of an answer that is OK; or NULL */
};

/** Every message that takes a ticket. */
extern const struct asked messages[];
extern const size_t messages_count;

/** Every way to ask each of them that must be refused. */
extern const struct way ways[];
extern const size_t ways_count;

/** Own ticket, own account: but what is named is the victim's, or nothing. */
extern const struct named names[];
extern const size_t names_count;

/** What no terminal may send: with its own ticket it is refused. */
extern const struct asked forbidden[];
extern const size_t forbidden_count;
extern const uint32_t forbidden_allowed;

/** Under the victim's own request id, at the same time as it asks. */
extern const struct named races[];
extern const size_t races_count;

/* ---- requests under way, and their answers ---- */

struct counts {
	unsigned int rounds, asked, refused, own, again, raced;
};

extern struct counts counts;

void try_way(const struct asked *asked, const struct way *way);
void try_named(const struct named *named);
void try_forbidden(const struct asked *asked);

/** Both under one id; the attacker with its own ticket, or the stolen one. */
void try_race(
    const struct named *named, enum credential credential, bool victim_first);

/** Under the id of ${header}, with the victim's ticket. */
void try_kept(const struct asked *asked, const struct header *header);

/** Judge the answers to all of it; at once where there are many. */
void collect(void);
void collect_if_many(void);

#endif

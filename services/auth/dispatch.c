#include "dispatch_internal.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "deed.h"
#include "ops.pb-c.h"
#include "service/trust.h"

#define MAY_VERIFY (GOOD_FOR(DIRECTION_ENROL) | GOOD_FOR(DIRECTION_BIND))

/* clang-format off */
const struct handler auth_handlers[] = {
	{ AUTH__TYPE__REGISTER_BEGIN,      "REGISTER_BEGIN",      FROM(ROLE_GATEWAY), NO_TICKET,                  PLAIN, on_register_begin },
	{ AUTH__TYPE__REGISTER_FINISH,     "REGISTER_FINISH",     FROM(ROLE_GATEWAY), NO_TICKET,                  PLAIN, on_register_finish },
	{ AUTH__TYPE__FACTORS,             "FACTORS",             FROM(ROLE_GATEWAY), NO_TICKET,                  PLAIN, on_factors },
	{ AUTH__TYPE__LOGIN_BEGIN,         "LOGIN_BEGIN",         FROM(ROLE_GATEWAY), NO_TICKET,                  PLAIN, on_login_begin },
	{ AUTH__TYPE__LOGIN_FINISH,        "LOGIN_FINISH",        FROM(ROLE_GATEWAY), NO_TICKET,                  PLAIN, on_login_finish },
	{ AUTH__TYPE__VERIFICATION_BEGIN,  "VERIFICATION_BEGIN",  FROM(ROLE_GATEWAY), MAY_VERIFY,                 PLAIN, on_verification_begin },
	{ AUTH__TYPE__VERIFICATION_FINISH, "VERIFICATION_FINISH", FROM(ROLE_GATEWAY), MAY_VERIFY,                 KEPT,  on_verification_finish },
	{ AUTH__TYPE__CODE_BEGIN,          "CODE_BEGIN",          FROM(ROLE_GATEWAY), GOOD_FOR(DIRECTION_MANAGE), PLAIN, on_code_begin },
	{ AUTH__TYPE__CODE_FINISH,         "CODE_FINISH",         FROM(ROLE_GATEWAY), GOOD_FOR(DIRECTION_MANAGE), KEPT,  on_code_finish },
	{ AUTH__TYPE__CODE_REMOVE,         "CODE_REMOVE",         FROM(ROLE_GATEWAY), GOOD_FOR(DIRECTION_MANAGE), KEPT,  on_code_remove },
	{ AUTH__TYPE__INVITE,              "INVITE",              FROM(ROLE_GATEWAY), NO_TICKET,                  PLAIN, on_invite },
	{ AUTH__TYPE__INVITATION,          "INVITATION",          FROM(ROLE_GATEWAY), GOOD_FOR(DIRECTION_MANAGE), PLAIN, on_invitation },
	{ AUTH__TYPE__GRANT_ADD,           "GRANT_ADD",           FROM(ROLE_GATEWAY), GOOD_FOR(DIRECTION_MANAGE), KEPT,  on_grant_add },
	{ AUTH__TYPE__GRANT_LIST,          "GRANT_LIST",          FROM(ROLE_GATEWAY), GOOD_FOR(DIRECTION_MANAGE), PLAIN, on_grant_list },
	{ AUTH__TYPE__GRANT_REMOVE,        "GRANT_REMOVE",        FROM(ROLE_GATEWAY), GOOD_FOR(DIRECTION_MANAGE), KEPT,  on_grant_remove },
	{ AUTH__TYPE__GRANT_LOGIN_BEGIN,   "GRANT_LOGIN_BEGIN",   FROM(ROLE_GATEWAY), NO_TICKET,                  PLAIN, on_grant_login_begin },
	{ AUTH__TYPE__GRANT_LOGIN_FINISH,  "GRANT_LOGIN_FINISH",  FROM(ROLE_GATEWAY), NO_TICKET,                  PLAIN, on_grant_login_finish },
	{ AUTH__TYPE__SESSIONS,            "SESSIONS",            FROM(ROLE_GATEWAY), GOOD_FOR(DIRECTION_MANAGE), PLAIN, on_sessions },
	{ AUTH__TYPE__REVOKE,              "REVOKE",              FROM(ROLE_GATEWAY), GOOD_FOR(DIRECTION_MANAGE), PLAIN, on_revoke },
	{ AUTH__TYPE__DEREGISTER,          "DEREGISTER",          FROM(ROLE_GATEWAY), GOOD_FOR(DIRECTION_MANAGE), PLAIN, on_deregister },
	{ AUTH__TYPE__VERIFICATION_STATE,  "VERIFICATION_STATE",  FROM(ROLE_BINDING), NO_TICKET,                  PLAIN, on_verification_state },
	{ AUTH__TYPE__TERMINAL_GONE,       "TERMINAL_GONE",       FROM(ROLE_BINDING), NO_TICKET,                  PLAIN, on_terminal_gone },
	{ OPS__TYPE__FIND_ACCOUNT,         "FIND_ACCOUNT",        FROM(ROLE_OPS),     NO_TICKET,                  PLAIN, on_find_account },
	{ OPS__TYPE__ACCOUNTS,             "ACCOUNTS",            FROM(ROLE_OPS),     NO_TICKET,                  PLAIN, on_accounts },
	{ OPS__TYPE__EXPORT,               "EXPORT",              FROM(ROLE_OPS),     NO_TICKET,                  PLAIN, on_export },
	{ OPS__TYPE__LOCKS,                "LOCKS",               FROM(ROLE_OPS),     NO_TICKET,                  PLAIN, on_locks },
	{ OPS__TYPE__UNLOCK,               "UNLOCK",              FROM(ROLE_OPS),     NO_TICKET,                  PLAIN, on_unlock },
	{ OPS__TYPE__HAND_BACK,            "HAND_BACK",           FROM(ROLE_OPS),     NO_TICKET,                  PLAIN, on_hand_back },
	{ OPS__TYPE__INVITE,               "INVITE",              FROM(ROLE_OPS),     NO_TICKET,                  PLAIN, on_ops_invite },
	{ OPS__TYPE__SESSIONS,             "SESSIONS",            FROM(ROLE_OPS),     NO_TICKET,                  PLAIN, on_ops_sessions },
	{ OPS__TYPE__REVOKE,               "REVOKE",              FROM(ROLE_OPS),     NO_TICKET,                  PLAIN, on_ops_revoke },
	{ OPS__TYPE__DISABLE,              "DISABLE",             FROM(ROLE_OPS),     NO_TICKET,                  PLAIN, on_disable },
	{ OPS__TYPE__ENABLE,               "ENABLE",              FROM(ROLE_OPS),     NO_TICKET,                  PLAIN, on_enable },
	{ OPS__TYPE__REMOVE,               "REMOVE",              FROM(ROLE_OPS),     NO_TICKET,                  PLAIN, on_remove },
};
/* clang-format on */

const size_t auth_handlers_count = nitems(auth_handlers);

/* ---- what several handlers do ---- */

enum status auth_check_peer(struct exchange *x)
{
	const struct peer *peer = &x->header.peer;

	if (peer->kind == PEER_CURVE_KEY && peer->id_len == TICKET_PEER_BYTES)
		return STATUS_OK;
	return exchange_refuse(
	    x, STATUS_DENIED, "this needs a connection with a CURVE key");
}

static enum status limit(struct auth *self, struct exchange *x,
    struct limits *limits, struct slice who, const char *why)
{
	uint64_t retry_ms = 0;

	if (limits_take(limits, who, clock_interval_ms(), &retry_ms))
		return STATUS_OK;
	self->limited++;
	return exchange_retry(x, STATUS_BUSY, (uint32_t)retry_ms, why);
}

enum status auth_limit_address(struct auth *self, struct exchange *x)
{
	struct source source;

	source_of(&source, x->header.peer.address);
	return limit(self, x, self->by_address,
	    slice_of(source.bytes, source.len),
	    "too many logins from this address: wait");
}

enum status auth_limit_account(struct auth *self, struct exchange *x,
    const struct id *account, const struct id *terminal)
{
	const struct id who[] = { *account, *terminal };

	return limit(self, x, self->by_account, slice_of(who, sizeof(who)),
	    "too many logins to this account: wait");
}

enum status auth_read_name(
    struct exchange *x, struct name *out, struct slice text)
{
	const char *why;
	enum status st = name_parse(out, text, &why);

	if (st != STATUS_OK)
		return exchange_refuse(x, st, "%s", why);
	return st;
}

void auth_hash_invitation(const struct auth *self,
    uint8_t out[static INVITATION_HASH_BYTES], const struct id *account,
    const uint8_t code[static INVITATION_CODE_BYTES])
{
	uint8_t context[ID_BYTES + INVITATION_CODE_BYTES];

	memcpy(context, account->bytes, ID_BYTES);
	memcpy(context + ID_BYTES, code, INVITATION_CODE_BYTES);
	key_derive(out, self->keys->names_key, "keepsake invitation",
	    slice_of(context, sizeof(context)));
	sodium_memzero(context, sizeof(context));
}

enum status auth_read_cookie(struct auth *self, struct exchange *x,
    enum cookie_purpose purpose, ProtobufCBinaryData cookie, void *content,
    size_t len)
{
	enum status st = cookie_open(content, len, self->keys->cookie_key,
	    purpose, &x->header.peer, field_slice(cookie));

	if (st == STATUS_EXPIRED)
		return exchange_refuse(
		    x, st, "this took too long: begin again");
	if (st == STATUS_DENIED)
		return exchange_refuse(
		    x, st, "the cookie is not this terminal's: begin again");
	return st;
}

enum status auth_reply_offer(
    struct auth *self, struct sealed *sealed, const struct offer *offer)
{
	Auth__RegisterChallenge reply = AUTH__REGISTER_CHALLENGE__INIT;
	struct exchange *x = sealed->exchange;
	uint8_t response[OPAQUE_RESPONSE_BYTES];
	struct credential_id id;
	struct bytes cookie = { 0 };

	credential_id_of(&id, offer->account, offer->slot);
	enum status st =
	    opaque_registration_respond(response, &self->keys->opaque,
		slice_of(id.bytes, id.len), field_slice(offer->request));
	if (st != STATUS_OK)
		return exchange_refuse(x, st, "that is no OPAQUE request");
	st = cookie_seal(&cookie, self->keys->cookie_key, offer->purpose,
	    &x->header.peer, offer->content);
	if (st == STATUS_OK) {
		reply.opaque_response =
		    field_of(slice_of(response, sizeof(response)));
		reply.account_id =
		    field_of(slice_of(offer->account->bytes, ID_BYTES));
		reply.cookie = field_of(bytes_slice(&cookie));
		st = sealed_reply(sealed, &reply.base);
	}
	bytes_clear(&cookie);
	return st;
}

/* ---- life ---- */

/* auth.trust must be of auth.seed, or no service would take our tickets. */
static enum status check_trust(struct auth *self)
{
	struct auth_public ours, published;

	enum status st = trust_read(&published, self->service->program.conf);
	if (st != STATUS_OK)
		return st;
	auth_keys_public(&ours, self->keys);
	if (memcmp(&ours, &published, sizeof(ours)) == 0)
		return STATUS_OK;
	log_error(NULL, "auth_keys_unusable",
	    "why=\"auth.trust does not belong to auth.seed\"");
	return STATUS_CONFLICT;
}

enum status auth_migrate(struct service *service, struct db *db, uint32_t from)
{
	(void)from; /* 1: there is no other */
	return auth_db_migrate(service->keyring, db);
}

enum status auth_open(struct service *service, void **state_out)
{
	struct auth *self = calloc(1, sizeof(*self));

	if (!self)
		return STATUS_NO_SPACE;
	*state_out = self; /* closed by auth_close, whatever follows */
	self->service = service;
	self->db = service->db;
	auth_rows_init(&self->rows, service->db, service->keyring);
	self->ticket_ms =
	    conf_number(service->program.conf, "auth", "ticket_ms");
	self->allow_identifier_only =
	    strcmp(conf_text(
		       service->program.conf, "auth", "allow_identifier_only"),
		"yes") == 0;
	self->contact = conf_text(service->program.conf, "common", "contact");
	if (self->contact[0] == '\0')
		self->contact = "the operator of this server";
	snprintf(self->disabled, sizeof(self->disabled),
	    "this account is disabled: ask %s", self->contact);
	enum status st = trust_keys(&self->keys, service->program.conf);
	if (st == STATUS_OK)
		st = check_trust(self);
	if (st == STATUS_OK)
		st = limits_new(&self->by_account,
		    conf_number(service->program.conf, "auth",
			"proofs_per_minute_account"));
	if (st == STATUS_OK)
		st = limits_new(&self->by_address,
		    conf_number(service->program.conf, "auth",
			"proofs_per_minute_address"));
	if (st == STATUS_OK)
		st = issue_new(&self->issue, service);
	return st == STATUS_OK ? tries_new(&self->tries, service) : st;
}

void auth_close(void **state_p)
{
	struct auth *self = *state_p;

	deed_destroy_all(self);
	issue_destroy(&self->issue);
	tries_destroy(&self->tries);
	limits_destroy(&self->by_account);
	limits_destroy(&self->by_address);
	auth_keys_destroy(&self->keys);
	sodium_memzero(self, sizeof(*self));
	free(self);
	*state_p = NULL;
}

void auth_figures(void *state, struct exchange *x,
    void (*add)(struct exchange *exchange, const char *name, uint64_t value))
{
	const struct auth *self = state;
	struct db_stats journal;

	if (db_stats(self->service->journal, &journal) == STATUS_OK) {
		add(x, "journal_rows", journal.rows);
		add(x, "journal_commits", journal.commits);
		add(x, "journal_batches", journal.batches);
	}
	uint64_t known = auth_db_accounts(self->db);
	uint64_t deleted = orders_deletions(self->service->orders);

	/* Of those that are deleted a tombstone stays. */
	add(x, "accounts", known > deleted ? known - deleted : 0);
	add(x, "registrations", self->registrations);
	add(x, "logins_ok", self->logins_ok);
	add(x, "logins_denied", self->logins_denied);
	add(x, "tickets_issued", self->tickets_issued);
	add(x, "limited", self->limited);
	add(x, "services_behind", issue_behind(self->issue));
}

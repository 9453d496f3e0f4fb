#include "attacks.h"

#include "auth.pb-c.h"
#include "base/util.h"
#include "binding.pb-c.h"
#include "common.pb-c.h"
#include "notify.pb-c.h"
#include "ops.pb-c.h"
#include "store.pb-c.h"

/* What is tried: R-07-accounts-apart.sh holds it against proto/. */

#define OK        BIT(STATUS_OK)
#define NOT_FOUND BIT(STATUS_NOT_FOUND)
#define CONFLICT  BIT(STATUS_CONFLICT)
#define DENIED    BIT(STATUS_DENIED)
#define NEEDS     BIT(STATUS_AUTH_REQUIRED)
#define LOCKED    BIT(STATUS_LOCKED)
#define EXPIRED   BIT(STATUS_EXPIRED)
#define MALFORMED BIT(STATUS_MALFORMED)

#define TYPE(service, name) #name, service##__TYPE__##name

/* clang-format off */
const struct asked messages[] = {
	{ TYPE(AUTH, VERIFICATION_BEGIN),     DIRECTION_ENROL,    body_empty,               CLEAR },
	{ TYPE(AUTH, VERIFICATION_FINISH),    DIRECTION_ENROL,    body_verification_finish, SEALED },
	{ TYPE(AUTH, CODE_BEGIN),             DIRECTION_MANAGE,   body_empty,               CLEAR },
	{ TYPE(AUTH, CODE_FINISH),            DIRECTION_MANAGE,   body_code_finish,         SEALED },
	{ TYPE(AUTH, CODE_REMOVE),            DIRECTION_MANAGE,   body_empty,               CLEAR },
	{ TYPE(AUTH, INVITATION),             DIRECTION_MANAGE,   body_empty,               CLEAR },
	{ TYPE(AUTH, GRANT_ADD),              DIRECTION_MANAGE,   body_empty,               CLEAR },
	{ TYPE(AUTH, GRANT_LIST),             DIRECTION_MANAGE,   body_empty,               CLEAR },
	{ TYPE(AUTH, GRANT_REMOVE),           DIRECTION_MANAGE,   body_grant_remove,        CLEAR },
	{ TYPE(AUTH, SESSIONS),               DIRECTION_MANAGE,   body_empty,               CLEAR },
	{ TYPE(AUTH, REVOKE),                 DIRECTION_MANAGE,   body_revoke_session,      CLEAR },
	{ TYPE(AUTH, DEREGISTER),             DIRECTION_MANAGE,   body_deregister,          CLEAR },
	{ TYPE(STORE, BACKUP_BEGIN),          DIRECTION_UPLOAD,   body_empty,               CLEAR },
	{ TYPE(STORE, HAVE),                  DIRECTION_UPLOAD,   body_have,                CLEAR },
	{ TYPE(STORE, PUT),                   DIRECTION_UPLOAD,   body_put,                 WITH_PAYLOAD },
	{ TYPE(STORE, PUT_MANY),              DIRECTION_UPLOAD,   body_put_many,            WITH_PAYLOAD },
	{ TYPE(STORE, PUBLISH),               DIRECTION_UPLOAD,   body_publish,             CLEAR },
	{ TYPE(STORE, BACKUP_ABANDON),        DIRECTION_UPLOAD,   body_abandon,             CLEAR },
	{ TYPE(STORE, SNAPSHOTS),             DIRECTION_DOWNLOAD, body_empty,               CLEAR },
	{ TYPE(STORE, RESTORE_BEGIN),         DIRECTION_DOWNLOAD, body_empty,               CLEAR },
	{ TYPE(STORE, GET),                   DIRECTION_DOWNLOAD, body_get,                 CLEAR },
	{ TYPE(STORE, SNAPSHOT_DELETE),       DIRECTION_MANAGE,   body_snapshot_delete,     CLEAR },
	{ TYPE(STORE, DAMAGE),                DIRECTION_DOWNLOAD, body_empty,               CLEAR },
	{ TYPE(STORE, DRILL),                 DIRECTION_UPLOAD,   body_drill,               CLEAR },
	{ TYPE(STORE, RESTORE_END),           DIRECTION_DOWNLOAD, body_restore_end,         CLEAR },
	{ TYPE(BINDING, BIND),                DIRECTION_ENROL,    body_bind,                CLEAR },
	{ TYPE(BINDING, TERMINALS),           DIRECTION_MANAGE,   body_empty,               CLEAR },
	{ TYPE(BINDING, REBIND),              DIRECTION_BIND,     body_rebind,              CLEAR },
	{ TYPE(BINDING, UNBIND),              DIRECTION_BIND,     body_unbind_terminal,     CLEAR },
	{ TYPE(BINDING, ENTRY_SAVE),          DIRECTION_UPLOAD,   body_entry_save,          CLEAR },
	{ TYPE(BINDING, ENTRIES),             DIRECTION_DOWNLOAD, body_empty,               CLEAR },
	{ TYPE(BINDING, ENTRY_FETCH),         DIRECTION_DOWNLOAD, body_entry_fetch,         CLEAR },
	{ TYPE(NOTIFY, SUBSCRIBE),            DIRECTION_NOTICES,  body_empty,               CLEAR },
	{ TYPE(NOTIFY, RULES),                DIRECTION_NOTICES,  body_empty,               CLEAR },
	{ TYPE(NOTIFY, SET_RULES),            DIRECTION_MANAGE,   body_rules,               CLEAR },
	{ TYPE(NOTIFY, FETCH),                DIRECTION_NOTICES,  body_empty,               CLEAR },
	{ TYPE(NOTIFY, ACK),                  DIRECTION_NOTICES,  body_ack,                 CLEAR },
};

const size_t messages_count = nitems(messages);

const struct way ways[] = {
	{ "no ticket",                           NO_TICKET_AT_ALL, SAYS_VICTIM,  NEEDS },
	{ "own ticket, the victim's account",    OWN,              SAYS_VICTIM,  DENIED },
	{ "own ticket for another direction",    OWN_OTHER,        SAYS_OWN,     NEEDS },
	{ "own ticket with the victim's account written in", OWN_EDITED, SAYS_VICTIM, DENIED },
	{ "own expired ticket",                  OWN_EXPIRED,      SAYS_OWN,     EXPIRED | CONFLICT },
	{ "the victim's ticket",                 STOLEN,           SAYS_VICTIM,  DENIED },
	{ "the victim's ticket, nothing said",   STOLEN,           SAYS_NOTHING, DENIED },
	{ "the victim's ticket, own account",    STOLEN,           SAYS_OWN,     DENIED },
	{ "the victim's expired ticket",         STOLEN_EXPIRED,   SAYS_VICTIM,  EXPIRED | DENIED },
	{ "the victim's ticket with own key written in", STOLEN_EDITED, SAYS_VICTIM, DENIED },
};

const size_t ways_count = nitems(ways);

const struct named names[] = {
	{ "the victim's lease",           { TYPE(STORE, HAVE),                  DIRECTION_UPLOAD,   body_have,                CLEAR        }, CONFLICT, NULL },
	{ "the victim's lease",           { TYPE(STORE, PUT),                   DIRECTION_UPLOAD,   body_put,                 WITH_PAYLOAD }, CONFLICT, NULL },
	{ "the victim's lease",           { TYPE(STORE, PUT_MANY),              DIRECTION_UPLOAD,   body_put_many,            WITH_PAYLOAD }, CONFLICT, NULL },
	{ "the victim's lease",           { TYPE(STORE, PUBLISH),               DIRECTION_UPLOAD,   body_publish,             CLEAR        }, CONFLICT, NULL },
	{ "the victim's lease",           { TYPE(STORE, BACKUP_ABANDON),        DIRECTION_UPLOAD,   body_abandon,             CLEAR        }, CONFLICT, NULL },
	{ "the victim's lease",           { TYPE(STORE, GET),                   DIRECTION_DOWNLOAD, body_get,                 CLEAR        }, CONFLICT, NULL },
	{ "the victim's lease",           { TYPE(STORE, RESTORE_END),           DIRECTION_DOWNLOAD, body_restore_end,         CLEAR        }, CONFLICT, NULL },
	{ "the victim's chunks",          { TYPE(STORE, HAVE),                  DIRECTION_UPLOAD,   body_have_own_lease,      CLEAR        }, OK, check_absent },
	{ "a reference to its chunk",     { TYPE(STORE, PUT),                   DIRECTION_UPLOAD,   body_put_reference,       WITH_PAYLOAD }, NOT_FOUND, NULL },
	{ "its root",                     { TYPE(STORE, PUBLISH),               DIRECTION_UPLOAD,   body_publish_own_lease,   CLEAR        }, NOT_FOUND, NULL },
	{ "its root",                     { TYPE(STORE, GET),                   DIRECTION_DOWNLOAD, body_get_root_own_lease,  CLEAR        }, NOT_FOUND, NULL },
	{ "its chunk",                    { TYPE(STORE, GET),                   DIRECTION_DOWNLOAD, body_get_chunk_own_lease, CLEAR        }, NOT_FOUND, NULL },
	{ "its serial number",            { TYPE(BINDING, BIND),                DIRECTION_ENROL,    body_bind,                CLEAR        }, CONFLICT, NULL },
	{ "its notice",                   { TYPE(NOTIFY, ACK),                  DIRECTION_NOTICES,  body_ack,                 CLEAR        }, OK, check_empty },
	{ "nothing",                      { TYPE(STORE, SNAPSHOTS),             DIRECTION_DOWNLOAD, body_empty,               CLEAR        }, OK, check_snapshots },
	{ "its account",                  { TYPE(AUTH, DEREGISTER),             DIRECTION_MANAGE,   body_deregister,          CLEAR        }, DENIED, NULL },
	{ "its session",                  { TYPE(AUTH, REVOKE),                 DIRECTION_MANAGE,   body_revoke_session,      CLEAR        }, NOT_FOUND, NULL },
	{ "its terminal",                 { TYPE(AUTH, REVOKE),                 DIRECTION_MANAGE,   body_revoke_terminal,     CLEAR        }, OK | NOT_FOUND | CONFLICT, check_revoked },
	{ "its terminal",                 { TYPE(AUTH, GRANT_REMOVE),           DIRECTION_MANAGE,   body_grant_remove,        CLEAR        }, NOT_FOUND, NULL },
	{ "nothing",                      { TYPE(AUTH, SESSIONS),               DIRECTION_MANAGE,   body_empty,               CLEAR        }, OK, check_sessions },
	{ "nothing",                      { TYPE(AUTH, GRANT_LIST),             DIRECTION_MANAGE,   body_empty,               CLEAR        }, OK, check_grants },
	{ "nothing",                      { TYPE(BINDING, TERMINALS),           DIRECTION_MANAGE,   body_empty,               CLEAR        }, OK, check_terminals },
	{ "nothing",                      { TYPE(NOTIFY, FETCH),                DIRECTION_NOTICES,  body_empty,               CLEAR        }, OK, check_notices },
	{ "its last snapshot",            { TYPE(STORE, SNAPSHOT_DELETE),       DIRECTION_MANAGE,   body_snapshot_delete,     CLEAR        }, NOT_FOUND, NULL },
	{ "its last snapshot",            { TYPE(STORE, DRILL),                 DIRECTION_UPLOAD,   body_drill,               CLEAR        }, OK, check_empty },
	{ "nothing",                      { TYPE(STORE, DAMAGE),                DIRECTION_DOWNLOAD, body_empty,               CLEAR        }, OK, check_damage },
	{ "its serial number",            { TYPE(BINDING, REBIND),              DIRECTION_BIND,     body_rebind,              CLEAR        }, CONFLICT, NULL },
	{ "its serial number",            { TYPE(BINDING, UNBIND),              DIRECTION_BIND,     body_unbind_serial,       CLEAR        }, NOT_FOUND, NULL },
	{ "its terminal",                 { TYPE(BINDING, UNBIND),              DIRECTION_BIND,     body_unbind_terminal,     CLEAR        }, NOT_FOUND, NULL },
	{ "its card",                     { TYPE(BINDING, ENTRY_SAVE),          DIRECTION_UPLOAD,   body_entry_save,          CLEAR        }, CONFLICT, NULL },
	{ "its card",                     { TYPE(BINDING, ENTRY_FETCH),         DIRECTION_DOWNLOAD, body_entry_fetch,         CLEAR        }, NOT_FOUND, NULL },
	{ "nothing",                      { TYPE(BINDING, ENTRIES),             DIRECTION_DOWNLOAD, body_empty,               CLEAR        }, OK, check_entries },
	{ "nothing",                      { TYPE(NOTIFY, RULES),                DIRECTION_NOTICES,  body_empty,               CLEAR        }, OK, check_rules },
	{ "its cookie",                   { TYPE(AUTH, CODE_FINISH),            DIRECTION_MANAGE,   body_code_finish,         SEALED       }, DENIED, NULL },
	{ "its cookie",                   { TYPE(AUTH, VERIFICATION_FINISH),    DIRECTION_BIND,     body_verification_finish, SEALED       }, DENIED, NULL },
	{ "its cookie",                   { TYPE(AUTH, REGISTER_FINISH),        DIRECTION_NONE,     body_register_finish,     SEALED       }, DENIED, NULL },
	{ "its name",                     { TYPE(AUTH, REGISTER_BEGIN),         DIRECTION_NONE,     body_register_begin,      SEALED       }, CONFLICT, NULL },
	{ "its name",                     { TYPE(AUTH, FACTORS),                DIRECTION_NONE,     body_factors,             NAME_SEALED  }, OK, check_factors },
	{ "its name",                     { TYPE(AUTH, LOGIN_BEGIN),            DIRECTION_NONE,     body_login_begin,         NAME_SEALED  }, OK | LOCKED, NULL },
	{ "its name",                     { TYPE(AUTH, INVITE),                 DIRECTION_NONE,     body_empty,               NAME_SEALED  }, OK, check_empty },
	{ "its proof",                    { TYPE(AUTH, LOGIN_FINISH),           DIRECTION_NONE,     body_login_finish,        CLEAR        }, DENIED, NULL },
	{ "its proof",                    { TYPE(AUTH, GRANT_LOGIN_FINISH),     DIRECTION_NONE,     body_grant_login_finish,  CLEAR        }, DENIED, NULL },
	{ "nothing",                      { TYPE(AUTH, GRANT_LOGIN_BEGIN),      DIRECTION_NONE,     body_grant_login_begin,   CLEAR        }, DENIED, NULL },
	{ "nothing",                      { TYPE(COMMON, PING),                 DIRECTION_NONE,     body_empty,               CLEAR        }, OK, check_empty },
};

const size_t names_count = nitems(names);

/* What belongs to other doors: the operator's, and those of services. */
const struct asked forbidden[] = {
	{ TYPE(COMMON, STATUS_QUERY),         DIRECTION_MANAGE,   body_empty,               CLEAR },
	{ TYPE(COMMON, REPLY),                DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(COMMON, ORDERS),               DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(COMMON, AUDIT_READ),           DIRECTION_MANAGE,   body_audit,               CLEAR },
	{ TYPE(COMMON, REKEY),                DIRECTION_MANAGE,   body_empty,               CLEAR },
	{ TYPE(COMMON, COMPACT),              DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(AUTH, VERIFICATION_STATE),     DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(AUTH, TERMINAL_GONE),          DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(BINDING, LOOKUP),              DIRECTION_MANAGE,   body_lookup,              CLEAR },
	{ TYPE(BINDING, TERMINALS_OF),        DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(NOTIFY, PUSH),                 DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(NOTIFY, TELL),                 DIRECTION_MANAGE,   body_tell,                CLEAR },
	{ TYPE(OPS, EXPORT),                  DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(OPS, BACKUP),                  DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(OPS, VERIFY),                  DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(OPS, FIND_ACCOUNT),            DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(OPS, ACCOUNTS),                DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(OPS, LOCKS),                   DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(OPS, UNLOCK),                  DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(OPS, HAND_BACK),               DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(OPS, INVITE),                  DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(OPS, SESSIONS),                DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(OPS, REVOKE),                  DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(OPS, DISABLE),                 DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(OPS, ENABLE),                  DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(OPS, REMOVE),                  DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(OPS, USAGE),                   DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(OPS, DAMAGE),                  DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(OPS, SCRUB),                   DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(OPS, QUOTA),                   DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(OPS, QUOTA_SET),               DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(OPS, BINDINGS),                DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(OPS, QUEUE),                   DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(OPS, DEAD_LETTERS),            DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(OPS, WAITING),                 DIRECTION_MANAGE,   body_account,             CLEAR },
	{ TYPE(OPS, RESEND),                  DIRECTION_MANAGE,   body_account,             CLEAR },
};

const size_t forbidden_count = nitems(forbidden);
const uint32_t forbidden_allowed = MALFORMED | DENIED;

const struct named races[] = {
	{ "the victim's request id",      { TYPE(STORE, SNAPSHOTS),             DIRECTION_DOWNLOAD, body_empty,               CLEAR        }, OK, check_snapshots },
	{ "the victim's request id",      { TYPE(BINDING, TERMINALS),           DIRECTION_MANAGE,   body_empty,               CLEAR        }, OK, check_terminals },
	{ "the victim's request id",      { TYPE(NOTIFY, FETCH),                DIRECTION_NOTICES,  body_empty,               CLEAR        }, OK, check_notices },
	{ "the victim's request id",      { TYPE(STORE, HAVE),                  DIRECTION_UPLOAD,   body_have,                CLEAR        }, CONFLICT, NULL },
	{ "the victim's request id",      { TYPE(STORE, GET),                   DIRECTION_DOWNLOAD, body_get,                 CLEAR        }, CONFLICT, NULL },
	{ "the victim's request id",      { TYPE(BINDING, ENTRY_FETCH),         DIRECTION_DOWNLOAD, body_entry_fetch,         CLEAR        }, NOT_FOUND, NULL },
	{ "the victim's request id",      { TYPE(AUTH, LOGIN_FINISH),           DIRECTION_NONE,     body_login_finish,        CLEAR        }, DENIED, NULL },
};
/* clang-format on */

const size_t races_count = nitems(races);

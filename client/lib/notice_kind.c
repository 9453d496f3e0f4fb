#include "notice_kind.h"

#include <string.h>

#include "base/util.h"

/* clang-format off */
static const struct notice_kind kinds[] = {
	{ NOTIFY__KIND__BACKUP_DONE,      "backup_done",      "a backup is stored" },
	{ NOTIFY__KIND__TERMINAL_BOUND,   "terminal_bound",   "a terminal was bound to the account; if it is none of yours: keepsake revoke --terminal, then keepsake password" },
	{ NOTIFY__KIND__NAME_ASKED_AGAIN, "name_asked_again", "somebody tried to register your name; nothing has changed, and nobody was told that it is taken" },
	{ NOTIFY__KIND__REGISTERED,       "registered",       "the account was made" },
	{ NOTIFY__KIND__CODE_CHANGED,     "code_changed",     "a code of the account was changed; if it was not you: keepsake revoke --all, and tell the operator" },
	{ NOTIFY__KIND__CODE_LOCKED,      "code_locked",      "too many wrong tries have shut a way in; if they were not yours, somebody is guessing: nothing has been opened, and a longer password keeps it so" },
	{ NOTIFY__KIND__INVITATION,       "invitation",       "somebody wants to sign in with a new terminal and asks for this invitation; if it is not you, give it to nobody" },
	{ NOTIFY__KIND__TERMINAL_REBOUND, "terminal_rebound", "a terminal of the account has a new key, or another name by which it is known; if it was not you, change the verification information and tell the operator" },
	{ NOTIFY__KIND__TERMINAL_UNBOUND, "terminal_unbound", "a terminal is no longer bound to the account; if it was not you, change the verification information and tell the operator" },
	{ NOTIFY__KIND__GRANT_GIVEN,      "grant_given",      "a terminal may back up from now on with nobody asked; if it was not you, take that away and change the password" },
	{ NOTIFY__KIND__GRANT_REMOVED,    "grant_removed",    "a terminal may no longer back up with nobody asked" },
	{ NOTIFY__KIND__NEW_LOGIN,        "new_login",        "somebody signed in on a terminal that is not bound, with the account's password; if it was not you: keepsake revoke --all, then keepsake password" },
	{ NOTIFY__KIND__RESTORE_DONE,     "restore_done",     "a terminal has restored a snapshot; if it was not you: keepsake revoke --all, then keepsake password" },
	{ NOTIFY__KIND__SNAPSHOTS_DELETED, "snapshots_deleted", "snapshots were deleted, for good; if it was not you: keepsake revoke --all, then keepsake password" },
	{ NOTIFY__KIND__BACKUP_DAMAGED,   "backup_damaged",   "something of the account is damaged at the server: keepsake check says which files; the next backup of a terminal that still has them mends it" },
	{ NOTIFY__KIND__QUOTA_SOON,       "quota_soon",       "the account is over its soft quota: delete what is not needed (keepsake thin), or ask the operator" },
	{ NOTIFY__KIND__QUOTA_REACHED,    "quota_reached",    "a backup was refused, as the account's quota is used up; what was stored before is safe: keepsake thin, or ask the operator" },
};
/* clang-format on */

const struct notice_kind *notice_kind(Notify__Kind number)
{
	static const struct notice_kind other = { NOTIFY__KIND__NO_KIND,
		"other", "this keepsake is too old to know what it is" };

	for (size_t i = 0; i < nitems(kinds); i++)
		if (kinds[i].number == number)
			return &kinds[i];
	return &other;
}

const struct notice_kind *notice_kind_named(const char *word)
{
	for (size_t i = 0; i < nitems(kinds); i++)
		if (strcmp(kinds[i].word, word) == 0)
			return &kinds[i];
	return NULL;
}

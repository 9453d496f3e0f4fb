#!/bin/bash
# A-14: the owner sees by the command line who is signed in, and signs out
# one, those of a terminal, or everybody.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
terminal_of two anna
two=$(json .terminal "$(keepsake_as two --json status)")

# A ticket of a terminal, in $ticket, and the id of its session, in $session.
sign_in() { # TERMINAL DIRECTION
	local before
	before=$(keepsake_as one --json sessions)
	read -r ticket _ < <(raw_login "$1" anna "$2")
	session=$(jq -er --argjson before "$before" --arg word "${2,,}" \
	    'map(select(.direction == $word).session) -
	    ($before | map(.session)) | .[0]' \
	    <<<"$(keepsake_as one --json sessions)")
}

# That the store answers a ticket of a terminal so.
assert_ticket() { # STATUS TERMINAL
	expect_raw "$1" "$2" --ticket "$ticket" ask store.SNAPSHOTS >/dev/null
}

case_begin "A-14 sessions lists who is signed in, this command too"
sign_in two DOWNLOAD
list=$(keepsake_as one --json sessions)
assert_json "any(.[]; .session == \"$session\" and .terminal == \"$two\" and
    .direction == \"download\" and (.current | not) and
    .since < .expiry and .expiry <= .ends)" "$list" list
assert_json '[.[] | select(.current)] | length == 1 and
    .[0].direction == "manage"' "$list" current
assert_match "$session  download" "$(keepsake_as one sessions)" "for people"
case_pass

case_begin "A-14 revoke signs one out, and nobody else"
assert_ticket ok two
first=$ticket
sign_in two DOWNLOAD
said=$(keepsake_as one --json revoke "$session")
assert_json '.revoked and .unconfirmed == []' "$said" answer
assert_ticket denied two
ticket=$first assert_ticket ok two
case_pass

case_begin "A-14 a session that is none is named as one"
said=$(expect_error 6 not_found one revoke "$session")
assert_match 'no such session' "$(json .detail "$said")" detail
case_pass

case_begin "A-14 revoke --terminal signs out all of a terminal"
sign_in one DOWNLOAD
mine=$ticket
keepsake_as one --quiet revoke --terminal "$two"
ticket=$first assert_ticket denied two
ticket=$mine assert_ticket ok one
case_pass

case_begin "A-14 revoke --all signs out everybody; the password lets in again"
said=$(keepsake_as two revoke --all)
assert_match 'keepsake password' "$said" "what next"
ticket=$mine assert_ticket denied one
keepsake_as one --json snapshots >/dev/null
case_pass

case_begin "A-14 a service that has not confirmed is named, and what it means"
service_stop notify
keepsake_as one revoke --all >/dev/null 2>"$WORLD/err"
assert_match 'notify has not confirmed: .*when it is back' \
    "$(cat "$WORLD/err")" text
assert_json '.unconfirmed == ["notify"]' \
    "$(keepsake_as one --json revoke --all)" answer
service_start notify
case_pass

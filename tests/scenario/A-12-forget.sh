#!/bin/bash
# A-12: the owner deletes the account by the command line, never by accident;
# the terminal is nobody's then.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
terminal_of two anna
tree_make "$WORLD/tree" 1 5 12
keepsake_as one --quiet backup "$WORLD/tree"
account=$(json .account "$(keepsake_as one --json status)")
readonly folder=$WORLD/terminal/one

# That nothing is gone, there and here.
assert_there() {
	assert_json 'length == 1' "$(keepsake_as one --json snapshots)" list
}

# A person at a terminal who answers the one question of forget; the exit
# status is forget's, what was shown in $WORLD/shown.
answer() { # TEXT
	local pid typed status=0
	: >"$WORLD/shown"
	mkfifo "$WORLD/typed"
	script -qefc "$(printf '%q ' "$BUILD/keepsake" --state "$folder" \
	    --password-file "$WORLD/secret.password" forget)" \
	    "$WORLD/shown" <"$WORLD/typed" >/dev/null 2>&1 &
	pid=$!
	exec {typed}>"$WORLD/typed"
	wait_for 20 grep -q 'to delete it:' "$WORLD/shown" || fail "not asked"
	printf '%s\n' "$1" >&"$typed"
	wait "$pid" || status=$?
	exec {typed}>&-
	rm "$WORLD/typed"
	return "$status"
}

case_begin "A-12 nothing goes without the account's name, or its id"
said=$(setsid "$BUILD/keepsake" --state "$folder" --json --password-file \
    "$WORLD/secret.password" forget </dev/null 2>"$WORLD/err") && fail "done"
assert_json '.error == "auth_required" and .advice != ""' "$said" error
assert_match 'for ever.*Nobody can bring it back' \
    "$(tr '\n' ' ' <"$WORLD/err")" "what it means"
expect_error 7 conflict one forget --yes 00112233445566778899aabbccddeeff \
    >/dev/null
secret wrong 'not the right one'
expect_error 4 denied one --password-file "$WORLD/secret.wrong" \
    forget --yes "$account" >/dev/null
expect_status 7 answer bert
grep -q 'nothing was deleted' "$WORLD/shown" || fail "$(cat "$WORLD/shown")"
assert_there
case_pass

case_begin "A-12 not while this terminal backs up"
exec {held}<>"$folder/lock"
flock "$held"
expect_error 7 conflict one forget --yes "$account" >/dev/null
exec {held}>&-
assert_there
case_pass

case_begin "A-12 what this terminal has goes alone, where that is wanted"
keepsake_as two --quiet forget --local
assert_json '.name == null and .account == null and .terminal == null' \
    "$(keepsake_as two --json status)" status
said=$(expect_error 6 not_found two forget --local)
assert_match 'no account' "$(json .detail "$said")" detail
assert_there
terminal_bind two --name anna # the binding was never gone
keepsake_as two --quiet backup "$WORLD/tree"
case_pass

keepsake_as one --quiet backup --key local "$WORLD/tree"
keepsake_as one --quiet grant add
[ -e "$folder/keys/grant" ] || fail "no grant is kept"
case_begin "A-12 the account goes by its name, and all that is here of it"
answer anna || fail "$(cat "$WORLD/shown")"
assert_equal 'enrolment lock terminal.key' \
    "$(find "$folder" -type f -printf '%f\n' | sort | xargs)" files
expect_error 4 denied two snapshots >/dev/null
case_pass

case_begin "A-12 the name, the terminal and the device are free again"
keepsake_as one --quiet register anna
terminal_bind one
assert_json '. == []' "$(keepsake_as one --json snapshots)" list
case_pass

case_begin "A-12 a script gives the id; a service that is down is named"
keepsake_as one --quiet backup "$WORLD/tree"
account=$(json .account "$(keepsake_as one --json status)")
service_stop store
said=$(keepsake_as one --json forget --yes "$account")
assert_json ".forgotten == \"$account\" and .unconfirmed == [\"store\"]" \
    "$said" answer
service_start store
case_pass

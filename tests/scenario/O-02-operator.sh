#!/bin/bash
# O-02: what an operator does for a person, and to an account: each deed is
# asked for in full, on record, and says what it did.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
readonly NOBODY=00000000000000000000000000000001
readonly SEEN=(--document passport:12AB --reason 'asked for at the desk')

world_up
terminal_of_new one anna
terminal_of two anna
terminal_of_new other bert
mkdir "$WORLD/tree"
date >"$WORLD/tree/file"
keepsake_as one --quiet backup "$WORLD/tree"
keepsake_as other --quiet backup "$WORLD/tree"
printf 'what only the card knows' >"$WORLD/data"
keepsake_as one --quiet card save --iccid 8988211000000530082 \
    --number +4915112345678 --data-file "$WORLD/data"
account() { # NAME: its id
	printf '%s\n' "$1" | keepsakectl --json account --name-file - |
	    jq -r '.account[0].id'
}
anna=$(account anna)
bert=$(account bert)

# The records of an action about an account, oldest first.
records() { # ACTION ACCOUNT
	keepsakectl --json audit auth --account "$2" |
	    jq --arg action "$1" '[.[] | select(.action == $action)]'
}

# --- a data-protection request ------------------------------------------------

case_begin "O-02 an export has all that the server can read of one person"
keepsakectl export "$anna" --to "$WORLD/export" --reason 'a request' >/dev/null
assert_equal "auth.json binding.json notify.json store.json" \
    "$(cd "$WORLD/export" && echo *)" files
for service in auth store binding notify; do
	assert_json ".service == \"$service\" and .account == \"$anna\" and
	    (.exported | test(\"Z$\"))" "$(cat "$WORLD/export/$service.json")"
done
assert_json '.held.account[0].kind == "nickname" and
    .held.account[0].name == "anna" and
    (.held.code | map(.for) | sort == ["owner", "verification"])' \
    "$(cat "$WORLD/export/auth.json")" auth
assert_json '.held.terminal | map(.serial) | sort ==
    ["serial-of-one", "serial-of-two"]' \
    "$(cat "$WORLD/export/binding.json")" binding
assert_json '.held.card | length == 1 and
    .[0].iccid == "8988211000000530082" and
    (.[0].data | test("^[0-9a-f]+$"))' \
    "$(cat "$WORLD/export/binding.json")" card
assert_json '(.held.snapshot | length == 1) and
    .held.snapshot[0].ordinal == 1 and .held.usage[0].snapshots == 1' \
    "$(cat "$WORLD/export/store.json")" store
assert_json '(.held.told | length > 0) and
    all(.held.waiting[]?; .account == "'"$anna"'")' \
    "$(cat "$WORLD/export/notify.json")" notify
case_pass

case_begin "O-02 it is for nobody else's eyes"
assert_equal "700 600 600 600 600" \
    "$(stat -c %a "$WORLD/export" "$WORLD"/export/* | tr '\n' ' ' |
    sed 's/ $//')" modes
if grep -rqE 'serial-of-other|bert' "$WORLD/export"; then
	fail "another person's data"
fi
case_pass

case_begin "O-02 O-06 who exported it, and why, is on record"
assert_json 'length == 1 and (.[0].detail | test("a request")) and
    (.[0].actor | test("^operator "))' "$(records exported "$anna")" records
case_pass

case_begin "O-02 an export goes into a new or empty private folder only"
expect_status 2 keepsakectl export "$anna" --to "$WORLD/export" \
    2>"$WORLD/said"
grep -q 'there is something in it: name a new' "$WORLD/said" ||
    fail "said $(cat "$WORLD/said")"
mkdir -m 0755 "$WORLD/open"
expect_status 2 keepsakectl export "$anna" --to "$WORLD/open" 2>/dev/null
ln -s "$WORLD/export" "$WORLD/link"
expect_status 2 keepsakectl export "$anna" --to "$WORLD/link" 2>/dev/null
expect_status 2 keepsakectl export "$anna" --to "$WORLD/no/such" 2>/dev/null
mkdir -m 0700 "$WORLD/empty"
keepsakectl export "$anna" --to "$WORLD/empty" >/dev/null
case_pass

case_begin "O-02 R-02 an export that would lack a part is not written"
service_stop binding
expect_status 5 keepsakectl export "$anna" --to "$WORLD/part" \
    2>"$WORLD/said"
grep -q '^keepsakectl: binding: ' "$WORLD/said" ||
    fail "said $(cat "$WORLD/said")"
assert_equal '' "$(ls "$WORLD/part")" files
service_start binding
expect_status 3 keepsakectl export $NOBODY --to "$WORLD/nobody" 2>/dev/null
assert_equal '' "$(ls "$WORLD/nobody")" "of nobody"
case_pass

# --- sessions -----------------------------------------------------------------

case_begin "O-02 A-14 who is logged in is listed"
read -r ticket _ < <(raw_login one anna DOWNLOAD)
read -r ticket_two _ < <(raw_login two anna DOWNLOAD)
sessions=$(keepsakectl --json sessions "$anna")
one=$(keepsakectl --json bindings "$anna" |
    jq -r '.[] | select(.serial == "serial-of-one") | .id')
two=$(keepsakectl --json bindings "$anna" |
    jq -r '.[] | select(.serial == "serial-of-two") | .id')
assert_json "any(.[]; .for == \"download\" and .terminal == \"$one\") and
    any(.[]; .for == \"download\" and .terminal == \"$two\") and
    all(.[]; .id != null and (.expires | test(\"Z$\")))" "$sessions" sessions
expect_raw ok one --ticket "$ticket" ask store.SNAPSHOTS >/dev/null
case_pass

case_begin "O-02 A-14 one session is revoked, and no other"
session=$(json "[.[] | select(.for == \"download\" and
    .terminal == \"$one\")][-1].id" "$sessions")
assert_equal revoked "$(keepsakectl revoke "$anna" --session "$session")" said
answer=$(raw one --ticket "$ticket" ask store.SNAPSHOTS)
assert_no_match '^ok' "$answer" "answer to a revoked ticket"
expect_raw ok two --ticket "$ticket_two" ask store.SNAPSHOTS >/dev/null
expect_status 3 keepsakectl revoke "$anna" --session "$session" \
    2>"$WORLD/said"
grep -q 'no such session now' "$WORLD/said" || fail "$(cat "$WORLD/said")"
case_pass

case_begin "O-02 A-14 the sessions of a terminal are revoked, then all"
keepsakectl revoke "$anna" --terminal "$two" >/dev/null
answer=$(raw two --ticket "$ticket_two" ask store.SNAPSHOTS)
assert_no_match '^ok' "$answer" "answer to a revoked ticket"
read -r ticket _ < <(raw_login one anna DOWNLOAD)
keepsakectl revoke "$anna" --all --reason 'the phone was found' >/dev/null
answer=$(raw one --ticket "$ticket" ask store.SNAPSHOTS)
assert_no_match '^ok' "$answer" "answer to a revoked ticket"
assert_equal '[]' "$(keepsakectl --json sessions "$anna")" sessions
assert_json 'length == 3 and (.[2].detail |
    test("all sessions; reason: the phone was found"))' \
    "$(records revoked "$anna")" records
keepsake_as one --json snapshots >/dev/null
case_pass

case_begin "O-02 A-15 a grant goes with the sessions of its terminal"
keepsake_as one --quiet grant add
assert_json 'any(.[]; .row == "grant" and .terminal == "'"$one"'" and
    .upload and .report)' "$(keepsakectl --json sessions "$anna")" sessions
"$BUILD/keepsake" --state "$WORLD/terminal/one" --quiet backup --unattended \
    "$WORLD/tree"
keepsakectl revoke "$anna" --terminal "$one" >/dev/null
assert_equal '[]' "$(keepsakectl --json sessions "$anna")" sessions
status=0
"$BUILD/keepsake" --state "$WORLD/terminal/one" --quiet backup --unattended \
    "$WORLD/tree" 2>"$WORLD/said" || status=$?
assert_equal 4 "$status" "exit status: $(cat "$WORLD/said")"
assert_json 'any(.[]; .actor | test("^operator "))' \
    "$(records grant_removed "$anna")" records
case_pass

case_begin "O-02 A-14 a service that has not confirmed is named: exit status 1"
service_stop store
expect_status 1 keepsakectl revoke "$anna" --all >"$WORLD/out" 2>"$WORLD/said"
grep -q 'store has not confirmed it: it will when it is back' \
    "$WORLD/said" || fail "said $(cat "$WORLD/said")"
expect_status 1 keepsakectl --json revoke "$anna" --all \
    >"$WORLD/out" 2>/dev/null
assert_json '.unconfirmed == ["store"]' "$(cat "$WORLD/out")" unconfirmed
service_start store
case_pass

case_begin "O-02 revoke: what is wrong is said"
expect_status 2 keepsakectl revoke "$anna" 2>"$WORLD/said"
grep -q 'One of --session ID, --terminal ID and --all' "$WORLD/said" ||
    fail "said $(cat "$WORLD/said")"
expect_status 2 keepsakectl revoke "$anna" --all --session "$session" \
    2>/dev/null
expect_status 2 keepsakectl revoke "$anna" --session 12 2>/dev/null
expect_status 3 keepsakectl revoke $NOBODY --all 2>/dev/null
case_pass

# --- disable ------------------------------------------------------------------

case_begin "O-02 a disabled account lets nobody in, and nothing of it is gone"
read -r ticket _ < <(raw_login one anna DOWNLOAD)
expect_status 2 keepsakectl disable "$anna" 2>"$WORLD/said"
grep -q -- '--reason: this is done for a reason only' "$WORLD/said" ||
    fail "said $(cat "$WORLD/said")"
keepsake_as two --quiet grant add
assert_match '^disabled: ' "$(keepsakectl disable "$anna" \
    --reason 'stolen phone')" said
answer=$(raw one --ticket "$ticket" ask store.SNAPSHOTS)
assert_no_match '^ok' "$answer" "answer to a ticket of before"
said=$(expect_error 4 denied one snapshots)
assert_match 'disabled' "$(json .detail "$said")" detail
status=0
"$BUILD/keepsake" --state "$WORLD/terminal/two" --quiet backup --unattended \
    "$WORLD/tree" 2>"$WORLD/said" || status=$?
assert_equal 4 "$status" "exit status of a grant: $(cat "$WORLD/said")"
assert_json '.account[0].disabled == true' \
    "$(keepsakectl --json account "$anna")" account
keepsake_as other --json snapshots >/dev/null
case_pass

case_begin "O-02 it stays disabled through a crash, and is said to be"
service_kill auth
service_start auth
expect_error 4 denied one snapshots >/dev/null
expect_status 4 keepsakectl disable "$anna" --reason again 2>"$WORLD/said"
grep -q 'disabled already' "$WORLD/said" || fail "$(cat "$WORLD/said")"
case_pass

case_begin "O-02 enabled again, all is as it was"
assert_match '^enabled: ' "$(keepsakectl enable "$anna" \
    --reason 'the phone is back')" said
assert_restores one latest "$WORLD/tree"
"$BUILD/keepsake" --state "$WORLD/terminal/two" --quiet backup --unattended \
    "$WORLD/tree"
expect_status 4 keepsakectl enable "$anna" --reason again 2>"$WORLD/said"
grep -q 'enabled already' "$WORLD/said" || fail "$(cat "$WORLD/said")"
assert_json 'length == 1 and (.[0].detail | test("the phone is back"))' \
    "$(records enabled "$anna")" records
assert_json 'length == 1' "$(records disabled "$anna")" records
case_pass

# --- delete -------------------------------------------------------------------

case_begin "O-02 A-12 without the id repeated, a document and a reason nothing is deleted"
for arguments in "--yes-delete $bert" "--yes-delete ${anna:0:31}" ""; do
	# shellcheck disable=SC2086 # words
	expect_status 2 keepsakectl delete "$anna" "${SEEN[@]}" $arguments \
	    2>"$WORLD/said"
	grep -q 'yes-delete must repeat its id' "$WORLD/said" ||
	    fail "said $(cat "$WORLD/said")"
done
expect_status 2 keepsakectl delete "$anna" --yes-delete "$anna" \
    --reason 'asked for' 2>/dev/null
expect_status 2 keepsakectl delete "$anna" --yes-delete "$anna" \
    --document passport:12AB 2>/dev/null
keepsake_as one --json snapshots >/dev/null
case_pass

case_begin "O-02 A-12 one person is deleted, everywhere, and no other"
blobs=$(figure store db_blobs)
assert_equal deleted "$(keepsakectl delete "$anna" "${SEEN[@]}" \
    --yes-delete "$anna" --operator desk-3)" said
expect_status 3 keepsakectl account "$anna" 2>/dev/null
expect_status 3 keepsakectl account --name-file <(echo anna) 2>/dev/null
gone() {
	[ "$(keepsakectl --json bindings "$anna")" = '[]' ] &&
	    [ "$(figure store db_blobs)" -lt "$blobs" ]
}
wait_for 20 gone || fail "still there: $(keepsakectl --json bindings "$anna")"
status=0
keepsake_as one --json snapshots >/dev/null 2>&1 || status=$?
[ "$status" -ne 0 ] || fail "the terminal of a deleted account got in"
keepsake_as other --json snapshots >/dev/null
assert_restores other latest "$WORLD/tree"
case_pass

case_begin "O-02 O-06 that it happened, and who did it, stays on record"
assert_json 'any(.[]; .action == "account_removed" and
    .actor == "operator desk-3" and
    (.detail | test("'"$anna"'.*asked for at the desk")) and
    (.detail | test("12AB") | not))' "$(keepsakectl --json audit auth)" audit
assert_json 'length == 1 and .[0].readable == false' \
    "$(records account_deleted "$anna")" "what was sealed under its key"
keepsakectl audit verify >/dev/null
case_pass

case_begin "O-02 O-03 no document, reason or name is in a log"
if grep -rE '12AB|at the desk|anna|bert|serial-of' "$WORLD_LOG" |
    grep -vE '/(keys|stderr).log:'; then
	fail "personal data in a log"
fi
case_pass

#!/bin/bash
# A-15: by a standing grant a terminal backs up with nobody there to type a
# password.  It can write backups and not read them; the grant is challenged
# each time, listed, and ended.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
tree_make "$WORLD/tree" 4 20 15

# keepsake(1) with no password, and nobody to ask.
alone() { # TERMINAL ARGUMENTS...
	local name=$1
	shift
	setsid -w "$BUILD/keepsake" --state "$WORLD/terminal/$name" "$@" \
	    </dev/null
}

# Insist that an unattended backup fails; prints the JSON.
expect_alone() { # CODE WORD TERMINAL [ARGUMENTS...]
	local code=$1 word=$2 name=$3 got=0 output
	shift 3
	output=$(alone "$name" --json backup --unattended "$@" \
	    "$WORLD/tree" 2>>"$WORLD_LOG/stderr.log") || got=$?
	[ "$got" -eq "$code" ] ||
	    fail "exit status $got, want $code: $output"
	assert_json ".error == \"$word\" and .detail != \"\" and .advice != \"\"" \
	    "$output" "what is told"
	printf '%s\n' "$output"
}

thief() { # TERMINAL ticket|open
	"$BUILD/tests/tool/thief" --state "$WORLD/terminal/$1" "$2"
}

case_begin "A-15 without a grant there is no unattended backup"
assert_match 'grant add' "$(expect_alone 6 not_found one)" advice
case_pass

case_begin "A-15 a grant needs the full proof, for managing"
secret wrong 'a guess'
expect_error 4 denied one --password-file "$WORLD/secret.wrong" grant add \
    >/dev/null
expect_status 4 alone one grant add 2>/dev/null
for direction in UPLOAD DOWNLOAD ENROL NOTICES; do
	read -r ticket _ < <(raw_login one anna "$direction")
	for type in GRANT_ADD GRANT_LIST GRANT_REMOVE; do
		expect_raw auth_required one --ticket "$ticket" \
		    ask "auth.$type" >/dev/null
	done
done
[ ! -e "$WORLD/terminal/one/keys/grant" ] || fail "a grant is kept"
assert_json '. == []' "$(keepsake_as one --json grant list)" grants
case_pass

case_begin "A-15 none is given for more than upload and report"
read -r manage _ < <(raw_login one anna MANAGE)
# GrantAdd: public_key is field 1, directions field 2.  The key is that of
# RFC 8032 clause 7.1, TEST 1.
key=0a20d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a
for direction in 02 03 04 06 07; do
	expect_raw denied one --ticket "$manage" \
	    --body "${key}1201${direction}" ask auth.GRANT_ADD >/dev/null
	expect_raw denied one --ticket "$manage" \
	    --body "${key}120201${direction}" ask auth.GRANT_ADD >/dev/null
done
for body in "" "$key" "${key}120100" "${key}120108" "120101" \
    "0a20$(printf '00%.0s' {1..32})120101"; do
	expect_raw malformed one --ticket "$manage" --body "$body" \
	    ask auth.GRANT_ADD >/dev/null
done
assert_json '. == []' "$(keepsake_as one --json grant list)" grants
case_pass

case_begin "A-15 a terminal with a grant backs up with no password at hand"
keepsake_as one --quiet backup "$WORLD/tree"
added=$(keepsake_as one --json grant add)
assert_json '.directions == ["upload", "report"]' "$added" grant
assert_equal 600 "$(stat -c %a "$WORLD/terminal/one/keys/grant")" mode
assert_json 'length == 1 and .[0].here and .[0].used == null' \
    "$(keepsake_as one --json grant list)" grants
rm "$WORLD/terminal/one"/cache-*
printf 'changed\n' >"$WORLD/tree/changed.txt"
done=$(alone one --json backup --unattended "$WORLD/tree")
assert_json '.snapshot == 2 and .unchanged == 0 and .errors == []' "$done" \
    backup
assert_json '.[0].used != null' "$(keepsake_as one --json grant list)" used
case_pass

case_begin "A-15 B-05 what is stored already is not sent again"
again=$(alone one --json backup --unattended "$WORLD/tree")
assert_json '.snapshot == 3 and .chunks_sent == 0' "$again" backup
case_pass

case_begin "A-15 another terminal restores it with the password"
terminal_of two anna
assert_restores two 2 "$WORLD/tree"
assert_restores one latest "$WORLD/tree"
assert_json 'map(.key) == ["sealed", "account", "account"] and
    all(.readable)' "$(keepsake_as two --json snapshots)" snapshots
case_pass

case_begin "A-15 what such a terminal has opens no snapshot"
keepsake_as two --quiet backup "$WORLD/tree"
# Its own of before the grant, its own by the grant, another terminal's.
opened=$(thief one open)
assert_match '^secrets ([6-9]|[1-9][0-9]) snapshots 4 opened 0$' "$opened"
compgen -G "$WORLD/terminal/one/cache-*" >/dev/null &&
    fail "an unattended backup left a cache"
# What the same looks for is found where it is: a key that is kept there.
keepsake_as one --quiet backup --key local "$WORLD/tree"
opened=$(thief one open)
assert_match $'snapshots 5 opened 1\nsnapshot 5$' "$opened"
rm "$WORLD/terminal/one/keys/"*.key
assert_match 'snapshots 5 opened 0$' "$(thief one open)"
case_pass

case_begin "A-15 its ticket writes, and neither restores nor manages"
upload=$(thief one ticket)
for type in store.RESTORE_BEGIN auth.CODE_BEGIN auth.CODE_FINISH \
    auth.GRANT_ADD auth.GRANT_LIST auth.GRANT_REMOVE binding.BIND \
    binding.TERMINALS notify.FETCH notify.SUBSCRIBE; do
	expect_raw auth_required one --ticket "$upload" ask "$type" >/dev/null
done
expect_raw ok one --ticket "$upload" ask store.SNAPSHOTS >/dev/null
case_pass

case_begin "A-15 no challenge for download, managing or binding"
# GrantLoginBegin: direction is field 1.
for direction in 02 03 04 06 07; do
	answer=$(expect_raw denied one --body "08$direction" \
	    ask auth.GRANT_LOGIN_BEGIN)
	assert_match "grant is not for" "$answer" detail
done
for body in "" 0800 0808 08ffffffff0f; do
	expect_raw malformed one --body "$body" ask auth.GRANT_LOGIN_BEGIN \
	    >/dev/null
done
expect_status 2 alone one restore latest --unattended --target "$WORLD/x" \
    2>/dev/null
expect_status 4 alone one restore latest --target "$WORLD/x" 2>/dev/null
expect_status 4 alone one show latest >/dev/null 2>&1
case_pass

case_begin "A-15 a proof is for its challenge and its terminal"
challenge=$(expect_raw ok one --body 0801 ask auth.GRANT_LOGIN_BEGIN)
# GrantChallenge: challenge, 32 bytes, is field 1, the cookie field 2.
# GrantProof: signature, 64 bytes, is field 1, the cookie field 2 as well.
cookie=$(cut -d' ' -f3 <<<"$challenge" | cut -c69-)
assert_match '^12[0-9a-f]+$' "$cookie" cookie
zeros=$(printf '00%.0s' {1..64})
answer=$(expect_raw denied one --body "0a40$zeros$cookie" \
    ask auth.GRANT_LOGIN_FINISH)
assert_match 'signature' "$answer" detail
expect_raw denied one --body "$cookie" ask auth.GRANT_LOGIN_FINISH >/dev/null
expect_raw denied two --body "0a40$zeros$cookie" \
    ask auth.GRANT_LOGIN_FINISH >/dev/null
expect_raw denied one --body "0a40$zeros" ask auth.GRANT_LOGIN_FINISH \
    >/dev/null
case_pass

case_begin "A-15 a stolen grant is good for no other CURVE key"
# A terminal of nobody's, and one of the same account.
terminal_enrolled thief
cp -r "$WORLD/terminal/one"/{keys,account} "$WORLD/terminal/thief/"
assert_match 'not bound' "$(expect_alone 4 denied thief)" detail
mkdir -m 0700 "$WORLD/terminal/two/keys"
cp "$WORLD/terminal/one/keys/grant" "$WORLD/terminal/two/keys/"
assert_match 'before this terminal' "$(expect_alone 7 conflict two)" detail
# The server does not believe the folder.
cp "$WORLD/terminal/two/account" "$WORLD/account"
sed -i "s/^terminal=.*/$(grep '^terminal=' "$WORLD/terminal/one/account")/" \
    "$WORLD/terminal/two/account"
assert_match 'no grant' "$(expect_alone 4 denied two)" detail
cp "$WORLD/account" "$WORLD/terminal/two/account"
keepsake_as two --quiet grant add --key-folder "$WORLD/elsewhere"
sed -i "s/^terminal=.*/$(grep '^terminal=' "$WORLD/terminal/one/account")/" \
    "$WORLD/terminal/two/account"
assert_match 'signature' "$(expect_alone 4 denied two)" detail
cp "$WORLD/account" "$WORLD/terminal/two/account"
alone two --quiet backup --unattended --key-folder "$WORLD/elsewhere" \
    "$WORLD/tree"
case_pass

case_begin "A-15 another account's grant is refused before anybody is asked"
terminal_of_new three bert
cp -r "$WORLD/terminal/one/keys" "$WORLD/terminal/three/"
assert_match 'another account' "$(expect_alone 7 conflict three)" detail
case_pass

case_begin "A-15 a newer grant takes the place of the older"
cp "$WORLD/terminal/one/keys/grant" "$WORLD/older"
keepsake_as one --quiet grant add --upload
assert_json 'map(select(.here)) | length == 1 and
    .[0].directions == ["upload"] and .[0].used == null' \
    "$(keepsake_as one --json grant list)" grants
alone one --quiet backup --unattended "$WORLD/tree"
answer=$(expect_raw denied one --body 0805 ask auth.GRANT_LOGIN_BEGIN)
assert_match 'not for report' "$answer" detail
cp "$WORLD/terminal/one/keys/grant" "$WORLD/newer"
(umask 077 && cat "$WORLD/older" >"$WORLD/terminal/one/keys/grant")
assert_match 'signature' "$(expect_alone 4 denied one)" detail
(umask 077 && cat "$WORLD/newer" >"$WORLD/terminal/one/keys/grant")
case_pass

case_begin "A-15 K-02 the file of a grant is checked"
chmod 0640 "$WORLD/terminal/one/keys/grant"
assert_match 'keys/grant: open to others' "$(expect_alone 4 denied one)" why
expect_error 4 denied one grant add >/dev/null
assert_json 'any(.here)' "$(keepsake_as one --json grant list)" grants
chmod 0600 "$WORLD/terminal/one/keys/grant"
(umask 077 && echo damaged >"$WORLD/terminal/one/keys/grant")
assert_match 'damaged' "$(expect_alone 1 malformed one)" why
(umask 077 && cat "$WORLD/newer" >"$WORLD/terminal/one/keys/grant")
alone one --quiet backup --unattended "$WORLD/tree"
case_pass

case_begin "A-15 binding is asked each time: while it is down, nothing goes"
service_stop binding
expect_alone 5 unavailable one --timeout 2s >/dev/null
service_start binding
alone one --quiet backup --unattended "$WORLD/tree"
case_pass

case_begin "A-15 it survives a restart of auth, and the notices tell of it"
service_stop auth
service_start auth
alone one --quiet backup --unattended "$WORLD/tree"
kinds=$(keepsake_as one --json notices)
assert_json '[.[] | select(.kind == "grant_given")] | length == 3' "$kinds"
case_pass

case_begin "A-15 A-14 what a grant has signed in is listed as a session"
terminal=$(json '.[] | select(.here) | .terminal' \
    "$(keepsake_as one --json grant list)")
uploads() {
	keepsake_as two --json sessions | jq --arg terminal "$terminal" 'map(
	    select(.terminal == $terminal and .direction == "upload")) | length'
}
before=$(uploads)
upload=$(thief one ticket)
assert_equal $((before + 1)) "$(uploads)" "sessions for upload"
case_pass

case_begin "A-15 A-14 who removes a grant signs its terminal out"
answer=$(keepsake_as two --json grant remove "$terminal")
assert_json '.removed and .unconfirmed == []' "$answer" answer
answer=$(expect_raw denied one --ticket "$upload" ask store.SNAPSHOTS)
assert_match 'revoked' "$answer" detail
keepsake_as one --quiet grant add
alone one --quiet backup --unattended "$WORLD/tree"
case_pass

case_begin "A-15 A-14 a service that has not confirmed is named"
keepsake_as two --quiet grant add --key-folder "$WORLD/elsewhere"
service_stop store
answer=$(keepsake_as two --json grant remove --key-folder "$WORLD/elsewhere")
assert_json '.removed and .unconfirmed == ["store"]' "$answer" answer
service_start store
case_pass

case_begin "A-15 A-14 who signs a terminal out ends its grant"
keepsake_as two --quiet grant add --key-folder "$WORLD/elsewhere"
keepsake_as two --quiet revoke --terminal "$terminal"
assert_json 'map(.here) == [true]' "$(keepsake_as two --json grant list)"
expect_alone 4 denied one >/dev/null
keepsake_as one --quiet grant add
session=$(json '[.[] | select(.direction == "manage")][0].session' \
    "$(keepsake_as one --json sessions)")
keepsake_as one --quiet revoke "$session"
assert_json 'length == 2' "$(keepsake_as one --json grant list)" \
    "grants, when one session is signed out"
keepsake_as one --quiet revoke --all
assert_json '. == []' "$(keepsake_as one --json grant list)" grants
expect_alone 4 denied one >/dev/null
keepsake_as one --quiet grant add
keepsake_as two --quiet grant add --key-folder "$WORLD/elsewhere"
case_pass

case_begin "A-15 a grant that was removed is refused, from wherever it was"
terminal=$(json '.[] | select(.here) | .terminal' \
    "$(keepsake_as one --json grant list)")
expect_status 2 keepsake_as two grant remove none 2>/dev/null
keepsake_as two --quiet grant remove "$terminal"
assert_match 'grant add' "$(expect_alone 4 denied one)" advice
expect_error 6 not_found two grant remove "$terminal" >/dev/null
assert_json 'map(.here) == [true]' "$(keepsake_as two --json grant list)"
# Its own file goes with the terminal's own command, and without it too.
expect_error 6 not_found one grant remove >/dev/null
[ ! -e "$WORLD/terminal/one/keys/grant" ] || fail "the file is still there"
expect_alone 6 not_found one >/dev/null
keepsake_as two --quiet grant remove --key-folder "$WORLD/elsewhere"
[ ! -e "$WORLD/elsewhere/grant" ] || fail "the file is still there"
assert_json '. == []' "$(keepsake_as two --json grant list)" grants
kinds=$(keepsake_as one --json notices)
assert_json '[.[] | select(.kind == "grant_removed")] | length >= 2' "$kinds"
case_pass

case_begin "A-15 an account's grants are its own"
keepsake_as three --quiet grant add --key-folder "$WORLD/bert"
other=$(json '.[0].terminal' "$(keepsake_as three --json grant list)")
expect_error 6 not_found one grant remove "$other" >/dev/null
assert_json 'length == 1' "$(keepsake_as three --json grant list)" grants
case_pass

case_begin "A-15 a grant ends with the binding"
terminal_of four anna
keepsake_as four --quiet grant add
alone four --quiet backup --unattended "$WORLD/tree"
id=$(json '.[] | select(.here) | .terminal' \
    "$(keepsake_as four --json grant list)")
keepsake_as two --quiet unbind "$id" \
    --verification-file "$WORLD/secret.verification"
assert_match 'not bound' "$(expect_alone 4 denied four)" detail
is_gone() {
	! keepsake_as two --json grant list | grep -q "$id"
}
wait_for 20 is_gone || fail "the grant is still there"
# By the terminal itself, and bound again: it has another place then.
terminal_bind four --name anna
assert_match 'before this terminal was bound' \
    "$(expect_alone 7 conflict four)" detail
keepsake_as four --quiet grant add
alone four --quiet backup --unattended "$WORLD/tree"
keepsake_as four --quiet unbind \
    --verification-file "$WORLD/secret.verification"
[ ! -e "$WORLD/terminal/four/keys/grant" ] || fail "its file is still there"
expect_alone 6 not_found four >/dev/null
case_pass

case_begin "A-15 K-02 who forgets the account forgets the grant"
keepsake_as one --quiet grant add
keepsake_as one --quiet backup --key local "$WORLD/tree"
keepsake_as one --quiet forget --local
[ ! -e "$WORLD/terminal/one/keys/grant" ] || fail "the grant is still there"
compgen -G "$WORLD/terminal/one/keys/*.key" >/dev/null ||
    fail "the only key of a snapshot is gone"
expect_alone 6 not_found one >/dev/null
case_pass

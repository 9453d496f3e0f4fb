#!/bin/bash
# A-08: only an operator lifts a lock, for a person at the desk whose document
# was seen; that is on record before.  After ten times what is locked can only
# be handed back.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
readonly UNLOCKS_MAX=10
readonly SEEN=(--document identity-card:7X3Z --reason 'forgot it, came in')

world_up
terminal_of_new one anna
terminal_of two anna
terminal_of_new other bert
mkdir "$WORLD/tree"
date >"$WORLD/tree/file"
keepsake_as one --quiet backup "$WORLD/tree"
secret wrong 'not the right one'
account() { # NAME: its id
	printf '%s\n' "$1" | keepsakectl --json account --name-file - |
	    jq -r '.account[0].id'
}
anna=$(account anna)
bert=$(account bert)

# Three wrong tries of a terminal: then it is locked.
lock() { # TERMINAL
	local i
	for i in 1 2 3; do
		expect_error 4 denied "$1" --password-file \
		    "$WORLD/secret.wrong" snapshots >/dev/null
	done
	expect_error 4 locked "$1" snapshots >/dev/null
}

# The records of an action, oldest first.
records() { # ACTION
	keepsakectl --json audit auth --account "$anna" |
	    jq --arg action "$1" '[.[] | select(.action == $action)]'
}

case_begin "A-08 O-01 a lock is listed: whose, which lane, since when"
assert_equal '[]' "$(keepsakectl --json locks)" "before"
lock one
locks=$(keepsakectl --json locks)
terminal=$(keepsakectl --json bindings "$anna" |
    jq -r '.[] | select(.serial == "serial-of-one") | .id')
assert_json "length == 1 and .[0].account == \"$anna\" and
    .[0].lane == \"bound\" and .[0].code == \"owner\" and
    .[0].terminal == \"$terminal\" and .[0].unlocks == 0 and
    .[0].unlocks_left == 10 and .[0].opens == \"by unlock\" and
    (.[0].since | test(\"Z$\"))" "$locks" locks
assert_equal "$locks" "$(keepsakectl --json locks "$anna")" "of the account"
assert_equal '[]' "$(keepsakectl --json locks "$bert")" "of another"
assert_json '.lock | length == 1' "$(keepsakectl --json account "$anna")" \
    account
case_pass

case_begin "A-08 without a document or a reason nothing is unlocked"
while IFS='|' read -r want document reason; do
	arguments=()
	[ -z "$document" ] || arguments+=(--document "$document")
	[ -z "$reason" ] || arguments+=(--reason "$reason")
	expect_status 2 keepsakectl unlock "$anna" "${arguments[@]}" \
	    2>"$WORLD/said"
	grep -q -- "$want" "$WORLD/said" || fail "said $(cat "$WORLD/said")"
done <<'END'
--document: this is done only for who has shown||forgot it
--reason: this is done for a reason|passport:12AB|
expected KIND:LAST4|library-card:12AB|forgot it
exactly the last four|passport:C01X00T478|forgot it
exactly the last four|passport:12A|forgot it
exactly the last four|passport:12 A|forgot it
--reason: expected|passport:12AB|   
END
expect_error 4 locked one snapshots >/dev/null
assert_equal '[]' "$(records unlocked)" records
case_pass

case_begin "A-08 an operator unlocks, and the terminal logs in again"
assert_equal 'open again: 1 lane' \
    "$(keepsakectl unlock "$anna" "${SEEN[@]}" --operator desk-3)" said
keepsake_as one --json snapshots >/dev/null
assert_equal '[]' "$(keepsakectl --json locks)" locks
case_pass

case_begin "A-08 O-06 who unlocked, which document was seen and why is on record"
assert_json 'length == 1 and .[0].actor == "operator desk-3" and
    .[0].readable and (.[0].detail |
    test("owner by bound.*identity-card:7X3Z.*forgot it, came in"))' \
    "$(records unlocked)" records
keepsakectl audit verify >/dev/null
case_pass

case_begin "A-08 who runs the tool is the operator where none is named"
lock one
SUDO_USER=sybil keepsakectl unlock --name-file <(echo anna) "${SEEN[@]}" \
    >/dev/null
assert_json '.[1].actor == "operator sybil"' "$(records unlocked)" records
keepsake_as one --json snapshots >/dev/null
case_pass

case_begin "A-08 what is not locked cannot be unlocked, and says so"
expect_status 3 keepsakectl unlock "$anna" "${SEEN[@]}" 2>"$WORLD/said"
grep -q 'nothing of this account is locked' "$WORLD/said" ||
    fail "said $(cat "$WORLD/said")"
expect_status 3 keepsakectl unlock 00000000000000000000000000000001 \
    "${SEEN[@]}" 2>"$WORLD/said"
grep -q 'no such account' "$WORLD/said" || fail "said $(cat "$WORLD/said")"
assert_json 'length == 2' "$(records unlocked)" records
case_pass

case_begin "A-08 only the lane that is named is unlocked"
lock one
terminal_enrolled stranger
for i in 1 2 3; do
	expect_error 4 denied stranger --password-file \
	    "$WORLD/secret.wrong" --name anna bind --serial s >/dev/null
done
expect_status 3 keepsakectl unlock "$anna" "${SEEN[@]}" --lane invited \
    2>"$WORLD/said"
grep -q 'locked in that lane' "$WORLD/said" || fail "$(cat "$WORLD/said")"
expect_status 1 keepsakectl unlock "$anna" "${SEEN[@]}" --lane side \
    2>"$WORLD/said"
grep -q 'lane: expected bound, invited or stranger' "$WORLD/said" ||
    fail "$(cat "$WORLD/said")"
keepsakectl unlock "$anna" "${SEEN[@]}" >/dev/null
keepsake_as one --json snapshots >/dev/null
assert_json 'length == 1 and .[0].lane == "stranger" and
    (.[0].opens | test("Z$"))' "$(keepsakectl --json locks)" \
    "that of strangers opens by itself"
keepsakectl unlock "$anna" "${SEEN[@]}" --lane stranger >/dev/null
assert_equal '[]' "$(keepsakectl --json locks)" locks
case_pass

case_begin "A-08 a lock holds, and is unlocked, across a crash of auth"
lock one
service_kill auth
service_start auth
expect_error 4 locked one snapshots >/dev/null
keepsakectl unlock "$anna" "${SEEN[@]}" >/dev/null
service_kill auth
service_start auth
keepsake_as one --json snapshots >/dev/null
case_pass

case_begin "A-08 after ten times a lane cannot be unlocked again"
done_so_far=$(keepsakectl --json audit auth --account "$anna" |
    jq '[.[] | select(.action == "unlocked" and
    (.detail | test("by bound")))] | length')
for ((i = done_so_far; i < UNLOCKS_MAX; i++)); do
	lock one
	keepsakectl unlock "$anna" "${SEEN[@]}" >/dev/null
done
lock one
assert_json '.[0].unlocks == 10 and .[0].unlocks_left == 0' \
    "$(keepsakectl --json locks)" locks
expect_status 4 keepsakectl unlock "$anna" "${SEEN[@]}" 2>"$WORLD/said"
grep -q 'unlocked 10 times.*handed back.*handback' "$WORLD/said" ||
    fail "said $(cat "$WORLD/said")"
expect_error 4 locked one snapshots >/dev/null
case_pass

case_begin "A-08 the same visit hands the data back: an export, and a way in"
said=$(keepsakectl --json handback --name-file <(echo anna) "${SEEN[@]}" \
    --to "$WORLD/handed" --operator desk-3)
assert_match '^[0-9A-Z]{5}-[0-9A-Z]{5}$' "$(json .invitation "$said")" code
assert_match 'Z$' "$(json .expiry "$said")" expiry
assert_equal "auth.json binding.json notify.json store.json" \
    "$(cd "$WORLD/handed" && echo *)" files
assert_json '.held.snapshot | length == 1' "$(cat "$WORLD/handed/store.json")"
assert_json 'length == 1 and .[0].actor == "operator desk-3" and
    (.[0].detail | test("identity-card:7X3Z.*forgot it"))' \
    "$(records handed_back)" records
secret invitation "$(json .invitation "$said")"
terminal_enrolled new
terminal_bind new --name anna --invitation-file "$WORLD/secret.invitation"
assert_restores new latest "$WORLD/tree"
expect_error 4 locked one snapshots >/dev/null
case_pass

# The lane of who holds an invitation.
lock_invited() { # TERMINAL: is enrolled by this
	local i
	[ -e "$WORLD/terminal/$1" ] || terminal_enrolled "$1"
	for i in 1 2 3; do
		expect_error 4 denied "$1" --name anna --password-file \
		    "$WORLD/secret.wrong" --invitation-file \
		    "$WORLD/secret.invitation" bind --serial s >/dev/null
	done
}

case_begin "A-08 an invitation for a person at the desk, on record"
said=$(keepsakectl invite "$anna" "${SEEN[@]}")
assert_match 'invitation: [0-9A-Z]{5}-[0-9A-Z]{5}, good once' "$said" said
secret invitation "$(grep -oE '[0-9A-Z]{5}-[0-9A-Z]{5}' <<<"$said")"
assert_json 'length == 1' "$(records invited)" records
lock_invited late
assert_json 'any(.[]; .lane == "invited" and .unlocks == 0)' \
    "$(keepsakectl --json locks)" locks
case_pass

case_begin "A-08 a hand-back opens the lane of invitations, however often"
said=$(keepsakectl --json handback "$anna" "${SEEN[@]}" --to "$WORLD/again")
secret invitation "$(json .invitation "$said")"
assert_json 'all(.[]; .lane != "invited")' "$(keepsakectl --json locks)" locks
terminal_bind late --name anna --invitation-file "$WORLD/secret.invitation"
keepsake_as late --json snapshots >/dev/null
case_pass

case_begin "A-08 without a document, a reason or a folder nothing is handed back"
expect_status 2 keepsakectl handback "$anna" --to "$WORLD/no" \
    --reason why 2>/dev/null
expect_status 2 keepsakectl handback "$anna" --to "$WORLD/no" \
    --document passport:12AB 2>/dev/null
expect_status 2 keepsakectl handback "$anna" "${SEEN[@]}" 2>/dev/null
expect_status 2 keepsakectl invite "$anna" --reason why 2>/dev/null
expect_status 3 keepsakectl invite 00000000000000000000000000000001 \
    "${SEEN[@]}" 2>/dev/null
[ ! -e "$WORLD/no" ] || fail "a folder was made"
assert_json 'length == 2' "$(records handed_back)" records
case_pass

case_begin "A-08 R-02 where the export fails the way in is there all the same"
service_stop store
expect_status 5 keepsakectl --json handback "$anna" "${SEEN[@]}" \
    --to "$WORLD/part" >"$WORLD/out" 2>"$WORLD/said"
grep -q 'nothing was exported yet' "$WORLD/said" ||
    fail "said $(cat "$WORLD/said")"
assert_json '(.invitation | test("-")) and .folder == null' \
    "$(cat "$WORLD/out")" said
assert_equal '' "$(ls "$WORLD/part")" files
service_start store
case_pass

case_begin "A-08 R-01 auth killed at any moment: what is unlocked is on record"
on_record() { # how often bert's terminal was unlocked, as the log has it
	keepsakectl --json audit auth --account "$bert" |
	    jq '[.[] | select(.action == "unlocked")] | length'
}
opened=0
for round in 1 2 3 4 5; do
	lock other
	"$BUILD/keepsakectl" --config "$WORLD_CONFIG" unlock "$bert" \
	    "${SEEN[@]}" >/dev/null 2>&1 &
	unlocking=$!
	sleep "0.0$((RANDOM % 8))" # a moment, not a time to wait for
	kill -KILL "${SERVICE_PID[auth]}" "$unlocking" 2>/dev/null || true
	wait "$unlocking" 2>/dev/null || true
	service_kill auth
	service_start auth
	[ "$(keepsakectl --json locks "$bert")" = '[]' ] ||
	    keepsakectl unlock "$bert" "${SEEN[@]}" >/dev/null
	opened=$((opened + 1))
	[ "$(on_record)" -ge "$opened" ] ||
	    fail "round $round: opened $opened times, on record $(on_record)"
done
keepsakectl audit verify >/dev/null
case_pass

case_begin "A-08 other terminals were not touched by any of it"
keepsake_as two --json snapshots >/dev/null
keepsake_as other --json snapshots >/dev/null
case_pass

case_begin "A-08 what the loss of the journal has locked is shown and unlocked"
service_stop auth
rm -r "$WORLD/auth.ledger/journal"
service_start auth
expect_error 4 locked two snapshots >/dev/null
assert_json '.[0].row == "journal_lost" and .[0].account == null' \
    "$(keepsakectl --json locks)" "of all accounts"
assert_json "length == 1 and .[0].account == \"$anna\" and
    (.[0].since | test(\"Z\$\"))" "$(keepsakectl --json locks "$anna")" \
    "of one"
assert_match 'all that the loss of the journal had locked' \
    "$(keepsakectl unlock "$anna" "${SEEN[@]}")" said
keepsake_as two --json snapshots >/dev/null
assert_equal '[]' "$(keepsakectl --json locks "$anna")" "of one, unlocked"
expect_error 4 locked other snapshots >/dev/null
assert_json 'any(.[]; .detail | test("loss of the journal"))' \
    "$(records unlocked)" records
case_pass

case_begin "A-08 O-03 neither document, reason nor name is in a log"
code=$(cat "$WORLD/secret.invitation")
if grep -rE "7X3Z|forgot it|anna|bert|$code" "$WORLD_LOG" |
    grep -vE '/(keys|stderr).log:'; then
	fail "personal data in a log"
fi
case_pass

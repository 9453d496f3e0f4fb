#!/bin/bash
# O-06: who did what to which entry when; and whatever is changed in that
# log, somebody notices.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up "[notify] give_up_ms = 1s" "[notify] retry_ms = 500ms"
terminal_of_new one anna
terminal_of two anna
terminal_of_new other bert
mkdir "$WORLD/tree"
date >"$WORLD/tree/file"
keepsake_as one --quiet backup "$WORLD/tree"
secret new 'another horse'
keepsake_as one --quiet password --new-password-file "$WORLD/secret.new"
read -r _ account < <(raw_login other bert DOWNLOAD)
cp "$WORLD/secret.new" "$WORLD/secret.password"

# The records of a service, oldest first, as JSON.
records() { # [SERVICE] [ARGUMENTS...]
	keepsakectl --json audit "$@"
}

logged() { # SERVICE ACTION COUNT: so many there are by now
	[ "$(records "$1" | jq --arg action "$2" \
	    'map(select(.action == $action)) | length')" -ge "$3" ]
}

case_begin "O-06 a change of an account is on record, with who, what and when"
wait_for 10 logged auth new_login 3 || fail "$(records auth)"
wait_for 10 logged auth code_changed 1 || fail "$(records auth)"
wait_for 10 logged store snapshot_published 1 || fail "$(records store)"
wait_for 10 logged binding terminal_bound 3 || fail "$(records binding)"
assert_json '(map(.sequence) == [range(1; length + 1)]) and
    all(.[]; .readable and (.when | test("^20.*Z$"))) and
    (map(select(.action == "new_login")) |
    length == 3 and all(.[]; .actor == "stranger")) and
    (map(select(.action != "new_login")) |
    map(.action) == ["service_started", "registered",
    "verification_set", "registered", "verification_set", "code_changed"] and
    (map(.account) | .[0] == null and .[1] == .[2] and .[1] == .[5] and
    .[3] == .[4] and .[1] != .[3]) and
    .[5].actor == "owner" and (.[5].terminal | test("^[0-9a-f]{32}$")))' \
    "$(records auth)" auth
assert_json '.[1] | .action == "snapshot_published" and
    .actor == "terminal" and .detail == "snapshot 1" and .terminal != null' \
    "$(records store)" store
assert_json 'map(select(.action == "terminal_bound")) | length == 3 and
    (map(.terminal) | unique | length) == 3' "$(records binding)" binding
case_pass

case_begin "O-06 N-05 notices that are given up are on record"
wait_for 20 logged notify dead_letter 1 || fail "$(records notify)"
assert_json 'map(select(.action == "dead_letter")) | .[0] |
    .actor == "system" and (.detail | test("^notices given up: [1-9]"))' \
    "$(records notify)" notify
case_pass

case_begin "O-06 one service's, one account's, or those from a number on"
assert_json 'map(.service) | unique == ["auth", "binding", "notify", "store"]' \
    "$(records)" all
assert_json "all(.[]; .account == \"$account\") and
    (map(select(.service != \"notify\").action) | sort) ==
    [\"new_login\", \"registered\", \"terminal_bound\",
    \"verification_set\"]" \
    "$(records --account "$account")" "of one account"
assert_json 'map(.sequence) == [5, 6, 7, 8, 9]' "$(records auth --since 5)" since
assert_json '. == []' "$(records auth --since 1000)" "past the end"
people=$(keepsakectl audit auth)
assert_match '^20[^ ]+Z auth 1 service_started by="system"' "$people" people
for wrong in "audit nobody" "audit --since 0" "audit --account 12" \
    "audit --heads $WORLD" "audit auth store" "audit verify --since 1"; do
	# shellcheck disable=SC2086 # words of a command
	expect_status 2 keepsakectl $wrong >/dev/null 2>&1
done
case_pass

case_begin "O-06 who did it and the details are not readable on the disk"
for name in auth store binding notify; do
	for text in owner 'snapshot 1' 'notices given up' 'version 0'; do
		! grep -qaF "$text" "$WORLD/$name.ledger/journal"/* ||
		    fail "'$text' in the journal of $name"
	done
done
grep -qaF snapshot_published "$WORLD/store.ledger/journal"/*
case_pass

case_begin "O-06 nothing was changed: verify says so, with exit status 0"
assert_json '(keys == ["auth", "binding", "notify", "store"]) and
    all(.[]; .status == "ok" and .records > 1 and .heads >= 1)' \
    "$(keepsakectl --json audit verify)" verify
keepsakectl audit verify auth | grep -qx 'auth: ok, 9 records fit 1 heads'
assert_equal 9 "$(figure auth audit_records)" audit_records
assert_equal 0 "$(figure auth audit_pending)" audit_pending
case_pass

case_begin "O-06 heads are signed and exported when a service stops"
for name in auth store binding notify; do
	service_stop "$name"
	lines=$(wc -l <"$WORLD/$name.ledger/audit.heads")
	assert_equal 2 "$lines" "lines of $name"
	grep -qvE "^$name [0-9]+ [0-9]+ [0-9a-f]{64} [0-9a-f]{128}\$" \
	    "$WORLD/$name.ledger/audit.heads" && fail "not a line of a head"
	service_start "$name"
done
# The operator's copies, on another machine; one signed head is not there.
mkdir "$WORLD/copies"
for name in auth store binding notify; do
	head -n 2 "$WORLD/$name.ledger/audit.heads" \
	    >"$WORLD/copies/$name.heads"
	cp "$WORLD/keys/$name.audit.public" "$WORLD/copies"
done
keepsakectl audit verify >/dev/null
keepsakectl audit verify --heads "$WORLD/copies" >/dev/null
case_pass

case_begin "O-06 A-07 A-14 locks, invitations, revocations are on record"
for _ in 1 2 3; do # it is the other account's password that was changed
	expect_error 4 denied other snapshots >/dev/null
done
wait_for 10 logged auth code_locked 1 || fail "$(records auth)"
assert_json 'map(select(.action == "code_locked"))[0] | .actor == "system" and
    .terminal != null and (.detail | test("wrong tries by a bound"))' \
    "$(records auth --account "$account")" lock
keepsake_as one --json invite >/dev/null
service_kill auth # acknowledged is acknowledged
service_start auth
wait_for 10 logged auth invitation_made 1 || fail "$(records auth)"
keepsake_as one --quiet revoke --all
service_kill auth
service_start auth
logged auth sessions_revoked 1 || fail "$(records auth)"
assert_json 'map(select(.action == "sessions_revoked"))[0] |
    .actor == "owner" and .terminal != null' "$(records auth)" revocation
keepsakectl audit verify auth >/dev/null
case_pass

case_begin "O-06 and every so often: audit_head_ms"
service_stop store
KEEPSAKE_COMMON_AUDIT_HEAD_MS=100ms service_start store
before=$(wc -l <"$WORLD/store.ledger/audit.heads")
keepsake_as one --quiet backup "$WORLD/tree"
exported() {
	[ "$(wc -l <"$WORLD/store.ledger/audit.heads")" -gt "$before" ]
}
wait_for 10 exported || fail "no head was exported"
service_stop store
service_start store
case_pass

case_begin "O-06 a service or its heads that are missing are named"
service_stop binding
silent=0
report=$(keepsakectl --json audit verify 2>"$WORLD/said") || silent=$?
assert_equal 5 "$silent" "exit status"
assert_json '.binding.status == "unavailable" and .auth.status == "ok"' \
    "$report" verify
grep -q 'binding: .*nobody answers' "$WORLD/said" || fail "$(cat "$WORLD/said")"
service_start binding
mv "$WORLD/copies/binding.heads" "$WORLD/copies/binding.gone"
report=$(expect_status 1 keepsakectl --json audit verify \
    --heads "$WORLD/copies")
assert_json '.binding.status == "changed" and .auth.status == "ok" and
    (.binding.why | test("no heads in .*/copies/binding.heads"))' \
    "$report" verify
mv "$WORLD/copies/binding.gone" "$WORLD/copies/binding.heads"
case_pass

# The audit log of the stopped store, as it is now.
service_stop store
cp -a "$WORLD/store.ledger" "$WORLD/store.kept"
service_start store
# It starts and stops once more before an edit: two records.
last=$(tail -n 1 "$WORLD/store.kept/audit.heads" | cut -d ' ' -f 2)
last=$((last + 2))
edited_pass() { # and the ledger is as it was
	case_pass
	service_stop store
	rm -rf "$WORLD/store.ledger"
	cp -a "$WORLD/store.kept" "$WORLD/store.ledger"
	service_start store
}

edit() { # EDIT [SEQUENCE]
	service_stop store
	"$BUILD/tests/tool/editaudit" "$WORLD/store.ledger" store "$@"
	service_start store
}

# Insist that verify finds it: which record, and why.
expect_found() { # SEQUENCE REGEX [ARGUMENTS...]
	local sequence=$1 regex=$2 report
	shift 2
	report=$(expect_status 1 keepsakectl --json audit verify "$@")
	assert_json ".store.status == \"changed\" and .auth.status == \"ok\" and
	    .store.sequence == $sequence and
	    (.store.why | test(\"$regex\"))" "$report" verify
	expect_status 1 keepsakectl audit verify "$@" |
	    grep -qE "^store: .*$regex" || fail "not said for people: $regex"
}

case_begin "O-06 one bit of a record: found, and which record"
edit change 2
expect_found 2 'it was changed'
expect_status 1 keepsakectl audit store >/dev/null 2>&1
edited_pass

case_begin "O-06 a record taken out: found"
edit drop 2
expect_found 2 'it is missing'
edited_pass

case_begin "O-06 the first record taken out: found"
edit drop 1
expect_found 1 'it is missing'
edited_pass

case_begin "O-06 the last records taken out: found"
edit cut $((last - 2))
expect_found $((last - 1)) 'it is missing'
edited_pass

case_begin "O-06 a record put behind the last, with right hashes: found"
edit append
log_wait store 'event=audit_chain_changed' 10 || fail "the store did not log it"
expect_found $((last + 1)) 'put there by somebody else'
edited_pass

case_begin "O-06 the whole chain rewritten, with right hashes: found"
edit rewrite
log_wait store 'event=audit_head_forged' 10 || fail "the store did not log it"
expect_found 1 'not that of the head that was signed'
expect_found 1 'not that of the head that was signed' --heads "$WORLD/copies"
edited_pass

case_begin "O-06 and without the heads that the server has: found by copies"
edit rewrite
rm "$WORLD/store.ledger/audit.heads"
expect_found 1 'not that of the head that was signed' --heads "$WORLD/copies"
edited_pass

case_begin "O-06 the signed head taken out: found"
edit behead
expect_found $((last + 1)) 'does not follow'
edited_pass

case_begin "O-06 what is no record put in between: found"
edit odd
expect_found 2 'no record'
edited_pass

case_begin "O-06 a head changed, or signed by another key: found"
sed -i '2s/ [0-9]* / 2 /' "$WORLD/copies/store.heads"
expect_found 2 'not signed' --heads "$WORLD/copies"
cp "$WORLD/keys/auth.audit.public" "$WORLD/copies/store.audit.public"
expect_found 1 'not signed' --heads "$WORLD/copies"
edited_pass

case_begin "O-06 K-08 a master key is replaced: on record"
keepsakectl keys rotate store >/dev/null
wait_for 10 logged store master_key_rotated 1 || fail "$(records store)"
keepsakectl audit verify store >/dev/null
case_pass

case_begin "O-06 R-01 killed at any moment: nothing acknowledged is missing"
snapshots() {
	keepsake_as one --json snapshots | jq -c 'map(.snapshot) | sort'
}
published() {
	records store | jq -c 'map(select(.action == "snapshot_published") |
	    .detail | ltrimstr("snapshot ") | tonumber) | sort'
}
agree() {
	[ "$(snapshots)" = "$(published)" ]
}
for round in 1 2 3 4 5 6; do
	date +%s.%N >"$WORLD/tree/file"
	client_begin one --json backup "$WORLD/tree"
	sleep "$(awk "BEGIN { print ($RANDOM % 250) / 1000 }")"
	service_kill store
	service_start store
	client_end one || fail "round $round: $(client_out one)"
	date +%s.%N >"$WORLD/tree/file"
	keepsake_as one --quiet backup "$WORLD/tree"
	service_kill store
	service_start store
done
wait_for 20 agree || fail "$(snapshots) and $(published)"
keepsakectl audit verify >/dev/null
case_pass

#!/bin/bash
# B-06: snapshots are deleted by who manages the account, and by nobody else;
# no transfer that is under way loses anything; the space comes back at once.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
# Rounds come too seldom to help: what is swept here was asked for.
world_up "[store] sweep_ms = 1h"
terminal_of_new one anna
terminal_of two anna

for n in 1 2 3 4; do
	rm -rf "$WORLD/tree"
	tree_make "$WORLD/tree" 6 20 "$n"
	cp -a "$WORLD/tree" "$WORLD/state.$n"
	keepsake_as one --quiet backup "$WORLD/tree"
done

snapshots() { # their ordinals
	jq -c 'map(.snapshot)' <<<"$(keepsake_as one --json snapshots)"
}

blobs_fewer_than() { # COUNT
	[ "$(figure store db_blobs)" -lt "$1" ]
}

usage() { # NAME: what keepsakectl tells of the account
	printf 'anna\n' >"$WORLD/name"
	json ".usage[0].$1" \
	    "$(keepsakectl --json account --name-file "$WORLD/name")"
}

swept_to_the_end() {
	[ "$(figure store accounts_swept)" -gt 0 ]
}

readonly FIRST=0a0101 # SnapshotDelete: ordinals 1

case_begin "B-06 no ticket but one for managing deletes"
for direction in UPLOAD DOWNLOAD ENROL NOTICES; do
	read -r ticket _ < <(raw_login one anna "$direction")
	expect_raw auth_required one --ticket "$ticket" --body "$FIRST" \
	    ask store.SNAPSHOT_DELETE >/dev/null
done
expect_raw auth_required one --body "$FIRST" ask store.SNAPSHOT_DELETE \
    >/dev/null
assert_equal '[1,2,3,4]' "$(snapshots)" snapshots
case_pass

case_begin "B-06 A-15 a stolen terminal with a grant adds, never deletes"
keepsake_as one --quiet grant add
cp -a "$WORLD/terminal/one" "$WORLD/terminal/stolen"
ticket=$("$BUILD/tests/tool/thief" --state "$WORLD/terminal/stolen" ticket)
expect_raw auth_required stolen --ticket "$ticket" --body "$FIRST" \
    ask store.SNAPSHOT_DELETE >/dev/null
secret wrong 'a guess'
expect_error 4 denied stolen --password-file "$WORLD/secret.wrong" delete 1 \
    >/dev/null
expect_error 4 denied stolen --password-file "$WORLD/secret.wrong" thin \
    --keep-last 1 >/dev/null
rm -rf "$WORLD/terminal/stolen"
assert_equal '[1,2,3,4]' "$(snapshots)" snapshots
assert_restores one 1 "$WORLD/state.1"
case_pass

case_begin "B-06 what cannot be meant is refused, and deletes nothing"
read -r manage _ < <(raw_login one anna MANAGE)
read -r theirs _ < <(terminal_of_new three bert && raw_login three bert MANAGE)
for body in "" 0a0100 0a020101 0a020201 0a02010005 \
    "0a65$(printf '%02x' {1..101})" 0aff; do
	expect_raw malformed one --ticket "$manage" --body "$body" \
	    ask store.SNAPSHOT_DELETE >/dev/null
done
answer=$(expect_raw not_found one --ticket "$manage" --body 0a020109 \
    ask store.SNAPSHOT_DELETE)
assert_match 'no snapshot 9; nothing was deleted' "$answer" detail
expect_raw not_found three --ticket "$theirs" --body "$FIRST" \
    ask store.SNAPSHOT_DELETE >/dev/null
assert_match '9: no such snapshot' \
    "$(expect_error 6 not_found one delete 2 9)" detail
expect_error 6 not_found one delete yesterday >/dev/null
assert_equal '[1,2,3,4]' "$(snapshots)" snapshots
case_pass

case_begin "B-06 a snapshot is deleted, and its space is there again"
before=$(figure store db_blobs)
bytes=$(usage bytes)
assert_equal "$before" "$(usage chunks)" "chunks of the account"
used=$(figure store db_used_bytes)
assert_json '.deleted == [1, 3]' "$(keepsake_as two --json delete 3 1 1)" told
assert_equal '[2,4]' "$(snapshots)" snapshots
expect_error 6 not_found one show 3 >/dev/null
wait_for 30 blobs_fewer_than "$before" || fail "nothing was swept"
wait_for 30 blobs_fewer_than $((before * 2 / 3)) ||
    fail "$before blobs, now $(figure store db_blobs)"
# Two of four trees of 6 MiB each, which do not compress by half.
readonly FREED=$((6 * 1024 * 1024))
assert_at_most $((used - FREED)) "$(figure store db_used_bytes)" "used bytes"
assert_at_most $((bytes - FREED)) "$(usage bytes)" "bytes of the account"
wait_for 30 swept_to_the_end || fail "the sweep does not end"
assert_equal "$(figure store db_blobs)" "$(usage chunks)" chunks
assert_equal 2 "$(figure store snapshots_deleted)" figure
assert_restores one 2 "$WORLD/state.2"
assert_restores two 4 "$WORLD/state.4"
case_pass

case_begin "B-06 G-04 a repeat gets the first answer"
readonly REQUEST=000102030405060708090a0b0c0d0e0f
delete_2() {
	raw one --ticket "$manage" --request "$REQUEST" --body 0a0102 \
	    ask store.SNAPSHOT_DELETE
}
read -r manage _ < <(raw_login one anna MANAGE)
first=$(delete_2)
assert_match '^ok ' "$first" answer
assert_equal "$first" "$(delete_2)" "of the repeat"
expect_raw not_found one --ticket "$manage" --body 0a0102 \
    ask store.SNAPSHOT_DELETE >/dev/null
assert_equal '[4]' "$(snapshots)" snapshots
case_pass

case_begin "B-06 N-04 O-06 the owner is told, and it is on record"
told() {
	notices=$(keepsake_as two --json notices)
	[ "$(jq '[.[] | select(.kind == "snapshots_deleted")] | length' \
	    <<<"$notices")" = 2 ]
}
wait_for 20 told || fail "not told: $notices"
assert_json '[.[] | select(.kind == "snapshots_deleted") | .figures] |
    any(.snapshots == 2 and .first == 1 and .last == 3)' "$notices" figures
record=$(keepsakectl --json audit store)
assert_match 'snapshot_deleted' "$record" "audit log"
assert_match 'snapshot 3' "$record" "audit log"
case_pass

case_begin "B-06 an ordinal never comes back, also the last one"
keepsake_as one --quiet delete latest
assert_equal '[]' "$(snapshots)" snapshots
service_stop store
service_start store
wait_for 10 keepsake_as one --quiet backup "$WORLD/state.1" ||
    fail "no backup"
assert_equal '[5]' "$(snapshots)" snapshots
case_pass

swept() {
	[ "$(figure store accounts_swept)" -gt "$1" ]
}

case_begin "B-06 B-05 what was deleted is sent again when it is wanted"
keepsake_as one --quiet backup "$WORLD/tree"
rounds=$(figure store accounts_swept)
keepsake_as one --quiet delete latest
wait_for 30 swept "$rounds" || fail "nothing was swept"
# Nothing has changed since, as the cache of this terminal says.
keepsake_as one --quiet backup "$WORLD/tree"
assert_restores one latest "$WORLD/tree"
assert_restores one 5 "$WORLD/state.1"
case_pass

# Hold the terminal's process, so that its transfer stays under way.
hold() { # TERMINAL
	kill -STOP "${CLIENT_PID[$1]}"
}

go_on() { # TERMINAL
	kill -CONT "${CLIENT_PID[$1]}"
}

case_begin "B-06 B-08 a restore under way gets all of what is deleted"
tree_make "$WORLD/large" 64 60 9
keepsake_as one --quiet backup "$WORLD/large"
sent=$(figure store chunks_sent)
client_begin two --json restore latest --target "$WORLD/out" --verify
restoring() {
	[ "$(figure store chunks_sent)" -gt $((sent + 10)) ]
}
wait_for 30 restoring || fail "the restore does not begin"
hold two
blobs=$(figure store db_blobs)
keepsake_as one --quiet delete latest
# Another account is swept, so this one's turn has passed.
keepsake_as three --quiet backup "$WORLD/state.2"
rounds=$(figure store accounts_swept)
keepsake_as three --quiet delete latest
wait_for 30 swept "$rounds" || fail "nothing was swept"
[ "$(figure store db_blobs)" -ge "$blobs" ] ||
    fail "$blobs blobs became $(figure store db_blobs)"
go_on two
client_end two || fail "the restore failed: $(client_out two)"
assert_same_tree "$WORLD/large" "$WORLD/out"
wait_for 30 blobs_fewer_than "$blobs" || fail "not swept after it"
case_pass

case_begin "B-06 B-08 a backup under way loses nothing that is deleted"
keepsake_as one --quiet backup "$WORLD/large"
tree_make "$WORLD/large" 64 60 9 --change 30
put=$(figure store chunks_put)
rm -f "$WORLD"/terminal/one/cache-*
client_begin one --json backup "$WORLD/large"
sending() {
	[ "$(figure store chunks_put)" -gt "$put" ]
}
wait_for 60 sending || fail "the backup does not begin"
hold one
keepsake_as two --quiet delete latest
go_on one
client_end one || fail "the backup failed: $(client_out one)"
assert_restores two latest "$WORLD/large"
case_pass

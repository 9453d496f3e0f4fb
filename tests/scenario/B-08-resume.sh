#!/bin/bash
# B-08: a broken transfer goes on where it stopped, in both directions, and
# what is left half never shows up as a snapshot.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
readonly MIB=64 FILES=120
terminal_of_new one anna

stored_bytes() {
	stat -c %s "$WORLD/store/data.mdb"
}

stored_more_than() { # BYTES
	[ "$(stored_bytes)" -gt "$1" ]
}

restored_more_than() { # FOLDER BYTES
	local bytes
	bytes=$(du -sb "$1" 2>/dev/null | cut -f1)
	[ "${bytes:-0}" -gt "$2" ]
}

# Begin to back up a tree that is new, and stop when a part of it is stored.
backup_begin() { # SEED
	rm -rf "$WORLD/tree"
	tree_make "$WORLD/tree" "$MIB" "$FILES" "$1"
	stored_before=$(stored_bytes)
	client_begin one --json backup "$WORLD/tree"
	wait_for 30 stored_more_than $((stored_before + (12 << 20))) ||
	    fail "the backup does not begin"
}

snapshots() {
	keepsake_as one --json snapshots | jq length
}

case_begin "B-08 a killed terminal: only what did not arrive is sent again"
backup_begin 1
client_kill one
[ ! -s "$WORLD/client.one.out" ] || fail "it ended before it was killed"
arrived=$(figure store bytes_put)
assert_equal 0 "$(snapshots)" snapshots
second=$(keepsake_as one --json backup "$WORLD/tree")
total=$(figure store bytes_put)
[ "$arrived" -gt $((8 << 20)) ] || fail "too little arrived: $arrived"
# Cut anew, a chunk or two around where it stopped may differ.
assert_json ".snapshot == 1 and
    .bytes_sent < $total - $arrived + 2000000" "$second" "second backup"
whole=$(json '.[0].sealed_bytes' "$(keepsake_as one --json snapshots)")
assert_at_most $((whole + whole / 10)) "$total" "bytes put in all"
assert_restores one 1 "$WORLD/tree"
case_pass

for name in store gateway; do
	case_begin "B-08 G-04 the $name killed in a backup: it ends all the same"
	count=$(snapshots)
	backup_begin "$((count + 1))"
	service_kill "$name"
	client_runs one || fail "the backup ended before"
	service_start "$name"
	client_end one || fail "exit status $?: $(client_out one)"
	assert_json ".snapshot == $count + 1" "$(client_out one)" backup
	assert_restores one latest "$WORLD/tree"
	case_pass
done

case_begin "B-08 the terminal stopped by a person: the next backup goes on"
count=$(snapshots)
backup_begin 7
kill -TERM "${CLIENT_PID[one]}"
status=0
client_end one || status=$?
assert_equal 1 "$status" "exit status"
assert_equal interrupted "$(json .error "$(client_out one)")" error
assert_equal "$count" "$(snapshots)" snapshots
keepsake_as one --quiet backup "$WORLD/tree"
assert_restores one latest "$WORLD/tree"
case_pass

restore_begin() {
	rm -rf "$WORLD/target"
	client_begin one --json restore latest --target "$WORLD/target" "$@"
	wait_for 30 restored_more_than "$WORLD/target" $((12 << 20)) ||
	    fail "the restore does not begin"
}

case_begin "B-08 a killed restore goes on with what is missing"
restore_begin
client_kill one
[ ! -s "$WORLD/client.one.out" ] || fail "it ended before it was killed"
expect_error 7 conflict one restore latest --target "$WORLD/target" >/dev/null
rest=$(keepsake_as one --json restore latest --target "$WORLD/target" \
    --resume --verify)
assert_json '.there > 0 and .written > 0 and .files == .written + .there and
    .skipped == []' "$rest" "second restore"
assert_same_tree "$WORLD/tree" "$WORLD/target"
case_pass

for name in store gateway; do
	case_begin "B-08 G-04 the $name killed in a restore: it ends all the same"
	restore_begin --verify
	service_kill "$name"
	client_runs one || fail "the restore ended before"
	service_start "$name"
	client_end one || fail "exit status $?: $(client_out one)"
	assert_same_tree "$WORLD/tree" "$WORLD/target"
	case_pass
done

case_begin "B-08 all snapshots are whole"
for n in $(seq "$(snapshots)"); do
	keepsake_as one --quiet restore "$n" --target "$WORLD/all.$n" --verify
	rm -rf "$WORLD/all.$n"
done
case_pass

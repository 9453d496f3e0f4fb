#!/bin/bash
# B-06: snapshots are named by ordinal or by time; listed, shown, restored.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna

case_begin "B-06 without a backup there is no snapshot"
assert_equal '[]' "$(keepsake_as one --json snapshots)" list
expect_error 6 not_found one show latest >/dev/null
case_pass

later_than() { # SECONDS since 1970
	[ "$(date +%s)" -gt "$1" ]
}

# Three states of a tree, each with a copy, at least a second apart.
for n in 1 2 3; do
	tree_make "$WORLD/tree" 2 12 "$n"
	echo "state $n" >"$WORLD/tree/state.txt"
	cp -a "$WORLD/tree" "$WORLD/state.$n"
	keepsake_as one --quiet backup "$WORLD/tree" --label "state $n"
	wait_for 5 later_than "$(date +%s)" || fail "time stands still"
done
list=$(keepsake_as one --json snapshots)

case_begin "B-06 the list has them, oldest first"
assert_json 'map(.snapshot) == [1, 2, 3] and
    map(.label) == ["state 1", "state 2", "state 3"] and
    (map(.taken) | . == sort and . == unique)' "$list" list
assert_json '[.[] | .terminal] | unique | length == 1 and .[0] != null' \
    "$list" terminal
case_pass

case_begin "B-06 the list for people has a line for each"
assert_equal 3 "$(keepsake_as one snapshots | grep -c 'state [123]$')" lines
case_pass

case_begin "B-06 show lists what is in one: paths, types, sizes, modes, times"
shown=$(keepsake_as one --json show 2)
want=$(cd "$WORLD/state.2" &&
    find . -mindepth 1 \( -type f -printf '%P\tfile\t%s\t%#m\n' \
	-o -type d -printf '%P\tfolder\t0\t%#m\n' \) | LC_ALL=C sort)
got=$(jq -r '.[] | [.path, .type, .size, .mode] | @tsv' <<<"$shown" |
    LC_ALL=C sort)
assert_equal "$want" "$got" contents
mtime=$(date -u -r "$WORLD/state.2/state.txt" +%Y-%m-%dT%H:%M:%S.%NZ)
assert_json "any(.[]; .path == \"state.txt\" and .mtime == \"$mtime\")" \
    "$shown" "time of state.txt"
case_pass

# The snapshot that a name stands for, by what is in it.
assert_names() { # WANT NAME
	keepsake_as one --quiet restore "$2" --target "$WORLD/named"
	assert_equal "state $1" "$(cat "$WORLD/named/state.txt")" "snapshot $2"
	rm -rf "$WORLD/named"
}

case_begin "B-06 each is named by its ordinal"
for n in 1 2 3; do
	assert_names "$n" "$n"
done
assert_names 3 latest
case_pass

case_begin "B-06 each is named by its time, and by a later one"
for n in 1 2 3; do
	assert_names "$n" "$(json ".[$n - 1].taken" "$list")"
done
assert_names 3 "$(date -u +%Y-%m-%d)"
assert_names 3 "$(date -u +%Y)-12"
case_pass

case_begin "B-06 an old one is restored whole"
for n in 1 2 3; do
	assert_restores one "$n" "$WORLD/state.$n"
done
case_pass

case_begin "B-06 names that fit none are refused"
for name in 0 4 999999999999 1970-01 yesterday 2026-1 -1x; do
	expect_error 6 not_found one show -- "$name" >/dev/null
	expect_error 6 not_found one restore --target "$WORLD/none" -- \
	    "$name" >/dev/null
done
case_pass

#!/bin/bash
# B-06: snapshots are thinned by rule: what any rule keeps stays, each folder
# of each terminal by itself, and never all of them go.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
mkdir "$WORLD/photos" "$WORLD/notes"

# Days are local ones: here it is noon, whenever this runs.
TZ=NOON$((10#$(date -u +%H) - 12))
export TZ

saved=0
save() { # FOLDER: it has changed
	saved=$((saved + 1))
	echo "state $saved" >"$WORLD/$1/state.txt"
	keepsake_as one --quiet backup "$WORLD/$1" --label "$1"
}

# The same world, so many days on.
later() { # DAYS
	local name
	for name in $SERVICES; do
		service_stop "$name"
	done
	for name in $SERVICES; do
		service_start_ahead "+$1d" "$name"
	done
	auth_reached one
}

kept() { # what there is, as FOLDER:STATE
	keepsake_as one --json snapshots |
	    jq -r 'map("\(.label):\(.snapshot)") | join(" ")'
}

save photos   # 1
save notes    # 2
save photos   # 3
later 1
save photos   # 4
save photos   # 5
later 40
save photos   # 6
save notes    # 7
readonly ALL='photos:1 notes:2 photos:3 photos:4 photos:5 photos:6 notes:7'
assert_equal "$ALL" "$(kept)" snapshots

case_begin "B-06 without a rule that keeps one nothing is thinned"
assert_match 'no rule keeps a snapshot' \
    "$(expect_error 1 malformed one thin)" detail
expect_error 1 malformed one thin --keep-last 0 --keep-monthly 0 >/dev/null
for wrong in -1 1x "" 100001 1.5; do
	expect_status 2 keepsake_as one thin --keep-daily "$wrong" 2>/dev/null
done
expect_status 2 keepsake_as one backup --keep-last 1 "$WORLD/notes" 2>/dev/null
assert_equal "$ALL" "$(kept)" snapshots
case_pass

case_begin "B-06 what would go is shown, and stays"
plan=$(keepsake_as one --json thin --dry-run --keep-daily 2 --keep-monthly 2)
assert_json '.dry_run and .deleted == 3 and .kept == 4 and
    [.snapshots[] | select(.kept | not) | .snapshot] == [1, 3, 4] and
    [.snapshots[] | select(.snapshot == 6) | .by[]] == ["daily", "monthly"]' \
    "$plan" plan
people=$(keepsake_as one thin --dry-run --keep-daily 2)
assert_equal 3 "$(grep -cE '^delete +[134] ' <<<"$people")" "lines for people"
assert_match '3 would be deleted, 4 kept' "$people" "for people"
assert_equal "$ALL" "$(kept)" snapshots
case_pass

case_begin "B-06 the rest goes, and what is kept can be restored"
told=$(keepsake_as one --json thin --keep-daily 2 --keep-monthly 2)
assert_json '(.dry_run | not) and .deleted == 3' "$told" told
assert_equal 'notes:2 photos:5 photos:6 notes:7' "$(kept)" snapshots
keepsake_as one --quiet restore 5 --target "$WORLD/out"
assert_equal 'state 5' "$(cat "$WORLD/out/state.txt")" "snapshot 5"
case_pass

case_begin "B-06 again there is nothing to do"
assert_json '.deleted == 0 and .kept == 4' \
    "$(keepsake_as one --json thin --keep-daily 2 --keep-monthly 2)" told
case_pass

case_begin "B-06 K-02 a snapshot that cannot be read here is left alone"
keepsake_as one --quiet backup --key local "$WORLD/photos" --label photos
keepsake_as one --quiet backup "$WORLD/photos" --label photos
mv "$WORLD/terminal/one/keys" "$WORLD/keys.elsewhere"
assert_json '.deleted == 3 and .kept == 3 and
    any(.snapshots[]; (.readable | not) and .kept and .snapshot == 8)' \
    "$(keepsake_as one --json thin --keep-last 1)" told
assert_equal '[7,8,9]' \
    "$(keepsake_as one --json snapshots | jq -c 'map(.snapshot)')" snapshots
case_pass

case_begin "B-06 each folder keeps its newest, whatever is asked"
for rule in last daily weekly monthly; do
	keepsake_as one --quiet thin "--keep-$rule" 1
done
assert_equal '[7,8,9]' \
    "$(keepsake_as one --json snapshots | jq -c 'map(.snapshot)')" snapshots
case_pass

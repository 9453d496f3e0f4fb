#!/bin/bash
# R-01: kill -9 any process at any moment under load: nothing acknowledged is
# missing, nothing unacknowledged is half there.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up "[notify] retry_ms = 200ms" "[notify] retry_ms_max = 1s"
# Of the moments; a failed run is repeated by giving the same.
readonly SEED=${SEED:-$RANDOM}
RANDOM=$SEED
echo "SEED=$SEED"
readonly MIB=24 FILES=40
backups=0 # acknowledged so far: their trees are in $WORLD/kept/ORDINAL
accounts=0
terminal_of_new one anna
terminal_of watcher anna
mkdir "$WORLD/kept"
tree_make "$WORLD/tree" "$MIB" "$FILES" 1

moment() { # MS_MAX: pass up to so much time
	sleep "$(awk "BEGIN { print $((RANDOM % ($1 + 1))) / 1000 }")"
}

# Keep what the last backup acknowledged, and change the tree.
backup_keep() { # [TERMINAL]
	local ordinal
	ordinal=$(json .snapshot "$(client_out "${1:-one}")")
	[ ! -e "$WORLD/kept/$ordinal" ] ||
	    fail "snapshot $ordinal was acknowledged twice"
	cp -a "$WORLD/tree" "$WORLD/kept/$ordinal"
	backups=$((backups + 1))
	tree_make "$WORLD/tree" "$MIB" "$FILES" 1 --change 5
}


# One backup and one new account, with SERVICE killed at a random moment.
service_round() { # SERVICE
	client_begin one --json backup "$WORLD/tree"
	moment 600
	service_kill "$1"
	moment 200
	service_start "$1"
	client_end one || fail "exit status $?: $(client_out one)"
	backup_keep
	accounts=$((accounts + 1))
	terminal_enrolled "t$accounts"
	client_begin "t$accounts" --json register "account$accounts"
	moment 150
	service_kill "$1"
	service_start "$1"
	client_end "t$accounts" ||
	    fail "exit status $?: $(client_out "t$accounts")"
	terminal_bind "t$accounts"
}

for name in $SERVICES; do
	case_begin "R-01 $name killed: all that is under way ends well"
	service_round "$name"
	service_round "$name"
	case_pass
done

case_begin "R-01 B-08 the terminal killed: what it left does not show"
# Each once: a login that is killed leaves a try open for two minutes (A-07).
terminal_of second anna
terminal_of third anna
for name in one watcher second third; do
	client_begin "$name" --json backup "$WORLD/tree"
	moment 500
	client_kill "$name"
	if [ -s "$WORLD/client.$name.out" ]; then
		backup_keep "$name" # it was done before
	fi
done
client_begin one --json backup "$WORLD/tree"
client_end one || fail "exit status $?: $(client_out one)"
backup_keep
case_pass

case_begin "R-01 all of them killed at once"
client_begin one --json backup "$WORLD/tree"
moment 400
for name in $SERVICES; do
	service_kill "$name"
done
for name in $SERVICES; do
	service_start "$name"
done
client_end one || fail "exit status $?: $(client_out one)"
backup_keep
case_pass

case_begin "R-01 every acknowledged backup is there, byte for byte"
list=$(keepsake_as one --json snapshots)
assert_json "length >= $backups and all(.[]; .readable)" "$list" snapshots
for tree in "$WORLD"/kept/*; do
	assert_restores one "${tree##*/}" "$tree"
done
case_pass

case_begin "R-01 nothing is half there: each snapshot listed is whole"
while read -r ordinal; do
	[ ! -e "$WORLD/kept/$ordinal" ] || continue
	keepsake_as one --quiet restore "$ordinal" --verify \
	    --target "$WORLD/whole"
	rm -rf "$WORLD/whole"
done < <(jq '.[].snapshot' <<<"$list")
case_pass

case_begin "R-01 A-01 D-01 every acknowledged account and binding is there"
for ((n = 1; n <= accounts; n++)); do
	assert_equal '[]' "$(keepsake_as "t$n" --json snapshots)" "account $n"
done
assert_equal $((accounts + 1)) "$(figure auth accounts)" accounts
assert_equal $((accounts + 4)) "$(figure binding terminals)" terminals
case_pass

# The other terminal of the account has been away all the time.
told() {
	keepsake_as watcher --json notices |
	    jq -r '.[] | select(.kind == "backup_done") | .figures.ordinal' \
	    >>"$WORLD/told"
	for tree in "$WORLD"/kept/*; do
		grep -qx "${tree##*/}" "$WORLD/told" || return 1
	done
}

case_begin "R-01 N-05 every promised notice is told"
: >"$WORLD/told"
wait_for 60 told || fail "of $(ls "$WORLD/kept") told: $(cat "$WORLD/told")"
case_pass

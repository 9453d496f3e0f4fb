#!/bin/bash
# R-01: the power is cut at any moment, and what was not synced is dropped, in
# any order that is legal: nothing acknowledged is missing, nothing is half
# there, and every service starts by itself.
#
# The services run under load and each of their writes is recorded.  Then they
# are started on what a cut at some moment leaves of their disk, again and
# again.  Environment: CUTS; SEED, to take the same moments again.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
usual=4
[ -z "${LONG:-}" ] || usual=100
sanitized && usual=2
readonly POWER_CUTS=${POWER_CUTS:-$usual} SEED=${SEED:-$RANDOM} BACKUPS=6
RANDOM=$SEED
echo "POWER_CUTS=$POWER_CUTS SEED=$SEED"

world_make "[notify] retry_ms = 200ms" "[notify] retry_ms_max = 1s"
readonly TRACE=$WORLD/trace
mkdir -m 0700 "$WORLD"/{disk,disk/data,disk/ledger,kept,seen}
for name in auth store binding notify; do
	sed -i "s|^data = $WORLD/$name\$|data = $WORLD/disk/data/$name|
	    s|^ledger = $WORLD/$name.ledger\$|ledger = $WORLD/disk/ledger/$name|" \
	    "$WORLD_CONFIG"
done
cp -a "$WORLD/disk" "$WORLD/before"
: >"$TRACE"
SERVICE_WITHIN=(env LD_PRELOAD="$BUILD/tests/power/record.so"
	KEEPSAKE_RECORD_FOLDER="$WORLD/disk" KEEPSAKE_RECORD_TRACE="$TRACE"
	ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0")
for name in $SERVICES; do
	service_start "$name"
done

powercut() {
	"$BUILD/tests/power/powercut" "$@"
}

# What the server acknowledged, as it was said.
promise() { # WORDS...
	powercut mark "$TRACE" "$*"
}

case_begin "R-01 under load, each write is recorded"
terminal_of_new one anna
promise bound one
terminal_of_new two bert
promise bound two
accounts() {
	local i
	for i in 1 2 3; do
		terminal_enrolled "new$i"
		keepsake_as "new$i" --quiet register "account$i"
		promise registered "new$i"
		terminal_bind "new$i"
		promise bound "new$i"
	done
}
cards() {
	local i
	for i in 1 2 3 4 5 6 7 8; do
		keepsake_as two --quiet card save \
		    --iccid "$(card_number $((i % 2)))" --number "+4915100$i"
		promise card "$((i % 2))" "$i"
	done
}
accounts >"$WORLD/accounts.said" 2>&1 &
accounts_pid=$!
cards >"$WORLD/cards.said" 2>&1 &
cards_pid=$!
for ((i = 1; i <= BACKUPS; i++)); do
	mkdir -p "$WORLD/tree/folder"
	head -c 150000 /dev/urandom >"$WORLD/tree/folder/file $((i % 4))"
	cp -a "$WORLD/tree" "$WORLD/kept/$i"
	assert_equal "$i" "$(json .snapshot "$(keepsake_as one --json \
	    backup "$WORLD/tree")")" snapshot
	promise snapshot "$i"
done
wait "$accounts_pid" || fail "$(cat "$WORLD/accounts.said")"
wait "$cards_pid" || fail "$(cat "$WORLD/cards.said")"
for name in $SERVICES; do
	service_kill "$name"
done
SERVICE_WITHIN=()
events=$(powercut count "$TRACE")
echo "$events events"
case_pass

# The terminals' own state is what it was at the end: only the server's power
# was cut.
sed "s|$WORLD/disk/|$WORLD/image/|" "$WORLD_CONFIG" >"$WORLD/image.conf"
readonly IMAGE_CONFIG=$WORLD/image.conf

promised() { # WORD: what was promised of it before the cut, a line each
	sed -n "s/^$1 //p" "$WORLD/seen/marks"
}

look_at_snapshots() {
	local list last ordinal
	list=$(keepsake_as one --json snapshots)
	last=$(promised snapshot | tail -n 1)
	assert_json "length >= ${last:-0} and length <= ${last:-0} + 1 and
	    all(.[]; .readable)" "$list" "snapshots, $last promised"
	# One that was not promised is there as a whole, or not at all.
	for ordinal in $(jq '.[].snapshot' <<<"$list" |
	    shuf -n 1 --random-source=<(yes "$RANDOM")) \
	    "$(jq '.[-1].snapshot // empty' <<<"$list")"; do
		[ -z "$ordinal" ] ||
		    assert_restores one "$ordinal" "$WORLD/kept/$ordinal"
	done
}

look_at_cards() {
	local card number got
	for card in 0 1; do
		number=$(promised card | sed -n "s/^$card //p" | tail -n 1)
		[ -n "$number" ] || continue
		got=$(json .number "$(keepsake_as two --json card fetch \
		    "$(card_number "$card")")")
		[ "${got#+4915100}" -ge "$number" ] ||
		    fail "card $card has $got, $number was promised"
	done
}

look_at_accounts() {
	local name bound
	name=$(promised bound | grep new | tail -n 1) || true
	[ -z "$name" ] ||
	    assert_equal '[]' "$(keepsake_as "$name" --json snapshots)" "$name"
	bound=$(promised bound | wc -l)
	[ "$(figure binding terminals)" -ge "$bound" ] ||
	    fail "$bound terminals were promised"
	[ "$(figure auth accounts)" -ge "$(promised registered | wc -l)" ] ||
	    fail "$(promised registered) were promised"
}

cut() { # MOMENT SEED
	local name
	rm -rf "$WORLD/image"
	powercut image "$TRACE" "$WORLD/before" "$1" "$2" "$WORLD/image"
	powercut marks "$TRACE" "$1" >"$WORLD/seen/marks"
	WORLD_CONFIG=$IMAGE_CONFIG
	for name in $SERVICES; do
		service_launch "$name" "$IMAGE_CONFIG"
	done
	for name in $SERVICES; do
		service_ready "$name"
	done
	if promised bound | grep -qx one; then
		look_at_snapshots
	fi
	look_at_cards
	look_at_accounts
	keepsakectl audit verify >"$WORLD/audit" 2>&1 ||
	    ! promised bound | grep -q . || fail "$(cat "$WORLD/audit")"
	for name in $SERVICES; do
		service_kill "$name"
	done
}

for ((k = 1; k <= POWER_CUTS; k++)); do
	moment=$(((RANDOM * 32768 + RANDOM) % events + 1))
	seed=$((k <= 2 ? k - 1 : RANDOM + 2))
	case_begin "R-01 power cut $k of $POWER_CUTS: all that was promised is there"
	echo "event $moment, image $seed"
	cut "$moment" "$seed"
	case_pass
done

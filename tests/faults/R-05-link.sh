#!/bin/bash
# R-05: a link that loses 30 % of the packets, delays, reorders and duplicates
# them, is slow, goes away and comes back, or ends somewhere else: every
# backup and restore ends correctly, and without an error shown.
# Environment: LONG, for more bytes and another address; SEED, of the packets
# that are spoilt.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
# shellcheck source=tests/scenario/net.sh
. "$(dirname "$0")/../scenario/net.sh"
net_possible || {
	case_skip "R-05 a bad link: $net_why"
	exit 0
}
readonly SEED=${SEED:-$RANDOM} PATIENCE=10min # a transfer waits so long
[ -n "${LONG:-}" ] && scale=8 || scale=1
readonly scale
RANDOM=$SEED
echo "SEED=$SEED"
net_up
terminal_of_new one anna
terminal_of_new two bert

# Files of KIB in all, that do not compress; none of them was there before.
files_make() { # FOLDER KIB
	local i
	mkdir -p "$1/folder"
	for i in 1 2 3 4; do
		head -c $(($2 * 256)) /dev/urandom >"$1/folder/file $i"
	done
}

# Say what it cost: how many bytes went for each byte of the tree.
cost() { # WAY TREE BYTES-BEFORE [MOST]
	local sent size
	size=$(du -sb --apparent-size "$2/folder" | cut -f1)
	sent=$(($(net_bytes "$1") - $3))
	echo "$case_open: $sent bytes on the link for $size"
	# Each chunk a few times at most, though each packet may go many times.
	assert_at_most "${4:-6}" \
	    "$(awk "BEGIN { print $sent / ($size + 262144) }")" \
	    "bytes sent for each that is stored"
}

backed_up() { # TREE [MOST]
	local before
	before=$(net_bytes tx)
	keepsake_as one --quiet --timeout "$PATIENCE" backup "$1" \
	    2>"$WORLD/said" || fail "exit status $?: $(cat "$WORLD/said")"
	assert_equal '' "$(cat "$WORLD/said")" "an error shown"
	cost tx "$1" "$before" "${2:-}"
}

restored() { # TREE [MOST]
	local before target=$WORLD/restored
	before=$(net_bytes rx)
	keepsake_as one --quiet --timeout "$PATIENCE" restore latest \
	    --target "$target" --verify 2>"$WORLD/said" ||
	    fail "exit status $?: $(cat "$WORLD/said")"
	assert_equal '' "$(cat "$WORLD/said")" "an error shown"
	cost rx "$1" "$before" "${2:-}"
	assert_same_tree "$1" "$target"
	rm -rf "$target"
}

case_begin "R-05 30 % of the packets lost, both ways"
files_make "$WORLD/lossy" $((64 * scale))
net_loss 30
backed_up "$WORLD/lossy"
restored "$WORLD/lossy"
net_loss 0
case_pass

case_begin "R-05 a slow link: both ways at once"
files_make "$WORLD/slow" $((200 * scale))
files_make "$WORLD/other" $((200 * scale))
keepsake_as two --quiet backup "$WORLD/other"
net_rate 2mbit
mkdir "$WORLD/two"
client_begin two --quiet restore latest --target "$WORLD/two" --verify
backed_up "$WORLD/slow"
client_end two || fail "exit status $?: $(cat "$WORLD/client.two.err")"
assert_same_tree "$WORLD/other" "$WORLD/two"
restored "$WORLD/slow"
net_rate_free
case_pass

# Longer than anything else waits: nothing is given up, or sent again.
case_begin "R-05 a link on which one chunk takes half a minute"
files_make "$WORLD/slower" $((200 * scale))
net_rate 32kbit
backed_up "$WORLD/slower" 1
[ -z "${LONG:-}" ] || restored "$WORLD/slower" 1
net_rate_free
case_pass

# Something has gone over the link since: a transfer is under way.
moves_on() { # WAY BYTES-BEFORE BYTES
	[ "$(net_bytes "$1")" -gt $(($2 + $3)) ]
}

# A transfer of the terminal during which something is done to the link.
broken_off() { # tx|rx ARGUMENTS... -- COMMAND...
	local way=$1 before arguments=()
	shift
	while [ "$1" != -- ]; do
		arguments+=("$1")
		shift
	done
	shift
	before=$(net_bytes "$way")
	client_begin one --quiet --timeout "$PATIENCE" "${arguments[@]}"
	wait_for 60 moves_on "$way" "$before" $((150000 * scale)) ||
	    fail "it does not begin: $(cat "$WORLD/client.one.err")"
	client_runs one || fail "it has ended before the link breaks"
	"$@"
	client_end one ||
	    fail "exit status $?: $(cat "$WORLD/client.one.err")"
	assert_equal '' "$(cat "$WORLD/client.one.err")" "an error shown"
}

cut_and_return() {
	net_cut
	sleep $((scale * 5 / 2)) # what is tested: it is long
	client_runs one || fail "it did not wait for the link"
	net_return
}

case_begin "R-05 the link goes, and is back later: each goes on"
files_make "$WORLD/cut" $((400 * scale))
net_rate 4mbit
before=$(net_bytes tx)
broken_off tx backup "$WORLD/cut" -- cut_and_return
cost tx "$WORLD/cut" "$before"
before=$(net_bytes rx)
broken_off rx restore latest --target "$WORLD/restored" --verify \
    -- cut_and_return
cost rx "$WORLD/cut" "$before"
assert_same_tree "$WORLD/cut" "$WORLD/restored"
rm -rf "$WORLD/restored"
case_pass

# Half a minute until it is noticed: in the long form.
if [ -n "${LONG:-}" ]; then
	case_begin "R-05 another address in the middle: it goes on from there"
	files_make "$WORLD/moved" $((400 * scale))
	before=$(net_bytes tx)
	broken_off tx backup "$WORLD/moved" -- net_move 10.213.0.3
	cost tx "$WORLD/moved" "$before"
	restored "$WORLD/moved"
	case_pass
fi
net_rate_free

# --- over TUN: delay, reordering, duplicates ---------------------------------

badlink_begin() { # ARGUMENTS...
	"$BUILD/tests/tool/badlink" "$NET_A" "$NET_B" --seed "$SEED" "$@" \
	    >"$WORLD/badlink.out" 2>"$WORLD/badlink.err" &
	badlink=$!
	at_end badlink_kill
	wait_for 10 badlink_ready || return 1
	# The same addresses, by the other way.
	net_a ip addr flush dev link-a
	net_b ip addr flush dev link-b
	net_a ip addr add "$NET_SERVER/32" peer "$NET_TERMINAL" dev bad
	net_b ip addr add "$NET_TERMINAL/32" peer "$NET_SERVER" dev bad
	net_a ip link set bad up
	net_b ip link set bad up
	net_link=bad
}

badlink_ready() {
	grep -qx ready "$WORLD/badlink.out" || ! kill -0 "$badlink" 2>/dev/null
}

badlink_kill() {
	kill "$badlink" 2>/dev/null && wait "$badlink"
}

case_begin "R-05 packets late, out of order, twice, and lost"
files_make "$WORLD/bad" $((200 * scale))
badlink_begin --delay 5-60 --drop 5 --duplicate 10
if ! grep -qx ready "$WORLD/badlink.out"; then
	case_skip "$case_open: $(cat "$WORLD/badlink.err")"
	exit 0
fi
backed_up "$WORLD/bad"
restored "$WORLD/bad"
kill "$badlink"
wait "$badlink"
did=$(tail -n 1 "$WORLD/badlink.out")
echo "$did"
assert_json '.dropped > 0 and .duplicated > 0 and .reordered > 0' "$did" \
    "what was done to the packets"
case_pass

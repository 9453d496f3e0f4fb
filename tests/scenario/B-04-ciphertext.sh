#!/bin/bash
# B-04: the server sees ciphertext and lengths: no content, name, size or
# time of a file in any of its files, its logs, or on the way to it.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up "[common] log_level = debug"
terminal_of_new one anna-of-the-marker

# 5,000,000,007 bytes, nearly all a hole: a size that is nowhere by chance.
readonly SIZE=5000000007
mkdir "$WORLD/tree"
for n in $(seq 2000); do
	echo "CONTENT-MARKER line $n"
done >"$WORLD/tree/NAME-MARKER.txt"
head -c 3000000 /dev/urandom >"$WORLD/tree/photo.jpg"
echo end >"$WORLD/tree/large"
truncate -s "$SIZE" "$WORLD/tree/large"

# Bytes as grep -P takes them in the C locale: a number, little- or big-endian or a varint.
pattern() { # HEX
	sed 's/../\\x&/g' <<<"$1"
}
little=$(printf '%016x' "$SIZE" | fold -w2 | tac | tr -d '\n')
big=$(printf '%016x' "$SIZE")
varint=
for ((rest = SIZE; rest > 0; rest >>= 7)); do
	varint+=$(printf %02x $(((rest & 127) | (rest > 127 ? 128 : 0))))
done

# Everything that the services write and say.
nowhere() { # WHAT PATTERN
	local found
	found=$(LC_ALL=C grep -rlaP "$2" "$WORLD"/{auth,store,binding,notify,run,log} \
	    || true)
	[ -z "$found" ] || fail "$1 is in $found"
}

traced=
if command -v strace >/dev/null; then
	# Between gateway and services there is no CURVE to hide anything.
	strace -f -qq -xx -s 300000 -p "${SERVICE_PID[gateway]}" \
	    -e trace=sendto,recvfrom,sendmsg,recvmsg,write,read \
	    -o "$WORLD/wire" 2>/dev/null &
	traced=$!
	traced_yet() {
		[ "$(awk '/TracerPid/ { print $2 }' \
		    "/proc/${SERVICE_PID[gateway]}/status")" -gt 0 ]
	}
	wait_for 10 traced_yet || fail "strace does not trace"
fi
keepsake_as one --quiet backup "$WORLD/tree" --label LABEL-MARKER
keepsake_as one --quiet show latest >"$WORLD/shown"
keepsake_as one --quiet snapshots >"$WORLD/listed"
if [ -n "$traced" ]; then
	kill "$traced"
	wait "$traced" 2>/dev/null || true
fi

case_begin "B-04 this test can find what it looks for"
grep -qaP CONTENT-MARKER "$WORLD/tree/NAME-MARKER.txt"
LC_ALL=C grep -qaP "$(pattern 01ff)" <(printf 'a\x01\xffb') ||
    fail "grep does not find bytes"
grep -q NAME-MARKER "$WORLD/shown" || fail "the terminal does not see the name"
grep -q LABEL-MARKER "$WORLD/listed" || fail "nor the label"
[ "$(figure store bytes_put)" -gt 3000000 ] || fail "nothing was stored"
case_pass

case_begin "B-04 no content is in the server's files and logs"
nowhere content CONTENT-MARKER
case_pass

case_begin "B-04 no name of a file or label is there"
nowhere name 'NAME-MARKER|LABEL-MARKER|photo\.jpg'
case_pass

case_begin "B-04 A-01 no login name is there"
nowhere "login name" of-the-marker
case_pass

case_begin "B-04 no size of a file is there"
nowhere size "$SIZE|$(pattern "$little")|$(pattern "$big")|$(pattern "$varint")"
case_pass

case_begin "B-04 A-04 no password is there"
nowhere password "$PASSWORD|$VERIFICATION"
case_pass

if [ -z "$traced" ]; then
	case_skip "B-04 nothing of it goes over the wire: no strace here"
	exit 0
fi
case_begin "B-04 A-04 nothing of it goes over the wire"
[ "$(stat -c %s "$WORLD/wire")" -gt 6000000 ] || fail "too little was traced"
for text in CONTENT-MARKER NAME-MARKER LABEL-MARKER of-the-marker \
    "$PASSWORD" "$VERIFICATION"; do
	hex=$(printf %s "$text" | od -An -v -tx1 | tr -d ' \n')
	! grep -qF "$(pattern "$hex")" "$WORLD/wire" ||
	    fail "'$text' goes over the wire"
done
for hex in "$little" "$big" "$varint"; do
	! grep -qF "$(pattern "$hex")" "$WORLD/wire" ||
	    fail "the size goes over the wire as $hex"
done
case_pass

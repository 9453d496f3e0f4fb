#!/bin/bash
# B-06 R-01: the store is killed while it compacts its database, early, late
# and in between: what it had is there, and the file is one or the other.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
tree_make "$WORLD/kept" 24 40 1
keepsake_as one --quiet backup "$WORLD/kept"
tree_make "$WORLD/gone" 24 40 2
keepsake_as one --quiet backup "$WORLD/gone"
keepsake_as one --quiet delete latest
readonly COPY=$WORLD/store/data.compact
readonly DATA=$WORLD/store/data.mdb

copied() { # BYTES: the copy has so many, or has been done with
	[ "$(stat -c %s "$COPY" 2>/dev/null || echo 0)" -ge "$1" ] ||
	    [ "$(stat -c %i "$DATA")" != "$inode" ]
}

replaced() {
	[ "$(stat -c %i "$DATA")" != "$inode" ]
}

# Have it compacted, and kill it once ${COMMAND...} succeeds.
kill_when() { # COMMAND...
	inode=$(stat -c %i "$DATA")
	keepsakectl compact store >/dev/null 2>&1 &
	local tool=$!
	wait_for 60 "$@" || fail "nothing is compacted"
	service_kill store
	kill_begun TERM "$tool"
	wait "$tool" 2>/dev/null || true
}

for moment in 'copied 1' 'copied 8000000' 'copied 20000000' replaced; do
	case_begin "B-06 R-01 killed while it compacts: $moment"
	# shellcheck disable=SC2086 # a command and its argument
	kill_when $moment
	service_start store
	[ ! -e "$COPY" ] || fail "the copy was left behind"
	wait_for 10 keepsake_as one --quiet snapshots || fail "no answer"
	assert_restores one 1 "$WORLD/kept"
	echo "$moment" >"$WORLD/gone/changed"
	keepsake_as one --quiet backup "$WORLD/gone"
	assert_restores one latest "$WORLD/gone"
	keepsake_as one --quiet delete latest
	case_pass
done

case_begin "B-06 R-01 after all of that it can be compacted"
assert_json '.[0].after_bytes <= .[0].before_bytes' \
    "$(keepsakectl --json compact store)" told
assert_restores one 1 "$WORLD/kept"
keepsakectl --json audit verify >/dev/null || fail "the audit log is not whole"
case_pass

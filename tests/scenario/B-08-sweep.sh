#!/bin/bash
# B-08: what a broken backup left behind stays as long as the backup may go
# on, and is swept after that; nothing that a snapshot refers to ever is.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up "[store] lease_ms = 10min" "[store] sweep_ms = 100ms"
terminal_of_new one anna
tree_make "$WORLD/kept" 4 20 1
keepsake_as one --quiet backup "$WORLD/kept"

blobs() {
	figure store db_blobs
}

blobs_more_than() { # COUNT
	[ "$(blobs)" -gt "$1" ]
}

blobs_are() { # COUNT
	[ "$(blobs)" -eq "$1" ]
}

rounds_since() { # COUNT: two whole rounds of the sweep
	[ "$(figure store sweep_rounds)" -ge $(($1 + 2)) ]
}

broken_backup() { # SEED
	rm -rf "$WORLD/broken"
	tree_make "$WORLD/broken" 48 40 "$1"
	local before
	before=$(blobs)
	client_begin one --json backup "$WORLD/broken"
	wait_for 30 blobs_more_than $((before + 20)) ||
	    fail "the backup does not begin"
	client_kill one
	[ ! -s "$WORLD/client.one.out" ] || fail "it ended before the kill"
}

kept=$(blobs)

case_begin "B-08 a snapshot's chunks stay, round after round"
wait_for 20 rounds_since "$(figure store sweep_rounds)" || fail "no sweep"
assert_equal "$kept" "$(blobs)" blobs
case_pass

case_begin "B-08 what a broken backup sent stays while it may go on"
broken_backup 2
left=$(blobs)
wait_for 20 rounds_since "$(figure store sweep_rounds)" || fail "no sweep"
[ "$(blobs)" -ge "$left" ] || fail "$left blobs became $(blobs)"
case_pass

case_begin "B-08 it is swept when its time is over, the snapshot is not"
left=$(blobs)
service_stop store
sed -i 's/^lease_ms = .*/lease_ms = 1s/' "$WORLD_CONFIG"
service_start store
wait_for 30 blobs_are "$kept" || fail "$(blobs) blobs, want $kept"
assert_equal 0 "$(($(figure store chunks_swept) - left + kept))" difference
assert_restores one 1 "$WORLD/kept"
case_pass

case_begin "B-08 what was swept is sent again when it is wanted"
keepsake_as one --quiet backup "$WORLD/broken"
assert_restores one latest "$WORLD/broken"
assert_restores one 1 "$WORLD/kept"
case_pass

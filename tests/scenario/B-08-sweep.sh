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

# --- a restore that was killed, and deleted snapshots ---------------------------

settings() { # LEASE IDLE
	service_stop store
	sed -i "/^lease_ms = \|^idle_restore_ms = /d" "$WORLD_CONFIG"
	printf '\n[store]\nlease_ms = %s\nidle_restore_ms = %s\n' "$1" "$2" \
	    >>"$WORLD_CONFIG"
	service_start store
	# It asks auth first what was revoked; this waits for that.
	keepsake_as one --quiet snapshots >/dev/null
}

# Begin a restore and leave it: its lease and its ticket.
restore_begun() {
	local begun
	read -r ticket _ < <(raw_login one anna DOWNLOAD)
	begun=$(expect_raw ok one --ticket "$ticket" ask store.RESTORE_BEGIN)
	read -r _ _ begun <<<"$begun"
	lease=$(json .lease_id \
	    "$("$BUILD/tests/tool/rawbody" store.Lease "$begun")")
}

have() { # STATUS: what the restore is told when it goes on
	expect_raw "$1" one --ticket "$ticket" \
	    --body "0a10${lease}1220$(printf 'ab%.0s' {1..32})" \
	    ask store.HAVE >/dev/null
}

seconds_of_rounds() { # SECONDS: so many, at least, have passed
	local rounds
	rounds=$(($(figure store sweep_rounds) + $1 * 10))
	wait_for 60 rounds_since "$rounds" || fail "no sweep"
}

case_begin "B-06 B-08 an idle restore goes on where nothing was deleted"
settings 10min 1s
restore_begun
seconds_of_rounds 2
have ok
case_pass

case_begin "B-06 B-08 one that is not idle holds what is deleted"
settings 10min 10min
keepsake_as one --quiet delete 2
left=$(blobs)
seconds_of_rounds 1
assert_equal "$left" "$(blobs)" blobs
have ok
case_pass

case_begin "B-06 B-08 one that was killed yields to what is deleted, and is told"
settings 10min 1s
wait_for 30 blobs_are "$kept" || fail "$(blobs) blobs, want $kept"
have conflict
assert_restores one 1 "$WORLD/kept"
case_pass

case_begin "B-06 B-08 a broken backup does not yield"
broken_backup 3
left=$(blobs)
keepsake_as one --quiet delete 1
seconds_of_rounds 2
[ "$(blobs)" -ge "$left" ] || fail "$left blobs became $(blobs)"
case_pass

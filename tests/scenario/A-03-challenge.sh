#!/bin/bash
# A-03: without a ticket for the direction, and in its time, nothing moves; a
# transfer that was begun under one goes on after it has ended.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up "[auth] ticket_ms = 1s"
terminal_of_new one anna
tree_make "$WORLD/tree" 32 40 3
# The skew that services allow, and the second that a ticket lasts.
readonly OVER_SECONDS=6.5

case_begin "A-03 no service moves anything without a ticket"
for type in store.BACKUP_BEGIN store.HAVE store.PUT store.PUBLISH \
    store.BACKUP_ABANDON store.SNAPSHOTS store.RESTORE_BEGIN store.GET \
    binding.BIND binding.TERMINALS notify.SUBSCRIBE notify.FETCH notify.ACK \
    auth.VERIFICATION_BEGIN auth.VERIFICATION_FINISH auth.CODE_BEGIN \
    auth.CODE_FINISH; do
	expect_raw auth_required one ask "$type" >/dev/null
done
case_pass

case_begin "A-03 a ticket is for one direction"
read -r download _ < <(raw_login one anna DOWNLOAD)
for type in store.BACKUP_BEGIN store.PUT store.PUBLISH binding.BIND \
    notify.FETCH auth.CODE_BEGIN; do
	expect_raw auth_required one --ticket "$download" ask "$type" \
	    >/dev/null
done
expect_raw ok one --ticket "$download" ask store.SNAPSHOTS >/dev/null
case_pass

# A backup in the middle, held until its ticket is over.
begun() {
	[ "$(stat -c %s "$WORLD/store/data.mdb")" -gt $((4 << 20)) ]
}
client_begin one --json backup "$WORLD/tree"
wait_for 20 begun || fail "the backup does not begin"
kill -STOP "${CLIENT_PID[one]}"
read -r upload _ < <(raw_login one anna UPLOAD)
read -r notices _ < <(raw_login one anna NOTICES)
sleep "$OVER_SECONDS"

case_begin "A-03 a ticket that is over is refused"
for row in "$upload store.BACKUP_BEGIN" "$upload store.SNAPSHOTS" \
    "$download store.RESTORE_BEGIN" "$notices notify.FETCH"; do
	read -r ticket type <<<"$row"
	expect_raw expired one --ticket "$ticket" ask "$type" >/dev/null
done
case_pass

case_begin "A-03 an old ticket is good for no transfer but its own"
# Have: lease_id is field 1, chunk_ids field 2, both bytes.
lease=0a10$(printf '00%.0s' {1..16})
chunk=1220$(printf '00%.0s' {1..32})
expect_raw expired one --ticket "$upload" --body "$lease$chunk" \
    ask store.HAVE >/dev/null
case_pass

case_begin "A-03 a transfer begun under a ticket goes on after it has ended"
client_runs one || fail "the backup ended before it could be held"
kill -CONT "${CLIENT_PID[one]}"
client_end one || fail "exit status $?: $(client_out one)"
assert_json '.snapshot == 1' "$(client_out one)" backup
assert_restores one 1 "$WORLD/tree"
case_pass

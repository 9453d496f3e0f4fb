#!/bin/bash
# G-04: repeating a request is safe and gives the same answer, also across a
# restart; clients get through the restart of any process unnoticed.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
terminal_of_new two bert
read -r ticket _ < <(raw_login one anna UPLOAD)
read -r theirs _ < <(raw_login two bert UPLOAD)
readonly REQUEST=000102030405060708090a0b0c0d0e0f

begin() { # ARGUMENTS...
	raw one --ticket "$ticket" --request "$REQUEST" "$@" \
	    ask store.BACKUP_BEGIN
}

case_begin "G-04 a repeated request gets the first answer"
first=$(begin)
assert_match '^ok 0 0a10[0-9a-f]{32}' "$first" lease
assert_equal "$first" "$(begin)" answer
assert_equal 1 "$(figure store leases_begun)" "leases begun"
case_pass

case_begin "G-04 also after the service was killed and started again"
service_kill store
service_start store
again() {
	[ "$(begin)" = "$first" ]
}
wait_for 10 again || fail "want '$first', got '$(begin)'"
assert_equal 0 "$(figure store leases_begun)" "leases begun since"
case_pass

case_begin "G-04 the same id for another request is refused"
assert_match '^conflict ' "$(begin --body 9a0300)" answer
case_pass

case_begin "G-04 R-07 another terminal's request of the same id is its own"
other=$(raw two --ticket "$theirs" --request "$REQUEST" ask store.BACKUP_BEGIN)
assert_match '^ok 0 0a10[0-9a-f]{32}' "$other" lease
[ "$other" != "$first" ] || fail "it got the first terminal's answer"
case_pass

# Every process stops and starts again, in turn, while one backup runs after
# the other.
case_begin "G-04 G-06 backups get through a restart of every process"
tree_make "$WORLD/tree" 32 40 1
for name in $SERVICES; do
	client_begin one --json backup "$WORLD/tree"
	service_stop "$name" || fail "$name ended with status $?"
	service_start "$name"
	client_end one || fail "$name: exit status $?: $(client_out one)"
	rm -f "$WORLD"/terminal/one/cache-*
	tree_make "$WORLD/tree" 32 40 1 --change 2
done
case_pass

case_begin "G-04 what was backed up meanwhile is whole"
keepsake_as one --quiet backup "$WORLD/tree"
assert_restores one latest "$WORLD/tree"
assert_json 'length == 6' "$(keepsake_as one --json snapshots)" snapshots
case_pass

#!/bin/bash
# B-11: the store reads its own data again and again by itself, goes on after
# a kill where it was, and serves meanwhile.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up "[store] scrub_ms = 2min" "[store] sweep_ms = 1h"
terminal_of_new one anna
tree_make "$WORLD/tree" 40 40 1
keepsake_as one --quiet backup "$WORLD/tree"
chunks=$(figure store db_blobs)
[ "$chunks" -ge 100 ] || fail "only $chunks chunks: too few to be cut short"

pass_is() { # JSON-FILTER of the row "pass"
	jq -e ".[] | select(.row == \"pass\") | $1" \
	    <<<"$(keepsakectl --json scrub --status)" >/dev/null
}

case_begin "B-11 a pass that an operator asks for reads every chunk once"
keepsakectl scrub >/dev/null
wait_for 60 pass_is '.state == "done" and .last_whole_pass != null and
    .chunks == '"$chunks" || fail "$(keepsakectl scrub --status)"
case_pass

case_begin "B-11 the next pass begins by itself, in small steps"
service_stop store
sed -i 's/^scrub_ms = .*/scrub_ms = 20s/' "$WORLD_CONFIG"
service_start store
wait_for 60 pass_is '.state == "going" and .chunks > 0' ||
    fail "it does not begin"
begun=$(json '.[] | select(.row == "pass") | .begun' \
    "$(keepsakectl --json scrub --status)")
assert_restores one 1 "$WORLD/tree"
case_pass

# Its place is written every ten seconds: so it is killed in the second half
# of a pass that takes four fifths of twenty.
case_begin "B-11 a pass goes on after a kill where it was"
wait_for 60 pass_is '.begun == "'"$begun"'" and .state == "going" and
    .chunks > '$((chunks * 3 / 4)) ||
    wait_for 60 pass_is '.state == "going" and
	.chunks > '$((chunks * 3 / 4)) ||
    fail "it does not go on: $(keepsakectl scrub --status)"
begun=$(json '.[] | select(.row == "pass") | .begun' \
    "$(keepsakectl --json scrub --status)")
service_kill store
service_start store
wait_for 20 pass_is '.begun == "'"$begun"'" and
    .chunks > '$((chunks / 4)) ||
    fail "it began again: $(keepsakectl scrub --status)"
case_pass

case_begin "B-11 damage is found with nobody asking"
service_stop store
chunk=$("$BUILD/tests/tool/damagestore" "$WORLD/store" flip data 5 \
    2>>"$WORLD_LOG/damagestore.log")
service_start store
listed() {
	# Its exit status is 1 where there is damage.
	[[ $(keepsakectl --json damage) == *"$chunk"* ]]
}
wait_for 120 listed || fail "not found: $(keepsakectl scrub --status)"
case_pass

case_begin "B-11 a scrub of an account that is none is refused plainly"
service_stop store
sed -i 's/^scrub_ms = .*/scrub_ms = 30d/' "$WORLD_CONFIG"
service_start store
got=0
keepsakectl scrub 00112233445566778899aabbccddeeff 2>"$WORLD/stderr" ||
    got=$?
assert_equal 3 "$got" "exit status for an account that is none"
assert_match 'nothing of this account' "$(cat "$WORLD/stderr")" "why"
case_pass

#!/bin/bash
# B-09: a new phone, bound to the account, restores the same bytes, names,
# times, modes and links; without the proof it gets nothing.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new old anna
tree_make "$WORLD/tree" 16 60 9 --odd
keepsake_as old --quiet backup "$WORLD/tree" --label "the old phone"
rm -rf "$WORLD/terminal/old" # lost, with all it knew
terminal_enrolled new

case_begin "B-09 a phone that is not bound gets nothing"
expect_error 4 denied new --name anna restore latest \
    --target "$WORLD/target" >/dev/null
[ ! -e "$WORLD/target" ] || fail "something was written"
case_pass

case_begin "B-09 nor does one with a wrong password"
secret wrong 'not the right one'
expect_error 4 denied new --name anna --password-file "$WORLD/secret.wrong" \
    bind --serial n >/dev/null
expect_error 4 denied new --name anna restore latest \
    --target "$WORLD/target" >/dev/null
case_pass

case_begin "B-09 bound to the account it sees what there is"
terminal_bind new --name anna
assert_json 'length == 1 and .[0].readable and
    .[0].label == "the old phone"' "$(keepsake_as new --json snapshots)" list
case_pass

case_begin "B-09 and restores the same bytes, names, times, modes and links"
back=$(keepsake_as new --json restore latest --target "$WORLD/target" \
    --verify)
assert_json '.skipped == [] and .files == .written and .verified > 60' \
    "$back" restore
assert_same_tree "$WORLD/tree" "$WORLD/target"
case_pass

case_begin "B-09 N-04 the owner is told of the new terminal"
bound() {
	[[ $(keepsake_as new --json notices) == *terminal_bound* ]]
}
wait_for 10 bound || fail "no notice"
case_pass

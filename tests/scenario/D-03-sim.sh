#!/bin/bash
# D-03: what a bound terminal uploads goes to the account it is bound to,
# whoever's card is in it.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
terminal_of_new two bert
tree_make "$WORLD/tree" 1 5 1

count() { # TERMINAL
	keepsake_as "$1" --json snapshots | jq length
}

case_begin "D-03 an upload goes to the bound account, whatever the card"
keepsake_as one --quiet --imsi 262011234567890 backup "$WORLD/tree"
keepsake_as one --quiet --imsi 460001234567890 backup "$WORLD/tree"
assert_equal 2 "$(count one)" "snapshots of the account"
assert_equal 0 "$(count two)" "snapshots of another account"
case_pass

case_begin "D-03 another account's name and password are refused here"
for command in "backup $WORLD/tree" snapshots notices \
    "restore latest --target $WORLD/x" "bind --serial other"; do
	# shellcheck disable=SC2086 # a command and its arguments
	expect_error 4 denied one --name bert $command >/dev/null
done
assert_equal 0 "$(count two)" "snapshots of the other account"
case_pass

case_begin "D-03 an attempt does not change whose terminal it is"
keepsake_as one --quiet backup "$WORLD/tree"
assert_equal 3 "$(count one)" "snapshots of the account"
assert_restores one 3 "$WORLD/tree"
case_pass

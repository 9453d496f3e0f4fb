#!/bin/bash
# A-05: where the IMEI or IMSI is part of a code, the user is urged to turn on
# the SIM PIN, and told why, until it is confirmed; never where that would be
# in the way.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
tree_make "$WORLD/tree" 1 5 5
readonly IMSI=(--imsi 262011234567890)
set_code=(code set --new-password-file "$WORLD/secret.password")

# What is on standard error, of a command that works.
urged() { # ARGUMENTS...
	# shellcheck disable=SC2069 # standard output goes elsewhere
	keepsake_as one "$@" 2>&1 >"$WORLD/out"
}

# That the user is urged, told why, and told how to say that it is done.
assert_urged() { # TEXT
	assert_match 'turn on the SIM PIN' "$1" text
	assert_match 'use the card elsewhere' "$1" why
	assert_match 'keepsake sim-pin confirmed' "$1" "what next"
}

case_begin "A-05 a code without IMEI and IMSI does not need the card's PIN"
assert_equal '' "$(urged "${set_code[@]}" --factors password,serial \
    --serial SN1)" text
assert_equal '' "$(urged --serial SN1 backup "$WORLD/tree")" text
assert_json '.sim_pin == null' "$(keepsake_as one --json code show)" codes
case_pass

case_begin "A-05 with one of them the user is urged as it is set, and why"
assert_urged "$(urged "${set_code[@]}" --factors password,imsi "${IMSI[@]}")"
assert_json '.sim_pin == "unconfirmed"' \
    "$(keepsake_as one --json code show 2>/dev/null)" codes
case_pass

case_begin "A-05 and at each use"
for command in "backup $WORLD/tree" snapshots "show latest" notices; do
	# shellcheck disable=SC2086 # a command and its arguments
	assert_urged "$(urged "${IMSI[@]}" $command)"
done
case_pass

case_begin "A-05 it is in the way of no program"
assert_urged "$(urged "${IMSI[@]}" --json snapshots)"
assert_json 'length > 0' "$(cat "$WORLD/out")" snapshots
assert_equal '' "$(urged "${IMSI[@]}" --quiet backup "$WORLD/tree")" text
assert_equal '' "$(cat "$WORLD/out")" output
case_pass

case_begin "A-05 a use that is refused urges nobody"
expect_status 4 keepsake_as one --imsi 262010000000000 snapshots \
    >/dev/null 2>"$WORLD/err"
assert_no_match 'SIM PIN' "$(cat "$WORLD/err")" text
case_pass

case_begin "A-05 it is confirmed once, and then no more said"
expect_status 2 keepsake_as one sim-pin on 2>/dev/null
assert_json '.sim_pin == "confirmed"' \
    "$(keepsake_as one --json sim-pin confirmed)" answer
assert_equal '' "$(urged "${IMSI[@]}" backup "$WORLD/tree")" text
assert_json '.sim_pin == "confirmed"' \
    "$(keepsake_as one --json code show)" codes
case_pass

case_begin "A-05 another code is another card: urged again"
assert_urged "$(urged "${set_code[@]}" --factors password,imei \
    --imei 490154203237518)"
assert_urged "$(urged --imei 490154203237518 backup "$WORLD/tree")"
case_pass

case_begin "A-05 without such a code it does not matter any more"
assert_equal '' "$(urged code remove)" text
assert_equal '' "$(urged backup "$WORLD/tree")" text
case_pass

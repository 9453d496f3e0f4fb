#!/bin/bash
# G-05: repeating one request does not get past the bounds of what is under
# way, and nobody gets another's answer by its request id.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
if sanitized; then
	world_up # a sanitizer takes more memory than any limit
else
	world_up "[gateway] memory_max = 192M"
fi
terminal_of_new one anna
terminal_of_new two bert
read -r ticket _ < <(raw_login one anna UPLOAD)
read -r snapshots _ < <(raw_login one anna DOWNLOAD)
read -r theirs _ < <(raw_login two bert DOWNLOAD)
readonly REQUEST=000102030405060708090a0b0c0d0e0f
readonly COPIES=2000 PAYLOAD=262128 # 500 MiB in all

# What the gateway says of itself.  It takes 3 s while the store does not
# answer, whose link is given up after 30 s: ask once for all.
gateway_says() { # FILTER
	report=$(keepsakectl --json status | jq .gateway)
	jq -e "$1" <<<"$report" >/dev/null
}

case_begin "G-05 repeats of one request do not fill the gateway while the store stalls"
gateway=${SERVICE_PID[gateway]}
kill -STOP "${SERVICE_PID[store]}"
raw one --ticket "$ticket" --request "$REQUEST" --payload-bytes "$PAYLOAD" \
    --copies "$COPIES" --wait 60000 ask store.PUT >"$WORLD/one" &
asked=$!
wait_for 60 gateway_says ".terminal_repeats_held >= $((COPIES / 2)) and
    .terminal_under_way_bytes <= $((8 * (PAYLOAD + 1024))) and
    .terminal_under_way == 1" || fail "it says: $report"
kill -CONT "${SERVICE_PID[store]}"
wait "$asked"
kill -0 "$gateway" || fail "the gateway has ended"
assert_match '^malformed ' "$(cat "$WORLD/one")" answer
under_way() { # COUNT
	gateway_says ".terminal_under_way == $1"
}
wait_for 10 under_way 0 || fail "it says: $report"
assert_json '.terminal_under_way_bytes == 0' "$report" "bytes under way"
case_pass

case_begin "G-05 R-07 another's request id does not bring its answer"
kill -STOP "${SERVICE_PID[store]}"
raw one --ticket "$snapshots" --request "$REQUEST" --wait 60000 \
    ask store.SNAPSHOTS >"$WORLD/one" &
asked=$!
wait_for 10 under_way 1 || fail "it does not get there"
raw two --ticket "$theirs" --request "$REQUEST" --wait 60000 \
    ask store.RESTORE_BEGIN >"$WORLD/two" &
asked_too=$!
wait_for 10 under_way 2 || fail "the other's does not get there"
kill -CONT "${SERVICE_PID[store]}"
wait "$asked" "$asked_too"
assert_match '^ok 0 - ' "$(cat "$WORLD/one")" "the list of snapshots"
assert_match '^ok 0 0a10[0-9a-f]{32}' "$(cat "$WORLD/two")" "the transfer"
case_pass

case_begin "G-04 G-05 who comes back gets the answer by the new connection"
kill -STOP "${SERVICE_PID[store]}"
raw one --ticket "$snapshots" --request "$REQUEST" --wait 60000 \
    ask store.SNAPSHOTS >"$WORLD/one" &
gone=$!
wait_for 10 under_way 1 || fail "it does not get there"
kill_begun KILL "$gone"
wait "$gone" 2>/dev/null || true
held=$(json .terminal_repeats_held "$report")
raw one --ticket "$snapshots" --request "$REQUEST" --wait 60000 \
    ask store.SNAPSHOTS >"$WORLD/one" &
asked=$!
# held back, or passed on after a while
wait_for 20 gateway_says ".terminal_repeats_held > $held or
    .terminal_under_way_bytes >= 2048" || fail "the repeat does not get there"
kill -CONT "${SERVICE_PID[store]}"
wait "$asked"
assert_match '^ok 0 - ' "$(cat "$WORLD/one")" "the list of snapshots"
case_pass

case_begin "G-05 an id that is under way for one message is refused for another"
kill -STOP "${SERVICE_PID[store]}"
raw one --ticket "$snapshots" --request "$REQUEST" --wait 60000 \
    ask store.SNAPSHOTS >"$WORLD/one" &
asked=$!
wait_for 10 under_way 1 || fail "it does not get there"
expect_raw conflict one --ticket "$snapshots" --request "$REQUEST" \
    ask auth.FACTORS >/dev/null
kill -CONT "${SERVICE_PID[store]}"
wait "$asked"
assert_match '^ok 0 - ' "$(cat "$WORLD/one")" "the list of snapshots"
case_pass

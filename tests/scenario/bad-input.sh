#!/bin/bash
# T-01: what goes wrong is named, with why, an advice, and an exit code; and
# nothing is stored or written then.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
tree_make "$WORLD/tree" 16 20 1
keepsake_as one --quiet backup "$WORLD/tree"

# That an error's detail names what it is about.
assert_names() { # PATTERN JSON
	assert_match "$1" "$(json .detail "$2")" detail
}

case_begin "T-01 an enrolment string that is none is refused, and why"
for string in nonsense keepsake:// "${ENROLMENT%?}" "${ENROLMENT}x" \
    "${ENROLMENT/:[0-9]*\?/:0?}"; do
	terminal enrol
	said=$(expect_error 1 malformed enrol enrol "$string")
	assert_names 'not an enrolment string: .+' "$said"
	rm -r "$WORLD/terminal/enrol"
done
case_pass

case_begin "T-01 without an enrolment there is nothing to talk to"
terminal bare
said=$(expect_error 6 not_found bare register bert)
assert_names 'does not know its server' "$said"
assert_match 'keepsake enrol' "$(json .advice "$said")" advice
case_pass

case_begin "T-01 without an account there is nobody to be"
terminal_enrolled nobody
expect_error 6 not_found nobody snapshots >/dev/null
case_pass

case_begin "T-01 a folder that is not there, or no folder, is named"
assert_names "$WORLD/none" \
    "$(expect_error 6 not_found one backup "$WORLD/none")"
touch "$WORLD/file"
assert_names "$WORLD/file" \
    "$(expect_error 6 not_found one backup "$WORLD/file")"
case_pass

case_begin "T-01 a snapshot that is not there is named"
assert_names '^17: ' "$(expect_error 6 not_found one show 17)"
assert_names '^x: ' "$(expect_error 6 not_found one restore x \
    --target "$WORLD/target")"
expect_status 2 keepsake_as one restore 1 --category x \
    --target "$WORLD/target" 2>/dev/null
case_pass

case_begin "T-01 a target that is not empty is named, and left as it is"
mkdir "$WORLD/full"
echo mine >"$WORLD/full/file"
said=$(expect_error 7 conflict one restore 1 --target "$WORLD/full")
assert_names "$WORLD/full: .*not empty" "$said"
assert_equal file "$(ls "$WORLD/full")" contents
assert_equal mine "$(cat "$WORLD/full/file")" contents
case_pass

case_begin "T-01 a target that cannot be made is named"
said=$(expect_error 4 denied one restore 1 --target /proc/none)
assert_names '/proc/none' "$said"
case_pass

case_begin "T-01 B-08 two backups of a terminal at once: the second is refused"
tree_make "$WORLD/large" 64 60 2
client_begin one --json backup "$WORLD/large"
locked() {
	[ "$(cat "$WORLD/terminal/one/lock")" = "${CLIENT_PID[one]}" ]
}
wait_for 10 locked || fail "the backup does not begin"
kill -STOP "${CLIENT_PID[one]}"
said=$(expect_error 7 conflict one backup "$WORLD/tree")
assert_names "another backup .*process ${CLIENT_PID[one]}" "$said"
kill -CONT "${CLIENT_PID[one]}"
client_end one || fail "exit status $?: $(client_out one)"
keepsake_as one --quiet backup "$WORLD/tree"
case_pass

case_begin "T-01 R-02 a service that is down is named"
service_stop store
said=$(expect_error 5 unavailable one --timeout 2s backup "$WORLD/tree")
assert_names 'store' "$said"
[ "$(json .advice "$said")" != "" ] || fail "no advice"
service_start store
service_stop auth
said=$(expect_error 5 unavailable one --timeout 2s backup "$WORLD/tree")
assert_names 'auth' "$said"
service_start auth
case_pass

case_begin "T-01 R-02 a gateway that is down is told"
service_stop gateway
begin=$EPOCHREALTIME
said=$(expect_error 5 unavailable one --timeout 2s snapshots)
assert_at_most 6 "$(awk "BEGIN { print $EPOCHREALTIME - $begin }")" seconds
assert_match 'gateway' "$(json '.detail + .advice' "$said")" text
expect_status 5 keepsake_as one --timeout 1s status >"$WORLD/out" 2>&1
said=0
keepsake_as one --json --timeout 1s status >"$WORLD/out" || said=$?
assert_equal 5 "$said" "exit status"
assert_json '(.reachable | not) and .bound' "$(cat "$WORLD/out")" status
service_start gateway
case_pass

case_begin "T-01 after all that a backup is as good as ever"
keepsake_as one --quiet backup "$WORLD/tree"
assert_restores one latest "$WORLD/tree"
case_pass

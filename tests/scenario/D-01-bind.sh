#!/bin/bash
# D-01: binding a terminal by IMEI or serial number comes first; the first
# binding sets verification information.  D-02: what is bound stays so.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
readonly IMEI=490154203237518
terminal_enrolled one
keepsake_as one --quiet register anna
tree_make "$WORLD/tree" 1 5 1

bind() { # TERMINAL ARGUMENTS...
	keepsake_as "$1" --json bind \
	    --verification-file "$WORLD/secret.verification" "${@:2}"
}

case_begin "D-01 a terminal that is not bound stores nothing"
expect_error 4 denied one backup "$WORLD/tree" >/dev/null
expect_error 4 denied one snapshots >/dev/null
assert_equal 0 "$(figure store leases_begun)" leases
case_pass

case_begin "D-01 identifiers that are none are refused"
for number in 490154203237517 4901542032375180 49015420323751 \
    49015420323751a ' 490154203237518' ''; do
	expect_error 1 malformed one bind --imei "$number" \
	    --verification-file "$WORLD/secret.verification" >/dev/null
done
expect_error 1 malformed one bind --serial "$(printf 'x%.0s' {1..65})" \
    --verification-file "$WORLD/secret.verification" >/dev/null
expect_error 1 malformed one bind --serial $'a\nb' \
    --verification-file "$WORLD/secret.verification" >/dev/null
assert_json '.bound | not' "$(keepsake_as one --json status)" status
case_pass

case_begin "D-01 the first binding wants verification information"
terminal_enrolled bare
keepsake_as bare --quiet register bare
expect_status 4 keepsake_as bare bind --imei 356938035643809 \
    </dev/null 2>/dev/null
assert_json '.bound | not' "$(keepsake_as bare --json status)" status
read -r enrol _ < <(raw_login bare bare ENROL)
# Bind: imei is field 1, a string.
expect_raw conflict bare --ticket "$enrol" --body \
    "0a0f$(printf 356938035643809 | od -An -v -tx1 | tr -d ' \n')" \
    ask binding.BIND >/dev/null
case_pass

case_begin "D-01 a terminal is bound by IMEI, another by serial number"
bound=$(bind one --imei "$IMEI" --label "Anna's phone")
assert_json '.terminal | test("^[0-9a-f]{32}$")' "$bound" terminal
keepsake_as one --quiet backup "$WORLD/tree"
terminal_enrolled two
bind two --name anna --serial XYZ-1 >/dev/null
keepsake_as two --quiet backup "$WORLD/tree"
case_pass

case_begin "D-01 G-04 the same binding again changes nothing"
assert_equal "$(jq -S . <<<"$bound")" \
    "$(bind one --imei "$IMEI" --label "Anna's phone" | jq -S .)" answer
assert_equal 2 "$(figure binding terminals)" terminals
case_pass

case_begin "D-02 a bound phone is not bound to another account"
terminal_enrolled thief
keepsake_as thief --quiet register mallory
expect_error 7 conflict thief bind --imei "$IMEI" \
    --verification-file "$WORLD/secret.verification" >/dev/null
expect_error 7 conflict thief bind --serial XYZ-1 \
    --verification-file "$WORLD/secret.verification" >/dev/null
assert_json '.bound | not' "$(keepsake_as thief --json status)" status
case_pass

case_begin "D-02 nor to its own account under another key"
terminal_enrolled again
expect_error 7 conflict again --name anna bind --imei "$IMEI" \
    --verification-file "$WORLD/secret.verification" >/dev/null
case_pass

case_begin "D-02 a bound terminal does not become another one"
expect_error 7 conflict one bind --imei 356938035643809 \
    --verification-file "$WORLD/secret.verification" >/dev/null
expect_error 7 conflict one register someone-else >/dev/null
case_pass

case_begin "D-01 bindings are there after a restart"
service_stop binding
service_start binding
keepsake_as one --quiet backup "$WORLD/tree"
assert_equal 2 "$(figure binding terminals)" terminals
case_pass

#!/bin/bash
# A-10: so many proofs a minute for an account and for a source address, and
# no more; who is over is told when to come again.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
terminal_enrolled stranger
readonly LIMIT=3

# Restart auth with other limits: it keeps them in memory only.
limit() { # account|address PER-MINUTE
	service_stop auth
	sed -i "s/^proofs_per_minute_$1 =.*/proofs_per_minute_$1 = $2/" \
	    "$WORLD_CONFIG"
	service_start auth
	auth_reached stranger
}

ask() { # TERMINAL ACCOUNT-NAME
	raw_begin "$1" --password-file "$WORLD/secret.password" "$2" ENROL
}

# Ask until it is too often; leaves in $answered how often it was not, and
# in $refused what was said then.
ask_all() { # TERMINAL ACCOUNT-NAME
	answered=0
	while refused=$(ask "$@") && [[ $refused != *"too many logins to"* ]] &&
	    [[ $refused != *"too many logins from"* ]]; do
		answered=$((answered + 1))
	done
}

# LIMIT at once, and one more for each part of a minute that has passed.
assert_limited() { # SINCE, in $EPOCHSECONDS
	local passed=$((EPOCHSECONDS - $1 + 1))
	[ "$answered" -ge "$LIMIT" ] || fail "only $answered were answered"
	assert_at_most $((LIMIT + 1 + passed * LIMIT / 60)) "$answered" answers
	assert_equal busy "${refused%% *}" status
	local retry
	read -r _ _ retry _ <<<"$refused"
	[ "$retry" -gt 0 ] || fail "when to come again is not told"
	assert_at_most $((60000 / LIMIT)) "$retry" "milliseconds to wait"
}

limit account "$LIMIT"

case_begin "A-10 an account is asked for so many times a minute"
since=$EPOCHSECONDS
ask_all stranger anna
assert_limited "$since"
case_pass

case_begin "A-10 A-09 and a name that is nobody's as often"
since=$EPOCHSECONDS
ask_all stranger nobody
assert_limited "$since"
case_pass

case_begin "A-10 A-07 strangers who ask too often do not shut out the owner"
ask_all stranger anna # none is left for them
read -r status _ < <(ask one anna)
assert_equal ok "$status" "the owner's LOGIN_BEGIN"
case_pass

case_begin "A-10 a bound terminal has its own limit"
since=$EPOCHSECONDS
ask_all one anna
answered=$((answered + 1)) # the one before
assert_limited "$since"
case_pass

case_begin "A-10 O-01 refusals are counted, and take no try"
[ "$(figure auth limited)" -ge 4 ] || fail "not counted"
case_pass

limit account 100000
limit address "$LIMIT"

case_begin "A-10 an address asks so many times a minute, whomever for"
since=$EPOCHSECONDS
names=(anna nobody else)
answered=0
while refused=$(ask stranger "${names[answered % 3]}") &&
    [[ $refused != *"too many logins from this address"* ]]; do
	answered=$((answered + 1))
done
assert_limited "$since"
case_pass

case_begin "A-10 registering and asking for factors count as well"
expect_error 5 busy stranger --timeout 1s register cleo >/dev/null
expect_error 5 busy one --timeout 1s snapshots >/dev/null
case_pass

limit address 100000
terminal_of_new two bert

case_begin "A-10 a client waits as long as it is told, and nobody notices"
limit account 12
for ((i = 0; i < 7; i++)); do # two questions each
	keepsake_as two --json snapshots >/dev/null
done
[ "$(figure auth limited)" -ge 1 ] || fail "it never had to wait"
case_pass

#!/bin/bash
# A-10: so many proofs a minute for an account and for a source address, and
# no more; who is over is told when to come back.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_make
# As few as can be counted without waiting: one comes back each 7.5 s.
readonly ACCOUNT_MAX=8 ADDRESS_MAX=20
config=$(sed -e "s/^\\(proofs_per_minute_account =\\).*/\\1 $ACCOUNT_MAX/" \
    "$WORLD_CONFIG")
printf '%s\n' "$config" >"$WORLD_CONFIG"
for name in $SERVICES; do
	service_start "$name"
done

# The status and retry_after_ms of one LOGIN_BEGIN.
ask() { # TERMINAL ACCOUNT-NAME
	read -r status _ retry _ < <(raw_begin "$1" \
	    --password-file "$WORLD/secret.password" "$2" ENROL)
}

# Ask until it is refused; leaves the number of those that were not in
# $answered.  Locked is an answer too: it says no less than a challenge.
ask_all() { # TERMINAL ACCOUNT-NAME LIMIT
	answered=0
	while ask "$1" "$2" && [ "$answered" -le "$3" ] &&
	    [ "$retry" -eq 0 ] || [ "$status" = locked ]; do
		answered=$((answered + 1))
	done
}

terminal_of_new one anna
terminal_of_new two bert
terminal_enrolled stranger

#!/bin/bash
# A-06: every service checks tickets for itself: who signed it, for which
# account, terminal and direction.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
terminal_of_new two bert
read -r ticket account < <(raw_login one anna DOWNLOAD)
read -r notices _ < <(raw_login one anna NOTICES)
read -r enrol _ < <(raw_login one anna ENROL)
read -r theirs their_account < <(raw_login two bert DOWNLOAD)

# One message for each service that takes tickets.
rows() {
	printf '%s\n' "$ticket store.SNAPSHOTS" "$notices notify.FETCH" \
	    "$enrol binding.TERMINALS"
}

case_begin "A-06 a ticket is good for the terminal that earned it"
while read -r good type; do
	expect_raw ok one --ticket "$good" --account "$account" ask "$type" \
	    >/dev/null
done < <(rows)
case_pass

case_begin "A-06 R-07 a ticket is good from no other terminal"
while read -r good type; do
	expect_raw denied two --ticket "$good" ask "$type" >/dev/null
done < <(rows)
case_pass

# The first terminal's CURVE key, out of its ticket: version, direction,
# account and terminal come before it.
peer=${ticket:68:64}

case_begin "A-06 R-07 who says to be another terminal is not believed"
while read -r good type; do
	expect_raw denied two --ticket "$good" --peer "$peer" ask "$type" \
	    >/dev/null
done < <(rows)
case_pass

case_begin "A-06 R-07 a ticket is good for no other account"
while read -r good type; do
	expect_raw denied one --ticket "$good" --account "$their_account" \
	    ask "$type" >/dev/null
done < <(rows)
case_pass

# XOR the byte at OFFSET with 1.
flip() { # TICKET OFFSET
	local at=$(($2 * 2)) byte
	byte=$(printf %02x $((0x${1:at:2} ^ 1)))
	printf '%s\n' "${1:0:at}$byte${1:at+2}"
}

# Version, direction, account, terminal, peer, issued, expiry, nonce, and
# both ends of the signature.
case_begin "A-06 a ticket with one bit changed is refused"
for offset in 0 1 2 18 34 66 74 82 98 161; do
	while read -r good type; do
		expect_raw denied one --ticket "$(flip "$good" "$offset")" \
		    ask "$type" >/dev/null
	done < <(rows)
done
case_pass

case_begin "A-06 what is no ticket at all is refused"
expect_raw malformed one --ticket 00 ask store.SNAPSHOTS >/dev/null
expect_raw malformed one --ticket "${ticket}00" ask store.SNAPSHOTS \
    >/dev/null
expect_raw denied one --ticket "$(printf '00%.0s' {1..162})" \
    ask store.SNAPSHOTS >/dev/null
case_pass

case_begin "A-06 each service checks for itself, without auth"
service_stop auth
while read -r good type; do
	expect_raw ok one --ticket "$good" ask "$type" >/dev/null
	expect_raw denied two --ticket "$good" ask "$type" >/dev/null
done < <(rows)
service_start auth
case_pass

case_begin "A-06 tickets are good across a restart of the services"
for name in store notify binding; do
	service_stop "$name"
	service_start "$name"
done
while read -r good type; do
	reachable() {
		[[ $(raw one --ticket "$good" ask "$type") == ok* ]]
	}
	wait_for 10 reachable || fail "$type is refused"
done < <(rows)
expect_raw ok two --ticket "$theirs" ask store.SNAPSHOTS >/dev/null
case_pass

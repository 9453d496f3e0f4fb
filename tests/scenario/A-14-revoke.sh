#!/bin/bash
# A-14: who is logged in can be listed and revoked, one by one, by terminal or
# all; every service refuses what was revoked, also one that was down then,
# and revoke names those that have not confirmed.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
terminal_of two anna
terminal_of_new three bert

body() { # MESSAGE ANSWER: the answer's body as JSON
	local words
	read -ra words <<<"$2"
	"$BUILD/tests/tool/rawbody" "$1" "${words[2]}"
}

# A field of bytes in a body, as hex.
field() { # NUMBER HEX
	printf '%02x%02x%s' $(($1 << 3 | 2)) $((${#2} / 2)) "$2"
}
readonly ALL=1801 KEEP_CURRENT=2001

# Log in anew to manage the account: $manage is the ticket.
manager() { # TERMINAL ACCOUNT-NAME
	read -r manage account < <(raw_login "$1" "$2" MANAGE)
}

# Revoke, and insist that every service has confirmed.
revoke() { # TERMINAL BODY
	local answer
	answer=$(expect_raw ok "$1" --ticket "$manage" --body "$2" \
	    ask auth.REVOKE)
	assert_json '.unconfirmed == []' "$(body auth.Revoked "$answer")" \
	    "who has not confirmed"
}

sessions() { # TERMINAL
	body auth.SessionList "$(expect_raw ok "$1" --ticket "$manage" \
	    ask auth.SESSIONS)"
}

# The id of a ticket's session is its nonce.
session_of() { # TICKET
	printf '%s\n' "${1:164:32}"
}

# One message for each service that takes tickets, with a ticket for it of
# TERMINAL; in $tickets.
declare -A tickets=()
readonly -A MESSAGE=([store]=store.SNAPSHOTS [notify]=notify.FETCH
	[binding]=binding.TERMINALS [auth]=auth.SESSIONS)
log_in() { # TERMINAL ACCOUNT-NAME
	read -r "tickets[store]" _ < <(raw_login "$1" "$2" DOWNLOAD)
	read -r "tickets[notify]" _ < <(raw_login "$1" "$2" NOTICES)
	read -r "tickets[binding]" _ < <(raw_login "$1" "$2" ENROL)
	read -r "tickets[auth]" _ < <(raw_login "$1" "$2" MANAGE)
}

use() { # TERMINAL SERVICE
	raw "$1" --ticket "${tickets[$2]}" ask "${MESSAGE[$2]}"
}

expect_use() { # STATUS TERMINAL SERVICE
	local answer
	answer=$(use "$2" "$3")
	[ "${answer%% *}" = "$1" ] || fail "$3: want $1, got '$answer'"
	[ "$1" != denied ] ||
	    assert_match 'this session was revoked: log in again' "$answer"
}

case_begin "A-14 sessions are listed, and the one that asks is marked"
log_in one anna
read -r other _ < <(raw_login two anna UPLOAD)
manager one anna
list=$(sessions one)
assert_json "[.sessions[] | select(.current)] | length == 1 and
    .[0].session_id == \"$(session_of "$manage")\"" "$list" current
assert_json '.sessions | map(.issued_ms) == (map(.issued_ms) | sort)' \
    "$list" "order"
for name in "${!tickets[@]}"; do
	assert_json ".sessions | any(
	    .session_id == \"$(session_of "${tickets[$name]}")\")" "$list" \
	    "$name's session"
done
# An upload may be renewed for a day; a ticket to manage ends as it says.
assert_json ".sessions[] |
    select(.session_id == \"$(session_of "$other")\") |
    .direction == 1 and .ends_ms == .issued_ms + 86400000 and
    .expiry_ms == .issued_ms + 300000" "$list" "the upload"
assert_json ".sessions[] | select(.current) |
    .direction == 3 and .ends_ms == .expiry_ms" "$list" "managing"
# Two terminals, and binding ones that had no terminal yet.
assert_json '.sessions | map(select(.direction != 6) | .terminal_id) |
    unique | length == 2 and all(length == 32)' "$list" terminals
assert_json '.sessions | map(select(.direction == 6) | .terminal_id) |
    unique == [""]' "$list" "not bound"
assert_json '.sessions | map(.fingerprint) | unique | length == 2' "$list" \
    "keys"
case_pass

case_begin "A-14 R-07 nobody sees or revokes another's sessions"
theirs=$manage
manager three bert
assert_json "[.sessions[].session_id] |
    contains([\"$(session_of "$theirs")\"]) | not" "$(sessions three)"
expect_raw not_found three --ticket "$manage" \
    --body "$(field 1 "$(session_of "$theirs")")" ask auth.REVOKE >/dev/null
revoke three "$ALL"
for name in "${!tickets[@]}"; do
	expect_use ok one "$name"
done
case_pass

case_begin "A-14 one session is revoked: every service refuses it, others not"
for name in store notify binding auth; do
	log_in one anna
	manager two anna
	revoke two "$(field 1 "$(session_of "${tickets[$name]}")")"
	for other in store notify binding auth; do
		if [ "$other" = "$name" ]; then
			expect_use denied one "$other"
		else
			expect_use ok one "$other"
		fi
	done
	assert_json "[.sessions[].session_id] |
	    contains([\"$(session_of "${tickets[$name]}")\"]) | not" \
	    "$(sessions two)" "what is left"
done
# What is gone cannot be revoked again.
expect_raw not_found two --ticket "$manage" \
    --body "$(field 1 "$(session_of "${tickets[$name]}")")" \
    ask auth.REVOKE >/dev/null
case_pass

case_begin "A-14 a terminal's sessions are revoked; it may log in again"
log_in two anna
read -r mine _ < <(raw_login one anna DOWNLOAD)
manager one anna
terminal=$(json '.sessions[] |
    select(.session_id == "'"$(session_of "${tickets[store]}")"'") |
    .terminal_id' "$(sessions one)")
revoke one "$(field 2 "$terminal")"
for name in store notify auth; do
	expect_use denied two "$name"
done
expect_raw ok one --ticket "$mine" ask store.SNAPSHOTS >/dev/null
log_in two anna
for name in store notify auth; do
	expect_use ok two "$name"
done
case_pass

case_begin "A-14 all are revoked but the one that asks"
manager one anna
revoke one "$ALL$KEEP_CURRENT"
for name in store notify auth; do
	expect_use denied two "$name"
done
assert_json '.sessions | length == 1 and .[0].current' "$(sessions one)"
case_pass

case_begin "A-14 all are revoked"
log_in two anna
revoke one "$ALL"
for name in store notify auth; do
	expect_use denied two "$name"
done
expect_raw denied one --ticket "$manage" ask auth.SESSIONS >/dev/null
case_pass

case_begin "A-14 what was revoked stays so after a restart, without auth"
service_kill auth
for name in store notify binding; do
	service_kill "$name"
	service_start "$name"
done
refused_again() { # SERVICE
	[[ $(use two "$1") == denied* ]]
}
for name in store notify; do
	wait_for 10 refused_again "$name" || fail "$name: $(use two "$name")"
done
service_start auth
wait_for 10 refused_again auth || fail "auth: $(use two auth)"
case_pass

# Refused in the end, and taken at no time before.
refuses_first() { # SERVICE
	local answer
	answer=$(use one "$1")
	[[ $answer != ok* ]] || fail "$1 has taken it"
	[[ $answer == denied* ]]
}

case_begin "A-14 R-02 who is down is named, and refuses when it is back"
for name in store notify binding; do
	log_in one anna
	manager two anna
	service_kill "$name"
	answer=$(expect_raw ok two --ticket "$manage" \
	    --body "$(field 1 "$(session_of "${tickets[$name]}")")" \
	    ask auth.REVOKE)
	assert_json ".unconfirmed == [\"$name\"]" \
	    "$(body auth.Revoked "$answer")" "who has not confirmed"
	service_start "$name"
	wait_for 5 refuses_first "$name" || fail "$name: $(use one "$name")"
done
case_pass

case_begin "A-14 R-01 auth killed right after it revoked: the services learn it"
log_in one anna
manager two anna
service_kill store
raw two --ticket "$manage" \
    --body "$(field 1 "$(session_of "${tickets[store]}")")" \
    ask auth.REVOKE >/dev/null
service_kill auth
service_start auth
service_start store
wait_for 5 refuses_first store || fail "store: $(use one store)"
case_pass

case_begin "A-14 an upload is revoked in its midst: nothing more is taken"
tree_make "$WORLD/tree" 256 100 1
stored_more_than() { # BYTES
	[ "$(figure store bytes_put)" -gt "$1" ]
}
client_begin two --json backup "$WORLD/tree"
wait_for 30 stored_more_than $((8 << 20)) || fail "the backup does not begin"
manager one anna
revoke one "$(field 2 "$terminal")"
put=$(figure store bytes_put)
status=0
client_end two || status=$?
[ "$status" -ne 0 ] || fail "it ended well: $(client_out two)"
assert_json '.error == "denied" and (.detail | test("revoked"))' \
    "$(client_out two)" "what it says"
# What had been taken may still have been on its way to the disk.
assert_at_most $((put + (64 << 20))) "$(figure store bytes_put)" "bytes put"
assert_equal 0 "$(keepsake_as two --json snapshots | jq length)" snapshots
keepsake_as two --quiet backup "$WORLD/tree"
case_pass

case_begin "A-14 A-15 tickets that a grant earned are listed, and go with it"
keepsake_as two --quiet grant add
granted=$("$BUILD/tests/tool/thief" --state "$WORLD/terminal/two" ticket)
read -r "tickets[auth]" _ < <(raw_login two anna MANAGE)
manager one anna
assert_json "[.sessions[].session_id] |
    contains([\"$(session_of "$granted")\"])" "$(sessions one)" "listed"
expect_raw ok two --ticket "$granted" ask store.SNAPSHOTS >/dev/null
keepsake_as one --quiet grant remove "$terminal"
is_refused() {
	[[ $(raw two --ticket "$granted" ask store.SNAPSHOTS) == denied* ]]
}
wait_for 5 is_refused || fail "it is still good"
# The whole terminal is signed out; its person may sign in again.
expect_use denied two auth
read -r "tickets[auth]" _ < <(raw_login two anna MANAGE)
expect_use ok two auth
case_pass

case_begin "A-14 nothing is pushed to a session that was revoked"
present() { # COUNT
	[ "$(figure notify terminals_present)" -eq "$1" ]
}
waiting() { # MORE THAN
	[ "$(figure notify deliveries_waiting)" -gt "$1" ]
}
read -r notices _ < <(raw_login one anna NOTICES)
expect_raw ok one --ticket "$notices" ask notify.SUBSCRIBE >/dev/null
present 1 || fail "it is not present"
manager two anna
revoke two "$(field 1 "$(session_of "$notices")")"
pushed=$(figure notify pushed)
before=$(figure notify deliveries_waiting)
keepsake_as two --quiet backup "$WORLD/tree"
wait_for 10 waiting "$before" || fail "no notice"
wait_for 10 present 0 || fail "it is still present"
assert_equal "$pushed" "$(figure notify pushed)" pushed
expect_raw denied one --ticket "$notices" ask notify.SUBSCRIBE >/dev/null
case_pass

case_begin "A-14 R-03 what is no request to revoke is refused"
manager one anna
session=$(session_of "$manage")
for wrong in "" "$KEEP_CURRENT" "$(field 1 "${session:2}")" \
    "$(field 2 "$session"00)" "$(field 1 "$session")$ALL" \
    "$(field 1 "$session")$(field 2 "$session")" \
    "$(field 2 "$session")$KEEP_CURRENT" ff; do
	expect_raw malformed one --ticket "$manage" --body "$wrong" \
	    ask auth.REVOKE >/dev/null
done
for type in auth.SESSIONS auth.REVOKE; do
	expect_raw auth_required one ask "$type" >/dev/null
	expect_raw auth_required one --ticket "$(raw_login one anna DOWNLOAD |
	    cut -d' ' -f1)" ask "$type" >/dev/null
done
# The messages between services are no terminal's.
expect_raw malformed one --ticket "$manage" ask auth.TERMINAL_GONE >/dev/null
expect_raw malformed one --ticket "$manage" ask common.ORDERS >/dev/null
assert_json '.sessions | any(.current)' "$(sessions one)" "still there"
case_pass

peer() { # SERVER CLIENT TYPE [HEX]
	"$BUILD/tests/tool/rawpeer" "ipc://$WORLD/run/$1.$2/socket" "${@:3}"
}

case_begin "A-14 orders are taken from auth alone"
# 16 bytes of account and of nothing, sequence 9: the kind revokes an account.
zeros=$(printf '00%.0s' {1..16})
order=09ffffffffffffff0010031a10${account}2210${zeros}29ffffffffffffff00
orders=09ffffffffffffff001a$(printf %02x $((${#order} / 2)))$order
for pair in "store gateway" "binding notify" "binding gateway" \
    "notify binding" "notify store" "auth binding"; do
	read -r server client <<<"$pair"
	assert_match '^(denied|malformed) ' \
	    "$(peer "$server" "$client" 4 "$orders")" "$pair"
done
assert_json '.sessions | any(.current)' "$(sessions one)" "still there"
case_pass

case_begin "A-14 A-15 a terminal whose binding went has no ticket and no grant"
keepsake_as two --quiet grant add
log_in two anna
manager one anna
for wrong in "" "$(field 1 "$account")" \
    "$(field 1 "$account")$(field 2 "${terminal}00")" \
    "$(field 1 "$account")$(field 2 "$zeros")"; do
	assert_match '^malformed ' "$(peer auth binding 0x0181 "$wrong")"
done
assert_match '^denied ' "$(peer auth ops 0x0181)"
gone=$(field 1 "$account")$(field 2 "$terminal")
assert_match '^ok ' "$(peer auth binding 0x0181 "$gone")" gone
refuses() {
	[[ $(use two "$1") == denied* ]]
}
for name in store notify auth; do
	wait_for 5 refuses "$name" || fail "$name: $(use two "$name")"
done
assert_json '. == []' "$(keepsake_as one --json grant list)" grants
# Again, as binding may: the same.
assert_match '^ok ' "$(peer auth binding 0x0181 "$gone")" "gone again"
assert_json '.sessions | any(.current)' "$(sessions one)" "the others"
case_pass

# Last, for what is ordered here is beyond what auth ever numbers.
case_begin "A-14 the same order, from auth, is obeyed"
read -r "tickets[store]" _ < <(raw_login one anna DOWNLOAD)
expect_use ok one store
assert_match '^ok ' "$(peer store auth 4 "$orders")" "from auth"
expect_use denied one store
case_pass

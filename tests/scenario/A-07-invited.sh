#!/bin/bash
# A-07: who holds an invitation from the owner proves the account's code in a
# lane of its own, which no stranger can shut; it is good once, for a day.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
readonly CONTACT=help@example.org
world_up "[common] contact = $CONTACT"
terminal_of_new one anna
secret wrong 'not the right one'

# Strangers have shut their lane.
shut_strangers() { # ACCOUNT-NAME
	for _ in 1 2 3; do
		expect_error 4 denied stranger --name "$1" --password-file \
		    "$WORLD/secret.wrong" bind --serial s >/dev/null
	done
	expect_error 4 locked stranger --name "$1" bind --serial s >/dev/null
}

# Have the owner make an invitation; leaves it in a file.
invite() { # TERMINAL FILE
	(umask 077 && json .invitation "$(keepsake_as "$1" --json invite)" \
	    >"$WORLD/secret.$2")
}

begin() { # TERMINAL INVITATION ACCOUNT-NAME DIRECTION: into ${begun[@]}
	read -r -a begun < <(raw_begin "$1" --invitation "$2" \
	    --password-file "$WORLD/secret.password" "${@:3}")
}
readonly STATUS=0 TRIES=1 RETRY=2 RIGHT=5

terminal_enrolled stranger
shut_strangers anna

case_begin "A-07 an invitation lets a new terminal in past the strangers"
said=$(keepsake_as one --json invite)
assert_match '^[0-9A-Z]{5}-[0-9A-Z]{5}$' "$(json .invitation "$said")" \
    invitation
expiry=$(date -d "$(json .expiry "$said")" +%s)
assert_at_most $((EPOCHSECONDS + 86400)) "$expiry" expiry
assert_at_most "$expiry" $((EPOCHSECONDS + 86300)) expiry
invite one invitation
terminal_enrolled new
terminal_bind new --name anna --invitation-file "$WORLD/secret.invitation"
keepsake_as new --json snapshots >/dev/null
case_pass

case_begin "A-07 it is good once"
terminal_enrolled late
code=$(cat "$WORLD/secret.invitation")
begin late "$code" anna ENROL
assert_equal locked "${begun[STATUS]}" "with a used one"
case_pass

case_begin "A-07 it is read however it is typed, and is no password"
invite one invitation
code=$(cat "$WORLD/secret.invitation")
typed=$(tr 'A-Z01' 'a-zoi' <<<"${code/-/ }")
begin late "$typed" anna ENROL
assert_equal "ok 3" "${begun[STATUS]} ${begun[TRIES]}"
raw late --body "${begun[6]}" ask auth.LOGIN_FINISH >/dev/null
case_pass

case_begin "A-07 a wrong or mistyped one is not told: strangers' it is"
for wrong in "${code%?}" "${code%?}U" 00000-00000 '' $'\t'; do
	begin late "$wrong" anna ENROL
	assert_equal locked "${begun[STATUS]}" "with '$wrong'"
	[ "${begun[RETRY]}" -gt 0 ] || fail "another lane: '$wrong'"
done
begin late "$code" nobody ENROL
assert_equal "ok 3 0" "${begun[*]:0:3}" "with another account's"
case_pass

case_begin "A-07 three wrong passwords lock the invited, for an operator"
for remaining in 1 0; do
	said=$(expect_error 4 denied late --name anna --password-file \
	    "$WORLD/secret.wrong" --invitation-file \
	    "$WORLD/secret.invitation" bind --serial s)
	assert_json ".tries_remaining == $remaining" "$said"
done
begin late "$code" anna ENROL
assert_equal "locked 1 0" "${begun[*]:0:3}" "with the right password"
assert_match "for invitations.*$CONTACT" "${begun[*]}" detail
case_pass

case_begin "A-07 bound terminals are not locked by that, and need none"
begin one "$code" anna UPLOAD
assert_equal "ok 3" "${begun[STATUS]} ${begun[TRIES]}"
raw one --body "${begun[RIGHT]}" ask auth.LOGIN_FINISH >/dev/null
keepsake_as one --json snapshots >/dev/null
case_pass

case_begin "A-07 N-04 who asks for one has it sent to the owner, once an hour"
terminal_of_new two bert
shut_strangers bert
keepsake_as two --json notices >/dev/null
for _ in 1 2 3; do
	keepsake_as stranger --quiet --name bert invite --ask
done
invited() {
	keepsake_as two --json notices >"$WORLD/told"
	code=$(jq -er '.[] | select(.kind == "invitation") | .text' \
	    "$WORLD/told")
}
wait_for 10 invited || fail "no notice"
assert_match '^[0-9A-Z]{5}-[0-9A-Z]{5}$' "$code" "one invitation"
keepsake_as two --json notices >"$WORLD/told"
! grep -q invitation "$WORLD/told" || fail "more than one in an hour"
begin stranger "$code" bert ENROL
assert_equal "ok 3" "${begun[STATUS]} ${begun[TRIES]}"
assert_match '^ok ' "$(raw stranger --body "${begun[RIGHT]}" \
    ask auth.LOGIN_FINISH)" verdict
case_pass

case_begin "A-07 A-09 a name that is nobody's is answered alike"
assert_equal "$(keepsake_as stranger --json --name bert invite --ask)" \
    "$(keepsake_as stranger --json --name nobody invite --ask)" answer
case_pass

case_begin "A-07 the database has no invitation in it"
invite two invitation
code=$(cat "$WORLD/secret.invitation")
! grep -rqaF -e "$code" -e "${code/-/}" "$WORLD"/{auth,auth.ledger} ||
    fail "an invitation in auth's database"
case_pass

case_begin "A-07 it expires after a day"
begin stranger "$code" bert ENROL
assert_equal ok "${begun[STATUS]}" "at once"
raw stranger --body "${begun[RIGHT]}" ask auth.LOGIN_FINISH >/dev/null
invite two invitation
code=$(cat "$WORLD/secret.invitation")
service_stop auth
service_start_ahead +25h auth
auth_reached stranger
begin stranger "$code" bert ENROL
# The strangers' lane has opened; its first three tries are others'.
assert_equal "ok 3" "${begun[STATUS]} ${begun[TRIES]}"
raw stranger --body "${begun[6]}" ask auth.LOGIN_FINISH >/dev/null
read -r -a begun < <(raw_begin stranger --password-file \
    "$WORLD/secret.password" bert ENROL)
assert_equal "ok 2" "${begun[STATUS]} ${begun[TRIES]}" "the same lane"
case_pass

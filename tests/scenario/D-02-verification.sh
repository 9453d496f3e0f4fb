#!/bin/bash
# D-02: a ticket for changing bindings is earned by verification information,
# a credential of its own with tries of its own (A-07).
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
terminal_of_new two bert
terminal_enrolled free
keepsake_as free --quiet register cleo # has no verification information
secret wrong 'the name of no cat'

verify() { # TERMINAL SECRET ACCOUNT-NAME: what LOGIN_FINISH answers
	read -r -a begun < <(raw_begin "$1" \
	    --password-file "$WORLD/secret.$2" "$3" BIND)
	[ "${begun[0]}" = ok ] || {
		echo "${begun[*]:0:3}"
		return
	}
	local body=${begun[5]}
	[ "$body" != - ] || body=${begun[6]}
	raw "$1" --figures --body "$body" ask auth.LOGIN_FINISH
}

# The ticket out of a LoginDone: field 1, 162 bytes; it names the terminal.
ticket_of() { # ANSWER
	local body
	read -r _ _ _ _ body _ <<<"$1"
	[[ $body == 0aa201* ]] || fail "no ticket in: $1"
	printf '%s\n' "${body:6:324}"
}
readonly NOBODY=00000000000000000000000000000000

case_begin "D-02 verification information earns a ticket, from any terminal"
answer=$(verify one verification anna)
assert_equal "ok 0 0" "${answer%% 0 0a*}" "from a terminal of the account"
ticket=$(ticket_of "$answer")
assert_equal 0104 "${ticket:0:4}" "version and direction"
[ "${ticket:36:32}" != "$NOBODY" ] || fail "it is for no terminal"
for name in free two; do
	ticket=$(ticket_of "$(verify "$name" verification anna)")
	assert_equal "$NOBODY" "${ticket:36:32}" "the terminal of $name's ticket"
done
case_pass

case_begin "D-02 A-03 which is good for nothing else"
read -r account < <(raw_login one anna UPLOAD | cut -d' ' -f2)
ticket=$(ticket_of "$(verify one verification anna)")
for type in store.BACKUP_BEGIN store.SNAPSHOTS notify.FETCH auth.CODE_BEGIN \
    binding.BIND; do
	expect_raw auth_required one --ticket "$ticket" \
	    --account "$account" ask "$type" >/dev/null
done
case_pass

replace() { # TERMINAL SECRET DIRECTION
	raw "$1" --password-file "$WORLD/secret.$2" verify anna "$3" \
	    "$WORLD/secret.next"
}
secret next 'the name of my second cat'

case_begin "D-02 the owner's password does not replace it"
assert_match '^conflict .*set already' "$(replace one password ENROL)" answer
ticket_of "$(verify one verification anna)" >/dev/null
case_pass

case_begin "D-02 who has proven it replaces it, and the owner is told"
keepsake_as one --json notices >/dev/null
assert_match '^ok' "$(replace one verification BIND)" answer
answer=$(verify two verification anna)
assert_equal "denied 3" "${answer:0:8}" "the one before"
ticket_of "$(verify two next anna)" >/dev/null
changed() {
	keepsake_as one --json notices >"$WORLD/told"
	jq -e '.[] | select(.kind == "code_changed") | .figures.code == 2' \
	    "$WORLD/told" >/dev/null
}
wait_for 10 changed || fail "no notice"
cp -p "$WORLD/secret.next" "$WORLD/secret.verification"
case_pass

case_begin "D-02 the password does not do, and its lane is another"
for remaining in 3 2 1; do
	answer=$(verify one password anna)
	assert_match "^denied $remaining " "$answer" answer
done
assert_match '^locked 1 0$' "$(verify one verification anna)" answer
keepsake_as one --json snapshots >/dev/null
case_pass

case_begin "D-02 A-07 nor does it lock who comes from elsewhere"
ticket_of "$(verify two verification anna)" >/dev/null
case_pass

case_begin "D-02 A-09 who has none, and who is nobody, is answered alike"
for name in cleo nobody; do
	for remaining in 3 2 1; do
		answer=$(verify free verification "$name")
		assert_equal "denied $remaining" "${answer:0:8}" "$name"
	done
	answer=$(verify free verification "$name")
	assert_match '^locked 1 3[56][0-9]{5}$' "$answer" "$name"
done
case_pass

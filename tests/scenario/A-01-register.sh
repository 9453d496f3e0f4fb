#!/bin/bash
# A-01: register by phone number, e-mail address or nickname.  A taken
# nickname is refused; an address that is taken looks free, and its owner is
# told.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up

readonly PHONE=+491701234567 EMAIL=anna@example.org

# The account's id that registering prints, as JSON.
register() { # TERMINAL NAME [ARGUMENTS...]
	keepsake_as "$1" "${@:3}" --json register "$2"
}

case_begin "A-01 a phone number, an e-mail address and a nickname register"
for row in "phone $PHONE" "email $EMAIL" "nick anna"; do
	read -r terminal name <<<"$row"
	terminal_enrolled "$terminal"
	made=$(register "$terminal" "$name")
	assert_json '.account | test("^[0-9a-f]{32}$")' "$made" account
	assert_equal "$name" "$(json .name "$made")" name
	json .account "$made" >>"$WORLD/ids"
	terminal_bind "$terminal"
done
case_pass

case_begin "A-01 each account has an id of its own"
assert_equal 3 "$(sort -u "$WORLD/ids" | wc -l)" ids
case_pass

case_begin "A-01 a nickname that is taken is refused, however it is written"
terminal_enrolled second
for name in anna ANNA Anna; do
	expect_error 7 conflict second register "$name" >/dev/null
done
case_pass

case_begin "A-01 an address that is taken answers as a free one"
secret other 'another password altogether'
terminal_enrolled taken
terminal_enrolled free
for pair in "$PHONE +491707654321" "$EMAIL bert@example.org"; do
	read -r theirs ours <<<"$pair"
	one=$(register taken "$theirs" --password-file "$WORLD/secret.other")
	other=$(register free "$ours" --password-file "$WORLD/secret.other")
	shape='[paths(scalars) as $p | [$p, (getpath($p) | type)]]'
	assert_equal "$(jq -c "$shape" <<<"$other")" \
	    "$(jq -c "$shape" <<<"$one")" "shape of the answer"
	! grep -qF "$(json .account "$one")" "$WORLD/ids" ||
	    fail "the answer tells the owner's account"
done
case_pass

case_begin "A-01 nobody gets into the account by registering its address"
expect_error 4 denied taken --password-file "$WORLD/secret.other" \
    --name "$EMAIL" bind --serial x >/dev/null
for row in phone email; do
	assert_json '.bound' "$(keepsake_as "$row" --json status)" "$row"
done
case_pass

asked_again() { # TERMINAL
	[[ $(keepsake_as "$1" --json notices) == *name_asked_again* ]]
}

case_begin "A-01 N-04 the owner of a taken address is told"
wait_for 10 asked_again phone || fail "the phone number's owner was not told"
wait_for 10 asked_again email || fail "the address's owner was not told"
case_pass

case_begin "A-01 names that are none are refused"
terminal_enrolled nameless
for name in '' ' ' an 1anna 'an na' +12 +491701234567890123 anna@ \
    @example.org 'anna@exa mple.org' $'an\nna' $'an\xffna' \
    "$(printf 'a%.0s' {1..300})"; do
	expect_error 1 malformed nameless register "$name" >/dev/null
done
case_pass

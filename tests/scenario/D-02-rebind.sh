#!/bin/bash
# D-02: changing or removing a binding needs verification information; without
# it a terminal that is bound to one account cannot be bound to another: a
# stolen phone is worthless.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
readonly IMEI=490154203237518 OTHER_IMEI=356938035643809
readonly FREE_IMEI=352099001761481
readonly LABEL="Annas Reisetelefon"
world_up

# A command that takes the verification information.
verified() { # TERMINAL ARGUMENTS...
	keepsake_as "$1" "${@:2}" \
	    --verification-file "$WORLD/secret.verification"
}

refused() { # CODE WORD TERMINAL ARGUMENTS...
	expect_error "$1" "$2" "$3" "${@:4}" \
	    --verification-file "$WORLD/secret.verification"
}

hex() { # TEXT, or bytes from standard input
	if [ $# -gt 0 ]; then printf '%s' "$1"; else cat; fi |
	    od -An -v -tx1 | tr -d ' \n'
}

# A text field of a message, as hex.
field() { # NUMBER TEXT
	printf '%02x%02x%s' $(($1 * 8 + 2)) "${#2}" "$(hex "$2")"
}

# A ticket, as hex, for what verification information proves.
bind_ticket() { # TERMINAL ACCOUNT-NAME
	raw "$1" --password-file "$WORLD/secret.verification" login "$2" BIND |
	    cut -d ' ' -f 1
}

# A terminal's id, as the server has it for this key.
terminal_id() { # TERMINAL ARGUMENTS...
	json '.[] | select(.this) | .terminal' \
	    "$(keepsake_as "$@" --json terminals)"
}

terminal_enrolled phone
keepsake_as phone --quiet register anna
verified phone --quiet bind --imei "$IMEI" --serial R58M123 --label "$LABEL"
terminal_enrolled tablet
keepsake_as tablet --quiet --name anna bind --serial XYZ-1
terminal_enrolled thief
keepsake_as thief --quiet register mallory
keepsake_as thief --quiet bind --serial thiefs-own \
    --verification-file "$WORLD/secret.verification"
secret wrong 'the name of my second cat'
tree_make "$WORLD/tree" 1 5 1
keepsake_as phone --quiet backup "$WORLD/tree"

case_begin "D-02 the account's terminals are listed"
list=$(keepsake_as tablet --json terminals)
assert_equal 2 "$(jq length <<<"$list")" terminals
assert_json ".[] | select(.imei == \"$IMEI\") | .serial == \"R58M123\"\
 and .label == \"$LABEL\" and (.this | not)" "$list" phone
assert_json '.[] | select(.this) | .serial == "XYZ-1" and .imei == null' \
    "$list" tablet
assert_match "imei $IMEI .*$LABEL" "$(keepsake_as tablet terminals)" text
assert_no_match "$IMEI" "$(keepsake_as thief terminals)" "of another account"
case_pass

case_begin "D-02 who cannot prove verification information changes nothing"
expect_error 4 denied phone unbind --verification-file "$WORLD/secret.wrong" \
    >/dev/null
expect_error 4 denied phone unbind \
    --verification-file "$WORLD/secret.password" >/dev/null
expect_status 4 keepsake_as phone unbind </dev/null 2>/dev/null
assert_equal "$list" "$(keepsake_as tablet --json terminals)" terminals
case_pass

case_begin "D-02 a new key without verification information is refused"
terminal_enrolled wiped
said=$(expect_error 7 conflict wiped --name anna bind --imei "$IMEI")
assert_match 'keepsake rebind' "$said" "what to do next"
case_pass

case_begin "D-02 A-06 no other ticket rebinds or unbinds, nor does none"
for direction in ENROL MANAGE UPLOAD DOWNLOAD NOTICES; do
	read -r ticket _ < <(raw_login tablet anna "$direction")
	for type in REBIND UNBIND; do
		expect_raw auth_required tablet --ticket "$ticket" \
		    --body "$(field 3 x)" ask "binding.$type" >/dev/null
	done
done
expect_raw auth_required tablet ask binding.UNBIND >/dev/null
ticket=$(bind_ticket tablet anna)
expect_raw denied thief --ticket "$ticket" ask binding.UNBIND >/dev/null
expect_raw auth_required tablet --ticket "$ticket" \
    --body "$(field 2 more)" ask binding.BIND >/dev/null
assert_equal "$list" "$(keepsake_as tablet --json terminals)" terminals
case_pass

case_begin "D-02 every way to bind a bound phone to another account fails"
owner='.detail | test("another account.*owner must release")'
for identifier in "--imei $IMEI" "--serial R58M123" \
    "--imei $IMEI --serial R58M123" "--imei $FREE_IMEI --serial R58M123"; do
	terminal_enrolled "fresh${identifier// /_}"
	# shellcheck disable=SC2086 # an option and its argument
	said=$(refused 7 conflict "fresh${identifier// /_}" --name mallory \
	    bind $identifier)
	assert_json "$owner" "$said" "bind $identifier"
	# shellcheck disable=SC2086
	refused 6 not_found "fresh${identifier// /_}" --name mallory \
	    rebind $identifier >/dev/null
	# shellcheck disable=SC2086
	said=$(refused 7 conflict thief rebind $identifier)
	assert_json "$owner" "$said" "rebind $identifier"
	# shellcheck disable=SC2086
	refused 6 not_found thief unbind $identifier >/dev/null
done
refused 6 not_found thief unbind "$(terminal_id phone)" >/dev/null
# The phone itself, key and all, in the thief's hands.
refused 4 denied phone --name mallory bind --serial new >/dev/null
refused 6 not_found phone --name mallory rebind --imei "$IMEI" >/dev/null
said=$(refused 7 conflict phone --name mallory rebind --serial thiefs-own)
assert_json "$owner" "$said" "rebind of the thief's terminal"
refused 6 not_found phone --name mallory unbind >/dev/null
assert_equal "$list" "$(keepsake_as tablet --json terminals)" terminals
assert_equal 1 "$(keepsake_as thief --json terminals | jq length)" "the thief's"
case_pass

case_begin "D-02 the label and an identifier are changed, the id stays"
before=$(terminal_id tablet)
changed=$(verified tablet --json rebind --label "Annas Tablet")
assert_equal "$before" "$(json .terminal "$changed")" id
changed=$(verified tablet --json rebind --imei "$OTHER_IMEI")
assert_equal "$before" "$(json .terminal "$changed")" id
changed=$(verified tablet --json rebind --serial XYZ-2)
assert_json "[.[] | select(.this)] | length == 1 and .[0].imei ==\
 \"$OTHER_IMEI\" and .[0].serial == \"XYZ-2\" and .[0].label ==\
 \"Annas Tablet\"" "$(keepsake_as tablet --json terminals)" tablet
keepsake_as tablet --quiet backup "$WORLD/tree"
case_pass

case_begin "D-02 an identifier that was given up is free for another account"
terminal_enrolled buyer
keepsake_as buyer --quiet register bert
verified buyer --quiet bind --serial XYZ-1
case_pass

case_begin "D-02 what cannot be is refused, and says why"
refused 1 malformed tablet rebind --imei 490154203237517 >/dev/null
refused 1 malformed tablet rebind --label $'a\nb' >/dev/null
said=$(refused 7 conflict tablet rebind --imei "$IMEI")
assert_match 'bound as another terminal' "$said" why
said=$(refused 7 conflict wiped --name anna rebind --imei "$IMEI" \
    --serial XYZ-2)
assert_match 'two terminals of the account' "$said" why
refused 6 not_found wiped --name anna rebind --imei "$FREE_IMEI" >/dev/null
expect_status 2 verified tablet rebind 2>/dev/null
expect_status 2 verified tablet unbind 1234 2>/dev/null
case_pass

case_begin "D-02 a wiped phone takes its own place with a new key"
before=$(terminal_id phone)
changed=$(verified wiped --name anna --json rebind --imei "$IMEI")
after=$(json .terminal "$changed")
[ "$after" != "$before" ] || fail "the id of another key"
assert_equal "$after" "$(json .terminal "$(keepsake_as wiped --json status)")" \
    "id in the state"
assert_json "[.[] | select(.imei == \"$IMEI\")] | length == 1 and\
 .[0].terminal == \"$after\" and .[0].serial == \"R58M123\" and\
 .[0].label == \"$LABEL\" and .[0].this" \
    "$(keepsake_as wiped --json terminals)" phone
assert_restores wiped 1 "$WORLD/tree"
keepsake_as wiped --quiet backup "$WORLD/tree"
assert_equal 2 "$(keepsake_as tablet --json terminals | jq length)" terminals
case_pass

case_begin "D-02 the former key is nobody's, and gets nothing"
expect_error 4 denied phone backup "$WORLD/tree" >/dev/null
expect_error 4 denied phone snapshots >/dev/null
case_pass

case_begin "D-02 G-04 a repeated request gets the first answer"
ticket=$(bind_ticket tablet anna)
request=000102030405060708090a0b0c0d0e0f
body=$(field 3 again)
first=$(expect_raw ok tablet --ticket "$ticket" --request "$request" \
    --body "$body" ask binding.REBIND)
service_stop binding
service_start binding
keepsake_as tablet --quiet terminals >/dev/null # once it is met again
assert_equal "$first" "$(expect_raw ok tablet --ticket "$ticket" \
    --request "$request" --body "$body" ask binding.REBIND)" answer
expect_raw conflict tablet --ticket "$ticket" --request "$request" \
    --body "$(field 3 other)" ask binding.REBIND >/dev/null
case_pass

case_begin "D-02 A-14 R-01 the former key's tickets end, though auth was down"
terminal_enrolled fresh
old=$(raw_login wiped anna UPLOAD | cut -d ' ' -f 1)
expect_raw ok wiped --ticket "$old" ask store.BACKUP_BEGIN >/dev/null
ticket=$(bind_ticket fresh anna)
service_kill auth
expect_raw ok fresh --ticket "$ticket" --body "$(field 1 "$IMEI")" \
    ask binding.REBIND >/dev/null
service_kill binding # what it has to tell is on the disk
service_start binding
service_start auth
ended() {
	[[ $(raw wiped --ticket "$old" ask store.HAVE) = denied* ]]
}
wait_for 20 ended || fail "the ticket of the former key goes on"
expect_error 4 denied wiped backup "$WORLD/tree" >/dev/null
after=$(terminal_id fresh --name anna)
case_pass

case_begin "D-02 a released terminal is free, and only then another's"
refused 7 conflict thief rebind --imei "$IMEI" >/dev/null
unbound=$(verified tablet --json unbind --imei "$IMEI")
assert_equal "$after" "$(json .unbound "$unbound")" id
assert_json "all(.[]; .imei != \"$IMEI\")" \
    "$(keepsake_as tablet --json terminals)" terminals
expect_error 4 denied fresh --name anna backup "$WORLD/tree" >/dev/null
terminal_enrolled sold
keepsake_as sold --quiet --name mallory bind --imei "$IMEI" --serial R58M123
keepsake_as sold --quiet backup "$WORLD/tree"
refused 7 conflict tablet rebind --serial R58M123 >/dev/null
case_pass

case_begin "D-02 unbinding this terminal makes its folder forget it"
verified tablet --quiet unbind
assert_json '(.bound | not) and .terminal == null' \
    "$(keepsake_as tablet --json status)" status
assert_equal 0 "$(keepsake_as tablet --json terminals | jq length)" terminals
refused 6 not_found tablet unbind >/dev/null
# the last one has gone: the account can be bound again, and has its data
keepsake_as tablet --quiet bind --serial XYZ-2
assert_restores tablet 1 "$WORLD/tree"
case_pass

case_begin "D-02 N-04 the owner is told of both"
verified tablet --quiet rebind --label "once more"
terminal_enrolled spare
keepsake_as spare --quiet --name anna bind --serial spare
keepsake_as tablet --json notices >/dev/null
verified tablet --quiet unbind --serial spare
verified tablet --quiet rebind --label "and again"
told() {
	keepsake_as tablet --json notices >>"$WORLD/told"
	jq -es 'flatten | map(.kind) | index("terminal_rebound") and
	    index("terminal_unbound")' "$WORLD/told" >/dev/null
}
wait_for 20 told || fail "told of: $(cat "$WORLD/told")"
case_pass

case_begin "K-08 D-02 the database has nothing of a person in clear"
service_stop binding
for text in "$IMEI" "$OTHER_IMEI" "$LABEL" "Annas Tablet" R58M123 XYZ-2 spare; do
	! grep -qaF -- "$text" "$WORLD"/binding/data.mdb ||
	    fail "$text is in the database"
done
service_start binding
keepsake_as tablet --quiet backup "$WORLD/tree"
case_pass

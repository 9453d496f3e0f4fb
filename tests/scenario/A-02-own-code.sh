#!/bin/bash
# A-02: a terminal may have a code of its own, of any factors; its transfers
# are challenged for that one, and everything else for the owner's.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
terminal_of two anna
tree_make "$WORLD/tree" 8 30 2
keepsake_as one --quiet backup "$WORLD/tree"
secret own 'a password of one alone'
readonly IMEI=490154203237518 OTHER_IMEI=356938035643809
own=(--password-file "$WORLD/secret.own" --imei "$IMEI")
set_code=(code set --new-password-file "$WORLD/secret.own")

case_begin "A-02 a terminal has no code of its own until it gets one"
assert_json '.account == ["password"] and .own == null' \
    "$(keepsake_as one --json code show)" codes
case_pass

case_begin "A-02 factors that are none are refused"
for factors in '' ',' 'password,' 'imei,imei' pin Password; do
	expect_status 2 keepsake_as one "${set_code[@]}" --factors "$factors" \
	    2>/dev/null
done
expect_status 2 keepsake_as one "${set_code[@]}" 2>/dev/null
expect_status 2 keepsake_as one code show --factors imei 2>/dev/null
for value in "--imei 490154203237517" "--imei 49015420323751" "--imsi 26201" \
    "--imsi 26201x" "--serial $(printf '\377')"; do
	factor=${value%% *}
	# shellcheck disable=SC2086 # an option and its value
	expect_error 1 malformed one "${set_code[@]}" $value \
	    --factors "password,${factor#--}" >/dev/null
done
assert_json '.own == null' "$(keepsake_as one --json code show)" codes
case_pass

case_begin "A-02 it is set by who knows the owner's code only"
expect_error 4 denied one --password-file "$WORLD/secret.own" \
    "${set_code[@]}" --factors password,imei --imei "$IMEI" >/dev/null
keepsake_as one --quiet "${set_code[@]}" --factors password,imei \
    --imei "$IMEI"
assert_json '.account == ["password"] and .own == ["password", "imei"]' \
    "$(keepsake_as one --json code show)" codes
case_pass

case_begin "A-02 transfers are challenged for it, and what came before opens"
put=$(figure store chunks_put)
assert_json '.chunks_sent == 0' \
    "$(keepsake_as one --json "${own[@]}" backup "$WORLD/tree")" backup
assert_equal "$put" "$(figure store chunks_put)" "chunks in the store"
keepsake_as one --quiet "${own[@]}" restore latest \
    --target "$WORLD/restored"
assert_same_tree "$WORLD/tree" "$WORLD/restored"
keepsake_as one --quiet "${own[@]}" notices
case_pass

case_begin "A-02 the owner's code, or another value, is refused for them"
said=$(expect_error 4 denied one --imei "$IMEI" snapshots)
assert_match '^wrong name, password or identifier' "$(json .detail "$said")" \
    detail
assert_match -- '--imei' "$(json .advice "$said")" advice
expect_error 4 denied one "${own[@]}" --imei "$OTHER_IMEI" snapshots \
    >/dev/null
case_pass

case_begin "A-02 the owner's code manages on, and is all that others use"
secret next 'the next password of anna'
expect_error 4 denied one "${own[@]}" password \
    --new-password-file "$WORLD/secret.next" >/dev/null
keepsake_as one --quiet password --new-password-file "$WORLD/secret.next"
cp -p "$WORLD/secret.next" "$WORLD/secret.password"
keepsake_as two --quiet backup "$WORLD/tree"
assert_json '.own == null' "$(keepsake_as two --json code show)" codes
keepsake_as one --quiet "${own[@]}" backup "$WORLD/tree"
case_pass

case_begin "A-02 the server knows which factors, and no value of one"
! grep -rqaF -e "$IMEI" -e 'a password of one alone' "$WORLD/auth" ||
    fail "a value in auth's database"
case_pass

case_begin "A-02 its factors come from a file as well as from options"
(umask 077 && printf '# one\nimei=%s\nimsi=262011234567890\n' "$IMEI" \
    >"$WORLD/identity")
keepsake_as one --quiet --password-file "$WORLD/secret.own" \
    --identity-file "$WORLD/identity" backup "$WORLD/tree"
chmod 0644 "$WORLD/identity"
expect_status 2 keepsake_as one --identity-file "$WORLD/identity" snapshots \
    2>"$WORLD/err"
assert_match "$WORLD/identity: refused" "$(cat "$WORLD/err")" message
chmod 0600 "$WORLD/identity"
printf 'imei=1\n' >>"$WORLD/identity"
expect_status 2 keepsake_as one --identity-file "$WORLD/identity" snapshots \
    2>"$WORLD/err"
assert_match "$WORLD/identity, line 4: " "$(cat "$WORLD/err")" message
case_pass

case_begin "A-02 one that was forgotten goes by the owner's code"
keepsake_as one --quiet code remove
assert_json '.own == null' "$(keepsake_as one --json code show)" codes
keepsake_as one --quiet backup "$WORLD/tree"
said=$(expect_error 6 not_found one code remove)
assert_match 'no code of its own' "$(json .detail "$said")" detail
case_pass

case_begin "A-02 identifiers alone: said to be no secret, and refused"
expect_status 2 keepsake_as one "${set_code[@]}" --factors imei \
    --imei "$IMEI" 2>"$WORLD/err"
assert_match 'no secret.*--identifiers-only' "$(tr '\n' ' ' <"$WORLD/err")" \
    risk
said=$(expect_error 4 denied one "${set_code[@]}" --factors imei \
    --imei "$IMEI" --identifiers-only)
assert_match 'put a password into it' "$(json .advice "$said")" advice
assert_json '.own == null' "$(keepsake_as one --json code show)" codes
case_pass

service_stop auth
printf '\n[auth]\nallow_identifier_only = yes\n' >>"$WORLD_CONFIG"
service_start auth

case_begin "A-02 identifiers alone, where the operator allows them"
keepsake_as one "${set_code[@]}" --factors imei --imei "$IMEI" \
    --identifiers-only >/dev/null 2>"$WORLD/err"
assert_match 'no secret' "$(cat "$WORLD/err")" risk
assert_json '.own == ["imei"]' "$(keepsake_as one --json code show)" codes
"$BUILD/keepsake" --state "$WORLD/terminal/one" --quiet --imei "$IMEI" \
    notices
case_pass

case_begin "A-02 K-06 such a code opens no key: the owner's is asked for too"
keepsake_as one --quiet --imei "$IMEI" backup "$WORLD/tree"
rm -r "$WORLD/restored"
keepsake_as one --quiet --imei "$IMEI" restore latest \
    --target "$WORLD/restored"
assert_same_tree "$WORLD/tree" "$WORLD/restored"
for command in "backup $WORLD/tree" "snapshots"; do
	# shellcheck disable=SC2086 # a command and its arguments
	expect_status 4 setsid "$BUILD/keepsake" \
	    --state "$WORLD/terminal/one" --imei "$IMEI" $command \
	    </dev/null >/dev/null 2>"$WORLD/err"
	assert_match 'no password in it.*key of the backups stays closed' \
	    "$(tr '\n' ' ' <"$WORLD/err")" message
done
expect_error 4 denied one --imei "$OTHER_IMEI" snapshots >/dev/null
case_pass

#!/bin/bash
# A-04: a wrong password and a wrong server are both found out, before
# anything is sent.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
secret wrong 'not the right one'
tree_make "$WORLD/tree" 1 5 4

case_begin "A-04 a wrong password is refused, and nothing is stored"
terminal_of two anna # each may be wrong twice, and is not locked yet
for command in "one backup $WORLD/tree" "one snapshots" \
    "two restore latest --target $WORLD/x" "two notices"; do
	# shellcheck disable=SC2086 # a terminal, a command and its arguments
	expect_error 4 denied ${command%% *} \
	    --password-file "$WORLD/secret.wrong" ${command#* } >/dev/null
done
assert_equal 0 "$(figure store chunks_put)" "chunks in the store"
assert_equal 0 "$(figure store leases_begun)" "leases"
case_pass

case_begin "A-04 A-09 an unknown name is answered as a wrong password"
terminal_enrolled stranger
known=$(expect_error 4 denied stranger --name anna \
    --password-file "$WORLD/secret.wrong" bind --serial s)
unknown=$(expect_error 4 denied stranger --name nobody \
    --password-file "$WORLD/secret.wrong" bind --serial s)
assert_equal "$known" "$unknown" answer
case_pass

case_begin "A-04 the right password opens the account after all that"
keepsake_as one --quiet backup "$WORLD/tree"
case_pass

# Enrolment strings with one key that is another server's.
other=$(KEEPSAKE_COMMON_KEYS=$WORLD/other keepsakectl keys make >/dev/null &&
    KEEPSAKE_COMMON_KEYS=$WORLD/other keepsakectl enrolment)
with_other_key() { # g, x or o
	local theirs
	theirs=$(sed "s/.*[?&]\\($1=[^&]*\\).*/\\1/" <<<"$other")
	sed "s/\\([?&]\\)$1=[^&]*/\\1$theirs/" <<<"$ENROLMENT"
}

case_begin "A-04 another gateway's key is found out"
ENROLMENT=$(with_other_key g) terminal_enrolled gateway
expect_error 5 unavailable gateway --timeout 5s register bert >/dev/null
case_pass

case_begin "A-04 another auth's key for sealing is found out"
ENROLMENT=$(with_other_key x) terminal_enrolled sealing
expect_error 1 malformed sealing --timeout 5s register bert >/dev/null
expect_error 1 malformed sealing --timeout 5s --name anna bind --serial s \
    >/dev/null
case_pass

case_begin "A-04 another auth's OPAQUE key is found out at registration"
ENROLMENT=$(with_other_key o) terminal_enrolled opaque
expect_error 4 denied opaque --timeout 5s register cleo >/dev/null
case_pass

case_begin "A-04 another auth's OPAQUE key is found out at login"
expect_error 4 denied opaque --name anna --timeout 5s bind --serial s \
    >/dev/null
case_pass

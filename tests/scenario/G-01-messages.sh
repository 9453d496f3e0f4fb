#!/bin/bash
# G-01: the data channel answers what is no message, and what is of another
# version, with a clear status; and goes on.  R-03, G-05: hostile frames.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
read -r upload _ < <(raw_login one anna UPLOAD)
read -r enrol _ < <(raw_login one anna ENROL)

case_begin "G-01 a ping is answered, in as many frames as the protocol has"
expect_raw ok one ask common.PING >/dev/null
expect_raw ok one --frames 3 ask common.PING >/dev/null
case_pass

# Fields of the header at its end: the last one counts.
case_begin "G-01 O-08 versions: what we understand is answered, else refused"
while read -r want hex what; do
	expect_raw "$want" one --append "$hex" ask common.PING >/dev/null ||
	    fail "$what"
done <<-END
	ok      1802         minor 2
	ok      1002         major 2 that version 1 still understands
	version 10022002     major 2 that it does not
	version 1000         major 0
	ok      900301       field 50, not known
	ok      9a0303616263 field 51, a text
	version 800401       field 64: critical
	version fa0700       field 127: critical
	ok      800801       field 128: not critical
END
case_pass

case_begin "R-03 G-01 a header that is none is answered as malformed"
for hex in 00 ff ffffffffffffffffffff 0d00000000 0d3153504b \
    0d3153504b2a03616263 "$(printf 'ff%.0s' {1..300})"; do
	expect_raw malformed one --header "$hex" ask common.PING >/dev/null
done
case_pass

case_begin "R-03 G-01 frames too few or too many are answered as malformed"
expect_raw malformed one --frames 1 ask common.PING >/dev/null
expect_raw malformed one --frames 4 ask common.PING >/dev/null
expect_raw malformed one --frames 8 ask common.PING >/dev/null
case_pass

case_begin "G-05 what is too large is refused, or cut off"
expect_raw too_large one --body-bytes 65537 ask store.HAVE >/dev/null
expect_raw too_large one --append "9a03e807$(printf '61%.0s' {1..1000})" \
    ask common.PING >/dev/null
expect_raw too_large one --payload-bytes 262129 ask store.PUT >/dev/null
expect_raw too_large one --payload-bytes 1000000 ask store.PUT >/dev/null
assert_equal silence \
    "$(raw one --wait 2000 --payload-bytes 2000000 ask store.PUT)" answer
case_pass

case_begin "G-01 R-07 a name that a terminal gives itself is not answered"
assert_equal silence \
    "$(raw one --wait 2000 --routing-id another ask common.PING)" answer
log_wait gateway event=routing_id_refused 10 || fail "not refused"
case_pass

case_begin "R-03 G-01 a body that is none is answered as malformed"
for type in auth.FACTORS auth.LOGIN_BEGIN auth.LOGIN_FINISH \
    auth.REGISTER_BEGIN auth.REGISTER_FINISH; do
	for hex in ff 0aff01 ffffffffffffffffffff 0a; do
		expect_raw malformed one --body "$hex" ask "$type" >/dev/null
	done
done
for hex in ff 0aff01 0a0400000000 0a; do
	for type in store.HAVE store.PUT store.PUBLISH store.GET; do
		expect_raw malformed one --ticket "$upload" --body "$hex" \
		    ask "$type" >/dev/null
	done
	expect_raw malformed one --ticket "$enrol" --body "$hex" \
	    ask binding.BIND >/dev/null
done
case_pass

case_begin "G-01 A-06 messages between services are none of a terminal's"
for type in common.STATUS_QUERY auth.VERIFICATION_STATE binding.LOOKUP \
    binding.TERMINALS_OF notify.TELL notify.PUSH 0 0x0500 0x010203 \
    0xffffffff; do
	answer=$(raw one --ticket "$upload" ask "$type")
	assert_match '^(malformed|denied|auth_required) 0 - ' "$answer" "$type"
done
case_pass

case_begin "R-03 R-02 after all that everything still serves"
tree_make "$WORLD/tree" 1 5 1
keepsake_as one --quiet backup "$WORLD/tree"
assert_restores one latest "$WORLD/tree"
case_pass

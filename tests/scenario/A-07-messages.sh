#!/bin/bash
# A-07: a wrong try is told with what is left; what is shut, with when it
# opens or who opens it, and what to do; for people and as JSON.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up "[common] contact = Ann in room 7"
terminal_of_new one anna
secret wrong 'not the right one'

# What a person reads when a command fails; the exit status is to be 4.
told() { # TERMINAL ARGUMENTS...
	local name=$1 status=0
	shift
	keepsake_as "$name" "$@" 2>&1 >/dev/null </dev/null || status=$?
	[ "$status" -eq 4 ] || fail "exit status $status, want 4: $*"
}
wrong=(--password-file "$WORLD/secret.wrong")

case_begin "A-07 each wrong try says how many remain"
said=$(told one "${wrong[@]}" snapshots)
assert_match '^keepsake: wrong name or password: 2 tries remain' "$said" text
assert_match $'\nkeepsake: check both' "$said" advice
said=$(expect_error 4 denied one "${wrong[@]}" snapshots)
assert_json '.tries_remaining == 1 and (has("retry_after_ms") | not) and
    (.detail | endswith("1 try remains"))' "$said" JSON
case_pass

case_begin "A-07 the last one says what is shut, who opens it, and what works"
said=$(told one "${wrong[@]}" snapshots)
assert_match 'locked for this terminal' "$said" what
assert_match 'Ann in room 7' "$said" whom
assert_match $'\nkeepsake: go and see the operator.*other terminals' "$said" \
    advice
case_pass

case_begin "A-07 what is locked says so, also to the right password"
for file in wrong password; do
	said=$(expect_error 4 locked one \
	    --password-file "$WORLD/secret.$file" snapshots)
	assert_json '.tries_remaining == 0 and
	    (has("retry_after_ms") | not)' "$said" JSON
	assert_match 'Ann in room 7' "$(json .detail "$said")" whom
done
case_pass

# Where it opens by itself.
terminal_enrolled stranger
stranger=(stranger --name anna "${wrong[@]}" bind --serial s)
told "${stranger[@]}" >/dev/null
told "${stranger[@]}" >/dev/null

case_begin "A-07 what opens by itself says in how long, and when, in local time"
said=$(TZ=Etc/GMT-5 told "${stranger[@]}")
assert_match 'Ann in room 7; it opens by itself in (1 h|[56][0-9] min)' \
    "$said" wait
[[ $said =~ at\ ([0-9:]+)\ on\ ([0-9-]+) ]] || fail "no time in: $said"
opens=$(TZ=Etc/GMT-5 date -d "${BASH_REMATCH[2]} ${BASH_REMATCH[1]}" +%s)
said=$(expect_error 4 locked "${stranger[@]}")
wait_ms=$(json .retry_after_ms "$said")
assert_at_most 3600000 "$wait_ms" "milliseconds to wait"
assert_json '.tries_remaining == 0' "$said" JSON
# The text has minutes only, and this machine may be slow in between.
assert_at_most 180 "$((EPOCHSECONDS + wait_ms / 1000 - opens))" "seconds early"
assert_at_most 0 "$((opens - EPOCHSECONDS - 3600))" "seconds late"
case_pass

case_begin "A-07 who is shut out is told of the invitation that lets in"
assert_match 'invite --ask .*--invitation-file' \
    "$(told "${stranger[@]}")" advice
case_pass

case_begin "A-07 a name that is nobody's is told the same"
strip() { # TEXT: without when
	sed 's/in [0-9a-z ]*, at [0-9:]* on [0-9-]*/in a while/' <<<"$1"
}
terminal_enrolled other
for ((i = 0; i < 3; i++)); do
	told other --name nobody "${wrong[@]}" bind --serial s >"$WORLD/said"
done
assert_equal "$(strip "$(told "${stranger[@]}")")" \
    "$(strip "$(told other --name nobody "${wrong[@]}" bind --serial s)")" \
    text
case_pass

case_begin "A-07 an invitation may come by standard input, and is one line"
for wrong_line in '' $'\n'; do
	said=$(printf %s "$wrong_line" | expect_error 1 malformed stranger \
	    --name anna --invitation-file - bind --serial s)
	assert_match 'one line' "$(json '.detail + .advice' "$said")" text
done
terminal_of_new owner bert
terminal_enrolled guest
for ((i = 0; i < 3; i++)); do
	told guest --name bert "${wrong[@]}" bind --serial s >/dev/null
done
keepsake_as owner invite 2>"$WORLD/err" | keepsake_as guest --quiet \
    --name bert --invitation-file - bind --serial guest
assert_match 'Good for one terminal, until 20' "$(cat "$WORLD/err")" "for people"
case_pass

case_begin "A-07 who asks for an invitation hears no more than that"
assert_json '.asked' \
    "$(keepsake_as other --name nobody --json invite --ask)" JSON
assert_match 'If there is such an account' \
    "$(keepsake_as other --name bert invite --ask)" text
case_pass

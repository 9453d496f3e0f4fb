#!/bin/bash
# K-06: the root key is wrapped under what only the password gives; the
# server keeps it and can never read it.  The password is checked on the
# terminal from time to time, so that it is not forgotten.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
tree_make "$WORLD/tree" 2 10 6
keepsake_as one --quiet backup "$WORLD/tree"
secret new 'quite another password, and a new one'
secret third 'the third in a row'

case_begin "K-06 A-04 no password is in any file of server or terminal"
stored() {
	LC_ALL=C grep -rlaF "$1" \
	    "$WORLD"/{auth,store,binding,notify,keys,log,run,terminal} || true
}
for text in "$PASSWORD" "$VERIFICATION" "$(printf %s "$PASSWORD" | base64)" \
    "$(printf %s "$PASSWORD" | od -An -v -tx1 | tr -d ' \n')"; do
	found=$(stored "$text")
	[ -z "$found" ] || fail "a secret is in $found"
done
case_pass

# With all that the server has, and a terminal's folder, but no password.
case_begin "K-06 who has the server's disk and a terminal reads no backup"
secret wrong 'a guess'
expect_error 4 denied one --password-file "$WORLD/secret.wrong" \
    restore latest --target "$WORLD/x" >/dev/null
assert_equal "" "$(find "$WORLD/terminal/one" -type f ! -perm 0600)" \
    "files open to others"
case_pass

case_begin "K-06 A-02 a new password wraps the key anew; backups still open"
before=$(figure store bytes_put)
keepsake_as one --quiet password --new-password-file "$WORLD/secret.new"
mv "$WORLD/secret.new" "$WORLD/secret.password"
assert_restores one 1 "$WORLD/tree"
keepsake_as one --quiet password --new-password-file "$WORLD/secret.third"
mv "$WORLD/secret.third" "$WORLD/secret.password"
assert_restores one 1 "$WORLD/tree"
assert_equal "$before" "$(figure store bytes_put)" "bytes sent"
case_pass

case_begin "K-06 a new phone opens them with the new password only"
secret old "$PASSWORD"
terminal_enrolled two
expect_error 4 denied two --name anna --password-file "$WORLD/secret.old" \
    bind --serial two >/dev/null
terminal_bind two --name anna
assert_restores two 1 "$WORLD/tree"
case_pass

# A person at a terminal: answers the one question of keepsake status.
remember() { # ANSWER; what was shown is in $WORLD/shown
	: >"$WORLD/shown"
	mkfifo "$WORLD/typed"
	script -qefc "$(printf '%q ' "$BUILD/keepsake" \
	    --state "$WORLD/terminal/one" \
	    --password-file "$WORLD/secret.password" status)" "$WORLD/shown" \
	    <"$WORLD/typed" >/dev/null 2>&1 &
	local pid=$! typed
	exec {typed}>"$WORLD/typed"
	wait_for 20 grep -q Password "$WORLD/shown" || fail "not asked"
	printf '%s\n' "$1" >&"$typed"
	wait "$pid" || fail "exit status $?: $(cat "$WORLD/shown")"
	exec {typed}>&-
	rm "$WORLD/typed"
}

month_ago() {
	sed -i "s/^asked=.*/asked=$(($(date +%s%3N) - 31 * 86400000))/" \
	    "$WORLD/terminal/one/password-check"
}

case_begin "K-06 after a month the terminal asks for the password, once"
month_ago
remember 'the third in a row'
grep -q 'That is right' "$WORLD/shown" || fail "$(cat "$WORLD/shown")"
! grep -q 'third in a row' "$WORLD/shown" || fail "it was echoed"
script -qefc "$BUILD/keepsake --state $WORLD/terminal/one --password-file \
    $WORLD/secret.password status" "$WORLD/shown" </dev/null >/dev/null
! grep -q Password "$WORLD/shown" || fail "asked again"
case_pass

case_begin "K-06 a wrong answer is told, without the server"
month_ago
denied=$(figure auth logins_denied)
remember 'forgotten'
grep -q 'That is not it' "$WORLD/shown" || fail "$(cat "$WORLD/shown")"
assert_equal "$denied" "$(figure auth logins_denied)" "logins denied"
case_pass

case_begin "K-06 nobody is asked where no person watches"
month_ago
keepsake_as one status </dev/null >"$WORLD/shown" 2>&1
! grep -q Password "$WORLD/shown" || fail "asked"
case_pass

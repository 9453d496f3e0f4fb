#!/bin/bash
# A-02: the owner's code is chosen at registration and changed after a login
# with the old one; keys are wrapped anew and no blob is sent again.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
tree_make "$WORLD/tree" 8 30 2
keepsake_as one --quiet backup "$WORLD/tree"
secret new 'a new password, quite another'
secret empty ''
put=$(figure store chunks_put)

case_begin "A-02 the terminal collects what the server lists, and keeps none"
expect_status 4 "$BUILD/keepsake" --state "$WORLD/terminal/one" snapshots \
    </dev/null 2>"$WORLD/stderr"
assert_match 'use --password-file' "$(cat "$WORLD/stderr")" message
! grep -rqaF "$PASSWORD" "$WORLD/terminal" ||
    fail "the terminal keeps the password"
case_pass

case_begin "A-02 a code is not changed without the old one"
expect_error 4 denied one --password-file "$WORLD/secret.new" password \
    --new-password-file "$WORLD/secret.new" >/dev/null
keepsake_as one --json snapshots >/dev/null
case_pass

case_begin "A-02 a code of nothing is refused"
expect_status 1 keepsake_as one password \
    --new-password-file "$WORLD/secret.empty" 2>/dev/null
keepsake_as one --json snapshots >/dev/null
case_pass

case_begin "A-02 the code is changed, and the old one is refused"
keepsake_as one --quiet password --new-password-file "$WORLD/secret.new"
expect_error 4 denied one snapshots >/dev/null
cp -p "$WORLD/secret.new" "$WORLD/secret.password"
keepsake_as one --json snapshots >/dev/null
case_pass

case_begin "A-02 K-06 backups from before open, and no blob is sent again"
assert_restores one latest "$WORLD/tree"
again=$(keepsake_as one --json backup "$WORLD/tree")
assert_json '.chunks_sent == 0' "$again" backup
assert_equal "$put" "$(figure store chunks_put)" "chunks in the store"
case_pass

case_begin "A-02 N-04 the owner is told that the code was changed"
code_changed() {
	[[ $(keepsake_as one --json notices) == *code_changed* ]]
}
wait_for 10 code_changed || fail "no notice"
case_pass

#!/bin/bash
# N-04: the owner is told of restores and of new logins.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
terminal_of two anna
mkdir "$WORLD/tree"
date >"$WORLD/tree/file"
keepsake_as one --quiet backup "$WORLD/tree"

told() { # TERMINAL FILTER: what has been told it so far makes FILTER true
	keepsake_as "$1" --json notices >>"$WORLD/told.$1"
	jq -se "flatten | any($2)" "$WORLD/told.$1" >/dev/null
}

this() { # TERMINAL: its id
	json '.[] | select(.this) | .terminal' \
	    "$(keepsake_as "$1" --json terminals)"
}

case_begin "N-04 all terminals are told of a restore, and by which it was"
keepsake_as two --quiet restore latest --target "$WORLD/restored"
by=$(this two)
wait_for 20 told one ".kind == \"restore_done\" and .terminal == \"$by\" and
    .figures.ordinal == 1 and .figures.files == 1 and .figures.failed == 0" ||
    fail "told: $(cat "$WORLD/told.one")"
case_pass

case_begin "N-04 B-08 a restore that is repeated after a cut is told once"
read -r download _ < <(raw_login two anna DOWNLOAD)
# Lease: lease_id is field 1; RestoreEnd: lease_id field 1, ordinal field 2.
lease=$(raw two --ticket "$download" ask store.RESTORE_BEGIN | awk '{ print $3 }')
id=00112233445566778899aabbccddeeff
for _ in 1 2; do
	expect_raw ok two --ticket "$download" --request "$id" \
	    --body "${lease:0:36}1007" ask store.RESTORE_END >/dev/null
done
wait_for 20 told one '.figures.ordinal == 7' || fail "not told"
assert_equal 1 "$(jq -s '[flatten[] | select(.figures.ordinal == 7) | .id] |
    unique | length' "$WORLD/told.one")" notices
case_pass

case_begin "N-04 a lease that is over ends no restore"
expect_raw conflict two --ticket "$download" --body "${lease:0:36}1007" \
    ask store.RESTORE_END >/dev/null
case_pass

case_begin "N-04 the owner is told when somebody new signs in"
before=$(jq -s '[flatten[] | select(.kind == "new_login") | .id] | unique |
    length' "$WORLD/told.one")
terminal_enrolled stranger
raw_login stranger anna ENROL >/dev/null
new_logins() { # COUNT
	keepsake_as one --json notices >>"$WORLD/told.one"
	[ "$(jq -s '[flatten[] | select(.kind == "new_login") | .id] | unique |
	    length' "$WORLD/told.one")" -eq "$1" ]
}
wait_for 20 new_logins $((before + 1)) || fail "not told"
case_pass

case_begin "N-04 the same one is not told of again, nor a bound terminal"
raw_login stranger anna ENROL >/dev/null
keepsake_as two --quiet backup "$WORLD/tree"
wait_for 20 told one '.kind == "backup_done" and .figures.ordinal == 2' ||
    fail "not told of the backup"
new_logins $((before + 1)) || fail "told again"
case_pass

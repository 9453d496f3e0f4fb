#!/bin/bash
# N-06: the owner says when notices come: not in quiet hours, which are those
# of each terminal's own clock, less often, or not at all; but what tells of a
# danger always comes at once.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up "[notify] retry_ms = 500ms" "[notify] retry_ms_max = 1s"
terminal_of_new one anna
terminal_of two anna
mkdir "$WORLD/tree"
date >"$WORLD/tree/file"
keepsake_as two --quiet notices

clock() { # MINUTES: so many from now, UTC
	date -u -d "now + $1 minutes" +%H:%M
}

told() { # TERMINAL KIND COUNT: so many have been pushed
	[ "$(grep -c "\"$2\"" "$WORLD/client.$1.out")" -ge "$3" ]
}

present() { # COUNT
	[ "$(figure notify terminals_present)" -eq "$1" ]
}

case_begin "N-06 rules are set and shown"
keepsake_as one --quiet rules --quiet-hours "$(clock -60)-$(clock 120)" \
    --tell backup_done=in-time
rules=$(keepsake_as one --json rules)
assert_json ".quiet_hours == \"$(clock -60)-$(clock 120)\" or
    .quiet_hours == \"$(clock -61)-$(clock 119)\"" "$rules" quiet
assert_json '.kinds.backup_done.tell == "in-time"' "$rules" rule
case_pass

case_begin "N-06 what is in time waits for the end of the quiet hours"
TZ=UTC client_begin two --json notices --follow
wait_for 10 present 1 || fail "the terminal is not present"
keepsake_as one --quiet backup "$WORLD/tree"
# A danger goes through, and shows that a push would have come.
terminal_of three anna
wait_for 20 told two terminal_bound 1 || fail "no push of a danger"
told two backup_done 1 && fail "it was pushed in quiet hours"
case_pass

case_begin "N-06 they are hours of the terminal's own clock"
TZ=Etc/GMT-12 client_begin one --json notices --follow
wait_for 20 told one backup_done 1 || fail "it is not night there"
kill -TERM "${CLIENT_PID[one]}"
client_end one
told two backup_done 1 && fail "it was pushed in quiet hours"
case_pass

case_begin "N-06 rules that change take effect at once"
keepsake_as one --quiet rules --quiet-hours off
wait_for 20 told two backup_done 1 || fail "not pushed after the change"
case_pass

case_begin "N-06 a kind that is not wanted is not told"
keepsake_as one --quiet rules --tell backup_done=never
keepsake_as one --quiet backup "$WORLD/tree"
keepsake_as one --quiet rules --tell backup_done=usual
keepsake_as one --quiet backup "$WORLD/tree"
wait_for 20 told two backup_done 2 || fail "the third is not told"
assert_equal '1 3' "$(grep -h '"backup_done"' "$WORLD/client.two.out" |
    jq -r .figures.ordinal | sort -un | xargs)" ordinals
case_pass

case_begin "N-06 what comes together waits, and is there when asked for"
keepsake_as one --quiet rules --tell backup_done=usual/1d
keepsake_as one --quiet backup "$WORLD/tree"
keepsake_as two --json notices >"$WORLD/asked"
assert_json 'any(.kind == "backup_done" and .figures.ordinal == 4)' \
    "$(cat "$WORLD/asked")" asked
case_pass
kill -TERM "${CLIENT_PID[two]}"
client_end two

case_begin "N-06 rules survive a restart of notify"
service_kill notify
service_start notify
assert_json '.kinds.backup_done.together_s == 86400' \
    "$(keepsake_as one --json rules)" rules
case_pass

case_begin "N-06 what tells of a danger cannot be held back"
for kind in new_login code_locked restore_done terminal_bound invitation; do
	said=$(expect_error 4 denied one rules --tell "$kind=never")
	assert_match 'always told' "$(json .detail "$said")" "$kind"
done
case_pass

case_begin "N-06 rules that make no sense are refused"
for wrong in 22:00 22:00-24:00 7:00-8:00 07:00-07:00 07:00-08:0x quiet; do
	expect_status 2 keepsake_as one rules --quiet-hours "$wrong" \
	    2>"$WORLD/said"
	assert_match "$wrong" "$(cat "$WORLD/said")" said
done
for wrong in backup_done backup_done=soon backup_done=never/x =never/ ','; do
	expect_status 2 keepsake_as one rules --tell "$wrong" 2>"$WORLD/said"
	assert_match 'KIND=WHEN' "$(cat "$WORLD/said")" said
done
expect_error 6 not_found one rules --tell nothing=never >/dev/null
expect_error 1 malformed one rules --tell backup_done=usual/10s >/dev/null
case_pass

case_begin "N-06 A-03 rules are the owner's: they take a manage ticket"
read -r notices _ < <(raw_login one anna NOTICES)
expect_raw ok one --ticket "$notices" ask notify.RULES >/dev/null
expect_raw auth_required one --ticket "$notices" ask notify.SET_RULES >/dev/null
case_pass

#!/bin/bash
# N-05: what is promised to be told is told: at least once, marked so that a
# repeat is known, through crashes, and to who was away.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up "[notify] retry_ms = 500ms" "[notify] retry_ms_max = 1s"
terminal_of_new one anna
terminal_of two anna
mkdir "$WORLD/tree"
date >"$WORLD/tree/file"

# All that is told a terminal, as lines of JSON.
notices() { # TERMINAL
	keepsake_as "$1" --json notices | jq -c '.[]'
}

has() { # TERMINAL KIND COUNT: so many different ones have come so far
	notices "$1" >>"$WORLD/told.$1"
	[ "$(jq -r "select(.kind == \"$2\") | .id" "$WORLD/told.$1" |
	    sort -u | wc -l)" -ge "$3" ]
}

case_begin "N-04 N-05 each terminal is told of the backup"
keepsake_as one --quiet backup "$WORLD/tree"
for terminal in one two; do
	wait_for 20 has "$terminal" backup_done 1 || fail "$terminal was not"
done
assert_json 'select(.kind == "backup_done") |
    .figures.ordinal == 1 and (.when | test("^20.*Z$")) and
    (.id | test("^[0-9a-f]{32}$"))' \
    "$(grep backup_done "$WORLD/told.one")" notice
case_pass

case_begin "N-05 it is the same notice, by its id, on both"
id() { # TERMINAL
	jq -r 'select(.kind == "backup_done") | .id' "$WORLD/told.$1" | sort -u
}
assert_equal "$(id one)" "$(id two)" id
case_pass

case_begin "N-05 what was acknowledged is not told again"
assert_equal 0 "$(figure notify deliveries_waiting)" waiting
assert_equal "" "$(notices one)" notices
assert_equal "" "$(notices two)" notices
case_pass

followed() { # COUNT
	[ "$(grep -c backup_done "$WORLD/client.two.out")" -ge "$1" ]
}

case_begin "N-05 a terminal that follows gets a push at once"
client_begin two --json notices --follow
present() {
	[ "$(figure notify terminals_present)" -ge 1 ]
}
wait_for 10 present || fail "the terminal is not present"
keepsake_as one --quiet backup "$WORLD/tree"
wait_for 10 followed 1 || fail "no push came"
[ "$(figure notify pushed)" -ge 1 ] || fail "it was not a push"
case_pass

# It subscribes again within 20 s.
case_begin "N-05 pushes find who follows after notify and gateway were killed"
service_kill notify
keepsake_as one --quiet backup "$WORLD/tree"
service_kill gateway
service_start gateway
service_start notify
keepsake_as one --quiet backup "$WORLD/tree"
wait_for 60 followed 3 || fail "no push came: $(cat "$WORLD/client.two.err")"
case_pass

case_begin "N-05 following ends in good order when it is told to"
kill -TERM "${CLIENT_PID[two]}"
status=0
client_end two || status=$?
assert_equal 0 "$status" "exit status"
assert_equal "" "$(sort "$WORLD/client.two.out" | uniq -d)" "told twice"
case_pass

case_begin "N-05 who was away is told later, through a crash of notify"
keepsake_as one --quiet backup "$WORLD/tree"
waits() {
	[ "$(figure notify deliveries_waiting)" -ge 1 ]
}
wait_for 10 waits || fail "nothing waits for the terminal"
service_kill notify
service_start notify
: >"$WORLD/told.two"
wait_for 20 has two backup_done 1 || fail "not told"
case_pass

case_begin "N-05 what was promised while notify was down is told later"
service_stop notify
keepsake_as one --quiet backup "$WORLD/tree"
service_kill store # it has the promise on disk
service_start store
service_start notify
: >"$WORLD/told.two"
wait_for 30 has two backup_done 1 || fail "not told"
case_pass

# Who is to be told, notify learns from binding.
case_begin "N-05 what notify took, and did not hand on when it died, is told"
head -c 60000000 /dev/urandom >"$WORLD/tree/large"
stored() {
	[ "$(stat -c %s "$WORLD/store/data.mdb")" -gt $((4 << 20)) ]
}
client_begin one --json backup "$WORLD/tree"
wait_for 20 stored || fail "the backup does not begin"
kill -STOP "${CLIENT_PID[one]}"
service_stop binding
kill -CONT "${CLIENT_PID[one]}"
client_end one || fail "exit status $?: $(client_out one)"
taken() {
	[ "$(figure store outbox_waiting)" -eq 0 ]
}
wait_for 10 taken || fail "notify does not take it"
service_kill notify
service_start binding
service_start notify
: >"$WORLD/told.two"
wait_for 30 has two backup_done 1 || fail "not told"
case_pass

# A raw login takes notices and does not say so.
case_begin "N-05 what was not acknowledged comes again, under the same id"
keepsake_as one --quiet backup "$WORLD/tree"
wait_for 10 waits || fail "nothing waits for the terminal"
read -r ticket _ < <(raw_login two anna NOTICES)
fetch() {
	raw two --ticket "$ticket" ask notify.FETCH
}
fetched() {
	[[ $(fetch) =~ ^ok\ 0\ 0a..0a10([0-9a-f]{32}) ]] &&
	    taken=${BASH_REMATCH[1]}
}
wait_for 10 fetched || fail "nothing was fetched: $(fetch)"
: >"$WORLD/told.two"
wait_for 20 has two backup_done 1 || fail "it did not come again"
assert_equal "$taken" "$(id two)" id
case_pass

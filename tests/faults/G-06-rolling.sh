#!/bin/bash
# G-06: every process is stopped and started, one after the other, and once
# killed, while terminals work over two gateways: nobody sees an error, and
# nothing is lost.  ROUNDS (1): how often all of them; make faults gives more.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
# shellcheck source=tests/tool/load.sh
. "$(dirname "$0")/../tool/load.sh"
readonly ROUNDS=${ROUNDS:-1}
readonly PROCESSES="auth store binding notify gateway gateway2"
readonly WORKERS="large small lists terminals sessions registers"
readonly FOLLOWERS="follows follows2" # the notices of small
world_make "[notify] retry_ms = 1s" "[notify] retry_ms_max = 2s"
gateway_add 2
for name in auth store binding notify gateway; do
	service_start "$name"
done
service_start gateway2 "$WORLD/gateway2.conf"
# shellcheck disable=SC2086 # a word each, here and below
load_make $WORKERS
for name in $FOLLOWERS; do
	terminal_of "$name" small
	client_begin "$name" --quiet --json notices --follow
done

went_on() {
	# shellcheck disable=SC2086
	wait_for "$LOAD_SECONDS" load_went_on $WORKERS ||
	    fail "$(load_standing)"
}

restart() { # HOW PROCESS
	local config=$WORLD_CONFIG
	[ "$2" != gateway2 ] || config=$WORLD/gateway2.conf
	load_remember
	"service_$1" "$2" || fail "$2: exit status $?"
	service_start "$2" "$config"
	went_on
}

case_begin "G-06 the terminals work, by both gateways"
# shellcheck disable=SC2086
load_begin $WORKERS
load_remember
went_on
for name in gateway gateway2; do
	[ "$(figure "$name" terminal_answers)" -gt 0 ] ||
	    fail "nobody uses $name"
done
case_pass

for ((round = 1; round <= ROUNDS; round++)); do
	for name in $PROCESSES; do
		case_begin "G-06 R-02 $name restarted under load, round $round: no request fails"
		restart stop "$name"
		case_pass
	done
	for name in $PROCESSES; do
		case_begin "G-06 R-01 $name killed under load, round $round: no request fails"
		restart kill "$name"
		case_pass
	done
done

case_begin "G-06 the last command of each ends well too"
load_end
load_assert_well
for name in gateway gateway2; do
	grep -q 'event=stopping' "$WORLD_LOG/$name.log" || fail "$name"
	! grep stop_timed_out "$WORLD_LOG/$name.log" || fail "$name"
done
case_pass

case_begin "G-06 R-01 nothing that was acknowledged is lost"
load_assert_kept large small
registered=$(cat "$WORLD/load.registered")
assert_equal $((5 + registered)) "$(figure auth accounts)" accounts
assert_equal $((7 + registered)) "$(figure binding terminals)" terminals
case_pass

# The backups that a terminal was told of, each once.
told() { # TERMINAL
	jq -r 'select(.kind == "backup_done") | .figures.ordinal' \
	    "$WORLD/client.$1.out" | sort -n | uniq
}

all_told() { # TERMINAL
	[ "$(told "$1")" = "$(sort -n "$WORLD/load.small.acknowledged")" ]
}

case_begin "G-06 N-05 every notice found its terminals, and none of them failed"
for name in $FOLLOWERS; do
	wait_for 60 all_told "$name" || fail "$name: $(told "$name")"
	# A repeat has the id of the first.
	assert_equal "$(told "$name" | wc -l)" "$(jq -r \
	    'select(.kind == "backup_done") | .id' \
	    "$WORLD/client.$name.out" | sort -u | wc -l)" "$name: ids"
	kill -TERM "${CLIENT_PID[$name]}"
	client_end "$name" || fail "$name: exit status $?"
	assert_equal "" "$(cat "$WORLD/client.$name.err")" "$name: said"
done
case_pass

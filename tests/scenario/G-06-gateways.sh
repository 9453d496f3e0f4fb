#!/bin/bash
# G-06: several gateways at once: each with a key of its own, named by one
# enrolment string; terminals use any, and go on to another when one is gone.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
port=$(free_port)
world_make "[store] listen_gateway = tcp://127.0.0.1:$port" \
    "[gateway] store = tcp://127.0.0.1:$port" \
    "[notify] retry_ms = 10s"
single=$ENROLMENT
gateway_add 2
gateway_add 3

case_begin "G-06 keys make makes the keys of more gateways, and keeps them"
for n in 2 3; do
	[ "$(stat -c %a "$WORLD/keys/gateway-$n.key")" = 600 ] || fail "mode"
	cp "$WORLD/keys/gateway-$n.public" "$WORLD"
done
said=$(keepsakectl keys make gateway-2 gateway-3)
assert_match 'gateway-2 +kept' "$said" keys
for n in 2 3; do
	cmp "$WORLD/keys/gateway-$n.public" "$WORLD/gateway-$n.public"
done
cmp -s "$WORLD/gateway-2.public" "$WORLD/gateway-3.public" && fail "the same"
for name in gateway gateway_2 gateway- nobody ../gateway-2 gateway-2/x; do
	expect_status 2 keepsakectl keys make "$name" 2>"$WORLD/said"
	assert_match 'expected gateway-NAME' "$(cat "$WORLD/said")" "$name"
done
case_pass

case_begin "G-06 an enrolment string names all gateways"
place='127[.]0[.]0[.]1:[0-9]+'
assert_match "^keepsake://${place}[?]g=[^&]{43}&x=[^&]{43}&o=[^&]{43}$" \
    "$single" "of one"
assert_match "^keepsake://${place}[?].*&a=$place,[^&]{43}&a=$place,[^&]{43}$" \
    "$ENROLMENT" "of three"
assert_equal "$single" "${ENROLMENT%%&a=*}" "the first"
# By the command line: several that share a key, one with its own.
said=$(keepsakectl enrolment --address a.example:7400 \
    --address b.example:7400,gateway --address '[2001:db8::1]:1,gateway-2')
assert_match '^keepsake://a[.]example:7400[?].*&a=b[.]example:7400&a=\[2001:db8::1\]:1,' \
    "$said" string
case_pass

case_begin "G-06 addresses that are none are refused, and named"
while IFS='|' read -r address pattern; do
	expect_status 1 keepsakectl enrolment --address a.example:1 \
	    --address "$address" >"$WORLD/out" 2>"$WORLD/said"
	[ ! -s "$WORLD/out" ] || fail "a string for $address"
	assert_match "$pattern" "$(cat "$WORLD/said")" "$address"
done <<'END'
b.example|"b.example": the port is missing
b_b:1|"b_b:1": the host is not a name
b.example:0|the port is not a number
b.example:1,|the name is not gateway-NAME
b.example:1,store|the name is not gateway-NAME
b.example:1,gateway-/|the name is not gateway-NAME
b.example:1,gateway-9|gateway-9.public cannot be read: .* keys make gateway-9
END
eight=()
for n in 1 2 3 4 5 6 7 8; do
	eight+=(--address "a$n.example:1")
done
keepsakectl enrolment "${eight[@]}" >/dev/null
expect_status 2 keepsakectl enrolment "${eight[@]}" --address b.example:1 \
    2>"$WORLD/said"
assert_match 'at most 8 times' "$(cat "$WORLD/said")" nine
for line in 'name = door' 'name = gateway_2' 'name =' 'name = gateway-'; do
	printf '[gateway]\n%s\n' "$line" >"$WORLD/bad.conf"
	expect_status 1 "$BUILD/keepsake-gateway" zmtp --check-config \
	    --config "$WORLD/bad.conf" 2>"$WORLD/said"
	assert_match 'expected gateway or gateway-NAME' \
	    "$(cat "$WORLD/said")" "$line"
done
case_pass

for name in auth store binding notify gateway; do
	service_start "$name"
done
for n in 2 3; do
	service_start "gateway$n" "$WORLD/gateway$n.conf"
done
terminal_of_new one anna
readonly FOLLOWERS="f1 f2 f3 f4"
for terminal in $FOLLOWERS; do
	terminal_of "$terminal" anna
done
mkdir "$WORLD/tree"
date >"$WORLD/tree/file"
backups=0 # so far

# Another backup: each terminal is to be told of it.
notice() {
	keepsake_as one --quiet backup "$WORLD/tree" >/dev/null \
	    2>"$WORLD/said" || fail "exit status $?: $(cat "$WORLD/said")"
	[ ! -s "$WORLD/said" ] || fail "it said: $(cat "$WORLD/said")"
	backups=$((backups + 1))
}

# The backups that a terminal was told of, each once.
told() { # TERMINAL
	jq -r 'select(.kind == "backup_done") | .figures.ordinal' \
	    "$WORLD/client.$1.out" | sort -n | uniq
}

all_told() {
	local terminal
	for terminal in $FOLLOWERS; do
		[ "$(told "$terminal" | wc -l)" -ge "$backups" ] || return 1
	done
}

present() { # COUNT
	[ "$(figure notify terminals_present)" -ge "$1" ]
}

case_begin "G-06 keepsakectl tells of each gateway, by its own name"
for n in '' 2 3; do
	[ "$(figure "gateway$n" terminal_under_way)" -eq 0 ] || fail "$n"
done
# the pids are those of three processes
assert_equal 3 "$(for n in '' 2 3; do
	figure "gateway$n" pid
done | sort -u | wc -l)" processes
case_pass

case_begin "G-06 N-05 pushes find their terminals by whichever gateway they came"
for terminal in $FOLLOWERS; do
	client_begin "$terminal" --json notices --follow
done
wait_for 60 present 4 || fail "present: $(figure notify terminals_present)"
notice
wait_for 30 all_told || fail "not all were told"
case_pass

for name in gateway gateway2 gateway3; do
	config=$WORLD_CONFIG
	[ "$name" = gateway ] || config=$WORLD/$name.conf

	case_begin "G-06 N-05 $name killed: its terminals go on elsewhere, and are told"
	service_kill "$name"
	notice
	wait_for 60 all_told ||
	    fail "$(for t in $FOLLOWERS; do echo "$t:" "$(told "$t")"; done)"
	service_start "$name" "$config"
	notice
	wait_for 60 all_told || fail "not all were told"
	case_pass
done

case_begin "G-06 $name stopped: the same, and nobody waits for it"
service_stop gateway3 || fail "exit status $?"
notice
wait_for 60 all_told || fail "not all were told"
service_stop gateway2 || fail "exit status $?"
notice
wait_for 60 all_told || fail "not all were told"
case_pass

case_begin "G-06 N-05 nothing was lost, and a repeat can be told by its id"
for terminal in $FOLLOWERS; do
	assert_equal "$(seq "$backups")" "$(told "$terminal")" "$terminal"
	assert_equal "$backups" "$(jq -r \
	    'select(.kind == "backup_done") | .id' \
	    "$WORLD/client.$terminal.out" | sort -u | wc -l)" "$terminal ids"
	kill -TERM "${CLIENT_PID[$terminal]}"
	client_end "$terminal" || fail "$terminal: exit status $?"
	assert_equal "" "$(cat "$WORLD/client.$terminal.err")" "$terminal said"
done
acknowledged() {
	[ "$(figure notify deliveries_waiting)" -eq 0 ]
}
keepsake_as one --quiet notices >/dev/null
wait_for 10 acknowledged || fail "$(figure notify deliveries_waiting) wait"
case_pass

case_begin "G-06 a terminal that knows one gateway waits for it"
terminal waits
keepsake_as waits --quiet enrol "$single"
service_stop gateway || fail "exit status $?"
client_begin waits --quiet --timeout 60s register bert
service_start gateway
client_end waits || fail "exit status $?: $(cat "$WORLD/client.waits.err")"
assert_equal "" "$(cat "$WORLD/client.waits.err")" said
case_pass

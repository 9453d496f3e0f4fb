#!/bin/bash
# O-07: one configuration file for all; --check-config; a wrong key or value
# is named with file, line and what was expected; the environment overrides.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_make

# What a program says of a configuration that it refuses, with exit status 1.
refusal() { # SERVICE FILE
	local got=0 said
	said=$("$BUILD/keepsake-$1" --config "$2" --check-config 2>&1) || got=$?
	[ "$got" -eq 1 ] || fail "$1: exit status $got for $(cat "$2")"
	printf '%s\n' "$said"
}

case_begin "O-07 every program takes a good file, and the defaults"
: >"$WORLD/empty"
for name in $SERVICES; do
	for file in "$WORLD_CONFIG" "$WORLD/empty"; do
		"$BUILD/keepsake-$name" --config "$file" --check-config \
		    2>"$WORLD/said" || fail "$name: $(cat "$WORLD/said")"
	done
done
case_pass

case_begin "O-07 what is wrong is named: file, line, and what was expected"
# Line 3 of each file is wrong; then a pattern of what is to be said.
while IFS='|' read -r section line pattern; do
	file=$WORLD/bad.conf
	printf '# comment\n[%s]\n%s\n' "$section" "$line" >"$file"
	for name in $SERVICES; do
		said=$(refusal "$name" "$file")
		assert_match "bad[.]conf:3: .*$pattern" "$said" "$name"
		assert_match 'expected ' "$said" "$name"
	done
done <<-'END'
	auth|ticket = 5min|"ticket"
	auth|ticket_ms = soon|ticket_ms: got "soon", expected a duration
	auth|ticket_ms = 10|ticket_ms: got "10", expected a duration from 1000
	auth|ticket_ms = 5d|ticket_ms: got "5d"
	store|map_bytes = 1k|map_bytes: got "1k", expected a size
	store|map_bytes = -1|map_bytes: got "-1"
	store|data = here|data: got "here", expected an absolute path
	gateway|listen = 127.0.0.1|listen: got .*tcp://HOST:PORT
	gateway|listen = tcp://h:0|listen: got
	gateway|listen = tcp://h:65536|listen: got
	auth|http = localhost:80|http: got "localhost:80", expected IP:PORT
	gateway|http = 9641|http: got "9641", expected IP:PORT
	common|log_level = loud|log_level: got "loud", expected one of error
	notify|nonsense|"nonsense", expected key = value
	notify|[nobody]|"nobody", expected a known section
END
case_pass

case_begin "O-07 every fault is named at once"
printf '[auth]\nx = 1\n[store]\ny = 2\nmap_bytes = z\n' >"$WORLD/bad.conf"
said=$(refusal auth "$WORLD/bad.conf")
for line in 2 4 5; do
	assert_match "bad[.]conf:$line: " "$said" faults
done
case_pass

case_begin "O-07 a key given twice, or before any section, is refused"
printf '[auth]\nticket_ms = 2s\nticket_ms = 3s\n' >"$WORLD/bad.conf"
assert_match 'bad[.]conf:3: ' "$(refusal store "$WORLD/bad.conf")" twice
printf 'ticket_ms = 2s\n' >"$WORLD/bad.conf"
assert_match 'bad[.]conf:1: ' "$(refusal store "$WORLD/bad.conf")" "no section"
case_pass

case_begin "O-07 a file that is not there is named"
assert_match "$WORLD/none: No such file" "$(refusal auth "$WORLD/none")" file
case_pass

case_begin "O-07 the environment overrides the file"
printf '[auth]\nticket_ms = 2s\n' >"$WORLD/good.conf"
in_force() {
	"$BUILD/keepsake-auth" --config "$WORLD/good.conf" --print-config |
	    sed -n 's/^ticket_ms = //p'
}
assert_equal 2s "$(in_force)" "from the file"
assert_equal 7s "$(KEEPSAKE_AUTH_TICKET_MS=7s in_force)" "from the environment"
case_pass

case_begin "O-07 a wrong value in the environment is named"
said=$(KEEPSAKE_AUTH_TICKET_MS=never refusal auth "$WORLD/good.conf")
assert_match 'ticket_ms: got "never", expected a duration' "$said" value
assert_match 'environment' "$said" place
case_pass

case_begin "O-07 what --print-config prints is a configuration"
"$BUILD/keepsake-store" --config "$WORLD_CONFIG" --print-config \
    >"$WORLD/printed.conf"
"$BUILD/keepsake-store" --config "$WORLD/printed.conf" --check-config
"$BUILD/keepsake-store" --config "$WORLD/printed.conf" --print-config |
    cmp - "$WORLD/printed.conf"
case_pass

case_begin "O-07 options that are none are refused with exit status 2"
for name in $SERVICES; do
	expect_status 2 "$BUILD/keepsake-$name" --nothing 2>/dev/null
	expect_status 0 "$BUILD/keepsake-$name" --help >/dev/null
	expect_status 0 "$BUILD/keepsake-$name" --version >/dev/null
done
case_pass

case_begin "O-07 a program refuses to run without its keys, and says so"
expect_status 1 env KEEPSAKE_COMMON_KEYS="$WORLD/nokeys" \
    "$BUILD/keepsake-store" --config "$WORLD_CONFIG" 2>"$WORLD/said"
assert_match 'key_unusable.*nokeys/store.key.*keepsakectl keys make' \
    "$(cat "$WORLD/said")" log
case_pass

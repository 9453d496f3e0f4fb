#!/bin/bash
# O-03: the log is one line an event, key=value or JSON; a request's id is the
# same in every process it reaches; nothing personal is in it at any level.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"

readonly NAME=anna.karenina IMEI=490154203237518 ICCID=89882110000005300811
readonly NUMBER=+491512345678 FILE=letter-to-vronsky.txt
readonly SERIAL=serial-of-one LABEL=label-of-one

logs() {
	cat "$WORLD_LOG"/{auth,store,binding,notify,gateway}.log
}

# The lines of a process that carry an id.
lines_of() { # SERVICE ID
	grep -E "(request=|\"request\":\")$2" "$WORLD_LOG/$1.log" || true
}

# The main job: register, bind, back up, change, back up again, restore, and
# all that names things on the way, failures too.
main_job() {
	terminal_enrolled one
	keepsake_as one --quiet register "$NAME"
	keepsake_as one --quiet bind --serial "$SERIAL" --imei "$IMEI" \
	    --label "$LABEL" --verification-file "$WORLD/secret.verification"
	mkdir "$WORLD/tree"
	tree_make "$WORLD/tree/more" 1 20 7
	echo 'My dear Alexei' >"$WORLD/tree/$FILE"
	keepsake_as one --quiet backup "$WORLD/tree" --label "$LABEL"
	echo 'My dear Seryozha' >>"$WORLD/tree/$FILE"
	keepsake_as one --quiet backup "$WORLD/tree"
	assert_restores one latest "$WORLD/tree"
	printf 'My dear Dolly' >"$WORLD/card"
	keepsake_as one --quiet card save --iccid "$ICCID" --number "$NUMBER" \
	    --data-file "$WORLD/card"
	keepsake_as one --quiet notices >/dev/null
	secret wrong 'not the password'
	"$BUILD/keepsake" --state "$WORLD/terminal/one" --password-file \
	    "$WORLD/secret.wrong" snapshots >/dev/null 2>&1 &&
	    fail "a wrong password was taken"
	keepsake_as one --quiet unbind --verification-file \
	    "$WORLD/secret.wrong" >/dev/null 2>&1 &&
	    fail "wrong verification information was taken"
	keepsakectl account --name-file - <<<"$NAME" >/dev/null
}

# Whether ${1} holds anything of the person.
assert_nothing_personal() { # TEXT
	local word
	for word in "$NAME" "$IMEI" "${IMEI:0:14}" "$ICCID" "$NUMBER" \
	    "${NUMBER#+}" "$FILE" "$SERIAL" "$LABEL" "$PASSWORD" \
	    "$VERIFICATION" 'not the password' 'My dear' \
	    "$(printf %s "$NAME" | od -An -tx1 | tr -d ' \n')"; do
		! grep -qF -- "$word" <<<"$1" ||
		    fail "a log has '$word': $(grep -F -- "$word" <<<"$1")"
	done
}

world_up "[common] log_level = debug"
main_job

case_begin "O-03 every line of every log is one of key=value"
[ "$(logs | wc -l)" -gt 50 ] || fail "too few lines: $(logs)"
word='("([^"\\]|\\.)*"|[^" ]*)'
odd=$(logs | grep -vE "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z level=(error|warning|info|debug) program=keepsake-[a-z]+( request=[0-9a-f]{32})? event=[a-z_]+( [a-z_]+=$word)*\$" || true)
assert_equal '' "$odd" "lines that are none"
case_pass

case_begin "O-03 R-06 after the main job no log names anything of the person"
assert_nothing_personal "$(logs)"
case_pass

case_begin "O-03 a request's id goes with it: terminal, gateway, auth, binding"
# A login whose terminal auth asks binding about.
login=$(logs | grep 'program=keepsake-gateway .*type=LOGIN_BEGIN' |
    grep -oE -m1 'request=[0-9a-f]{32}') || fail "no login in the log"
login=${login#request=}
assert_match 'type=LOGIN_BEGIN by=auth status=ok' \
    "$(lines_of gateway "$login")" gateway
assert_match 'type=LOGIN_BEGIN from=gateway status=ok' \
    "$(lines_of auth "$login")" auth
assert_match 'type=LOOKUP from=auth' "$(lines_of binding "$login")" binding
case_pass

case_begin "O-03 a refusal of the gateway itself carries the id too"
id=$(printf %032x 43981)
answer=$(raw one --request "$id" ask 0x0180)
assert_match '^malformed' "$answer" answer
assert_match 'event=answered by=gateway status=malformed' \
    "$(lines_of gateway "$id")" gateway
case_pass

world_down

# A store so small that it is soon full: a failure of the server.
world_up "[common] log_format = json" "[store] map_bytes = 2M" \
    "[store] map_bytes_max = 4M" "[store] reserve_bytes = 1M"
terminal_of_new one "$NAME"

case_begin "O-03 one failing request is found by its id from client to service"
id=$(raw_fill one "$NAME")
for name in gateway store; do
	line=$(lines_of "$name" "$id")
	assert_json '.level == "error" and .event == "answered" and
	    .status == "no_space" and .type == "PUT" and
	    .request == "'"$id"'"' "$line" "$name"
done
case_pass

case_begin "O-03 every line is an object of JSON where log_format says so"
lines=$(logs | wc -l)
objects=$(logs | jq -c 'select((.time | test("^[0-9-]{10}T[0-9:]{8}Z$")) and
    (.level | test("^(error|warning|info|debug)$")) and
    (.program | startswith("keepsake-")) and (.event | test("^[a-z_]+$")))' |
    wc -l)
assert_equal "$lines" "$objects" "lines that are objects"
assert_nothing_personal "$(logs)"
case_pass

case_begin "O-03 the gateway's supervisor logs in the same format"
service_stop gateway
"$BUILD/keepsake-gateway" --config "$WORLD_CONFIG" \
    >>"$WORLD_LOG/gateway.log" 2>&1 </dev/null &
supervisor=$!
supervisor_end() {
	kill -TERM "$supervisor" 2>/dev/null && wait "$supervisor"
}
at_end supervisor_end
bearer() {
	pgrep -P "$supervisor" >"$WORLD/bearer" &&
	    keepsakectl --json status | jq -e '.gateway.status == "ok"' >/dev/null
}
wait_for 30 bearer || fail "no bearer"
kill -KILL "$(cat "$WORLD/bearer")"
was_logged() {
	grep -q '"event":"bearer_killed"' "$WORLD_LOG/gateway.log"
}
wait_for 30 was_logged || fail "$(tail -3 "$WORLD_LOG/gateway.log")"
assert_json '.event == "bearer_killed" and .signal == 9' \
    "$(grep bearer_killed "$WORLD_LOG/gateway.log")" "its line"
wait_for 30 bearer || fail "no bearer again"
supervisor_end || fail "the supervisor ended with $?"
case_pass

#!/bin/bash
# G-05: a peer whose message never ends costs the gateway no more memory than
# its limit; the bearer is back at once, and no service notices.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"

if sanitized; then
	case_skip "G-05 endless message: a sanitizer takes more memory than the limit"
	exit 0
fi
world_make "[gateway] memory_max = 128M"
for name in auth store binding notify; do
	service_start "$name"
done

# The whole gateway, as an operator starts it: the process that starts the
# bearer, and the bearer.
"$BUILD/keepsake-gateway" --config "$WORLD_CONFIG" \
    >>"$WORLD_LOG/gateway.log" 2>&1 </dev/null &
SERVICE_PID[gateway]=$!
log_wait gateway '(^| )event=ready( |$)' || fail "no gateway"
terminal_of_new one anna
tree_make "$WORLD/tree" 8 24 1

bearer_pid() {
	sed -n 's/.* event=ready .*pid=\([0-9]*\).*/\1/p' \
	    "$WORLD_LOG/gateway.log" | tail -n 1
}

# Who was there before, and has said nothing since.
service_pids() {
	printf '%s\n' "${SERVICE_PID[@]}"
}

# Let a peer send frames of so many bytes until it is cut off, while an
# honest terminal backs up.
endless() { # FRAME-BYTES
	local offset before
	before=$(bearer_pid)
	offset=$(stat -c %s "$WORLD_LOG/gateway.log")
	client_begin one --quiet backup "$WORLD/tree"
	"$BUILD/tests/tool/endless" --state "$WORLD/terminal/two" "$1" \
	    >/dev/null || fail "it was never cut off"
	log_wait gateway 'event=bearer_killed ' 30 "$offset" ||
	    fail "the bearer was not ended"
	log_wait gateway '(^| )event=ready( |$)' 30 "$offset" ||
	    fail "the bearer is not back"
	[ "$(bearer_pid)" != "$before" ] || fail "it is the same process"
	client_end one || fail "the backup did not go through"
}

terminal_enrolled two
pids=$(service_pids)

case_begin "G-05 one message of endless small frames: the bearer is back, a backup goes on"
endless 8
assert_match 'restart_in_ms=[0-9]{1,3}( |$)' \
    "$(grep event=bearer_killed "$WORLD_LOG/gateway.log" | tail -n 1)" pause
case_pass

case_begin "G-05 the services did not notice"
assert_equal "$pids" "$(service_pids)" processes
for name in auth store binding notify; do
	kill -0 "${SERVICE_PID[$name]}" || fail "$name has ended"
	! grep -E 'level=(error|warning)' "$WORLD_LOG/$name.log" ||
	    fail "$name has something to say"
done
assert_restores one latest "$WORLD/tree"
case_pass

case_begin "G-05 the gateway stops as a whole, and leaves no bearer behind"
last=$(bearer_pid)
service_stop gateway || fail "exit status"
! kill -0 "$last" 2>/dev/null || fail "the bearer still runs"
case_pass

case_begin "G-05 a bearer that cannot start says why, and the gateway ends"
sed 's/^listen = .*/listen = tcp:\/\/203.0.113.7:1/' "$WORLD_CONFIG" \
    >"$WORLD/elsewhere.conf"
expect_status 1 timeout 30 "$BUILD/keepsake-gateway" \
    --config "$WORLD/elsewhere.conf" 2>"$WORLD/elsewhere.log"
grep -q 'event=bind_failed' "$WORLD/elsewhere.log" || fail "no reason"
case_pass

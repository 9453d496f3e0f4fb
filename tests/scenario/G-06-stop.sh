#!/bin/bash
# G-06: a gateway that is told to stop finishes what is under way, refuses
# what is new so that it is asked elsewhere, and ends within 10 s.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
read -r ticket _ < <(raw_login one anna DOWNLOAD)

under_way() { # COUNT
	[ "$(figure gateway terminal_under_way)" -eq "$1" ]
}

# Ask the store, which is stopped, and see that it gets as far as that.
ask_store() {
	kill -STOP "${SERVICE_PID[store]}"
	raw one --ticket "$ticket" --wait 60000 ask store.SNAPSHOTS \
	    >"$WORLD/said" &
	asked=$!
	wait_for 10 under_way 1 || fail "it does not get there"
}

refuses() {
	raw one --figures --ticket "$ticket" ask store.SNAPSHOTS \
	    >"$WORLD/refused" && grep -q '^unavailable 0 1000 .* stopping' \
	    "$WORLD/refused"
}

case_begin "G-06 what is under way is answered, what is new is refused"
ask_store
offset=$(stat -c %s "$WORLD_LOG/gateway.log")
kill -TERM "${SERVICE_PID[gateway]}"
log_wait gateway 'event=stopping ' 10 "$offset" || fail "it does not stop"
wait_for 5 refuses || fail "new: $(cat "$WORLD/refused")"
kill -0 "${SERVICE_PID[gateway]}" || fail "it did not wait"
kill -CONT "${SERVICE_PID[store]}"
wait "$asked"
assert_match '^ok 0 - ' "$(cat "$WORLD/said")" answer
service_wait gateway || fail "exit status $?"
! grep -q stop_timed_out "$WORLD_LOG/gateway.log" || fail "it timed out"
case_pass

case_begin "G-06 what does not end is not waited for longer than 10 s"
service_start gateway
ask_store
service_stop gateway || fail "exit status $?"
grep -q 'event=stop_timed_out under_way=1' "$WORLD_LOG/gateway.log" ||
    fail "it did not say so"
kill -CONT "${SERVICE_PID[store]}"
kill_begun TERM "$asked"
wait "$asked" 2>/dev/null || true
case_pass

case_begin "G-06 a bearer that does not stop is killed, and the gateway ends"
"$BUILD/keepsake-gateway" --config "$WORLD_CONFIG" \
    >"$WORLD_LOG/gateway.log" 2>&1 </dev/null &
SERVICE_PID[gateway]=$!
log_wait gateway '(^| )event=ready( |$)' || fail "no gateway"
bearer_pid=$(sed -n 's/.* event=ready .*pid=\([0-9]*\).*/\1/p' \
    "$WORLD_LOG/gateway.log")
kill -STOP "$bearer_pid"
got=0
service_stop gateway || got=$?
assert_equal 1 "$got" "exit status"
grep -q event=stop_timed_out "$WORLD_LOG/gateway.log" || fail "it did not say so"
! kill -0 "$bearer_pid" 2>/dev/null || fail "the bearer is still there"
case_pass

# Ctrl-C reaches every process of its group; the bearer is told once all the
# same, and finishes.
case_begin "G-06 a gateway with a bearer of its own finishes after Ctrl-C, too"
offset=$(stat -c %s "$WORLD_LOG/gateway.log")
setsid "$BUILD/keepsake-gateway" --config "$WORLD_CONFIG" \
    >>"$WORLD_LOG/gateway.log" 2>&1 </dev/null &
SERVICE_PID[gateway]=$!
log_wait gateway '(^| )event=ready( |$)' 20 "$offset" || fail "no gateway"
ask_store
kill -INT -- "-${SERVICE_PID[gateway]}"
log_wait gateway 'event=stopping ' 10 "$offset" || fail "it does not stop"
wait_for 5 refuses || fail "new: $(cat "$WORLD/refused")"
kill -CONT "${SERVICE_PID[store]}"
wait "$asked" || fail "$(cat "$WORLD/said")"
assert_match '^ok 0 - ' "$(cat "$WORLD/said")" answer
service_wait gateway || fail "exit status $?"
case_pass

# The services have no more to finish than what is on its way to the disk.
case_begin "G-06 every service stops by itself, with a backup under way"
service_start gateway
tree_make "$WORLD/tree" 24 40 1
for name in auth store binding notify; do
	client_begin one --quiet backup "$WORLD/tree"
	offset=$(stat -c %s "$WORLD_LOG/$name.log")
	service_stop "$name" || fail "$name: exit status $?"
	! tail -c "+$((offset + 1))" "$WORLD_LOG/$name.log" |
	    grep -E 'level=(error|warning)' || fail "$name has something to say"
	service_start "$name"
	client_end one || fail "exit status $?: $(cat "$WORLD/client.one.err")"
	assert_equal "" "$(cat "$WORLD/client.one.err")" "$name: said"
	tree_make "$WORLD/tree" 24 40 1 --change 5
done
case_pass

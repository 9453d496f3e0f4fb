#!/bin/bash
# O-05: what a service manager such as systemd is told: when a process serves,
# that it is alive, and when it stops.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_make

manager= # the process that has the socket
manager_begin() { # SOCKET
	"$BUILD/tests/tool/datagrams" "$1" >"$WORLD/told" &
	manager=$!
	wait_for 20 grep -qx bound "$WORLD/told" || fail "no socket"
}

manager_end() {
	[ -z "$manager" ] || kill "$manager" 2>/dev/null
	wait "$manager" 2>/dev/null || true
	manager=
}
at_end manager_end

told() { # LINE [TIMES]
	[ "$(grep -cx "$1" "$WORLD/told")" -ge "${2:-1}" ]
}

one() { # NAME SOCKET
	manager_begin "$2"
	NOTIFY_SOCKET=$2 WATCHDOG_USEC=200000 service_start "$1"
	wait_for 20 told READY=1 || fail "$1 did not say that it is ready"
	wait_for 20 told WATCHDOG=1 3 || fail "$1 does not say that it is alive"
	! told STOPPING=1 || fail "$1 says that it stops"
	service_stop "$1" || fail "$1 did not end well"
	wait_for 20 told STOPPING=1 || fail "$1 did not say that it stops"
	manager_end
	assert_equal 1 "$(grep -cx READY=1 "$WORLD/told")" "how often ready"
	assert_equal READY=1 "$(sed -n 2p "$WORLD/told")" "what comes first"
}

for name in $SERVICES; do
	case_begin "O-05 $name tells a service manager that it serves, lives, stops"
	one "$name" "$WORLD/manager.$name"
	case_pass
done

case_begin "O-05 a socket of the manager that is no file is found too"
one notify "@keepsake-test-$$"
case_pass

case_begin "O-05 the gateway's supervisor passes the manager on to its bearer"
manager_begin "$WORLD/supervised"
NOTIFY_SOCKET=$WORLD/supervised WATCHDOG_USEC=200000 \
    "$BUILD/keepsake-gateway" --config "$WORLD_CONFIG" \
    >>"$WORLD_LOG/gateway.log" 2>&1 </dev/null &
SERVICE_PID[gateway]=$!
wait_for 20 told READY=1 || fail "not ready"
wait_for 20 told WATCHDOG=1 2 || fail "not alive"
service_stop gateway || fail "it did not end well"
wait_for 20 told STOPPING=1 || fail "does not stop"
manager_end
case_pass

case_begin "O-05 a manager that is away does not keep a service from serving"
NOTIFY_SOCKET=$WORLD/nobody service_start notify
log_wait notify 'event=manager_not_told state=READY=1' || fail "not logged"
service_stop notify
NOTIFY_SOCKET=$WORLD/$(printf 'x%.0s' {1..200}) service_start notify
service_stop notify
case_pass

#!/bin/bash
# O-05: the units of deploy/systemd, for real: a systemd is the first process of
# a container, the operator does there what docs/operations.md says, a terminal
# does the main job, and each unit is killed, hung, stopped and started again.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
# shellcheck source=tests/deploy/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$(dirname "$0")/../.."

readonly MACHINE=keepsakecheck$$
readonly IMAGE=keepsake-systemd
readonly MIB=48 FILES=60
readonly ACCOUNT=account-of-anna

WORLD=$(mktemp -d "${TMPDIR:-/tmp}/world.XXXXXX")
WORLD_LOG=$WORLD/log
mkdir -m 0700 "$WORLD"/{log,terminal}

take_down() {
	docker rm -f -v "$MACHINE" >/dev/null 2>&1
	[ -z "$DOCKER_PID" ] || docker image prune -f >/dev/null
}

# On the machine, as root.
on() { # COMMAND...
	docker exec "$MACHINE" "$@"
}

keepsakectl() { # ARGUMENTS...
	on keepsakectl "$@"
}

property() { # UNIT PROPERTY
	on systemctl show --value -p "$2" "$1"
}

# The commands below a heading of the operator's manual, to be run as they are.
documented() { # HEADING
	local commands
	commands=$(awk -v heading="$1" '
	    /^#/ { here = $0 == heading }
	    here && sub(/^    /, "")' docs/operations.md)
	[ -n "$commands" ] || fail "no commands below $1"
	on env EDITOR="sed -i -E s/^#(proofs_per_minute_.*=).*/\\1100000/" \
	    sh -efc "$commands" >>"$WORLD_LOG/documented" 2>&1 ||
	    fail "$1: $(tail -n 20 "$WORLD_LOG/documented")"
}

booted() {
	[ "$(on systemctl is-system-running 2>/dev/null)" = running ]
}

# Start the machine, and find it: it is on a network of its own, which the
# terminals come to, and its files are seen through its first process.
boot() {
	docker start "$MACHINE" >/dev/null
	wait_for 60 booted ||
	    fail "$(docker logs "$MACHINE"; on systemctl --failed)"
	first=$(docker inspect --format '{{.State.Pid}}' "$MACHINE")
	# shellcheck disable=SC2034 # for scenario/lib.sh
	CLIENT_WITHIN=(nsenter "--net=/proc/$first/ns/net")
}

active() { # UNIT
	[ "$(property "$1" ActiveState)" = active ]
}

all_ok() {
	local name
	keepsakectl status >"$WORLD_LOG/status" || return 1
	for name in $SERVICES; do
		grep -q "^$name: ok" "$WORLD_LOG/status" || return 1
	done
}

# What the kernel says of the group of a unit: the first of the files, by their
# paths below the hierarchies that there may be.
group() { # UNIT FILE...
	local unit=$1 path
	shift
	path=$(property "$unit" ControlGroup)
	on sh -c 'cd /sys/fs/cgroup
	for file; do
		! [ -e "$file" ] || exec sort -un "$file"
	done' - "${@/\/\///$path/}"
}

# In the name space of files of a process, as its user.
as_process() { # PID USER COMMAND...
	local pid=$1 user=$2
	shift 2
	on nsenter --target "$pid" --mount setpriv --reuid "$user" \
	    --regid "$user" --clear-groups "$@"
}

case_begin "O-05 a systemd boots in a container"
docker_up take_down || {
	case_skip "O-05 units: $DOCKER_WHY"
	exit 0
}
docker_base
for stage in tools runtime; do
	docker_stage "$stage"
done
docker build --network host -t "$IMAGE" -f - deploy \
    >"$WORLD_LOG/image" 2>&1 <<'END' || fail "$(tail -n 20 "$WORLD_LOG/image")"
FROM keepsake-runtime
COPY install-deps /tmp/
RUN /tmp/install-deps units && rm -rf /tmp/install-deps /var/lib/apt/lists/*
STOPSIGNAL SIGRTMIN+3
END
# What a container manager that knows systemd does for it: groups that it may
# divide, and mounts that reach its units.
docker create --name "$MACHINE" --env container=docker --network none \
    --cgroupns private --tmpfs /run --tmpfs /tmp \
    --cap-add SYS_ADMIN --cap-add SYS_PTRACE --cap-add NET_ADMIN \
    --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
    "$IMAGE" sh -c '
	for group in $(findmnt -rno TARGET -t cgroup,cgroup2); do
		mount -o remount,bind,rw "$group"
	done
	mount --make-rshared /
	exec /lib/systemd/systemd' >/dev/null
boot
case_pass

case_begin "O-05 installed and started as the manual says, every unit serves"
make -s BUILD="$BUILD" DESTDIR="$WORLD/root" PREFIX=/usr install \
    >"$WORLD_LOG/make.log" 2>&1 </dev/null || fail "make install"
docker cp -q "$WORLD/root/." "$MACHINE:/"
documented "### With systemd"
# It is notified, so all serve when that returns.
all_ok || fail "$(cat "$WORLD_LOG/status")"
for name in $SERVICES; do
	active "keepsake-$name" || fail "$name is not active"
	wait_for 20 on "keepsake-$name" --health >"$WORLD_LOG/health" ||
	    fail "$name: $(cat "$WORLD_LOG/health")"
done
# What systemd thinks of the units.
assert_equal '' "$(on journalctl -q -o cat -p warning _PID=1 |
    grep keepsake || true)" "its warnings"
case_pass

users=
for name in $SERVICES; do
	unit=keepsake-$name.service
	case_begin "O-05 $unit: not root, no right, nothing to write but its own"
	pids=$(group "$unit" .//cgroup.procs systemd//cgroup.procs)
	user=$(on id -u "keepsake-$name")
	assert_no_match " $user " " $users " "the user of $name"
	[ "$user" -ne 0 ] || fail "$name is root"
	users+=" $user"
	count=1 # the gateway has a supervisor
	[ "$name" != gateway ] || count=2
	assert_equal "$count" "$(wc -w <<<"$pids")" "processes of $name"
	for pid in $pids; do
		status=$(on cat "/proc/$pid/status")
		for line in "Uid:.$user.$user.$user.$user" 'CapEff:.0+' \
		    'CapPrm:.0+' 'CapBnd:.0+' 'CapAmb:.0+' 'NoNewPrivs:.1' \
		    'Seccomp:.2'; do
			assert_match $'\n'"$line"$'\n' "$status" "$name"
		done
	done
	assert_equal 'Max core file size 0 0 bytes' \
	    "$(on grep core "/proc/$pid/limits" | xargs)" "$name"
	# Where it may write: its folders, a /tmp that nobody else sees, and what
	# is everybody's, which its own sandbox leaves it not.
	mine=
	[ "$name" = gateway ] || mine="/var/lib/keepsake/$name
/var/lib/keepsake/$name.backups
/var/lib/keepsake/$name.ledger"
	as_process "$pid" "$user" sh -c 'find / -path /proc -prune -o \
	    -type d -writable -print -prune 2>/dev/null || true' |
	    sort >"$WORLD_LOG/writable"
	assert_equal "$mine" "$(grep -vxE '/(var/)?tmp|/run/lock|/dev/(shm|mqueue)' \
	    "$WORLD_LOG/writable" || true)" "folders of $name"
	as_process "$pid" "$user" touch /tmp/seen
	expect_status 1 on test -e /tmp/seen
	# Whom it sees, of processes, devices and secrets.
	as_process "$pid" "$user" sh -c 'ls -d /proc/[1-9]*' |
	    while read -r process; do
		assert_equal "$user" "$(on stat -c %u "$process" 2>/dev/null ||
		    echo "$user")" "$name sees $process"
	done
	expect_status 2 as_process "$pid" "$user" ls /etc/keepsake/keys \
	    2>>"$WORLD_LOG/stderr.log"
	assert_equal "$(sed -n "s|^LoadCredential=\(.*\):.*|$unit/\1|p" \
	    "deploy/systemd/$unit" | sort)" "$(as_process "$pid" "$user" \
	    sh -c 'cd /run/credentials; find * -type f -readable \
	    2>/dev/null || true' | sort)" "secrets of $name"
	# Its bounds, where the kernel has them.
	memory=$(property "$unit" MemoryMax)
	[ "$memory" -le $((1280 << 20)) ] || fail "memory of $name: $memory"
	assert_equal "$memory" "$(group "$unit" .//memory.max \
	    memory//memory.limit_in_bytes)" "memory of $name"
	on journalctl -q -o cat -u "$unit" >"$WORLD_LOG/said"
	grep -E 'event=sandbox landlock=[0-9]+ seccomp=yes' "$WORLD_LOG/said" ||
	    fail "$name is not in its own sandbox"
	case_pass
done

case_begin "O-05 the main job, against the units"
ENROLMENT=$(keepsakectl enrolment)
terminal_of_new one "$ACCOUNT"
tree_make "$WORLD/tree" 8 "$FILES" 1
keepsake_as one --quiet backup "$WORLD/tree"
terminal_of two "$ACCOUNT"
assert_restores two latest "$WORLD/tree"
case_pass

# Blocks of the store's database: a backup that goes on makes them more.
blocks() {
	stat -c %b "/proc/$first/root/var/lib/keepsake/store/data.mdb"
}

grown() { # BLOCKS
	[ "$(blocks)" -gt "$1" ]
}

again() { # UNIT PID
	local now
	now=$(property "$1" MainPID)
	[ "$now" != "$2" ] && [ "$now" -ne 0 ] && active "$1"
}

stopped() { # UNIT
	[ "$(property "$1" ActiveState)" = inactive ]
}

present() {
	[ "$(keepsakectl --json status | jq .notify.terminals_present)" -ge 1 ]
}

# Killed while the terminal, which is held meanwhile, is at it.
seed=10
for name in $SERVICES; do
	unit=keepsake-$name.service
	case_begin "O-05 R-01 $unit: killed in the middle of a backup, back by itself"
	seed=$((seed + 1))
	rm -rf "$WORLD/tree"
	tree_make "$WORLD/tree" "$MIB" "$FILES" "$seed"
	pid=$(property "$unit" MainPID)
	size=$(blocks)
	client_begin one --json backup "$WORLD/tree"
	wait_for 60 grown "$size" || fail "nothing is stored: $(client_out one)"
	kill -STOP "${CLIENT_PID[one]}"
	[ ! -s "$WORLD/client.one.out" ] || fail "the backup had ended before"
	on systemctl kill --kill-who main --signal KILL "$unit"
	wait_for 90 again "$unit" "$pid" ||
	    fail "$(on systemctl status "$unit")"
	kill -CONT "${CLIENT_PID[one]}"
	client_end one || fail "exit status $?: $(client_out one)"
	assert_restores two latest "$WORLD/tree"
	case_pass
done

case_begin "O-05 R-01 who hangs is found by the watchdog, and started again"
for name in notify gateway; do
	on mkdir -p "/run/systemd/system/keepsake-$name.service.d"
	on sh -c "printf '[Service]\nWatchdogSec=3\n' \
	    >/run/systemd/system/keepsake-$name.service.d/watchdog.conf"
done
on systemctl daemon-reload
on systemctl restart keepsake-notify keepsake-gateway
declare -A hung=()
for name in notify gateway; do
	hung[$name]=$(property "keepsake-$name" MainPID)
	# All of it: the bearer is the one that says that it is alive.
	on systemctl kill --signal STOP "keepsake-$name"
done
for name in notify gateway; do
	wait_for 90 again "keepsake-$name" "${hung[$name]}" ||
	    fail "$(on systemctl status "keepsake-$name")"
	on journalctl -q -o cat -u "keepsake-$name" _PID=1 \
	    >"$WORLD_LOG/said"
	grep -q 'Watchdog timeout' "$WORLD_LOG/said" || fail "$name"
done
on rm -r /run/systemd/system/keepsake-{notify,gateway}.service.d
on systemctl daemon-reload
case_pass

case_begin "O-05 G-06 each stops when told, and well"
on systemctl stop keepsake.target
for name in $SERVICES; do
	wait_for 30 stopped "keepsake-$name" || fail "$name does not stop"
	assert_equal "success 1 0" "$(on systemctl show --value -p Result \
	    -p ExecMainCode -p ExecMainStatus "keepsake-$name" | xargs)" "$name"
	on journalctl -q -o cat -u "keepsake-$name" -n 20 >"$WORLD_LOG/said"
	grep -q 'event=stopped' "$WORLD_LOG/said" || fail "$name was cut off"
done
on systemctl start keepsake.target
assert_restores two latest "$WORLD/tree"
case_pass

case_begin "O-05 systemctl restart keepsake.target starts each again"
declare -A before=()
for name in $SERVICES; do
	before[$name]=$(property "keepsake-$name" MainPID)
done
on systemctl restart keepsake.target
for name in $SERVICES; do
	wait_for 30 again "keepsake-$name" "${before[$name]}" || fail "$name"
done
assert_restores two latest "$WORLD/tree"
case_pass

case_begin "G-06 O-05 one more gateway, as the manual says, serves and pushes"
documented "### One more with systemd"
active keepsake-gateway@2 || fail "$(on systemctl status keepsake-gateway@2)"
ENROLMENT=$(keepsakectl enrolment --address 127.0.0.1:7500,gateway-2)
terminal_of three "$ACCOUNT"
client_begin three --json notices --follow
wait_for 30 present || fail "nobody is present"
keepsake_as one --quiet backup "$WORLD/tree"
wait_for 30 grep -q '"kind": *"backup_done"' "$WORLD/client.three.out" ||
    fail "it was not told: $(client_out three)"
client_kill three
assert_restores three latest "$WORLD/tree"
assert_equal '' "$(on journalctl -q -o cat -p warning _PID=1 \
    UNIT=keepsake-gateway@2.service)" "warnings of systemd"
case_pass

case_begin "O-05 O-03 the journal has nothing of any person"
on journalctl -q -o export >"$WORLD_LOG/journal"
grep -q 'event=ready' "$WORLD_LOG/journal" || fail "nothing of ours"
for word in "$ACCOUNT" serial-of- label-of- "$PASSWORD" "$VERIFICATION" \
    "$(basename "$(find "$WORLD/tree" -type f | head -n 1)")"; do
	! grep -aF -e "$word" "$WORLD_LOG/journal" || fail "it has $word"
done
case_pass

case_begin "O-05 what was enabled is there again when the machine has started anew"
docker stop -t 60 "$MACHINE" >/dev/null
boot
for name in $SERVICES gateway@2; do
	active "keepsake-$name" || fail "$name is not active"
done
assert_restores two latest "$WORLD/tree"
assert_restores three latest "$WORLD/tree"
case_pass

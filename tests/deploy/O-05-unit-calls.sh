#!/bin/bash
# O-05: every system call that a process makes, from its start to its end, is
# one that its unit of systemd allows, and every socket is of a family that it
# allows: where systemd does not run, nothing else would notice that a unit is
# too strict.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
UNITS=$(dirname "$0")/../../deploy/systemd

if ! strace -o /dev/null true 2>/dev/null ||
    ! systemd-analyze syscall-filter @system-service >/dev/null 2>&1; then
	case_skip "O-05 system calls of the units: no strace, or no systemd-analyze"
	exit 0
fi

# The calls of a word of SystemCallFilter=, a line each.
calls_of() { # WORD
	local word
	[[ $1 == @* ]] || {
		echo "$1"
		return
	}
	systemd-analyze syscall-filter "$1" | sed -n 's/^ \{4\}//p' |
	    while read -r word; do
		[[ $word == \#* ]] || calls_of "$word"
	    done
}

# What a unit allows: its lines one after the other, each adds or, with ~,
# takes away.
allowed() { # UNIT
	local line word
	: >"$WORLD/allowed"
	while read -r line; do
		for word in ${line#\~}; do
			calls_of "$word"
		done | sort -u >"$WORLD/words"
		if [[ $line == \~* ]]; then
			comm -23 "$WORLD/allowed" "$WORLD/words"
		else
			sort -u "$WORLD/allowed" "$WORLD/words"
		fi >"$WORLD/now"
		mv "$WORLD/now" "$WORLD/allowed"
	done < <(sed -n 's/^SystemCallFilter=//p' "$1")
	cat "$WORLD/allowed"
}

# As service_start, but the whole program and traced; the process that is told
# to stop is the traced one.
traced_start() { # NAME
	local log=$WORLD_LOG/$1.log
	: >"$log"
	strace -f -qq -o "$WORLD/trace.$1" "$BUILD/keepsake-$1" --config \
	    "$WORLD_CONFIG" >>"$log" 2>&1 </dev/null &
	SERVICE_PID[$1]=$!
	log_wait "$1" '(^| )event=ready( |$)' 60 || fail "$1 is not ready"
}

# A link over tcp, as the units have them all.
port=$(free_port)
world_make "[store] listen_gateway = tcp://127.0.0.1:$port" \
    "[gateway] store = tcp://127.0.0.1:$port"
for name in $SERVICES; do
	traced_start "$name"
done
terminal_of_new one anna
tree_make "$WORLD/tree" 4 12 1
keepsake_as one --quiet backup "$WORLD/tree"
assert_restores one latest "$WORLD/tree"
keepsakectl keys rotate >/dev/null
keepsakectl status >/dev/null
for name in $SERVICES; do
	kill -TERM "$(pgrep -P "${SERVICE_PID[$name]}")"
	service_wait "$name" || fail "$name did not end well"
done

for name in $SERVICES; do
	case_begin "O-05 keepsake-$name.service allows all that it does"
	sed -n 's/^[0-9]* *\([a-z][a-z0-9_]*\)(.*/\1/p' "$WORLD/trace.$name" |
	    sort -u >"$WORLD/made"
	[ "$(wc -l <"$WORLD/made")" -gt 30 ] || fail "next to nothing is seen"
	# That before the program is systemd's.
	allowed "$UNITS/keepsake-$name.service" >"$WORLD/all"
	assert_equal '' "$(comm -23 "$WORLD/made" "$WORLD/all" | xargs)" \
	    "calls that are not allowed"
	sed -n 's/^[0-9]* *socket(\(AF_[A-Z0-9]*\),.*/\1/p' \
	    "$WORLD/trace.$name" | sort -u >"$WORLD/families"
	[ -s "$WORLD/families" ] || fail "no socket is seen"
	sed -n 's/^RestrictAddressFamilies=//p' \
	    "$UNITS/keepsake-$name.service" | tr ' ' '\n' | sort -u \
	    >"$WORLD/all"
	assert_equal '' "$(comm -23 "$WORLD/families" "$WORLD/all" | xargs)" \
	    "families of sockets that are not allowed"
	case_pass
done

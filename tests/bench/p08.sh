#!/bin/bash
# tests/bench/p08.sh: P-08, all terminals come back at once.
#
# The gateway is killed while terminals are connected, and started again;
# the same with a bare CURVE ROUTER in its place.  How fast they are back,
# from the first answer to the last, and whether all are.  README.md says
# what is counted.
#
# Environment: BUILD (build), REPEAT (5), TERMINALS (1000).
# The figures go to BUILD/bench-p08.tsv too.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

readonly REPEAT=${REPEAT:-5} TERMINALS=${TERMINALS:-1000}

bare_start() {
	"$TOOL/herd" serve "tcp://127.0.0.1:$bare_port" \
	    >>"$WORLD_LOG/bare.log" 2>&1 </dev/null &
	SERVICE_PID[bare]=$!
}

gateway_start() {
	service_start gateway
}

# Read that they are back.
herd_back() { # NAME
	local word count ns
	IFS=$'\t' read -r word count ns <&"${HERD[0]}" || fail "no terminals"
	assert_equal "back $TERMINALS" "$word $count"
	printf '%s\t%s\n' "$1" \
	    "$(calc 1 'n * 1e9 / t' n="$TERMINALS" t="$ns")" >>"$measures"
}

# A herd that sees its server die and come back, time after time.
herd() { # NAME KIND WHERE
	local round word pid input cpu
	coproc HERD { exec "$TOOL/herd" keep "$2" "$3" "$TERMINALS" 1; }
	pid=$HERD_PID input=${HERD[1]}
	herd_back "$1_first"
	for ((round = 0; round < REPEAT; round++)); do
		service_kill "$1"
		echo lost >&"$input"
		read -r word <&"${HERD[0]}" || fail "the terminals ended"
		assert_equal lost "$word"
		"$1_start"
		herd_back "$1"
		cpu=$(sed 's/.*) //' "/proc/${SERVICE_PID[$1]}/stat" |
		    awk -v hz="$(getconf CLK_TCK)" -v n="$TERMINALS" \
			'{ print ($12 + $13) / hz * 1e3 / n }')
		printf '%s_cpu_ms\t%s\n' "$1" "$cpu" >>"$measures"
	done
	exec {input}>&-
	wait "$pid" || fail "the terminals did not end well"
}

bench_begin p08
bare_port=$(free_port)
# shellcheck disable=SC2119 # the defaults
world_up
measures=$WORLD/measures
bare_start
herd bare bare "tcp://127.0.0.1:$bare_port"
service_kill bare
herd gateway gateway "$ENROLMENT"
for name in bare gateway; do
	row P-08 "$TERMINALS terminals come back" "$name" 1/s \
	    "$(median "$measures" "$name")"
	row P-08 "CPU of one, with the start" "$name" ms \
	    "$(median "$measures" "${name}_cpu_ms")"
done
row P-08 "lost" gateway - 0 # else this had failed
row P-08 "rate: gateway / bare CURVE ROUTER" "floor 0.7, goal 0.95" ratio \
    "$(calc 3 'a / b' a="$(median "$measures" gateway)" \
	b="$(median "$measures" bare)")"

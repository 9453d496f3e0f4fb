#!/bin/bash
# tests/bench/p05.sh: P-05, what the gateway costs.
#
# Bulk bytes and round trips through the gateway and through a bare proxy with
# CURVE on both sides, to the same far end and from the same terminal; then
# the memory of many connected terminals that say nothing.  README.md says
# what is counted.
#
# Environment: BUILD (build), REPEAT (3), MIB (192), TRIPS (1000),
# TERMINALS (10000).  The figures go to BUILD/bench-p05.tsv too.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

readonly REPEAT=${REPEAT:-3} MIB=${MIB:-192} TRIPS=${TRIPS:-1000}
readonly TERMINALS=${TERMINALS:-10000} TERMINALS_A_PROCESS=2500
readonly IDLE_SECONDS=10 # two heartbeats of each

# Start a tool beside the services, to end with them.
helper() { # NAME COMMAND...
	local name=$1
	shift
	"$@" >>"$WORLD_LOG/$name.log" 2>&1 </dev/null &
	helpers[$name]=$!
}

helper_end() { # NAME
	kill -KILL "${helpers[$1]}" 2>/dev/null || true
	wait "${helpers[$1]}" 2>/dev/null || true
	unset "helpers[$1]"
}

helpers_end() {
	local name
	for name in "${!helpers[@]}"; do
		helper_end "$name"
	done
}
declare -A helpers=()
at_end helpers_end

measure() { # NAME KIND WHERE PID
	"$TOOL/chain" measure "$2" "$3" "$4" "$MIB" "$TRIPS" |
	    sed "s/^/$1_/" >>"$measures"
}

anon_kib() { # PID
	awk '$1 == "RssAnon:" { print $2 }' "/proc/$1/status"
}

cpu_ticks() { # PID
	sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'
}

# Connect many terminals to a process, and say what each costs it.
idle() { # NAME KIND WHERE PID
	local before word count ns cpu
	before=$(anon_kib "$4")
	coproc HERD { exec "$TOOL/herd" keep "$2" "$3" "$TERMINALS" \
	    $(((TERMINALS + TERMINALS_A_PROCESS - 1) / TERMINALS_A_PROCESS)); }
	IFS=$'\t' read -r word count ns <&"${HERD[0]}" || fail "no terminals"
	assert_equal "back $TERMINALS" "$word $count"
	cpu=$(cpu_ticks "$4")
	read -rt "$IDLE_SECONDS" -u "${HERD[0]}" || true # they say nothing
	printf '%s_idle_cpu\t%s\n' "$1" \
	    "$(calc 3 'n / hz / s * 100' n=$(($(cpu_ticks "$4") - cpu)) \
		hz="$(getconf CLK_TCK)" s="$IDLE_SECONDS")" >>"$measures"
	printf '%s_idle_kib\t%s\n%s_idle_per_s\t%s\n' "$1" \
	    "$(calc 3 '(a - b) / n' a="$(anon_kib "$4")" b="$before" \
		n="$TERMINALS")" \
	    "$1" "$(calc 1 'n * 1e9 / t' n="$TERMINALS" t="$ns")" >>"$measures"
	local herd=$HERD_PID input=${HERD[1]}
	exec {input}>&-
	wait "$herd" || fail "the terminals did not end well"
}

# A second gateway, which has CURVE on the link to the far end as well.
curve_gateway() { # PORT NEXT-PORT
	sed -e "s|^listen = .*|listen = tcp://127.0.0.1:$1|" \
	    -e "s|^public_address = .*|public_address = 127.0.0.1:$1|" \
	    "$WORLD_CONFIG" >"$WORLD/curve.conf"
	cat >>"$WORLD/curve.conf" <<-END
	[gateway]
	store = tcp://127.0.0.1:$2
	listen_ops = ipc://$WORLD/run/gateway2.ops/socket
	END
	service_start gateway2 "$WORLD/curve.conf"
}

bench_begin p05
front=$(free_port) back=$(free_port) curve_front=$(free_port)
curve_back=$(free_port) bare_idle=$(free_port)
world_make
measures=$WORLD/measures
sink=ipc://$WORLD/run/store.gateway/socket

helper far "$TOOL/chain" sink "tcp://127.0.0.1:$back"
helper proxy "$TOOL/chain" proxy "tcp://127.0.0.1:$front" "$back"
helper sink "$TOOL/chain" sink "$sink"
helper curve_sink "$TOOL/chain" sink "tcp://127.0.0.1:$curve_back" \
    "$WORLD/keys/store.key"
service_start gateway
curve_gateway "$curve_front" "$curve_back"
enrolment2=$("$BUILD/keepsakectl" --config "$WORLD/curve.conf" enrolment)
for ((round = 0; round < REPEAT; round++)); do
	measure chain bare "tcp://127.0.0.1:$front" "${helpers[proxy]}"
	measure gateway gateway "$ENROLMENT" "${SERVICE_PID[gateway]}"
	measure curve gateway "$enrolment2" "${SERVICE_PID[gateway2]}"
	measure hop hop "tcp://127.0.0.1:$back" "${helpers[far]}"
	measure door service "$sink" "${helpers[sink]}"
done
helpers_end
service_stop gateway2

helper bare "$TOOL/herd" serve "tcp://127.0.0.1:$bare_idle"
idle bare bare "tcp://127.0.0.1:$bare_idle" "${helpers[bare]}"
idle gateway gateway "$ENROLMENT" "${SERVICE_PID[gateway]}"

declare -A what=(
	[gateway]='gateway, CURVE and ipc' [curve]='gateway, CURVE twice'
	[chain]='bare proxy, CURVE twice' [hop]='bare hop, CURVE'
	[door]='bare hop, ipc'
)
m() { # NAME
	median "$measures" "$1"
}
for name in gateway curve chain hop door; do
	for way in up down; do
		row P-05 "bulk, $way" "${what[$name]}" MiB/s "$(m ${name}_${way}_mib_s)"
	done
	row P-05 "round trip" "${what[$name]}" us "$(m ${name}_trip_us)"
done
for name in gateway curve chain; do
	for way in up down; do
		row P-05 "CPU of a MiB, $way" "${what[$name]}" ms \
		    "$(m ${name}_${way}_cpu_ms_mib)"
	done
done
for name in gateway curve; do
	for way in up down; do
		row P-05 "bulk, $way: ${what[$name]} / bare proxy" \
		    "floor 0.8, goal 1.0" ratio \
		    "$(calc 3 'a / b' a="$(m ${name}_${way}_mib_s)" \
			b="$(m chain_${way}_mib_s)")"
		row P-05 "CPU of a MiB, $way: ${what[$name]} / bare proxy" \
		    "floor 1.3, goal 1.0" ratio \
		    "$(calc 3 'a / b' a="$(m ${name}_${way}_cpu_ms_mib)" \
			b="$(m chain_${way}_cpu_ms_mib)")"
	done
done
row P-05 "added latency: through the gateway - straight to the ipc door" \
    "floor 0.3, goal 0.12" ms \
    "$(calc 4 '(a - b) / 1e3' a="$(m gateway_trip_us)" b="$(m door_trip_us)")"
row P-05 "added latency: CURVE twice - one CURVE hop" "gateway" ms \
    "$(calc 4 '(a - b) / 1e3' a="$(m curve_trip_us)" b="$(m hop_trip_us)")"
row P-05 "added latency: CURVE twice - one CURVE hop" "bare proxy" ms \
    "$(calc 4 '(a - b) / 1e3' a="$(m chain_trip_us)" b="$(m hop_trip_us)")"
for name in bare gateway; do
	row P-05 "memory of an idle terminal, $TERMINALS of them" "$name" KiB \
	    "$(m ${name}_idle_kib)"
	row P-05 "they connect" "$name" 1/s "$(m ${name}_idle_per_s)"
	row P-05 "they send heartbeats: CPU" "$name" "% of a core" \
	    "$(m ${name}_idle_cpu)"
done
row P-05 "memory of an idle terminal: gateway / bare CURVE ROUTER" \
    "floor 1.5, goal 1.1" ratio \
    "$(calc 3 'a / b' a="$(m gateway_idle_kib)" b="$(m bare_idle_kib)")"

#!/bin/bash
# tests/bench/p06.sh: P-06, the services; P-07, ten times the accounts.
#
# Accounts are made through the real services; what one operation costs these
# is measured with a tenth of them and with all, and then how much memory each
# has beside its mapped database.  README.md says what is counted.
#
# Environment: BUILD (build), ACCOUNTS (10000), REPEAT (3).
# The figures go to BUILD/bench-p06.tsv too.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

readonly ACCOUNTS=${ACCOUNTS:-10000} REPEAT=${REPEAT:-3}
readonly PROCESSES=16
readonly OPERATIONS=("login 100" "put 4000 64" "get 4000 16" "have 4000 16"
	"begin 500" "list 4000 16")

accounts_make() { # COUNT
	"$TOOL/accountload" "$ENROLMENT" "$1" "$PROCESSES" >"$WORLD/made" ||
	    fail "accounts could not be made"
	tail -n 1 "$WORLD/made" | cut -f2
}

operations() { # PREFIX
	local round
	for ((round = 0; round < REPEAT; round++)); do
		costs "$measures" "$1" "${OPERATIONS[@]}"
	done
}

# Resident memory of a service, KiB: what is not its mapped database.  Rss
# counts all of it, Pss of what several processes share only its part.
beside_map() { # SERVICE Rss|Pss
	awk -v kind="$2:" '
		/^[0-9a-f]+-[0-9a-f]+ / { mapped = $NF ~ /\.mdb$/ }
		$1 == kind && !mapped { sum += $2 }
		END { print sum + 0 }' "/proc/${SERVICE_PID[$1]}/smaps"
}

bench_begin p06
# shellcheck disable=SC2119 # the defaults
world_up
measures=$WORLD/measures
store_load_begin
accounts_make $((ACCOUNTS / 10)) >/dev/null
operations few
ns=$(accounts_make $((ACCOUNTS - ACCOUNTS / 10)))
operations many
row P-06 "accounts made, all that a first backup needs" keepsake 1/s \
    "$(calc 1 'n * 0.9e9 / t' n="$ACCOUNTS" t="$ns")"
all=0 parts=0
for name in $SERVICES; do
	kib=$(beside_map "$name" Rss)
	row P-06 "memory beside the map, $ACCOUNTS accounts" "$name" MiB \
	    "$(calc 1 'k / 1024' k="$kib")"
	[ "$name" = gateway ] || {
		all=$((all + kib))
		parts=$((parts + $(beside_map "$name" Pss)))
	}
done
row P-06 "memory beside the map, the four services" "floor 100, goal 60" MiB \
    "$(calc 1 'k / 1024' k="$all")"
row P-06 "the same, shared libraries by their parts" "" MiB \
    "$(calc 1 'k / 1024' k="$parts")"
costs_rows "$measures" "$((ACCOUNTS / 10)) $ACCOUNTS" "${OPERATIONS[@]%% *}"

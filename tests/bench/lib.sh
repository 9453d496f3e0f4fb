#!/bin/bash
# tests/bench/lib.sh: what the benchmarks have in common.  Source it first:
#
#   . "$(dirname "$0")/lib.sh"
#   bench_begin p03
#   ...
#   row P-03 "what" "beside what" UNIT VALUE
#
# Rows go to the terminal and to BUILD/bench-NAME.tsv.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scenario/lib.sh"

readonly TOOL=$BUILD/tests/tool
bench_tsv=

bench_begin() { # NAME
	bench_tsv=$BUILD/bench-$1.tsv
	printf 'id\twhat\twho\tunit\tvalue\n' >"$bench_tsv"
}

row() { # ID WHAT WHO UNIT VALUE
	printf '%s\t%s\t%s\t%s\t%s\n' "$@" | tee -a "$bench_tsv"
}

# A number by awk: calc 3 "a / b" a=1 b=2 prints it with three decimals.
calc() { # DECIMALS EXPRESSION NAME=VALUE...
	local decimals=$1 expression=$2 assignments=() pair
	shift 2
	for pair in "$@"; do
		assignments+=(-v "$pair")
	done
	awk "${assignments[@]}" "BEGIN { printf \"%.${decimals}f\", $expression }"
}

# The median of the values of NAME in a file of "name<tab>value" lines.
median() { # FILE NAME
	awk -F '\t' -v name="$2" '$1 == name { print $2 }' "$1" | sort -g |
	    awk '{ v[NR] = $1 }
		END {
			if (NR == 0) exit 1
			printf "%.6g\n", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2
		}' || fail "no value of $2 in $1"
}

# The median of A / B, round by round: both were measured one right after the
# other, so what else the machine did meets both.
median_ratio() { # FILE A B
	awk -F '\t' -v a="$2" -v b="$3" '
		$1 == a { as[++as_count] = $2 }
		$1 == b { bs[++bs_count] = $2 }
		END {
			for (i = 1; i <= as_count && i <= bs_count; i++)
				printf "ratio\t%.6f\n", as[i] / bs[i]
		}' "$1" >"$1.ratios"
	calc 3 a a="$(median "$1.ratios" ratio)"
}

# --- a terminal that loads the store: tests/tool/storeload.c ------------------

store_load_begin() {
	coproc STORE_LOAD { exec "$TOOL/storeload" "$ENROLMENT"; }
	at_end store_load_end
	local word
	# shellcheck disable=SC2034 # for the scripts
	IFS=$'\t' read -r word STORE_LOAD_ACCOUNT <&"${STORE_LOAD[0]}" ||
	    fail "no account to load the store with"
	assert_equal account "$word"
}

store_load_end() {
	[ -n "${STORE_LOAD_PID:-}" ] || return 0
	kill "$STORE_LOAD_PID" 2>/dev/null || true
	wait "$STORE_LOAD_PID" 2>/dev/null || true
}

# Have it do something: all_ns and one_ns are what that took.
store_load() { # COMMAND...
	local word count
	echo "$*" >&"${STORE_LOAD[1]}"
	# shellcheck disable=SC2034 # for the scripts
	IFS=$'\t' read -r word count all_ns one_ns <&"${STORE_LOAD[0]}" ||
	    fail "the store was not loaded: $*"
}

# CPU of a service so far, ns, all its threads.
cpu_of() { # SERVICE
	local word ns
	echo "cpu ${SERVICE_PID[$1]}" >&"${STORE_LOAD[1]}"
	IFS=$'\t' read -r word ns <&"${STORE_LOAD[0]}" || fail "no CPU of $1"
	echo "$ns"
}

# --- ten times as much: P-07 --------------------------------------------------

# What one operation costs the services now, as CPU of all of them, ms: lines
# "NAME COUNT" of "OPERATION<tab>ms", added to a file.
costs() { # FILE PREFIX "COMMAND COUNT..."...
	local file=$1 prefix=$2 command name before after
	shift 2
	for command in "$@"; do
		before=0 after=0
		for name in $SERVICES; do
			before=$((before + $(cpu_of "$name")))
		done
		# shellcheck disable=SC2086 # words
		store_load $command
		for name in $SERVICES; do
			after=$((after + $(cpu_of "$name")))
		done
		read -r name count _ <<<"$command"
		printf '%s_%s\t%s\n' "$prefix" "$name" \
		    "$(calc 5 '(b - a) / n / 1e6' a="$before" b="$after" \
			n="$count")" >>"$file"
	done
}

# One row an operation: what it costs with few, with ten times as many, and
# the ratio.
costs_rows() { # FILE WHAT OPERATION...
	local file=$1 what=$2 operation few many
	shift 2
	for operation in "$@"; do
		few=$(median "$file" "few_$operation")
		many=$(median "$file" "many_$operation")
		row P-07 "$operation, ${what%% *}" "" "CPU ms" "$few"
		row P-07 "$operation, ${what##* }" "" "CPU ms" "$many"
		row P-07 "$operation, ${what##* } / ${what%% *}" \
		    "floor 1.5, goal 1.2" ratio \
		    "$(calc 3 'b / a' a="$few" b="$many")"
	done
}

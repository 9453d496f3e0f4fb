#!/bin/bash
# tests/bench/p03.sh: P-03, durable single-record writes.
#
# A terminal puts chunks of one page, each its own request and each on the
# disk before it is answered, 256 of them under way; then as many as fit in
# each request.  Bare LMDB writes as much in as large transactions.  Then one
# at a time.  README.md says what is counted.
#
# Environment: BUILD (build), REPEAT (5), RECORDS (20000), MESSAGES (600),
# ALONE (500).
# The figures go to BUILD/bench-p03.tsv too.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

readonly REPEAT=${REPEAT:-5} RECORDS=${RECORDS:-20000} ALONE=${ALONE:-500}
readonly MESSAGES=${MESSAGES:-600}
readonly WINDOW=256 # what a gateway lets a terminal have under way
readonly MANY=64    # chunks of a page that fit in a message
readonly MANY_RECORDS=$((MESSAGES * MANY))
readonly MANY_WINDOW=$((WINDOW / MANY)) # as many records under way
readonly MUCH_WINDOW=32                 # 8 MiB under way

# Bare LMDB, on the disk that the store is on.
bare() { # KIND COUNT BATCH
	mkdir "$WORLD/bare"
	"$TOOL/lmdbload" "$WORLD/bare" "$2" "$3" "$1" |
	    sed "s/^/$1_$4_/" >>"$measures"
	rm -rf "$WORLD/bare"
}

bench_begin p03
# shellcheck disable=SC2119 # the defaults
world_up
measures=$WORLD/measures
store_load_begin

# The store is as empty as bare LMDB at the beginning of each load.
store_anew() {
	store_load_end
	service_stop store
	rm -rf "${WORLD:?}"/{store,store.ledger}
	service_start store
	store_load_begin
}

# Put so many records, and have bare LMDB do the same.
load_and_bare() { # KIND RECORDS COMMAND...
	local kind=$1 records=$2 commits cpu cpu_gateway batch
	shift 2
	store_anew
	commits=$(figure store db_commits)
	cpu=$(cpu_of store) cpu_gateway=$(cpu_of gateway)
	store_load "$@"
	commits=$(($(figure store db_commits) - commits))
	batch=$(((records + commits / 2) / commits))
	printf '%s\t%s\n' "${kind}_ours" "$all_ns" "${kind}_batch" "$batch" \
	    "${kind}_store_us" \
	    "$((($(cpu_of store) - cpu) / records))e-3" \
	    "${kind}_gateway_us" \
	    "$((($(cpu_of gateway) - cpu_gateway) / records))e-3" \
	    >>"$measures"
	bare record "$records" "$batch" "$kind"
	bare chunk "$records" "$batch" "$kind"
}

for ((round = 0; round < REPEAT; round++)); do
	load_and_bare each "$RECORDS" put "$RECORDS" "$WINDOW"
	load_and_bare many "$MANY_RECORDS" many "$MESSAGES" "$MANY_WINDOW"
	load_and_bare much "$MANY_RECORDS" many "$MESSAGES" "$MUCH_WINDOW"
	store_load put "$ALONE"
	printf 'alone\t%s\n' "$one_ns" >>"$measures"
	bare record "$ALONE" 1 alone
	bare chunk "$ALONE" 1 alone
done

rows_of() { # KIND RECORDS HOW TARGETS
	local kind=$1 records=$2 how=$3 process peer
	row P-03 "records a second, $how" keepsake 1/s \
	    "$(calc 0 'n * 1e9 / t' n="$records" \
		t="$(median "$measures" "${kind}_ours")")"
	row P-03 "records in one commit, $how" keepsake - \
	    "$(median "$measures" "${kind}_batch")"
	for process in store gateway; do
		row P-03 "CPU of a record, $process, $how" keepsake us \
		    "$(median "$measures" "${kind}_${process}_us")"
	done
	for peer in record chunk; do
		row P-03 "records a second, as many in one commit, $how" \
		    "bare LMDB, $peer" 1/s \
		    "$(calc 0 'n * 1e9 / t' n="$records" \
			t="$(median "$measures" "${peer}_${kind}_all")")"
	done
	row P-03 "keepsake / bare LMDB, the same keys and values, $how" \
	    "$4" ratio \
	    "$(median_ratio "$measures" "chunk_${kind}_all" "${kind}_ours")"
	row P-03 "keepsake / bare LMDB, the value alone under a growing key, $how" \
	    "" ratio \
	    "$(median_ratio "$measures" "record_${kind}_all" "${kind}_ours")"
}

rows_of each "$RECORDS" "$WINDOW under way" "floor 0.5, goal 0.8"
rows_of many "$MANY_RECORDS" "$MANY in a message, $MANY_WINDOW of those" \
    "floor 0.6, goal 1.0"
rows_of much "$MANY_RECORDS" "$MANY in a message, $MUCH_WINDOW of those" ""
alone=$(median "$measures" alone)
commit=$(median "$measures" chunk_alone_commit)
row P-03 "one at a time" keepsake ms "$(calc 3 'a / 1e6' a="$alone")"
row P-03 "one at a time" "bare LMDB, chunk" ms "$(calc 3 'a / 1e6' a="$commit")"
row P-03 "one at a time: above LMDB's own commit" "floor 0.6, goal 0.2" ms \
    "$(calc 3 '(a - b) / 1e6' a="$alone" b="$commit")"

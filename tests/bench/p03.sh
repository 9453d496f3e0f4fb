#!/bin/bash
# tests/bench/p03.sh: P-03, durable single-record writes.
#
# A terminal puts chunks of one page, each its own request and each on the
# disk before it is answered, 256 of them under way; bare LMDB writes as much
# in as large transactions.  Then one at a time.  README.md says what is
# counted.
#
# Environment: BUILD (build), REPEAT (5), RECORDS (20000), ALONE (500).
# The figures go to BUILD/bench-p03.tsv too.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

readonly REPEAT=${REPEAT:-5} RECORDS=${RECORDS:-20000} ALONE=${ALONE:-500}
readonly WINDOW=256 # what a gateway lets a terminal have under way

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
for ((round = 0; round < REPEAT; round++)); do
	commits=$(figure store db_commits)
	cpu=$(cpu_of store) cpu_gateway=$(cpu_of gateway)
	store_load put "$RECORDS" "$WINDOW"
	commits=$(($(figure store db_commits) - commits))
	batch=$(((RECORDS + commits / 2) / commits))
	printf '%s\t%s\n' ours "$all_ns" batch "$batch" \
	    store_us "$((($(cpu_of store) - cpu) / RECORDS))e-3" \
	    gateway_us "$((($(cpu_of gateway) - cpu_gateway) / RECORDS))e-3" \
	    >>"$measures"
	bare record "$RECORDS" "$batch" many
	bare chunk "$RECORDS" "$batch" many
	store_load put "$ALONE"
	printf 'alone\t%s\n' "$one_ns" >>"$measures"
	bare record "$ALONE" 1 alone
	bare chunk "$ALONE" 1 alone
done

ours=$(median "$measures" ours)
row P-03 "records a second, $WINDOW under way" keepsake 1/s \
    "$(calc 0 'n * 1e9 / t' n="$RECORDS" t="$ours")"
row P-03 "records in one commit" keepsake - "$(median "$measures" batch)"
for process in store gateway; do
	row P-03 "CPU of a record, $process" keepsake us \
	    "$(median "$measures" "${process}_us")"
done
for kind in record chunk; do
	row P-03 "records a second, as many in one commit" \
	    "bare LMDB, $kind" 1/s \
	    "$(calc 0 'n * 1e9 / t' n="$RECORDS" \
		t="$(median "$measures" "${kind}_many_all")")"
done
row P-03 "keepsake / bare LMDB, the same keys and values" \
    "floor 0.5, goal 0.8" ratio \
    "$(median_ratio "$measures" chunk_many_all ours)"
row P-03 "keepsake / bare LMDB, the value alone under a growing key" \
    "" ratio \
    "$(median_ratio "$measures" record_many_all ours)"
alone=$(median "$measures" alone)
commit=$(median "$measures" chunk_alone_commit)
row P-03 "one at a time" keepsake ms "$(calc 3 'a / 1e6' a="$alone")"
row P-03 "one at a time" "bare LMDB, chunk" ms "$(calc 3 'a / 1e6' a="$commit")"
row P-03 "one at a time: above LMDB's own commit" "floor 0.6, goal 0.2" ms \
    "$(calc 3 '(a - b) / 1e6' a="$alone" b="$commit")"

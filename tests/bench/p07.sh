#!/bin/bash
# tests/bench/p07.sh: P-07, ten times the records of one account.
#
# The store's database is filled with chunks of one page through the store's
# own rows (tests/tool/storefill), first a tenth and then all; each time the
# real services are asked, and what one operation costs them is measured.
# README.md says what is counted.  (Ten times the accounts: p06.sh.)
#
# Environment: BUILD (build), RECORDS (1000000), REPEAT (3), TMPDIR (room
# for 4.5 KiB a record).  The figures go to BUILD/bench-p07.tsv too.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

readonly RECORDS=${RECORDS:-1000000} REPEAT=${REPEAT:-3}
readonly OPERATIONS=("put 4000 64" "get 4000 16" "have 4000 16" "begin 500"
	"list 4000 16")

records_fill() { # COUNT
	local offset
	offset=$(stat -c %s "$WORLD_LOG/gateway.log")
	service_stop store || fail "the store did not end well"
	"$TOOL/storefill" "$WORLD/store" "$STORE_LOAD_ACCOUNT" "$1" \
	    >>"$WORLD_LOG/storefill.log" || fail "the store was not filled"
	service_start store
	log_wait gateway 'event=link_up to=store' "$READY_SECONDS_MAX" \
	    "$offset" || fail "the store is not reached"
	store_load put 100 1 # what is read once after a start
}

operations() { # PREFIX
	local round
	for ((round = 0; round < REPEAT; round++)); do
		costs "$measures" "$1" "${OPERATIONS[@]}"
	done
}

bench_begin p07
world_up "[store] sweep_ms = 7d"
measures=$WORLD/measures
store_load_begin
records_fill $((RECORDS / 10))
operations few
records_fill $((RECORDS - RECORDS / 10))
operations many
costs_rows "$measures" "$((RECORDS / 10)) $RECORDS" "${OPERATIONS[@]%% *}"

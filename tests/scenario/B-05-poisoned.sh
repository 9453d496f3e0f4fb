#!/bin/bash
# B-05: deduplication cannot be poisoned by a stolen terminal: what it puts
# under the ids that another one is about to use is found out, and stepped
# round.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
for name in anna bert; do
	terminal_of_new "of-$name" "$name"
	terminal_of "stolen-from-$name" "$name"
	mkdir "$WORLD/tree.$name"
done

content() { # ACCOUNT: a new file of noise, several chunks long
	head -c 3000000 /dev/urandom >"$WORLD/tree.$1/file"
}

# What the terminal stolen from an account does; see tests/tool/poisoner.c.
poison() { # ACCOUNT [ARGUMENTS...]
	local name=$1
	shift
	"$BUILD/tests/tool/poisoner" \
	    --password-file "$WORLD/secret.password" "$@" \
	    "$WORLD/terminal/stolen-from-$name" "$name" \
	    "$WORLD/tree.$name/file"
}

case_begin "B-05 what another terminal wrote cannot be put again"
content anna
keepsake_as of-anna --quiet backup "$WORLD/tree.anna"
outcome=$(poison anna)
assert_match '^put=0 conflict=[0-9]{2}$' "$outcome" "the stolen terminal"
assert_restores of-anna 1 "$WORLD/tree.anna"
case_pass

case_begin "B-05 junk under the ids of a backup to come is stepped round"
content anna
outcome=$(poison anna)
assert_match '^put=[0-9]{2} conflict=0$' "$outcome" "the stolen terminal"
keepsake_as of-anna --quiet backup "$WORLD/tree.anna"
assert_restores of-anna 2 "$WORLD/tree.anna"
assert_restores stolen-from-anna 2 "$WORLD/tree.anna"
case_pass

case_begin "B-05 the same again is unchanged: nothing is sent twice"
before=$(figure store chunks_put)
keepsake_as of-anna --quiet backup "$WORLD/tree.anna"
assert_at_most $((before + 2)) "$(figure store chunks_put)" "chunks put"
assert_restores of-anna 3 "$WORLD/tree.anna"
case_pass

# The first backup of an account asks for nothing, for the store has nothing.
# The store is held while first the client begins, and then the stolen
# terminal puts junk: its PUTs come before those of the client.
under_way() { # NUMBER: so many requests wait at the gateway, twice in a row
	local report
	for _ in 1 2; do
		report=$(keepsakectl --json status 2>/dev/null) || true
		[ "$(jq .gateway.terminal_under_way <<<"$report")" -ge "$1" ] ||
		    return 1
	done
}

case_begin "B-05 junk that comes between the question and the PUT: again"
content bert
mkfifo "$WORLD/go"
poison bert --wait <"$WORLD/go" >"$WORLD/outcome" 2>&1 &
poisoner=$!
exec 8>"$WORLD/go"
held() {
	exec 8>&-
	kill "$poisoner" 2>/dev/null
	kill -CONT "${SERVICE_PID[store]}"
}
at_end held
ready() {
	grep -qx ready "$WORLD/outcome"
}
wait_for 30 ready || fail "not ready: $(cat "$WORLD/outcome")"
before=$(figure store leases_begun)
kill -STOP "${SERVICE_PID[store]}"
client_begin of-bert --json backup "$WORLD/tree.bert"
wait_for 60 under_way 1 || fail "the client does not begin"
echo go >&8
wait_for 60 under_way 10 || fail "the stolen terminal does not put"
kill -CONT "${SERVICE_PID[store]}"
wait "$poisoner" || fail "$(cat "$WORLD/outcome")"
assert_match 'put=[0-9]{2} conflict=0$' "$(tail -n 1 "$WORLD/outcome")" \
    "the stolen terminal"
client_end of-bert || fail "exit status $?: $(client_out of-bert)"
assert_equal $((before + 2)) "$(figure store leases_begun)" \
    "begun, the second attempt included"
assert_restores of-bert 1 "$WORLD/tree.bert"
case_pass

case_begin "B-05 junk under every id of a chunk: an error, never a wrong backup"
content bert
outcome=$(poison bert --variants 8)
assert_match '^put=[0-9]{2,3} conflict=0$' "$outcome" "the stolen terminal"
failed=0
output=$(keepsake_as of-bert --json backup "$WORLD/tree.bert" \
    2>>"$WORLD_LOG/stderr.log") || failed=$?
[ "$failed" -ne 0 ] || fail "it said that it was backed up: $output"
assert_json '.error == "malformed" and .detail != ""' "$output" error
assert_json 'length == 1' "$(keepsake_as of-bert --json snapshots)" snapshots
content bert
keepsake_as of-bert --quiet backup "$WORLD/tree.bert"
assert_restores of-bert latest "$WORLD/tree.bert"
case_pass

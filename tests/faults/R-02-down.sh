#!/bin/bash
# R-02: any single service may be down: others go on, what needs it is told
# so with a time to come back, and recovers without a restart.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
terminal_of_new two bert
tree_make "$WORLD/tree" 4 12 1
keepsake_as one --quiet backup "$WORLD/tree"
read -r upload _ < <(raw_login one anna UPLOAD)
read -r download _ < <(raw_login one anna DOWNLOAD)
read -r notices _ < <(raw_login one anna NOTICES)
read -r enrol _ < <(raw_login one anna ENROL)

# A message for each service, and whether it is answered.
declare -A MESSAGE=(
	[auth]="ask auth.FACTORS"
	[store]="--ticket $download ask store.SNAPSHOTS"
	[binding]="--ticket $enrol ask binding.TERMINALS"
	[notify]="--ticket $notices ask notify.FETCH"
)

serves() { # SERVICE
	local answer
	# shellcheck disable=SC2086 # arguments
	answer=$(raw one ${MESSAGE[$1]})
	case $1 in
	auth) [[ $answer == malformed* ]] ;; # the message is empty
	*) [[ $answer == ok* ]] ;;
	esac
}

# The gateway has sent some away again, a few times.
refused_since() { # COUNT
	[ "$(figure gateway terminal_refused)" -ge $(($1 + 4)) ]
}

# Two clients want SERVICE.  It is auth that asks binding: it has both under
# way, and this question.
asked_for() { # SERVICE
	if [ "$1" = binding ]; then
		[ "$(figure auth requests_under_way)" -ge 3 ]
	else
		refused_since "$refused"
	fi
}

for name in auth store binding notify; do
	case_begin "R-02 without $name the others go on"
	service_kill "$name"
	for other in auth store binding notify; do
		[ "$other" = "$name" ] || serves "$other" ||
		    fail "$other does not serve"
	done
	expect_status 0 keepsake_as one --quiet status >/dev/null
	case_pass

	case_begin "R-02 without $name its clients are told so, at once"
	# shellcheck disable=SC2086 # arguments
	expect_raw unavailable one ${MESSAGE[$name]} >"$WORLD/said"
	assert_match "$name" "$(cat "$WORLD/said")" detail
	case_pass

	case_begin "R-02 G-04 they wait for $name, and finish when it is back"
	refused=$(figure gateway terminal_refused)
	for terminal in one two; do
		client_begin "$terminal" --json backup "$WORLD/tree"
	done
	# notify is not needed for a backup: what it is to tell waits.
	if [ "$name" != notify ]; then
		wait_for 20 asked_for "$name" || fail "nobody asks"
		client_runs one && client_runs two ||
		    fail "they do not wait: $(client_out one)"
	fi
	service_start "$name"
	for terminal in one two; do
		client_end "$terminal" ||
		    fail "exit status $?: $(client_out "$terminal")"
		assert_restores "$terminal" latest "$WORLD/tree"
	done
	wait_for 10 serves "$name" || fail "$name does not serve"
	case_pass
done

case_begin "R-02 what a service had in hand when it died is told at once"
kill -STOP "${SERVICE_PID[store]}"
# shellcheck disable=SC2086 # arguments
raw one ${MESSAGE[store]} >"$WORLD/said" &
asked=$!
with_service() {
	[ "$(figure gateway terminal_under_way)" -ge 1 ]
}
wait_for 10 with_service || fail "it does not get there"
[ ! -s "$WORLD/said" ] || fail "answered: $(cat "$WORLD/said")"
service_kill store
wait "$asked"
assert_match '^unavailable .*store' "$(cat "$WORLD/said")" answer
service_start store
wait_for 10 serves store || fail "store does not serve"
case_pass

case_begin "R-02 without notify a backup is done, and told later"
service_stop notify
keepsake_as one --quiet backup "$WORLD/tree"
last=$(json '.[-1].snapshot' "$(keepsake_as one --json snapshots)")
[ "$(figure store outbox_waiting)" -ge 1 ] || fail "no notice waits"
service_start notify
told() {
	keepsake_as one --json notices >>"$WORLD/told"
	jq -se "flatten | any(.figures.ordinal == $last)" "$WORLD/told" \
	    >/dev/null
}
wait_for 30 told || fail "not told"
case_pass

# auth asks binding, and answers when it does not: docs/protocol.md.
case_begin "R-02 without binding a login says what is missing"
service_stop binding
said=$(expect_error 5 unavailable one --timeout 11s backup "$WORLD/tree")
assert_match binding "$(json .detail "$said")" detail
service_start binding
case_pass

case_begin "R-02 without store nothing is lost of a backup under way"
tree_make "$WORLD/large" 48 50 2
client_begin one --json backup "$WORLD/large"
begun() {
	[ "$(stat -c %s "$WORLD/store/data.mdb")" -gt $((16 << 20)) ]
}
wait_for 20 begun || fail "the backup does not begin"
refused=$(figure gateway terminal_refused)
service_kill store
wait_for 20 refused_since "$refused" || fail "the client does not ask again"
service_start store
client_end one || fail "exit status $?: $(client_out one)"
assert_restores one latest "$WORLD/large"
expect_raw ok one --ticket "$upload" ask store.SNAPSHOTS >/dev/null
case_pass

# shellcheck shell=bash
# A load of real terminals, for tests of faults.  Source it behind lib.sh:
#
#   load_make large small
#   load_begin large small lists
#   load_remember; service_stop store; service_start store
#   wait_for "$LOAD_SECONDS" load_went_on large small lists
#   load_end; load_assert_kept
#
# A worker does one command after the other until load_end.  Each is to end
# with exit status 0 and to say nothing on standard error: load_went_on fails
# the test, and says what was wrong, when one does not.

readonly LOAD_SECONDS=120 # for two commands of each worker, at worst
declare -A LOAD_PID=()    # of each worker
declare -A LOAD_BEFORE=() # commands that it had done at load_remember

# --- what the workers do -----------------------------------------------------

at_work() {
	[ ! -e "$WORLD/load.rest" ]
}

# keepsake(1), which gives up when the test does.
load_keepsake() { # TERMINAL ARGUMENTS...
	local name=$1
	shift
	keepsake_as "$name" --quiet --timeout "${LOAD_SECONDS}s" "$@"
}

load_command() { # WORKER COMMAND...
	local worker=$1 status=0
	shift
	"$@" >"$WORLD/load.$worker.out" 2>"$WORLD/load.$worker.err" ||
	    status=$?
	if [ "$status" -ne 0 ] || [ -s "$WORLD/load.$worker.err" ]; then
		echo "$worker: exit status $status: $(cat \
		    "$WORLD/load.$worker.out" "$WORLD/load.$worker.err")" \
		    >>"$WORLD/load.wrong"
		return 1
	fi
	echo >>"$WORLD/load.$worker.done"
}

# Back up a tree that changes.  Each ordinal that was acknowledged is noted;
# the first and the last tree are kept.
load_backups() { # WORKER MIB FILES
	local ordinal tree=$WORLD/load.$1.tree kept=$WORLD/load.$1.kept
	mkdir "$kept"
	tree_make "$tree" "$2" "$3" 1
	while at_work; do
		load_command "$1" load_keepsake "$1" --json \
		    backup "$tree" || return 1
		ordinal=$(jq .snapshot "$WORLD/load.$1.out")
		echo "$ordinal" >>"$WORLD/load.$1.acknowledged"
		if [ -e "$kept/first" ]; then
			rm -rf "$kept/last"
			cp -a "$tree" "$kept/last"
		else
			cp -a "$tree" "$kept/first"
		fi
		tree_make "$tree" "$2" "$3" 1 --change 5
	done
}

load_large() {
	load_backups large 16 40
}

load_small() {
	load_backups small 1 10
}

# Ask each service for what it has, over and over: a worker each.  All log in
# first, which takes auth and binding.
load_questions() { # WORKER COMMAND
	while at_work; do
		load_command "$1" load_keepsake "$1" --json "$2" ||
		    return 1
	done
}

load_lists() { # of store
	load_questions lists snapshots
}

load_terminals() { # of binding
	load_questions terminals terminals
}

load_notices() { # of notify
	load_questions notices notices
}

load_sessions() { # of auth
	load_questions sessions sessions
}

# New accounts, each with a terminal that is bound.
load_registers() {
	local n=0
	while at_work; do
		n=$((n + 1))
		terminal "new$n"
		load_command registers load_keepsake "new$n" enrol \
		    "$ENROLMENT" &&
		    load_command registers load_keepsake "new$n" \
			register "account$n" &&
		    load_command registers terminal_bind "new$n" || return 1
		echo "$n" >"$WORLD/load.registered"
	done
}

# --- begin, look, end --------------------------------------------------------

# The accounts and terminals that workers need; the account's name is theirs.
load_make() { # WORKER...
	local worker
	for worker; do
		[ "$worker" = registers ] || terminal_of_new "$worker" "$worker"
	done
}

load_begin() { # WORKER...
	local worker
	: >"$WORLD/load.wrong"
	at_end load_end
	for worker; do
		: >"$WORLD/load.$worker.done"
		"load_$worker" &
		LOAD_PID[$worker]=$!
	done
}

load_end() {
	local worker
	touch "$WORLD/load.rest"
	for worker in "${!LOAD_PID[@]}"; do
		wait "${LOAD_PID[$worker]}" || true
	done
}

load_done() { # WORKER
	wc -l <"$WORLD/load.$1.done"
}

load_remember() {
	local worker
	for worker in "${!LOAD_PID[@]}"; do
		LOAD_BEFORE[$worker]=$(load_done "$worker")
	done
}

load_assert_well() {
	[ ! -s "$WORLD/load.wrong" ] || fail "$(cat "$WORLD/load.wrong")"
}

# These workers have done two commands since load_remember, so that one of
# them began after it.
load_went_on() { # WORKER...
	local worker
	load_assert_well
	for worker; do
		[ "$(load_done "$worker")" -ge \
		    $((${LOAD_BEFORE[$worker]} + 2)) ] || return 1
	done
}

# How far each of them is, to tell why it does not go on.
load_standing() {
	local worker
	for worker in "${!LOAD_PID[@]}"; do
		echo "$worker: ${LOAD_BEFORE[$worker]}, then" \
		    "$(load_done "$worker")"
	done
}

# Everything that was acknowledged to the workers that back up is there.
load_assert_kept() { # WORKER...
	local worker list ordinal noted
	for worker; do
		noted=$WORLD/load.$worker.acknowledged
		list=$(keepsake_as "$worker" --json snapshots)
		while read -r ordinal; do
			assert_json "any(.[]; .snapshot == $ordinal and
			    .readable)" "$list" "$worker: snapshots"
		done <"$noted"
		assert_equal "" "$(sort "$noted" | uniq -d)" \
		    "$worker: acknowledged twice"
		assert_restores "$worker" "$(head -n 1 "$noted")" \
		    "$WORLD/load.$worker.kept/first"
		assert_restores "$worker" "$(tail -n 1 "$noted")" \
		    "$WORLD/load.$worker.kept/last"
	done
}

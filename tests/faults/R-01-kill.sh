#!/bin/bash
# R-01: kill -9 any process at any moment under load: nothing acknowledged is
# missing, nothing unacknowledged is half there, nothing needs a repair.
#
# A round kills one process, two or all of them, and starts them again; the
# load goes on meanwhile and never ends with an error.  Environment: ROUNDS;
# SEED, to take the same moments again.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up "[notify] retry_ms = 200ms" "[notify] retry_ms_max = 1s"
sanitized && usual=6 || usual=24
readonly ROUNDS=${ROUNDS:-$usual} SEED=${SEED:-$RANDOM}
readonly LOOK_EVERY=100 # rounds, and at the end
readonly CARDS=4 PATIENCE=10min
RANDOM=$SEED
echo "ROUNDS=$ROUNDS SEED=$SEED"
mkdir "$WORLD"/{kept,acknowledged,workers}
declare -A WORKER_PID=()

moment() { # MS_MAX: pass up to so much time
	sleep "$(awk "BEGIN { print $((RANDOM % ($1 + 1))) / 1000 }")"
}

# --- the load: each worker does one thing after the other --------------------

# What the server acknowledged is noted in the file acknowledged/WORKER, in
# the order in which it was.
acknowledged() { # WORKER WORDS...
	local worker=$1
	shift
	printf '%s\n' "$*" >>"$WORLD/acknowledged/$worker"
}

goes_on() {
	[ ! -e "$WORLD/stop" ]
}

worker_begin() { # NAME
	(
		RANDOM=$((SEED + ${#1} + 1))
		while goes_on; do
			"work_${1%%[0-9]*}" "$1"
		done
	) >"$WORLD/workers/$1.log" 2>&1 </dev/null &
	WORKER_PID[$1]=$!
}

# One that has ended before it was told to has failed.
worker_check() { # NAME
	kill -0 "${WORKER_PID[$1]}" 2>/dev/null ||
	    fail "$1 has ended: $(tail -n 5 "$WORLD/workers/$1.log")"
}

workers_begin() {
	local name
	rm -f "$WORLD/stop"
	for name in $WORKERS; do
		worker_begin "$name"
	done
}

workers_end() {
	local name
	touch "$WORLD/stop"
	for name in "${!WORKER_PID[@]}"; do
		wait "${WORKER_PID[$name]}" ||
		    fail "$name: $(tail -n 5 "$WORLD/workers/$name.log")"
		unset "WORKER_PID[$name]"
	done
}

as_worker() { # TERMINAL ARGUMENTS...
	keepsake_as "$@" --timeout "$PATIENCE"
}

# A few files of a small tree become others.
tree_change() { # TREE
	local i
	mkdir -p "$1/folder"
	for i in 1 2 3; do
		head -c $((RANDOM + 1)) /dev/urandom \
		    >"$1/folder/file $((RANDOM % 8))"
	done
}

# Backups by a standing grant: one that is killed leaves no try open.
work_backup() { # WORKER, which is its terminal too
	local tree=$WORLD/workers/$1.tree out=$WORLD/workers/$1.out ordinal pid
	tree_change "$tree"
	"$BUILD/keepsake" --state "$WORLD/terminal/$1" --timeout "$PATIENCE" \
	    --json backup --unattended "$tree" >"$out" &
	pid=$!
	if [ $((RANDOM % 4)) -eq 0 ]; then
		moment 150
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" || [ $? -eq 137 ]
		[ -s "$out" ] || return 0
	else
		wait "$pid"
	fi
	ordinal=$(jq -er .snapshot "$out")
	[ ! -e "$WORLD/kept/$1/$ordinal" ]
	mkdir -p "$WORLD/kept/$1"
	cp -a "$tree" "$WORLD/kept/$1/$ordinal"
	acknowledged "$1" "$ordinal"
}

# New accounts, each with its terminal.
work_account() { # WORKER
	local name
	name=t$(date +%s%N)
	terminal_enrolled "$name"
	as_worker "$name" --quiet register "of-$name"
	acknowledged "$1" registered "$name"
	terminal_bind "$name" --timeout "$PATIENCE"
	acknowledged "$1" bound "$name"
}

# Cards, whose number rises with each save.
work_card() { # WORKER, which is its terminal too
	local card=$((RANDOM % CARDS)) number
	number=$(($(cat "$WORLD/workers/$1.number" 2>/dev/null || echo 0) + 1))
	echo "$number" >"$WORLD/workers/$1.number"
	as_worker "$1" --quiet card save --iccid "$(card_number "$card")" \
	    --number "+49151$((1000000 + number))"
	acknowledged "$1" "$card" "+49151$((1000000 + number))"
}

# The password becomes another, and another.
work_password() { # WORKER, which is its terminal too
	local secret=$WORLD/workers/$1.secret
	(umask 077 && echo "password $RANDOM of $1 $RANDOM" >"$secret.new")
	as_worker "$1" --password-file "$secret" --quiet password \
	    --new-password-file "$secret.new"
	mv "$secret.new" "$secret"
	acknowledged "$1" changed
}

# --- a round -----------------------------------------------------------------

killed=0
round() {
	local names name count=1
	case $((RANDOM % 10)) in
	0) count=5 ;;
	1 | 2) count=2 ;;
	esac
	names=$(shuf -n "$count" -e $SERVICES \
	    --random-source=<(yes "$RANDOM"))
	moment 250
	for name in $names; do
		service_kill "$name"
		killed=$((killed + 1))
	done
	# Now and then once more, while it starts.
	if [ $((RANDOM % 8)) -eq 0 ]; then
		name=${names%%[[:space:]]*}
		service_launch "$name"
		moment 100
		service_kill "$name"
		killed=$((killed + 1))
	fi
	moment 60
	for name in $names; do
		service_launch "$name"
	done
	for name in $names; do
		service_ready "$name"
	done
	for name in $WORKERS; do
		worker_check "$name"
	done
}

# --- looking -----------------------------------------------------------------

lines() { # WORKER: what was acknowledged to it
	cat "$WORLD/acknowledged/$1" 2>/dev/null || true
}

# Every acknowledged snapshot is there, and each that is listed is whole.
look_at_backups() { # TERMINAL
	local list ordinal looked=$WORLD/workers/$1.looked target
	touch "$looked"
	list=$(keepsake_as "$1" --json snapshots)
	assert_json 'all(.[]; .readable)' "$list" "snapshots of $1"
	while read -r ordinal; do
		assert_json "any(.[]; .snapshot == $ordinal)" "$list" \
		    "acknowledged to $1"
	done < <(lines "$1")
	while read -r ordinal; do
		! grep -qx "$ordinal" "$looked" || continue
		if [ -d "$WORLD/kept/$1/$ordinal" ]; then
			assert_restores "$1" "$ordinal" \
			    "$WORLD/kept/$1/$ordinal"
			rm -rf "$WORLD/kept/$1/$ordinal"
		else
			target=$(mktemp -d "$WORLD/whole.XXXXXX")
			keepsake_as "$1" --quiet restore "$ordinal" --verify \
			    --target "$target"
			rm -rf "$target"
		fi
		echo "$ordinal" >>"$looked"
	done < <(jq '.[].snapshot' <<<"$list")
	[ -z "$(ls "$WORLD/kept/$1" 2>/dev/null)" ] ||
	    fail "$1: not listed: $(ls "$WORLD/kept/$1")"
}

look_at_accounts() { # WORKER
	local what name registered bound
	while read -r what name; do
		[ "$what" = bound ] || continue
		assert_equal '[]' "$(keepsake_as "$name" --json snapshots)" \
		    "account of $name"
		rm -rf "$WORLD/terminal/$name"
	done < <(lines "$1" | tail -n "+$((accounts_seen + 1))")
	accounts_seen=$(lines "$1" | wc -l)
	registered=$(lines "$1" | grep -c ^registered || true)
	bound=$(lines "$1" | grep -c ^bound || true)
	assert_equal $((registered + accounts_before)) \
	    "$(figure auth accounts)" accounts
	assert_equal $((bound + terminals_before)) \
	    "$(figure binding terminals)" terminals
}

look_at_cards() { # WORKER, its terminal
	local card number
	for ((card = 0; card < CARDS; card++)); do
		number=$(lines "$1" | sed -n "s/^$card //p" | tail -n 1)
		[ -n "$number" ] || continue
		assert_json ".number == \"$number\"" "$(keepsake_as "$1" \
		    --json card fetch "$(card_number "$card")")" "card $card"
	done
}

look_at_password() { # WORKER, its terminal
	keepsake_as "$1" --password-file "$WORLD/workers/$1.secret" --quiet \
	    snapshots >/dev/null
}

# The other terminal of the account is told of every backup.
told() { # TERMINAL WATCHER
	keepsake_as "$2" --json notices |
	    jq -r '.[] | select(.kind == "backup_done") | .figures.ordinal' \
	    >>"$WORLD/workers/$2.told"
	[ -z "$(lines "$1" | sort |
	    comm -23 - <(sort -u "$WORLD/workers/$2.told"))" ]
}

look() {
	local name
	look_at_backups backup1
	look_at_backups backup2
	look_at_cards card
	look_at_password password
	look_at_accounts account
	wait_for 120 told backup1 watcher ||
	    fail "not told: $(lines backup1 | sort | comm -23 - \
		<(sort -u "$WORLD/workers/watcher.told") | tr '\n' ' ')"
	keepsakectl audit verify >"$WORLD/workers/audit" ||
	    fail "audit: $(cat "$WORLD/workers/audit")"
}

# --- the cases ---------------------------------------------------------------

readonly WORKERS="backup1 backup2 account card password"
terminal_of_new backup1 anna
terminal_of_new backup2 bert
terminal_of_new card cleo
terminal_of_new password dora
for name in backup1 backup2; do
	keepsake_as "$name" --quiet grant add --upload
done
terminal_of watcher anna
cp -p "$WORLD/secret.password" "$WORLD/workers/password.secret"
accounts_before=$(figure auth accounts)
terminals_before=$(figure binding terminals)
accounts_seen=0

case_begin "R-01 $ROUNDS rounds of kills: all that is under way ends well"
begin=$SECONDS
for ((done_rounds = 0; done_rounds < ROUNDS;)); do
	workers_begin
	for ((k = 0; k < LOOK_EVERY && done_rounds < ROUNDS; k++)); do
		round
		done_rounds=$((done_rounds + 1))
	done
	workers_end
	[ "$done_rounds" -eq "$ROUNDS" ] || {
		look
		echo "round $done_rounds, $((SECONDS - begin)) s"
	}
done
echo "$killed kills in $((SECONDS - begin)) s; acknowledged:" \
    "$(cat "$WORLD"/acknowledged/* | wc -l)"
for name in $WORKERS; do
	[ -n "$(lines "$name")" ] || fail "$name did nothing"
done
case_pass

case_begin "R-01 nothing acknowledged is missing, nothing is half there"
look
case_pass

case_begin "R-01 B-08 a backup goes on where its service was killed"
tree_make "$WORLD/tree" 24 40 1
for name in store gateway auth; do
	client_begin backup1 --json backup --unattended "$WORLD/tree"
	moment 600
	service_kill "$name"
	moment 200
	service_start "$name"
	client_end backup1 || fail "exit status $?: $(client_out backup1)"
	assert_restores backup1 latest "$WORLD/tree"
	tree_make "$WORLD/tree" 24 40 1 --change 5
done
case_pass

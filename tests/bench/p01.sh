#!/bin/bash
# tests/bench/p01.sh: P-01, and of P-06 the client in it.
#
# Back up a tree, back it up again after 2 % of its files changed, restore
# and verify it: keepsake, restic (to "rclone serve restic") and borg (to a
# folder), on the same tree in the same warm cache, in alternating order,
# each with a fresh repository a round.  README.md says what is counted.
#
# Environment: BUILD (build), REPEAT (3), MIB (512), FILES (2000),
# TOOLS ("keepsake restic borg"), TMPDIR (the disk that is written to).
# The figures go to BUILD/bench-p01.tsv too.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"

readonly REPEAT=${REPEAT:-3} MIB=${MIB:-512} FILES=${FILES:-2000}
readonly TOOLS=${TOOLS:-keepsake restic borg}
readonly SEED=1 CHANGE_PERCENT=2
readonly LOGIN_FALL_KIB=49152 # most of what Argon2id took, given back

bench=$(mktemp -d "${TMPDIR:-/tmp}/bench.XXXXXX")
tree=$bench/tree
restored=$bench/restored
bench_log=$bench/log
measures=$bench/measures # lines: TOOL STEP WALL CLIENT-CPU SERVER-CPU
command=()              # what a TOOL_STEP function wants run

bench_end() {
	# shellcheck disable=SC2154 # of world_end
	[ "$status" -eq 0 ] || tail -n 20 "$bench_log" >&2
	restic_end
	rm -rf "$bench"
}
at_end bench_end

# --- keepsake: the only place that knows its command line --------------------

keepsake_setup() {
	# shellcheck disable=SC2119 # the defaults
	world_up
	terminal bench
	keepsake=("$BUILD/keepsake" --state "$WORLD/terminal/bench")
	printf 'correct horse battery staple\n' >"$WORLD/password"
	chmod 0600 "$WORLD/password"
	"${keepsake[@]}" enrol "$ENROLMENT"
	"${keepsake[@]}" --password-file "$WORLD/password" register bench
	"${keepsake[@]}" --password-file "$WORLD/password" \
	    --verification-file "$WORLD/password" bind --serial bench
}

keepsake_first() {
	command=("${keepsake[@]}" backup "$tree"
		--password-file "$WORLD/password")
}

keepsake_again() {
	keepsake_first
}

keepsake_restore() {
	command=("${keepsake[@]}" restore latest --target "$restored" --verify
		--password-file "$WORLD/password")
}

keepsake_restored() {
	echo "$restored"
}

keepsake_stored() {
	stored_bytes "$WORLD/store"
}

keepsake_servers() {
	echo "${SERVICE_PID[@]}"
}

keepsake_end() {
	world_down
}

# --- restic ------------------------------------------------------------------

rclone_pid=

restic_setup() {
	local port
	port=$(free_port)
	mkdir "$bench/restic"
	RCLONE_CONFIG=$bench/rclone.conf rclone serve restic \
	    --addr "127.0.0.1:$port" "$bench/restic" >>"$bench_log" 2>&1 &
	rclone_pid=$!
	wait_for "$READY_SECONDS_MAX" port_open "$port" ||
	    fail "rclone does not serve"
	export RESTIC_PASSWORD=password RESTIC_CACHE_DIR=$bench/restic-cache
	export RESTIC_REPOSITORY=rest:http://127.0.0.1:$port/
	restic init
}

restic_first() {
	command=(restic backup "$tree")
}

restic_again() {
	restic_first
}

restic_restore() {
	command=(restic restore latest --target "$restored" --verify)
}

restic_restored() {
	echo "$restored$tree"
}

restic_stored() {
	stored_bytes "$bench/restic"
}

restic_servers() {
	echo "$rclone_pid"
}

restic_end() {
	[ -n "$rclone_pid" ] || return 0
	kill "$rclone_pid" 2>/dev/null || true
	wait "$rclone_pid" || true
	rclone_pid=
	rm -rf "$bench/restic" "$bench/restic-cache"
}

# --- borg --------------------------------------------------------------------

borg_setup() {
	export BORG_PASSPHRASE=password BORG_BASE_DIR=$bench/borg-base
	export BORG_REPO=$bench/borg
	mkdir "$BORG_BASE_DIR"
	borg init -e repokey-blake2
}

borg_first() {
	command=(env -C "$bench" borg create ::first tree)
}

borg_again() {
	command=(env -C "$bench" borg create ::again tree)
}

borg_restore() {
	mkdir "$restored"
	command=(env -C "$restored" borg extract ::again)
}

borg_restored() {
	echo "$restored/tree"
}

borg_stored() {
	stored_bytes "$BORG_REPO"
}

borg_servers() {
	:
}

borg_end() {
	rm -rf "$bench/borg" "$bench/borg-base"
}

# --- measuring ---------------------------------------------------------------

port_open() { # PORT
	(: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# On the disk, without what the store holds back so that deleting works when
# the disk is full: that is no data, and as large when there is none.
stored_bytes() { # FOLDER
	du -s --block-size=1 --exclude=reserve "$1" | cut -f1
}

# CPU seconds that processes have used; 0 without any.
cpu_seconds() { # PID...
	local pid
	for pid in "$@"; do
		sed 's/.*) //' "/proc/$pid/stat"
	done | awk -v hz="$(getconf CLK_TCK)" '
		{ ticks += $12 + $13 }
		END { printf "%.2f\n", ticks / hz }'
}

tree_first() {
	rm -rf "$tree"
	"$BUILD/tests/tool/maketree" "$tree" --bytes $((MIB << 20)) \
	    --files "$FILES" --seed "$SEED"
}

tree_again() {
	"$BUILD/tests/tool/maketree" "$tree" --bytes $((MIB << 20)) \
	    --files "$FILES" --seed "$SEED" --change "$CHANGE_PERCENT"
}

tree_restore() {
	:
}

# Run a step of a tool and note what it took.  Nobody pays for the pages
# that another left to be written.
measure() { # TOOL STEP
	local servers wall user kernel before after
	local TIMEFORMAT='%R %U %S'
	"$1_$2"
	servers=$("$1_servers")
	sync
	# shellcheck disable=SC2086 # one argument a process
	before=$(cpu_seconds $servers)
	{ time "${command[@]}" >>"$bench_log" 2>&1; } 2>"$bench/time" ||
	    fail "$1 $2 failed"
	# shellcheck disable=SC2086
	after=$(cpu_seconds $servers)
	read -r wall user kernel <"$bench/time"
	awk -v tool="$1" -v step="$2" -v wall="$wall" -v user="$user" \
	    -v kernel="$kernel" -v before="$before" -v after="$after" '
		BEGIN {
			printf "%s %s %.3f %.2f %.2f\n", tool, step, wall,
			    user + kernel, after - before
		}' | tee -a "$measures"
}

# A fast step is no use if its result is wrong: only ours has to bring back
# the times of folders too.
restored_check() { # TOOL
	if [ "$1" = keepsake ]; then
		"$BUILD/tests/tool/comparetree" "$tree" "$("$1_restored")"
	else
		diff -r "$tree" "$("$1_restored")"
	fi || fail "$1: not what was backed up"
	rm -rf "$restored"
}

bench_round() { # TOOL...
	local tool step
	for tool in "$@"; do
		"${tool}_setup" >>"$bench_log" 2>&1
	done
	for step in first again restore; do
		"tree_$step"
		for tool in "$@"; do
			measure "$tool" "$step"
			[ "$step" != restore ] || restored_check "$tool"
		done
	done
	for tool in "$@"; do
		echo "$tool stored $("${tool}_stored")" >>"$measures"
		"${tool}_end"
	done
}

# --- memory: a pass of its own, as looking often takes time -------------------

# The anonymous memory of a process, KiB, every 10 ms until it ends.
anon_samples() { # PID
	local key value
	while kill -0 "$1" 2>/dev/null; do
		while read -r key value _; do
			[ "$key" != RssAnon: ] || echo "$value"
		done 2>/dev/null <"/proc/$1/status" || true
		read -rt 0.01 -u "$tick" || true
	done
}

# The login's memory is given back at once: behind the first such fall the
# work itself begins.
memory_step() { # STEP
	local pid
	"keepsake_$1"
	"${command[@]}" >>"$bench_log" 2>&1 &
	pid=$!
	anon_samples "$pid" >"$bench/samples"
	wait "$pid" || fail "keepsake $1 failed"
	awk -v step="$1" -v fall="$LOGIN_FALL_KIB" '
		$1 > peak { peak = $1 }
		!working && last - $1 >= fall { working = 1; peak_work = 0 }
		$1 > peak_work { peak_work = $1 }
		{ last = $1 }
		END { print "keepsake memory-" step, peak, peak_work }
	' "$bench/samples" | tee -a "$measures"
}

memory_round() {
	local tick step name
	mkfifo "$bench/tick"
	exec {tick}<>"$bench/tick"
	keepsake_setup >>"$bench_log" 2>&1
	for step in first again restore; do
		"tree_$step"
		memory_step "$step"
	done
	for name in $SERVICES; do
		awk -v name="$name" '
			$1 == "VmRSS:" { all = $2 }
			$1 == "RssAnon:" { anon = $2 }
			END { print "keepsake service-" name, all, anon }
		' "/proc/${SERVICE_PID[$name]}/status" >>"$measures"
	done
	keepsake_end
}

# --- the report --------------------------------------------------------------

report() {
	awk -v tools="$TOOLS" -v tsv="$BUILD/bench-p01.tsv" '
	function median(key,    count, list, i, k, held) {
		count = split(values[key], list, " ")
		if (count == 0)
			return ""
		for (i = 2; i <= count; i++) {
			held = list[i] + 0
			for (k = i; k > 1 && list[k - 1] + 0 > held; k--)
				list[k] = list[k - 1]
			list[k] = held
		}
		i = int((count + 1) / 2)
		k = int(count / 2) + 1
		return (list[i] + list[k]) / 2
	}
	function row(what, key, unit, scale,    i, ours, cell) {
		printf "%-22s", what
		ours = median("keepsake " key)
		for (i = 1; i <= tools_count; i++) {
			cell = median(tool[i] " " key)
			printf " %12.2f", cell / scale
			printf "P-01\t%s\t%s\t%s\t%s\n", key, tool[i],
			    unit, cell >tsv
		}
		for (i = 1; i <= tools_count; i++) {
			if (tool[i] == "keepsake")
				continue
			cell = median(tool[i] " " key)
			if (ours + 0 == 0) {
				printf " %12s", "-"
				continue
			}
			printf " %12.2f", cell / ours
			printf "P-01\t%s\t%s/keepsake\tratio\t%.3f\n", key,
			    tool[i], cell / ours >tsv
		}
		print ""
	}
	$2 == "stored" { values[$1 " " $2] = values[$1 " " $2] " " $3; next }
	$2 ~ /^(memory|service)-/ { memory[++memories] = $0; next }
	{
		values[$1 " " $2] = values[$1 " " $2] " " $3
		values[$1 " client-" $2] = values[$1 " client-" $2] " " $4
		values[$1 " server-" $2] = values[$1 " server-" $2] " " $5
	}
	END {
		tools_count = split(tools, tool, " ")
		print "id\twhat\twho\tunit\tvalue" >tsv
		printf "%-22s", ""
		for (i = 1; i <= tools_count; i++)
			printf " %12s", tool[i]
		for (i = 1; i <= tools_count; i++)
			if (tool[i] != "keepsake")
				printf " %12s", tool[i] "/ours"
		print ""
		split("first again restore", steps, " ")
		what["first"] = "first backup"
		what["again"] = "after a change"
		what["restore"] = "restore and verify"
		for (i = 1; i <= 3; i++)
			row(what[steps[i]] ", s", steps[i], "seconds", 1)
		row("stored, MB", "stored", "bytes", 1000000)
		for (i = 1; i <= 3; i++) {
			row(" client CPU " steps[i] ", s",
			    "client-" steps[i], "seconds", 1)
			row(" server CPU " steps[i] ", s",
			    "server-" steps[i], "seconds", 1)
		}
		if (memories == 0)
			exit
		printf "\n%-22s %12s %12s\n", "memory, MiB", "peak anon",
		    "after login"
		for (i = 1; i <= memories; i++) {
			split(memory[i], field, " ")
			if (field[2] !~ /^memory-/)
				continue
			sub(/^memory-/, "", field[2])
			printf "%-22s %12.1f %12.1f\n", "client, " field[2],
			    field[3] / 1024, field[4] / 1024
			printf "P-06\tclient-%s\tpeak\tKiB\t%d\n", field[2],
			    field[3] >tsv
			printf "P-06\tclient-%s\tafter login\tKiB\t%d\n",
			    field[2], field[4] >tsv
		}
		printf "\n%-22s %12s %12s\n", "memory, MiB", "resident",
		    "of it anon"
		for (i = 1; i <= memories; i++) {
			split(memory[i], field, " ")
			if (field[2] !~ /^service-/)
				continue
			sub(/^service-/, "", field[2])
			printf "%-22s %12.1f %12.1f\n", field[2],
			    field[3] / 1024, field[4] / 1024
			printf "P-06\t%s\tresident\tKiB\t%d\n", field[2],
			    field[3] >tsv
			printf "P-06\t%s\tanon\tKiB\t%d\n", field[2],
			    field[4] >tsv
		}
	}' "$measures"
}

# --- main --------------------------------------------------------------------

# The Debian package of each program has its name, but for borg.
packages_check() {
	local program missing=
	for program in restic:restic restic:rclone borg:borg; do
		[[ " $TOOLS " == *" ${program%:*} "* ]] || continue
		command -v "${program#*:}" >/dev/null ||
		    missing+=" ${program#*:}"
	done
	[ -z "$missing" ] || fail "missing: apt-get install" \
	    "${missing/borg/borgbackup}"
}

packages_check
read -ra tools <<<"$TOOLS"
echo "P-01: $MIB MiB in $FILES files, $REPEAT rounds, medians;" \
    "$(nproc) CPUs, $(stat -f -c %T "$bench") at $bench"
: >"$measures"
for ((round = 0; round < REPEAT; round++)); do
	echo "round $((round + 1)): TOOL STEP WALL CLIENT-CPU SERVER-CPU"
	first=$((round % ${#tools[@]}))
	bench_round "${tools[@]:first}" "${tools[@]:0:first}"
done
if [[ " $TOOLS " == *" keepsake "* ]]; then
	memory_round
fi
echo
report

# shellcheck shell=bash
# What a test of the real processes needs.  Source it first:
#
#   . "$(dirname "$0")/../scenario/lib.sh"
#   world_up
#   case_begin "A-03 an upload needs a ticket"
#   ...
#   case_pass
#
# It leaves nothing behind, however the script ends: no process, no file.
# Environment: BUILD, where the programs are (build); TEST_CASES, the file
# that takes a line for each case (tests/run gives it).
set -euo pipefail

BUILD=$(realpath "${BUILD:-$(dirname "${BASH_SOURCE[0]}")/../../build}")
TEST_NAME=${TEST_NAME:-$(basename "$0" .sh)}
TEST_CASES=${TEST_CASES:-/dev/null}
export LC_ALL=C.UTF-8

readonly READY_SECONDS_MAX=30
readonly STOP_SECONDS_MAX=10 # G-06
readonly SERVICES="auth store binding notify gateway"

WORLD=          # the folder of everything, once world_up has run
WORLD_PORT=     # of the gateway, on 127.0.0.1
WORLD_CONFIG=   # the configuration file
WORLD_LOG=      # the folder of the services' logs: NAME.log
ENROLMENT=      # what a new terminal is given
declare -A SERVICE_PID=()
declare -A SERVICE_OFFSET=() # where the log of its present run begins
declare -A CLIENT_PID=()
SERVICE_WITHIN=() # a command that services are started by, and terminals
CLIENT_WITHIN=()

# --- cases -----------------------------------------------------------------

case_open=
case_since=$EPOCHREALTIME
cases_failed=0

# case_line RESULT "ID ID what"
case_line() {
	local ids='' text=$2 seconds
	while [[ $text =~ ^([A-Z]-[0-9][0-9])([ ]+(.*))?$ ]]; do
		ids+="${ids:+ }${BASH_REMATCH[1]}"
		text=${BASH_REMATCH[3]}
	done
	seconds=$(awk "BEGIN { printf \"%.3f\", $EPOCHREALTIME - $case_since }")
	case_since=$EPOCHREALTIME
	printf '%s\t%s: %s\t%s\t%s\n' "${ids:--}" "$TEST_NAME" "$text" "$1" \
	    "$seconds" >>"$TEST_CASES"
	printf '%s: %s\n' "$1" "$2"
	case_open=
}

# Name the case that begins: if the script dies now, this case failed.
case_begin() { # "ID... what"
	case_open=$1
	case_since=$EPOCHREALTIME
}

case_pass() { # ["ID... what"], default: as begun
	case_line pass "${1:-$case_open}"
}

case_fail() { # "ID... what"; the script goes on and fails at its end
	cases_failed=$((cases_failed + 1))
	case_line fail "$1"
}

case_skip() { # "ID... what: why it cannot run here"
	case_line skip "$1"
}

# --- assertions: say what is wrong, then end the script ----------------------

fail() { # TEXT...
	echo "$TEST_NAME: line ${BASH_LINENO[-2]}: $*" >&2
	exit 1
}

assert_equal() { # WANT GOT [WHAT]
	[ "$1" = "$2" ] || fail "${3:-value}: want '$1', got '$2'"
}

assert_match() { # REGEX TEXT [WHAT]
	[[ $2 =~ $1 ]] || fail "${3:-text}: '$2' does not match '$1'"
}

assert_no_match() { # REGEX TEXT [WHAT]
	[[ ! $2 =~ $1 ]] || fail "${3:-text}: '$2' matches '$1'"
}

assert_at_most() { # LIMIT GOT [WHAT]: numbers, also with a point
	awk -v limit="$1" -v got="$2" 'BEGIN { exit !(got <= limit) }' ||
	    fail "${3:-number}: want at most $1, got $2"
}

assert_json() { # FILTER TEXT [WHAT]: jq's FILTER is true of TEXT
	jq -e "$1" <<<"$2" >/dev/null 2>&1 ||
	    fail "${3:-JSON}: '$1' is not true of $2"
}

json() { # FILTER TEXT: what the filter gives, raw
	jq -er "$1" <<<"$2" || fail "JSON: no '$1' in $2"
}

# Run a command, its output as always, and insist on its exit status.
expect_status() { # CODE COMMAND...
	local want=$1 got=0
	shift
	"$@" || got=$?
	[ "$got" -eq "$want" ] || fail "exit status $got, want $want: $*"
}

# Kill what was begun in the background, a function of this file too: then the
# number is a shell's, and what it waits for is meant.
kill_begun() { # SIGNAL PID
	pkill "-$1" -P "$2" || kill "-$1" "$2" 2>/dev/null || true
}

# Wait until a command succeeds; false when SECONDS (12, 0.5) have passed.
wait_for() { # SECONDS COMMAND...
	local deadline
	deadline=$(awk "BEGIN { printf \"%.6f\", $EPOCHREALTIME + $1 }")
	shift
	until "$@"; do
		[[ $EPOCHREALTIME < $deadline ]] || return 1
		sleep 0.02
	done
}

# --- the world ---------------------------------------------------------------

# A port nobody listens on, below those that the kernel hands out itself; of
# those that tests/run leaves to this job, and none twice.
ports_given=$(mktemp "${TMPDIR:-/tmp}/ports.XXXXXX")
free_port() {
	local port first=$((10240 + ${TEST_SLOT:-0} * 2700))
	while :; do
		port=$((first + RANDOM % 2700))
		grep -qx "$port" "$ports_given" ||
		    grep -qi ":$(printf %04x "$port") [0-9A-F:]* 0A" \
			/proc/net/tcp /proc/net/tcp6 2>/dev/null || break
	done
	echo "$port" | tee -a "$ports_given"
}

# Whether the programs were built with a sanitizer, whose own memory is above
# any limit that a program could be given.
sanitized() {
	grep -q __asan_init "$BUILD/keepsake-gateway"
}

# The configuration of a world: the only place that knows its keys.
world_config() { # FOLDER PORT
	cat <<-END
	[common]
	run = $1/run
	keys = $1/keys

	[auth]
	data = $1/auth
	ledger = $1/auth.ledger
	backups = $1/auth.backups
	proofs_per_minute_account = 100000
	proofs_per_minute_address = 100000

	[store]
	data = $1/store
	ledger = $1/store.ledger
	backups = $1/store.backups

	[binding]
	data = $1/binding
	ledger = $1/binding.ledger
	backups = $1/binding.backups

	[notify]
	data = $1/notify
	ledger = $1/notify.ledger
	backups = $1/notify.backups

	[gateway]
	listen = tcp://127.0.0.1:$2
	public_address = 127.0.0.1:$2
	$(! sanitized || echo memory_max = 0)
	END
}

# Run a command when the script ends, before the services are stopped; it
# finds the exit status so far in $status.
at_end() { # COMMAND...
	end_commands+=("${*@Q}")
}
end_commands=()

# Make a world and start every service of it.  Each argument is a line of
# configuration with its section: world_up "[store] quota = 1M".
world_up() { # ["[SECTION] KEY = VALUE"...]
	world_make "$@"
	local name
	for name in $SERVICES; do
		service_start "$name"
	done
}

# The same without starting a service.
world_make() { # ["[SECTION] KEY = VALUE"...]
	[ -z "$WORLD" ] || fail "there is a world already"
	# A short path: a socket's name has 107 bytes at most.
	WORLD=$(mktemp -d "${TMPDIR:-/tmp}/world.XXXXXX")
	WORLD_PORT=$(free_port)
	WORLD_CONFIG=$WORLD/keepsake.conf
	WORLD_LOG=$WORLD/log
	mkdir -m 0700 "$WORLD"/{run,log,terminal} \
	    "$WORLD"/{auth,store,binding,notify}{,.ledger}
	world_config "$WORLD" "$WORLD_PORT" >"$WORLD_CONFIG"
	local line
	for line in "$@"; do
		[[ $line =~ ^(\[[a-z]+\])[[:space:]]+(.+)$ ]] ||
		    fail "not '[section] key = value': $line"
		printf '\n%s\n%s\n' "${BASH_REMATCH[@]:1:2}" >>"$WORLD_CONFIG"
	done
	keepsakectl keys make >"$WORLD_LOG/keys.log"
	# shellcheck disable=SC2034 # for the scripts
	ENROLMENT=$(keepsakectl enrolment)
}

keepsakectl() { # ARGUMENTS...
	"$BUILD/keepsakectl" --config "$WORLD_CONFIG" "$@"
}

# Start a service and wait until it serves.  A second one of a kind has a
# number and a configuration of its own: service_start gateway2 FILE.
service_start() { # NAME [CONFIG]
	service_launch "$@"
	service_ready "$1"
}

# The two halves of it, for starting several at once.
service_launch() { # NAME [CONFIG]
	local name=$1 config=${2:-$WORLD_CONFIG}
	local log=$WORLD_LOG/$name.log
	touch "$log"
	SERVICE_OFFSET[$name]=$(stat -c %s "$log")
	# Of the gateway the bearer itself, so that what is killed is gone.
	local bearer=()
	[[ $name != gateway* ]] || bearer=(zmtp)
	"${SERVICE_WITHIN[@]}" "$BUILD/keepsake-${name%%[0-9]*}" "${bearer[@]}" --config "$config" \
	    >>"$log" 2>&1 </dev/null &
	SERVICE_PID[$name]=$!
}

service_ready() { # NAME
	log_wait "$1" '( |^)event=ready( |$)|"event":"ready"' "$READY_SECONDS_MAX" \
	    "${SERVICE_OFFSET[$1]}" ||
	    fail "$1 is not ready: $(tail -n 20 "$WORLD_LOG/$1.log")"
}

# Start a service whose clock is ahead: service_start_ahead +61m auth.  Its
# database knows from then on how late it is, and the clock never goes back.
service_start_ahead() { # OFFSET NAME [CONFIG]
	local offset=$1
	shift
	LD_PRELOAD=$(echo /usr/lib/*/faketime/libfaketimeMT.so.1) \
	    FAKETIME=$offset \
	    ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0 \
	    service_start "$@"
}

# Wait until the log of a service has a line that matches; false when the
# time is up or the service ended.  OFFSET: look behind so many bytes only.
log_wait() { # NAME REGEX [SECONDS [OFFSET]]
	local tail found=0
	exec {tail}< <(exec timeout "${3:-$READY_SECONDS_MAX}" tail \
	    -c "+$((${4:-0} + 1))" -f -s 0.1 \
	    --pid="${SERVICE_PID[$1]:-$$}" "$WORLD_LOG/$1.log")
	local pid=$!
	grep -qE -m1 -- "$2" <&"$tail" || found=1
	exec {tail}<&-
	kill "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	return "$found"
}

# Give the world one more gateway, gatewayN with N from 2 on, before the
# services start: they read their allow-lists then.  Its key is its own and
# its configuration $WORLD/gatewayN.conf; the enrolment string names it too.
gateway_add() { # N
	local port file=$WORLD/gateway$1.conf
	port=$(free_port)
	keepsakectl keys make "gateway-$1" >>"$WORLD_LOG/keys.log"
	sed -i "s|^public_address = .*|& 127.0.0.1:$port,gateway-$1|" \
	    "$WORLD_CONFIG"
	sed "s|^listen = .*|listen = tcp://127.0.0.1:$port\nname = gateway-$1|" \
	    "$WORLD_CONFIG" >"$file"
	# shellcheck disable=SC2034 # for the scripts
	ENROLMENT=$(keepsakectl enrolment)
}

service_gone() { # NAME
	! kill -0 "${SERVICE_PID[$1]}" 2>/dev/null
}

# Stop a service as an operator does; returns its exit status, or 124 for
# one that had to be killed because it did not end in time.
service_stop() { # NAME
	kill -TERM "${SERVICE_PID[$1]}" 2>/dev/null || true
	service_wait "$1"
}

service_wait() { # NAME, which was told to stop
	local pid=${SERVICE_PID[$1]} status=0
	if wait_for "$STOP_SECONDS_MAX" service_gone "$1"; then
		wait "$pid" || status=$?
	else
		service_kill "$1"
		return 124
	fi
	unset "SERVICE_PID[$1]"
	return "$status"
}

# End a service as a power cut does.
service_kill() { # NAME
	local pid=${SERVICE_PID[$1]}
	kill -KILL "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	unset "SERVICE_PID[$1]"
}

# Stop everything and remove the folder.  False where a service had died,
# did not end well, or a sanitizer had something to say.
world_down() {
	local name status=0 bad=0
	[ -n "$WORLD" ] || return 0
	for name in "${!CLIENT_PID[@]}"; do
		client_kill "$name"
	done
	# At once, so that it takes as long as the slowest and not their sum.
	for name in "${!SERVICE_PID[@]}"; do
		kill -TERM "${SERVICE_PID[$name]}" 2>/dev/null || {
			echo "$name had ended before" >&2
			bad=1
		}
	done
	for name in "${!SERVICE_PID[@]}"; do
		status=0
		service_wait "$name" || status=$?
		if [ "$status" -ne 0 ]; then
			echo "$name ended with status $status" >&2
			bad=1
		fi
	done
	if grep -rE 'ERROR: (Address|Leak|Thread)Sanitizer|runtime error:' \
	    "$WORLD_LOG" >&2; then
		bad=1
	fi
	rm -rf "$WORLD"
	WORLD=
	return "$bad"
}

world_end() {
	local status=$?
	trap '' TERM INT HUP
	set +e
	if [ -n "$case_open" ]; then
		case_fail "$case_open"
		status=1
	fi
	[ "$cases_failed" -eq 0 ] || status=1
	local command
	for command in "${end_commands[@]}"; do
		eval "$command"
	done
	if [ "$status" -ne 0 ] && [ -n "$WORLD" ]; then
		tail -n 40 "$WORLD_LOG"/*.log >&2
	fi
	world_down || status=1
	rm -f "$ports_given"
	exit "$status"
}
trap world_end EXIT
trap 'exit 143' TERM INT HUP

# --- terminals ---------------------------------------------------------------

# Make the state folder of a terminal; its path is $WORLD/terminal/NAME.
terminal() { # NAME
	mkdir -m 0700 "$WORLD/terminal/$1"
}

# Write a secret as keepsake(1) wants it; its path is $WORLD/secret.NAME.
secret() { # NAME TEXT
	(umask 077 && printf '%s\n' "$2" >"$WORLD/secret.$1")
}

# Each test has one password and one verification information, in these
# files; a test of passwords makes others.
readonly PASSWORD='correct horse battery staple'
readonly VERIFICATION='the name of my first cat'

# Run keepsake(1) as a terminal that knows the password.
keepsake_as() { # TERMINAL ARGUMENTS...
	local name=$1
	shift
	"${CLIENT_WITHIN[@]}" "$BUILD/keepsake" \
	    --state "$WORLD/terminal/$name" \
	    --password-file "$WORLD/secret.password" "$@"
}

# Begin the same in the background: client_out TERMINAL is what it printed.
client_begin() { # TERMINAL ARGUMENTS...
	local name=$1
	shift
	"${CLIENT_WITHIN[@]}" "$BUILD/keepsake" \
	    --state "$WORLD/terminal/$name" \
	    --password-file "$WORLD/secret.password" "$@" \
	    >"$WORLD/client.$name.out" 2>"$WORLD/client.$name.err" \
	    </dev/null &
	CLIENT_PID[$name]=$!
}

client_out() { # TERMINAL
	cat "$WORLD/client.$1.out"
}

# Wait for it to end; returns its exit status.
client_end() { # TERMINAL
	local pid=${CLIENT_PID[$1]}
	unset "CLIENT_PID[$1]"
	wait "$pid"
}

# End it as a power cut does; true also where it had ended.
client_kill() { # TERMINAL
	kill -KILL "${CLIENT_PID[$1]}" 2>/dev/null || true
	client_end "$1" 2>/dev/null || true
}

client_runs() { # TERMINAL
	kill -0 "${CLIENT_PID[$1]}" 2>/dev/null
}

# A terminal that trusts the server and has no account yet.
terminal_enrolled() { # TERMINAL
	terminal "$1"
	[ -e "$WORLD/secret.password" ] || {
		secret password "$PASSWORD"
		secret verification "$VERIFICATION"
	}
	keepsake_as "$1" --quiet enrol "$ENROLMENT"
}

# Bind a terminal: its serial number is its name.
terminal_bind() { # TERMINAL [ARGUMENTS...]
	local name=$1
	shift
	keepsake_as "$name" --quiet bind --serial "serial-of-$name" \
	    --label "label-of-$name" \
	    --verification-file "$WORLD/secret.verification" "$@"
}

# A terminal with an account of its own, bound to it.
terminal_of_new() { # TERMINAL ACCOUNT-NAME
	terminal_enrolled "$1"
	keepsake_as "$1" --quiet register "$2"
	terminal_bind "$1"
}

# A second terminal of an account that is there.
terminal_of() { # TERMINAL ACCOUNT-NAME
	terminal_enrolled "$1"
	terminal_bind "$1" --name "$2"
}

# Insist that a command of keepsake(1) fails as it should: exit status, and
# with --json the word of the error, a detail and an advice.  Prints the JSON.
expect_error() { # CODE WORD TERMINAL ARGUMENTS...
	local code=$1 word=$2 name=$3 got=0 output
	shift 3
	output=$(keepsake_as "$name" --json "$@" 2>>"$WORLD_LOG/stderr.log") ||
	    got=$?
	[ "$got" -eq "$code" ] ||
	    fail "exit status $got, want $code: $* said $output"
	jq -e --arg word "$word" '.error == $word and
	    .detail != "" and .advice != ""' \
	    <<<"$output" >/dev/null ||
	    fail "not the error $word with detail and advice: $* said $output"
	printf '%s\n' "$output"
}

# A terminal that says what no honest one would; see tests/tool/rawclient.c.
raw() { # TERMINAL ARGUMENTS...
	local name=$1
	shift
	"$BUILD/tests/tool/rawclient" --state "$WORLD/terminal/$name" "$@"
}

# The ticket and the account, as hex, that a raw login earns.
raw_login() { # TERMINAL ACCOUNT-NAME DIRECTION
	raw "$1" --password-file "$WORLD/secret.password" login "$2" "$3"
}

# Begin a login and leave it; see tests/tool/rawlogin.c for what is printed.
raw_begin() { # TERMINAL ARGUMENTS... ACCOUNT-NAME DIRECTION
	local name=$1
	shift
	"$BUILD/tests/tool/rawlogin" --state "$WORLD/terminal/$name" "$@"
}

# Wait until a terminal reaches auth, which was started again.
auth_reached() { # TERMINAL
	wait_for 10 auth_answers "$1" || fail "auth is not reached"
}

auth_answers() { # TERMINAL
	[[ $(raw "$1" ask auth.LOGIN_FINISH) != unavailable* ]]
}

# Insist on the status of a raw request; prints the whole answer.
expect_raw() { # STATUS TERMINAL ARGUMENTS...
	local want=$1 answer
	shift
	answer=$(raw "$@") || fail "no answer to $*"
	[ "${answer%% *}" = "$want" ] ||
	    fail "want $want, got '$answer': $*"
	printf '%s\n' "$answer"
}

# Put large chunks by hand until the store has no space for one; prints the
# id of the request that was refused.
raw_fill() { # TERMINAL ACCOUNT-NAME
	local ticket account begun lease id answer i
	read -r ticket account < <(raw_login "$1" "$2" UPLOAD)
	begun=$(expect_raw ok "$1" --ticket "$ticket" --account "$account" \
	    ask store.BACKUP_BEGIN)
	read -r _ _ begun <<<"$begun"
	lease=$(json .lease_id \
	    "$("$BUILD/tests/tool/rawbody" store.Lease "$begun")")
	for ((i = 1; i <= 64; i++)); do
		id=$(printf %032x $((195935983 + i)))
		# A Put: lease_id, chunk_id.
		answer=$(raw "$1" --request "$id" --ticket "$ticket" \
		    --account "$account" --payload-bytes 262128 \
		    --body "0a10${lease}1220$(printf %064x "$i")" ask store.PUT)
		[ "${answer%% *}" != no_space ] || break
	done
	assert_match '^no_space ' "$answer" "the last answer"
	echo "$id"
}

# A figure of a service, as keepsakectl status tells it; of gateway2 too.
figure() { # SERVICE NAME
	local config=$WORLD_CONFIG
	[[ $1 != gateway[0-9]* ]] || config=$WORLD/$1.conf
	json ".${1%%[0-9]*}.$2" \
	    "$("$BUILD/keepsakectl" --config "$config" --json status)"
}

# The ICCID of the Nth card of a test, its check digit by Luhn's rule.
card_number() { # N
	local digits=$((894900123456789000 + $1)) sum=0 i digit
	for ((i = 0; i < ${#digits}; i++)); do
		digit=${digits:${#digits}-1-i:1}
		[ $((i % 2)) -eq 1 ] || digit=$((digit * 2))
		sum=$((sum + digit / 10 + digit % 10))
	done
	echo "$digits$(((10 - sum % 10) % 10))"
}

# --- trees -------------------------------------------------------------------

tree_make() { # FOLDER MIB FILES SEED [ARGUMENTS...]
	local folder=$1 mib=$2 files=$3 seed=$4
	shift 4
	"$BUILD/tests/tool/maketree" "$folder" --bytes $((mib << 20)) \
	    --files "$files" --seed "$seed" "$@"
}

assert_same_tree() { # A B
	local differences
	differences=$("$BUILD/tests/tool/comparetree" "$1" "$2") ||
	    fail "$1 and $2 differ: $differences"
}

# Restore a snapshot into a new folder and insist that it is the tree.
assert_restores() { # TERMINAL SNAPSHOT TREE
	local target
	target=$(mktemp -d "$WORLD/restored.XXXXXX")
	keepsake_as "$1" --quiet restore "$2" --target "$target" --verify
	assert_same_tree "$3" "$target"
	rm -rf "$target"
}

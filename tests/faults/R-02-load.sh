#!/bin/bash
# R-02: each service, and the gateway, is down for a while under load: who
# does not need it goes on, who does waits and finishes, and sees no error.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
# shellcheck source=tests/tool/load.sh
. "$(dirname "$0")/../tool/load.sh"
readonly WORKERS="large lists terminals notices sessions"
world_up
# shellcheck disable=SC2086 # a word each, here and below
load_make $WORKERS
terminal_of_new idle idle
read -r download _ < <(raw_login idle idle DOWNLOAD)
read -r notices _ < <(raw_login idle idle NOTICES)
read -r enrol _ < <(raw_login idle idle ENROL)

# Who goes on without it.  Every command logs in, which takes auth and
# binding.
declare -A GOES_ON=(
	[auth]=""
	[store]="terminals notices sessions"
	[binding]=""
	[notify]="large lists terminals sessions"
	[gateway]=""
)
# A message that each service answers for who has a ticket already.
declare -A MESSAGE=(
	[auth]="ask auth.FACTORS"
	[store]="--ticket $download ask store.SNAPSHOTS"
	[binding]="--ticket $enrol ask binding.TERMINALS"
	[notify]="--ticket $notices ask notify.FETCH"
)

serves() { # SERVICE
	local answer
	# shellcheck disable=SC2086
	answer=$(raw idle ${MESSAGE[$1]})
	case $1 in
	auth) [[ $answer == malformed* ]] ;; # the message is empty
	*) [[ $answer == ok* ]] ;;
	esac
}

# Those that wait have asked again, a few times.
asked_again() { # COUNT
	[ "$(figure gateway terminal_refused)" -ge $(($1 + 20)) ]
}

# It is auth that asks binding, and has these questions under way.
asked_for() { # SERVICE COUNT
	if [ "$1" = binding ]; then
		[ "$(figure auth requests_under_way)" -ge 4 ]
	else
		asked_again "$2"
	fi
}

# shellcheck disable=SC2086
went_on() { # WORKERS
	wait_for "$LOAD_SECONDS" load_went_on $1 || fail "$(load_standing)"
}

case_begin "R-02 the terminals work"
# shellcheck disable=SC2086
load_begin $WORKERS
load_remember
went_on "$WORKERS"
case_pass

for name in auth store binding notify; do
	case_begin "R-02 without $name, under load, the others go on"
	load_remember
	refused=$(figure gateway terminal_refused)
	service_kill "$name"
	for other in auth store binding notify; do
		[ "$other" = "$name" ] || wait_for 10 serves "$other" ||
		    fail "$other does not serve"
	done
	went_on "${GOES_ON[$name]}"
	wait_for 30 asked_for "$name" "$refused" || fail "nobody waits for it"
	load_assert_well
	case_pass

	case_begin "R-02 G-04 $name is back: who waited for it finishes, and saw no error"
	load_remember
	service_start "$name"
	went_on "$WORKERS"
	case_pass
done

case_begin "R-02 G-04 without the gateway all wait for it, and finish"
load_remember
service_stop gateway || fail "exit status $?"
for worker in $WORKERS; do
	kill -0 "${LOAD_PID[$worker]}" || fail "$worker has ended"
done
load_assert_well
service_start gateway
went_on "$WORKERS"
load_remember
service_kill gateway
service_start gateway
went_on "$WORKERS"
case_pass

case_begin "R-02 R-01 nothing that was acknowledged is lost"
load_end
load_assert_well
load_assert_kept large
case_pass

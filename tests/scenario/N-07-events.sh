#!/bin/bash
# N-07: every process publishes what happens on a socket of its own, and
# keepsakectl events prints it: by ipc from a folder, by tcp with CURVE and an
# allow-list.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"

# Listen in the background, from here on: lines of JSON in $WORLD/events.
listener=
listen() { # PROCESSES... what is to be heard: that many
	local count=$#
	: >"$WORLD/listener.err"
	"$BUILD/keepsakectl" --config "$WORLD_CONFIG" --json events "$@" \
	    >>"$WORLD/events" 2>"$WORLD/listener.err" </dev/null &
	listener=$!
	wait_for 30 listens "$count" || fail "$(cat "$WORLD/listener.err")"
}

listens() { # COUNT
	[ "$(grep -c ': listening$' "$WORLD/listener.err")" -ge "$1" ]
}

# Stop it as a person does; it ends in good order.
listener_end() {
	[ -n "$listener" ] || return 0
	kill -INT "$listener"
	wait "$listener" || fail "keepsakectl events ended with $?"
	listener=
}
at_end eval '[ -z "$listener" ] || kill -KILL "$listener"'

# Whether an event came that jq's FILTER is true of.
heard() { # FILTER
	jq -se "any(.[]; has(\"kind\") and ($1))" "$WORLD/events" >/dev/null
}

expect_event() { # FILTER
	wait_for 30 heard "$1" || fail "no event $1 in $(cat "$WORLD/events")"
}

world_up "[common] log_level = debug"
: >"$WORLD/events"
read -ra processes <<<"$SERVICES"
listen "${processes[@]}"

case_begin "N-07 the events of the main job come as they happen"
terminal_of_new one anna
account=$(json '.[0].id' "$(keepsakectl --json accounts)")
mkdir "$WORLD/tree"
date >"$WORLD/tree/file"
keepsake_as one --quiet backup "$WORLD/tree"
keepsake_as one --quiet notices >/dev/null
of="and .account == \"$account\""
expect_event ".service == \"auth\" and .kind == \"registered\" $of"
expect_event ".service == \"auth\" and .kind == \"login_ok\" $of"
expect_event ".service == \"binding\" and .kind == \"terminal_bound\" $of"
expect_event ".service == \"store\" and .kind == \"backup_begun\" $of"
expect_event ".service == \"store\" and .kind == \"snapshot_published\" $of"
expect_event ".service == \"notify\" and .kind == \"notice_delivered\" $of and
    .figures.deliveries >= 1"
case_pass

case_begin "N-07 O-03 an event has the id of the request that it came of"
for pair in store:snapshot_published:PUBLISH binding:terminal_bound:BIND \
    auth:registered:REGISTER_FINISH store:backup_begun:BACKUP_BEGIN; do
	IFS=: read -r name kind type <<<"$pair"
	id=$(jq -r "select(.kind == \"$kind\") | .request" "$WORLD/events" |
	    head -n 1)
	grep -q "request=$id event=answered type=$type from=gateway status=ok" \
	    "$WORLD_LOG/$name.log" || fail "$kind: no $type with request $id"
done
case_pass

case_begin "N-07 A-07 failed logins, the lock and the unlocking are events"
secret wrong 'not the password'
for _ in 1 2 3; do
	"$BUILD/keepsake" --state "$WORLD/terminal/one" --password-file \
	    "$WORLD/secret.wrong" --quiet snapshots >/dev/null 2>&1 &&
	    fail "a wrong password was taken"
done
keepsakectl unlock "$account" --document passport:12AB --reason test \
    >/dev/null
expect_event ".kind == \"login_failed\" $of"
expect_event ".kind == \"code_locked\" $of"
expect_event ".kind == \"unlocked\" $of"
case_pass

case_begin "N-07 A-14 an order is told when it is given, and who confirms it"
keepsakectl revoke "$account" --all --reason test >/dev/null
expect_event '.kind == "order_issued" and .figures.order >= 1'
for name in store binding notify; do
	expect_event ".kind == \"order_confirmed\" and .subject == \"$name\""
done
expect_event ".kind == \"revoked\" $of"
case_pass

case_begin "N-07 D-02 bound anew and released are events"
keepsake_as one --quiet rebind --serial another-serial --verification-file \
    "$WORLD/secret.verification" >/dev/null
keepsake_as one --quiet unbind --verification-file \
    "$WORLD/secret.verification" >/dev/null
expect_event ".kind == \"terminal_rebound\" $of"
expect_event ".kind == \"terminal_unbound\" $of"
case_pass

case_begin "N-07 who listens through a restart sees it, and links that come and go"
service_stop notify
expect_event '.service == "notify" and .kind == "service_stopped"'
expect_event '.service == "gateway" and .kind == "link_lost" and
    .subject == "notify"'
printf '\n[notify]\ngive_up_ms = 1s\nretry_ms = 10ms\n' >>"$WORLD_CONFIG"
service_start notify
expect_event '.service == "notify" and .kind == "service_started"'
expect_event '.service == "gateway" and .kind == "link_up" and
    .subject == "notify"'
case_pass

case_begin "N-07 N-05 a notice that was given up is an event"
terminal_bind one --name anna
keepsake_as one --quiet backup "$WORLD/tree"
expect_event ".service == \"notify\" and .kind == \"dead_letter\" $of"
case_pass

case_begin "N-07 O-06 damage that is found is an event, also at the start"
service_stop binding
"$BUILD/tests/tool/editaudit" "$WORLD/binding.ledger" binding behead
service_start binding
expect_event '.service == "binding" and .kind == "damage_found" and
    .subject == "audit_chain_changed"'
case_pass

case_begin "N-07 nothing is lost, and the numbers say so"
listener_end
assert_equal '' "$(grep '"lost"' "$WORLD/events" || true)" "lost events"
# By run of a service: from 1, or where it was met, on without a gap.
gaps=$(jq -s '[.[] | select(has("kind"))] | group_by([.service, .run_ms]) |
    map([.[].sequence] | select(. != [range(.[0]; .[0] + length)])) | length' \
    "$WORLD/events")
assert_equal 0 "$gaps" "runs with a gap"
case_pass

case_begin "N-07 R-06 nothing of the person is in any event"
for word in anna serial-of label-of another-serial "$PASSWORD" passport 12AB; do
	! grep -qF -- "$word" "$WORLD/events" || fail "'$word' is in an event"
done
case_pass

case_begin "N-07 services, a kind and a count can be chosen; people get a line"
timeout 60 "$BUILD/keepsakectl" --config "$WORLD_CONFIG" events auth \
    --kind login_ok --count 2 >"$WORLD/people" 2>"$WORLD/people.err" &
people=$!
auth_listens() {
	grep -qx 'auth: listening' "$WORLD/people.err"
}
wait_for 30 auth_listens || fail "$(cat "$WORLD/people.err")"
while kill -0 "$people" 2>/dev/null; do
	keepsake_as one --quiet snapshots >/dev/null
done
wait "$people" || fail "exit status $?"
assert_equal 2 "$(wc -l <"$WORLD/people")" "lines"
grep -qvE "^[0-9-]{10}T[0-9:]{8}Z auth login_ok account=$account request=[0-9a-f]{32}\$" \
    "$WORLD/people" && fail "$(cat "$WORLD/people")"
assert_equal 'auth: listening' "$(cat "$WORLD/people.err")" "standard error"
case_pass

case_begin "N-07 wrong arguments are named, with exit status 2"
expect_status 2 keepsakectl events nobody 2>"$WORLD/said"
assert_match 'no process "nobody"' "$(cat "$WORLD/said")" said
expect_status 2 keepsakectl events --count 0 2>"$WORLD/said"
assert_match '[-]-count: a number' "$(cat "$WORLD/said")" said
expect_status 2 keepsakectl status --kind x 2>"$WORLD/said"
assert_match 'does not take --kind' "$(cat "$WORLD/said")" said
case_pass

world_down

# Over tcp, and a store that is soon full.
lines=("[store] map_bytes = 2M" "[store] map_bytes_max = 4M"
    "[store] reserve_bytes = 1M")
for name in $SERVICES; do
	port=$(free_port)
	lines+=("[$name] events = tcp://127.0.0.1:$port"
		"[ops] ${name}_events = tcp://127.0.0.1:$port")
done
world_up "${lines[@]}"
: >"$WORLD/events"
listen store auth

case_begin "N-07 R-04 over tcp: a full database is an event"
terminal_of_new one anna
id=$(raw_fill one anna)
expect_event '.service == "store" and .kind == "database_full" and
    .subject == "main"'
expect_event ".kind == \"fault\" and .subject == \"answered\" and
    .request == \"$id\""
expect_event '.kind == "registered"'
[ ! -e "$WORLD/run/store.events" ] || fail "there is a socket in a folder too"
listener_end
case_pass

case_begin "N-07 whose key is on no list is not let in, and told so"
mkdir -m 0700 "$WORLD/strange"
cp "$WORLD"/keys/*.public "$WORLD/keys/auth.trust" "$WORLD/strange"
rm "$WORLD/strange/ops.public"
sed "s|^keys = .*|keys = $WORLD/strange|" "$WORLD_CONFIG" \
    >"$WORLD/strange.conf"
"$BUILD/keepsakectl" --config "$WORLD/strange.conf" keys make >/dev/null 2>&1
got=0
timeout 60 "$BUILD/keepsakectl" --config "$WORLD/strange.conf" events store \
    --count 1 >"$WORLD/stolen" 2>"$WORLD/said" || got=$?
assert_equal 5 "$got" "exit status"
assert_match 'store: refuses the key of this tool' "$(cat "$WORLD/said")" said
assert_equal '' "$(cat "$WORLD/stolen")" "what a stranger hears"
grep -q 'event=peer_refused door=events' "$WORLD_LOG/store.log" ||
    fail "the store did not log it"
case_pass

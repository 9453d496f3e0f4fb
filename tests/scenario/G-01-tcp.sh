#!/bin/bash
# G-01: over tcp, with CURVE on every link and an allow-list at every door:
# the same work is done, and a stranger's key is let in nowhere.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"

# Who comes in by which door: SERVER CLIENT.
readonly LINKS="auth gateway
auth binding
store gateway
store auth
binding gateway
binding auth
binding notify
notify gateway
notify auth
notify store
notify binding"

declare -A PORT=()
lines=()
while read -r server client; do
	PORT[$server.$client]=$(free_port)
	endpoint=tcp://127.0.0.1:${PORT[$server.$client]}
	lines+=("[$server] listen_$client = $endpoint"
		"[$client] $server = $endpoint")
done <<<"$LINKS"
world_up "${lines[@]}"

case_begin "G-01 every service is met over tcp, none by a socket in a folder"
for server in auth store binding notify; do
	[ ! -e "$WORLD/run/$server.gateway/socket" ] || fail "$server by ipc"
done
expect_status 0 keepsakectl status >/dev/null
case_pass

case_begin "G-01 B-09 a backup and a restore go through"
terminal_of_new one anna
tree_make "$WORLD/tree" 4 12 1
keepsake_as one --quiet backup "$WORLD/tree"
assert_restores one latest "$WORLD/tree"
case_pass

case_begin "G-01 A-14 auth is heard of by all"
heard() { # SERVICE
	[ "$(figure "$1" auth_in_touch)" -eq 1 ]
}
for server in store binding notify; do
	wait_for 10 heard "$server" || fail "$server has not heard of auth"
done
case_pass

# A gateway of somebody else: it knows every address and public key, but its
# own key is on no list.
mkdir -m 0700 "$WORLD/strange"
cp "$WORLD"/keys/*.public "$WORLD/keys/auth.trust" "$WORLD/strange"
rm "$WORLD/strange/gateway.public"
port=$(free_port)
sed -e "s|^keys = .*|keys = $WORLD/strange|" \
    -e "s|^run = .*|run = $WORLD/strange/run|" \
    -e "s|:$WORLD_PORT\$|:$port|" "$WORLD_CONFIG" >"$WORLD/strange.conf"
"$BUILD/keepsakectl" --config "$WORLD/strange.conf" keys make >/dev/null
service_start gateway2 "$WORLD/strange.conf"
for server in auth store binding notify; do
	case_begin "G-01 R-07 $server refuses a gateway whose key it does not know"
	log_wait "$server" 'event=peer_refused door=gateway' 20 ||
	    fail "not refused"
	case_pass
done

case_begin "G-01 R-07 nothing goes through such a gateway"
enrolment=$("$BUILD/keepsakectl" --config "$WORLD/strange.conf" enrolment)
keepsake_as two enrol "$enrolment" >/dev/null
expect_error 5 unavailable two --name anna --timeout 3s backup "$WORLD/tree" \
    >/dev/null
expect_status 0 keepsake_as one --quiet backup "$WORLD/tree"
case_pass

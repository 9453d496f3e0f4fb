#!/bin/bash
# R-07: a lookup for one account never returns another account's byte, also
# under concurrent load with forged ids; and no stranger is let in anywhere.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"

readonly HONEST="anna bert carl"
readonly ROUNDS=4 # of each honest account

# Who comes in by which door: SERVER CLIENT.
readonly LINKS="auth gateway
auth binding
store gateway
binding gateway
binding auth
binding notify
notify gateway
notify auth
notify store
notify binding
gateway ops
auth ops
store ops
binding ops
notify ops"

declare -A PORT=()
lines=()
while read -r server client; do
	PORT[$server.$client]=$(free_port)
	endpoint=tcp://127.0.0.1:${PORT[$server.$client]}
	lines+=("[$server] listen_$client = $endpoint"
		"[$client] $server = $endpoint")
done <<<"$LINKS"
world_up "${lines[@]}"

# Each honest account has a terminal that works, and mallory one of its own.
for name in $HONEST; do
	terminal_of_new "of-$name" "$name"
	tree_make "$WORLD/tree.$name" 3 40 "${#name}"
	keepsake_as "of-$name" --quiet backup "$WORLD/tree.$name"
done
terminal_of spied-on anna
terminal_of_new bad mallory
keepsake_as spied-on --quiet backup "$WORLD/tree.anna"
mkdir "$WORLD/tree.mallory"
date >"$WORLD/tree.mallory/file"
keepsake_as bad --quiet backup "$WORLD/tree.mallory"

# Change, back up, restore and compare, again and again.
live() { # ACCOUNT
	local name=$1 round
	for ((round = 1; round <= ROUNDS; round++)); do
		tree_make "$WORLD/tree.$name" 3 40 "${#name}" --change 20
		if [ -d "$WORLD/back.$name" ]; then
			# A tree that stays the same would prove little.
			! "$BUILD/tests/tool/comparetree" "$WORLD/tree.$name" \
			    "$WORLD/back.$name" >/dev/null || return 1
			rm -rf "$WORLD/back.$name"
		fi
		keepsake_as "of-$name" --quiet backup "$WORLD/tree.$name" ||
		    return 1
		mkdir "$WORLD/back.$name"
		keepsake_as "of-$name" --quiet restore latest --verify \
		    --target "$WORLD/back.$name" || return 1
		"$BUILD/tests/tool/comparetree" "$WORLD/tree.$name" \
		    "$WORLD/back.$name" || return 1
	done
}

# Each type of message that proto/ has, as attacker --types prints it.  The
# types of manifest.proto are those of files.
types_of_proto() {
	local file name number
	for file in "$(dirname "$0")"/../../proto/*.proto; do
		[ "${file##*/}" != manifest.proto ] || continue
		while IFS=' =;' read -r name number _; do
			[ "$name" = NO_TYPE ] ||
			    printf '0x%04x %s\n' "$number" "$name"
		done < <(sed -n '/^enum Type /,/^}/s/^  //p' "$file")
	done
}

case_begin "R-07 every type of message is tried, none is left out"
assert_equal "$(types_of_proto | sort -u)" \
    "$("$BUILD/tests/tool/attacker" --types | sort -u)" "types"
case_pass

case_begin "R-07 A-06 whatever is forged or stolen: refused, or one's own"
"$BUILD/tests/tool/attacker" --config "$WORLD_CONFIG" \
    --password-file "$WORLD/secret.password" \
    --verification-file "$WORLD/secret.verification" \
    --until "$WORLD/enough" \
    "$WORLD/terminal/bad" mallory "$WORLD/terminal/spied-on" anna \
    >"$WORLD/attacks" 2>"$WORLD_LOG/attacker.log" &
attacker=$!
declare -A LIVES=()
leave_none() {
	kill "$attacker" "${LIVES[@]}" 2>/dev/null
}
at_end leave_none
for name in $HONEST; do
	live "$name" >"$WORLD_LOG/live.$name.log" 2>&1 &
	LIVES[$name]=$!
done
harmed=
for name in $HONEST; do
	wait "${LIVES[$name]}" || harmed+=" $name"
done
touch "$WORLD/enough"
wait "$attacker" || fail "$(tail -n 3 "$WORLD_LOG/attacker.log")"
cat "$WORLD/attacks"
# It got its own each time, so it was not shut out altogether.
[[ $(cat "$WORLD/attacks") =~ refused=([0-9]+)\ own=([0-9]+)\ again=([0-9]+) ]]
[ "${BASH_REMATCH[1]}" -ge 500 ] || fail "few refusals"
[ "${BASH_REMATCH[2]}" -ge 25 ] || fail "few answers"
[ "${BASH_REMATCH[3]}" -le "${BASH_REMATCH[1]}" ] || fail "mostly busy"
case_pass

case_begin "R-07 B-09 meanwhile every honest backup and restore went well"
assert_equal "" "$harmed" "harmed: see their logs"
for name in $HONEST; do
	assert_restores "of-$name" latest "$WORLD/tree.$name"
done
assert_json 'length == 1' "$(keepsake_as bad --json snapshots)" "mallory's own"
assert_restores bad latest "$WORLD/tree.mallory"
case_pass

case_begin "R-07 no process had anything to say of it but refusals"
for name in $SERVICES; do
	! grep -E 'level=error|status=internal' "$WORLD_LOG/$name.log" ||
	    fail "$name logged an error"
done
case_pass

knock() { # SERVER CLIENT [OWN.key]
	"$BUILD/tests/tool/stranger" "tcp://127.0.0.1:${PORT[$1.$2]}" \
	    "$WORLD/keys/$1.public" "${@:3}"
}

while read -r server client; do
	case_begin "R-07 a strange key is refused at $server's door for $client"
	assert_equal refused "$(knock "$server" "$client")" "a new key"
	# A key that belongs here, but at another door.
	for other in store gateway ops; do
		[ "$other" != "$client" ] && [ "$other" != "$server" ] || continue
		assert_equal refused "$(knock "$server" "$client" \
		    "$WORLD/keys/$other.key")" "the key of $other"
	done
	log_wait "$server" "event=peer_refused door=$client" 20 ||
	    fail "not logged"
	assert_equal "let in" "$(knock "$server" "$client" \
	    "$WORLD/keys/$client.key")" "the key of $client"
	case_pass
done <<<"$LINKS"

#!/bin/bash
# O-08: the databases that earlier versions wrote, tests/vectors/databases-*,
# are brought to the present format at the first start, also where that is cut
# short, and all that was in them is there: restored, listed, told, proven.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
VECTORS=$(realpath "$(dirname "$0")/../vectors")
readonly VECTORS DATABASES="auth store binding notify"
world_make

# Put the recorded databases of a format into the world, as they were.
unpack() { # FORMAT
	local name
	rm -rf "$WORLD"/{keys,tree,terminal,secret.*}
	for name in $DATABASES; do
		rm -rf "${WORLD:?}/$name" "$WORLD/$name.ledger"
	done
	for name in "$VECTORS/databases-$1"/*.tar.gz; do
		tar -xzf "$name" -C "$WORLD"
	done
	keepsakectl keys make >"$WORLD_LOG/keys.log" # those that are new
	# The terminals know the gateway at the address of that time.
	ENROLMENT=$(keepsakectl enrolment)
	for name in "$WORLD"/terminal/*; do
		printf '%s\n' "$ENROLMENT" >"$name/enrolment"
	done
}

start_all() {
	local name
	for name in $SERVICES; do
		service_start "$name"
	done
}

stop_all() {
	local name
	for name in gateway $DATABASES; do
		service_stop "$name"
	done
}

# Start a service and let nobody see the end of its migration.
# Prints what it said.
killed_start() { # NAME
	local said line pid
	mkfifo "$WORLD/pipe"
	"$BUILD/keepsake-$1" --config "$WORLD_CONFIG" 2>"$WORLD/pipe" \
	    >/dev/null </dev/null &
	pid=$!
	while read -r line; do
		said+=$line$'\n'
		[[ $line != *event=database_migrates* ]] || break
	done <"$WORLD/pipe"
	kill -KILL "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	rm "$WORLD/pipe"
	printf '%s' "$said"
}

# What was there in every version: accounts, terminals, snapshots.
assert_common() {
	assert_restores anna-phone latest "$WORLD/tree"
	assert_restores anna-tablet latest "$WORLD/tree"
	assert_json 'map(.serial) | sort |
	    .[0:2] == ["serial-of-anna-phone", "serial-of-anna-tablet"]' \
	    "$(keepsake_as anna-phone --json terminals)" terminals
	assert_json 'length >= 2' \
	    "$(keepsake_as anna-phone --json snapshots)" snapshots
	assert_json 'length >= 2' "$(keepsakectl --json accounts)" accounts
}

dead_letters() { # COUNT
	[ "$(figure notify dead_letters)" -ge "$1" ]
}

told() { # TERMINAL KIND
	keepsake_as "$1" --json notices >>"$WORLD/told.$1"
	grep -q "\"$2\"" "$WORLD/told.$1"
}

# Notices of then are too old to be told by themselves.
assert_told() { # ACCOUNT-ID
	wait_for 30 dead_letters 1 || fail "no notice became a dead letter"
	keepsakectl resend "$1" --operator tester >/dev/null
	wait_for 30 told anna-tablet backup_done || fail "nothing was told"
}

format_is() { # SERVICE FORMAT
	"$BUILD/tests/tool/setformat" "$1" "$WORLD/$1" "$2" "$2" 2>/dev/null
}

# --- format 2 -------------------------------------------------------------------

unpack 2
declare -A id=()
while read -r name hex; do
	id[$name]=$hex
done <"$VECTORS/databases-2/accounts"
start_all

case_begin "O-08 of format 2: a backup is restored byte for byte, all is listed"
assert_common
assert_restores anna-phone 5 "$WORLD/tree"
assert_json 'map(.snapshot) | .[0] == 1 and (. == sort) and length >= 5' \
    "$(keepsake_as anna-phone --json snapshots)" snapshots
assert_json 'map(.label) | any(. == "before the journey")' \
    "$(keepsake_as anna-phone --json snapshots)" labels
case_pass

case_begin "O-08 of format 2: cards, codes and grants are there"
assert_json 'length == 1 and .[0].iccid == "8988211000000530082"' \
    "$(keepsake_as anna-phone --json card list)" cards
keepsake_as anna-phone --quiet card fetch 8988211000000530082 \
    --output "$WORLD/fetched"
assert_equal 'what only the card knows' "$(cat "$WORLD/fetched")" card
keepsake_as anna-phone --quiet rebind --serial serial-of-anna-phone \
    --label new --verification-file "$WORLD/secret.verification"
case_pass

case_begin "O-08 A-07 of format 2: who is locked out stays so, until unlocked"
expect_error 4 locked bert-phone snapshots >/dev/null
keepsakectl unlock "${id[bert]}" --document passport:12AB --reason tested \
    --operator tester >/dev/null
assert_json 'length == 1' "$(keepsake_as bert-phone --json snapshots)" snapshots
case_pass

case_begin "O-08 O-02 of format 2: who is disabled stays so, until enabled"
got=0
keepsake_as dora-phone --json snapshots >/dev/null 2>&1 || got=$?
assert_equal 4 "$got" "exit status"
keepsakectl enable "${id[dora]}" --reason tested --operator tester >/dev/null
keepsake_as dora-phone --json snapshots >/dev/null
case_pass

case_begin "O-08 A-12 of format 2: who was deleted stays so"
expect_status 3 keepsakectl account "${id[erik]}" >/dev/null 2>&1
case_pass

case_begin "O-08 N-05 of format 2: notices that waited are told"
assert_told "${id[anna]}"
case_pass

case_begin "O-08 O-06 of format 2: the audit log fits its heads, and goes on"
keepsakectl audit verify >/dev/null
assert_json 'any(.[]; .action == "unlocked" and .detail != null)' \
    "$(keepsakectl --json audit auth)" records
case_pass

case_begin "O-08 of format 2: a next backup sends only what changed"
printf 'changed again\n' >>"$WORLD/tree/notes/shopping list.txt"
keepsake_as anna-phone --quiet backup "$WORLD/tree"
assert_restores anna-tablet latest "$WORLD/tree"
case_pass
stop_all

# --- format 1 -------------------------------------------------------------------

case_begin "O-08 of format 1: all of it is there, in the present format"
unpack 1
for name in $DATABASES; do
	format_is "$name" 1 || fail "$name is not of format 1"
done
start_all
assert_common
anna=$(printf 'anna\n' | keepsakectl --json account --name-file - |
    jq -r '.account[0].id')
assert_told "$anna"
keepsakectl audit verify >/dev/null
stop_all
case_pass

case_begin "O-08 R-01 a migration that is killed begins again at the next start"
cut=0
for _ in 1 2 3; do
	unpack 1
	for name in $DATABASES; do
		assert_match 'event=database_migrates' "$(killed_start "$name")" log
		! format_is "$name" 1 || cut=$((cut + 1))
	done
	start_all
	assert_common
	stop_all
done
[ "$cut" -gt 0 ] || fail "every migration was over before it was killed"
case_pass

#!/bin/bash
# O-01: keepsakectl shows accounts, terminals, notices and dead letters of the
# real services, for people and as JSON, with exit codes that mean something.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"

readonly NOBODY=00000000000000000000000000000001

world_up
terminal_of_new one anna
terminal_of_new two bert@example.com
mkdir "$WORLD/tree"
date >"$WORLD/tree/file"
keepsake_as one --quiet backup "$WORLD/tree"

case_begin "O-01 all accounts are listed, each once"
accounts=$(keepsakectl --json accounts)
assert_json 'length == 2 and (map(.id) == (map(.id) | unique)) and
    (map(.kind) | sort == ["email", "nickname"]) and
    all(.[]; .row == "account" and (.id | test("^[0-9a-f]{32}$")) and
    (.created | test("^20.*Z$")))' "$accounts" accounts
assert_json 'map(.name) | sort == ["anna", "bert@example.com"]' "$accounts"
assert_json 'all(.[]; .disabled == false and .locked_lanes == 0)' "$accounts"
anna=$(json '.[] | select(.kind == "nickname") | .id' "$accounts")
bert=$(json '.[] | select(.kind == "email") | .id' "$accounts")
people=$(keepsakectl accounts)
assert_match "^id +" "$people" "for people"
assert_equal 3 "$(wc -l <<<"$people")" "lines for people"
case_pass

case_begin "O-01 the list goes on behind an account"
first=$(json '.[0].id' "$accounts")
assert_equal "$(json '.[1].id' "$accounts")" \
    "$(keepsakectl --json accounts --after "$first" | jq -r '.[].id')" "rest"
last=$(json '.[1].id' "$accounts")
assert_equal '[]' "$(keepsakectl --json accounts --after "$last")" "the end"
case_pass

case_begin "O-01 an account is found by its name, which is on no command line"
printf 'anna\n' >"$WORLD/name"
account=$(keepsakectl --json account --name-file "$WORLD/name")
assert_equal "$anna" "$(json '.account[0].id' "$account")" "by a file"
assert_equal "$bert" "$(printf 'bert@Example.COM' |
    keepsakectl --json account --name-file - | jq -r '.account[0].id')" \
    "by standard input, as somebody writes it"
case_pass

case_begin "O-01 one account: its terminals, what it stores, what waits for it"
assert_json '(.account | length) == 1 and (.terminal | length) == 1 and
    .terminal[0].serial == "serial-of-one" and
    .terminal[0].label == "label-of-one" and .terminal[0].imei == null and
    .usage[0].snapshots == 1 and .usage[0].chunks > 0 and
    .usage[0].bytes > 0 and .notices[0].dead_letters == 0' \
    "$account" account
assert_equal "$account" "$(keepsakectl --json account "$anna")" "by its id"
keepsakectl account "$anna" | grep -qE '^ +serial +serial-of-one$' ||
    fail "no serial number for people"
case_pass

case_begin "O-01 the terminals of an account, and of no other"
bindings=$(keepsakectl --json bindings "$anna")
assert_json 'map(select(.row == "terminal")) | length == 1 and
    .[0].serial == "serial-of-one"' "$bindings" bindings
assert_equal '[]' "$(keepsakectl --json bindings $NOBODY)" "of nobody"
case_pass

case_begin "O-01 D-09 what is kept of cards, but for the data"
printf 'what only the card knows' >"$WORLD/data"
keepsake_as one --quiet card save --iccid 8988211000000530082 \
    --number +4915112345678 --data-file "$WORLD/data"
assert_json 'map(select(.row == "card")) | length == 1 and
    .[0].iccid == "8988211000000530082" and .[0].number == "+4915112345678" and
    .[0].data_bytes > 0 and (.[0] | has("data") | not)' \
    "$(keepsakectl --json bindings "$anna")" bindings
keepsakectl bindings "$anna" | grep -q '^8988211000000530082 ' ||
    fail "not for people"
case_pass

case_begin "O-01 what waits in the queue: for whom, what, since when"
queued() { # COUNT
	[ "$(keepsakectl --json queue "$anna" | jq length)" -ge "$1" ]
}
wait_for 10 queued 4 || fail "not queued: $(keepsakectl queue "$anna")"
queue=$(keepsakectl --json queue)
assert_json "map(select(.account == \"$anna\")) | (map(.notice) | sort) ==
    [\"backup_done\", \"new_login\", \"registered\",
    \"terminal_bound\"] and
    all(.[]; .attempts == 0 and (.since | test(\"Z$\")) and .id != null)" \
    "$queue" queue
assert_json "map(.account) | unique | length == 2" "$queue" "of all accounts"
assert_json "all(.[]; .account == \"$bert\")" \
    "$(keepsakectl --json queue "$bert")" "of one account"
assert_equal '[]' "$(keepsakectl --json dead-letters)" "dead letters"
case_pass

case_begin "O-01 figures: a number a line, those that status shows"
figures=$(keepsakectl figures)
assert_no_match $'(^|\n)[^\n]*[^0-9a-z_. \n]' "$figures" figures
assert_match $'(^|\n)auth.accounts 2($|\n)' "$figures" figures
assert_match $'(^|\n)gateway.terminal_requests [0-9]+($|\n)' "$figures" figures
assert_json '."auth.accounts" == 2' "$(keepsakectl --json figures)" "as JSON"
case_pass

case_begin "O-01 what is not there has an exit code of its own, and a reason"
expect_status 3 keepsakectl account $NOBODY 2>"$WORLD/said"
grep -q 'no such account.*keepsakectl accounts' "$WORLD/said" ||
    fail "said $(cat "$WORLD/said")"
printf 'nobody\n' >"$WORLD/name"
expect_status 3 keepsakectl account --name-file "$WORLD/name" 2>"$WORLD/said"
grep -q 'no account has that login name' "$WORLD/said" ||
    fail "said $(cat "$WORLD/said")"
case_pass

case_begin "O-01 a name on the command line is refused, and not repeated"
expect_status 2 keepsakectl account some.body@example.com 2>"$WORLD/said"
grep -q -- '--name-file' "$WORLD/said" || fail "said $(cat "$WORLD/said")"
if grep -q 'some.body' "$WORLD/said"; then
	fail "the name was repeated"
fi
case_pass

case_begin "O-01 wrong arguments: exit status 2, and what was expected"
# Each: what must be said, then the arguments.
while read -r want arguments; do
	# shellcheck disable=SC2086 # words
	expect_status 2 keepsakectl $arguments 2>"$WORLD/said" >&2 </dev/null
	grep -q -- "${want//_/ }" "$WORLD/said" ||
	    fail "$arguments: said $(cat "$WORLD/said")"
done <<END
usage: account
32_hex_digits account $anna${anna:0:2}
32_hex_digits accounts --after 12
usage: account $anna $anna
usage: queue $anna $anna
does_not_take accounts --name-file /dev/null
does_not_take status --to /tmp
one_line account --name-file /dev/null
No_such_file account --name-file $WORLD/none
no_option accounts --aft 12
no_command account-s
no_command help nothing
to_FOLDER export $anna
END
head -c 600 /dev/zero | tr '\0' x >"$WORLD/name"
expect_status 2 keepsakectl account --name-file "$WORLD/name" 2>/dev/null
printf 'anna\nbert\n' >"$WORLD/name"
expect_status 2 keepsakectl account --name-file "$WORLD/name" 2>/dev/null
printf 'an\0na\n' >"$WORLD/name"
expect_status 2 keepsakectl account --name-file "$WORLD/name" 2>/dev/null
case_pass

case_begin "O-01 every command has its help, and usage lists it"
usage=$(keepsakectl --help)
commands=$(sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p' <<<"$usage" | grep -v '^help$')
[ "$(wc -w <<<"$commands")" -ge 10 ] || fail "commands: $commands"
for command in $commands; do
	help=$(keepsakectl help "$command")
	assert_match "^usage: keepsakectl .* $command" "$help" "help $command"
	[ "$(wc -l <<<"$help")" -ge 3 ] || fail "help $command: $help"
done
assert_equal "$usage" "$(keepsakectl help)" "help"
case_pass

case_begin "O-01 R-02 a service that is down is named; others are shown"
service_stop notify
expect_status 5 keepsakectl --json account "$anna" \
    >"$WORLD/shown" 2>"$WORLD/said"
grep -q '^keepsakectl: notify: ' "$WORLD/said" ||
    fail "said $(cat "$WORLD/said")"
assert_json '(.account | length) == 1 and .notices == null' \
    "$(cat "$WORLD/shown")" account
expect_status 5 keepsakectl --json queue >"$WORLD/shown" 2>/dev/null
assert_equal '' "$(cat "$WORLD/shown")" "on standard output"
service_start notify
keepsakectl account "$anna" >/dev/null
case_pass

dead() { # COUNT
	[ "$(keepsakectl --json dead-letters "$anna" | jq length)" -eq "$1" ]
}

# Have all that waits given up: the patrol of notify finds it by itself.
give_up() { # COUNT: so many dead letters then
	service_stop notify
	cp "$WORLD_CONFIG" "$WORLD/impatient.conf"
	printf '\n[notify]\ngive_up_ms = 1s\n' >>"$WORLD/impatient.conf"
	service_start notify "$WORLD/impatient.conf"
	wait_for 20 dead "$1" || fail "dead: $(keepsakectl dead-letters)"
	service_stop notify
	service_start notify
}

told() { # WORD...: kinds and ids that have come so far
	local word
	keepsake_as one --json notices | jq -r '.[] | .kind, .id' \
	    >>"$WORLD/told"
	for word; do
		grep -qx "$word" "$WORLD/told" || return 1
	done
}

case_begin "N-05 a notice that is given up is a dead letter that is listed"
give_up 4
letters=$(keepsakectl --json dead-letters "$anna")
assert_json "(map(.notice) | sort) ==
    [\"backup_done\", \"new_login\", \"registered\",
    \"terminal_bound\"] and
    all(.[]; .account == \"$anna\" and (.given_up | test(\"Z$\")))" \
    "$letters" letters
case_pass

case_begin "N-05 dead letters are sent again, one or all, and arrive"
id=$(json '.[] | select(.notice == "backup_done") | .id' "$letters")
assert_equal '1' "$(keepsakectl --json resend "$anna" "$id" | jq .letters)" \
    "letters of one notice"
dead 3 || fail "dead: $(keepsakectl dead-letters "$anna")"
assert_match '^3 dead letters are in the queue again$' \
    "$(keepsakectl resend "$anna" --reason 'the phone was repaired')" \
    "letters of the account"
dead 0 || fail "dead: $(keepsakectl dead-letters "$anna")"
wait_for 20 told backup_done registered terminal_bound "$id" ||
    fail "told: $(cat "$WORLD/told")"
assert_equal '[]' "$(keepsakectl --json queue "$anna")" "queue"
case_pass

case_begin "N-05 O-06 who resent what, and why, is on record"
recorded() {
	keepsakectl --json audit notify --account "$anna" >"$WORLD/audit" &&
	    jq -e --arg who "operator ${SUDO_USER:-$(id -un)}" '[.[] |
	    select(.action == "dead_letters_resent" and .actor == $who)] |
	    length == 2 and (.[1].detail | test("repaired"))' "$WORLD/audit"
}
wait_for 10 recorded >/dev/null || fail "on record: $(cat "$WORLD/audit")"
case_pass

case_begin "N-05 without a dead letter there is nothing to resend"
assert_equal '0' "$(keepsakectl --json resend "$anna" | jq .letters)" letters
expect_status 3 keepsakectl resend "$anna" "$id" 2>"$WORLD/said"
grep -q 'no dead letter of this notice' "$WORLD/said" ||
    fail "said $(cat "$WORLD/said")"
case_pass

case_begin "N-05 what was resent is told, also after a crash right then"
keepsake_as one --quiet backup "$WORLD/tree"
wait_for 10 queued 1 || fail "not queued"
give_up 1
id=$(json '.[0].id' "$(keepsakectl --json dead-letters "$anna")")
keepsakectl resend "$anna" >/dev/null
service_kill notify
service_start notify
dead 0 || fail "dead: $(keepsakectl dead-letters "$anna")"
wait_for 20 told "$id" || fail "not told"
case_pass

case_begin "O-01 no name, label or serial number is in a log"
if grep -rE 'anna|bert|(serial|label)-of-' "$WORLD_LOG" |
    grep -v '/keys.log:'; then
	fail "personal data in a log"
fi
case_pass

#!/bin/bash
# A-12: an account is deleted for good: no service has anything of it, not
# where it was down, killed, or got an older copy of its database back; its
# name and its terminal are free.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new keeper bert
tree_make "$WORLD/small" 1 20 7
keepsake_as keeper --quiet backup "$WORLD/small"

body() { # MESSAGE ANSWER: the answer's body as JSON
	local words
	read -ra words <<<"$2"
	"$BUILD/tests/tool/rawbody" "$1" "${words[2]}"
}

field() { # NUMBER HEX
	printf '%02x%02x%s' $(($1 << 3 | 2)) $((${#2} / 2)) "$2"
}

# Deregister; prints the services that have not confirmed, as JSON.
deregister() { # TERMINAL ACCOUNT-NAME
	local manage account answer
	read -r manage account < <(raw_login "$1" "$2" MANAGE)
	answer=$(expect_raw ok "$1" --ticket "$manage" \
	    --body "$(field 1 "$account")" ask auth.DEREGISTER)
	body auth.Deregistered "$answer" | jq -c .unconfirmed
}

# The rows and blobs of a service: what the account of the test has is what
# comes on top of the keeper's.
rows() { # SERVICE
	local status
	status=$(keepsakectl --json status)
	jq -r ".$1.db_rows + .$1.db_blobs" <<<"$status"
}

declare -A kept=()
remember() {
	local name
	for name in auth store binding notify; do
		kept[$name]=$(rows "$name")
	done
}

as_before() { # SERVICE
	[ "$(rows "$1")" -le "${kept[$1]}" ]
}

assert_nothing_left() {
	local name
	for name in auth store binding notify; do
		wait_for 20 as_before "$name" ||
		    fail "$name has $(rows "$name"), not ${kept[$name]}"
	done
}

# Another account, with a terminal of the same serial number, which has no
# more use for what it has of the former one.
begin_anew() { # ACCOUNT-NAME
	remember
	rm -rf "$WORLD/terminal/one"
	terminal_of_new one "$1"
}

# What is said to who logs in to an account that is not there.
refusal() { # ACCOUNT-NAME
	raw one --password-file "$WORLD/secret.password" \
	    login "$1" MANAGE 2>&1 || return 0
	fail "$1 logs in"
}

assert_keeper_is_well() {
	assert_restores keeper latest "$WORLD/small"
}

case_begin "A-12 it takes a proof of its owner, and the account's own id"
begin_anew anna
read -r manage account < <(raw_login one anna MANAGE)
read -r upload _ < <(raw_login one anna UPLOAD)
read -r _ other < <(raw_login keeper bert MANAGE)
for wrong in "" "$(field 1 "${account:2}")" "$(field 1 "${account}00")" ff; do
	expect_raw malformed one --ticket "$manage" --body "$wrong" \
	    ask auth.DEREGISTER >/dev/null
done
expect_raw denied one --ticket "$manage" --body "$(field 1 "$other")" \
    ask auth.DEREGISTER >/dev/null
expect_raw auth_required one --body "$(field 1 "$account")" \
    ask auth.DEREGISTER >/dev/null
expect_raw auth_required one --ticket "$upload" \
    --body "$(field 1 "$account")" ask auth.DEREGISTER >/dev/null
raw_login one anna MANAGE >/dev/null || fail "the account is not there"
case_pass

case_begin "A-12 nothing is left, and nobody may do anything any more"
keepsake_as one --quiet backup "$WORLD/small"
read -r download _ < <(raw_login one anna DOWNLOAD)
read -r notices _ < <(raw_login one anna NOTICES)
assert_equal '[]' "$(deregister one anna)" "who has not confirmed"
for type in store.SNAPSHOTS store.RESTORE_BEGIN; do
	answer=$(expect_raw denied one --ticket "$download" ask "$type")
	assert_match 'the account was deleted' "$answer"
done
expect_raw denied one --ticket "$notices" ask notify.FETCH >/dev/null
expect_raw denied one --ticket "$manage" ask auth.SESSIONS >/dev/null
expect_raw denied one --ticket "$manage" --body "$(field 1 "$account")" \
    ask auth.DEREGISTER >/dev/null
assert_nothing_left
assert_keeper_is_well
assert_equal 1 "$(figure auth accounts)" accounts
assert_equal 1 "$(figure binding terminals)" terminals
case_pass

case_begin "A-12 O-06 what remains is that it happened"
for name in auth store binding; do
	log=$(keepsakectl --json audit "$name" --account "$account")
	assert_json 'any(.action == "account_erased")' "$log" "$name's log"
	# Who it was, and what else, went with the key.
	assert_json 'all(.readable == false and .actor == null and
	    .detail == null)' "$log" "$name's log"
	keepsakectl audit verify "$name" >/dev/null ||
	    fail "$name's log is not whole"
done
assert_json 'any(.action == "account_deleted")' \
    "$(keepsakectl --json audit auth --account "$account")" "auth's log"
case_pass

case_begin "A-12 A-09 a login is answered as for a name that never was"
assert_equal "$(refusal nobody)" "$(refusal anna)" "what is said"
case_pass

case_begin "A-12 the name and the terminal are free for another account"
begin_anew anna
read -r _ again < <(raw_login one anna MANAGE)
[ "$again" != "$account" ] || fail "it has the former account's id"
assert_equal 0 "$(keepsake_as one --json snapshots | jq length)" snapshots
assert_equal '[]' "$(deregister one anna)"
assert_nothing_left
case_pass

for down in store binding notify; do
	case_begin "A-12 R-02 $down is down: it is named, and deletes when back"
	begin_anew "of-$down"
	keepsake_as one --quiet backup "$WORLD/small"
	read -r manage account < <(raw_login one "of-$down" MANAGE)
	service_kill "$down"
	answer=$(expect_raw ok one --ticket "$manage" \
	    --body "$(field 1 "$account")" ask auth.DEREGISTER)
	assert_json ".unconfirmed == [\"$down\"]" \
	    "$(body auth.Deregistered "$answer")"
	service_start "$down"
	assert_nothing_left
	assert_equal 0 "$(figure store outbox_waiting)" "notices to nobody"
	assert_keeper_is_well
	case_pass
done

case_begin "A-12 R-01 killed in its midst: every service goes on with it"
begin_anew dora
tree_make "$WORLD/large" 192 3000 3
keepsake_as one --quiet backup "$WORLD/large"
deregister one dora >/dev/null
for name in store binding notify auth; do
	service_kill "$name"
done
for name in auth store binding notify; do
	service_start "$name"
done
assert_nothing_left
assert_keeper_is_well
case_pass

case_begin "A-12 a backup that runs meanwhile ends, and leaves nothing"
begin_anew emma
terminal_of second emma
stored_more_than() { # BYTES
	[ "$(figure store bytes_put)" -gt "$1" ]
}
client_begin second --json backup "$WORLD/large"
wait_for 30 stored_more_than $((8 << 20)) || fail "the backup does not begin"
assert_equal '[]' "$(deregister one emma)"
status=0
client_end second || status=$?
[ "$status" -ne 0 ] || fail "it ended well: $(client_out second)"
assert_json '.error == "denied" and (.detail | test("deleted"))' \
    "$(client_out second)" "what it says"
assert_nothing_left
case_pass

# An older copy of each database is put back; ledgers are in no backup.
stop_all() {
	local name
	for name in gateway auth store binding notify; do
		service_stop "$name" || fail "$name did not end well"
	done
}
start_all() {
	local name
	for name in $SERVICES; do
		service_start "$name"
	done
}

case_begin "A-12 O-04 who was deleted does not come back with an older copy"
begin_anew carla
keepsake_as one --quiet backup "$WORLD/small"
declare -A full=()
for name in auth store binding notify; do
	full[$name]=$(rows "$name")
	[ "${full[$name]}" -gt "${kept[$name]}" ] || fail "$name has nothing"
done
stop_all
mkdir "$WORLD/copy"
for name in auth store binding notify; do
	cp -a --sparse=always "$WORLD/$name" "$WORLD/$name.ledger" \
	    "$WORLD/copy"
done
start_all
read -r _ account < <(raw_login one carla MANAGE)
assert_equal '[]' "$(deregister one carla)"
assert_nothing_left
stop_all
for name in auth store binding notify; do
	rm -rf "${WORLD:?}/$name"
	cp -a --sparse=always "$WORLD/copy/$name" "$WORLD/$name"
done
start_all
assert_equal "$(refusal nobody2)" "$(refusal carla)" "what is said"
assert_nothing_left
assert_keeper_is_well
# Before that of the account to come: what an older copy comes down to.
begin_anew carla
keepsake_as one --quiet backup "$WORLD/small"
assert_restores one latest "$WORLD/small"
case_pass

# What a service has of an account: database, then journal.
rows_of() { # SERVICE ACCOUNT
	"$BUILD/tests/tool/accountrows" "$WORLD/$1" "$1" "$2" 2>/dev/null
	"$BUILD/tests/tool/accountrows" "$WORLD/$1.ledger/journal" \
	    "$1-journal" "$2" 2>/dev/null
}

case_begin "A-12 not a row is left of it, in no database and no journal"
read -r _ other < <(raw_login one carla MANAGE)
stop_all
for name in auth store binding notify; do
	assert_equal "0 0" "$(rows_of "$name" "$account" | xargs)" "$name"
	# Of an account that is there, there are.
	read -r found _ < <(rows_of "$name" "$other" | xargs)
	[ "$found" -gt 0 ] || fail "$name has nothing of the other either"
done
# Sessions, and the ways by which its code was tried.
read -r _ found < <(rows_of auth "$other" | xargs)
[ "$found" -gt 1 ] || fail "auth's journal has $found rows"
start_all
case_pass

case_begin "A-12 K-08 its keys are gone: the master key opens nothing"
# Each ledger as it was when the copies were made, and as it is.
for name in auth store binding; do
	service_stop "$name"
	mkdir "$WORLD/older"
	cp -a --sparse=always "$WORLD/copy/$name" "$WORLD/older/data"
	cp -a --sparse=always "$WORLD/copy/$name.ledger" "$WORLD/older/ledger"
	{
		printf '[common]\nkeys = %s/keys\n' "$WORLD"
		printf '[%s]\nledger = %s/older/ledger\n' "$name" "$WORLD"
	} >"$WORLD/older/conf"
	find_key() { # CONFIG
		"$BUILD/tests/tool/findkey" "$1" "$name" "$WORLD/older/data" \
		    "$account" 2>/dev/null
	}
	assert_equal ok "$(find_key "$WORLD/older/conf")" "$name, before"
	assert_equal expired "$(find_key "$WORLD_CONFIG")" "$name, after"
	rm -rf "$WORLD/older"
	service_start "$name"
done
case_pass

case_begin "A-12 O-04 nor where only one service got its older copy back"
for name in auth store binding notify; do
	service_stop "$name"
	rm -rf "${WORLD:?}/$name.now"
	mv "$WORLD/$name" "$WORLD/$name.now"
	cp -a --sparse=always "$WORLD/copy/$name" "$WORLD/$name"
	service_start "$name"
	# Of the account that is there now this service knows nothing yet.
	wait_for 20 as_before "$name" ||
	    fail "$name has $(rows "$name"), not ${kept[$name]}"
	service_stop "$name"
	rm -rf "${WORLD:?}/$name"
	mv "$WORLD/$name.now" "$WORLD/$name"
	service_start "$name"
done
assert_restores one latest "$WORLD/small"
case_pass

# Last, for the clock never goes back.
case_begin "A-12 a proof of more than a minute ago does not do"
read -r manage account < <(raw_login one carla MANAGE)
service_stop auth
service_start_ahead +70s auth
answers() {
	[[ $(raw one --ticket "$manage" ask auth.SESSIONS) == ok* ]]
}
wait_for 10 answers || fail "the ticket is not good any more"
answer=$(expect_raw expired one --ticket "$manage" \
    --body "$(field 1 "$account")" ask auth.DEREGISTER)
assert_match 'a minute old at most' "$answer"
case_pass

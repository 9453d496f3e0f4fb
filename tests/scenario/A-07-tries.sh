#!/bin/bash
# A-07: three wrong tries lock a code for the lane they came by; each is
# counted before it can be judged, and no cut line, kill or older database
# brings one back.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
readonly CONTACT=help@example.org
world_up "[common] contact = $CONTACT"
secret wrong 'not the right one'
secret other 'nor this one'

# A try with a wrong password; prints the error as JSON.
wrong_try() { # TERMINAL ARGUMENTS...
	local name=$1
	shift
	expect_error 4 denied "$name" --password-file "$WORLD/secret.wrong" "$@"
}

# Insist that a terminal is locked out, with the right password.
assert_locked() { # TERMINAL ARGUMENTS...
	local said
	said=$(expect_error 4 locked "$@")
	assert_match "$CONTACT" "$(json .detail "$said")" detail
	printf '%s\n' "$said"
}

# The fields of what raw_begin prints.
readonly STATUS=0 TRIES=1 RETRY=2 REQUEST=3 BEGIN=4 RIGHT=5 WRONG=6
begin() { # TERMINAL ARGUMENTS...: into ${begun[@]}
	read -r -a begun < <(raw_begin "$@" \
	    --password-file "$WORLD/secret.password")
}
begin_ok() {
	begin "$@"
	assert_equal ok "${begun[STATUS]}" "answer to LOGIN_BEGIN"
}

finish() { # TERMINAL BODY
	raw "$1" --figures --body "$2" ask auth.LOGIN_FINISH
}

# Let time pass: tickets are refused by services whose clock is behind.
advance() { # OFFSET, from the real time
	local name
	for name in auth store binding; do
		service_stop "$name"
		service_start_ahead "$1" "$name"
	done
	auth_reached one
}

case_begin "A-07 the third wrong try locks the terminal that made them"
terminal_of_new one anna
terminal_of two anna
for remaining in 2 1 0; do
	said=$(wrong_try one snapshots)
	assert_json ".tries_remaining == $remaining" "$said"
done
assert_match "$CONTACT" "$(json .detail "$said")" "who is to be asked"
said=$(assert_locked one snapshots)
assert_json '.tries_remaining == 0 and has("retry_after_ms") == false' "$said"
case_pass

case_begin "A-07 the lock is told to the owner"
lock_told() {
	[[ $(raw two --ticket "$notices" ask notify.FETCH) == *"$kind_locked"* ]]
}
read -r notices _ < <(raw_login two anna NOTICES)
kind_locked=1006 # field 2, CODE_LOCKED
wait_for 10 lock_told || fail "no notice"
case_pass

case_begin "A-07 other terminals are not locked"
keepsake_as two --json snapshots >/dev/null
case_pass

case_begin "A-07 strangers shut out strangers, never the owner"
terminal_enrolled stranger
for remaining in 2 1 0; do
	said=$(wrong_try stranger --name anna bind --serial s)
	assert_json ".tries_remaining == $remaining" "$said"
done
said=$(assert_locked stranger --name anna bind --serial s)
assert_json '.retry_after_ms > 3590000 and .retry_after_ms <= 3600000' "$said"
terminal_enrolled stranger2
assert_locked stranger2 --name anna bind --serial s >/dev/null
keepsake_as two --json snapshots >/dev/null
case_pass

case_begin "A-07 locks survive kill -9"
service_kill auth
service_start auth
assert_locked one snapshots >/dev/null
assert_locked stranger --name anna bind --serial s >/dev/null
case_pass

case_begin "A-07 success gives back its own try, and no other"
terminal_of_new three cleo
for _ in 1 2; do
	wrong_try three snapshots >/dev/null
	keepsake_as three --json snapshots >/dev/null
done
said=$(wrong_try three snapshots)
assert_json '.tries_remaining == 0' "$said"
assert_locked three snapshots >/dev/null
case_pass

case_begin "A-07 a line that is cut after the challenge gains nothing"
terminal_of_new four dora
begin_ok four dora UPLOAD
assert_equal 3 "${begun[TRIES]}" "tries if this one fails, from 1"
begin_ok four dora UPLOAD
assert_equal 2 "${begun[TRIES]}" "tries if this one fails, from 1"
begin_ok four dora UPLOAD
assert_equal 1 "${begun[TRIES]}" "tries if this one fails, from 1"
begin four dora UPLOAD
assert_equal busy "${begun[STATUS]}" "while all are open"
assert_at_most 120000 "${begun[RETRY]}" "until the first is decided"
service_kill auth
service_start auth
advance +3m
assert_locked four snapshots >/dev/null
case_pass

case_begin "A-07 a try that is open keeps nobody out who has one left"
terminal_of_new five emil
begin_ok five emil UPLOAD
begin_ok five emil UPLOAD
keepsake_as five --json snapshots >/dev/null
case_pass

case_begin "A-07 a lost verdict is had again, across restarts"
read -r status _ < <(finish five "${begun[RIGHT]}")
assert_equal ok "$status"
service_kill auth
service_start auth
advance +12m # 9 minutes later
read -r status _ < <(finish five "${begun[RIGHT]}")
assert_equal ok "$status"
case_pass

case_begin "A-07 but not for longer than 10 minutes"
advance +15m
read -r status _ < <(finish five "${begun[RIGHT]}")
assert_equal expired "$status"
case_pass

case_begin "A-07 a repeat of the question takes no second try"
terminal_of_new six fritz
begin_ok six fritz UPLOAD
for _ in 1 2 3 4; do
	read -r status tries _ < <(raw six --figures \
	    --request "${begun[REQUEST]}" --body "${begun[BEGIN]}" \
	    ask auth.LOGIN_BEGIN)
	assert_equal "ok 3" "$status $tries"
done
read -r status _ < <(finish six "${begun[RIGHT]}")
assert_equal ok "$status"
case_pass

case_begin "A-07 a question that has had its verdict is not asked again"
expect_raw conflict six --request "${begun[REQUEST]}" \
    --body "${begun[BEGIN]}" ask auth.LOGIN_BEGIN >/dev/null
case_pass

case_begin "A-07 another question under the same id takes another try"
request=$(printf '5a%.0s' {1..16})
begin_ok six --request "$request" fritz UPLOAD
begin_ok six --request "$request" fritz DOWNLOAD
assert_equal 2 "${begun[TRIES]}" "tries if this one fails, from 1"
case_pass

case_begin "A-07 whoever gives up is told what is left, and a repeat counts once"
terminal_of_new seven gerda
begin_ok seven gerda UPLOAD
for _ in 1 2 3; do
	read -r status tries _ < <(finish seven "${begun[WRONG]}")
	assert_equal "denied 3" "$status $tries"
done
case_pass

case_begin "A-07 a proof that is right after all is no wrong try"
read -r status _ < <(finish seven "${begun[RIGHT]}")
assert_equal ok "$status"
said=$(wrong_try seven snapshots)
assert_json '.tries_remaining == 2' "$said"
case_pass

case_begin "A-07 who may not after a right proof has lost no try"
terminal_enrolled free
for _ in 1 2 3 4; do
	begin_ok free gerda UPLOAD
	assert_equal 3 "${begun[TRIES]}" "tries if this one fails, from 1"
	read -r status tries _ < <(finish free "${begun[RIGHT]}")
	assert_equal "denied 0" "$status $tries"
done
case_pass

case_begin "A-07 R-02 without binding no try is taken"
service_stop binding
begin seven gerda UPLOAD
assert_equal unavailable "${begun[STATUS]}"
service_start_ahead +15m binding
begun=(unavailable)
binding_back() {
	begin seven gerda UPLOAD
	[ "${begun[STATUS]}" = ok ]
}
wait_for 10 binding_back || fail "binding does not come back"
assert_equal 2 "${begun[TRIES]}" "tries if this one fails, from 1"
finish seven "${begun[RIGHT]}" >/dev/null
case_pass

case_begin "A-07 a new code makes old guesses void"
keepsake_as seven --quiet password --new-password-file "$WORLD/secret.other"
said=$(wrong_try seven snapshots)
assert_json '.tries_remaining == 2' "$said"
case_pass

case_begin "A-07 an older copy of the database does not unlock"
terminal_of_new eight hanna
service_stop auth
cp -a "$WORLD/auth" "$WORLD/auth.older"
service_start_ahead +15m auth
for _ in 1 2 3; do
	wrong_try eight snapshots >/dev/null
done
service_stop auth
rm -r "$WORLD/auth"
mv "$WORLD/auth.older" "$WORLD/auth"
service_start_ahead +15m auth
assert_locked eight snapshots >/dev/null
assert_locked one snapshots >/dev/null
keepsake_as two --json snapshots >/dev/null
case_pass

case_begin "A-07 the strangers' lane opens by itself after an hour"
advance +65m
said=$(wrong_try stranger --name anna bind --serial s)
assert_json '.tries_remaining == 2' "$said"
case_pass

case_begin "A-07 and is closed for two hours next"
for _ in 1 2; do
	wrong_try stranger --name anna bind --serial s >/dev/null
done
said=$(assert_locked stranger --name anna bind --serial s)
assert_json '.retry_after_ms > 7190000 and .retry_after_ms <= 7200000' "$said"
case_pass

case_begin "A-07 a locked terminal does not open by itself"
assert_locked one snapshots >/dev/null
case_pass

case_begin "A-07 without its journal every lane starts closed"
service_stop auth
rm -r "$WORLD/auth.ledger/journal"
service_start_ahead +65m auth
assert_locked two snapshots >/dev/null
terminal_enrolled stranger3
said=$(assert_locked stranger3 --name cleo bind --serial s)
assert_json '.retry_after_ms > 3590000 and .retry_after_ms <= 3600000' "$said"
said=$(assert_locked stranger3 --name nobody bind --serial s)
assert_json '.retry_after_ms > 3590000 and .retry_after_ms <= 3600000' "$said"
case_pass

case_begin "A-07 the strangers' opens again, also after a restart; no other"
advance +130m
assert_locked two snapshots >/dev/null
for name in cleo nobody; do
	said=$(wrong_try stranger3 --name "$name" bind --serial s)
	assert_json '.tries_remaining == 2' "$said"
done
case_pass

case_begin "A-07 accounts from after that are not locked"
terminal_of_new nine ilse
keepsake_as nine --json snapshots >/dev/null
case_pass

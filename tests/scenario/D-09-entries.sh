#!/bin/bash
# D-09: an entry stores ICCID, card number, data, and the dates of its first
# save and its last update.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
readonly CARD=8988211000000530082 OTHER=89860318640220133897
readonly NUMBER=+4915112345678 SECRET="what only the card knows"
world_up
terminal_of_new one anna
terminal_of_new two bert

hex() { # TEXT
	printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n'
}

field() { # NUMBER TEXT: a text field of a message, as hex
	printf '%02x%02x%s' $(($1 * 8 + 2)) "${#2}" "$(hex "$2")"
}

card_at() { # TERMINAL FILTER: of the one card in the list
	json ".[] | select(.iccid == \"$CARD\") | $2" \
	    "$(keepsake_as "$1" --json card list)"
}

printf '%s' "$SECRET" >"$WORLD/data"

case_begin "D-09 a card is saved, listed and fetched with its data"
assert_equal '[]' "$(keepsake_as one --json card list)" "no card"
expect_error 6 not_found one card fetch "$CARD" >/dev/null
saved=$(keepsake_as one --json card save --iccid "$CARD" --number "$NUMBER" \
    --data-file "$WORLD/data")
assert_json ".iccid == \"$CARD\" and .number == \"$NUMBER\" and\
 .first_save == .last_update" "$saved" answer
first=$(json .first_save "$saved")
assert_equal "$first" "$(card_at one .first_save)" "first save"
assert_match "$CARD  \\$NUMBER  saved .*with data" \
    "$(keepsake_as one card list)" text
fetched=$(keepsake_as one --json card fetch "$CARD")
assert_equal "$(hex "$SECRET")" "$(json .data "$fetched")" data
assert_equal "$SECRET" "$(keepsake_as one card fetch "$CARD" --output -)" data
keepsake_as one --quiet card fetch "$CARD" --output "$WORLD/fetched"
cmp "$WORLD/data" "$WORLD/fetched"
assert_equal 600 "$(stat -c %a "$WORLD/fetched")" "mode"
expect_status 1 keepsake_as one card fetch "$CARD" --output "$WORLD/fetched" \
    2>/dev/null
case_pass

case_begin "D-09 a later save keeps the first date, and the data unless given"
sleep_until_next() { # the clock of the server has moved on
	[ "$(date +%s)" -gt "$1" ]
}
wait_for 5 sleep_until_next "$(date +%s)"
saved=$(keepsake_as one --json card save --iccid "$CARD" \
    --number +4915187654321)
assert_equal "$first" "$(json .first_save "$saved")" "first save"
[[ $(json .last_update "$saved") > $first ]] || fail "last update: $saved"
assert_equal +4915187654321 "$(card_at one .number)" number
assert_equal "$SECRET" "$(keepsake_as one card fetch "$CARD" --output -)" data
head -c 3459 /dev/urandom >"$WORLD/longest"
keepsake_as one --quiet card save --iccid "$CARD" --number "$NUMBER" \
    --data-file - <"$WORLD/longest"
keepsake_as one card fetch "$CARD" --output - | cmp - "$WORLD/longest"
: >"$WORLD/empty"
keepsake_as one --quiet card save --iccid "$CARD" --number "$NUMBER" \
    --data-file "$WORLD/empty"
assert_json '.data == "" and .data_bytes == 0' \
    "$(keepsake_as one --json card fetch "$CARD")" "empty data"
assert_equal "$first" "$(card_at one .first_save)" "first save"
keepsake_as one --quiet card save --iccid "$CARD" --number "$NUMBER" \
    --data-file "$WORLD/data"
case_pass

case_begin "D-09 what is no card, no number, or too much is refused"
for iccid in 8988211000000530081 898821100000053008 898821100000053008119 \
    89882110000005300F2 ''; do
	expect_error 1 malformed one card save --iccid "$iccid" \
	    --number "$NUMBER" >/dev/null
	expect_error 1 malformed one card fetch "$iccid" >/dev/null
done
for number in 4915112345678 +123456 +1234567890123456 '+49 151' '' +; do
	said=$(expect_error 1 malformed one card save --iccid "$OTHER" \
	    --number "$number")
	assert_match 'number: ' "$said" "which field"
done
head -c 3460 /dev/zero >"$WORLD/longer"
expect_status 1 keepsake_as one card save --iccid "$OTHER" --number "$NUMBER" \
    --data-file "$WORLD/longer" 2>/dev/null
expect_status 1 keepsake_as one card save --iccid "$OTHER" --number "$NUMBER" \
    --data-file "$WORLD/no-such-file" 2>/dev/null
expect_status 2 keepsake_as one card save --iccid "$OTHER" 2>/dev/null
expect_status 2 keepsake_as one card drop 2>/dev/null
expect_status 2 keepsake_as one card fetch 2>/dev/null
read -r upload _ < <(raw_login one anna UPLOAD)
# 3501 bytes of data: field 3, with a length of two bytes
body=$(field 1 "$OTHER")$(field 2 "$NUMBER")1aad1b$(printf '00%.0s' {1..3501})
expect_raw too_large one --ticket "$upload" --body "$body" \
    ask binding.ENTRY_SAVE >/dev/null
assert_equal 1 "$(keepsake_as one --json card list | jq length)" cards
case_pass

case_begin "D-09 a card is one account's"
said=$(expect_error 7 conflict two card save --iccid "$CARD" --number "$NUMBER")
assert_match 'another account has this card.*operator' "$said" "whom to ask"
assert_equal '[]' "$(keepsake_as two --json card list)" "cards of another"
expect_error 6 not_found two card fetch "$CARD" >/dev/null
keepsake_as two --quiet card save --iccid "$OTHER" --number "$NUMBER"
expect_error 7 conflict one card save --iccid "$OTHER" --number "$NUMBER" \
    >/dev/null
case_pass

case_begin "D-09 A-03 saving needs an upload ticket, fetching a download one"
body=$(field 1 "$CARD")$(field 2 "$NUMBER")
for direction in DOWNLOAD MANAGE NOTICES ENROL; do
	read -r ticket _ < <(raw_login one anna "$direction")
	expect_raw auth_required one --ticket "$ticket" --body "$body" \
	    ask binding.ENTRY_SAVE >/dev/null
	[ "$direction" = DOWNLOAD ] && continue
	expect_raw auth_required one --ticket "$ticket" \
	    --body "$(field 1 "$CARD")" ask binding.ENTRY_FETCH >/dev/null
done
expect_raw auth_required one --ticket "$upload" ask binding.ENTRIES >/dev/null
expect_raw auth_required one --ticket "$upload" \
    --body "$(field 1 "$CARD")" ask binding.ENTRY_FETCH >/dev/null
case_pass

case_begin "D-09 G-04 a repeated save gets the first answer"
request=0f0e0d0c0b0a09080706050403020100
answer=$(expect_raw ok one --ticket "$upload" --request "$request" \
    --body "$body" ask binding.ENTRY_SAVE)
service_kill binding
service_start binding
keepsake_as one --quiet terminals >/dev/null # once it is met again
assert_equal "$answer" "$(expect_raw ok one --ticket "$upload" \
    --request "$request" --body "$body" ask binding.ENTRY_SAVE)" answer
assert_equal "$first" "$(card_at one .first_save)" "first save"
assert_equal "$SECRET" "$(keepsake_as one card fetch "$CARD" --output -)" data
case_pass

case_begin "D-09 an account has 32 cards at most"
check_digit() { # DIGITS: the Luhn digit to follow them
	local digits=$1 sum=0 i digit
	for ((i = 0; i < ${#digits}; i++)); do
		digit=${digits:$((${#digits} - 1 - i)):1}
		if ((i % 2 == 0)); then
			digit=$((digit * 2 / 10 + digit * 2 % 10))
		fi
		sum=$((sum + digit))
	done
	echo $(((10 - sum % 10) % 10))
}
for i in {2..33}; do
	digits=$(printf '8949%014d' "$i")
	body=$(field 1 "$digits$(check_digit "$digits")")$(field 2 "$NUMBER")
	want=ok
	[ "$i" -lt 33 ] || want=conflict
	answer=$(expect_raw "$want" one --ticket "$upload" --body "$body" \
	    ask binding.ENTRY_SAVE)
done
assert_match '32 cards' "$answer" why
assert_equal 32 "$(keepsake_as one --json card list | jq length)" cards
assert_equal 33 "$(figure binding entries)" "cards of all"
keepsake_as one --quiet card save --iccid "$CARD" --number "$NUMBER"
case_pass

case_begin "K-08 D-09 the database has nothing of a card in clear"
service_stop binding
for text in "$CARD" "$OTHER" "${NUMBER#+}" "$SECRET"; do
	! grep -qaF -- "$text" "$WORLD"/binding/data.mdb ||
	    fail "$text is in the database"
done
# as EF_ICCID has it, with the digits of each byte swapped
! LC_ALL=C grep -qaP '\x98\x88\x12\x01\x00\x00\x50\x03\x80\xf2' \
    "$WORLD"/binding/data.mdb || fail "the ICCID is in the database"
service_start binding
assert_equal "$SECRET" "$(keepsake_as one card fetch "$CARD" --output -)" data
case_pass

case_begin "A-12 D-02 D-09 what a deleted account had is free for others"
keepsake_as one --quiet forget \
    --yes "$(json .account "$(keepsake_as one --json status)")"
free() {
	keepsake_as two --quiet card save --iccid "$CARD" --number "$NUMBER" \
	    2>>"$WORLD_LOG/stderr.log"
}
wait_for 20 free || fail "the card of the deleted account is not free"
terminal_enrolled again
wait_for 20 terminal_bind again --name bert --serial serial-of-one \
    2>>"$WORLD_LOG/stderr.log" || fail "its terminal is not free"
assert_equal "2 1 2" "$(figure binding terminals) $(figure binding accounts)\
 $(figure binding entries)" "terminals, accounts, cards"
case_pass

#!/bin/bash
# B-12: an account has a soft and a hard quota: passing one is said before
# data is sent, nothing stored earlier is harmed, and what is deleted makes
# room.  The same for a full database.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up "[store] sweep_ms = 100ms" "[store] quota_soft = 6M" \
    "[store] quota_hard = 20M"
terminal_of_new one anna
account=$(json '.[0].id' "$(keepsakectl --json accounts)")

noise() { # FOLDER MIB: a folder with so much of what does not compress
	mkdir -p "$1"
	head -c $(($2 << 20)) /dev/urandom >"$1/noise"
}

used() {
	json '.[0].used' "$(keepsakectl --json quota "$account")"
}

noticed() { # KIND
	keepsake_as one --json notices >>"$WORLD/noticed" 2>/dev/null || true
	grep -q "\"$1\"" "$WORLD/noticed"
}

notices_of() { # KIND: how many there were, without repeats
	noticed "$1" || true
	jq -r "if type == \"array\" then .[] else . end |
	    select(.kind == \"$1\") | .id" "$WORLD/noticed" | sort -u | wc -l
}

case_begin "B-12 below the soft quota nothing is said"
noise "$WORLD/small" 3
keepsake_as one --quiet backup "$WORLD/small" 2>"$WORLD/stderr"
assert_equal "" "$(cat "$WORLD/stderr")" "standard error"
[ "$(used)" -gt $((3 << 20)) ] || fail "$(used) bytes are used"
case_pass

case_begin "B-12 past the soft quota: stored, a warning, one notice"
noise "$WORLD/middle" 5
keepsake_as one backup "$WORLD/middle" >/dev/null 2>"$WORLD/stderr"
assert_match 'more than 6.0 MiB' "$(cat "$WORLD/stderr")" "the warning"
wait_for 30 noticed quota_soon || fail "no notice"
output=$(keepsake_as one --json backup "$WORLD/middle" 2>/dev/null)
assert_json '.used_bytes > .quota_soft_bytes and
    .quota_bytes == 20 * 1048576' "$output" "the backup"
assert_equal 1 "$(notices_of quota_soon)" "notices of one crossing"
case_pass

case_begin "B-12 what cannot fit is refused before anything is sent"
noise "$WORLD/large" 16
blobs=$(figure store db_blobs)
before=$(used)
output=$(expect_error 1 quota one backup "$WORLD/large")
assert_match 'needs 16\.[0-9] MiB more' "$output" "what it needs"
assert_equal "$blobs" "$(figure store db_blobs)" blobs
assert_equal "$before" "$(used)" "used bytes"
assert_equal 0 "$(figure store puts_over_quota)" "chunks that were refused"
case_pass

case_begin "B-12 what is stored restores, and the same again fits"
assert_restores one 1 "$WORLD/small"
assert_restores one 2 "$WORLD/middle"
cp -r "$WORLD/middle" "$WORLD/again"
keepsake_as one --quiet backup "$WORLD/again" 2>/dev/null
assert_restores one latest "$WORLD/again"
case_pass

# Two terminals begin when each of them fits, and not both.
case_begin "B-12 several at once are never let past the hard quota"
terminal_of two anna
noise "$WORLD/of-one" 7
noise "$WORLD/of-two" 7
hard=$((20 << 20))
client_begin one --json backup "$WORLD/of-one"
client_begin two --json backup "$WORLD/of-two"
failed=0
client_end one || failed=$((failed + 1))
client_end two || failed=$((failed + 1))
[ "$(used)" -le "$hard" ] || fail "$(used) bytes are used of $hard"
[ "$failed" -ge 1 ] || fail "both were stored: $(used) bytes"
for name in one two; do
	output=$(client_out "$name")
	assert_json '(.error == "quota") or (.snapshot > 0)' "$output" "$name"
done
case_pass

# What no honest terminal asks: many puts at once, past all that is there.
case_begin "B-12 each put is counted: the last that fits is the last"
keepsakectl quota "$account" none 30M --reason "test" >/dev/null
noise "$WORLD/fill" 16
keepsake_as one --quiet backup "$WORLD/fill" 2>/dev/null || true
ceiling=$(($(used) + 300000))
keepsakectl quota "$account" none "$ceiling" --reason "test" >/dev/null
login=$(raw_login two anna UPLOAD)
read -r ticket hex <<<"$login"
answer=$(expect_raw ok two --ticket "$ticket" --account "$hex" \
    ask store.BACKUP_BEGIN)
lease=$(awk '{ print $3 }' <<<"$answer" | cut -c 5-36)
put() { # CHUNK-NUMBER: one of 262128 bytes
	raw two --ticket "$ticket" --account "$hex" --payload-bytes 262128 \
	    --body "0a10${lease}1220$(printf '%064x' "$1")" ask store.PUT
}
assert_match '^ok' "$(put 1)" "the one that fits"
assert_match '^quota' "$(put 2)" "the one that does not"
assert_match '^ok' "$(put 1)" "a repeat of what is there"
[ "$(used)" -le "$ceiling" ] || fail "$(used) of $ceiling bytes"
[ "$(figure store puts_over_quota)" -ge 1 ] || fail "the figure"
wait_for 30 noticed quota_reached || fail "no notice"
case_pass

case_begin "B-12 past it reading, listing and deleting work; deleting makes room"
before=$(used)
assert_restores one 1 "$WORLD/small"
keepsake_as one --json snapshots >"$WORLD/list"
last=$(jq '.[-1].snapshot' "$WORLD/list")
lower_than() {
	[ "$(used)" -lt "$1" ]
}
keepsake_as one --quiet delete "$last"
# The lease of the terminal that put by hand holds the sweep up.
raw two --ticket "$ticket" --account "$hex" --body "0a10$lease" \
    ask store.BACKUP_ABANDON >/dev/null
wait_for 60 lower_than $((before - (5 << 20))) ||
    fail "$(used) bytes are used, of $before before"
assert_restores one 1 "$WORLD/small"
case_pass

case_begin "B-12 an operator sets an account's own quota, on record"
keepsakectl quota "$account" 50M 60M --reason "a new phone" >/dev/null
service_kill store
service_start store
output=$(keepsakectl --json quota "$account")
assert_json '.[0].soft == 50 * 1048576 and .[0].hard == 60 * 1048576 and
    .[0].own' "$output" "the quota after a kill"
keepsake_as one --quiet backup "$WORLD/large"
assert_restores one latest "$WORLD/large"
assert_json '[.[] | select(.action == "quota_set")] | length >= 1' \
    "$(keepsakectl --json audit store)" "the record"
keepsakectl quota "$account" default --reason "done" >/dev/null
assert_json '.[0].hard == 20 * 1048576 and (.[0].own | not)' \
    "$(keepsakectl --json quota "$account")" "the quota"
expect_status 2 keepsakectl quota "$account" 9M 2>/dev/null
expect_status 2 keepsakectl quota "$account" much more \
    --reason "test" 2>/dev/null
got=0
keepsakectl quota "$account" 9M 8M --reason "test" 2>/dev/null || got=$?
[ "$got" -ne 0 ] || fail "a soft quota above the hard one"
got=0
keepsakectl quota 00112233445566778899aabbccddeeff 8M 9M \
    --reason "test" 2>/dev/null || got=$?
assert_equal 3 "$got" "exit status for an account that is none"
case_pass
service_stop store

# ---- a full database ----

sed -i '/^quota_/d' "$WORLD_CONFIG"
printf '\n[store]\nmap_bytes = 4M\nmap_bytes_max = 80M\nreserve_bytes = 8M\n' \
    >>"$WORLD_CONFIG"
service_start store

case_begin "B-12 no room on the disk: refused before anything is sent"
noise "$WORLD/huge" 70
blobs=$(figure store db_blobs)
output=$(expect_error 1 no_space one backup "$WORLD/huge")
assert_match 'server has room for' "$output" "why"
assert_equal "$blobs" "$(figure store db_blobs)" blobs
case_pass

case_begin "B-12 a full database reads and deletes, and has room after that"
rm -rf "$WORLD/huge"
full=
for i in $(seq 1 40); do
	noise "$WORLD/fill" 3
	if ! keepsake_as one --json backup "$WORLD/fill" \
	    >"$WORLD/full.json" 2>/dev/null; then
		full=$i
		break
	fi
done
[ -n "$full" ] || fail "it never became full"
assert_json '.error == "no_space"' "$(cat "$WORLD/full.json")" "the refusal"
assert_restores one 1 "$WORLD/small"
ordinals=$(jq -r '.[] | select(.snapshot > 1) | .snapshot' \
    <<<"$(keepsake_as one --json snapshots)")
# shellcheck disable=SC2086 # one argument each
keepsake_as one --quiet delete $ordinals
wait_for 60 lower_than $((8 << 20)) || fail "$(used) bytes are used"
noise "$WORLD/fill" 3
room() { # the terminal is told of room that is a few seconds old
	keepsake_as one --quiet backup "$WORLD/fill" 2>/dev/null
}
wait_for 60 room || fail "there is no room"
assert_restores one latest "$WORLD/fill"
assert_restores one 1 "$WORLD/small"
case_pass

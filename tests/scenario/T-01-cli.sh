#!/bin/bash
# T-01: the command line: usage, exit codes, JSON, progress for who watches,
# quiet in a pipe, no secret in the arguments, the man page.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
tree_make "$WORLD/tree" 64 60 1
readonly COMMANDS="enrol register bind terminals rebind unbind password code
    sim-pin invite sessions revoke forget backup snapshots show restore card
    grant lock notices status"

case_begin "T-01 --help tells every command and option, --version the version"
help=$("$BUILD/keepsake" --help)
for command in $COMMANDS; do
	grep -qE "^  $command " <<<"$help" || fail "no $command in $help"
done
assert_match '^keepsake [0-9]+[.][0-9]+' "$("$BUILD/keepsake" --version)" version
case_pass

case_begin "T-01 what is wrongly used is told, with exit status 2"
while read -r line; do
	# shellcheck disable=SC2086 # arguments
	expect_status 2 keepsake_as one $line >"$WORLD/out" 2>"$WORLD/err" \
	    </dev/null
	[ -s "$WORLD/err" ] || fail "nothing said of '$line'"
	[ ! -s "$WORLD/out" ] || fail "on standard output, of '$line'"
done <<-END

	nothing
	--nothing status
	status more
	backup
	show
	show 1 2
	restore 1
	restore --target
	backup --target x y
	snapshots --follow
	--timeout soon status
	--timeout 0s status
	--timeout 11min status
	--timeout 30 status
	code
	code get
	code show --factors imei
	code set
	code set --factors voice
	code set --factors serial
	snapshots --factors serial
	sim-pin
	sim-pin off
	invite more
	status --ask
	revoke
	revoke 1 2
	revoke no-session
	revoke --terminal 12
	revoke --all --terminal 00112233445566778899aabbccddeeff
	forget anna
	forget --yes anna
	--identity-file /dev/null/none status
END
case_pass

case_begin "T-01 no option takes a secret itself"
! grep -qE -- '--(password|verification|code|secret) ' <<<"$help" ||
    fail "an option for a secret: $help"
# --key says how one is kept, and takes no key.
expect_status 2 keepsake_as one backup --key "$(printf '1f%.0s' {1..32})" x \
    2>/dev/null
case_pass

case_begin "T-01 a secret's file must be its owner's alone"
secret loose "$PASSWORD"
chmod 0644 "$WORLD/secret.loose"
ln -s secret.password "$WORLD/secret.link"
for name in loose link none; do
	expect_status 4 keepsake_as one --password-file "$WORLD/secret.$name" \
	    snapshots >/dev/null 2>"$WORLD/err"
	assert_match "secret.$name" "$(cat "$WORLD/err")" message
done
case_pass

case_begin "T-01 the state folder must be its owner's alone"
chmod 0755 "$WORLD/terminal/one"
expect_error 4 denied one status >/dev/null
chmod 0700 "$WORLD/terminal/one"
chmod 0644 "$WORLD/terminal/one/terminal.key"
expect_error 4 denied one status >/dev/null
chmod 0600 "$WORLD/terminal/one/terminal.key"
ln -s one "$WORLD/terminal/link"
expect_error 4 denied link status >/dev/null
case_pass

# What a person sees.
case_begin "T-01 a long transfer shows its progress to who watches"
script -qefc "$(printf '%q ' "$BUILD/keepsake" \
    --state "$WORLD/terminal/one" --password-file "$WORLD/secret.password" \
    backup "$WORLD/tree")" "$WORLD/watched" </dev/null >/dev/null
grep -qaE 'backup +[0-9]+%' "$WORLD/watched" ||
    fail "no progress: $(cat "$WORLD/watched")"
grep -qa 'Snapshot 1: ' "$WORLD/watched" || fail "no result"
case_pass

case_begin "T-01 a pipe gets the result only"
keepsake_as one backup "$WORLD/tree" >"$WORLD/out" 2>"$WORLD/err"
[ ! -s "$WORLD/err" ] || fail "on standard error: $(cat "$WORLD/err")"
assert_match '^Snapshot 2: [^'$'\r\033''%]*$' "$(cat "$WORLD/out")" result
keepsake_as one --quiet backup "$WORLD/tree" >"$WORLD/out" 2>&1
[ ! -s "$WORLD/out" ] || fail "--quiet says: $(cat "$WORLD/out")"
case_pass

case_begin "T-01 --json is JSON, with what is documented, whoever watches"
result=$(keepsake_as one --json backup "$WORLD/tree")
assert_json '(.snapshot == 4) and ([.files, .bytes, .chunks_sent,
    .bytes_sent, .unchanged] | all(type == "number")) and .errors == []' \
    "$result" backup
assert_json 'length == 4 and all(.[]; ([.snapshot, .files, .bytes] |
    all(type == "number")) and (.taken | type) == "string" and
    (.terminal | type) == "string" and (.label | type) == "string" and
    (.categories | type) == "object")' \
    "$(keepsake_as one --json snapshots)" snapshots
assert_json 'length > 50 and all(.[]; has("path") and has("type") and
    has("size") and has("mode") and has("mtime") and has("category") and
    has("changed"))' "$(keepsake_as one --json show latest)" show
result=$(keepsake_as one --json restore latest --target "$WORLD/target")
assert_json '.snapshot == 4 and .files == .written and .skipped == [] and
    .bytes > 0 and .verified == 0' "$result" restore
result=$(keepsake_as one --json notices)
assert_json 'length > 1 and all(.[]; has("id") and has("kind") and
    has("when") and has("figures"))' "$result" notices
assert_equal 1 "$(wc -l <<<"$result")" "lines of notices"
assert_json '.reachable and .bound and .round_trip_ms >= 0 and
    .name == "anna"' "$(keepsake_as one --json status)" status
script -qefc "$(printf '%q ' "$BUILD/keepsake" \
    --state "$WORLD/terminal/one" --password-file "$WORLD/secret.password" \
    --json backup "$WORLD/tree") 2>/dev/null" "$WORLD/watched" </dev/null \
    >/dev/null
sed '1d;$d' "$WORLD/watched" | jq -e .snapshot >/dev/null ||
    fail "not JSON: $(cat "$WORLD/watched")"
case_pass

case_begin "T-01 several folders in one command: a snapshot each"
mkdir "$WORLD/small"
date >"$WORLD/small/file"
keepsake_as one --json backup "$WORLD/small" "$WORLD/tree" |
    jq -se 'length == 2 and .[1].snapshot == .[0].snapshot + 1' >/dev/null ||
    fail "not two snapshots"
case_pass

case_begin "T-01 a full standard output is a failure"
for command in snapshots "show latest" "backup $WORLD/small"; do
	# shellcheck disable=SC2086 # a command and its arguments
	expect_status 1 keepsake_as one --json $command >/dev/full 2>/dev/null
done
for program in keepsake keepsakectl; do
	for option in --help --version "--completion bash"; do
		# shellcheck disable=SC2086 # an option and its argument
		expect_status 1 "$BUILD/$program" $option >/dev/full 2>/dev/null
	done
done
case_pass

manual=client/cli/keepsake.1
case_begin "T-01 the man page renders, and names every command and exit code"
LC_ALL=C.UTF-8 mandoc -T utf8 "$manual" 2>/dev/null >"$WORLD/page" ||
    man -l "$manual" >"$WORLD/page" 2>/dev/null ||
    { case_skip "T-01 the man page renders: no man here" && exit 0; }
text=$(sed 's/.\x08//g' "$WORLD/page")
for word in $COMMANDS --state --json --password-file --timeout --target; do
	grep -qF -- "$word" <<<"$text" || fail "no $word in the page"
done
for code in 0 1 2 3 4 5 6 7; do
	grep -qE "^ +$code +" <<<"$text" || fail "no exit code $code in the page"
done
case_pass

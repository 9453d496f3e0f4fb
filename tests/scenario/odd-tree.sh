#!/bin/bash
# B-01 B-06: what a file system allows and a program forgets goes through
# backup and restore; what changes, vanishes or cannot be read meanwhile is
# reported, and does not end a backup.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna

case_begin "B-01 odd names, times, links, holes and modes come back"
tree_make "$WORLD/tree" 4 30 1 --odd
assert_json '.errors == []' "$(keepsake_as one --json backup "$WORLD/tree")" \
    backup
assert_restores one latest "$WORLD/tree"
case_pass

case_begin "B-01 and again where all is remembered, or nothing"
keepsake_as one --quiet backup "$WORLD/tree"
assert_restores one latest "$WORLD/tree"
rm "$WORLD"/terminal/one/cache-*
keepsake_as one --quiet backup "$WORLD/tree"
assert_restores one latest "$WORLD/tree"
case_pass

case_begin "T-01 odd names are one clean line each where they are shown"
keepsake_as one show latest >"$WORLD/shown"
keepsake_as one --json show latest >"$WORLD/shown.json"
assert_equal "$(jq length "$WORLD/shown.json")" "$(wc -l <"$WORLD/shown")" \
    lines
! LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "$WORLD/shown" ||
    fail "control characters"
iconv -f UTF-8 -t UTF-8 "$WORLD/shown" >/dev/null || fail "no UTF-8"
case_pass

case_begin "B-01 an empty folder is a snapshot too"
mkdir "$WORLD/empty"
keepsake_as one --quiet backup "$WORLD/empty"
assert_restores one latest "$WORLD/empty"
case_pass

case_begin "B-01 what is no file, folder or link is reported and left out"
mkdir "$WORLD/special"
mkfifo "$WORLD/special/pipe"
echo text >"$WORLD/special/file"
assert_json '.errors | length == 1 and .[0].path == "pipe" and
    (.[0].why | test("pipe"))' \
    "$(keepsake_as one --json backup "$WORLD/special")" backup
rm "$WORLD/special/pipe"
assert_restores one latest "$WORLD/special"
case_pass

# root reads everything, unless it leaves that right behind.
as_person=
if [ "$(id -u)" -eq 0 ]; then
	as_person="setpriv --inh-caps=-dac_override,-dac_read_search
	    --bounding-set=-dac_override,-dac_read_search"
fi
case_begin "B-01 what may not be read is reported, with exit 3"
mkdir "$WORLD/closed" "$WORLD/closed/folder"
echo secret >"$WORLD/closed/file"
echo text >"$WORLD/closed/open"
echo text >"$WORLD/closed/folder/inside"
chmod 0 "$WORLD/closed/file" "$WORLD/closed/folder"
status=0
# shellcheck disable=SC2086 # a command, or nothing
result=$($as_person "$BUILD/keepsake" --state "$WORLD/terminal/one" \
    --password-file "$WORLD/secret.password" --json \
    backup "$WORLD/closed") || status=$?
chmod 0755 "$WORLD/closed/folder"
assert_equal 3 "$status" "exit status"
assert_json '[.errors[].path] | sort == ["file", "folder"]' "$result" backup
assert_json 'all(.errors[]; .why | test("[Pp]ermission denied"))' "$result" why
keepsake_as one --quiet restore latest --target "$WORLD/closed.back"
assert_equal text "$(cat "$WORLD/closed.back/open")" "the rest"
case_pass

# One file grows for as long as the backup runs: reading it again is in vain.
case_begin "B-01 a file that changes while it is read is reported, with exit 3"
mkdir "$WORLD/moving"
head -c 60000000 /dev/urandom >"$WORLD/moving/log"
echo text >"$WORLD/moving/file"
client_begin one --json backup "$WORLD/moving"
while client_runs one; do
	echo more >>"$WORLD/moving/log"
done
status=0
client_end one || status=$?
assert_equal 3 "$status" "exit status, of $(client_out one)"
assert_json '.errors | length == 1 and .[0].path == "log" and
    (.[0].why | test("chang"))' "$(client_out one)" backup
assert_json 'any(.[]; .path == "log" and .changed) and
    any(.[]; .path == "file" and (.changed | not))' \
    "$(keepsake_as one --json show latest)" show
case_pass

case_begin "B-01 a file that vanishes meanwhile is no reason to fail"
rm -r "$WORLD/moving"
mkdir "$WORLD/moving"
head -c 60000000 /dev/urandom >"$WORLD/moving/a"
for n in $(seq 50); do
	echo text >"$WORLD/moving/b$n"
done
client_begin one --json backup "$WORLD/moving"
kill -STOP "${CLIENT_PID[one]}"
rm "$WORLD"/moving/b*
kill -CONT "${CLIENT_PID[one]}"
status=0
client_end one || status=$?
[ "$status" -eq 0 ] || [ "$status" -eq 3 ] || fail "exit status $status"
assert_json 'all(.errors[]; .path | startswith("b"))' "$(client_out one)" \
    backup
assert_restores one latest "$WORLD/moving"
case_pass

#!/bin/bash
# B-06: a category, a folder or one file is restored, elsewhere or to where it
# came from; what is there is never replaced unless that is asked for.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
terminal_of two anna
tree_make "$WORLD/tree" 4 40 1
mkdir -p "$WORLD/tree/mine/deep" "$WORLD/tree/mine.too" "$WORLD/tree/other"
(
	cd "$WORLD/tree/mine"
	echo one >one.txt
	echo two >two.txt
	echo photo >deep/photo.jpg
	ln -s one.txt link
	echo three >three.txt
	ln three.txt deep/second-name.txt
	ln three.txt ../other/third-name.txt
	ln three.txt ../other/fourth-name.txt
	echo other >../mine.too/one.txt
	chmod 0750 deep
	touch -d '2026-01-01 00:00:00 UTC' one.txt deep
)
cp -a "$WORLD/tree" "$WORLD/before"
keepsake_as one --quiet backup "$WORLD/tree"

files_of() { # FOLDER
	(cd "$1" && find . -mindepth 1 ! -type d -printf '%P\n' | LC_ALL=C sort |
	    paste -sd ' ')
}

case_begin "B-06 one file is restored"
told=$(keepsake_as two --json restore 1 --path mine/deep/photo.jpg \
    --target "$WORLD/one-file" --verify)
assert_json '.files == 1 and .written == 1 and .verified == 1' "$told" told
assert_equal mine/deep/photo.jpg "$(files_of "$WORLD/one-file")" files
cmp "$WORLD/one-file/mine/deep/photo.jpg" "$WORLD/tree/mine/deep/photo.jpg"
case_pass

case_begin "B-06 a folder is restored, with all below it and nothing beside"
for path in mine mine/ ./mine//; do
	rm -rf "$WORLD/folder"
	keepsake_as two --quiet restore latest --path "$path" \
	    --target "$WORLD/folder"
	assert_same_tree "$WORLD/before/mine" "$WORLD/folder/mine"
	assert_equal mine "$(ls "$WORLD/folder")" folders
done
case_pass

case_begin "B-06 a file is restored by any of its names, and one file stays one"
told=$(keepsake_as two --json restore 1 --path mine/three.txt \
    --target "$WORLD/by-name" --verify)
assert_json '.files == 1 and .written == 1 and .verified == 1' "$told" told
assert_equal mine/three.txt "$(cd "$WORLD/by-name" && find . ! -name . \
    -printf '%P\n' | grep -vx mine)" "what was made"
assert_equal three "$(cat "$WORLD/by-name/mine/three.txt")" content
told=$(keepsake_as two --json restore 1 --path other --target "$WORLD/others")
assert_json '.files == 3 and .written == 3 and .skipped == []' "$told" told
assert_same_tree "$WORLD/before/other" "$WORLD/others/other"
assert_equal 2 "$(stat -c %h "$WORLD/others/other/third-name.txt")" names
case_pass

case_begin "B-06 a category within a folder is restored"
keepsake_as two --quiet restore 1 --path mine --category photos \
    --target "$WORLD/photos"
assert_equal mine/deep/photo.jpg "$(files_of "$WORLD/photos")" files
case_pass

case_begin "B-06 a path that is not in the snapshot is named, and nothing made"
for path in mine/none mine/on one.txt mine/one.txt/x; do
	answer=$(expect_error 6 not_found two restore 1 --path "$path" \
	    --target "$WORLD/none")
	assert_match "$path: no such path in snapshot 1" "$answer" detail
done
for path in / ../tree "" . mine/../mine "$WORLD/tree/mine"; do
	expect_error 6 not_found two restore 1 --path "$path" \
	    --target "$WORLD/none" >/dev/null
done
[ ! -e "$WORLD/none" ] || fail "a folder was made"
case_pass

# Lose some, and change others, all later than the backup.
damage() {
	rm -rf "$WORLD/tree"
	cp -a "$WORLD/before" "$WORLD/tree"
	cd "$WORLD/tree/mine"
	rm -r deep/photo.jpg one.txt ../mine.too
	echo 'newer than the backup' >two.txt
	ln -sf two.txt link
	echo mine >foreign.txt
	chmod 0700 deep
	cd "$WORLD"
}

case_begin "B-06 in place what is lost comes back, what is there stays as it is"
damage
status=0
told=$(keepsake_as one --json restore 1 --in-place) || status=$?
assert_equal 3 "$status" "exit status"
assert_json ".target == \"$WORLD/tree\" and
    ([.skipped[].path] | sort) == [\"mine/link\",
	\"mine/two.txt\"] and
    all(.skipped[]; .why | test(\"--overwrite\"))" "$told" told
assert_equal one "$(cat "$WORLD/tree/mine/one.txt")" "a lost file"
assert_equal other "$(cat "$WORLD/tree/mine.too/one.txt")" "of a lost folder"
assert_equal photo "$(cat "$WORLD/tree/mine/deep/photo.jpg")" "a lost file"
assert_equal 'newer than the backup' "$(cat "$WORLD/tree/mine/two.txt")" \
    "a newer file"
assert_equal two.txt "$(readlink "$WORLD/tree/mine/link")" "another link"
assert_equal mine "$(cat "$WORLD/tree/mine/foreign.txt")" "a foreign file"
assert_equal 700 "$(stat -c %a "$WORLD/tree/mine/deep")" "a folder's mode"
[ -z "$(find "$WORLD/tree" -name '.keepsake-*')" ] || fail "left behind"
case_pass

case_begin "B-06 in place again there is nothing to do but what differs"
status=0
told=$(keepsake_as one --json restore 1 --in-place) || status=$?
assert_equal 3 "$status" "exit status"
assert_json '.written == 0 and (.skipped | length) == 2' "$told" told
case_pass

case_begin "B-06 in place one file, with --overwrite, and no other"
keepsake_as one --quiet restore 1 --in-place --overwrite --path mine/two.txt
assert_equal two "$(cat "$WORLD/tree/mine/two.txt")" "the file"
assert_equal two.txt "$(readlink "$WORLD/tree/mine/link")" "another link"
case_pass

case_begin "B-06 in place a file that is kept gets no other name"
damage
rm "$WORLD/tree/mine/three.txt" "$WORLD/tree/mine/deep/second-name.txt"
echo newer >"$WORLD/tree/mine/deep/second-name.txt"
status=0
told=$(keepsake_as one --json restore 1 --in-place --path mine) || status=$?
assert_equal 3 "$status" "exit status"
assert_json '.skipped[] | select(.path == "mine/three.txt") |
    .why | test("another name")' "$told" told
[ ! -e "$WORLD/tree/mine/three.txt" ] || fail "it has what was kept"
assert_equal newer "$(cat "$WORLD/tree/mine/deep/second-name.txt")" kept
case_pass

case_begin "B-06 with --overwrite all is as it was, and foreign files stay"
damage
keepsake_as one --quiet restore 1 --in-place --overwrite --verify
assert_equal mine "$(cat "$WORLD/tree/mine/foreign.txt")" "a foreign file"
rm "$WORLD/tree/mine/foreign.txt"
touch -r "$WORLD/before/mine" "$WORLD/tree/mine"
assert_same_tree "$WORLD/before" "$WORLD/tree"
case_pass

case_begin "B-06 in place on another terminal it is the same folder"
rm -rf "$WORLD/tree"
keepsake_as two --quiet restore 1 --in-place
assert_same_tree "$WORLD/before" "$WORLD/tree"
case_pass

case_begin "B-06 where a snapshot does not say where from, that is said"
deep=$WORLD/deep
for _ in 1 2 3 4 5; do
	deep=$deep/$(printf 'x%.0s' {1..200})
done
mkdir -p "$deep"
echo deep >"$deep/file"
keepsake_as one --quiet backup "$deep"
assert_match 'does not say which folder' \
    "$(expect_error 6 not_found one restore latest --in-place)" detail
keepsake_as one --quiet restore latest --target "$WORLD/deep.out"
assert_equal deep "$(cat "$WORLD/deep.out/file")" file
case_pass

case_begin "B-06 where to is asked, once"
expect_status 2 keepsake_as one restore 1 2>/dev/null
expect_status 2 keepsake_as one restore 1 --target "$WORLD/x" --in-place \
    2>/dev/null
expect_status 2 keepsake_as one restore 1 --target "$WORLD/x" --overwrite \
    2>/dev/null
expect_error 7 conflict one restore 1 --target "$WORLD/before" >/dev/null
case_pass

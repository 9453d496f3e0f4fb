#!/bin/bash
# B-11: damage in the store's data is found by itself, named by account and
# snapshot, told to the owner, and never makes it delete anything; the rest
# still restores, and a chunk that is backed up again is whole again.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up "[store] scrub_ms = 30d" "[store] sweep_ms = 100ms"
terminal_of_new one anna
tree_make "$WORLD/tree" 12 60 1
account=$(json '.[0].id' "$(keepsakectl --json accounts)")

# damage HOW KIND N: the store is stopped for it, as the disk would not ask.
damage() {
	service_stop store
	"$BUILD/tests/tool/damagestore" "$WORLD/store" "$@" \
	    2>>"$WORLD_LOG/damagestore.log"
	service_start store
}

scrub_is_done() { # JSON-FILTER of the row
	jq -e "$1" <<<"$(keepsakectl --json scrub --status)" >/dev/null
}

scrub_account() { # wait until the account was read whole
	keepsakectl scrub "$account" >/dev/null
	wait_for 60 scrub_is_done \
	    '.[] | select(.row == "account" and .state == "done")' ||
	    fail "the scrub does not end"
}

damaged() { # ROW: how many of them keepsakectl lists
	local got=0 list
	list=$(keepsakectl --json damage) || got=$?
	[ "$got" -le 1 ] || fail "keepsakectl damage: exit status $got"
	jq "[.[] | select(.row == \"$1\")] | length" <<<"$list"
}

noticed() { # KIND: such a notice waits or is told
	keepsake_as one --json notices >>"$WORLD/noticed" 2>/dev/null || true
	grep -q "\"$1\"" "$WORLD/noticed"
}

case_begin "B-11 check proves a snapshot whole"
keepsake_as one --quiet backup "$WORLD/tree"
blobs=$(figure store db_blobs)
output=$(keepsake_as one --json check)
assert_json '.[0].snapshot == 1 and .[0].condition == "whole" and
    .[0].chunks > 0 and .[0].bytes_read == 0' "$output" check
output=$(keepsake_as one --json check --read-data 1)
assert_json '.[0].condition == "whole" and .[0].bytes_read > 1000000' \
    "$output" "check --read-data"
expect_error 6 not_found one check 99 >/dev/null
case_pass

case_begin "B-11 a scrub of sound data finds nothing"
scrub_account
output=$(keepsakectl --json scrub --status)
assert_json '.[] | select(.row == "account") |
    .damaged == 0 and .chunks == '"$blobs" "$output" scrub
assert_equal "[]" "$(keepsakectl --json damage)" damage
case_pass

case_begin "B-11 flipped, lost and garbled chunks are found by themselves"
damage flip data 1 >"$WORLD/flipped"
damage lose data 4 >"$WORLD/lost"
damage garble data 7 >"$WORLD/garbled"
scrub_account
status=0
output=$(keepsakectl --json damage) || status=$?
assert_equal 1 "$status" "exit status of keepsakectl damage"
for name in flipped:changed lost:missing garbled:row_unreadable; do
	chunk=$(cat "$WORLD/${name%%:*}")
	assert_json ".[] | select(.row == \"damaged_chunk\" and
	    .chunk == \"$chunk\") | .what == \"${name##*:}\" and
	    .account == \"$account\"" "$output" "the chunk ${name%%:*}"
done
assert_json '[.[] | select(.row == "damaged_snapshot")] | length == 1 and
    .[0].ordinal == 1' "$output" "the snapshot"
assert_equal 3 "$(damaged damaged_chunk)" "damaged chunks"
case_pass

case_begin "B-11 what is damaged is in the figures, and survives a kill"
figure_is() { # NAME VALUE
	[ "$(figure store "$1")" -eq "$2" ]
}
wait_for 20 figure_is damaged_chunks 3 || fail "the figure is wrong"
service_kill store
service_start store
wait_for 20 figure_is damaged_chunks 3 || fail "forgotten by a kill"
assert_equal 3 "$(damaged damaged_chunk)" "damaged chunks"
case_pass

case_begin "B-11 the owner is told, once, and sees which snapshots"
wait_for 30 noticed backup_damaged || fail "no notice"
output=$(keepsake_as one --json snapshots)
assert_json '.[0].damaged' "$output" "the snapshot"
scrub_account
noticed backup_damaged
assert_equal 1 "$(jq -r 'if type == "array" then .[] else . end |
    select(.kind == "backup_damaged") | .id' "$WORLD/noticed" | sort -u |
    wc -l)" "notices of damage"
case_pass

# Which files are damaged, from check; in order, one a line.
check_names() { # SNAPSHOT [ARGUMENTS...]
	local got=0 output
	output=$(keepsake_as one --json check "$@") || got=$?
	assert_equal 3 "$got" "exit status of check"
	jq -r '.[0].damage[].path' <<<"$output" | sort
}

case_begin "B-11 check names the damaged files, with and without reading"
check_names 1 >"$WORLD/named"
[ -s "$WORLD/named" ] || fail "no file is named"
check_names 1 --read-data >"$WORLD/named.read"
assert_equal "$(cat "$WORLD/named")" "$(cat "$WORLD/named.read")" "the files"
case_pass

case_begin "B-11 all other files restore, and nothing half-written is left"
status=0
output=$(keepsake_as one --json restore 1 --target "$WORLD/restored" \
    --verify) || status=$?
assert_equal 3 "$status" "exit status of restore"
jq -r '.skipped[].path' <<<"$output" | sort >"$WORLD/skipped"
assert_equal "$(cat "$WORLD/named")" "$(cat "$WORLD/skipped")" "not restored"
assert_equal "" "$(find "$WORLD/restored" -name '.keepsake-*')" "left behind"
(cd "$WORLD/tree" && find . -type f | sed 's|^\./||' | sort) >"$WORLD/all"
(cd "$WORLD/restored" && find . -type f | sed 's|^\./||' | sort) >"$WORLD/got"
assert_equal "$(comm -23 "$WORLD/all" "$WORLD/named")" \
    "$(cat "$WORLD/got")" "the files that are there"
while read -r file; do
	cmp -s "$WORLD/tree/$file" "$WORLD/restored/$file" ||
	    fail "$file is not what it was"
done <"$WORLD/got"
rm -rf "$WORLD/restored"
case_pass

case_begin "B-11 damage deletes nothing"
rounds_since() { # COUNT
	[ "$(figure store sweep_rounds)" -ge $(($1 + 3)) ]
}
wait_for 20 rounds_since "$(figure store sweep_rounds)" || fail "no sweep"
assert_equal 0 "$(figure store chunks_swept)" "chunks swept"
assert_equal $((blobs - 1)) "$(figure store db_blobs)" "blobs, but that lost"
case_pass

case_begin "B-11 the next backup of the same data heals it"
used=$(json '.[0].used' "$(keepsakectl --json quota "$account")")
keepsake_as one --quiet backup "$WORLD/tree"
assert_equal 3 "$(figure store chunks_healed)" "chunks healed"
assert_equal "[]" "$(keepsakectl --json damage)" damage
wait_for 20 figure_is damaged_chunks 0 || fail "the figure stays"
assert_restores one 1 "$WORLD/tree"
assert_restores one 2 "$WORLD/tree"
assert_json '.[0].condition == "whole" and .[1].condition == "whole"' \
    "$(keepsake_as one --json check all --read-data)" "check all"
scrub_account
assert_equal "[]" "$(keepsakectl --json damage)" "after another scrub"
assert_json 'all(.damaged | not)' "$(keepsake_as one --json snapshots)" list
case_pass

case_begin "B-11 B-12 the account's usage is exact after that, and a restart"
before=$(json '.[0].used' "$(keepsakectl --json quota "$account")")
service_kill store
service_start store
assert_equal "$before" \
    "$(json '.[0].used' "$(keepsakectl --json quota "$account")")" used
[ "$before" -ge "$used" ] || fail "$before bytes, and $used before"
case_pass

case_begin "B-11 a damaged node: the files of the others restore, by name"
mkdir "$WORLD/many"
for i in $(seq -w 1 3000); do
	echo "file $i" >"$WORLD/many/a-file-with-a-rather-long-name-$i"
done
keepsake_as one --quiet backup "$WORLD/many"
# One after the other, until it is one of this snapshot and not its top.
for n in $(seq 0 99); do
	damage flip node "$n" >/dev/null
	status=0
	output=$(keepsake_as one --json restore latest \
	    --target "$WORLD/restored") || status=$?
	[ "$status" -ne 3 ] || break
	if [ "$status" -ne 0 ]; then
		# The top: nothing can be had of it, and that is said.
		assert_json '.error == "malformed"' "$output" "the top"
		keepsake_as one --quiet backup "$WORLD/many"
	fi
	rm -rf "$WORLD/restored"
done
assert_equal 3 "$status" "exit status of restore"
assert_json '[.skipped[] | select(.why | test("list of files"))] |
    length >= 1' "$output" "what is lost"
files=$(find "$WORLD/restored" -type f | wc -l)
[ "$files" -ge 100 ] || fail "only $files files are restored"
[ "$files" -lt 3000 ] || fail "nothing is lost"
for file in "$WORLD"/restored/*; do
	cmp -s "$file" "$WORLD/many/${file##*/}" ||
	    fail "$file is not what it was"
done
assert_equal "" "$(find "$WORLD/restored" -name '.keepsake-*' \
    2>/dev/null)" "left behind"
(cd "$WORLD/restored" && find . -type f | sed 's|^\./||' | sort) >"$WORLD/got"
rm -rf "$WORLD/restored"
case_pass

case_begin "B-11 B-06 show lists what is not in it, and says what is lost"
status=0
keepsake_as one --json show latest >"$WORLD/shown" 2>"$WORLD/said" ||
    status=$?
assert_equal 3 "$status" "exit status of show"
assert_equal "$(cat "$WORLD/got")" \
    "$(jq -r '.[] | select(.type == "file") | .path' "$WORLD/shown" | sort)" \
    "the files that are shown"
assert_match 'list of files is damaged' "$(cat "$WORLD/said")" "what is said"
case_pass

case_begin "B-11 B-06 so does diff, and takes none that is lost for removed"
# All that is known of the one is not in the other.
status=0
output=$(keepsake_as one --json diff 2 latest) || status=$?
assert_equal 3 "$status" "exit status of diff"
assert_equal "$(cat "$WORLD/got")" "$(jq -r '.differences[] |
    select(.change == "added" and .type == "file") | .path' <<<"$output" |
    sort)" "what was added"
assert_json '.damage | length >= 1 and
    all(.why | test("in snapshot [0-9]+: its list of files"))' "$output" damage
newer=$(json '.after' "$output")
keepsake_as one --json diff "$newer" "$newer" >"$WORLD/same" ||
    fail "two that are the same are compared by their tops alone"
assert_json '.differences == [] and .damage == []' "$(cat "$WORLD/same")" same
case_pass

case_begin "B-11 B-06 one file behind it is found and restored by its path"
last=$(tail -n 1 "$WORLD/got")
status=0
keepsake_as one --quiet restore latest --target "$WORLD/restored" \
    --path "$last" || status=$?
assert_equal 3 "$status" "exit status of restore"
assert_equal "$last" "$(ls "$WORLD/restored")" "what is restored"
cmp "$WORLD/restored/$last" "$WORLD/many/$last"
rm -rf "$WORLD/restored"
case_pass

case_begin "B-11 a damaged node is healed by the next backup, too"
scrub_account
[ "$(damaged damaged_chunk)" -ge 1 ] || fail "the scrub did not find it"
keepsake_as one --quiet backup "$WORLD/many"
keepsake_as one --quiet backup "$WORLD/tree"
assert_restores one latest "$WORLD/tree"
assert_equal "[]" "$(keepsakectl --json damage)" damage
assert_restores one 3 "$WORLD/many"
case_pass

case_begin "B-11 a restore that meets damage tells the store"
damage flip data 2 >/dev/null
status=0
keepsake_as one --quiet restore latest --target "$WORLD/restored" \
    2>/dev/null || status=$?
rm -rf "$WORLD/restored"
known() {
	[ "$(damaged damaged_chunk)" -eq 1 ]
}
if [ "$status" -eq 3 ]; then
	wait_for 10 known || fail "the store does not know"
else
	assert_equal 0 "$status" "exit status of restore"
fi
keepsake_as one --quiet check all --read-data >/dev/null 2>&1 || true
wait_for 10 known || fail "the store does not know"
keepsake_as one --quiet backup "$WORLD/many"
keepsake_as one --quiet backup "$WORLD/tree"
assert_equal "[]" "$(keepsakectl --json damage)" damage
case_pass

case_begin "B-11 a drill restores a sample, and the figures say how it went"
output=$(keepsake_as one --json check --sample 7)
assert_json '.[0].picked == 7 and .[0].condition == "whole"' "$output" drill
assert_equal 1 "$(figure store drills)" drills
assert_equal 0 "$(figure store drills_failed)" "failed drills"
[ "$(figure store last_drill_ms)" -gt 0 ] || fail "no time of the drill"
assert_json '.drill[0].files == 7 and .drill[0].failed == 0' \
    "$(keepsakectl --json account "$account")" "the account's last drill"
case_pass

case_begin "B-11 a drill that meets damage says so"
n=0
while [ "$n" -lt 20 ]; do
	damage flip data "$n" >/dev/null
	n=$((n + 1))
done
status=0
output=$(keepsake_as one --json check --sample 5000 latest) || status=$?
assert_equal 3 "$status" "exit status of the drill"
assert_json '.[0].damaged > 0' "$output" "the drill"
assert_equal 1 "$(figure store drills_failed)" "failed drills"
case_pass

#!/bin/bash
# B-06: two snapshots are compared: what was added, removed and changed, from
# their manifests, of which only what differs is fetched.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
terminal_of two anna
tree_make "$WORLD/tree" 8 3000 1
cd "$WORLD/tree"
mkdir -p mine/deep
echo first >mine/changed.txt
echo same >mine/touched.txt
echo gone >mine/gone.txt
ln -s changed.txt mine/link
echo 'BEGIN:VCARD' >mine/person.vcf
touch -d '2026-01-01 00:00:00 UTC' mine/touched.txt
keepsake_as one --quiet backup .
printf 'second, longer\n' >mine/changed.txt
touch -d '2026-01-02 00:00:00 UTC' mine/touched.txt
rm mine/gone.txt
ln -sf person.vcf mine/link
echo 'END:VCARD' >>mine/person.vcf
echo new >mine/deep/new.jpg
keepsake_as one --quiet backup .
keepsake_as one --quiet backup .

about() { # PATH FILTER: of the difference at that path
	jq -e --arg path "$1" \
	    "[.differences[] | select(.path == \$path)] | length == 1 and
	    (.[0] | $2)" <<<"$told" >/dev/null ||
	    fail "not so of $1: $2: $told"
}

case_begin "B-06 what was added, removed and changed is told, and nothing else"
told=$(keepsake_as two --json diff 1 2)
assert_json '.before == 1 and .after == 2 and .added == 1 and .removed == 1' \
    "$told" counts
about mine/deep/new.jpg '.change == "added" and .category == "photos" and
    .before_bytes == 0 and .after_bytes == 4'
about mine/gone.txt '.change == "removed" and .before_bytes == 5'
about mine/changed.txt '.change == "changed" and .content and .metadata and
    .before_bytes == 6 and .after_bytes == 15'
about mine/touched.txt '.change == "changed" and (.content | not) and
    .metadata'
about mine/link '.change == "changed" and .content and .type == "symlink"'
about mine/person.vcf '.content and .category == "contacts"'
about mine '.type == "folder" and .metadata and (.content | not)'
assert_equal 8 "$(jq '.differences | length' <<<"$told")" differences
case_pass

case_begin "B-06 the other way round it is the other way round"
told=$(keepsake_as one --json diff 2 1)
about mine/deep/new.jpg '.change == "removed" and .before_bytes == 4'
about mine/gone.txt '.change == "added"'
assert_json '.changed == 6' "$told" counts
case_pass

case_begin "B-06 only one category, and for people"
told=$(keepsake_as one --json diff 1 latest --category contacts)
assert_json '[.differences[].path] == ["mine/person.vcf"]' "$told" contacts
people=$(keepsake_as one diff 1 2)
assert_match 'added +4 B? *photos +mine/deep/new.jpg' "$people" "for people"
assert_match 'mine/touched.txt  \(metadata\)' "$people" "for people"
assert_match 'From snapshot 1 to 2: 1 added, 1 removed, 6 changed' "$people"
case_pass

case_begin "B-06 of what is the same in both nothing is fetched"
sent=$(figure store chunks_sent)
told=$(keepsake_as one --json diff 2 3)
assert_json '.differences == []' "$told" differences
assert_equal "$sent" "$(figure store chunks_sent)" "chunks of equal ones"
keepsake_as one --quiet diff 1 2 >/dev/null
few=$(($(figure store chunks_sent) - sent))
sent=$(figure store chunks_sent)
keepsake_as one --json show 2 >/dev/null
all=$(($(figure store chunks_sent) - sent))
# Two paths through the manifest against all of one: it has many nodes.
assert_at_most $((all / 2)) "$few" "nodes fetched, of $all"
case_pass

case_begin "B-06 a comparison leaves no restore behind"
leases() {
	rm -rf "$WORLD/held"
	keepsakectl --json export --to "$WORLD/held" --name-file "$WORLD/name" \
	    --reason test --operator test >/dev/null
	jq '.held.transfer // [] | length' "$WORLD/held/store.json"
}
printf 'anna\n' >"$WORLD/name"
read -r ticket _ < <(raw_login one anna DOWNLOAD)
expect_raw ok one --ticket "$ticket" ask store.RESTORE_BEGIN >/dev/null
assert_equal 1 "$(leases)" "leases of one that is under way"
keepsake_as one --quiet diff 1 2 >/dev/null
assert_equal 0 "$(leases)" leases
case_pass

case_begin "B-06 names that fit none are refused"
expect_error 6 not_found one diff 1 9 >/dev/null
expect_error 6 not_found one diff yesterday 1 >/dev/null
expect_status 2 keepsake_as one diff 1 2>/dev/null
case_pass

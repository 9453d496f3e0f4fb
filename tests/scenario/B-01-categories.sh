#!/bin/bash
# B-01: data of any format comes back byte for byte, and is sorted into
# categories that no service learns.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
readonly TESTDATA=$PWD/../shared/testdata
readonly SAMPLES=$PWD/tests/vectors/phone
world_up
terminal_of_new one anna

# Category of each file of a snapshot, as "category path" lines.
categories() { # SNAPSHOT [ARGUMENTS...]
	keepsake_as one --json show "$@" |
	    jq -r '.[] | select(.type == "file") | "\(.category) \(.path)"'
}

case_begin "B-01 the sample phone is sorted by kind"
keepsake_as one --quiet backup "$SAMPLES"
sorted=$(categories latest)
for row in "contacts contacts/contacts.vcf" "calendar calendar/calendar.ics" \
    "sms messages/sms.xml" "call_log messages/calls.xml" \
    "photos photos/dot.png"; do
	grep -qxF "$row" <<<"$sorted" || fail "no '$row' in: $sorted"
done
case_pass

case_begin "B-01 it comes back byte for byte"
assert_restores one latest "$SAMPLES"
case_pass

case_begin "B-01 a category is listed, and restored, by itself"
assert_equal "contacts contacts/contacts.vcf" \
    "$(categories latest --category contacts)" "list of contacts"
keepsake_as one --quiet restore latest --category contacts \
    --target "$WORLD/contacts"
assert_equal contacts/contacts.vcf \
    "$(cd "$WORLD/contacts" && find . -type f -printf '%P\n')" files
expect_status 2 keepsake_as one show latest --category nothing 2>/dev/null
case_pass

case_begin "B-01 the list of snapshots has the sums of each category"
files=$(find "$SAMPLES" -type f | wc -l)
bytes=$(find "$SAMPLES" -type f -printf '%s\n' | awk '{ n += $1 } END { print n }')
assert_json "[.[-1].categories[].files] | add == $files" \
    "$(keepsake_as one --json snapshots)" files
assert_json "[.[-1].categories[].bytes] | add == $bytes" \
    "$(keepsake_as one --json snapshots)" bytes
case_pass

if [ ! -d "$TESTDATA" ]; then
	case_skip "B-01 real files of other programs: no $TESTDATA"
	exit 0
fi

case_begin "B-01 real vCards, SMS archives and calendars are sorted by kind"
mkdir "$WORLD/real"
cp -r "$TESTDATA"/{vcard,sms-xml,calendar} "$WORLD/real"
keepsake_as one --quiet backup "$WORLD/real"
assert_equal "" "$(categories latest | awk '
	/\.vcf$/ && $1 != "contacts" ||
	/\.(ics|vcs)$/ && $1 != "calendar" ||
	/calls\.xml$/ && $1 != "call_log" ||
	/sms.*\.xml$/ && !/calls/ && $1 != "sms"')" "wrongly sorted"
case_pass

case_begin "B-01 and come back byte for byte"
assert_restores one latest "$WORLD/real"
case_pass

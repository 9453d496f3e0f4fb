#!/bin/bash
# B-05: unchanged data is never sent or stored twice within an account, and
# never shared between accounts.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
readonly MIB=32 FILES=100
terminal_of_new one anna
tree_make "$WORLD/tree" "$MIB" "$FILES" 5
bytes=$(find "$WORLD/tree" -type f -printf '%s\n' |
    awk '{ n += $1 } END { print n }')
first=$(keepsake_as one --json backup "$WORLD/tree")
first_sent=$(json .bytes_sent "$first")

# Sealed chunks are n * 4096 - 16 bytes.
case_begin "B-05 lengths are padded"
assert_json '.chunks_sent > 10 and
    (.bytes_sent + 16 * .chunks_sent) % 4096 == 0' "$first" backup
case_pass

case_begin "B-05 a second backup of unchanged data sends less than 0.1 %"
again=$(keepsake_as one --json backup "$WORLD/tree")
assert_json ".bytes_sent * 1000 < $bytes and .snapshot == 2" "$again" backup
assert_json ".unchanged == $(find "$WORLD/tree" -type f | wc -l)" "$again" \
    "files not even read"
case_pass

case_begin "B-05 nor does one that reads it all again"
rm "$WORLD"/terminal/one/cache-*
again=$(keepsake_as one --json backup "$WORLD/tree")
assert_json ".bytes_sent * 1000 < $bytes and .unchanged == 0" "$again" backup
case_pass

case_begin "B-05 content that moved or was copied is not sent again"
cp -r "$WORLD/tree" "$WORLD/copy"
mkdir "$WORLD/both"
mv "$WORLD/copy" "$WORLD/both/renamed"
again=$(keepsake_as one --json backup "$WORLD/both")
assert_json ".bytes_sent * 20 < $bytes" "$again" backup
case_pass

case_begin "B-05 after a change of 2 % what is sent is in proportion"
tree_make "$WORLD/tree" "$MIB" "$FILES" 5 --change 2
changed=$(keepsake_as one --json backup "$WORLD/tree")
assert_json ".bytes_sent > 0 and .bytes_sent * 10 < $bytes" "$changed" backup
assert_restores one latest "$WORLD/tree"
case_pass

case_begin "B-05 the store holds it once"
assert_at_most $((first_sent * 13 / 10)) "$(figure store db_used_bytes)" \
    "bytes in the store"
case_pass

case_begin "B-05 another terminal of the account verifies, then refers to it"
terminal_of two anna
sent=$(figure store bytes_sent)
shared=$(keepsake_as two --json backup "$WORLD/tree")
assert_json ".bytes_sent * 20 < $bytes" "$shared" backup
fetched=$(($(figure store bytes_sent) - sent))
assert_at_most "$fetched" $((first_sent * 9 / 10)) "bytes not fetched"
assert_restores two latest "$WORLD/tree"
case_pass

case_begin "B-05 R-07 another account shares nothing with it"
terminal_of_new three bert
own=$(keepsake_as three --json backup "$WORLD/tree")
assert_json ".bytes_sent * 10 > $first_sent * 9" "$own" backup
case_pass

#!/bin/bash
# K-01: a snapshot's key is made anew for each backup, at random, and seals
# that snapshot alone; what has not changed is shared all the same.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
tree_make "$WORLD/tree" 8 40 3
readonly KEYS=$WORLD/terminal/one/keys
readonly BACKUPS=3

case_begin "K-01 each backup of the same tree has a key of its own"
sent=()
for ((i = 0; i < BACKUPS; i++)); do
	output=$(keepsake_as one --json backup --key local "$WORLD/tree")
	sent+=("$(json .bytes_sent "$output")")
done
list=$(keepsake_as one --json snapshots)
assert_json "map(.key_id) | unique | length == $BACKUPS" "$list" "key ids"
assert_equal "$BACKUPS" "$(sed -n 's/^key=//p' "$KEYS"/*.key | sort -u |
    wc -l)" "keys"
case_pass

case_begin "K-01 B-05 under another key nothing unchanged is sent again"
for ((i = 1; i < BACKUPS; i++)); do
	[ $((sent[i] * 100)) -lt "${sent[0]}" ] ||
	    fail "${sent[i]} bytes sent again, of ${sent[0]}"
done
case_pass

case_begin "K-01 K-02 a key opens its own snapshot, and no other"
mkdir "$WORLD/kept"
mv "$KEYS"/*.key "$WORLD/kept/"
for ((i = 0; i < BACKUPS; i++)); do
	id=$(json ".[$i].key_id" "$list")
	cp -p "$WORLD/kept/$id.key" "$KEYS/"
	assert_json "map(.readable) | index(true) == $i and
	    (map(select(.)) | length == 1)" \
	    "$(keepsake_as one --json snapshots)" "what opens with key $i"
	assert_restores one "$((i + 1))" "$WORLD/tree"
	rm "$KEYS/$id.key"
done
case_pass

#!/bin/bash
# B-06: keepsakectl compact shrinks the file of a database while its service
# goes on: nothing is lost, nothing is refused.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
terminal_of two anna

for n in 1 2 3 4; do
	rm -rf "$WORLD/tree"
	tree_make "$WORLD/tree" 12 30 "$n"
	cp -a "$WORLD/tree" "$WORLD/state.$n"
	keepsake_as one --quiet backup "$WORLD/tree"
done

file_bytes() { # SERVICE
	stat -c %s "$WORLD/$1/data.mdb"
}

blobs_at_most() { # COUNT
	[ "$(figure store db_blobs)" -le "$1" ]
}

case_begin "B-06 what was deleted is free in the file, and compact gives it back"
blobs=$(figure store db_blobs)
keepsake_as one --quiet delete 1 2 3
wait_for 30 blobs_at_most $((blobs / 2)) || fail "nothing was swept"
before=$(file_bytes store)
told=$(keepsakectl --json compact store)
after=$(file_bytes store)
assert_at_most $((before / 2)) "$after" "bytes of the file"
assert_json "map(.file) == [\"database\", \"journal\"] and
    all(.service == \"store\") and
    .[0].before_bytes == $before and .[0].after_bytes == $after" "$told" told
# Next to nothing in it is free: what is, comes of writing that it was done.
assert_at_most 262144 "$(figure store db_free_bytes)" "free bytes"
assert_restores two 4 "$WORLD/state.4"
keepsake_as one --quiet backup "$WORLD/state.1"
assert_restores two latest "$WORLD/state.1"
assert_match '"compacted"' "$(keepsakectl --json audit store)" "audit log"
case_pass

case_begin "B-06 backups and restores go on while every service is compacted"
tree_make "$WORLD/large" 96 60 7
client_begin one --json backup "$WORLD/large"
client_begin two --json restore 4 --target "$WORLD/out" --verify
for service in auth store binding notify store; do
	assert_match "^$service +database +.* to .*
$service +journal +.* to " "$(keepsakectl compact "$service")" "for people"
done
client_end two || fail "the restore failed: $(client_out two)"
client_end one || fail "the backup failed: $(client_out one)"
assert_same_tree "$WORLD/state.4" "$WORLD/out"
keepsakectl --json compact store >/dev/null
assert_restores two latest "$WORLD/large"
case_pass

case_begin "B-06 all is there after a restart, in the small file"
small=$(file_bytes store)
for name in auth store binding notify; do
	service_stop "$name"
	service_start "$name"
done
auth_reached one
assert_equal "$small" "$(file_bytes store)" "bytes of the file"
assert_restores one 4 "$WORLD/state.4"
assert_restores one latest "$WORLD/large"
keepsakectl --json audit verify >/dev/null || fail "the audit log is not whole"
case_pass

case_begin "B-06 what has no database is not compacted, and says so"
expect_status 2 keepsakectl compact 2>/dev/null
expect_status 2 keepsakectl compact gateway 2>"$WORLD/said"
assert_match 'expected auth, store, binding or notify' "$(cat "$WORLD/said")"
read -r ticket _ < <(raw_login one anna MANAGE)
[[ $(raw one --ticket "$ticket" ask 8) != ok* ]] ||
    fail "a terminal may compact"
service_stop notify
expect_status 5 keepsakectl compact notify 2>/dev/null
service_start notify
case_pass

case_begin "B-06 without room for the copy it is refused, and says how much"
if ! unshare --mount true 2>/dev/null; then
	case_skip "B-06 without room for the copy: no right to mount a disk"
	exit 0
fi
service_stop store
cat >"$WORLD/small-disk" <<'END'
#!/bin/bash
# small-disk FOLDER PROGRAM...: with FOLDER on a disk that is nearly full
set -e
folder=$1
shift
used=$(du -sk "$folder" | cut -f 1)
mount -t tmpfs -o "size=$((used + 8192))k,mode=700" tmpfs "$folder.disk"
cp -a "$folder/." "$folder.disk"
mount --bind "$folder.disk" "$folder"
exec "$@"
END
chmod +x "$WORLD/small-disk"
mkdir "$WORLD/store.disk"
rm -f "$WORLD/store/reserve"
log=$WORLD_LOG/store.log
offset=$(stat -c %s "$log")
KEEPSAKE_STORE_RESERVE_BYTES=1M unshare --mount "$WORLD/small-disk" \
    "$WORLD/store" "$BUILD/keepsake-store" --config "$WORLD_CONFIG" \
    >>"$log" 2>&1 </dev/null &
SERVICE_PID[store]=$!
log_wait store 'event=ready' 30 "$offset" || fail "the store is not ready"
status=0
keepsakectl compact store 2>"$WORLD/said" || status=$?
assert_equal 1 "$status" "exit status"
assert_match 'the copy of the database takes .* and its disk has .*nothing was changed' \
    "$(cat "$WORLD/said")" said
assert_restores one latest "$WORLD/large"
mkdir "$WORLD/little"
echo more >"$WORLD/little/file"
keepsake_as one --quiet backup "$WORLD/little"
case_pass

#!/bin/bash
# O-04: each database is copied while it serves, as of a point of time that is
# told; a copy is put back into an empty world, where all that was acknowledged
# before that point is there, and verify finds nothing wrong.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
readonly DATABASES="auth store binding notify"
world_up
terminal_of_new one anna
terminal_of two anna
mkdir -p "$WORLD/tree"
head -c 200000 /dev/urandom >"$WORLD/tree/noise"
printf 'before\n' >"$WORLD/tree/file"
keepsake_as one --quiet backup "$WORLD/tree"
cp -a "$WORLD/tree" "$WORLD/tree.before"

stop_all() {
	local name
	for name in gateway $DATABASES; do
		service_stop "$name"
	done
}

start_all() {
	local name
	for name in $SERVICES; do
		service_start "$name"
	done
}

# An empty world where the databases were: as after new disks.
forget_all() {
	local name
	for name in $DATABASES; do
		rm -rf "${WORLD:?}/$name" "$WORLD/$name.ledger"
	done
}

restore() { # SERVICE NAME [ARGUMENTS...]
	keepsakectl restore "$1" --from "$WORLD/$1.backups/$2" "${@:3}" \
	    >>"$WORLD_LOG/restore.log"
}

account() { # NAME: its id
	printf '%s\n' "$1" | keepsakectl --json account --name-file - |
	    jq -r '.account[0].id'
}

# Terminals that write for as long as the copies are made.
begin_load() {
	tree_make "$WORLD/load" 24 60 4
	client_begin two --json backup "$WORLD/load"
}

case_begin "O-04 what is served is whole: verify reads all of it"
verified=$(keepsakectl --json verify)
assert_json 'length == 4 and all(.damage == [])' "$verified" damage
assert_json '.[] | select(.service == "store") |
    .blobs >= 2 and .rows > 4 and .blob_bytes > 200000' "$verified" store
assert_json 'all(.accounts == 1 and .unopened == 0)' "$verified" accounts
case_pass

case_begin "O-04 backup all copies each service, while terminals write"
begin_load
made=$(keepsakectl --json backup all --to first)
assert_json 'map(.service) | sort == ["auth", "binding", "notify", "store"]' \
    "$made" services
assert_json 'all(.ledger and .accounts == 1 and .bytes > 4096 and
    (.point | test("^20[0-9]{2}-.*Z$")))' "$made" "what is told"
client_end two || fail "the load failed: $(cat "$WORLD/client.two.err")"
for name in $DATABASES; do
	assert_equal "data.mdb ledger-copy manifest" \
	    "$(cd "$WORLD/$name.backups/first" && echo *)" "files of $name"
	assert_equal "$(sed -n 's/^set //p' "$WORLD/auth.backups/first/manifest")" \
	    "$(sed -n 's/^set //p' "$WORLD/$name.backups/first/manifest")" set
done
assert_equal "700 600 600" "$(stat -c %a "$WORLD/store.backups/first" \
    "$WORLD/store.backups/first/data.mdb" \
    "$WORLD/store.backups/first/manifest" | tr '\n' ' ' | sed 's/ $//')" modes
case_pass

case_begin "O-04 O-06 that a backup was made is on record"
assert_json 'any(.[]; .action == "backup_made" and .detail == "first")' \
    "$(keepsakectl --json audit store)" records
case_pass

case_begin "O-04 verify --folder proves a backup, and changes nothing in it"
for name in $DATABASES; do
	sum=$(cd "$WORLD/$name.backups/first" && find . -type f -print0 |
	    sort -z | xargs -0 sha256sum)
	said=$(keepsakectl verify --folder "$WORLD/$name.backups/first" \
	    2>>"$WORLD_LOG/stderr.log")
	assert_match "^$name: 1 accounts, .* 0 not opened, 0 damaged\$" "$said"
	assert_equal "$sum" "$(cd "$WORLD/$name.backups/first" &&
	    find . -type f -print0 | sort -z | xargs -0 sha256sum)" "$name"
done
case_pass

case_begin "O-04 a name that is a path, or taken, is refused"
for name in ../up a/b /tmp/x . .. .hidden '' 'a b' "$(printf 'x%.0s' {1..65})"; do
	expect_status 2 keepsakectl backup store --to "$name" 2>/dev/null
done
expect_status 4 keepsakectl backup store --to first 2>"$WORLD/said" || true
grep -q 'there is a backup of this name' "$WORLD/said" ||
    fail "said $(cat "$WORLD/said")"
expect_status 2 keepsakectl backup nobody 2>/dev/null
case_pass

case_begin "O-04 G-04 what was refused, and is asked again, is refused again"
# BACKUP, 9: the name "first", a set of 16 bytes that is another's.
request=0a05$(printf first | od -An -tx1 | tr -d ' \n')1210$(printf '5a%.0s' {1..16})
for _ in 1 2 3; do
	assert_match '^conflict .*there is a backup of this name' \
	    "$("$BUILD/tests/tool/rawpeer" "ipc://$WORLD/run/store.ops/socket" \
		9 "$request")" answer
done
case_pass

case_begin "O-04 without --no-ledger's files there is no ledger copy"
keepsakectl backup store --to bare --no-ledger >/dev/null
[ ! -e "$WORLD/store.backups/bare/ledger-copy" ] || fail "there is one"
case_pass

# --- what is refused --------------------------------------------------------------

case_begin "O-04 restore refuses while the service runs"
expect_status 4 keepsakectl restore store --from "$WORLD/store.backups/first" \
    2>"$WORLD/said"
grep -q 'keepsake-store is running: stop it first' "$WORLD/said" ||
    fail "said $(cat "$WORLD/said")"
case_pass
stop_all

# Insist that a changed copy of the backup is refused, and nothing happens.
refused() { # CODE PATTERN SERVICE
	cp -a "$WORLD/store/data.mdb" "$WORLD/untouched"
	expect_status "$1" keepsakectl restore "$3" --from "$WORLD/bad/bad" \
	    2>"$WORLD/said"
	grep -q -- "$2" "$WORLD/said" || fail "said $(cat "$WORLD/said")"
	cmp "$WORLD/untouched" "$WORLD/store/data.mdb"
	rm -rf "$WORLD/bad"
}

# A copy of the backup, to be changed.
bad() {
	mkdir -p "$WORLD/bad"
	cp -a "$WORLD/store.backups/first" "$WORLD/bad/bad"
}

case_begin "O-04 a half-written, edited, foreign or newer backup is refused"
bad && rm "$WORLD/bad/bad/manifest"
refused 3 'it has no manifest' store
bad && truncate -s -4096 "$WORLD/bad/bad/data.mdb"
refused 1 'not as it was written' store
bad && printf x | dd of="$WORLD/bad/bad/data.mdb" bs=1 seek=20000 \
    conv=notrunc status=none
refused 1 'not as it was written' store
bad && rm "$WORLD/bad/bad/ledger-copy/account.keys"
refused 1 'one of its files is missing' store
bad && sed -i 's/^accounts 1$/accounts 2/' "$WORLD/bad/bad/manifest"
refused 1 'its manifest was changed' store
bad && sed -i '$d' "$WORLD/bad/bad/manifest"
refused 1 'damaged, or cut short' store
bad && sed -i '1s/1$/2/' "$WORLD/bad/bad/manifest"
refused 1 'a newer program' store
bad
refused 4 "another service's" notify
bad && manifest=$WORLD/bad/bad/manifest
sed -i -e 's/^format .*/format 99/' -e '$d' "$manifest"
printf 'end %s\n' "$(b2sum -l 256 "$manifest" | cut -d ' ' -f 1)" \
    >>"$manifest"
refused 4 'of a newer version of Keepsake' store
bad && manifest=$WORLD/bad/bad/manifest
sed -i -e 's/^ledger .*/ledger 000102030405060708090a0b0c0d0e0f/' -e '$d' \
    "$manifest"
printf 'end %s\n' "$(b2sum -l 256 "$manifest" | cut -d ' ' -f 1)" \
    >>"$manifest"
refused 4 'of another server' store
case_pass

# --- an old copy beside a living ledger ---------------------------------------------

start_all
terminal_of_new three carla
keepsake_as three --quiet backup "$WORLD/tree"
carla=$(account carla)
anna=$(account anna)
keepsakectl backup all --to second >/dev/null
# There is a list of deletions now, which is read whole and written anew.
case_begin "O-04 P-06 a backup takes little memory"
if sanitized; then
	case_skip "O-04 P-06 a backup takes little memory: a sanitizer's is more"
else
	for name in $DATABASES; do
		assert_at_most $((256 << 10)) "$(sed -n \
		    's/^VmHWM:[^0-9]*\([0-9]*\) kB$/\1/p' \
		    "/proc/${SERVICE_PID[$name]}/status")" "peak of $name in KiB"
	done
	case_pass
fi
secret wrong 'not the right one'
for _ in 1 2 3; do
	expect_error 4 denied two --password-file "$WORLD/secret.wrong" \
	    snapshots >/dev/null
done
read -r ticket _ < <(raw_login one anna DOWNLOAD)
keepsake_as three --quiet forget --yes "$carla"
keepsakectl revoke "$anna" --all --operator tester >/dev/null
stop_all

case_begin "O-04 A-12 who was deleted is in the list beside the backups"
for name in $DATABASES; do
	assert_match "^[0-9]+ $carla [0-9]+\$" \
	    "$(cat "$WORLD/$name.backups/deleted")" "list of $name"
done
case_pass

case_begin "O-04 an older copy beside its ledger: locks and deletions stay"
for name in $DATABASES; do
	restore "$name" second
done
start_all
expect_error 4 locked two snapshots >/dev/null
answer=$(raw one --ticket "$ticket" ask store.SNAPSHOTS)
assert_no_match '^ok' "$answer" "answer to a revoked ticket"
expect_error 4 denied three --name carla snapshots >/dev/null
gone() {
	assert_json 'all(.accounts == 1 and .damage == [])' \
	    "$(keepsakectl --json verify)" accounts
}
erased() {
	[ "$(keepsakectl --json verify | jq '[.[].accounts] | add')" -eq 4 ]
}
wait_for 30 erased || fail "the deleted account is back"
gone
keepsakectl unlock "$anna" --document passport:12AB --reason test \
    --operator tester >/dev/null
assert_restores one 1 "$WORLD/tree.before"
keepsakectl audit verify >/dev/null
former=$(echo "$WORLD"/store/data.mdb.replaced-*)
[ -e "$former" ] || fail "the former database is not beside"
case_pass
stop_all

# --- new disks ----------------------------------------------------------------------

case_begin "O-04 without account keys a restore says what is missing"
forget_all
expect_status 3 keepsakectl restore store \
    --from "$WORLD/store.backups/second" 2>"$WORLD/said"
grep -q -- '--with-ledger' "$WORLD/said" || fail "said $(cat "$WORLD/said")"
expect_status 3 keepsakectl restore store --with-ledger \
    --from "$WORLD/store.backups/bare" 2>/dev/null
case_pass

case_begin "O-04 A-12 all disks lost: database, ledger copy, deletion list"
for name in $DATABASES; do
	restore "$name" second --with-ledger
done
start_all
for name in $DATABASES; do
	grep -q 'event=ledger_restored deletions_listed=1 accounts_without_key=0' \
	    "$WORLD_LOG/$name.log" || fail "$name was not settled"
	[ ! -e "$WORLD/$name.ledger/restored" ] || fail "the mark is there"
done
wait_for 30 erased || fail "the deleted account is back"
gone
assert_restores one 1 "$WORLD/tree.before"
expect_error 4 denied three --name carla snapshots >/dev/null
keepsake_as one --quiet backup "$WORLD/tree"
assert_restores two latest "$WORLD/tree"
case_pass

case_begin "O-04 of a ledger that is lost the copy is put back alone"
stop_all
rm -rf "$WORLD/notify.ledger"
expect_status 1 timeout -k 5 30 "$BUILD/keepsake-notify" \
    --config "$WORLD_CONFIG" 2>/dev/null
cp "$WORLD/notify/data.mdb" "$WORLD/alive"
restore notify second --ledger-only
cmp "$WORLD/alive" "$WORLD/notify/data.mdb"
start_all
gone
case_pass
stop_all

case_begin "O-04 R-02 an account made between two copies does no harm"
start_all
keepsakectl backup store binding notify --to third >/dev/null
terminal_of_new four dora
keepsake_as four --quiet backup "$WORLD/tree"
keepsakectl backup auth --to third >/dev/null
stop_all
forget_all
for name in $DATABASES; do
	restore "$name" third --with-ledger
done
start_all
gone_from_binding=$(keepsakectl --json verify)
assert_json 'all(.damage == [])' "$gone_from_binding" damage
terminal_bind four --name dora
keepsake_as four --quiet backup "$WORLD/tree"
assert_restores four latest "$WORLD/tree"
case_pass

case_begin "O-04 what a killed backup left goes, whatever the folder is called"
odd="$WORLD/odd [x]* folder"
sed -i "s|^backups = .*/notify.backups\$|backups = $odd|" "$WORLD_CONFIG"
service_stop notify
mkdir -p "$odd/.killed.part/ledger-copy"
touch "$odd/.killed.part/data.mdb" "$odd/.killed.part/ledger-copy/account.keys"
service_start notify
keepsakectl backup notify --to odd >/dev/null
assert_equal "deleted odd" "$(find "$odd" -mindepth 1 -maxdepth 1 -printf \
    '%f\n' | sort | paste -sd ' ')" "what is there"
keepsakectl verify --folder "$odd/odd" >/dev/null
case_pass
stop_all

case_begin "O-04 R-04 where a restore has no room it says so, and undoes it"
former=$(sha256sum "$WORLD/store/data.mdb")
rm -f "$WORLD"/store/data.mdb.replaced-*
no_room() (
	trap '' XFSZ
	ulimit -f 64
	keepsakectl restore store --from "$WORLD/store.backups/third"
)
expect_status 1 no_room 2>"$WORLD/said"
assert_match 'cannot be written: File too large$' "$(cat "$WORLD/said")"
assert_equal "$former" "$(sha256sum "$WORLD/store/data.mdb")" database
assert_equal '' "$(find "$WORLD/store" -name '*.restoring' -o \
    -name '*.replaced-*')" "what is left"
case_pass

if [ "$(id -u)" -eq 0 ]; then
	# Who acts as another cannot be traced, so is not looked at for leaks.
	export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
	chmod 755 "$WORLD"
	rm -rf "${WORLD:?}/store.ledger"
	chown -R 4242:4242 "$WORLD/store"
	case_begin "O-04 what root puts back is the owner's of the data folder"
	restore store third --ledger-only
	restore store third
	assert_equal '' "$(find "$WORLD/store" "$WORLD/store.ledger" \
	    ! -user 4242 -o ! -group 4242)" "what is another's"
	case_pass

	case_begin "O-04 R-06 root follows no link that the owner has put there"
	for link in store/owner.lock store.ledger/journal/owner.lock \
	    store.ledger/journal/reserve store.ledger/journal/lock.mdb; do
		printf 'of root\n' >"$WORLD/victim"
		mv "$WORLD/$link" "$WORLD/aside"
		ln -s "$WORLD/victim" "$WORLD/$link"
		expect_status 1 keepsakectl restore store \
		    --from "$WORLD/store.backups/third" 2>/dev/null
		assert_equal "0 of root" "$(stat -c %u "$WORLD/victim") $(
		    cat "$WORLD/victim")" "behind $link"
		mv -f "$WORLD/aside" "$WORLD/$link"
	done
	case_pass
else
	case_skip "O-04 R-06 what root puts back is another's: not root"
fi

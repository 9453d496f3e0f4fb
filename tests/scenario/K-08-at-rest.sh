#!/bin/bash
# K-08: what a service could read is sealed under account keys, these are
# wrapped by a master key, which comes from a file and changes while all goes
# on, and a service without the right one does not start.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
tree_make "$WORLD/tree" 2 10 8
keepsake_as one --quiet backup "$WORLD/tree"
readonly SERVICES_SEALING="auth store binding notify"

# Start a service that must refuse to, and look for what it says.
refuses() { # SERVICE REGEX
	local status=0
	timeout -k 5 30 "$BUILD/keepsake-$1" --config "$WORLD_CONFIG" \
	    2>"$WORLD/said" || status=$?
	assert_equal 1 "$status" "exit status"
	assert_match "$2" "$(cat "$WORLD/said")" log
}

case_begin "K-08 each service has a master key and account keys of its own"
for name in $SERVICES_SEALING; do
	assert_match '^[0-9a-f]{64}$' "$(cat "$WORLD/keys/$name.master")"
	assert_equal 600 "$(stat -c %a "$WORLD/keys/$name.master")" mode
	assert_equal 600 "$(stat -c %a "$WORLD/$name.ledger/account.keys")" mode
done
assert_equal 4 "$(cat "$WORLD"/keys/*.master | sort -u | wc -l)" "master keys"
# and those that are there are kept
cp -a "$WORLD/keys" "$WORLD/keys.before"
keepsakectl keys make >/dev/null
diff -r "$WORLD/keys.before" "$WORLD/keys"
case_pass

# The files that hold some bytes, which may well be a line's end.
files_with() { # HEX FILE...
	perl -e '
		my $wanted = pack "H*", shift;
		local $/;
		for my $path (@ARGV) {
			open my $file, "<:raw", $path or die "$path: $!";
			my $text = <$file> // "";
			print "$path\n" if index($text, $wanted) >= 0;
		}' "$@"
}

case_begin "K-08 no master key is in a database, a ledger or a log"
mapfile -t files < <(find "$WORLD"/*/ -type f ! -name '*.master')
for name in $SERVICES_SEALING; do
	key=$(cat "$WORLD/keys/$name.master")
	text=$(printf %s "$key" | od -An -v -tx1 | tr -d ' \n')
	assert_equal "$WORLD/keys/$name.master" \
	    "$(files_with "$text" "$WORLD/keys/$name.master")" "it is found"
	assert_equal "" "$(files_with "$key" "${files[@]}")" \
	    "files with the key's bytes"
	assert_equal "" "$(files_with "$text" "${files[@]}")" \
	    "files with the key's text"
done
case_pass

# Files of databases and ledgers with a word that is in every notice of a
# backup, whatever holds it: outbox, queue, dead letters.
in_clear() {
	LC_ALL=C grep -rlaF sealed_bytes "$WORLD"/{auth,store,binding,notify} \
	    "$WORLD"/*.ledger || true
}

has_waiting() { # SERVICE FIGURE
	[ "$(figure "$1" "$2")" -gt 0 ]
}

case_begin "K-08 N-05 what is to be told is sealed, in the outbox and at notify"
service_stop notify
keepsake_as one --quiet backup "$WORLD/tree"
has_waiting store outbox_waiting || fail "nothing waits"
assert_equal "" "$(in_clear)" "files"
service_start notify
waits() {
	has_waiting notify deliveries_waiting
}
wait_for 20 waits || fail "nothing is to be told"
assert_equal "" "$(in_clear)" "files"
# it is that word indeed, in so many bytes
told=$(keepsake_as one --json notices)
assert_match sealed_bytes "$told" notices
case_pass

# A client backs up in a loop until a file is there; a line for each backup.
loop() {
	while [ ! -e "$WORLD/enough" ]; do
		date +%s%N >"$WORLD/tree/change"
		keepsake_as one --quiet backup "$WORLD/tree" || return
		echo backup
	done >>"$WORLD/backups"
}

backups_reach() { # COUNT
	[ "$(wc -l <"$WORLD/backups")" -ge "$1" ] || ! kill -0 "$loop_pid"
}

case_begin "K-08 keys rotate gives new master keys while a client backs up"
cp -a "$WORLD" "$WORLD.before"
at_end rm -rf "$WORLD.before"
: >"$WORLD/backups"
loop &
loop_pid=$!
for round in 1 2 3; do
	wait_for 60 backups_reach $((round * 2)) || fail "no backups"
	said=$(keepsakectl keys rotate)
	for name in $SERVICES_SEALING; do
		assert_match "$name +1024 keys wrapped" "$said" "what is said"
	done
done
wait_for 60 backups_reach 8 || fail "no backups"
: >"$WORLD/enough"
wait "$loop_pid" || fail "a backup failed"
for name in $SERVICES_SEALING; do
	assert_equal 1 "$(wc -l <"$WORLD/keys/$name.master")" "keys in the file"
	! cmp -s "$WORLD/keys/$name.master" "$WORLD.before/keys/$name.master" ||
	    fail "$name.master did not change"
	assert_equal account.keys "$(find "$WORLD/$name.ledger" -maxdepth 1 \
	    -name 'account.keys*' -printf '%f\n')" "what is left of $name"
	log_wait "$name" 'event=account_keys_rotated' || fail "not logged"
done
case_pass

case_begin "K-08 one service's master key rotates alone"
cp "$WORLD/keys/store.master" "$WORLD/store.was"
cp "$WORLD/keys/auth.master" "$WORLD/auth.was"
keepsakectl keys rotate store >/dev/null
! cmp -s "$WORLD/keys/store.master" "$WORLD/store.was" || fail "store's stayed"
cmp "$WORLD/keys/auth.master" "$WORLD/auth.was"
expect_status 2 keepsakectl keys rotate gateway 2>/dev/null
expect_status 2 keepsakectl keys turn 2>/dev/null
case_pass

case_begin "K-08 a service that has a copy of its key: no key is lost"
# As in a container, or with a key that systemd hands over at the start.
cp -a "$WORLD/keys" "$WORLD/others"
sed "s|^keys = .*|keys = $WORLD/others|" "$WORLD_CONFIG" >"$WORLD/others.conf"
status=0
said=$("$BUILD/keepsakectl" --config "$WORLD/others.conf" keys rotate auth \
    2>&1) || status=$?
assert_equal 1 "$status" "exit status"
assert_match 'auth reads another auth.master: give it this one' "$said"
assert_equal "$(cat "$WORLD/keys/auth.master")" \
    "$(tail -n +2 "$WORLD/others/auth.master")" "the former key"
service_stop auth
cp "$WORLD/others/auth.master" "$WORLD/keys"
service_start auth
"$BUILD/keepsakectl" --config "$WORLD/others.conf" keys rotate auth >/dev/null
assert_equal "$(head -n 1 "$WORLD/keys/auth.master")" \
    "$(cat "$WORLD/others/auth.master")" "the new key alone"
service_stop auth
cp "$WORLD/others/auth.master" "$WORLD/keys"
service_start auth
case_pass

case_begin "K-08 R-02 a service that is down: nothing is changed, and it is told"
service_stop binding
cp "$WORLD/keys/binding.master" "$WORLD/binding.was"
status=0
said=$(keepsakectl keys rotate binding 2>&1) || status=$?
assert_equal 5 "$status" "exit status"
assert_match 'binding' "$said"
assert_match 'nothing was changed' "$said"
cmp "$WORLD/keys/binding.master" "$WORLD/binding.was"
service_start binding
case_pass

case_begin "K-08 R-01 cut short in between: both keys are kept, and it goes on"
# As if keepsakectl had been killed after it wrote the new key.
former=$(cat "$WORLD/keys/notify.master")
fresh=$(head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n')
printf '%s\n%s\n' "$fresh" "$former" >"$WORLD/keys/notify.master"
service_kill notify
service_start notify
keepsakectl keys rotate notify >/dev/null
assert_equal "$fresh" "$(cat "$WORLD/keys/notify.master")" "key in the file"
service_stop notify
service_start notify
case_pass

case_begin "K-08 after a restart everything is there"
for name in $SERVICES_SEALING; do
	service_stop "$name"
	service_start "$name"
done
keepsake_as one --quiet backup "$WORLD/tree"
assert_restores one latest "$WORLD/tree"
case_pass

for name in $SERVICES_SEALING; do
	service_stop "$name"
	case_begin "K-08 $name does not start with the former master key"
	mv "$WORLD/keys/$name.master" "$WORLD/kept"
	cp "$WORLD.before/keys/$name.master" "$WORLD/keys"
	refuses "$name" 'event=account_keys_locked .*hint='
	case_pass

	case_begin "K-08 $name does not start with another's, nor without one"
	other=auth
	[ "$name" != auth ] || other=store
	cp "$WORLD/keys/$other.master" "$WORLD/keys/$name.master"
	refuses "$name" 'event=account_keys_locked'
	rm "$WORLD/keys/$name.master"
	refuses "$name" 'event=master_key_unusable .*keepsakectl keys make'
	case_pass

	case_begin "K-08 $name does not start with one that others may read"
	cp "$WORLD/kept" "$WORLD/keys/$name.master"
	chmod 644 "$WORLD/keys/$name.master"
	refuses "$name" 'event=file_refused .*chmod 600'
	mv "$WORLD/kept" "$WORLD/keys/$name.master"
	case_pass

	case_begin "K-08 $name does not start without its account keys"
	keys=$WORLD/$name.ledger/account.keys
	mv "$keys" "$WORLD/kept"
	refuses "$name" 'event=account_keys_missing .*hint='
	[ ! -e "$keys" ] || fail "a new file was made"
	cp "$WORLD.before/$other.ledger/account.keys" "$keys"
	refuses "$name" 'event=account_keys_of_another .*wanted='"$name"
	head -c 5000 "$WORLD/kept" >"$keys"
	refuses "$name" 'event=account_keys_damaged .*cut short'
	mv "$WORLD/kept" "$keys"
	service_start "$name"
	case_pass
done

case_begin "K-08 with the right ones it goes on as before"
keepsake_as one --quiet backup "$WORLD/tree"
assert_restores one latest "$WORLD/tree"
case_pass

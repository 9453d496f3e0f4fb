#!/bin/bash
# O-04: verify finds each kind of damage, names it, and goes on; a backup, and
# a restore, that are killed leave nothing that passes for whole, and are done
# again.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
readonly DATABASES="auth store binding notify"
world_up
terminal_of_new one anna
terminal_of two anna
mkdir "$WORLD/tree"
head -c 100000 /dev/urandom >"$WORLD/tree/noise"
keepsake_as one --quiet backup "$WORLD/tree"
printf 'card\n' >"$WORLD/data"
keepsake_as one --quiet card save --iccid 8988211000000530082 \
    --number +4915112345678 --data-file "$WORLD/data"
expanded() {
	[ "$(figure notify deliveries_waiting)" -ge 2 ]
}
wait_for 20 expanded || fail "no notice waits"
keepsake_as one --quiet rules --quiet-hours 01:00-02:00
keepsake_as one --quiet check --sample 1
anna=$(printf 'anna\n' | keepsakectl --json account --name-file - |
    jq -r '.account[0].id')
keepsakectl quota "$anna" 1G 2G --reason test >/dev/null

stop_all() {
	local name
	for name in gateway $DATABASES; do
		service_stop "$name"
	done
}

stop_all
for name in $DATABASES; do
	cp -a "$WORLD/$name" "$WORLD/$name.whole"
done

# Damage a service's database, and insist that verify tells of it: while it
# is served, and in a backup of it.
while read -r service where how table why; do
	case_begin "O-04 verify finds damage in $service: $table, ${why%%,*} ($how)"
	rm -rf "${WORLD:?}/$service"
	cp -a "$WORLD/$service.whole" "$WORLD/$service"
	"$BUILD/tests/tool/damagerow" "$WORLD/$service" "$service" "$anna" \
	    "$where" "$how"
	service_start "$service"
	got=0
	keepsakectl verify "$service" >"$WORLD/out" 2>"$WORLD/said" || got=$?
	assert_equal 1 "$got" "exit status"
	assert_match "$service: damaged: table $table, account $anna, key [0-9a-f]*: .*($why)" \
	    "$(cat "$WORLD/said")" "what is said"
	assert_match "^$service .* [1-9][0-9]* damaged\$" "$(cat "$WORLD/out")"
	keepsakectl backup "$service" --to "damaged-$where-$how" >/dev/null
	got=0
	keepsakectl verify --folder \
	    "$WORLD/$service.backups/damaged-$where-$how" \
	    >"$WORLD/out" 2>"$WORLD/said" || got=$?
	assert_equal 1 "$got" "exit status for the backup"
	assert_match "damaged: table $table, account $anna" \
	    "$(cat "$WORLD/said")" "what is said of the backup"
	service_stop "$service"
	case_pass
done <<-END
	store   blob   flip   chunks      not as they were written
	store   blob   delete chunks      bytes are missing
	store   1      delete (chunks|snapshots) refers to is missing|root is missing
	store   0x20   flip   ordinal     a snapshot has a higher one
	store   0x2a   first  quota       does not unpack
	store   0x2c   first  drill       does not unpack
	auth    1      flip   accounts    does not open
	auth    1      delete credentials account is missing
	auth    2      flip   credentials does not open
	auth    0xf4   delete names       account does not know
	binding 1      flip   terminals   does not open
	binding 2      flip   cards       does not open
	binding 0xf3   flip   terminals   does not open
	notify  1      delete told_times  never told
	notify  0x30   flip   rules       does not open
	notify  4      delete deliveries  notice is missing
	notify  5      delete notices     delivery of it is missing
END

for name in $DATABASES; do
	rm -rf "${WORLD:?}/$name"
	mv "$WORLD/$name.whole" "$WORLD/$name"
	service_start "$name"
done

# The row of the account itself, as LMDB has it: 25 bytes, a key of 16.
case_begin "O-04 verify names damage in the list of accounts, and goes on"
keepsakectl backup store --to listed >/dev/null
listed=$WORLD/store.backups/listed
# shellcheck disable=SC2016 # the words are Perl's
perl -0777 -pi -e 'BEGIN { $id = pack "H*", shift }
    $found = s/\x19(\x00{5}\x10\x00\Q$id\E)/\x18$1/g;
    END { exit !$found }' "$anna" "$listed/data.mdb"
sum=$(b2sum -l 256 "$listed/data.mdb" | cut -d ' ' -f 1)
sed -i -e "s/^\(file data.mdb [0-9]*\) .*/\1 $sum/" -e '$d' "$listed/manifest"
printf 'end %s\n' "$(b2sum -l 256 "$listed/manifest" | cut -d ' ' -f 1)" \
    >>"$listed/manifest"
expect_status 1 keepsakectl verify --folder "$listed" \
    >"$WORLD/out" 2>"$WORLD/said"
assert_match 'damaged: table accounts, .* accounts behind this one cannot be read' \
    "$(cat "$WORLD/said")" "what is said"
assert_match '^store: 0 accounts, .* 1 damaged$' "$(cat "$WORLD/out")"
case_pass
service_start gateway

case_begin "O-04 what is whole passes, before and after"
assert_json 'all(.damage == [])' "$(keepsakectl --json verify)" damage
case_pass

# --- kills ---------------------------------------------------------------------------

part_there() {
	[ -n "$(echo "$WORLD"/store.backups/.*.part/data.mdb)" ] &&
	    [ -e "$(echo "$WORLD"/store.backups/.*.part/data.mdb)" ]
}

case_begin "O-04 R-01 a backup that is killed is none, and is made again"
tree_make "$WORLD/large" 48 40 3
keepsake_as one --quiet backup "$WORLD/large"
killed=0
for n in 1 2 3; do
	keepsakectl backup store --to "killed$n" >/dev/null 2>&1 &
	asking=$!
	if wait_for 10 part_there; then
		service_kill store
		killed=$((killed + 1))
	else
		service_kill store
	fi
	kill_begun TERM "$asking"
	wait "$asking" 2>/dev/null || true
	[ -e "$WORLD/store.backups/killed$n" ] ||
	    expect_status 3 keepsakectl verify \
		--folder "$WORLD/store.backups/killed$n" 2>/dev/null
	service_start store
done
[ "$killed" -gt 0 ] || fail "no backup was killed"
keepsakectl backup store --to after >/dev/null
assert_equal "" "$(find "$WORLD/store.backups" -name '*.part')" left
keepsakectl verify --folder "$WORLD/store.backups/after" >/dev/null 2>&1
case_pass

case_begin "O-04 the map grows while a copy is made, and writers go on"
tree_make "$WORLD/more" 40 30 9
client_begin two --json backup "$WORLD/more"
keepsakectl backup store --to growing >/dev/null
client_end two || fail "the backup failed: $(cat "$WORLD/client.two.err")"
keepsakectl verify --folder "$WORLD/store.backups/growing" >/dev/null 2>&1
case_pass

case_begin "O-04 R-01 a restore that is killed leaves one database or the other"
service_stop store
for delay in 0.005 0.02 0.05 0.1 0.2; do
	cp -a "$WORLD/store/data.mdb" "$WORLD/former"
	"$BUILD/keepsakectl" --config "$WORLD_CONFIG" restore store \
	    --from "$WORLD/store.backups/after" >/dev/null 2>&1 &
	restoring=$!
	sleep "$delay"
	kill_begun KILL "$restoring"
	wait "$restoring" 2>/dev/null || true
	cmp -s "$WORLD/former" "$WORLD/store/data.mdb" ||
	    cmp "$WORLD/store.backups/after/data.mdb" "$WORLD/store/data.mdb"
done
keepsakectl restore store --from "$WORLD/store.backups/after" >/dev/null
service_start store
assert_restores one latest "$WORLD/large"
assert_json 'all(.damage == [])' "$(keepsakectl --json verify)" damage
case_pass

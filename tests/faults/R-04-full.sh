#!/bin/bash
# R-04: full disk, full map, no descriptors, no memory for a large request:
# refused clearly, reads go on, nothing is lost, and all is well again without
# a restart when there is room.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"

# --- small disks -------------------------------------------------------------

disk_make() { # FOLDER MIB: an ext4 of its own, or memory of that size
	mkdir -m 0700 "$1"
	at_end umount -l "$1"
	truncate -s "$2M" "$1.image"
	mkfs.ext4 -q -m 0 -O ^has_journal "$1.image" 2>/dev/null &&
	    mount -o loop "$1.image" "$1" 2>/dev/null ||
	    mount -t tmpfs -o "size=$2m,mode=0700" none "$1"
}

disk_fill() { # FOLDER: to the last byte
	local bytes
	for bytes in 1M 4k 512; do
		! dd if=/dev/zero of="$1/filler" bs="$bytes" oflag=append \
		    conv=notrunc 2>/dev/null || fail "$1 cannot be filled"
	done
}

disk_room() { # FOLDER: it has room again
	rm "$1/filler"
}

if [ "$(id -u)" -ne 0 ]; then
	case_skip "R-04 full disks: to mount one needs root"
	exit 0
fi
world_make "[store] reserve_bytes = 2M" "[auth] reserve_bytes = 1M" \
    "[binding] reserve_bytes = 1M" "[notify] reserve_bytes = 1M" \
    "[notify] retry_ms = 200ms" "[notify] retry_ms_max = 1s"
if ! disk_make "$WORLD/disk" 72 2>"$WORLD/said"; then
	case_skip "R-04 full disks: $(cat "$WORLD/said")"
	exit 0
fi
disk_make "$WORLD/notices" 12
disk_make "$WORLD/tries" 28 # the reserve of each journal is 16 MiB
disk_make "$WORLD/ledgers" 64
while read -r name data ledger; do
	sed -i "s|^data = $WORLD/$name\$|data = $WORLD/$data/$name|
	    s|^ledger = $WORLD/$name.ledger\$|ledger = $WORLD/$ledger/$name|" \
	    "$WORLD_CONFIG"
done <<-END
	auth    disk    tries
	store   disk    ledgers
	binding disk    ledgers
	notify  notices ledgers
END
for name in $SERVICES; do
	service_start "$name"
done

terminal_of_new one anna
terminal_of_new two bert
tree_make "$WORLD/tree" 2 8 4
tree_make "$WORLD/large" 60 60 5
keepsake_as one --quiet backup "$WORLD/tree"
keepsake_as two --quiet backup "$WORLD/tree"

# Insist that a command is refused for want of space at the server, and that
# the terminal says so and who can help.
refused() { # TERMINAL ARGUMENTS...
	local said
	said=$(expect_error 1 no_space "$@")
	assert_match 'full|space|disk|room' "$(json .detail "$said")" detail
	assert_match 'operator' "$(json .advice "$said")" advice
}

# A full disk is noticed when the free pages of a database are used up; what
# another service gives back meanwhile is taken at once.
until_refused() { # COMMAND...: succeeds so often, then is refused
	local i
	for ((i = 0; i < 80; i++)); do
		disk_fill "$WORLD/disk"
		"$@" "$i" >"$WORLD/said" 2>&1 || break
	done
	[ "$i" -lt 80 ] || fail "never refused: $*"
}

log_has() { # SERVICE WORD
	grep -q "event=$2\b" "$WORLD_LOG/$1.log"
}

figure_is() { # SERVICE NAME COUNT
	[ "$(figure "$1" "$2")" -eq "$3" ]
}

# --- the disk of the databases -----------------------------------------------

case_begin "R-04 store: the disk is full in the middle of a backup"
head -c 40M /dev/zero >"$WORLD/disk/filler"
refused one backup "$WORLD/large"
log_has store database_full || fail "the log does not say so"
case_pass

case_begin "R-04 auth, binding: what they cannot keep is refused"
disk_fill "$WORLD/disk"
head -c 3400 /dev/urandom >"$WORLD/card"
save_card() { # N
	keepsake_as one --quiet card save --iccid "$(card_number "$1")" \
	    --number +4915112345678 --data-file "$WORLD/card"
}
until_refused save_card
disk_fill "$WORLD/disk"
refused one card save --iccid "$(card_number 99)" --number +4915112345678 \
    --data-file "$WORLD/card"
register() { # N
	terminal_enrolled "many$1"
	keepsake_as "many$1" --quiet register "many$1"
}
until_refused register
terminal_enrolled three
disk_fill "$WORLD/disk"
refused three register carl
case_pass

case_begin "R-04 reads go on: logins, lists, restores"
assert_restores one latest "$WORLD/tree"
assert_json 'length == 1' "$(keepsake_as two --json terminals)" terminals
keepsake_as two --json notices >/dev/null
expect_status 0 keepsake_as one --quiet status >/dev/null
keepsakectl --json status >/dev/null
case_pass

case_begin "R-04 what deletes goes on: an account with all that it has"
account=$(json .account "$(keepsake_as two --json status)")
keepsake_as two --quiet forget --yes "$account"
erased() {
	assert_json . "$(keepsakectl --json accounts)" accounts
	! keepsakectl --json accounts | grep -q "$account"
}
wait_for 30 erased || fail "the account is still there"
case_pass

case_begin "R-04 with room again all goes on, without a restart"
disk_room "$WORLD/disk"
tree_make "$WORLD/more" 4 10 6
keepsake_as one --quiet backup "$WORLD/more"
assert_restores one latest "$WORLD/more"
assert_restores one 1 "$WORLD/tree"
keepsake_as three --quiet register cleo
terminal_bind three
terminal_of four cleo
case_pass

# --- the disk of notify ------------------------------------------------------

# Add all that a terminal is told to what it was told before, a line each.
told() { # TERMINAL
	keepsake_as "$1" --json notices >"$WORLD/said" &&
	    jq -c '.[]' "$WORLD/said" >>"$WORLD/told.$1"
}

told_count() { # TERMINAL KIND
	jq -r "select(.kind == \"$2\") | .id" "$WORLD/told.$1" | wc -l
}

has_been_told() { # TERMINAL KIND COUNT
	told "$1" && [ "$(told_count "$1" "$2")" -ge "$3" ]
}

is_told() { # TERMINAL KIND COUNT: so many, each once
	wait_for 90 has_been_told "$@" ||
	    fail "$1 was told of $(told_count "$1" "$2") $2, want $3"
	told "$1"
	assert_equal "$3" "$(told_count "$1" "$2")" "$2 told $1"
	assert_equal "" "$(jq -r .id "$WORLD/told.$1" | sort | uniq -d)" \
	    "told $1 twice"
}

case_begin "R-04 N-05 notify's disk is full: the others go on, what they would tell waits"
terminal_of nine cleo
is_told three terminal_bound 3
is_told nine terminal_bound 1
before=$(figure notify deliveries_waiting)
keepsake_as three --quiet backup "$WORLD/tree"
wait_for 30 figure_is notify deliveries_waiting $((before + 3)) ||
    fail "$(figure notify deliveries_waiting) deliveries wait"
backups=1
until log_has notify database_full &&
    ! figure_is store outbox_waiting 0; do
	[ "$backups" -lt 80 ] || fail "it is never full"
	disk_fill "$WORLD/notices"
	keepsake_as three --quiet backup "$WORLD/tree"
	backups=$((backups + 1))
done
assert_restores three latest "$WORLD/tree"
keepsake_as three --quiet rebind --label 'a better name' \
    --verification-file "$WORLD/secret.verification"
terminal_of_new ten emil
keepsakectl --json status >/dev/null
case_pass

case_begin "R-04 N-05 what it has is told and acknowledged all the same"
told three || fail "$(cat "$WORLD/said")"
told nine || fail "$(cat "$WORLD/said")"
[ "$(told_count nine backup_done)" -ge 1 ] || fail "nothing was told"
case_pass

case_begin "R-04 N-05 with room again all is told, nothing lost and nothing twice"
disk_room "$WORLD/notices"
for name in three nine; do
	is_told "$name" backup_done "$backups"
	is_told "$name" terminal_rebound 1
done
is_told ten registered 1
is_told ten terminal_bound 1
figure_is store outbox_waiting 0 || fail "store has more to tell"
figure_is binding outbox_waiting 0 || fail "binding has more to tell"
case_pass

# --- the disks of the ledgers ------------------------------------------------

case_begin "R-04 A-07 no try that cannot be counted"
disk_fill "$WORLD/tries"
# Each login leaves a row in the journal, until its free pages are used up.
timeout -k 5 20 "$BUILD/tests/tool/loginload" login "$ENROLMENT" 4 500 \
    "${SERVICE_PID[auth]}" >"$WORLD/load" 2>&1 || true
grep -q 'login: no_space' "$WORLD/load" || fail "$(cat "$WORLD/load")"
secret wrong 'a guess'
counted=0 # by what is told
guess() {
	local said
	said=$(keepsake_as four --json --password-file "$WORLD/secret.wrong" \
	    snapshots 2>>"$WORLD_LOG/stderr.log") && fail "let in"
	case $(json .error "$said") in
	no_space) ;;
	denied)
		counted=$((counted + 1))
		assert_json ".tries_remaining == $((3 - counted))" "$said" tries
		;;
	*) fail "$said" ;;
	esac
}
for ((i = 0; i < 8 && counted < 1; i++)); do
	guess
done
disk_room "$WORLD/tries"
guess
[ "$counted" -ge 1 ] || fail "a wrong password is not denied"
keepsake_as four --quiet snapshots >/dev/null
case_pass

# An account's key is taken from the next of 64 that lie ready, and after each
# start from those behind them: when 1,024 are used up, the file grows.
case_begin "R-04 A-01 who could not register for want of space has not taken the name"
for ((i = 1; i <= 17; i++)); do
	service_stop auth
	service_start auth
	terminal_enrolled "key$i"
	auth_reached "key$i"
	disk_fill "$WORLD/tries"
	keepsake_as "key$i" --quiet register "key$i" 2>"$WORLD/said" || break
done
log_has auth account_keys_fault || fail "no want of keys: $(cat "$WORLD/said")"
refused "key$i" register "key$i"
disk_room "$WORLD/tries"
keepsake_as "key$i" --quiet register "key$i"
case_pass

audited() { # SERVICE ACTION: how often
	keepsakectl --json audit "$1" | jq "[.[] | select(.action == \"$2\")] |
	    length"
}

case_begin "R-04 O-06 store, binding, notify go on with full ledgers"
account=$(json .account "$(keepsake_as three --json status)")
before=$(audited binding terminal_rebound)
deeds=0
until log_has store audit_waits && log_has binding audit_waits &&
    log_has notify audit_waits; do
	[ "$deeds" -lt 80 ] || fail "they are never full"
	disk_fill "$WORLD/ledgers"
	deeds=$((deeds + 1))
	keepsakectl quota "$account" 40G 50G --reason test >/dev/null
	keepsake_as three --quiet rebind --label "label $deeds" \
	    --verification-file "$WORLD/secret.verification"
	keepsake_as three --quiet rules --quiet-hours 01:00-02:00
done
keepsake_as three --quiet backup "$WORLD/tree"
assert_restores three latest "$WORLD/tree"
for name in store binding notify; do
	service_stop "$name"
	service_start "$name"
done
assert_restores three latest "$WORLD/tree"
case_pass

case_begin "R-04 A-14 what is revoked is refused, full ledgers or not"
read -r ticket _ < <(raw_login three cleo UPLOAD)
expect_raw ok three --ticket "$ticket" ask store.SNAPSHOTS >/dev/null
keepsakectl revoke "$account" --all --reason test >/dev/null
expect_raw denied three --ticket "$ticket" ask store.SNAPSHOTS >/dev/null
case_pass

case_begin "R-04 O-06 with room again each deed is on record, once"
disk_room "$WORLD/ledgers"
while read -r name action count; do
	wait_for 60 figure_is "$name" audit_pending 0 ||
	    fail "$name: $(figure "$name" audit_pending) wait"
	assert_equal "$count" "$(audited "$name" "$action")" "$action"
done <<-END
	store   quota_set        $deeds
	binding terminal_rebound $((before + deeds))
	notify  notice_rules_set $deeds
END
case_pass

case_begin "R-04 nothing was lost, and the audit log is whole"
keepsake_as three --quiet backup "$WORLD/tree"
assert_restores three latest "$WORLD/tree"
assert_restores one 1 "$WORLD/tree"
keepsakectl audit verify >/dev/null
case_pass

# --- the map -----------------------------------------------------------------

case_begin "R-04 the map is full: refused, reads and deletes go on"
service_stop store
printf '\n[store]\nmap_bytes_max = 16M\n' >>"$WORLD_CONFIG"
service_start store
refused three backup "$WORLD/large"
assert_restores three latest "$WORLD/tree"
assert_restores one 1 "$WORLD/tree"
account=$(json .account "$(keepsake_as three --json status)")
keepsake_as three --quiet forget --yes "$account"
backed_up() {
	keepsake_as one --quiet backup "$WORLD/more" 2>"$WORLD/said"
}
wait_for 60 backed_up || fail "$(cat "$WORLD/said")"
service_stop store
sed -i 's/^map_bytes_max = 16M$/map_bytes_max = 1G/' "$WORLD_CONFIG"
service_start store
case_pass

# --- descriptors -------------------------------------------------------------

descriptors_end() { # SERVICE [MORE]: it gets no more, or so many
	local count
	count=$(find "/proc/${SERVICE_PID[$1]}/fd" -mindepth 1 | wc -l)
	prlimit --pid "${SERVICE_PID[$1]}" --nofile="$((count + ${2:-0})):"
}

descriptors_free() { # SERVICE
	prlimit --pid "${SERVICE_PID[$1]}" --nofile=1024:
}

# Not quite without: where a peer comes by ipc and there is none at all, libzmq
# 4.3 ends the process.
case_begin "R-04 services almost without descriptors serve whom they know"
for name in auth store binding notify; do
	descriptors_end "$name" 8
done
keepsake_as one --quiet backup "$WORLD/tree"
assert_restores one latest "$WORLD/tree"
for name in auth store binding notify; do
	descriptors_free "$name"
done
case_pass

connections() { # COUNT: so many terminals have a connection
	local port
	port=$(printf %04X "$WORLD_PORT")
	[ "$(cat /proc/net/tcp /proc/net/tcp6 | grep -cE \
	    "^ *[0-9]+: [0-9A-F]+:$port [0-9A-F]+:[0-9A-F]+ 01 ")" -ge "$1" ]
}

case_begin "R-04 a gateway without descriptors: who is there is served, who comes waits"
terminal_enrolled five
tree_make "$WORLD/new" 4 10 7
client_begin one --quiet backup "$WORLD/new"
wait_for 20 connections 1 || fail "it does not connect"
kill -STOP "${CLIENT_PID[one]}"
descriptors_end gateway
client_begin five --quiet register dora
wait_for 20 connections 2 || fail "nobody comes"
client_runs five || fail "it did not wait: $(cat "$WORLD/client.five.err")"
kill -CONT "${CLIENT_PID[one]}"
client_end one || fail "exit status $?: $(cat "$WORLD/client.one.err")"
descriptors_free gateway # one is left by who has gone, too
client_end five || fail "exit status $?: $(cat "$WORLD/client.five.err")"
assert_restores one latest "$WORLD/new"
case_pass

# --- memory ------------------------------------------------------------------

memory_end() { # SERVICE: no more than it has
	prlimit --pid "${SERVICE_PID[$1]}" --data=65536:
}

memory_free() { # SERVICE
	prlimit --pid "${SERVICE_PID[$1]}" --data=unlimited:
}

# A backup ends well by what memory there is, or says that there is none.
memory_round() { # SERVICE
	local said got=0
	tree_make "$WORLD/newer" 4 10 "$seed"
	seed=$((seed + 1))
	memory_end "$1"
	said=$(keepsake_as one --json --timeout 10s backup "$WORLD/newer" \
	    2>"$WORLD/said") || got=$?
	service_gone "$1" && fail "$1 has ended: $said"
	case $got in
	0) ;;
	1) assert_match '"no_space"' "$said" "what is told" ;;
	5) assert_match '"unavailable"' "$said" "what is told" ;;
	*) fail "exit status $got: $said" ;;
	esac
	memory_free "$1"
	keepsake_as one --quiet backup "$WORLD/newer"
	assert_restores one latest "$WORLD/newer"
	rm -rf "$WORLD/newer"
}

seed=8
for name in store auth binding notify; do
	what="R-04 $name without memory: refused or served, and nothing lost"
	# A sanitizer's own memory has no limit.
	if sanitized; then
		case_skip "$what: built with a sanitizer"
		continue
	fi
	case_begin "$what"
	memory_round "$name"
	case_pass
done

# The whole gateway, as an operator starts it: where libzmq gets no memory the
# bearer ends, and is started again.
gateway_start() { # MEMORY-MAX
	local offset
	offset=$(stat -c %s "$WORLD_LOG/gateway.log")
	sed -i '/^memory_max = /d' "$WORLD_CONFIG"
	printf '\n[gateway]\nmemory_max = %s\n' "$1" >>"$WORLD_CONFIG"
	"$BUILD/keepsake-gateway" --config "$WORLD_CONFIG" \
	    >>"$WORLD_LOG/gateway.log" 2>&1 </dev/null &
	SERVICE_PID[gateway]=$!
	log_wait gateway '(^| )event=ready( |$)' 30 "$offset" ||
	    fail "no gateway"
}

gateway_memory() { # what its bearer has of what is limited, in KiB
	local pid
	pid=$(sed -n 's/.* event=ready .*pid=\([0-9]*\).*/\1/p' \
	    "$WORLD_LOG/gateway.log" | tail -n 1)
	awk '/^VmData:/ { print $2 }' "/proc/$pid/status"
}

# One that ends in a handshake looks like one that refuses it: tried again.
is_served() {
	keepsake_as five --quiet status >"$WORLD/said" 2>&1
}

what="R-04 G-05 a gateway without memory for what is large: others are served"
if sanitized; then
	case_skip "$what: built with a sanitizer"
else
	case_begin "$what"
	service_stop gateway
	gateway_start 1G
	keepsake_as one --quiet status >/dev/null
	keepsake_as five --quiet status >/dev/null
	limit=$(gateway_memory)
	service_stop gateway
	gateway_start "${limit}K"
	tree_make "$WORLD/newer" 16 24 "$seed"
	got=0
	client_begin one --json --timeout 10s backup "$WORLD/newer"
	for i in 1 2 3; do
		wait_for 60 is_served || fail "$(cat "$WORLD/said")"
	done
	client_end one || got=$?
	case $got in
	0) ;;
	5) assert_match '"unavailable"' "$(client_out one)" "what is told" ;;
	*) fail "exit status $got: $(client_out one)" ;;
	esac
	service_stop gateway
	gateway_start 1G
	keepsake_as one --quiet backup "$WORLD/newer"
	assert_restores one latest "$WORLD/newer"
	rm -rf "$WORLD/newer"
	service_stop gateway
	service_start gateway
	case_pass
fi

# --- the terminal's own disk -------------------------------------------------

# Insist that a command says that this machine's disk is full.
full_here() { # TERMINAL ARGUMENTS...
	local said
	said=$(expect_error 1 no_space "$@")
	assert_match 'make room' "$(json .advice "$said")" advice
}

case_begin "R-04 a restore to a full disk says so, and goes on when there is room"
disk_make "$WORLD/small" 8
tree_make "$WORLD/kept" 4 10 30
keepsake_as one --quiet backup "$WORLD/kept"
head -c 6M /dev/zero >"$WORLD/small/filler"
said=$(expect_error 1 no_space one restore latest --target "$WORLD/small/to")
assert_match 'make room.*--resume' "$(json .advice "$said")" advice
disk_room "$WORLD/small"
keepsake_as one --quiet restore latest --resume --verify \
    --target "$WORLD/small/to"
assert_same_tree "$WORLD/kept" "$WORLD/small/to"
rm -rf "$WORLD/small/to"
case_pass

case_begin "R-04 a full disk of the terminal's own: named, and no backup without its key"
before=$(keepsake_as one --json snapshots)
disk_fill "$WORLD/small"
said=$(expect_error 1 no_space one --state "$WORLD/small/state" \
    enrol "$ENROLMENT")
assert_match "$WORLD/small/state.*no room" "$(json .detail "$said")" detail
said=$(expect_error 1 no_space one --key-folder "$WORLD/small/keys" \
    backup --key local "$WORLD/tree")
assert_match "$WORLD/small/keys.*no room" "$(json .detail "$said")" detail
assert_equal "$before" "$(keepsake_as one --json snapshots)" snapshots
disk_room "$WORLD/small"
keepsake_as one --quiet --key-folder "$WORLD/small/keys" \
    backup --key local "$WORLD/tree"
case_pass

case_begin "R-04 where a terminal cannot remember what it sent, it backs up all the same"
cp -a "$WORLD/terminal/one" "$WORLD/small/one"
disk_fill "$WORLD/small"
keepsake_as one --quiet --state "$WORLD/small/one" backup "$WORLD/new" \
    2>"$WORLD/said" || fail "exit status $?: $(cat "$WORLD/said")"
assert_restores one latest "$WORLD/new"
case_pass

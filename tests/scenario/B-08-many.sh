#!/bin/bash
# B-08, G-05: many chunks in one message, PUT_MANY: each is taken as by a PUT
# of its own, but all of them or none, whatever is wrong with one of them and
# whenever the store is killed.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
HTTP=127.0.0.1:$(free_port)
world_up "[store] http = $HTTP" "[store] scrub_ms = 30d"
terminal_of_new one anna
terminal_of two anna
account=$(json '.[0].id' "$(keepsakectl --json accounts)")

# ---- by hand ----

varint() { # NUMBER
	local n=$1
	while [ "$n" -ge 128 ]; do
		printf %02x $((n & 127 | 128))
		n=$((n >> 7))
	done
	printf %02x "$n"
}

field() { # NUMBER HEX: a field of bytes
	printf %02x $(($1 << 3 | 2))
	varint $((${#2} / 2))
	printf %s "$2"
}

hex() { # DIGITS N...: each with so many digits
	local digits=$1 n
	shift
	for n; do
		printf '%0*x' "$digits" "$n"
	done
}

# Begin a backup, which takes the lease of the one before over.
declare -A TICKET=() LEASE=()
begin() { # TERMINAL
	local answer
	[ -n "${TICKET[$1]:-}" ] ||
	    read -r "TICKET[$1]" _ < <(raw_login "$1" anna UPLOAD)
	read -r _ _ answer _ < <(expect_raw ok "$1" --ticket "${TICKET[$1]}" \
	    ask store.BACKUP_BEGIN)
	answer=$("$BUILD/tests/tool/rawbody" store.Lease "$answer")
	assert_json '.put_many_max == 64' "$answer" "the lease"
	LEASE[$1]=$(json .lease_id "$answer")
}

# Put chunks of noise by their numbers, of so many pages each; the payload is
# what these come to, or so many bytes.
put_many() { # TERMINAL "N..." "PAGES..." [PAYLOAD-BYTES]
	local -a numbers pages
	local bytes=0 n
	read -ra numbers <<<"$2"
	read -ra pages <<<"$3"
	for n in "${pages[@]}"; do
		bytes=$((bytes + n * 4096 - 16))
	done
	raw "$1" --ticket "${TICKET[$1]}" --payload-random "${4:-$bytes}" \
	    --body "$(field 1 "${LEASE[$1]}")$(
		field 2 "$(hex 64 "${numbers[@]}")")$(
		field 3 "$(hex 2 "${pages[@]}")")" ask store.PUT_MANY
}

# What HAVE says of chunks, a digit each: 0 absent, 1 ours, 2 another's.
presence() { # TERMINAL N...
	local name=$1 answer i
	shift
	read -r _ _ answer _ < <(expect_raw ok "$name" \
	    --ticket "${TICKET[$name]}" \
	    --body "$(field 1 "${LEASE[$name]}")$(field 2 "$(hex 64 "$@")")" \
	    ask store.HAVE)
	for ((i = 5; i < 5 + 2 * $#; i += 2)); do
		printf %s "${answer:i:1}"
	done
}

used() {
	json '.[0].used' "$(keepsakectl --json quota "$account")"
}

case_begin "P-03 the chunks of a message are stored, and count as by PUT"
begin one
used=$(used) put=$(figure store chunks_put) bytes=$(figure store bytes_put)
assert_match '^ok ' "$(put_many one "1 2 3" "1 16 2")" "three chunks"
assert_equal 111 "$(presence one 1 2 3)" presence
sealed=$((19 * 4096 - 3 * 16))
assert_equal $((used + sealed + 3 * 256)) "$(used)" "used bytes"
assert_equal $((put + 3)) "$(figure store chunks_put)" "chunks put"
assert_equal $((bytes + sealed)) "$(figure store bytes_put)" "bytes put"
case_pass

case_begin "P-03 64 chunks fit, or one of 64 pages"
assert_match '^ok ' \
    "$(put_many one "$(seq -s ' ' 101 164)" "$(printf '1 %.0s' {1..64})")" \
    "64 chunks"
assert_match '^ok ' "$(put_many one 165 64)" "the largest"
assert_equal 111 "$(presence one 101 164 165)" presence
case_pass

case_begin "G-04 what is there already changes nothing; the rest is stored"
used=$(used) put=$(figure store chunks_put)
assert_match '^ok ' "$(put_many one "1 2 3" "1 16 2")" "all of them there"
assert_equal "$used" "$(used)" "used bytes"
assert_match '^ok ' "$(put_many one "4 2 5" "1 16 1")" "one of them there"
assert_equal 111 "$(presence one 4 2 5)" presence
assert_equal $((put + 2)) "$(figure store chunks_put)" "chunks put"
case_pass

case_begin "G-05 what a message cannot hold is refused, and nothing of it stored"
blobs=$(figure store db_blobs)
many=$(seq -s ' ' 11 75) ones=$(printf '1 %.0s' {1..65})
cases=(
	"malformed|chunk_ids|||"
	"malformed|chunk_ids|||4080"
	"too_large|64|$many|$ones|261120"
	"malformed|pages|11 12|1|"
	"malformed|pages|11|1 1|"
	"malformed|chunk 2: .*1 to 64|11 12|1 0|4080"
	"malformed|chunk 1: .*1 to 64|11|65|262128"
	"malformed|chunk 2: .*ends|11 12|1 1|8159"
	"malformed|chunk 1: .*ends|11 12|1 1|0"
	"malformed|longer|11 12|1 1|8161"
	"malformed|longer|11 12|1 1|12240"
	"malformed|chunk 3: .*another|11 12 11|1 1 1|"
	"too_large||11 12|64 1|266208"
)
for row in "${cases[@]}"; do
	IFS='|' read -r status detail numbers pages bytes <<<"$row"
	answer=$(put_many one "$numbers" "$pages" "$bytes")
	assert_match "^$status .*$detail" "$answer" "$row"
done
assert_equal 000 "$(presence one 11 12 75)" presence
assert_equal "$blobs" "$(figure store db_blobs)" blobs
case_pass

case_begin "B-05 another terminal's chunk refuses all, and is named"
begin two
assert_match '^ok ' "$(put_many two "21 22" "1 1")" "the other terminal's"
blobs=$(figure store db_blobs)
answer=$(put_many one "23 22 24" "1 1 1")
assert_match '^conflict .*chunk 2: another terminal' "$answer" "the answer"
assert_equal 020 "$(presence one 23 22 24)" presence
assert_equal "$blobs" "$(figure store db_blobs)" blobs
case_pass

case_begin "B-08 a lease that was taken over stores nothing"
old=${LEASE[one]}
begin one
new=${LEASE[one]}
LEASE[one]=$old
assert_match '^conflict .*took over' "$(put_many one "25 26" "1 1")" "the answer"
LEASE[one]=$new
assert_equal 00 "$(presence one 25 26)" presence
case_pass

case_begin "B-12 the quota is exact: all chunks of a message fit, or none is taken"
cost=$((4 * 4096 - 3 * 16 + 3 * 256))
before=$(figure store puts_over_quota)
keepsakectl quota "$account" none $(($(used) + cost - 1)) --reason test >/dev/null
blobs=$(figure store db_blobs)
assert_match '^quota ' "$(put_many one "31 32 33" "1 2 1")" "a byte too little"
assert_equal 000 "$(presence one 31 32 33)" presence
assert_equal "$blobs" "$(figure store db_blobs)" blobs
assert_equal $((before + 3)) "$(figure store puts_over_quota)" "chunks refused"
ceiling=$(($(used) + cost))
keepsakectl quota "$account" none "$ceiling" --reason test >/dev/null
assert_match '^ok ' "$(put_many one "31 32 33" "1 2 1")" "what fits exactly"
assert_equal "$ceiling" "$(used)" "used bytes"
assert_match '^ok ' "$(put_many one "33 32 31" "1 2 1")" "a repeat"
assert_match '^quota ' "$(put_many one "33 34" "1 1")" "one more"
keepsakectl quota "$account" default --reason test >/dev/null
case_pass

reached() { # by a terminal that does not ask again by itself
	[[ $(raw one --ticket "${TICKET[one]}" ask store.SNAPSHOTS) != unavail* ]]
}

scrub_done() {
	jq -e '.[] | select(.row == "account" and .state == "done")' \
	    <<<"$(keepsakectl --json scrub --status)" >/dev/null
}

damage() { # HOW N: the chunk's id goes to $WORLD/damaged
	"$BUILD/tests/tool/damagestore" "$WORLD/store" "$1" data "$2" \
	    >>"$WORLD/damaged" 2>>"$WORLD_LOG/damagestore.log"
}

case_begin "B-11 damaged chunks are replaced together, and the usage stays exact"
used=$(used)
service_stop store
damage flip 0
damage lose 3
assert_equal "$(printf '%064x\n' 1 4)" "$(cat "$WORLD/damaged")" \
    "what was damaged"
service_start store
wait_for 30 reached || fail "the store is not reached"
keepsakectl scrub "$account" >/dev/null
wait_for 60 scrub_done || fail "the scrub does not end"
assert_equal 313 "$(presence one 1 2 4)" presence
answer=$(put_many one "41 4 1" "1 1 2")
assert_match '^conflict .*chunk 3: .*another length' "$answer" "another length"
assert_equal 033 "$(presence one 41 4 1)" "presence after a refusal"
healed=$(figure store chunks_healed)
assert_match '^ok ' "$(put_many one "1 41 4" "1 1 1")" "the answer"
assert_equal 111 "$(presence one 1 41 4)" presence
assert_equal $((healed + 2)) "$(figure store chunks_healed)" "chunks healed"
assert_equal $((used + 4080 + 256)) "$(used)" "used bytes"
service_kill store
service_start store
assert_equal $((used + 4080 + 256)) "$(used)" "used bytes after a kill"
assert_equal "[]" "$(keepsakectl --json damage)" damage
case_pass

# ---- killed in the middle ----

loaded() { # CHUNKS
	local blobs
	blobs=$(figure store db_blobs 2>/dev/null) && [ "$blobs" -gt "$1" ]
}

case_begin "B-08 the store killed in the middle: all chunks of a message or none"
before=$(figure store db_blobs)
mkfifo "$WORLD/commands"
"$BUILD/tests/tool/storeload" "$ENROLMENT" <"$WORLD/commands" \
    >"$WORLD/loaded" 2>&1 &
loader=$!
exec 8>"$WORLD/commands"
load_ended() {
	exec 8>&-
	kill "$loader" 2>/dev/null || true
}
at_end load_ended
echo "many 1000000 8" >&8
wait_for 60 loaded $((before + 20 * 64)) || fail "nothing arrives"
service_kill store
load_ended
wait "$loader" || true
service_start store
stored=$(($(figure store db_blobs) - before))
[ "$stored" -gt $((20 * 64)) ] || fail "only $stored were kept"
assert_equal 0 $((stored % 64)) "chunks of a message that was cut"
other=$(sed -n 's/^account\t//p' "$WORLD/loaded")
assert_equal $((stored * (4080 + 256))) \
    "$(json '.[0].used' "$(keepsakectl --json quota "$other")")" "used bytes"
case_pass

# ---- a backup ----

answered() { # TYPE: how many the store has answered with OK
	curl --silent --max-time 20 "http://$HTTP/metrics" | awk -v \
	    sample="keepsake_requests_total{type=\"$1\",status=\"ok\"}" '
		index($0, sample " ") == 1 { n = $2 } END { print n + 0 }'
}

# Files that compress to nearly nothing: a page for each chunk.
small_tree() { # FILES SEED
	local i
	rm -rf "$WORLD/tree"
	mkdir "$WORLD/tree"
	for ((i = 0; i < $1; i++)); do
		yes "line $2 of file $i" 2>/dev/null |
		    head -c 700000 >"$WORLD/tree/$i" || true
	done
}

case_begin "B-08 B-09 what compresses well goes many chunks to a message"
small_tree 150 1
put=$(figure store chunks_put) single=$(answered PUT) many=$(answered PUT_MANY)
keepsake_as one --quiet backup "$WORLD/tree"
put=$(($(figure store chunks_put) - put))
single=$(($(answered PUT) - single)) many=$(($(answered PUT_MANY) - many))
[ "$put" -gt 100 ] || fail "only $put chunks"
[ "$many" -ge 1 ] || fail "$put chunks in $single messages of their own"
[ $((single + many)) -lt "$put" ] || fail "$put chunks, $single and $many"
assert_restores one latest "$WORLD/tree"
assert_restores two latest "$WORLD/tree"
case_pass

case_begin "B-08 G-04 the store killed in such a backup: it ends all the same"
small_tree 150 2
put=$(figure store db_blobs)
client_begin one --json backup "$WORLD/tree"
wait_for 60 loaded $((put + 4)) || fail "the backup does not begin"
service_kill store
service_start store
client_end one || fail "exit status $?: $(client_out one)"
assert_json '.snapshot == 2' "$(client_out one)" backup
assert_restores one latest "$WORLD/tree"
case_pass

case_begin "B-05 the same again is unchanged: nothing is sent twice"
put=$(figure store chunks_put)
cp -r "$WORLD/tree" "$WORLD/copy"
keepsake_as one --quiet backup "$WORLD/copy"
assert_at_most $((put + 4)) "$(figure store chunks_put)" "chunks put"
assert_restores one latest "$WORLD/copy"
case_pass

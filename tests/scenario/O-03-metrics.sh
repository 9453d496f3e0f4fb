#!/bin/bash
# O-03: each process tells by HTTP what it does (/metrics), that it lives
# (/healthz) and whether it can do all its work (/readyz); --health asks it.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"

declare -A ADDRESS=()
lines=()
for name in $SERVICES; do
	ADDRESS[$name]=127.0.0.1:$(free_port)
	lines+=("[$name] http = ${ADDRESS[$name]}")
done

# Get a page into $WORLD/page, its headers into $WORLD/head; prints the code.
get() { # SERVICE PATH [CURL ARGUMENTS...]
	local name=$1 path=$2
	shift 2
	curl --silent --max-time 20 --output "$WORLD/page" \
	    --dump-header "$WORLD/head" --write-out '%{http_code}' "$@" \
	    "http://${ADDRESS[$name]}$path"
}

page() { # SERVICE PATH: insist on 200, and print it
	assert_equal 200 "$(get "$@")" "status of $1 $2"
	cat "$WORLD/page"
}

answers() { # CODE SERVICE PATH
	[ "$(get "$2" "$3")" = "$1" ]
}

# The value of a sample, as it is written.
sample() { # SERVICE SAMPLE
	page "$1" /metrics |
	    awk -v name="$2" 'substr($0, 1, length(name) + 1) == name " " {
		print substr($0, length(name) + 2); found = 1 }
		END { exit !found }' || fail "$1 has no $2"
}

# What is wrong with a page of metrics, by the rules of text format 0.0.4:
# HELP and TYPE once and before the samples, all samples of a metric
# together, names, labels and values well formed, no sample twice; counters
# end in _total and histograms add up.
faults() { # FILE
	awk '
	function bad(what) { print FILENAME ":" NR ": " what ": " $0 }
	/^# HELP / {
		if ($3 in helped) bad("a second HELP")
		if (NF < 4) bad("no help")
		helped[$3] = 1; family = $3; next
	}
	/^# TYPE / {
		if ($3 != family) bad("TYPE without HELP before it")
		if ($3 in type) bad("a second TYPE")
		if ($4 !~ /^(counter|gauge|histogram)$/) bad("type")
		if ($4 == "counter" && $3 !~ /_total$/) bad("counter name")
		if ($4 != "counter" && $3 ~ /_total$/) bad("name of a counter")
		type[$3] = $4; next
	}
	/^#/ || /^$/ { bad("no such line"); next }
	!/^[a-z_][a-z0-9_]*(\{[a-z_]+="([^"\\]|\\.)*"(,[a-z_]+="([^"\\]|\\.)*")*\})? [0-9]+(\.[0-9]+)?$/ {
		bad("no sample"); next
	}
	{
		name = $0; sub(/[{ ].*/, "", name)
		key = $0; sub(/ [^ ]*$/, "", key)
		if (key in seen) bad("twice")
		seen[key] = 1
		base = name
		if (type[family] == "histogram")
			sub(/_(bucket|sum|count)$/, "", base)
		if (base != family) bad("outside its metric")
		if (name !~ /^(keepsake|process)_/) bad("prefix")
		if (name ~ /_ms($|_)/) bad("not a base unit")
		if (type[family] != "histogram") next
		rest = key; gsub(/,?le="[^"]*"/, "", rest)
		sub(/_(bucket|sum|count)/, "", rest); sub(/\{\}/, "", rest)
		if (name ~ /_bucket$/) {
			if ($NF + 0 < last[rest] + 0) bad("falling bucket")
			last[rest] = $NF
			if (key ~ /le="\+Inf"/) inf[rest] = $NF
		}
		if (name ~ /_count$/ && $NF != inf[rest])
			bad("count is not +Inf")
	}
	END { if (NR == 0) print "an empty page" }
	' "$1"
}

world_up "${lines[@]}"
terminal_of_new one anna
mkdir "$WORLD/tree"
date >"$WORLD/tree/file"
keepsake_as one --quiet backup "$WORLD/tree"

case_begin "O-03 every process has metrics in Prometheus's text format 0.0.4"
for name in $SERVICES; do
	page "$name" /metrics >"$WORLD/metrics.$name"
	grep -qix $'content-type: text/plain; version=0.0.4; charset=utf-8\r' \
	    "$WORLD/head" || fail "$name: $(cat "$WORLD/head")"
	assert_equal '' "$(faults "$WORLD/metrics.$name")" "metrics of $name"
done
printf 'a_total 1\n' >"$WORLD/bad"
assert_match 'outside its metric' "$(faults "$WORLD/bad")" "the check itself"
case_pass

case_begin "O-03 promtool finds nothing wrong with them"
if command -v promtool >/dev/null; then
	for name in $SERVICES; do
		said=$(promtool check metrics <"$WORLD/metrics.$name" 2>&1) ||
		    fail "$name: $said"
	done
	case_pass
else
	case_skip "O-03 promtool finds nothing wrong with them: no promtool"
fi

case_begin "O-03 they are those of what was done"
for name in $SERVICES; do
	wait_for 20 answers 200 "$name" /readyz ||
	    fail "$name: $(cat "$WORLD/page")"
	assert_equal 1 "$(sample "$name" keepsake_ready)" "$name is ready"
	assert_match "^keepsake_build_info\{service=\"$name\",version=\"[0-9]" \
	    "$(grep ^keepsake_build "$WORLD/metrics.$name")" build
	for metric in process_cpu_seconds_total process_resident_memory_bytes \
	    process_open_fds process_start_time_seconds; do
		assert_match '^[0-9.]*[1-9]' "$(sample "$name" $metric)" \
		    "$name $metric"
	done
	started=$(sample "$name" process_start_time_seconds)
	assert_at_most 3600 "$(awk "BEGIN { print $(date +%s) - $started }")" \
	    "age of $name"
done
assert_equal 1 "$(sample auth keepsake_registrations_total)" registrations
assert_equal 1 "$(sample store keepsake_snapshots_published_total)" snapshots
assert_equal 1 "$(sample store 'keepsake_requests_total{type="PUBLISH",status="ok"}')" \
    "requests by type and status"
assert_equal 1 \
    "$(sample store 'keepsake_request_duration_seconds_count{type="PUBLISH"}')" \
    "durations by type"
assert_equal 1 "$(sample gateway \
    'keepsake_forwarded_requests_total{type="PUBLISH",status="ok"}')" \
    "requests passed on"
for name in auth store binding notify; do
	for database in main journal; do
		count="keepsake_db_commit_duration_seconds_count{database=\"$database\"}"
		[ "$(sample "$name" "$count")" -gt 0 ] || fail "$name $count"
	done
	assert_match '^[1-9]' "$(sample "$name" keepsake_db_map_bytes)" map
done
case_pass

case_begin "O-03 every figure of keepsakectl is a metric with a text of its own"
for name in $SERVICES; do
	assert_no_match '# TYPE [a-z_]+ untyped' \
	    "$(cat "$WORLD/metrics.$name")" "metrics of $name"
done
case_pass

case_begin "O-03 no metric names a person, an account or a terminal"
account=$(json '.[0].id' "$(keepsakectl --json accounts)")
for name in $SERVICES; do
	assert_no_match "anna|serial-of|label-of|$account" \
	    "$(cat "$WORLD/metrics.$name")" "metrics of $name"
done
case_pass

case_begin "O-03 what is no page, and what no method, is refused"
for name in $SERVICES; do
	for path in / /metric /metrics/ /metrics2 //metrics /../metrics; do
		assert_equal 404 "$(get "$name" "$path" --path-as-is)" "$path"
	done
	for method in POST PUT DELETE OPTIONS TRACE NONSENSE; do
		assert_equal 405 "$(get "$name" /metrics --request "$method")" \
		    "$method"
		grep -qix $'allow: GET, HEAD\r' "$WORLD/head" ||
		    fail "no Allow: $(cat "$WORLD/head")"
	done
	assert_equal 200 "$(get "$name" /metrics --head)" HEAD
	assert_match '^(413|431|400)$' "$(get "$name" /metrics \
	    --header "X: $(printf '%08192d' 0)")" "a large header"
	assert_equal 200 "$(get "$name" /healthz)" "afterwards"
done
case_pass

case_begin "O-03 R-03 connections past the bound wait, and harm nobody"
# Connections that say nothing, more of them than there may be.
held=()
for ((i = 0; i < 40; i++)); do
	exec {fd}<>"/dev/tcp/${ADDRESS[auth]%:*}/${ADDRESS[auth]#*:}"
	held+=("$fd")
done
keepsake_as one --quiet snapshots >/dev/null
assert_at_most 200 "$(keepsakectl --json status | jq '.auth.requests_under_way')"
# They are closed once they have been idle; it needs no doing of theirs.
wait_for 90 answers 200 auth /healthz || fail "no answer while they are held"
for fd in "${held[@]}"; do
	exec {fd}>&-
done
case_pass

# Open 40 connections, and send a byte of a request by each every half second,
# until standard input ends.
trickle() { # ADDRESS
	local held=() fd
	trap '' PIPE
	for ((i = 0; i < 40; i++)); do
		exec {fd}<>"/dev/tcp/${1%:*}/${1#*:}"
		printf 'GET /healthz HTTP/1.1\r\nX: ' >&"$fd"
		held+=("$fd")
	done
	echo held
	until read -rt 0.5 || [ $? -le 128 ]; do
		for fd in "${held[@]}"; do
			printf x >&"$fd" || true
		done
	done 2>/dev/null
}

case_begin "O-03 R-03 nor do those that send byte by byte keep anybody out"
coproc trickle "${ADDRESS[auth]}"
trickler=$COPROC_PID
into=${COPROC[1]}
read -r _ <&"${COPROC[0]}"
wait_for 90 answers 200 auth /healthz || fail "no answer while they trickle"
kill -0 "$trickler" || fail "they have ended"
exec {into}>&-
wait "$trickler"
case_pass

# Whether --health says so, with this exit status and a line like that.
health() { # CODE SERVICE PATTERN
	local got=0 said
	said=$("$BUILD/keepsake-$2" --config "$WORLD_CONFIG" --health 2>&1) ||
	    got=$?
	[ "$got" -eq "$1" ] && [[ $said =~ $3 ]]
}

case_begin "O-03 a process that has all it needs is ready, and --health says so"
for name in $SERVICES; do
	wait_for 20 answers 200 "$name" /readyz ||
	    fail "$name: $(cat "$WORLD/page")"
	assert_equal ready "$(cat "$WORLD/page")" "what $name says"
	health 0 "$name" '^ready$' || fail "--health of $name"
done
case_pass

case_begin "O-03 R-02 one whose peer is away is alive, not ready, and says why"
service_stop store
for name in gateway auth; do
	wait_for 20 answers 503 "$name" /readyz || fail "$name is ready"
	grep -qx 'no link to store' "$WORLD/page" || fail "$(cat "$WORLD/page")"
	assert_equal 1 "$(wc -l <"$WORLD/page")" "reasons of $name"
	assert_equal 200 "$(get "$name" /healthz)" "health of $name"
	assert_equal 0 "$(sample "$name" keepsake_ready)" "metric of $name"
	assert_equal 0 "$(sample "$name" 'keepsake_link_up{peer="store"}')" link
	health 1 "$name" '^no link to store$' || fail "--health of $name"
done
health 1 store 'does not answer' || fail "--health of a process that is down"
service_start store
for name in $SERVICES; do
	wait_for 30 answers 200 "$name" /readyz ||
	    fail "$name: $(cat "$WORLD/page")"
done
case_pass

case_begin "O-03 a service that auth is silent to is not ready"
kill -STOP "${SERVICE_PID[auth]}"
wait_for 60 answers 503 notify /readyz || {
	kill -CONT "${SERVICE_PID[auth]}"
	fail "notify is ready"
}
grep -q '^auth was not heard of' "$WORLD/page" || fail "$(cat "$WORLD/page")"
kill -CONT "${SERVICE_PID[auth]}"
wait_for 30 answers 200 notify /readyz || fail "$(cat "$WORLD/page")"
case_pass

case_begin "O-03 G-05 a process takes as many descriptors as it may have"
service_stop gateway
SERVICE_WITHIN=(prlimit --nofile=256:2048)
service_start gateway
SERVICE_WITHIN=()
page gateway /metrics >"$WORLD/metrics"
grep -qx 'process_max_fds 2048' "$WORLD/metrics" ||
    fail "$(grep process_max_fds "$WORLD/metrics")"
case_pass

case_begin "O-03 without an address nothing listens, and --health says so"
sed -i '/^http = /d' "$WORLD_CONFIG"
for name in $SERVICES; do
	health 1 "$name" "set http of \[$name\]" || fail "--health of $name"
done
service_stop notify
service_start notify
expect_status 7 curl --silent "http://${ADDRESS[notify]}/healthz"
case_pass

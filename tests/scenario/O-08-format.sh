#!/bin/bash
# O-08: databases carry a format version, and older code refuses a newer one,
# clearly and without touching it.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
tree_make "$WORLD/tree" 1 5 8
keepsake_as one --quiet backup "$WORLD/tree"
readonly DATABASES="auth store binding notify"
readonly -A FORMAT=([auth]=2 [store]=3 [binding]=2 [notify]=2) # this release's
for name in $DATABASES; do
	service_stop "$name"
	cp -a "$WORLD/$name" "$WORLD/$name.before"
	"$BUILD/tests/tool/setformat" "$name" "$WORLD/$name" "${FORMAT[$name]}" 9
	cp -a "$WORLD/$name/data.mdb" "$WORLD/$name.newer"
done

for name in $DATABASES; do
	case_begin "O-08 $name refuses a newer database, and says why"
	status=0
	timeout -k 5 30 "$BUILD/keepsake-$name" --config "$WORLD_CONFIG" \
	    2>"$WORLD/said" || status=$?
	assert_equal 1 "$status" "exit status"
	assert_match \
	    "event=database_version .*found=9 .*=${FORMAT[$name]}" \
	    "$(cat "$WORLD/said")" log
	cmp "$WORLD/$name/data.mdb" "$WORLD/$name.newer"
	case_pass
done

case_begin "O-08 a service refuses another one's database"
status=0
KEEPSAKE_STORE_DATA=$WORLD/auth.before timeout -k 5 30 \
    "$BUILD/keepsake-store" --config "$WORLD_CONFIG" 2>"$WORLD/said" ||
    status=$?
assert_equal 1 "$status" "exit status"
assert_match 'event=database_of_another' "$(cat "$WORLD/said")" log
case_pass

case_begin "O-08 with the right version everything is there again"
for name in $DATABASES; do
	"$BUILD/tests/tool/setformat" "$name" "$WORLD/$name" 9 "${FORMAT[$name]}"
	service_start "$name"
done
assert_restores one 1 "$WORLD/tree"
case_pass

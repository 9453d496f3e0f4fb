#!/bin/bash
# O-01: keepsakectl asks every process how it is: for people, as JSON for
# scripts, with exit codes that mean something.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
mkdir "$WORLD/tree"
date >"$WORLD/tree/file"
keepsake_as one --quiet backup "$WORLD/tree"

case_begin "O-01 every process reports status, version, uptime and figures"
status=$(keepsakectl --json status)
assert_json '(keys == ["auth", "binding", "gateway", "notify", "store"]) and
    all(.[]; .status == "ok" and (.version | test("^[0-9]+[.]")) and
    .uptime_ms > 0 and .pid > 1)' "$status" status
for name in $SERVICES; do
	assert_equal "${SERVICE_PID[$name]}" "$(json ".$name.pid" "$status")" \
	    "process id of $name"
done
case_pass

case_begin "O-01 the figures are those of what was done"
assert_json '.auth.accounts == 1 and .auth.registrations == 1 and
    .auth.logins_ok >= 2 and .binding.terminals == 1 and
    .store.snapshots_published == 1 and .store.chunks_put > 0 and
    .gateway.terminal_requests > 5 and .notify.dead_letters == 0' \
    "$status" figures
case_pass

case_begin "O-01 for people it is a line each"
people=$(keepsakectl status)
for name in $SERVICES; do
	grep -qx "$name: ok" <<<"$people" || fail "no '$name: ok' in $people"
done
grep -qE '^ +accounts +1$' <<<"$people" || fail "no accounts in $people"
case_pass

case_begin "O-01 R-02 a process that is down is named, and the exit code tells"
service_stop binding
down=0
status=$(keepsakectl --json status) || down=$?
[ "$down" -ne 0 ] || fail "exit status 0 with a process down"
assert_json '.binding.status == "unavailable" and .binding.detail != "" and
    .auth.status == "ok" and .store.status == "ok"' "$status" status
failed=0
people=$(keepsakectl status) || failed=$?
assert_equal "$down" "$failed" "exit status for people"
grep -q '^binding: unavailable' <<<"$people" || fail "$people"
service_start binding
keepsakectl status >/dev/null
case_pass

case_begin "O-01 usage errors have an exit code of their own"
usage=0
keepsakectl nothing >/dev/null 2>&1 || usage=$?
[ "$usage" -ne 0 ] && [ "$usage" -ne "$down" ] || fail "exit status $usage"
expect_status "$usage" keepsakectl status more >/dev/null 2>&1
expect_status "$usage" keepsakectl --nothing status >/dev/null 2>&1
expect_status "$usage" "$BUILD/keepsakectl" --config "$WORLD/none" status \
    >/dev/null 2>&1
expect_status 0 keepsakectl --help >/dev/null
case_pass

case_begin "O-01 G-06 every process stops in good order when told to"
for name in $SERVICES; do
	service_stop "$name" || fail "$name ended with status $?"
done
case_pass

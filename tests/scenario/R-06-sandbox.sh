#!/bin/bash
# R-06, O-05: every thread of every server process is in the sandbox before the
# first request, with which the whole job is done; and it can be insisted upon
# or switched off.  What the sandbox refuses: unit/check_sandbox.c.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_make

# What the kernel says of a process: a line for each of its threads.
threads() { # PID FIELD
	sed -n "s/^$2:[[:space:]]*//p" "/proc/$1"/task/*/status | sort -u
}

for name in $SERVICES; do
	case_begin "O-05 R-06 $name: no thread gains rights, each has its filter"
	service_start "$name"
	pid=${SERVICE_PID[$name]}
	[ "$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l)" -gt 1 ] ||
	    fail "it has one thread only"
	assert_equal 1 "$(threads "$pid" NoNewPrivs)" NoNewPrivs
	assert_equal 2 "$(threads "$pid" Seccomp)" Seccomp
	log_wait "$name" 'event=sandbox landlock=[0-9]+ seccomp=yes' ||
	    fail "not logged"
	case_pass
done

case_begin "O-05 R-06 files are given up where the kernel can"
if grep -qw landlock /sys/kernel/security/lsm 2>/dev/null ||
    grep -q 'event=sandbox landlock=[1-9]' "$WORLD_LOG/store.log"; then
	for name in $SERVICES; do
		grep -q 'event=sandbox landlock=[1-9]' "$WORLD_LOG/$name.log" ||
		    fail "$name did not"
	done
	case_pass
else
	case_skip "O-05 R-06 files are given up: this kernel has no Landlock"
fi

case_begin "O-05 R-06 in it a backup is made and restored, and master keys rotate"
terminal_of_new one anna
tree_make "$WORLD/tree" 4 12 1
keepsake_as one --quiet backup "$WORLD/tree"
keepsakectl keys rotate >/dev/null
assert_restores one latest "$WORLD/tree"
expect_status 0 keepsakectl audit verify >/dev/null
case_pass

case_begin "O-05 R-06 no file was refused meanwhile"
! grep -hE 'Permission denied|Operation not permitted|file_refused' \
    "$WORLD_LOG"/{auth,store,binding,notify,gateway}.log || fail "one was"
case_pass

case_begin "O-05 O-07 sandbox = yes insists, no is without"
service_stop notify
KEEPSAKE_COMMON_SANDBOX=no service_start notify
assert_equal 0 "$(threads "${SERVICE_PID[notify]}" Seccomp)" Seccomp
service_stop notify
if grep -q 'event=sandbox landlock=[1-9]' "$WORLD_LOG/store.log"; then
	KEEPSAKE_COMMON_SANDBOX=yes service_start notify
	assert_equal 2 "$(threads "${SERVICE_PID[notify]}" Seccomp)" Seccomp
	service_stop notify
fi
case_pass

#!/bin/bash
# G-01: a terminal in another language, written from docs/protocol.md alone
# (terminal/), with an OPAQUE that is not ours, does the main job, and both
# read each other's backups.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"

here=$(realpath "$(dirname "$0")")
modules=$BUILD/interop
for tool in node npm; do
	command -v "$tool" >/dev/null || fail "no $tool: see make deps"
done

# The packages of the lock file, once for each of its states.
install_packages() {
	local stamp
	stamp=$(cat "$here"/package*.json | sha256sum | cut -d' ' -f1)
	[ ! -e "$modules/$stamp" ] || return 0
	rm -rf "$modules"
	mkdir -p "$modules"
	cp "$here"/package*.json "$modules"
	npm ci --prefix "$modules" --ignore-scripts --no-audit --no-fund \
	    --cache "$WORLD/npm" >"$WORLD_LOG/npm.log" 2>&1 ||
	    fail "npm: $(tail -n 5 "$WORLD_LOG/npm.log")"
	touch "$modules/$stamp"
}

javascript() { # TERMINAL COMMAND...
	local state=$WORLD/terminal/$1.json
	shift
	KEEPSAKE_PASSWORD_FILE=$WORLD/secret.password timeout 120 node \
	    "$modules/terminal/main.mjs" "$state" "$@"
}

world_up
install_packages
# Node looks for packages from where the program lies.
rm -rf "$modules/terminal"
cp -R "$here/terminal" "$modules"
export KEEPSAKE_PROTO=$here/../../proto

terminal_of_new phone anna
tree_make "$WORLD/tree" 6 30 1
tree_make "$WORLD/small" 1 6 2
keepsake_as phone --quiet backup "$WORLD/tree"

case_begin "G-01 A-01 A-04 D-01 a terminal in JavaScript registers, logs in and is bound"
javascript other enrol "$ENROLMENT"
javascript other register bertha
javascript other bind bertha SN-javascript
assert_equal ok "$(javascript other login DOWNLOAD)"
case_pass

case_begin "G-01 B-04 it backs up small files and restores them"
javascript other backup "$WORLD/small" >/dev/null
javascript other restore 0 "$WORLD/small.back" >/dev/null
assert_same_tree "$WORLD/small" "$WORLD/small.back"
case_pass

case_begin "G-01 B-09 it restores what the terminal in C backed up"
javascript second enrol "$ENROLMENT"
javascript second bind anna SN-second
javascript second restore 0 "$WORLD/tree.back" >/dev/null
assert_same_tree "$WORLD/tree" "$WORLD/tree.back"
case_pass

case_begin "G-01 B-05 B-09 the terminal in C restores what it backed up"
ordinal=$(javascript second backup "$WORLD/small")
assert_restores phone "$ordinal" "$WORLD/small"
case_pass

case_begin "G-01 A-07 three wrong passwords lock it, and it is told so"
secret password 'not the password'
remaining=2
for try in first second third; do
	answer=$(javascript other login UPLOAD) && fail "the $try got in"
	assert_json '.status == "DENIED"' "$answer" "the $try"
	assert_equal "$remaining" "$(json .tries_remaining "$answer")" "$try"
	remaining=$((remaining - 1))
done
answer=$(javascript other login UPLOAD) && fail "it got in"
assert_json '.status == "LOCKED" and .detail != ""' "$answer"
secret password "$PASSWORD"
answer=$(javascript other login UPLOAD) && fail "it got in"
assert_json '.status == "LOCKED"' "$answer" "with the right password"
case_pass

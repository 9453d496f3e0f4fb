#!/bin/bash
# K-02: in local mode the key of a snapshot stays in a privileged place of
# the terminal.  What is not as it should be there is refused, for reading
# and for writing; who may not read it ends before anything is asked.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
tree_make "$WORLD/tree" 2 10 2
readonly KEYS=$WORLD/terminal/one/keys
readonly NOBODY=65534 # some user who is not us

case_begin "K-02 the key of a local backup is kept here, and nowhere else"
keepsake_as one --quiet backup --key local "$WORLD/tree"
keepsake_as one --quiet backup --key sealed "$WORLD/tree"
keepsake_as one --quiet backup "$WORLD/tree"
list=$(keepsake_as one --json snapshots)
assert_json 'map(.key) == ["local", "sealed", "sealed"] and all(.readable)' \
    "$list" snapshots
id=$(json '.[0].key_id' "$list")
assert_match '^[0-9a-f]{32}$' "$id" "key id"
assert_json '.[1].key_id == null' "$list" "key id"
assert_equal "700 600 1" "$(stat -c %a "$KEYS") $(stat -c '%a %h' \
    "$KEYS/$id.key")" "modes of the place"
assert_equal "$id.key" "$(ls "$KEYS")" "what is kept"
key=$(sed -n 's/^key=//p' "$KEYS/$id.key")
assert_match '^[0-9a-f]{64}$' "$key" key
for folder in auth store binding notify keys log run; do
	! LC_ALL=C grep -rqaF "$key" "$WORLD/$folder" || fail "in $folder"
	[ ! -e "$WORLD/$folder/data.mdb" ] ||
	    ! od -An -v -tx1 "$WORLD/$folder/data.mdb" | tr -d ' \n' |
	    grep -qF "$key" || fail "in the database of $folder"
done
assert_restores one 1 "$WORLD/tree"
text=$(keepsake_as one snapshots)
assert_match ' local .* sealed ' "${text//$'\n'/ }" "what is listed"
case_pass

case_begin "K-02 another terminal is told where the key is"
terminal_of two anna
terminal=$(json '.[0].terminal' "$list")
assert_json '.[0] | .key == "local" and (.readable | not)' \
    "$(keepsake_as two --json snapshots)" snapshots
answer=$(expect_error 6 not_found two restore 1 --target "$WORLD/x")
assert_match "on the terminal that made it, $terminal; .*/keys/$id.key" \
    "$answer" detail
assert_match "copy that file" "$answer" advice
expect_error 6 not_found two show 1 >/dev/null
assert_restores two 2 "$WORLD/tree"
case_pass

case_begin "K-02 a copy of the key's file opens the snapshot there"
mkdir -m 0700 "$WORLD/terminal/two/keys"
install -m 0600 "$KEYS/$id.key" "$WORLD/terminal/two/keys/"
assert_json '.[0].readable' "$(keepsake_as two --json snapshots)" snapshots
assert_restores two 1 "$WORLD/tree"
# Another account's terminal with that file is none the wiser.
terminal_of_new three bert
keepsake_as three --quiet backup --key local "$WORLD/tree"
other=$(json '.[0].key_id' "$(keepsake_as three --json snapshots)")
install -m 0600 "$KEYS/$id.key" "$WORLD/terminal/three/keys/$other.key"
answer=$(expect_error 1 malformed three restore 1 --target "$WORLD/x")
assert_match "another account's" "$answer" detail
case_pass

# Insist that the place is refused for reading and writing, in these words.
expect_refused() { # REGEX
	local answer
	answer=$(expect_error 4 denied one restore 1 --target "$WORLD/x")
	assert_match "$1" "$answer" "restore's detail"
	assert_match "mode 0700.*mode 0600" "$answer" advice
	answer=$(expect_error 4 denied one show 1)
	assert_match "$1" "$answer" "show's detail"
	[ ! -e "$WORLD/x" ] || fail "something was restored"
}
expect_unwritten() { # REGEX
	local before answer
	before=$(figure store snapshots_published)
	answer=$(expect_error 4 denied one backup --key local "$WORLD/tree")
	assert_match "$1" "$answer" "backup's detail"
	assert_equal "$before" "$(figure store snapshots_published)" published
	# In sealed mode the place does not matter.
	keepsake_as one --quiet backup "$WORLD/tree"
}

case_begin "K-02 a folder with loose permissions is refused"
for mode in 0710 0740 0701 0755 0777; do
	chmod "$mode" "$KEYS"
	expect_refused "$KEYS: open to others, with mode $mode: chmod 700"
	expect_unwritten "$KEYS: open to others, with mode $mode"
	chmod 0700 "$KEYS"
done
case_pass

case_begin "K-02 a folder that is a symlink, or none, is refused"
mv "$KEYS" "$WORLD/elsewhere"
ln -s "$WORLD/elsewhere" "$KEYS"
expect_refused "$KEYS: a symlink"
expect_unwritten "$KEYS: a symlink"
answer=$(expect_error 4 denied one --key-folder "$KEYS///" restore 1 \
    --target "$WORLD/x")
assert_match "$KEYS: a symlink" "$answer" "with slashes behind"
rm "$KEYS"
touch "$KEYS"
expect_refused "$KEYS: not a folder"
expect_unwritten "$KEYS: not a folder"
rm "$KEYS"
mv "$WORLD/elsewhere" "$KEYS"
case_pass

case_begin "K-02 a key file with loose permissions or links is refused"
file=$KEYS/$id.key
for mode in 0640 0604 0660 0666; do
	chmod "$mode" "$file"
	expect_refused "$file: open to others, with mode $mode: chmod 600"
	chmod 0600 "$file"
done
ln "$file" "$WORLD/second"
expect_refused "$file: has a second name, a hard link"
mv "$WORLD/second" "$WORLD/first"
rm "$file"
ln -s "$WORLD/first" "$file"
expect_refused "$file: a symlink"
rm "$file"
mkfifo -m 0600 "$file"
expect_refused "$file: not a regular file"
rm "$file"
mv "$WORLD/first" "$file"
assert_restores one 1 "$WORLD/tree"
case_pass

case_begin "K-02 a key file that is damaged is told from one that lacks"
cp -p "$file" "$WORLD/kept"
(umask 077 && head -c 100 "$WORLD/kept" >"$file")
answer=$(expect_error 1 malformed one restore 1 --target "$WORLD/x")
assert_match "damaged" "$answer" detail
rm "$file"
expect_error 6 not_found one restore 1 --target "$WORLD/x" >/dev/null
cp -p "$WORLD/kept" "$file"
assert_restores one 1 "$WORLD/tree"
case_pass

case_begin "K-02 the privilege is checked before anything is asked"
service_stop gateway
chmod 0750 "$KEYS"
for command in "restore 1 --target $WORLD/x" "show 1" \
    "backup --key local $WORLD/tree"; do
	# shellcheck disable=SC2086 # words are meant
	expect_error 4 denied one --timeout 60s $command >/dev/null
done
chmod 0700 "$KEYS"
service_start gateway
case_pass

# --- another user ----------------------------------------------------------

# keepsake(1) as a service user, who has a state folder of its own.
as_user() { # ARGUMENTS...
	setpriv --reuid "$NOBODY" --regid "$NOBODY" --clear-groups \
	    "$WORLD/bin/keepsake" --state "$WORLD/service/state" \
	    --password-file "$WORLD/service/password" "$@"
}

# Insist that it is refused in these words.
expect_user_refused() { # REGEX ARGUMENTS...
	local answer got=0 regex=$1
	shift
	answer=$(as_user --json "$@") || got=$?
	assert_equal 4 "$got" "exit status"
	assert_match "$regex" "$answer" detail
}

user_cases() {
	case_begin "K-02 a service user keeps keys of its own"
	chmod 0711 "$WORLD"
	install -D -m 0755 "$BUILD/keepsake" "$WORLD/bin/keepsake"
	mkdir -m 0700 "$WORLD/service" "$WORLD/service/state"
	cp -r "$WORLD/terminal/two"/{terminal.key,enrolment,account} \
	    "$WORLD/service/state/"
	cp "$WORLD/secret.password" "$WORLD/service/password"
	cp -r "$WORLD/tree" "$WORLD/service/tree"
	chown -R "$NOBODY:$NOBODY" "$WORLD/service"
	local keys=$WORLD/service/state/keys snapshot
	snapshot=$(json .snapshot \
	    "$(as_user --json backup --key local "$WORLD/service/tree")")
	assert_equal "700 $NOBODY" "$(stat -c '%a %u' "$keys")" "the place"
	as_user --quiet restore "$snapshot" --target "$WORLD/service/restored"
	assert_same_tree "$WORLD/service/tree" "$WORLD/service/restored"
	case_pass

	case_begin "K-02 a foreign owner is refused, also by root"
	local file
	file=$(echo "$keys"/*.key)
	expect_error 4 denied one --key-folder "$keys" restore 1 --target \
	    "$WORLD/x" >"$WORLD/said"
	assert_match "$keys: belongs to user $NOBODY" "$(cat "$WORLD/said")" \
	    detail
	chown "$NOBODY" "$KEYS/$id.key"
	expect_refused "$KEYS/$id.key: belongs to user $NOBODY"
	chown 0 "$KEYS/$id.key"
	chown "$NOBODY" "$KEYS"
	expect_refused "$KEYS: belongs to user $NOBODY"
	expect_unwritten "$KEYS: belongs to user $NOBODY"
	chown 0 "$KEYS"
	assert_restores one 1 "$WORLD/tree"
	case_pass

	case_begin "K-02 what is root's needs root's privilege"
	service_stop gateway
	chown 0:0 "$keys"
	expect_user_refused "$keys: belongs to root, and you are user" \
	    restore "$snapshot" --target "$WORLD/service/x"
	expect_user_refused "$keys: belongs to root, and you are user" \
	    backup --key local "$WORLD/service/tree"
	chown "$NOBODY" "$keys"
	service_start gateway
	chown 0 "$file"
	expect_user_refused "$file: belongs to root, and you are user" \
	    restore "$snapshot" --target "$WORLD/service/x"
	[ ! -e "$WORLD/service/x" ] || fail "something was restored"
	chown "$NOBODY" "$file"
	as_user --quiet show "$snapshot" >/dev/null
	case_pass
}
if [ "$(id -u)" -eq 0 ]; then
	user_cases
else
	case_skip "K-02 a foreign owner: only root may run as another user"
fi

# --- the tool's own password -------------------------------------------------

# keepsake(1) with nobody at a terminal.
alone() { # ARGUMENTS...
	setsid -w "$BUILD/keepsake" --state "$WORLD/terminal/one" \
	    --password-file "$WORLD/secret.password" --json "$@" </dev/null
}

case_begin "K-02 the tool asks for a password of its own"
secret tool 'of the tool alone'
secret other 'quite another'
expect_status 4 alone lock >/dev/null # nobody to ask
keepsake_as one --quiet lock --new-password-file "$WORLD/secret.tool"
! grep -rqF 'of the tool alone' "$WORLD/terminal" || fail "it is in a file"
for command in "backup $WORLD/tree" "restore 1 --target $WORLD/x" "show 1" \
    "snapshots"; do
	# shellcheck disable=SC2086 # words are meant
	expect_status 4 alone $command >"$WORLD/said"
	assert_match 'tool-password-file' "$(cat "$WORLD/said")" advice
	# shellcheck disable=SC2086
	answer=$(expect_error 4 denied one $command \
	    --tool-password-file "$WORLD/secret.password")
	assert_match "the tool's password is wrong" "$answer" detail
	[ ! -e "$WORLD/x" ] || fail "something was restored"
done
alone backup "$WORLD/tree" --tool-password-file "$WORLD/secret.tool" \
    >/dev/null
alone restore 1 --target "$WORLD/restored" --tool-password-file \
    "$WORLD/secret.tool" >/dev/null
assert_same_tree "$WORLD/tree" "$WORLD/restored"
case_pass

case_begin "K-02 A-15 an unattended backup says what it lacks"
keepsake_as one --quiet grant add
expect_status 4 alone backup --unattended "$WORLD/tree" >"$WORLD/said"
assert_match 'unattended' "$(cat "$WORLD/said")" detail
assert_match 'tool-password-file' "$(cat "$WORLD/said")" advice
alone backup --unattended --tool-password-file "$WORLD/secret.tool" \
    "$WORLD/tree" >/dev/null
case_pass

case_begin "K-02 the tool's password is changed and taken away with the old"
expect_error 4 denied one lock --tool-password-file "$WORLD/secret.other" \
    --new-password-file "$WORLD/secret.other" >/dev/null
expect_error 4 denied one lock --off --tool-password-file \
    "$WORLD/secret.other" >/dev/null
keepsake_as one --quiet lock --tool-password-file "$WORLD/secret.tool" \
    --new-password-file "$WORLD/secret.other"
expect_error 4 denied one lock --off --tool-password-file \
    "$WORLD/secret.tool" >/dev/null
chmod 0644 "$WORLD/terminal/one/tool-password"
expect_error 4 denied one backup "$WORLD/tree" >/dev/null
chmod 0600 "$WORLD/terminal/one/tool-password"
assert_json '.locked == false' "$(keepsake_as one --json lock --off \
    --tool-password-file "$WORLD/secret.other")" lock
alone backup "$WORLD/tree" >/dev/null
case_pass

# A person at a terminal.
case_begin "K-02 it is asked for at the terminal, and not shown"
keepsake_as one --quiet lock --new-password-file "$WORLD/secret.tool"
: >"$WORLD/shown"
mkfifo "$WORLD/typed"
script -qefc "$(printf '%q ' "$BUILD/keepsake" --state "$WORLD/terminal/one" \
    --password-file "$WORLD/secret.password" backup "$WORLD/tree")" \
    "$WORLD/shown" <"$WORLD/typed" >/dev/null 2>&1 &
pid=$!
exec {typed}>"$WORLD/typed"
wait_for 20 grep -q 'Password of this tool' "$WORLD/shown" || fail "not asked"
printf '%s\n' 'of the tool alone' >&"$typed"
wait "$pid" || fail "exit status $?: $(cat "$WORLD/shown")"
exec {typed}>&-
grep -q 'Snapshot' "$WORLD/shown" || fail "$(cat "$WORLD/shown")"
! grep -q 'of the tool alone' "$WORLD/shown" || fail "it was echoed"
case_pass

#!/bin/bash
# A-09: at login, recovery and tries an unknown name cannot be told from a
# known one, by the answers or by the work that is done.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up
terminal_of_new one anna
terminal_enrolled other
keepsake_as other --quiet register bert # has no verification information
secret wrong 'not the right one'
terminal_enrolled stranger

# What auth's databases have done so far: batches, and commits of them.
work() {
	json '.auth | "\(.db_batches) \(.db_commits) \(.journal_batches)" +
	    " \(.journal_commits)"' "$(keepsakectl --json status)"
}

# What a stranger is told of a name at each step, a line each: status, tries,
# how long to wait, lengths, words.
story() { # ACCOUNT-NAME
	local fields answer
	keepsake_as stranger --json --name "$1" code show
	for direction in ENROL UPLOAD MANAGE BIND; do
		for _ in 1 2 3; do
			read -r -a fields < <(raw_begin stranger \
			    --password-file "$WORLD/secret.wrong" "$1" \
			    "$direction")
			echo "$direction ${fields[*]:0:2} ${fields[5]}" \
			    "${#fields[6]} ${fields[*]:7}"
			[ "${fields[0]}" = ok ] || continue
			answer=$(raw stranger --figures --body "${fields[6]}" \
			    ask auth.LOGIN_FINISH)
			echo "$direction $(rounded "$answer")"
		done
	done
	keepsake_as stranger --json --name "$1" invite --ask
	keepsake_as stranger --json --name "$1" invite --ask
	keepsake_as stranger --json --name "$1" code show
}

# When a lane opens is told to the millisecond: as many seconds, more or
# less, for either.
rounded() { # "STATUS TRIES RETRY-MS..."
	read -r -a answer <<<"$1"
	[ "${answer[2]}" -lt 3500000 ] || answer[2]=hour
	echo "${answer[*]}"
}

# What was done since, as batches of either database.  Commits are told for
# steps that wait for each other: what follows a lock, the telling of it, may
# share one.
batches_since() { # BEFORE
	local before after
	read -r -a before <<<"$1"
	read -r -a after < <(work)
	echo "$((after[0] - before[0])) $((after[2] - before[2]))"
}

idle() {
	local now
	now=$(batches_since "$begun")
	[ "$now" = "$last" ] || {
		last=$now
		return 1
	}
}

case_begin "A-09 what a stranger does to a name takes work"
begun=$(work) last=
story nobody >"$WORLD/story.nobody"
wait_for 10 idle || fail "auth is never idle"
nobodys=$last
assert_match '^[0-9]+ [1-9][0-9]+$' "$nobodys" "batches"
# It was seen through to the lock, in each lane.
for direction in ENROL BIND; do
	assert_equal 3 "$(grep -c "^$direction ok" "$WORLD/story.nobody")" \
	    "challenges for $direction"
	assert_equal 3 "$(grep -c "^$direction denied" \
	    "$WORLD/story.nobody")" "verdicts for $direction"
done
assert_equal 6 "$(grep -c '^[UM][A-Z]* locked' "$WORLD/story.nobody")" \
    "locked answers"
case_pass

for name in anna bert; do
	begun=$(work)
	story "$name" >"$WORLD/story.$name"

	case_begin "A-09 the answers are the same, field by field: $name"
	diff "$WORLD/story.nobody" "$WORLD/story.$name" >&2 ||
	    fail "$name is told from nobody"
	case_pass

	case_begin "A-09 and as much is written: $name"
	as_much() {
		[ "$(batches_since "$begun")" = "$nobodys" ]
	}
	wait_for 10 as_much ||
	    fail "$(batches_since "$begun") batches, for nobody $nobodys"
	case_pass
done

case_begin "A-09 the owner was told, and no more is written then"
sum=$(batches_since "$begun")
: >"$WORLD/notices"
told() {
	keepsake_as one --json notices >>"$WORLD/notices"
	[ "$(grep -oE 'code_locked|"invitation"' "$WORLD/notices" |
	    sort -u | wc -l)" -eq 2 ]
}
wait_for 10 told || fail "the owner was told $(cat "$WORLD/notices")"
assert_equal 2 "$(grep -o '"kind":"code_locked"' "$WORLD/notices" | wc -l)" \
    "lanes that were shut"
read -r _ journal < <(batches_since "$begun")
logins=$(grep -c '^\[' "$WORLD/notices")
assert_equal $((${sum#* } + 2 * logins)) "$journal" \
    "batches, with two for each login that asked for the notices"
case_pass

# One wrong try, begun and given up: four batches wait for each other.
commits_of() { # ACCOUNT-NAME
	local before after fields
	read -r -a before < <(work)
	read -r -a fields < <(raw_begin stranger2 --password-file \
	    "$WORLD/secret.wrong" "$1" ENROL)
	raw stranger2 --body "${fields[6]}" ask auth.LOGIN_FINISH >/dev/null
	read -r -a after < <(work)
	echo "${fields[0]} $((after[1] - before[1])) $((after[3] - before[3]))"
}

case_begin "A-09 as many commits, each waited for"
terminal_enrolled stranger2
keepsake_as stranger2 --quiet register cleo
assert_equal "ok 0 2" "$(commits_of nobody2)" "for nobody"
assert_equal "ok 0 2" "$(commits_of cleo)" "for cleo"
case_pass

#!/bin/bash
# T-01: the shell completes commands, options and arguments of keepsake and
# keepsakectl, by a script that the programs print from their own tables.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
WORLD=$(mktemp -d "${TMPDIR:-/tmp}/world.XXXXXX")
WORLD_LOG=$WORLD/log
mkdir "$WORLD_LOG" "$WORLD/folder"
echo >"$WORLD/file"
: >"$WORLD_LOG/none.log"

# What is offered for the last word of a command line, sorted, in one line.
offered() { # PROGRAM WORD...
	(
		# shellcheck disable=SC1090 # as a shell reads it
		. <("$BUILD/$1" --completion bash)
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		COMPREPLY=()
		"_$1"
		[ "${#COMPREPLY[@]}" -eq 0 ] || printf '%s\n' "${COMPREPLY[@]}"
	) | sort | xargs
}

case_begin "T-01 completion of keepsake and keepsakectl is registered with bash"
for program in keepsake keepsakectl; do
	# shellcheck disable=SC1090
	assert_equal "complete -F _$program $program" \
	    "$(. <("$BUILD/$program" --completion bash) && complete -p "$program")"
done
case_pass

case_begin "T-01 every command of the usage is completed"
for program in keepsake keepsakectl; do
	want=$("$BUILD/$program" --help | sed -n '/^$/,/^$/s/^  \([a-z][a-z-]*\)\( .*\)\?$/\1/p' |
	    grep -vx help | sort -u | xargs)
	[ "$(wc -w <<<"$want")" -ge 20 ] || fail "the usage has only $want"
	assert_equal "$want" "$(offered "$program" '')" "$program"
done
case_pass

while IFS=: read -r line want; do
	case_begin "T-01 completion of: ${line//$WORLD\//}"
	read -ra words <<<"$line"
	[ "${line: -1}" != ' ' ] || words+=('')
	assert_equal "$want" "$(offered "${words[@]}")" "$line"
	case_pass
done <<END
keepsake ba:backup
keepsake re:rebind register restore revoke
keepsake code :remove set show
keepsake code s:set show
keepsake --name anna code s:set show
keepsake backup --dr:--dry-run
keepsake restore --dr:
keepsake restore --ta:--target
keepsake restore latest --target $WORLD/fo:$WORLD/folder
keepsake backup $WORLD/f:$WORLD/folder
keepsake --password-file $WORLD/f:$WORLD/file $WORLD/folder
keepsake --imei :
keepsake nonsense :
keepsakectl dea:dead-letters
keepsakectl keys :make rotate
keepsakectl audit ver:verify
keepsakectl -c $WORLD/file keys r:rotate
keepsakectl -c $WORLD/fi:$WORLD/file
keepsakectl delete --yes:--yes-delete
keepsakectl status --yes:
keepsakectl export --to $WORLD/f:$WORLD/folder
END

case_begin "T-01 completion for another shell is refused, and it says for which"
for program in keepsake keepsakectl; do
	status=0
	said=$("$BUILD/$program" --completion fish 2>&1) || status=$?
	assert_equal 2 "$status" "$program"
	assert_match 'fish.*bash' "$said" "$program"
done
case_pass

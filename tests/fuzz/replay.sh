#!/bin/bash
# R-03: every decoder of bytes from outside survives its corpus, whatever is
# cut off or flipped in it.  make fuzz looks for inputs that it does not.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"

readonly HARNESS_SECONDS_MAX=120
fuzz=$(realpath "$(dirname "$0")")
output=$(mktemp "${TMPDIR:-/tmp}/replay.XXXXXX")
at_end rm -f "$output"

# Decoders log what they refuse: shown only where one of them fails.
for harness in "$fuzz"/fuzz_*.c; do
	what=$(basename "$harness" .c)
	what=${what#fuzz_}
	program=$BUILD/tests/fuzz/replay_$what
	files=("$fuzz/corpus/$what"/*)
	case_begin "R-03 $what: corpus of ${#files[@]} files"
	if inputs=$(timeout "$HARNESS_SECONDS_MAX" "$program" "${files[@]}" \
	    2>"$output"); then
		case_pass "R-03 $what: corpus of ${#files[@]} files, and with\
 truncations and bit flips $inputs inputs"
	else
		case_fail "R-03 $what: corpus of ${#files[@]} files"
		tail -n 60 "$output"
		echo "it was, of $program:"
		timeout "$HARNESS_SECONDS_MAX" "$program" -v "${files[@]}" \
		    2>/dev/null | tail -n 1 || true
	fi
done

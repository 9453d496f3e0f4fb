#!/bin/bash
# tests/bench/p04.sh: P-04, and the work of A-09.
#
# What a login costs the server beside the curve operations that it cannot do
# without, and beside a server that stretches the password itself; and the
# work and the time that a wrong password costs it, for names that are known
# and names that are not.  README.md says what is counted.
#
# Environment: BUILD (build), REPEAT (3), ACCOUNTS (16), LOGINS (100, of each),
# NAMES (200).  The figures go to BUILD/bench-p04.tsv too.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

readonly REPEAT=${REPEAT:-3} ACCOUNTS=${ACCOUNTS:-16} LOGINS=${LOGINS:-100}
readonly NAMES=${NAMES:-200}
load=$BUILD/tests/tool/loginload

# shellcheck disable=SC2119 # the defaults
world_up
measures=$WORLD/measures
for ((round = 0; round < REPEAT; round++)); do
	# shellcheck disable=SC2129 # each a step
	"$load" curve 2000 >>"$measures"
	"$load" argon2 10 >>"$measures"
	"$load" login "$ENROLMENT" "$ACCOUNTS" "$LOGINS" \
	    "${SERVICE_PID[auth]}" "${SERVICE_PID[binding]}" \
	    "${SERVICE_PID[gateway]}" |
	    sed -e "s/cpu_ms_${SERVICE_PID[auth]}\t/auth_ms\t/" \
		-e "s/cpu_ms_${SERVICE_PID[binding]}\t/binding_ms\t/" \
		-e "s/cpu_ms_${SERVICE_PID[gateway]}\t/gateway_ms\t/" \
		>>"$measures"
done
"$load" compare "$ENROLMENT" "$NAMES" "${SERVICE_PID[auth]}" \
    >"$WORLD/compared"

m() { # NAME
	median "$measures" "$1"
}

ratio() { # A B
	calc 2 'a / b' a="$1" b="$2"
}

bench_begin p04
curve=$(m curve_ms) auth=$(m auth_ms)
row P-04 "CPU of a login" "curve operations alone" ms "$curve"
row P-04 "CPU of a login" auth ms "$auth"
row P-04 "CPU of a login" binding ms "$(m binding_ms)"
row P-04 "CPU of a login" gateway ms "$(m gateway_ms)"
row P-04 "CPU of a login: auth / curve operations" "floor 2, goal 1.3" ratio \
    "$(ratio "$auth" "$curve")"
row P-04 "logins" "server with Argon2id" 1/s "$(m argon2_per_s)"
row P-04 "logins" "keepsake, terminals on the same cores" 1/s \
    "$(m logins_per_s)"
row P-04 "logins: keepsake / Argon2id" "floor 50, goal 100" ratio \
    "$(ratio "$(m logins_per_s)" "$(m argon2_per_s)")"
row P-04 "logins a core: 1 / CPU of auth, binding, gateway / Argon2id" \
    "floor 50, goal 100" ratio \
    "$(awk -v a="$auth" -v b="$(m binding_ms)" \
	-v g="$(m gateway_ms)" -v p="$(m argon2_per_s)" \
	-v c="$(m cores)" \
	'BEGIN { printf "%.1f", 1000 / (a + b + g) / (p / c) }')"

# A-09: the same work and the same times for names that are not known.
for what in cpu_ms writes bytes; do
	for kind in known unknown; do
		row A-09 "a wrong password: $what" "$kind" - \
		    "$(awk -F '\t' -v n="${kind}_$what" \
			'$1 == n { print $2 }' "$WORLD/compared")"
	done
done
sed '1,/^mixed/d' "$WORLD/compared" | sort -t '	' -k 2n >"$WORLD/sorted"
count=$(grep -c '^known' "$WORLD/sorted") # of each kind
awk -F '\t' -v count="$count" '
	{
		value[$1, ++seen[$1]] = $2
		apart = (seen["known"] - seen["unknown"]) / count
		if (apart < 0) apart = -apart
		if (apart > most) most = apart
	}
	END {
		split("known unknown", kinds, " ")
		split("10 50 90", parts, " ")
		for (p = 1; p <= 3; p++)
			for (k = 1; k <= 2; k++)
				printf "A-09\t%d %% of the verdicts within\t%s\tms\t%.3f\n",
				    parts[p], kinds[k],
				    value[kinds[k], int(count * parts[p] / 100) + 1] / 1e6
		printf "A-09\tlargest distance of the distributions\t" \
		    "by chance 95 %% below %.3f\tratio\t%.3f\n",
		    1.36 * sqrt(2 / count), most
	}' "$WORLD/sorted" | tee -a "$bench_tsv"

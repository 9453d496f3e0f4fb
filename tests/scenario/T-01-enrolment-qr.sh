#!/bin/bash
# T-01: the enrolment string as a QR code, as a camera reads it: what zbarimg
# decodes is the string, and a terminal enrols by it.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_make

decode() { # PICTURE
	zbarimg --quiet --raw -Sdisable -Sqrcode.enable "$1" \
	    2>>"$WORLD_LOG/zbarimg.log"
}

# A picture (portable bitmap, 4 pixels a module) of rows of 0 and 1.
picture() {
	awk '{
		line = ""
		for (i = 1; i <= length($0); i++) {
			bit = substr($0, i, 1)
			line = line bit bit bit bit
		}
		for (i = 0; i < 4; i++)
			rows[n++] = line
	} END {
		print "P1\n" length(rows[0]), n
		for (i = 0; i < n; i++)
			print rows[i]
	}'
}

# What a terminal shows, as rows of modules: 1 is dark.
modules() { # UPPER-AND-LOWER LOWER UPPER NEITHER, as digits: 11, 01, 10, 00
	while IFS= read -r line; do
		sed "s/█/${1:0:1}/g; s/▄/${2:0:1}/g; s/▀/${3:0:1}/g; s/ /${4:0:1}/g" \
		    <<<"$line"
		sed "s/█/${1:1}/g; s/▄/${2:1}/g; s/▀/${3:1}/g; s/ /${4:1}/g" \
		    <<<"$line"
	done
}

if ! command -v zbarimg >/dev/null; then
	case_skip "T-01 the enrolment string as a QR code: no zbarimg"
	exit 0
fi

case_begin "T-01 the PNG file of a QR code is the enrolment string"
said=$(keepsakectl enrolment --qr-file "$WORLD/code.png")
assert_equal "$ENROLMENT" "$said" "what is printed"
assert_equal "$ENROLMENT" "$(decode "$WORLD/code.png")" "what is read"
case_pass

case_begin "T-01 the SVG file has the same modules"
keepsakectl enrolment --qr-file "$WORLD/code.svg" >/dev/null
side=$(sed -n 's/.*viewBox="0 0 \([0-9]*\) .*/\1/p' "$WORLD/code.svg")
sed -n 's/<rect x="\([0-9]*\)" y="\([0-9]*\)" width="1".*/\1 \2/p' \
    "$WORLD/code.svg" | awk -v side="$side" '
    { dark[$1, $2] = 1 }
    END {
	for (y = 0; y < side; y++) {
		line = ""
		for (x = 0; x < side; x++)
			line = line ((x, y) in dark ? 1 : 0)
		print line
	}
    }' >"$WORLD/svg.rows"
picture <"$WORLD/svg.rows" >"$WORLD/svg.pbm"
assert_equal "$ENROLMENT" "$(decode "$WORLD/svg.pbm")" "what is read"
case_pass

case_begin "T-01 what goes into a file or a pipe is light on dark"
keepsakectl enrolment --qr >"$WORLD/printed"
assert_equal "$ENROLMENT" "$(head -n 1 "$WORLD/printed")" "the first line"
tail -n +2 "$WORLD/printed" | modules 00 10 01 11 | sed -n "1,${side}p" \
    >"$WORLD/printed.rows"
cmp "$WORLD/svg.rows" "$WORLD/printed.rows"
case_pass

case_begin "T-01 what a terminal shows is black on white, whatever its colours"
script -qec "$BUILD/keepsakectl --config $WORLD_CONFIG enrolment --qr" \
    /dev/null </dev/null >"$WORLD/shown"
assert_equal "$(((side + 1) / 2))" \
    "$(grep -c $'^\e\\[30;107m' "$WORLD/shown")" "coloured lines"
sed -n $'s/^\e\\[30;107m\\(.*\\)\e\\[0m\r*$/\\1/p' "$WORLD/shown" |
    modules 11 01 10 00 | sed -n "1,${side}p" >"$WORLD/shown.rows"
cmp "$WORLD/svg.rows" "$WORLD/shown.rows"
case_pass

case_begin "T-01 a terminal enrols by what was read"
service_start gateway
terminal one
keepsake_as one --quiet enrol "$(decode "$WORLD/code.png")"
service_stop gateway
case_pass

case_begin "T-01 a file that is there is kept; another kind is refused"
before=$(sha256sum "$WORLD/code.png")
expect_status 1 keepsakectl enrolment --qr-file "$WORLD/code.png" \
    >/dev/null 2>"$WORLD/said"
assert_match 'code.png: there is such a file' "$(cat "$WORLD/said")"
assert_equal "$before" "$(sha256sum "$WORLD/code.png")"
for name in code.gif code; do
	expect_status 1 keepsakectl enrolment --qr-file "$WORLD/$name" \
	    >/dev/null 2>"$WORLD/said"
	assert_match '\.png or \.svg' "$(cat "$WORLD/said")"
	[ ! -e "$WORLD/$name" ] || fail "$name was made"
done
expect_status 1 keepsakectl enrolment --qr-file "$WORLD/none/code.svg" \
    >/dev/null 2>"$WORLD/said"
assert_match 'none/code.svg' "$(cat "$WORLD/said")"
case_pass

#!/bin/bash
# O-05: make install puts in place what is needed, and no more: programs that
# run, a library that programs link by pkg-config, units that systemd takes and
# that leave a process next to no right.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
cd "$(dirname "$0")/../.."

readonly EXPOSURE_MAX=20 # tenths, of systemd-analyze security
WORLD=$(mktemp -d "${TMPDIR:-/tmp}/world.XXXXXX")
WORLD_LOG=$WORLD/log
mkdir "$WORLD_LOG"
ROOT=$WORLD/root

# As root may have it; what is installed is for all users of the machine.
make_here() ( # TARGET [VARIABLE=VALUE...]
	umask 077
	make -s BUILD="$BUILD" DESTDIR="$ROOT" PREFIX=/usr "$@" \
	    >>"$WORLD_LOG/make.log" 2>&1 </dev/null
)

installed() {
	(cd "$ROOT" && find . ! -type d -printf '%P\n' | sort)
}

readonly SERVERS="keepsake-auth keepsake-binding keepsake-gateway keepsake-notify keepsake-store"

want() {
	local name
	echo etc/keepsake/keepsake.conf
	echo usr/bin/keepsake
	echo usr/include/keepsake/base/status.h
	echo usr/include/keepsake/keepsake.h
	echo usr/lib/libkeepsake.so
	echo usr/lib/libkeepsake.so.0
	echo usr/lib/pkgconfig/keepsake.pc
	echo usr/lib/systemd/system/keepsake.target
	echo usr/lib/sysusers.d/keepsake.conf
	echo usr/lib/tmpfiles.d/keepsake.conf
	for name in $SERVERS; do
		echo "usr/lib/systemd/system/$name.service"
	done
	echo usr/lib/systemd/system/keepsake-gateway@.service
	for name in keepsakectl $SERVERS; do
		echo "usr/sbin/$name"
		echo "usr/share/man/man8/$name.8"
	done
	echo usr/share/man/man1/keepsake.1
	for name in keepsake keepsakectl; do
		echo "usr/share/bash-completion/completions/$name"
	done
	for name in CHANGES.md DESIGN.md LICENSE README.md operations.md \
	    protocol.md; do
		echo "usr/share/doc/keepsake/$name"
	done
}

case_begin "O-05 make install: all that is needed is there, and nothing else"
make_here install || fail "make install"
assert_equal "$(want | sort)" "$(installed)" "files"
case_pass

case_begin "O-05 whatever the umask, all can be read by everybody"
assert_equal '' "$(find "$ROOT" ! -type l ! -perm -a=r)" "not by others"
assert_equal '' "$(find "$ROOT" -type d ! -perm -a=x)" "closed folders"
case_pass

case_begin "O-05 the installed programs run, and their configuration is good"
for program in "$ROOT"/usr/bin/* "$ROOT"/usr/sbin/*; do
	assert_match "^${program##*/} [0-9]+\\.[0-9]+\\.[0-9]+\$" \
	    "$("$program" --version)"
done
for name in auth store binding notify; do
	"$ROOT/usr/sbin/keepsake-$name" --config \
	    "$ROOT/etc/keepsake/keepsake.conf" --check-config
	"$ROOT/usr/sbin/keepsake-$name" --config deploy/compose.conf \
	    --check-config
done
case_pass

case_begin "O-05 O-07 what the sample configuration comments out is the default"
print_config() { # FILE
	"$ROOT/usr/sbin/keepsake-auth" --config "$1" --print-config
}
sed -E 's/^#([a-z_]+ =.*)/\1/' "$ROOT/etc/keepsake/keepsake.conf" \
    >"$WORLD/uncommented.conf"
[ "$(grep -cE '^#[a-z_]+ =' "$ROOT/etc/keepsake/keepsake.conf")" -ge 20 ] ||
    fail "it explains next to nothing"
assert_equal "$(print_config "$ROOT/etc/keepsake/keepsake.conf")" \
    "$(print_config "$WORLD/uncommented.conf")" "the values in force"
case_pass

case_begin "O-05 a second install keeps the operator's configuration"
echo '# ours' >>"$ROOT/etc/keepsake/keepsake.conf"
make_here install || fail "make install"
assert_equal '# ours' "$(tail -n 1 "$ROOT/etc/keepsake/keepsake.conf")"
case_pass

case_begin "O-05 T-01 a program is built against the library by pkg-config"
cat >"$WORLD/program.c" <<'END'
#include <keepsake.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
	for (unsigned int i = 0; i < KEEPSAKE_CATEGORIES; i++)
		if (strcmp(keepsake_category(i), "photos") == 0)
			return puts("linked") == EOF;
	return 1;
}
END
flags=$(PKG_CONFIG_PATH=$ROOT/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$ROOT \
    pkg-config --define-variable=prefix="$ROOT/usr" --cflags --libs keepsake |
    sed "s|$ROOT$ROOT|$ROOT|g")
# shellcheck disable=SC2086 # words
gcc -std=c11 -Wall -Wextra -Werror "$WORLD/program.c" -o "$WORLD/program" $flags
assert_equal linked "$(LD_LIBRARY_PATH=$ROOT/usr/lib "$WORLD/program")"
case_pass

case_begin "O-05 completion is installed as the programs print it"
for program in keepsake keepsakectl; do
	"$BUILD/$program" --completion bash |
	    cmp - "$ROOT/usr/share/bash-completion/completions/$program"
done
case_pass

case_begin "O-05 systemd takes the units"
if command -v systemd-analyze >/dev/null; then
	# Its own units, which ours refer to, have to be there as well.
	for unit in network multi-user basic sysinit shutdown; do
		printf '[Unit]\nDescription=%s\n' "$unit" \
		    >"$ROOT/usr/lib/systemd/system/$unit.target"
	done
	for name in $SERVERS; do
		said=$(systemd-analyze verify --man=no --root="$ROOT" \
		    "$name.service" keepsake-gateway@2.service \
		    keepsake.target 2>&1) ||
		    fail "$name: $said"
		assert_equal '' "$said" "$name"
	done
	rm "$ROOT"/usr/lib/systemd/system/{network,multi-user,basic,sysinit,shutdown}.target
	case_pass
else
	case_skip "O-05 systemd takes the units: no systemd-analyze"
fi

for name in $SERVERS; do
	case_begin "O-05 $name as a unit: exposure below 2.0"
	if systemd-analyze --help 2>/dev/null | grep -e --offline >/dev/null; then
		systemd-analyze security --no-pager --offline=true \
		    --threshold="$EXPOSURE_MAX" --root="$ROOT" \
		    "$name.service" >"$WORLD_LOG/security" 2>&1 ||
		    fail "$(cat "$WORLD_LOG/security")"
		grep 'Overall exposure' "$WORLD_LOG/security"
		case_pass
	else
		case_skip "O-05 $name as a unit: no systemd-analyze --offline"
	fi
done

case_begin "O-05 each unit is handed its own secrets, and those alone"
# As in the containers: what a container has and what a unit has is one list.
for name in $SERVERS; do
	unit=$(sed -n 's|^LoadCredential=\(.*\):/etc/keepsake/keys/\1$|\1|p' \
	    "$ROOT/usr/lib/systemd/system/$name.service" | sort | xargs)
	container=$(awk -v name="  ${name#keepsake-}:" '
	    /^  [a-z]/ { in_service = $0 == name }
	    in_service && $1 == "-" && /\.(key|seed|trust|master|audit|public)$/ {
		print $2
	    }' deploy/compose.yaml | sort | xargs)
	[ -n "$unit" ] || fail "$name has none"
	assert_equal "$container" "$unit" "$name"
done
case_pass

case_begin "O-05 G-06 systemd tells the gateway to stop, and it its bearers"
grep -qx KillMode=mixed \
    "$ROOT/usr/lib/systemd/system/keepsake-gateway.service" ||
    fail "each of its processes is told twice"
case_pass

case_begin "O-05 G-06 one more gateway has the rights of the first, and its own key"
hardened() { # UNIT
	sed -n 's/gateway-%i/gateway/g; /^NotifyAccess=/p; /^User=/,$p' \
	    "$ROOT/usr/lib/systemd/system/$1" |
	    sed '/^EnvironmentFile=/d; s/ KEEPSAKE_GATEWAY_NAME=gateway$//'
}
[ "$(hardened keepsake-gateway.service | grep -c =)" -gt 40 ] ||
    fail "next to nothing is compared"
assert_equal "$(hardened keepsake-gateway.service)" \
    "$(hardened keepsake-gateway@.service)"
grep -qx 'LoadCredential=gateway-%i.key:/etc/keepsake/keys/gateway-%i.key' \
    "$ROOT/usr/lib/systemd/system/keepsake-gateway@.service" ||
    fail "not its own key"
case_pass

case_begin "O-05 make uninstall leaves the configuration alone"
make_here uninstall || fail "make uninstall"
assert_equal etc/keepsake/keepsake.conf "$(installed)"
case_pass

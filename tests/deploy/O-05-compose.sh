#!/bin/bash
# O-05: deploy/compose.yaml, for real: the image is built, every service runs
# in a container that may do next to nothing, a terminal outside does the main
# job with it, and each container is killed in the middle of work.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
# shellcheck source=tests/deploy/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$(dirname "$0")/../.."

readonly PROJECT=keepsakecheck$$
readonly MIB=96 FILES=60
# Whose secrets each one has, and nobody else's.
declare -A SECRETS=(
	[gateway]="auth.public binding.public gateway.key notify.public ops.public store.public"
	[auth]="auth.audit auth.key auth.master auth.seed auth.trust binding.public gateway.public notify.public ops.public store.public"
	[store]="auth.public auth.trust gateway.public notify.public ops.public store.audit store.key store.master"
	[binding]="auth.public auth.trust binding.audit binding.key binding.master gateway.public notify.public ops.public"
	[notify]="auth.public auth.trust binding.public gateway.public notify.audit notify.key notify.master ops.public store.public"
)

WORLD=$(mktemp -d "${TMPDIR:-/tmp}/world.XXXXXX")
WORLD_LOG=$WORLD/log
mkdir -m 0700 "$WORLD"/{log,terminal,secrets}
KEEPSAKE_PORT=$(free_port)
export KEEPSAKE_PORT
export KEEPSAKE_IMAGE=keepsake-check
export KEEPSAKE_SECRETS=$WORLD/secrets
export KEEPSAKE_PUBLIC_ADDRESS=127.0.0.1:$KEEPSAKE_PORT
export KEEPSAKE_HEALTH_INTERVAL=1s
export COMPOSE_PROJECT_NAME=$PROJECT COMPOSE_FILE=deploy/compose.yaml
export COMPOSE_INTERACTIVE_NO_CLI=1 # no terminal here

compose() { # ARGUMENTS...
	docker-compose "$@" 2>>"$WORLD_LOG/compose.log"
}

# In a container of its own beside the others, as an operator calls it.
keepsakectl() { # ARGUMENTS...
	compose run --rm -T ops "$@" </dev/null
}

inside() { # SERVICE COMMAND...
	local name=$1
	shift
	docker exec "${PROJECT}_${name}_1" "$@"
}

inspect() { # SERVICE FORMAT
	docker inspect --format "$2" "${PROJECT}_$1_1"
}

healthy() { # SERVICE
	[ "$(inspect "$1" '{{.State.Health.Status}}')" = healthy ]
}

all_healthy() {
	local name
	for name in $SERVICES; do
		wait_for 90 healthy "$name" ||
		    fail "$name: $(inspect "$name" '{{json .State.Health}}')"
	done
}

# What this test has at the daemon, a line each.
made() {
	local label=label=com.docker.compose.project=$PROJECT
	docker ps -aq --filter "$label"
	docker volume ls -q --filter "$label"
	docker network ls -q --filter "$label"
}

take_down() {
	{
		docker-compose logs --no-color
		docker-compose --profile ops down -v --remove-orphans -t 15
	} >>"$WORLD_LOG/compose.log" 2>&1
	# Layers stay as a cache, what nobody needs any more does not.
	docker rmi "$KEEPSAKE_IMAGE" >/dev/null 2>&1
	[ -z "$DOCKER_PID" ] || docker image prune -f >/dev/null
}

case_begin "O-05 deploy/Containerfile builds"
docker_up take_down || {
	case_skip "O-05 containers: $DOCKER_WHY"
	exit 0
}
docker_base
for stage in tools runtime; do
	docker_stage "$stage"
done
docker build --network host -f deploy/Containerfile -t "$KEEPSAKE_IMAGE" . \
    >"$WORLD_LOG/image" 2>&1 || fail "$(tail -n 20 "$WORLD_LOG/image")"
case_pass

case_begin "O-05 the image runs every program, and holds no compiler"
for program in keepsake keepsakectl keepsake-{auth,store,binding,notify,gateway}; do
	docker run --rm --network none "$KEEPSAKE_IMAGE" "$program" --version \
	    >>"$WORLD_LOG/versions" || fail "$program does not run"
done
assert_equal 7 "$(wc -l <"$WORLD_LOG/versions")" versions
for program in gcc make protoc-c pkg-config; do
	expect_status 127 docker run --rm --network none "$KEEPSAKE_IMAGE" \
	    "$program" --version >/dev/null 2>&1
done
case_pass

case_begin "O-05 deploy/make-keys gives each container its own"
KEEPSAKECTL=$BUILD/keepsakectl deploy/make-keys "$WORLD/secrets" >/dev/null
before=$(cd "$WORLD/secrets" && sha256sum ./*)
KEEPSAKECTL=$BUILD/keepsakectl deploy/make-keys "$WORLD/secrets" >/dev/null
assert_equal "$before" "$(cd "$WORLD/secrets" && sha256sum ./*)" "made again"
while read -r mode owner name; do
	[[ $name == *.public || $name == *.trust ]] || {
		assert_equal 600 "$mode" "$name"
		[ "$owner" -ge 57400 ] || fail "$name is $owner's"
	}
done < <(cd "$WORLD/secrets" && stat -c '%a %u %n' ./*)
case_pass

case_begin "O-05 compose brings up every service, and each becomes healthy"
compose up -d --no-build || fail "$(tail -n 20 "$WORLD_LOG/compose.log")"
all_healthy
expect_status 0 keepsakectl status >"$WORLD_LOG/status"
for name in $SERVICES; do
	grep -q "^$name: ok" "$WORLD_LOG/status" || fail "$name does not answer"
done
case_pass

users=
for name in $SERVICES; do
	case_begin "O-05 $name: not root, no right, nothing to write but its own"
	found=$(docker inspect "${PROJECT}_${name}_1")
	assert_json '.[0].HostConfig | .ReadonlyRootfs and
	    .CapDrop == ["ALL"] and .CapAdd == null and .Privileged == false and
	    (.SecurityOpt | index("no-new-privileges:true")) and
	    .PidsLimit > 0 and .Memory > 0 and
	    .RestartPolicy.Name == "always"' "$found" "$name"
	status=$(inside "$name" cat /proc/1/status)
	assert_match $'\nUid:\t(574[0-9]{2})\t' "$status" "$name"
	user=${BASH_REMATCH[1]}
	assert_no_match " $user " " $users " "the user of $name"
	users+=" $user"
	for line in 'CapEff:.0+' 'CapPrm:.0+' 'CapBnd:.0+' 'NoNewPrivs:.1' \
	    'Seccomp:.2'; do
		assert_match $'\n'"$line"$'\n' "$status" "$name"
	done
	assert_equal 'Max core file size 0 0 bytes' \
	    "$(inside "$name" grep core /proc/1/limits | xargs)" "$name"
	for folder in / /usr/sbin /etc/keepsake /var/lib/keepsake /run \
	    /run/secrets /tmp /dev; do
		expect_status 1 inside "$name" touch "$folder/x" \
		    2>>"$WORLD_LOG/stderr.log"
	done
	docker logs "${PROJECT}_${name}_1" >"$WORLD_LOG/said" 2>&1
	grep -E 'event=sandbox landlock=[0-9]+ seccomp=yes' "$WORLD_LOG/said" ||
	    fail "$name is not in its own sandbox"
	assert_equal "${SECRETS[$name]}" \
	    "$(inside "$name" ls /run/secrets | xargs)" "secrets of $name"
	for folder in "$name" "$name.ledger" "$name.backups" \
	    "heads/$name"; do
		[ "$name" = gateway ] || echo "/var/lib/keepsake/$folder"
	done | sort >"$WORLD_LOG/volumes"
	assert_equal "$(cat "$WORLD_LOG/volumes")" \
	    "$(jq -r '.[0].Mounts[] | select(.Type == "volume") |
		.Destination' <<<"$found" | sort)" "volumes of $name"
	case_pass
done

case_begin "O-05 only the gateway publishes a port, or is on an open network"
internal=$(docker network inspect --format '{{.Internal}}' "${PROJECT}_services")
assert_equal true "$internal" "the services' network"
for name in $SERVICES; do
	ports='' networks=${PROJECT}_services
	[ "$name" != gateway ] || {
		ports=7400/tcp
		networks+=" ${PROJECT}_terminals"
	}
	assert_equal "$ports" "$(docker port "${PROJECT}_${name}_1" |
	    cut -d' ' -f1 | sort -u)" "ports of $name"
	assert_equal "$networks" "$(inspect "$name" \
	    '{{json .NetworkSettings.Networks}}' | jq -r 'keys | join(" ")')" \
	    "networks of $name"
done
case_pass

case_begin "O-05 the limits hold: of memory, and of processes"
expect_status 137 compose run --rm -T --entrypoint bash ops -c \
    'head -c 400M /dev/zero | tail -c 400M >/dev/null; exit ${PIPESTATUS[1]}' \
    </dev/null
expect_status 9 compose run --rm -T --entrypoint perl ops -e \
    'for (1 .. 200) { my $pid = fork() // exit 9; $pid or sleep 20, exit }' \
    </dev/null
case_pass

refused() { # SERVICE
	docker logs "${PROJECT}_$1_1" >"$WORLD_LOG/said" 2>&1
	grep -q 'event=peer_refused door=ops' "$WORLD_LOG/said"
}

case_begin "O-05 R-07 a key that is on no list is let in nowhere"
mkdir -m 0711 "$WORLD/strange"
cp "$WORLD"/secrets/*.public "$WORLD/secrets/auth.trust" "$WORLD/strange"
rm "$WORLD/strange/ops.public"
KEEPSAKECTL=$BUILD/keepsakectl deploy/make-keys "$WORLD/strange" >/dev/null
expect_status 5 docker run --rm --network "${PROJECT}_services" \
    --user 57405:57405 --volume "$WORLD/strange:/run/secrets:ro" \
    --volume "$PWD/deploy/compose.conf:/etc/keepsake/keepsake.conf:ro" \
    "$KEEPSAKE_IMAGE" keepsakectl status >"$WORLD_LOG/strange"
for name in $SERVICES; do
	assert_equal 0 "$(grep -c "^$name: ok" "$WORLD_LOG/strange")" "$name"
	wait_for 20 refused "$name" || fail "$name let it in"
done
case_pass

case_begin "O-05 the main job, from outside, against the containers"
ENROLMENT=$(keepsakectl enrolment)
terminal_of_new one anna
tree_make "$WORLD/tree" "$MIB" "$FILES" 1
keepsake_as one --quiet backup "$WORLD/tree"
tree_make "$WORLD/tree" "$MIB" "$FILES" 1 --change 5
keepsake_as one --quiet backup "$WORLD/tree"
assert_json 'length == 2' "$(keepsake_as one --json snapshots)"
terminal_of two anna
assert_restores two latest "$WORLD/tree"
case_pass

# Blocks of the store's database: a backup that goes on makes them more.
stored=$(docker volume inspect --format '{{.Mountpoint}}' "${PROJECT}_store")
blocks() {
	stat -c %b "$stored/data.mdb"
}

grown() { # BLOCKS
	[ "$(blocks)" -gt "$1" ]
}

again() { # SERVICE STARTED
	[ "$(inspect "$1" '{{.State.StartedAt}}')" != "$2" ] && healthy "$1"
}

# Killed while the terminal, which is held meanwhile, is at it.
seed=10
for name in $SERVICES; do
	case_begin "O-05 R-01 $name: killed in the middle of a backup, back by itself"
	seed=$((seed + 1))
	rm -rf "$WORLD/tree"
	tree_make "$WORLD/tree" "$MIB" "$FILES" "$seed"
	size=$(blocks)
	since=$(inspect "$name" '{{.State.StartedAt}}')
	client_begin one --json backup "$WORLD/tree"
	wait_for 60 grown "$size" || fail "nothing is stored: $(client_out one)"
	kill -STOP "${CLIENT_PID[one]}"
	[ ! -s "$WORLD/client.one.out" ] || fail "the backup had ended before"
	kill -KILL "$(inspect "$name" '{{.State.Pid}}')"
	wait_for 90 again "$name" "$since" ||
	    fail "$name: $(inspect "$name" '{{json .State}}')"
	kill -CONT "${CLIENT_PID[one]}"
	client_end one || fail "exit status $?: $(client_out one)"
	assert_restores two latest "$WORLD/tree"
	case_pass
done

case_begin "O-05 O-04 each copies its database into a volume of its own"
expect_status 0 keepsakectl backup --to here >/dev/null
for name in auth store binding notify; do
	inside "$name" grep -q "^service $name" \
	    "/var/lib/keepsake/$name.backups/here/manifest" ||
	    fail "no backup of $name"
done
expect_status 0 keepsakectl verify >/dev/null
case_pass

case_begin "O-05 O-06 the audit log fits its heads, as keepsakectl finds"
expect_status 0 keepsakectl audit verify >/dev/null
case_pass

case_begin "O-05 G-06 each stops when told, and its data stays in the volumes"
compose stop
for name in $SERVICES; do
	assert_equal 0 "$(inspect "$name" '{{.State.ExitCode}}')" "$name"
done
compose down
compose up -d --no-build
all_healthy
assert_restores two latest "$WORLD/tree"
case_pass

lines() { # SERVICE
	wc -l <"$WORLD/secrets/$1.master"
}

case_begin "O-05 K-08 deploy/rotate-keys gives new master keys"
former=$(cd "$WORLD/secrets" && cat ./*.master)
KEEPSAKECTL=$BUILD/keepsakectl deploy/rotate-keys "$WORLD/secrets" \
    >"$WORLD_LOG/rotated" 2>>"$WORLD_LOG/compose.log" ||
    fail "$(tail -n 20 "$WORLD_LOG/compose.log")"
for name in auth store binding notify; do
	grep -q "^$name .*wrapped by a new master key" "$WORLD_LOG/rotated" ||
	    fail "$name: $(cat "$WORLD_LOG/rotated")"
	assert_equal 1 "$(lines "$name")" "master keys of $name"
	! grep -qF "$(cat "$WORLD/secrets/$name.master")" <<<"$former" ||
	    fail "$name has its former master key"
	assert_equal "600 $(inspect "$name" '{{.Config.User}}')" \
	    "$(stat -c '%a %u:%g' "$WORLD/secrets/$name.master")" "$name"
done
assert_equal 57405 "$(stat -c %u "$WORLD/secrets/ops.key")" "of ops.key"
# Each opens what it has by the new key alone.
compose restart
all_healthy
expect_status 0 keepsakectl verify >/dev/null
assert_restores two latest "$WORLD/tree"
for name in gateway ../auth; do
	expect_status 2 deploy/rotate-keys "$WORLD/secrets" "$name" \
	    2>>"$WORLD_LOG/stderr.log"
done
case_pass

present() {
	[ "$(keepsakectl --json status | jq .notify.terminals_present)" -ge 1 ]
}

rights() { # SERVICE
	docker inspect "${PROJECT}_$1_1" | jq '.[0] | .HostConfig *
	    (.Config | {User, Cmd, Healthcheck}) |
	    {User, Cmd, Healthcheck, ReadonlyRootfs, Privileged, CapAdd,
	    CapDrop, SecurityOpt, PidsLimit, Memory, RestartPolicy, LogConfig,
	    Ulimits: (.Ulimits | sort_by(.Name))}'
}

case_begin "G-06 O-05 one more gateway is a file more, and as bounded as the first"
export COMPOSE_FILE=$COMPOSE_FILE:deploy/compose.gateway-2.yaml
KEEPSAKE_PORT_2=$(free_port)
export KEEPSAKE_PORT_2
KEEPSAKECTL=$BUILD/keepsakectl deploy/make-keys "$WORLD/secrets" gateway-2 \
    >/dev/null
compose up -d --no-build || fail "$(tail -n 20 "$WORLD_LOG/compose.log")"
all_healthy
wait_for 90 healthy gateway-2 ||
    fail "$(inspect gateway-2 '{{json .State.Health}}')"
assert_equal "$(rights gateway)" "$(rights gateway-2)" "its rights"
assert_equal "${SECRETS[gateway]/gateway.key/gateway-2.key}" \
    "$(inside gateway-2 ls /run/secrets | xargs)" "its secrets"
expect_status 0 compose run --rm -T -e KEEPSAKE_GATEWAY_NAME=gateway-2 \
    -e KEEPSAKE_OPS_GATEWAY=tcp://gateway-2:7405 ops status \
    </dev/null >"$WORLD_LOG/status"
expect_status 2 deploy/make-keys "$WORLD/secrets" gateway-2/x \
    2>>"$WORLD_LOG/stderr.log"
case_pass

case_begin "G-06 N-05 it serves from outside, and a push finds its terminal there"
ENROLMENT=$(keepsakectl enrolment \
    --address "127.0.0.1:$KEEPSAKE_PORT_2,gateway-2")
terminal_of three anna
client_begin three --json notices --follow
wait_for 30 present || fail "nobody is present"
keepsake_as one --quiet backup "$WORLD/tree"
wait_for 30 grep -q '"kind": *"backup_done"' "$WORLD/client.three.out" ||
    fail "it was not told: $(client_out three)"
client_kill three
assert_restores three latest "$WORLD/tree"
case_pass

case_begin "O-05 compose takes everything down, and nothing is left"
[ -n "$(made)" ] || fail "made nothing"
compose --profile ops down -v --remove-orphans
assert_equal '' "$(made)" "left behind"
case_pass

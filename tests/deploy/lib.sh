# shellcheck shell=bash
# A Docker daemon for a test: the one that runs here, or else one of our own
# that leaves nothing on the machine but its cache in BUILD/docker.  Source it
# after scenario/lib.sh.

readonly DOCKER_BASE=debian:bookworm-slim # as in deploy/Containerfile
DOCKER_WHY= # why there is none
DOCKER_PID= # of our own daemon
DOCKER_FOLDER= # of its sockets

# Find or start a daemon, and run a command before it is stopped, or the
# script ends; false, with the reason in DOCKER_WHY, where there can be none.
docker_up() { # COMMAND...
	local tool
	[ "$(id -u)" -eq 0 ] || {
		DOCKER_WHY="not root"
		return 1
	}
	for tool in docker docker-compose; do
		command -v "$tool" >/dev/null || {
			DOCKER_WHY="no $tool"
			return 1
		}
	done
	docker info >/dev/null 2>&1 || docker_start || return 1
	at_end docker_end "$@"
}

docker_end() { # COMMAND...
	"$@"
	[ -z "$DOCKER_PID" ] || docker_stop
}

docker_start() {
	local tool
	for tool in dockerd debootstrap; do
		command -v "$tool" >/dev/null || {
			DOCKER_WHY="no Docker daemon runs, and no $tool"
			return 1
		}
	done
	# Sockets have short names.
	DOCKER_FOLDER=$(mktemp -d "${TMPDIR:-/tmp}/docker.XXXXXX")
	mkdir -p "$BUILD/docker"
	# No rule, no bridge and no switch of the host is touched: what is
	# published goes through docker-proxy.  But where a Docker was before,
	# its rules let nothing pass any more, and only Docker adds to them.
	local rules=false
	! iptables -S FORWARD 2>/dev/null | grep -q -- '-P FORWARD DROP' ||
	    rules=true
	dockerd --data-root "$BUILD/docker" --exec-root "$DOCKER_FOLDER/exec" \
	    --pidfile "$DOCKER_FOLDER/pid" --host "unix://$DOCKER_FOLDER/socket" \
	    --bridge none --iptables=$rules --ip6tables=false \
	    --ip-forward=false >"$DOCKER_FOLDER/log" 2>&1 </dev/null &
	DOCKER_PID=$!
	export DOCKER_HOST=unix://$DOCKER_FOLDER/socket
	if ! wait_for 60 docker_answers || docker_gone; then
		DOCKER_WHY="dockerd does not run here: $(grep -E \
		    'level=(fatal|error)|^failed' "$DOCKER_FOLDER/log" | tail -n 1)"
		[ "$DOCKER_WHY" != "dockerd does not run here: " ] ||
		    DOCKER_WHY+=$(tail -n 1 "$DOCKER_FOLDER/log")
		docker_stop
		return 1
	fi
	# What a run that was killed has left.
	docker ps -aq | xargs -r docker rm -f >/dev/null
	docker volume ls -q | xargs -r docker volume rm -f >/dev/null
	docker network prune -f >/dev/null
}

docker_answers() {
	docker info >/dev/null 2>&1 || docker_gone
}

docker_gone() {
	! kill -0 "$DOCKER_PID" 2>/dev/null
}

docker_stop() {
	if ! docker_gone; then
		kill -TERM "$DOCKER_PID"
		wait_for 60 docker_gone || kill -KILL "$DOCKER_PID"
	fi
	wait "$DOCKER_PID" 2>/dev/null || true
	umount "$DOCKER_FOLDER/exec/netns/default" 2>/dev/null || true
	rm -rf "$DOCKER_FOLDER"
}

# Have the image that everything is built on: a daemon of our own cannot be
# sure of a registry, so it is made from Debian's packages, once.
docker_base() {
	local root mirror
	! docker image inspect "$DOCKER_BASE" >/dev/null 2>&1 || return 0
	if [ -z "$DOCKER_PID" ]; then
		docker pull --quiet "$DOCKER_BASE" >/dev/null
		return
	fi
	root=$(mktemp -d "${TMPDIR:-/tmp}/base.XXXXXX")
	at_end rm -rf "$root"
	mirror=$(apt-get indextargets --format '$(REPO_URI)' \
	    'Created-By: Packages' 2>/dev/null | head -n 1)
	debootstrap --variant=minbase bookworm "$root" \
	    "${mirror:-http://deb.debian.org/debian}" >"$WORLD_LOG/base" ||
	    fail "debootstrap: $(tail -n 5 "$WORLD_LOG/base")"
	rm -rf "$root"/var/cache/apt/archives/*.deb
	tar -C "$root" -c . | docker import - "$DOCKER_BASE" >/dev/null
	rm -rf "$root"
}

# Build a stage of deploy/Containerfile, as the image keepsake-STAGE.
docker_stage() { # STAGE
	docker build --network host --target "$1" -f deploy/Containerfile \
	    -t "keepsake-$1" . >"$WORLD_LOG/image.$1" 2>&1 ||
	    fail "$(tail -n 20 "$WORLD_LOG/image.$1")"
}

# shellcheck shell=bash
# A terminal in a network namespace of its own, the gateway in another, and a
# link between them that can be spoilt.  Source it after lib.sh:
#
#   net_possible || { case_skip "R-05 ...: $net_why"; exit 0; }
#   net_up                     # instead of world_up
#   net_loss 30
#
# keepsake_as and client_begin then run behind the link.  All is gone with the
# script.

readonly NET_SERVER=10.213.0.1 NET_TERMINAL=10.213.0.2
NET_A=keepsake-a-$$ # the gateway's namespace
NET_B=keepsake-b-$$ # the terminal's
net_why=
net_link=link-b # the device that the terminal is reached by

net_possible() {
	if [ "$(id -u)" -ne 0 ]; then
		net_why='network namespaces need root'
	elif ! ip netns add "$NET_A" 2>/dev/null; then
		net_why='no network namespace can be made here'
	else
		at_end net_down
		ip netns add "$NET_B"
		net_b nft add table inet probe 2>/dev/null ||
		    net_why='nft does not work here'
	fi
	[ -z "$net_why" ]
}

net_down() {
	ip netns del "$NET_A" 2>/dev/null
	ip netns del "$NET_B" 2>/dev/null
}

net_a() {
	nsenter --net="/run/netns/$NET_A" "$@"
}

net_b() {
	nsenter --net="/run/netns/$NET_B" "$@"
}

# A world whose gateway is at the other end of the link.
net_up() { # ["[SECTION] KEY = VALUE"...]
	local name
	net_a ip link add link-a type veth peer name link-b netns "$NET_B"
	net_a ip addr add "$NET_SERVER/24" dev link-a
	net_b ip addr add "$NET_TERMINAL/24" dev link-b
	net_a ip link set lo up
	net_a ip link set link-a gso_max_segs 1 up
	net_b ip link set link-b gso_max_segs 1 up
	world_make "$@"
	sed -i "s|127.0.0.1:$WORLD_PORT|$NET_SERVER:$WORLD_PORT|" \
	    "$WORLD_CONFIG"
	# shellcheck disable=SC2034 # for the scripts
	ENROLMENT=$(keepsakectl enrolment)
	# shellcheck disable=SC2034 # of lib.sh
	SERVICE_WITHIN=(nsenter --net="/run/netns/$NET_A")
	# shellcheck disable=SC2034 # likewise
	CLIENT_WITHIN=(nsenter --net="/run/netns/$NET_B")
	for name in $SERVICES; do
		service_start "$name"
	done
}

# Lose so many of 100 packets, each way, at random; 0: none.
net_loss() { # PERCENT
	net_b nft -f - <<-END
	table inet loss
	delete table inet loss
	table inet loss {
		chain in {
			type filter hook input priority 0
			iifname "link-b" numgen random mod 100 < $1 drop
		}
		chain out {
			type filter hook output priority 0
			oifname "link-b" numgen random mod 100 < $1 drop
		}
	}
	END
}

# Let through so much a second, each way: 1mbit.
net_rate() { # RATE
	net_a tc qdisc replace dev link-a root tbf rate "$1" burst 4kb \
	    latency 200ms
	net_b tc qdisc replace dev link-b root tbf rate "$1" burst 4kb \
	    latency 200ms
}

net_rate_free() {
	net_a tc qdisc del dev link-a root
	net_b tc qdisc del dev link-b root
}

net_cut() {
	net_b ip link set link-b down
}

net_return() {
	net_b ip link set link-b up
}

# From now on the terminal is elsewhere: what it has open goes nowhere.
net_move() { # ADDRESS
	net_b ip addr del "$NET_TERMINAL/24" dev link-b
	net_b ip addr add "$1/24" dev link-b
}

# Bytes that went through the terminal's end of the link.
net_bytes() { # rx|tx
	net_b ip -json -stats link show "$net_link" |
	    jq ".[0].stats64.$1.bytes"
}

#!/bin/bash
# A-14: a service that is cut off from auth cannot know what was revoked: it
# honours tickets to their expiry only, and renews none.
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"
world_up "[auth] ticket_ms = 1s"
terminal_of_new one anna
read -r upload _ < <(raw_login one anna UPLOAD)
read -r notices _ < <(raw_login one anna NOTICES)

# A transfer and a subscription are begun; both keep their tickets good.
begun=$(expect_raw ok one --ticket "$upload" ask store.BACKUP_BEGIN)
read -r _ _ begun _ <<<"$begun"
lease=$(json .lease_id "$("$BUILD/tests/tool/rawbody" store.Lease "$begun")")
have=0a10${lease}1220$(printf 'ab%.0s' {1..32})
expect_raw ok one --ticket "$notices" ask notify.SUBSCRIBE >/dev/null

renewed() { # SERVICE
	case $1 in
	store) raw one --ticket "$upload" --body "$have" ask store.HAVE ;;
	notify) raw one --ticket "$notices" ask notify.SUBSCRIBE ;;
	esac
}

has_expired() {
	[[ $(raw one --ticket "$upload" ask store.SNAPSHOTS) == expired* ]]
}

case_begin "A-14 A-03 a transfer renews its ticket while auth is heard of"
wait_for 20 has_expired || fail "the tickets do not expire"
for name in store notify; do
	assert_match '^ok ' "$(renewed "$name")" "$name"
done
case_pass

case_begin "A-14 cut off from auth a service renews no ticket"
service_kill auth
refused() { # SERVICE
	[[ $(renewed "$1") == unavailable* ]]
}
for name in store notify; do
	wait_for 20 refused "$name" || fail "$name: $(renewed "$name")"
	assert_match 'auth' "$(renewed "$name")" "the reason"
	assert_equal 0 "$(figure "$name" auth_in_touch)" "in touch"
done
case_pass

case_begin "A-14 R-02 it goes on where it was when auth is back"
service_start auth
goes_on() { # SERVICE
	[[ $(renewed "$1") == ok* ]]
}
for name in store notify; do
	wait_for 10 goes_on "$name" || fail "$name: $(renewed "$name")"
done
case_pass

case_begin "A-14 a service that has just begun renews none before it hears auth"
service_kill auth
service_kill store
service_start store
# Not the gateway's word, that nobody is there.
refused_for_auth() {
	[[ $(renewed store) == unavailable*auth* ]]
}
wait_for 10 refused_for_auth || fail "store: $(renewed store)"
service_start auth
wait_for 10 goes_on store || fail "store: $(renewed store)"
case_pass

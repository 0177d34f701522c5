#!/usr/bin/env bash
# Attacks a real hub with clients, devices and configurations that mean harm, one kind after another, and prints a table: the memory
# that the hub takes, how late a well-behaved pair of clients beside the attack is, what it loses, and how much is logged. Uses
# loopback only. Needs Linux and Go.
#
#   scripts/siege.sh                      every attack for a minute: half an hour
#   scripts/siege.sh 10                   for 10 seconds each
#   scripts/siege.sh --quick              for a second or two each: a minute and a half; a step of scripts/test.sh
#   scripts/siege.sh 30 partial unread    some attacks; --list lists them
#   scripts/siege.sh --access strangers 10   the hub has rules, and does not let the attackers in; or members: it does, and they may do little
#   scripts/siege.sh --quick --access all    a few attacks in both ways, for a second or two each; a step of scripts/test.sh
#   As root, with --access, logins and slowloris come from ten thousand addresses in a network namespace of their own, over TLS; else from
#   as many of the loopback interface.
#   SIEGE_FLAGS="--limits hub.yaml --memory 128 --logs /tmp" scripts/siege.sh    other limits; scripts/siege/main.go has all flags
#
# Exits with 1 if the hub does not withstand an attack.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# A span so short says little about latency on a machine that is busy with other things, so a hub that is only late is tried again.
flags=(--for 1m)
forms=(open)
few=()
given=("$@")
while (($# > 0)); do
	case $1 in
	--quick)
		flags=(--for 1500ms --late 25ms --tries 3)
		few=(partial unread churn leavers hellos logins slowloris senders listeners intruder pinned flood)
		;;
	--list) flags=(--list) ;;
	--access)
		case ${2:-} in
		open | strangers | members) forms=("$2") ;;
		all) forms=(strangers members) ;;
		*) echo "siege: --access strangers, members or all" >&2; exit 2 ;;
		esac
		shift
		;;
	[0-9]*) flags=(--for "${1%s}s") ;;
	-*)
		sed -n '2,/^set/{/^#/s/^# \?//p}' "${BASH_SOURCE[0]}" >&2
		exit 2
		;;
	*) break ;;
	esac
	shift
done
[[ ${forms[*]} == open || $# -gt 0 ]] || set -- "${few[@]}"
# In a second, a few passwords that are checked are a percent of the time.
[[ ${forms[*]} == open || ${flags[1]} != 1500ms ]] || flags=(--for 1500ms --late 60ms --tries 3)

# Attackers on another machine are in a namespace, and the hub in another one, so nothing of this machine's network changes.
far=()
if [[ ${forms[*]} != open && $EUID == 0 && -z ${SIEGE_WIRED:-} ]] && command -v ip >/dev/null && unshare --net --mount true 2>/dev/null; then
	SIEGE_WIRED=siege$$ exec unshare --net --mount "${BASH_SOURCE[0]}" "${given[@]}"
fi
if [[ -n ${SIEGE_WIRED:-} ]]; then
	ip link set lo up
	mkdir -p /run/netns
	ip netns add "$SIEGE_WIRED"
	ip link add near type veth peer name far netns "$SIEGE_WIRED"
	ip address add 10.99.0.1/24 dev near
	ip link set near up
	ip -n "$SIEGE_WIRED" link set lo up
	ip -n "$SIEGE_WIRED" address add 10.99.0.2/24 dev far
	ip -n "$SIEGE_WIRED" link set far up
	ip -n "$SIEGE_WIRED" route add local 10.98.0.0/16 dev lo
	ip route add 10.98.0.0/16 via 10.99.0.2
	far=(--far 10.99.0.1 --from "$SIEGE_WIRED")
fi

tmp=$(mktemp -d)
siege=
# shellcheck disable=SC2317 # called by the trap
cleanup() {
	[[ -z $siege ]] || kill "$siege" 2>/dev/null || true
	[[ -z $siege ]] || wait "$siege" 2>/dev/null || true
	[[ -z ${SIEGE_WIRED:-} ]] || ip netns delete "$SIEGE_WIRED" || true
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
CGO_ENABLED=0 go build -o "$tmp/" ./cmd/sighub ./scripts/siege
read -ra more <<<"${SIEGE_FLAGS:-}"
failed=0
for form in "${forms[@]}"; do
	[[ $form == open ]] || echo "attackers: $form"
	"$tmp/siege" --hub "$tmp/sighub" --form "$form" "${far[@]}" "${flags[@]}" "${more[@]}" "$@" &
	siege=$!
	wait "$siege" || failed=$?
	siege=
	((failed < 2)) || break
done
exit "$failed"

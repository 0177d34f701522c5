#!/usr/bin/env bash
# Attacks a real hub with clients, devices and configurations that mean harm, one kind after another, and prints a table: the memory
# that the hub takes, how late a well-behaved pair of clients beside the attack is, what it loses, and how much is logged. Uses
# loopback only. Needs Linux and Go.
#
#   scripts/siege.sh                      every attack for a minute: half an hour
#   scripts/siege.sh 10                   for 10 seconds each
#   scripts/siege.sh --quick              for a second or two each: a minute and a half; a step of scripts/test.sh
#   scripts/siege.sh 30 partial unread    some attacks; --list lists them
#   SIEGE_FLAGS="--limits hub.yaml --memory 128 --logs /tmp" scripts/siege.sh    other limits; scripts/siege/main.go has all flags
#
# Exits with 1 if the hub does not withstand an attack.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# A span so short says little about latency on a machine that is busy with other things, so a hub that is only late is tried again.
flags=(--for 1m)
case ${1:-} in
--quick)
	flags=(--for 1500ms --late 25ms --tries 3)
	shift
	;;
--list) flags=(--list) ;;
[0-9]*)
	flags=(--for "${1%s}s")
	shift
	;;
-*)
	sed -n '2,/^set/{/^#/s/^# \?//p}' "${BASH_SOURCE[0]}" >&2
	exit 2
	;;
esac

tmp=$(mktemp -d)
siege=
# shellcheck disable=SC2317 # called by the trap
cleanup() {
	[[ -z $siege ]] || kill "$siege" 2>/dev/null || true
	[[ -z $siege ]] || wait "$siege" 2>/dev/null || true
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
CGO_ENABLED=0 go build -o "$tmp/" ./cmd/sighub ./scripts/siege
read -ra more <<<"${SIEGE_FLAGS:-}"
"$tmp/siege" --hub "$tmp/sighub" "${flags[@]}" "${more[@]}" "$@" &
siege=$!
wait "$siege"

#!/usr/bin/env bash
# Measures what a hub costs as it grows, with more senders (1 to 100,000), listeners (to 10,000; over TLS to 1,000), devices on pseudo
# terminals (to 1,000), rules, cursors, and a longer past (to a year). It prints how each cost grows, and writes a page with plots.
# Uses loopback only. Needs Linux and Go.
#
#   scripts/growth.sh                       everything: five minutes; growth.json and growth.html in the folder out
#   scripts/growth.sh devices history       some of it: senders, listeners, secure, devices, history, rules, cursors
#   scripts/growth.sh --quick               small sizes: half a minute
#   GROWTH_FLAGS="--least 1000" scripts/growth.sh devices    no size below; --most: none above
#
# Exits with 1 if something grows far faster than it must, and with 2 if anything is lost.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

flags=()
while [[ ${1:-} == -* ]]; do
	[[ $1 == --quick ]] || { sed -n '2,/^set/{/^#/s/^# \?//p}' "${BASH_SOURCE[0]}" >&2; exit 2; }
	flags+=(--quick)
	shift
done
tmp=$(mktemp -d)
growth=
# shellcheck disable=SC2317 # called by the trap
cleanup() {
	[[ -z $growth ]] || kill "$growth" 2>/dev/null || true
	[[ -z $growth ]] || wait "$growth" 2>/dev/null || true
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
CGO_ENABLED=0 go build -o "$tmp/" ./cmd/sighub ./scripts/growth
if ((${#flags[@]} == 0)); then
	mkdir -p out
	flags=(--json out/growth.json --page out/growth.html)
fi
read -ra more <<<"${GROWTH_FLAGS:-}"
"$tmp/growth" --hub "$tmp/sighub" "${flags[@]}" "${more[@]}" "$@" &
growth=$!
wait "$growth"

#!/usr/bin/env bash
# Measures sighub and brokers that could take its place, side by side, prints one table, and writes all figures to a JSON file, and a page
# with plots beside it.
# It needs Go. It installs Mosquitto and strace with apt if it may; the others are Go modules. README.md beside this file says what is
# measured and how.
#
#   scripts/bench/run.sh                          everything: an hour and a quarter
#   scripts/bench/run.sh --quick                  everything in a few minutes, to see that it works
#   scripts/bench/run.sh one-to-one latency       some cases; --help lists them, and the other flags
#   scripts/bench/run.sh --report DIR             a page of the figures of the latest run, in DIR
#   scripts/bench/run.sh --profile profiles one-to-one    CPU profiles of the hub instead
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH=$PATH:/usr/sbin:/sbin # where mosquitto is

missing=()
for program in mosquitto strace; do
	command -v "$program" >/dev/null || missing+=("$program")
done
if ((${#missing[@]} > 0)); then
	as_root=()
	((EUID == 0)) || as_root=(sudo -n)
	if ! command -v apt-get >/dev/null || ! "${as_root[@]}" true 2>/dev/null; then
		echo "${missing[*]} missing; install what is missing, on Debian with: sudo apt-get install ${missing[*]}" >&2
		exit 1
	fi
	install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}")
	{ "${install[@]}" || { "${as_root[@]}" apt-get update -qq && "${install[@]}"; }; } >&2
	# The package of mosquitto starts a broker itself, which is not needed.
	[[ " ${missing[*]} " != *" mosquitto "* || ! -d /run/systemd/system ]] || "${as_root[@]}" systemctl disable --quiet --now mosquitto
fi

mkdir -p "$here/out/bin"
go -C "$here/../.." build -o "$here/out/bin/" ./cmd/sighub
go -C "$here" build -o "$here/out/bin/" . ./cmd/... github.com/nats-io/nats-server/v2
exec "$here/out/bin/bench" --bin "$here/out/bin" --disk "$here/out/disk" --json "$here/out/bench.json" "$@"

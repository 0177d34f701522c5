#!/usr/bin/env bash
# Builds the static, stripped binary for each kind of Linux machine, prints its size, and runs it in an emulator of the right
# processor: version, check, and a demo that must lose nothing.
#
#   scripts/static.sh [folder]     keeps the binaries in this folder
#
# Needs Go and qemu-user.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# GOARCH, GOARM, the emulator and its processor: that of a Pi Zero, a Pi 2, a Pi 3, and any PC.
readonly machines=(
	"arm 6 qemu-arm arm1176"
	"arm 7 qemu-arm cortex-a7"
	"arm64 - qemu-aarch64 cortex-a53"
	"amd64 - qemu-x86_64 qemu64"
)
readonly arm64_most=15000000 # bytes
# shellcheck source=scripts/release-flags.sh
source scripts/release-flags.sh

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
folder=${1:-$tmp}
mkdir -p "$folder"

cat >"$tmp/hub.yaml" <<'YAML'
serial: auto
sensors:
  - {driver: bh1750, bus: I2C1, sender: light}
thresholds:
  - {sender: light, event: lux, below: 10, until: 15, report: "#dark"}
YAML

say() { echo "$name: $*" >&2; }

# try runs the binary in its emulator. If it fails, it shows the output.
try() {
	local out
	out=$(timeout 120 "$emulator" -cpu "$cpu" "$binary" "$@" 2>&1) || { say "sighub $* fails:"; echo "$out" >&2; return 1; }
	printf '%s\n' "$out"
}

summary=()
for machine in "${machines[@]}"; do
	read -r arch arm emulator cpu <<<"$machine"
	name=linux-$arch
	[[ $arm == - ]] && arm='' || name+=v$arm
	binary=$folder/sighub-$name
	CGO_ENABLED=0 GOOS=linux GOARCH=$arch GOARM=$arm go build "${release_flags[@]}" -ldflags='-s -w' -o "$binary" ./cmd/sighub
	# No interpreter: the kernel alone loads the binary, whatever C library the machine has.
	if readelf --program-headers "$binary" | grep -q INTERP; then
		say "the binary is not static"
		exit 1
	fi
	size=$(stat --format=%s "$binary")
	if [[ $arch == arm64 ]] && ((size > arm64_most)); then
		say "$size bytes are more than $arm64_most"
		exit 1
	fi
	try version | grep -q "linux/$arch" || { say "it does not print the version of linux/$arch"; exit 1; }
	try check --config "$tmp/hub.yaml" | grep -q ': ok' || { say "check does not say ok"; exit 1; }
	demo=$(try demo --for 3s)
	grep -qE ' [1-9][0-9]* readings heard, 0 lost' <<<"$demo" || { say "the demo loses readings:"; echo "$demo" >&2; exit 1; }
	echo "$name: $size bytes; $(tail -n 1 <<<"$demo")"
	summary+=("$name $(awk -v n="$size" 'BEGIN {printf "%.1f MB", n / 1e6}')")
done
printf -v line '%s, ' "${summary[@]}"
echo "${line%, }"

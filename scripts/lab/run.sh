#!/usr/bin/env bash
# Runs the laboratory: the hub on a real Linux kernel in QEMU, with USB serial adapters that are plugged in and pulled out on
# command. It needs neither KVM nor root. It installs missing tools with apt, or names them if it may not. It downloads Debian's
# kernel once, with apt, into a separate folder, and changes nothing else on this machine.
#
#   scripts/lab/run.sh                            all scenarios, on x86-64
#   scripts/lab/run.sh replug swapped             these
#   scripts/lab/run.sh --arch arm64               on a 64-bit ARM kernel, as on a Raspberry Pi
#   scripts/lab/run.sh --quick                    all scenarios, with 60 plug cycles instead of 200
#   scripts/lab/run.sh --list                     list the scenarios
#   scripts/lab/run.sh --verbose replug           with everything that was seen
#
# LAB_KERNEL=FILE takes the kernel from that package, linux-image-….deb, instead of downloading one.
# If a scenario fails, it prints everything that was seen, in seconds of the machine's clock: messages of the kernel, the hub's
# log, and what the listener heard. Then it exits with 1.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

arch=amd64
arguments=()
while (($# > 0)); do
	case $1 in
	--arch) arch=${2:?--arch needs amd64 or arm64}; shift ;;
	--arch=*) arch=${1#*=} ;;
	--quick) arguments+=(-cycles 60) ;;
	--list) exec go run ./scripts/lab -list ;;
	--help | -h) sed -n '2,/^set/{/^#/s/^# \?//p}' scripts/lab/run.sh; exit ;;
	*) arguments+=("$1") ;;
	esac
	shift
done
case $arch in
amd64) qemu=qemu-system-x86_64 package=qemu-system-x86 ;;
arm64) qemu=qemu-system-aarch64 package=qemu-system-arm ;;
*) echo "lab: --arch must be amd64 or arm64, not $arch" >&2; exit 2 ;;
esac
lab=lab
# shellcheck source=scripts/lab/kernel.sh
source scripts/lab/kernel.sh

missing=()
command -v "$qemu" >/dev/null || missing+=("$package")
command -v dpkg-deb >/dev/null || missing+=(dpkg)
command -v xz >/dev/null || missing+=(xz-utils)
install_tools "${missing[@]}"
kernel
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
guest() { CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -trimpath -ldflags '-s -w' -o "$built/$1" "$2"; }
guest agent ./scripts/lab/guest
guest hub ./cmd/sighub
go build -o "$built/lab" ./scripts/lab
"$built/lab" -arch "$arch" -kernel "$cache/vmlinuz" -modules "$cache/modules" -agent "$built/agent" -hub "$built/hub" \
	"${arguments[@]}"

#!/usr/bin/env bash
# Cuts the power under the hub and its journal, again and again, and checks that everything that was acknowledged is there
# afterwards, once and in order: on this machine's own ext4, on a disk that forgets what was not flushed; under a device on a dirty
# line, whose hub is killed as well; and on a real kernel in QEMU. scripts/powercut/README.md says how.
#
#   scripts/powercut.sh                         1,000 cuts here, 20 in QEMU, and a million readings: five minutes
#   scripts/powercut.sh --cuts 10000 --real 0 --readings 0         other numbers
#   scripts/powercut.sh --quick                 200, 5 and 100,000, in two minutes; a step of scripts/test.sh
#   scripts/powercut.sh --faults                only faults that are planted in the journal, each of which must be found
#   scripts/powercut.sh --seed 7 --verbose      other random numbers; everything that is wrong, at once
#
# It needs Linux, Go, root (sudo without a password will do), loop devices and FUSE. It installs missing tools with apt, or names
# them if it may not, and downloads Debian's kernel once, with apt, into a separate folder. LAB_KERNEL=FILE takes the kernel from
# that package, linux-image-….deb. Exits with 1 if anything is wrong.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cuts=1000
real=20
readings=1000000
faults=false
quick=false
here=true # cuts on this machine
flags=()
while (($# > 0)); do
	case $1 in
	--cuts) cuts=${2:?--cuts needs a number}; shift ;;
	--real) real=${2:?--real needs a number}; shift ;;
	--readings) readings=${2:?--readings needs a number}; shift ;;
	--quick) quick=true cuts=200 real=5 readings=100000 ;;
	--faults) faults=true ;;
	--seed) flags+=(-seed "${2:?--seed needs a number}"); shift ;;
	--verbose) flags+=(-verbose) ;;
	--help | -h) sed -n '2,/^set/{/^#/s/^# \?//p}' "${BASH_SOURCE[0]}"; exit ;;
	*) sed -n '2,/^set/{/^#/s/^# \?//p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
	esac
	shift
done
[[ $cuts$real$readings =~ ^[0-9]+$ ]] || { echo "powercut: --cuts, --real and --readings need numbers" >&2; exit 2; }

fail() { printf 'powercut: %s\n' "$*" >&2; exit 1; }

# unable says why no power can be cut on this machine itself. With --quick, the cuts in QEMU and in memory must do then.
unable() {
	$quick || fail "$*"
	printf 'powercut: %s. So the power is cut in QEMU and in memory only\n' "$*"
	here=false cuts=0 readings=0
}

case $(uname -m) in
x86_64) ;;
*) ((real == 0)) || fail "the virtual machine is an x86-64 one: on $(uname -m), say --real 0" ;;
esac
lab=powercut
arch=amd64
# shellcheck source=scripts/lab/kernel.sh
source scripts/lab/kernel.sh

missing=()
command -v qemu-storage-daemon >/dev/null || missing+=(qemu-system-common qemu-utils)
command -v mkfs.ext4 >/dev/null || [[ -x /sbin/mkfs.ext4 ]] || missing+=(e2fsprogs)
if ((real > 0)) && ! $faults; then
	command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86)
	command -v dpkg-deb >/dev/null || missing+=(dpkg)
	command -v xz >/dev/null || missing+=(xz-utils)
fi
install_tools "${missing[@]}"
command -v qemu-storage-daemon >/dev/null || fail "there is no qemu-storage-daemon: Debian has it in qemu-system-common or qemu-utils"

as_root=()
if ((EUID != 0)); then
	as_root=(sudo -n env "PATH=$PATH")
	sudo -n true 2>/dev/null || fail "loop devices and mounts need root: start this with sudo"
fi
if ! "${as_root[@]}" test -c /dev/fuse; then
	unable "there is no /dev/fuse: load the module fuse, or give it to this container"
elif ! "${as_root[@]}" test -c /dev/loop-control; then
	unable "there is no /dev/loop-control: load the module loop, or give it to this container"
fi

built=$(mktemp -d)
program=
# shellcheck disable=SC2317 # called by the trap
cleanup() {
	[[ -z $program ]] || "${as_root[@]}" kill "$program" 2>/dev/null || true
	[[ -z $program ]] || wait "$program" 2>/dev/null || true
	rm -rf "$built"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
run() {
	"${as_root[@]}" "$built/powercut" "${flags[@]}" "$@" &
	program=$!
	wait "$program"
}

# A laboratory that finds nothing must be one that would have found something.
if $here; then
	echo "faults are planted in the journal, on this machine's ext4:"
	go build -tags plantedfaults -o "$built/powercut" ./scripts/powercut
	run -faults
	echo
fi
if $faults || ! $here; then
	echo "faults are planted in a folder in memory, which also loses the names of new files (go test ./journal):"
	go test -count=1 -run 'PowerCuts|Crashes' -v ./journal | grep -E '^( *--- |ok|FAIL|panic)'
	! $faults || exit 0
fi
if ((real > 0)); then
	kernel
	flags+=(-kernel "$cache/vmlinuz" -modules "$cache/modules" -guest "$built/guest")
	CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -trimpath -ldflags '-s -w' -o "$built/guest" ./scripts/powercut/guest
fi
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$built/sighub" ./cmd/sighub
go build -o "$built/powercut" ./scripts/powercut
run -cuts "$cuts" -real "$real" -readings "$readings" -hub "$built/sighub"

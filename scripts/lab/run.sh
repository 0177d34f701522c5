#!/usr/bin/env bash
# Runs the laboratory: the hub on a real Linux kernel in QEMU, with USB serial adapters that are plugged in and pulled out on
# command. It needs neither KVM nor root. It installs missing tools with apt, or names them if it may not. It downloads Debian's
# kernel once, with apt, into a separate folder, and changes nothing else on this machine.
#
#   scripts/lab/run.sh                            all scenarios, on x86-64
#   scripts/lab/run.sh replug swapped             these
#   scripts/lab/run.sh --arch arm64               on a 64-bit ARM kernel, as on a Raspberry Pi
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
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sighub-lab/$arch

tools() {
	local missing=() as_root=()
	command -v "$qemu" >/dev/null || missing+=("$package")
	command -v dpkg-deb >/dev/null || missing+=(dpkg)
	command -v xz >/dev/null || missing+=(xz-utils)
	((${#missing[@]} > 0)) || return 0
	((EUID == 0)) || as_root=(sudo -n)
	if ! command -v apt-get >/dev/null || ! "${as_root[@]}" true 2>/dev/null; then
		echo "lab: missing: ${missing[*]}; install them, on Debian with: sudo apt-get install ${missing[*]}" >&2
		return 1
	fi
	install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends)
	{ "${install[@]}" "${missing[@]}" || { "${as_root[@]}" apt-get update -qq && "${install[@]}" "${missing[@]}"; }; } >&2
}

# download gets the package of the kernel from the sources of this machine, for any architecture. It uses separate lists and a
# separate status of apt, in its own folder.
download() { # folder
	local apt=$1/apt name
	mkdir -p "$apt"/{lists,archives}/partial
	: >"$apt/status"
	local options=(-qq -o "Dir::State=$apt" -o "Dir::State::lists=$apt/lists" -o "Dir::State::status=$apt/status"
		-o "Dir::Cache=$apt" -o "APT::Architecture=$arch" -o "APT::Architectures=$arch" -o "APT::Sandbox::User=")
	# Other sources of this machine may not have the architecture, and are not needed.
	apt-get "${options[@]}" update >&2 || true
	name=$(apt-cache "${options[@]}" depends "linux-image-$arch" | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
	[[ -n $name ]] && (cd "$1" && apt-get "${options[@]}" download "$name" >&2) && return
	echo "lab: apt has no package linux-image-$arch, which is Debian's kernel." >&2
	echo "lab: download the package that it depends on from Debian, and set LAB_KERNEL=FILE" >&2
	return 1
}

# kernel puts the kernel, and the modules that may be needed, into the cache.
kernel() {
	local new
	[[ ! -e $cache/vmlinuz || -n ${LAB_KERNEL:-} ]] || return 0
	mkdir -p "$cache"
	new=$(mktemp -d "$cache.XXXXXX")
	# shellcheck disable=SC2064 # the folder of now
	trap "rm -rf '$new'" RETURN
	if [[ -n ${LAB_KERNEL:-} ]]; then
		cp "$LAB_KERNEL" "$new/linux-image.deb"
	else
		echo "lab: downloading Debian's kernel for $arch, once, into $cache" >&2
		download "$new"
	fi
	dpkg-deb --fsys-tarfile "$new"/linux-image*.deb | tar -x -C "$new" --wildcards '*/boot/vmlinuz-*' \
		'*/kernel/drivers/virtio/*' '*/kernel/drivers/char/virtio_console*' '*/kernel/drivers/usb/*'
	rm -rf "$cache/modules"
	mv "$new"/lib/modules "$cache/modules" 2>/dev/null || mv "$new"/usr/lib/modules "$cache/modules"
	mv "$new"/boot/vmlinuz-* "$cache/vmlinuz" # last, because it means that the cache is complete
}

tools
kernel
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
guest() { CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -trimpath -ldflags '-s -w' -o "$built/$1" "$2"; }
guest agent ./scripts/lab/guest
guest hub ./cmd/sighub
go build -o "$built/lab" ./scripts/lab
"$built/lab" -arch "$arch" -kernel "$cache/vmlinuz" -modules "$cache/modules" -agent "$built/agent" -hub "$built/hub" \
	"${arguments[@]}"

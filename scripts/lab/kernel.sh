# Functions that the laboratories share. They need $lab, the name that they print, and $arch, amd64 or arm64.
# shellcheck shell=bash disable=SC2154 # set by whoever uses this file

cache=${XDG_CACHE_HOME:-$HOME/.cache}/sighub-lab/$arch

# install_tools installs the packages with apt, or names them if it may not.
install_tools() { # packages...
	local as_root=() install
	(($# > 0)) || return 0
	((EUID == 0)) || as_root=(sudo -n)
	if ! command -v apt-get >/dev/null || ! "${as_root[@]}" true 2>/dev/null; then
		echo "$lab: missing: $*; install them, on Debian with: sudo apt-get install $*" >&2
		return 1
	fi
	install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends)
	{ "${install[@]}" "$@" || { "${as_root[@]}" apt-get update -qq && "${install[@]}" "$@"; }; } >&2
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
	echo "$lab: apt has no package linux-image-$arch, which is Debian's kernel." >&2
	echo "$lab: download the package that it depends on from Debian, and set LAB_KERNEL=FILE" >&2
	return 1
}

# kernel puts the kernel, and the modules that may be needed, into the cache.
kernel() {
	local new
	[[ ! -e $cache/vmlinuz || ! -e $cache/disks || -n ${LAB_KERNEL:-} ]] || return 0
	mkdir -p "$cache"
	new=$(mktemp -d "$cache.XXXXXX")
	# shellcheck disable=SC2064 # the folder of now
	trap "rm -rf '$new'" RETURN
	if [[ -n ${LAB_KERNEL:-} ]]; then
		cp "$LAB_KERNEL" "$new/linux-image.deb"
	else
		echo "$lab: downloading Debian's kernel for $arch, once, into $cache" >&2
		download "$new"
	fi
	dpkg-deb --fsys-tarfile "$new"/linux-image*.deb | tar -x -C "$new" --wildcards '*/boot/vmlinuz-*' \
		'*/kernel/drivers/virtio/*' '*/kernel/drivers/char/virtio_console*' '*/kernel/drivers/usb/*' \
		'*/kernel/drivers/block/virtio_blk*' '*/kernel/fs/ext4/*' '*/kernel/fs/jbd2/*' '*/kernel/fs/mbcache*' \
		'*/kernel/lib/*crc*' '*/kernel/crypto/crc*' '*/kernel/drivers/net/virtio_net*' '*/kernel/drivers/net/net_failover*' \
		'*/kernel/net/core/failover*'
	rm -rf "$cache/modules"
	mv "$new"/lib/modules "$cache/modules" 2>/dev/null || mv "$new"/usr/lib/modules "$cache/modules"
	mv "$new"/boot/vmlinuz-* "$cache/vmlinuz"
	: >"$cache/disks" # last: the cache is complete, with what is needed for disks
}

#!/usr/bin/env bash
# Tests the packages for Debian: what is in them, and what happens when one is installed, upgraded, removed and purged in a Debian of
# its own, which is made once, with debootstrap, and kept in a cache. Nothing on this machine is changed.
#
#   scripts/package-test.sh           everything but a start of the service
#   scripts/package-test.sh --boot    as well: Debian boots in QEMU, with the package, and a device at a USB adapter; see scripts/packagelab
#
# It needs Linux, Go and root (sudo without a password will do). It installs missing tools with apt, or names them if it may not.
# PACKAGE_ROOT=DIR is another Debian to test in. Exits with 1 if anything is wrong.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

boot=false
case ${1:-} in
--boot) boot=true ;;
'') ;;
*) sed -n '2,/^set/{/^#/s/^# \?//p}' scripts/package-test.sh >&2; exit 2 ;;
esac

lab=package
arch=amd64
# shellcheck source=scripts/lab/kernel.sh
source scripts/lab/kernel.sh
fail() { printf 'package: %s\n' "$*" >&2; exit 1; }

case $(uname -m) in
x86_64) own=amd64 ;;
aarch64) own=arm64 ;;
armv*) own=armhf ;;
*) fail "there is no package for $(uname -m)" ;;
esac
as_root=()
if ((EUID != 0)); then
	as_root=(sudo -n env "PATH=$PATH")
	sudo -n true 2>/dev/null || fail "a Debian of its own needs root: start this with sudo"
fi
missing=()
command -v debootstrap >/dev/null || missing+=(debootstrap)
command -v dpkg-deb >/dev/null || missing+=(dpkg)
command -v lintian >/dev/null || missing+=(lintian)
command -v zsh >/dev/null || missing+=(zsh)
command -v fish >/dev/null || missing+=(fish)
command -v man >/dev/null || missing+=(man-db)
install_tools "${missing[@]}"

# Debian, as small as it can be with systemd, from where this machine's own packages come.
debian=${PACKAGE_ROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/sighub-lab/debian}
if [[ ! -e $debian/.whole && -z ${PACKAGE_ROOT:-} ]]; then
	echo "package: making a Debian, once, in $debian" >&2
	site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)
	suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")
	[[ $(. /etc/os-release && echo "$ID") == debian ]] || suite=stable
	"${as_root[@]}" rm -rf "$debian"
	mkdir -p "$(dirname "$debian")"
	"${as_root[@]}" debootstrap --variant=minbase --include=systemd,systemd-sysv,udev,kmod,dbus "$suite" "$debian" "$site" >&2
	"${as_root[@]}" touch "$debian/.whole"
fi

tmp=$(mktemp -d)
trap '"${as_root[@]}" rm -rf "$tmp"' EXIT
archs=(amd64 arm64 armhf)
scripts/package.sh --out "$tmp" 1.0 >&2
scripts/package.sh --out "$tmp" --arch "$own" 1.1 >&2

# Alike on all architectures, and made again exactly as before.
contents() { dpkg-deb --fsys-tarfile "$1" | tar -tv | awk '{print $1, $2, $6}'; }
for other in "${archs[@]}"; do
	diff <(contents "$tmp/sighub_1.0_$own.deb") <(contents "$tmp/sighub_1.0_$other.deb") || fail "the package for $other has other files"
	dpkg-deb --field "$tmp/sighub_1.0_$other.deb" Architecture | grep -qx "$other" || fail "the package for $other says another architecture"
done
scripts/package.sh --out "$tmp/again" --arch "$own" 1.0 >&2
cmp "$tmp/sighub_1.0_$own.deb" "$tmp/again/sighub_1.0_$own.deb" || fail "the package is not the same when it is made again"

# What Debian's own checker finds. A message for the root user only says that it would rather not be root.
lintian --allow-root --fail-on error,warning "$tmp/sighub_1.0_$own.deb" >&2 || fail "lintian finds faults"

dpkg-deb --extract "$tmp/sighub_1.0_$own.deb" "$tmp/files"
for page in "$tmp"/files/usr/share/man/man1/*; do
	said=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null) || true
	[[ -z $said ]] || fail "$page: $said"
done
bash -n "$tmp/files/usr/share/bash-completion/completions/sighub"
zsh -n "$tmp/files/usr/share/zsh/vendor-completions/_sighub"
fish --no-config --no-execute "$tmp/files/usr/share/fish/vendor_completions.d/sighub.fish"
for shell in bash zsh fish; do
	"$tmp/files/usr/bin/sighub" completion $shell | cmp - "$(find "$tmp/files/usr/share" -path "*$shell*" -name '*sighub*' -type f)"
done

# In the Debian, in layers above it, so that it stays as it is.
"${as_root[@]}" unshare --mount --pid --fork packaging/debian-test.sh "$debian" "$tmp" "$own"

if $boot; then
	scripts/packagelab/run.sh "$debian" "$tmp/sighub_1.0_$own.deb" "$tmp/sighub_1.1_$own.deb"
fi

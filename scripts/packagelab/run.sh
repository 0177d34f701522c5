#!/usr/bin/env bash
# Boots Debian in QEMU, with the package installed and a device at a USB serial adapter: is the service ready, does it serve the
# device, does the watchdog start it again when it stands still, is nothing lost then, and in an upgrade? Called by
# scripts/package-test.sh --boot. It takes some minutes, because nothing of the machine is real.
#
#   run.sh DEBIAN PACKAGE NEXT      a folder with Debian, and the packages of two versions
set -euo pipefail
debian=$1 package=$2 next=$3
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

lab=package
arch=amd64
# shellcheck source=scripts/lab/kernel.sh
source scripts/lab/kernel.sh
[[ $(uname -m) == x86_64 ]] || { echo "package: the virtual machine is an x86-64 one" >&2; exit 1; }
missing=()
command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86)
command -v xz >/dev/null || missing+=(xz-utils)
[[ -x /sbin/mkfs.ext4 ]] || command -v mkfs.ext4 >/dev/null || missing+=(e2fsprogs)
install_tools "${missing[@]}"
kernel
as_root=()
((EUID == 0)) || as_root=(sudo -n env "PATH=$PATH")

tmp=$(mktemp -d)
pids=()
# shellcheck disable=SC2317 # called by the trap
cleanup() {
	((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null || true
	wait
	"${as_root[@]}" rm -rf "$tmp"
}
trap cleanup EXIT

# The disk: Debian, with the package, the modules, and a service that looks at everything.
root=$tmp/root
"${as_root[@]}" cp -a "$debian" "$root"
"${as_root[@]}" cp "$package" "$root/sighub.deb"
"${as_root[@]}" cp "$next" "$root/sighub_1.1.deb"
"${as_root[@]}" chroot "$root" env PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive dpkg --install /sighub.deb >"$tmp/dpkg" 2>&1 ||
	{ cat "$tmp/dpkg" >&2; exit 1; }
"${as_root[@]}" mkdir -p "$root/lib/modules"
"${as_root[@]}" cp -r "$cache"/modules/* "$root/lib/modules/"
"${as_root[@]}" chroot "$root" /sbin/depmod "$(ls "$cache/modules")"
"${as_root[@]}" cp scripts/packagelab/inside.sh "$root/inside.sh"
"${as_root[@]}" tee "$root/etc/systemd/system/lab.service" >/dev/null <<'UNIT'
[Unit]
After=sighub.service
[Service]
Type=oneshot
ExecStart=/bin/bash /inside.sh
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
UNIT
"${as_root[@]}" mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
"${as_root[@]}" ln -s ../lab.service "$root/etc/systemd/system/multi-user.target.wants/lab.service"
"${as_root[@]}" ln -sf /dev/null "$root/etc/systemd/system/serial-getty@ttyS0.service"
truncate --size 1G "$tmp/disk"
PATH=$PATH:/sbin "${as_root[@]}" mkfs.ext4 -q -d "$root" "$tmp/disk"
((EUID == 0)) || "${as_root[@]}" chown "$EUID" "$tmp/disk"

CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -trimpath -o "$tmp/guest" ./scripts/packagelab/guest
go run ./scripts/packagelab -modules "$cache/modules" -init "$tmp/guest" -out "$tmp/initramfs"

# The device, and the adapter that it is at.
dpkg-deb --fsys-tarfile "$package" | tar -x -C "$tmp" ./usr/bin/sighub
"$tmp/usr/bin/sighub" simulate --pty --name greenhouse --rate 2 >"$tmp/device" 2>"$tmp/device.log" &
pids+=($!)
for _ in {1..100}; do
	[[ ! -s $tmp/device ]] || break
	sleep 0.1
done
port=$(grep -o '/[^ ]*' "$tmp/device" | head -n 1)
[[ -n $port ]] || { echo "package: the device has no port" >&2; exit 1; }

timeout --signal KILL 1500 qemu-system-x86_64 -machine q35 -accel tcg -cpu max -smp 2 -m 512 -nodefaults -display none -no-reboot \
	-kernel "$cache/vmlinuz" -initrd "$tmp/initramfs" -append 'console=ttyS0 quiet panic=-1 mitigations=off' \
	-serial "file:$tmp/console" -drive "file=$tmp/disk,if=virtio,format=raw,cache=unsafe" -device qemu-xhci \
	-chardev "serial,id=adapter,path=$port" -device usb-serial,chardev=adapter >"$tmp/qemu" 2>&1 &
pids+=($!)
wait "$!" || true
grep -a '^lab: ' "$tmp/console" | tr -d '\r' || true
grep -aq '^lab: done, failed: 0' "$tmp/console" || {
	cat "$tmp/qemu" "$tmp/device.log" >&2
	tail -n 100 "$tmp/console" >&2
	exit 1
}

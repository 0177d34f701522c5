#!/usr/bin/env bash
# Installs, upgrades, removes and purges the package in a Debian: called by scripts/package-test.sh, as root, in name spaces of its own.
#
#   debian-test.sh DEBIAN PACKAGES ARCHITECTURE
set -euo pipefail
debian=$1 packages=$2 arch=$3

root=$packages/root
mkdir -p "$packages/layer" "$root"
mount --make-rprivate /
mount -t tmpfs none "$packages/layer"
mkdir "$packages/layer"/{changes,work}
mount -t overlay overlay -o "lowerdir=$debian,upperdir=$packages/layer/changes,workdir=$packages/layer/work" "$root"
mount -t proc none "$root/proc"
mount -t devtmpfs none "$root/dev" 2>/dev/null || mount --bind /dev "$root/dev"
cp "$packages"/*.deb "$root/"

step=''
fail() { printf 'package: %s: %s\n' "$step" "$*" >&2; exit 1; }
inside() { LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" "$@"; }
package() { # dpkg's arguments
	: >"$root/run/calls"
	inside dpkg --force-confold "$@" >"$packages/dpkg" 2>&1 || { cat "$packages/dpkg" >&2; fail "dpkg $* fails"; }
	! grep -v ' downgrading ' "$packages/dpkg" | grep -iE 'warning|error|denied|not found' >&2 || fail "dpkg $* complains"
}
is() { "$@" >/dev/null 2>&1 || fail "not true: $*"; }
isnt() { ! "$@" >/dev/null 2>&1 || fail "true: $*"; }
mode() { [[ $(inside stat --format='%U:%G %a' "$1") == "$2" ]] || fail "$1 is $(inside stat --format='%U:%G %a' "$1"), not $2"; }
# called says what systemd was asked to do with the service, in order.
called() {
	local calls
	calls=$(sed -n 's/.*\b\(start\|stop\|restart\)\b.* sighub.service$/\1/p' "$root/run/calls" | tr '\n' ' ')
	[[ $calls == "$1 " ]] || fail "systemd was asked to: $(cat "$root/run/calls")"
}

# systemd does not run here: instead of it, something notes what it is asked for.
mkdir -p "$root/run/systemd/system"
cat >"$root/usr/local/sbin/systemctl" <<'SH'
#!/bin/sh
echo "$*" >>/run/calls
case "$*" in
*is-enabled* | *preset*) exec /usr/bin/systemctl "$@" ;;
*is-active*) test -e /run/active ;;
*start*) touch /run/active ;;
*stop*) rm -f /run/active ;;
esac
SH
chmod +x "$root/usr/local/sbin/systemctl"

step=install
package --install "/sighub_1.0_$arch.deb"
called start
[[ $(inside sighub version) == 'sighub 1.0, '* ]] || fail "it says $(inside sighub version)"
is inside id sighub
for group in dialout i2c gpio; do inside id --name --groups sighub | grep -qw $group || fail "sighub is not in $group"; done
mode /var/lib/sighub 'sighub:sighub 700'
mode /etc/sighub/sighub.yaml 'root:root 644'
is inside systemctl is-enabled sighub.service
is inside sighub check /etc/sighub/sighub.yaml
inside sighub config --example | cmp - "$root/etc/sighub/sighub.yaml" || fail 'another example is installed'
inside systemd-analyze verify --man=no /lib/systemd/system/sighub.service >"$packages/verify" 2>&1 || { cat "$packages/verify" >&2; fail "the unit is wrong"; }
[[ ! -s $packages/verify ]] || { cat "$packages/verify" >&2; fail "systemd complains of the unit"; }
exposure=$(inside systemd-analyze security --no-pager --offline=yes --threshold=20 sighub.service | grep -o 'exposure level .*[0-9.]* [A-Z]*') || fail "the service is exposed: $exposure"

# What the unit keeps and says is used by the program, as the user of the service.
as_service() { inside setpriv --reuid sighub --regid sighub --init-groups env STATE_DIRECTORY=/var/lib/sighub "$@"; }
# end ends a hub that was started in the background: what runs below the shell of a function, which it waits for.
end() { kill $(cat "$root/proc/$1/task/$1/children") 2>/dev/null || true; wait "$1" 2>/dev/null || true; }
as_service timeout 20 sighub run --serial none --config /etc/sighub/sighub.yaml --listen unix:///var/lib/sighub/hub.sock >"$packages/log" 2>&1 &
hub=$!
for _ in {1..200}; do
	! as_service sighub send light lux 512 --hub unix:///var/lib/sighub/hub.sock >/dev/null 2>&1 || break
	sleep 0.1
done
end "$hub"
pin() { as_service sighub cert --state /var/lib/sighub --output pin; }
before=$(pin) || { cat "$packages/log" >&2; fail 'the hub has no key'; }
[[ -n $before ]] || fail 'the hub has no key'
# same says that nothing of what the hub had is lost.
same() {
	[[ $(pin) == "$before" ]] || fail 'the hub has another key'
	as_service sighub journal export --dir /var/lib/sighub/journal | grep -q '"event":"lux"' || fail 'the journal is lost'
}
same

step='changed configuration'
echo 'log: {level: warn}' >>"$root/etc/sighub/sighub.yaml"

step=upgrade
package --install "/sighub_1.1_$arch.deb"
called restart
[[ $(inside sighub version) == 'sighub 1.1, '* ]] || fail "it says $(inside sighub version)"
grep -q 'level: warn' "$root/etc/sighub/sighub.yaml" || fail 'the changed configuration is lost'
same

step='install again'
package --install "/sighub_1.1_$arch.deb"
same

# Set up without a question, and a laptop joins: another user, who does not find the hub's socket.
step=setup
address=127.0.0.1:30987
inside sighub setup --listen "tcp://$address" </dev/null >"$packages/setup" || { cat "$packages/setup" >&2; fail 'setup fails'; }
is test -e "$root/etc/sighub/access.yaml"
inside install --directory --owner sighub --group sighub /run/sighub
inside install --directory --owner 4711 --group 4711 /tmp/laptop
laptop() { inside setpriv --reuid 4711 --regid 4711 --clear-groups env HOME=/tmp/laptop RUNTIME_DIRECTORY=/nowhere "$@"; }
as_service timeout 60 sighub run --serial none --config /etc/sighub/sighub.yaml >"$packages/log" 2>&1 &
hub=$!
for _ in {1..300}; do
	! inside sighub can >/dev/null 2>&1 || break
	sleep 0.1
done
inside sighub pair laptop --address "$address" >"$packages/line" 2>"$packages/join" || { cat "$packages/log" >&2; cat "$packages/join" >&2; fail "a laptop cannot be invited to $address"; }
read -ra join <"$packages/line"
is laptop "${join[@]}"
laptop timeout 30 sighub listen light lux --count 1 --timeout 30s >"$packages/heard" 2>&1 &
listener=$!
for _ in {1..300}; do
	! inside sighub clients | grep -q laptop || break
	sleep 0.1
done
is inside sighub send light lux 7
wait "$listener" || { cat "$packages/heard" >&2; fail 'the laptop hears nothing'; }
isnt laptop sighub pair other --address "$address"
is inside sighub revoke laptop
isnt laptop sighub senders
end "$hub"
inside sighub setup --undo >"$packages/setup" || { cat "$packages/setup" >&2; fail 'setup cannot be taken back'; }
isnt test -e "$root/etc/sighub/access.yaml"
same

step='a choice of the administrator'
inside /usr/bin/systemctl disable sighub.service >/dev/null 2>&1
rm -f "$root/run/active"
package --install "/sighub_1.1_$arch.deb"
[[ ! -s $root/run/calls ]] || ! grep -q 'start.* sighub.service' "$root/run/calls" || fail 'a disabled service is started'
isnt inside /usr/bin/systemctl is-enabled sighub.service
inside /usr/bin/systemctl enable sighub.service >/dev/null 2>&1

step=downgrade
package --install "/sighub_1.0_$arch.deb"
same

step=remove
package --remove sighub
called stop
isnt test -e "$root/usr/bin/sighub"
isnt test -e "$root/lib/systemd/system/sighub.service"
is test -d "$root/var/lib/sighub/tls"
is grep -q 'level: warn' "$root/etc/sighub/sighub.yaml"

step='install after removing'
package --install "/sighub_1.1_$arch.deb"
called restart
same
is inside /usr/bin/systemctl is-enabled sighub.service

step=purge
touch "$root/etc/sighub/access.yaml"
package --purge sighub
for left in /var/lib/sighub /etc/sighub /usr/share/doc/sighub /etc/systemd/system/multi-user.target.wants/sighub.service /usr/bin/sighub; do
	[[ ! -e $root$left && ! -L $root$left ]] || fail "$left is left"
done

step='purge without removing first'
package --install "/sighub_1.1_$arch.deb"
package --purge sighub
isnt test -e "$root/var/lib/sighub"

echo "installed, upgraded, removed and purged in Debian $(cat "$root/etc/debian_version"); ${exposure##*: }"

#!/bin/bash
# What happens in the machine: a service of its own runs this when Debian has started. What it prints appears at the console.
set -uo pipefail
export LC_ALL=C.UTF-8

failed=0
check() { # what, command...
	local what=$1 said
	shift
	if said=$("$@" 2>&1); then
		echo "lab: pass: $what"
	else
		failed=1
		echo "lab: FAIL: $what: $*: ${said:0:2000}"
	fi
}
# within tries a command again and again, for so many seconds.
within() { # seconds, command...
	local until=$((SECONDS + $1)) said
	shift
	while ! said=$("$@" 2>&1); do
		((SECONDS < until)) || { echo "$said"; return 1; }
		sleep 1
	done
}
property() { systemctl show --property "$1" --value sighub.service; }
is() { [[ $(property "$1") == "$2" ]] || { echo "$1 is $(property "$1"), not $2"; return 1; }; }
connected() { sighub ports | grep -q 'ttyUSB0 *connected'; }
heard() { timeout 90 sighub listen --count 5 --timeout 60s; }
pin() { sighub cert --output pin; }
# since prints the oldest event that is kept.
since() { sighub journal export --from start | head -n 1; }

check 'the service is ready' within 180 is ActiveState active
check 'its status is a line for people' within 30 eval 'property StatusText | grep -q "^devices: "'
check 'it runs as its own user' is User sighub
check 'the device at the USB adapter is connected' within 120 connected
check 'its readings are heard' heard
check 'its status tells of the device' within 60 eval 'property StatusText | grep -q "^devices: 1,"'
first=$(since) key=$(pin)
check 'there is a journal and a key' test -n "$first" -a -n "$key"

check 'it is told to reload' systemctl reload sighub.service
check 'it goes on after a reload' within 30 is ActiveState active
check 'its log tells of the reload' within 30 eval 'journalctl --unit sighub.service | grep -q SIGHUP'

pid=$(property MainPID)
kill -STOP "$pid"
began=$SECONDS
check 'a hub that stands still is started again' within 180 eval 'is NRestarts 1 && is ActiveState active && [[ $(property MainPID) != '"$pid"' ]]'
echo "lab: it took $((SECONDS - began)) s"
check 'the log says why' eval 'journalctl --unit sighub.service | grep -qi watchdog'
check 'the device is connected again' within 120 connected
check 'its readings are heard again' heard
check 'the journal has what was before' test "$(since)" = "$first"
check 'the key is the same' test "$(pin)" = "$key"

pid=$(property MainPID)
check 'the next version is installed' dpkg --install /sighub_1.1.deb
check 'it runs, in another process' within 60 eval 'is ActiveState active && [[ $(property MainPID) != '"$pid"' ]]'
check 'it is the next version' eval 'sighub version | grep -q "^sighub 1.1,"'
check 'the device is connected after the upgrade' within 120 connected
check 'the key is the same after the upgrade' test "$(pin)" = "$key"

# As a new user would, without a question: set up, and a laptop joins, which is another user here, who does not find the hub's socket.
laptop() { setpriv --reuid 4711 --regid 4711 --clear-groups env HOME=/tmp/laptop RUNTIME_DIRECTORY=/nowhere "$@"; }
install --directory --owner 4711 --group 4711 /tmp/laptop
check 'setup says first what it would do' eval 'sighub setup --dry-run </dev/null | grep -q "^would make:.*access.yaml"'
check 'nothing is made by that' test ! -e /etc/sighub/access.yaml
check 'it is set up' eval 'sighub setup </dev/null'
check 'it starts with rules' systemctl restart sighub.service
check 'root is its owner' within 60 eval 'sighub can | grep -q "^you are user root.*with the role admin"'
check 'the key is the same with rules' test "$(pin)" = "$key"
check 'the device is let in' within 120 connected
check 'a laptop is invited' eval 'sighub pair laptop --address 127.0.0.1:3000 >/tmp/line'
check 'it joins' eval 'laptop $(cat /tmp/line)'
check 'it hears readings, over TLS' laptop timeout 90 sighub listen --count 5 --timeout 60s
check 'it may do no more' eval '! laptop sighub pair other --address 127.0.0.1:3000'
check 'somebody gets a password' eval 'echo "four words for alice" | sighub password alice --file -'
check 'the audit has no secret' eval '! grep -rq "four words" /var/lib/sighub /var/log/journal /run/log/journal'
check 'the laptop is revoked' sighub revoke laptop
check 'it is not let in any more' eval '! laptop sighub senders'
check 'what was set up is taken back' sighub setup --undo
check 'it starts without rules' systemctl restart sighub.service
check 'everybody of this machine may come in again' within 60 eval 'sighub can | grep -q "no access control"'

check 'it stops in order' systemctl stop sighub.service
check 'it has ended well' is Result success
check 'the package is removed' dpkg --remove sighub
check 'what it has kept is there' test -d /var/lib/sighub/journal
((failed == 0)) || journalctl --no-pager --unit sighub.service | tail -n 60
echo "lab: done, failed: $failed"
systemctl --no-block poweroff

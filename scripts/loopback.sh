#!/usr/bin/env bash
# Tests the whole path on one machine, without hardware. socat makes a serial line, a simulated device counts at one end, and
# the hub serves the other. A listener checks that no reading is lost or doubled. Then the line is cut, as if somebody pulled
# the cable, and repaired. Exits with 0 if everything is right; --keep keeps the logs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly rate=50         # readings a second
readonly unplugged_ms=50 # the hub must report a cut line within this time
readonly patience=20     # the longest wait, in seconds
readonly keep=${1:-}

command -v socat >/dev/null || {
	echo "loopback: socat is missing; install it (on Debian: apt-get install socat)" >&2
	exit 1
}

tmp=$(mktemp -d)
pids=()

alive() { kill -0 "${pids[@]}" 2>/dev/null; }

# shellcheck disable=SC2317 # called by the trap
cleanup() {
	local rc=$? tries=0
	trap - EXIT
	if ((rc != 0)); then
		tail -n 20 "$tmp"/*.log >&2 || true
	fi
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
	while alive && ((tries++ < 300)); do sleep 0.01; done
	for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
	if [[ $keep == --keep ]]; then
		echo "the logs are in $tmp"
	else
		rm -rf "$tmp"
	fi
	exit "$rc"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '\n-- %s\n' "$*"; }

fail() {
	printf 'loopback: %s\n' "$*" >&2
	exit 1
}

now_us() { printf '%s' "${EPOCHREALTIME/[.,]/}"; }

ms() { printf '%d.%d' $(($1 / 1000)) $(($1 / 100 % 10)); } # of microseconds

# await polls the file system, and gives up when patience ends.
await() { # what it waits for, then a command
	local what=$1 deadline=$((SECONDS + patience))
	shift
	until "$@"; do
		((SECONDS < deadline)) || fail "$what: not within $patience s"
		sleep 0.01
	done
}

start_line() {
	socat -d -d "pty,raw,echo=0,link=$tmp/A" "pty,raw,echo=0,link=$tmp/B" 2>>"$tmp/socat.log" &
	line=$!
	pids+=("$line")
	await "both ends of socat's line" test -e "$tmp/A" -a -e "$tmp/B"
}

# next_event reads one line of the listener into shown, at, sender, event and data.
next_event() {
	read -r -t "$patience" -u "$events" shown || fail "the listener said nothing for $patience s, or ended"
	[[ $shown =~ ^\{\"time\":\"([^\"]+)\",\"sender\":\"([^\"]+)\",\"event\":\"([^\"]+)\",\"data\":(.*)\}$ ]] ||
		fail "not an event: $shown"
	at=${BASH_REMATCH[1]} sender=${BASH_REMATCH[2]} event=${BASH_REMATCH[3]} data=${BASH_REMATCH[4]}
}

# next_of_light reads up to the next event of the device, past those that tested the listener.
next_of_light() {
	next_event
	while [[ $sender == trial ]]; do next_event; done
	[[ $sender == light ]] || fail "not an event of light: $shown"
}

next=0 # the next reading
reading() {
	[[ $event == lux && $data == "$next" ]] || fail "not reading $next: $shown"
	next=$((next + 1))
}

# readings reads this many readings, each one more than the last, and shows the first three.
readings() {
	local i
	for ((i = 0; i < $1; i++)); do
		next_of_light
		reading
		((i >= 3)) || echo "$shown"
	done
	echo "... up to $((next - 1)): none lost, none doubled"
}

# readings_until reads up to an event. Each reading on the way must be one more than the last.
readings_until() {
	next_of_light
	while [[ $event != "$1" ]]; do
		reading
		next_of_light
	done
	echo "$shown"
}

say "build sighub"
sighub=$tmp/sighub
go build -o "$sighub" ./cmd/sighub
hub=unix://$tmp/hub.sock
export STATE_DIRECTORY=$tmp/state

say "socat -d -d pty,raw,echo=0,link=A pty,raw,echo=0,link=B"
start_line

say "sighub run --listen unix://hub.sock --serial A"
"$sighub" run --listen "$hub" --serial "$tmp/A" >"$tmp/hub.log" 2>&1 &
hub_pid=$!
pids+=("$hub_pid")
await "the hub's socket" test -S "$tmp/hub.sock"

say "sighub listen --output json --hub unix://hub.sock"
exec {events}< <(exec "$sighub" listen --output json --hub "$hub" 2>"$tmp/listen.log")
pids+=("$!")
# A listener hears only what is sent after it is there, so try until it answers.
heard() { "$sighub" send trial hello --hub "$hub" 2>>"$tmp/send.log" && read -r -t 0.2 -u "$events" shown; }
await "a first event" heard

say "sighub simulate --port B --values counter --rate $rate --sender light:lux"
"$sighub" simulate --port "$tmp/B" --values counter --rate "$rate" --sender light:lux >"$tmp/device.log" 2>&1 &
pids+=("$!")
readings_until "#connect"
readings 100

# cut_line kills socat, and repairs the line once the listener has heard of it.
cut_line() {
	local cut_us shown_us
	say "kill socat: somebody pulls the cable"
	cut_us=$(now_us)
	kill "$line"
	readings_until "#disconnect"
	shown_us=$(now_us)
	noticed_us=$(($(date -d "$at" +%s%N) / 1000 - cut_us))
	[[ $data == *'"reason":"unplugged"'* ]] || fail "the reason is not unplugged: $shown"
	((noticed_us >= 0)) || fail "that is from before the cut"
	echo "noticed after $(ms $noticed_us) ms, shown after $(ms $((shown_us - cut_us))) ms; the limit is $unplugged_ms ms"

	say "socat again, and nothing else is touched"
	wait "$line" || true
	start_line
	readings_until "#connect"
	readings 100
}

cut_line
if ((noticed_us > unplugged_ms * 1000)); then # the machine may have been busy: take the median of three
	all=("$noticed_us")
	for again in 1 2; do
		cut_line
		all[again]=$noticed_us
	done
	noticed_us=$(printf '%s\n' "${all[@]}" | sort -n | sed -n 2p)
	((noticed_us <= unplugged_ms * 1000)) || fail "noticed too late, most times"
fi

say "kill the hub"
kill "$hub_pid"
rc=0
wait "$hub_pid" || rc=$?
((rc == 0)) || fail "the hub ended with exit code $rc"
echo "it ended by itself, exit code 0"

say "done"
echo "$next readings, none lost, none doubled; the cut was noticed after $(ms "$noticed_us") ms"

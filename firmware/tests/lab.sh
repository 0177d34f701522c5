# The scripts beside it source this file: it has a hub, a listener, a device, and functions that wait for their output.
# The working directory must be that of the project. It makes a temporary folder, $tmp, and keeps it if KEEP is set.
# shellcheck shell=bash

patience=60 # seconds that any one wait may take
tmp=$(mktemp -d)
pids=()

# shellcheck disable=SC2317 # called by the trap
cleanup() {
	local rc=$? pid
	trap - EXIT
	if ((rc != 0)); then tail -n 15 "$tmp"/*.log "$tmp"/*.out "$tmp"/*.json >&2 || true; fi
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
	for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
	if [[ -n ${KEEP:-} ]]; then echo "the logs are in $tmp"; else rm -rf "$tmp"; fi
	exit "$rc"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '\n-- %s\n' "$*"; }

fail() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

need() { # a command, and the Debian package that has it
	command -v "$1" >/dev/null || fail "$1 is missing; install it (on Debian: apt-get install $2)"
}

await() { # what it waits for, then a command
	local what=$1 deadline=$((SECONDS + patience))
	shift
	until "$@"; do
		((SECONDS < deadline)) || fail "$what: not within $patience s"
		sleep 0.05
	done
}

# start_hub starts a hub on a serial line, and a listener that writes its events to $tmp/events.json.
start_hub() { # path of the line
	[[ -x $tmp/sighub ]] || go build -o "$tmp/sighub" ./cmd/sighub
	export SIGHUB_HUB=unix://$tmp/hub.sock
	"$tmp/sighub" run --listen "$SIGHUB_HUB" --serial "$1" --state "$tmp/state" >"$tmp/hub.log" 2>&1 &
	pids+=("$!")
	await "the hub's socket" test -S "$tmp/hub.sock"
	: >"$tmp/events.json"
	"$tmp/sighub" listen --output json >"$tmp/events.json" 2>"$tmp/listen.log" &
	pids+=("$!")
	# A listener hears only what is sent after it is there, so try until it answers.
	await "a first event" heard
}

heard() {
	"$tmp/sighub" send trial hello 2>>"$tmp/send.log" && sleep 0.1 && [[ -s $tmp/events.json ]]
}

ask() { "$tmp/sighub" request "$@" 2>&1; } # sender, method, params

events() { # sender, event, what its data must contain: how many of these there were
	grep -c "\"sender\":\"$1\",\"event\":\"$2\",\"data\":.*${3:-}" "$tmp/events.json" || true
}

at_least() { # a number, then sender, event and data
	local n=$1
	shift
	(($(events "$@") >= n))
}

# start_chip starts a program in the simulator, with a saw at both inputs in which successive results of the ADC differ.
# Its commands are written to descriptor 3.
start_chip() { # program
	make -s -C firmware/simavr BUILD="$tmp"
	mkfifo "$tmp/chip.in"
	"$tmp/sighub-simavr" --link "$tmp/line" --saw 0:0:4990:7 --saw 1:300:1400:11 "$1" <"$tmp/chip.in" >"$tmp/chip.out" 2>"$tmp/chip.log" &
	chip=$!
	pids+=("$chip")
	exec 3>"$tmp/chip.in"
	await "the simulator's terminal" test -e "$tmp/line"
}

stop_chip() {
	local rc=0
	echo quit >&3
	exec 3>&-
	wait "$chip" || rc=$?
	((rc == 0)) || fail "the simulator ended with exit code $rc"
	rm "$tmp/chip.in"
}

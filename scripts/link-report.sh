#!/usr/bin/env bash
# Measures the serial link and prints a table of the results and what is promised: the size of the firmware library, bytes on
# the line, speed at 115200 baud, a million readings over a line that misbehaves, and the real image of an ATmega328P in a
# simulator. Needs Go, a C compiler, and what scripts/test.sh installs.
#
#   scripts/link-report.sh [--quick]      --quick takes fewer readings: 2 minutes instead of 8
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readings=1000000
span=10s
case ${1:-} in
--quick) readings=100000 span=3s ;;
'') ;;
*) sed -n '2,/^set/{/^#/s/^# \?//p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
src=firmware/src/sighub.c
row() { printf '| %s | %s | %s |\n' "$1" "$2" "$3"; }

row "what" "measured" "promised"
row "---" "---" "---"

# Size: of the object alone, without the ring of a UART.
size() { # name, promise, compiler, flags...
	local name=$1 promise=$2 compiler=$3
	shift 3
	"$compiler" -std=c99 "$@" -c "$src" -o "$tmp/object.o"
	row "$name" "$("${compiler%gcc}size" -B "$tmp/object.o" | awk 'NR == 2 {print $1 + $2 " bytes of flash, " $2 + $3 " of RAM"}')" "$promise"
}
read -ra avr <firmware/tests/avr-flags
avr+=(-mmcu=atmega328p)
avr+=(-fno-common) # so that variables without a value are counted
arduino=(-mmcu=atmega328p -fno-common -Os -std=gnu11 -ffunction-sections -fdata-sections)
size "library on an ATmega328P" "≤ 2,048, ≤ 256" avr-gcc "${avr[@]}"
size "the same, answering no requests" "≤ 1,536" avr-gcc "${avr[@]}" -DSIGHUB_REQUESTS=0
size "library with Arduino's flags" "" avr-gcc "${arduino[@]}"
size "the same, answering no requests" "" avr-gcc "${arduino[@]}" -DSIGHUB_REQUESTS=0
size "library on a Cortex-M3, window 8, frames of 254" "" arm-none-eabi-gcc -mcpu=cortex-m3 -mthumb -Os \
	-DSIGHUB_WINDOW=8 -DSIGHUB_FRAME=254 -DSIGHUB_RING=1024 -DSIGHUB_RECEIVE=1024

# In virtual time: the C library against the hub's end of a line.
virtual() { # test, flags...
	local name=$1
	shift
	local log=$tmp/${name%%/*}.log
	go test -count=1 -timeout 30m -v -run "^$name\$" ./carrier/serial/internal/link "$@" >"$log" 2>&1 || { cat "$log" >&2; return 1; }
	grep -E '^ +[a-z_]+_test\.go:[0-9]+: ' "$log" | sed -E 's/^ +[a-z_]+_test\.go:[0-9]+: //'
}
# Each runs before its rows are printed, because a failure in <( ) goes unseen.
wire=$(virtual TestFirmwareOnTheWire)
promises=("≤ 11" "≤ 6.2")
n=0
while IFS= read -r line; do
	row "${line%: *}" "${line##*: }" "${promises[n++]:-}"
done <<<"$wire"

# In real time: a device, a line of 115200 baud, the hub, a listener on TCP.
go build -o "$tmp/linkspeed" ./scripts/linkspeed
cc -std=c99 -O2 -DSIGHUB_FRAME=254 -DSIGHUB_WINDOW=8 -DSIGHUB_RING=4000 -DSIGHUB_RECEIVE=1024 -o "$tmp/C library, large" \
	firmware/tests/host.c "$src"
cc -std=c99 -O2 -DSIGHUB_RING=100 -o "$tmp/C library, window 1" firmware/tests/host.c "$src"
speeds=$("$tmp/linkspeed" -for "$span" &&
	"$tmp/linkspeed" -for "$span" -device "$tmp/C library, large" -- --line &&
	"$tmp/linkspeed" -for "$span" -device "$tmp/C library, window 1" -- --line)
while IFS= read -r line; do
	name=$(sed -E 's/^(.*[^ ]) +[0-9]+ readings.*/\1/' <<<"$line")
	promise="≥ 1,750"
	[[ $name != *alone* ]] || promise="≥ 950"
	[[ $name != *"window 1"* ]] || promise=""
	row "end to end at 115200 baud: $name" "$(sed -E 's/.* ([0-9]+ readings\/s) at [0-9]+ baud, +(.*) on the line, (.*)/\1, \2, \3/' <<<"$line")" "$promise"
done <<<"$speeds"

misbehaving=$(virtual TestFirmwareLosesNothing -args -firmware.readings="$readings")
while IFS= read -r line; do row "a line that misbehaves" "$line" "each once and in order, losses told"; done <<<"$misbehaving"
dirty=$(virtual TestDirtyLine -args -dirty.readings="$readings")
while IFS= read -r line; do row "a line that loses, flips and adds bytes" "$line" "each once and in order"; done <<<"$dirty"
damage=$(virtual TestFirmwareAfterDamage)
while IFS= read -r line; do row "after a damaged frame" "$line" "p99 ≤ 60 ms"; done <<<"$damage"
clock=$(virtual TestClockBounds/^quartz)
row "time: a clock 100 ppm fast, a line with jitter" "$(sed -n 's/^later: //p' <<<"$clock")" "≤ 5 ms, 99 % covered"
chip=$(firmware/tests/examples.sh avr | tail -n 1)
row "ATmega328P in simavr, at a real hub" "$chip" "each as it was measured"

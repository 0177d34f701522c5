#!/usr/bin/env bash
# Builds the firmware's examples as they are, runs them on simulated chips with a real hub, and compares what a listener hears
# with what went in, while lines are pulled and chips are reset.
#
#     firmware/tests/examples.sh [avr|cortex-m3]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source-path=SCRIPTDIR source=lab.sh
. firmware/tests/lab.sh

readonly wanted=10000 # readings

avr() {
	local before lights airs
	need avr-gcc "gcc-avr avr-libc"
	echo '#include <simavr/sim_avr.h>' | cc -E - >/dev/null 2>&1 || fail "libsimavr is missing (on Debian: apt-get install libsimavr-dev libelf-dev)"
	say "the ATmega328P: light and temperature"
	make -s -C firmware/examples/avr BUILD="$tmp" size
	start_hub "$tmp/line" # first, for a listener hears no #connect from before its time
	start_chip "$tmp/light-and-air.elf"
	await "the device" at_least 1 board '#connect'
	[[ $(ask board led true) == true ]] || fail "the LED was not switched"
	await "the LED" grep -q '^pin B5 1 ' "$tmp/chip.out"
	[[ $(ask board led) == true && $(ask board led false) == false ]] || fail "the LED does not do what it is asked"
	[[ $(ask board led 5) == *"true or false"* ]] || fail "a request that makes no sense did not fail"

	say "20 readings/s; unplugged for 5 s: the ring holds them"
	[[ $(ask board period 100) == 100 ]] || fail "the period was not set"
	await "readings" at_least 20 light lux
	pull
	(($(events light '#gap') == 0 && $(events air '#gap') == 0)) || fail "readings were lost that the ring could hold"

	say "100 readings/s; the reset pin: nothing is lost"
	[[ $(ask board period 20) == 20 ]] || fail "the period was not set"
	await "readings" at_least 100 light lux
	reset_pin
	(($(events light '#gap') == 0 && $(events air '#gap') == 0)) || fail "a reset lost readings"

	say "400 readings/s" # more than a busy computer takes at times: what is lost then must be told
	[[ $(ask board period 5) == 5 ]] || fail "the period was not set"
	await "readings" at_least $((wanted / 8)) light lux

	say "unplugged for 5 s: the ring is too small, and the rest is told"
	before=$(events light lux)
	await "readings" at_least $((before + 200)) light lux
	lights=$(events light '#gap') airs=$(events air '#gap')
	pull
	await "the loss" at_least $((lights + 1)) light '#gap' '"count":[1-9]'
	await "the loss" at_least $((airs + 1)) air '#gap' '"count":[1-9]'

	say "power off and on: unsent readings are lost, and their number is unknown"
	before=$(events board '#disconnect' '"reason":"reset"')
	echo power >&3
	await "the disconnect" at_least $((before + 1)) board '#disconnect' '"reason":"reset"'
	await "the loss" at_least 1 light '#gap' '"count":null'
	await "the device" at_least 5 board '#connect'
	[[ $(ask board period 5) == 5 ]] || fail "the period was not set"
	await "$wanted readings" at_least $((wanted / 2)) air temp
	[[ $(ask board period 60000) == 60000 ]] || fail "the period was not set"
	await "what is under way, and right" all_right
	stop_chip
	all_right || fail "more was measured"
	cat "$tmp/readings.log"
}

all_right() { awk -f firmware/tests/readings.awk "$tmp/chip.out" "$tmp/events.json" >"$tmp/readings.log" 2>&1; }

pull() {
	local gone there before
	gone=$(events board '#disconnect' '"reason":"unplugged"')
	there=$(events board '#connect')
	echo unplug >&3
	await "the disconnect" at_least $((gone + 1)) board '#disconnect' '"reason":"unplugged"'
	sleep 5
	before=$(events light lux)
	echo plug >&3
	await "the device" at_least $((there + 1)) board '#connect'
	await "readings" at_least $((before + 60)) light lux
}

reset_pin() {
	local gone there before
	gone=$(events board '#disconnect' '"reason":"reset"')
	there=$(events board '#connect')
	before=$(events light lux)
	echo reset >&3
	await "the disconnect" at_least $((gone + 1)) board '#disconnect' '"reason":"reset"'
	await "the device" at_least $((there + 1)) board '#connect'
	await "readings" at_least $((before + 5)) light lux
}

cortex_m3() {
	local terminal gone before
	need arm-none-eabi-gcc gcc-arm-none-eabi
	need qemu-system-arm qemu-system-arm
	say "the Cortex-M3"
	make -s -C firmware/examples/cortex-m3 BUILD="$tmp" size "$tmp/device.bin"
	mkfifo "$tmp/monitor"
	make -s -C firmware/examples/cortex-m3 BUILD="$tmp" run <"$tmp/monitor" >"$tmp/qemu.log" 2>&1 &
	pids+=("$!")
	exec 4>"$tmp/monitor"
	await "the emulator's terminal" grep -q 'redirected to' "$tmp/qemu.log"
	terminal=$(sed -n 's/.*redirected to \([^ ]*\).*/\1/p' "$tmp/qemu.log")
	start_hub "$tmp/arm" # first, for a listener hears no #connect from before its time
	ln -s "$terminal" "$tmp/arm"
	await "the device" at_least 1 board '#connect'
	[[ $(ask board led true) == true && $(ask board led) == true ]] || fail "the LED was not switched"
	[[ $(ask board period 10) == 10 ]] || fail "the period was not set"
	await "readings" at_least 500 test saw

	say "reset: nothing is lost"
	gone=$(events board '#disconnect' '"reason":"reset"')
	echo system_reset >&4
	await "the disconnect" at_least $((gone + 1)) board '#disconnect' '"reason":"reset"'
	await "the device" at_least $((gone + 2)) board '#connect'
	[[ $(ask board period 10) == 10 ]] || fail "the period was not set"
	before=$(events test saw)
	await "readings" at_least $((before + 500)) test saw
	awk -f firmware/tests/saw.awk "$tmp/events.json"
	echo quit >&4
	exec 4>&-
}

case ${1:-} in
avr) avr ;;
cortex-m3) cortex_m3 ;;
'')
	for example in avr cortex-m3; do firmware/tests/examples.sh "$example"; done
	;;
*) sed -n '2,/^set/{/^#/s/^# \?//p}' "$0" >&2; exit 2 ;;
esac

#!/usr/bin/env bash
# Tests the Arduino library: compiles its examples for an Uno, as the Arduino IDE does, and runs them in the simulator with a
# real hub. It needs Arduino's core for AVR, which Debian has. To use another one:
#
#     ARDUINO_AVR=.../hardware/arduino/avr firmware/tests/arduino.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source-path=SCRIPTDIR source=lab.sh
. firmware/tests/lab.sh

readonly core=${ARDUINO_AVR:-/usr/share/arduino/hardware/arduino/avr}
readonly library=firmware

need avr-g++ "gcc-avr avr-libc"
[[ -f $core/cores/arduino/Arduino.h ]] ||
	fail "there is no Arduino core in $core (on Debian: apt-get install --no-install-recommends arduino-core-avr)"

# The flags of the core's platform.txt, and all warnings for what is ours.
board=(-mmcu=atmega328p -DF_CPU=16000000L -DARDUINO=10819 -DARDUINO_AVR_UNO -DARDUINO_ARCH_AVR)
board+=(-I"$core/cores/arduino" -I"$core/variants/standard" -I"$core/libraries/EEPROM/src" -I"$library/src")
common=(-c -g -Os -ffunction-sections -fdata-sections -flto "${board[@]}")
c=("${common[@]}" -std=gnu11 -fno-fat-lto-objects)
cpp=("${common[@]}" -std=gnu++11 -fpermissive -fno-exceptions -fno-threadsafe-statics)
strict=(-Wall -Wextra -Werror)

compile_core() {
	local file
	for file in "$core"/cores/arduino/*.cpp; do
		# Its String needs a macro that this compiler's headers give to C alone.
		avr-g++ "${cpp[@]}" -w -DDECIMAL_DIG=__DECIMAL_DIG__ "$file" -o "$tmp/core-${file##*/}.o"
	done
	for file in "$core"/cores/arduino/*.c; do avr-gcc "${c[@]}" -w "$file" -o "$tmp/core-${file##*/}.o"; done
	for file in "$core"/cores/arduino/*.S; do
		avr-gcc "${common[@]}" -x assembler-with-cpp "$file" -o "$tmp/core-${file##*/}.o"
	done
	avr-gcc-ar rcs "$tmp/core.a" "$tmp"/core-*.o
}

compile_library() {
	local file
	for file in "$library"/src/*.c; do avr-gcc "${c[@]}" "${strict[@]}" "$file" -o "$tmp/library-${file##*/}.o"; done
	for file in "$library"/src/*.cpp; do avr-g++ "${cpp[@]}" "${strict[@]}" "$file" -o "$tmp/library-${file##*/}.o"; done
}

sketch() { # its name
	local file=$library/examples/$1/$1.ino
	{ echo '#include <Arduino.h>'; echo "#line 1 \"$file\""; cat "$file"; } >"$tmp/$1.cpp"
	avr-g++ "${cpp[@]}" "${strict[@]}" "$tmp/$1.cpp" -o "$tmp/$1.o"
	avr-gcc -Os -g -flto -fuse-linker-plugin -Wl,--gc-sections -mmcu=atmega328p -o "$tmp/$1.elf" \
		"$tmp/$1.o" "$tmp"/library-*.o "$tmp/core.a" -lm
	avr-size "$tmp/$1.elf"
}

# heard_right checks that a reading of a sender is the result of the newest conversion of a channel.
heard_right() { # sender, event, channel, then the law as an expression of awk in raw
	local sender=$1 event=$2 channel=$3 law=$4
	awk -v sender="$sender" -v event="$event" -v channel="$channel" '
		BEGIN { n = at = 0 }
		FNR == NR { if ($1 == "adc" && $2 == channel) { raw = $4; want[n++] = '"$law"' } next }
		index($0, "\"sender\":\"" sender "\",\"event\":\"" event "\"") {
			match($0, /"data":.*}$/)
			got = substr($0, RSTART + 7, RLENGTH - 8)
			if (at >= n || got - want[at] > 1e-6 || want[at] - got > 1e-6) {
				print "reading " at " must be " want[at] ": " $0 > "/dev/stderr"
				bad = 1; exit 1
			}
			at++
		}
		END { if (bad || !at) exit 1; print at " readings of " sender " are right" }' "$tmp/chip.out" "$tmp/events.json" ||
		fail "$sender does not say what was put in"
}

say "compile"
compile_core
compile_library
sketch LightAndTemperature
sketch Request

say "LightAndTemperature"
start_hub "$tmp/line" # first, for a listener hears no #connect from before its time
start_chip "$tmp/LightAndTemperature.elf"
await "the device" at_least 1 light '#connect'
await "readings" at_least 5 air temp
stop_chip
heard_right light lux 0 'int(raw * 5000 * 2 / 1024) / 10'
heard_right air temp 1 '(int(raw * 5000 * 10 / 1024) - 5000) / 100'

say "Request"
await "the disconnect" at_least 1 light '#disconnect'
start_chip "$tmp/Request.elf"
await "the device" at_least 1 board '#connect'
[[ $(ask board led true) == true ]] || fail "the LED was not switched"
await "the LED" grep -q '^pin B5 1 ' "$tmp/chip.out"
echo "adc 3 1234" >&3
[[ $(ask board read 3) == '{"pin":3,"value":252}' ]] || fail "1234 mV are not 252 of 1024: $(ask board read 3)"
[[ $(ask board read 7) == *"0 to 5"* ]] || fail "a request that makes no sense did not fail"
stop_chip
echo "the Arduino library works"

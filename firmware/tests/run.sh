#!/bin/sh
# Builds and runs the tests of the C library in several configurations: vectors and noise under the sanitizers, and a scripted
# session with host. It also builds the library for the microcontrollers whose compilers are installed.
#
#     run.sh [FOLDER]    keeps the programs in a folder: host (window 8, frames of 254 bytes), host-small (the defaults)
set -eu
cd "$(dirname "$0")"
out=${1:-$(mktemp -d)}
[ $# -gt 0 ] || trap 'rm -rf "$out"' EXIT
mkdir -p "$out"
vectors=../../testdata/serial/frames.json
cc=${CC:-cc}
warn="-std=c99 -Wall -Wextra -Werror -Wconversion -Wno-sign-conversion"
watch="-g -O1 -fsanitize=address,undefined -fno-sanitize-recover"

# name window frame ring requests kept floats
while read -r name window frame ring requests kept floats; do
	options="-DSIGHUB_WINDOW=$window -DSIGHUB_FRAME=$frame -DSIGHUB_RING=$ring -DSIGHUB_REQUESTS=$requests"
	options="$options -DSIGHUB_KEPT=$kept -DSIGHUB_FLOAT=$floats -DSIGHUB_RECEIVE=$frame"
	# shellcheck disable=SC2086 # these are lists of options
	{
		$cc $warn $watch $options vectors.c -o "$out/vectors"
		$cc $warn $watch $options host.c ../src/sighub.c -o "$out/$name"
	}
	echo "window $window, frame $frame, ring $ring, requests $requests, kept $kept, floats $floats:"
	"$out/vectors" "$vectors"
	python3 session.py "$out/$name" "$window" "$frame" "$ring" "$requests" "$kept" "$floats"
done <<END
host-small 1 60 48 1 1 0
host-send 1 60 48 0 0 0
host-send-kept 1 60 48 0 1 1
host-send-ring 1 60 120 0 0 0
host-send-large 8 254 2048 0 0 1
host-two 2 60 64 1 1 1
host-ring 4 128 8000 1 1 1
host-lean 4 128 300 1 0 0
host-short 4 60 48 1 1 0
host 8 254 2048 1 1 1
END

printf '%s\n' '#include "sighub.h"' 'SIGHUB_DICTIONARY(SIGHUB_SENDER("a") SIGHUB_EVENT("b", "V"));' >"$out/header.cpp"
c++ -std=c++11 -Wall -Wextra -Werror -I../src -c "$out/header.cpp" -o "$out/header.o"

# A dictionary with more events than SIGHUB_EVENTS is an error of the program, and one with as many is none.
cat >"$out/events.c" <<END
#include "sighub.h"
SIGHUB_DICTIONARY(SIGHUB_SENDER("a") SIGHUB_EVENT("b", "V") SIGHUB_PLAIN_EVENT("c") SIGHUB_REQUEST("d")
                  SIGHUB_SENDER("e") SIGHUB_DECIMAL("f", "Cel", -2));
END
for compiler in "cc -std=c99 -pedantic" "cc -std=c11" "cc -std=gnu99" "c++ -x c++ -std=c++11" "c++ -x c++ -std=gnu++17" "clang -std=c99 -pedantic" \
	"avr-gcc -mmcu=atmega328p -std=c99" "arm-none-eabi-gcc -std=c11"; do
	command -v "${compiler%% *}" >/dev/null || continue
	for events in 2 3; do
		# shellcheck disable=SC2086 # these are lists of options
		if $compiler -Wall -Wextra -Werror -I../src -DSIGHUB_EVENTS="$events" -c "$out/events.c" -o "$out/events.o" 2>"$out/events.log"; then
			built=3
		else
			built=2
			grep -q "more events than SIGHUB_EVENTS" "$out/events.log" || cat "$out/events.log"
		fi
		[ "$built" = "$events" ] || { echo "$compiler takes a dictionary of 3 events for $built, with SIGHUB_EVENTS=$events"; exit 1; }
	done
done

if command -v avr-gcc >/dev/null; then
	while read -r requests flash; do
		# shellcheck disable=SC2046 # this is a list of options
		avr-gcc -mmcu=atmega328p -std=c99 -fno-common -Wall -Wextra -Werror $(cat avr-flags) -DSIGHUB_REQUESTS="$requests" \
			-c ../src/sighub.c -o "$out/avr.o"
		avr-size "$out/avr.o" | awk -v most="$flash" '{ print }
			NR == 2 && ($1 + $2 > most || $2 + $3 > 256) { print "more than " most " bytes of flash or 256 of RAM"; exit 1 }'
	done <<END
1 2048
0 1536
END
fi
if command -v arm-none-eabi-gcc >/dev/null; then
	arm-none-eabi-gcc -mcpu=cortex-m3 -mthumb -std=c99 -Os -Wall -Wextra -Werror -c ../src/sighub.c -o "$out/arm.o"
	arm-none-eabi-size "$out/arm.o"
fi
echo "all configurations pass"

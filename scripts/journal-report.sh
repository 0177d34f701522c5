#!/usr/bin/env bash
# Measures what a hub's journal costs and gives, and prints a table with what is promised: what it writes in a day, by the counters of
# a disk of its own (ext4 in a file, mounted for this); what slow acknowledgements cost the real image of an ATmega328P in a simulator;
# how long a sender and a question about the past take; how long a hub with a full journal takes to start, and its memory.
#
#   scripts/journal-report.sh                      everything: half an hour
#   scripts/journal-report.sh --quick              shorter measurements: seven minutes
#   scripts/journal-report.sh chip send            some parts: size, devices, readings, chip, send, year
#   JOURNAL_DISK=/mnt scripts/journal-report.sh    with its files in another folder than /tmp, which must be on a disk
#
# Needs Linux, Go, root for the disk of its own, and what scripts/test.sh installs. What cannot be measured is told and counts as
# broken. Exits with 1 if a promise is broken.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for arg in "$@"; do
	[[ $arg == --quick || $arg != -* ]] || { sed -n '2,/^set/{/^#/s/^# \?//p}' "${BASH_SOURCE[0]}" >&2; exit 2; }
done
tmp=$(mktemp -d "${JOURNAL_DISK:-${TMPDIR:-/tmp}}/journalreport.XXXXXX")
report=
# shellcheck disable=SC2317 # called by the trap
cleanup() {
	[[ -z $report ]] || kill "$report" 2>/dev/null || true
	[[ -z $report ]] || wait "$report" 2>/dev/null || true
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

CGO_ENABLED=0 go build -o "$tmp/" ./cmd/sighub ./scripts/journalreport
# shellcheck source=scripts/release-flags.sh
source scripts/release-flags.sh
CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go build "${release_flags[@]}" -ldflags='-s -w' -o "$tmp/sighub-arm64" ./cmd/sighub
flags=(--hub "$tmp/sighub" --arm64 "$tmp/sighub-arm64" --folder "$tmp")
# Without the simulator, the other measurements are made all the same. The example has a large ring; the library's own is small.
if make -s -C firmware/simavr BUILD="$tmp" && make -s -C firmware/examples/avr BUILD="$tmp" SIGHUB=-DSIGHUB_EVENTS=2; then
	flags+=(--chip "$tmp/sighub-simavr" --firmware "$tmp/light-and-air.elf")
fi
"$tmp/journalreport" "${flags[@]}" "$@" &
report=$!
wait "$report"

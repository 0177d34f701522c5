#!/usr/bin/env bash
# The one check: only what passes it may be merged. It needs Go and this repository. It installs other tools with apt, or names
# them if it may not.
#
#   scripts/test.sh            everything, in about twenty minutes on two cores
#   scripts/test.sh --quick    without fuzzing and without building for other systems
#   FUZZTIME=5m scripts/test.sh
#
# Each step prints one line. A step that fails prints why, and the others still run. Exits with 1 if any failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly go_needed=1.26
readonly lint_version=2.15.0
readonly systems=(linux/arm/6 linux/arm64 darwin/arm64 windows/amd64)

quick=false
case ${1:-} in
--quick) quick=true ;;
'') ;;
*) sed -n '2,/^set/{/^#/s/^# \?//p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac

logs=$(mktemp -d)
passed=0
failed=0
# shellcheck disable=SC2317 # called by the trap
cleanup() {
	[[ -z ${beside:-} ]] || kill -- "-$beside" 2>/dev/null || true
	((failed > 0)) || rm -rf "$logs"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# step runs a command and prints one line: the result, the time, and the last line of the output.
step() { # name, command...
	run "$@"
	report "$1"
}

# run runs a command, and keeps its output, its time in tenths of a second and its exit code.
run() { # name, command...
	local log="$logs/$1.log" start=${EPOCHREALTIME/[.,]/} rc=0
	set +e
	(set -e; "${@:2}") </dev/null >"$log" 2>&1
	rc=$?
	set -e
	echo $(((${EPOCHREALTIME/[.,]/} - start) / 100000)) "$rc" >"$log.result"
}

report() { # name
	local log="$logs/$1.log" tenths=0 rc=killed
	[[ ! -e $log.result ]] || read -r tenths rc <"$log.result"
	if [[ $rc == 0 ]]; then
		passed=$((passed + 1))
		printf 'ok    %-10s %4d.%ds  %s\n' "$1" $((tenths / 10)) $((tenths % 10)) "$(tail -n 1 "$log")"
	else
		failed=$((failed + 1))
		printf 'FAIL  %-10s %4d.%ds  exit %s\n' "$1" $((tenths / 10)) $((tenths % 10)) "$rc"
		[[ ! -e $log ]] || excerpt "$log" | sed 's/^/      /'
	fi
}

# excerpt prints the beginning and the end of a log: they matter more than its middle.
excerpt() {
	awk '{line[NR] = $0}
		END {for (i = 1; i <= NR; i++)
			if (NR <= 220 || i <= 120 || i > NR - 80) print line[i]
			else if (i == 121) print "... " NR - 200 " lines ..."}' "$1"
}

# tools checks that Go is new enough, and installs the tools that the tests need.
tools() {
	local version missing=() as_root=()
	command -v go >/dev/null || { echo "the go command is missing: install Go $go_needed or later, see go.dev/dl"; return 1; }
	version=$(go env GOVERSION)
	[[ $(printf '%s\n' "go$go_needed" "$version" | sort -V | head -n 1) == "go$go_needed" ]] ||
		{ echo "this is $version: install Go $go_needed or later, see go.dev/dl"; return 1; }

	command -v socat >/dev/null || missing+=(socat)
	# A server of serial ports, and what a program asks of the system.
	[[ -x /usr/sbin/ser2net ]] || missing+=(ser2net)
	command -v strace >/dev/null || missing+=(strace)
	command -v curl >/dev/null || missing+=(curl)
	# The race detector links with the C library; the tests of the firmware are C programs with sanitizers.
	has_header stdlib.h && has_header sanitizer/asan_interface.h || missing+=(gcc libc6-dev)
	command -v make >/dev/null || missing+=(make)
	# Programs that take the hub for a broker.
	command -v mosquitto_rr >/dev/null || missing+=(mosquitto-clients)
	/usr/bin/python3 -c 'import paho.mqtt' 2>/dev/null || missing+=(python3-paho-mqtt)
	command -v python3 >/dev/null || missing+=(python3)
	# Others' masters and slaves of Modbus.
	command -v mbpoll >/dev/null || missing+=(mbpoll)
	/usr/bin/python3 -c 'import pymodbus, serial, serial_asyncio' 2>/dev/null || missing+=(python3-pymodbus python3-serial-asyncio)
	# Microcontrollers: compilers and simulators.
	command -v avr-gcc >/dev/null || missing+=(gcc-avr)
	[[ -e /usr/lib/avr/include/avr/io.h ]] || missing+=(avr-libc)
	[[ -d /usr/share/arduino/hardware/arduino/avr ]] || missing+=(arduino-core-avr)
	has_header simavr/sim_avr.h || missing+=(libsimavr-dev)
	has_header libelf.h || missing+=(libelf-dev)
	command -v arm-none-eabi-gcc >/dev/null || missing+=(gcc-arm-none-eabi)
	command -v readelf >/dev/null || missing+=(binutils)
	# Emulators for the binaries of other machines.
	command -v qemu-arm >/dev/null || missing+=(qemu-user)
	command -v qemu-system-arm >/dev/null || missing+=(qemu-system-arm)
	command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86)
	command -v xz >/dev/null || missing+=(xz-utils)
	# An MQTT broker, and its clients.
	command -v mosquitto >/dev/null || [[ -x /usr/sbin/mosquitto ]] || missing+=(mosquitto)
	command -v mosquitto_sub >/dev/null || missing+=(mosquitto-clients)
	# Networks and disks of a test's own.
	command -v ip >/dev/null || [[ -x /usr/sbin/ip ]] || missing+=(iproute2)
	command -v unshare >/dev/null && command -v nsenter >/dev/null || missing+=(util-linux)
	# A browser, for the page.
	command -v chromium >/dev/null || missing+=(chromium)
	# Disks whose power is cut.
	command -v qemu-storage-daemon >/dev/null || missing+=(qemu-system-common qemu-utils)
	[[ -x /sbin/mkfs.ext4 ]] || command -v mkfs.ext4 >/dev/null || missing+=(e2fsprogs)
	if ((${#missing[@]} > 0)); then
		((EUID == 0)) || as_root=(sudo -n)
		if ! command -v apt-get >/dev/null || ! "${as_root[@]}" true 2>/dev/null; then
			echo "missing: ${missing[*]}; install them, on Debian with: sudo apt-get install ${missing[*]}"
			return 1
		fi
		install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends)
		"${install[@]}" "${missing[@]}" || { "${as_root[@]}" apt-get update -qq && "${install[@]}" "${missing[@]}"; }
	fi
	echo "$version, $(socat -V | grep -o 'socat version [^ ]*'), $("$(go env CC)" -dumpmachine)"
}

has_header() { echo "#include <$1>" | "$(go env CC)" -E - >/dev/null 2>&1; }

# golangci-lint is built here in its own version, and kept for the next time.
lint_dir=.tools/golangci-lint-$lint_version-$(go env GOVERSION 2>/dev/null || true)
build_lint() {
	[[ -x $lint_dir/golangci-lint ]] ||
		GOBIN=$PWD/$lint_dir go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$lint_version"
}

gofmt_clean() {
	local dirty
	dirty=$(find . -name .tools -prune -o -name '*.go' -print0 | xargs -0 gofmt -l)
	[[ -z $dirty ]] || { echo "run gofmt -w on:"; echo "$dirty"; return 1; }
}

modules() {
	go mod download
	go mod verify
}

lint() {
	build_lint
	"$lint_dir/golangci-lint" run ./...
}

# The benchmark is its own module.
bench() {
	go -C scripts/bench vet ./...
	go -C scripts/bench test ./...
}

# The page is committed as it is bundled. What bundles it, and what drives the browser, are modules of their own. Both work without a
# network once their modules are there.
page() {
	go -C web/page/build vet ./...
	go -C web/page/build run . -check
}

browser() {
	go -C web/page/browsertest vet ./...
	go -C web/page/browsertest test -timeout 20m .
}

cross() {
	local system os arch arm
	GOARCH=386 go vet ./... # tests must also compile where an int has 32 bits, as on many Raspberry Pis
	for system in "${systems[@]}"; do
		IFS=/ read -r os arch arm <<<"$system"
		echo "$system"
		CGO_ENABLED=0 GOOS=$os GOARCH=$arch GOARM=${arm:-} go build ./...
	done
	echo "${systems[*]}"
}

tests() {
	# Most packages wait more than they compute: one more than there are cores.
	go test -p $(($(nproc) + 1)) -json -race -tags lockrank -shuffle=on -timeout=10m ./... 2>&1 | tee "$logs/test.json" | go run ./scripts/testreport
}

# The race detector allocates on its own account, so what counts allocations runs without it.
allocations() { go test -count=1 -run "AllocatesNothing|TakesLittle" ./carrier ./hub ./internal/steady; }

# begin runs steps that only compute, one after the other and at the lowest priority, beside what follows: most tests wait more than they
# compute. finish waits for them and reports them.
begin() { # name and command of each, as one word
	names=("$@")
	set -m # its own process group, so that it can be ended as a whole
	lowest "$@" &
	beside=$!
	set +m
}

lowest() {
	local words
	chrt --idle --pid 0 $BASHPID >/dev/null 2>&1 || renice -n 19 $BASHPID >/dev/null
	for words in "$@"; do
		# shellcheck disable=SC2086 # a command and its arguments
		run "${words%% *}" ${words#* }
	done
}

finish() {
	local words
	wait "$beside" || true # each of its steps is reported
	beside=
	for words in "${names[@]}"; do
		report "${words%% *}"
	done
}

echo "sighub: the check"
step tools tools
step files scripts/files.sh
step gofmt gofmt_clean
step modules modules
step build go build ./...
step vet go vet ./...
step bench bench
step page page
computed=('lint lint')
$quick || computed+=('cross cross' 'static scripts/static.sh')
begin "${computed[@]}"
step test tests
finish
step allocs allocations
$quick || begin 'fuzz scripts/fuzz.sh'
step browser browser
$quick || finish
step loopback scripts/loopback.sh
step firmware firmware/tests/run.sh
step examples firmware/tests/examples.sh
step arduino firmware/tests/arduino.sh
step siege scripts/siege.sh --quick
step siege-access scripts/siege.sh --quick --access all
step lab scripts/lab/run.sh --quick
step package scripts/package-test.sh
step powercut scripts/powercut.sh --quick

((failed == 0)) || echo "the full logs are in $logs"
echo "$passed passed, $failed failed"
((failed == 0))

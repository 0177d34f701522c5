#!/usr/bin/env bash
# Runs every fuzz target of the given packages (default: all) for FUZZTIME each (default 1s, and 10s for those of the data model
# and of the configuration), as many at a time as there are cores. A target starts from its committed seeds, so that every run searches in the same way. An input that makes it fail is
# written to testdata/fuzz of the package, to be committed with the fix.
#
#   FUZZTIME=10m scripts/fuzz.sh ./carrier/...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export DOORTIME=${FUZZTIME:-10s}
export FUZZTIME=${FUZZTIME:-1s}
case $FUZZTIME in
*[0-9]s) FUZZLIMIT=$((${FUZZTIME%s} + 120)) ;;
*[0-9]m) FUZZLIMIT=$((${FUZZTIME%m} * 60 + 120)) ;;
*) echo "FUZZTIME is $FUZZTIME; it must be seconds or minutes, such as 10s or 5m" >&2; exit 2 ;;
esac
export FUZZLIMIT

tmp=$(mktemp -d)
export tmp
trap 'rm -rf "$tmp"' EXIT

# fuzz runs one target: its folder, its test binary, its name.
fuzz() {
	cd "$1"
	local log
	log=$tmp/$(basename "$2" .test).$3.log
	local rc=0 time=$FUZZTIME
	case $3 in FuzzModel* | FuzzParse) time=$DOORTIME ;; esac
	timeout --foreground --kill-after=10s "$FUZZLIMIT" "$2" -test.run='^$' -test.fuzz="^$3\$" -test.fuzztime="$time" \
		-test.fuzzminimizetime=2s -test.fuzzcachedir="$tmp/cache" -test.parallel=1 >"$log" 2>&1 || rc=$?
	# Go 1.26 now and then takes the end of the fuzz time for a failure (go.dev/issue/75804, mended in 1.27). A
	# real failure has an input that was written down, or words of its own.
	if ((rc != 0)) && grep -qx '    context deadline exceeded' "$log" &&
		! grep -qE 'Failing input|panic:|hung or terminated|_test\.go:' "$log"; then
		rc=0
	fi
	if ((rc == 0)); then
		printf 'ok    %-28s %s\n' "$3" "$(grep -o 'execs: [0-9]*' "$log" | tail -n1)"
		return
	fi
	printf 'FAIL  %s in %s (exit %d)\n' "$3" "$1" "$rc"
	grep -v '^fuzz: elapsed' "$log" | tail -n 80
	return 1
}
export -f fuzz

packages=$(go list -f '{{.ImportPath}}|{{.Dir}}' "${@:-./...}")
targets=()
n=0
while IFS='|' read -r package dir; do
	grep -qs '^func Fuzz' "$dir"/*_test.go || continue
	binary=$tmp/$((++n)).test
	go test -c -fuzz=. -o "$binary" "$package"
	while read -r target; do
		targets+=("$dir" "$binary" "$target")
	done < <(cd "$dir" && "$binary" -test.list '^Fuzz' | grep '^Fuzz')
done <<<"$packages"

if ((${#targets[@]} == 0)); then
	echo "there is no fuzz target in ${*:-./...}" >&2
	exit 1
fi
printf '%s\0' "${targets[@]}" |
	xargs -0 -n 3 -P "$(getconf _NPROCESSORS_ONLN)" bash -c 'set -euo pipefail; fuzz "$@"' fuzz ||
	exit 1
echo "$((${#targets[@]} / 3)) targets, $FUZZTIME each"

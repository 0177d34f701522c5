#!/usr/bin/env bash
# Measures this checkout and another commit in turns, and says which figures differ beyond noise: more than 1 %, and so surely that the
# chance is at most 5 % that anything is said of two commits that do not differ. It fails if a figure is worse. Rounds of the two
# alternate, so that what else the machine does meets both. Hub and client library are each commit's own; the benchmark is this
# checkout's, so that both are measured alike. If it cannot be built with the other commit's library, that one is measured with its own
# benchmark, and it says so: then only figures of the hub alone can be compared.
#
#   scripts/bench/compare.sh main                       the cases that regressions show in: eight minutes
#   scripts/bench/compare.sh HEAD~3 latency request-1   some cases, as run.sh --help lists them
#   ROUNDS=20 SPAN=3s PEERS=sighub,sighub-tls scripts/bench/compare.sh main one-to-one
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if (($# < 1)) || [[ $1 == -* ]]; then
	sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
	exit 2
fi
rev=$(git -C "$here" rev-parse --verify --quiet "$1^{commit}") || { echo "no commit is called $1" >&2; exit 2; }
shift
(($# > 0)) || set -- one-to-one one-to-10 request-1 request-64 latency

out=$here/out/compare
rm -rf "$out"
mkdir -p "$out/before" "$out/after" "$out/source" "$out/disk"
git -C "$here/../.." archive "$rev" | tar -x -C "$out/source"
build() { # FOLDER SOURCE
	go -C "$2" build -o "$1/" ./cmd/sighub &&
		go -C "$2/scripts/bench" build -o "$1/" . ./cmd/... github.com/nats-io/nats-server/v2
}
mv "$out/source/scripts/bench" "$out/source/scripts/its-own"
mkdir "$out/source/scripts/bench"
tar -c --exclude=./out -C "$here" . | tar -x -C "$out/source/scripts/bench"
if ! GOFLAGS=-mod=mod build "$out/before" "$out/source" 2>"$out/build.log"; then
	echo "this benchmark cannot be built with the library of $rev, so that commit is measured with its own:" >&2
	head -n 5 "$out/build.log" >&2
	rm -rf "$out/source/scripts/bench"
	mv "$out/source/scripts/its-own" "$out/source/scripts/bench"
	build "$out/before" "$out/source"
fi
build "$out/after" "$here/../.."

measure() { # before|after ROUND CASE...
	local which=$1 round=$2
	shift 2
	"$out/$which/bench" --bin "$out/$which" --disk "$out/disk" --rounds 1 --span "${SPAN:-1s}" --peers "${PEERS:-sighub}" \
		--json "$(printf '%s/%s.%03d.json' "$out" "$which" "$round")" "$@" >/dev/null
}
for ((round = 1; round <= ${ROUNDS:-12}; round++)); do
	order=(before after)
	((round % 2)) || order=(after before)
	for which in "${order[@]}"; do
		measure "$which" "$round" "$@"
	done
done
exec "$out/after/bench" --compare "$out"

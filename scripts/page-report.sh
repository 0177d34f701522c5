#!/usr/bin/env bash
# Measures what the page bears and what it takes, in a browser: frames a second and memory with 5,000 events a second from 200 devices, for
# other listeners with and without it, the hub's share of a core with 50 pages, and the first view over a slow link.
#
#   scripts/page-report.sh        for ten minutes
#   scripts/page-report.sh 1m
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
go -C web/page/browsertest test -count=1 -v -timeout 60m -run 'TestMany|TestPages|TestFirstView|TestCrowd' . -report "${1:-10m}" |
	grep -E '^ +[a-z_]+_test\.go:|^---|^ok|^FAIL' | sed -E 's/^ +[a-z_]+_test\.go:[0-9]+: /    /'

#!/usr/bin/env bash
# Measures what the page bears and what it takes.
#
#   TestMany         frames a second, and memory every half a minute, with 5,000 events a second from 200 devices on pseudo terminals
#   TestBurden       what pages take of the hub and of its other listeners: pages that only hear (the hub's part), and one in a browser
#   TestPages        the hub's share of a core with 50 pages in a house
#   TestComeAndGo    the hub's memory when pages come and go
#   TestFirstView    the first view over a slow link
#   TestCrowd        10,000 senders
#   TestScrape       the hub's numbers with 200 devices and 10,000 clients
#
#   scripts/page-report.sh                    for ten minutes
#   scripts/page-report.sh 1m                 for one
#   scripts/page-report.sh 10m TestBurden     only what a pattern fits
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
go -C web/page/browsertest test -count=1 -v -timeout 60m -run "${2:-TestMany|TestBurden|TestPages|TestComeAndGo|TestFirstView|TestCrowd|TestScrape}" . -report "${1:-10m}" |
	grep -E '^ +[a-z_]+_test\.go:|^ {8}|^---|^ok|^FAIL' | sed -E 's/^ +[a-z_]+_test\.go:[0-9]+: /    /'

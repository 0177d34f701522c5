#!/usr/bin/env bash
# Draws docs/demo.svg, the picture in the README: the output of a real run of the demo, as a terminal shows it.
#
#   scripts/picture.sh [file]
#
# Needs Go. The run is shortened, so that the picture is not too tall.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

file=${1:-docs/demo.svg}
command=(go run ./cmd/sighub demo --for 4s)

output=$(TZ=UTC TMPDIR=/tmp "${command[@]}")

# Lines that begin with -- are the demo's own words; the others are events: time, sender, event, data.
{ printf '$ %s\n' "${command[*]}"; printf '%s\n' "$output"; } | LC_ALL=C awk '
	BEGIN { size = 14; column = 0.6 * size; row = 20; margin = 16 }
	{
		text = $0
		gsub(/&/, "\\&amp;", text)
		gsub(/</, "\\&lt;", text)
		class = "event"
		if (/^\$ /) class = "prompt"
		else if (/^-- /) class = "say"
		else if ($3 == "#disconnect") class = "gone"
		else if ($3 == "#connect") class = "here"
		lines[NR] = sprintf("<text x=\"%d\" y=\"%d\" class=\"%s\">%s</text>", margin, margin + NR * row - 5, class, text)
		if (length($0) > widest) widest = length($0)
	}
	END {
		width = int(widest * column + 2 * margin)
		height = NR * row + 2 * margin
		printf "<svg xmlns=\"http://www.w3.org/2000/svg\" xml:space=\"preserve\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n", width, height, width, height
		print "<title>sighub demo: a cable is pulled and comes back, and no reading is lost</title>"
		print "<style>"
		printf "text { font: %dpx monospace; white-space: pre; fill: #d0d7de }\n", size
		print ".prompt { fill: #ffffff; font-weight: bold }"
		print ".say { fill: #e3b341 }"
		print ".gone { fill: #ff7b72 }"
		print ".here { fill: #7ee787 }"
		print "</style>"
		printf "<rect width=\"%d\" height=\"%d\" rx=\"8\" fill=\"#161b22\" stroke=\"#57606a\"/>\n", width, height
		for (i = 1; i <= NR; i++) print lines[i]
		print "</svg>"
	}' >"$file"
echo "$file: $(grep -c '^<text' "$file") lines"

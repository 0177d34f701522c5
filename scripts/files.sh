#!/usr/bin/env bash
# Checks all files: no path of a developer's machine, no broken text, no file that is too long, no script that bash cannot
# parse. Prints each offence as file:line: what. Exits with 1 if there are any.
set -euo pipefail
export LC_ALL=C.UTF-8
cd "$(dirname "${BASH_SOURCE[0]}")/.."

max_lines=500
# Binary files. Inputs of fuzzers and golden files may also contain any bytes.
binary='\.(bin|cbor|png|webp|jpe?g|gif|pdf|gz|zip)$|(^|/)testdata/fuzz/'

list() { # every file that is, or could be, committed
	if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		git ls-files --cached --others --exclude-standard
	else # no git, or an unpacked archive
		find . \( -name .git -o -name .tools -o -path ./bin \) -prune -o -type f ! -name '*.test' -printf '%P\n'
	fi | sort -u
}

mapfile -t files < <(list | grep -Ev "$binary" | while read -r f; do [[ -f $f ]] && printf '%s\n' "$f"; done)
mapfile -t sources < <(printf '%s\n' "${files[@]}" | grep -E '\.(go|c|h|ino|sh)$')
mapfile -t scripts < <(printf '%s\n' "${files[@]}" | grep -E '\.sh$|^\.ci/')

offences=0
offence() { # what, then file:line lines on standard input
	local what=$1 where
	while read -r where; do
		printf '%s: %s\n' "$where" "$what"
		offences=$((offences + 1))
	done
}
where() { cut -d: -f1,2; }

offence "a path of a developer's machine" < <(
	grep -IHnE '(^|[^A-Za-z0-9_.}-])/(work|root|Users|home/[a-z]+)/' -- "${files[@]}" | grep -v '/home/pi/' | where)
offence "not UTF-8" < <(grep -aHnxv '.*' -- "${files[@]}" | where)
offence "a merge was left half done" < <(grep -IHnE '^(<<<<<<<|>>>>>>>) ' -- "${files[@]}" | where)
offence "a line ends in CR LF" < <(grep -IHn $'\r$' -- "${sources[@]}" | where)
for f in "${sources[@]}"; do
	[[ $f != firmware/src/sighub.c ]] || continue # one file on purpose, so that it is easy to copy into a program
	lines=$(wc -l <"$f")
	((lines <= max_lines)) || offence "$lines lines; split it, $max_lines is the limit" <<<"$f"
done
for f in "${scripts[@]}"; do
	[[ $(head -n1 "$f") == '#!'*bash ]] || continue
	bash -n "$f" || offence "bash cannot read it" <<<"$f"
	[[ -x $f ]] || offence "not executable: chmod +x" <<<"$f"
done

((offences == 0)) || { echo "$offences offences"; exit 1; }
echo "${#files[@]} files"

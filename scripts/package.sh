#!/usr/bin/env bash
# Makes the packages for Debian, Raspberry Pi OS and Ubuntu, and prints their names. The same commit always gives the same packages.
#
#   scripts/package.sh                       amd64, arm64 and armhf, into out/; the version is made of the commit
#   scripts/package.sh 1.2.3                 of this version
#   scripts/package.sh --arch arm64 [1.2.3]  for one architecture; may be repeated
#   scripts/package.sh --out DIR [1.2.3]     into another folder
#
# It needs Go and gzip. MAINTAINER="Name <address>" is whoever publishes the packages. SOURCE_DATE_EPOCH is the time of all files; by
# default it is that of the commit.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() { sed -n '2,/^set/{/^#/s/^# \?//p}' scripts/package.sh; }

version=''
out=out
archs=()
while (($# > 0)); do
	case $1 in
	--arch) archs+=("${2:?--arch needs amd64, arm64 or armhf}"); shift ;;
	--out) out=${2:?--out needs a folder}; shift ;;
	--help | -h) usage; exit ;;
	-*) usage >&2; exit 2 ;;
	*) version=${1#v} ;;
	esac
	shift
done
((${#archs[@]} > 0)) || archs=(amd64 arm64 armhf)

commit=$(git rev-parse --short=12 HEAD 2>/dev/null || echo none)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
day=$(date --utc --date="@$SOURCE_DATE_EPOCH" +%Y-%m-%d)
# A version without a tag comes before all that have one, and the later commit after the earlier one.
version=${version:-0~git$(date --utc --date="@$SOURCE_DATE_EPOCH" +%Y%m%d.%H%M%S).$commit}
[[ $version =~ ^[0-9][A-Za-z0-9.+~]*$ ]] || { echo "package: $version is not a version: write one such as 1.2.3 or 1.2.3~rc1" >&2; exit 2; }

BUILD=$(mktemp -d)
trap 'rm -rf "$BUILD"' EXIT
export BUILD SOURCE_DATE_EPOCH VERSION=$version
export MAINTAINER=${MAINTAINER:-The authors of sighub <sighub@example.com>}
export CGO_ENABLED=0

# shellcheck source=scripts/release-flags.sh
source scripts/release-flags.sh
build() { # output; GOARCH and GOARM are set
	GOOS=linux go build "${release_flags[@]}" -buildvcs=false -ldflags "-s -w -buildid= -X main.release=$version" -o "$1" ./cmd/sighub
}

# What the program says of itself is the same on each architecture, so the one of this machine is asked.
build_here() { env -u GOOS -u GOARCH -u GOARM go build -trimpath -buildvcs=false -ldflags "-X main.release=$version" -o "$1" ./cmd/sighub; }
build_here "$BUILD/here"
mkdir "$BUILD/man" "$BUILD/completion"
"$BUILD/here" manual --date "$day" "$BUILD/man"
for shell in bash zsh fish; do "$BUILD/here" completion $shell >"$BUILD/completion/$shell"; done
"$BUILD/here" config --example >"$BUILD/sighub.yaml"
gzip -9n "$BUILD"/man/*
gzip -9nc >"$BUILD/changelog.gz" <<TEXT
sighub ($version) stable; urgency=medium

  * What has changed is told in CHANGELOG.md, in this folder.

 -- $MAINTAINER  $(LC_ALL=C date --utc --date="@$SOURCE_DATE_EPOCH" --rfc-email)
TEXT
(cd packaging && go build -trimpath -o "$BUILD/nfpm" github.com/goreleaser/nfpm/v2/cmd/nfpm)

mkdir -p "$out"
out=$(cd "$out" && pwd)
for ARCH in "${archs[@]}"; do
	case $ARCH in
	amd64 | arm64) export GOARCH=$ARCH GOARM='' ;;
	armhf) export GOARCH=arm GOARM=6 ;; # every Raspberry Pi
	*) echo "package: there is no package for $ARCH: write amd64, arm64 or armhf" >&2; exit 2 ;;
	esac
	export ARCH
	mkdir "$BUILD/$ARCH"
	build "$BUILD/$ARCH/sighub"
	package=$out/sighub_${version}_$ARCH.deb
	(cd packaging && "$BUILD/nfpm" package --config nfpm.yaml --packager deb --target "$package" >"$BUILD/said" 2>&1) ||
		{ cat "$BUILD/said" >&2; exit 1; }
	echo "$package: $(stat --format=%s "$package") bytes"
done

#!/bin/sh
# SPDX-License-Identifier: MIT
#
# fetch-s3-server.sh - s3rver, an S3 server of other people, for the tests of
# the tools that use buckets; from the npm registry into the cache
# (PVBOOT_CACHE, default ~/.cache/pvboot).
#
# Prints the command that starts it, or "- REASON" when it cannot be had (exit
# status 3 then). The version is pinned; nothing is installed elsewhere.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=host/xenhost/debs.sh
. "$here/host/xenhost/debs.sh"
debs_cache
version=3.7.1
folder=$PVBOOT_CACHE_DIR/s3rver-$version
program=$folder/node_modules/.bin/s3rver

missing() {
	echo "- $1"
	exit 3
}

if [ ! -x "$program" ]; then
	command -v npm >/dev/null 2>&1 || missing "npm is not installed"
	mkdir -p "$PVBOOT_CACHE_DIR"
	tmp=$(mktemp -d "$PVBOOT_CACHE_DIR/.new.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	npm install --prefix "$tmp" --no-audit --no-fund --ignore-scripts --loglevel=error \
		"s3rver@$version" >"$tmp/log" 2>&1 ||
		missing "npm cannot install s3rver: $(tail -n 1 "$tmp/log")"
	mv -T "$tmp" "$folder" 2>/dev/null || [ -x "$program" ] || missing "$folder cannot be written"
	trap - EXIT
fi
echo "$program"

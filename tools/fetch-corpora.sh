#!/bin/sh
# SPDX-License-Identifier: MIT
#
# fetch-corpora.sh - the damaged images that e2fsprogs' own tests hold, from
# Debian's source package, into the cache (PVBOOT_CACHE, default
# ~/.cache/pvboot). Prints the folder, whose names are TEST.gz; or "- REASON"
# when they cannot be had (exit status 3 then).
#
# (The source package of xfsprogs holds no images; tests/hostile/run.sh makes
# damaged XFS images with xfs_db.)
#
# The source package comes from the places that serve this machine's own Debian
# release, through a private apt state; apt checks signatures and sums.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=host/xenhost/debs.sh
. "$here/host/xenhost/debs.sh"
LC_ALL=C
export LC_ALL
debs_cache
out=$PVBOOT_CACHE_DIR/corpora/e2fsprogs

give_up() {
	printf -- '- %s\n' "$1"
	exit 3
}

if [ ! -d "$out" ]; then
	need tar tar
	need bzip2 bzip2
	mine=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release 2>/dev/null)
	tmp=$(mktemp -d "$PVBOOT_CACHE_DIR/.corpora.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	trap 'exit 1' INT TERM HUP
	mkdir -p "$tmp/lists/partial" "$tmp/cache/archives/partial" "$tmp/out"
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	[ ! -r "$keyring" ] || signed="[signed-by=$keyring] "
	# shellcheck disable=SC2016 # apt's own fields
	apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(ORIGIN) $(COMPONENT)' \
		'Created-By: Packages' 2>/dev/null |
		awk -v mine="$mine" -v keys="${signed:-}" '$2 == mine && $3 == "Debian" && $4 == "main" {
			print "deb-src " keys $1 " " mine " main" }' | sort -u >"$tmp/sources"
	[ -s "$tmp/sources" ] || give_up "no Debian source is configured"
	apt="-o Dir::State::lists=$tmp/lists -o Dir::Cache=$tmp/cache -o Dir::Etc::sourcelist=$tmp/sources
		-o Dir::Etc::sourceparts=- -o APT::Sandbox::User=root -o Acquire::Retries=2 -o Acquire::Languages=none"
	# shellcheck disable=SC2086 # options
	apt-get -q $apt update >"$tmp/log" 2>&1 && ! grep -q '^[EW]:' "$tmp/log" ||
		give_up "apt cannot read the sources: $(grep '^[EW]:' "$tmp/log" | head -n 1)"
	# shellcheck disable=SC2086 # options
	(cd "$tmp" && apt-get -q $apt source --download-only e2fsprogs >log 2>&1) ||
		give_up "the source of e2fsprogs cannot be downloaded: $(tail -n 1 "$tmp/log")"
	tar -x -f "$tmp"/e2fsprogs_*.orig.tar.?z -C "$tmp" --wildcards '*/tests/*/image*' ||
		give_up "the source of e2fsprogs cannot be unpacked"
	for f in "$tmp"/e2fsprogs-*/tests/*/image*; do
		name=$(basename "$(dirname "$f")") part=$(basename "$f")
		case $part in
		image) gzip -c "$f" >"$tmp/out/$name.gz" ;;
		image.bz2) bzip2 -dc "$f" | gzip -c >"$tmp/out/$name.gz" ;;
		image.gz) mv "$f" "$tmp/out/$name.gz" ;;
		*.gz) mv "$f" "$tmp/out/$name-$part" ;;
		esac
	done
	mkdir -p "${out%/*}"
	mv -T "$tmp/out" "$out" 2>/dev/null || [ -d "$out" ] || die "cannot write $out"
fi
printf '%s\n' "$out"

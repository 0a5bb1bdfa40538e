#!/bin/sh
# SPDX-License-Identifier: MIT
#
# fetch-xen32.sh - a Xen that runs 32-bit PV guests, for the tests, into the
# cache (PVBOOT_CACHE, default ~/.cache/pvboot). Prints the file's name, for
# `pvboot host --xen` and `pvboot run --xen`; or "- REASON" when it cannot be
# had (exit status 3 then).
#
# Debian builds Xen without CONFIG_PV32. This is the hypervisor of Debian's own
# source package, in the version that the machine's Xen tools have, so that they
# fit, or in the nearest of the same series that can be downloaded; with that one
# option changed. It takes a minute to build, once.
#
# The source package comes from the places that serve this machine's own Debian
# release, through a private apt state; apt checks signatures and sums.
set -eu
[ $# = 0 ] || { echo "usage: $0; prints the file of a Xen that runs 32-bit PV guests" >&2; exit 2; }
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=host/xenhost/debs.sh
. "$here/host/xenhost/debs.sh"
LC_ALL=C
export LC_ALL
debs_cache

give_up() {
	printf -- '- %s\n' "$1"
	exit 3
}

utils=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 'xen-utils-[0-9]*' 2>/dev/null |
	sed -n 's/^installed //p' | sort -V | tail -n 1)
[ -n "$utils" ] || utils=$(apt-cache search --names-only '^xen-utils-[0-9.]+$' 2>/dev/null |
	sed 's/ .*//' | sort -V | tail -n 1)
[ -n "$utils" ] || give_up "apt knows no xen-utils; run apt-get update"
version=$(deb_installed "$utils" || deb_candidate "$utils") ||
	give_up "apt does not know $utils; run apt-get update"
out=$PVBOOT_CACHE_DIR/xen32/$(printf '%s' "$version" | tr ':/' '__')

if [ ! -f "$out" ]; then
	for t in tar:tar xz:xz-utils make:make gcc:gcc flex:flex bison:bison python3:python3 dpkg-source:dpkg-dev; do
		command -v "${t%%:*}" >/dev/null 2>&1 ||
			give_up "building Xen takes the tool ${t%%:*}; install the package ${t##*:}"
	done
	mine=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release 2>/dev/null)
	tmp=$(mktemp -d "$PVBOOT_CACHE_DIR/.xen32.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	trap 'exit 1' INT TERM HUP
	mkdir -p "$tmp/lists/partial" "$tmp/cache/archives/partial"
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	[ ! -r "$keyring" ] || signed="[signed-by=$keyring] "
	# Security updates are another place than the release.
	# shellcheck disable=SC2016 # apt's own fields
	apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(ORIGIN) $(COMPONENT)' \
		'Created-By: Packages' 2>/dev/null |
		awk -v mine="$mine" -v keys="${signed:-}" 'index($2, mine) == 1 && $3 == "Debian" && $4 == "main" {
			print "deb-src " keys $1 " " $2 " main" }' | sort -u >"$tmp/sources"
	[ -s "$tmp/sources" ] || give_up "no Debian source is configured"
	apt="-o Dir::State::lists=$tmp/lists -o Dir::Cache=$tmp/cache -o Dir::Etc::sourcelist=$tmp/sources
		-o Dir::Etc::sourceparts=- -o APT::Sandbox::User=root -o Acquire::Retries=2 -o Acquire::Languages=none"
	# shellcheck disable=SC2086 # options
	apt-get -q $apt update >"$tmp/log" 2>&1 && ! grep -q '^[EW]:' "$tmp/log" ||
		give_up "apt cannot read the sources: $(grep '^[EW]:' "$tmp/log" | head -n 1)"
	# A mirror may lack the very version: another one of the series has the same interfaces.
	# shellcheck disable=SC2086 # options
	others=$(apt-cache $apt showsrc xen 2>/dev/null | sed -n 's/^Version: //p' |
		grep -e "^${utils#xen-utils-}\." | sort -Vr | grep -vx "$version" || :)
	for v in $version $others; do
		# shellcheck disable=SC2086 # options
		! (cd "$tmp" && apt-get -q $apt source "xen=$v" >log 2>&1) || break
	done
	src=$(find "$tmp" -maxdepth 1 -type d -name 'xen-*' | head -n 1)
	[ -n "$src" ] || give_up "the source of Xen $version cannot be downloaded: $(tail -n 1 "$tmp/log")"
	[ -d "$src/xen" ] || give_up "the source package of Xen has no folder xen"
	# The options come from a fragment: defconfig, then what differs, then the rest by default.
	{
		make -C "$src/xen" defconfig &&
			sed -i -e '/CONFIG_PV32[ =]/d' -e '/CONFIG_DEBUG_INFO[ =]/d' "$src/xen/.config" &&
			printf 'CONFIG_PV32=y\n# CONFIG_DEBUG_INFO is not set\n' >>"$src/xen/.config" &&
			make -C "$src/xen" olddefconfig && grep -qx CONFIG_PV32=y "$src/xen/.config" &&
			make -C "$src/xen" -j"$(nproc)"
	} >"$tmp/log" 2>&1 || give_up "building Xen failed: $(grep -iE 'error|\*\*\*' "$tmp/log" | tail -n 1)"
	[ -f "$src/xen/xen.gz" ] || give_up "building Xen made no xen.gz"
	gzip -dc "$src/xen/xen.gz" >"$tmp/xen"
	mkdir -p "${out%/*}"
	mv -T "$tmp/xen" "$out" 2>/dev/null || [ -f "$out" ] || die "cannot write $out"
fi
printf '%s\n' "$out"

#!/bin/sh
# SPDX-License-Identifier: MIT
#
# fetch-dom0.sh - a Debian 12 with Xen's whole toolstack, QEMU and libvirt, for the tests of the
# service's engines, as an ext4 image in the cache (PVBOOT_CACHE, default ~/.cache/pvboot). The
# embedded host's dom0 changes its root into it.
#
# Prints the image's path, or a line "- REASON" when it cannot be had (exit status 3 then). Needs
# root, debootstrap and the machine's own package sources.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=host/xenhost/debs.sh
. "$here/host/xenhost/debs.sh"
PATH=$PATH:/usr/sbin:/sbin
LC_ALL=C
export PATH LC_ALL
debs_cache
packages=xen-utils-4.17,xenstore-utils,qemu-system-xen,qemu-utils
packages=$packages,libvirt-daemon,libvirt-daemon-driver-xen,libvirt-clients,ca-certificates,curl
packages=$packages,libmicrohttpd12,libsqlite3-0,libarchive13,libexpat1,libmbedcrypto7,libcurl4
key=$(sha256sum <"$0" | cut -c 1-16)
out=$PVBOOT_CACHE_DIR/dom0-root-$key.img

give_up() {
	printf -- '- %s\n' "$1"
	exit 3
}

if [ ! -f "$out" ]; then
	[ "$(id -u)" = 0 ] || give_up "debootstrap needs root"
	command -v debootstrap >/dev/null || give_up "the program debootstrap is missing; install the package"
	uri=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' 'Created-By: Packages' 2>/dev/null | head -n 1)
	[ -n "$uri" ] || give_up "apt has no source of Debian 12"
	tmp=$(mktemp -d "$PVBOOT_CACHE_DIR/.dom0.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	trap 'exit 1' INT TERM HUP
	debootstrap --variant=minbase "--include=$packages" bookworm "$tmp/root" "$uri" >"$tmp/log" 2>&1 ||
		give_up "debootstrap failed: $(tail -n 1 "$tmp/log")"
	(cd "$tmp/root" && rm -rf var/cache/apt var/lib/apt/lists usr/share/doc usr/share/man usr/share/locale)
	mke2fs -q -F -t ext4 -O ^has_journal -d "$tmp/root" "$tmp/image" 900M
	mv "$tmp/image" "$out"
fi
printf '%s\n' "$out"

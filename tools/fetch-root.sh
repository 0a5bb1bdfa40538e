#!/bin/sh
# SPDX-License-Identifier: MIT
#
# fetch-root.sh - the root of a small Debian system and two kernel packages for
# it, for the tests of the image workflow, in the cache (PVBOOT_CACHE, default
# ~/.cache/pvboot).
#
# Prints the folder, which holds root/ (Debian 12 as debootstrap makes it, with
# an init, the tools for an initrd, and the libraries of pvboot's commands; no
# kernel) and old.deb and new.deb, two versions of linux-image-cloud-amd64.
# Prints "- REASON" when it cannot be had (exit status 3 then). Needs root:
# debootstrap makes devices and changes into what it makes.
#
# Packages come from the machine's own sources.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=host/xenhost/debs.sh
. "$here/host/xenhost/debs.sh"
PATH=$PATH:/usr/sbin:/sbin
LC_ALL=C
DEBIAN_FRONTEND=noninteractive
export PATH LC_ALL DEBIAN_FRONTEND
packages=sysvinit-core,initscripts,udev,initramfs-tools,linux-base,kmod,zstd,e2fsprogs,fdisk,openssl,libarchive13,libexpat1,libcurl4,libmbedcrypto7,zlib1g,libbz2-1.0,liblz4-1,libzstd1,liblzma5

cannot() {
	printf -- '- %s\n' "$*"
	exit 3
}

debs_cache
[ "$(id -u)" = 0 ] || cannot "only root can make a Debian system with debootstrap"
command -v debootstrap >/dev/null || cannot "debootstrap is missing; install the package debootstrap"
. /etc/os-release
[ "${VERSION_CODENAME:-}" = bookworm ] || cannot "the commands are built for $PRETTY_NAME, the system would be Debian 12"
# shellcheck disable=SC2016 # apt's own fields
source=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(ORIGIN) $(COMPONENT)' 'Created-By: Packages' |
	awk '$2 == "bookworm" && $3 == "Debian" && $4 == "main" { print $1; exit }')
[ -n "$source" ] || cannot "no source of Debian 12 is configured for apt"
kernels=$(apt-cache search --names-only '^linux-image-6\.1\.0-[0-9]+-cloud-amd64$' | cut -d ' ' -f 1 | sort -V | tail -n 2)
[ "$(printf '%s\n' "$kernels" | wc -l)" = 2 ] || cannot "apt knows fewer than two kernels of Debian 12; run apt-get update"

folder=$PVBOOT_CACHE_DIR/roots/debian12-$(printf '%s %s' "$packages" "$kernels" | sha256sum | cut -c 1-16)
if [ ! -d "$folder" ]; then
	mkdir -p "$PVBOOT_CACHE_DIR/roots"
	tmp=$(mktemp -d "$PVBOOT_CACHE_DIR/roots/.new.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	trap 'exit 1' INT TERM HUP
	printf 'pvboot: making a small Debian system, once\n' >&2
	name=old
	for kernel in $kernels; do
		(cd "$tmp" && apt-get -q -o APT::Sandbox::User=root download "$kernel") >"$tmp/log" 2>&1 ||
			cannot "$kernel cannot be downloaded: $(tail -n 1 "$tmp/log")"
		mv "$tmp/${kernel}"_*.deb "$tmp/$name.deb"
		name=new
	done
	debootstrap --variant=minbase --include="$packages" bookworm "$tmp/root" "$source" >"$tmp/log" 2>&1 ||
		cannot "debootstrap failed: $(tail -n 1 "$tmp/log")"
	rm -rf "$tmp/log" "$tmp"/root/var/cache/apt/archives/*.deb "$tmp"/root/var/lib/apt/lists/* \
		"$tmp"/root/usr/share/doc/* "$tmp"/root/usr/share/locale/* "$tmp"/root/usr/share/man/*
	chmod 755 "$tmp"
	mv -T "$tmp" "$folder" 2>/dev/null || [ -d "$folder" ] || cannot "cannot write $folder"
fi
printf '%s\n' "$folder"

#!/bin/sh
# SPDX-License-Identifier: MIT
#
# fetch-kernels.sh [NAME]... - distribution kernels for the guest tests, the
# bench and the demo, into the cache (PVBOOT_CACHE, default ~/.cache/pvboot).
#
#   debian12-amd64         linux-image-amd64 of Debian 12        (xz)
#   debian12-cloud-amd64   linux-image-cloud-amd64 of Debian 12  (lz4)
#   debian13-cloud-amd64   linux-image-cloud-amd64 of Debian 13  (zstd)
#
# Prints one line a name: "NAME FOLDER", or "NAME - REASON" when it cannot be
# had (exit status 3 then). A folder holds vmlinuz, modules/ (a selection, all
# unpacked), modules/order (in which they load), version and SHA256SUMS.
#
# Packages come from the machine's own sources, those of other releases as
# host/xenhost/suites.sh says. Nothing is installed.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=host/xenhost/debs.sh
. "$here/host/xenhost/debs.sh"
# shellcheck source=host/xenhost/suites.sh
. "$here/host/xenhost/suites.sh"
PATH=$PATH:/usr/sbin:/sbin
LC_ALL=C
export PATH LC_ALL
debs_cache
kernels=$PVBOOT_CACHE_DIR/kernels
# What a guest's init or the demo may want: the disk, file systems, checksums.
wanted='xen-blkfront ext4 crc32c_generic'

# modules TREE VERSION OUT: the wanted ones and what they need, in load order.
modules() {
	mkdir -p "$3"
	: >"$3/order"
	depmod -b "$1" "$2" 2>/dev/null
	dep=$1/lib/modules/$2/modules.dep
	for m in $wanted; do
		line=$(grep -E "/$m\.ko(\.[a-z]+)?:" "$dep") || continue # built in
		for f in $(printf '%s\n' "$line" | sed 's/://' | awk '{ for (i = NF; i; i--) print $i }'); do
			ko=$(basename "$f" | sed 's/\.ko.*/.ko/')
			grep -qx "$ko" "$3/order" && continue
			printf '%s\n' "$ko" >>"$3/order"
			case $f in
			*.ko) cp "$1/lib/modules/$2/$f" "$3/$ko" ;;
			*.xz) xz -dc <"$1/lib/modules/$2/$f" >"$3/$ko" ;;
			*.zst) zstd -dcq <"$1/lib/modules/$2/$f" >"$3/$ko" ;;
			*) why="the module $f is packed in an unknown way"; return 1 ;;
			esac
		done
	done
}

# one NAME SUITE META: makes $kernels/NAME; on failure $why says why not.
one() {
	[ ! -f "$kernels/$1/SHA256SUMS" ] || return 0
	suite_apt "$2" || return 1
	package=$(suite_depends "$2" "$3" | grep '^linux-image-' | head -n 1)
	[ -n "$package" ] || { why="apt does not know $3; run apt-get update"; return 1; }
	tmp=$(mktemp -d "$kernels/.new.XXXXXX")
	mkdir "$tmp/out"
	if ! suite_tree "$2" "$tmp/tree" "$package"; then
		rm -rf "$tmp"
		return 1
	fi
	version=${package#linux-image-}
	cp "$tmp/tree/boot/vmlinuz-$version" "$tmp/out/vmlinuz"
	printf '%s\n' "$version" >"$tmp/out/version"
	if ! modules "$tmp/tree" "$version" "$tmp/out/modules"; then
		rm -rf "$tmp"
		return 1
	fi
	(cd "$tmp/out" && find . -type f ! -name SHA256SUMS | sort | xargs sha256sum >SHA256SUMS)
	mv -T "$tmp/out" "$kernels/$1" 2>/dev/null || [ -f "$kernels/$1/SHA256SUMS" ] ||
		die "cannot write $kernels/$1"
	rm -rf "$tmp"
}

for t in depmod:kmod xz:xz-utils dpkg-deb:dpkg apt-get:apt; do
	need "${t%%:*}" "${t##*:}"
done
mkdir -p "$kernels"
status=0
[ $# -gt 0 ] || set -- debian12-amd64 debian12-cloud-amd64 debian13-cloud-amd64
for name in "$@"; do
	case $name in
	debian12-*) suite=bookworm ;;
	debian13-*) suite=trixie ;;
	*) die "fetch-kernels.sh knows no kernel named $name" ;;
	esac
	why=
	if one "$name" "$suite" "linux-image-${name#*-}"; then
		printf '%s %s\n' "$name" "$kernels/$name"
	else
		printf '%s - %s\n' "$name" "${why:-no reason known}"
		status=3
	fi
done
exit $status

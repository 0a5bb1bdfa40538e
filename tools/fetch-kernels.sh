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
# Packages come from the machine's own sources; for another release of Debian
# from the same places, through a private apt state that leaves the machine's
# alone. apt checks signatures and sums. Nothing is installed.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=host/xenhost/debs.sh
. "$here/host/xenhost/debs.sh"
PATH=$PATH:/usr/sbin:/sbin
LC_ALL=C
export PATH LC_ALL
debs_cache
kernels=$PVBOOT_CACHE_DIR/kernels
# What a guest's init or the demo may want: the disk, file systems, checksums.
wanted='xen-blkfront ext4 crc32c_generic'

mine=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release 2>/dev/null)

# private SUITE: sets $apt to the options of an apt that sees SUITE.
private() {
	apt=
	[ "$1" != "$mine" ] || return 0
	dir=$PVBOOT_CACHE_DIR/apt-$1
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial" "$dir/etc"
	apt="-o Dir::State::lists=$dir/lists -o Dir::Cache=$dir/cache -o Dir::Etc::sourcelist=$dir/etc/list
		-o Dir::Etc::sourceparts=- -o APT::Sandbox::User=root -o Acquire::Retries=2 -o Acquire::Languages=none"
	if [ ! -f "$dir/done" ]; then
		keyring=/usr/share/keyrings/debian-archive-keyring.gpg
		[ -r "$keyring" ] || keyring=
		# the places that serve this machine's own Debian release
		# shellcheck disable=SC2016 # apt's own fields
		apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(ORIGIN) $(COMPONENT)' \
			'Created-By: Packages' 2>/dev/null |
			awk -v mine="$mine" -v suite="$1" -v keys="${keyring:+[signed-by=$keyring] }" '$2 == mine && $3 == "Debian" && $4 == "main" {
				print "deb " keys $1 " " suite " main" }' |
			sort -u >"$dir/etc/list"
		[ -s "$dir/etc/list" ] || { why="no Debian source is configured"; return 1; }
		# shellcheck disable=SC2086 # options
		apt-get -q $apt update >"$dir/log" 2>&1 && ! grep -q '^[EW]:' "$dir/log" ||
			{ why="apt cannot read $1: $(grep '^[EW]:' "$dir/log" | head -n 1)"; return 1; }
		: >"$dir/done"
	fi
}

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
	private "$2" || return 1
	# shellcheck disable=SC2086 # options
	package=$(apt-cache $apt depends "$3" 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
	[ -n "$package" ] || { why="apt does not know $3; run apt-get update"; return 1; }
	tmp=$(mktemp -d "$kernels/.new.XXXXXX")
	# shellcheck disable=SC2086 # options
	if ! (cd "$tmp" && apt-get -q $apt -o APT::Sandbox::User=root download "$package" >log 2>&1); then
		why="$package cannot be downloaded: $(tail -n 1 "$tmp/log")"
		rm -rf "$tmp"
		return 1
	fi
	mkdir "$tmp/tree" "$tmp/out"
	dpkg-deb -x "$tmp"/*.deb "$tmp/tree"
	[ -d "$tmp/tree/lib" ] || ln -s usr/lib "$tmp/tree/lib"
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

#!/bin/sh
# SPDX-License-Identifier: MIT
#
# fetch-i386-libs.sh DIR - the 32-bit archives and headers of the libraries that core/ uses, for
# the 32-bit tests and images, into DIR/lib and DIR/include; DIR/.done when all are there.
#
# The packages come from the machine's own Debian sources, through an apt state of their own in
# DIR/apt that knows the architecture i386: the machine's dpkg and apt stay as they are, nothing
# is installed, and the amd64 packages may be of other versions. Works with and without root.
set -eu

packages='zlib1g-dev libbz2-dev liblzma-dev liblz4-dev libzstd-dev libmbedtls-dev'
archives='libz.a libbz2.a liblzma.a liblz4.a libzstd.a libmbedcrypto.a'

[ $# = 1 ] || {
	echo "usage: fetch-i386-libs.sh DIR" >&2
	exit 2
}

fail() {
	printf 'fetch-i386-libs: %s\n' "$*" >&2
	exit 1
}

for tool in apt-get dpkg-deb; do
	command -v "$tool" >/dev/null 2>&1 ||
		fail "$tool is missing: the 32-bit libraries are fetched as Debian packages"
done
mkdir -p "$1"
dir=$(cd "$1" && pwd)
rm -rf "$dir/.done" "$dir/apt" "$dir/debs" "$dir/tree"
mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial" "$dir/debs" "$dir/tree" \
	"$dir/lib" "$dir/include"
: >"$dir/apt/status"

# The places that serve this machine's Debian release, one "deb" line each.
codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
signed=
[ ! -r "$keyring" ] || signed="[arch=i386 signed-by=$keyring] "
# shellcheck disable=SC2016 # apt's own fields
apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(CODENAME) $(ORIGIN) $(COMPONENT)' \
	'Created-By: Packages' 2>/dev/null |
	awk -v signed="${signed:-[arch=i386] }" -v mine="$codename" '
		$4 == "Debian" && index($3, mine) == 1 && $5 == "main" { print "deb " signed $1 " " $3 " main" }' |
	sort -u >"$dir/apt/sources.list"
[ -s "$dir/apt/sources.list" ] ||
	fail "apt has no Debian source for $codename (run apt-get update, or add one)"

apt() {
	apt-get -q -o APT::Architecture=i386 -o APT::Architectures=i386 \
		-o Dir::State="$dir/apt" -o Dir::State::lists="$dir/apt/lists" \
		-o Dir::State::status="$dir/apt/status" -o Dir::Cache="$dir/apt/cache" \
		-o Dir::Etc::sourcelist="$dir/apt/sources.list" -o Dir::Etc::sourceparts=- \
		-o APT::Sandbox::User= -o Acquire::Languages=none -o Acquire::Retries=2 "$@"
}

# A list that fails (a mirror between two states) matters only if the packages cannot be had then.
apt update >"$dir/apt/log" 2>&1 || true
trouble=$(grep '^[EW]:' "$dir/apt/log" | head -n 1)
# shellcheck disable=SC2086 # one word a package
(cd "$dir/debs" && apt download $packages >"$dir/apt/log" 2>&1) ||
	fail "the i386 packages cannot be downloaded: $(tail -n 1 "$dir/apt/log")${trouble:+ ($trouble)}"
for deb in "$dir"/debs/*.deb; do
	dpkg-deb -x "$deb" "$dir/tree" || fail "$(basename "$deb") cannot be unpacked"
done

for archive in $archives; do
	from=$dir/tree/usr/lib/i386-linux-gnu/$archive
	[ -f "$from" ] || fail "the i386 packages hold no $archive"
	cp "$from" "$dir/lib/"
done
cp -R "$dir/tree/usr/include/." "$dir/include/"
# Headers that differ between architectures (zconf.h) lie one level deeper.
if [ -d "$dir/include/i386-linux-gnu" ]; then
	cp -R "$dir/include/i386-linux-gnu/." "$dir/include/"
	rm -rf "$dir/include/i386-linux-gnu"
fi
rm -rf "$dir/apt" "$dir/debs" "$dir/tree"
: >"$dir/.done"

# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# debs.sh - files of Debian packages, without root and without installing them.
#
# Sourced by mkhost.sh and by the scripts that fetch kernels. Contract: the
# caller has set PVBOOT_CACHE_DIR (debs_cache does it). A package that is
# installed is read in place; one that is not is downloaded by apt from the
# machine's configured sources, unpacked once below the cache and read there.
#
# deb_suite SUITE: from then on packages are those of another release of Debian,
# and what is installed does not count. $deb_apt: options of apt.
deb_apt=
deb_foreign=

deb_suite() {
	suite_apt "$1" || die "no packages of $1: $why"
	deb_apt=$apt
	[ -z "$apt" ] || deb_foreign=$1
}

die() {
	printf 'pvboot: %s\n' "$*" >&2
	exit 1
}

# The cache folder: PVBOOT_CACHE, or the user's cache folder.
debs_cache() {
	PVBOOT_CACHE_DIR=${PVBOOT_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/pvboot}
	mkdir -p "$PVBOOT_CACHE_DIR" 2>/dev/null ||
		die "cannot create the cache folder $PVBOOT_CACHE_DIR; set PVBOOT_CACHE to a folder that can be written"
}

# need TOOL PACKAGE: one sentence when a tool is missing.
need() {
	command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ] ||
		die "the tool $1 is missing; install the package $2 (apt-get install $2)"
}

# deb_installed PACKAGE: prints the installed version, fails if there is none.
deb_installed() {
	[ -z "$deb_foreign" ] || return 1
	dpkg-query -W -f '${db:Status-Status} ${Version}\n' "$1" 2>/dev/null |
		sed -n 's/^installed //p' | grep .
}

# deb_candidate PACKAGE: prints the version that apt would download.
deb_candidate() {
	# shellcheck disable=SC2086 # options
	apt-cache $deb_apt policy "$1" 2>/dev/null |
		sed -n 's/^  Candidate: //p' | grep -v '(none)'
}

# deb_folder PACKAGE VERSION: where it is unpacked.
deb_folder() {
	printf '%s/debs/%s_%s\n' "$PVBOOT_CACHE_DIR" "$1" "$(printf '%s' "$2" | tr ':/' '__')"
}

# deb_fetch_all PACKAGE...: those that are neither installed nor there already, with one run of apt.
# deb_fetch does it one by one, so what goes wrong here is said there.
deb_fetch_all() (
	mkdir -p "$PVBOOT_CACHE_DIR/debs"
	_tmp=$(mktemp -d "$PVBOOT_CACHE_DIR/debs/.new.XXXXXX")
	trap 'rm -rf "$_tmp"' EXIT
	trap 'exit 1' INT TERM HUP
	# shellcheck disable=SC2086 # options
	apt-cache $deb_apt policy "$@" 2>/dev/null |
		sed -n 's/^\([^ ]*\):$/\1/p; s/^  Candidate: //p' | paste - - >"$_tmp/list"
	while read -r _p _v; do
		[ "$_v" = "(none)" ] || deb_installed "$_p" >/dev/null ||
			[ -d "$(deb_folder "$_p" "$_v")" ] || printf '%s=%s\n' "$_p" "$_v"
	done <"$_tmp/list" >"$_tmp/wanted"
	[ -s "$_tmp/wanted" ] || exit 0
	printf 'pvboot: downloading %s packages\n' "$(wc -l <"$_tmp/wanted")" >&2
	# shellcheck disable=SC2086 # options
	(cd "$_tmp" && xargs apt-get -q $deb_apt -o APT::Sandbox::User=root download <wanted >log 2>&1) || exit 0
	for _deb in "$_tmp"/*.deb; do
		_dir=$(deb_folder "$(dpkg-deb -f "$_deb" Package)" "$(dpkg-deb -f "$_deb" Version)")
		dpkg-deb -x "$_deb" "$_tmp/tree" && mv -T "$_tmp/tree" "$_dir" || rm -rf "$_tmp/tree"
	done
)

# deb_fetch PACKAGE VERSION: downloads and unpacks; prints the folder.
deb_fetch() (
	_dir=$(deb_folder "$1" "$2")
	if [ ! -d "$_dir" ]; then
		need dpkg-deb dpkg
		mkdir -p "$PVBOOT_CACHE_DIR/debs"
		_tmp=$(mktemp -d "$PVBOOT_CACHE_DIR/debs/.new.XXXXXX")
		trap 'rm -rf "$_tmp"' EXIT
		trap 'exit 1' INT TERM HUP
		printf 'pvboot: downloading the package %s %s\n' "$1" "$2" >&2
		# shellcheck disable=SC2086 # options
		(cd "$_tmp" && apt-get -q $deb_apt -o APT::Sandbox::User=root download "$1=$2" >log 2>&1) || {
			tail -n 2 "$_tmp/log" >&2
			die "the package $1 $2 cannot be downloaded; run apt-get update, or install it (apt-get install $1)"
		}
		mkdir "$_tmp/tree"
		dpkg-deb -x "$_tmp"/*.deb "$_tmp/tree" || die "the package $1 $2 cannot be unpacked"
		mv -T "$_tmp/tree" "$_dir" 2>/dev/null || [ -d "$_dir" ] || die "cannot write $_dir"
	fi
	printf '%s\n' "$_dir"
)

# deb_tree PACKAGE: prints the folder below which the package's files lie
# (empty for an installed package: its files are at /).
deb_tree() {
	if deb_installed "$1" >/dev/null; then
		echo
	else
		_v=$(deb_candidate "$1") ||
			die "the package $1 is not known to apt; run apt-get update, or add a source that holds it"
		deb_fetch "$1" "$_v"
	fi
}

# deb_real_kernel META: the package that a meta package such as
# linux-image-amd64 depends on.
deb_real_kernel() {
	apt-cache depends "$1" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1 | grep .
}

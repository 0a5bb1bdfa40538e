# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# suites.sh - packages of another release of Debian than the machine's, without installing them.
#
# Sourced, after host/xenhost/debs.sh and debs_cache. They come from the same places as the
# machine's own packages, through a private apt state that leaves the machine's alone; apt checks
# signatures and sums. On failure the functions return 1, and $why says why.

# suite_apt SUITE: sets $apt to the options of an apt that sees SUITE (none for the machine's own).
suite_apt() {
	apt=
	mine=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release 2>/dev/null)
	[ "$1" != "$mine" ] || return 0
	dir=$PVBOOT_CACHE_DIR/apt-$1
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial" "$dir/etc"
	apt="-o Dir::State::lists=$dir/lists -o Dir::Cache=$dir/cache -o Dir::Etc::sourcelist=$dir/etc/list
		-o Dir::Etc::sourceparts=- -o APT::Sandbox::User=root -o Acquire::Retries=2 -o Acquire::Languages=none"
	# A day-old list may name versions that are gone.
	[ -z "$(find "$dir/done" -mtime -1 2>/dev/null)" ] || return 0
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
}

# suite_depends SUITE PACKAGE: what it depends on, a package a line.
suite_depends() {
	suite_apt "$1" || return 1
	# shellcheck disable=SC2086 # options
	apt-cache $apt depends --no-recommends --no-suggests "$2" 2>/dev/null |
		sed -nE 's/^ *(Pre)?Depends: ([^ <]*)$/\2/p'
}

# suite_tree SUITE OUT PACKAGE...: unpacks the packages, together, into the folder OUT, once.
suite_tree() {
	_suite=$1 _out=$2
	shift 2
	[ ! -d "$_out" ] || return 0
	suite_apt "$_suite" || return 1
	mkdir -p "$(dirname "$_out")"
	_tmp=$(mktemp -d "$(dirname "$_out")/.new.XXXXXX")
	mkdir "$_tmp/tree"
	# shellcheck disable=SC2086 # options
	if ! (cd "$_tmp" && apt-get -q $apt -o APT::Sandbox::User=root download "$@" >log 2>&1); then
		why="$* of $_suite cannot be downloaded: $(tail -n 1 "$_tmp/log")"
		rm -rf "$_tmp"
		return 1
	fi
	for deb in "$_tmp"/*.deb; do
		dpkg-deb -x "$deb" "$_tmp/tree" || { why="$deb cannot be unpacked"; rm -rf "$_tmp"; return 1; }
	done
	[ -e "$_tmp/tree/lib" ] || ln -s usr/lib "$_tmp/tree/lib"
	mv -T "$_tmp/tree" "$_out" 2>/dev/null || [ -d "$_out" ] || { why="cannot write $_out"; return 1; }
	rm -rf "$_tmp"
}

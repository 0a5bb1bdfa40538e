#!/bin/sh
# SPDX-License-Identifier: MIT
#
# mkhost.sh - makes the embedded Xen host from the distribution's packages.
#
# Prints the folder that holds the result:
#   xen          Xen itself, unpacked (QEMU loads it by multiboot)
#   vmlinux      dom0's kernel, unpacked so that Xen need not
#   initramfs    dom0's user land: busybox, xl, xenstored, xenconsoled, agent
#   manifest     what it was made from
# The folder is cached below PVBOOT_CACHE (default ~/.cache/pvboot) under a
# name made of a hash over its inputs: versions of the packages, the shared
# libraries that are copied, and the scripts of this folder. It is built in a temporary folder and renamed,
# so that it is there completely or not at all. Needs no root.
#
# PVBOOT_XEN_SUITE=trixie: Xen and its tools are those of that release of Debian, with the libraries
# that they need; dom0's kernel stays this machine's.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=host/xenhost/debs.sh
. "$here/debs.sh"
# shellcheck source=host/xenhost/suites.sh
. "$here/suites.sh"
PATH=$PATH:/usr/sbin:/sbin
LC_ALL=C
export PATH LC_ALL
debs_cache
need dpkg-query dpkg

linux_installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 'linux-image-[0-9]*-amd64' 2>/dev/null |
	sed -n 's/^installed //p' | grep -v -e -cloud- -e -rt- -e -dbg -e unsigned | sort -Vr)
[ -z "${PVBOOT_XEN_SUITE:-}" ] || deb_suite "$PVBOOT_XEN_SUITE"

newest() { # newest PATTERN: the installed packages that match, the newest name last
	[ -z "$deb_foreign" ] || return 1
	dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$1" 2>/dev/null |
		sed -n 's/^installed //p' | sort -V | tail -n 1 | grep .
}

own() ( # own COMMAND...: with this machine's packages, not another release's
	deb_apt='' deb_foreign=''
	"$@"
)

# 1. Which packages, and which of them are installed.
hyper=$(newest 'xen-hypervisor-[0-9]*-amd64') || hyper=
if [ -z "$hyper" ]; then
	# shellcheck disable=SC2086 # options
	hyper=$(apt-cache $deb_apt search --names-only '^xen-hypervisor-[0-9.]+-amd64$' 2>/dev/null |
		sed 's/ .*//' | sort -V | tail -n 1)
	[ -n "$hyper" ] ||
		die "Xen itself is missing; install the package xen-hypervisor-4.17-amd64 (or run apt-get update, then it is downloaded)"
fi
xenver=${hyper#xen-hypervisor-}
xenver=${xenver%-amd64}
utils=xen-utils-$xenver
packages="$hyper $utils xenstore-utils busybox-static"
linux=
for p in $linux_installed; do
	v=${p#linux-image-}
	if [ -r "/boot/vmlinuz-$v" ] && [ -d "/lib/modules/$v/kernel" ]; then
		linux=$p
		break
	fi
done

bin=/usr/lib/xen-$xenver/bin
utils_programs="xl xenstored xenconsoled libxl-save-helper xen-init-dom0 xenctx"
store_programs="xenstore-read xenstore-write xenstore-list xenstore-ls xenstore-watch xenstore-rm xenstore-exists xenstore-chmod"

lib_packages() { # the packages of libraries that the programs may need
	# shellcheck disable=SC2086 # options
	apt-cache $deb_apt depends --recurse --no-recommends --no-suggests --no-conflicts \
		--no-breaks --no-replaces --no-enhances "$utils" xenstore-utils |
		grep '^lib' | grep -v -e '^lib.*perl' -e '^lib.*python' | sort -u
}

libpath=  # where the libraries of packages that are not installed lie
ld_so=    # the loader of another release, which alone finds that release's libraries
extra_libs() { # libgcc_s, which xl opens by itself
	for d in $(printf '%s' "$libpath" | tr ':' ' ') /lib/x86_64-linux-gnu /usr/lib/x86_64-linux-gnu; do
		if [ -e "$d/libgcc_s.so.1" ]; then
			printf '%s\n' "$d/libgcc_s.so.1"
			return
		fi
	done
}

ldd_paths() { # ldd_paths PROGRAM...: the libraries, and "missing NAME"
	if [ -z "$ld_so" ]; then
		ldd "$@"
	else
		printf '\t%s (0x)\n' "$ld_so"
		for f; do "$ld_so" --library-path "$libpath" --list "$f"; done
	fi | sed -n 's/^\(.*=> \)*[^/]*\(\/[^ ]*\) (0x.*/\2/p; s/^\t\([^ ]*\) => not found/missing \1/p' | sort -u
}

all_installed() { # all_installed PACKAGE...
	for p; do
		deb_installed "$p" >/dev/null || return 1
	done
}

# apt_says: what would be downloaded: dom0's kernel and every package that is
# not installed; with them the versions of all packages that hold libraries.
# apt takes seconds to say it, so it is asked again only when its lists, its
# sources or the installed packages have changed.
apt_says() {
	state=$({
		echo "$packages $linux $deb_apt"
		ls -lR --full-time "$PVBOOT_CACHE_DIR/apt-$deb_foreign/lists" /etc/apt /var/lib/apt/lists /var/lib/dpkg/status 2>/dev/null || :
	} | sha256sum)
	memo=$PVBOOT_CACHE_DIR/apt-says${deb_foreign:+-$deb_foreign}
	if [ ! -r "$memo" ] || [ "$(head -n 1 "$memo")" != "$state" ]; then
		new=$(mktemp "$PVBOOT_CACHE_DIR/.apt.XXXXXX")
		trap 'rm -f "$new"' EXIT # of the subshell that this runs in
		trap 'exit 1' INT TERM HUP
		{
			printf '%s\n' "$state"
			meta=$linux
			[ -n "$linux" ] || meta=$(own deb_real_kernel linux-image-amd64) || meta=
			printf 'kernel %s\n' "$meta"
			for p in $packages; do
				deb_installed "$p" >/dev/null || printf '%s %s\n' "$p" "$(deb_candidate "$p")"
			done
			[ -z "$meta" ] || own deb_installed "$meta" >/dev/null || printf '%s %s\n' "$meta" "$(own deb_candidate "$meta")"
			# shellcheck disable=SC2046 # one word a package
			all_installed "$utils" xenstore-utils ||
				apt-cache $deb_apt policy $(lib_packages) | grep -e '^lib' -e Installed: -e Candidate:
		} >"$new"
		mv "$new" "$memo"
	fi
	sed 1d "$memo"
}
apt=
# shellcheck disable=SC2086 # one word a package
if [ -z "$linux" ] || ! all_installed $packages; then
	apt=$(apt_says)
	linux=$(printf '%s\n' "$apt" | sed -n 's/^kernel //p')
	[ -n "$linux" ] ||
		die "no kernel for dom0: install the package linux-image-amd64 (or run apt-get update, then it is downloaded)"
fi

libraries() { # hashes of the libraries of programs that are installed
	set --
	for p in $utils_programs; do set -- "$@" "$bin/$p"; done
	for p in $store_programs; do set -- "$@" "/usr/bin/$p"; done
	{
		ldd_paths "$@"
		extra_libs
	} | grep '^/' | xargs sha256sum
}

# 2. The key.
key=$({
	for p in $packages; do
		deb_installed "$p" || :
	done
	own deb_installed "$linux" || :
	printf '%s %s\n%s\n' "$packages" "$linux" "$apt"
	! all_installed "$utils" xenstore-utils || libraries
	for f in mkhost.sh debs.sh suites.sh dom0-init.sh dom0-agent.sh dom0-block.sh; do
		sha256sum <"$here/$f"
	done
} | sha256sum | cut -c 1-16)
out=$PVBOOT_CACHE_DIR/host-$key
if [ -f "$out/manifest" ]; then
	printf '%s\n' "$out"
	exit 0
fi
[ -t 2 ] && printf 'pvboot: making the Xen host (once; it is cached in %s)\n' "$out" >&2

for t in cpio:cpio depmod:kmod gzip:gzip xz:xz-utils ldd:libc-bin; do
	need "${t%%:*}" "${t##*:}"
done

tmp=$(mktemp -d "$PVBOOT_CACHE_DIR/.host.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM HUP
root=$tmp/root
mkdir -p "$root" "$tmp/new"

t_hyper=$(deb_tree "$hyper")
t_utils=$(deb_tree "$utils")
t_store=$(deb_tree xenstore-utils)
t_busy=$(deb_tree busybox-static)
t_linux=$(own deb_tree "$linux")
trees="$t_hyper $t_utils $t_store $t_busy"

# Libraries of packages that are not installed: their own packages, too.
if [ -n "$t_utils" ] || [ -n "$t_store" ]; then
	# shellcheck disable=SC2046 # one word a package
	deb_fetch_all $(lib_packages)
	for p in $(lib_packages); do
		deb_installed "$p" >/dev/null || trees="$trees $(deb_tree "$p")"
	done
fi
for t in $trees; do
	for d in "$t/lib/x86_64-linux-gnu" "$t/usr/lib/x86_64-linux-gnu"; do
		[ ! -d "$d" ] || libpath=$libpath${libpath:+:}$d
	done
	loader=$t/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2
	[ -z "$deb_foreign" ] || [ ! -x "$loader" ] || ld_so=$loader
done

# 3. Xen and dom0's kernel, both unpacked.
gzip -dc "$t_hyper/boot/xen-$xenver-amd64.gz" >"$tmp/new/xen" ||
	die "the package $hyper holds no boot/xen-$xenver-amd64.gz"
kver=${linux#linux-image-}
vmlinuz=$t_linux/boot/vmlinuz-$kver
[ -r "$vmlinuz" ] || die "the package $linux holds no readable boot/vmlinuz-$kver"

u32() { # u32 FILE OFFSET: a little-endian number
	od -A n -t u4 -j "$2" -N 4 "$1" | tr -d ' '
}
# Linux's boot protocol: setup_sects at 0x1f1, payload at 0x248/0x24c; the
# payload's last four bytes are its unpacked length, for all but gzip.
sects=$(od -A n -t u1 -j 497 -N 1 "$vmlinuz" | tr -d ' ')
start=$((($(u32 "$vmlinuz" 584)) + (sects + 1) * 512))
len=$(u32 "$vmlinuz" 588)
head -c $((start + len)) "$vmlinuz" | tail -c "$len" >"$tmp/payload"
case $(od -A n -t x1 -N 4 "$tmp/payload" | tr -d ' ') in
fd377a58) unpack='xz -dc --single-stream' ;;
1f8b*) unpack='gzip -dc' ;;
28b52ffd) unpack='zstd -dcq' ;;
*) unpack=false ;;
esac
$unpack <"$tmp/payload" >"$tmp/new/vmlinux" 2>/dev/null || :
if [ "$(head -c 4 "$tmp/new/vmlinux" | od -A n -t x1 | tr -d ' ')" != 7f454c46 ]; then
	cp "$vmlinuz" "$tmp/new/vmlinux" # Xen unpacks it itself, more slowly
fi

# 4. dom0's user land.
cd "$root"
mkdir -p bin sbin etc/xen/scripts dev proc sys tmp run/xen run/xenstored run/lock \
	var/lib/xen/dump var/log/xen var/run lib/modules usr/bin usr/sbin usr/lib
rmdir var/run && ln -s ../run var/run
ln -s ../run/lock var/lock
: >etc/xen/xl.conf
: >etc/mtab

add() { # add TREE PATH: a program at its own place
	mkdir -p ".${2%/*}"
	cp -L "$1$2" ".$2" || die "cannot read $1$2"
	chmod 755 ".$2"
	printf '%s\n' "$1$2" >>"$tmp/programs"
}
for p in $utils_programs; do
	add "$t_utils" "$bin/$p"
done
for p in $store_programs; do
	add "$t_store" "/usr/bin/$p"
done
cp -L "$t_busy/bin/busybox" bin/busybox 2>/dev/null || cp -L "$t_busy/usr/bin/busybox" bin/busybox
chmod 755 bin/busybox
for a in $(bin/busybox --list); do
	[ "$a" = busybox ] || ln -s busybox "bin/$a"
done

# Shared libraries.
while read -r f; do
	(
		# the loader of another release is told; this machine's own programs must not see its libraries
		[ -n "$ld_so" ] || export LD_LIBRARY_PATH="$libpath"
		ldd_paths "$f"
	)
done <"$tmp/programs" | sort -u >"$tmp/libs"
if grep -q '^missing' "$tmp/libs"; then
	die "shared libraries are missing: $(sed -n 's/^missing //p' "$tmp/libs" | tr '\n' ' '); install the package $utils"
fi
{
	cat "$tmp/libs"
	extra_libs
} | while read -r f; do
	case $f in
	*/ld-linux-x86-64.so.2) to=lib64/ld-linux-x86-64.so.2 ;;
	*) to=lib/x86_64-linux-gnu/${f##*/} ;;
	esac
	mkdir -p "${to%/*}"
	cp -L "$f" "$to"
done

# Modules, in the order in which they are loaded.
mkdir -p "$tmp/mod/lib/modules"
cp -rs "$t_linux/lib/modules/$kver" "$tmp/mod/lib/modules/" 2>/dev/null ||
	cp -r "$t_linux/lib/modules/$kver" "$tmp/mod/lib/modules/"
depmod -b "$tmp/mod" "$kver" 2>/dev/null || die "depmod failed for the modules of $linux"
dep=$tmp/mod/lib/modules/$kver/modules.dep
: >lib/modules/order
for m in xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs virtio_pci virtio_console virtio_blk loop xen-blkback; do
	line=$(grep -E "/$m\.ko(\.[a-z]+)?:" "$dep") || continue # built in
	for f in $(printf '%s\n' "$line" | sed 's/://' | awk '{ for (i = NF; i; i--) print $i }'); do
		name=$(basename "$f" | sed 's/\.ko.*/.ko/')
		grep -qx "$name" lib/modules/order && continue
		printf '%s\n' "$name" >>lib/modules/order
		src=$tmp/mod/lib/modules/$kver/$f
		case $f in
		*.ko) cp -L "$src" "lib/modules/$name" ;;
		*.xz) xz -dc <"$src" >"lib/modules/$name" ;;
		*.gz) gzip -dc <"$src" >"lib/modules/$name" ;;
		*.zst) zstd -dcq <"$src" >"lib/modules/$name" ;;
		*) die "the module $f is packed in a way this script does not know" ;;
		esac
	done
done

install -m 755 "$here/dom0-init.sh" init
install -m 755 "$here/dom0-agent.sh" bin/agent
install -m 755 "$here/dom0-block.sh" etc/xen/scripts/block
ln -s block etc/xen/scripts/block-loop
printf 'PATH=%s:/bin:/sbin:/usr/bin:/usr/sbin\n' "$bin" >etc/path

find . | sort | cpio --quiet -o -H newc -R 0:0 >"$tmp/new/initramfs"
{
	for p in $packages; do
		printf '%s %s\n' "$p" "$(deb_installed "$p" || deb_candidate "$p")"
	done
	printf '%s %s\n' "$linux" "$(own deb_installed "$linux" || own deb_candidate "$linux")"
} >"$tmp/new/manifest"
cd "$tmp"
mv -T "$tmp/new" "$out" 2>/dev/null || [ -f "$out/manifest" ] || die "cannot write $out"
printf '%s\n' "$out"

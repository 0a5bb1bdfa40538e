#!/bin/sh
# SPDX-License-Identifier: MIT
#
# mkdemo.sh OUTDIR - makes OUTDIR/demo.img: a disk as a tenant would have it.
#
# One MBR partition with ext4; in it the distribution's own cloud kernel, an
# initrd that finds the root file system, /boot/grub/menu.lst with two entries
# and a fallback, and a small user land (busybox). A second menu,
# /boot/grub/poweroff.lst, boots the same kernel, says so and powers off: it is
# for a run without a terminal. Made anew only when what goes in has changed.
# Needs no root: mke2fs -d fills the file system, nothing is mounted.
set -eu
out=${1:?usage: mkdemo.sh OUTDIR}
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=host/xenhost/debs.sh
. "$top/host/xenhost/debs.sh"
PATH=$PATH:/usr/sbin:/sbin
LC_ALL=C
export PATH LC_ALL
debs_cache
for t in mke2fs:e2fsprogs cpio:cpio gzip:gzip; do
	need "${t%%:*}" "${t##*:}"
done

case $(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release 2>/dev/null) in
trixie) kernel=debian13-cloud-amd64 ;;
*) kernel=debian12-cloud-amd64 ;;
esac
answer=$("$top/tools/fetch-kernels.sh" "$kernel") || die "no kernel for the demo: ${answer#* - }"
kernel=${answer#* }
version=$(cat "$kernel/version")
busybox=$(deb_tree busybox-static)/bin/busybox
[ -x "$busybox" ] || busybox=${busybox%/bin/busybox}/usr/bin/busybox
[ -x "$busybox" ] || die "busybox is missing; install the package busybox-static"

key=$(cat "$here"/* "$kernel/SHA256SUMS" "$busybox" | sha256sum | cut -c 1-32)
mkdir -p "$out"
if [ -f "$out/demo.img" ] && [ "$(cat "$out/demo.key" 2>/dev/null)" = "$key" ]; then
	exit 0
fi
echo "pvboot: making the demo disk $out/demo.img (Linux $version)" >&2
tmp=$(mktemp -d "$out/.new.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM HUP

# The initrd: modules, then the root file system.
mkdir -p "$tmp/initrd/bin" "$tmp/initrd/modules" "$tmp/initrd/proc" "$tmp/initrd/sys" \
	"$tmp/initrd/dev" "$tmp/initrd/root"
cp "$busybox" "$tmp/initrd/bin/busybox"
cp "$kernel"/modules/* "$tmp/initrd/modules/"
cp "$here/initrd-init.sh" "$tmp/initrd/init"
chmod 755 "$tmp/initrd/init" "$tmp/initrd/bin/busybox"
(cd "$tmp/initrd" && find . | sort | cpio --quiet -o -H newc -R 0:0 | gzip -9n) >"$tmp/initrd.img"

# The root file system.
root=$tmp/root
mkdir -p "$root/boot/grub" "$root/bin" "$root/sbin" "$root/etc/init.d" "$root/proc" "$root/sys" \
	"$root/dev" "$root/tmp" "$root/root"
cp "$kernel/vmlinuz" "$root/boot/vmlinuz-$version"
cp "$tmp/initrd.img" "$root/boot/initrd.img-$version"
cp "$busybox" "$root/bin/busybox"
for a in $("$busybox" --list-full); do
	case ${a##*/} in
	busybox) continue ;;
	esac
	mkdir -p "$root/${a%/*}"
	ln -s /bin/busybox "$root/$a"
done
cp "$here/inittab" "$here/profile" "$root/etc/"
cp "$here/rcS.sh" "$root/etc/init.d/rcS"
chmod 755 "$root/etc/init.d/rcS" "$root/bin/busybox"
echo 'root::0:0:root:/root:/bin/sh' >"$root/etc/passwd"
echo demo >"$root/etc/hostname"
for m in menu poweroff; do
	sed "s/@VERSION@/$version/g" "$here/$m.lst" >"$root/boot/grub/$m.lst"
done

# The disk: an MBR with one Linux partition from sector 2048 on.
size_mib=96
start=2048
sectors=$(((size_mib - 1) * 2048))
truncate -s "${size_mib}M" "$tmp/demo.img"
mke2fs -q -F -t ext4 -L demo -E "offset=1048576,root_owner=0:0" -d "$root" "$tmp/demo.img" "$((size_mib - 1))M"
le32() { # a number as four escaped bytes
	printf '\\%03o\\%03o\\%03o\\%03o' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255))
}
# shellcheck disable=SC2059 # the format is the bytes
{
	printf "\\200\\376\\377\\377\\203\\376\\377\\377$(le32 $start)$(le32 $sectors)" |
		dd of="$tmp/demo.img" bs=1 seek=446 conv=notrunc status=none
	printf '\125\252' | dd of="$tmp/demo.img" bs=1 seek=510 conv=notrunc status=none
}
mv "$tmp/demo.img" "$out/demo.img"
echo "$key" >"$out/demo.key"

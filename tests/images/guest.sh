#!/bin/sh
# SPDX-License-Identifier: MIT
# guest.sh OUT KERNEL - the guest that is the oracle: OUT/KERNEL/vmlinuz and initrd.gz (busybox, the
# kernel's modules for virtio disks and the file systems, and the programs built in OUT/bin).
#
# KERNEL is d12 (Debian 12: knows ReiserFS and XFS v4), d13 (6.12: XFS blocks larger than a page) or
# sid (the newest features). Exit status 3 and a line on stdout: it cannot be had, and why.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=host/xenhost/debs.sh
. "$top/host/xenhost/debs.sh"
# shellcheck source=host/xenhost/suites.sh
. "$top/host/xenhost/suites.sh"
PATH=$PATH:/usr/sbin:/sbin
out=$1 kernel=$2
file_systems='ext4 xfs reiserfs'

for tool in gcc:gcc cpio:cpio gzip:gzip xz:xz-utils busybox:busybox-static depmod:kmod; do
    need "${tool%%:*}" "${tool##*:}"
done
debs_cache

# kernel_tree SUITE META: sets $tree, $version.
kernel_tree() {
    suite_apt "$1" || return 1
    package=$(suite_depends "$1" "$2" | grep '^linux-image-' | head -n 1)
    [ -n "$package" ] || { why="apt knows no $2 of $1"; return 1; }
    version=${package#linux-image-}
    # Newer kernels come in two packages.
    parts=$(suite_depends "$1" "$package" | grep -E '^linux-(binary|modules)-' || echo "$package")
    tree=$PVBOOT_CACHE_DIR/debs/${package}_$1
    # shellcheck disable=SC2086 # words
    suite_tree "$1" "$tree" $parts
}

case $kernel in
d12)
    package=$(deb_real_kernel linux-image-amd64) || die "apt knows no linux-image-amd64; run apt-get update"
    version=${package#linux-image-}
    tree=$(deb_tree "$package")
    ;;
d13) kernel_tree trixie linux-image-cloud-amd64 || { echo "$why"; exit 3; } ;;
sid) kernel_tree sid linux-image-cloud-amd64 || { echo "$why"; exit 3; } ;;
*) die "guest.sh knows no kernel named $kernel" ;;
esac

# The programs; once for all kernels.
bin=$out/bin
mkdir -p "$bin"
for p in images/writer images/dirty crash/upgrades; do
    [ -x "$bin/${p##*/}" ] ||
        gcc -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -static -I"$top" -o "$bin/${p##*/}" \
            "$top/tests/$p.c" "$here/files.c"
done
# glibc warns that libcrypto could load shared objects; nothing here does.
[ -x "$bin/report" ] ||
    gcc -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -static -I"$top" -o "$bin/report" \
        "$here/report.c" "$top/host/json.c" -lcrypto 2>"$out/report.log" ||
    { cat "$out/report.log" >&2; die "the guest's report program cannot be built"; }

guest=$out/$kernel root=$out/$kernel/root
rm -rf "$guest"
mkdir -p "$root/bin" "$root/modules" "$root/proc" "$root/sys" "$root/dev" "$root/mnt" "$root/etc"
vmlinuz=$tree/boot/vmlinuz-$version
[ -f "$vmlinuz" ] || vmlinuz=$tree/lib/modules/$version/vmlinuz
cp "$vmlinuz" "$guest/vmlinuz"
cp "$(command -v busybox)" "$root/bin/busybox"
cp "$bin"/* "$root/bin"
install -m 755 "$here/init.sh" "$root/init"

# modules NAME...: copies them and what they need; prints them in load order.
modules() {
    for m in "$@"; do
        line=$(grep -E "/$m\.ko(\.[a-z]+)?:" "$dep") || continue # built in, or not of this kernel
        for f in $(printf '%s\n' "$line" | sed 's/://' | awk '{ for (i = NF; i; i--) print $i }'); do
            ko=$(basename "$f" | sed 's/\.ko.*/.ko/')
            echo "$ko"
            [ ! -f "$root/modules/$ko" ] || continue
            case $f in
            *.xz) xz -dc <"$tree/lib/modules/$version/$f" >"$root/modules/$ko" ;;
            *) cp "$tree/lib/modules/$version/$f" "$root/modules/$ko" ;;
            esac
        done
    done
}
dep=$tree/lib/modules/$version/modules.dep
[ -s "$dep" ] || depmod -b "$tree" "$version" 2>/dev/null
modules virtio_pci virtio_blk >"$root/modules/order"
for fs in $file_systems; do
    modules crc32c_generic "$fs" >"$root/modules/order-$fs"
done
# A test that needs it and does not get it fails by name.
[ "$kernel" != d12 ] || python3 "$here/reiserfs/short_names.py" "$root/modules/reiserfs.ko" || true
(cd "$root" && find . | cpio -o -H newc --quiet -R 0:0) | gzip -1 >"$guest/initrd.gz"

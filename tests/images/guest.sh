#!/bin/sh
# SPDX-License-Identifier: MIT
# guest.sh OUT - the guest that is the oracle: OUT/vmlinuz (Debian's cloud kernel) and OUT/initrd.gz
# (busybox, the kernel's virtio modules, report, writer).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=host/xenhost/debs.sh
. "$top/host/xenhost/debs.sh"
out=$1
modules='virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk'

for tool in gcc:gcc cpio:cpio gzip:gzip xz:xz-utils busybox:busybox-static; do
    need "${tool%%:*}" "${tool##*:}"
done
debs_cache
package=$(deb_real_kernel linux-image-cloud-amd64) ||
    die "apt does not know linux-image-cloud-amd64; run apt-get update"
version=${package#linux-image-}
tree=$(deb_tree "$package")
cp "$tree/boot/vmlinuz-$version" "$out/vmlinuz"

root=$out/root
rm -rf "$root"
mkdir -p "$root/bin" "$root/modules" "$root/proc" "$root/sys" "$root/dev" "$root/mnt" "$root/etc"
cp "$(command -v busybox)" "$root/bin/busybox"
install -m 755 "$here/init.sh" "$root/init"
gcc -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -static -I"$top" -o "$root/bin/writer" "$here/writer.c"
# glibc warns that libcrypto could load shared objects; nothing here does.
gcc -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -static -I"$top" -o "$root/bin/report" \
    "$here/report.c" "$top/host/json.c" -lcrypto 2>"$out/report.log" ||
    { cat "$out/report.log" >&2; die "the guest's report program cannot be built"; }
: >"$root/modules/order"
for m in $modules; do
    ko=$(find "$tree/lib/modules/$version/kernel" -name "$m.ko*" | head -n 1)
    case $ko in
    '') continue ;; # built in
    *.xz) xz -dc <"$ko" >"$root/modules/$m.ko" ;;
    *) cp "$ko" "$root/modules/$m.ko" ;;
    esac
    echo "$m.ko" >>"$root/modules/order"
done
(cd "$root" && find . | cpio -o -H newc --quiet -R 0:0) | gzip -1 >"$out/initrd.gz"

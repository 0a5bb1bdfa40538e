#!/bin/sh
# SPDX-License-Identifier: MIT
# volumes-guest.sh OUT - the guest that makes logical volumes and arrays: OUT/d12/vmlinuz as
# guest.sh makes it, and OUT/volumes.gz, its initrd with lvm, mdadm, mke2fs, their libraries, the
# modules that they need, and volumes-init.sh. Nothing is installed: what is missing is fetched.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=host/xenhost/debs.sh
. "$top/host/xenhost/debs.sh"
out=$1
modules='crc32c_generic dm-mod dm-mirror dm-snapshot dm-raid md-mod raid0 raid1 ext4'
programs='lvm2:sbin/lvm mdadm:sbin/mdadm e2fsprogs:sbin/mke2fs'
libraries='libc6 libdevmapper1.02.1 libdevmapper-event1.02.1 libaio1 libblkid1 libedit2 libbsd0
    libmd0 libtinfo6 libselinux1 libpcre2-8-0 libudev1 libsystemd0 liblz4-1 liblzma5 libzstd1
    libgcrypt20 libgpg-error0 libcap2 libext2fs2 libcom-err2 libuuid1'

for tool in cpio:cpio gzip:gzip xz:xz-utils objdump:binutils; do
    need "${tool%%:*}" "${tool##*:}"
done
sh "$here/guest.sh" "$out" d12
debs_cache
package=$(deb_real_kernel linux-image-amd64)
version=${package#linux-image-}
kernel=$(deb_tree "$package")
root=$out/volumes-root
rm -rf "$root"
mkdir -p "$root/sbin" "$root/lib64" "$root/lib" "$root/modules" "$root/etc/lvm" "$root/run"
install -m 755 "$here/volumes-init.sh" "$root/init-volumes"

dirs=
for p in $libraries; do
    tree=$(deb_tree "$p")
    dirs="$dirs $tree/lib/x86_64-linux-gnu $tree/usr/lib/x86_64-linux-gnu"
done
# take FILE: the libraries that it needs, and what they need.
take() {
    for so in $(objdump -p "$1" | awk '$1 == "NEEDED" { print $2 }'); do
        [ ! -e "$root/lib/$so" ] || continue
        # shellcheck disable=SC2086 # words
        found=$(find $dirs -maxdepth 1 -name "$so" 2>/dev/null | head -n 1)
        [ -n "$found" ] || die "the library $so is in none of the packages"
        cp -L "$found" "$root/lib/$so"
        take "$root/lib/$so"
    done
}
for p in $programs; do
    tree=$(deb_tree "${p%%:*}")
    file=$tree/${p#*:}
    [ -f "$file" ] || file=$tree/usr/${p#*:}
    cp "$file" "$root/sbin/"
    take "$root/sbin/${p##*/}"
done
cp "$root/lib/ld-linux-x86-64.so.2" "$root/lib64/"

dep=$kernel/lib/modules/$version/modules.dep
[ -s "$dep" ] || dep=$out/d12/modules.dep
[ -s "$dep" ] || depmod -b "$kernel" -o "$out/d12" "$version" 2>/dev/null || depmod -n -b "$kernel" "$version" | sed '/^$/q' >"$dep"
for m in $modules; do
    line=$(grep -E "/$m\.ko(\.[a-z]+)?:" "$dep") || continue # built in
    for f in $(printf '%s\n' "$line" | sed 's/://' | awk '{ for (i = NF; i; i--) print $i }'); do
        ko=$(basename "$f" | sed 's/\.ko.*/.ko/')
        echo "$ko"
        case $f in
        *.xz) xz -dc <"$kernel/lib/modules/$version/$f" >"$root/modules/$ko" ;;
        *) cp "$kernel/lib/modules/$version/$f" "$root/modules/$ko" ;;
        esac
    done
done | awk '!seen[$0]++' >"$root/modules/order-volumes"
cat >"$root/etc/lvm/lvm.conf" <<'END'
devices { scan = [ "/dev" ] obtain_device_list_from_udev = 0 use_devicesfile = 0 md_component_detection = 1 }
activation { udev_sync = 0 udev_rules = 0 monitoring = 0 }
backup { backup = 0 archive = 0 }
global { use_lvmpolld = 0 event_activation = 0 }
END
(cd "$root" && find . | cpio -o -H newc --quiet -R 0:0) | gzip -1 |
    cat "$out/d12/initrd.gz" - >"$out/volumes.gz"

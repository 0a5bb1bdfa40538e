#!/bin/busybox sh
# SPDX-License-Identifier: MIT
#
# written-init.sh - the init of the Linux guest that writes disks for the guest tests (written.py).
# /plan says, a line a disk, what is done; each ends with a line "W: NAME done" on the console.
#
# A system is put on each file system and unmounted; then a kernel is installed as dpkg does it
# (write, fsync, rename, fsync the directory), and a menu that names it. The guest ends without
# unmounting: what was synced is in the journals, and nowhere else.
/bin/busybox --install -s /bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
export PATH=/sbin:/bin LD_LIBRARY_PATH=/lib DM_DISABLE_UDEV=1 MDADM_NO_UDEV=1
mkdir -p /mnt /run/lock
for list in /modules/order*; do
    while read -r module; do
        insmod "/modules/$module" 2>/dev/null
    done <"$list"
done
mdev -s
# Nothing is written home by itself.
echo 0 >/proc/sys/vm/dirty_writeback_centisecs
echo 360000 >/proc/sys/vm/dirty_expire_centisecs
echo 90 >/proc/sys/vm/dirty_ratio
echo 80 >/proc/sys/vm/dirty_background_ratio
[ ! -f /proc/sys/fs/xfs/xfssyncd_centisecs ] || echo 720000 >/proc/sys/fs/xfs/xfssyncd_centisecs

disk() { # SERIAL: the device
    for d in /sys/block/vd*; do
        [ "$(cat "$d/serial")" != "$1" ] || echo "/dev/${d##*/}"
    done
}

install_synced() { # FROM TO
    cp "$1" "$2.new" && sync "$2.new" && mv "$2.new" "$2" && sync "${2%/*}"
}

# fill NAME DEVICE FILE-SYSTEM crash|clean
fill() {
    at=/mnt/$1
    mkdir -p "$at"
    mount -t "$3" "$2" "$at" && mkdir -p "$at/boot/grub" &&
        cp /payload/vmlinuz "$at/boot/vmlinuz-old" && cp /payload/initrd "$at/boot/initrd-old" &&
        cp "/payload/$1.old" "$at/boot/grub/menu.lst" &&
        printf '0\n#\n#\n#\n#\n#\n#\n#\n#\n' >"$at/boot/grub/default" && umount "$at" || return 1
    mount -t "$3" "$2" "$at" && install_synced /payload/vmlinuz "$at/boot/vmlinuz-new" &&
        install_synced /payload/initrd "$at/boot/initrd-new" &&
        install_synced "/payload/$1.new" "$at/boot/grub/menu.lst" || return 1
    [ "$4" = crash ] || umount "$at"
}

# flooded NAME DEVICE FILE-SYSTEM OPTIONS NR: a system, and a journal as full as flood makes it.
flooded() {
    fill "$1" "$2" "$3" clean && mount -t "$3" -o "$4" "$2" "/mnt/$1" && flood "/mnt/$1" "$5"
}

# volume NAME DEVICE crash|clean: the same on a new ext4 of a logical volume or an array.
volume() {
    /sbin/mke2fs -q -F -t ext4 -E lazy_itable_init=0 "$2" && fill "$1" "$2" ext4 "$3"
}

# lvm_system NAME GROUP LVCREATE-OPTIONS DISK...: on a logical volume named root
lvm_system() {
    local name=$1 group=$2 how=$3
    shift 3
    lvm vgcreate -q -s 1M "$group" "$@" &&
        lvm lvcreate -q -y -Wn -Zy $how -n root "$group" && volume "$name" "/dev/$group/root" crash
}

# half_mirror NAME ARRAY DISK: an md RAID1 of two disks, of which one is not there
half_mirror() {
    mdadm --create -q --run /dev/md1 --metadata=1.2 --level=1 --raid-devices=2 --name="$2" "$3" \
        missing && volume "$1" /dev/md1 crash
}

# on NAME COMMAND...: what it comes to.
on() {
    name=$1
    shift
    if "$@" >/log 2>&1; then
        echo "W: $name done"
    else
        cat /log
        echo "W: $name failed: $*"
    fi
}

. /plan
echo "W: end"
poweroff -n -f

#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# The init of the guest that makes logical volumes and arrays. Each gets an ext4 with a few files;
# what Linux sees of it goes to the disk "report", under the name that pvboot has for it. Disks are
# found by their serial numbers: v0 to v4 for LVM (v4 has sectors of 4096 bytes), m0 to m11 for md.
/bin/busybox --install -s /bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
export PATH=/sbin:/bin LD_LIBRARY_PATH=/lib DM_DISABLE_UDEV=1 MDADM_NO_UDEV=1
for list in /modules/order /modules/order-volumes; do
    while read -r module; do
        insmod "/modules/$module" 2>/dev/null
    done <$list
done
mkdir -p /mnt /run/lock
exec 3>/report
serial() {
    for d in /sys/block/vd*; do
        [ "$(cat "$d/serial")" != "$1" ] || echo "/dev/${d##*/}"
    done
}
for n in v0 v1 v2 v3 v4 m0 m1 m2 m3 m4 m5 m6 m7 m8 m9 m10 m11; do
    eval "$n=$(serial $n)"
done
say() {
    echo "$(cut -d' ' -f1 /proc/uptime) $*"
}
# Every step must go well: what was not made would not be compared.
try() {
    say "$*"
    "$@" >/tmp.log 2>&1 || { cat /tmp.log; echo "# failed: $*" >&3; }
}
lv() {
    try lvm lvcreate -q -y -Wn -Zy "$@"
}
# fill DEVICE: a file system with files that tell this volume from all others.
fill() {
    /sbin/mke2fs -q -F -t ext4 -E lazy_itable_init=0 "$1" && mount -t ext4 "$1" /mnt || { echo "# failed: filling $1" >&3; return; }
    echo "$1" >/mnt/name
    cp /sbin/lvm /mnt/lvm
    dd if=/dev/urandom of=/mnt/random bs=1000 count=3777 2>/dev/null
    mkdir -p /mnt/boot/grub /mnt/many
    printf 'title one\nroot (lvm/vg-a-root)\nkernel /random\n' >/mnt/boot/grub/menu.lst
    for i in 1 2 3 4 5 6 7 8 9; do
        echo "$1 $i" >"/mnt/many/file-$i"
    done
    ln -s ../many/file-3 /mnt/boot/link
    umount /mnt
}
# look NAME DEVICE
look() {
    say "reading $1"
    echo "# image $1" >&3
    mount -t ext4 -o ro "$2" /mnt && report /mnt >&3 && umount /mnt || echo "# failed: reading $1" >&3
}
both() {
    fill "$2"
    look "$1" "$2"
}

# ---- LVM: two groups, the first with a hyphen in its name; v3 has a partition ---------------------
p3=${v3}1
try lvm vgcreate -q -s 1M vg-a "$v0" "$v1" "$v2" "$p3"
lv -L 12M -n root vg-a "$v0"
try lvm lvextend -q -L 24M vg-a/root "$p3"
lv -i2 -I64k -L 24M -n str-2 vg-a "$v0" "$v1"
lv -i3 -I4k -L 24M -n str3 vg-a "$v0" "$v1" "$v2"
lv --type mirror -m1 --mirrorlog core -L 16M -n mir vg-a "$v1" "$v2"
lv --type mirror -m1 -L 16M -n mirlog vg-a "$v1" "$v2" "$v0"
lv -m1 -L 16M -n r1 vg-a "$v0" "$v2"
lv --type raid1 -m2 -L 16M -n r3 vg-a "$v0" "$v1" "$v2"
lv -L 16M -n moved vg-a "$v0"
lv --type raid5 -i2 -L 16M -n r5 vg-a "$v0" "$v1" "$v2"
for n in root str-2 str3 mir mirlog r1 r3 moved; do
    fill "/dev/vg-a/$n"
done
try lvm lvcreate -q -y -s -L 4M -n snap vg-a/root "$v2"
# The origin goes on; half of what is moved goes to another disk.
mount -t ext4 /dev/vg-a/root /mnt
echo new >/mnt/many/after-the-snapshot
rm /mnt/many/file-1
umount /mnt
try lvm pvmove -q -n moved "$v0" "$p3"
for n in root str-2 str3 mir mirlog r1 r3 moved; do
    look "lvm/vg--a-$(echo $n | sed 's/-/--/g')" "/dev/vg-a/$n"
done

try lvm vgcreate -q -s 1M big "$v4"
lv -L 24M -n data big
both lvm/big-data /dev/big/data

# ---- md ------------------------------------------------------------------------------------------
array() {
    try mdadm --create -q --run "$@"
}
array /dev/md0 --metadata=0.90 --level=1 --raid-devices=2 "${m0}1" "${m1}1"
array /dev/md1 --metadata=1.0 --level=1 --raid-devices=2 --name=one "$m2" "$m3"
array /dev/md2 --metadata=1.1 --level=1 --raid-devices=2 --name=two "$m4" missing
array /dev/md3 --metadata=1.2 --level=1 --raid-devices=2 --name=host:home "$m5" "$m6"
array /dev/md4 --metadata=1.2 --level=1 --raid-devices=2 --name=lvm --bitmap=internal "$m7" "$m8"
array /dev/md5 --metadata=1.2 --level=1 --raid-devices=2 --name=parts "$m9" missing
array /dev/md6 --metadata=1.2 --level=0 --raid-devices=2 --name=zero "$m10" "$m11"
both md/0 /dev/md0
both md/one /dev/md1
both md/two /dev/md2
fill /dev/md3
# m6 fails, and the array goes on without it.
mdadm --wait /dev/md3
try mdadm -q /dev/md3 --fail "$m6"
fill /dev/md3
look md/home /dev/md3
try lvm vgcreate -q -s 1M onmd /dev/md4
lv -L 24M -n data onmd
both lvm/onmd-data /dev/onmd/data
printf 'n\np\n1\n\n\nw\n' | fdisk /dev/md5 >/dev/null 2>&1
both md/parts,0 /dev/md5p1

for n in 0 1 3 4; do
    mdadm --wait /dev/md$n
done
try lvm vgchange -q -an vg-a onmd big
for n in 0 1 2 3 4 5 6; do
    mdadm -q --stop /dev/md$n
done
echo "# end" >&3
exec 3>&-
dd if=/report of="$(serial report)" bs=64k conv=fsync 2>/dev/null
sync
poweroff -n -f

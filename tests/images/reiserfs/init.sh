#!/bin/busybox sh
# shellcheck shell=dash
# SPDX-License-Identifier: MIT
# What make.sh's guest does: tests/unit/test_reiserfs.c knows each of these files.
/bin/busybox --install -s /bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
for list in order order-reiserfs; do
    while read -r module; do
        insmod "/modules/$module"
    done <"/modules/$list"
done
mdev -s
# Blocks go home when this script says so. (0 makes ReiserFS commit at once.)
echo 360000 >/proc/sys/vm/dirty_writeback_centisecs
echo 360000 >/proc/sys/vm/dirty_expire_centisecs

# mounted NAME OPTIONS
mounted() {
    for d in /sys/block/vd*; do
        [ "$(cat "$d/serial")" != "$1" ] || dev=/dev/${d##*/}
    done
    mkdir -p "/mnt/$1"
    mount -t reiserfs -o "$2" "$dev" "/mnt/$1" || poweroff -f
    cd "/mnt/$1" || poweroff -f
}

# text N: the first N bytes of "1\n2\n3\n..."
text() {
    [ "$1" = 0 ] || seq 1 60000 | head -c "$1"
}

mounted clean noatime
for n in 0 1 100 4000 4095 4096 4097 5000 8192 16384 100000; do
    text $n >"size-$n"
done
text 100 | dd of=sparse bs=1000 seek=200 conv=notrunc 2>/dev/null
truncate -s 20000000 long
mkdir -p dir/sub
for i in $(seq 1 700); do
    ln size-0 "dir/name-$i"
done
for i in $(seq 5 10 700); do
    rm -f "dir/name-$i"
done
# R5 gives these one hash.
for n in alal alba baal baba; do
    echo "$n" >"dir/same-$n"
done
echo accent >"$(printf 'dir/caf\303\251')"
ln -s dir/sub link
ln -s "$(printf '%0500d' 7)" long-link
ln -s dir/name-1 to-name
mkfifo -m 640 fifo
mknod -m 600 null c 1 3
chmod 4755 size-1
cd /
umount /mnt/clean

mounted moved noatime,data=journal
mkdir boot
text 200000 >boot/vmlinuz
sync -f .
for i in $(seq 1 12); do
    text $((i * 1000)) | dd of=boot/vmlinuz seek="$i" bs=1000 conv=notrunc,fsync 2>/dev/null
    echo "title $i" | dd of=boot/new conv=fsync 2>/dev/null
    mv boot/new boot/menu.lst
done
echo end | dd of=end conv=fsync 2>/dev/null
cd /

# Each dd is a transaction or more.
mounted dirty noatime
for i in $(seq 1 40); do
    text $((i * 37)) >"file-number-$i"
done
ln -s file-number-2 link
mkdir -p a/b c
text 5000 >a/b/c
sync -f .
for i in $(seq 1 130); do
    text $((i * 11)) | dd of="file-number-$((i % 40 + 1))" conv=fsync 2>/dev/null
    [ $((i % 5)) != 0 ] || rm -f "file-number-$((i % 40 + 1))"
done
text 3000 | dd of=menu.lst-is-new conv=fsync 2>/dev/null
text 300 | dd of=menu.lst-is-here conv=fsync 2>/dev/null
mv menu.lst-is-new menu.lst-is-here
rmdir c
text 12000 | dd of=last-of-all-files conv=fsync 2>/dev/null
# Not synced: its transaction is still open.
text 500 >never-to-be-seen
cd /
poweroff -n -f

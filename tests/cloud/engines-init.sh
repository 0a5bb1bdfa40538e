#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# The init of the engines' guests: writes a counter to the second disk, says so on the console, and
# does what it is asked to: on the kernel's command line (crash, reboot, off: after three of them), and
# from outside.
/bin/busybox mkdir -p /proc /sys /dev
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r m; do insmod "/modules/$m"; done </modules/order
read -r cmdline </proc/cmdline
data=
for i in 1 2 3 4 5 6 7 8 9 10; do
    for d in vdb xvdb sdb; do [ ! -b /dev/$d ] || data=/dev/$d; done
    [ -z "$data" ] || break
    sleep 1
done
dmesg -n 1
echo "T: up, kernel $(uname -r), disks" $(grep -v -e loop -e ram -e name /proc/partitions | awk 'NF { print $4 }')
for key in /dev/input/event*; do # the power button is one
    (dd if="$key" bs=24 count=1 >/dev/null 2>&1 && /sbin/poweroff) &
done
n=0
while true; do
    n=$((n + 1))
    [ -z "$data" ] || printf 'count %d\n' $n | dd of=$data bs=512 count=1 conv=sync,fsync 2>/dev/null
    echo "T: wrote $n"
    if [ $n = 3 ]; then
        case $cmdline in
        *crash*) echo c >/proc/sysrq-trigger ;;
        *reboot*) /sbin/reboot ;;
        *off*) /sbin/poweroff ;;
        esac
    fi
    for d in vdc xvdf sdf; do [ ! -b /dev/$d ] || echo "T: has $d"; done
    sleep 1
done

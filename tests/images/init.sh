#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# The guest's init: for each disk by its serial number, "w-N-NAME" is written to first (N entries),
# "r-NAME" is only read. All is mounted read-only and reported to the disk "report".
/bin/busybox --install -s /bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
while read -r module; do
    insmod "/modules/$module" || echo "insmod $module failed"
done </modules/order
mdev -s
report=
for d in /sys/block/vd*; do
    [ "$(cat "$d/serial")" = report ] && report=/dev/${d##*/}
done
exec 3>"$report"
for d in /sys/block/vd*; do
    dev=/dev/${d##*/}
    serial=$(cat "$d/serial")
    case $serial in
    w-*)
        nr=${serial#w-}
        nr=${nr%%-*}
        echo "$(cut -d" " -f1 /proc/uptime) writing $serial"
        if ! { mount -t ext4 "$dev" /mnt && writer /mnt "$nr" && umount /mnt; }; then
            echo "# failed $serial writing" >&3
            umount /mnt
            continue
        fi
        ;;
    r*-*) ;;
    *) continue ;;
    esac
    echo "$(cut -d" " -f1 /proc/uptime) reading $serial"
    echo "# image $serial" >&3
    if mount -t ext4 -o ro "$dev" /mnt; then
        report /mnt >&3 || echo "# failed $serial reading" >&3
        umount /mnt
    else
        echo "# failed $serial mounting" >&3
    fi
done
echo "# end" >&3
exec 3>&-
sync
poweroff -f

#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# The guest's init. The disk with the serial number "plan" holds its work, a disk a line:
#
#   SERIAL MODE FILE-SYSTEM MOUNT-OPTIONS NUMBER
#
# r  mount read-only, report        rw  mount writable (which recovers), report
# w  write with NUMBER entries, unmount, then as r
# d  write, and leave mounted: the guest's end is a crash. No report.
# c  upgrade kernels, once and then in the background without end: the guest waits to be killed
# p  report the partitions: number, start and size in 512 bytes, what their file "name" holds
#
# What Linux sees goes to the disk "report".
/bin/busybox --install -s /bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
load() {
    while read -r module; do
        [ -f "/modules/done-$module" ] || insmod "/modules/$module" || echo "insmod $module failed"
        : >"/modules/done-$module"
    done <"$1"
}
load /modules/order
mdev -s
# Serial number and device of each disk, once: a process a disk each time takes long under emulation.
for d in /sys/block/vd*; do
    read -r serial <"$d/serial"
    echo "$serial /dev/${d##*/}"
done >/disks
disk() {
    while read -r known device; do
        [ "$known" != "$1" ] || echo "$device"
    done </disks
}
say() {
    echo "$(cut -d" " -f1 /proc/uptime) $*"
}
failed() {
    echo "# failed $serial $1" >&3
    umount "/mnt/$serial" 2>/dev/null
}
report_tree() {
    say "reading $serial $options"
    echo "# image $serial" >&3
    if mount -t "$fs" -o "$options" "$dev" "/mnt/$serial"; then
        report "/mnt/$serial" >&3 || failed reading
        umount "/mnt/$serial"
    else
        failed mounting
    fi
}
write_tree() {
    say "writing $serial"
    mount -t "$fs" -o "$options" "$dev" "/mnt/$serial" && "$1" "/mnt/$serial" "$number"
}
report_partitions() {
    echo "# image $serial" >&3
    for part in "/sys/block/${dev#/dev/}"/*/partition; do
        [ -f "$part" ] || continue
        at=${part%/partition}
        # An extended partition appears as two sectors, in which nothing can lie.
        [ "$(cat "$at/size")" -gt 8 ] || continue
        content=
        if mount -t "$fs" -o ro "/dev/${at##*/}" "/mnt/$serial"; then
            content=$(cat "/mnt/$serial/name")
            umount "/mnt/$serial"
        fi
        echo "$(cat "$part") $(cat "$at/start") $(cat "$at/size") $content" >&3
    done
}
exec 3>/report
tr -d '\0' <"$(disk plan)" >/plan
# Nothing is written home behind the back of a test of journals; a machine that runs is left as it is.
quiet=1
grep -q " c " /plan && quiet=
if [ "$quiet" ]; then
    echo 360000 >/proc/sys/vm/dirty_writeback_centisecs # 0 makes ReiserFS commit at once
    echo 360000 >/proc/sys/vm/dirty_expire_centisecs
    echo 90 >/proc/sys/vm/dirty_ratio
    echo 80 >/proc/sys/vm/dirty_background_ratio
fi
end=sync
while read -r serial mode fs options number <&4; do
    dev=$(disk "$serial")
    mkdir -p "/mnt/$serial"
    load "/modules/order-$fs"
    [ "$fs" != xfs ] || [ -z "$quiet" ] || echo 720000 >/proc/sys/fs/xfs/xfssyncd_centisecs
    [ "$options" != - ] || options=
    # Copies of an image have one name.
    [ "$fs" != xfs ] || options=${options:+$options,}nouuid
    case $mode in
    r) options=ro${options:+,$options} && report_tree ;;
    rw) options=rw${options:+,$options} && report_tree ;;
    w)
        options=rw${options:+,$options}
        if write_tree writer && umount "/mnt/$serial"; then
            options=ro${options#rw}
            report_tree
        else
            failed writing
        fi
        ;;
    p) report_partitions ;;
    d)
        options=rw${options:+,$options}
        end=
        write_tree dirty || failed writing
        ;;
    c)
        options=rw${options:+,$options}
        end=never
        if mount -t "$fs" -o "$options" "$dev" "/mnt/$serial" && upgrades "/mnt/$serial" 1; then
            { upgrades "/mnt/$serial"; echo "# failed $serial"; } &
        else
            echo "# failed $serial mounting"
        fi
        ;;
    esac
done 4</plan
if [ "$end" = never ]; then
    echo "# running"
    wait
fi
echo "# end" >&3
exec 3>&-
dd if=/report of="$(disk report)" bs=64k conv=fsync 2>/dev/null
[ -z "$end" ] || sync
poweroff -n -f

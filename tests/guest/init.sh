#!/bin/busybox sh
# SPDX-License-Identifier: MIT
#
# init.sh - /init of the tests' initrd. Reports what the kernel was given, in
# lines "T: KEY VALUE", does what the words pv.* of its command line ask for,
# and powers off.
#
#   pv.read=DEV:PATH   hash of a file, read through the kernel's own driver
#   pv.write=DEV       writes a file, drops the caches, reads it back
#   pv.dirty=DEV       writes a file, and leaves the file system mounted
#   pv.wait            waits for a line on the console, then goes on
#   pv.end=reboot|crash    ends in another way
/bin/busybox mkdir -p /proc /sys /dev /mnt /bin
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
dmesg -n 1
while read -r m; do
	insmod "/modules/$m" || echo "T: trouble module $m"
done </modules/order
dmesg -n 1

echo "T: kernel $(uname -r)"
echo "T: cmdline $(cat /proc/cmdline)"
echo "T: memtotal $(awk '/^MemTotal/ { print $2 }' /proc/meminfo)"
echo "T: cpus $(grep -c '^processor' /proc/cpuinfo)"
if (cd / && sha256sum -c -s manifest); then
	echo "T: initrd $(sha256sum </manifest | cut -d ' ' -f 1)"
else
	echo "T: initrd damaged"
fi

# Disks whose backend answers become block devices within moments.
settle() {
	n=0
	while [ "$n" -lt 100 ] && [ ! -b "/dev/$1" ]; do
		usleep 50000
		n=$((n + 1))
	done
}
disks() {
	for d in /sys/block/xvd* /sys/block/sd*; do
		[ -d "$d" ] || continue
		echo "T: disk ${d##*/} $(cat "$d/size") ro=$(cat "$d/ro") $(cat "$d/queue/logical_block_size")"
	done
}
given() { # given WORD: its values on the command line
	tr ' ' '\n' </proc/cmdline | sed -n "s/^$1=//p"
}

for r in $(given pv.read); do
	dev=${r%%:*}
	settle "$dev"
	mount -o ro "/dev/$dev" /mnt || { echo "T: trouble mount $dev"; continue; }
	echo "T: read $r $(sha256sum <"/mnt/${r#*:}" | cut -d ' ' -f 1)"
	umount /mnt
done
for dev in $(given pv.dirty); do
	settle "$dev"
	mount "/dev/$dev" /mnt || { echo "T: trouble mount $dev"; continue; }
	dd if=/manifest of=/mnt/left-behind.txt conv=fsync 2>/dev/null
	echo "T: dirty $dev"
done
for dev in $(given pv.write); do
	settle "$dev"
	mount "/dev/$dev" /mnt || { echo "T: trouble mount $dev"; continue; }
	head -c 1000003 /dev/urandom >/tmp.bin
	cp /tmp.bin /mnt/written.bin
	umount /mnt
	echo 3 >/proc/sys/vm/drop_caches
	mount "/dev/$dev" /mnt || { echo "T: trouble mount $dev again"; continue; }
	cmp /tmp.bin /mnt/written.bin && echo "T: written $dev"
	umount /mnt
done
disks
# How the guest's own driver has its disks.
for d in /sys/block/xvd*; do
	[ ! -d "$d/mq" ] || echo "T: queues ${d##*/} $(find "$d/mq" -mindepth 1 -maxdepth 1 | wc -l)"
done
dmesg | sed -n 's/.*blkfront: \(xvd[a-z]*\): .*persistent grants: \([a-z]*\);.*/T: persistent \1 \2/p'
if grep -q 'pv\.wait' /proc/cmdline; then
	echo "T: waiting"
	read -r line
	echo "T: resumed $line"
	for r in $(given pv.read); do
		dev=${r%%:*}
		echo 3 >/proc/sys/vm/drop_caches
		mount -o ro "/dev/$dev" /mnt
		echo "T: again $r $(sha256sum <"/mnt/${r#*:}" | cut -d ' ' -f 1)"
		umount /mnt
	done
fi
echo "T: done"
case $(given pv.end) in
reboot) reboot -f ;;
crash) echo c >/proc/sysrq-trigger ;;
*) poweroff -f ;;
esac

#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# The initrd of the demo disk: loads the modules, mounts the root file system
# that root= names, starts its init.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
while read -r m; do
	insmod "/modules/$m"
done </modules/order
root=$(tr ' ' '\n' </proc/cmdline | sed -n 's/^root=//p')
n=0
while [ ! -b "$root" ] && [ "$n" -lt 100 ]; do
	usleep 50000
	n=$((n + 1))
done
if ! mount -o ro "$root" /root; then
	echo "initrd: the root file system $root cannot be mounted; a shell:"
	exec sh
fi
umount /proc /sys
mount --move /dev /root/dev
exec switch_root /root /sbin/init

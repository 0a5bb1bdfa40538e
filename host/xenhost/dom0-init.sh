#!/bin/busybox sh
# SPDX-License-Identifier: MIT
#
# dom0-init.sh - /init of the embedded host's dom0: brings up xenstored and
# xenconsoled and becomes the agent. Everything that it says goes to Xen's log.
. /etc/path
export PATH
mount -t devtmpfs dev /dev
mkdir -p /dev/pts
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs -o size=90% tmpfs /tmp
mkdir -p /tmp/pv /tmp/files
while read -r m; do
	insmod "/lib/modules/$m" || echo "pvboot-host: module $m did not load"
done </lib/modules/order
mount -t xenfs xenfs /proc/xen
xenstored --pid-file /run/xenstored.pid || echo "pvboot-host: xenstored did not start"
xen-init-dom0 >/dev/null || echo "pvboot-host: xen-init-dom0 failed"
xenconsoled --pid-file=/run/xenconsoled.pid || echo "pvboot-host: xenconsoled did not start"
/bin/agent
echo "pvboot-host: the agent ended"
sync
poweroff -f

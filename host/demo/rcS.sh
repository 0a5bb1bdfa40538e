#!/bin/sh
# SPDX-License-Identifier: MIT
# The demo's start: file systems, then either a shell (inittab) or the end.
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -o remount,rw /
hostname -F /etc/hostname
case " $(cat /proc/cmdline) " in
*' demo.poweroff '*)
	echo
	echo "demo: this is Linux $(uname -r), the kernel of this disk, started by pvboot."
	echo "demo: it was given: $(cat /proc/cmdline)"
	echo "demo: powering off."
	mount -o remount,ro /
	poweroff -f # init itself listens only after this script
	;;
esac

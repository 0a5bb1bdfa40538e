#!/bin/sh
# SPDX-License-Identifier: MIT
#
# dom0-block.sh - the block hotplug script of the embedded host. libxl runs it
# as "block add|remove" with XENBUS_PATH set to the backend's node. It tells
# blkback which device it serves. As block-loop it puts a loop device between.
. /etc/path
export PATH
if [ "$1" != add ]; then
	loop=$(xenstore-read "$XENBUS_PATH/loop" 2>/dev/null) || exit 0
	losetup -d "$loop"
	exit 0
fi
dev=$(xenstore-read "$XENBUS_PATH/params" 2>/dev/null)
if [ "${0##*/}" = block-loop ]; then
	loop=$(losetup -f) && losetup "$loop" "$dev" || loop=
	xenstore-write "$XENBUS_PATH/loop" "$loop"
	dev=${loop:-a loop device for $dev}
fi
if [ -b "$dev" ]; then
	xenstore-write "$XENBUS_PATH/physical-device" "$(stat -L -c '%t:%T' "$dev")" \
		"$XENBUS_PATH/physical-device-path" "$dev"
else
	xenstore-write "$XENBUS_PATH/hotplug-error" "$dev is not a block device" \
		"$XENBUS_PATH/hotplug-status" error
	exit 1
fi
xenstore-write "$XENBUS_PATH/hotplug-status" connected

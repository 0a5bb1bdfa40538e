#!/bin/sh
# SPDX-License-Identifier: MIT
#
# dom0-block.sh - the block hotplug script of the embedded host. libxl runs it
# as "block add|remove" with XENBUS_PATH set to the backend's node. It tells
# blkback which device it serves.
. /etc/path
export PATH
[ "$1" = add ] || exit 0
dev=$(xenstore-read "$XENBUS_PATH/params" 2>/dev/null)
if [ -b "$dev" ]; then
	xenstore-write "$XENBUS_PATH/physical-device" "$(stat -L -c '%t:%T' "$dev")" \
		"$XENBUS_PATH/physical-device-path" "$dev"
else
	xenstore-write "$XENBUS_PATH/hotplug-error" "$dev is not a block device" \
		"$XENBUS_PATH/hotplug-status" error
	exit 1
fi
xenstore-write "$XENBUS_PATH/hotplug-status" connected

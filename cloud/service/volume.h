/* SPDX-License-Identifier: MIT */
/*
 * Volumes: rows of the table `volume`, each with a blob that it alone writes to.
 *
 *   state        creating -> available <-> in-use;  error when it could not be made;  deleting
 *   attach_state attaching -> attached -> detaching, NULL without an instance
 *
 * Who makes an instance inserts its volumes as 'creating' with `instance` and `device` set; the
 * keeper makes their blobs and they become 'in-use' and 'attached', or 'error' with a reason. The
 * instance takes every volume with its id and a blob along when it starts. What happens to a guest
 * that runs (attach, detach) happens in the keeper's room of the instances, where nothing else
 * talks to that guest meanwhile. After an instance is 'terminated' its volumes go or become free.
 */
#ifndef PVBOOT_CLOUD_SERVICE_VOLUME_H
#define PVBOOT_CLOUD_SERVICE_VOLUME_H

#include <stdbool.h>

/* A device's name as the guest's host has it: "sdf" of "/dev/sdf". */
const char *volume_vdev(const char *device);

/* Is it the name of a disk that an instance can have: /dev/sda1, sdf, /dev/xvdf? */
bool volume_device_good(const char *device);

#endif

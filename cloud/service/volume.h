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
 *
 * Snapshots: rows of the table `snapshot`, pending -> completed, or error. The keeper copies the
 * blob `source` of the volume, by itself or, while a guest runs with it, through the engine, to a
 * blob that has the same parent and never changes.
 *
 *   volume.c          the keeper's step for volumes
 *   snapshot.c        the keeper's step for snapshots
 *   ec2_volumes.c     Create, Delete, Describe...
 *   ec2_attach.c      AttachVolume, DetachVolume
 *   ec2_snapshots.c   Create, Delete, Describe..., their permissions
 */
#ifndef PVBOOT_CLOUD_SERVICE_VOLUME_H
#define PVBOOT_CLOUD_SERVICE_VOLUME_H

#include <stdbool.h>

#include "cloud/service/request.h"

#define VOLUME_DEVICE_BYTES 32
#define VOLUME_DEPTH_MAX    8 /* blobs under that of a snapshot */
#define VOLUME_GIB          (UINT64_C(1) << 30)

/* A device's name as the guest's host has it: "sdf" of "/dev/sdf". */
const char *volume_vdev(const char *device);

/* Is it the name of a disk that an instance can have: /dev/sda1, sdf, /dev/xvdf? */
bool volume_device_good(const char *device);

#endif

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
 *   volume.c                 the keeper's step for volumes
 *   volume_find.c            look-ups and limits
 *   snapshot.c               the keeper's step for snapshots
 *   ec2_volumes.c            Create, Delete, Attach, Detach
 *   ec2_volume_list.c        Describe
 *   ec2_snapshots.c          Create, Delete, permissions
 *   ec2_snapshot_list.c      Describe
 */
#ifndef PVBOOT_CLOUD_SERVICE_VOLUME_H
#define PVBOOT_CLOUD_SERVICE_VOLUME_H

#include <stdbool.h>

#include "cloud/service/blob.h"
#include "cloud/service/ec2_common.h"

#define VOLUME_DEVICE_BYTES 32
#define VOLUME_DEPTH_MAX    8 /* blobs under that of a snapshot */
#define VOLUME_GIB          (UINT64_C(1) << 30)

/* A device's name as the guest's host has it: "sdf" of "/dev/sdf". */
const char *volume_vdev(const char *device);

/* What tells one disk of a guest from the other: "f1" of "/dev/sdf1" and of "xvdf1". */
const char *volume_letter(const char *device);

/* Can a guest not have both: are they one disk, or a disk and a part of it? */
bool volume_clash(const char *a, const char *b);

/*
 * Does the instance have a volume, shown or hidden, as this device? Its root device is one that it
 * may be without while it is stopped.
 */
bool volume_at(sqlite3 *c, const char *instance, const char *device);

/* Is it the name of a disk that an instance can have: /dev/sda1, sdf, /dev/xvdf? */
bool volume_device_good(const char *device);

/*
 * Is a volume of this size within the limits, in the transaction that inserts it? False: the answer
 * is InvalidParameterValue or VolumeLimitExceeded.
 */
bool volume_allowed(struct ec2_call *call, sqlite3 *c, int64_t size_gib);

/* The name of the one zone. */
void volume_zone(const struct service *svc, char out[80]);

/* The volume types that are taken; there is one kind of volumes. False: the answer is an error. */
bool volume_take_type(struct ec2_call *call);

struct snapshot {
    char id[EC2_ID_BYTES];
    bool own;
    int64_t size_gib;
    struct blob blob;
};

/* A completed snapshot that the account may make volumes of. False: the answer is an error. */
bool snapshot_take(struct ec2_call *call, sqlite3 *c, const char *id, struct snapshot *out);

/*
 * The row of a snapshot that is pending, within the quota. False: the answer is an error, or the
 * state could not be written.
 */
bool snapshot_insert(struct ec2_call *call, sqlite3 *c, const char *volume, const char *id,
                     const char *description);

/* What Describe writes of one, in <item>s and in the answers of Create. */
struct volume_row {
    const char *id, *state, *snapshot, *instance, *device, *attach_state, *reason;
    int64_t size_gib, created, attached;
    bool delete_on_termination;
};

#define VOLUME_COLUMNS                                                                             \
    " id, state, snapshot, instance, device, attach_state, reason, size_gib, created, attached,"   \
    " delete_on_termination "

void volume_read(sqlite3_stmt *s, struct volume_row *out); /* valid until it moves on */
void volume_write(struct buf *out, const struct service *svc, sqlite3 *c, const char *account,
                  const struct volume_row *v);
void volume_write_attachment(struct buf *out, const struct volume_row *v);

struct snapshot_row {
    const char *id, *account, *volume, *state, *reason, *description, *source, *copy;
    int64_t size_gib, created;
};

#define SNAPSHOT_COLUMNS                                                                           \
    " id, account, volume, state, reason, description, source, copy, size_gib, created "

void snapshot_read(sqlite3_stmt *s, struct snapshot_row *out);
void snapshot_write(struct buf *out, const struct service *svc, sqlite3 *c, const char *account,
                    const struct snapshot_row *row);

/* ---- actions ---- */

void ec2_attach_volume(struct ec2_call *call);
void ec2_create_snapshot(struct ec2_call *call);
void ec2_create_volume(struct ec2_call *call);
void ec2_delete_snapshot(struct ec2_call *call);
void ec2_delete_volume(struct ec2_call *call);
void ec2_describe_snapshot_attribute(struct ec2_call *call);
void ec2_describe_snapshots(struct ec2_call *call);
void ec2_describe_volume_status(struct ec2_call *call);
void ec2_describe_volumes(struct ec2_call *call);
void ec2_detach_volume(struct ec2_call *call);
void ec2_modify_snapshot_attribute(struct ec2_call *call);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Work that goes on behind the requests.
 *
 * A request only writes down what is wanted: a row in a state that is on its way (an image that is
 * pending, an instance that is stopping). The keeper's threads look for such rows, do what they
 * ask for, and write down how it went. Since each step begins from the rows and may be repeated, a
 * service that was killed goes on where it was: its first look at the rows is like every other one.
 *
 * Rooms, so that starting an instance does not wait for the unpacking of an image, nor for the
 * guest of somebody else to let go of a disk.
 */
#ifndef PVBOOT_CLOUD_SERVICE_KEEPER_H
#define PVBOOT_CLOUD_SERVICE_KEEPER_H

#include <stdbool.h>

#include "host/stop.h"

struct service;
struct keeper;

enum keeper_room {
    KEEPER_INSTANCES, /* starting, stopping, watching, new disks: no step takes long */
    KEEPER_DISKS,     /* attaching and detaching: a guest may take its time */
    KEEPER_COPIES,    /* images, snapshots: one thing at a time, as long as it takes */
    NR_KEEPER_ROOMS,
};

/* Call when the state is open. NULL: no thread can be made. */
struct keeper *keeper_start(struct service *svc);

/* There is something new to do. Without it a room looks every second. */
void keeper_wake(struct keeper *k, enum keeper_room room);

/*
 * The service is about to end: long work gives up, and so do requests that wait for another S3.
 * keeper_stop says it, too, but requests need the keeper and have to end before it.
 */
void keeper_tell_stop(struct keeper *k);

/* Waits for the step of the moment. */
void keeper_stop(struct keeper *k);

/*
 * Of two rooms that change instances (the engines want that one thing at a time is done to a guest)
 * only one holds an instance. False: the other does; its release wakes this one. A room holds one
 * at a time, and must look at its row again when it has it.
 */
bool keeper_hold(struct keeper *k, enum keeper_room room, const char *instance);
void keeper_release(struct keeper *k, enum keeper_room room);

/* Not 0 when long work must give up. */
const stop_flag *keeper_stopping(const struct keeper *k);

/*
 * The steps, each in the file of its objects. One call does one thing, or finds nothing to do and
 * returns false. What failed for a reason that may pass (a full disk) stays as it is and returns
 * false, too, so that a room does not spin.
 */
bool images_step(struct service *svc);
bool volumes_step(struct service *svc);
bool attachments_step(struct service *svc);
bool snapshots_step(struct service *svc);
bool blobs_step(struct service *svc);
bool instances_step(struct service *svc);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Instances: rows of the table `instance`, and what the service does with them.
 *
 *   pending -> running -> stopping -> stopped -> pending ...
 *   any of them -> shutting-down -> terminated, which is shown for an hour
 *
 * Requests change rows and nothing else; the keeper (instance_keeper.c) does what a row in a state
 * that is on its way asks for, and writes down the next state. It asks the engine what really runs,
 * whatever the rows say, so that the first look after a crash needs no code of its own.
 *
 *   instance.c             reading rows, with volumes and tags
 *   instance_xml.c         how the API shows them
 *   instance_guest.c       what the engine is told when an instance starts
 *   instance_seed.c        user data on its way into the guest
 *   instance_keeper.c      the steps
 *   ec2_run*.c, ec2_instance*.c   the actions
 */
#ifndef PVBOOT_CLOUD_SERVICE_INSTANCE_H
#define PVBOOT_CLOUD_SERVICE_INSTANCE_H

#include "cloud/engine/engine.h"
#include "cloud/service/ec2_common.h"

#define INSTANCE_SHOWN_S     3600 /* after it was terminated */
#define INSTANCE_VOLUMES_MAX (ENGINE_DISKS_MAX - 1)
#define INSTANCE_SEED_VDEV   "xvdz" /* the disk with the user data */
#define INSTANCE_DEVICE      32     /* bytes of a device's name */

/* The number that the API has for a state: 0 pending, 16 running, ... -1: none. */
int instance_code(const char *state);

/* ---- reading ---------------------------------------------------------------------------------
 */

struct instance_volume {
    char id[EC2_ID_BYTES], device[INSTANCE_DEVICE];
    const char *status; /* attaching, attached, detaching */
    int64_t attached_s;
    bool delete_on_termination;
};

/* Texts are valid until the cursor moves on. */
struct instance {
    const char *id, *account, *reservation, *image, *arch, *kernel, *ramdisk, *type, *state;
    const char *reason_code, *reason, *root_type, *root_device, *shutdown_behavior, *client_token;
    int64_t launch_index, changed_s, launched_s;
    bool disable_termination;
    struct instance_volume volume[INSTANCE_VOLUMES_MAX]; /* those that the API shows */
    size_t nr_volumes;
    struct ec2_tags tags;
};

enum instance_choice {
    INSTANCES_ALL,       /* of the account; `what` is not used */
    INSTANCES_BY_ID,     /* `what` is a JSON list of ids */
    INSTANCES_OF_LAUNCH, /* `what` is a reservation */
};

/*
 * One walk over three statements that list the same instances in the same order: no statement per
 * instance, and nothing is kept in memory but the one at hand.
 */
struct instance_cursor {
    sqlite3 *c;
    sqlite3_stmt *rows, *volumes, *tags;
    bool volume_waits, tag_waits; /* the statement stands on a row that is not taken yet */
    struct buf tag_text;
    struct instance now;
};

/*
 * The instances of an account, by launch and by their place in it, behind (`after`, `after_index`),
 * which are "" and 0 for the beginning. Until the cursor is closed the reader sees one state.
 */
bool instances_open(struct instance_cursor *k, sqlite3 *c, const char *account,
                    enum instance_choice choice, const char *what, const char *after,
                    int64_t after_index);
bool instances_next(struct instance_cursor *k);
void instances_close(struct instance_cursor *k);

/* Does the account have them all? False: the answer is an error. */
bool instances_check(struct ec2_call *call, sqlite3 *c, const struct ec2_list *ids);

/* Ids as a JSON list. */
void instances_json(const struct ec2_list *ids, struct buf *out);

/* ---- showing --------------------------------------------------------------------------------- */

/* One <item> of instancesSet. */
void instance_write(struct buf *out, const struct service *svc, const struct instance *i);

/* <NAME><code/><name/></NAME> */
void instance_write_state(struct buf *out, const char *name, const char *state);

/* The <item>s of blockDeviceMapping. */
void instance_write_volumes(struct buf *out, const struct instance *i);

/* What begins and ends an <item> of reservationSet, or the answer of RunInstances. */
void instance_open_launch(struct buf *out, const char *reservation, const char *account);
void instance_close_launch(struct buf *out);

/* The answer's reason for the last change: "User initiated (2026-01-31 23:59:59 GMT)". */
void instance_transition(const struct instance *i, char *out, size_t cap);

/* ---- user data -------------------------------------------------------------------------------
 */

#define USER_DATA_BYTES_MAX (16 << 10)

/* Base64 of at most that many bytes, as it is stored. False: the answer is an error. */
bool instance_take_user_data(struct ec2_call *call, const char *text, struct buf *out);

/* The disk with it, which `path` names then. `user_data` is as it is stored. */
bool instance_write_seed(const struct service *svc, const char *id, const char *user_data,
                         struct buf *path, struct buf *why);
void instance_remove_seed(const struct service *svc, const char *id);

/* ---- starting --------------------------------------------------------------------------------
 */

/* A volume's device as the engine knows it: "sda" or "sda1" of "/dev/sda1". False: no instance. */
bool instance_vdev(struct service *svc, sqlite3 *c, const char *id, const char *device,
                   char out[INSTANCE_DEVICE]);

enum instance_started { INSTANCE_STARTED, INSTANCE_WAITS, INSTANCE_FAILED };

/* Start its guest. WAITS: for a disk that is still being made. FAILED: `why` for its owner. */
enum instance_started instance_start(struct service *svc, const char *id, struct buf *why);

#endif

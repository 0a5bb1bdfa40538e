/* SPDX-License-Identifier: MIT */
/*
 * RunInstances: ec2_run_take.c reads the request, ec2_run_disks.c decides which disks an instance
 * gets, ec2_run.c makes the rows.
 */
#ifndef PVBOOT_CLOUD_SERVICE_EC2_RUN_H
#define PVBOOT_CLOUD_SERVICE_EC2_RUN_H

#include "cloud/service/ec2_instances.h"
#include "cloud/service/ec2_mapping.h"

#define RUN_COUNT_MAX 50 /* instances of one request */

struct run_request {
    const char *image, *kernel, *ramdisk; /* kernel and ramdisk may be NULL */
    const struct instance_type *type;
    int64_t min, max;
    const char *shutdown_behavior;
    bool disable_termination;
    struct buf user_data; /* as it is stored */
    struct ec2_token token;
    struct ec2_tags tags, volume_tags;
    struct ec2_mappings mappings;
};

/* A disk of each instance of the launch. */
struct run_disk {
    char device[INSTANCE_DEVICE];
    char snapshot[EC2_ID_BYTES]; /* "": none */
    struct blob source;          /* id "": an empty disk */
    int64_t size_gib;
    uint64_t virtual_bytes;
    bool delete_on_termination, hidden;
};

struct run_disks {
    struct run_disk disk[INSTANCE_VOLUMES_MAX];
    size_t nr;
};

/* All of the request's parameters. False: the answer is an error. */
bool ec2_run_take(struct ec2_call *call, struct run_request *out);
void ec2_run_free(struct run_request *q);

/* The image's disks with the request's changes. False: the answer is an error. */
bool ec2_run_disks(struct ec2_call *call, sqlite3 *c, const struct run_request *q,
                   const struct ec2_image *image, struct run_disks *out);

#endif

/* SPDX-License-Identifier: MIT */
/* BlockDeviceMapping.N of a request: which disks there shall be, under which names. */
#ifndef PVBOOT_CLOUD_SERVICE_EC2_MAPPING_H
#define PVBOOT_CLOUD_SERVICE_EC2_MAPPING_H

#include "cloud/service/image.h"

struct ec2_mapping {
    char device[IMAGE_DEVICE_BYTES]; /* with /dev/ before it, whatever the client wrote */
    const char *virtual_name;        /* "ephemeral0"; NULL: it is a volume, or nothing */
    bool no_device;                  /* what an image has under this name is left out */
    const char *snapshot;            /* of a volume; NULL: not named */
    int64_t size_gib;                /* of a volume; 0: not named */
    bool delete_given, delete_on_termination;
};

struct ec2_mappings {
    struct ec2_mapping mapping[IMAGE_MAPPINGS_MAX];
    size_t nr;
    bool partial; /* set by the caller: a volume may leave to an image what it is made of */
};

/* Takes them, each with a good device of its own. False: the answer is an error. */
bool ec2_take_mappings(struct ec2_call *call, struct ec2_mappings *out);

/* The mapping of this device, or NULL. */
const struct ec2_mapping *ec2_mapping_of(const struct ec2_mappings *m, const char *device);

/* A device's name with /dev/ before it. False: it is none that an instance can have. */
bool ec2_device_name(const char *text, char out[IMAGE_DEVICE_BYTES]);

#endif

/* SPDX-License-Identifier: MIT */
/* Between the files of RegisterImage. */
#ifndef PVBOOT_CLOUD_SERVICE_REGISTER_H
#define PVBOOT_CLOUD_SERVICE_REGISTER_H

#include "cloud/service/ec2_mapping.h"

/* The row of an image to be, and what comes with it. Text that is not there is NULL. */
struct registration {
    enum manifest_type type;
    const char *name, *description, *location, *kernel, *ramdisk;
    bool narrow, arch_given;
    bool ebs;
    char root_device[IMAGE_DEVICE_BYTES];
    struct ec2_mappings mappings;
    const struct ec2_mapping *root; /* ebs */
    struct ec2_tags tags;
    struct buf manifest; /* of a bundle */
    struct manifest read;
    struct arena arena;
};

/* Name and Description. False: the answer is an error. */
bool register_take_name(struct ec2_call *call, struct registration *r);

/* The rows of an image that is pending, if there is room for it. False: as ec2_end_change has it.
 */
bool register_insert(struct ec2_call *call, sqlite3 *c, const struct registration *r,
                     const char *id);

/*
 * ec2_register_bundle.c: get and read the manifest, check that the bundle is whole and may be
 * registered, and fill in what the request does not say. False: the answer is an error.
 */
bool register_bundle(struct ec2_call *call, struct registration *r);

/*
 * Is this kernel one for the image, and the ramdisk with it? Whether it fits the layout is looked
 * at later. False: the answer is an error.
 */
bool register_check_kernel(struct ec2_call *call, const struct registration *r);

#endif

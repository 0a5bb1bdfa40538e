/* SPDX-License-Identifier: MIT */
/*
 * Images as the rest of the service uses them: who may see which, and what a kernel id stands for.
 *
 *   image.c            look-ups
 *   image_store.c      the keeper's step: what makes a pending image available
 *   ec2_images.c       DescribeImages
 *   ec2_register.c, ec2_register_bundle.c   RegisterImage, DeregisterImage
 *   ec2_create_image.c CreateImage
 *   ec2_image_attr.c   attributes
 *   image_helper.h     the process that unpacks and looks into images
 */
#ifndef PVBOOT_CLOUD_SERVICE_IMAGE_H
#define PVBOOT_CLOUD_SERVICE_IMAGE_H

#include "cloud/bundle/manifest.h"
#include "cloud/service/blob.h"
#include "cloud/service/ec2_common.h"

#define IMAGE_MAPPINGS_MAX 32
#define IMAGE_DEVICE_BYTES 32
#define IMAGE_NAME_BYTES   129

/* Has the root disk a partition table? It decides which of pvboot's images finds the menu. */
enum image_layout { LAYOUT_UNKNOWN, LAYOUT_HD0, LAYOUT_HD00 };

struct image_mapping {
    char device[IMAGE_DEVICE_BYTES];  /* "/dev/sdb" */
    char virtual[IMAGE_DEVICE_BYTES]; /* "ephemeral0"; "": it is a volume */
    char snapshot[EC2_ID_BYTES];      /* of a volume; "": an empty one */
    int64_t size_gib;                 /* of a volume; 0: as large as its snapshot */
    bool delete_on_termination;
};

struct ec2_image {
    char id[EC2_ID_BYTES];
    char account[13];
    enum manifest_type type;
    char state[16]; /* "pending", "available", "failed" */
    char name[IMAGE_NAME_BYTES];
    bool narrow;                                      /* i386 */
    char kernel[EC2_ID_BYTES], ramdisk[EC2_ID_BYTES]; /* "": none */
    bool ebs;                                         /* its root device is a volume */
    char root_device[IMAGE_DEVICE_BYTES];             /* "/dev/sda1" */
    enum image_layout layout;
    struct blob blob; /* of its root disk, kernel or ramdisk; id "": not there (yet) */
    size_t nr_mappings;
    struct image_mapping mappings[IMAGE_MAPPINGS_MAX]; /* the root device's with them, if ebs */
};

/* An image that is registered and that the account may see: its own, a shared or a public one. */
bool image_find(sqlite3 *c, const char *account, const char *id, struct ec2_image *out);

/* The same for a parameter. False: the answer is an error, which knows the catalogue, too. */
bool image_take(struct ec2_call *call, sqlite3 *c, const char *id, struct ec2_image *out);

/* The same, and it must be the account's own. */
bool image_take_own(struct ec2_call *call, sqlite3 *c, const char *id, struct ec2_image *out);

/* Is it of an image's form, ami-, aki- or ari-? False: the answer is an error. */
bool image_check_id(struct ec2_call *call, const char *id);

/* <blockDeviceMapping> of an image. */
void image_write_mappings(struct buf *out, sqlite3 *c, const char *id);

/* What a kernel is for. */
struct kernel_use {
    bool narrow;
    enum image_layout layout; /* LAYOUT_UNKNOWN: any will do */
    bool check_only;          /* does it fit? pvboot's own file need not be there */
};

struct kernel {
    bool pvboot; /* it boots what the disk's menu names, and takes no ramdisk */
    char path[4096];
    /* Of a failure: the API's code, and one sentence for the client. */
    const char *code;
    char why[AKI_WHY_MAX];
};

/*
 * The file that an AKI stands for: pvboot's image of that layout and width for one of the
 * catalogue, the kernel itself for one that an account registered. False: out->code and out->why.
 */
bool kernel_resolve(struct service *svc, sqlite3 *c, const char *account, const char *id,
                    const struct kernel_use *use, struct kernel *out);

/* The same for an ARI. */
bool ramdisk_resolve(struct service *svc, sqlite3 *c, const char *account, const char *id,
                     const struct kernel_use *use, struct kernel *out);

/* The AKI of the catalogue for an image that names none. NULL: `why`, AKI_WHY_MAX bytes. */
const char *kernel_default(struct service *svc, const struct kernel_use *use, char *why);

#endif

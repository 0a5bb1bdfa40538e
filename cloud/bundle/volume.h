/* SPDX-License-Identifier: MIT */
/*
 * From a running system to an image, without a loop mount and without a second copy of the files:
 *
 *   stage.c    the volume as it has to look: a bind mount in a mount namespace of our own, where
 *              what is left out is covered by empty folders and files
 *   filter.c   looks for what is to be left out without being named
 *   volume.c   mke2fs -d makes the file system of it; then fstab and the partition table
 *   program.c  runs the programs that this needs (program.h)
 *
 * mke2fs keeps owners, modes, times, hard links, extended attributes, devices and holes; times of
 * change behind 2038 are put right with debugfs.
 */
#ifndef PVBOOT_CLOUD_BUNDLE_VOLUME_H
#define PVBOOT_CLOUD_BUNDLE_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/stop.h"

#define VOLUME_EXCLUDES_MAX 256u
#define VOLUME_INCLUDES_MAX 4096u
#define VOLUME_PATH_MAX     4096
#define VOLUME_PART_OFF     1048576 /* of the one partition; as much stays free behind it */

#define VOLUME_GONE_MAX 50000u /* the kernel has a limit of mounts */

struct volume_path {
    char *path;
    bool folder;
};

/* Paths in the volume that are not to be in the image. */
struct volume_gone {
    uint32_t nr, room;
    struct volume_path *paths;
};

enum volume_partition { VOLUME_NONE, VOLUME_MBR, VOLUME_GPT };

struct volume {
    const char *path; /* as it was given */
    uint32_t nr_excludes;
    const char *excludes[VOLUME_EXCLUDES_MAX]; /* from the root of the volume; also patterns */
    bool filter; /* leave out what may be secret, but for the includes */
    uint32_t nr_includes;
    const char *includes[VOLUME_INCLUDES_MAX];
    bool all;           /* take file systems that are mounted in it, too */
    const char *folder; /* where images and bundles go: never a part of the image */
    uint64_t image_bytes;
    enum volume_partition partition;
    const char *secret; /* a file that must not be in the image; NULL: none */
    const char *fstab;  /* a file to put at /etc/fstab; NULL: leave it */
    const char *menu;   /* a file to put at /boot/grub/menu.lst; NULL: leave it */
    bool generate_fstab;
    const stop_flag *stop;
    void (*note)(const char *line); /* what was left out, guessed */
    /* What stage_begin finds out. */
    char real[VOLUME_PATH_MAX];
    char fs_type[16], device[256]; /* of the file system that the volume is; else empty */
    struct volume_gone gone;
};

/*
 * Mount the volume as it has to look on the folder `at`, for this process and its children; `empty`
 * is an empty file. What v->gone lists is empty there, and must lose its name in the image.
 */
bool stage_begin(struct volume *v, const char *at, const char *empty, char *why, size_t why_cap);
void volume_gone_free(struct volume_gone *g);
void stage_end(const char *at);

#define VOLUME_IMAGE "image"

/*
 * Make the image, in the folder `work`, as the file work/VOLUME_IMAGE. It is the caller's to
 * remove, also after an error.
 */
bool volume_image(struct volume *v, const char *work, char *why, size_t why_cap);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The disks that a command was given, as the machine that they would make, and the place that a
 * path names on them: "(hdN,M)/path", or a plain "/path".
 */
#ifndef PVBOOT_HOST_MACHINE_H
#define PVBOOT_HOST_MACHINE_H

#include "core/fs/vols.h"
#include "host/fence.h"
#include "host/filedisk.h"

#define MACHINE_DISKS_MAX  16
#define MACHINE_SECTOR     512 /* where nothing else is said */
#define MACHINE_LAYERS_MAX 32

struct machine {
    struct arena arena;
    struct log log; /* to standard error */
    struct file_disk disks[MACHINE_DISKS_MAX];
    uint32_t nr_disks;
    struct file_disk below[MACHINE_LAYERS_MAX - 1];
    struct vols *vols;
};

/* The values of --sector-size, --layout and --arch (narrow: i386); false: a usage error was shown.
 */
bool machine_sector_size(const char *text, uint32_t *sector_bytes);
bool machine_layout(const char *text, bool *hd00);
bool machine_arch(const char *text, bool *narrow);

/*
 * Open the images, and name their descriptors to the fence, behind which all that follows belongs.
 * False: the sentence was written to standard error.
 */
bool machine_open(struct machine *m, const char *const *images, uint32_t nr_images,
                  struct fence *fence);

/*
 * The same with one disk, of 1 to MACHINE_LAYERS_MAX files that are open already and are the
 * machine's from here on: the first is the disk, each shows the next where it holds nothing.
 */
struct machine_layer {
    int fd;
    bool qcow2;
};

void machine_take(struct machine *m, const char *name, const struct machine_layer *layers,
                  uint32_t nr_layers, struct fence *fence);

/* Behind the fence: the images as disks. sector_bytes: of all of them. False: as above. */
bool machine_start(struct machine *m, uint32_t sector_bytes);
void machine_close(struct machine *m);

/*
 * Find what a path names. A plain path is looked for where the menu lies, then on every other
 * volume that can be mounted; when there are several volumes, standard error says which was taken.
 * *path is set to the part behind the device name. False: the sentence was written.
 */
bool machine_find(struct machine *m, const char *name, struct vol_id *vol, struct fs **fs,
                  const char **path, struct node *node);

/* "pvboot: Error 15: ..." on standard error; control bytes in the subject are escaped. */
void say_error(struct err e, const char *subject);

#endif

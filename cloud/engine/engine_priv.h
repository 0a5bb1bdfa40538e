/* SPDX-License-Identifier: MIT */
/* What engine.c knows of each engine, and what xl.c and libvirt.c share. */
#ifndef PVBOOT_CLOUD_ENGINE_PRIV_H
#define PVBOOT_CLOUD_ENGINE_PRIV_H

#include <pthread.h>

#include "cloud/engine/engine.h"

struct engine *embedded_open(const struct engine_setup *setup, struct buf *why);
struct engine *libvirt_open(const struct engine_setup *setup, struct buf *why);
struct engine *xl_open(const struct engine_setup *setup, struct buf *why);

/* Whether a program can be found on PATH. False: `why` names the package that holds it. */
bool engine_needs(const char *program, const char *package, struct buf *why);

/* An instance's id: "i-" and hexadecimal digits. What it is put into needs no quoting. */
bool engine_id_good(const char *id);

/* A disk's name: letters and digits, which need no quoting either. */
bool engine_vdev_good(const char *vdev, struct buf *why);

/* The names of its disks, and a command line without characters that XML or xl cannot be told. */
bool engine_guest_good(const struct engine_guest *g, struct buf *why);

/*
 * What a program or a library said, for an owner: the text becomes one line, a path of this machine
 * in it "(a file)".
 */
void engine_words(struct buf *to, const char *said);

/* Make the engine's folder, "STATE/engine/NAME": engine_open changes nothing yet. */
bool engine_make_dir(const char *dir, struct buf *why);

/* A file of an engine's folder: "DIR/IDSUFFIX". */
char *engine_path(const char *dir, const char *id, const char *suffix);

/*
 * Guests that stand still for a moment: until their consoles are heard, while their disks are
 * copied. Each has a file IDSUFFIX, so that a service that was killed meanwhile lets them go on
 * when it is back.
 */
#define ENGINE_PAUSES_MAX 64
struct engine_pauses {
    pthread_mutex_t lock;
    const char *dir;
    char ids[ENGINE_PAUSES_MAX][40]; /* of this process */
};

void engine_pauses_init(struct engine_pauses *p, const char *dir);
/* Before a guest is paused. */
bool engine_pause_begins(struct engine_pauses *p, const char *id, struct buf *why);
/* `over`: it goes on, or is gone. Else it is left to the next look at the guest. */
void engine_pause_ended(struct engine_pauses *p, const char *id, bool over);
/* Whether the guest was paused by a process that is not there any more, or could not go on. */
bool engine_pause_left(struct engine_pauses *p, const char *id);

/*
 * A console's file. It grows to twice ENGINE_CONSOLE_BYTES and is then cut to the last ones.
 * One writer a file.
 */
bool console_append(const char *path, const void *bytes, size_t len);

/* Append the last ENGINE_CONSOLE_BYTES of the file to `out`; a file that is not there is empty. */
bool console_tail(const char *path, struct buf *out);

/*
 * A copy of a disk's file while its guest stands still, in two steps, so that it stands still for
 * the first one alone: the bytes, as a reflink where the file system can, else without holes; then
 * the format. A failure leaves no file.
 */
struct disk_copy {
    const char *to;
    const stop_flag *stop;
    struct buf raw; /* the bytes of a raw disk, which become qcow2 */
};
bool disk_copy_begin(struct disk_copy *c, const char *from, bool qcow2, const char *to,
                     const stop_flag *stop, struct buf *why);
bool disk_copy_finish(struct disk_copy *c, struct buf *why);

/* An empty qcow2 file with the size and the backing file of the disk, whose format is never
 * guessed: a raw disk's first bytes are its owner's, and may look like a qcow2 file. */
bool disk_make_like(const char *from, bool qcow2, const char *to, const stop_flag *stop,
                    struct buf *why);

#endif

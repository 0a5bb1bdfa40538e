/* SPDX-License-Identifier: MIT */
/*
 * The files of the xl engine.
 *
 *   xl.c           the operations
 *   xl_tool.c      xl and xenstore's programs: run, and what they say read
 *   xl_config.c    what xl is told of a guest
 *   xl_console.c   the recorder of consoles
 */
#ifndef PVBOOT_CLOUD_ENGINE_XL_PRIV_H
#define PVBOOT_CLOUD_ENGINE_XL_PRIV_H

#include "cloud/engine/engine_priv.h"

#define XL_PATH_BYTES 4096

struct xl_recorder;

struct xl {
    struct engine engine;
    char *dir, *bridge;
    pthread_mutex_t life; /* of guests that begin and end: held while xl makes or removes one */
    struct engine_pauses pauses;

    pthread_mutex_t lock; /* of all that follows */
    pthread_t recording;
    bool records, closing; /* the thread is there; it is asked to end */
    struct xl_recorder *recorders;
};

/* xl_tool.c */

/* Run `xl WORD...`, ending with NULL. What went wrong goes to the log in full, to `why` in short.
 */
bool xl_run(struct buf *why, const char *what, const char *const *words);

enum xl_life { XL_GONE, XL_RUNS, XL_PAUSED, XL_SHUT_DOWN };
struct xl_domain {
    enum xl_life life;
    unsigned domid;
    unsigned reason; /* of XL_SHUT_DOWN: SHUTDOWN_* of xen/include/public/sched.h */
};
bool xl_look(const char *id, struct xl_domain *d, struct buf *why);

/* The file and the format of a disk that the guest has. False: `why`; `path` "": it has none. */
bool xl_find_disk(unsigned domid, const char *vdev, char path[XL_PATH_BYTES], bool *qcow2,
                  struct buf *why);
/* The terminal of the guest's console in `path`; false: it has none yet. */
bool xl_console_path(unsigned domid, char *path, size_t cap);

/* xl_config.c */
void xl_config(const struct xl *x, const struct engine_guest *g, struct buf *text);
void xl_disk(const struct engine_disk *d, struct buf *text); /* as block-attach takes it */

/* xl_console.c */
/* Record what the guest writes from now on; again and again is once. */
void xl_record(struct xl *x, const char *id, unsigned domid);
/* Before a guest that has ended is removed: take what its console still holds. */
void xl_record_rest(struct xl *x, const char *id);
void xl_stop_recording(struct xl *x);

#endif

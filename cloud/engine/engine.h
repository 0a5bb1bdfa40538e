/* SPDX-License-Identifier: MIT */
/*
 * What runs the instances: one small interface, one file for each way to run a guest.
 *
 *   engine.c     finds the engine that the configuration names
 *   embedded.c   Xen inside QEMU, a process for each guest, as `pvboot run` has it: launch.c starts
 *                it; runner.c, requests.c, guest.c, control.c are that process (runner.h);
 *                silence.c remembers those that did not answer
 *   xl*.c        this machine is a Xen host: xl(1)
 *   libvirt*.c   any libvirt connection
 *   common.c, disk.c   what they share: folders of guests, copies of disks
 *
 * Contract
 * - A guest is known by its instance's id ("i-0123456789abcdef0"). Guests outlive the service: an
 *   engine finds them again by their ids, whatever happened to the service meanwhile.
 * - No call waits for a guest: start and shutdown begin something, `status` tells how it went.
 *   copy may take as long as the disk is large.
 * - Calls may come from several threads at once, also on one guest: a copy is under way while
 *   another thread asks how the guest is. Those that change a guest (start, shutdown, reboot,
 *   destroy, forget, attach, detach) come one after the other for each guest; an attach or detach
 *   of one may take its time while others are started.
 * - False: `why` holds one sentence for the owner of the instance, without paths of this machine.
 * - Each call may be repeated: starting what runs, ending what is gone, attaching what is attached
 *   (the same file as the same device) and detaching what is not there are successes, since after a
 *   crash the service does again what it may have done.
 */
#ifndef PVBOOT_CLOUD_ENGINE_H
#define PVBOOT_CLOUD_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/stop.h"
#include "host/xenhost/buf.h"

#define ENGINE_DISKS_MAX     20
#define ENGINE_CONSOLE_BYTES 65536 /* the last ones of a console are kept */

enum engine_format { ENGINE_RAW, ENGINE_QCOW2 };

struct engine_disk {
    const char *path;
    enum engine_format format;
    const char *vdev; /* as the guest sees it: "sda1", "xvdf" */
    bool readonly;
};

struct engine_guest {
    const char *id;
    unsigned memory_mib, vcpus;
    bool narrow;         /* i386 */
    const char *kernel;  /* path of pvboot's image, or of a plain kernel */
    const char *ramdisk; /* path or NULL */
    const char *cmdline; /* or NULL */
    struct engine_disk disks[ENGINE_DISKS_MAX];
    size_t nr_disks;
};

enum engine_state {
    ENGINE_ABSENT,   /* nothing is known of this guest: never started, or the machine restarted */
    ENGINE_STARTING, /* start was called, the guest does not run yet */
    ENGINE_RUNNING,
    ENGINE_SILENT, /* it lives; what runs it does not tell more, and should be asked later */
    ENGINE_ENDED,  /* it ended or never came up: `reason` says why */
};

enum engine_reason {
    ENGINE_POWEROFF,  /* by itself, or because it was asked to */
    ENGINE_CRASHED,   /* the guest; pvboot that found no kernel ends so, too */
    ENGINE_DESTROYED, /* ended from outside, by neither itself nor this interface */
    ENGINE_FAILED,    /* it could not be started, or what ran it broke: `why` */
};

struct engine_status {
    enum engine_state state;
    enum engine_reason reason; /* of ENGINE_ENDED */
    char why[512];             /* of ENGINE_FAILED */
};

struct engine;

struct engine_ops {
    const char *name;
    /* A guest that reboots itself is started again by the engine, from the same description. */
    bool (*start)(struct engine *e, const struct engine_guest *g, struct buf *why);
    bool (*status)(struct engine *e, const char *id, struct engine_status *out);
    bool (*shutdown)(struct engine *e, const char *id, struct buf *why); /* asks the guest */
    bool (*reboot)(struct engine *e, const char *id, struct buf *why);   /* asks the guest */
    /* Ends it at once, whatever its state: it is ENGINE_ABSENT afterwards. Its console stays. */
    bool (*destroy)(struct engine *e, const char *id, struct buf *why);
    /* The instance is gone for good: removes what is left of a guest that is absent or ended. */
    bool (*forget)(struct engine *e, const char *id, struct buf *why);
    /* The last ENGINE_CONSOLE_BYTES of what the guest wrote in all its runs until `forget`; empty
     * when it never wrote anything. */
    bool (*console)(struct engine *e, const char *id, struct buf *out, struct buf *why);
    /*
     * Disks that come and go while it runs; it may take a minute or two. An attach that failed may
     * be followed by a detach. A detach that failed (the guest does not let go) has left the guest
     * its disk, and is asked again. When `stop` becomes other than 0, nobody knows what became of
     * it.
     */
    bool (*attach)(struct engine *e, const char *id, const struct engine_disk *d,
                   const stop_flag *stop, struct buf *why);
    bool (*detach)(struct engine *e, const char *id, const char *vdev, const stop_flag *stop,
                   struct buf *why);
    /*
     * A copy of a disk in use as it was at one moment: what the guest had written then, as after a
     * power cut. Only what lies in the disk's own file is copied, into the new qcow2 file `to`,
     * which is made here and has the same backing file. It may take minutes, and the guest goes on;
     * when the guest ends, the disk of `to` is full, or `stop` becomes other than 0, the copy
     * fails. False: there is no file `to`.
     */
    bool (*copy)(struct engine *e, const char *id, const char *vdev, const char *to,
                 const stop_flag *stop, struct buf *why);
    void (*close)(struct engine *e); /* guests go on */
};

struct engine {
    const struct engine_ops *ops;
};

/* What the engines are told when they are opened. */
struct engine_setup {
    const char *state_dir;   /* a folder "engine" in it is theirs */
    const char *name;        /* "embedded", "xl", "libvirt" */
    const char *libvirt_uri; /* or NULL */
    const char *bridge;      /* of the guests' network interface; NULL: they have none */
    const char *program;     /* pvbootd, for processes of its own */
    const char *xen32;       /* embedded: a Xen for 32-bit guests, which can be read, or NULL */
};

/* Looks at the machine and changes nothing on it. NULL: `why` says what is missing. */
struct engine *engine_open(const struct engine_setup *setup, struct buf *why);

#endif

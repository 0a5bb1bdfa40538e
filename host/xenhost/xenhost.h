/* SPDX-License-Identifier: MIT */
/*
 * The embedded Xen host: QEMU runs Xen, Xen runs a small dom0, dom0 runs guests.
 *
 * Contract
 * - One process, one thread, one poll loop. xh_step() waits for whatever comes and hands it to the
 *   callbacks; every other call that waits runs the same loop, so callbacks keep coming. Callbacks
 *   must not call back into functions that wait.
 * - Every waiting call has a time limit. Results are enum xh_result; xh_error() is the sentence.
 * - QEMU dies with this process, however it dies; no file is left behind.
 * - Disks are opened with QEMU's snapshot=on unless `write` is set: the image never changes.
 * - A guest's console is joined before the guest runs; nothing of it is lost.
 * - Times are CLOCK_MONOTONIC nanoseconds, taken when bytes arrive here; `uptime_s` is dom0's own
 *   clock where dom0 took the time.
 */
#ifndef PVBOOT_XENHOST_H
#define PVBOOT_XENHOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XH_MAX_GUESTS     4  /* at once: each has a console port */
#define XH_MAX_DRIVES     24 /* PCI slots of QEMU's "pc" machine, less its own devices */
#define XH_MAX_FAILING    16 /* failing sectors of one drive */
#define XH_NAME_MAX       20 /* guests and drives; also the longest serial of a virtio drive */
#define XH_MIN_MEMORY_MIB 16
#define XH_MAX_MEMORY_MIB (64u * 1024)
#define XH_MAX_VCPUS      64
#define XH_MAX_WATCHES    4

enum xh_result {
    XH_OK = 0,
    XH_FAILED,    /* refused, or it did not work; the host is still there */
    XH_TIMEOUT,   /* no answer in time */
    XH_DEAD,      /* the host is gone or never came up */
    XH_CANCELLED, /* xh_cancel() was called */
};

/* SHUTDOWN_* of Xen's public/sched.h */
enum xh_reason {
    XH_POWEROFF = 0,
    XH_REBOOT = 1,
    XH_SUSPEND = 2,
    XH_CRASH = 3,
    XH_WATCHDOG = 4,
    XH_SOFT_RESET = 5,
};

enum xh_format { XH_RAW, XH_QCOW2 };

struct xh_drive {
    const char *name; /* letters and digits; how a guest's disk refers to it */
    const char *path;
    enum xh_format format;
    bool write;                       /* changes reach the file */
    bool readonly;                    /* the drive itself refuses writes */
    bool wait_for_room;               /* see xh_stands_still() */
    unsigned sector_size;             /* 0: 512 */
    uint64_t failing[XH_MAX_FAILING]; /* sectors (of 512 bytes) whose reads fail */
    unsigned nr_failing;
};

/* Who serves a disk in dom0. */
enum xh_backend {
    XH_PHY,   /* blkback, on the drive itself */
    XH_LOOP,  /* blkback, on a loop device, as a disk that is a file has it */
    XH_QDISK, /* a QEMU, which must have been put into dom0 (tests/guest/cases_backends.py) */
};

struct xh_disk {
    const char *drive; /* NULL: a drive with nothing in it */
    const char *vdev;  /* xvda, xvda1, sda1, hdc, ... */
    enum xh_backend backend;
    bool readonly;
    bool cdrom;
};

struct xh_guest_config {
    const char *name;
    const char *kernel;  /* a name given to xh_put_file */
    const char *ramdisk; /* the same, or NULL */
    const char *extra;   /* the kernel's command line, or NULL */
    unsigned memory_mib;
    unsigned maxmem_mib; /* 0: as memory_mib */
    unsigned vcpus;
    const struct xh_disk *disks;
    size_t nr_disks;
    bool keep; /* leave the domain in place after it has shut down; xh_destroy() ends it */
};

enum xh_event_kind {
    XH_EV_CREATING,  /* xl create starts */
    XH_EV_UNPAUSING, /* xl unpause starts */
    XH_EV_SHUTDOWN,  /* `reason` says why */
    XH_EV_DUMP,      /* a line about a guest that crashed: registers, stack */
    XH_EV_ENDED,     /* the guest is gone and its console has been read to the end */
    XH_EV_TROUBLE,   /* something in dom0 did not work */
};

struct xh_event {
    enum xh_event_kind kind;
    const char *guest;
    unsigned reason; /* enum xh_reason, XH_EV_SHUTDOWN only */
    double uptime_s;
    const char *text;
    uint64_t time_ns;
};

struct xh_callbacks {
    /* a line of QEMU's, Xen's or dom0's own log */
    void (*log)(void *ctx, const char *line, size_t len);
    /* bytes that a guest wrote on its console */
    void (*console)(void *ctx, const char *guest, const void *bytes, size_t len, uint64_t time_ns);
    void (*event)(void *ctx, const struct xh_event *ev);
    void *ctx;
};

struct xh_options {
    unsigned guest_memory_mib; /* of all guests that run at once */
    const char *xen;           /* this unpacked Xen in place of the distribution's, or NULL */
    const struct xh_drive *drives;
    size_t nr_drives;
    bool no_kvm; /* never try KVM */
    struct xh_callbacks cb;
};

struct xenhost;

/* Tells raw and qcow2 apart and refuses what is neither: a folder, an empty file, another virtual
 * machine's format, a compressed file. False: `err` holds the sentence. */
bool xh_image_format(const char *path, bool write, enum xh_format *format, char *err,
                     size_t err_size);

/* The same in two steps: a descriptor (or -1) without reading a byte of it, then the reading. */
int xh_image_open(const char *path, bool write, char *err, size_t err_size);
bool xh_image_format_of(int fd, const char *path, enum xh_format *format, char *err,
                        size_t err_size);

uint64_t xh_now_ns(void);
const char *xh_reason_name(unsigned reason);

/* A host of which nothing runs yet; xh_stop() frees it. Descriptors may be watched from here on. */
struct xenhost *xh_new(const struct xh_options *opt);

/* Makes the host's files, which takes some seconds once and then is cached. */
enum xh_result xh_prepare(struct xenhost *h);

/* Starts the host and waits until dom0 is ready. */
enum xh_result xh_start(struct xenhost *h, const struct xh_options *opt);

/* Ends QEMU in an orderly way (an image that is written to is closed), then by force. */
void xh_stop(struct xenhost *h);

const char *xh_error(const struct xenhost *h);
/* What the last command printed in dom0, all of it. */
const char *xh_output(const struct xenhost *h);
const char *xh_accel(const struct xenhost *h);  /* "tcg" or "kvm" */
const char *xh_folder(const struct xenhost *h); /* where the host's files lie */
double xh_ready_uptime(const struct xenhost *h);

/* Runs the loop until something came in or `timeout_ms` (negative: no limit) passed. */
enum xh_result xh_step(struct xenhost *h, int timeout_ms);

/* Calls `fn` from the loop when `fd` can be read (or is at its end), until xh_unwatch_fd(). */
void xh_watch_fd(struct xenhost *h, int fd, void (*fn)(void *ctx), void *ctx);
void xh_unwatch_fd(struct xenhost *h, int fd);
/* Makes the call that waits, and every later one, return XH_CANCELLED. Safe in a callback. */
void xh_cancel(struct xenhost *h);

/* Drives may also come and go while the host runs. */
enum xh_result xh_add_drive(struct xenhost *h, const struct xh_drive *d);
enum xh_result xh_remove_drive(struct xenhost *h, const char *name);

/*
 * Where this machine's disk has no room for what a guest writes to a drive with `wait_for_room`,
 * QEMU stands still with all guests rather than fail the write. xh_go_on() tries the same write
 * again: it stands still again if there still is no room.
 */
bool xh_stands_still(const struct xenhost *h);
enum xh_result xh_go_on(struct xenhost *h);

/*
 * Begins to copy what lies in a drive's own file, as it is at this moment, into the qcow2 file at
 * `path`, which exists, is as large, and has the drive's backing file. One copy at a time; it goes
 * on while the loop runs. xh_copy_done() tells whether it has ended, and how.
 */
enum xh_result xh_copy(struct xenhost *h, const char *drive, const char *path);
bool xh_copy_done(struct xenhost *h, enum xh_result *how);
/* Asks the copy to end early; it then fails. */
enum xh_result xh_copy_cancel(struct xenhost *h);

/* Makes the file at `path` known to dom0 as `name`, for a guest's kernel or ramdisk. */
enum xh_result xh_put_file(struct xenhost *h, const char *name, const char *path);
/* The same out of a drive that is there already and holds the file's bytes. */
enum xh_result xh_put_file_from(struct xenhost *h, const char *name, const char *drive,
                                uint64_t len);

/* Creates the guest, paused, with its console joined. */
enum xh_result xh_create(struct xenhost *h, const struct xh_guest_config *cfg);
enum xh_result xh_unpause(struct xenhost *h, const char *guest, double *uptime_s);
enum xh_result xh_destroy(struct xenhost *h, const char *guest);
/* Asks the guest to end (XH_POWEROFF) or to start again (XH_REBOOT), which comes as XH_EV_SHUTDOWN
 * if the guest listens: an operating system does, pvboot does not. */
enum xh_result xh_ask(struct xenhost *h, const char *guest, enum xh_reason what);
/* A disk comes (its drive is there already) or goes while the guest runs. One that the guest holds
 * on to stays: XH_FAILED. */
enum xh_result xh_attach(struct xenhost *h, const char *guest, const struct xh_disk *d);
enum xh_result xh_detach(struct xenhost *h, const char *guest, const char *vdev);
/* Saves the guest inside dom0 (its memory must fit there) and ends it; brings it back, paused. */
enum xh_result xh_save(struct xenhost *h, const char *guest);
enum xh_result xh_restore(struct xenhost *h, const char *guest);

/* Types on a guest's console. What the console does not take at once is kept and follows. */
enum xh_result xh_input(struct xenhost *h, const char *guest, const void *bytes, size_t len);
/* How many bytes are kept so. */
size_t xh_input_waiting(struct xenhost *h, const char *guest);

/* Runs a shell line in dom0; xh_output() is what it printed. */
enum xh_result xh_shell(struct xenhost *h, const char *line, int timeout_ms);

#endif

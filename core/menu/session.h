/* SPDX-License-Identifier: MIT */
/*
 * From a machine's disks to a boot: find the menu, let somebody choose, run the entry's commands,
 * boot; on an error the fallback, then the menu.
 *
 * The session sees volumes, a terminal, a clock and a function that boots. The guest gives it the
 * Xen console and the hand-over; a host test gives it strings; `pvboot inspect` gives it a boot
 * function that only looks.
 */
#ifndef PVBOOT_MENU_SESSION_H
#define PVBOOT_MENU_SESSION_H

#include "core/base/arena.h"
#include "core/base/text.h"
#include "core/fs/vols.h"

#define SESSION_INITRD_MAX  32
#define SESSION_CMDLINE_MAX 1024 /* MAX_GUEST_CMDLINE of xen.h, terminator included */
#define SESSION_GONE        (-2)

/* What an entry's commands have gathered when `boot` comes. */
struct boot_request {
    struct file kernel;
    char kernel_name[FS_PATH_MAX];     /* full: "(hd0)/boot/vmlinuz" */
    char cmdline[SESSION_CMDLINE_MAX]; /* what follows the kernel's name, as it stands */
    uint32_t nr_initrds;
    struct file initrds[SESSION_INITRD_MAX];
    char *initrd_names[SESSION_INITRD_MAX];
    struct arena *arena; /* of this attempt */
};

enum session_power { SESSION_POWER_OFF, SESSION_REBOOT };

struct session_env {
    struct vols *vols;
    const struct log *log;
    const struct mem_source *memory; /* arenas of boot attempts are made on it */
    void *ctx;
    /* Bytes to the terminal, as they are. */
    void (*put)(void *ctx, const char *s, size_t len);
    /*
     * The next byte typed, waiting at most timeout_ms (0: look only); -1 when there was none,
     * SESSION_GONE when there will never be one again.
     */
    int (*get)(void *ctx, uint32_t timeout_ms);
    /* Boot; the guest's returns only on failure, others end the session with OK. subject gets the
     * name of the file that it was about. */
    struct err (*boot)(void *ctx, struct boot_request *req, char *subject, size_t subject_cap);
    /* The rest may be NULL, where there is no machine (tests, `pvboot inspect`). */
    /* Power off, or start again; returns only when that failed. */
    struct err (*power)(void *ctx, enum session_power how);
    void (*memory_size)(void *ctx, uint64_t *total_bytes, uint64_t *free_bytes);
    uint64_t (*seed)(
        void *ctx);       /* a number that is another one each time: for salt, not for keys */
    const char *menu_arg; /* the menu's path when the command line gave one, else NULL */
    const char *arch;    /* "x86_64", "i386": a boot loader of the guest's is looked for, chain.h */
    const char *cmdline; /* that we were started with, for it; NULL: "" */
    bool chained;        /* CHAIN_MARK stands there: we are what was found so */
    bool hd00;           /* layout of the image: search (hd0,0) first */
    const char *heading; /* stands above the menu: "pvboot 1.0"; NULL: "pvboot" */
};

/*
 * Run until something boots. Returns when nothing can be booted and nobody is at the console (no
 * byte has ever come): the last error, already shown. With nobody there, nothing waits for a key
 * but the menu's timeout.
 */
struct err session_run(struct session_env *env);

/*
 * The line for programs with which a session ends that failed:
 *   pvboot-failed: error=15 entry=1 line=12 file="(hd0)/boot/vmlinuz-6.1"
 * entry UINT32_MAX and line 0 are none; object is the file or device, escaped, "" when it is none.
 */
void session_failure_line(struct text *t, struct err e, uint32_t entry, uint32_t line_nr,
                          const char *object);

#endif

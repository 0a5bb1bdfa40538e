/* SPDX-License-Identifier: MIT */
/*
 * `pvboot inspect`: what a machine with these disks would boot, and why.
 *
 *   inspect.c          arguments, disks, exit status
 *   inspect_look.c     disks, menu, entries, and which entry boots -> struct report
 *   inspect_kernel.c   one kernel, with what the guest does to it short of starting it
 *   inspect_initrd.c   one initrd
 *   inspect_doubts.c   what would not stop the loader, but may stop the kernel
 *   inspect_menu.c     --menu: what the menu's lines say, no file of it opened
 *   inspect_compat.c   how a kernel, its configuration and its initrd get on with Xen
 *   inspect_text.c     the report for people
 *   inspect_json.c     the report as one JSON object
 *
 * Everything that a report holds lies in its arena.
 */
#ifndef PVBOOT_HOST_INSPECT_H
#define PVBOOT_HOST_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/fs/vols.h"
#include "core/image/image.h"
#include "core/menu/commands.h"
#include "core/menu/locate.h"
#include "core/menu/menu.h"
#include "host/compat.h"
#include "host/machine.h"

#define UUID_TEXT 37 /* 36 characters and the terminator */
#define NO_ENTRY  UINT32_MAX

/* A list of lines, in the order in which they came. */
struct lines {
    struct arena *arena;
    size_t nr, room;
    const char **text;
};

enum severity {
    PROBLEM_STOPS, /* the entry that it is about does not boot, or nothing does */
    PROBLEM_DOUBT, /* it boots, but somebody should look */
};

struct problem {
    enum severity severity;
    uint32_t entry;   /* or NO_ENTRY */
    const char *text; /* one sentence: what, where, what to do */
};

/* A file system, or the place where one could be. */
struct volume_report {
    struct vol_id id;
    const struct part *part; /* NULL: the whole disk */
    struct fs *fs;           /* NULL: not mounted */
    const char *error;       /* why not */
    const char *member_of;   /* "(md/0)": the array that it is a part of, or NULL */
};

/* A disk, a RAID array or a logical volume. */
struct disk_report {
    uint32_t number;    /* vol_id.disk */
    const char *path;   /* the image; NULL for the others */
    const char *format; /* "raw", "qcow2" */
    struct disk *disk;  /* NULL: cannot be read, error says why */
    const char *error;
    const struct part_table *table; /* NULL: table_error says why */
    const char *table_error;
    size_t nr_volumes;
    struct volume_report *volumes;
};

/* What a kernel and its configuration tell about how it gets on with Xen. */
struct kernel_compat {
    char release[COMPAT_RELEASE_MAX]; /* "" when it does not say */
    bool pv_ops; /* the interface of mainline Linux, not that of the "classic" Xen kernels */
    enum compat_cr4 cr4;
    const char *config_from; /* "itself", "(hd0)/boot/config-6.1"; NULL: not known */
    enum compat_value xen_pv, block, console;
    uint32_t xen_compat; /* of classic kernels, the oldest Xen: 0x030002; 0: it does not say */
};

struct kernel_report {
    const char *name; /* "(hd0)/boot/vmlinuz" */
    uint64_t size_bytes;
    bool headers; /* img holds what image_open reads */
    bool usable;  /* and the notes; the kernel would be started */
    struct image img;
    struct err error;
    struct kernel_compat compat;
};

struct initrd_report {
    const char *name;
    uint64_t size_bytes;
    const char *what; /* "zstd, cpio archive": what its bytes are */
    uint64_t unpacked_bytes;
    const char *problem; /* or NULL */
    struct err error;    /* when it cannot be read */
    bool listed;         /* all names in it were seen; then the next two are the truth */
    bool has_block;      /* Xen's block driver as a module */
    bool has_image;      /* a file system in a file, which may hold anything */
};

struct entry_report {
    const struct menu_entry *entry;
    const char *cmdline;
    struct err error; /* of the commands, then of the kernel and the initrds */
    const char *subject;
    uint32_t line_nr;             /* where the commands ended */
    struct kernel_report *kernel; /* shared by entries that name the same file; or NULL */
    uint32_t nr_initrds;
    struct initrd_report *initrds;
    bool boots;
    const char *does; /* instead of a boot: "powers the guest off"; NULL */
    bool dead_end;    /* pvboot starts the kernel, which then cannot go on: no fallback helps */
};

struct report {
    struct arena *arena;
    struct vols *vols;
    struct lines log;    /* what file systems and kernels had to say while they were read */
    struct lines search; /* what the search for the menu had to say */
    uint32_t nr_disks;
    struct disk_report disks[MACHINE_DISKS_MAX];
    uint32_t nr_named;
    struct disk_report *named; /* arrays, then logical volumes */
    bool hd00;
    bool narrow; /* a 32-bit guest */
    bool has_menu;
    struct menu_file file;
    struct menu menu;
    struct menu_settings settings;
    struct entry_report *entries; /* menu.nr_entries of them */
    uint32_t boots;               /* the entry that boots with nobody at the console; NO_ENTRY */
    size_t nr_problems, room_problems;
    struct problem *problems;
};

/* Out of memory ends the program: these never fail. */
void *report_alloc(struct report *r, size_t nr, size_t size);
const char *report_printf(struct report *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void lines_add(void *lines, const char *text); /* fits struct log */
void report_problem(struct report *r, enum severity severity, uint32_t entry, const char *text);

/* The error as err_format writes it, control bytes of foreign names escaped. */
const char *report_error(struct report *r, struct err e, const char *subject);

/* What to do about an error, as the end of a sentence; "" when the error says it itself. */
const char *advice(enum err_code code);

/*
 * Behind the fence: the machine's disks, opened from these paths, become those of the report; what
 * its file systems say, too. False: the sentence was written to standard error.
 */
bool inspect_start(struct report *r, struct machine *m, const char *const *paths,
                   uint32_t sector_bytes);

/* r->disks[].path, format and disk, r->vols and r->hd00 are set: find out everything else. */
void inspect_look(struct report *r);

/*
 * The menu alone: found, parsed, its settings made; what cannot be understood there is a problem of
 * the report. r->file is set already when r->has_menu is. False: there is no entry.
 */
bool inspect_read_menu(struct report *r);

/*
 * --menu: is the file a menu, not a disk image? Then it becomes r->file. False with *why set: it
 * cannot be read.
 */
bool inspect_menu_file(struct report *r, int fd, const char *path, const char **why);
/* --menu: print what the lines of the menu say. False: there is nothing to boot in it. */
bool inspect_menu(struct report *r, bool as_json);

struct kernel_report *inspect_kernel(struct report *r, const char *name, struct file *f);
struct initrd_report inspect_initrd(struct report *r, const char *name, struct file *f);
void inspect_doubts(struct report *r, uint32_t entry);

/* inspect_compat.c. Of the loaded kernel, memory[0..span): fill in k->compat. */
void inspect_compat(struct report *r, struct kernel_report *k, const uint8_t *memory, size_t span);

/* What that means for the entry: doubts, and e->dead_end with the reason. */
void inspect_findings(struct report *r, uint32_t entry);

/* "y", "m", "n", or NULL for what is not known. */
const char *compat_value_text(enum compat_value v);

/* "8.2 MiB", in the arena. */
const char *size_text(struct report *r, uint64_t bytes);
/* "(hd0,1)", in the arena. */
const char *vol_text(struct report *r, struct vol_id id);
/* A name from the disk, with control bytes as \xNN. */
const char *name_text(struct report *r, const char *name);
/* The UUID, or "" when the file system has none. */
void uuid_text(const uint8_t uuid[16], char out[UUID_TEXT]);

/* The report on device number n (arrays and logical volumes: from VOLS_DISK_MAX on). */
const struct disk_report *report_device(const struct report *r, uint32_t n);

void inspect_print(struct report *r);
void inspect_json(struct report *r);

/* Parts of these two that --menu shows as well. */
struct json;
void print_row(const char *label, const char *text);
void print_menu(struct report *r);
void print_problems(struct report *r);
void put_lines(struct json *j, const char *key, const struct lines *lines);
void put_menu(struct json *j, const struct report *r);
void put_problems(struct json *j, const struct report *r);

#endif

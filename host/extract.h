/* SPDX-License-Identifier: MIT */
/*
 * `pvboot extract`: the files that a machine with these disks would boot, taken out of them.
 *
 *   extract.c         arguments for people, and what they are told at the end
 *   extract_pygrub.c  arguments and answer of a toolstack's boot loader program
 *   extract_files.c   the output: temporary names, then all of it or nothing
 *   extract_work.c    behind the fence: choose the entry as the guest does
 *   extract_take.c    behind the fence: check its files, and write them out
 */
#ifndef PVBOOT_HOST_EXTRACT_H
#define PVBOOT_HOST_EXTRACT_H

#include "core/menu/session.h"
#include "host/machine.h"

enum extract_status {
    EXTRACT_DONE = 0,
    EXTRACT_NOTHING_BOOTS = 1,
    EXTRACT_FAILED = 2, /* wrong arguments; what cannot be read or written */
};

#define EXTRACT_KERNEL_MAX ((uint64_t)1 << 30)
#define EXTRACT_INITRD_MAX ((uint64_t)4 << 30) /* all of them together */
#define EXTRACT_CPU_S      600
#define EXTRACT_TITLE_MAX  512
#define EXTRACT_NO_ENTRY   UINT32_MAX
#define EXTRACT_SUBJECT    (FS_PATH_MAX + 1024) /* a name, and what vols_open tells of it */
#define EXTRACT_LINE       16384                /* a sentence about names of menu and files */

enum extract_file { EXTRACT_KERNEL, EXTRACT_INITRD, EXTRACT_CMDLINE, EXTRACT_FILES };

struct extract_options {
    const char *disks[MACHINE_DISKS_MAX]; /* [0] is IMAGE */
    uint32_t nr_disks, sector_bytes;
    bool hd00, narrow, vmlinux, verbose;
    bool any_width;               /* narrow is a guess: the kernel tells */
    const char *entry;            /* a number or a title; NULL: what boots by itself */
    const char *kernel, *ramdisk; /* files that are named: no menu is asked */
    const char *args;             /* behind the command line; NULL: nothing */
};

/* What was taken. Made behind the fence, so extract_run checks it before it is believed. */
struct extract_result {
    uint32_t entry; /* or EXTRACT_NO_ENTRY */
    char title[EXTRACT_TITLE_MAX];
    char kernel_name[FS_PATH_MAX]; /* "(hd0)/boot/vmlinuz" */
    char cmdline[SESSION_CMDLINE_MAX];
    uint32_t nr_initrds;
    char initrd_names[SESSION_INITRD_MAX][FS_PATH_MAX];
    uint64_t file_bytes[EXTRACT_FILES];
};

/* One file of the output. */
struct extract_output {
    int fd; /* -1: not wanted */
    char temporary[4096];
    const char *name; /* the final one, in the folder; NULL: the temporary one stays */
};

struct extract_job {
    struct extract_options o;
    struct machine machine;
    struct extract_output out[EXTRACT_FILES];
    struct extract_result *result; /* shared */
    uint32_t uid;                  /* whom to become when started as root; 0: nobody */
};

/* Behind the fence, for fence_run: an extract_status; an error has been said. */
int extract_work(void *job);

/*
 * Check that the kernel can be started, and write out all that the request names; job->result gets
 * the names. On failure nothing has been said, and subject (EXTRACT_SUBJECT bytes) is what it is
 * about; ERR_WRITE is about the output, `a` is the errno.
 */
struct err extract_take(struct extract_job *job, struct boot_request *req, char *subject);

/* One line on standard error, control bytes escaped; fits struct log. */
void extract_say(void *ctx, const char *text);

/* Where lines go that only --verbose shows. */
struct log extract_chatter(const struct extract_job *job);

/*
 * Open the images, run the work behind the fence, check its result. The outputs are open; what is
 * in them is only good when status is EXTRACT_DONE.
 */
struct fence_end extract_run(struct extract_job *job);

/* ---- output ---------------------------------------------------------------------------------- */

/*
 * Between the two a signal that would end this program waits, or ends the child, so that nothing is
 * left half done.
 */
void extract_hold_signals(void);
void extract_release_signals(void);

/* Make the temporary file DIR/PREFIX.XXXXXX. False: the sentence was written. */
bool extract_create(struct extract_output *out, const char *dir, const char *prefix);

/*
 * Give the outputs their names in the folder, the command line's first: contents on the disk before
 * names. Not `force`: a name that is there already is an error, and nothing has changed then. With
 * it, an initrd of an earlier time that no longer belongs here is removed.
 */
bool extract_publish(struct extract_job *job, const char *dir, bool force);

/* Close everything, and remove what still has its temporary name. */
void extract_clean_up(struct extract_job *job);

/* ---- toolstack ------------------------------------------------------------------------------- */

/* As a `bootloader=` of xl: the arguments that libxl gives to such a program. */
int extract_pygrub(int argc, char **argv);

/* One more --disk; false: a usage error was shown. */
bool extract_add_disk(struct extract_options *o, const char *path);

#endif

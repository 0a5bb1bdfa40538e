/* SPDX-License-Identifier: MIT */
/*
 * `pvboot run`: what was asked for, and what has happened so far.
 *
 *   run_options.c  arguments and everything that can be refused before QEMU starts
 *   run.c          the run itself
 *   run_tty.c      the terminal
 */
#ifndef PVBOOT_HOST_RUN_H
#define PVBOOT_HOST_RUN_H

#include "host/xenhost/xenhost.h"

#include <limits.h>

#define RUN_MAX_DISKS (XH_MAX_DRIVES - 1) /* one drive carries the kernel image */

struct run_options {
    unsigned memory_mib;
    unsigned vcpus;
    unsigned timeout_s; /* 0: none */
    const char *append;
    const char *xen; /* NULL: the distribution's */
    bool write;
    uint32_t sector_bytes; /* of the guest's disks */
    bool json;
    bool verbose;
    bool no_reboot;
    char kernel_image[PATH_MAX];
    uint64_t kernel_len;
    const char *disk[RUN_MAX_DISKS];
    enum xh_format format[RUN_MAX_DISKS];
    size_t nr_disks;
};

/* 0: go on; otherwise the process ends with `*status`. */
int run_parse(struct run_options *o, int argc, char **argv, int *status);

/* The sentence for getopt_long's '?' and ':', of a command whose long options have values below
 * 32; EXIT_USAGE. */
int bad_option(const char *command, int c, char **argv);

/* Can this file be --xen? Says why not. */
bool xen_file_ok(const char *path);

#endif

/* SPDX-License-Identifier: MIT */
#include "host/inspect.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "host/cmd.h"
#include "host/machine.h"

#define CACHE_BLOCKS  1024 /* of metadata, a disk */
#define INSPECT_CPU_S 600  /* a menu can name the same large file in thousands of ways */

enum inspect_status {
    INSPECT_BOOTS = 0,
    INSPECT_DOES_NOT_BOOT = 1,
    INSPECT_UNUSABLE = 2, /* wrong arguments, an image that cannot be read, a failed write */
};

static const char help_text[] =
    "usage: pvboot inspect [OPTION]... IMAGE\n"
    "\n"
    "Tells what a guest with this disk (raw or qcow2) would boot, and why: partitions and file\n"
    "systems, where the menu was found, its entries with their kernels and initrds, and every\n"
    "problem, with what to do. Runs the same code as the guest, but starts nothing and writes\n"
    "nothing.\n"
    "\n"
    "  --disk IMG       one more disk; may be repeated. IMAGE is (hd0), these are (hd1), ...\n"
    "  --layout LAYOUT  hd0 (default) or hd00: which pvboot image, so where the search begins\n"
    "  --arch ARCH      x86_64 (default) or i386: the guest's width\n"
    "  --sector-size N  512 (default) or 4096: the sectors that the guest's disks have\n"
    "  --menu           only the menu: what its lines say, and which of them have no effect.\n"
    "                   Opens no kernel. IMAGE may also be a menu, as a file of its own\n"
    "  --json           one JSON object on standard output\n"
    "  -v, --verbose    say what the fence is made of behind which the image is read\n"
    "\n"
    "Exit status: 0 it boots with nobody at the console (--menu: there is an entry), 1 it would "
    "not\n"
    "boot (--menu: no entry, or no menu), 2 wrong arguments, an image that cannot be read, or a\n"
    "failed write.\n";

struct inspect_options {
    const char *disks[MACHINE_DISKS_MAX]; /* [0] is IMAGE */
    uint32_t nr_disks, sector_bytes;
    bool hd00, narrow, json, menu, verbose;
    const char *about_disks; /* the last option that is; NULL: none */
};

enum { OPT_DISK = 1, OPT_LAYOUT, OPT_ARCH, OPT_SECTOR, OPT_JSON, OPT_MENU, OPT_HELP };

static const struct option options[] = {
    {"disk", required_argument, NULL, OPT_DISK},
    {"layout", required_argument, NULL, OPT_LAYOUT},
    {"arch", required_argument, NULL, OPT_ARCH},
    {"sector-size", required_argument, NULL, OPT_SECTOR},
    {"json", no_argument, NULL, OPT_JSON},
    {"menu", no_argument, NULL, OPT_MENU},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static bool one_option(struct inspect_options *o, int opt)
{
    switch (opt) {
    case OPT_DISK:
        o->about_disks = "--disk";
        if (o->nr_disks == MACHINE_DISKS_MAX) {
            usage_error("at most %d disks are possible", MACHINE_DISKS_MAX);
            return false;
        }
        o->disks[o->nr_disks++] = optarg;
        return true;
    case OPT_LAYOUT:
        o->about_disks = "--layout";
        return machine_layout(optarg, &o->hd00);
    case OPT_ARCH:
        o->about_disks = "--arch";
        return machine_arch(optarg, &o->narrow);
    case OPT_SECTOR:
        o->about_disks = "--sector-size";
        return machine_sector_size(optarg, &o->sector_bytes);
    case OPT_JSON:
        o->json = true;
        return true;
    case 'v':
        o->verbose = true;
        return true;
    case OPT_MENU:
        o->menu = true;
        return true;
    default:
        return false;
    }
}

/* False: the command ends with *status. */
static bool parse(struct inspect_options *o, int argc, char **argv, int *status)
{
    char letter[3];
    int opt;

    *status = INSPECT_UNUSABLE;
    o->nr_disks = 1;
    o->sector_bytes = MACHINE_SECTOR;
    optind = 1;
    opterr = 0;
    while ((opt = getopt_long(argc, argv, "v", options, NULL)) != -1) {
        if (opt == OPT_HELP) {
            fputs(help_text, stdout);
            *status = flush_stdout() ? INSPECT_BOOTS : INSPECT_UNUSABLE;
            return false;
        }
        if (opt == '?')
            usage_error("%s is no option, or its value is missing; see pvboot inspect --help",
                        refused_option(argv, letter));
        if (!one_option(o, opt))
            return false;
    }
    if (optind + 1 != argc) {
        usage_error(optind == argc ? "which image? usage: pvboot inspect [OPTION]... IMAGE"
                                   : "one IMAGE is wanted; more disks are added with --disk");
        return false;
    }
    o->disks[0] = argv[optind];
    return true;
}

bool inspect_start(struct report *r, struct machine *m, const char *const *paths,
                   uint32_t sector_bytes)
{
    if (!machine_start(m, sector_bytes))
        return false;
    for (uint32_t i = 0; i < m->nr_disks; i++) {
        struct file_disk *f = &m->disks[i];

        r->disks[i] = (struct disk_report){
            .number = i, .path = paths[i], .format = f->format, .disk = &f->disk};
        if (failed(disk_cache_attach(&f->disk, &m->arena, CACHE_BLOCKS))) {
            usage_error("out of memory");
            return false;
        }
    }
    r->arena = r->log.arena = r->search.arena = &m->arena;
    r->vols = m->vols;
    r->nr_disks = m->nr_disks;
    /* What is said while file systems are mounted is a part of the report. */
    m->log = (struct log){.ctx = &r->log, .line = lines_add};
    return true;
}

static bool start_disks(struct report *r, const struct inspect_options *o, struct machine *m)
{
    r->hd00 = o->hd00;
    r->narrow = o->narrow;
    return inspect_start(r, m, o->disks, o->sector_bytes);
}

struct job {
    struct inspect_options o;
    struct machine machine;
    struct report r;
};

/* --menu with a menu as a file, not a disk image? False with *error: that was said. */
static bool is_menu_file(struct job *job, bool *error)
{
    const struct inspect_options *o = &job->o;
    struct report *r = &job->r;
    const char *why = NULL;

    r->arena = r->log.arena = r->search.arena = &job->machine.arena;
    if (inspect_menu_file(r, job->machine.disks[0].fd, o->disks[0], &why) && o->about_disks != NULL)
        why = report_printf(r, "%s is about disks, but %s is a menu", o->about_disks,
                            name_text(r, o->disks[0]));
    if (why != NULL)
        usage_error("%s", why);
    *error = why != NULL;
    return r->has_menu;
}

static int menu_work(struct job *job)
{
    bool error, good;

    if (!is_menu_file(job, &error) && !error && !start_disks(&job->r, &job->o, &job->machine))
        return INSPECT_UNUSABLE;
    if (error)
        return INSPECT_UNUSABLE;
    good = inspect_menu(&job->r, job->o.json);
    if (!flush_stdout())
        return INSPECT_UNUSABLE;
    return good ? INSPECT_BOOTS : INSPECT_DOES_NOT_BOOT;
}

/* Behind the fence. */
static int look_work(void *ctx)
{
    struct job *job = ctx;
    struct report *r = &job->r;

    if (job->o.menu)
        return menu_work(job);
    if (!start_disks(r, &job->o, &job->machine))
        return INSPECT_UNUSABLE;
    inspect_look(r);
    if (job->o.json)
        inspect_json(r);
    else
        inspect_print(r);
    if (!flush_stdout())
        return INSPECT_UNUSABLE;
    return r->boots == NO_ENTRY ? INSPECT_DOES_NOT_BOOT : INSPECT_BOOTS;
}

int cmd_inspect(int argc, char **argv)
{
    struct job job = {0};
    struct fence fence = {.memory_bytes = FENCE_MEMORY, .cpu_s = INSPECT_CPU_S};
    int status;

    if (!parse(&job.o, argc, argv, &status))
        return status;
    fence.verbose = job.o.verbose;
    if (!machine_open(&job.machine, job.o.disks, job.o.nr_disks, &fence))
        return INSPECT_UNUSABLE;
    struct fence_end end = fence_run(&fence, look_work, &job);

    machine_close(&job.machine);
    return fence_status(end);
}

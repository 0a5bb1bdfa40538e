/* SPDX-License-Identifier: MIT */
/* `pvboot ls` and `pvboot cat`: arguments, and a file's content. The listing is in listing.c. */
#include "host/files.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "host/cmd.h"

static const char ls_help[] =
    "usage: pvboot ls [OPTION]... IMAGE PATH\n"
    "\n"
    "Lists files in a disk image (raw or qcow2) without mounting or changing it.\n"
    "\n"
    "PATH is /path, or (hdN,M)/path with GRUB's names: (hd0) is IMAGE as a whole, (hd0,0) its\n"
    "first partition, (hd1) the first --disk; (lvm/VG-LV) is a logical volume, (md/NAME) a RAID1\n"
    "array. A plain /path is looked for where the menu lies, then on the other file systems.\n"
    "\n"
    "  -l               mode, size, time and links' targets\n"
    "  -R               all that lies below, by full path\n"
    "  --json           one JSON object a line: path, type, size, mode, target, sha256\n"
    "  --sha256         the SHA-256 of each file's content\n"
    "  --disk IMAGE     another disk, hd1 and so on\n"
    "  --sector-size N  512 (default) or 4096: the sectors that the guest's disks have\n"
    "  -v, --verbose    say what the fence is made of behind which the image is read\n"
    "\n"
    "Exit status: 0 all was listed, 1 wrong arguments, 2 something could not be read or written.\n"
    "\n"
    "example: pvboot ls -l guest.img /boot\n";

static const char cat_help[] =
    "usage: pvboot cat [OPTION]... IMAGE PATH\n"
    "\n"
    "Writes a file of a disk image (raw or qcow2) to standard output. PATH is /path, or\n"
    "(hdN,M)/path; see pvboot ls --help.\n"
    "\n"
    "  --disk IMAGE     another disk, hd1 and so on\n"
    "  --sector-size N  512 (default) or 4096: the sectors that the guest's disks have\n"
    "  -v, --verbose    say what the fence is made of behind which the image is read\n"
    "\n"
    "Exit status: 0 the whole file was written, 1 wrong arguments, 2 it could not be read or "
    "written.\n"
    "\n"
    "example: pvboot cat guest.img '(hd0)/boot/grub/menu.lst'\n";

enum { OPT_DISK = 256, OPT_SECTOR, OPT_JSON, OPT_SHA256, OPT_HELP };

/* Those of cat, then those of ls. */
static const struct option cat_options[] = {
    {"disk", required_argument, NULL, OPT_DISK},
    {"sector-size", required_argument, NULL, OPT_SECTOR},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};
static const struct option ls_options[] = {
    {"disk", required_argument, NULL, OPT_DISK},
    {"sector-size", required_argument, NULL, OPT_SECTOR},
    {"json", no_argument, NULL, OPT_JSON},
    {"sha256", no_argument, NULL, OPT_SHA256},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

/* False: a usage error was shown. `word` is the option as it was written. */
static bool one_option(struct ls_options *o, const char *command, int opt, const char *word)
{
    switch (opt) {
    case OPT_DISK:
        if (o->nr_images == MACHINE_DISKS_MAX) {
            usage_error("%s: more than %d disks", command, MACHINE_DISKS_MAX);
            return false;
        }
        o->images[o->nr_images++] = optarg;
        return true;
    case OPT_SECTOR:
        return machine_sector_size(optarg, &o->sector_bytes);
    case OPT_JSON:
        o->json = true;
        return true;
    case OPT_SHA256:
        o->sha256 = true;
        return true;
    case 'v':
        o->verbose = true;
        return true;
    case 'l':
        o->details = true;
        return true;
    case 'R':
        o->recursive = true;
        return true;
    case ':':
        usage_error("%s: %s needs a value", command, word);
        return false;
    default:
        usage_error("%s: unknown option %s; pvboot %s --help lists them", command, word, command);
        return false;
    }
}

/* 1: go on; 0: help was shown; -1: a usage error was shown. */
static int parse(struct ls_options *o, int argc, char **argv, bool is_ls, const char *help)
{
    const struct option *options = is_ls ? ls_options : cat_options;
    int opt;

    *o = (struct ls_options){.nr_images = 1, .sector_bytes = MACHINE_SECTOR};
    optind = 1;
    opterr = 0;
    while ((opt = getopt_long(argc, argv, is_ls ? ":lRvh" : ":vh", options, NULL)) != -1) {
        /* A letter may be one of several in its word. */
        const char letter[] = {'-', (char)optopt, '\0'};
        bool is_letter = optopt > 0 && optopt < OPT_DISK;

        if (opt == OPT_HELP || opt == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (!one_option(o, argv[0], opt, is_letter ? letter : argv[optind - 1]))
            return -1;
    }
    if (argc - optind > 2)
        return usage_error("%s: \"%s\" is one argument too many", argv[0], argv[optind + 2]), -1;
    if (argc - optind < 2)
        return usage_error("%s: an IMAGE and a PATH are needed; pvboot %s --help tells more",
                           argv[0], argv[0]),
               -1;
    o->images[0] = argv[optind];
    o->path = argv[optind + 1];
    return 1;
}

struct err each_piece(struct file *f, void (*fn)(void *ctx, const uint8_t *data, size_t len),
                      void *ctx)
{
    struct file_stream *s = NULL;
    struct arena a;
    const uint8_t *data;
    size_t len;
    struct err e;

    arena_init(&a, &host_memory);
    e = file_stream_open(&s, f, &a, 0, f->node.size_bytes);
    while (!failed(e)) {
        e = file_stream_next(s, &data, &len);
        if (failed(e) || len == 0)
            break;
        fn(ctx, data, len);
    }
    file_stream_close(s);
    arena_reset(&a);
    return e;
}

static int finish(bool good)
{
    return flush_stdout() && good ? EXIT_OK : EXIT_FILES_ERROR;
}

/* What both commands hand to the other side of the fence. */
struct job {
    struct ls_options o;
    struct machine m;
};

/* Open, fence, work. */
static int run_fenced(struct job *job, int (*work)(void *ctx))
{
    struct fence fence = {.memory_bytes = FENCE_MEMORY, .verbose = job->o.verbose};

    if (!machine_open(&job->m, job->o.images, job->o.nr_images, &fence))
        return EXIT_FILES_ERROR;
    struct fence_end end = fence_run(&fence, work, job);

    machine_close(&job->m);
    return fence_status(end);
}

static int list_work(void *ctx)
{
    struct job *job = ctx;
    struct vol_id vol;
    struct fs *fs;
    const char *path;
    struct node node;

    return finish(machine_start(&job->m, job->o.sector_bytes) &&
                  machine_find(&job->m, job->o.path, &vol, &fs, &path, &node) &&
                  list_tree(&job->m, &job->o, vol, fs, path, &node));
}

int cmd_ls(int argc, char **argv)
{
    struct job job;
    int go = parse(&job.o, argc, argv, true, ls_help);

    if (go <= 0)
        return go == 0 ? finish(true) : EXIT_USAGE;
    list_prepare();
    return run_fenced(&job, list_work);
}

static void write_piece(void *ctx, const uint8_t *data, size_t len)
{
    (void)ctx;
    if (!ferror(stdout))
        fwrite(data, 1, len, stdout);
}

static int cat_work(void *ctx)
{
    struct job *job = ctx;
    struct vol_id vol;
    struct file f = {0};
    const char *path;

    if (!machine_start(&job->m, job->o.sector_bytes) ||
        !machine_find(&job->m, job->o.path, &vol, &f.fs, &path, &f.node))
        return finish(false);
    struct err e;

    if (f.node.type == NODE_FILE)
        e = each_piece(&f, write_piece, NULL);
    else
        e = ERR(ERR_BAD_FILETYPE,
                f.node.type == NODE_DIR ? "a directory; pvboot ls lists it" : "not a regular file");
    if (failed(e))
        say_error(e, job->o.path);
    return finish(!failed(e));
}

int cmd_cat(int argc, char **argv)
{
    struct job job;
    int go = parse(&job.o, argc, argv, false, cat_help);

    if (go <= 0)
        return go == 0 ? finish(true) : EXIT_USAGE;
    return run_fenced(&job, cat_work);
}

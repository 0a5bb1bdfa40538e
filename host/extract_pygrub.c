/* SPDX-License-Identifier: MIT */
/*
 * `pvboot-extract`, or `pvboot extract --pygrub`: what xl's `bootloader=` runs before it builds a
 * domain, in pygrub's place. The options are those that libxl gives (docs/man/xl.cfg.5, "Direct
 * Kernel Boot" of PV guests, and what pygrub --help lists); the answer is one of pygrub's formats:
 *
 *     simple0  kernel PATH<NUL>ramdisk PATH<NUL>args TEXT<NUL><NUL>   what libxl asks for
 *     simple   the same with newlines
 *     sxp      linux (kernel 'PATH')(ramdisk 'PATH')(args 'TEXT')
 *
 * The paths are of files that are made here, so nothing of a name on the disk is in them. The
 * command line is the tenant's: where it cannot be written in the format without becoming something
 * else, it is refused (XSA-198 is what happened otherwise).
 */
#include "host/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/cmd.h"

#define DEFAULT_DIRECTORY "/run/pvboot"
#define ANSWER_MAX        (4 * (size_t)SESSION_CMDLINE_MAX + 4 * (size_t)4096 + 256)

static const char help_text[] =
    "usage: pvboot-extract [OPTION]... IMAGE\n"
    "       pvboot extract --pygrub [OPTION]... IMAGE\n"
    "\n"
    "Takes kernel and initrd out of a guest's disk before the guest is built, in pygrub's place. "
    "In\n"
    "a configuration of xl: bootloader = \"pvboot-extract\"; options go into bootloader_args.\n"
    "\n"
    "  --output FILE            where the answer goes (a FIFO, too); - or nothing: standard "
    "output\n"
    "  --output-format FORMAT   simple0, simple or sxp (default)\n"
    "  --output-directory DIR   where kernel and initrd are put; default " DEFAULT_DIRECTORY "\n"
    "  --args TEXT              put behind the command line\n"
    "  --entry N|TITLE          this entry of the menu, and no other\n"
    "  --kernel PATH            boot this file of the disk, and ask no menu\n"
    "  --ramdisk PATH           the initrd that goes with it\n"
    "  --runas UID              the user that reads the image; default: nobody\n"
    "  -n, --not-really         write no files, only say what would be booted\n"
    "  -q, --quiet, -i, --interactive\n"
    "                           no effect: nobody is ever asked\n"
    "  --arch x86_64|i386       the guest's width; default: the kernel's own\n"
    "  --disk IMG, --layout LAYOUT, --sector-size N, -v, --verbose\n"
    "                           as in pvboot extract --help\n"
    "\n"
    "Exit status: 0 the answer was written, 1 nothing would boot, 2 wrong arguments, something "
    "that\n"
    "cannot be read, or a failed write.\n"
    "\n"
    "example: pvboot extract --pygrub --output-directory /tmp guest.img\n";

enum format { FORMAT_SXP, FORMAT_SIMPLE, FORMAT_SIMPLE0 };

struct toolstack {
    const char *output, *directory;
    enum format format;
    bool not_really;
    uint32_t uid;
};

enum {
    OPT_OUTPUT = 256,
    OPT_FORMAT,
    OPT_DIRECTORY,
    OPT_ARGS,
    OPT_ENTRY,
    OPT_KERNEL,
    OPT_RAMDISK,
    OPT_RUNAS,
    OPT_DISK,
    OPT_LAYOUT,
    OPT_ARCH,
    OPT_SECTOR,
    OPT_OFFSET,
    OPT_ISCONFIG,
};

static const struct option options[] = {
    {"output", required_argument, NULL, OPT_OUTPUT},
    {"output-format", required_argument, NULL, OPT_FORMAT},
    {"output-directory", required_argument, NULL, OPT_DIRECTORY},
    {"args", required_argument, NULL, OPT_ARGS},
    {"entry", required_argument, NULL, OPT_ENTRY},
    {"kernel", required_argument, NULL, OPT_KERNEL},
    {"ramdisk", required_argument, NULL, OPT_RAMDISK},
    {"runas", required_argument, NULL, OPT_RUNAS},
    {"not-really", no_argument, NULL, 'n'},
    {"quiet", no_argument, NULL, 'q'},
    {"interactive", no_argument, NULL, 'i'},
    {"disk", required_argument, NULL, OPT_DISK},
    {"layout", required_argument, NULL, OPT_LAYOUT},
    {"arch", required_argument, NULL, OPT_ARCH},
    {"sector-size", required_argument, NULL, OPT_SECTOR},
    {"offset", required_argument, NULL, OPT_OFFSET},
    {"list-entries", no_argument, NULL, 'l'},
    {"isconfig", no_argument, NULL, OPT_ISCONFIG},
    {"debug", no_argument, NULL, 'v'},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* ---- arguments ------------------------------------------------------------------------------- */

static bool set_format(struct toolstack *ts, const char *text)
{
    static const char *const names[] = {"sxp", "simple", "simple0"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            ts->format = (enum format)i;
            return true;
        }
    }
    usage_error("--output-format is simple0, simple or sxp, not \"%s\"", text);
    return false;
}

static bool set_uid(struct toolstack *ts, const char *text)
{
    unsigned uid;

    if (!parse_number("--runas", text, 1, UINT32_MAX - 1, &uid))
        return false;
    if (geteuid() != 0 && uid != geteuid()) {
        usage_error("--runas %u: only root can become somebody else", uid);
        return false;
    }
    ts->uid = uid;
    return true;
}

static bool refuse(const char *option, const char *instead)
{
    usage_error("pvboot-extract does not know pygrub's %s; %s", option, instead);
    return false;
}

/* The toolstack's own options; false: a usage error was shown. */
static bool one_option(struct extract_options *o, struct toolstack *ts, int opt, const char *word)
{
    switch (opt) {
    case OPT_OUTPUT:
        ts->output = strcmp(optarg, "-") == 0 ? NULL : optarg;
        return true;
    case OPT_FORMAT:
        return set_format(ts, optarg);
    case OPT_DIRECTORY:
        ts->directory = optarg;
        return true;
    case OPT_ARGS:
        o->args = optarg;
        return true;
    case OPT_ENTRY:
        o->entry = optarg;
        return true;
    case OPT_KERNEL:
        o->kernel = optarg;
        return true;
    case OPT_RAMDISK:
        o->ramdisk = optarg;
        return true;
    case OPT_RUNAS:
        return set_uid(ts, optarg);
    case 'n':
        ts->not_really = true;
        return true;
    case 'q':
    case 'i':
        return true;
    case 'v':
        o->verbose = true;
        return true;
    case OPT_DISK:
        return extract_add_disk(o, optarg);
    case OPT_LAYOUT:
        return machine_layout(optarg, &o->hd00);
    case OPT_ARCH:
        o->any_width = false;
        return machine_arch(optarg, &o->narrow);
    case OPT_SECTOR:
        return machine_sector_size(optarg, &o->sector_bytes);
    case OPT_OFFSET:
        return refuse("--offset", "partitions are found by themselves");
    case 'l':
        return refuse("--list-entries", "pvboot inspect lists them");
    case OPT_ISCONFIG:
        return refuse("--isconfig", "pvboot inspect shows a disk's menu");
    case ':':
        usage_error("pvboot-extract: %s needs a value", word);
        return false;
    default:
        usage_error("pvboot-extract: unknown option %s; --help lists them", word);
        return false;
    }
}

/* False: the command ends with *status. */
static bool parse(struct extract_options *o, struct toolstack *ts, int argc, char **argv,
                  int *status)
{
    char letter[3];
    int opt;

    *status = EXTRACT_FAILED;
    *o = (struct extract_options){.nr_disks = 1, .sector_bytes = MACHINE_SECTOR, .any_width = true};
    *ts = (struct toolstack){.directory = DEFAULT_DIRECTORY};
    optind = 1;
    opterr = 0;
    while ((opt = getopt_long(argc, argv, ":qinlvh", options, NULL)) != -1) {
        if (opt == 'h') {
            fputs(help_text, stdout);
            *status = flush_stdout() ? EXTRACT_DONE : EXTRACT_FAILED;
            return false;
        }
        if (!one_option(o, ts, opt, refused_option(argv, letter)))
            return false;
    }
    if (optind + 1 != argc) {
        usage_error(optind == argc ? "pvboot-extract: which image? --help tells more"
                                   : "pvboot-extract: one IMAGE is wanted");
        return false;
    }
    if (o->ramdisk != NULL && o->kernel == NULL) {
        usage_error("pvboot-extract: --ramdisk is only for a --kernel");
        return false;
    }
    if (o->kernel != NULL && o->entry != NULL) {
        usage_error("pvboot-extract: either --kernel or --entry");
        return false;
    }
    o->disks[0] = argv[optind];
    return true;
}

/* ---- the answer ------------------------------------------------------------------------------ */

struct answer {
    char bytes[ANSWER_MAX];
    size_t len;
    bool cut;
};

static void put(struct answer *a, const char *s, size_t len)
{
    if (len > sizeof(a->bytes) - a->len) {
        a->cut = true;
        return;
    }
    memcpy(a->bytes + a->len, s, len);
    a->len += len;
}

static void put_str(struct answer *a, const char *s)
{
    put(a, s, strlen(s));
}

/* In quotes that nothing inside can end. */
static void put_quoted(struct answer *a, const char *s)
{
    char hex[8];

    put_str(a, "'");
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;

        if (c == '\'' || c == '\\') {
            put_str(a, "\\");
            put(a, s, 1);
        } else if (c < 0x20 || c == 0x7f) {
            snprintf(hex, sizeof(hex), "\\x%02x", c);
            put_str(a, hex);
        } else {
            put(a, s, 1);
        }
    }
    put_str(a, "'");
}

static void put_item(struct answer *a, enum format format, const char *key, const char *value)
{
    if (format == FORMAT_SXP) {
        put_str(a, "(");
        put_str(a, key);
        put_str(a, " ");
        put_quoted(a, value);
        put_str(a, ")");
        return;
    }
    put_str(a, key);
    put_str(a, " ");
    put_str(a, value);
    put(a, format == FORMAT_SIMPLE0 ? "\0" : "\n", 1);
}

/* False: the sentence was written. */
static bool make_answer(struct answer *a, enum format format, const char *kernel,
                        const char *ramdisk, const char *args)
{
    /* One item a line, so a line break would begin another one. */
    if (format == FORMAT_SIMPLE && (strchr(kernel, '\n') != NULL || strchr(args, '\n') != NULL ||
                                    (ramdisk != NULL && strchr(ramdisk, '\n') != NULL))) {
        usage_error("the format \"simple\" cannot hold a line break; use simple0");
        return false;
    }
    if (format == FORMAT_SXP)
        put_str(a, "linux ");
    put_item(a, format, "kernel", kernel);
    if (ramdisk != NULL)
        put_item(a, format, "ramdisk", ramdisk);
    if (args[0] != '\0')
        put_item(a, format, "args", args);
    if (format != FORMAT_SXP)
        put(a, format == FORMAT_SIMPLE0 ? "\0" : "\n", 1);
    if (a->cut)
        usage_error("the answer is too long");
    return !a->cut;
}

static bool write_answer(const struct answer *a, const char *name, int fd)
{
    size_t done = 0;

    while (done < a->len) {
        ssize_t n = write(fd, a->bytes + done, a->len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            usage_error("writing the answer to %s failed: %s", name, strerror(errno));
            return false;
        }
        done += (size_t)n;
    }
    return true;
}

/* "<kernel:(hd0)/boot/vmlinuz>": for --not-really. */
static const char *not_really(char *buf, size_t cap, const char *type, const char *name)
{
    snprintf(buf, cap, "<%s:%s>", type, name);
    return buf;
}

static bool answer(const struct extract_job *job, const struct toolstack *ts, int fd)
{
    static struct answer a;
    static char kernel[FS_PATH_MAX + 16], ramdisk[FS_PATH_MAX + 16];
    const struct extract_result *r = job->result;
    const char *k = job->out[EXTRACT_KERNEL].temporary, *i = job->out[EXTRACT_INITRD].temporary;

    if (ts->not_really) {
        k = not_really(kernel, sizeof(kernel), "kernel", r->kernel_name);
        i = not_really(ramdisk, sizeof(ramdisk), "ramdisk", r->initrd_names[0]);
    }
    return make_answer(&a, ts->format, k, r->nr_initrds != 0 ? i : NULL, r->cmdline) &&
           write_answer(&a, ts->output != NULL ? ts->output : "standard output", fd);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static bool open_outputs(struct extract_job *job, const struct toolstack *ts)
{
    if (ts->not_really)
        return true;
    if (strcmp(ts->directory, DEFAULT_DIRECTORY) == 0 && mkdir(ts->directory, 0700) < 0 &&
        errno != EEXIST) {
        usage_error("making the folder %s: %s; --output-directory names another one", ts->directory,
                    strerror(errno));
        return false;
    }
    return extract_create(&job->out[EXTRACT_KERNEL], ts->directory, "boot_kernel") &&
           extract_create(&job->out[EXTRACT_INITRD], ts->directory, "boot_ramdisk");
}

/* The lengths that the child tells: an entry that failed may have left longer files. */
static bool cut_outputs(const struct extract_job *job)
{
    for (size_t i = 0; i < EXTRACT_FILES; i++) {
        if (job->out[i].fd >= 0 &&
            ftruncate(job->out[i].fd, (off_t)job->result->file_bytes[i]) < 0) {
            usage_error("writing %s: %s", job->out[i].temporary, strerror(errno));
            return false;
        }
    }
    return true;
}

int extract_pygrub(int argc, char **argv)
{
    static struct extract_job job;
    struct fence_end end = {.status = EXTRACT_FAILED};
    struct toolstack ts;
    int status, fd = STDOUT_FILENO;

    if (!parse(&job.o, &ts, argc, argv, &status))
        return status;
    for (size_t i = 0; i < EXTRACT_FILES; i++)
        job.out[i].fd = -1;
    /* A FIFO waits here for its reader. */
    if (ts.output != NULL)
        fd = open(ts.output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        usage_error("%s: %s", ts.output, strerror(errno));
        return EXTRACT_FAILED;
    }
    extract_hold_signals();
    job.uid = ts.uid;
    if (open_outputs(&job, &ts))
        end = extract_run(&job);
    if (end.status == EXTRACT_DONE && end.signal_nr == 0) {
        if (!cut_outputs(&job) || !answer(&job, &ts, fd)) {
            end.status = EXTRACT_FAILED;
        } else { /* the toolstack's from now on, and removes them */
            job.out[EXTRACT_KERNEL].temporary[0] = '\0';
            if (job.result->nr_initrds != 0)
                job.out[EXTRACT_INITRD].temporary[0] = '\0';
        }
    }
    extract_clean_up(&job);
    extract_release_signals();
    return fence_status(end);
}

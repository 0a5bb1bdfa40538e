/* SPDX-License-Identifier: MIT */
#include "host/extract.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/text.h"
#include "host/cmd.h"
#include "host/json.h"

static const char help_text[] =
    "usage: pvboot extract [OPTION]... IMAGE -o DIR\n"
    "       pvboot extract --pygrub [OPTION]... IMAGE\n"
    "\n"
    "Writes the files that a guest with this disk (raw or qcow2) would boot, for those whose\n"
    "hypervisor wants files: the default entry of its menu, or the fallback when that cannot "
    "boot.\n"
    "The image is read in a process without privileges; it is not changed.\n"
    "\n"
    "  DIR/kernel   the kernel as it is; with --vmlinux instead\n"
    "  DIR/vmlinux  the ELF file that is packed in it\n"
    "  DIR/initrd   all initrds, one behind the other; no such file where there is none\n"
    "  DIR/cmdline  the kernel's command line and a newline\n"
    "\n"
    "All of them appear together when they are complete, or none.\n"
    "\n"
    "  -o, --directory DIR  the folder; it is made if it is not there\n"
    "  --entry N|TITLE      this entry of the menu, by number (from 0) or title, and no other\n"
    "  --vmlinux            unpack the kernel\n"
    "  --force              overwrite files of these names, and remove an old initrd\n"
    "  --json               one JSON object on standard output: what was written\n"
    "  --disk IMG           one more disk; may be repeated. IMAGE is (hd0), these are (hd1), ...\n"
    "  --layout LAYOUT      hd0 (default) or hd00: which pvboot image, so where the search begins\n"
    "  --arch ARCH          x86_64 (default) or i386: the guest's width\n"
    "  --sector-size N      512 (default) or 4096: the sectors that the guest's disks have\n"
    "  -v, --verbose        say more: the fence, the search, each command of the entry\n"
    "  --pygrub             be a boot loader program of xl (bootloader=\"pvboot-extract\");\n"
    "                       pvboot extract --pygrub --help tells more\n"
    "\n"
    "Exit status: 0 all was written, 1 nothing would boot, 2 wrong arguments, something that "
    "cannot\n"
    "be read, or a failed write.\n"
    "\n"
    "example: pvboot extract guest.img -o /var/lib/xen/guest\n";

struct people {
    const char *dir;
    bool force, json;
};

enum {
    OPT_DISK = 256,
    OPT_ENTRY,
    OPT_VMLINUX,
    OPT_FORCE,
    OPT_JSON,
    OPT_LAYOUT,
    OPT_ARCH,
    OPT_SECTOR,
    OPT_HELP,
};

static const struct option options[] = {
    {"directory", required_argument, NULL, 'o'},
    {"disk", required_argument, NULL, OPT_DISK},
    {"entry", required_argument, NULL, OPT_ENTRY},
    {"vmlinux", no_argument, NULL, OPT_VMLINUX},
    {"force", no_argument, NULL, OPT_FORCE},
    {"json", no_argument, NULL, OPT_JSON},
    {"layout", required_argument, NULL, OPT_LAYOUT},
    {"arch", required_argument, NULL, OPT_ARCH},
    {"sector-size", required_argument, NULL, OPT_SECTOR},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

bool extract_add_disk(struct extract_options *o, const char *path)
{
    if (o->nr_disks == MACHINE_DISKS_MAX) {
        usage_error("at most %d disks are possible", MACHINE_DISKS_MAX);
        return false;
    }
    o->disks[o->nr_disks++] = path;
    return true;
}

static bool one_option(struct extract_options *o, struct people *p, int opt, const char *word)
{
    switch (opt) {
    case 'o':
        p->dir = optarg;
        return true;
    case OPT_DISK:
        return extract_add_disk(o, optarg);
    case OPT_ENTRY:
        o->entry = optarg;
        return true;
    case OPT_VMLINUX:
        o->vmlinux = true;
        return true;
    case OPT_FORCE:
        p->force = true;
        return true;
    case OPT_JSON:
        p->json = true;
        return true;
    case OPT_LAYOUT:
        return machine_layout(optarg, &o->hd00);
    case OPT_ARCH:
        return machine_arch(optarg, &o->narrow);
    case OPT_SECTOR:
        return machine_sector_size(optarg, &o->sector_bytes);
    case 'v':
        o->verbose = true;
        return true;
    case ':':
        usage_error("extract: %s needs a value", word);
        return false;
    default:
        usage_error("extract: unknown option %s; pvboot extract --help lists them", word);
        return false;
    }
}

/* False: the command ends with *status. */
static bool parse(struct extract_options *o, struct people *p, int argc, char **argv, int *status)
{
    char letter[3];
    int opt;

    *status = EXTRACT_FAILED;
    *o = (struct extract_options){.nr_disks = 1, .sector_bytes = MACHINE_SECTOR};
    optind = 1;
    opterr = 0;
    while ((opt = getopt_long(argc, argv, ":o:vh", options, NULL)) != -1) {
        if (opt == OPT_HELP || opt == 'h') {
            fputs(help_text, stdout);
            *status = flush_stdout() ? EXTRACT_DONE : EXTRACT_FAILED;
            return false;
        }
        if (!one_option(o, p, opt, refused_option(argv, letter)))
            return false;
    }
    if (optind + 1 != argc) {
        usage_error(optind == argc
                        ? "extract: which image? usage: pvboot extract [OPTION]... IMAGE -o DIR"
                        : "extract: one IMAGE is wanted; more disks are added with --disk");
        return false;
    }
    if (p->dir == NULL || p->dir[0] == '\0') {
        usage_error("extract: where to? -o DIR names the folder");
        return false;
    }
    o->disks[0] = argv[optind];
    return true;
}

/* ---- before, and after ----------------------------------------------------------------------- */

/* What a taken-over child may have left: strings that end, numbers that are possible. */
static bool check_result(struct extract_result *r)
{
    r->title[sizeof(r->title) - 1] = '\0';
    r->kernel_name[sizeof(r->kernel_name) - 1] = '\0';
    r->cmdline[sizeof(r->cmdline) - 1] = '\0';
    for (size_t i = 0; i < SESSION_INITRD_MAX; i++)
        r->initrd_names[i][FS_PATH_MAX - 1] = '\0';
    if (r->nr_initrds <= SESSION_INITRD_MAX &&
        r->file_bytes[EXTRACT_KERNEL] <= EXTRACT_KERNEL_MAX &&
        r->file_bytes[EXTRACT_INITRD] <= EXTRACT_INITRD_MAX &&
        r->file_bytes[EXTRACT_CMDLINE] <= SESSION_CMDLINE_MAX)
        return true;
    fputs("pvboot: the process that reads the image gave an impossible answer\n", stderr);
    return false;
}

struct fence_end extract_run(struct extract_job *job)
{
    struct fence fence = {.memory_bytes = FENCE_MEMORY,
                          .file_bytes = EXTRACT_INITRD_MAX,
                          .cpu_s = EXTRACT_CPU_S,
                          .uid = job->uid,
                          .verbose = job->o.verbose};
    struct fence_end end = {.status = EXTRACT_FAILED};

    job->result = fence_share(sizeof(*job->result));
    if (job->result == NULL || !machine_open(&job->machine, job->o.disks, job->o.nr_disks, &fence))
        return end;
    for (size_t i = 0; i < EXTRACT_FILES; i++) {
        if (job->out[i].fd >= 0)
            fence.keep[fence.nr_keep++] = job->out[i].fd;
    }
    end = fence_run(&fence, extract_work, job);
    if (end.status == EXTRACT_DONE && !check_result(job->result))
        end.status = EXTRACT_FAILED;
    return end;
}

/* What is there already, before the image is read. A folder cannot be overwritten either. */
static bool names_are_free(const struct extract_job *job, const char *dir, bool force)
{
    char path[4096];
    struct stat st;

    for (size_t i = 0; i < EXTRACT_FILES; i++) {
        int len = snprintf(path, sizeof(path), "%s/%s", dir, job->out[i].name);

        if (len < 0 || (size_t)len >= sizeof(path) || lstat(path, &st) < 0 ||
            (force && !S_ISDIR(st.st_mode)))
            continue;
        fprintf(stderr, "pvboot: %s is %s\n", path,
                force ? "a folder, which is not overwritten"
                      : "there already; --force overwrites it");
        return false;
    }
    return true;
}

/* *made: the folder was not there before. */
static bool open_outputs(struct extract_job *job, const struct people *p, bool *made)
{
    *made = mkdir(p->dir, 0777) == 0;
    if (!*made && errno != EEXIST) {
        fprintf(stderr, "pvboot: making the folder %s: %s\n", p->dir, strerror(errno));
        return false;
    }
    if (!names_are_free(job, p->dir, p->force))
        return false;
    return extract_create(&job->out[EXTRACT_KERNEL], p->dir, ".kernel") &&
           extract_create(&job->out[EXTRACT_INITRD], p->dir, ".initrd") &&
           extract_create(&job->out[EXTRACT_CMDLINE], p->dir, ".cmdline");
}

/* ---- what was written ------------------------------------------------------------------------ */

static void put_file(struct json *j, const struct people *p, const struct extract_job *job,
                     enum extract_file which)
{
    char path[4096 + 16];

    snprintf(path, sizeof(path), "%s/%s", p->dir, job->out[which].name);
    json_str(j, "file", path);
    json_u64(j, "size", job->result->file_bytes[which]);
}

static void print_json(const struct people *p, const struct extract_job *job)
{
    const struct extract_result *r = job->result;
    struct json j;

    json_init(&j, stdout);
    json_object(&j, NULL);
    if (r->entry == EXTRACT_NO_ENTRY)
        json_null(&j, "entry");
    else
        json_u64(&j, "entry", r->entry);
    json_str(&j, "title", r->title);
    json_object(&j, "kernel");
    put_file(&j, p, job, EXTRACT_KERNEL);
    json_str(&j, "from", r->kernel_name);
    json_bool(&j, "unpacked", job->o.vmlinux);
    json_end_object(&j);
    if (r->nr_initrds == 0) {
        json_null(&j, "initrd");
    } else {
        json_object(&j, "initrd");
        put_file(&j, p, job, EXTRACT_INITRD);
        json_list(&j, "from");
        for (uint32_t i = 0; i < r->nr_initrds; i++)
            json_str(&j, NULL, r->initrd_names[i]);
        json_end_list(&j);
        json_end_object(&j);
    }
    json_object(&j, "command_line");
    put_file(&j, p, job, EXTRACT_CMDLINE);
    json_str(&j, "text", r->cmdline);
    json_end_object(&j);
    json_end_object(&j);
}

static void print_name(const char *name)
{
    char shown[4 * FS_PATH_MAX + 1];
    struct text t = text_on(shown, sizeof(shown));

    text_name(&t, name, strlen(name));
    fputs(shown, stdout);
}

static void print_line(const struct people *p, const struct extract_job *job,
                       enum extract_file which)
{
    char size[32];
    struct text t = text_on(size, sizeof(size));

    text_size(&t, job->result->file_bytes[which]);
    print_name(p->dir);
    printf("/%s: %s", job->out[which].name, size);
}

static void print_text(const struct people *p, const struct extract_job *job)
{
    const struct extract_result *r = job->result;

    if (r->entry != EXTRACT_NO_ENTRY)
        printf("entry %u: ", r->entry);
    print_name(r->title);
    putchar('\n');
    print_line(p, job, EXTRACT_KERNEL);
    fputs(", from ", stdout);
    print_name(r->kernel_name);
    putchar('\n');
    if (r->nr_initrds != 0) {
        print_line(p, job, EXTRACT_INITRD);
        for (uint32_t i = 0; i < r->nr_initrds; i++) {
            fputs(i == 0 ? ", from " : " and ", stdout);
            print_name(r->initrd_names[i]);
        }
        putchar('\n');
    }
    print_line(p, job, EXTRACT_CMDLINE);
    fputs(": ", stdout);
    print_name(r->cmdline);
    putchar('\n');
}

int cmd_extract(int argc, char **argv)
{
    static struct extract_job job;
    struct people p = {0};
    struct fence_end end = {.status = EXTRACT_FAILED};
    bool made = false;
    int status;

    if (argc > 1 && strcmp(argv[1], "--pygrub") == 0)
        return extract_pygrub(argc - 1, argv + 1);
    if (!parse(&job.o, &p, argc, argv, &status))
        return status;
    for (size_t i = 0; i < EXTRACT_FILES; i++)
        job.out[i].fd = -1;
    job.out[EXTRACT_KERNEL].name = job.o.vmlinux ? "vmlinux" : "kernel";
    job.out[EXTRACT_INITRD].name = "initrd";
    job.out[EXTRACT_CMDLINE].name = "cmdline";
    extract_hold_signals();
    if (open_outputs(&job, &p, &made))
        end = extract_run(&job);
    if (end.status == EXTRACT_DONE && end.signal_nr == 0 && !extract_publish(&job, p.dir, p.force))
        end.status = EXTRACT_FAILED;
    extract_clean_up(&job);
    if (made && (end.status != EXTRACT_DONE || end.signal_nr != 0))
        rmdir(p.dir);
    extract_release_signals();
    status = fence_status(end);
    if (status != EXTRACT_DONE)
        return status;
    if (p.json)
        print_json(&p, &job);
    else
        print_text(&p, &job);
    return flush_stdout() ? EXTRACT_DONE : EXTRACT_FAILED;
}

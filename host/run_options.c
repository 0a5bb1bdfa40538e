/* SPDX-License-Identifier: MIT */
/* The arguments of `pvboot run`, and everything that can be refused before QEMU starts. */
#include "host/cmd.h"
#include "host/machine.h"
#include "host/run.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help_text[] =
    "usage: pvboot run [OPTION]... IMAGE\n"
    "\n"
    "Starts a Xen host inside QEMU, runs a paravirtual guest on it whose disk is IMAGE (raw or\n"
    "qcow2) and whose kernel is pvboot, and joins the guest's console with this terminal. Needs\n"
    "neither root nor KVM. The image is not changed unless --write is given.\n"
    "\n"
    "  --memory MIB         the guest's memory (default 512)\n"
    "  --vcpus N            its processors (default 1)\n"
    "  --disk IMG           one more disk; may be repeated. IMAGE is xvda, these are xvdb, ...\n"
    "  --write              let the guest change the images\n"
    "  --sector-size N      512 (default) or 4096: the sectors that the disks have\n"
    "  --append ARGS        the command line of pvboot; one that begins with ( or / names the "
    "menu\n"
    "  --kernel-image FILE  run this Xen PV kernel instead of pvboot's own image\n"
    "  --xen FILE           run this Xen, an unpacked file, in place of the distribution's: one\n"
    "                       that has 32-bit PV, say, which Debian's has not\n"
    "  --timeout S          end a guest that still runs after S seconds\n"
    "  --no-reboot          end when the guest reboots; otherwise it is started again\n"
    "  --json               events as JSON on standard output, one object a line, no console\n"
    "  --verbose            show the host's own log on standard error\n"
    "\n"
    "Ctrl-] leaves and ends the guest. When standard input is not a terminal, what comes there is\n"
    "typed on the guest's console.\n"
    "\n"
    "Exit status: 0 the guest powered off, 1 wrong arguments or an image that cannot be used,\n"
    "2 the guest crashed or suspended itself, 3 --timeout passed, 4 the Xen host failed, 5 left "
    "with Ctrl-], by a\n"
    "signal or because standard output takes no more.\n"
    "\n"
    "Environment: PVBOOT_KERNEL_IMAGE names pvboot's image, PVBOOT_CACHE the folder where the "
    "host\n"
    "is kept (default ~/.cache/pvboot).\n";

enum { OPT_MEMORY = 1, OPT_VCPUS, OPT_DISK, OPT_WRITE, OPT_APPEND, OPT_KERNEL, OPT_TIMEOUT };
enum { OPT_XEN = OPT_TIMEOUT + 1, OPT_NO_REBOOT = 20, OPT_SECTOR, OPT_JSON, OPT_VERBOSE, OPT_HELP };

static const struct option options[] = {
    {"memory", required_argument, NULL, OPT_MEMORY},
    {"vcpus", required_argument, NULL, OPT_VCPUS},
    {"disk", required_argument, NULL, OPT_DISK},
    {"write", no_argument, NULL, OPT_WRITE},
    {"sector-size", required_argument, NULL, OPT_SECTOR},
    {"append", required_argument, NULL, OPT_APPEND},
    {"kernel-image", required_argument, NULL, OPT_KERNEL},
    {"xen", required_argument, NULL, OPT_XEN},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"no-reboot", no_argument, NULL, OPT_NO_REBOOT},
    {"json", no_argument, NULL, OPT_JSON},
    {"verbose", no_argument, NULL, OPT_VERBOSE},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

/* pvboot's own image: in the build tree beside the program, or where packages put it. */
static bool find_kernel_image(struct run_options *o)
{
    static const char *const place[] = {"images", "../lib/pvboot", "../share/pvboot"};
    static const char *const name[] = {"pvboot-hd0-x86_64", "pvboot-hd0-x86_64.gz"};
    const char *env = getenv("PVBOOT_KERNEL_IMAGE");
    char exe[PATH_MAX];
    ssize_t n;
    char *slash;

    if (env && *env) {
        snprintf(o->kernel_image, sizeof(o->kernel_image), "%s", env);
        return true;
    }
    n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    exe[n > 0 ? n : 0] = 0;
    slash = strrchr(exe, '/');
    if (slash)
        *slash = 0;
    for (size_t i = 0; i < 6; i++) {
        int len = snprintf(o->kernel_image, sizeof(o->kernel_image), "%s/%s/%s", exe, place[i / 2],
                           name[i % 2]);

        if (len > 0 && (size_t)len < sizeof(o->kernel_image) && access(o->kernel_image, R_OK) == 0)
            return true;
    }
    usage_error("pvboot's own image pvboot-hd0-x86_64 was not found near %s; build it with make "
                "images, or name one with --kernel-image or PVBOOT_KERNEL_IMAGE",
                exe);
    return false;
}

/* What Xen's domain builder takes: an ELF image, plain or packed with gzip, or a bzImage (its magic
 * lies at 0x202: Linux, Documentation/arch/x86/boot.rst). */
static bool is_kernel(const char *path)
{
    unsigned char head[0x206] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return false;
    n = read(fd, head, sizeof(head));
    close(fd);
    return n >= 4 && (memcmp(head, "\177ELF", 4) == 0 || memcmp(head, "\x1f\x8b", 2) == 0 ||
                      memcmp(head + 0x202, "HdrS", 4) == 0);
}

static bool check_kernel_image(struct run_options *o)
{
    struct stat st;

    if (!o->kernel_image[0] && !find_kernel_image(o))
        return false;
    if (stat(o->kernel_image, &st) < 0 || access(o->kernel_image, R_OK) < 0) {
        usage_error("the kernel image %s: %s", o->kernel_image, strerror(errno));
        return false;
    }
    if (!S_ISREG(st.st_mode) || st.st_size == 0) {
        usage_error("the kernel image %s is not a file with something in it", o->kernel_image);
        return false;
    }
    if (!is_kernel(o->kernel_image)) {
        usage_error("the kernel image %s is neither an ELF file (plain or packed with gzip) nor a "
                    "bzImage; name a kernel with Xen PV support",
                    o->kernel_image);
        return false;
    }
    o->kernel_len = (uint64_t)st.st_size;
    return true;
}

/* Behind the fence. */
static int check_qcow2(void *disk)
{
    char err[PATH_MAX + 256];

    if (file_disk_start(disk, 512, err, sizeof(err)))
        return EXIT_OK;
    return usage_error("%s", err);
}

/*
 * QEMU would open whatever other files a qcow2 image names, with our rights: only an image that our
 * own reader takes, which is complete in itself, reaches it. False: a sentence was written.
 */
static bool is_self_contained(const char *path)
{
    char err[PATH_MAX + 256];
    struct file_disk d;

    if (!file_disk_open(&d, path, err, sizeof(err))) {
        usage_error("%s", err);
        return false;
    }
    struct fence fence = {.keep = {d.fd}, .nr_keep = 1, .memory_bytes = FENCE_MEMORY};
    struct fence_end end = fence_run(&fence, check_qcow2, &d);

    file_disk_close(&d);
    return fence_status(end) == EXIT_OK;
}

bool xen_file_ok(const char *path)
{
    unsigned char head[4] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0) {
        usage_error("--xen %s: %s", path, strerror(errno));
        return false;
    }
    n = read(fd, head, sizeof(head));
    close(fd);
    if (n == 4 && memcmp(head, "\177ELF", 4) == 0)
        return true;
    usage_error("--xen %s is not an ELF file%s", path,
                n == 4 && memcmp(head, "\x1f\x8b", 2) == 0 ? "; unpack it with gunzip" : "");
    return false;
}

static bool check_disks(struct run_options *o)
{
    char err[PATH_MAX + 256];

    for (size_t i = 0; i < o->nr_disks; i++) {
        if (!xh_image_format(o->disk[i], o->write, &o->format[i], err, sizeof(err))) {
            usage_error("%s", err);
            return false;
        }
        if (o->format[i] == XH_QCOW2 && !is_self_contained(o->disk[i]))
            return false;
    }
    return true;
}

static bool add_disk(struct run_options *o, const char *path)
{
    if (o->nr_disks >= RUN_MAX_DISKS) {
        usage_error("at most %d disks are possible", RUN_MAX_DISKS);
        return false;
    }
    o->disk[o->nr_disks++] = path;
    return true;
}

static bool one_option(struct run_options *o, int opt, const char *arg)
{
    switch (opt) {
    case OPT_MEMORY:
        return parse_number("--memory (MiB)", arg, XH_MIN_MEMORY_MIB, XH_MAX_MEMORY_MIB,
                            &o->memory_mib);
    case OPT_VCPUS:
        return parse_number("--vcpus", arg, 1, XH_MAX_VCPUS, &o->vcpus);
    case OPT_TIMEOUT:
        return parse_number("--timeout (seconds)", arg, 1, 7 * 24 * 3600, &o->timeout_s);
    case OPT_DISK:
        return add_disk(o, arg);
    case OPT_WRITE:
        o->write = true;
        return true;
    case OPT_SECTOR:
        return machine_sector_size(arg, &o->sector_bytes);
    case OPT_APPEND:
        o->append = arg;
        return true;
    case OPT_XEN:
        o->xen = arg;
        return xen_file_ok(arg);
    case OPT_KERNEL:
        if (snprintf(o->kernel_image, sizeof(o->kernel_image), "%s", arg) <
            (int)sizeof(o->kernel_image))
            return true;
        usage_error("the name of the kernel image is too long");
        return false;
    case OPT_NO_REBOOT:
        o->no_reboot = true;
        return true;
    case OPT_JSON:
        o->json = true;
        return true;
    case OPT_VERBOSE:
        o->verbose = true;
        return true;
    default:
        return false; /* bad_option() has said it */
    }
}

int bad_option(const char *command, int c, char **argv)
{
    char letter[3] = {'-', (char)optopt, 0};
    /* a letter may stand among others in one word; a long option is a word */
    const char *name = optopt > ' ' && optopt < 0x7f ? letter : argv[optind - 1];

    fprintf(stderr, "pvboot %s: %s \"%s\"; pvboot %s --help lists the options\n", command,
            c == ':'                        ? "a value is missing after"
            : optopt != 0 && name != letter ? "no value is taken by"
                                            : "there is no option",
            name, command);
    return EXIT_USAGE;
}

int run_parse(struct run_options *o, int argc, char **argv, int *status)
{
    int opt;

    memset(o, 0, sizeof(*o));
    o->memory_mib = 512;
    o->vcpus = 1;
    o->sector_bytes = MACHINE_SECTOR;
    *status = EXIT_USAGE;
    o->nr_disks = 1; /* IMAGE, named last, comes first */
    opterr = 0;
    while ((opt = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (opt == '?' || opt == ':') {
            bad_option("run", opt, argv);
            return 1;
        }
        if (opt == OPT_HELP || opt == 'h') {
            fputs(help_text, stdout);
            *status = flush_stdout() ? EXIT_OK : EXIT_USAGE;
            return 1;
        }
        if (!one_option(o, opt, optarg))
            return 1;
    }
    if (argc - optind != 1) {
        usage_error(optind == argc ? "which image? usage: pvboot run [OPTION]... IMAGE"
                                   : "one image is run at a time; more disks are named by --disk");
        return 1;
    }
    o->disk[0] = argv[optind];
    return check_disks(o) && check_kernel_image(o) ? 0 : 1;
}

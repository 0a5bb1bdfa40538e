/* SPDX-License-Identifier: MIT */
/* ec2-bundle-vol: a bundle of a running system. */
#include "cloud/tools/bundle_options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cloud/bundle/volume.h"
#include "cloud/bundle/work.h"
#include "core/base/text.h"
#include "host/filedisk.h"

#define SIZE_MIN_MIB     4u
#define SIZE_MAX_MIB     10240u
#define SIZE_DEFAULT_MIB SIZE_MAX_MIB

static const char help_text[] =
    "usage: ec2-bundle-vol -k KEY -c CERT -u USER -r ARCH [OPTION]...\n\n"
    "Makes an image of a running system, and a bundle of the image. Needs root.\n\n"
    "  -k, --privatekey KEY    your RSA key, PEM\n"
    "  -c, --cert CERT         your certificate, PEM\n"
    "  -u, --user USER         your account, 12 digits\n"
    "  -r, --arch ARCH         i386 or x86_64\n"
    "  -d, --destination DIR   where the bundle goes; /tmp. It is never a part of the image\n"
    "  -p, --prefix NAME       the bundle's name; image\n"
    "  -s, --size MIB          of the image; 10240\n"
    "  -v, --volume DIR        the top folder of the system; /\n"
    "  -e, --exclude PATH[,PATH]...\n"
    "                          paths in the volume: folders are empty in the image, files are\n"
    "                          not there; * ? [ ] stand for what they do in a shell\n"
    "  -i, --include FILE[,FILE]...\n"
    "                          take in files that are left out because they may be secret\n"
    "      --no-filter         take in all of those\n"
    "  -a, --all               take in other file systems that are mounted in the volume\n"
    "      --fstab FILE        the image's /etc/fstab\n"
    "      --generate-fstab    write one with the root file system alone\n"
    "      --grub-config FILE  the image's /boot/grub/menu.lst\n"
    "  -P, --partition KIND    none, mbr or gpt; none\n"
    "      --ec2cert CERT      the cloud's certificate; without it $EC2_BUNDLE_CERT,\n"
    "                          /etc/pvboot/cert-ec2.pem, /etc/ec2/amitools/cert-ec2.pem\n"
    "      --kernel AKI        the kernel image that instances start with\n"
    "      --ramdisk ARI       the initrd that goes with it\n"
    "  -B, --block-device-mapping NAME=DEVICE[,NAME=DEVICE]...\n"
    "      --productcodes CODE[,CODE]...\n"
    "      --inherit           fail where what the instance was started with cannot be asked\n"
    "      --no-inherit        do not ask; without both, it is taken over where it can be had\n"
    "      --no-check          do not look whether the image boots with the AKI\n" TOOL_COMMON_HELP
    "\nThe file system has the type, label and UUID of the volume's, where that is ext2, ext3 or\n"
    "ext4; else it is ext4.\n"
    "\nexample:\n  ec2-bundle-vol -r x86_64 -k pk.pem -c cert.pem -u 1111-2222-3333 \\\n"
    "      -d /mnt -e /mnt,/tmp -s 2048 --kernel aki-427d952b\n";

enum {
    OPT_FSTAB = 256,
    OPT_GENERATE,
    OPT_MENU,
    OPT_INHERIT,
    OPT_NO_INHERIT,
    OPT_NO_FILTER,
};

static const struct option options[] = {
    {"size", required_argument, NULL, 's'},
    {"volume", required_argument, NULL, 'v'},
    {"exclude", required_argument, NULL, 'e'},
    {"include", required_argument, NULL, 'i'},
    {"all", no_argument, NULL, 'a'},
    {"partition", required_argument, NULL, 'P'},
    {"script", required_argument, NULL, 'S'},
    {"fstab", required_argument, NULL, OPT_FSTAB},
    {"generate-fstab", no_argument, NULL, OPT_GENERATE},
    {"grub-config", required_argument, NULL, OPT_MENU},
    {"inherit", no_argument, NULL, OPT_INHERIT},
    {"no-inherit", no_argument, NULL, OPT_NO_INHERIT},
    {"no-filter", no_argument, NULL, OPT_NO_FILTER},
    BUNDLE_OPTIONS,
    {NULL, 0, NULL, 0},
};

struct bundle_vol {
    struct bundle_options o;
    struct volume v;
    char folder[VOLUME_PATH_MAX], work[VOLUME_PATH_MAX + WORK_NAME_MAX];
    bool no_inherit, inherit;
};

static bool set_size(struct bundle_vol *b, const char *text)
{
    uint64_t mib;

    if (!text_parse_u64(text, strlen(text), &mib) || mib < SIZE_MIN_MIB || mib > SIZE_MAX_MIB) {
        tool_say("--size (in MiB) is a whole number from %u to %u, not \"%s\"", SIZE_MIN_MIB,
                 SIZE_MAX_MIB, text);
        return false;
    }
    b->v.image_bytes = mib << 20;
    return true;
}

static bool set_partition(struct bundle_vol *b, const char *text)
{
    static const char *const kinds[] = {"none", "mbr", "gpt"};

    for (int i = VOLUME_NONE; i <= VOLUME_GPT; i++) {
        b->v.partition = (enum volume_partition)i;
        if (strcmp(text, kinds[i]) == 0)
            return true;
    }
    tool_say("--partition is none, mbr or gpt, not \"%s\"", text);
    return false;
}

static bool one_option(struct bundle_vol *b, int opt)
{
    switch (opt) {
    case 's':
        return set_size(b, optarg);
    case 'v':
        b->v.path = optarg;
        return true;
    case 'e':
        return tool_words(optarg, b->v.excludes, &b->v.nr_excludes, VOLUME_EXCLUDES_MAX,
                          "excluded paths", &b->o.arena);
    case 'i':
        return tool_words(optarg, b->v.includes, &b->v.nr_includes, VOLUME_INCLUDES_MAX,
                          "included files", &b->o.arena);
    case 'a':
        b->v.all = true;
        return true;
    case 'P':
        return set_partition(b, optarg);
    case 'S':
        tool_say("--script is not offered, because the image is made without being mounted; "
                 "change the image and use ec2-bundle-image");
        return false;
    case OPT_FSTAB:
        b->v.fstab = optarg;
        return true;
    case OPT_GENERATE:
        b->v.generate_fstab = true;
        return true;
    case OPT_MENU:
        b->v.menu = optarg;
        return true;
    case OPT_INHERIT:
    case OPT_NO_INHERIT:
        b->inherit = opt == OPT_INHERIT;
        b->no_inherit = !b->inherit;
        return true;
    case OPT_NO_FILTER:
        b->v.filter = false;
        return true;
    default:
        return bundle_option(&b->o, opt);
    }
}

static void say_line(const char *line)
{
    tool_say("%s", line);
}

static bool parse(struct bundle_vol *b, int argc, char **argv)
{
    int opt;

    b->o.m.name = "image";
    b->v.path = "/";
    b->o.folder = "/tmp";
    b->v.filter = true;
    b->v.image_bytes = (uint64_t)SIZE_DEFAULT_MIB << 20;
    b->v.note = say_line;
    optind = 1;
    opterr = 0;
    while ((opt = getopt_long(argc, argv, "s:v:e:i:aP:S:" BUNDLE_LETTERS, options, NULL)) != -1) {
        if (opt == '?')
            return tool_refuse_option(argv);
        if (!one_option(b, opt))
            return false;
    }
    if (b->o.common != TOOL_COMMON_NONE)
        return true;
    if (optind != argc)
        tool_say("\"%s\" is no option; see --help", argv[optind]);
    else if (b->v.fstab != NULL && b->v.generate_fstab)
        tool_say("--fstab and --generate-fstab do not go together");
    else
        return bundle_values(&b->o);
    return false;
}

/* In the work folder; what it leaves there is removed by the caller. */
static bool make(struct bundle_vol *b)
{
    char why[2048], image[VOLUME_PATH_MAX + WORK_NAME_MAX + 16];

    if (!volume_image(&b->v, b->work, why, sizeof(why))) {
        tool_say("%s", why);
        return false;
    }
    snprintf(image, sizeof(image), "%s/" VOLUME_IMAGE, b->work);
    if (b->o.m.kernel_id != NULL && !b->o.no_check &&
        !tool_check_image(image, b->o.m.kernel_id, b->o.arch))
        return false;
    return bundle_make(&b->o, image, b->folder);
}

/* A folder for the image, beside where the bundle goes. */
static bool make_in_folder(struct bundle_vol *b)
{
    int folder = open(b->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct work work = {.fd = -1};
    char why[512];

    if (folder < 0) {
        tool_say("the folder %s cannot be opened: %s", b->folder, strerror(errno));
        return false;
    }
    bool good = work_folder(&work, folder, ".pvboot-volume", why, sizeof(why));

    if (good) {
        snprintf(b->work, sizeof(b->work), "%s/%s", b->folder, work.name);
        good = make(b);
    } else {
        tool_say("%s/%s", b->folder, why);
    }
    work_end(&work);
    close(folder);
    return good;
}

static bool run(struct bundle_vol *b)
{
    char manifest[VOLUME_PATH_MAX + 128];
    struct bundle_job *job = tool_job();

    if (!b->no_inherit && !tool_inherit(&b->o.m, b->inherit, &b->o.arena))
        return false;
    if (b->o.m.kernel_id != NULL && !b->o.no_check && !tool_check_begin())
        return false;
    b->v.stop = job->stop;
    b->v.secret = b->v.filter ? b->o.who.key : NULL;
    b->v.folder = b->o.folder;
    if (realpath(b->v.folder, b->folder) == NULL) {
        tool_say("the folder %s cannot be opened: %s; name another one with -d", b->v.folder,
                 strerror(errno));
        return false;
    }
    snprintf(manifest, sizeof(manifest), "%s/%s" MANIFEST_SUFFIX, b->folder, b->o.m.name);
    if (access(manifest, F_OK) == 0) {
        tool_say("%s is there already; remove that bundle, or choose another name or folder",
                 manifest);
        return false;
    }
    return make_in_folder(b);
}

int tool_bundle_vol(int argc, char **argv)
{
    static struct bundle_vol b;
    struct bundle_options *o = &b.o;
    int status = TOOL_USAGE;

    arena_init(&o->arena, &host_memory);
    if (parse(&b, argc, argv))
        status = TOOL_FAILED;
    if (o->common != TOOL_COMMON_NONE && status == TOOL_FAILED)
        status = tool_common_answer(o->common, help_text);
    else if (status == TOOL_FAILED && tool_keys(&o->who) && run(&b))
        status = TOOL_DONE;
    bundle_options_free(o);
    return status;
}

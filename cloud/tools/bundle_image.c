/* SPDX-License-Identifier: MIT */
/* ec2-bundle-image: a bundle of an image that is there. */
#include "cloud/tools/bundle_options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "host/filedisk.h"

static const char help_text[] =
    "usage: ec2-bundle-image -i IMAGE -k KEY -c CERT -u USER -r ARCH [OPTION]...\n\n"
    "Makes a bundle of an image: encrypted parts, and a signed manifest that names them.\n\n"
    "  -i, --image IMAGE       the image, a file or a block device of at most 10 GiB\n"
    "  -k, --privatekey KEY    your RSA key, PEM\n"
    "  -c, --cert CERT         your certificate, PEM\n"
    "  -u, --user USER         your account, 12 digits\n"
    "  -r, --arch ARCH         i386 or x86_64\n"
    "  -d, --destination DIR   where the bundle goes; /tmp\n"
    "  -p, --prefix NAME       the bundle's name; that of the image\n"
    "      --ec2cert CERT      the cloud's certificate; without it $EC2_BUNDLE_CERT,\n"
    "                          /etc/pvboot/cert-ec2.pem, /etc/ec2/amitools/cert-ec2.pem\n"
    "      --kernel AKI        the kernel image that instances start with; \"true\": the image\n"
    "                          is a kernel itself, to be registered as an AKI\n"
    "      --ramdisk ARI       the initrd that goes with it; \"true\": the image is one\n"
    "  -B, --block-device-mapping NAME=DEVICE[,NAME=DEVICE]...\n"
    "      --productcodes CODE[,CODE]...\n"
    "      --ancestor_ami_ids AMI[,AMI]...\n"
    "      --no-check          do not look whether the image boots with the AKI, or as "
    "one\n" TOOL_COMMON_HELP
    "\nexample:\n  ec2-bundle-image -i disk.img -r x86_64 -k pk.pem -c cert.pem -u 1111-2222-3333 "
    "\\\n"
    "      -d /var/tmp --kernel aki-427d952b\n";

enum { OPT_ANCESTORS = 256 };

static const struct option options[] = {
    {"image", required_argument, NULL, 'i'},
    {"ancestor_ami_ids", required_argument, NULL, OPT_ANCESTORS},
    BUNDLE_OPTIONS,
    {NULL, 0, NULL, 0},
};

struct bundle_image {
    struct bundle_options o;
    const char *image;
};

static bool one_option(struct bundle_image *b, int opt)
{
    struct manifest *m = &b->o.m;

    switch (opt) {
    case 'i':
        b->image = optarg;
        return true;
    case OPT_ANCESTORS:
        return tool_words(optarg, m->ancestors, &m->nr_ancestors, MANIFEST_CODES_MAX, "ancestors",
                          &b->o.arena);
    default:
        return bundle_option(&b->o, opt);
    }
}

/* "true" as an id says what the image itself is, as other makers of bundles have it. */
static bool choose_type(struct manifest *m)
{
    bool kernel = m->kernel_id != NULL && strcmp(m->kernel_id, "true") == 0;
    bool ramdisk = m->ramdisk_id != NULL && strcmp(m->ramdisk_id, "true") == 0;

    if (!kernel && !ramdisk)
        return true;
    if (m->kernel_id != NULL && m->ramdisk_id != NULL) {
        tool_say(
            "an image that is a kernel or an initrd itself starts with no other: leave %s away",
            kernel ? "--ramdisk" : "--kernel");
        return false;
    }
    m->type = kernel ? MANIFEST_KERNEL : MANIFEST_RAMDISK;
    m->kernel_name = kernel ? m->name : NULL;
    m->kernel_id = m->ramdisk_id = NULL;
    return true;
}

/* What is bundled under an AKI, or as one, has to boot. */
static bool check_it(const struct bundle_image *b)
{
    const struct bundle_options *o = &b->o;

    if (o->no_check)
        return true;
    if (o->m.type == MANIFEST_KERNEL)
        return tool_check_kernel(b->image, o->arch);
    return o->m.kernel_id == NULL || tool_check_image(b->image, o->m.kernel_id, o->arch);
}

static bool parse(struct bundle_image *b, int argc, char **argv)
{
    int opt;

    b->o.folder = "/tmp";
    optind = 1;
    opterr = 0;
    while ((opt = getopt_long(argc, argv, "i:" BUNDLE_LETTERS, options, NULL)) != -1) {
        if (opt == '?')
            return tool_refuse_option(argv);
        if (!one_option(b, opt))
            return false;
    }
    if (b->o.common != TOOL_COMMON_NONE)
        return true;
    if (optind != argc) {
        tool_say("\"%s\" is no option; see --help", argv[optind]);
        return false;
    }
    if (b->image == NULL) {
        tool_say("which image? Name it with -i");
        return false;
    }
    if (b->o.m.name == NULL) {
        const char *slash = strrchr(b->image, '/');

        b->o.m.name = slash != NULL ? slash + 1 : b->image;
    }
    return bundle_values(&b->o) && choose_type(&b->o.m);
}

int tool_bundle_image(int argc, char **argv)
{
    static struct bundle_image b;
    struct bundle_options *o = &b.o;
    int status = TOOL_USAGE;

    arena_init(&o->arena, &host_memory);
    if (parse(&b, argc, argv))
        status = TOOL_FAILED;
    if (o->common != TOOL_COMMON_NONE && status == TOOL_FAILED) {
        status = tool_common_answer(o->common, help_text);
    } else if (status == TOOL_FAILED && tool_keys(&o->who) && check_it(&b) &&
               bundle_make(o, b.image, o->folder)) {
        status = TOOL_DONE;
    }
    bundle_options_free(o);
    return status;
}

/* SPDX-License-Identifier: MIT */
/* ec2-bundle-image: a bundle of an image that is there. */
#include "cloud/tools/tools.h"

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
    "      --no-check          do not look whether the image boots with the AKI\n" TOOL_COMMON_HELP
    "\nexample:\n  ec2-bundle-image -i disk.img -r x86_64 -k pk.pem -c cert.pem -u 1111-2222-3333 "
    "\\\n"
    "      -d /var/tmp --kernel aki-427d952b\n";

enum { OPT_EC2 = 256, OPT_KERNEL, OPT_RAMDISK, OPT_CODES, OPT_ANCESTORS, OPT_NO_CHECK };

static const struct option options[] = {
    {"image", required_argument, NULL, 'i'},
    {"privatekey", required_argument, NULL, 'k'},
    {"cert", required_argument, NULL, 'c'},
    {"user", required_argument, NULL, 'u'},
    {"arch", required_argument, NULL, 'r'},
    {"destination", required_argument, NULL, 'd'},
    {"prefix", required_argument, NULL, 'p'},
    {"block-device-mapping", required_argument, NULL, 'B'},
    {"ec2cert", required_argument, NULL, OPT_EC2},
    {"kernel", required_argument, NULL, OPT_KERNEL},
    {"ramdisk", required_argument, NULL, OPT_RAMDISK},
    {"productcodes", required_argument, NULL, OPT_CODES},
    {"ancestor_ami_ids", required_argument, NULL, OPT_ANCESTORS},
    {"no-check", no_argument, NULL, OPT_NO_CHECK},
    TOOL_COMMON_OPTIONS,
    {NULL, 0, NULL, 0},
};

struct bundle_image {
    struct tool_identity who;
    struct manifest m;
    struct arena arena;
    const char *image, *arch, *folder;
    char user[13];
    bool no_check;
    enum tool_common common;
};

static bool one_option(struct bundle_image *b, int opt)
{
    struct manifest *m = &b->m;

    switch (opt) {
    case 'i':
        b->image = optarg;
        return true;
    case 'k':
        b->who.key = optarg;
        return true;
    case 'c':
        b->who.cert = optarg;
        return true;
    case 'u':
        b->who.user = optarg;
        return true;
    case 'r':
        b->arch = optarg;
        return true;
    case 'd':
        b->folder = optarg;
        return true;
    case 'p':
        m->name = optarg;
        return true;
    case 'B':
        return tool_mappings(optarg, m, &b->arena);
    case OPT_EC2:
        b->who.ec2_cert = optarg;
        return true;
    case OPT_KERNEL:
        m->kernel_id = optarg;
        return true;
    case OPT_RAMDISK:
        m->ramdisk_id = optarg;
        return true;
    case OPT_CODES:
        return tool_words(optarg, m->product_codes, &m->nr_product_codes, MANIFEST_CODES_MAX,
                          "product codes", &b->arena);
    case OPT_ANCESTORS:
        return tool_words(optarg, m->ancestors, &m->nr_ancestors, MANIFEST_CODES_MAX, "ancestors",
                          &b->arena);
    case OPT_NO_CHECK:
        b->no_check = true;
        return true;
    default:
        return tool_common_option(opt, &b->common);
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

bool tool_bundle_values(struct tool_identity *who, struct manifest *m, const char *arch,
                        char user[13])
{
    if (who->key == NULL)
        tool_say("which private key? Name it with -k");
    else if (who->cert == NULL)
        tool_say("which certificate? Name it with -c");
    else if (who->user == NULL)
        tool_say("which account? Name it with -u");
    else if (!tool_user(who->user, user))
        tool_say("the account (-u) is 12 digits, with or without dashes, not \"%s\"", who->user);
    else if (arch == NULL || (strcmp(arch, "i386") != 0 && strcmp(arch, "x86_64") != 0))
        tool_say("the architecture (-r) is i386 or x86_64%s%s", arch != NULL ? ", not " : "",
                 arch != NULL ? arch : "");
    else if (!manifest_name_ok(m->name))
        tool_say("the prefix (-p) is a file's name of at most %u characters without / and spaces "
                 "that does not begin with . or -, not \"%s\"",
                 MANIFEST_NAME_MAX, m->name);
    else {
        m->user = user;
        m->narrow = strcmp(arch, "i386") == 0;
        tool_bundler(m);
        return true;
    }
    return false;
}

static bool parse(struct bundle_image *b, int argc, char **argv)
{
    int opt;

    b->folder = "/tmp";
    optind = 1;
    opterr = 0;
    while ((opt = getopt_long(argc, argv, "i:k:c:u:r:d:p:B:" TOOL_COMMON_LETTERS, options, NULL)) !=
           -1) {
        if (opt == '?') {
            tool_say("%s is no option, or its value is missing; see --help", argv[optind - 1]);
            return false;
        }
        if (!one_option(b, opt))
            return false;
    }
    if (b->common != TOOL_COMMON_NONE)
        return true;
    if (optind != argc) {
        tool_say("\"%s\" is no option; see --help", argv[optind]);
        return false;
    }
    if (b->image == NULL) {
        tool_say("which image? Name it with -i");
        return false;
    }
    if (b->m.name == NULL) {
        const char *slash = strrchr(b->image, '/');

        b->m.name = slash != NULL ? slash + 1 : b->image;
    }
    return tool_bundle_values(&b->who, &b->m, b->arch, b->user) && choose_type(&b->m);
}

bool tool_make_bundle(struct tool_identity *who, const char *image, const char *folder,
                      struct manifest *m, struct arena *a)
{
    char why[2048];
    bool good = bundle_pack(image, folder, m, who->public, who->private, who->ec2, tool_job(), a,
                            why, sizeof(why));

    tool_progress_end();
    if (good)
        printf("%s/%s" MANIFEST_SUFFIX "\n", folder, m->name);
    else
        tool_say("%s", why);
    return tool_flush() && good;
}

int tool_bundle_image(int argc, char **argv)
{
    static struct bundle_image b;
    int status = TOOL_USAGE;

    arena_init(&b.arena, &host_memory);
    if (parse(&b, argc, argv))
        status = TOOL_FAILED;
    if (b.common != TOOL_COMMON_NONE && status == TOOL_FAILED) {
        status = tool_common_answer(b.common, help_text);
    } else if (status == TOOL_FAILED && tool_keys(&b.who) &&
               (b.no_check || b.m.kernel_id == NULL ||
                tool_check_image(b.image, b.m.kernel_id, b.arch)) &&
               tool_make_bundle(&b.who, b.image, b.folder, &b.m, &b.arena)) {
        status = TOOL_DONE;
    }
    tool_keys_free(&b.who);
    arena_reset(&b.arena);
    return status;
}

/* SPDX-License-Identifier: MIT */
/* `pvboot aki list` and `pvboot aki select`. */
#include "host/aki.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "host/cmd.h"
#include "host/json.h"

#define CATALOGUES_MAX 16
#define SHOWN_MAX      (4 * AKI_WHY_MAX)

enum aki_status {
    AKI_FOUND = 0,
    AKI_WRONG_USE = 1, /* arguments; a catalogue or an image that cannot be read */
    AKI_NONE = 2,      /* no AKI fits, or not the one that was named; or the image does not boot */
};

static const char help_text[] =
    "usage: pvboot aki list [OPTION]...\n"
    "       pvboot aki select --region REGION (--image FILE | --root-device KIND --arch ARCH)\n"
    "                         [--aki ID] [OPTION]...\n\n"
    "A cloud offers pvboot (or Amazon's PV-GRUB) as kernel images, one for each region, width\n"
    "and disk layout. `list' shows those of the catalogue; `select' prints the id of the one\n"
    "that an image needs, and says why on standard error.\n\n"
    "  --region REGION     as us-east-1\n"
    "  --arch ARCH         x86_64 or i386; with --image it must be the kernel's\n"
    "  --layout LAYOUT     hd0: the image is a file system; hd00: it has a partition table\n"
    "  --root-device KIND  instance-store (hd0) or ebs (hd00)\n"
    "  --image FILE        look into an image (raw or qcow2)\n"
    "  --aki ID            is this one right? If not, the right one is named\n"
    "  --catalogue FILE    one more catalogue; may be repeated\n"
    "  --json              one JSON object\n"
    "  --help              this text\n";

enum {
    OPT_REGION = 256,
    OPT_ARCH,
    OPT_LAYOUT,
    OPT_ROOT,
    OPT_IMAGE,
    OPT_AKI,
    OPT_CATALOGUE,
    OPT_JSON,
    OPT_HELP
};

static const struct option options[] = {
    {"region", required_argument, NULL, OPT_REGION},
    {"arch", required_argument, NULL, OPT_ARCH},
    {"layout", required_argument, NULL, OPT_LAYOUT},
    {"root-device", required_argument, NULL, OPT_ROOT},
    {"image", required_argument, NULL, OPT_IMAGE},
    {"aki", required_argument, NULL, OPT_AKI},
    {"catalogue", required_argument, NULL, OPT_CATALOGUE},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

struct aki_options {
    bool select, json, help;
    const char *region, *arch, *layout, *root, *image, *aki;
    const char *catalogues[CATALOGUES_MAX];
    size_t nr_catalogues;
};

static bool is(const char *value, const char *word)
{
    return value != NULL && strcmp(value, word) == 0;
}

static bool one_of(const char *option, const char *value, const char *one, const char *two)
{
    if (strcmp(value, one) == 0 || strcmp(value, two) == 0)
        return true;
    usage_error("%s is %s or %s, not \"%s\"", option, one, two, value);
    return false;
}

static bool one_option(struct aki_options *o, int opt)
{
    switch (opt) {
    case OPT_REGION:
        o->region = optarg;
        return true;
    case OPT_ARCH:
        o->arch = optarg;
        return one_of("--arch", optarg, "x86_64", "i386");
    case OPT_LAYOUT:
        o->layout = optarg;
        return one_of("--layout", optarg, "hd0", "hd00");
    case OPT_ROOT:
        o->root = optarg;
        return one_of("--root-device", optarg, "ebs", "instance-store");
    case OPT_IMAGE:
        o->image = optarg;
        return true;
    case OPT_AKI:
        o->aki = optarg;
        return true;
    case OPT_CATALOGUE:
        if (o->nr_catalogues == CATALOGUES_MAX) {
            usage_error("at most %d catalogues are possible", CATALOGUES_MAX);
            return false;
        }
        o->catalogues[o->nr_catalogues++] = optarg;
        return true;
    case OPT_JSON:
        o->json = true;
        return true;
    default:
        o->help = true;
        return true;
    }
}

/* Which options go together. */
static bool makes_sense(const struct aki_options *o)
{
    if (!o->select) {
        if (o->root != NULL || o->image != NULL || o->aki != NULL)
            usage_error("--root-device, --image and --aki belong to pvboot aki select");
        return o->root == NULL && o->image == NULL && o->aki == NULL;
    }
    if (o->region == NULL)
        usage_error("which region? Name it with --region; pvboot aki list shows them");
    else if ((o->root != NULL) + (o->image != NULL) + (o->layout != NULL) > 1)
        usage_error("--image, --root-device and --layout say the same; name one of them");
    else if (o->root == NULL && o->image == NULL && o->layout == NULL)
        usage_error("what is it for? Name --image or --root-device or --layout");
    else if (o->image == NULL && o->arch == NULL)
        usage_error("which width? Name it with --arch, or the image with --image");
    else
        return true;
    return false;
}

static bool parse(struct aki_options *o, int argc, char **argv)
{
    int opt;

    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        o->help = true;
        return true;
    }
    if (argc < 2 || (strcmp(argv[1], "list") != 0 && strcmp(argv[1], "select") != 0)) {
        usage_error("usage: pvboot aki list|select [OPTION]...; see pvboot aki --help");
        return false;
    }
    o->select = strcmp(argv[1], "select") == 0;
    optind = 2;
    opterr = 0;
    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (opt == '?') {
            usage_error("%s is no option, or its value is missing; see pvboot aki --help",
                        argv[optind - 1]);
            return false;
        }
        if (!one_option(o, opt))
            return false;
    }
    if (optind != argc) {
        usage_error("\"%s\" is no option; see pvboot aki --help", argv[optind]);
        return false;
    }
    return o->help || makes_sense(o);
}

static bool load(const struct aki_options *o, struct aki_table *t)
{
    char why[AKI_WHY_MAX], shown[SHOWN_MAX];
    bool good = aki_table_load(t, why, sizeof(why));

    for (size_t i = 0; i < o->nr_catalogues && good; i++)
        good = aki_table_add_file(t, o->catalogues[i], why, sizeof(why));
    if (!good)
        usage_error("%s", aki_shown(why, shown, sizeof(shown)));
    return good;
}

static void write_json(struct json *j, const struct aki *a)
{
    json_object(j, NULL);
    json_str(j, "id", a->id);
    json_str(j, "region", a->region);
    json_str(j, "arch", aki_arch(a->narrow));
    json_str(j, "layout", aki_layout(a->hd00));
    json_str(j, "version", a->version);
    json_str(j, "manifest", a->manifest);
    json_end_object(j);
}

static void say_none(const struct aki_options *o, const struct aki_table *t)
{
    char why[AKI_WHY_MAX], shown[SHOWN_MAX];

    /* Who asks for a region that is not there wants to know which are. */
    if (o->region != NULL && !aki_region_known(t, o->region, why, sizeof(why)))
        usage_error("%s", aki_shown(why, shown, sizeof(shown)));
    else
        usage_error("the catalogue has no such AKI; pvboot aki list shows all of them");
}

static int list(const struct aki_options *o, const struct aki_table *t)
{
    struct json j;
    size_t nr = 0;

    json_init(&j, stdout);
    if (o->json)
        json_list(&j, NULL);
    for (size_t i = 0; i < t->nr; i++) {
        const struct aki *a = &t->akis[i];

        if ((o->region != NULL && !aki_same_region(a->region, o->region)) ||
            (o->arch != NULL && strcmp(aki_arch(a->narrow), o->arch) != 0) ||
            (o->layout != NULL && strcmp(aki_layout(a->hd00), o->layout) != 0))
            continue;
        nr++;
        if (o->json)
            write_json(&j, a);
        else
            printf("%-12s  %-14s  %-6s  %-4s  %-5s  %s\n", a->id, a->region, aki_arch(a->narrow),
                   aki_layout(a->hd00), a->version, a->manifest);
    }
    if (o->json)
        json_end_list(&j);
    if (!flush_stdout())
        return AKI_WRONG_USE;
    if (nr == 0)
        say_none(o, t);
    return nr > 0 ? AKI_FOUND : AKI_NONE;
}

/* What is wanted of an AKI, and why. */
struct wanted {
    bool narrow, hd00;
    char because[2 * SHOWN_MAX];
};

static bool look_into(const struct aki_options *o, struct wanted *w, int *status)
{
    char path[SHOWN_MAX], text[SHOWN_MAX];
    struct aki_image image;

    if (!aki_image_look(o->image, o->arch, &image, status))
        return false;
    *status = AKI_NONE;
    aki_shown(o->image, path, sizeof(path));
    if (!image.boots) {
        usage_error("%s would not boot with any AKI: %s", path,
                    aki_shown(image.reason, text, sizeof(text)));
        return false;
    }
    aki_shown(image.kernel, text, sizeof(text));
    if (o->arch != NULL && strcmp(aki_arch(image.narrow), o->arch) != 0) {
        usage_error("--arch says %s, but %s boots %s, a kernel for %s", o->arch, path, text,
                    aki_arch(image.narrow));
        return false;
    }
    w->narrow = image.narrow;
    w->hd00 = image.hd00;
    snprintf(w->because, sizeof(w->because), "the image has %s, and boots %s, a kernel for %s",
             !image.hd00                        ? "no partition table"
             : strcmp(image.scheme, "gpt") == 0 ? "a GPT partition table"
                                                : "an MBR partition table",
             text, aki_arch(image.narrow));
    return true;
}

static void from_words(const struct aki_options *o, struct wanted *w)
{
    w->narrow = is(o->arch, "i386");
    if (o->layout != NULL) {
        w->hd00 = is(o->layout, "hd00");
        snprintf(w->because, sizeof(w->because), "as --layout and --arch say");
        return;
    }
    w->hd00 = is(o->root, "ebs");
    snprintf(w->because, sizeof(w->because), "images on %s have %s, and --arch says %s", o->root,
             w->hd00 ? "a partition table" : "no partition table", o->arch);
}

static int choose(const struct aki_options *o, const struct aki_table *t)
{
    char why[AKI_WHY_MAX], shown[SHOWN_MAX];
    struct wanted w = {0};
    struct json j;
    int status;

    if (o->image == NULL)
        from_words(o, &w);
    else if (!look_into(o, &w, &status))
        return status;
    const struct aki *a = o->aki != NULL ? aki_find(t, o->aki) : NULL;

    if (o->aki != NULL && a == NULL) {
        a = aki_select(t, o->region, w.narrow, w.hd00, why, sizeof(why));
        usage_error("%s is not in the catalogue%s%s", aki_shown(o->aki, shown, sizeof(shown)),
                    a != NULL ? "; use " : "", a != NULL ? a->id : "");
        return AKI_NONE;
    }
    if (a != NULL && !aki_fits(t, a, o->region, w.narrow, w.hd00, why, sizeof(why)))
        a = NULL;
    else if (a == NULL)
        a = aki_select(t, o->region, w.narrow, w.hd00, why, sizeof(why));
    if (a == NULL) {
        usage_error("%s", aki_shown(why, shown, sizeof(shown)));
        return AKI_NONE;
    }
    fprintf(stderr, "pvboot: %s is for %s, %s, %s: %s\n", a->id, a->region, aki_arch(a->narrow),
            aki_layout(a->hd00), w.because);
    json_init(&j, stdout);
    if (o->json)
        write_json(&j, a);
    else
        puts(a->id);
    return flush_stdout() ? AKI_FOUND : AKI_WRONG_USE;
}

int cmd_aki(int argc, char **argv)
{
    struct aki_options o = {0};
    struct aki_table t = {0};
    int status = AKI_WRONG_USE;

    if (!parse(&o, argc, argv))
        return AKI_WRONG_USE;
    if (o.help) {
        fputs(help_text, stdout);
        return flush_stdout() ? AKI_FOUND : AKI_WRONG_USE;
    }
    if (load(&o, &t))
        status = o.select ? choose(&o, &t) : list(&o, &t);
    aki_table_free(&t);
    return status;
}

/* SPDX-License-Identifier: MIT */
/* ec2-unbundle: the image out of a bundle. */
#include "cloud/tools/tools.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "cloud/bundle/unpack.h"
#include "host/filedisk.h"

static const char help_text[] =
    "usage: ec2-unbundle -m MANIFEST -k KEY [-s DIR] [-d DIR]\n\n"
    "Makes the image of a bundle again. Every digest is checked, and the signature.\n\n"
    "  -m, --manifest FILE     the bundle's manifest\n"
    "  -k, --privatekey KEY    the RSA key that it was made for, PEM\n"
    "  -c, --cert CERT         whose signature it has to carry; without it, that of the key\n"
    "  -s, --source DIR        where the parts are; beside the manifest\n"
    "  -d, --destination DIR   where the image goes; the current folder\n"
    "      --no-verify         take a manifest with a wrong signature\n" TOOL_COMMON_HELP
    "\nexample:\n  ec2-unbundle -m /mnt/image.manifest.xml -k pk.pem -d /var/tmp\n";

enum { OPT_NO_VERIFY = 256 };

static const struct option options[] = {
    {"manifest", required_argument, NULL, 'm'},
    {"privatekey", required_argument, NULL, 'k'},
    {"cert", required_argument, NULL, 'c'},
    {"source", required_argument, NULL, 's'},
    {"destination", required_argument, NULL, 'd'},
    {"no-verify", no_argument, NULL, OPT_NO_VERIFY},
    TOOL_COMMON_OPTIONS,
    {NULL, 0, NULL, 0},
};

struct unbundle {
    const char *manifest, *key, *cert, *source, *folder;
    bool no_verify;
    enum tool_common common;
};

static bool parse(struct unbundle *o, int argc, char **argv)
{
    int opt;

    o->folder = ".";
    optind = 1;
    opterr = 0;
    while ((opt = getopt_long(argc, argv, "m:k:c:s:d:" TOOL_COMMON_LETTERS, options, NULL)) != -1) {
        switch (opt) {
        case 'm':
            o->manifest = optarg;
            break;
        case 'k':
            o->key = optarg;
            break;
        case 'c':
            o->cert = optarg;
            break;
        case 's':
            o->source = optarg;
            break;
        case 'd':
            o->folder = optarg;
            break;
        case OPT_NO_VERIFY:
            o->no_verify = true;
            break;
        case '?':
            return tool_refuse_option(argv);
        default:
            tool_common_option(opt, &o->common);
            break;
        }
    }
    if (o->common != TOOL_COMMON_NONE)
        return true;
    if (optind != argc)
        tool_say("\"%s\" is no option; see --help", argv[optind]);
    else if (o->manifest == NULL || o->key == NULL)
        tool_say("%s", o->manifest == NULL ? "which bundle? Name its manifest with -m"
                                           : "which private key? Name it with -k");
    else
        return true;
    return false;
}

/* An unsigned manifest is taken, and that is said: tools make such. */
static bool verified(const struct unbundle *o, const struct manifest *m, const char *text,
                     struct key *own)
{
    char why[1024];
    struct key *signer = o->cert != NULL ? key_public(o->cert, why, sizeof(why)) : own;
    bool good = signer != NULL && manifest_verify(m, text, signer, why, sizeof(why));

    if (!good && signer != NULL && m->signature == NULL && o->cert == NULL) {
        tool_say("%s is not signed: nobody vouches for this image", o->manifest);
        good = true;
    } else if (!good && signer != NULL && o->no_verify) {
        tool_say("%s: %s; going on, as --no-verify says", o->manifest, why);
        good = true;
    } else if (!good) {
        tool_say("%s: %s", o->manifest, why);
    }
    if (signer != own)
        key_free(signer);
    return good;
}

/* Read, judge, and open the bundle's key. The private key is not needed after that. */
static bool open_bundle(const struct unbundle *o, struct manifest *m, struct bundle_key *bundle_key,
                        struct arena *a)
{
    char why[2048];
    const char *text;
    struct key *key = key_private(o->key, why, sizeof(why));
    bool good = key != NULL && manifest_read_file(m, o->manifest, a, &text, why, sizeof(why));

    if (good && m->nr_passed_over > 0)
        tool_say("%s: %u elements that are not known were passed over, the first is <%s>",
                 o->manifest, m->nr_passed_over, m->passed_over);
    if (good && !verified(o, m, text, key)) {
        key_free(key);
        return false;
    }
    good = good && bundle_open_key(m, key, bundle_key, why, sizeof(why));
    if (!good)
        tool_say("%s", why);
    key_free(key);
    return good;
}

static bool unbundle(const struct unbundle *o, struct arena *a)
{
    struct manifest m;
    struct bundle_key key;
    const char *source = o->source != NULL ? o->source : tool_folder_of(o->manifest, a);
    char why[2048];

    if (source == NULL) {
        tool_say("out of memory");
        return false;
    }
    if (!open_bundle(o, &m, &key, a))
        return false;
    bool good = bundle_unpack_folder(&m, source, o->folder, &key, tool_job(), why, sizeof(why));

    OPENSSL_cleanse(&key, sizeof(key));
    tool_progress_end();
    if (good)
        printf("%s/%s\n", o->folder, m.name);
    else
        tool_say("%s", why);
    return tool_flush() && good;
}

int tool_unbundle(int argc, char **argv)
{
    struct unbundle o = {0};
    struct arena arena;

    if (!parse(&o, argc, argv))
        return TOOL_USAGE;
    if (o.common != TOOL_COMMON_NONE)
        return tool_common_answer(o.common, help_text);
    arena_init(&arena, &host_memory);
    bool good = unbundle(&o, &arena);

    arena_reset(&arena);
    return good ? TOOL_DONE : TOOL_FAILED;
}

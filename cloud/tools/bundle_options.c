/* SPDX-License-Identifier: MIT */
#include "cloud/tools/bundle_options.h"

#include <stdio.h>
#include <string.h>

/* "aki-" or "ari-" and 8 or 17 digits; "true": the image is one itself. */
static bool set_id(const char *option, const char *kind, const char *value, const char **id)
{
    size_t kind_len = strlen(kind), len = strlen(value);
    bool good = strncmp(value, kind, kind_len) == 0 &&
                (len == kind_len + 8 || len == kind_len + 17) &&
                value[kind_len + strspn(value + kind_len, "0123456789abcdef")] == '\0';

    if (!good && strcmp(value, "true") != 0) {
        tool_say("%s takes an id, %s with 8 or 17 hexadecimal digits, not \"%s\"", option, kind,
                 value);
        return false;
    }
    *id = value;
    return true;
}

bool bundle_option(struct bundle_options *b, int opt)
{
    struct manifest *m = &b->m;

    switch (opt) {
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
    case BUNDLE_OPT_EC2:
        b->who.ec2_cert = optarg;
        return true;
    case BUNDLE_OPT_KERNEL:
        return set_id("--kernel", "aki-", optarg, &m->kernel_id);
    case BUNDLE_OPT_RAMDISK:
        return set_id("--ramdisk", "ari-", optarg, &m->ramdisk_id);
    case BUNDLE_OPT_CODES:
        return tool_words(optarg, m->product_codes, &m->nr_product_codes, MANIFEST_CODES_MAX,
                          "product codes", &b->arena);
    case BUNDLE_OPT_NO_CHECK:
        b->no_check = true;
        return true;
    default:
        return tool_common_option(opt, &b->common);
    }
}

bool bundle_values(struct bundle_options *b)
{
    const struct tool_identity *who = &b->who;
    struct manifest *m = &b->m;
    const char *arch = b->arch;

    if (who->key == NULL)
        tool_say("which private key? Name it with -k");
    else if (who->cert == NULL)
        tool_say("which certificate? Name it with -c");
    else if (who->user == NULL)
        tool_say("which account? Name it with -u");
    else if (!tool_user(who->user, b->user))
        tool_say("the account (-u) is 12 digits, with or without dashes, not \"%s\"", who->user);
    else if (arch == NULL || (strcmp(arch, "i386") != 0 && strcmp(arch, "x86_64") != 0))
        tool_say("the architecture (-r) is i386 or x86_64%s%s", arch != NULL ? ", not " : "",
                 arch != NULL ? arch : "");
    else if (!manifest_name_ok(m->name))
        tool_say("the prefix (-p) is a file's name of at most %u characters without / and spaces "
                 "that does not begin with . or -, not \"%s\"",
                 MANIFEST_NAME_MAX, m->name);
    else {
        m->user = b->user;
        m->narrow = strcmp(arch, "i386") == 0;
        tool_bundler(m);
        return true;
    }
    return false;
}

bool bundle_make(struct bundle_options *b, const char *image, const char *folder)
{
    char why[2048];
    bool good = bundle_pack(image, folder, &b->m, b->who.public, b->who.private, b->who.ec2,
                            tool_job(), &b->arena, why, sizeof(why));

    tool_progress_end();
    if (good)
        printf("%s/%s" MANIFEST_SUFFIX "\n", folder, b->m.name);
    else
        tool_say("%s", why);
    return tool_flush() && good;
}

void bundle_options_free(struct bundle_options *b)
{
    tool_keys_free(&b->who);
    arena_reset(&b->arena);
}

/* SPDX-License-Identifier: MIT */
/* What the reader does with the value of each element. */
#include "cloud/bundle/manifest_read.h"

#include <stdio.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "host/hex.h"

static void take_size(struct reading *r, uint64_t *out, const char *what)
{
    if (!text_parse_u64(r->value, strlen(r->value), out))
        manifest_bad(r, "the %s is \"%s\", which is no number of bytes", what, r->value);
}

static void take_digest(struct reading *r, uint8_t *out)
{
    if (!hex_read(r->value, out, SHA1_BYTES))
        manifest_bad(r, "the digest \"%.60s\" is not 40 hexadecimal digits", r->value);
}

/* Encrypted keys and signatures; empty: none. */
static const char *take_hex(struct reading *r, const char *what)
{
    size_t len = strlen(r->value);

    if (len == 0)
        return NULL;
    if (len % 2 != 0 || len > 2 * KEY_RSA_BYTES_MAX ||
        strspn(r->value, "0123456789abcdefABCDEF") != len) {
        manifest_bad(r, "the %s is no hexadecimal text", what);
        return NULL;
    }
    return manifest_keep(r, r->value);
}

static const char *take_text(struct reading *r)
{
    return r->value[0] != '\0' ? manifest_keep(r, r->value) : NULL;
}

static void take_word(struct reading *r, const char **list, uint32_t *nr)
{
    if (r->value[0] == '\0')
        return;
    if (*nr == MANIFEST_CODES_MAX)
        manifest_bad(r, "more than %u elements of one list", MANIFEST_CODES_MAX);
    else
        list[(*nr)++] = manifest_keep(r, r->value);
}

static const char *take_name(struct reading *r, const char *what)
{
    if (!manifest_name_ok(r->value))
        manifest_bad(
            r,
            "the %s \"%.100s\" cannot be used: it has to be a file's name of at most %u characters "
            "without /, \\ and spaces that does not begin with . or -",
            what, r->value, MANIFEST_NAME_MAX);
    return manifest_keep(r, r->value);
}

static void take_arch(struct reading *r)
{
    r->m->narrow = strcmp(r->value, "i386") == 0;
    if (!r->m->narrow && strcmp(r->value, "x86_64") != 0)
        manifest_bad(r, "the architecture is \"%.40s\"; known are i386 and x86_64", r->value);
}

static void take_type(struct reading *r)
{
    for (int t = MANIFEST_MACHINE; t <= MANIFEST_RAMDISK; t++) {
        r->m->type = (enum manifest_type)t;
        if (strcmp(r->value, manifest_type_name(r->m->type)) == 0)
            return;
    }
    manifest_bad(r, "the image is of the type \"%.40s\"; known are machine, kernel and ramdisk",
                 r->value);
}

static void take_signature(struct reading *r)
{
    if (strcmp(r->value, "UNSIGNED") != 0)
        r->m->signature = take_hex(r, "signature");
}

static void end_part(struct reading *r)
{
    if (!r->has_filename || !r->has_digest)
        manifest_bad(r, "part %u has no %s", r->m->nr_parts,
                     r->has_filename ? "digest" : "filename");
    r->m->nr_parts++;
}

static void end_mapping(struct reading *r)
{
    struct manifest_mapping *map = &r->m->mappings[r->m->nr_mappings];

    if (map->virtual_name == NULL || map->device == NULL)
        manifest_bad(r, "a block device mapping has no %s",
                     map->device == NULL ? "device" : "virtual name");
    r->m->nr_mappings++;
}

static void end_list_item(struct reading *r, enum field f)
{
    struct manifest *m = r->m;

    switch (f) {
    case F_PART:
        end_part(r);
        return;
    case F_FILENAME:
        m->parts[m->nr_parts].filename = take_name(r, "part's name");
        r->has_filename = true;
        return;
    case F_PART_DIGEST:
        take_digest(r, m->parts[m->nr_parts].sha1);
        r->has_digest = true;
        return;
    case F_MAPPING:
        end_mapping(r);
        return;
    case F_VIRTUAL:
        m->mappings[m->nr_mappings].virtual_name = take_text(r);
        return;
    case F_DEVICE:
        m->mappings[m->nr_mappings].device = take_text(r);
        return;
    case F_CODE:
        take_word(r, m->product_codes, &m->nr_product_codes);
        return;
    case F_ANCESTOR:
        take_word(r, m->ancestors, &m->nr_ancestors);
        return;
    default:
        return;
    }
}

static void end_image_field(struct reading *r, enum field f)
{
    struct manifest *m = r->m;

    switch (f) {
    case F_NAME:
        m->name = take_name(r, "image's name");
        return;
    case F_USER:
        m->user = take_text(r);
        return;
    case F_TYPE:
        take_type(r);
        return;
    case F_KERNEL_NAME:
        m->kernel_name = take_text(r);
        return;
    case F_DIGEST:
        take_digest(r, m->sha1);
        return;
    case F_SIZE:
        take_size(r, &m->size_bytes, "size");
        return;
    case F_BUNDLED:
        take_size(r, &m->bundled_bytes, "bundled size");
        return;
    case F_EC2_KEY:
        m->ec2_key = take_hex(r, "encrypted key");
        return;
    case F_USER_KEY:
        m->user_key = take_hex(r, "encrypted key");
        return;
    case F_EC2_IV:
        m->ec2_iv = take_hex(r, "encrypted initialisation vector");
        return;
    case F_USER_IV:
        m->user_iv = take_hex(r, "encrypted initialisation vector");
        return;
    default:
        end_list_item(r, f);
        return;
    }
}

/* The bytes from the element's < to behind its end. */
static void end_range(struct reading *r, struct manifest_range *range)
{
    range->len = (size_t)XML_GetCurrentByteIndex(r->parser) +
                 (size_t)XML_GetCurrentByteCount(r->parser) - range->off;
}

void manifest_field(struct reading *r, enum field f)
{
    struct manifest *m = r->m;

    switch (f) {
    case F_VERSION:
        m->version = take_text(r);
        return;
    case F_BUNDLER_NAME:
        m->bundler_name = take_text(r);
        return;
    case F_BUNDLER_VERSION:
        m->bundler_version = take_text(r);
        return;
    case F_BUNDLER_RELEASE:
        m->bundler_release = take_text(r);
        return;
    case F_CONFIGURATION:
        end_range(r, &m->signed_configuration);
        return;
    case F_IMAGE:
        end_range(r, &m->signed_image);
        return;
    case F_ARCH:
        take_arch(r);
        return;
    case F_KERNEL:
        m->kernel_id = take_text(r);
        return;
    case F_RAMDISK:
        m->ramdisk_id = take_text(r);
        return;
    case F_SIGNATURE:
        take_signature(r);
        return;
    default:
        end_image_field(r, f);
        return;
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

static bool is_user(const char *user)
{
    return user == NULL || (strspn(user, "0123456789") == 12 && user[12] == '\0');
}

static bool names_differ(const struct manifest *m, char *why, size_t why_cap)
{
    /* Sorting pointers would need more than it is worth: parts of honest tools ascend. */
    for (uint32_t i = 1; i < m->nr_parts; i++) {
        if (strcmp(m->parts[i - 1].filename, m->parts[i].filename) == 0) {
            snprintf(why, why_cap, "parts %u and %u have the same name", i - 1, i);
            return false;
        }
    }
    return true;
}

bool manifest_complete(const struct reading *r, char *why, size_t why_cap)
{
    static const struct {
        enum field field;
        const char *name;
    } needed[] = {{F_VERSION, "version"},   {F_CONFIGURATION, "machine_configuration"},
                  {F_ARCH, "architecture"}, {F_IMAGE, "image"},
                  {F_NAME, "name"},         {F_DIGEST, "digest"},
                  {F_SIZE, "size"},         {F_BUNDLED, "bundled_size"},
                  {F_PARTS, "parts"},       {F_SIGNATURE, "signature"}};
    const struct manifest *m = r->m;

    for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
        if (!r->seen[needed[i].field]) {
            snprintf(why, why_cap, "there is no <%s> in it", needed[i].name);
            return false;
        }
    }
    if (m->version == NULL || strcmp(m->version, MANIFEST_VERSION) != 0)
        snprintf(why, why_cap, "a manifest of another version than " MANIFEST_VERSION);
    else if (!is_user(m->user))
        snprintf(why, why_cap, "the user is no account of 12 digits");
    else if (m->nr_parts == 0)
        snprintf(why, why_cap, "it has no parts");
    else if (r->has_count && r->count != m->nr_parts)
        snprintf(why, why_cap, "it has %u parts, but says that there are %llu", m->nr_parts,
                 (unsigned long long)r->count);
    else if ((m->ec2_key == NULL) != (m->ec2_iv == NULL) ||
             (m->user_key == NULL) != (m->user_iv == NULL))
        snprintf(why, why_cap, "it has an encrypted key without its initialisation vector");
    else if (m->ec2_key == NULL && m->user_key == NULL)
        snprintf(why, why_cap, "it has no encrypted key, so nobody can open the bundle");
    else
        return names_differ(m, why, why_cap);
    return false;
}

/* SPDX-License-Identifier: MIT */
/*
 * The reader. Tools differ in the order of elements, in what they leave out, and in how they write
 * "nothing"; what is not known is passed over and counted. No document type is taken, so there are
 * no entities but XML's own. What may stand once is an error when it stands twice: otherwise two
 * readers could see two manifests in one.
 */
#include "cloud/bundle/manifest_read.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"

static const struct {
    const char *path;
    enum field field;
} fields[] = {
    {"/manifest", F_NOTHING},
    {"/manifest/version", F_VERSION},
    {"/manifest/bundler", F_NOTHING},
    {"/manifest/bundler/name", F_BUNDLER_NAME},
    {"/manifest/bundler/version", F_BUNDLER_VERSION},
    {"/manifest/bundler/release", F_BUNDLER_RELEASE},
    {"/manifest/machine_configuration", F_CONFIGURATION},
    {"/manifest/machine_configuration/architecture", F_ARCH},
    {"/manifest/machine_configuration/block_device_mapping", F_NOTHING},
    {"/manifest/machine_configuration/block_device_mapping/mapping", F_MAPPING},
    {"/manifest/machine_configuration/block_device_mapping/mapping/virtual", F_VIRTUAL},
    {"/manifest/machine_configuration/block_device_mapping/mapping/device", F_DEVICE},
    {"/manifest/machine_configuration/kernel_id", F_KERNEL},
    {"/manifest/machine_configuration/ramdisk_id", F_RAMDISK},
    {"/manifest/machine_configuration/product_codes", F_NOTHING},
    {"/manifest/machine_configuration/product_codes/product_code", F_CODE},
    {"/manifest/image", F_IMAGE},
    {"/manifest/image/name", F_NAME},
    {"/manifest/image/user", F_USER},
    {"/manifest/image/type", F_TYPE},
    {"/manifest/image/kernel_name", F_KERNEL_NAME},
    {"/manifest/image/ancestry", F_NOTHING},
    {"/manifest/image/ancestry/ancestor_ami_id", F_ANCESTOR},
    {"/manifest/image/digest", F_DIGEST},
    {"/manifest/image/size", F_SIZE},
    {"/manifest/image/bundled_size", F_BUNDLED},
    {"/manifest/image/ec2_encrypted_key", F_EC2_KEY},
    {"/manifest/image/user_encrypted_key", F_USER_KEY},
    {"/manifest/image/ec2_encrypted_iv", F_EC2_IV},
    {"/manifest/image/user_encrypted_iv", F_USER_IV},
    {"/manifest/image/parts", F_PARTS},
    {"/manifest/image/parts/part", F_PART},
    {"/manifest/image/parts/part/filename", F_FILENAME},
    {"/manifest/image/parts/part/digest", F_PART_DIGEST},
    {"/manifest/signature", F_SIGNATURE},
};

void manifest_bad(struct reading *r, const char *fmt, ...)
{
    char raw[1024];
    struct text t = text_on(r->why, r->why_cap);
    va_list ap;

    if (r->bad)
        return;
    r->bad = true;
    va_start(ap, fmt);
    vsnprintf(raw, sizeof(raw), fmt, ap);
    va_end(ap);
    text_str(&t, "line ");
    text_u64(&t, XML_GetCurrentLineNumber(r->parser));
    text_str(&t, ": ");
    text_name(&t, raw, strlen(raw));
    XML_StopParser(r->parser, XML_FALSE);
}

const char *manifest_keep(struct reading *r, const char *text)
{
    const char *p = arena_strndup(r->arena, text, strlen(text));

    if (p == NULL)
        manifest_bad(r, "out of memory");
    return p;
}

/* ---- elements that begin --------------------------------------------------------------------- */

static void check_attributes(struct reading *r, enum field f, const char **attributes)
{
    for (; attributes[0] != NULL && !r->bad; attributes += 2) {
        const char *name = attributes[0], *value = attributes[1];
        uint64_t n;

        if ((f == F_DIGEST || f == F_PART_DIGEST) && strcmp(name, "algorithm") == 0) {
            if (strcmp(value, "SHA1") != 0)
                manifest_bad(r, "a digest of the algorithm \"%s\"; only SHA1 is known", value);
        } else if ((f == F_EC2_KEY || f == F_USER_KEY) && strcmp(name, "algorithm") == 0) {
            if (strcmp(value, "AES-128-CBC") != 0)
                manifest_bad(r, "a key for the algorithm \"%s\"; only AES-128-CBC is known", value);
        } else if (f == F_PARTS && strcmp(name, "count") == 0) {
            r->has_count = text_parse_u64(value, strlen(value), &r->count);
            if (!r->has_count)
                manifest_bad(r, "the count of parts is \"%s\", which is no number", value);
        } else if (f == F_PART && strcmp(name, "index") == 0) {
            if (!text_parse_u64(value, strlen(value), &n) || n != r->m->nr_parts)
                manifest_bad(r, "the part with index \"%s\" stands where part %u belongs", value,
                             r->m->nr_parts);
        }
    }
}

static struct manifest_part *add_part(struct reading *r)
{
    struct manifest *m = r->m;

    if (m->nr_parts == MANIFEST_PARTS_MAX) {
        manifest_bad(r, "more than %u parts", MANIFEST_PARTS_MAX);
        return NULL;
    }
    if (m->nr_parts == r->parts_room) {
        uint32_t room = r->parts_room == 0 ? 64 : 2 * r->parts_room;
        struct manifest_part *parts = arena_array(r->arena, room, sizeof(*parts));

        if (parts == NULL) {
            manifest_bad(r, "out of memory");
            return NULL;
        }
        if (m->nr_parts > 0)
            memcpy(parts, m->parts, m->nr_parts * sizeof(*parts));
        m->parts = parts;
        r->parts_room = room;
    }
    r->has_filename = r->has_digest = false;
    return &m->parts[m->nr_parts];
}

static void begin_field(struct reading *r, enum field f, const char **attributes)
{
    struct manifest *m = r->m;

    if (f < F_ONCE) {
        if (r->seen[f])
            manifest_bad(r, "a second %s; there may be one", strrchr(r->path, '/') + 1);
        r->seen[f] = true;
    }
    check_attributes(r, f, attributes);
    if (f == F_PART)
        (void)add_part(r);
    if (f == F_MAPPING && m->nr_mappings == MANIFEST_MAPPINGS_MAX)
        manifest_bad(r, "more than %u block device mappings", MANIFEST_MAPPINGS_MAX);
    if (f == F_CONFIGURATION)
        m->signed_configuration.off = (size_t)XML_GetCurrentByteIndex(r->parser);
    if (f == F_IMAGE)
        m->signed_image.off = (size_t)XML_GetCurrentByteIndex(r->parser);
}

static enum field find_field(const char *path)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (strcmp(fields[i].path, path) == 0)
            return fields[i].field;
    }
    return F_ONCE;
}

static void on_start(void *ctx, const char *name, const char **attributes)
{
    struct reading *r = ctx;
    size_t len = strlen(name);

    if (r->bad)
        return;
    if (r->depth + 1 == DEPTH_MAX) {
        manifest_bad(r, "elements lie deeper than %d in each other", DEPTH_MAX - 1);
        return;
    }
    r->depth++;
    r->value_len = 0;
    r->value[0] = '\0';
    if (r->unknown_depth != 0)
        return;
    enum field f = F_ONCE;

    if (len < PATH_MAX_ - 2 - r->path_len) {
        r->path[r->path_len] = '/';
        memcpy(r->path + r->path_len + 1, name, len + 1);
        f = find_field(r->path);
    }
    if (r->depth == 1 && f == F_ONCE)
        manifest_bad(
            r, "this is no manifest of an image bundle: it begins with <%s>, not with <manifest>",
            name);
    if (f == F_ONCE) {
        r->path[r->path_len] = '\0';
        r->unknown_depth = r->depth;
        if (r->m->nr_passed_over++ == 0)
            r->m->passed_over = manifest_keep(r, name);
        return;
    }
    r->path_len += len + 1;
    r->open[r->depth] = f;
    begin_field(r, f, attributes);
}

/* ---- elements that end ----------------------------------------------------------------------- */

/* White space around a value means nothing: somebody has indented the file. */
static void trim(struct reading *r)
{
    size_t start = strspn(r->value, " \t\r\n");

    while (r->value_len > start && strchr(" \t\r\n", r->value[r->value_len - 1]) != NULL)
        r->value_len--;
    r->value[r->value_len] = '\0';
    if (start > 0)
        memmove(r->value, r->value + start, r->value_len - start + 1);
}

static void on_end(void *ctx, const char *name)
{
    struct reading *r = ctx;

    if (r->bad)
        return;
    if (r->unknown_depth == 0) {
        trim(r);
        manifest_field(r, r->open[r->depth]);
        r->path_len -= strlen(name) + 1;
        r->path[r->path_len] = '\0';
    } else if (r->unknown_depth == r->depth) {
        r->unknown_depth = 0;
    }
    r->depth--;
    r->value_len = 0;
    r->value[0] = '\0';
}

static void on_text(void *ctx, const char *text, int len)
{
    struct reading *r = ctx;

    if (r->bad || r->unknown_depth != 0)
        return;
    if ((size_t)len > MANIFEST_VALUE_MAX - r->value_len) {
        manifest_bad(r, "a value is longer than %u bytes", MANIFEST_VALUE_MAX);
        return;
    }
    memcpy(r->value + r->value_len, text, (size_t)len);
    r->value_len += (size_t)len;
    r->value[r->value_len] = '\0';
}

static void on_doctype(void *ctx, const char *name, const char *system, const char *public,
                       int internal)
{
    (void)name;
    (void)system;
    (void)public;
    (void)internal;
    manifest_bad(ctx, "a document type (<!DOCTYPE) is not taken; remove it");
}

/* ---- the whole ------------------------------------------------------------------------------- */

/*
 * Other makers of bundles call a kernel or an initrd a machine image whose kernel or ramdisk is
 * "true".
 */
static void name_the_type(struct manifest *m)
{
    bool kernel = m->kernel_id != NULL && strcmp(m->kernel_id, "true") == 0;
    bool ramdisk = m->ramdisk_id != NULL && strcmp(m->ramdisk_id, "true") == 0;

    if (m->type != MANIFEST_MACHINE || kernel == ramdisk)
        return;
    m->type = kernel ? MANIFEST_KERNEL : MANIFEST_RAMDISK;
    m->kernel_name = kernel ? m->name : NULL;
    m->kernel_id = m->ramdisk_id = NULL;
}

bool manifest_read(struct manifest *m, const char *text, size_t len, struct arena *a, char *why,
                   size_t why_cap)
{
    struct reading *r = arena_alloc(a, sizeof(*r));
    bool good = false;

    *m = (struct manifest){0};
    if (len > MANIFEST_MAX) {
        snprintf(why, why_cap, "larger than %zu MiB, which no manifest is", MANIFEST_MAX >> 20);
        return false;
    }
    XML_Parser parser = r != NULL ? XML_ParserCreate("UTF-8") : NULL;

    if (parser == NULL) {
        snprintf(why, why_cap, "out of memory");
        return false;
    }
    *r = (struct reading){.parser = parser, .m = m, .arena = a, .why = why, .why_cap = why_cap};
    XML_SetUserData(parser, r);
    XML_SetElementHandler(parser, on_start, on_end);
    XML_SetCharacterDataHandler(parser, on_text);
    XML_SetStartDoctypeDeclHandler(parser, on_doctype);
    if (XML_Parse(parser, text, (int)len, 1) != XML_STATUS_OK) {
        if (!r->bad)
            manifest_bad(r, "%s", XML_ErrorString(XML_GetErrorCode(parser)));
    } else if (!r->bad) {
        good = manifest_complete(r, why, why_cap);
        name_the_type(m);
    }
    XML_ParserFree(parser);
    return good;
}

/*
 * A name that is not there is often mistyped: where its folder holds one manifest, that is meant.
 * Adds its name to `why`.
 */
static void add_manifest_beside(const char *path, char *why, size_t why_cap)
{
    const char *slash = strrchr(path, '/');
    char folder[4096], shown[512];
    struct text name = text_on(shown, sizeof(shown));
    const struct dirent *e;
    unsigned nr = 0;
    DIR *d;

    snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path + 1) : 2,
             slash ? path : "./");
    d = opendir(folder);
    while (d != NULL && (e = readdir(d)) != NULL) {
        size_t len = strlen(e->d_name), end = strlen(MANIFEST_SUFFIX);

        if (len > end && strcmp(e->d_name + len - end, MANIFEST_SUFFIX) == 0 && nr++ == 0)
            text_name(&name, e->d_name, len);
    }
    if (d != NULL)
        closedir(d);
    if (nr == 1)
        snprintf(why + strlen(why), why_cap - strlen(why), "; the manifest there is %s", shown);
}

bool manifest_read_file(struct manifest *m, const char *path, struct arena *a, const char **text,
                        char *why, size_t why_cap)
{
    char reason[1024], shown[1024];
    struct text name = text_on(shown, sizeof(shown));
    FILE *f = fopen(path, "re");
    char *buf = arena_pages(a, MANIFEST_MAX + 1);
    size_t len = 0;
    bool good = false;

    text_name(&name, path, strlen(path));
    if (f == NULL) {
        snprintf(why, why_cap, "%s cannot be opened: %s", shown, strerror(errno));
        add_manifest_beside(path, why, why_cap);
        return false;
    }
    if (buf != NULL)
        len = fread(buf, 1, MANIFEST_MAX + 1, f);
    if (buf == NULL || ferror(f)) {
        snprintf(why, why_cap, "%s cannot be read: %s", shown, strerror(errno));
    } else {
        good = manifest_read(m, buf, len, a, reason, sizeof(reason));
        if (!good)
            snprintf(why, why_cap, "%s: %s", shown, reason);
    }
    fclose(f);
    *text = buf;
    return good;
}

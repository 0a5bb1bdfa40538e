/* SPDX-License-Identifier: MIT */
/* The writer: no white space between elements, in the order that readers of the time expect. */
#include "cloud/bundle/manifest.h"
#include "host/hex.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *manifest_arch(bool narrow)
{
    return narrow ? "i386" : "x86_64";
}

const char *manifest_type_name(enum manifest_type type)
{
    static const char *const names[] = {"machine", "kernel", "ramdisk"};

    return names[type];
}

bool manifest_name_ok(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > MANIFEST_NAME_MAX || name[0] == '.' || name[0] == '-')
        return false;
    for (size_t i = 0; i < len; i++) {
        if ((uint8_t)name[i] <= ' ' || name[i] == '/' || name[i] == '\\' || name[i] == 0x7f)
            return false;
    }
    return true;
}

static void escaped(FILE *f, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '<')
            fputs("&lt;", f);
        else if (*text == '>')
            fputs("&gt;", f);
        else if (*text == '&')
            fputs("&amp;", f);
        else
            fputc(*text, f);
    }
}

/* Nothing when there is no value. */
static void element(FILE *f, const char *name, const char *value)
{
    if (value == NULL)
        return;
    fprintf(f, "<%s>", name);
    escaped(f, value);
    fprintf(f, "</%s>", name);
}

static void digest(FILE *f, const uint8_t sha1[SHA1_BYTES])
{
    char hex[2 * SHA1_BYTES + 1];

    hex_write(sha1, SHA1_BYTES, hex);
    fprintf(f, "<digest algorithm='SHA1'>%s</digest>", hex);
}

static void configuration(FILE *f, const struct manifest *m)
{
    fputs("<machine_configuration>", f);
    element(f, "architecture", manifest_arch(m->narrow));
    if (m->nr_mappings > 0) {
        fputs("<block_device_mapping>", f);
        for (uint32_t i = 0; i < m->nr_mappings; i++) {
            fputs("<mapping>", f);
            element(f, "virtual", m->mappings[i].virtual_name);
            element(f, "device", m->mappings[i].device);
            fputs("</mapping>", f);
        }
        fputs("</block_device_mapping>", f);
    }
    element(f, "kernel_id", m->kernel_id);
    element(f, "ramdisk_id", m->ramdisk_id);
    if (m->nr_product_codes > 0) {
        fputs("<product_codes>", f);
        for (uint32_t i = 0; i < m->nr_product_codes; i++)
            element(f, "product_code", m->product_codes[i]);
        fputs("</product_codes>", f);
    }
    fputs("</machine_configuration>", f);
}

static void key_element(FILE *f, const char *name, const char *value)
{
    fprintf(f, "<%s algorithm='AES-128-CBC'>%s</%s>", name, value != NULL ? value : "", name);
}

static void image(FILE *f, const struct manifest *m)
{
    fputs("<image>", f);
    element(f, "name", m->name);
    element(f, "user", m->user);
    element(f, "type", manifest_type_name(m->type));
    if (m->type == MANIFEST_KERNEL)
        element(f, "kernel_name", m->kernel_name);
    if (m->nr_ancestors > 0) {
        fputs("<ancestry>", f);
        for (uint32_t i = 0; i < m->nr_ancestors; i++)
            element(f, "ancestor_ami_id", m->ancestors[i]);
        fputs("</ancestry>", f);
    }
    digest(f, m->sha1);
    fprintf(f, "<size>%" PRIu64 "</size><bundled_size>%" PRIu64 "</bundled_size>", m->size_bytes,
            m->bundled_bytes);
    key_element(f, "ec2_encrypted_key", m->ec2_key);
    key_element(f, "user_encrypted_key", m->user_key);
    fprintf(f, "<ec2_encrypted_iv>%s</ec2_encrypted_iv>", m->ec2_iv != NULL ? m->ec2_iv : "");
    fprintf(f, "<user_encrypted_iv>%s</user_encrypted_iv>", m->user_iv != NULL ? m->user_iv : "");
    fprintf(f, "<parts count='%" PRIu32 "'>", m->nr_parts);
    for (uint32_t i = 0; i < m->nr_parts; i++) {
        fprintf(f, "<part index='%" PRIu32 "'>", i);
        element(f, "filename", m->parts[i].filename);
        digest(f, m->parts[i].sha1);
        fputs("</part>", f);
    }
    fputs("</parts></image>", f);
}

/* Where f is now; SIZE_MAX: it could not be written. */
static size_t here(FILE *f)
{
    long at = fflush(f) == 0 ? ftell(f) : -1;

    return at < 0 ? SIZE_MAX : (size_t)at;
}

bool manifest_write(struct manifest *m, struct key *signer, struct arena *a, const char **text,
                    size_t *len, char *why, size_t why_cap)
{
    struct manifest_range *c = &m->signed_configuration, *i = &m->signed_image;
    char *buf = NULL, *signature = NULL;
    size_t buf_len = 0;
    FILE *f = open_memstream(&buf, &buf_len);

    *text = NULL;
    snprintf(why, why_cap, "out of memory for the manifest");
    if (f == NULL)
        return false;
    fputs("<?xml version='1.0'?><manifest>", f);
    element(f, "version", MANIFEST_VERSION);
    fputs("<bundler>", f);
    element(f, "name", m->bundler_name);
    element(f, "version", m->bundler_version);
    element(f, "release", m->bundler_release);
    fputs("</bundler>", f);
    c->off = here(f);
    configuration(f, m);
    i->off = here(f);
    c->len = i->off - c->off;
    image(f, m);
    i->len = here(f) - i->off;
    if (!ferror(f)) {
        const struct key_range ranges[] = {{buf + c->off, c->len}, {buf + i->off, i->len}};

        signature = key_sign(signer, ranges, 2, why, why_cap);
    }
    element(f, "signature", signature);
    fputs("</manifest>\n", f);
    bool good = signature != NULL && fclose(f) == 0;

    if (signature == NULL)
        fclose(f);
    if (good)
        *text = arena_strndup(a, buf, buf_len);
    *len = buf_len;
    free(signature);
    free(buf);
    return *text != NULL;
}

bool manifest_verify(const struct manifest *m, const char *text, struct key *signer, char *why,
                     size_t why_cap)
{
    const struct key_range ranges[] = {
        {text + m->signed_configuration.off, m->signed_configuration.len},
        {text + m->signed_image.off, m->signed_image.len}};

    if (m->signature != NULL)
        return key_verify(signer, ranges, 2, m->signature, why, why_cap);
    snprintf(why, why_cap, "the manifest is not signed");
    return false;
}

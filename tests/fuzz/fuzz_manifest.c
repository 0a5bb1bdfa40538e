/* SPDX-License-Identifier: MIT */
/* Fuzz the reader of bundles' manifests. The input is the file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/bundle/manifest.h"
#include "tests/fuzz/seeds.h"
#include "tests/unit/support.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static void must(bool cond, const char *what)
{
    if (cond)
        return;
    fprintf(stderr, "not true: %s\n", what);
    abort();
}

#define DIGEST "<digest algorithm='SHA1'>0123456789abcdef0123456789abcdef01234567</digest>"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char seed_text[] =
        "<?xml version='1.0'?><manifest><version>2007-10-10</version><bundler><name>a</name>"
        "<version>1</version><release>2</release></bundler><machine_configuration>"
        "<architecture>i386</architecture><block_device_mapping><mapping><virtual>ami</virtual>"
        "<device>sda1</device></mapping></block_device_mapping><kernel_id>aki-1</kernel_id>"
        "<ramdisk_id>ari-1</ramdisk_id><product_codes><product_code>c</product_code>"
        "</product_codes></machine_configuration><image><name>n</name><user>123456789012</user>"
        "<type>kernel</type><kernel_name>k</kernel_name><ancestry><ancestor_ami_id>ami-1"
        "</ancestor_ami_id></ancestry>" DIGEST "<size>1</size><bundled_size>2</bundled_size>"
        "<ec2_encrypted_key algorithm='AES-128-CBC'>aa</ec2_encrypted_key><user_encrypted_key "
        "algorithm='AES-128-CBC'>bb</user_encrypted_key><ec2_encrypted_iv>cc</ec2_encrypted_iv>"
        "<user_encrypted_iv>dd</user_encrypted_iv><parts count='1'><part index='0'><filename>n.0"
        "</filename>" DIGEST "</part></parts></image><signature>UNSIGNED</signature></manifest>";
    struct bytes text = {.data = (uint8_t *)(uintptr_t)seed_text, .len = sizeof(seed_text) - 1};
    struct bytes none = {0};

    seed(seed_folder(*argc, *argv), 0, text, none);
    return 0;
}

static void check(const struct manifest *m, const uint8_t *data, size_t size)
{
    const struct manifest_range *c = &m->signed_configuration, *i = &m->signed_image;

    must(c->off < size && c->len <= size - c->off, "the configuration lies in the text");
    must(i->off < size && i->len <= size - i->off, "the image lies in the text");
    must(data[c->off] == '<' && data[c->off + c->len - 1] == '>', "an element has its brackets");
    must(data[i->off] == '<' && data[i->off + i->len - 1] == '>', "an element has its brackets");
    must(c->off + c->len <= i->off || i->off + i->len <= c->off, "they do not overlap");
    must(m->nr_parts > 0 && m->nr_parts <= MANIFEST_PARTS_MAX, "the number of parts");
    must(manifest_name_ok(m->name), "a name");
    for (uint32_t n = 0; n < m->nr_parts; n++)
        must(manifest_name_ok(m->parts[n].filename), "the name of a part");
    for (uint32_t n = 0; n < m->nr_mappings; n++)
        must(m->mappings[n].device != NULL && m->mappings[n].virtual_name != NULL, "a mapping");
    must(m->user == NULL || strlen(m->user) == 12, "a user");
    must(m->ec2_key != NULL || m->user_key != NULL, "a key");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct manifest m;
    struct arena a;
    char why[512] = "";

    arena_init(&a, &test_memory);
    if (manifest_read(&m, (const char *)data, size, &a, why, sizeof(why)))
        check(&m, data, size);
    else
        must(why[0] != '\0', "an error has a sentence");
    arena_reset(&a);
    return 0;
}

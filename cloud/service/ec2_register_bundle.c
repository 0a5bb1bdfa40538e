/* SPDX-License-Identifier: MIT */
/* What RegisterImage asks of a bundle before it believes that there is an image in it. */
#include "cloud/service/register.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "cloud/bundle/unpack.h"
#include "cloud/service/bucket_source.h"

static bool bad_manifest(struct ec2_call *call, const struct registration *r, const char *why)
{
    reply_error(call->r, 400, "InvalidManifest", "%.300s: %s", r->location, why);
    return false;
}

static bool bucket_failed(struct ec2_call *call, const struct registration *r,
                          enum bucket_result result, const char *why)
{
    if (result == BUCKET_FAILED)
        reply_error(call->r, 503, "Unavailable", "%s Try again later.", why);
    else if (result == BUCKET_FORBIDDEN)
        reply_error(call->r, 403, "AuthFailure", "%s", why);
    else
        bad_manifest(call, r, why);
    return false;
}

static bool get_manifest(struct ec2_call *call, const struct bucket_use *use,
                         struct registration *r)
{
    struct buf why = {0};
    enum bucket_result result;
    char said[1024];
    bool good;

    result = bucket_get(use, r->location, MANIFEST_MAX, &r->manifest, &why);
    good = result == BUCKET_GOOD || bucket_failed(call, r, result, why.text);
    buf_free(&why);
    if (!good)
        return false;
    if (r->manifest.len == 0 || strlen(r->manifest.text) != r->manifest.len)
        return bad_manifest(call, r, "this is no manifest; upload the bundle again.");
    return manifest_read(&r->read, r->manifest.text, r->manifest.len, &r->arena, said,
                         sizeof(said)) ||
           bad_manifest(call, r, said);
}

/* Signed by whom the configuration names? */
static bool check_signature(struct ec2_call *call, const struct registration *r)
{
    const char *path = call->r->account->certificate;
    char why[1024];
    struct key *signer;
    bool good;

    if (!path)
        return true;
    signer = key_public(path, why, sizeof(why));
    if (!signer) {
        fprintf(stderr, "pvbootd: %s\n", why);
        reply_error(call->r, 500, "InternalError",
                    "The certificate of this account cannot be read; the service's log tells why.");
        return false;
    }
    good = manifest_verify(&r->read, r->manifest.text, signer, why, sizeof(why)) ||
           bad_manifest(call, r, why);
    key_free(signer);
    return good;
}

/* Can the service open it? */
static bool check_key(struct ec2_call *call, const struct registration *r)
{
    struct bundle_key key;
    char why[1024];
    bool good = r->read.ec2_key && r->read.ec2_iv &&
                bundle_open_key(&r->read, call->r->svc->identity.private, &key, why, sizeof(why));

    OPENSSL_cleanse(&key, sizeof(key));
    return good || bad_manifest(call, r,
                                "the bundle was not made for this service: fetch the certificate "
                                "/cert-ec2.pem from its address, and bundle with --ec2cert FILE.");
}

/* The sizes of the parts, which lie beside the manifest. */
static bool get_sizes(struct ec2_call *call, const struct bucket_use *use,
                      const struct registration *r, uint64_t *sizes_bytes)
{
    const char **names = xalloc(r->read.nr_parts * sizeof(*names));
    struct buf folder = {0}, why = {0};
    enum bucket_result result;
    bool good;

    for (uint32_t i = 0; i < r->read.nr_parts; i++)
        names[i] = r->read.parts[i].filename;
    buf_add(&folder, r->location, (size_t)(strrchr(r->location, '/') - r->location) + 1);
    result = bucket_sizes(use, folder.text, names, r->read.nr_parts, sizes_bytes, &why);
    good = result == BUCKET_GOOD || bucket_failed(call, r, result, why.text);
    buf_free(&folder);
    buf_free(&why);
    free(names);
    return good;
}

/* All there, with the sizes that the manifest says? What is in them is looked at later. */
static bool check_parts(struct ec2_call *call, const struct bucket_use *use,
                        const struct registration *r)
{
    uint64_t *sizes_bytes = xalloc(r->read.nr_parts * sizeof(*sizes_bytes)), bytes = 0;
    bool good = get_sizes(call, use, r, sizes_bytes);
    char text[200];

    for (uint32_t i = 0; good && i < r->read.nr_parts; i++) {
        uint64_t size_bytes = sizes_bytes[i];

        if (size_bytes > BUNDLE_PART_FILE_MAX || size_bytes > r->read.bundled_bytes - bytes) {
            snprintf(text, sizeof(text),
                     "part %u has %llu bytes, more than the manifest leaves "
                     "for it; upload the bundle again.",
                     i + 1, (unsigned long long)size_bytes);
            good = bad_manifest(call, r, text);
        }
        bytes += size_bytes;
    }
    if (good && bytes != r->read.bundled_bytes) {
        snprintf(text, sizeof(text),
                 "its parts have %llu bytes together, the manifest says %llu; "
                 "upload the bundle again.",
                 (unsigned long long)bytes, (unsigned long long)r->read.bundled_bytes);
        good = bad_manifest(call, r, text);
    }
    free(sizes_bytes);
    return good;
}

/* What the manifest says and the request does not. */
static bool add_mappings(struct ec2_call *call, struct registration *r)
{
    for (uint32_t i = 0; i < r->read.nr_mappings; i++) {
        const struct manifest_mapping *m = &r->read.mappings[i];
        struct ec2_mapping one = {.virtual_name = m->virtual_name};
        bool root = strcmp(m->virtual_name, "root") == 0, ami = strcmp(m->virtual_name, "ami") == 0;

        if (!ec2_device_name(m->device, one.device))
            return bad_manifest(call, r,
                                "its block device mapping names a device that is no "
                                "/dev/sdX or /dev/xvdX.");
        if (root && !r->root_device[0])
            memcpy(r->root_device, one.device, sizeof(one.device));
        if (root || ami || strncmp(m->virtual_name, "ephemeral", 9) != 0 ||
            ec2_mapping_of(&r->mappings, one.device))
            continue;
        if (r->mappings.nr == IMAGE_MAPPINGS_MAX)
            return bad_manifest(call, r, "it has too many block device mappings.");
        r->mappings.mapping[r->mappings.nr++] = one;
    }
    return true;
}

static bool check_user(struct ec2_call *call, const struct registration *r)
{
    char text[200];

    if (strcmp(r->read.user, call->r->account->id) == 0)
        return true;
    snprintf(text, sizeof(text),
             "it was bundled for account %.20s, and you are %s; bundle with --user %s.",
             r->read.user, call->r->account->id, call->r->account->id);
    return bad_manifest(call, r, text);
}

static bool check_size(struct ec2_call *call, const struct registration *r)
{
    if (r->read.size_bytes > BUNDLE_IMAGE_MAX)
        return bad_manifest(call, r, "its image has more than 10 GiB, which is the most.");
    if (r->read.size_bytes == 0)
        return bad_manifest(call, r, "its image is empty.");
    return r->read.bundled_bytes <= BUNDLED_MAX ||
           bad_manifest(call, r, "its parts are larger than any image needs.");
}

static bool read_bundle(struct ec2_call *call, const struct bucket_use *use, struct registration *r)
{
    if (!get_manifest(call, use, r) || !check_user(call, r) || !check_signature(call, r) ||
        !check_size(call, r) || !check_key(call, r))
        return false;
    if (r->arch_given && r->narrow != r->read.narrow)
        return bad_manifest(call, r, "its architecture is not the one that you name.");
    r->narrow = r->read.narrow;
    r->arch_given = true;
    r->type = r->read.type;
    if (r->type == MANIFEST_MACHINE && !r->kernel)
        r->kernel = r->read.kernel_id;
    if (r->type == MANIFEST_MACHINE && !r->ramdisk)
        r->ramdisk = r->read.ramdisk_id;
    if (r->type != MANIFEST_MACHINE && (r->kernel || r->ramdisk)) {
        reply_error(call->r, 400, "InvalidParameterCombination",
                    "A %s image has no kernel or ramdisk of its own.", manifest_type_name(r->type));
        return false;
    }
    return (r->type != MANIFEST_MACHINE || add_mappings(call, r)) &&
           register_check_kernel(call, r) && check_parts(call, use, r);
}

bool register_bundle(struct ec2_call *call, struct registration *r)
{
    struct bucket_use use;
    bool good;

    if (!bucket_request_begin(call->r->svc, call->r->account, &use)) {
        reply_error(call->r, 503, "RequestLimitExceeded",
                    "As many registrations as may wait for %s do so already; try again later.",
                    call->r->svc->config.s3_url);
        return false;
    }
    good = read_bundle(call, &use, r);
    bucket_request_end(&use);
    return good;
}

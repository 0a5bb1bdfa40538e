/* SPDX-License-Identifier: MIT */
/* Block device mappings; see ec2_mapping.h. */
#include "cloud/service/ec2_mapping.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/service/volume.h"
#include "core/base/text.h"

#define NUMBER_MAX   64    /* of N; numbers may have gaps */
#define SIZE_GIB_MAX 16384 /* as EC2 */

/* Volumes are of one kind here; the usual names of it are taken, what costs extra is not. */
static const char *const volume_types[] = {"standard", "gp2", "gp3"};

bool ec2_device_name(const char *text, char out[IMAGE_DEVICE_BYTES])
{
    return volume_device_good(text) && (size_t)snprintf(out, IMAGE_DEVICE_BYTES, "/dev/%s",
                                                        volume_vdev(text)) < IMAGE_DEVICE_BYTES;
}

static bool refuse(struct ec2_call *call, const char *device, const char *what)
{
    reply_error(call->r, 400, "InvalidBlockDeviceMapping", "The block device mapping of %.60s %s",
                device, what);
    return false;
}

static const char *take(struct ec2_call *call, unsigned number, const char *field)
{
    char name[96];

    snprintf(name, sizeof(name), "BlockDeviceMapping.%u.%s", number, field);
    return ec2_take(call, name);
}

static bool take_flag(struct ec2_call *call, unsigned number, const char *field, bool *given,
                      bool *out)
{
    char name[96];

    snprintf(name, sizeof(name), "BlockDeviceMapping.%u.%s", number, field);
    *given = ec2_peek(call, name) != NULL;
    return ec2_take_bool(call, name, false, out);
}

/* What a volume of EC2 may have besides, and one of this service has not. */
static bool refuse_extras(struct ec2_call *call, unsigned number)
{
    static const char *const fields[] = {"Iops", "Throughput", "VolumeInitializationRate",
                                         "KmsKeyId", "OutpostArn"};

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        char name[32];

        snprintf(name, sizeof(name), "Ebs.%s", fields[i]);
        if (take(call, number, name))
            reply_error(call->r, 400, "UnsupportedOperation",
                        "BlockDeviceMapping.%u.%s is not offered here; leave it out.", number,
                        name);
    }
    return call->r->status == 0;
}

/* What makes it a volume. */
static bool take_volume(struct ec2_call *call, unsigned number, struct ec2_mapping *m, bool *volume)
{
    const char *size = take(call, number, "Ebs.VolumeSize");
    const char *type = take(call, number, "Ebs.VolumeType");
    bool type_good = type == NULL, encrypted, unused;
    uint64_t gib = 0;

    m->snapshot = take(call, number, "Ebs.SnapshotId");
    if (!refuse_extras(call, number))
        return false;
    if (!take_flag(call, number, "Ebs.DeleteOnTermination", &m->delete_given,
                   &m->delete_on_termination) ||
        !take_flag(call, number, "Ebs.Encrypted", &unused, &encrypted))
        return false;
    for (size_t i = 0; type && i < sizeof(volume_types) / sizeof(volume_types[0]); i++)
        type_good |= strcmp(type, volume_types[i]) == 0;
    if (!type_good)
        return refuse(call, m->device, "wants a type of volume that there is not; leave it out.");
    if (encrypted)
        return refuse(call, m->device, "wants an encrypted volume, which this service has not.");
    if (size && (!text_parse_u64(size, strlen(size), &gib) || gib == 0 || gib > SIZE_GIB_MAX))
        return refuse(call, m->device, "has a size that is no number of GiB from 1 to 16384.");
    if (m->snapshot && !ec2_check_id(call, "snap", m->snapshot, "InvalidSnapshotID"))
        return false;
    m->size_gib = (int64_t)gib;
    *volume = m->snapshot || size || type || m->delete_given;
    return true;
}

/* "ephemeral0" to "ephemeral23" */
static bool virtual_good(const char *name)
{
    static const char prefix[] = "ephemeral";
    size_t len = sizeof(prefix) - 1;
    uint64_t number;

    return strncmp(name, prefix, len) == 0 &&
           text_parse_u64(name + len, strlen(name + len), &number) && number < 24;
}

static bool take_one(struct ec2_call *call, unsigned number, const char *device, bool partial,
                     struct ec2_mapping *m)
{
    const char *none = take(call, number, "NoDevice");
    bool volume = false;

    *m = (struct ec2_mapping){.virtual_name = take(call, number, "VirtualName")};
    if (!ec2_device_name(device, m->device))
        return refuse(
            call, device,
            "names no disk: it is /dev/sdX or /dev/xvdX, with a number up to 15 or none.");
    m->no_device = none != NULL; /* an empty value, or "true" as newer clients send */
    if (!take_volume(call, number, m, &volume))
        return false;
    if (m->no_device + (m->virtual_name != NULL) + volume != 1)
        return refuse(call, device, "must be one of Ebs, VirtualName and NoDevice.");
    if (volume && !m->snapshot && m->size_gib == 0 && !(partial && m->delete_given))
        return refuse(call, device, "needs Ebs.SnapshotId or Ebs.VolumeSize.");
    if (m->virtual_name && !virtual_good(m->virtual_name))
        return refuse(call, device, "has a VirtualName that is not ephemeral0 to ephemeral23.");
    return true;
}

bool ec2_take_mappings(struct ec2_call *call, struct ec2_mappings *out)
{
    out->nr = 0;
    for (unsigned i = 1; i <= NUMBER_MAX; i++) {
        const char *device = take(call, i, "DeviceName");
        struct ec2_mapping one;

        if (!device)
            continue;
        if (out->nr == IMAGE_MAPPINGS_MAX) {
            reply_error(call->r, 400, "InvalidBlockDeviceMapping",
                        "There are more than %d block device mappings.", IMAGE_MAPPINGS_MAX);
            return false;
        }
        if (!take_one(call, i, device, out->partial, &one))
            return false;
        for (size_t k = 0; k < out->nr; k++)
            if (strcmp(out->mapping[k].device, one.device) == 0 ||
                (!one.no_device && !out->mapping[k].no_device &&
                 volume_clash(out->mapping[k].device, one.device)))
                return refuse(call, device, "names a disk that another one names, too.");
        out->mapping[out->nr++] = one;
    }
    return call->r->status == 0;
}

const struct ec2_mapping *ec2_mapping_of(const struct ec2_mappings *m, const char *device)
{
    for (size_t i = 0; i < m->nr; i++)
        if (strcmp(m->mapping[i].device, device) == 0)
            return &m->mapping[i];
    return NULL;
}

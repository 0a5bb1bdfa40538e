/* SPDX-License-Identifier: MIT */
/* Which disks the instances of a launch get; see ec2_run.h. */
#include "cloud/service/ec2_run.h"

#include <stdio.h>
#include <string.h>

#include "cloud/service/volume.h"

static bool wrong(struct ec2_call *call, const char *device, const char *sentence)
{
    reply_error(call->r, 400, "InvalidBlockDeviceMapping", "The device \"%.60s\": %s", device,
                sentence);
    return false;
}

static bool same_device(const char *a, const char *b)
{
    return strcmp(volume_vdev(a), volume_vdev(b)) == 0;
}

/* What the request says of a device that the image names. */
static const struct ec2_mapping *find_mapping(const struct run_request *q, const char *device)
{
    char name[IMAGE_DEVICE_BYTES];

    return ec2_device_name(device, name) ? ec2_mapping_of(&q->mappings, name) : NULL;
}

static bool is_volume(const struct ec2_mapping *m)
{
    return !m->no_device && m->virtual_name == NULL;
}

static struct run_disk *add_disk(struct ec2_call *call, struct run_disks *out, const char *device)
{
    struct run_disk *d = &out->disk[out->nr];

    if (out->nr == INSTANCE_VOLUMES_MAX) {
        wrong(call, device, "the instance would have too many disks.");
        return NULL;
    }
    out->nr++;
    *d = (struct run_disk){.delete_on_termination = true};
    snprintf(d->device, sizeof(d->device), "/dev/%s", volume_vdev(device));
    return d;
}

static void use(struct run_disk *d, const struct snapshot *s)
{
    d->source = s->blob;
    d->size_gib = s->size_gib;
    d->virtual_bytes = s->blob.virtual_bytes;
    snprintf(d->snapshot, sizeof(d->snapshot), "%s", s->id);
}

/* One that the request names. */
static bool use_snapshot(struct ec2_call *call, sqlite3 *c, const char *id, struct run_disk *d)
{
    struct snapshot s;

    if (!snapshot_take(call, c, id, &s))
        return false;
    use(d, &s);
    return true;
}

/* One of the image's, whoever has it: it may be used with the image. */
static bool use_image_snapshot(struct ec2_call *call, sqlite3 *c, const char *id,
                               struct run_disk *d)
{
    sqlite3_stmt *s = db_query(c,
                               "SELECT size_gib, blob FROM snapshot WHERE id = ?"
                               " AND state = 'completed'",
                               "s", id);
    struct snapshot found = {0};

    if (s != NULL && sqlite3_step(s) == SQLITE_ROW && blob_find(c, db_text(s, 1), &found.blob)) {
        snprintf(found.id, sizeof(found.id), "%s", id);
        found.size_gib = sqlite3_column_int64(s, 0);
        use(d, &found);
    } else {
        reply_error(call->r, 400, "InvalidSnapshot.NotFound",
                    "The image's snapshot %s is gone; nothing can be made of the image any more.",
                    id);
    }
    db_finish(s);
    return call->r->status == 0;
}

static bool set_size(struct ec2_call *call, struct run_disk *d, int64_t size_gib)
{
    if (size_gib == 0)
        return d->size_gib > 0 ||
               wrong(call, d->device, "a volume without a snapshot needs Ebs.VolumeSize.");
    if ((uint64_t)size_gib * VOLUME_GIB < d->source.virtual_bytes || size_gib < d->size_gib)
        return wrong(call, d->device, "the size is smaller than what the volume is made of.");
    d->size_gib = size_gib;
    d->virtual_bytes = (uint64_t)size_gib * VOLUME_GIB;
    return true;
}

/* The root disk of an instance-store image: a volume that nobody sees. */
static bool add_store_root(struct ec2_call *call, const struct run_request *q,
                           const struct ec2_image *image, struct run_disks *out)
{
    struct run_disk *d = add_disk(call, out, image->root_device);

    if (d == NULL)
        return false;
    if (find_mapping(q, image->root_device) != NULL)
        return wrong(call, image->root_device,
                     "it is the root of an instance-store image, which cannot be mapped.");
    d->hidden = true;
    d->source = image->blob;
    d->virtual_bytes = image->blob.virtual_bytes;
    d->size_gib = (int64_t)((d->virtual_bytes + VOLUME_GIB - 1) / VOLUME_GIB);
    return true;
}

/* One of the image's mappings, as the request changes it. */
static bool add_of_image(struct ec2_call *call, sqlite3 *c, const struct run_request *q,
                         const struct ec2_image *image, const struct image_mapping *m,
                         struct run_disks *out)
{
    bool root = image->ebs && same_device(m->device, image->root_device);
    const struct ec2_mapping *wish = find_mapping(q, m->device);
    bool other = wish != NULL && wish->snapshot != NULL && strcmp(wish->snapshot, m->snapshot) != 0;
    int64_t size_gib = wish != NULL && wish->size_gib > 0 ? wish->size_gib
                       : other                            ? 0
                                                          : m->size_gib;
    struct run_disk *d;

    if (root && (other || (wish != NULL && !is_volume(wish))))
        return wrong(call, m->device, "the root device keeps the image's snapshot.");
    if (wish != NULL ? !is_volume(wish) : m->virtual[0] != 0)
        return true; /* types have no disks of their own, and EC2 ignores this for such types */
    d = add_disk(call, out, m->device);
    if (d == NULL || (other && !use_snapshot(call, c, wish->snapshot, d)) ||
        (!other && m->snapshot[0] && !use_image_snapshot(call, c, m->snapshot, d)) ||
        !set_size(call, d, size_gib))
        return false;
    d->delete_on_termination =
        wish != NULL && wish->delete_given ? wish->delete_on_termination : m->delete_on_termination;
    return true;
}

static bool add_of_request(struct ec2_call *call, sqlite3 *c, const struct ec2_mapping *m,
                           struct run_disks *out)
{
    struct run_disk *d;

    if (!is_volume(m))
        return true;
    d = add_disk(call, out, m->device);
    if (d == NULL || (m->snapshot != NULL && !use_snapshot(call, c, m->snapshot, d)) ||
        !set_size(call, d, m->size_gib))
        return false;
    d->delete_on_termination = !m->delete_given || m->delete_on_termination;
    return true;
}

/* "sda1" and "xvda1" are one disk to today's Linux. */
static const char *behind_kind(const char *device)
{
    device = volume_vdev(device);
    return device + (device[0] == 'x' ? 3 : 2);
}

/* A disk and a partition of it cannot both be given to a guest. */
static bool check_names(struct ec2_call *call, const struct ec2_image *image,
                        const struct run_disks *disks)
{
    for (size_t i = 0; i < disks->nr; i++) {
        const char *a = behind_kind(disks->disk[i].device);
        bool whole =
            image->layout == LAYOUT_HD00 && same_device(disks->disk[i].device, image->root_device);

        for (size_t k = 0; k < disks->nr; k++) {
            const char *b = behind_kind(disks->disk[k].device);

            if (strcmp(volume_vdev(disks->disk[k].device), INSTANCE_SEED_VDEV) == 0)
                return wrong(call, disks->disk[k].device, "it is the disk with the user data.");
            if (i != k && *a == *b && (whole || !a[1] || strcmp(a, b) == 0))
                return wrong(call, disks->disk[k].device,
                             "the guest has another disk by this letter; choose another one.");
        }
    }
    return true;
}

static bool in_image(const struct ec2_image *image, const char *device)
{
    if (same_device(image->root_device, device))
        return true;
    for (size_t i = 0; i < image->nr_mappings; i++)
        if (same_device(image->mappings[i].device, device))
            return true;
    return false;
}

bool ec2_run_disks(struct ec2_call *call, sqlite3 *c, const struct run_request *q,
                   const struct ec2_image *image, struct run_disks *out)
{
    out->nr = 0;
    if (!image->ebs && !add_store_root(call, q, image, out))
        return false;
    for (size_t i = 0; i < image->nr_mappings; i++) {
        const struct image_mapping *m = &image->mappings[i];

        /* Old manifests name the root disk among the mappings, too. */
        if (!image->ebs && same_device(m->device, image->root_device))
            continue;
        if (volume_device_good(m->device) && !add_of_image(call, c, q, image, m, out))
            return false;
    }
    for (size_t i = 0; i < q->mappings.nr; i++) {
        const struct ec2_mapping *m = &q->mappings.mapping[i];

        if (!in_image(image, m->device) && !add_of_request(call, c, m, out))
            return false;
    }
    return check_names(call, image, out);
}

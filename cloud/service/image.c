/* SPDX-License-Identifier: MIT */
/* Look-ups of images; see image.h. */
#include "cloud/service/image.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void copy(char *to, size_t cap, sqlite3_stmt *s, int column)
{
    snprintf(to, cap, "%s", db_text(s, column));
}

#define COPY(to, s, column) copy((to), sizeof(to), (s), (column))

static void read_row(sqlite3_stmt *s, struct ec2_image *out)
{
    const char *type = db_text(s, 2);

    COPY(out->id, s, 0);
    COPY(out->account, s, 1);
    out->type = MANIFEST_MACHINE;
    if (strcmp(type, "kernel") == 0)
        out->type = MANIFEST_KERNEL;
    else if (strcmp(type, "ramdisk") == 0)
        out->type = MANIFEST_RAMDISK;
    COPY(out->state, s, 3);
    COPY(out->name, s, 4);
    out->narrow = strcmp(db_text(s, 5), "i386") == 0;
    COPY(out->kernel, s, 6);
    COPY(out->ramdisk, s, 7);
    out->ebs = strcmp(db_text(s, 8), "ebs") == 0;
    COPY(out->root_device, s, 9);
    if (sqlite3_column_type(s, 10) != SQLITE_NULL)
        out->layout = sqlite3_column_int64(s, 10) != 0 ? LAYOUT_HD00 : LAYOUT_HD0;
}

static void read_mappings(sqlite3 *c, struct ec2_image *out)
{
    sqlite3_stmt *s = db_query(c,
                               "SELECT device, virtual, snapshot, size_gib, delete_on_termination"
                               " FROM image_mapping WHERE image = ? ORDER BY device",
                               "s", out->id);

    while (s && out->nr_mappings < IMAGE_MAPPINGS_MAX && sqlite3_step(s) == SQLITE_ROW) {
        struct image_mapping *m = &out->mappings[out->nr_mappings++];

        COPY(m->device, s, 0);
        COPY(m->virtual, s, 1);
        COPY(m->snapshot, s, 2);
        m->size_gib = sqlite3_column_int64(s, 3);
        m->delete_on_termination = sqlite3_column_int64(s, 4) != 0;
    }
    db_finish(s);
}

bool image_find(sqlite3 *c, const char *account, const char *id, struct ec2_image *out)
{
    sqlite3_stmt *s = db_query(
        c,
        "SELECT i.id, i.account, i.type, i.state, i.name, i.arch, i.kernel, i.ramdisk, i.root_type,"
        " i.root_device, i.hd00,"
        " coalesce(i.blob, (SELECT s.blob FROM image_mapping m JOIN snapshot s ON s.id = m.snapshot"
        " WHERE m.image = i.id AND m.device = i.root_device))"
        " FROM image i WHERE i.id = ?1 AND (i.account = ?2 OR i.public = 1 OR EXISTS"
        "(SELECT 1 FROM launch_permission p WHERE p.image = i.id AND p.account = ?2))",
        "ss", id, account);
    bool found = s && sqlite3_step(s) == SQLITE_ROW;

    *out = (struct ec2_image){0};
    if (found) {
        read_row(s, out);
        read_mappings(c, out);
        if (!blob_find(c, db_text(s, 11), &out->blob))
            out->blob = (struct blob){0};
    }
    db_finish(s);
    return found;
}

bool image_check_id(struct ec2_call *call, const char *id)
{
    char kind[4] = "ami";

    if (strncmp(id, "aki-", 4) == 0 || strncmp(id, "ari-", 4) == 0)
        memcpy(kind, id, 3);
    return ec2_check_id(call, kind, id, "InvalidAMIID");
}

/* Why there is no such image here. */
static void explain_absence(const struct service *svc, const char *id, char *why, size_t cap)
{
    const struct aki *aki = aki_find(&svc->akis, id);

    if (aki && aki_same_region(aki->region, svc->config.region))
        snprintf(why, cap, "%s is a kernel image of the service; it can be named as KernelId.", id);
    else if (aki)
        snprintf(why, cap, "The image %s belongs to region %s; this service is %s.", id,
                 aki->region, svc->config.region);
    else
        snprintf(why, cap, "There is no image \"%.100s\" that this account may see.", id);
}

bool image_take(struct ec2_call *call, sqlite3 *c, const char *id, struct ec2_image *out)
{
    char why[AKI_WHY_MAX];

    if (!image_check_id(call, id))
        return false;
    if (image_find(c, call->r->account->id, id, out))
        return true;
    explain_absence(call->r->svc, id, why, sizeof(why));
    reply_error(call->r, 400, "InvalidAMIID.NotFound", "%s", why);
    return false;
}

/* Those of others, and of the catalogue, are not the account's to change. */
bool image_take_own(struct ec2_call *call, sqlite3 *c, const char *id, struct ec2_image *out)
{
    const struct aki *aki = aki_find(&call->r->svc->akis, id);

    if (aki && aki_same_region(aki->region, call->r->svc->config.region))
        reply_error(call->r, 403, "AuthFailure",
                    "%s belongs to the service; an account can change its own images.", id);
    else if (image_take(call, c, id, out) && strcmp(out->account, call->r->account->id) != 0)
        reply_error(call->r, 403, "AuthFailure",
                    "%s belongs to account %s; an account can change its own images.", id,
                    out->account);
    return call->r->status == 0;
}

/* ---- kernels and ramdisks -------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static bool refuse(struct kernel *k, const char *code,
                                                         const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(k->why, sizeof(k->why), fmt, ap);
    va_end(ap);
    k->code = code;
    return false;
}

/* One of the catalogue. */
static bool resolve_aki(const struct service *svc, const struct aki *aki,
                        const struct kernel_use *use, struct kernel *out)
{
    bool hd00 = use->layout == LAYOUT_UNKNOWN ? aki->hd00 : use->layout == LAYOUT_HD00;

    if (!aki_fits(&svc->akis, aki, svc->config.region, use->narrow, hd00, out->why,
                  sizeof(out->why))) {
        out->code = "InvalidParameterValue";
        return false;
    }
    out->pvboot = true;
    if ((size_t)snprintf(out->path, sizeof(out->path), "%s/pvboot-%s-%s", svc->config.pvboot_images,
                         aki_layout(aki->hd00), aki_arch(aki->narrow)) < sizeof(out->path) &&
        (use->check_only || access(out->path, R_OK) == 0))
        return true;
    return refuse(out, "InternalError",
                  "The service has no file for %s: pvboot-%s-%s is not in the folder that its "
                  "configuration names as pvboot-images.",
                  aki->id, aki_layout(aki->hd00), aki_arch(aki->narrow));
}

/* One that an account registered. */
static bool resolve_registered(struct service *svc, sqlite3 *c, const char *account, const char *id,
                               enum manifest_type type, const struct kernel_use *use,
                               struct kernel *out)
{
    struct ec2_image image;
    struct buf path = {0};

    if (!image_find(c, account, id, &image)) {
        explain_absence(svc, id, out->why, sizeof(out->why));
        out->code = "InvalidAMIID.NotFound";
        return false;
    }
    if (image.type != type)
        return refuse(out, "InvalidAMIID.NotFound", "%s is a %s image, but a %s image is needed.",
                      image.id, manifest_type_name(image.type), manifest_type_name(type));
    if (strcmp(image.state, "available") != 0 || !image.blob.id[0])
        return refuse(out, "InvalidAMIID.Unavailable", "The image %s is %s.", image.id,
                      image.state);
    if (image.narrow != use->narrow)
        return refuse(out, "InvalidParameterValue",
                      "%s is for %s; one for %s is needed, as the machine image is.", image.id,
                      aki_arch(image.narrow), aki_arch(use->narrow));
    blob_path(svc->config.state_dir, image.blob.id, &path);
    snprintf(out->path, sizeof(out->path), "%s", path.text);
    buf_free(&path);
    return true;
}

bool kernel_resolve(struct service *svc, sqlite3 *c, const char *account, const char *id,
                    const struct kernel_use *use, struct kernel *out)
{
    const struct aki *aki = aki_find(&svc->akis, id);

    *out = (struct kernel){0};
    if (aki)
        return resolve_aki(svc, aki, use, out);
    return resolve_registered(svc, c, account, id, MANIFEST_KERNEL, use, out);
}

bool ramdisk_resolve(struct service *svc, sqlite3 *c, const char *account, const char *id,
                     const struct kernel_use *use, struct kernel *out)
{
    *out = (struct kernel){0};
    return resolve_registered(svc, c, account, id, MANIFEST_RAMDISK, use, out);
}

const char *kernel_default(struct service *svc, const struct kernel_use *use, char *why)
{
    const struct aki *aki = aki_select(&svc->akis, svc->config.region, use->narrow,
                                       use->layout == LAYOUT_HD00, why, AKI_WHY_MAX);

    return aki ? aki->id : NULL;
}

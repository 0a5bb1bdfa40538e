/* SPDX-License-Identifier: MIT */
/*
 * RegisterImage and DeregisterImage. A registration is checked as far as that takes no time; then
 * the image is pending, and image_store.c makes it available.
 */
#include "cloud/service/register.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/filedisk.h"

#define NAME_CHARACTERS    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789()[] ./-'@_"
#define LOCATION_BYTES_MAX 1100 /* a bucket, a slash, and a key */

static const char default_root_device[] = "/dev/sda1";

/* ---- parameters ------------------------------------------------------------------------------ */

static bool bad_value(struct ec2_call *call, const char *name, const char *rule, const char *value)
{
    reply_error(call->r, 400, "InvalidParameterValue", "%s %s, not \"%.100s\".", name, rule, value);
    return false;
}

bool register_take_name(struct ec2_call *call, struct registration *r)
{
    size_t len;

    r->name = ec2_take(call, "Name");
    r->description = ec2_take(call, "Description");
    if (!ec2_check_description(call, r->description))
        return false;
    if (!r->name || !*r->name) {
        reply_error(call->r, 400, "MissingParameter", "The parameter Name is missing.");
        return false;
    }
    len = strlen(r->name);
    if (len >= 3 && len < IMAGE_NAME_BYTES && !r->name[strspn(r->name, NAME_CHARACTERS)])
        return true;
    reply_error(call->r, 400, "InvalidAMIName.Malformed",
                "An image's name has 3 to 128 letters, digits and ()[] ./-'@_ characters, unlike "
                "\"%.140s\".",
                r->name);
    return false;
}

static bool take_words(struct ec2_call *call, struct registration *r)
{
    const char *arch = ec2_take(call, "Architecture");
    const char *virtualization = ec2_take(call, "VirtualizationType");
    const char *root = ec2_take(call, "RootDeviceName");

    r->location = ec2_take(call, "ImageLocation");
    r->kernel = ec2_take(call, "KernelId");
    r->ramdisk = ec2_take(call, "RamdiskId");
    r->arch_given = arch != NULL;
    r->narrow = arch && strcmp(arch, "i386") == 0;
    if (arch && !r->narrow && strcmp(arch, "x86_64") != 0)
        return bad_value(call, "Architecture", "is i386 or x86_64", arch);
    if (virtualization && strcmp(virtualization, "paravirtual") != 0)
        return bad_value(call, "VirtualizationType", "is paravirtual", virtualization);
    if (root && !ec2_device_name(root, r->root_device))
        return bad_value(call, "RootDeviceName", "is a device as /dev/sda1", root);
    if (r->location && strlen(r->location) > LOCATION_BYTES_MAX)
        return bad_value(call, "ImageLocation", "is BUCKET/KEY", r->location);
    return call->r->status == 0;
}

/* ---- snapshots ------------------------------------------------------------------------------- */

/* A snapshot that is the account's and whole. */
static bool check_snapshot(struct ec2_call *call, sqlite3 *c, const struct ec2_mapping *m)
{
    sqlite3_stmt *s =
        db_query(c, "SELECT state, size_gib FROM snapshot WHERE id = ? AND account = ?", "ss",
                 m->snapshot, call->r->account->id);

    if (!s || sqlite3_step(s) != SQLITE_ROW)
        reply_error(call->r, 400, "InvalidSnapshot.NotFound",
                    "There is no snapshot \"%.60s\" of this account.", m->snapshot);
    else if (strcmp(db_text(s, 0), "completed") != 0)
        reply_error(call->r, 400, "IncorrectState",
                    "The snapshot %s is %.20s; it must be completed.", m->snapshot, db_text(s, 0));
    else if (m->size_gib != 0 && m->size_gib < sqlite3_column_int64(s, 1))
        reply_error(call->r, 400, "InvalidBlockDeviceMapping",
                    "The volume %s is smaller than its snapshot %s, which has %lld GiB.", m->device,
                    m->snapshot, (long long)sqlite3_column_int64(s, 1));
    sqlite3_finalize(s);
    return call->r->status == 0;
}

static bool check_snapshots(struct ec2_call *call, sqlite3 *c, const struct registration *r)
{
    for (size_t i = 0; i < r->mappings.nr; i++)
        if (r->mappings.mapping[i].snapshot && !check_snapshot(call, c, &r->mappings.mapping[i]))
            return false;
    return true;
}

static bool register_snapshot(struct ec2_call *call, struct registration *r)
{
    r->type = MANIFEST_MACHINE;
    r->ebs = true;
    r->root = ec2_mapping_of(&r->mappings, r->root_device);
    if (r->root && r->root->snapshot)
        return register_check_kernel(call, r);
    reply_error(call->r, 400, "MissingParameter",
                "An image is made of a bundle, which ImageLocation names, or of a snapshot, which "
                "the block device mapping of the root device %s names.",
                r->root_device);
    return false;
}

/* ---- kernels --------------------------------------------------------------------------------- */

static bool kernel_refused(struct ec2_call *call, const struct kernel *k)
{
    reply_error(call->r, 400, k->code, "%s", k->why);
    return false;
}

bool register_check_kernel(struct ec2_call *call, const struct registration *r)
{
    struct service *svc = call->r->svc;
    const struct kernel_use use = {.narrow = r->narrow, .check_only = true};
    struct kernel *k = xalloc(sizeof(*k));
    sqlite3 *c;
    bool good = (!r->kernel || image_check_id(call, r->kernel)) &&
                (!r->ramdisk || image_check_id(call, r->ramdisk));

    c = db_reader(svc->db);
    if (good && r->kernel && !kernel_resolve(svc, c, call->r->account->id, r->kernel, &use, k)) {
        good = kernel_refused(call, k);
    } else if (good && r->ramdisk && (!r->kernel || k->pvboot)) {
        reply_error(call->r, 400, "InvalidParameterCombination",
                    "%s boots the kernel and the initrd that are in the image; leave the ramdisk "
                    "out, or name a kernel that was registered.",
                    r->kernel ? r->kernel : "The kernel image that is chosen");
        good = false;
    } else if (good && r->ramdisk &&
               !ramdisk_resolve(svc, c, call->r->account->id, r->ramdisk, &use, k)) {
        good = kernel_refused(call, k);
    }
    db_done(svc->db, c);
    free(k);
    return good;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static bool insert_image(sqlite3 *c, const char *account, const char *id,
                         const struct registration *r)
{
    return db_run(c,
                  "INSERT INTO image(id, account, type, state, name, description, location, arch,"
                  " kernel, ramdisk, root_type, root_device, created)"
                  " VALUES(?,?,?,'pending',?,?,?,?,?,?,?,?,?)",
                  "sssssssssssi", id, account, manifest_type_name(r->type), r->name,
                  r->description ? r->description : "", r->location ? r->location : "",
                  aki_arch(r->narrow), r->kernel, r->ramdisk, r->ebs ? "ebs" : "instance-store",
                  r->type == MANIFEST_MACHINE ? r->root_device : "", (int64_t)time(NULL));
}

static bool insert_mappings(sqlite3 *c, const char *id, const struct registration *r)
{
    bool good = true;

    for (size_t i = 0; good && i < r->mappings.nr; i++) {
        const struct ec2_mapping *m = &r->mappings.mapping[i];

        if (!m->no_device)
            good = db_run(c, "INSERT INTO image_mapping VALUES(?,?,?,?,?,?)", "ssssii", id,
                          m->device, m->virtual_name, m->snapshot, m->size_gib,
                          (int64_t)(m->delete_given ? m->delete_on_termination : true));
    }
    return good;
}

/* May the account have one more, of this name? */
static bool room_for(struct ec2_call *call, sqlite3 *c, const struct registration *r)
{
    const struct account *a = call->r->account;
    int64_t nr = db_number(c, -1, "SELECT count(*) FROM image WHERE account = ?", "s", a->id);
    sqlite3_stmt *s;

    if (nr < 0 || nr >= a->images_max) {
        reply_error(call->r, 400, "ImageLimitExceeded",
                    "This account has %lld images, and %u is its limit; deregister some.",
                    (long long)nr, a->images_max);
        return false;
    }
    s = db_query(c, "SELECT id, state FROM image WHERE account = ? AND name = ?", "ss", a->id,
                 r->name);
    if (s && sqlite3_step(s) == SQLITE_ROW)
        reply_error(call->r, 400, "InvalidAMIName.Duplicate",
                    "The name \"%.140s\" is that of %s, which is %s; choose another one, or "
                    "deregister that image.",
                    r->name, db_text(s, 0), db_text(s, 1));
    sqlite3_finalize(s);
    return call->r->status == 0;
}

bool register_insert(struct ec2_call *call, sqlite3 *c, const struct registration *r,
                     const char *id)
{
    const char *account = call->r->account->id;

    return room_for(call, c, r) && insert_image(c, account, id, r) && insert_mappings(c, id, r) &&
           ec2_insert_tags(c, account, id, &r->tags) &&
           db_run(c, "INSERT INTO image_job(image, manifest, arch_given) VALUES(?,?,?)", "ssi", id,
                  r->manifest.len > 0 ? r->manifest.text : NULL, (int64_t)r->arch_given);
}

static bool insert_all(struct ec2_call *call, const struct registration *r, char id[EC2_ID_BYTES])
{
    static const char *const kinds[] = {
        [MANIFEST_MACHINE] = "ami", [MANIFEST_KERNEL] = "aki", [MANIFEST_RAMDISK] = "ari"};
    sqlite3 *c = ec2_begin_change(call);

    if (!c)
        return false;
    ec2_new_id(kinds[r->type], id);
    return ec2_end_change(call, check_snapshots(call, c, r) && register_insert(call, c, r, id));
}

/* ---- actions --------------------------------------------------------------------------------- */

static bool fill(struct ec2_call *call, struct registration *r)
{
    static const char *const types[] = {"image", NULL};

    if (!register_take_name(call, r) || !take_words(call, r) ||
        !ec2_take_mappings(call, &r->mappings) || !ec2_take_tags(call, "image", types, &r->tags) ||
        !ec2_parameters_done(call))
        return false;
    if (!r->location && !r->root_device[0])
        strcpy(r->root_device, default_root_device);
    if (!(r->location ? register_bundle(call, r) : register_snapshot(call, r)))
        return false;
    if (!r->root_device[0])
        strcpy(r->root_device, default_root_device);
    return true;
}

void ec2_register_image(struct ec2_call *call)
{
    struct registration *r = xalloc(sizeof(*r));
    char id[EC2_ID_BYTES];

    arena_init(&r->arena, &host_memory);
    if (fill(call, r) && insert_all(call, r, id)) {
        keeper_wake(call->r->svc->keeper, KEEPER_COPIES);
        ec2_open(call, "RegisterImage");
        xml_element(&call->r->reply, "imageId", id);
        ec2_close(call, "RegisterImage");
    }
    arena_reset(&r->arena);
    buf_free(&r->manifest);
    free(r);
}

void ec2_deregister_image(struct ec2_call *call)
{
    const char *id = ec2_take(call, "ImageId");
    struct ec2_image *image = xalloc(sizeof(*image));
    sqlite3 *c;

    if (!id)
        reply_error(call->r, 400, "MissingParameter", "The parameter ImageId is missing.");
    c = ec2_parameters_done(call) ? ec2_begin_change(call) : NULL;
    if (c && ec2_end_change(call, image_take_own(call, c, id, image) &&
                                      db_run(c, "DELETE FROM tag WHERE resource = ?", "s", id) &&
                                      db_run(c, "DELETE FROM image WHERE id = ?", "s", id))) {
        keeper_wake(call->r->svc->keeper, KEEPER_COPIES);
        ec2_answer_true(call);
    }
    free(image);
}

/* SPDX-License-Identifier: MIT */
/*
 * CreateImage: snapshots of an instance's volumes, and an image of them, which becomes available
 * when they are completed. Nothing is asked of the guest.
 */
#include "cloud/service/register.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/service/volume.h"

struct creation {
    struct registration r;
    const char *instance;
    bool no_reboot;
    char arch[8], kernel[EC2_ID_BYTES], ramdisk[EC2_ID_BYTES];
    char volumes[IMAGE_MAPPINGS_MAX][EC2_ID_BYTES], snapshots[IMAGE_MAPPINGS_MAX][EC2_ID_BYTES];
};

static bool take(struct ec2_call *call, struct creation *n)
{
    static const char *const types[] = {"image", NULL};

    n->instance = ec2_take(call, "InstanceId");
    if (!register_take_name(call, &n->r) ||
        !ec2_take_bool(call, "NoReboot", false, &n->no_reboot) ||
        !ec2_take_tags(call, "image", types, &n->r.tags) || !ec2_parameters_done(call))
        return false;
    if (n->instance)
        return ec2_check_id(call, "i", n->instance, "InvalidInstanceID");
    reply_error(call->r, 400, "MissingParameter", "CreateImage needs InstanceId.");
    return false;
}

/* Can there be an image of it now? */
static bool check_state(struct ec2_call *call, const struct creation *n, const char *state)
{
    bool running = strcmp(state, "running") == 0;

    if (!running && strcmp(state, "stopped") != 0)
        reply_error(call->r, 400, "IncorrectInstanceState",
                    "The instance %s is %.20s; it must be stopped or running.", n->instance, state);
    else if (!n->r.ebs)
        reply_error(call->r, 400, "InvalidParameterValue",
                    "The root device of %s is no volume; bundle it with ec2-bundle-vol.",
                    n->instance);
    else if (running && !n->no_reboot)
        reply_error(call->r, 400, "IncorrectInstanceState",
                    "The instance %s runs, and this service does not reboot it for an image: stop "
                    "it, or set NoReboot, for an image that is as after a power cut.",
                    n->instance);
    return call->r->status == 0;
}

static bool find_instance(struct ec2_call *call, sqlite3 *c, struct creation *n)
{
    sqlite3_stmt *s = db_query(c,
                               "SELECT state, root_type, root_device, arch, kernel, ramdisk"
                               " FROM instance WHERE id = ? AND account = ?",
                               "ss", n->instance, call->r->account->id);
    bool found = s && sqlite3_step(s) == SQLITE_ROW;

    if (found) {
        n->r.ebs = strcmp(db_text(s, 1), "ebs") == 0;
        found = ec2_device_name(db_text(s, 2), n->r.root_device);
        n->r.narrow = strcmp(db_text(s, 3), "i386") == 0;
        snprintf(n->kernel, sizeof(n->kernel), "%s", db_text(s, 4));
        snprintf(n->ramdisk, sizeof(n->ramdisk), "%s", db_text(s, 5));
        n->r.kernel = n->kernel[0] ? n->kernel : NULL;
        n->r.ramdisk = n->ramdisk[0] ? n->ramdisk : NULL;
    }
    if (found)
        check_state(call, n, db_text(s, 0));
    else
        reply_error(call->r, 400, "InvalidInstanceID.NotFound", "This account has no instance %s.",
                    n->instance);
    sqlite3_finalize(s);
    return call->r->status == 0;
}

/* Its volumes become the mappings. */
static bool find_volumes(struct ec2_call *call, sqlite3 *c, struct creation *n)
{
    sqlite3_stmt *s = db_query(c,
                               "SELECT id, device, size_gib, delete_on_termination FROM volume"
                               " WHERE instance = ? AND hidden = 0 AND attach_state = 'attached'"
                               " ORDER BY device",
                               "s", n->instance);
    struct ec2_mappings *to = &n->r.mappings;

    while (s && to->nr < IMAGE_MAPPINGS_MAX && sqlite3_step(s) == SQLITE_ROW) {
        struct ec2_mapping *m = &to->mapping[to->nr];

        if (!ec2_device_name(db_text(s, 1), m->device))
            continue;
        snprintf(n->volumes[to->nr], EC2_ID_BYTES, "%s", db_text(s, 0));
        ec2_new_id("snap", n->snapshots[to->nr]);
        m->snapshot = n->snapshots[to->nr];
        m->size_gib = sqlite3_column_int64(s, 2);
        m->delete_given = true;
        m->delete_on_termination = sqlite3_column_int64(s, 3) != 0;
        to->nr++;
    }
    sqlite3_finalize(s);
    if (!ec2_mapping_of(to, n->r.root_device))
        reply_error(call->r, 400, "IncorrectInstanceState",
                    "The root volume of %s is not attached to it.", n->instance);
    return call->r->status == 0;
}

static bool make_snapshots(struct ec2_call *call, sqlite3 *c, const struct creation *n,
                           const char *image)
{
    char description[128];

    snprintf(description, sizeof(description), "Created by CreateImage(%s) for %s", n->instance,
             image);
    for (size_t i = 0; i < n->r.mappings.nr; i++)
        if (!snapshot_insert(call, c, n->volumes[i], n->snapshots[i], description))
            return false;
    return true;
}

void ec2_create_image(struct ec2_call *call)
{
    struct creation *n = xalloc(sizeof(*n));
    char id[EC2_ID_BYTES];
    sqlite3 *c = NULL;

    n->r.type = MANIFEST_MACHINE;
    n->r.arch_given = true;
    if (take(call, n) && (c = ec2_begin_change(call))) {
        bool good = find_instance(call, c, n) && find_volumes(call, c, n);

        ec2_new_id("ami", id);
        good = good && make_snapshots(call, c, n, id) && register_insert(call, c, &n->r, id);
        if (ec2_end_change(call, good)) {
            keeper_wake(call->r->svc->keeper, KEEPER_COPIES);
            ec2_open(call, "CreateImage");
            xml_element(&call->r->reply, "imageId", id);
            ec2_close(call, "CreateImage");
        }
    }
    free(n);
}

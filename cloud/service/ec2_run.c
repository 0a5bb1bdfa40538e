/* SPDX-License-Identifier: MIT */
/*
 * RunInstances: one transaction that writes down what is wanted; see ec2_run.h. Nothing is copied
 * or started here: the keeper does that, from the rows.
 */
#include "cloud/service/ec2_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "cloud/service/volume.h"

#define FREE_BYTES_MIN (UINT64_C(512) << 20) /* of the state's disk, for new instances */

/* What a launch is made of, besides the request. */
struct launch {
    struct ec2_image image;
    const char *kernel, *ramdisk; /* ids; ramdisk NULL: none */
    struct run_disks disks;
    char reservation[EC2_ID_BYTES];
    int64_t nr;
};

/* ---- limits ----------------------------------------------------------------------------------
 */

#define MEMORY_IN_USE                                                                              \
    "SELECT coalesce(sum(memory_mib), 0) FROM instance"                                            \
    " WHERE state IN ('pending', 'running', 'stopping', 'shutting-down')"

/* How many more of that size the memory takes. */
static int64_t room_for(struct service *svc, sqlite3 *c, int64_t memory_mib)
{
    int64_t all_mib = (int64_t)(svc->config.instance_bytes_max >> 20);
    int64_t used_mib = db_number(c, all_mib, MEMORY_IN_USE, "");

    return used_mib < all_mib ? (all_mib - used_mib) / memory_mib : 0;
}

bool ec2_memory_fits(struct ec2_call *call, sqlite3 *c, int64_t nr, int64_t memory_mib)
{
    if (nr <= room_for(call->r->svc, c, memory_mib))
        return true;
    reply_error(call->r, 500, "InsufficientInstanceCapacity",
                "The memory for instances (instance-memory, %llu MiB) does not take %lld more of "
                "%lld MiB; stop some, or choose a smaller type.",
                (unsigned long long)(call->r->svc->config.instance_bytes_max >> 20), (long long)nr,
                (long long)memory_mib);
    return false;
}

static bool disk_has_room(struct ec2_call *call)
{
    struct statvfs st;

    if (statvfs(call->r->svc->config.state_dir, &st) != 0 ||
        (uint64_t)st.f_bavail * st.f_frsize >= FREE_BYTES_MIN)
        return true;
    reply_error(call->r, 500, "InsufficientInstanceCapacity",
                "The disk of the service is nearly full; nothing was started. Delete what is not "
                "needed any more, or ask who runs the service.");
    return false;
}

/* As many as there is room for, from MinCount to MaxCount. */
static bool count(struct ec2_call *call, sqlite3 *c, const struct run_request *q, struct launch *l)
{
    const struct account *a = call->r->account;
    int64_t have =
        db_number(c, 0, "SELECT count(*) FROM instance WHERE account = ? AND state <> 'terminated'",
                  "s", a->id);
    int64_t allowed = have < (int64_t)a->quota_instances ? (int64_t)a->quota_instances - have : 0;
    int64_t room = room_for(call->r->svc, c, q->type->memory_mib);

    if (q->min > allowed) {
        reply_error(call->r, 400, "InstanceLimitExceeded",
                    "The account has %lld instances and may have %u; terminate some.",
                    (long long)have, a->quota_instances);
        return false;
    }
    if (!ec2_memory_fits(call, c, q->min, q->type->memory_mib))
        return false;
    l->nr = q->max < allowed ? q->max : allowed;
    l->nr = l->nr < room ? l->nr : room;
    return disk_has_room(call);
}

/* ---- kernels ---------------------------------------------------------------------------------
 */

/* The request's, the image's, or pvboot for such an image. */
static bool choose_kernel(struct ec2_call *call, sqlite3 *c, const struct run_request *q,
                          struct launch *l)
{
    const struct kernel_use use = {.narrow = l->image.narrow, .layout = l->image.layout};
    struct kernel *k = xalloc(sizeof(*k));
    const char *account = call->r->account->id;
    bool good;

    l->kernel = q->kernel != NULL ? q->kernel : l->image.kernel[0] ? l->image.kernel : NULL;
    l->ramdisk = q->ramdisk != NULL ? q->ramdisk : l->image.ramdisk[0] ? l->image.ramdisk : NULL;
    if (l->kernel == NULL)
        l->kernel = kernel_default(call->r->svc, &use, k->why);
    if (l->kernel == NULL)
        k->code = "InvalidParameterValue";
    good = l->kernel != NULL && kernel_resolve(call->r->svc, c, account, l->kernel, &use, k) &&
           (l->ramdisk == NULL || ramdisk_resolve(call->r->svc, c, account, l->ramdisk, &use, k));
    if (!good)
        reply_error(call->r, 400, k->code, "%s", k->why);
    free(k);
    return good;
}

static bool take_image(struct ec2_call *call, sqlite3 *c, const struct run_request *q,
                       struct ec2_image *image)
{
    if (!image_take(call, c, q->image, image))
        return false;
    if (image->type != MANIFEST_MACHINE)
        reply_error(call->r, 400, "InvalidParameterValue",
                    "%s is a %s image; an instance is made of a machine image.", image->id,
                    manifest_type_name(image->type));
    else if (strcmp(image->state, "available") != 0 || !image->blob.id[0])
        reply_error(call->r, 400, "InvalidAMIID.Unavailable",
                    "The image %s is %s; describe-images tells when it is available.", image->id,
                    image->state);
    return call->r->status == 0 && ec2_type_fits(call, q->type, image->narrow ? "i386" : "x86_64");
}

/* ---- rows ------------------------------------------------------------------------------------
 */

static bool insert_disk(struct ec2_call *call, sqlite3 *c, const struct run_request *q,
                        const struct run_disk *d, const char *instance)
{
    char id[EC2_ID_BYTES];

    if (!d->hidden && !volume_allowed(call, c, d->size_gib))
        return false;
    ec2_new_id("vol", id);
    return db_run(
               c,
               "INSERT INTO volume(id, account, hidden, state, size_gib, virtual_bytes, snapshot,"
               " source, created, instance, device, attach_state, attached,"
               " delete_on_termination) VALUES(?,?,?,'creating',?,?,?,?,unixepoch(),?,?,"
               "'attaching',unixepoch(),?)",
               "ssiiissssi", id, call->r->account->id, (int64_t)d->hidden, d->size_gib,
               (int64_t)d->virtual_bytes, d->snapshot[0] ? d->snapshot : NULL,
               d->source.id[0] ? d->source.id : NULL, instance, d->device,
               (int64_t)d->delete_on_termination) &&
           (d->hidden || ec2_insert_tags(c, call->r->account->id, id, &q->volume_tags));
}

static bool insert_instance(struct ec2_call *call, sqlite3 *c, const struct run_request *q,
                            const struct launch *l, int64_t index)
{
    const struct ec2_image *image = &l->image;
    char id[EC2_ID_BYTES];
    bool good;

    ec2_new_id("i", id);
    good = db_run(
        c,
        "INSERT INTO instance(id, account, reservation, launch_index, image, arch, hd00, kernel,"
        " ramdisk, type, memory_mib, vcpus, state, changed, launched, root_type, root_device,"
        " shutdown_behavior, disable_termination, user_data, client_token)"
        " VALUES(?,?,?,?,?,?,nullif(?,-1),?,?,?,?,?,'pending',unixepoch(),unixepoch(),?,?,?,?,?,?)",
        "sssississsiisssiss", id, call->r->account->id, l->reservation, index, image->id,
        image->narrow ? "i386" : "x86_64",
        (int64_t)(image->layout == LAYOUT_UNKNOWN ? -1 : image->layout == LAYOUT_HD00), l->kernel,
        l->ramdisk, q->type->name, (int64_t)q->type->memory_mib, (int64_t)q->type->vcpus,
        image->ebs ? "ebs" : "instance-store", image->root_device, q->shutdown_behavior,
        (int64_t)q->disable_termination, q->user_data.text,
        q->token.token != NULL ? q->token.token : "");
    good = good && ec2_insert_tags(c, call->r->account->id, id, &q->tags);
    for (size_t i = 0; good && i < l->disks.nr; i++)
        good = insert_disk(call, c, q, &l->disks.disk[i], id);
    return good;
}

static bool insert_all(struct ec2_call *call, sqlite3 *c, const struct run_request *q,
                       struct launch *l)
{
    bool good;

    ec2_new_id("r", l->reservation);
    good = db_run(c, "INSERT INTO reservation VALUES(?,?,unixepoch())", "ss", l->reservation,
                  call->r->account->id);
    for (int64_t i = 0; good && i < l->nr; i++)
        good = insert_instance(call, c, q, l, i);
    return good && ec2_keep_token(call, c, &q->token, l->reservation);
}

/* ---- the answer ------------------------------------------------------------------------------
 */

static void answer(struct ec2_call *call, const char *reservation)
{
    struct service *svc = call->r->svc;
    struct instance_cursor *k = xalloc(sizeof(*k));
    sqlite3 *c = db_reader(svc->db);
    struct buf *out = &call->r->reply;
    bool any = false;

    if (instances_open(k, c, call->r->account->id, INSTANCES_OF_LAUNCH, reservation, "", 0)) {
        ec2_open(call, "RunInstances");
        instance_open_launch(out, reservation, call->r->account->id);
        while (instances_next(k)) {
            instance_write(out, svc, &k->now);
            any = true;
        }
        instance_close_launch(out);
        instances_close(k);
        if (any)
            ec2_close(call, "RunInstances");
        else
            reply_error(call->r, 400, "IdempotentInstanceTerminated",
                        "What this client token once started was terminated; use a new token.");
    } else {
        reply_state_failed(call->r);
    }
    db_done(svc->db, c);
    free(k);
}

/* In the transaction: the launch, or that of the same request before. */
static bool launch(struct ec2_call *call, sqlite3 *c, const struct run_request *q, struct launch *l,
                   bool *again)
{
    enum ec2_token_state seen = ec2_find_token(call, c, &q->token, l->reservation);

    *again = seen == EC2_TOKEN_SAME;
    return *again ||
           (seen == EC2_TOKEN_NEW && take_image(call, c, q, &l->image) &&
            choose_kernel(call, c, q, l) && ec2_run_disks(call, c, q, &l->image, &l->disks) &&
            count(call, c, q, l) && insert_all(call, c, q, l));
}

static void run(struct ec2_call *call, const struct run_request *q)
{
    struct service *svc = call->r->svc;
    struct launch *l = xalloc(sizeof(*l));
    sqlite3 *c = db_begin(svc->db);
    bool again = false;

    if (c == NULL) {
        reply_state_failed(call->r);
    } else if (!launch(call, c, q, l, &again)) {
        reply_state_failed(call->r); /* unless there is an answer already */
        db_rollback(svc->db);
    } else if (again) {
        db_rollback(svc->db);
    } else if (!ec2_commit(call)) {
        reply_state_failed(call->r);
    }
    if (call->r->status == 0) {
        for (int room = 0; room < NR_KEEPER_ROOMS; room++)
            keeper_wake(svc->keeper, (enum keeper_room)room);
        answer(call, l->reservation);
    }
    free(l);
}

void ec2_run_instances(struct ec2_call *call)
{
    struct run_request *q = xalloc(sizeof(*q));

    if (ec2_run_take(call, q) && ec2_parameters_done(call))
        run(call, q);
    ec2_run_free(q);
}

/* SPDX-License-Identifier: MIT */
/* DescribeImageAttribute, ModifyImageAttribute and ResetImageAttribute. */
#include "cloud/service/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PERMISSIONS_MAX 1000

static bool is(const char *text, const char *word)
{
    return text && strcmp(text, word) == 0;
}

static bool missing(struct ec2_call *call, const char *name)
{
    reply_error(call->r, 400, "MissingParameter", "The parameter %s is missing.", name);
    return false;
}

static void no_attribute(struct ec2_call *call, const char *attribute, const char *those)
{
    reply_error(call->r, 400, "InvalidParameterValue",
                "%s knows no attribute \"%.60s\"; there are: %s.", call->r->action, attribute,
                those);
}

/* ---- describing ------------------------------------------------------------------------------ */

/* <name><value>...</value></name>; an empty element when there is none. */
static void write_value(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "<%s>", name);
    if (*value)
        xml_element(out, "value", value);
    buf_printf(out, "</%s>", name);
}

static void write_permissions(struct buf *out, sqlite3 *c, const char *id)
{
    sqlite3_stmt *s = db_query(
        c, "SELECT account FROM launch_permission WHERE image = ? ORDER BY account", "s", id);

    buf_puts(out, "<launchPermission>");
    if (db_number(c, 0, "SELECT public FROM image WHERE id = ?", "s", id) != 0)
        buf_puts(out, "<item><group>all</group></item>");
    while (s && sqlite3_step(s) == SQLITE_ROW) {
        buf_puts(out, "<item>");
        xml_element(out, "userId", db_text(s, 0));
        buf_puts(out, "</item>");
    }
    buf_puts(out, "</launchPermission>");
    sqlite3_finalize(s);
}

static void write_description(struct buf *out, sqlite3 *c, const char *id)
{
    sqlite3_stmt *s = db_query(c, "SELECT description FROM image WHERE id = ?", "s", id);

    write_value(out, "description", s && sqlite3_step(s) == SQLITE_ROW ? db_text(s, 0) : "");
    sqlite3_finalize(s);
}

static void write_attribute(struct buf *out, sqlite3 *c, const struct ec2_image *i,
                            const char *attribute)
{
    if (is(attribute, "description"))
        write_description(out, c, i->id);
    else if (is(attribute, "kernel"))
        write_value(out, "kernel", i->kernel);
    else if (is(attribute, "ramdisk"))
        write_value(out, "ramdisk", i->ramdisk);
    else if (is(attribute, "launchPermission"))
        write_permissions(out, c, i->id);
    else if (is(attribute, "blockDeviceMapping"))
        image_write_mappings(out, c, i->id);
    else
        buf_puts(out, "<productCodes/>");
}

static bool attribute_known(const char *name)
{
    static const char *const names[] = {
        "description",        "kernel",      "ramdisk", "launchPermission",
        "blockDeviceMapping", "productCodes"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (is(name, names[i]))
            return true;
    return false;
}

void ec2_describe_image_attribute(struct ec2_call *call)
{
    const char *id = ec2_take(call, "ImageId"), *attribute = ec2_take(call, "Attribute");
    struct ec2_image *image = xalloc(sizeof(*image));
    struct service *svc = call->r->svc;
    sqlite3 *c = db_reader(svc->db);

    if (!id || !attribute)
        missing(call, !id ? "ImageId" : "Attribute");
    else if (!attribute_known(attribute))
        no_attribute(call, attribute,
                     "description, kernel, ramdisk, launchPermission, blockDeviceMapping, "
                     "productCodes");
    /* Who may use an image is its owner's business. */
    if (ec2_parameters_done(call) &&
        (is(attribute, "launchPermission") ? image_take_own(call, c, id, image)
                                           : image_take(call, c, id, image))) {
        ec2_open(call, "DescribeImageAttribute");
        xml_element(&call->r->reply, "imageId", image->id);
        write_attribute(&call->r->reply, c, image, attribute);
        ec2_close(call, "DescribeImageAttribute");
    }
    db_done(svc->db, c);
    free(image);
}

/* ---- changing -------------------------------------------------------------------------------- */

/* Whom to allow or forbid: accounts, and everybody. */
struct people {
    const char *account[PERMISSIONS_MAX];
    size_t nr;
    bool everybody;
};

struct change {
    const char *id;
    const char *description, *kernel, *ramdisk; /* NULL: as it is */
    struct people add, remove;
};

static bool account_here(const struct config *c, const char *id)
{
    for (size_t i = 0; i < c->nr_accounts; i++)
        if (strcmp(c->accounts[i].id, id) == 0)
            return true;
    return false;
}

static bool add_account(struct ec2_call *call, struct people *p, const char *id)
{
    if (!account_here(&call->r->svc->config, id)) {
        reply_error(call->r, 400, "InvalidAMIAttributeItemValue",
                    "There is no account \"%.40s\" here; an account is named by its twelve digits.",
                    id);
        return false;
    }
    if (p->nr == PERMISSIONS_MAX) {
        reply_error(call->r, 400, "InvalidParameterValue", "More than %d accounts are named.",
                    PERMISSIONS_MAX);
        return false;
    }
    p->account[p->nr++] = id;
    return true;
}

static bool add_group(struct ec2_call *call, struct people *p, const char *group)
{
    p->everybody = true;
    if (strcmp(group, "all") == 0)
        return true;
    reply_error(call->r, 400, "InvalidAMIAttributeItemValue",
                "The one group is \"all\", not \"%.40s\".", group);
    return false;
}

/* LaunchPermission.Add.N.UserId and .Group */
static bool take_people(struct ec2_call *call, const char *operation, struct people *p)
{
    char name[96];

    for (unsigned i = 1; i <= PERMISSIONS_MAX; i++) {
        const char *value;

        snprintf(name, sizeof(name), "LaunchPermission.%s.%u.UserId", operation, i);
        value = ec2_take(call, name);
        if (value && !add_account(call, p, value))
            return false;
        snprintf(name, sizeof(name), "LaunchPermission.%s.%u.Group", operation, i);
        value = ec2_take(call, name);
        if (value && !add_group(call, p, value))
            return false;
    }
    return call->r->status == 0;
}

/* OperationType, UserId.N and UserGroup.N, as old clients have it. */
static bool take_old_people(struct ec2_call *call, struct change *ch)
{
    const char *operation = ec2_take(call, "OperationType");
    struct ec2_list *users = xalloc(sizeof(*users)), *groups = xalloc(sizeof(*groups));
    struct people *p = is(operation, "remove") ? &ch->remove : &ch->add;
    bool good = ec2_take_list(call, "UserId", users) && ec2_take_list(call, "UserGroup", groups);

    if (good && (users->nr > 0 || groups->nr > 0) && !is(operation, "add") &&
        !is(operation, "remove")) {
        reply_error(call->r, 400, "InvalidParameterValue", "OperationType is add or remove.");
        good = false;
    }
    for (size_t i = 0; good && i < users->nr; i++)
        good = add_account(call, p, users->value[i]);
    for (size_t i = 0; good && i < groups->nr; i++)
        good = add_group(call, p, groups->value[i]);
    free(users);
    free(groups);
    return good;
}

/* Attribute and Value, as old clients have it. */
static bool take_old_value(struct ec2_call *call, struct change *ch)
{
    const char *attribute = ec2_take(call, "Attribute"), *value = ec2_take(call, "Value");

    if (!attribute)
        return !value || missing(call, "Attribute");
    if (is(attribute, "launchPermission")) {
        if (value)
            reply_error(call->r, 400, "InvalidParameterCombination",
                        "Permissions are changed by OperationType with UserId or UserGroup.");
        return !value;
    }
    if (!is(attribute, "description") && !is(attribute, "kernel") && !is(attribute, "ramdisk")) {
        no_attribute(call, attribute, "description, kernel, ramdisk, launchPermission");
        return false;
    }
    if (!value)
        return missing(call, "Value");
    if (is(attribute, "description"))
        ch->description = value;
    else if (is(attribute, "kernel"))
        ch->kernel = value;
    else
        ch->ramdisk = value;
    return true;
}

static bool take_change(struct ec2_call *call, struct change *ch)
{
    const char *description = ec2_take(call, "Description.Value");

    ch->id = ec2_take(call, "ImageId");
    if (!ch->id)
        return missing(call, "ImageId");
    if (!take_old_value(call, ch) || !take_old_people(call, ch) ||
        !take_people(call, "Add", &ch->add) || !take_people(call, "Remove", &ch->remove))
        return false;
    if (description)
        ch->description = description;
    if (!ec2_check_description(call, ch->description))
        return false;
    if (!ch->description && !ch->kernel && !ch->ramdisk &&
        ch->add.nr + ch->remove.nr + ch->add.everybody + ch->remove.everybody == 0)
        reply_error(call->r, 400, "InvalidParameterCombination", "Nothing is to be changed.");
    return call->r->status == 0;
}

/* Do the kernel and the ramdisk that the image will have go together, and with it? */
static bool check_kernel(struct ec2_call *call, sqlite3 *c, const struct change *ch,
                         const struct ec2_image *i)
{
    const struct kernel_use use = {.narrow = i->narrow, .layout = i->layout, .check_only = true};
    const char *kernel = ch->kernel ? ch->kernel : i->kernel;
    const char *ramdisk = ch->ramdisk ? ch->ramdisk : i->ramdisk;
    const char *account = call->r->account->id;
    struct service *svc = call->r->svc;
    struct kernel *k = xalloc(sizeof(*k));

    if (i->type != MANIFEST_MACHINE || strcmp(i->state, "available") != 0) {
        reply_error(call->r, 400, "InvalidAMIID.Unavailable",
                    "%s is a %s image and %s; kernels are changed of machine images that are "
                    "available.",
                    i->id, manifest_type_name(i->type), i->state);
    } else if (image_check_id(call, kernel) && (!*ramdisk || image_check_id(call, ramdisk))) {
        if (!kernel_resolve(svc, c, account, kernel, &use, k))
            reply_error(call->r, 400, k->code, "%s", k->why);
        else if (*ramdisk && k->pvboot)
            reply_error(call->r, 400, "InvalidParameterCombination",
                        "%s boots the kernel and the initrd that are in the image, so the image "
                        "can have no ramdisk; set ramdisk to nothing first.",
                        kernel);
        else if (*ramdisk && !ramdisk_resolve(svc, c, account, ramdisk, &use, k))
            reply_error(call->r, 400, k->code, "%s", k->why);
    }
    free(k);
    return call->r->status == 0;
}

static bool write_people(sqlite3 *c, const struct change *ch)
{
    bool good = true;

    for (size_t i = 0; good && i < ch->add.nr; i++)
        good = db_run(c, "INSERT OR IGNORE INTO launch_permission VALUES(?,?)", "ss", ch->id,
                      ch->add.account[i]);
    for (size_t i = 0; good && i < ch->remove.nr; i++)
        good = db_run(c, "DELETE FROM launch_permission WHERE image = ? AND account = ?", "ss",
                      ch->id, ch->remove.account[i]);
    if (good && ch->add.everybody)
        good = db_run(c, "UPDATE image SET public = 1 WHERE id = ?", "s", ch->id);
    if (good && ch->remove.everybody)
        good = db_run(c, "UPDATE image SET public = 0 WHERE id = ?", "s", ch->id);
    return good;
}

static bool write_change(sqlite3 *c, const struct change *ch)
{
    return (!ch->description || db_run(c, "UPDATE image SET description = ? WHERE id = ?", "ss",
                                       ch->description, ch->id)) &&
           (!ch->kernel ||
            db_run(c, "UPDATE image SET kernel = ? WHERE id = ?", "ss", ch->kernel, ch->id)) &&
           (!ch->ramdisk || db_run(c, "UPDATE image SET ramdisk = nullif(?, '') WHERE id = ?", "ss",
                                   ch->ramdisk, ch->id)) &&
           write_people(c, ch);
}

/* In one transaction: all of it, or nothing. */
static void change_image(struct ec2_call *call, const struct change *ch)
{
    struct ec2_image *image = xalloc(sizeof(*image));
    sqlite3 *c = ec2_begin_change(call);

    if (c && ec2_end_change(
                 call, image_take_own(call, c, ch->id, image) &&
                           ((!ch->kernel && !ch->ramdisk) || check_kernel(call, c, ch, image)) &&
                           write_change(c, ch)))
        ec2_answer_true(call);
    free(image);
}

void ec2_modify_image_attribute(struct ec2_call *call)
{
    struct change *ch = xalloc(sizeof(*ch));

    if (take_change(call, ch) && ec2_parameters_done(call))
        change_image(call, ch);
    free(ch);
}

void ec2_reset_image_attribute(struct ec2_call *call)
{
    const char *id = ec2_take(call, "ImageId"), *attribute = ec2_take(call, "Attribute");
    struct ec2_image *image = xalloc(sizeof(*image));
    sqlite3 *c;

    if (!id || !attribute)
        missing(call, !id ? "ImageId" : "Attribute");
    else if (!is(attribute, "launchPermission"))
        no_attribute(call, attribute, "launchPermission");
    c = ec2_parameters_done(call) ? ec2_begin_change(call) : NULL;
    if (c && ec2_end_change(
                 call, image_take_own(call, c, id, image) &&
                           db_run(c, "DELETE FROM launch_permission WHERE image = ?", "s", id) &&
                           db_run(c, "UPDATE image SET public = 0 WHERE id = ?", "s", id)))
        ec2_answer_true(call);
    free(image);
}

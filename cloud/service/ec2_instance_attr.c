/* SPDX-License-Identifier: MIT */
/* DescribeInstanceAttribute, ModifyInstanceAttribute, ResetInstanceAttribute. */
#include "cloud/service/ec2_instances.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/service/image.h"
#include "cloud/service/volume.h"

#define MAPPINGS_MAX 32

struct target {
    const char *id;
    char state[16], arch[16], image[EC2_ID_BYTES];
    struct kernel_use use;
};

struct attribute {
    const char *name;      /* as Attribute= has it */
    const char *parameter; /* NAME.Value */
    const char *column;    /* of the instance */
    bool stopped;          /* it changes only while the instance is stopped */
    /* Checks and writes it. False: the answer is an error, or the state failed. */
    bool (*set)(struct ec2_call *call, sqlite3 *c, const struct target *t, const char *value);
};

static bool set_type(struct ec2_call *call, sqlite3 *c, const struct target *t, const char *value)
{
    const struct instance_type *type = ec2_find_type(call, value);

    return type != NULL && ec2_type_fits(call, type, t->arch) &&
           db_run(c, "UPDATE instance SET type = ?, memory_mib = ?, vcpus = ? WHERE id = ?", "siis",
                  type->name, (int64_t)type->memory_mib, (int64_t)type->vcpus, t->id);
}

static bool set_kernel(struct ec2_call *call, sqlite3 *c, const struct target *t, const char *value)
{
    struct kernel *k = xalloc(sizeof(*k));
    bool good = kernel_resolve(call->r->svc, c, call->r->account->id, value, &t->use, k);

    if (!good)
        reply_error(call->r, 400, k->code, "%s", k->why);
    free(k);
    return good && db_run(c, "UPDATE instance SET kernel = ? WHERE id = ?", "ss", value, t->id);
}

/* An empty value takes the ramdisk away. */
static bool set_ramdisk(struct ec2_call *call, sqlite3 *c, const struct target *t,
                        const char *value)
{
    struct kernel *k = xalloc(sizeof(*k));
    bool good =
        !*value || ramdisk_resolve(call->r->svc, c, call->r->account->id, value, &t->use, k);

    if (!good)
        reply_error(call->r, 400, k->code, "%s", k->why);
    free(k);
    return good && db_run(c, "UPDATE instance SET ramdisk = ? WHERE id = ?", "ss",
                          *value ? value : NULL, t->id);
}

static bool set_user_data(struct ec2_call *call, sqlite3 *c, const struct target *t,
                          const char *value)
{
    struct buf data = {0};
    bool good = instance_take_user_data(call, value, &data) &&
                db_run(c, "UPDATE instance SET user_data = ? WHERE id = ?", "ss", data.text, t->id);

    buf_free(&data);
    return good;
}

static bool set_protection(struct ec2_call *call, sqlite3 *c, const struct target *t,
                           const char *value)
{
    bool yes = strcmp(value, "true") == 0;

    if (!yes && strcmp(value, "false") != 0) {
        reply_error(call->r, 400, "InvalidParameterValue",
                    "disableApiTermination is true or false, not \"%.60s\".", value);
        return false;
    }
    return db_run(c, "UPDATE instance SET disable_termination = ? WHERE id = ?", "is", (int64_t)yes,
                  t->id);
}

static bool set_behavior(struct ec2_call *call, sqlite3 *c, const struct target *t,
                         const char *value)
{
    return ec2_check_behavior(call, value) &&
           db_run(c, "UPDATE instance SET shutdown_behavior = ? WHERE id = ?", "ss", value, t->id);
}

static const struct attribute attributes[] = {
    {"instanceType", "InstanceType.Value", "type", true, set_type},
    {"kernel", "Kernel.Value", "kernel", true, set_kernel},
    {"ramdisk", "Ramdisk.Value", "ramdisk", true, set_ramdisk},
    {"userData", "UserData.Value", "user_data", true, set_user_data},
    {"disableApiTermination", "DisableApiTermination.Value", "disable_termination", false,
     set_protection},
    {"instanceInitiatedShutdownBehavior", "InstanceInitiatedShutdownBehavior.Value",
     "shutdown_behavior", false, set_behavior},
    {"rootDeviceName", NULL, "root_device", false, NULL},
};

#define NR_ATTRIBUTES (sizeof(attributes) / sizeof(attributes[0]))

static const struct attribute *find_attribute(const char *name)
{
    for (size_t i = 0; i < NR_ATTRIBUTES; i++)
        if (strcmp(attributes[i].name, name) == 0)
            return &attributes[i];
    return NULL;
}

static bool not_offered(struct ec2_call *call, const char *name)
{
    reply_error(call->r, 400, "UnsupportedOperation",
                "The attribute \"%.60s\" is not offered here to %s.", name, call->r->action);
    return false;
}

/* ---- the instance ----------------------------------------------------------------------------
 */

static const char *take_id(struct ec2_call *call)
{
    const char *id = ec2_take(call, "InstanceId");

    if (id == NULL)
        reply_error(call->r, 400, "MissingParameter", "%s needs InstanceId.", call->r->action);
    return id;
}

static bool read_target(struct ec2_call *call, sqlite3 *c, const char *id, struct target *out)
{
    struct ec2_list *one = xalloc(sizeof(*one));
    sqlite3_stmt *s;
    bool good;

    one->value[one->nr++] = id;
    good = instances_check(call, c, one);
    free(one);
    if (!good)
        return false;
    s = db_query(c, "SELECT state, arch, image, hd00 FROM instance WHERE id = ?", "s", id);
    good = s != NULL && sqlite3_step(s) == SQLITE_ROW;
    if (good) {
        *out = (struct target){.id = id};
        snprintf(out->state, sizeof(out->state), "%s", db_text(s, 0));
        snprintf(out->arch, sizeof(out->arch), "%s", db_text(s, 1));
        snprintf(out->image, sizeof(out->image), "%s", db_text(s, 2));
        out->use.narrow = strcmp(out->arch, "i386") == 0;
        if (sqlite3_column_type(s, 3) != SQLITE_NULL)
            out->use.layout = sqlite3_column_int64(s, 3) != 0 ? LAYOUT_HD00 : LAYOUT_HD0;
    }
    db_finish(s);
    return good;
}

/* ---- describe --------------------------------------------------------------------------------
 */

static void write_value(struct buf *out, sqlite3 *c, const struct attribute *a, const char *id)
{
    struct buf sql = {0};
    sqlite3_stmt *s;

    buf_printf(&sql, "SELECT %s FROM instance WHERE id = ?", a->column);
    s = db_query(c, sql.text, "s", id);
    buf_free(&sql);
    buf_printf(out, "<%s>", a->name);
    if (s != NULL && sqlite3_step(s) == SQLITE_ROW) {
        if (a->set == set_protection)
            xml_element(out, "value", sqlite3_column_int64(s, 0) != 0 ? "true" : "false");
        else if (*db_text(s, 0))
            xml_element(out, "value", db_text(s, 0));
    }
    buf_printf(out, "</%s>", a->name);
    db_finish(s);
}

static void write_mappings(struct ec2_call *call, sqlite3 *c, const char *id)
{
    struct instance_cursor *k = xalloc(sizeof(*k));
    struct ec2_list *one = xalloc(sizeof(*one));
    struct buf ids = {0};

    one->value[one->nr++] = id;
    instances_json(one, &ids);
    buf_puts(&call->r->reply, "<blockDeviceMapping>");
    if (instances_open(k, c, call->r->account->id, INSTANCES_BY_ID, ids.text, "", 0)) {
        if (instances_next(k))
            instance_write_volumes(&call->r->reply, &k->now);
        instances_close(k);
    }
    buf_puts(&call->r->reply, "</blockDeviceMapping>");
    buf_free(&ids);
    free(one);
    free(k);
}

/* Of those that are always the same here. */
static const char *fixed_value(const char *name)
{
    static const char *const fixed[][2] = {
        {"productCodes", "<productCodes/>"},
        {"groupSet", "<groupSet/>"},
        {"ebsOptimized", "<ebsOptimized><value>false</value></ebsOptimized>"},
        {"enaSupport", "<enaSupport><value>false</value></enaSupport>"},
    };

    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        if (strcmp(fixed[i][0], name) == 0)
            return fixed[i][1];
    return NULL;
}

void ec2_describe_instance_attribute(struct ec2_call *call)
{
    const char *id = take_id(call), *name = ec2_take(call, "Attribute");
    const struct attribute *a = name != NULL ? find_attribute(name) : NULL;
    const char *fixed = name != NULL ? fixed_value(name) : NULL;
    bool mappings = name != NULL && strcmp(name, "blockDeviceMapping") == 0;
    struct target t;
    sqlite3 *c;

    if (name == NULL)
        reply_error(call->r, 400, "MissingParameter", "%s needs Attribute.", call->r->action);
    else if (a == NULL && fixed == NULL && !mappings)
        not_offered(call, name);
    if (!ec2_parameters_done(call))
        return;
    c = db_reader(call->r->svc->db);
    if (read_target(call, c, id, &t)) {
        ec2_open(call, "DescribeInstanceAttribute");
        xml_element(&call->r->reply, "instanceId", id);
        if (mappings)
            write_mappings(call, c, id);
        else if (a != NULL)
            write_value(&call->r->reply, c, a, id);
        else
            buf_puts(&call->r->reply, fixed);
        ec2_close(call, "DescribeInstanceAttribute");
    }
    db_done(call->r->svc->db, c);
}

/* ---- modify ----------------------------------------------------------------------------------
 */

struct modification {
    const struct attribute *attribute; /* NULL: block devices */
    const char *value;
    struct {
        const char *device;
        bool delete_on_termination;
    } mapping[MAPPINGS_MAX];
    size_t nr_mappings;
};

static bool take_mappings(struct ec2_call *call, struct modification *m)
{
    char name[96];

    for (unsigned i = 1; i <= MAPPINGS_MAX; i++) {
        const char *device;

        snprintf(name, sizeof(name), "BlockDeviceMapping.%u.DeviceName", i);
        device = ec2_take(call, name);
        if (device == NULL)
            continue;
        snprintf(name, sizeof(name), "BlockDeviceMapping.%u.Ebs.DeleteOnTermination", i);
        if (ec2_peek(call, name) == NULL) {
            reply_error(call->r, 400, "MissingParameter",
                        "Of a device only Ebs.DeleteOnTermination can be modified, and \"%.60s\" "
                        "has none.",
                        device);
            return false;
        }
        m->mapping[m->nr_mappings].device = device;
        if (!ec2_take_bool(call, name, true, &m->mapping[m->nr_mappings].delete_on_termination))
            return false;
        m->nr_mappings++;
    }
    return call->r->status == 0;
}

/* NAME.Value, or Attribute=NAME and Value. Exactly one attribute. */
static bool take_modification(struct ec2_call *call, struct modification *m)
{
    static const struct ec2_refused refused[] = {
        {"SourceDestCheck", "The service does not filter what its instances send."},
        {"GroupId", "There are no security groups."},
        {"EbsOptimized", "All volumes are on this machine."},
        {"EnaSupport", "Network cards are paravirtual."},
        {"SriovNetSupport", "Network cards are paravirtual."},
        {"DisableApiStop", "Instances cannot be protected from being stopped."},
    };
    const char *name = ec2_take(call, "Attribute"), *value = ec2_take(call, "Value");
    size_t given = 0;

    *m = (struct modification){0};
    if (!take_mappings(call, m))
        return false;
    given += m->nr_mappings > 0;
    if (name != NULL && strcmp(name, "blockDeviceMapping") != 0) {
        m->attribute = find_attribute(name);
        m->value = value != NULL ? value : "";
        if (m->attribute == NULL || m->attribute->set == NULL)
            return not_offered(call, name);
        given++;
    }
    for (size_t i = 0; i < NR_ATTRIBUTES; i++) {
        const char *one =
            attributes[i].parameter != NULL ? ec2_take(call, attributes[i].parameter) : NULL;

        if (one == NULL)
            continue;
        m->attribute = &attributes[i];
        m->value = one;
        given++;
    }
    if (ec2_refuse(call, refused, sizeof(refused) / sizeof(refused[0])))
        return false;
    if (given != 1)
        reply_error(call->r, 400, given == 0 ? "MissingParameter" : "InvalidParameterCombination",
                    "One attribute is modified at a time; the request has %zu that are offered "
                    "here.",
                    given);
    return call->r->status == 0;
}

static bool modify_mappings(struct ec2_call *call, sqlite3 *c, const struct target *t,
                            const struct modification *m)
{
    for (size_t i = 0; i < m->nr_mappings; i++) {
        const char *device = m->mapping[i].device;

        if (!db_run(c,
                    "UPDATE volume SET delete_on_termination = ? WHERE instance = ?"
                    " AND hidden = 0 AND device IN (?, '/dev/' || ?)",
                    "isss", (int64_t)m->mapping[i].delete_on_termination, t->id, device,
                    volume_vdev(device)))
            return false;
        if (sqlite3_changes(c) == 1)
            continue;
        reply_error(call->r, 400, "InvalidInstanceAttributeValue",
                    "The instance %s has no volume at \"%.60s\"; describe-instances lists them.",
                    t->id, device);
        return false;
    }
    return true;
}

/* An instance that is on its way out has nothing left that a change could change. */
static bool check_not_gone(struct ec2_call *call, const struct target *t)
{
    if (strcmp(t->state, "terminated") == 0 || strcmp(t->state, "shutting-down") == 0)
        reply_error(call->r, 400, "IncorrectInstanceState",
                    "The instance %s is %s; run a new one in its place.", t->id, t->state);
    return call->r->status == 0;
}

/* What the engine was told at the start cannot change while the guest runs. */
static bool check_stopped(struct ec2_call *call, const struct target *t, const struct attribute *a)
{
    if (!a->stopped || strcmp(t->state, "stopped") == 0)
        return true;
    reply_error(call->r, 400, "IncorrectInstanceState",
                "The instance %s is %s; its attribute %s changes only while it is stopped: stop "
                "it, modify it, start it.",
                t->id, t->state, a->name);
    return false;
}

static void end_change(struct ec2_call *call, bool good)
{
    if (ec2_end_change(call, good))
        ec2_answer_true(call);
}

void ec2_modify_instance_attribute(struct ec2_call *call)
{
    const char *id = take_id(call);
    struct modification m;
    struct target t;
    sqlite3 *c;
    bool good;

    if (!take_modification(call, &m) || !ec2_parameters_done(call))
        return;
    c = ec2_begin_change(call);
    if (c == NULL)
        return;
    good = read_target(call, c, id, &t) && check_not_gone(call, &t);
    if (good && m.attribute == NULL)
        good = modify_mappings(call, c, &t, &m);
    else if (good)
        good = check_stopped(call, &t, m.attribute) && m.attribute->set(call, c, &t, m.value);
    end_change(call, good);
}

/* ---- reset -----------------------------------------------------------------------------------
 */

/* What the image says; without a kernel of its own, pvboot. */
static bool reset(struct ec2_call *call, sqlite3 *c, const struct target *t,
                  const struct attribute *a)
{
    struct ec2_image *image = xalloc(sizeof(*image));
    char why[AKI_WHY_MAX];
    const char *value;
    bool good = false;

    if (!image_find(c, call->r->account->id, t->image, image)) {
        reply_error(call->r, 400, "InvalidAMIID.NotFound",
                    "The image %s, which tells the default, is gone; name a value with "
                    "ModifyInstanceAttribute.",
                    t->image);
    } else if (a->set == set_kernel) {
        value = image->kernel[0] ? image->kernel : kernel_default(call->r->svc, &t->use, why);
        if (value != NULL)
            good = set_kernel(call, c, t, value);
        else
            reply_error(call->r, 400, "InvalidParameterValue", "%s", why);
    } else {
        good = set_ramdisk(call, c, t, image->ramdisk);
    }
    free(image);
    return good;
}

void ec2_reset_instance_attribute(struct ec2_call *call)
{
    const char *id = take_id(call), *name = ec2_take(call, "Attribute");
    const struct attribute *a = name != NULL ? find_attribute(name) : NULL;
    struct target t;
    sqlite3 *c;

    if (name == NULL)
        reply_error(call->r, 400, "MissingParameter", "%s needs Attribute.", call->r->action);
    else if (a == NULL || (a->set != set_kernel && a->set != set_ramdisk))
        not_offered(call, name);
    if (a == NULL || !ec2_parameters_done(call))
        return;
    c = ec2_begin_change(call);
    if (c == NULL)
        return;
    end_change(call,
               read_target(call, c, id, &t) && check_stopped(call, &t, a) && reset(call, c, &t, a));
}

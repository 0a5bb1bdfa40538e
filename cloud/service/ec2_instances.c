/* SPDX-License-Identifier: MIT */
/* DescribeInstances and DescribeInstanceStatus. */
#include "cloud/service/ec2_instances.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const instance_filters[] = {
    "architecture",
    "availability-zone",
    "block-device-mapping.attach-time",
    "block-device-mapping.delete-on-termination",
    "block-device-mapping.device-name",
    "block-device-mapping.status",
    "block-device-mapping.volume-id",
    "client-token",
    "hypervisor",
    "image-id",
    "instance-id",
    "instance-lifecycle",
    "instance-state-code",
    "instance-state-name",
    "instance-type",
    "kernel-id",
    "launch-index",
    "launch-time",
    "monitoring-state",
    "owner-id",
    "ramdisk-id",
    "reason",
    "reservation-id",
    "root-device-name",
    "root-device-type",
    "state-reason-code",
    "state-reason-message",
    "tag:",
    "tag-key",
    "tag-value",
    "tenancy",
    "virtualization-type",
    NULL,
};

static const char *const status_filters[] = {
    "availability-zone",
    "instance-state-code",
    "instance-state-name",
    "instance-status.reachability",
    "instance-status.status",
    "system-status.reachability",
    "system-status.status",
    "tag:",
    NULL,
};

struct wanted {
    struct ec2_list ids;
    struct ec2_filters filters;
    struct ec2_page page;
    char after[EC2_ID_BYTES]; /* the launch that the last page ended in */
    int64_t after_index;
    bool status, all; /* DescribeInstanceStatus, IncludeAllInstances */
};

/* ---- filters --------------------------------------------------------------------------------- */

static bool any_fits(const struct ec2_filter *f, const char *value)
{
    for (size_t i = 0; i < f->nr; i++)
        if (ec2_pattern(f->value[i], value))
            return true;
    return false;
}

static bool volume_fits(const struct ec2_filter *f, const char *what,
                        const struct instance_volume *v)
{
    char when[32];

    if (strcmp(what, "device-name") == 0)
        return any_fits(f, v->device);
    if (strcmp(what, "volume-id") == 0)
        return any_fits(f, v->id);
    if (strcmp(what, "status") == 0)
        return any_fits(f, v->status);
    if (strcmp(what, "delete-on-termination") == 0)
        return any_fits(f, v->delete_on_termination ? "true" : "false");
    iso_time(v->attached_s, when);
    return any_fits(f, when);
}

static bool tag_fits(const struct ec2_filter *f, const char *key, const char *value)
{
    if (strcmp(f->name, "tag-key") == 0)
        return any_fits(f, key);
    if (strcmp(f->name, "tag-value") == 0)
        return any_fits(f, value);
    return strcmp(f->name + strlen("tag:"), key) == 0 && any_fits(f, value);
}

/* A filter on what an instance has several of fits when one of them does. */
static bool lists_fit(const struct ec2_filters *filters, const struct instance *i)
{
    static const char volumes[] = "block-device-mapping.";

    for (size_t n = 0; n < filters->nr; n++) {
        const struct ec2_filter *f = &filters->filter[n];
        bool fits = false;

        if (strncmp(f->name, volumes, strlen(volumes)) == 0) {
            for (size_t k = 0; k < i->nr_volumes && !fits; k++)
                fits = volume_fits(f, f->name + strlen(volumes), &i->volume[k]);
        } else if (strncmp(f->name, "tag", 3) == 0) {
            for (size_t k = 0; k < i->tags.nr && !fits; k++)
                fits = tag_fits(f, i->tags.tag[k].key, i->tags.tag[k].value);
        } else {
            continue;
        }
        if (!fits)
            return false;
    }
    return true;
}

/* The one detail of its status. */
static const char *reachability(const struct instance *i)
{
    return strcmp(i->state, "running") == 0   ? "passed"
           : strcmp(i->state, "pending") == 0 ? "initializing"
                                              : "";
}

static bool fits(const struct ec2_filters *filters, const struct service *svc,
                 const struct instance *i)
{
    char code[16], index[24], launched[32], zone[64], transition[640];
    const struct {
        const char *filter, *value;
    } facts[] = {
        {"architecture", i->arch},
        {"availability-zone", zone},
        {"client-token", i->client_token},
        {"hypervisor", "xen"},
        {"image-id", i->image},
        {"instance-id", i->id},
        {"instance-lifecycle", ""}, /* one by demand has none */
        {"instance-state-code", code},
        {"instance-state-name", i->state},
        {"instance-status.reachability", reachability(i)},
        {"instance-status.status", ec2_instance_health(i)},
        {"instance-type", i->type},
        {"kernel-id", i->kernel},
        {"launch-index", index},
        {"launch-time", launched},
        {"monitoring-state", "disabled"},
        {"owner-id", i->account},
        {"ramdisk-id", i->ramdisk},
        {"reason", transition},
        {"reservation-id", i->reservation},
        {"root-device-name", i->root_device},
        {"root-device-type", i->root_type},
        {"state-reason-code", i->reason_code},
        {"state-reason-message", i->reason},
        {"system-status.reachability", reachability(i)},
        {"system-status.status", ec2_instance_health(i)},
        {"tenancy", "default"},
        {"virtualization-type", "paravirtual"},
    };

    if (filters->nr == 0)
        return true;
    snprintf(code, sizeof(code), "%d", instance_code(i->state));
    snprintf(index, sizeof(index), "%lld", (long long)i->launch_index);
    snprintf(zone, sizeof(zone), "%sa", svc->config.region);
    iso_time(i->launched_s, launched);
    instance_transition(i, transition, sizeof(transition));
    for (size_t n = 0; n < sizeof(facts) / sizeof(facts[0]); n++)
        if (!ec2_filter_fits(filters, facts[n].filter, facts[n].value))
            return false;
    return lists_fit(filters, i);
}

/* ---- answers --------------------------------------------------------------------------------- */

const char *ec2_instance_health(const struct instance *i)
{
    return strcmp(i->state, "running") == 0   ? "ok"
           : strcmp(i->state, "pending") == 0 ? "initializing"
                                              : "not-applicable";
}

static void write_health(struct buf *out, const char *name, const struct instance *i)
{
    const char *detail = reachability(i);

    buf_printf(out, "<%s><status>%s</status>", name, ec2_instance_health(i));
    if (*detail)
        buf_printf(out,
                   "<details><item><name>reachability</name><status>%s</status></item></details>",
                   detail);
    buf_printf(out, "</%s>", name);
}

static void write_status(struct buf *out, const struct service *svc, const struct instance *i)
{
    buf_puts(out, "<item>");
    xml_element(out, "instanceId", i->id);
    buf_printf(out, "<availabilityZone>%sa</availabilityZone>", svc->config.region);
    instance_write_state(out, "instanceState", i->state);
    write_health(out, "systemStatus", i);
    write_health(out, "instanceStatus", i);
    buf_puts(out, "</item>");
}

/* An <item> of reservationSet goes on as long as the launch is the same. */
static void write_in_launch(struct buf *out, const struct service *svc, const struct instance *i,
                            char launch[EC2_ID_BYTES])
{
    if (strcmp(launch, i->reservation) != 0) {
        if (*launch) {
            instance_close_launch(out);
            buf_puts(out, "</item>");
        }
        buf_puts(out, "<item>");
        instance_open_launch(out, i->reservation, i->account);
        snprintf(launch, EC2_ID_BYTES, "%s", i->reservation);
    }
    instance_write(out, svc, i);
}

static void write_all(struct ec2_call *call, const struct wanted *w, struct instance_cursor *k)
{
    const struct service *svc = call->r->svc;
    const char *set = w->status ? "instanceStatusSet" : "reservationSet";
    struct buf *out = &call->r->reply;
    char launch[EC2_ID_BYTES] = "", next[2 * EC2_ID_BYTES] = "";
    int64_t nr = 0;
    bool more = false;

    ec2_open(call, call->r->action);
    buf_printf(out, "<%s>", set);
    while (!more && instances_next(k)) {
        const struct instance *i = &k->now;

        if ((w->status && !w->all && strcmp(i->state, "running") != 0) ||
            !fits(&w->filters, svc, i))
            continue;
        more = nr == w->page.max;
        if (more)
            break;
        if (w->status)
            write_status(out, svc, i);
        else
            write_in_launch(out, svc, i, launch);
        snprintf(next, sizeof(next), "%s-%lld", i->reservation, (long long)i->launch_index);
        nr++;
    }
    if (*launch) {
        instance_close_launch(out);
        buf_puts(out, "</item>");
    }
    buf_printf(out, "</%s>", set);
    if (more)
        ec2_write_next(out, next);
    ec2_close(call, call->r->action);
}

/* "r-0123456789abcdef0-12": the launch and the place in it that the last page ended with. */
static bool read_token(struct ec2_call *call, struct wanted *w)
{
    const char *dash = strrchr(w->page.after, '-');
    char *end = NULL;

    if (!*w->page.after)
        return true;
    if (dash != NULL && dash > w->page.after) {
        snprintf(w->after, sizeof(w->after), "%.*s", (int)(dash - w->page.after), w->page.after);
        w->after_index = strtoll(dash + 1, &end, 10);
        if (dash[1] >= '0' && dash[1] <= '9' && *end == 0 && strncmp(w->after, "r-", 2) == 0)
            return true;
    }
    reply_error(call->r, 400, "InvalidNextToken",
                "NextToken is not one that an answer of this service held.");
    return false;
}

static void answer(struct ec2_call *call, struct wanted *w)
{
    struct service *svc = call->r->svc;
    sqlite3 *c = db_reader(svc->db);
    struct instance_cursor *k = xalloc(sizeof(*k));
    struct buf ids = {0};

    instances_json(&w->ids, &ids);
    if (instances_check(call, c, &w->ids)) {
        if (instances_open(k, c, call->r->account->id,
                           w->ids.nr > 0 ? INSTANCES_BY_ID : INSTANCES_ALL, ids.text, w->after,
                           w->after_index)) {
            write_all(call, w, k);
            instances_close(k);
        } else {
            reply_state_failed(call->r);
        }
    }
    db_done(svc->db, c);
    buf_free(&ids);
    free(k);
}

static void describe(struct ec2_call *call, bool status)
{
    struct wanted *w = xalloc(sizeof(*w));

    w->status = status;
    if (ec2_take_list(call, "InstanceId", &w->ids) &&
        ec2_take_filters(call, status ? status_filters : instance_filters, &w->filters) &&
        (!status || ec2_take_bool(call, "IncludeAllInstances", false, &w->all)) &&
        ec2_take_page(call, 5, 1000, &w->page) && read_token(call, w)) {
        if (w->ids.nr > 0 && w->page.max != INT64_MAX)
            reply_error(call->r, 400, "InvalidParameterCombination",
                        "MaxResults goes with filters, not with InstanceId: leave one of them "
                        "out.");
        else if (ec2_parameters_done(call))
            answer(call, w);
    }
    free(w);
}

void ec2_describe_instances(struct ec2_call *call)
{
    describe(call, false);
}

void ec2_describe_instance_status(struct ec2_call *call)
{
    describe(call, true);
}

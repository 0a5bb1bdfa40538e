/* SPDX-License-Identifier: MIT */
/* DescribeInstanceTypes and DescribeInstanceTypeOfferings. */
#include "cloud/service/ec2_instances.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"

static const char *const type_filters[] = {
    "bare-metal",
    "current-generation",
    "hypervisor",
    "instance-type",
    "memory-info.size-in-mib",
    "processor-info.supported-architecture",
    "supported-root-device-type",
    "supported-virtualization-type",
    "vcpu-info.default-vcpus",
    NULL,
};

struct wanted {
    struct ec2_list names;
    struct ec2_filters filters;
    struct ec2_page page;
    size_t from; /* the place in the table that the page begins at: NextToken */
};

const struct instance_type *ec2_find_type(struct ec2_call *call, const char *name)
{
    const struct instance_type *type = type_find(&call->r->svc->types, name);

    if (type == NULL)
        reply_error(call->r, 400, "InvalidParameterValue",
                    "There is no instance type \"%.60s\" here; describe-instance-types lists those "
                    "that there are.",
                    name);
    return type;
}

bool ec2_type_fits(struct ec2_call *call, const struct instance_type *type, const char *arch)
{
    bool narrow = strcmp(arch, "i386") == 0;

    if (narrow ? type->narrow : type->wide)
        return true;
    reply_error(call->r, 400, "InvalidParameterValue",
                "The instance type %s runs no %s kernels; describe-instance-types with the filter "
                "processor-info.supported-architecture=%s lists those that do.",
                type->name, arch, arch);
    return false;
}

/* Does a filter with two possible values let one of them through? */
static bool either(const struct ec2_filters *f, const char *name, bool has_a, const char *a,
                   bool has_b, const char *b)
{
    return (has_a && ec2_filter_fits(f, name, a)) || (has_b && ec2_filter_fits(f, name, b));
}

static bool fits(const struct wanted *w, const struct instance_type *t)
{
    const struct ec2_filters *f = &w->filters;
    char memory[16], vcpus[16];
    bool listed = w->names.nr == 0;

    for (size_t i = 0; i < w->names.nr && !listed; i++)
        listed = strcmp(w->names.value[i], t->name) == 0;
    snprintf(memory, sizeof(memory), "%u", t->memory_mib);
    snprintf(vcpus, sizeof(vcpus), "%u", t->vcpus);
    return listed && ec2_filter_fits(f, "instance-type", t->name) &&
           ec2_filter_fits(f, "bare-metal", "false") &&
           ec2_filter_fits(f, "current-generation", "true") &&
           ec2_filter_fits(f, "hypervisor", "xen") &&
           ec2_filter_fits(f, "memory-info.size-in-mib", memory) &&
           ec2_filter_fits(f, "vcpu-info.default-vcpus", vcpus) &&
           ec2_filter_fits(f, "supported-virtualization-type", "paravirtual") &&
           either(f, "processor-info.supported-architecture", t->narrow, "i386", t->wide,
                  "x86_64") &&
           either(f, "supported-root-device-type", true, "ebs", true, "instance-store");
}

static void write_type(struct buf *out, const struct instance_type *t)
{
    buf_puts(out, "<item>");
    xml_element(out, "instanceType", t->name);
    buf_puts(out, "<currentGeneration>true</currentGeneration>"
                  "<freeTierEligible>false</freeTierEligible>"
                  "<supportedUsageClasses><item>on-demand</item></supportedUsageClasses>"
                  "<supportedRootDeviceTypes><item>ebs</item><item>instance-store</item>"
                  "</supportedRootDeviceTypes><supportedVirtualizationTypes>"
                  "<item>paravirtual</item></supportedVirtualizationTypes>"
                  "<bareMetal>false</bareMetal><hypervisor>xen</hypervisor>"
                  "<processorInfo><supportedArchitectures>");
    if (t->narrow)
        buf_puts(out, "<item>i386</item>");
    if (t->wide)
        buf_puts(out, "<item>x86_64</item>");
    buf_printf(out,
               "</supportedArchitectures></processorInfo>"
               "<vCpuInfo><defaultVCpus>%u</defaultVCpus></vCpuInfo>"
               "<memoryInfo><sizeInMiB>%u</sizeInMiB></memoryInfo>"
               "<instanceStorageSupported>false</instanceStorageSupported>"
               "<hibernationSupported>false</hibernationSupported>"
               "<burstablePerformanceSupported>false</burstablePerformanceSupported>"
               "<dedicatedHostsSupported>false</dedicatedHostsSupported>"
               "<autoRecoverySupported>false</autoRecoverySupported></item>",
               t->vcpus, t->memory_mib);
}

/* MaxResults and NextToken, the place in the table to go on at. */
static bool take_page(struct ec2_call *call, int64_t max, struct wanted *w)
{
    const char *next;
    uint64_t from = 0;

    if (!ec2_take_page(call, 5, max, &w->page))
        return false;
    next = w->page.after;
    if (*next && (!text_parse_u64(next, strlen(next), &from) || from >= call->r->svc->types.nr))
        reply_error(call->r, 400, "InvalidNextToken",
                    "NextToken is not one that an answer of this service held.");
    w->from = (size_t)from;
    return call->r->status == 0;
}

static void write_place(struct buf *out, size_t place)
{
    char next[24];

    snprintf(next, sizeof(next), "%zu", place);
    ec2_write_next(out, next);
}

static void write_types(struct ec2_call *call, const struct wanted *w)
{
    const struct type_table *t = &call->r->svc->types;
    struct buf *out = &call->r->reply;
    int64_t nr = 0;
    size_t i = w->from;

    ec2_open(call, "DescribeInstanceTypes");
    buf_puts(out, "<instanceTypeSet>");
    for (; i < t->nr; i++) {
        if (!fits(w, &t->type[i]))
            continue;
        if (nr++ == w->page.max)
            break;
        write_type(out, &t->type[i]);
    }
    buf_puts(out, "</instanceTypeSet>");
    if (i < t->nr)
        write_place(out, i);
    ec2_close(call, "DescribeInstanceTypes");
}

void ec2_describe_instance_types(struct ec2_call *call)
{
    struct wanted *w = xalloc(sizeof(*w));
    bool good = ec2_take_list(call, "InstanceType", &w->names) &&
                ec2_take_filters(call, type_filters, &w->filters) && take_page(call, 100, w);

    for (size_t i = 0; good && i < w->names.nr; i++)
        good = ec2_find_type(call, w->names.value[i]) != NULL;
    if (good && ec2_parameters_done(call))
        write_types(call, w);
    free(w);
}

static void write_offerings(struct ec2_call *call, const struct wanted *w, const char *kind,
                            const char *location)
{
    const struct type_table *t = &call->r->svc->types;
    struct buf *out = &call->r->reply;
    int64_t nr = 0;
    size_t i = w->from;

    ec2_open(call, "DescribeInstanceTypeOfferings");
    buf_puts(out, "<instanceTypeOfferingSet>");
    for (; i < t->nr; i++) {
        if (!ec2_filter_fits(&w->filters, "instance-type", t->type[i].name) ||
            !ec2_filter_fits(&w->filters, "location", location))
            continue;
        if (nr++ == w->page.max)
            break;
        buf_puts(out, "<item>");
        xml_element(out, "instanceType", t->type[i].name);
        xml_element(out, "locationType", kind);
        xml_element(out, "location", location);
        buf_puts(out, "</item>");
    }
    buf_puts(out, "</instanceTypeOfferingSet>");
    if (i < t->nr)
        write_place(out, i);
    ec2_close(call, "DescribeInstanceTypeOfferings");
}

/* Where a type is to be had: everywhere, and that is one zone. */
void ec2_describe_instance_type_offerings(struct ec2_call *call)
{
    static const char *const known[] = {"instance-type", "location", NULL};
    const char *kind = ec2_take(call, "LocationType");
    struct wanted *w = xalloc(sizeof(*w));
    struct buf location = {0};

    kind = kind != NULL ? kind : "region";
    buf_printf(&location, "%s%s", call->r->svc->config.region,
               strcmp(kind, "region") == 0 ? "" : "a");
    if (strcmp(kind, "region") != 0 && strcmp(kind, "availability-zone") != 0 &&
        strcmp(kind, "availability-zone-id") != 0) /* the zone's id is its name */
        reply_error(call->r, 400, "InvalidParameterValue",
                    "LocationType is region, availability-zone or availability-zone-id, not "
                    "\"%.60s\".",
                    kind);
    if (ec2_take_filters(call, known, &w->filters) && take_page(call, 1000, w) &&
        ec2_parameters_done(call))
        write_offerings(call, w, kind, location.text);
    buf_free(&location);
    free(w);
}

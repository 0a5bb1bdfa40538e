/* SPDX-License-Identifier: MIT */
/* DescribeInstanceTypes and DescribeInstanceTypeOfferings. */
#include "cloud/service/ec2_instances.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* NextToken is the place in the table to go on at. */
static void write_types(struct ec2_call *call, const struct wanted *w)
{
    const struct type_table *t = &call->r->svc->types;
    struct buf *out = &call->r->reply;
    char next[24] = "";
    int64_t nr = 0;

    ec2_open(call, "DescribeInstanceTypes");
    buf_puts(out, "<instanceTypeSet>");
    for (size_t i = strtoul(w->page.after, NULL, 10); i < t->nr; i++) {
        if (!fits(w, &t->type[i]))
            continue;
        if (nr++ == w->page.max) {
            snprintf(next, sizeof(next), "%zu", i);
            break;
        }
        write_type(out, &t->type[i]);
    }
    buf_puts(out, "</instanceTypeSet>");
    if (*next)
        ec2_write_next(out, next);
    ec2_close(call, "DescribeInstanceTypes");
}

void ec2_describe_instance_types(struct ec2_call *call)
{
    struct wanted *w = xalloc(sizeof(*w));
    bool good = ec2_take_list(call, "InstanceType", &w->names) &&
                ec2_take_filters(call, type_filters, &w->filters) &&
                ec2_take_page(call, 5, 100, &w->page);

    for (size_t i = 0; good && i < w->names.nr; i++)
        good = ec2_find_type(call, w->names.value[i]) != NULL;
    if (good && ec2_parameters_done(call))
        write_types(call, w);
    free(w);
}

/* Where a type is to be had: everywhere, and that is one zone. */
void ec2_describe_instance_type_offerings(struct ec2_call *call)
{
    static const char *const known[] = {"instance-type", "location", NULL};
    const struct service *svc = call->r->svc;
    const char *kind = ec2_take(call, "LocationType");
    struct ec2_filters *f = xalloc(sizeof(*f));
    struct buf location = {0}, *out = &call->r->reply;
    struct ec2_page page;

    kind = kind != NULL ? kind : "region";
    buf_printf(&location, "%s%s", svc->config.region, strcmp(kind, "region") == 0 ? "" : "a");
    if (strcmp(kind, "region") != 0 && strcmp(kind, "availability-zone") != 0)
        reply_error(call->r, 400, "InvalidParameterValue",
                    "LocationType is region or availability-zone, not \"%.60s\".", kind);
    if (ec2_take_filters(call, known, f) && ec2_take_page(call, 5, 1000, &page) &&
        ec2_parameters_done(call)) {
        ec2_open(call, "DescribeInstanceTypeOfferings");
        buf_puts(out, "<instanceTypeOfferingSet>");
        for (size_t i = 0; i < svc->types.nr; i++) {
            if (!ec2_filter_fits(f, "instance-type", svc->types.type[i].name) ||
                !ec2_filter_fits(f, "location", location.text))
                continue;
            buf_puts(out, "<item>");
            xml_element(out, "instanceType", svc->types.type[i].name);
            xml_element(out, "locationType", kind);
            xml_element(out, "location", location.text);
            buf_puts(out, "</item>");
        }
        buf_puts(out, "</instanceTypeOfferingSet>");
        ec2_close(call, "DescribeInstanceTypeOfferings");
    }
    buf_free(&location);
    free(f);
}

/* SPDX-License-Identifier: MIT */
/* How the API shows instances; see instance.h. */
#include "cloud/service/instance.h"

#include <stdio.h>
#include <string.h>

void instance_write_state(struct buf *out, const char *name, const char *state)
{
    buf_printf(out, "<%s><code>%d</code><name>%s</name></%s>", name, instance_code(state), state,
               name);
}

void instance_transition(const struct instance *i, char *out, size_t cap)
{
    time_t at = (time_t)i->changed_s;
    struct tm tm;
    char when[32];

    if (strcmp(i->reason_code, "Client.UserInitiatedShutdown") != 0) {
        snprintf(out, cap, "%s", i->reason);
        return;
    }
    gmtime_r(&at, &tm);
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S GMT", &tm);
    snprintf(out, cap, "User initiated (%s)", when);
}

void instance_write_volumes(struct buf *out, const struct instance *i)
{
    char when[32];

    for (size_t n = 0; n < i->nr_volumes; n++) {
        const struct instance_volume *v = &i->volume[n];

        buf_puts(out, "<item>");
        xml_element(out, "deviceName", v->device);
        buf_puts(out, "<ebs>");
        xml_element(out, "volumeId", v->id);
        xml_element(out, "status", v->status);
        iso_time(v->attached_s, when);
        xml_element(out, "attachTime", when);
        xml_element(out, "deleteOnTermination", v->delete_on_termination ? "true" : "false");
        buf_puts(out, "</ebs></item>");
    }
}

static void write_tags(struct buf *out, const struct ec2_tags *tags)
{
    if (tags->nr == 0)
        return;
    buf_puts(out, "<tagSet>");
    for (size_t n = 0; n < tags->nr; n++) {
        buf_puts(out, "<item>");
        xml_element(out, "key", tags->tag[n].key);
        xml_element(out, "value", tags->tag[n].value);
        buf_puts(out, "</item>");
    }
    buf_puts(out, "</tagSet>");
}

static void write_optional(struct buf *out, const char *name, const char *text)
{
    if (*text)
        xml_element(out, name, text);
}

static void write_reasons(struct buf *out, const struct instance *i)
{
    char transition[640];

    instance_transition(i, transition, sizeof(transition));
    xml_element(out, "reason", transition);
    if (!*i->reason_code)
        return;
    buf_puts(out, "<stateReason>");
    xml_element(out, "code", i->reason_code);
    buf_puts(out, "<message>");
    xml_text(out, i->reason_code);
    buf_puts(out, ": ");
    xml_text(out, i->reason);
    buf_puts(out, "</message></stateReason>");
}

void instance_write(struct buf *out, const struct service *svc, const struct instance *i)
{
    char when[32];

    buf_puts(out, "<item>");
    xml_element(out, "instanceId", i->id);
    xml_element(out, "imageId", i->image);
    instance_write_state(out, "instanceState", i->state);
    buf_puts(out, "<privateDnsName/><dnsName/>");
    write_reasons(out, i);
    xml_number(out, "amiLaunchIndex", i->launch_index);
    buf_puts(out, "<productCodes/>");
    xml_element(out, "instanceType", i->type);
    iso_time(i->launched_s, when);
    xml_element(out, "launchTime", when);
    buf_puts(out, "<placement><availabilityZone>");
    xml_text(out, svc->config.region);
    buf_puts(out, "a</availabilityZone><groupName/><tenancy>default</tenancy></placement>");
    write_optional(out, "kernelId", i->kernel);
    write_optional(out, "ramdiskId", i->ramdisk);
    buf_puts(out, "<monitoring><state>disabled</state></monitoring>");
    xml_element(out, "architecture", i->arch);
    xml_element(out, "rootDeviceType", i->root_type);
    xml_element(out, "rootDeviceName", i->root_device);
    buf_puts(out, "<blockDeviceMapping>");
    instance_write_volumes(out, i);
    buf_puts(out, "</blockDeviceMapping><virtualizationType>paravirtual</virtualizationType>");
    xml_element(out, "clientToken", i->client_token);
    write_tags(out, &i->tags);
    buf_puts(out, "<hypervisor>xen</hypervisor><ebsOptimized>false</ebsOptimized></item>");
}

void instance_open_launch(struct buf *out, const char *reservation, const char *account)
{
    xml_element(out, "reservationId", reservation);
    xml_element(out, "ownerId", account);
    buf_puts(out, "<groupSet/><instancesSet>");
}

void instance_close_launch(struct buf *out)
{
    buf_puts(out, "</instancesSet>");
}

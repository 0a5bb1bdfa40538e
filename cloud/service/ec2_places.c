/* SPDX-License-Identifier: MIT */
/* Regions and zones: the service is one region with one zone. */
#include "cloud/service/ec2.h"

#include <stdio.h>
#include <string.h>

/* Where clients reach us: as configured, or as this one did. */
static const char *endpoint(const struct request *r)
{
    const char *host = request_header(r, "Host");

    return r->svc->config.endpoint ? r->svc->config.endpoint : host ? host : "";
}

/* Each name that was asked for must be `known`, or the answer is an error. */
static bool only(struct ec2_call *call, const struct ec2_list *list, const char *what,
                 const char *known)
{
    for (size_t i = 0; i < list->nr; i++) {
        if (strcmp(list->value[i], known) == 0)
            continue;
        reply_error(call->r, 400, "InvalidParameterValue",
                    "There is no %s \"%.100s\" here; this service is \"%s\".", what, list->value[i],
                    known);
        return false;
    }
    return true;
}

void ec2_describe_regions(struct ec2_call *call)
{
    static const char *const known[] = {"region-name", "endpoint", "opt-in-status", NULL};
    const char *region = call->r->svc->config.region;
    struct buf *out = &call->r->reply;
    struct ec2_filters filters;
    struct ec2_list names;
    bool all;

    if (!ec2_take_list(call, "RegionName", &names) || !ec2_take_filters(call, known, &filters) ||
        !ec2_take_bool(call, "AllRegions", false, &all) || !ec2_parameters_done(call) ||
        !only(call, &names, "region", region))
        return;
    ec2_open(call, "DescribeRegions");
    buf_puts(out, "<regionInfo>");
    if (ec2_filter_fits(&filters, "region-name", region) &&
        ec2_filter_fits(&filters, "endpoint", endpoint(call->r)) &&
        ec2_filter_fits(&filters, "opt-in-status", "opt-in-not-required")) {
        buf_puts(out, "<item>");
        xml_element(out, "regionName", region);
        xml_element(out, "regionEndpoint", endpoint(call->r));
        buf_puts(out, "<optInStatus>opt-in-not-required</optInStatus></item>");
    }
    buf_puts(out, "</regionInfo>");
    ec2_close(call, "DescribeRegions");
}

void ec2_describe_availability_zones(struct ec2_call *call)
{
    static const char *const known[] = {"group-name", "opt-in-status", "region-name", "state",
                                        "zone-id",    "zone-name",     "zone-type",   NULL};
    const char *region = call->r->svc->config.region;
    struct buf *out = &call->r->reply, zone = {0};
    struct ec2_list names, ids;
    struct ec2_filters filters;
    bool all;

    buf_printf(&zone, "%sa", region);
    if (ec2_take_list(call, "ZoneName", &names) && ec2_take_list(call, "ZoneId", &ids) &&
        ec2_take_filters(call, known, &filters) &&
        ec2_take_bool(call, "AllAvailabilityZones", false, &all) && ec2_parameters_done(call) &&
        only(call, &names, "zone", zone.text) && only(call, &ids, "zone", zone.text)) {
        ec2_open(call, "DescribeAvailabilityZones");
        buf_puts(out, "<availabilityZoneInfo>");
        if (ec2_filter_fits(&filters, "zone-name", zone.text) &&
            ec2_filter_fits(&filters, "zone-id", zone.text) &&
            ec2_filter_fits(&filters, "region-name", region) &&
            ec2_filter_fits(&filters, "group-name", region) &&
            ec2_filter_fits(&filters, "opt-in-status", "opt-in-not-required") &&
            ec2_filter_fits(&filters, "zone-type", "availability-zone") &&
            ec2_filter_fits(&filters, "state", "available")) {
            buf_puts(out, "<item><zoneState>available</zoneState>");
            xml_element(out, "regionName", region);
            xml_element(out, "zoneName", zone.text);
            xml_element(out, "zoneId", zone.text);
            xml_element(out, "groupName", region);
            buf_puts(out, "<optInStatus>opt-in-not-required</optInStatus>");
            buf_puts(out, "<zoneType>availability-zone</zoneType><messageSet/></item>");
        }
        buf_puts(out, "</availabilityZoneInfo>");
        ec2_close(call, "DescribeAvailabilityZones");
    }
    buf_free(&zone);
}

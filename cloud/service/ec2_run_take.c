/* SPDX-License-Identifier: MIT */
/* The parameters of RunInstances; see ec2_run.h. */
#include "cloud/service/ec2_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"

/* What EC2 has and this service does not. */
static const struct ec2_refused refused[] = {
    {"KeyName", "Key pairs are not kept; put the key into the image or into UserData."},
    {"SecurityGroup", "There are no security groups."},
    {"SecurityGroupId", "There are no security groups."},
    {"SubnetId", "There are no subnets."},
    {"NetworkInterface", "Network interfaces come with the service's configuration."},
    {"PrivateIpAddress", "Addresses are given by the network, not by the service."},
    {"Ipv6AddressCount", "Addresses are given by the network, not by the service."},
    {"Ipv6Address", "Addresses are given by the network, not by the service."},
    {"PrivateDnsNameOptions", "The service gives no names."},
    {"IamInstanceProfile", "There are no instance profiles."},
    {"AdditionalInfo", "It has no meaning here."},
    {"LaunchTemplate", "There are no launch templates."},
    {"InstanceMarketOptions", "There are no spot instances."},
    {"CreditSpecification", "Processors are not rationed."},
    {"CpuOptions", "The instance type says how many processors there are."},
    {"CapacityReservationSpecification", "There are no reservations of capacity."},
    {"HibernationOptions", "Hibernation is not offered."},
    {"LicenseSpecification", "There are no licences."},
    {"MetadataOptions", "There is no metadata service; user data comes on a disk."},
    {"EnclaveOptions", "There are no enclaves."},
    {"ElasticGpuSpecification", "There are no accelerators."},
    {"ElasticInferenceAccelerator", "There are no accelerators."},
    {"MaintenanceOptions", "There is no maintenance to be scheduled."},
    {"DisableApiStop", "Instances cannot be protected from being stopped."},
    {"Placement", "There is one zone, and no groups, hosts or tenancy."},
};

bool ec2_refuse(struct ec2_call *call, const struct ec2_refused *list, size_t nr)
{
    const struct uri_pairs *p = &call->r->parameters;

    for (size_t i = 0; i < p->nr; i++) {
        const char *name = p->pair[i].name;

        for (size_t k = 0; !call->taken[i] && k < nr; k++) {
            size_t len = strlen(list[k].name);

            if (strncmp(name, list[k].name, len) != 0 || (name[len] && name[len] != '.'))
                continue;
            reply_error(call->r, 400, "UnsupportedOperation", "%.100s is not offered here. %s",
                        name, list[k].sentence);
            return true;
        }
    }
    return false;
}

bool ec2_check_behavior(struct ec2_call *call, const char *behavior)
{
    if (strcmp(behavior, "stop") == 0 || strcmp(behavior, "terminate") == 0)
        return true;
    reply_error(call->r, 400, "InvalidParameterValue",
                "InstanceInitiatedShutdownBehavior is stop or terminate, not \"%.60s\".", behavior);
    return false;
}

/* ---- numbers and words that may have one value only ------------------------------------------
 */

static bool take_number(struct ec2_call *call, const char *name, int64_t min, int64_t max,
                        int64_t *out)
{
    const char *text = ec2_take(call, name);
    uint64_t value;

    if (text == NULL)
        return call->r->status == 0;
    if (text_parse_u64(text, strlen(text), &value) && value >= (uint64_t)min &&
        value <= (uint64_t)max) {
        *out = (int64_t)value;
        return true;
    }
    reply_error(call->r, 400, "InvalidParameterValue",
                "%s is a number from %lld to %lld, not \"%.60s\".", name, (long long)min,
                (long long)max, text);
    return false;
}

/* Must be false, when it is there. */
static bool take_not(struct ec2_call *call, const char *name, const char *sentence)
{
    bool value;

    if (!ec2_take_bool(call, name, false, &value))
        return false;
    if (value)
        reply_error(call->r, 400, "UnsupportedOperation", "%s is not offered here: %s", name,
                    sentence);
    return call->r->status == 0;
}

static bool take_place(struct ec2_call *call)
{
    const char *zone = ec2_take(call, "Placement.AvailabilityZone");
    const char *tenancy = ec2_take(call, "Placement.Tenancy");
    const char *region = call->r->svc->config.region;
    size_t len = strlen(region);

    if (zone != NULL && *zone && (strncmp(zone, region, len) != 0 || strcmp(zone + len, "a") != 0))
        reply_error(call->r, 400, "InvalidParameterValue",
                    "There is no zone \"%.60s\" here; the only one is %sa.", zone, region);
    if (tenancy != NULL && *tenancy && strcmp(tenancy, "default") != 0)
        reply_error(call->r, 400, "UnsupportedOperation",
                    "Placement.Tenancy is not offered here, other than \"default\".");
    return call->r->status == 0;
}

/* ---- all of it -------------------------------------------------------------------------------
 */

static bool take_counts(struct ec2_call *call, struct run_request *out)
{
    if (!take_number(call, "MinCount", 1, RUN_COUNT_MAX, &out->min) ||
        !take_number(call, "MaxCount", 1, RUN_COUNT_MAX, &out->max))
        return false;
    if (out->min == 0 || out->max == 0)
        reply_error(call->r, 400, "MissingParameter", "RunInstances needs MinCount and MaxCount.");
    else if (out->min > out->max)
        reply_error(call->r, 400, "InvalidParameterValue", "MinCount is larger than MaxCount.");
    return call->r->status == 0;
}

static bool take_what(struct ec2_call *call, struct run_request *out)
{
    const char *type = ec2_take(call, "InstanceType"), *data = ec2_take(call, "UserData");
    const char *behavior = ec2_take(call, "InstanceInitiatedShutdownBehavior");

    out->image = ec2_take(call, "ImageId");
    out->kernel = ec2_take(call, "KernelId");
    out->ramdisk = ec2_take(call, "RamdiskId");
    out->shutdown_behavior = behavior != NULL ? behavior : "stop";
    buf_clear(&out->user_data);
    if (out->image == NULL)
        reply_error(call->r, 400, "MissingParameter", "RunInstances needs ImageId.");
    out->type = ec2_find_type(call, type != NULL ? type : TYPE_DEFAULT);
    return out->type != NULL && ec2_check_behavior(call, out->shutdown_behavior) &&
           (data == NULL || instance_take_user_data(call, data, &out->user_data)) &&
           ec2_take_bool(call, "DisableApiTermination", false, &out->disable_termination) &&
           call->r->status == 0;
}

bool ec2_run_take(struct ec2_call *call, struct run_request *out)
{
    static const char *const types[] = {"instance", "volume", NULL};

    out->mappings.partial = true;
    return take_what(call, out) && take_counts(call, out) && take_place(call) &&
           ec2_take_mappings(call, &out->mappings) &&
           take_not(call, "Monitoring.Enabled", "the service's own /metrics is all there is.") &&
           take_not(call, "EbsOptimized", "all volumes are on this machine.") &&
           ec2_take_tags(call, "instance", types, &out->tags) &&
           ec2_take_tags(call, "volume", types, &out->volume_tags) &&
           ec2_take_token(call, &out->token) &&
           !ec2_refuse(call, refused, sizeof(refused) / sizeof(refused[0]));
}

void ec2_run_free(struct run_request *q)
{
    buf_free(&q->user_data);
    free(q);
}

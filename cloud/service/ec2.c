/* SPDX-License-Identifier: MIT */
/* The frame of the Query API: who, which action, which parameters. */
#include "cloud/service/ec2_cache.h"
#include "cloud/service/ec2_common.h"
#include "cloud/service/volume.h"
#include "cloud/service/ec2_instances.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct action {
    const char *name;
    void (*run)(struct ec2_call *call);
} actions[] = {
    {"AttachVolume", ec2_attach_volume},
    {"CreateImage", ec2_create_image},
    {"CreateSnapshot", ec2_create_snapshot},
    {"CreateTags", ec2_create_tags},
    {"CreateVolume", ec2_create_volume},
    {"DeleteSnapshot", ec2_delete_snapshot},
    {"DeleteTags", ec2_delete_tags},
    {"DeleteVolume", ec2_delete_volume},
    {"DeregisterImage", ec2_deregister_image},
    {"DescribeAvailabilityZones", ec2_describe_availability_zones},
    {"DescribeImageAttribute", ec2_describe_image_attribute},
    {"DescribeImages", ec2_describe_images},
    {"DescribeInstanceAttribute", ec2_describe_instance_attribute},
    {"DescribeInstanceStatus", ec2_describe_instance_status},
    {"DescribeInstanceTypeOfferings", ec2_describe_instance_type_offerings},
    {"DescribeInstanceTypes", ec2_describe_instance_types},
    {"DescribeInstances", ec2_describe_instances},
    {"DescribeRegions", ec2_describe_regions},
    {"DescribeSnapshotAttribute", ec2_describe_snapshot_attribute},
    {"DescribeSnapshots", ec2_describe_snapshots},
    {"DescribeTags", ec2_describe_tags},
    {"DescribeVolumeStatus", ec2_describe_volume_status},
    {"DescribeVolumes", ec2_describe_volumes},
    {"DetachVolume", ec2_detach_volume},
    {"GetConsoleOutput", ec2_get_console_output},
    {"ModifyImageAttribute", ec2_modify_image_attribute},
    {"ModifyInstanceAttribute", ec2_modify_instance_attribute},
    {"ModifySnapshotAttribute", ec2_modify_snapshot_attribute},
    {"RebootInstances", ec2_reboot_instances},
    {"RegisterImage", ec2_register_image},
    {"ResetImageAttribute", ec2_reset_image_attribute},
    {"ResetInstanceAttribute", ec2_reset_instance_attribute},
    {"RunInstances", ec2_run_instances},
    {"StartInstances", ec2_start_instances},
    {"StopInstances", ec2_stop_instances},
    {"TerminateInstances", ec2_terminate_instances},
};

/* Their answers depend on nothing but account, parameters and state: ec2_cache.h. */
static const char *const kept_answers[] = {"DescribeInstances", "DescribeInstanceStatus"};

/* What is about the request itself, and not about what it asks for. */
static const char *const envelope[] = {
    "Action",
    "Version",
    "AWSAccessKeyId",
    "Signature",
    "SignatureMethod",
    "SignatureVersion",
    "Timestamp",
    "Expires",
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
    "SecurityToken",
};

const char *ec2_take(struct ec2_call *call, const char *name)
{
    const struct uri_pairs *p = &call->r->parameters;
    const char *value = NULL;

    for (size_t i = 0; i < p->nr; i++) {
        if (strcmp(p->pair[i].name, name) != 0)
            continue;
        if (value)
            reply_error(call->r, 400, "InvalidParameterCombination",
                        "The parameter %.100s is given twice.", name);
        value = p->pair[i].value;
        call->taken[i] = true;
    }
    return value;
}

const char *ec2_peek(const struct ec2_call *call, const char *name)
{
    return uri_pairs_get(&call->r->parameters, name);
}

bool ec2_is_envelope(const char *name)
{
    for (size_t i = 0; i < sizeof(envelope) / sizeof(envelope[0]); i++)
        if (strcmp(envelope[i], name) == 0)
            return true;
    return false;
}

/* The number N of "NAME.N<rest>", 1 to `max`; 0: not of that form. */
static size_t index_of(const char *text, const char *name, size_t max, const char **rest)
{
    size_t len = strlen(name), number = 0;

    if (strncmp(text, name, len) != 0 || text[len] != '.')
        return 0;
    for (text += len + 1; *text >= '0' && *text <= '9' && number <= max; text++)
        number = number * 10 + (size_t)(*text - '0');
    *rest = text;
    return number <= max ? number : 0;
}

static bool too_many(struct ec2_call *call, const char *name, size_t max)
{
    reply_error(call->r, 400, "InvalidParameterValue",
                "%.100s has more than %zu values, one of them twice, or no value of one number.",
                name, max);
    return false;
}

/* Values by their number; the numbers may have gaps, as old clients leave them. */
static bool take_numbered(struct ec2_call *call, const char *name, const char **value, size_t max,
                          size_t *nr)
{
    const struct uri_pairs *p = &call->r->parameters;
    size_t kept = 0, highest = 0;

    memset(value, 0, max * sizeof(*value));
    for (size_t i = 0; i < p->nr; i++) {
        const char *rest = "";
        size_t number;

        if (call->taken[i] || !(number = index_of(p->pair[i].name, name, max, &rest)) || *rest)
            continue;
        if (value[number - 1])
            return too_many(call, name, max);
        value[number - 1] = p->pair[i].value;
        highest = number > highest ? number : highest;
        call->taken[i] = true;
    }
    for (size_t i = 0; i < highest; i++)
        if (value[i])
            value[kept++] = value[i];
    *nr = kept;
    return true;
}

bool ec2_take_list(struct ec2_call *call, const char *name, struct ec2_list *out)
{
    return take_numbered(call, name, out->value, EC2_LIST_MAX, &out->nr);
}

bool ec2_take_bool(struct ec2_call *call, const char *name, bool otherwise, bool *out)
{
    const char *text = ec2_take(call, name);

    *out = text ? strcmp(text, "true") == 0 : otherwise;
    if (!text || *out || strcmp(text, "false") == 0)
        return true;
    reply_error(call->r, 400, "InvalidParameterValue", "%s is true or false, not \"%.100s\".", name,
                text);
    return false;
}

static bool known_filter(const char *const *known, const char *name)
{
    for (; *known; known++) {
        size_t len = strlen(*known);

        if (strcmp(*known, name) == 0 ||
            ((*known)[len - 1] == ':' && strncmp(*known, name, len) == 0 && name[len]))
            return true;
    }
    return false;
}

bool ec2_take_filters(struct ec2_call *call, const char *const *known, struct ec2_filters *out)
{
    char name[64];

    out->nr = 0;
    for (unsigned i = 1; i <= EC2_FILTERS_MAX; i++) {
        struct ec2_filter *f = &out->filter[out->nr];

        snprintf(name, sizeof(name), "Filter.%u.Name", i);
        f->name = ec2_take(call, name);
        if (!f->name)
            continue;
        if (!known_filter(known, f->name)) {
            reply_error(call->r, 400, "InvalidParameterValue",
                        "The filter \"%.100s\" is not known to this action.", f->name);
            return false;
        }
        snprintf(name, sizeof(name), "Filter.%u.Value", i);
        if (!take_numbered(call, name, f->value, EC2_VALUES_MAX, &f->nr))
            return false;
        if (f->nr == 0) {
            reply_error(call->r, 400, "InvalidParameterValue",
                        "The filter \"%.100s\" has no value.", f->name);
            return false;
        }
        out->nr++;
    }
    return call->r->status == 0;
}

bool ec2_pattern(const char *pattern, const char *text)
{
    const char *star = NULL, *from = NULL;

    /* One place to go back to is enough: the last star may take what those before it could. */
    for (;;) {
        bool quoted = *pattern == '\\' && pattern[1];

        if (*pattern == '*') {
            star = ++pattern;
            from = text;
        } else if (!*text && !*pattern) {
            return true;
        } else if (*text && (quoted ? pattern[1] == *text : *pattern == '?' || *pattern == *text)) {
            pattern += quoted ? 2 : 1;
            text++;
        } else if (star && *from) {
            pattern = star;
            text = ++from;
        } else {
            return false;
        }
    }
}

bool ec2_filter_fits(const struct ec2_filters *f, const char *name, const char *value)
{
    for (size_t i = 0; i < f->nr; i++) {
        bool fits = false;

        if (strcmp(f->filter[i].name, name) != 0)
            continue;
        for (size_t k = 0; k < f->filter[i].nr && !fits; k++)
            fits = ec2_pattern(f->filter[i].value[k], value);
        if (!fits)
            return false;
    }
    return true;
}

bool ec2_parameters_done(struct ec2_call *call)
{
    const struct uri_pairs *p = &call->r->parameters;

    if (!ec2_take_bool(call, "DryRun", false, &call->dry_run))
        return false;
    for (size_t i = 0; i < p->nr; i++)
        if (!call->taken[i])
            reply_error(call->r, 400, "UnknownParameter",
                        "The parameter %.100s is not known to %s here.", p->pair[i].name,
                        call->r->action);
    return call->r->status == 0;
}

void ec2_open(struct ec2_call *call, const char *action)
{
    buf_printf(&call->r->reply,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
               "<%sResponse xmlns=\"http://ec2.amazonaws.com/doc/%s/\"><requestId>%s</requestId>",
               action, call->version, call->r->id);
}

void ec2_answer_dry_run(struct ec2_call *call)
{
    reply_error(call->r, 412, "DryRunOperation",
                "Request would have succeeded, but DryRun flag is set.");
}

void ec2_close(struct ec2_call *call, const char *action)
{
    if (call->dry_run) {
        ec2_answer_dry_run(call);
        return;
    }
    buf_printf(&call->r->reply, "</%sResponse>\n", action);
    reply_done(call->r, 200, NULL);
}

void ec2_begin(struct request *r)
{
    if (strcmp(r->method, "GET") != 0 && strcmp(r->method, "POST") != 0)
        reply_error(r, 405, "MethodNotAllowed", "The Query API takes GET and POST.");
}

/* 2016-11-15: four digits, two, two. */
static bool version_good(const char *version)
{
    return strlen(version) == 10 && strspn(version, "0123456789") == 4 && version[4] == '-' &&
           strspn(version + 5, "0123456789") == 2 && version[7] == '-' &&
           strspn(version + 8, "0123456789") == 2;
}

/* The parameters of query and form, in one list. */
static bool read_parameters(struct request *r)
{
    struct buf both = {0};
    bool good;

    if (r->body.text && strlen(r->body.text) != r->body.len) {
        reply_error(r, 400, "MalformedQueryString", "The form holds a NUL.");
        return false;
    }
    uri_pairs_free(&r->parameters);
    buf_printf(&both, "%s%s%s", r->query, *r->query && r->body.len > 0 ? "&" : "",
               r->body.len > 0 ? r->body.text : "");
    good = uri_pairs_parse(both.text, &r->parameters);
    buf_free(&both);
    if (!good)
        reply_error(r, 400, "MalformedQueryString",
                    "The parameters have a broken %%-escape, a NUL, or are more than %d.",
                    URI_PAIRS_MAX);
    return good;
}

/* What only looks, and what cannot happen twice, may come again as often as somebody likes. */
static bool may_repeat(const struct ec2_call *call, const char *name)
{
    return strncmp(name, "Describe", 8) == 0 || strncmp(name, "Get", 3) == 0 ||
           uri_pairs_get(&call->r->parameters, "ClientToken") != NULL;
}

static void run_action(struct ec2_call *call, const struct action *action)
{
    struct ec2_cache_key key;
    bool keep = false;

    for (size_t i = 0; i < sizeof(kept_answers) / sizeof(kept_answers[0]); i++)
        keep |= strcmp(kept_answers[i], action->name) == 0;
    if (!keep) {
        action->run(call);
        return;
    }
    ec2_cache_key(call, &key);
    if (ec2_cache_answer(call, &key))
        return;
    action->run(call);
    ec2_cache_keep(call, &key);
}

static void run(struct ec2_call *call, const char *name)
{
    for (size_t i = 0; i < sizeof(envelope) / sizeof(envelope[0]); i++)
        ec2_take(call, envelope[i]);
    if (call->r->status != 0)
        return;
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(actions[i].name, name) == 0) {
            call->r->action_known = true;
            if (may_repeat(call, name) || refuse_replays(call->r))
                run_action(call, &actions[i]);
            return;
        }
    }
    reply_error(call->r, 400, "UnsupportedOperation",
                "This service does not offer the action \"%.60s\".", name);
}

void ec2_end(struct request *r)
{
    struct ec2_call call = {.r = r};
    char hash[SIGN_SHA256_HEX];
    const char *name;

    sign_sha256_hex(r->body.text ? r->body.text : "", r->body.len, hash);
    if (!read_parameters(r) || !authenticate(r, hash))
        return;
    name = uri_pairs_get(&r->parameters, "Action");
    call.version = uri_pairs_get(&r->parameters, "Version");
    if (!name || !*name) {
        reply_error(r, 400, "MissingAction", "The parameter Action is missing.");
        return;
    }
    snprintf(r->action, sizeof(r->action), "%s", name);
    if (!call.version || !version_good(call.version)) {
        reply_error(r, 400, call.version ? "NoSuchVersion" : "MissingParameter",
                    "The parameter Version must name the API's version, as 2016-11-15.");
        return;
    }
    call.taken = xalloc(r->parameters.nr * sizeof(*call.taken));
    run(&call, name);
    free(call.taken);
}

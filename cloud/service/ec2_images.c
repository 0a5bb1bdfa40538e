/* SPDX-License-Identifier: MIT */
/* Images. The kernel images of the catalogue are public images of the service itself. */
#include "cloud/service/ec2.h"

#include <stdlib.h>
#include <string.h>

/* The owner of what the service brings along; "amazon" finds it, as everywhere. */
static const char service_owner[] = "000000000000";
static const char service_alias[] = "amazon";

struct wanted {
    struct ec2_list ids, owners, users;
    struct ec2_filters filters;
};

/* pv-grub-hd0-V1.01-x86_64.gz of .../pv-grub-hd0-V1.01-x86_64.gz.manifest.xml */
static void add_name(struct buf *out, const struct aki *a)
{
    const char *slash = strrchr(a->manifest, '/');
    const char *name = slash ? slash + 1 : a->manifest;
    const char *end = strstr(name, ".manifest.xml");

    buf_clear(out);
    buf_add(out, name, end ? (size_t)(end - name) : strlen(name));
}

/* Lists of ids, owners and users that are empty let everything through. */
static bool listed(const struct ec2_list *list, const char *one, const char *other)
{
    for (size_t i = 0; i < list->nr; i++)
        if (strcmp(list->value[i], one) == 0 || (other && strcmp(list->value[i], other) == 0))
            return true;
    return list->nr == 0;
}

static bool fits(const struct wanted *w, const struct aki *a, const char *name)
{
    const struct {
        const char *filter, *value;
    } facts[] = {
        {"architecture", aki_arch(a->narrow)},
        {"image-id", a->id},
        {"image-type", "kernel"},
        {"is-public", "true"},
        {"manifest-location", a->manifest},
        {"name", name},
        {"owner-alias", service_alias},
        {"owner-id", service_owner},
        {"state", "available"},
        {"hypervisor", "xen"},
    };

    if (!listed(&w->ids, a->id, NULL) || !listed(&w->owners, service_owner, service_alias) ||
        !listed(&w->users, "all", NULL))
        return false;
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
        if (!ec2_filter_fits(&w->filters, facts[i].filter, facts[i].value))
            return false;
    return true;
}

static void add_aki(struct buf *out, const struct aki *a, const char *name)
{
    buf_puts(out, "<item>");
    xml_element(out, "imageId", a->id);
    xml_element(out, "imageLocation", a->manifest);
    xml_element(out, "imageState", "available");
    xml_element(out, "imageOwnerId", service_owner);
    xml_element(out, "imageOwnerAlias", service_alias);
    xml_element(out, "isPublic", "true");
    xml_element(out, "architecture", aki_arch(a->narrow));
    xml_element(out, "imageType", "kernel");
    xml_element(out, "name", name);
    buf_printf(out, "<description>layout %s, version %s</description>", aki_layout(a->hd00),
               a->version);
    buf_puts(out, "<hypervisor>xen</hypervisor></item>");
}

/* An id that was asked for and is not here is an error, and one of another region says so. */
static bool check_ids(struct ec2_call *call, const struct ec2_list *ids)
{
    const struct aki_table *t = &call->r->svc->akis;
    const char *region = call->r->svc->config.region;

    for (size_t i = 0; i < ids->nr; i++) {
        const char *id = ids->value[i];
        const struct aki *found = aki_find(t, id);
        size_t digits = strcspn(id, "-");

        if ((strncmp(id, "ami-", 4) != 0 && strncmp(id, "aki-", 4) != 0 &&
             strncmp(id, "ari-", 4) != 0) ||
            !id[digits + 1] || id[digits + 1 + strspn(id + digits + 1, "0123456789abcdef")]) {
            reply_error(call->r, 400, "InvalidAMIID.Malformed",
                        "\"%.100s\" is no id of an image: ami-, aki- or ari- and hexadecimal "
                        "digits.",
                        id);
            return false;
        }
        if (found && strcmp(found->region, region) == 0)
            continue;
        if (found)
            reply_error(call->r, 400, "InvalidAMIID.NotFound",
                        "The image %s belongs to region %s; this service is %s.", id, found->region,
                        region);
        else
            reply_error(call->r, 400, "InvalidAMIID.NotFound",
                        "There is no image \"%.100s\" that this account may see.", id);
        return false;
    }
    return true;
}

static void write_images(struct ec2_call *call, const struct wanted *w)
{
    const struct service *svc = call->r->svc;
    struct buf *out = &call->r->reply, name = {0};

    ec2_open(call, "DescribeImages");
    buf_puts(out, "<imagesSet>");
    for (size_t i = 0; i < svc->akis.nr; i++) {
        const struct aki *a = &svc->akis.akis[i];

        if (strcmp(a->region, svc->config.region) != 0)
            continue;
        add_name(&name, a);
        if (fits(w, a, name.text))
            add_aki(out, a, name.text);
    }
    buf_puts(out, "</imagesSet>");
    buf_free(&name);
    ec2_close(call, "DescribeImages");
}

void ec2_describe_images(struct ec2_call *call)
{
    static const char *const known[] = {
        "architecture", "hypervisor",  "image-id", "image-type", "is-public", "manifest-location",
        "name",         "owner-alias", "owner-id", "state",      NULL,
    };
    struct wanted *w = xalloc(sizeof(*w));

    if (ec2_take_list(call, "ImageId", &w->ids) && ec2_take_list(call, "Owner", &w->owners) &&
        ec2_take_list(call, "ExecutableBy", &w->users) &&
        ec2_take_filters(call, known, &w->filters) && ec2_parameters_done(call) &&
        check_ids(call, &w->ids))
        write_images(call, w);
    free(w);
}

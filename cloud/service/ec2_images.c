/* SPDX-License-Identifier: MIT */
/*
 * DescribeImages: the account's own images, shared and public ones, and the kernel images of the
 * catalogue, which are public images of the service itself.
 */
#include "cloud/service/image.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_MAX 1000

/* The owner of what the service brings along; "amazon" finds it, as everywhere. */
static const char service_owner[] = "000000000000";
static const char service_alias[] = "amazon";

struct wanted {
    struct ec2_list ids, owners, users;
    struct ec2_filters filters;
    struct ec2_page page;
    bool by_mapping; /* there is a filter on mappings */
};

/* One image, of a row or of the catalogue. Text that is not there is "". */
struct shown {
    const char *id, *owner, *alias, *type, *state, *reason, *name, *description, *location, *arch;
    const char *kernel, *ramdisk, *root_type, *root_device;
    bool public, shared; /* with everybody; with the account that asks, explicitly */
    char created[32];    /* "" for the catalogue */
};

/* ---- what it is asked for -------------------------------------------------------------------- */

static bool in_list(const struct ec2_list *list, const char *text)
{
    for (size_t i = 0; i < list->nr; i++)
        if (strcmp(list->value[i], text) == 0)
            return true;
    return false;
}

static bool owner_fits(const struct wanted *w, const struct shown *i, const char *account)
{
    return w->owners.nr == 0 || in_list(&w->owners, i->owner) ||
           (*i->alias && in_list(&w->owners, i->alias)) ||
           (strcmp(i->owner, account) == 0 && in_list(&w->owners, "self"));
}

/* By explicit launch permissions: an owner's own right to its image is none. */
static bool user_fits(const struct wanted *w, const struct shown *i, const char *account,
                      sqlite3 *c)
{
    bool fits = w->users.nr == 0 || (i->public && in_list(&w->users, "all"));

    for (size_t k = 0; !fits && k < w->users.nr; k++) {
        const char *user = w->users.value[k];

        if (strcmp(user, "self") == 0 || strcmp(user, account) == 0)
            fits = i->shared;
        else if (strcmp(i->owner, account) == 0)
            fits = db_number(c, 0,
                             "SELECT count(*) FROM launch_permission"
                             " WHERE image = ? AND account = ?",
                             "ss", i->id, user) > 0;
    }
    return fits;
}

static bool filters_fit(const struct ec2_filters *f, const struct shown *i)
{
    const struct {
        const char *filter, *value;
    } facts[] = {
        {"architecture", i->arch},
        {"creation-date", i->created},
        {"description", i->description},
        {"hypervisor", "xen"},
        {"image-id", i->id},
        {"image-type", i->type},
        {"is-public", i->public ? "true" : "false"},
        {"kernel-id", i->kernel},
        {"manifest-location", i->location},
        {"name", i->name},
        {"owner-alias", i->alias},
        {"owner-id", i->owner},
        {"ramdisk-id", i->ramdisk},
        {"root-device-name", i->root_device},
        {"root-device-type", i->root_type},
        {"state", i->state},
        {"state-reason-message", i->reason},
        {"virtualization-type", "paravirtual"},
    };

    for (size_t k = 0; k < sizeof(facts) / sizeof(facts[0]); k++)
        if (!ec2_filter_fits(f, facts[k].filter, facts[k].value))
            return false;
    return true;
}

/* ---- mappings -------------------------------------------------------------------------------- */

struct mapping {
    const char *device, *virtual, *snapshot;
    const char *size, *delete;
};

static sqlite3_stmt *query_mappings(sqlite3 *c, const char *id)
{
    return db_query(c,
                    "SELECT m.device, m.virtual, m.snapshot,"
                    " CASE m.size_gib WHEN 0 THEN coalesce(s.size_gib, 0) ELSE m.size_gib END,"
                    " CASE m.delete_on_termination WHEN 0 THEN 'false' ELSE 'true' END"
                    " FROM image_mapping m LEFT JOIN snapshot s ON s.id = m.snapshot"
                    " WHERE m.image = ? ORDER BY m.device",
                    "s", id);
}

static bool next_mapping(sqlite3_stmt *s, struct mapping *out)
{
    if (!s || sqlite3_step(s) != SQLITE_ROW)
        return false;
    *out =
        (struct mapping){db_text(s, 0), db_text(s, 1), db_text(s, 2), db_text(s, 3), db_text(s, 4)};
    return true;
}

static bool one_mapping_fits(const struct ec2_filters *f, const struct mapping *m)
{
    bool volume = !*m->virtual;

    return ec2_filter_fits(f, "block-device-mapping.device-name", m->device) &&
           ec2_filter_fits(f, "block-device-mapping.snapshot-id", m->snapshot) &&
           ec2_filter_fits(f, "block-device-mapping.volume-size", volume ? m->size : "") &&
           ec2_filter_fits(f, "block-device-mapping.volume-type", volume ? "standard" : "") &&
           ec2_filter_fits(f, "block-device-mapping.delete-on-termination",
                           volume ? m->delete : "");
}

static bool mappings_fit(const struct wanted *w, sqlite3 *c, const char *id)
{
    struct mapping m;
    sqlite3_stmt *s;
    bool fits = false;

    if (!w->by_mapping)
        return true;
    s = query_mappings(c, id);
    while (!fits && next_mapping(s, &m))
        fits = one_mapping_fits(&w->filters, &m);
    db_finish(s);
    return fits;
}

void image_write_mappings(struct buf *out, sqlite3 *c, const char *id)
{
    sqlite3_stmt *s = query_mappings(c, id);
    struct mapping m;

    buf_puts(out, "<blockDeviceMapping>");
    while (next_mapping(s, &m)) {
        buf_puts(out, "<item>");
        xml_element(out, "deviceName", m.device);
        if (*m.virtual) {
            xml_element(out, "virtualName", m.virtual);
        } else {
            buf_puts(out, "<ebs>");
            if (*m.snapshot)
                xml_element(out, "snapshotId", m.snapshot);
            xml_element(out, "volumeSize", m.size);
            xml_element(out, "deleteOnTermination", m.delete);
            buf_puts(out, "<volumeType>standard</volumeType><encrypted>false</encrypted></ebs>");
        }
        buf_puts(out, "</item>");
    }
    buf_puts(out, "</blockDeviceMapping>");
    db_finish(s);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put(struct buf *out, const char *name, const char *text)
{
    if (*text)
        xml_element(out, name, text);
}

static void write_reason(struct buf *out, const struct shown *i)
{
    const char *code = "Client.NothingToBoot"; /* an image that is available all the same */

    if (!*i->reason)
        return;
    if (strcmp(i->state, "failed") == 0)
        code = "Client.InvalidImage";
    else if (strcmp(i->state, "pending") == 0)
        code = "Server.TriedAgain";
    buf_puts(out, "<stateReason>");
    xml_element(out, "code", code);
    xml_element(out, "message", i->reason);
    buf_puts(out, "</stateReason>");
}

static void write_image(struct buf *out, const struct shown *i, sqlite3 *c, const char *account)
{
    buf_puts(out, "<item>");
    xml_element(out, "imageId", i->id);
    xml_element(out, "imageLocation", i->location);
    xml_element(out, "imageState", i->state);
    xml_element(out, "imageOwnerId", i->owner);
    put(out, "imageOwnerAlias", i->alias);
    put(out, "creationDate", i->created);
    xml_element(out, "isPublic", i->public ? "true" : "false");
    xml_element(out, "architecture", i->arch);
    xml_element(out, "imageType", i->type);
    put(out, "kernelId", i->kernel);
    put(out, "ramdiskId", i->ramdisk);
    xml_element(out, "platformDetails", "Linux/UNIX");
    xml_element(out, "usageOperation", "RunInstances");
    xml_element(out, "name", i->name);
    put(out, "description", i->description);
    xml_element(out, "rootDeviceType", i->root_type);
    put(out, "rootDeviceName", i->root_device);
    image_write_mappings(out, c, i->id);
    write_reason(out, i);
    ec2_write_tags(out, c, account, i->id);
    buf_puts(out, "<virtualizationType>paravirtual</virtualizationType>"
                  "<hypervisor>xen</hypervisor></item>");
}

/* ---- the list -------------------------------------------------------------------------------- */

struct listing {
    struct ec2_call *call;
    const struct wanted *w;
    sqlite3 *c;
    const struct aki **akis; /* of the region, in the order of their ids */
    size_t nr_akis, next_aki;
    int64_t written;
    char last[EC2_ID_BYTES];
    bool more;
};

/* False: the page is full. */
static bool add(struct listing *l, const struct shown *i)
{
    const struct wanted *w = l->w;
    const char *account = l->call->r->account->id;

    if ((w->ids.nr > 0 && !in_list(&w->ids, i->id)) || strcmp(i->id, w->page.after) <= 0 ||
        !owner_fits(w, i, account) || !user_fits(w, i, account, l->c) ||
        !filters_fit(&w->filters, i) || !ec2_tags_fit(&w->filters, l->c, account, i->id) ||
        !mappings_fit(w, l->c, i->id))
        return true;
    l->more = l->written == w->page.max;
    if (l->more)
        return false;
    write_image(&l->call->r->reply, i, l->c, account);
    memcpy(l->last, i->id, strlen(i->id) + 1);
    l->written++;
    return true;
}

/* pv-grub-hd0-V1.01-x86_64.gz of .../pv-grub-hd0-V1.01-x86_64.gz.manifest.xml */
static void aki_name(struct buf *out, const struct aki *a)
{
    const char *slash = strrchr(a->manifest, '/');
    const char *name = slash ? slash + 1 : a->manifest;
    const char *end = strstr(name, MANIFEST_SUFFIX);

    buf_clear(out);
    buf_add(out, name, end ? (size_t)(end - name) : strlen(name));
}

static bool add_aki(struct listing *l, const struct aki *a)
{
    struct buf name = {0}, description = {0};
    bool good;

    aki_name(&name, a);
    buf_printf(&description, "layout %s, version %s", aki_layout(a->hd00), a->version);
    good = add(l, &(struct shown){.id = a->id,
                                  .owner = service_owner,
                                  .alias = service_alias,
                                  .type = "kernel",
                                  .state = "available",
                                  .reason = "",
                                  .name = name.text,
                                  .description = description.text,
                                  .location = a->manifest,
                                  .arch = aki_arch(a->narrow),
                                  .kernel = "",
                                  .ramdisk = "",
                                  .root_type = "instance-store",
                                  .root_device = "",
                                  .public = true});
    buf_free(&name);
    buf_free(&description);
    return good;
}

/* The catalogue's images whose ids come before `id`; NULL: the rest of them. */
static bool add_akis(struct listing *l, const char *id)
{
    while (l->next_aki < l->nr_akis && (!id || strcmp(l->akis[l->next_aki]->id, id) < 0))
        if (!add_aki(l, l->akis[l->next_aki++]))
            return false;
    return true;
}

static int by_id(const void *a, const void *b)
{
    const struct aki *const *x = a, *const *y = b;

    return strcmp((*x)->id, (*y)->id);
}

static void find_akis(struct listing *l, const struct service *svc)
{
    l->akis = xalloc((svc->akis.nr + 1) * sizeof(struct aki *));
    for (size_t i = 0; i < svc->akis.nr; i++)
        if (aki_same_region(svc->akis.akis[i].region, svc->config.region))
            l->akis[l->nr_akis++] = &svc->akis.akis[i];
    qsort(l->akis, l->nr_akis, sizeof(struct aki *), by_id);
}

static void read_row(sqlite3_stmt *s, struct shown *out, struct buf *location)
{
    *out = (struct shown){.id = db_text(s, 0),
                          .owner = db_text(s, 1),
                          .alias = "",
                          .type = db_text(s, 2),
                          .state = db_text(s, 3),
                          .reason = db_text(s, 4),
                          .name = db_text(s, 5),
                          .description = db_text(s, 6),
                          .location = db_text(s, 7),
                          .arch = db_text(s, 8),
                          .kernel = db_text(s, 9),
                          .ramdisk = db_text(s, 10),
                          .root_type = db_text(s, 11),
                          .root_device = db_text(s, 12),
                          .public = sqlite3_column_int64(s, 13) != 0,
                          .shared = sqlite3_column_int64(s, 15) != 0};
    iso_time(sqlite3_column_int64(s, 14), out->created);
    if (*out->location)
        return;
    buf_clear(location);
    buf_printf(location, "%s/%s", out->owner, out->name);
    out->location = location->text;
}

static void write_images(struct ec2_call *call, const struct wanted *w)
{
    struct service *svc = call->r->svc;
    struct listing l = {.call = call, .w = w, .c = db_reader(svc->db)};
    struct buf location = {0};
    struct shown one;
    bool room = true;
    sqlite3_stmt *s;

    find_akis(&l, svc);
    s = db_query(l.c,
                 "SELECT i.id, i.account, i.type, i.state, i.reason, i.name, i.description,"
                 " i.location, i.arch, i.kernel, i.ramdisk, i.root_type, i.root_device, i.public,"
                 " i.created, p.account IS NOT NULL FROM image i LEFT JOIN launch_permission p"
                 " ON p.image = i.id AND p.account = ?1"
                 " WHERE i.account = ?1 OR i.public = 1 OR p.account IS NOT NULL ORDER BY i.id",
                 "s", call->r->account->id);
    ec2_open(call, "DescribeImages");
    buf_puts(&call->r->reply, "<imagesSet>");
    while (room && s && sqlite3_step(s) == SQLITE_ROW) {
        read_row(s, &one, &location);
        room = add_akis(&l, one.id) && add(&l, &one);
    }
    if (room)
        add_akis(&l, NULL);
    buf_puts(&call->r->reply, "</imagesSet>");
    if (l.more)
        ec2_write_next(&call->r->reply, l.last);
    db_finish(s);
    db_done(svc->db, l.c);
    free(l.akis);
    buf_free(&location);
    ec2_close(call, "DescribeImages");
}

/* An id that was asked for and is not here is an error. */
static bool check_ids(struct ec2_call *call, const struct ec2_list *ids)
{
    struct service *svc = call->r->svc;
    struct ec2_image *image = xalloc(sizeof(*image));
    sqlite3 *c = db_reader(svc->db);

    for (size_t i = 0; call->r->status == 0 && i < ids->nr; i++) {
        const struct aki *aki = aki_find(&svc->akis, ids->value[i]);

        if (!aki || !aki_same_region(aki->region, svc->config.region))
            image_take(call, c, ids->value[i], image);
    }
    db_done(svc->db, c);
    free(image);
    return call->r->status == 0;
}

void ec2_describe_images(struct ec2_call *call)
{
    static const char *const known[] = {
        "architecture",
        "block-device-mapping.delete-on-termination",
        "block-device-mapping.device-name",
        "block-device-mapping.snapshot-id",
        "block-device-mapping.volume-size",
        "block-device-mapping.volume-type",
        "creation-date",
        "description",
        "hypervisor",
        "image-id",
        "image-type",
        "is-public",
        "kernel-id",
        "manifest-location",
        "name",
        "owner-alias",
        "owner-id",
        "ramdisk-id",
        "root-device-name",
        "root-device-type",
        "state",
        "state-reason-message",
        "tag:",
        "tag-key",
        "virtualization-type",
        NULL,
    };
    struct wanted *w = xalloc(sizeof(*w));
    bool deprecated, disabled;

    if (ec2_take_list(call, "ImageId", &w->ids) && ec2_take_list(call, "Owner", &w->owners) &&
        ec2_take_list(call, "ExecutableBy", &w->users) &&
        ec2_take_filters(call, known, &w->filters) && ec2_take_page(call, 1, PAGE_MAX, &w->page) &&
        ec2_take_bool(call, "IncludeDeprecated", false, &deprecated) && /* none ever is */
        ec2_take_bool(call, "IncludeDisabled", false, &disabled) && ec2_parameters_done(call) &&
        check_ids(call, &w->ids)) {
        for (size_t i = 0; i < w->filters.nr; i++)
            w->by_mapping |= strncmp(w->filters.filter[i].name, "block-device-mapping.", 21) == 0;
        write_images(call, w);
    }
    free(w);
}

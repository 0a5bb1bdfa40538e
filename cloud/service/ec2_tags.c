/* SPDX-License-Identifier: MIT */
/* Tags: names that accounts give to their objects. */
#include "cloud/service/ec2_common.h"
#include "host/hex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Images are tagged by all who see them, each for itself. */
#define SEEN_IMAGE                                                                                 \
    "SELECT 1 FROM image i WHERE id = ?1 AND (account = ?2 OR public = 1 OR EXISTS"                \
    "(SELECT 1 FROM launch_permission p WHERE p.image = i.id AND p.account = ?2))"

/* The tables of what can be tagged, by the kind in front of the id's dash. */
static const struct {
    const char *kind, *type, *query, *malformed, *not_found;
} kinds[] = {
    {"ami", "image", SEEN_IMAGE, "InvalidAMIID", "InvalidAMIID.NotFound"},
    {"aki", "image", SEEN_IMAGE, "InvalidAMIID", "InvalidAMIID.NotFound"},
    {"ari", "image", SEEN_IMAGE, "InvalidAMIID", "InvalidAMIID.NotFound"},
    {"i", "instance", "SELECT 1 FROM instance WHERE id = ? AND account = ?", "InvalidInstanceID",
     "InvalidInstanceID.NotFound"},
    {"snap", "snapshot", "SELECT 1 FROM snapshot WHERE id = ? AND account = ?", "InvalidSnapshotID",
     "InvalidSnapshot.NotFound"},
    {"vol", "volume", "SELECT 1 FROM volume WHERE id = ? AND account = ? AND hidden = 0",
     "InvalidVolumeID", "InvalidVolume.NotFound"},
};

#define NR_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static size_t kind_of(const char *id)
{
    size_t i = 0;

    for (; i < NR_KINDS; i++) {
        size_t len = strlen(kinds[i].kind);

        if (strncmp(id, kinds[i].kind, len) == 0 && id[len] == '-')
            break;
    }
    return i;
}

/* One tag; `value` may be NULL, as for those to be deleted. */
static bool check_tag(struct ec2_call *call, const char *key, const char *value)
{
    if (!*key || !ec2_text_good(key, EC2_TAG_KEY) || strncmp(key, "aws:", 4) == 0)
        reply_error(
            call->r, 400, "InvalidParameterValue",
            "A tag's key has 1 to %d characters, no controls among them, and does not begin "
            "with aws:, unlike \"%.100s\".",
            EC2_TAG_KEY, key);
    else if (value && !ec2_text_good(value, EC2_TAG_VALUE))
        reply_error(call->r, 400, "InvalidParameterValue",
                    "The value of a tag has at most %d characters and no controls, unlike that of "
                    "\"%.100s\".",
                    EC2_TAG_VALUE, key);
    return call->r->status == 0;
}

/* PREFIX.N.Key and .Value; `values`: a tag without one has an empty one, else NULL. */
static bool take_pairs(struct ec2_call *call, const char *prefix, bool values, struct ec2_tags *out)
{
    char name[96];

    for (unsigned i = 1; i <= EC2_TAGS_MAX + 1; i++) {
        const char *key, *value;

        snprintf(name, sizeof(name), "%s.%u.Key", prefix, i);
        key = ec2_take(call, name);
        snprintf(name, sizeof(name), "%s.%u.Value", prefix, i);
        value = ec2_take(call, name);
        if (!key && value)
            reply_error(call->r, 400, "InvalidParameterValue", "%s has no Key.", name);
        if (!key)
            continue;
        if (out->nr == EC2_TAGS_MAX) {
            reply_error(call->r, 400, "TagLimitExceeded", "A resource has at most %d tags.",
                        EC2_TAGS_MAX);
            return false;
        }
        if (!check_tag(call, key, value))
            return false;
        for (size_t k = 0; k < out->nr; k++)
            if (strcmp(out->tag[k].key, key) == 0) {
                reply_error(call->r, 400, "InvalidParameterValue",
                            "The tag \"%.100s\" is given twice.", key);
                return false;
            }
        out->tag[out->nr].key = key;
        out->tag[out->nr++].value = value || !values ? value : "";
    }
    return call->r->status == 0;
}

bool ec2_take_tags(struct ec2_call *call, const char *type, const char *const *types,
                   struct ec2_tags *out)
{
    char name[64];

    out->nr = 0;
    for (unsigned i = 1; i <= 8; i++) {
        bool known = false;
        const char *given;

        snprintf(name, sizeof(name), "TagSpecification.%u.ResourceType", i);
        given = ec2_peek(call, name);
        if (!given)
            continue;
        for (const char *const *t = types; *t; t++)
            known |= strcmp(given, *t) == 0;
        if (!known) {
            reply_error(call->r, 400, "InvalidParameterValue",
                        "%s makes nothing of the type \"%.60s\" that could have tags.",
                        call->r->action, given);
            return false;
        }
        if (strcmp(given, type) != 0)
            continue;
        ec2_take(call, name);
        snprintf(name, sizeof(name), "TagSpecification.%u.Tag", i);
        if (!take_pairs(call, name, true, out))
            return false;
    }
    return call->r->status == 0;
}

bool ec2_insert_tags(sqlite3 *c, const char *account, const char *resource,
                     const struct ec2_tags *tags)
{
    for (size_t i = 0; i < tags->nr; i++)
        if (!db_run(c,
                    "INSERT INTO tag(resource, key, value, account) VALUES(?,?,?,?)"
                    " ON CONFLICT(resource, key, account) DO UPDATE SET value = excluded.value",
                    "ssss", resource, tags->tag[i].key, tags->tag[i].value, account))
            return false;
    return true;
}

void ec2_write_tags(struct buf *out, sqlite3 *c, const char *account, const char *resource)
{
    sqlite3_stmt *s =
        db_query(c, "SELECT key, value FROM tag WHERE resource = ? AND account = ? ORDER BY key",
                 "ss", resource, account);
    bool any = false;

    while (s && sqlite3_step(s) == SQLITE_ROW) {
        buf_puts(out, any ? "<item>" : "<tagSet><item>");
        xml_element(out, "key", db_text(s, 0));
        xml_element(out, "value", db_text(s, 1));
        buf_puts(out, "</item>");
        any = true;
    }
    if (any)
        buf_puts(out, "</tagSet>");
    db_finish(s);
}

static bool one_tag_fits(const struct ec2_filter *f, sqlite3 *c, const char *account,
                         const char *resource)
{
    bool by_key = strcmp(f->name, "tag-key") == 0, fits = false;
    sqlite3_stmt *s = db_query(c, "SELECT key, value FROM tag WHERE resource = ? AND account = ?",
                               "ss", resource, account);

    while (!fits && s && sqlite3_step(s) == SQLITE_ROW) {
        const char *text = db_text(s, by_key ? 0 : 1);

        if (!by_key && strcmp(db_text(s, 0), f->name + strlen("tag:")) != 0)
            continue;
        for (size_t i = 0; i < f->nr && !fits; i++)
            fits = ec2_pattern(f->value[i], text);
    }
    db_finish(s);
    return fits;
}

bool ec2_tags_fit(const struct ec2_filters *f, sqlite3 *c, const char *account,
                  const char *resource)
{
    for (size_t i = 0; i < f->nr; i++)
        if ((strcmp(f->filter[i].name, "tag-key") == 0 ||
             strncmp(f->filter[i].name, "tag:", 4) == 0) &&
            !one_tag_fits(&f->filter[i], c, account, resource))
            return false;
    return true;
}

/* ---- actions ----------------------------------------------------------------------------------
 */

/* Is it there for this account? Tags that it gave can be removed even if not. */
static bool is_known(struct ec2_call *call, sqlite3 *c, size_t kind, const char *id, bool remove)
{
    const struct service *svc = call->r->svc;
    const struct aki *aki = aki_find(&svc->akis, id);
    const char *account = call->r->account->id;

    return db_number(c, 0, kinds[kind].query, "ss", id, account) != 0 ||
           (aki && aki_same_region(aki->region, svc->config.region)) ||
           (remove &&
            db_number(c, 0, "SELECT 1 FROM tag WHERE resource = ? AND account = ? LIMIT 1", "ss",
                      id, account) != 0);
}

static bool check_resources(struct ec2_call *call, sqlite3 *c, const struct ec2_list *ids,
                            bool remove)
{
    for (size_t i = 0; i < ids->nr; i++) {
        size_t k = kind_of(ids->value[i]);

        if (k == NR_KINDS) {
            reply_error(call->r, 400, "InvalidID", "\"%.100s\" is nothing that can have tags.",
                        ids->value[i]);
            return false;
        }
        if (!ec2_check_id(call, kinds[k].kind, ids->value[i], kinds[k].malformed))
            return false;
        if (!is_known(call, c, k, ids->value[i], remove)) {
            reply_error(call->r, 400, kinds[k].not_found, "This account has no %s %s.",
                        kinds[k].type, ids->value[i]);
            return false;
        }
    }
    return true;
}

/* The resources and tags of CreateTags and DeleteTags, and a transaction. */
static sqlite3 *begin_change(struct ec2_call *call, struct ec2_list *ids, struct ec2_tags *tags,
                             bool values)
{
    sqlite3 *c;

    tags->nr = 0;
    if (!ec2_take_list(call, "ResourceId", ids) || !take_pairs(call, "Tag", values, tags))
        return NULL;
    if (ids->nr == 0 || (values && tags->nr == 0)) {
        reply_error(call->r, 400, "MissingParameter", "%s needs ResourceId.1%s.", call->r->action,
                    values ? " and Tag.1.Key" : "");
        return NULL;
    }
    if (!ec2_parameters_done(call))
        return NULL;
    c = ec2_begin_change(call);
    if (!c || check_resources(call, c, ids, !values))
        return c;
    db_rollback(call->r->svc->db);
    return NULL;
}

void ec2_create_tags(struct ec2_call *call)
{
    struct ec2_list *ids = xalloc(sizeof(*ids));
    struct ec2_tags tags;
    sqlite3 *c = begin_change(call, ids, &tags, true);
    bool good = c != NULL;

    for (size_t i = 0; good && i < ids->nr; i++) {
        good = ec2_insert_tags(c, call->r->account->id, ids->value[i], &tags);
        if (good && db_number(c, 0, "SELECT count(*) FROM tag WHERE resource = ? AND account = ?",
                              "ss", ids->value[i], call->r->account->id) > EC2_TAGS_MAX) {
            reply_error(call->r, 400, "TagLimitExceeded", "%s would have more than %d tags.",
                        ids->value[i], EC2_TAGS_MAX);
            good = false;
        }
    }
    if (c && ec2_end_change(call, good))
        ec2_answer_true(call);
    free(ids);
}

/* Without tags all of a resource go; a tag with a value goes only if it has that one. */
void ec2_delete_tags(struct ec2_call *call)
{
    struct ec2_list *ids = xalloc(sizeof(*ids));
    struct ec2_tags tags;
    sqlite3 *c = begin_change(call, ids, &tags, false);
    bool good = c != NULL;

    for (size_t i = 0; good && i < ids->nr; i++) {
        if (tags.nr == 0)
            good = db_run(c, "DELETE FROM tag WHERE resource = ? AND account = ?", "ss",
                          ids->value[i], call->r->account->id);
        for (size_t k = 0; good && k < tags.nr; k++)
            good = db_run(c,
                          "DELETE FROM tag WHERE resource = ? AND key = ? AND account = ?"
                          " AND value = ifnull(?, value)",
                          "ssss", ids->value[i], tags.tag[k].key, call->r->account->id,
                          tags.tag[k].value);
    }
    if (c && ec2_end_change(call, good))
        ec2_answer_true(call);
    free(ids);
}

static void write_one_tag(struct buf *out, const char *resource, const char *type, const char *key,
                          const char *value)
{
    buf_puts(out, "<item>");
    xml_element(out, "resourceId", resource);
    xml_element(out, "resourceType", type);
    xml_element(out, "key", key);
    xml_element(out, "value", value);
    buf_puts(out, "</item>");
}

/* ---- DescribeTags: NextToken is the last tag's resource and, in hexadecimal, its key ----------
 */

#define KEY_BYTES (4 * EC2_TAG_KEY + 1)

struct tags_wanted {
    struct ec2_filters filters;
    int64_t max;
    char resource[EC2_ID_BYTES], key[KEY_BYTES]; /* the list goes on behind it */
};

static void write_token(struct buf *out, const char *resource, const char *key)
{
    struct buf token = {0};

    buf_printf(&token, "%s:", resource);
    for (; *key; key++)
        buf_printf(&token, "%02x", (unsigned char)*key);
    xml_element(out, "nextToken", token.text);
    buf_free(&token);
}

static bool read_token(const char *token, struct tags_wanted *w)
{
    static const char digits[] = "0123456789abcdef";
    const char *hex = strchr(token, ':');
    size_t len;

    if (!hex || hex - token >= EC2_ID_BYTES)
        return false;
    snprintf(w->resource, sizeof(w->resource), "%.*s", (int)(hex - token), token);
    hex++;
    len = strlen(hex);
    if (strspn(hex, digits) != len || len % 2 != 0 || len / 2 >= sizeof(w->key))
        return false;
    return hex_read(hex, (uint8_t *)w->key, len / 2);
}

static bool take_tags_wanted(struct ec2_call *call, struct tags_wanted *w)
{
    static const char *const known[] = {"key",  "resource-id", "resource-type",
                                        "tag:", "value",       NULL};
    const char *token = ec2_take(call, "NextToken");

    if (!ec2_take_filters(call, known, &w->filters) || !ec2_take_max(call, 5, 1000, &w->max))
        return false;
    if (token && !read_token(token, w))
        reply_error(call->r, 400, "InvalidNextToken",
                    "NextToken is not one that an answer of this service held.");
    return ec2_parameters_done(call);
}

static bool tag_fits(const struct ec2_filters *f, const char *resource, const char *type,
                     const char *key, const char *value)
{
    char name[sizeof("tag:") + KEY_BYTES];

    snprintf(name, sizeof(name), "tag:%s", key);
    for (size_t i = 0; i < f->nr; i++) /* a tag that another key is asked of */
        if (strncmp(f->filter[i].name, "tag:", 4) == 0 && strcmp(f->filter[i].name, name) != 0)
            return false;
    return ec2_filter_fits(f, "resource-id", resource) &&
           ec2_filter_fits(f, "resource-type", type) && ec2_filter_fits(f, "key", key) &&
           ec2_filter_fits(f, "value", value) && ec2_filter_fits(f, name, value);
}

static void write_tag_list(struct ec2_call *call, sqlite3 *c, const struct tags_wanted *w)
{
    sqlite3_stmt *s = db_query(c,
                               "SELECT resource, key, value FROM tag WHERE account = ?"
                               " AND (resource, key) > (?, ?) ORDER BY resource, key",
                               "sss", call->r->account->id, w->resource, w->key);
    char resource[EC2_ID_BYTES] = "", key[KEY_BYTES] = "";
    struct buf *out = &call->r->reply;
    int64_t nr = 0;

    ec2_open(call, "DescribeTags");
    buf_puts(out, "<tagSet>");
    while (s && sqlite3_step(s) == SQLITE_ROW) {
        size_t k = kind_of(db_text(s, 0));
        const char *type = k < NR_KINDS ? kinds[k].type : "";

        if (!tag_fits(&w->filters, db_text(s, 0), type, db_text(s, 1), db_text(s, 2)))
            continue;
        if (nr++ == w->max)
            break;
        write_one_tag(out, db_text(s, 0), type, db_text(s, 1), db_text(s, 2));
        snprintf(resource, sizeof(resource), "%s", db_text(s, 0));
        snprintf(key, sizeof(key), "%s", db_text(s, 1));
    }
    db_finish(s);
    buf_puts(out, "</tagSet>");
    if (nr > w->max)
        write_token(out, resource, key);
    ec2_close(call, "DescribeTags");
}

void ec2_describe_tags(struct ec2_call *call)
{
    struct tags_wanted *w = xalloc(sizeof(*w));
    sqlite3 *c;

    if (take_tags_wanted(call, w)) {
        c = db_reader(call->r->svc->db);
        write_tag_list(call, c, w);
        db_done(call->r->svc->db, c);
    }
    free(w);
}

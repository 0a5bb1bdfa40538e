/* SPDX-License-Identifier: MIT */
/*
 * ec2-delete-bundle: a bundle out of a bucket for good. The manifest goes first: what is left by an
 * interruption is no bundle, and the same command finds it.
 */
#include "cloud/tools/tools.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cloud/tools/pool.h"
#include "cloud/tools/remote.h"

static const char help_text[] =
    "usage: ec2-delete-bundle -b BUCKET[/PREFIX] -m MANIFEST|-p NAME [-a KEY -s SECRET] "
    "[OPTION]...\n\n"
    "Removes a bundle from a bucket.\n\n"
    "  -b, --bucket BUCKET[/PREFIX]  where it is\n"
    "  -m, --manifest FILE     its manifest, a file here\n"
    "  -p, --prefix NAME       the manifest's name in the bucket, without \".manifest.xml\"\n"
    "  -a, --access-key KEY    your access key; or $AWS_ACCESS_KEY, $AWS_ACCESS_KEY_ID\n"
    "  -s, --secret-key SECRET its secret; or $AWS_SECRET_KEY, $AWS_SECRET_ACCESS_KEY\n"
    "  -t, --delegation-token TOKEN  of temporary keys; or $AWS_SESSION_TOKEN\n"
    "      --clear             remove the bucket, too, when nothing else is in it\n"
    "  -y, --yes               do not ask; without a terminal nothing is asked\n";

static const char example[] = "ec2-delete-bundle -b my-images/web -p image --url https://HOST:8443";

enum { OPT_CLEAR = 256 };

static const struct option options[] = {
    {"bucket", required_argument, NULL, 'b'},
    {"manifest", required_argument, NULL, 'm'},
    {"prefix", required_argument, NULL, 'p'},
    {"access-key", required_argument, NULL, 'a'},
    {"secret-key", required_argument, NULL, 's'},
    {"delegation-token", required_argument, NULL, 't'},
    {"clear", no_argument, NULL, OPT_CLEAR},
    {"yes", no_argument, NULL, 'y'},
    REMOTE_LONG_OPTIONS,
};

struct removal {
    struct remote remote;
    const char *bucket_text, *manifest, *prefix;
    bool clear, yes;
    const char *bucket, *before;
    const char *manifest_key;
    bool has_manifest;                     /* in the bucket, as far as is known */
    const char *parts[MANIFEST_PARTS_MAX]; /* their keys */
    uint32_t nr_parts;
    bool there[MANIFEST_PARTS_MAX]; /* listed in the bucket */
    uint32_t next;                  /* the part that is likely to be listed next */
    bool uncounted;                 /* the bucket may not be listed */
};

static enum remote_taken one_option(void *ctx, int opt, char *value)
{
    struct removal *d = ctx;

    switch (opt) {
    case 'b':
        d->bucket_text = value;
        return TAKEN;
    case 'm':
        d->manifest = value;
        return TAKEN;
    case 'p':
        d->prefix = value;
        return TAKEN;
    case 'y':
    case REMOTE_BATCH:
        d->yes = true;
        return TAKEN;
    case OPT_CLEAR:
        d->clear = true;
        return TAKEN;
    default:
        return remote_s3_option(&d->remote, opt, value);
    }
}

static bool parse(void *ctx, int argc, char **argv)
{
    struct removal *d = ctx;
    const struct remote_syntax syntax = {
        .shorts = "b:m:p:a:s:t:y", .longs = options, .one = one_option, .ctx = d};

    if (!remote_parse(&d->remote, &syntax, argc, argv))
        return false;
    if (d->remote.help)
        return true;
    if (d->bucket_text == NULL)
        tool_say("which bucket? Name it with -b");
    else if ((d->manifest == NULL) == (d->prefix == NULL))
        tool_say("which bundle? Name the file of its manifest with -m, or its name in the bucket "
                 "with -p");
    else if (d->prefix != NULL && !manifest_name_ok(d->prefix))
        tool_say("-p takes a bundle's name, not \"%s\"; folders belong to -b BUCKET/PREFIX",
                 d->prefix);
    else
        return remote_bucket(&d->remote, d->bucket_text, &d->bucket, &d->before);
    return false;
}

/* ---- what there is --------------------------------------------------------------------------- */

/* More than a manifest can name are left for the next run. */
static bool add_part(struct removal *d, const char *before, const char *name)
{
    const char *key =
        d->nr_parts < MANIFEST_PARTS_MAX ? remote_key(&d->remote, before, name) : NULL;

    if (key != NULL)
        d->parts[d->nr_parts++] = key;
    return key != NULL;
}

static bool add_parts_of(struct removal *d, const struct manifest *m)
{
    for (uint32_t i = 0; i < m->nr_parts; i++) {
        if (!add_part(d, d->before, m->parts[i].filename))
            return false;
    }
    return true;
}

/* Only "NAME.part.NUMBER" are parts of NAME. */
static void on_key(void *ctx, const char *key, const char *etag, uint64_t size_bytes)
{
    struct removal *d = ctx;
    const char *dot = strrchr(key, '.');

    (void)etag;
    (void)size_bytes;
    if (dot[1] != '\0' && dot[1 + strspn(dot + 1, "0123456789")] == '\0' &&
        strlen(d->before) + strlen(d->prefix) + strlen(".part") == (size_t)(dot - key))
        (void)add_part(d, key, "");
}

static bool no_bundle(const struct removal *d, const char *name, size_t len)
{
    tool_say("there is no bundle %.*s in %s: neither its manifest nor parts", (int)len, name,
             d->bucket_text);
    return false;
}

/* The parts that an interrupted removal has left. */
static bool find_left_parts(struct removal *d, struct store *b)
{
    const char *begin = remote_key(&d->remote, d->before, d->prefix);
    const char *prefix = begin != NULL ? remote_key(&d->remote, begin, ".part.") : NULL;

    if (prefix == NULL)
        return false;
    if (!store_list(b, prefix, STORE_LIST_MAX, on_key, d)) {
        tool_say("%s", b->result.why);
        return false;
    }
    return d->nr_parts > 0 || no_bundle(d, d->prefix, strlen(d->prefix));
}

/* Listings and manifests mostly have the same order. */
static void on_named_key(void *ctx, const char *key, const char *etag, uint64_t size_bytes)
{
    struct removal *d = ctx;

    (void)etag;
    (void)size_bytes;
    for (uint32_t n = 0; n < d->nr_parts; n++) {
        uint32_t i = (d->next + n) % d->nr_parts;

        if (!d->there[i] && strcmp(d->parts[i], key) == 0) {
            d->there[i] = true;
            d->next = i + 1;
            return;
        }
    }
}

static void on_manifest_key(void *ctx, const char *key, const char *etag, uint64_t size_bytes)
{
    struct removal *d = ctx;

    (void)etag;
    (void)size_bytes;
    d->has_manifest = d->has_manifest || strcmp(key, d->manifest_key) == 0;
}

/* What the keys of all parts begin with. NULL: that was said. */
static const char *parts_begin(struct removal *d)
{
    size_t len = d->nr_parts > 0 ? strlen(d->parts[0]) : 0;
    char *begin;

    for (uint32_t i = 1; i < d->nr_parts; i++) {
        size_t same = 0;

        while (same < len && d->parts[i][same] == d->parts[0][same])
            same++;
        len = same;
    }
    begin = arena_strndup(&d->remote.arena, d->nr_parts > 0 ? d->parts[0] : "", len);
    if (begin == NULL)
        tool_say("out of memory");
    return begin;
}

/* S3 does not tell whether what it removes was there. Who may not list removes all that is named.
 */
static bool keep_what_is_there(struct removal *d, struct store *b)
{
    const char *begin = parts_begin(d);
    uint32_t nr = 0;

    if (begin == NULL)
        return false;
    if ((!d->has_manifest && !store_list(b, d->manifest_key, STORE_LIST_MAX, on_manifest_key, d)) ||
        (d->nr_parts > 0 && !store_list(b, begin, STORE_LIST_MAX, on_named_key, d))) {
        d->uncounted = strcmp(b->result.code, "AccessDenied") == 0;
        if (!d->uncounted)
            tool_say("%s", b->result.why);
        d->has_manifest = true;
        return d->uncounted;
    }
    for (uint32_t i = 0; i < d->nr_parts; i++) {
        if (d->there[i])
            d->parts[nr++] = d->parts[i];
    }
    d->nr_parts = nr;
    return true;
}

static bool find_by_prefix(struct removal *d, struct store *b, struct manifest *m)
{
    const struct buf *body = &b->result.answer.body;
    const char *name = remote_key(&d->remote, d->prefix, MANIFEST_SUFFIX);
    char why[1024];

    d->manifest_key = name != NULL ? remote_key(&d->remote, d->before, name) : NULL;
    if (d->manifest_key == NULL)
        return false;
    d->has_manifest = store_get_text(b, d->manifest_key);
    if (!d->has_manifest && strcmp(b->result.code, "NoSuchKey") == 0)
        return find_left_parts(d, b);
    if (!d->has_manifest) {
        tool_say("%s", b->result.why);
        return false;
    }
    if (manifest_read(m, body->text, body->len, &d->remote.arena, why, sizeof(why)))
        return add_parts_of(d, m) && keep_what_is_there(d, b);
    tool_say("%s/%s: %s", d->bucket, d->manifest_key, why);
    return false;
}

static bool find_by_file(struct removal *d, struct store *b, struct manifest *m)
{
    const char *slash = strrchr(d->manifest, '/');
    const char *name = slash != NULL ? slash + 1 : d->manifest;
    const char *suffix = strstr(name, MANIFEST_SUFFIX);

    if (!remote_manifest(&d->remote, d->manifest, m))
        return false;
    d->manifest_key = remote_key(&d->remote, d->before, name);
    if (d->manifest_key == NULL || !add_parts_of(d, m) || !keep_what_is_there(d, b))
        return false;
    return d->has_manifest || d->nr_parts > 0 ||
           no_bundle(d, name, suffix != NULL ? (size_t)(suffix - name) : strlen(name));
}

/* ---- removal --------------------------------------------------------------------------------- */

static bool agreed(const struct removal *d)
{
    char answer[16] = "";

    if (d->yes || !isatty(STDIN_FILENO))
        return true;
    fprintf(stderr, "Remove %s%s%u parts from %s%s? [y/N] ", d->has_manifest ? d->manifest_key : "",
            d->has_manifest ? " and " : "", d->nr_parts, d->bucket,
            d->clear ? ", and the bucket when it is empty then" : "");
    if (fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y'))
        return true;
    tool_say("nothing was removed");
    return false;
}

static bool remove_part(struct pool_worker *w, void *ctx, uint32_t nr, char *why, size_t why_cap)
{
    const struct removal *d = ctx;
    bool good = store_delete(&w->bucket, d->parts[nr]);

    if (!good)
        snprintf(why, why_cap, "%s", w->bucket.result.why);
    pool_bytes(w, 1);
    return good;
}

static bool remove_all(struct removal *d, struct store *b)
{
    const struct pool_plan plan = {.client = &d->remote.client,
                                   .bucket = d->bucket,
                                   .end = d->nr_parts,
                                   .task = remove_part,
                                   .ctx = d};
    char why[2048];

    if (d->has_manifest && !store_delete(b, d->manifest_key)) {
        tool_say("%s", b->result.why);
        return false;
    }
    if (!pool_run(&plan, why, sizeof(why))) {
        tool_say("%s; the manifest is gone, and the same command goes on with the parts", why);
        return false;
    }
    printf("removed %s%s%s%u parts from %s\n", d->uncounted ? "what was there of " : "",
           d->has_manifest ? d->manifest_key : "", d->has_manifest ? " and " : "", d->nr_parts,
           d->bucket);
    return true;
}

static bool clear_bucket(const struct removal *d, struct store *b)
{
    if (!d->clear)
        return true;
    if (store_remove(b)) {
        printf("removed the bucket %s\n", d->bucket);
        return true;
    }
    if (strcmp(b->result.code, "BucketNotEmpty") == 0) {
        tool_say("the bucket %s holds other things and stays", d->bucket);
        return true;
    }
    tool_say("%s", b->result.why);
    return false;
}

static bool delete_bundle(void *ctx)
{
    struct removal *d = ctx;
    static struct manifest m;
    struct store b = {
        .client = &d->remote.client, .name = d->bucket, .http = remote_open(&d->remote)};
    bool good = b.http != NULL &&
                (d->manifest != NULL ? find_by_file(d, &b, &m) : find_by_prefix(d, &b, &m)) &&
                agreed(d) && remove_all(d, &b) && clear_bucket(d, &b);

    http_close(b.http);
    call_result_free(&b.result);
    return tool_flush() && good;
}

int tool_delete_bundle(int argc, char **argv)
{
    static const struct remote_tool tool = {.service = REMOTE_S3,
                                            .help = help_text,
                                            .example = example,
                                            .parse = parse,
                                            .work = delete_bundle};
    static struct removal d;
    int status;

    remote_init(&d.remote);
    status = remote_main(&d.remote, &tool, &d, argc, argv);
    remote_free(&d.remote);
    return status;
}

/* SPDX-License-Identifier: MIT */
/*
 * ec2-upload-bundle: a bundle into a bucket, its parts first and its manifest last. So what was
 * interrupted has no manifest there, and the same command goes on: what lies there already with the
 * right size and MD5 is not sent again.
 */
#include "cloud/tools/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud/tools/pool.h"
#include "cloud/tools/remote.h"
#include "core/base/text.h"
#include "host/aki.h"
#include "host/hex.h"

static const char help_text[] =
    "usage: ec2-upload-bundle -b BUCKET[/PREFIX] -m MANIFEST [-a KEY -s SECRET] [OPTION]...\n\n"
    "Puts a bundle into a bucket: the parts, then the manifest. Interrupted, the same command "
    "goes\n"
    "on. Writes the place of the manifest, as ec2-register takes it.\n\n"
    "  -b, --bucket BUCKET[/PREFIX]  where to; the bucket is made when there is none\n"
    "  -m, --manifest FILE     the bundle's manifest\n"
    "  -a, --access-key KEY    your access key; or $AWS_ACCESS_KEY, $AWS_ACCESS_KEY_ID\n"
    "  -s, --secret-key SECRET its secret; or $AWS_SECRET_KEY, $AWS_SECRET_ACCESS_KEY\n"
    "  -t, --delegation-token TOKEN  of temporary keys; or $AWS_SESSION_TOKEN\n"
    "  -d, --directory DIR     where the parts are; beside the manifest\n"
    "      --part N            begin with this part; those before it have to be there\n"
    "      --skipmanifest      the parts alone\n"
    "      --acl ACL           who may read it; aws-exec-read\n"
    "      --location REGION   the region of a new bucket, as --region\n"
    "      --batch             nothing is asked; this is always so\n";

static const char example[] =
    "ec2-upload-bundle -b my-images/web -m /mnt/image.manifest.xml --url https://HOST:8443";

enum { OPT_PART = 256, OPT_SKIP, OPT_ACL, OPT_LOCATION };

static const struct option options[] = {
    {"bucket", required_argument, NULL, 'b'},
    {"manifest", required_argument, NULL, 'm'},
    {"access-key", required_argument, NULL, 'a'},
    {"secret-key", required_argument, NULL, 's'},
    {"delegation-token", required_argument, NULL, 't'},
    {"directory", required_argument, NULL, 'd'},
    {"part", required_argument, NULL, OPT_PART},
    {"skipmanifest", no_argument, NULL, OPT_SKIP},
    {"acl", required_argument, NULL, OPT_ACL},
    {"location", required_argument, NULL, OPT_LOCATION},
    REMOTE_LONG_OPTIONS,
};

/* What a part of the manifest is in the bucket. */
struct stored {
    bool present;
    uint64_t size_bytes;
    char etag[2 * DIGEST_MD5_BYTES + 1]; /* "" for one that is no MD5 */
};

struct upload {
    struct remote remote;
    const char *bucket_text, *manifest, *folder, *acl;
    uint32_t first_part;
    bool skip_manifest;
    const char *bucket, *before;
    struct manifest m;
    int folder_fd;
    struct stored *stored; /* one a part */
    uint32_t *by_name;     /* numbers of parts, sorted by their names */
    _Atomic uint32_t nr_there, nr_skipped;
};

static enum remote_taken one_option(void *ctx, int opt, char *value)
{
    struct upload *u = ctx;
    uint64_t n;

    switch (opt) {
    case 'b':
        u->bucket_text = value;
        return TAKEN;
    case 'm':
        u->manifest = value;
        return TAKEN;
    case 'd':
        u->folder = value;
        return TAKEN;
    case OPT_PART:
        if (!text_parse_u64(value, strlen(value), &n) || n >= MANIFEST_PARTS_MAX) {
            tool_say("--part takes the number of a part, the first is 0, not \"%s\"", value);
            return REFUSED;
        }
        u->first_part = (uint32_t)n;
        return TAKEN;
    case OPT_SKIP:
        u->skip_manifest = true;
        return TAKEN;
    case OPT_ACL:
        u->acl = value;
        return TAKEN;
    case OPT_LOCATION:
        u->remote.client.peer.region = value;
        return TAKEN;
    default:
        return remote_s3_option(&u->remote, opt, value);
    }
}

static bool parse(void *ctx, int argc, char **argv)
{
    struct upload *u = ctx;
    const struct remote_syntax syntax = {
        .shorts = "b:m:a:s:t:d:", .longs = options, .one = one_option, .ctx = u};

    u->acl = "aws-exec-read";
    if (!remote_parse(&u->remote, &syntax, argc, argv))
        return false;
    if (u->remote.help)
        return true;
    if (u->bucket_text == NULL)
        tool_say("which bucket? Name it with -b");
    else if (u->manifest == NULL)
        tool_say("which bundle? Name its manifest with -m");
    else if (u->acl[strspn(u->acl, "abcdefghijklmnopqrstuvwxyz-")] != '\0')
        tool_say("--acl is a word as aws-exec-read, private or public-read, not \"%s\"", u->acl);
    else
        return remote_bucket(&u->remote, u->bucket_text, &u->bucket, &u->before);
    return false;
}

/* ---- what is here ---------------------------------------------------------------------------- */

/* Every part has to be there before one is sent. */
static bool find_parts(struct upload *u, uint64_t *all_bytes)
{
    const struct manifest *m = &u->m;
    struct stat st;

    if (u->folder == NULL)
        u->folder = tool_folder_of(u->manifest, &u->remote.arena);
    if (u->folder == NULL) {
        tool_say("out of memory");
        return false;
    }
    u->folder_fd = open(u->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (u->folder_fd < 0) {
        tool_say("%s cannot be opened: %s", u->folder, strerror(errno));
        return false;
    }
    if (u->first_part >= m->nr_parts) {
        tool_say("--part %u: the bundle has %u parts, the first is 0", u->first_part, m->nr_parts);
        return false;
    }
    *all_bytes = 0;
    for (uint32_t i = u->first_part; i < m->nr_parts; i++) {
        bool found = fstatat(u->folder_fd, m->parts[i].filename, &st, 0) == 0;

        if (!found || !S_ISREG(st.st_mode)) {
            tool_say("part %u of %u, %s/%s, is not there: %s", i + 1, m->nr_parts, u->folder,
                     m->parts[i].filename, found ? "it is no file" : strerror(errno));
            return false;
        }
        *all_bytes += (uint64_t)st.st_size;
    }
    return true;
}

static void warn_of_region(const struct upload *u)
{
    struct aki_table table = {0};
    char why[AKI_WHY_MAX];
    const char *id = u->m.kernel_id, *region = u->remote.client.peer.region;
    const struct aki *a;

    if (id == NULL)
        return;
    if (!aki_table_load(&table, why, sizeof(why))) {
        tool_say("whether %s belongs to %s was not checked: %s", id, region, why);
        return;
    }
    a = aki_find(&table, id);
    if (a != NULL && !aki_same_region(a->region, region))
        tool_say("warning: the bundle's kernel %s belongs to %s, and this goes to %s; pvboot aki "
                 "select names the one for there",
                 id, a->region, region);
    aki_table_free(&table);
}

/* ---- what is there --------------------------------------------------------------------------- */

static const struct manifest_part *sorting; /* of the one bundle of this program */

static int by_name(const void *a, const void *b)
{
    return strcmp(sorting[*(const uint32_t *)a].filename, sorting[*(const uint32_t *)b].filename);
}

static void on_key(void *ctx, const char *key, const char *etag, uint64_t size_bytes)
{
    struct upload *u = ctx;
    const char *name = key + strlen(u->before);
    uint32_t low = 0, high = u->m.nr_parts;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (strcmp(u->m.parts[u->by_name[mid]].filename, name) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == u->m.nr_parts || strcmp(u->m.parts[u->by_name[low]].filename, name) != 0)
        return;
    struct stored *s = &u->stored[u->by_name[low]];

    s->present = true;
    s->size_bytes = size_bytes;
    if (strlen(etag) < sizeof(s->etag))
        strcpy(s->etag, etag);
}

/* What all parts' keys begin with. */
static const char *common_prefix(struct upload *u)
{
    const char *one = u->m.parts[0].filename;
    size_t len = strlen(one);

    for (uint32_t i = 1; i < u->m.nr_parts; i++) {
        size_t same = 0;

        while (same < len && u->m.parts[i].filename[same] == one[same])
            same++;
        len = same;
    }
    one = arena_strndup(&u->remote.arena, one, len);
    return one != NULL ? remote_key(&u->remote, u->before, one) : NULL;
}

static bool look_into_bucket(struct upload *u, struct store *b)
{
    const char *prefix = common_prefix(u);

    u->stored = arena_array(&u->remote.arena, u->m.nr_parts, sizeof(*u->stored));
    u->by_name = arena_array(&u->remote.arena, u->m.nr_parts, sizeof(*u->by_name));
    if (prefix == NULL || u->stored == NULL || u->by_name == NULL) {
        tool_say("out of memory");
        return false;
    }
    for (uint32_t i = 0; i < u->m.nr_parts; i++)
        u->by_name[i] = i;
    sorting = u->m.parts;
    qsort(u->by_name, u->m.nr_parts, sizeof(*u->by_name), by_name);
    if (store_list(b, prefix, STORE_LIST_MAX, on_key, u))
        return true;
    if (strcmp(b->result.code, "NoSuchBucket") == 0 && store_create(b)) {
        tool_say("made the bucket %s", u->bucket);
        return true;
    }
    tool_say("%s", b->result.why);
    return false;
}

/* With --part, the earlier parts are believed to be there, but not unseen. */
static bool earlier_parts_there(const struct upload *u)
{
    for (uint32_t i = 0; i < u->first_part; i++) {
        if (!u->stored[i].present) {
            tool_say("--part %u: part %u, %s, is not in the bucket; without --part everything that "
                     "is missing is sent",
                     u->first_part, i, u->m.parts[i].filename);
            return false;
        }
    }
    return true;
}

/* ---- sending --------------------------------------------------------------------------------- */

static bool is_there(const struct stored *s, const struct digest *d)
{
    char md5[2 * DIGEST_MD5_BYTES + 1];

    hex_write(d->md5, sizeof(d->md5), md5);
    return s->present && s->size_bytes == d->size_bytes && strcmp(s->etag, md5) == 0;
}

static bool send_part(struct pool_worker *w, void *ctx, uint32_t nr, char *why, size_t why_cap)
{
    struct upload *u = ctx;
    const struct manifest_part *part = &u->m.parts[nr];
    struct buf key = {0};
    struct digest d;
    int fd = openat(u->folder_fd, part->filename, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && digest_file(fd, u->remote.client.peer.stop, &d);

    if (!good) {
        snprintf(why, why_cap, "part %u of %u, %s/%s, cannot be read: %s", nr + 1, u->m.nr_parts,
                 u->folder, part->filename, strerror(errno));
    } else if (memcmp(d.sha1, part->sha1, sizeof(d.sha1)) != 0) {
        snprintf(why, why_cap,
                 "%s/%s is damaged: its digest is not the one in the manifest; the manifest was "
                 "not sent",
                 u->folder, part->filename);
        good = false;
    } else if (is_there(&u->stored[nr], &d)) {
        u->nr_skipped++;
        u->nr_there++;
        pool_bytes(w, d.size_bytes);
    } else {
        buf_printf(&key, "%s%s", u->before, part->filename);
        good = store_put(&w->bucket, key.text, fd, &d, u->acl);
        if (good)
            u->nr_there++;
        else
            snprintf(why, why_cap, "%s", w->bucket.result.why);
        pool_bytes(w, good ? d.size_bytes : 0);
        buf_free(&key);
    }
    if (fd >= 0)
        close(fd);
    return good;
}

static bool send_parts(struct upload *u, uint64_t all_bytes)
{
    const struct pool_plan plan = {.client = &u->remote.client,
                                   .bucket = u->bucket,
                                   .first = u->first_part,
                                   .end = u->m.nr_parts,
                                   .all_bytes = all_bytes,
                                   .task = send_part,
                                   .ctx = u};
    char why[2048];
    uint32_t nr = u->m.nr_parts - u->first_part;
    bool good = pool_run(&plan, why, sizeof(why));

    if (u->remote.client.peer.stop != NULL && *u->remote.client.peer.stop != 0 && !good)
        tool_say("interrupted; %u of %u parts are in the bucket, and the same command goes on with "
                 "the others",
                 u->nr_there, nr);
    else if (!good)
        tool_say("%s", why);
    else if (u->nr_skipped > 0)
        tool_say("%u of %u parts were in the bucket already", u->nr_skipped, nr);
    return good;
}

static bool send_manifest(struct upload *u, struct store *b)
{
    const char *slash = strrchr(u->manifest, '/');
    const char *key = remote_key(&u->remote, u->before, slash != NULL ? slash + 1 : u->manifest);
    int fd = open(u->manifest, O_RDONLY | O_CLOEXEC);
    struct digest d;
    bool good = key != NULL && fd >= 0 && digest_file(fd, u->remote.client.peer.stop, &d);

    if (key != NULL && !good) {
        tool_say("%s cannot be read: %s", u->manifest, strerror(errno));
    } else if (good) {
        good = store_put(b, key, fd, &d, u->acl);
        if (!good)
            tool_say("%s", b->result.why);
    }
    if (fd >= 0)
        close(fd);
    if (good)
        printf("%s/%s\n", u->bucket, key);
    return tool_flush() && good;
}

static bool upload(void *ctx)
{
    struct upload *u = ctx;
    uint64_t all_bytes;
    bool good;

    if (!remote_manifest(&u->remote, u->manifest, &u->m) || !find_parts(u, &all_bytes))
        return false;
    warn_of_region(u);
    struct store b = {
        .client = &u->remote.client, .name = u->bucket, .http = remote_open(&u->remote)};

    good = b.http != NULL && look_into_bucket(u, &b) && earlier_parts_there(u) &&
           send_parts(u, all_bytes) && (u->skip_manifest || send_manifest(u, &b));
    http_close(b.http);
    call_result_free(&b.result);
    return good;
}

int tool_upload_bundle(int argc, char **argv)
{
    static const struct remote_tool tool = {.service = REMOTE_S3,
                                            .help = help_text,
                                            .example = example,
                                            .parse = parse,
                                            .work = upload};
    static struct upload u;
    int status;

    u.folder_fd = -1;
    remote_init(&u.remote);
    status = remote_main(&u.remote, &tool, &u, argc, argv);
    if (u.folder_fd >= 0)
        close(u.folder_fd);
    remote_free(&u.remote);
    return status;
}

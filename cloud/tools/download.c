/* SPDX-License-Identifier: MIT */
/*
 * ec2-download-bundle: a bundle out of a bucket. A part has another name until its digest was
 * right, and the manifest comes last, so the same command goes on after an interruption.
 */
#include "cloud/tools/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud/tools/pool.h"
#include "cloud/tools/remote.h"

#define UNFINISHED ".part" /* behind a name: what is not whole yet */

static const char help_text[] =
    "usage: ec2-download-bundle -b BUCKET[/PREFIX] -m NAME|-p NAME [-a KEY -s SECRET] [OPTION]...\n"
    "\nFetches a bundle, checks every digest, and writes the name of its manifest. Interrupted,\n"
    "the same command goes on.\n\n"
    "  -b, --bucket BUCKET[/PREFIX]  where from\n"
    "  -m, --manifest NAME     the manifest's name in the bucket\n"
    "  -p, --prefix NAME       the same without \".manifest.xml\"\n"
    "  -a, --access-key KEY    your access key; or $AWS_ACCESS_KEY, $AWS_ACCESS_KEY_ID\n"
    "  -s, --secret-key SECRET its secret; or $AWS_SECRET_KEY, $AWS_SECRET_ACCESS_KEY\n"
    "  -t, --delegation-token TOKEN  of temporary keys; or $AWS_SESSION_TOKEN\n"
    "  -d, --directory DIR     where to; the current folder\n"
    "  -k, --privatekey KEY    take only what was signed with this key\n";

static const char example[] =
    "ec2-download-bundle -b my-images/web -p image -d /var/tmp --url https://HOST:8443";

static const struct option options[] = {
    {"bucket", required_argument, NULL, 'b'},
    {"manifest", required_argument, NULL, 'm'},
    {"prefix", required_argument, NULL, 'p'},
    {"access-key", required_argument, NULL, 'a'},
    {"secret-key", required_argument, NULL, 's'},
    {"delegation-token", required_argument, NULL, 't'},
    {"directory", required_argument, NULL, 'd'},
    {"privatekey", required_argument, NULL, 'k'},
    REMOTE_LONG_OPTIONS,
};

struct download {
    struct remote remote;
    const char *bucket_text, *name, *prefix, *folder, *key;
    const char *bucket, *before;
    struct manifest m;
    int folder_fd;
    _Atomic uint32_t nr_here;
};

static enum remote_taken one_option(void *ctx, int opt, char *value)
{
    struct download *d = ctx;

    switch (opt) {
    case 'b':
        d->bucket_text = value;
        return TAKEN;
    case 'm':
        d->name = value;
        return TAKEN;
    case 'p':
        d->prefix = value;
        return TAKEN;
    case 'd':
        d->folder = value;
        return TAKEN;
    case 'k':
        d->key = value;
        return TAKEN;
    default:
        return remote_s3_option(&d->remote, opt, value);
    }
}

static bool parse(void *ctx, int argc, char **argv)
{
    struct download *d = ctx;
    const struct remote_syntax syntax = {
        .shorts = "b:m:p:a:s:t:d:k:", .longs = options, .one = one_option, .ctx = d};

    d->folder = ".";
    if (!remote_parse(&d->remote, &syntax, argc, argv))
        return false;
    if (d->remote.help)
        return true;
    if (d->bucket_text == NULL || (d->name == NULL) == (d->prefix == NULL)) {
        tool_say("%s", d->bucket_text == NULL
                           ? "which bucket? Name it with -b"
                           : "which bundle? Name its manifest with -m, or its prefix with -p");
        return false;
    }
    if (d->name == NULL)
        d->name = remote_key(&d->remote, d->prefix, MANIFEST_SUFFIX);
    if (d->name == NULL || !remote_bucket(&d->remote, d->bucket_text, &d->bucket, &d->before))
        return false;
    if (manifest_name_ok(d->name))
        return true;
    tool_say("the manifest's name is a file's name, not \"%s\"; folders belong to -b "
             "BUCKET/PREFIX",
             d->name);
    return false;
}

/* ---- the manifest ---------------------------------------------------------------------------- */

static bool signed_by_key(const struct download *d, const char *text)
{
    char why[1024];
    struct key *key = d->key != NULL ? key_private(d->key, why, sizeof(why)) : NULL;
    bool good =
        d->key == NULL || (key != NULL && manifest_verify(&d->m, text, key, why, sizeof(why)));

    if (!good && key == NULL)
        tool_say("%s", why);
    else if (!good)
        tool_say("%s/%s%s: %s", d->bucket, d->before, d->name, why);
    key_free(key);
    return good;
}

static bool fetch_manifest(struct download *d, struct store *b)
{
    const char *key = remote_key(&d->remote, d->before, d->name);
    const struct buf *body = &b->result.answer.body;
    char why[1024];

    if (key == NULL)
        return false;
    if (!store_get_text(b, key)) {
        tool_say("%s", b->result.why);
        return false;
    }
    if (!manifest_read(&d->m, body->text, body->len, &d->remote.arena, why, sizeof(why))) {
        tool_say("%s/%s: %s", d->bucket, key, why);
        return false;
    }
    return signed_by_key(d, body->text);
}

/* The file `name` for writing; it is nobody else's. */
static int open_unfinished(const struct download *d, const char *name, char *why, size_t why_cap)
{
    int fd = openat(d->folder_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);

    if (fd < 0)
        snprintf(why, why_cap, "%s/%s cannot be written: %s", d->folder, name, strerror(errno));
    return fd;
}

/* fd becomes closed. */
static bool finish(const struct download *d, int fd, const char *unfinished, const char *name,
                   bool good, char *why, size_t why_cap)
{
    if (close(fd) != 0 && good) {
        snprintf(why, why_cap, "%s/%s cannot be written: %s", d->folder, name, strerror(errno));
        good = false;
    }
    if (!good) {
        unlinkat(d->folder_fd, unfinished, 0);
    } else if (renameat(d->folder_fd, unfinished, d->folder_fd, name) != 0) {
        snprintf(why, why_cap, "%s/%s cannot get its name: %s", d->folder, name, strerror(errno));
        good = false;
    }
    return good;
}

static bool keep_manifest(struct download *d, const struct buf *text)
{
    const char *unfinished = remote_key(&d->remote, d->name, UNFINISHED);
    char why[1024];
    int fd = unfinished != NULL ? open_unfinished(d, unfinished, why, sizeof(why)) : -1;
    bool good = fd >= 0;

    if (good && (ftruncate(fd, 0) != 0 || write(fd, text->text, text->len) != (ssize_t)text->len)) {
        snprintf(why, sizeof(why), "%s/%s cannot be written: %s", d->folder, d->name,
                 strerror(errno));
        good = false;
    }
    if (fd >= 0)
        good = finish(d, fd, unfinished, d->name, good, why, sizeof(why));
    if (good)
        printf("%s/%s\n", d->folder, d->name);
    else if (unfinished != NULL)
        tool_say("%s", why);
    return tool_flush() && good;
}

/* ---- the parts ------------------------------------------------------------------------------- */

/* 1: it is here; 0: nothing is; -1: something else is, or it cannot be read. */
static int is_here(const struct download *d, const struct manifest_part *part, char *why,
                   size_t why_cap)
{
    int fd = openat(d->folder_fd, part->filename, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct digest digest;
    struct stat st;
    int here = -1;

    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || fstat(fd, &st) != 0 ||
        (S_ISREG(st.st_mode) && !digest_file(fd, d->remote.client.peer.stop, &digest)))
        snprintf(why, why_cap, "%s/%s cannot be read: %s", d->folder, part->filename,
                 strerror(errno));
    else if (!S_ISREG(st.st_mode) || memcmp(digest.sha1, part->sha1, sizeof(part->sha1)) != 0)
        snprintf(why, why_cap,
                 "%s/%s is there already, and is not this part of the bundle; remove it", d->folder,
                 part->filename);
    else
        here = 1;
    if (fd >= 0)
        close(fd);
    return here;
}

static bool fetch_part(struct pool_worker *w, void *ctx, uint32_t nr, char *why, size_t why_cap)
{
    struct download *d = ctx;
    const struct manifest_part *part = &d->m.parts[nr];
    struct buf key = {0}, unfinished = {0};
    struct digest digest = {0};
    int here = is_here(d, part, why, why_cap), fd;
    bool good;

    if (here != 0) {
        d->nr_here += here > 0 ? 1 : 0;
        pool_bytes(w, d->m.bundled_bytes / d->m.nr_parts);
        return here > 0;
    }
    buf_printf(&key, "%s%s", d->before, part->filename);
    buf_printf(&unfinished, "%s" UNFINISHED, part->filename);
    fd = open_unfinished(d, unfinished.text, why, why_cap);
    good = fd >= 0 && store_get(&w->bucket, key.text, fd, d->m.bundled_bytes);
    if (fd >= 0 && !good) {
        snprintf(why, why_cap, "%s", w->bucket.result.why);
    } else if (good && !digest_file(fd, d->remote.client.peer.stop, &digest)) {
        snprintf(why, why_cap, "%s/%s cannot be read: %s", d->folder, unfinished.text,
                 strerror(errno));
        good = false;
    } else if (good && memcmp(digest.sha1, part->sha1, sizeof(part->sha1)) != 0) {
        snprintf(why, why_cap,
                 "%s is damaged in the bucket: its digest is not the one in the manifest",
                 key.text);
        good = false;
    }
    if (fd >= 0)
        good = finish(d, fd, unfinished.text, part->filename, good, why, why_cap);
    d->nr_here += good ? 1 : 0;
    pool_bytes(w, digest.size_bytes);
    buf_free(&key);
    buf_free(&unfinished);
    return good;
}

static bool fetch_parts(struct download *d)
{
    const struct pool_plan plan = {.client = &d->remote.client,
                                   .bucket = d->bucket,
                                   .end = d->m.nr_parts,
                                   .all_bytes = d->m.bundled_bytes,
                                   .task = fetch_part,
                                   .ctx = d};
    char why[2048];
    bool good = pool_run(&plan, why, sizeof(why));

    if (!good && *d->remote.client.peer.stop != 0)
        tool_say("interrupted; %u of %u parts are here, and the same command goes on with the "
                 "others",
                 d->nr_here, d->m.nr_parts);
    else if (!good)
        tool_say("%s", why);
    return good;
}

static bool download(void *ctx)
{
    struct download *d = ctx;
    struct store b = {
        .client = &d->remote.client, .name = d->bucket, .http = remote_open(&d->remote)};
    bool good = b.http != NULL;

    d->folder_fd = open(d->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->folder_fd < 0) {
        tool_say("%s cannot be opened: %s", d->folder, strerror(errno));
        good = false;
    }
    good =
        good && fetch_manifest(d, &b) && fetch_parts(d) && keep_manifest(d, &b.result.answer.body);
    if (d->folder_fd >= 0)
        close(d->folder_fd);
    http_close(b.http);
    call_result_free(&b.result);
    return good;
}

int tool_download_bundle(int argc, char **argv)
{
    static const struct remote_tool tool = {.service = REMOTE_S3,
                                            .help = help_text,
                                            .example = example,
                                            .parse = parse,
                                            .work = download};
    static struct download d;
    int status;

    remote_init(&d.remote);
    status = remote_main(&d.remote, &tool, &d, argc, argv);
    remote_free(&d.remote);
    return status;
}

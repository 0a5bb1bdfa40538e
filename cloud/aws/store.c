/* SPDX-License-Identifier: MIT */
#include "cloud/aws/store.h"

#include <stdio.h>
#include <string.h>

#include "cloud/aws/uri.h"
#include "cloud/aws/xml_tree.h"
#include "core/base/text.h"
#include "host/memory.h"
#include "host/hex.h"

/* The sentence's beginning and the path of a request, freed together. */
struct made {
    struct buf what, path;
};

static struct made make(const struct store *b, const char *key, const char *query)
{
    struct made m = {0};

    buf_puts(&m.path, "/");
    uri_encode(&m.path, b->name, strlen(b->name), false);
    if (key != NULL) {
        buf_puts(&m.path, "/");
        uri_encode(&m.path, key, strlen(key), true);
    }
    buf_puts(&m.path, query);
    return m;
}

static bool run(struct store *b, struct made *m, struct call *call)
{
    bool good;

    call->what = m->what.text;
    call->request.path = m->path.text;
    good = client_call(b->client, b->http, call, &b->result);
    buf_free(&m->what);
    buf_free(&m->path);
    return good;
}

bool store_create(struct store *b)
{
    const char *region = b->client->peer.region;
    struct made m = make(b, NULL, "");
    struct buf body = {0};
    char hash[SIGN_SHA256_HEX];
    struct call call = {.request = {.method = "PUT", .to_fd = -1}};
    bool good;

    buf_clear(&body);
    if (strcmp(region, "us-east-1") != 0) /* which is what no word means */
        buf_printf(&body,
                   "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                   "<LocationConstraint>%s</LocationConstraint></CreateBucketConfiguration>",
                   region);
    sign_sha256_hex(body.text, body.len, hash);
    call.request.bytes = body.text;
    call.request.body_bytes = body.len;
    call.request.sha256_hex = hash;
    buf_printf(&m.what, "the bucket %s was not made", b->name);
    good = run(b, &m, &call) || strcmp(b->result.code, "BucketAlreadyOwnedByYou") == 0;
    buf_free(&body);
    return good;
}

bool store_remove(struct store *b)
{
    struct made m = make(b, NULL, "");
    struct call call = {.request = {.method = "DELETE", .to_fd = -1}};

    buf_printf(&m.what, "the bucket %s was not removed", b->name);
    return run(b, &m, &call);
}

/* ---- objects --------------------------------------------------------------------------------- */

static bool has_md5(const struct call *call, const struct http_answer *answer, char *why,
                    size_t why_cap)
{
    const char *md5 = call->believe_ctx;
    uint8_t is_md5[DIGEST_MD5_BYTES];

    if (answer->md5_unknown || !hex_read(answer->etag, is_md5, sizeof(is_md5)) ||
        strcmp(answer->etag, md5) == 0)
        return true;
    snprintf(why, why_cap, "the server says that it has other bytes than were sent: MD5 %s, not %s",
             answer->etag, md5);
    return false;
}

bool store_put(struct store *b, const char *key, int fd, const struct digest *d, const char *acl)
{
    struct made m = make(b, key, "");
    char sha256[2 * DIGEST_SHA256_BYTES + 1], md5[2 * DIGEST_MD5_BYTES + 1], base64[25];
    struct buf md5_header = {0}, acl_header = {0};
    struct call call = {
        .request = {.method = "PUT",
                    .body_fd = fd,
                    .body_bytes = d->size_bytes,
                    .sha256_hex = sha256,
                    .to_fd = -1,
                    .progress = b->progress,
                    .progress_ctx = b->progress_ctx},
        .believe = has_md5,
        .believe_ctx = md5,
    };
    bool good;

    hex_write(d->sha256, sizeof(d->sha256), sha256);
    hex_write(d->md5, sizeof(d->md5), md5);
    digest_base64(d, base64);
    buf_printf(&md5_header, "Content-MD5: %s", base64);
    call.request.headers[0] = md5_header.text;
    call.request.headers[1] = "Content-Type: application/octet-stream";
    if (acl != NULL) {
        buf_printf(&acl_header, "x-amz-acl: %s", acl);
        call.request.headers[2] = acl_header.text;
    }
    buf_printf(&m.what, "%s was not stored in the bucket %s", key, b->name);
    good = run(b, &m, &call);
    buf_free(&md5_header);
    buf_free(&acl_header);
    return good;
}

bool store_get(struct store *b, const char *key, int to_fd, uint64_t max_bytes)
{
    struct made m = make(b, key, "");
    struct call call = {.request = {.method = "GET",
                                    .to_fd = to_fd,
                                    .to_bytes_max = max_bytes,
                                    .progress = b->progress,
                                    .progress_ctx = b->progress_ctx}};

    buf_printf(&m.what, "%s was not fetched from the bucket %s", key, b->name);
    return run(b, &m, &call);
}

bool store_head(struct store *b, const char *key, uint64_t *size_bytes)
{
    struct made m = make(b, key, "");
    struct call call = {.request = {.method = "HEAD", .to_fd = -1}};

    buf_printf(&m.what, "%s was not found in the bucket %s", key, b->name);
    if (!run(b, &m, &call))
        return false;
    *size_bytes = b->result.answer.length_bytes;
    return true;
}

bool store_get_text(struct store *b, const char *key)
{
    return store_get(b, key, -1, 0);
}

bool store_delete(struct store *b, const char *key)
{
    struct made m = make(b, key, "");
    struct call call = {.request = {.method = "DELETE", .to_fd = -1}};

    buf_printf(&m.what, "%s was not removed from the bucket %s", key, b->name);
    return run(b, &m, &call) || strcmp(b->result.code, "NoSuchKey") == 0;
}

/* ---- listings -------------------------------------------------------------------------------- */

/* A server that does not know the prefix lists other keys, too. */
static void tell_key(const struct xml_node *n, const char *prefix,
                     void (*key)(void *ctx, const char *key, const char *etag, uint64_t size_bytes),
                     void *ctx)
{
    const char *size = tree_text(n, "Size"), *etag = tree_text(n, "ETag");
    const char *name = tree_text(n, "Key");
    size_t quoted = etag[0] == '"' ? strlen(etag) - 1 : 0;
    char plain[128];
    uint64_t size_bytes = 0;

    snprintf(plain, sizeof(plain), "%.*s", quoted > 1 ? (int)quoted - 1 : (int)sizeof(plain),
             etag + (quoted > 1 ? 1 : 0));
    if (strncmp(name, prefix, strlen(prefix)) == 0 &&
        text_parse_u64(size, strlen(size), &size_bytes))
        key(ctx, name, plain, size_bytes);
}

/* One page; *token becomes that of the next, "" for none. */
static bool list_page(struct store *b, const char *prefix, struct buf *token, uint32_t *nr,
                      void (*key)(void *ctx, const char *key, const char *etag, uint64_t size),
                      void *ctx)
{
    struct buf query = {0};
    struct made m;
    struct call call = {.request = {.method = "GET", .to_fd = -1}};
    struct arena arena;
    const struct xml_node *root = NULL;

    buf_puts(&query, "?");
    if (token->len > 0) {
        buf_puts(&query, "continuation-token=");
        uri_encode(&query, token->text, token->len, false);
        buf_puts(&query, "&");
    }
    buf_puts(&query, "list-type=2&prefix=");
    uri_encode(&query, prefix, strlen(prefix), false);
    m = make(b, NULL, query.text);
    buf_free(&query);
    buf_printf(&m.what, "the bucket %s was not listed", b->name);
    if (!run(b, &m, &call))
        return false;
    arena_init(&arena, &host_memory);
    root = tree_read(b->result.answer.body.text, b->result.answer.body.len, &arena);
    if (root == NULL || strcmp(root->name, "ListBucketResult") != 0) {
        snprintf(b->result.why, sizeof(b->result.why),
                 "the bucket %s was not listed: %s answers with something else than S3's XML",
                 b->name, b->client->peer.url);
        arena_reset(&arena);
        return false;
    }
    for (const struct xml_node *n = tree_find(root, "Contents"); n != NULL; n = tree_next(n), ++*nr)
        tell_key(n, prefix, key, ctx);
    buf_clear(token);
    if (strcmp(tree_text(root, "IsTruncated"), "true") == 0)
        buf_puts(token, tree_text(root, "NextContinuationToken"));
    arena_reset(&arena);
    return true;
}

bool store_list(struct store *b, const char *prefix, uint32_t keys_max,
                void (*key)(void *ctx, const char *key, const char *etag, uint64_t size_bytes),
                void *ctx)
{
    struct buf token = {0};
    uint32_t nr = 0;
    bool good;

    buf_clear(&token);
    do {
        uint32_t before = nr;

        good = list_page(b, prefix, &token, &nr, key, ctx);
        if (good && token.len > 0 && (nr == before || nr > keys_max)) {
            good = false;
            snprintf(b->result.why, sizeof(b->result.why),
                     "the bucket %s was not listed: more than %u keys begin with \"%s\"", b->name,
                     keys_max, prefix);
        }
    } while (good && token.len > 0);
    buf_free(&token);
    return good;
}

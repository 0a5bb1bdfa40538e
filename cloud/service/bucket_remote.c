/* SPDX-License-Identifier: MIT */
/* Objects of another S3, by path-style addresses; see bucket_remote.h. */
#include "cloud/service/bucket_remote.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cloud/service/files.h"

#define TRIES           3
#define CONNECT_SECONDS 15L
#define SLOW_BYTES_S    1024L /* slower than this ... */
#define SLOW_SECONDS    60L   /* ... for so long is no transfer any more */
#define ERROR_BYTES_MAX 4096  /* kept of an answer that is an error */
#define PIECE_BYTES     262144L

struct transfer {
    CURL *curl;
    struct curl_slist *headers;
    int fd; /* -1: HEAD */
    uint64_t size_bytes, bytes_max;
    bool too_large;
    int write_errno;
    struct buf error; /* the body of an answer that is none */
};

void bucket_remote_prepare(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static size_t on_body(char *bytes, size_t one, size_t len, void *arg)
{
    struct transfer *t = arg;
    long status = 0;

    (void)one;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) {
        size_t room = ERROR_BYTES_MAX - t->error.len;

        buf_add(&t->error, bytes, len < room ? len : room);
        return len;
    }
    if (len > t->bytes_max - t->size_bytes) {
        t->too_large = true;
        return 0;
    }
    if (!write_all(t->fd, bytes, len)) {
        t->write_errno = errno;
        return 0;
    }
    t->size_bytes += len;
    return len;
}

/* S3 wants the body's hash told, and this libcurl signs what it is told but does not tell. */
static bool set_body_hash(struct transfer *t)
{
    char hash[SIGN_SHA256_HEX];
    struct buf line = {0};

    sign_sha256_hex("", 0, hash);
    buf_printf(&line, "x-amz-content-sha256: %s", hash);
    t->headers = curl_slist_append(NULL, line.text);
    buf_free(&line);
    return t->headers && curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, t->headers) == CURLE_OK;
}

static bool set_options(struct transfer *t, const struct config *c, const struct account *account,
                        const char *url)
{
    const struct login *login = account->s3.secret ? &account->s3 : &c->s3;
    struct buf sigv4 = {0};
    bool good;

    buf_printf(&sigv4, "aws:amz:%s:s3", c->s3_region ? c->s3_region : c->region);
    good = set_body_hash(t) && curl_easy_setopt(t->curl, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_AWS_SIGV4, sigv4.text) == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_USERNAME, login->access_key) == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_PASSWORD, login->secret) == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_NOBODY, t->fd < 0 ? 1L : 0L) == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS) == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES_S) == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_LOW_SPEED_TIME, SLOW_SECONDS) == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_BUFFERSIZE, PIECE_BYTES) == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_WRITEDATA, t) == CURLE_OK;
    buf_free(&sigv4);
    return good;
}

/* The text of <Code> in an error of S3, or "". */
static void error_code(const struct buf *body, char *out, size_t cap)
{
    const char *at = body->text ? strstr(body->text, "<Code>") : NULL;
    size_t len = at ? strcspn(at + 6, "<") : 0;

    out[0] = 0;
    if (len == 0 || len >= cap)
        return;
    memcpy(out, at + 6, len);
    out[len] = 0;
}

static enum bucket_result judge(const struct transfer *t, CURLcode result, long status,
                                const char *url, struct buf *why)
{
    char code[64];

    buf_clear(why);
    if (t->too_large) {
        buf_printf(why, "%.300s has more than %llu bytes, which are allowed.", url,
                   (unsigned long long)t->bytes_max);
        return BUCKET_TOO_LARGE;
    }
    if (t->write_errno) {
        buf_printf(why, "What was read from %.300s cannot be stored here: %s.", url,
                   strerror(t->write_errno));
        return BUCKET_FAILED;
    }
    if (result != CURLE_OK) {
        buf_printf(why, "%.300s cannot be read: %s.", url, curl_easy_strerror(result));
        return BUCKET_FAILED;
    }
    if (status == 200)
        return BUCKET_GOOD;
    error_code(&t->error, code, sizeof(code));
    buf_printf(why, "%.300s answers %ld%s%s.", url, status, *code ? " " : "", code);
    return status == 404                    ? BUCKET_MISSING
           : status == 403 || status == 401 ? BUCKET_FORBIDDEN
                                            : BUCKET_FAILED;
}

/* What another try may better: a connection that broke, an answer that says "not now". */
static bool worth_retrying(const struct transfer *t, CURLcode result, long status)
{
    if (t->too_large || t->write_errno)
        return false;
    return result != CURLE_OK || status >= 500 || status == 429;
}

static enum bucket_result transfer(struct transfer *t, const struct config *c,
                                   const struct account *account, const char *url, struct buf *why)
{
    CURLcode result = CURLE_FAILED_INIT;
    long status = 0;

    t->curl = curl_easy_init();
    if (!t->curl || !set_options(t, c, account, url)) {
        curl_easy_cleanup(t->curl);
        curl_slist_free_all(t->headers);
        buf_puts(why, "The service cannot set up a transfer.");
        return BUCKET_FAILED;
    }
    for (unsigned i = 0; i < TRIES; i++) {
        if (i > 0)
            sleep(i);
        t->size_bytes = 0;
        buf_clear(&t->error);
        if (t->fd >= 0 && (ftruncate(t->fd, 0) != 0 || lseek(t->fd, 0, SEEK_SET) != 0)) {
            t->write_errno = errno;
            break;
        }
        result = curl_easy_perform(t->curl);
        curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
        if (!worth_retrying(t, result, status))
            break;
    }
    if (t->fd < 0 && result == CURLE_OK) {
        curl_off_t len = -1;

        curl_easy_getinfo(t->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &len);
        t->size_bytes = len > 0 ? (uint64_t)len : 0;
    }
    curl_easy_cleanup(t->curl);
    curl_slist_free_all(t->headers);
    return judge(t, result, status, url, why);
}

/* The address of an object: what a key holds besides letters, digits and "-._~/" is encoded. */
static void make_url(struct buf *out, const struct config *c, const char *bucket, const char *key)
{
    buf_printf(out, "%s/", c->s3_url);
    uri_encode(out, bucket, strlen(bucket), false);
    buf_puts(out, "/");
    uri_encode(out, key, strlen(key), true);
}

enum bucket_result bucket_remote_head(struct service *svc, const struct account *account,
                                      const char *bucket, const char *key, uint64_t *size_bytes,
                                      struct buf *why)
{
    struct transfer t = {.fd = -1};
    enum bucket_result result;
    struct buf url = {0};

    make_url(&url, &svc->config, bucket, key);
    result = transfer(&t, &svc->config, account, url.text, why);
    *size_bytes = t.size_bytes;
    buf_free(&t.error);
    buf_free(&url);
    return result;
}

enum bucket_result bucket_remote_open(struct service *svc, const struct account *account,
                                      const char *bucket, const char *key, uint64_t bytes_max,
                                      int *fd, uint64_t *size_bytes, struct buf *why)
{
    struct transfer t = {.fd = files_nameless(svc->config.state_dir), .bytes_max = bytes_max};
    enum bucket_result result;
    struct buf url = {0};

    if (t.fd < 0) {
        buf_printf(why, "The service cannot make files in its state: %s.", strerror(errno));
        return BUCKET_FAILED;
    }
    make_url(&url, &svc->config, bucket, key);
    result = transfer(&t, &svc->config, account, url.text, why);
    if (result == BUCKET_GOOD && lseek(t.fd, 0, SEEK_SET) == 0)
        *fd = t.fd;
    else
        close(t.fd);
    *size_bytes = t.size_bytes;
    buf_free(&t.error);
    buf_free(&url);
    return result;
}

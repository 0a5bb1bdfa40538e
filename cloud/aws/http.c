/* SPDX-License-Identifier: MIT */
#include "cloud/aws/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_S 20L
#define STALL_BYTES_S     1024L /* slower than this ... */
#define STALL_TIMEOUT_S   60L   /* ... for so long is no transfer any more */

/* The SHA-256 of no bytes. */
#define SHA256_OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct http {
    const struct http_peer *peer;
    CURL *curl;
    char error[CURL_ERROR_SIZE];
};

/* A request that runs. */
struct going {
    struct http *h;
    const struct http_request *rq;
    struct http_answer *out;
    uint64_t sent_bytes, got_bytes;
    const char *trouble; /* of ours, not of the connection; a static sentence */
};

int64_t http_clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void global_init(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool address_good(const char *url, char *why, size_t why_cap)
{
    CURLU *u = curl_url();
    char *query = NULL, *user = NULL;
    bool good =
        u != NULL && (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0) &&
        curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_QUERY, &query, 0) == CURLUE_NO_QUERY &&
        curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_NO_USER && strchr(url, '#') == NULL;

    if (!good)
        snprintf(why, why_cap,
                 "the address of a service is https://HOST[:PORT] or http://HOST[:PORT], not "
                 "\"%s\"",
                 url);
    curl_free(query);
    curl_free(user);
    curl_url_cleanup(u);
    return good;
}

struct http *http_open(const struct http_peer *peer, char *why, size_t why_cap)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct http *h;

    pthread_once(&once, global_init);
    if (!address_good(peer->url, why, why_cap))
        return NULL;
    h = xalloc(sizeof(*h));
    h->peer = peer;
    h->curl = curl_easy_init();
    if (h->curl == NULL) {
        snprintf(why, why_cap, "out of memory");
        http_close(h);
        return NULL;
    }
    return h;
}

void http_close(struct http *h)
{
    if (h == NULL)
        return;
    curl_easy_cleanup(h->curl);
    free(h);
}

void http_answer_free(struct http_answer *a)
{
    buf_free(&a->body);
}

/* ---- what libcurl calls ---------------------------------------------------------------------- */

static size_t on_read(char *to, size_t size, size_t nr, void *ctx)
{
    struct going *g = ctx;
    const struct http_request *rq = g->rq;
    uint64_t left = rq->body_bytes - g->sent_bytes;
    size_t len = left < size * nr ? (size_t)left : size * nr;
    ssize_t got = (ssize_t)len;

    if (rq->bytes != NULL)
        memcpy(to, (const char *)rq->bytes + g->sent_bytes, len);
    else if (len > 0)
        got = pread(rq->body_fd, to, len, (off_t)g->sent_bytes);
    if (got < 0 || (got == 0 && len > 0)) {
        g->trouble = got < 0 ? "the file could not be read" : "the file became shorter";
        return CURL_READFUNC_ABORT;
    }
    g->sent_bytes += (uint64_t)got;
    return (size_t)got;
}

static int on_seek(void *ctx, curl_off_t off, int origin)
{
    struct going *g = ctx;

    if (origin != SEEK_SET || off < 0 || (uint64_t)off > g->rq->body_bytes)
        return CURL_SEEKFUNC_FAIL;
    g->sent_bytes = (uint64_t)off;
    return CURL_SEEKFUNC_OK;
}

static bool write_file(struct going *g, const char *bytes, size_t len)
{
    if (len > g->rq->to_bytes_max - g->got_bytes) {
        g->out->too_long = true;
        g->trouble = "the answer is longer than it may be";
        return false;
    }
    while (len > 0) {
        ssize_t put = pwrite(g->rq->to_fd, bytes, len, (off_t)g->got_bytes);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            g->trouble = errno == ENOSPC ? "the disk is full" : "the file could not be written";
            return false;
        }
        bytes += put;
        len -= (size_t)put;
        g->got_bytes += (uint64_t)put;
    }
    return true;
}

static size_t on_write(char *bytes, size_t size, size_t nr, void *ctx)
{
    struct going *g = ctx;
    size_t len = size * nr;
    long status = 0;

    curl_easy_getinfo(g->h->curl, CURLINFO_RESPONSE_CODE, &status);
    if (g->rq->to_fd >= 0 && status == 200)
        return write_file(g, bytes, len) ? len : 0;
    if (len > HTTP_ANSWER_BYTES_MAX - g->out->body.len) {
        g->trouble = "the answer is longer than it may be";
        return 0;
    }
    buf_add(&g->out->body, bytes, len);
    return len;
}

/* The value of the header `name` in a line of the answer, or NULL. */
static const char *header_value(char *line, const char *name)
{
    size_t len = strlen(name);
    char *value, *end;

    if (strncasecmp(line, name, len) != 0 || line[len] != ':')
        return NULL;
    value = line + len + 1 + strspn(line + len + 1, " \t\"");
    end = value + strlen(value);
    while (end > value && strchr(" \t\r\n\"", end[-1]) != NULL)
        *--end = '\0';
    return value;
}

static size_t on_header(char *bytes, size_t size, size_t nr, void *ctx)
{
    struct going *g = ctx;
    struct http_answer *out = g->out;
    size_t len = size * nr;
    char line[512];
    const char *value;

    if (len >= sizeof(line))
        return len; /* none of ours is so long */
    memcpy(line, bytes, len);
    line[len] = '\0';
    if (strncmp(line, "HTTP/", 5) == 0) /* the final answer's, after one of "100 Continue" */
        out->etag[0] = out->region[0] = '\0';
    if ((value = header_value(line, "ETag")) != NULL)
        snprintf(out->etag, sizeof(out->etag), "%s", value);
    else if ((value = header_value(line, "x-amz-bucket-region")) != NULL)
        snprintf(out->region, sizeof(out->region), "%s", value);
    else if ((value = header_value(line, "x-amz-server-side-encryption")) != NULL)
        out->md5_unknown = strncmp(value, "aws:kms", 7) == 0;
    return len;
}

static bool stopped(const struct http_peer *peer)
{
    return peer->stop != NULL && *peer->stop != 0;
}

static bool too_late(const struct http_peer *peer)
{
    return peer->until_ms != 0 && http_clock_ms() >= peer->until_ms;
}

static int on_progress(void *ctx, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
                       curl_off_t up)
{
    struct going *g = ctx;
    const struct http_request *rq = g->rq;

    (void)down_all;
    (void)down;
    (void)up_all;
    if (rq->progress != NULL)
        rq->progress(rq->progress_ctx, rq->to_fd >= 0 ? g->got_bytes : (uint64_t)up);
    return stopped(g->h->peer);
}

/* ---- the request ----------------------------------------------------------------------------- */

static struct curl_slist *headers_of(const struct http *h, const struct http_request *rq)
{
    struct curl_slist *list = NULL;
    struct buf line = {0};

    buf_printf(&line, "X-Amz-Content-Sha256: %s",
               rq->sha256_hex != NULL ? rq->sha256_hex : SHA256_OF_NOTHING);
    list = curl_slist_append(list, line.text);
    if (h->peer->token != NULL) {
        buf_clear(&line);
        buf_printf(&line, "X-Amz-Security-Token: %s", h->peer->token);
        list = curl_slist_append(list, line.text);
    }
    for (size_t i = 0; i < HTTP_HEADERS_MAX && rq->headers[i] != NULL; i++)
        list = curl_slist_append(list, rq->headers[i]);
    buf_free(&line);
    return list;
}

static void set_method(CURL *c, const struct http_request *rq)
{
    if (strcmp(rq->method, "PUT") == 0) {
        curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)rq->body_bytes);
    } else if (strcmp(rq->method, "POST") == 0) {
        curl_easy_setopt(c, CURLOPT_POST, 1L);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, rq->bytes);
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->body_bytes);
    } else {
        curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
        if (strcmp(rq->method, "HEAD") == 0)
            curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
        else
            curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, rq->method);
    }
}

static void set_peer(CURL *c, const struct http_peer *peer, const char *url)
{
    struct buf scope = {0};

    buf_printf(&scope, "aws:amz:%s:%s", peer->region, peer->service);
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_AWS_SIGV4, scope.text);
    curl_easy_setopt(c, CURLOPT_USERNAME, peer->access_key);
    curl_easy_setopt(c, CURLOPT_PASSWORD, peer->secret);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L); /* a key may hold "/../" */
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "pvboot/" PVBOOT_VERSION);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, STALL_BYTES_S);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, STALL_TIMEOUT_S);
    curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, 512L * 1024);
    curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 256L * 1024);
    if (peer->until_ms != 0) {
        int64_t left_ms = peer->until_ms - http_clock_ms();

        curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, left_ms > 0 ? (long)left_ms : 1L);
    }
    if (peer->ca_file != NULL)
        curl_easy_setopt(c, CURLOPT_CAINFO, peer->ca_file);
    buf_free(&scope);
}

static void set_callbacks(CURL *c, struct going *g)
{
    curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(c, CURLOPT_READDATA, g);
    curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(c, CURLOPT_SEEKDATA, g);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_write);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, g);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, g);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, g);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, g->h->error);
}

static enum http_failure failure_of(CURLcode code, const struct going *g)
{
    switch (code) {
    case CURLE_OK:
        return HTTP_ANSWERED;
    case CURLE_ABORTED_BY_CALLBACK:
        return g->trouble != NULL ? HTTP_WRONG : HTTP_STOPPED;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        return HTTP_UNREACHED;
    case CURLE_OPERATION_TIMEDOUT:
        return g->trouble != NULL ? HTTP_WRONG : HTTP_BROKEN;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_AGAIN:
        return HTTP_BROKEN;
    default:
        return HTTP_WRONG;
    }
}

static void tell(struct going *g, CURLcode code)
{
    struct http_answer *out = g->out;
    const char *said = g->h->error[0] != '\0' ? g->h->error : curl_easy_strerror(code);

    if (code == CURLE_OPERATION_TIMEDOUT && too_late(g->h->peer))
        g->trouble = "it took too long";
    out->failure = failure_of(code, g);
    if (out->failure == HTTP_ANSWERED) {
        curl_off_t length = -1;

        curl_easy_getinfo(g->h->curl, CURLINFO_RESPONSE_CODE, &out->status);
        curl_easy_getinfo(g->h->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
        out->length_bytes = length > 0 ? (uint64_t)length : 0;
    } else if (g->trouble != NULL)
        snprintf(out->why, sizeof(out->why), "%s", g->trouble);
    else if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
        snprintf(out->why, sizeof(out->why),
                 "%s is not trusted: %s; --cacert names the file of those who are", g->h->peer->url,
                 said);
    else if (out->failure == HTTP_UNREACHED)
        snprintf(out->why, sizeof(out->why), "%s cannot be reached: %s", g->h->peer->url, said);
    else
        snprintf(out->why, sizeof(out->why), "the connection to %s failed: %s", g->h->peer->url,
                 said);
}

void http_do(struct http *h, const struct http_request *rq, struct http_answer *out)
{
    struct going g = {.h = h, .rq = rq, .out = out};
    struct curl_slist *headers = headers_of(h, rq);
    struct buf url = {0};

    buf_clear(&out->body);
    out->failure = HTTP_WRONG;
    out->status = 0;
    out->too_long = false;
    out->length_bytes = 0;
    out->etag[0] = out->region[0] = out->why[0] = '\0';
    out->md5_unknown = false;
    if (rq->to_fd >= 0 && ftruncate(rq->to_fd, 0) != 0) {
        snprintf(out->why, sizeof(out->why), "the file could not be emptied");
        curl_slist_free_all(headers);
        return;
    }
    h->error[0] = '\0';
    buf_printf(&url, "%s%s", h->peer->url, rq->path);
    curl_easy_reset(h->curl); /* keeps the connection */
    set_peer(h->curl, h->peer, url.text);
    set_callbacks(h->curl, &g);
    set_method(h->curl, rq);
    curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
    if (stopped(h->peer))
        tell(&g, CURLE_ABORTED_BY_CALLBACK);
    else
        tell(&g, too_late(h->peer) ? CURLE_OPERATION_TIMEDOUT : curl_easy_perform(h->curl));
    curl_slist_free_all(headers);
    buf_free(&url);
}

/* SPDX-License-Identifier: MIT */
/* libmicrohttpd around the APIs; see http.h. */
#include "cloud/service/http.h"
#include "cloud/service/ec2_cache.h"
#include "cloud/service/http_slow.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/base/text.h"

#define HEADER_BYTES_MAX (64 << 10) /* of a connection: request line and headers */

/* A body that nobody wants is read and dropped up to here, so that the client hears the answer. */
#define DROP_BYTES_MAX (16 << 20)

#define DOCUMENT_BYTES_MAX (4 << 20) /* XML of the bucket store */

/* How long requests that run have to end when the service is stopped. */
#define STOP_SECONDS_MAX 10

struct http {
    struct MHD_Daemon *daemon;
    struct service *svc;
    struct slow *slow;
    char *certificate, *key;
};

static void request_id(char out[37])
{
    char hex[33];

    random_hex(hex, 16);
    hex[12] = '4'; /* a version 4 UUID */
    hex[16] = "89ab"[(unsigned char)hex[16] & 3];
    snprintf(out, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static void note_remote(struct request *r, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    if (info && info->client_addr)
        getnameinfo(info->client_addr,
                    info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                             : sizeof(struct sockaddr_in),
                    r->remote, sizeof(r->remote), NULL, 0, NI_NUMERICHOST);
}

static void end_request(struct request *r, bool sent)
{
    struct timespec now;
    uint64_t microseconds;

    s3_drop(r);
    clock_gettime(CLOCK_MONOTONIC, &now);
    microseconds = (uint64_t)((now.tv_sec - r->begun.tv_sec) * 1000000 +
                              (now.tv_nsec - r->begun.tv_nsec) / 1000);
    log_request(r, microseconds, sent);
    metrics_request(&r->svc->metrics, r->api, r->action_known ? r->action : "", r->status,
                    microseconds, r->body_bytes, r->reply_fd >= 0 ? r->reply_len : r->reply.len);
    if (r->method) /* it was begun */
        r->svc->metrics.in_flight--;
    uri_pairs_free(&r->parameters);
    for (size_t i = 0; i < r->nr_reply_headers; i++) {
        free(r->reply_header[i][0]);
        free(r->reply_header[i][1]);
    }
    buf_free(&r->body);
    shared_drop(r->reply_shared);
    buf_free(&r->reply);
    free(r->path);
    free(r->query);
    free(r);
}

/* The library ended the connection and not its request; what it lent to it is gone. */
static void end_lost(void **kept)
{
    struct request *r = kept ? *kept : NULL;

    if (!r)
        return;
    if (r->method)
        r->method = "";
    end_request(r, false);
    *kept = NULL;
}

/*
 * The first that is known of a request: its line as it came. Where the library runs out of memory
 * for its headers it may end the connection and not the request, so the connection keeps it, too.
 */
static void *on_line(void *arg, const char *uri, struct MHD_Connection *connection)
{
    struct request *r = xalloc(sizeof(*r));
    size_t path_len = strcspn(uri, "?");
    void **kept = slow_kept(connection);

    end_lost(kept);
    if (kept)
        *kept = r;
    r->svc = ((struct http *)arg)->svc;
    clock_gettime(CLOCK_MONOTONIC, &r->begun);
    request_id(r->id);
    r->path = xstrdup(uri);
    r->path[path_len] = 0;
    r->query = xstrdup(uri[path_len] ? uri + path_len + 1 : "");
    r->reply_fd = -1;
    /* We read the query ourselves. The library, whose buffer this is, would make a record of each
     * parameter, and hang up without an answer when these fill its memory: it sees an empty one. */
    if (uri[path_len])
        ((char *)uri)[path_len + 1] = 0;
    note_remote(r, connection);
    return r;
}

static enum MHD_Result on_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                 size_t name_len, const char *value, size_t value_len)
{
    struct request *r = arg;

    (void)kind;
    if (r->nr_headers == SIGN_HEADERS_MAX) {
        reply_error(r, 400, "RequestHeaderSectionTooLarge", "The request has more than %d headers.",
                    SIGN_HEADERS_MAX);
        return MHD_NO;
    }
    if (strlen(name) != name_len || (value && strlen(value) != value_len)) {
        reply_error(r, 400, "InvalidRequest", "A header holds a NUL.");
        return MHD_NO;
    }
    r->headers[r->nr_headers++] = (struct sign_header){name, value ? value : ""};
    return MHD_YES;
}

/*
 * Load balancers, monitoring and makers of bundles ask here; no signature, and nothing about
 * anybody in it.
 */
static void own_pages(struct request *r)
{
    bool get = strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0;

    if (strcmp(r->path, "/healthz") == 0 && get) {
        sqlite3 *c = db_reader(r->svc->db);
        bool good = db_number(c, -1, "SELECT count(*) FROM usage", "") >= 0;

        db_done(r->svc->db, c);
        buf_puts(&r->reply, good ? "ok\n" : "the state cannot be read\n");
        reply_done(r, good ? 200 : 503, "text/plain");
    } else if (strcmp(r->path, "/metrics") == 0 && get) {
        sqlite3 *c = db_reader(r->svc->db);

        metrics_write(&r->svc->metrics, &r->reply);
        metrics_write_state(c, &r->reply);
        db_done(r->svc->db, c);
        reply_done(r, 200, "text/plain; version=0.0.4");
    } else if (strcmp(r->path, "/cert-ec2.pem") == 0 && get) {
        buf_puts(&r->reply, r->svc->identity.certificate.text);
        reply_done(r, 200, "application/x-pem-file");
    }
}

/*
 * The two APIs share a port. The Query API is a POST to "/" or a GET of it with an Action; S3 has
 * neither.
 */
static enum api which_api(const struct request *r)
{
    if (strcmp(r->path, "/") != 0 && *r->path)
        return API_S3;
    if (strcmp(r->method, "POST") == 0 || uri_pairs_get(&r->parameters, "Action"))
        return API_EC2;
    return API_S3;
}

/* A document that names 10,000 parts with their checksums fits, however small forms may be. */
static uint64_t body_bytes_max(const struct request *r)
{
    uint64_t max = r->svc->config.form_bytes_max;

    return r->api == API_S3 && max < DOCUMENT_BYTES_MAX ? DOCUMENT_BYTES_MAX : max;
}

static void body_too_large(struct request *r)
{
    /* Not EC2's RequestLimitExceeded: clients wait after it and send the same again. */
    reply_error(r, 413, r->api == API_EC2 ? "RequestEntityTooLarge" : "EntityTooLarge",
                "The request is larger than %llu bytes.", (unsigned long long)body_bytes_max(r));
}

static void begin(struct request *r, struct MHD_Connection *connection, const char *method,
                  const char *version)
{
    const char *mistake, *length;
    uint64_t announced;

    r->method = method;
    r->svc->metrics.in_flight++;
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, on_header, r);
    mistake = http_frame_mistake(r, version);
    if (mistake)
        reply_error(r, 400, "InvalidRequest", "%s", mistake);
    r->close = r->status != 0;
    if (r->status == 0)
        own_pages(r);
    if (r->status != 0)
        return;
    if (!uri_pairs_parse(r->query, &r->parameters)) {
        r->api = API_S3;
        reply_error(r, 400, "InvalidURI",
                    "The query string has a broken %%-escape, a NUL, or too many parameters.");
        return;
    }
    r->api = which_api(r);
    if (r->api == API_EC2)
        ec2_begin(r);
    else
        s3_begin(r);
    length = request_header(r, "Content-Length");
    if (!r->file && length && text_parse_u64(length, strlen(length), &announced) &&
        announced > body_bytes_max(r))
        body_too_large(r);
}

static void body(struct request *r, const char *bytes, size_t len)
{
    r->body_bytes += len;
    if (r->status != 0)
        return;
    if (r->file) {
        s3_body(r, bytes, len);
    } else if (len > body_bytes_max(r) - r->body.len) {
        body_too_large(r);
    } else {
        buf_add(&r->body, bytes, len);
    }
}

/* What goes out after the request is gone. */
struct outgoing {
    char *head;
    struct shared_bytes *shared;
};

static void free_outgoing(void *arg)
{
    struct outgoing *o = arg;

    free(o->head);
    shared_drop(o->shared);
    free(o);
}

/* The answer's own bytes and those that it shares: neither is copied. */
static struct MHD_Response *shared_response(struct request *r)
{
    struct outgoing *o = xalloc(sizeof(*o));
    const struct MHD_IoVec parts[] = {
        {r->reply.text, r->reply.len},
        {shared_text(r->reply_shared), shared_len(r->reply_shared)},
    };
    struct MHD_Response *response;

    *o = (struct outgoing){r->reply.text, r->reply_shared};
    r->reply.text = NULL;
    r->reply.len += shared_len(r->reply_shared); /* for the log */
    r->reply_shared = NULL;
    response = MHD_create_response_from_iovec(parts, 2, free_outgoing, o);
    if (!response)
        free_outgoing(o);
    return response;
}

static struct MHD_Response *own_response(struct request *r)
{
    struct MHD_Response *response;

    if (r->reply.len == 0)
        return MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
    response = MHD_create_response_from_buffer(r->reply.len, r->reply.text, MHD_RESPMEM_MUST_FREE);
    if (response)
        r->reply.text = NULL; /* the length stays, for the log */
    return response;
}

static enum MHD_Result answer(struct request *r, struct MHD_Connection *connection)
{
    struct MHD_Response *response;
    enum MHD_Result result;

    /* What a client is told of is over: nothing of it stands in the way of what comes next. */
    s3_drop(r);
    r->answered = true;
    if (r->reply_fd >= 0)
        response =
            MHD_create_response_from_fd_at_offset64(r->reply_len, r->reply_fd, r->reply_offset);
    else
        response = r->reply_shared ? shared_response(r) : own_response(r);
    if (!response)
        return MHD_NO;
    if (r->reply_type && r->status != 204)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, r->reply_type);
    MHD_add_response_header(response, "x-amz-request-id", r->id);
    MHD_add_response_header(response, MHD_HTTP_HEADER_SERVER, "pvbootd");
    if (r->close)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    for (size_t i = 0; i < r->nr_reply_headers; i++)
        MHD_add_response_header(response, r->reply_header[i][0], r->reply_header[i][1]);
    result = MHD_queue_response(connection, r->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Must the answer go out before the body has come? The connection ends with it, then. */
static bool answer_early(const struct request *r)
{
    const char *length = request_header(r, "Content-Length");

    if (r->status == 0)
        return false;
    return r->close || request_header(r, "Expect") != NULL ||
           (length && strtoull(length, NULL, 10) > DROP_BYTES_MAX);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_len, void **state)
{
    struct request *r = *state;
    struct http *h = arg;

    (void)url;
    if (!r->method) {
        slow_wait(h->slow, connection);
        begin(r, connection, method, version);
        return answer_early(r) ? answer(r, connection) : MHD_YES;
    }
    if (*upload_len > 0) {
        slow_got(h->slow, connection, *upload_len);
        body(r, upload, *upload_len);
        *upload_len = 0;
        /* A body without an announced end is not read for ever. */
        return r->status != 0 && r->body_bytes > DROP_BYTES_MAX && !r->file ? MHD_NO : MHD_YES;
    }
    slow_rest(h->slow, connection);
    if (r->status == 0 && r->api == API_EC2)
        ec2_end(r);
    else if (r->status == 0)
        s3_end(r);
    return answer(r, connection);
}

static void on_end(void *arg, struct MHD_Connection *connection, void **state,
                   enum MHD_RequestTerminationCode code)
{
    void **kept = slow_kept(connection);

    slow_wait(((struct http *)arg)->slow, connection);
    if (!*state)
        return;
    end_request(*state, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    *state = NULL;
    if (kept)
        *kept = NULL;
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_CLOSED)
        end_lost(slow_kept(connection));
    slow_connection(((struct http *)arg)->slow, connection, context, code);
}

static void on_log(void *arg, const char *fmt, va_list ap)
{
    (void)arg;
    fputs("pvbootd: http: ", stderr);
    vfprintf(stderr, fmt, ap);
}

static char *read_pem(const char *path, struct buf *why)
{
    struct buf text = {0};
    char piece[4096];
    FILE *f = fopen(path, "re");
    size_t len;

    if (!f) {
        buf_printf(why, "%s: %s", path, strerror(errno));
        return NULL;
    }
    buf_clear(&text);
    while (text.len < 1 << 20 && (len = fread(piece, 1, sizeof(piece), f)) > 0)
        buf_add(&text, piece, len);
    fclose(f);
    return text.text;
}

static bool find_address(const struct config *c, struct addrinfo **out, struct buf *why)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                                   .ai_socktype = SOCK_STREAM};
    char port[8], *address = xstrdup(c->address + (c->address[0] == '['));
    int status;

    address[strcspn(address, "]")] = 0;
    snprintf(port, sizeof(port), "%u", c->port);
    status = getaddrinfo(address, port, &hints, out);
    free(address);
    if (status == 0)
        return true;
    buf_printf(why, "listen: \"%s\" is no address of a machine: %s", c->address,
               gai_strerror(status));
    return false;
}

static struct MHD_Daemon *start(struct http *h, const struct addrinfo *at)
{
    const struct config *c = &h->svc->config;
    /* Not with epoll: the library asks it for edges, and misses a client's end behind a full read.
     */
    unsigned flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_ERROR_LOG;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, h->certificate},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, h->key},
        {MHD_OPTION_END, 0, NULL},
    };

    if (h->key)
        flags |= MHD_USE_TLS;
    else
        tls[0] = tls[2];
    if (at->ai_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    return MHD_start_daemon(
        flags, (uint16_t)c->port, NULL, NULL, on_request, h, MHD_OPTION_EXTERNAL_LOGGER, on_log,
        NULL, MHD_OPTION_SOCK_ADDR, at->ai_addr, MHD_OPTION_URI_LOG_CALLBACK, on_line, h,
        MHD_OPTION_NOTIFY_COMPLETED, on_end, h, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
        MHD_OPTION_THREAD_POOL_SIZE, c->threads, MHD_OPTION_CONNECTION_LIMIT, c->connections_max,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, c->connections_per_address_max,
        MHD_OPTION_CONNECTION_TIMEOUT, c->idle_timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HEADER_BYTES_MAX, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

bool http_check(const struct config *c, struct buf *why)
{
    struct addrinfo *at = NULL;
    bool good = find_address(c, &at, why);

    if (at)
        freeaddrinfo(at);
    return good;
}

struct http *http_start(struct service *svc, struct buf *why)
{
    const struct config *c = &svc->config;
    struct http *h = xalloc(sizeof(*h));
    struct addrinfo *at = NULL;

    h->svc = svc;
    h->slow = slow_start(c->idle_timeout_s);
    if (!h->slow)
        buf_puts(why, "no thread can be made");
    else if (find_address(c, &at, why) &&
             (!c->tls_key || ((h->certificate = read_pem(c->tls_certificate, why)) &&
                              (h->key = read_pem(c->tls_key, why))))) {
        h->daemon = start(h, at);
        if (!h->daemon)
            buf_printf(why, "cannot listen on %s:%u: %s", c->address, c->port, strerror(errno));
    }
    if (at)
        freeaddrinfo(at);
    if (h->daemon)
        return h;
    http_stop(h);
    return NULL;
}

unsigned http_port(const struct http *h)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT);

    return info ? info->port : 0;
}

void http_stop(struct http *h)
{
    if (h->daemon) {
        MHD_socket listening = MHD_quiesce_daemon(h->daemon);

        if (listening != MHD_INVALID_SOCKET)
            close(listening);
        for (unsigned i = 0; i < STOP_SECONDS_MAX * 100 && h->svc->metrics.in_flight > 0; i++)
            usleep(10000);
        MHD_stop_daemon(h->daemon);
    }
    slow_stop(h->slow);
    if (h->key)
        OPENSSL_cleanse(h->key, strlen(h->key));
    free(h->certificate);
    free(h->key);
    free(h);
}

/* SPDX-License-Identifier: MIT */
/*
 * Sends one HTTP request again and again over kept connections, and counts the answers.
 *
 *   cloud_load PORT CONNECTIONS SECONDS REQUEST-FILE
 *
 * Writes one line: answers, seconds, answers that were not 200, bytes, and the 50th, 99th and last
 * hundredth of the time to an answer in milliseconds. Each connection has one request under way.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024
#define HEAD_BYTES_MAX  8192
#define TIMES_MAX       (1 << 20)

struct connection {
    int fd;
    char head[HEAD_BYTES_MAX];
    size_t head_len;
    uint64_t left; /* of the body; UINT64_MAX while the head is read */
    double begun_s;
};

static char request[65536];
static size_t request_len;
static uint64_t answers, refused, bytes;
static double times_s[TIMES_MAX];
static char sink[1 << 18];

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what)
{
    fprintf(stderr, "cloud_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* The request is small and the socket empty: it goes out whole. */
static void ask(struct connection *c)
{
    c->head_len = 0;
    c->left = UINT64_MAX;
    c->begun_s = now_s();
    if (send(c->fd, request, request_len, MSG_NOSIGNAL) != (ssize_t)request_len)
        fail("send");
}

/* Does the head end in what has come? Its length, or 0. */
static size_t head_end(struct connection *c)
{
    char *end;

    c->head[c->head_len] = 0;
    end = strstr(c->head, "\r\n\r\n");
    return end ? (size_t)(end - c->head) + 4 : 0;
}

static void take_head(struct connection *c, size_t end)
{
    char *length = strcasestr(c->head, "\r\ncontent-length:");

    if (!length) {
        errno = EPROTO;
        fail("an answer without a length");
    }
    if (strncmp(c->head, "HTTP/1.1 200 ", 13) != 0 && refused++ == 0)
        fprintf(stderr, "%s\n", c->head);
    c->left = strtoull(length + 17, NULL, 10) - (c->head_len - end);
}

/* What there is to read. */
static void serve(struct connection *c)
{
    ssize_t len;

    for (;;) {
        if (c->left == UINT64_MAX) {
            len = recv(c->fd, c->head + c->head_len, HEAD_BYTES_MAX - 1 - c->head_len, 0);
            if (len > 0) {
                size_t end;

                c->head_len += (size_t)len;
                bytes += (uint64_t)len;
                end = head_end(c);
                if (end > 0)
                    take_head(c, end);
            }
        } else {
            len = recv(c->fd, sink, c->left < sizeof(sink) ? (size_t)c->left : sizeof(sink), 0);
            if (len > 0) {
                c->left -= (uint64_t)len;
                bytes += (uint64_t)len;
            }
        }
        if (len < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (len <= 0)
            fail("the connection ended");
        if (c->left == 0) {
            if (answers < TIMES_MAX)
                times_s[answers] = now_s() - c->begun_s;
            answers++;
            ask(c);
        }
    }
}

static void open_one(struct connection *c, unsigned port, int events)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
        fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0 ||
        epoll_ctl(events, EPOLL_CTL_ADD, c->fd, &event) != 0)
        fail("connect");
    ask(c);
}

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static struct connection connections[CONNECTIONS_MAX];
    struct epoll_event ready[64];
    double begun_s, seconds;
    int events = epoll_create1(0), nr = argc == 5 ? atoi(argv[2]) : 0;
    size_t kept;
    FILE *f;

    if (nr < 1 || nr > CONNECTIONS_MAX || !(f = fopen(argv[4], "r"))) {
        fputs("usage: cloud_load PORT CONNECTIONS SECONDS REQUEST-FILE\n", stderr);
        return 1;
    }
    request_len = fread(request, 1, sizeof(request), f);
    fclose(f);
    seconds = atof(argv[3]);
    begun_s = now_s();
    for (int i = 0; i < nr; i++)
        open_one(&connections[i], (unsigned)atoi(argv[1]), events);
    while (now_s() - begun_s < seconds) {
        int got = epoll_wait(events, ready, 64, 100);

        for (int i = 0; i < got; i++)
            serve(ready[i].data.ptr);
    }
    seconds = now_s() - begun_s;
    kept = answers < TIMES_MAX ? answers : TIMES_MAX;
    qsort(times_s, kept, sizeof(times_s[0]), by_time);
    printf("%llu %.3f %llu %llu %.1f %.1f %.1f\n", (unsigned long long)answers, seconds,
           (unsigned long long)refused, (unsigned long long)bytes,
           kept ? times_s[kept / 2] * 1e3 : 0, kept ? times_s[kept * 99 / 100] * 1e3 : 0,
           kept ? times_s[kept - 1] * 1e3 : 0);
    return 0;
}

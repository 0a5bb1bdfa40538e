/* SPDX-License-Identifier: MIT */
/*
 * One line a request on standard output, as text or as JSON. The query is not part of it: it may
 * hold a signature, and that of a presigned address is as good as a password until it expires.
 */
#include "cloud/service/http.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static uint64_t bytes_out(const struct request *r)
{
    if (r->method && strcmp(r->method, "HEAD") == 0)
        return 0;
    return r->reply_fd >= 0 ? r->reply_len : r->reply.len;
}

static void add_text(struct buf *line, bool json, const char *name, const char *value)
{
    if (json) {
        buf_printf(line, ",\"%s\":", name);
        buf_json(line, value, strlen(value));
    } else if (!*value) {
        buf_printf(line, " %s=-", name);
    } else if (value[strcspn(value, " \"\\=\t")] ||
               strlen(value) != strspn(value, "!#$%&'()*+,-./"
                                              "0123456789:;<>?@"
                                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`"
                                              "abcdefghijklmnopqrstuvwxyz{|}~")) {
        buf_printf(line, " %s=", name);
        buf_json(line, value, strlen(value));
    } else {
        buf_printf(line, " %s=%s", name, value);
    }
}

static void add_number(struct buf *line, bool json, const char *name, uint64_t value)
{
    buf_printf(line, json ? ",\"%s\":%llu" : " %s=%llu", name, (unsigned long long)value);
}

void log_request(const struct request *r, uint64_t microseconds, bool sent)
{
    static const char *const apis[] = {"", "ec2", "s3"};
    bool json = r->svc->config.log_json;
    struct buf line = {0};
    struct timespec now;
    char second[32]; /* 2026-01-31T23:59:59.000Z, whose milliseconds follow */

    clock_gettime(CLOCK_REALTIME, &now);
    iso_time(now.tv_sec, second);
    second[strcspn(second, ".")] = 0;
    buf_printf(&line, json ? "{\"time\":\"%s.%03uZ\"" : "%s.%03uZ", second,
               (unsigned)(now.tv_nsec / 1000000));
    add_text(&line, json, "id", r->id);
    add_text(&line, json, "remote", r->remote);
    add_text(&line, json, "account", r->account ? r->account->id : "");
    add_text(&line, json, "api", apis[r->api]);
    add_text(&line, json, "action", r->action);
    add_text(&line, json, "method", r->method ? r->method : "");
    add_text(&line, json, "path", r->path);
    add_number(&line, json, "status", r->status);
    add_text(&line, json, "code", r->code);
    add_number(&line, json, "in", r->body_bytes);
    add_number(&line, json, "out", bytes_out(r));
    add_number(&line, json, "us", microseconds);
    if (!sent)
        add_text(&line, json, "note", "the client went away");
    buf_puts(&line, json ? "}\n" : "\n");
    /* One write, so that lines of two threads do not mix. */
    if (write(STDOUT_FILENO, line.text, line.len) < 0)
        r->svc->metrics.log_failures++; /* a log that is gone stops nothing */
    buf_free(&line);
}

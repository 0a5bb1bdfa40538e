/* SPDX-License-Identifier: MIT */
/* The HTTP server: hands requests to the APIs, sends their answers, writes the log's lines. */
#ifndef PVBOOT_CLOUD_SERVICE_HTTP_H
#define PVBOOT_CLOUD_SERVICE_HTTP_H

#include "cloud/service/request.h"

struct http;

/* Starts to listen; NULL: `why` holds one sentence. */
struct http *http_start(struct service *svc, struct buf *why);

/* Whether the address is such that it could; otherwise `why` says it. The files of TLS are looked
 * at with the configuration. */
bool http_check(const struct config *c, struct buf *why);

/* The port that it listens on (the configured one may be 0: any). */
unsigned http_port(const struct http *h);

/* Takes no new requests, lets the running ones end. */
void http_stop(struct http *h);

/* What is wrong with the framing of a request, or NULL. */
const char *http_frame_mistake(const struct request *r, const char *version);

/* The line of the log that a request leaves. */
void log_request(const struct request *r, uint64_t microseconds, bool sent);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Calls of a service: a request that is tried again while that may help, and an answer that is
 * either good or one sentence.
 *
 * Tried again, with growing pauses, is what a network or a busy server does: no connection, one
 * that breaks, 408, 429, 5xx, SlowDown and the like. What a server refuses is not.
 */
#ifndef PVBOOT_CLOUD_AWS_CLIENT_H
#define PVBOOT_CLOUD_AWS_CLIENT_H

#include "cloud/aws/http.h"
#include "cloud/aws/xml_tree.h"
#include "core/base/arena.h"

#define CLIENT_RETRIES     5u
#define CLIENT_RETRIES_MAX 100u

struct client {
    struct http_peer peer;
    unsigned retries;
    /* Told of each failure that is followed by another try; may be NULL. Any thread calls it. */
    void (*again)(const char *what, const char *why, unsigned pause_ms);
};

struct call {
    const char *what; /* begins the sentence: "disk.part.3 was not stored" */
    struct http_request request;
    bool once; /* not tried again when it may have happened */
    /* May the answer be believed? NULL: any of status 2xx may. False: `why` says why not; it is
     * tried again. */
    bool (*believe)(const struct call *call, const struct http_answer *answer, char *why,
                    size_t why_cap);
    const void *believe_ctx;
};

struct call_result {
    struct http_answer answer;
    char code[64]; /* the server's word for what is wrong; "" for none */
    char why[2048];
    unsigned nr_tries;
};

/* False: out->why is the sentence. *out is zeroed or was used before. */
bool client_call(const struct client *c, struct http *h, const struct call *call,
                 struct call_result *out);
void call_result_free(struct call_result *r);

/* A wait that `stop` ends; false when it did. */
bool client_pause(const struct client *c, unsigned ms);

/* One call of the Query API: the form that it sends, and the answer as a tree in the arena. */
void query_begin(struct buf *form, const char *action);
void query_add(struct buf *form, const char *name, const char *value); /* NULL: nothing */
const struct xml_node *query_call(const struct client *c, struct http *h, const char *what,
                                  const struct buf *form, bool once, struct call_result *out,
                                  struct arena *a);

#endif

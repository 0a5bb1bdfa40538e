/* SPDX-License-Identifier: MIT */
#include "cloud/aws/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "cloud/aws/uri.h"
#include "cloud/aws/xml_tree.h"
#include "core/base/bytes.h"
#include "host/memory.h"

#define PAUSE_FIRST_MS 500u
#define PAUSE_MAX_MS   20000u
#define PAUSE_STEP_MS  100u

void call_result_free(struct call_result *r)
{
    http_answer_free(&r->answer);
}

bool client_pause(const struct client *c, unsigned ms)
{
    const stop_flag *stop = c->peer.stop;

    while (ms > 0 && (stop == NULL || *stop == 0)) {
        unsigned step_ms = ms < PAUSE_STEP_MS ? ms : PAUSE_STEP_MS;
        struct timespec step = {.tv_nsec = (long)step_ms * 1000000};

        nanosleep(&step, NULL);
        ms -= step_ms;
    }
    return stop == NULL || *stop == 0;
}

/* Doubles with each try; the last half is left to chance, so that many clients do not come back
 * together. */
static unsigned pause_ms(unsigned nr_tries)
{
    unsigned ms = PAUSE_MAX_MS, chance = 0;

    if (nr_tries < 6)
        ms = PAUSE_FIRST_MS << (nr_tries - 1);
    if (getrandom(&chance, sizeof(chance), 0) != (ssize_t)sizeof(chance))
        chance = 0;
    return ms / 2 + chance % (ms / 2 + 1);
}

/* ---- what the server says -------------------------------------------------------------------- */

/* The code and the message of S3's and of EC2's errors. */
static void read_error(struct call_result *out)
{
    const struct http_answer *answer = &out->answer;
    struct arena arena;
    const struct xml_node *root, *error;
    const char *message;

    arena_init(&arena, &host_memory);
    root = answer->body.len > 0 ? tree_read(answer->body.text, answer->body.len, &arena) : NULL;
    error =
        root != NULL && strcmp(root->name, "Error") == 0 ? root : tree_find(root, "Errors/Error");
    message = tree_text(error, "Message");
    snprintf(out->code, sizeof(out->code), "%s", tree_text(error, "Code"));
    if (out->code[0] != '\0')
        snprintf(out->why, sizeof(out->why), "%s%s%s", out->code, *message != '\0' ? ": " : "",
                 message);
    else
        snprintf(out->why, sizeof(out->why),
                 "the server answers with status %ld and gives no "
                 "reason",
                 answer->status);
    if (answer->region[0] != '\0' && answer->status == 301)
        snprintf(out->why, sizeof(out->why), "%s: the bucket lies in %s", out->code,
                 answer->region);
    arena_reset(&arena);
}

static bool busy(const struct call_result *r)
{
    static const char *const codes[] = {"SlowDown",      "RequestTimeout", "RequestLimitExceeded",
                                        "InternalError", "Throttling",     "ServiceUnavailable"};
    long status = r->answer.status;

    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (strcmp(r->code, codes[i]) == 0)
            return true;
    }
    return status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
}

/* Was it refused before anything was done? */
static bool untouched(const struct call_result *r)
{
    return r->answer.failure == HTTP_UNREACHED || r->answer.status == 503 ||
           r->answer.status == 429;
}

/* One try: true when it is good. *again: another one may be. */
static bool try(struct http *h, const struct call *call, struct call_result *out, bool *again)
{
    struct http_answer *answer = &out->answer;

    *again = false;
    out->code[0] = out->why[0] = '\0';
    http_do(h, &call->request, answer);
    if (answer->failure != HTTP_ANSWERED) {
        snprintf(out->why, sizeof(out->why), "%s",
                 answer->failure == HTTP_STOPPED ? "interrupted" : answer->why);
        *again =
            answer->failure == HTTP_UNREACHED || (answer->failure == HTTP_BROKEN && !call->once);
        return false;
    }
    if (answer->status / 100 == 2) {
        if (call->believe == NULL || call->believe(call, answer, out->why, sizeof(out->why)))
            return true;
        *again = !call->once;
        return false;
    }
    read_error(out);
    *again = busy(out) && (!call->once || untouched(out));
    return false;
}

bool client_call(const struct client *c, struct http *h, const struct call *call,
                 struct call_result *out)
{
    char reason[sizeof(out->why)];
    bool again;

    for (out->nr_tries = 1;; out->nr_tries++) {
        unsigned ms = pause_ms(out->nr_tries);

        if (try(h, call, out, &again))
            return true;
        if (!again || out->nr_tries > c->retries)
            break;
        if (c->again != NULL)
            c->again(call->what, out->why, ms);
        if (!client_pause(c, ms)) {
            out->answer.failure = HTTP_STOPPED;
            snprintf(out->why, sizeof(out->why), "interrupted");
            break;
        }
    }
    memcpy(reason, out->why, sizeof(reason));
    snprintf(out->why, sizeof(out->why), "%s: %.1500s", call->what, reason);
    if (call->once && out->answer.failure == HTTP_BROKEN)
        snprintf(out->why + strlen(out->why), sizeof(out->why) - strlen(out->why),
                 "; whether it was done all the same is not known");
    if (out->nr_tries > 1)
        snprintf(out->why + strlen(out->why), sizeof(out->why) - strlen(out->why),
                 " (tried %u times)", out->nr_tries);
    return false;
}

/* ---- the Query API --------------------------------------------------------------------------- */

#define QUERY_VERSION "2016-11-15"

void query_begin(struct buf *form, const char *action)
{
    buf_clear(form);
    query_add(form, "Action", action);
    query_add(form, "Version", QUERY_VERSION);
}

void query_add(struct buf *form, const char *name, const char *value)
{
    if (value == NULL)
        return;
    if (form->len > 0)
        buf_puts(form, "&");
    uri_encode(form, name, strlen(name), false);
    buf_puts(form, "=");
    uri_encode(form, value, strlen(value), false);
}

const struct xml_node *query_call(const struct client *c, struct http *h, const char *what,
                                  const struct buf *form, bool once, struct call_result *out,
                                  struct arena *a)
{
    char hash[SIGN_SHA256_HEX];
    struct call call = {
        .what = what,
        .request = {.method = "POST",
                    .path = "/",
                    .headers = {"Content-Type: application/x-www-form-urlencoded; charset=utf-8"},
                    .bytes = form->text,
                    .body_bytes = form->len,
                    .sha256_hex = hash,
                    .to_fd = -1},
        .once = once,
    };
    const struct xml_node *root;

    sign_sha256_hex(form->text, form->len, hash);
    if (!client_call(c, h, &call, out))
        return NULL;
    root = tree_read(out->answer.body.text, out->answer.body.len, a);
    if (root == NULL)
        snprintf(out->why, sizeof(out->why),
                 "%s: %s answers with something else than EC2's XML; is it the address of the API?",
                 what, c->peer.url);
    return root;
}

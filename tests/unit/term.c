/* SPDX-License-Identifier: MIT */
#include "tests/unit/term.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOR_EVER_MS ((uint64_t)86400 * 1000)

static void *counted_get(void *ctx, size_t nr_bytes)
{
    struct term *t = ctx;

    t->nr_held += nr_bytes;
    return test_memory.get(NULL, nr_bytes);
}

static void counted_put(void *ctx, void *p, size_t nr_bytes)
{
    struct term *t = ctx;

    t->nr_held -= nr_bytes;
    test_memory.put(NULL, p, nr_bytes);
}

static void append(char *buf, size_t cap, const char *s, size_t len)
{
    size_t used = strlen(buf);

    if (len >= cap - used) {
        fprintf(stderr, "the test's buffer of %zu bytes is full\n", cap);
        exit(99);
    }
    memcpy(buf + used, s, len);
    buf[used + len] = '\0';
}

static void term_put(void *ctx, const char *s, size_t len)
{
    struct term *t = ctx;
    size_t half = sizeof(t->out) / 2;

    t->nr_out += len;
    if (t->grid != NULL) {
        grid_put(t->grid, s, len);
        if (strlen(t->out) + len >= sizeof(t->out) && len < half) {
            size_t used = strlen(t->out);

            memmove(t->out, t->out + used - half, half);
            t->out[half] = '\0';
        }
    }
    append(t->out, sizeof(t->out), s, len);
}

/* The terminal was asked where its cursor is. */
static void begin_answer(struct term *t)
{
    if (t->grid == NULL || !t->grid->asked)
        return;
    t->grid->asked = false;
    if (t->answer_ms == TERM_SILENT)
        return;
    snprintf(t->answer, sizeof(t->answer), "\033[%u;%uR", t->grid->asked_row, t->grid->asked_col);
    t->nr_answered = 0;
    t->answer_at_ms = t->now_ms + t->answer_ms;
}

/* The next byte of the answer that is due until then; -1: none. */
static int answer_byte(struct term *t, uint64_t until_ms)
{
    if (t->answer[t->nr_answered] == '\0' || t->answer_at_ms > until_ms)
        return -1;
    if (t->answer_at_ms > t->now_ms)
        t->now_ms = t->answer_at_ms;
    return (unsigned char)t->answer[t->nr_answered++];
}

static int term_get(void *ctx, uint32_t timeout_ms)
{
    struct term *t = ctx;
    const struct key *key = t->keys;
    uint64_t until_ms = t->now_ms + timeout_ms;
    int c;

    begin_answer(t);
    if (t->waits != NULL && timeout_ms >= 1000)
        t->waits(t->waits_of);
    /* A key that has begun comes whole before an answer. */
    if (t->nr_bytes_read == 0) {
        bool key_first = key != NULL && key->bytes != NULL && key->at_ms < t->answer_at_ms;

        c = answer_byte(t, key_first && key->at_ms < until_ms ? key->at_ms : until_ms);
        if (c >= 0)
            return c;
    }
    if (key != NULL && key->bytes != NULL && key->at_ms <= until_ms) {
        if (key->at_ms > t->now_ms)
            t->now_ms = key->at_ms;
        c = (unsigned char)key->bytes[t->nr_bytes_read++];

        if (key->bytes[t->nr_bytes_read] == '\0') {
            t->keys++;
            t->nr_bytes_read = 0;
        }
        return c;
    }
    if (t->gone_at_end && (key == NULL || key->bytes == NULL))
        return SESSION_GONE;
    t->now_ms = until_ms;
    if (t->now_ms > FOR_EVER_MS) {
        printf("the session waits for ever; its output:\n%s\n", t->out);
        exit(1);
    }
    return -1;
}

static void term_log(void *ctx, const char *line)
{
    struct term *t = ctx;

    append(t->log, sizeof(t->log), line, strlen(line));
    append(t->log, sizeof(t->log), "\n", 1);
}

static void note(struct term *t, const char *s)
{
    append(t->booted, sizeof(t->booted), s, strlen(s));
}

static struct err term_boot(void *ctx, struct boot_request *req, char *subject, size_t subject_cap)
{
    struct term *t = ctx;
    char content[64] = "";

    if (req->kernel.node.size_bytes >= sizeof(content))
        return ERR(ERR_EXEC_FORMAT, "the kernels of these tests are a few bytes");
    TRY(file_read(&req->kernel, 0, content, req->kernel.node.size_bytes));
    note(t, req->kernel_name);
    note(t, " [");
    note(t, req->cmdline);
    note(t, "]");
    for (uint32_t i = 0; i < req->nr_initrds; i++) {
        note(t, " ");
        note(t, req->initrd_names[i]);
    }
    note(t, "\n");
    if (t->works == NULL || strcmp(t->works, content) == 0)
        return OK;
    snprintf(subject, subject_cap, "%s", req->kernel_name);
    return ERR(ERR_EXEC_FORMAT, "not a kernel");
}

static struct err term_power(void *ctx, enum session_power how)
{
    note(ctx, how == SESSION_POWER_OFF ? "power off\n" : "reboot\n");
    return OK;
}

static void term_memory_size(void *ctx, uint64_t *total_bytes, uint64_t *free_bytes)
{
    (void)ctx;
    *total_bytes = (uint64_t)512 << 20;
    *free_bytes = (uint64_t)480 << 20;
}

static uint64_t term_seed(void *ctx)
{
    (void)ctx;
    return 1;
}

struct session_env term_env(struct term *t, const struct key *keys)
{
    struct grid *grid = t->grid;
    uint32_t answer_ms = t->answer_ms;
    void (*waits)(void *of) = t->waits;
    void *waits_of = t->waits_of;

    memset(t, 0, sizeof(*t));
    t->grid = grid;
    t->answer_ms = answer_ms;
    t->waits = waits;
    t->waits_of = waits_of;
    t->keys = keys;
    t->gone_at_end = keys != NULL;
    for (const struct key *k = keys; t->gone_at_end && k != NULL;
         k = k->bytes != NULL ? k + 1 : NULL)
        t->gone_at_end = k->bytes != NULL || k->at_ms != KEYS_THEN_SILENCE;
    t->log_sink = (struct log){.ctx = t, .line = term_log};
    t->memory = (struct mem_source){.ctx = t, .get = counted_get, .put = counted_put};
    return (struct session_env){.log = &t->log_sink,
                                .memory = &t->memory,
                                .ctx = t,
                                .put = term_put,
                                .get = term_get,
                                .boot = term_boot,
                                .power = term_power,
                                .memory_size = term_memory_size,
                                .seed = term_seed};
}

struct err term_session(struct term *t, struct mem_disk *const *disks, const struct key *keys,
                        const char *works, const char *menu_arg, bool hd00)
{
    struct session_env env = term_env(t, keys);
    struct arena arena;
    struct err e;

    t->works = works;
    env.menu_arg = menu_arg;
    env.hd00 = hd00;
    arena_init(&arena, &test_memory);
    e = vols_new(&env.vols, &arena, env.log);
    for (; *disks != NULL && !failed(e); disks++)
        e = vols_add_disk(env.vols, &(*disks)->disk);
    if (!failed(e))
        e = session_run(&env);
    arena_reset(&arena);
    return e;
}

static bool holds(const char *text, const char *s, const char *what)
{
    if (strstr(text, s) != NULL)
        return true;
    printf("\"%s\" is not in the %s:\n%s\n", s, what, text);
    return false;
}

bool term_said(const struct term *t, const char *s)
{
    return holds(t->out, s, "output");
}

bool term_logged(const struct term *t, const char *s)
{
    return holds(t->log, s, "log");
}

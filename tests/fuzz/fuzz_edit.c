/* SPDX-License-Identifier: MIT */
/*
 * Fuzz what somebody types. The first byte chooses:
 *
 *     0..127    the line editor with completion and older lines: a byte for the size of the buffer,
 *               the line up to a NUL, then keys
 *     128..191  completion alone, of a line
 *     192..255  a session in which the keys reach the command line and the entry editor
 *
 * Among keys a NUL is a wait that ends without one; at the end the terminal is gone.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/menu/complete.h"
#include "core/menu/edit_parts.h"
#include "core/menu/session.h"
#include "tests/fuzz/must.h"
#include "tests/fuzz/seeds.h"
#include "tests/unit/tree.h"

#define OUT_PER_KEY 8192 /* bytes that one key may write: a list of names, a few lines */

#define MENU                                                                                       \
    "timeout 2\ntitle A\nroot (hd0)\nkernel /boot/a x\ninitrd /boot/i\n"                           \
    "title B\nkernel /boot/none\ntitle C\n"

static struct mem_disk disk;
static struct arena vols_arena;
static struct vols *vols; /* mounted once: the disk stays the same */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct tree_file files[] = {{"/boot/grub/menu.lst", MENU},
                                             {"/boot/a", "a"},
                                             {"/boot/i", "i"},
                                             {"/boot/odd \033[2J", "x"},
                                             {"/boot/\xc3\xa4", "x"},
                                             {"/boot/\xc3\xb6", "x"},
                                             {"/boot/\xff", "x"},
                                             {NULL, NULL}};
#define SEED(text)                                                                                 \
    {                                                                                              \
        (uint8_t *)(uintptr_t)(text), sizeof(text) - 1                                             \
    }
    static const struct bytes seeds[] = {
        SEED("\002\376kernel /boot/a x\0\001\033f\013\031\031\024\002\010\020\016\r"),
        SEED("\006\040\xc3\xa4 b\0\xe2\x82\xac\033[D\033[3~\025\030\r"),
        SEED("\001\020\0secret\027x\r"),
        SEED("\200kernel /boot/"),
        SEED("\200root (hd0"),
        SEED("\200help ro"),
        SEED("\300\0root (hd0)\rkernel /\tboot/a\rinitrd /boot/i\rboot\rcat /boot/a\r\033"),
        SEED("\301\0\016e x\roOede\rb \033\0c\033\0"),
        SEED("\302\0 single\r "),
    };

    for (unsigned i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++)
        seed(seed_folder(*argc, *argv), i, (struct bytes){NULL, 0}, seeds[i]);
    tree_disk(&disk, files);
    arena_init(&vols_arena, &test_memory);
    must(!failed(vols_new(&vols, &vols_arena, NULL)), "vols_new");
    must(!failed(vols_add_disk(vols, &disk.disk)), "vols_add_disk");
    return 0;
}

/* ---- the terminal -----------------------------------------------------------------------------
 */

struct terminal {
    const uint8_t *keys;
    size_t left;
    size_t nr_out, nr_keys;
    bool plain; /* ESC only as CSI K */
};

/* What is written steers the terminal only as the editor means it. */
static void put(void *ctx, const char *s, size_t len)
{
    struct terminal *t = ctx;
    size_t n;

    t->nr_out += len;
    for (size_t i = 0; t->plain && i < len; i += n) {
        n = text_shown_char(s + i, len - i);
        if (n > 0)
            continue;
        n = 1;
        if (s[i] == '\033')
            must(len - i >= 3 && memcmp(s + i, "\033[K", 3) == 0, "the only sequence is CSI K");
        else
            must(s[i] == '\r' || s[i] == '\n' || s[i] == '\b' || s[i] == '\a',
                 "no byte that does not belong on a terminal");
    }
}

static int get(void *ctx, uint32_t timeout_ms)
{
    struct terminal *t = ctx;

    (void)timeout_ms;
    if (t->left == 0)
        return SESSION_GONE;
    t->left--;
    t->nr_keys++;
    return *t->keys++ == 0 ? -1 : t->keys[-1];
}

static struct err boot(void *ctx, struct boot_request *req, char *subject, size_t subject_cap)
{
    (void)ctx;
    (void)req;
    (void)subject;
    (void)subject_cap;
    return ERR(ERR_EXEC_FORMAT, "nothing boots here");
}

static struct err power(void *ctx, enum session_power how)
{
    (void)ctx;
    (void)how;
    return ERR(ERR_HYPERCALL, "nothing is switched off here");
}

static struct session_env env_on(struct terminal *t)
{
    return (struct session_env){.vols = vols,
                                .memory = &test_memory,
                                .ctx = t,
                                .put = put,
                                .get = get,
                                .boot = boot,
                                .power = power};
}

/* ---- the three kinds --------------------------------------------------------------------------
 */

static void check_memory(const struct edit_memory *m)
{
    size_t used = 0;

    must(m->nr_lines <= EDIT_HISTORY_LINES && m->used_bytes <= sizeof(m->lines),
         "lines are capped");
    must(m->killed_len <= sizeof(m->killed), "what was killed is capped");
    for (uint32_t age = 1; age <= m->nr_lines; age++) {
        const char *line = edit_recall(m, age);

        must(line != NULL && line[0] != '\0', "each line is there");
        used += strlen(line) + 1;
    }
    must(used == m->used_bytes, "the lines are all that there is");
}

/* The size of the buffer by one byte: small ones in steps of one, larger ones up to the cap. */
static size_t cap_of(uint8_t byte)
{
    return byte < 128 ? (size_t)byte + 1 : (size_t)(byte - 127) * 64;
}

static void fuzz_line(uint8_t kind, const uint8_t *data, size_t size)
{
    static struct edit_memory memory;
    struct terminal t = {.plain = true};
    struct session_env env = env_on(&t);
    struct screen sc = {.env = &env, .somebody = true, .cols = kind & 4 ? 20 : 0};
    size_t cap = cap_of(data[0]), len;
    char *before = calloc(1, cap), *line = malloc(cap);
    struct pager pager;
    struct completer completer = {.pager = &pager, .vols = vols, .root = {0, VOL_WHOLE}};
    const struct edit_options opt = {.prompt = "> ",
                                     .secret = kind & 1,
                                     .memory = kind & 2 ? &memory : NULL,
                                     .complete = complete_line,
                                     .ctx = &completer};
    enum edit_end end;

    data++;
    size--;
    for (len = 0; len < size && len < cap - 1 && data[len] != 0; len++)
        before[len] = (char)data[len];
    t.keys = data + len;
    t.left = size - len;
    pager_init(&pager, &sc);
    memset(&memory, 0, sizeof(memory));
    edit_remember(&memory, "one");
    edit_remember(&memory, before);
    memcpy(line, before, cap);
    end = edit_line(&sc, &opt, line, cap);
    must(memchr(line, '\0', cap) != NULL, "the line is terminated");
    must(end == EDIT_DONE || memcmp(line, before, cap) == 0, "only a finished line changes it");
    must(end != EDIT_GONE || t.left == 0, "the terminal was gone");
    must(t.nr_out <= (t.nr_keys + 2) * (OUT_PER_KEY + cap * 4), "a key writes only so much");
    edit_remember(&memory, line);
    check_memory(&memory);
    free(before);
    free(line);
}

static void fuzz_completion(const uint8_t *data, size_t size)
{
    struct terminal t = {.plain = true};
    struct session_env env = env_on(&t);
    struct screen sc = {.env = &env, .somebody = true};
    struct pager pager;
    struct completer completer = {.pager = &pager, .vols = vols, .root = {0, VOL_WHOLE}};
    struct edit_tab tab = {.insert = ""};
    char *line = malloc(size + 1);
    size_t len, n;

    memcpy(line, data, size);
    line[size] = '\0';
    pager_init(&pager, &sc);
    complete_line(&completer, line, strlen(line), &tab);
    must(memchr(tab.insert, '\0', sizeof(tab.insert)) != NULL, "the insertion is terminated");
    len = strlen(tab.insert);
    for (size_t i = 0; i < len; i += n) {
        n = text_shown_char(tab.insert + i, len - i);
        must(n > 0, "what is inserted can be typed");
        must(tab.insert[i] != ' ' || i == len - 1, "what is inserted is one word");
    }
    must(t.nr_out == 0 || tab.wrote, "what it wrote it says");
    free(line);
}

static void fuzz_session(uint8_t kind, const uint8_t *data, size_t size)
{
    static const char starts[4] = {'c', 'e', 'a', 'x'};
    uint8_t *keys = malloc(size + 1);
    struct terminal t = {.keys = keys, .left = size + 1};
    struct session_env env = env_on(&t);

    keys[0] = (uint8_t)starts[kind & 3];
    memcpy(keys + 1, data, size);
    must(failed(session_run(&env)), "a session in which nothing boots ends with an error");
    free(keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    if (data[0] < 128)
        fuzz_line(data[0], data + 1, size - 1);
    else if (data[0] < 192)
        fuzz_completion(data + 1, size - 1);
    else
        fuzz_session(data[0], data + 1, size - 1);
    return 0;
}

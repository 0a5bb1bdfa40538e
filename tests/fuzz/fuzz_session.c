/* SPDX-License-Identifier: MIT */
/*
 * Fuzz what somebody does at a console: keys with any timing, on one of a few menus, on a terminal
 * of any size that answers at once, late or never. The session must end, must give all memory
 * back, may write only what tests/unit/grid.h allows, no escape sequence before a key has come, and
 * leaves the terminal clean.
 *
 * Input: four bytes choose the menu, the terminal and what boots; then each byte is typed, but for
 *
 *     0xd0 to 0xdf   time passes: 2^n ms
 *     0xe0 to 0xff   a whole key or line of the table below
 *     R              is r: a size that the terminal does not have would be a lie of ours
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/menu/session.h"
#include "tests/fuzz/must.h"
#include "tests/fuzz/seeds.h"
#include "tests/unit/grid.h"
#include "tests/unit/tree.h"

#define GETS_MAX 200000 /* looks at the console: more are a session that does not end */
#define HELD_MAX ((size_t)64 << 20)

static const char *const typed[32] = {"\033[A",     "\033[B",
                                      "\033[C",     "\033[D",
                                      "\033[5~",    "\033[6~",
                                      "\033[H",     "\033[F",
                                      "\033",       "\r",
                                      "\014",       "\t",
                                      "\x7f",       "\033b",
                                      "\033d",      "\033[3~",
                                      "\xc3\xa4",   "\xe6\x97\xa5",
                                      "\xcc\x88",   "\033[200~",
                                      "e",          "c",
                                      "a",          "p",
                                      "o",          "kernel /boot/a x\r",
                                      "boot\r",     "root (hd0)\r",
                                      "cat /boot/", "help\r",
                                      "secret\r",   "configfile (hd0)/m0\r"};

static const struct tree_file files[] = {
    {"/m0", "timeout 2\ndefault 1\nfallback 0 2\ntitle A\nroot (hd0)\nkernel /boot/a x\n"
            "title B\nkernel /boot/none\ntitle C\nkernel /boot/a\ninitrd /boot/i /boot/i\n"},
    {"/m1", "timeout 0\ntitle only\nkernel /boot/a\n"},
    {"/m2", "timeout 4\nhiddenmenu\ntitle \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e and o\xcc\x88\n"
            "kernel /boot/a\ntitle \033[2J\xff\nkernel /boot/a\n"},
    {"/m3", "timeout 3\ncolor light-gray/blue yellow/red\npassword secret\ntitle one\nlock\n"
            "kernel /boot/a\ntitle two\npassword other\nkernel /boot/a\ntitle three\npause\n"
            "kernel /boot/a\n"},
    {"/m4", NULL}, /* many entries */
    {"/boot/a", "a"},
    {"/boot/i", "i"},
    {NULL, NULL}};
#define NR_MENUS 5

struct console {
    const uint8_t *data;
    size_t left;
    const char *typing;       /* the rest of a key of the table */
    uint64_t now_ms, next_ms; /* the next byte does not come before */
    uint32_t answer_ms;
    char answer[32];
    size_t nr_answered;
    uint64_t answer_at_ms;
    uint32_t nr_gets;
    bool somebody, boots;
    size_t nr_held;
    struct grid grid; /* last, and cleared by grid_init */
};

static struct mem_disk disk;
static struct arena vols_arena;
static struct vols *vols; /* mounted once: the disk stays the same */
static struct console console;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Where each part of a session is reached; \xd9 passes half a second, as if somebody looked. */
static const struct {
    const char *options, *keys;
} seeds[] = {
    {"\x82\x01\x20\x50", "\xd9\033[B\033[B\033[A\014\r"},
    {"\x82\x02\x20\x50", "\xd9"
                         "ckernel /boot/a x\rroot (hd0)\rinitrd /bo\t/i\rboot\r"},
    {"\x82\x03\x20\x50", "\xd9"
                         "chelp\r  cat /m0\rdisplaymem\rfind /m1\r\033[A\r\033"},
    {"\x00\x03\x20\x50", "\xd9"
                         "cboot\rconfigfile (hd0)/m0\r\xdb\xdbx\033[6~\r"},
    {"\x82\x02\x20\x50", "\xd9"
                         "e\033[Be\025kernel /boot/a y\ro\rOquiet\rdb"},
    {"\x82\x03\x20\x50", "\xd9\033[Ha single\033b\004\027\031\r"},
    {"\x80\x01\x20\x50", "\xd9"
                         "epwrong\rxpsecret\re\033a\r"},
    {"\x80\x00\x09\x14", "\xd9\r\rother\r\xd9\033[B\rother\r\xd9x\033[F\r\r"},
    {"\x02\x01\x20\x50", "\033\xd9\033[B\r\xd9 \xd9\r"},
    {"\x01\x00\x00\x00", "\033OS\xd9"
                         "1b"},
    {"\x04\x00\x00\x00", "\xd9\033[6~\033[6~\033[F\033[5~\r"},
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static char many[8192] = "timeout 1\n";
    struct tree_file with_many[ARRAY_LEN(files)];

    for (unsigned i = 0; i < ARRAY_LEN(seeds); i++)
        seed(seed_folder(*argc, *argv), i,
             (struct bytes){(uint8_t *)(uintptr_t)seeds[i].options, 4},
             (struct bytes){(uint8_t *)(uintptr_t)seeds[i].keys, strlen(seeds[i].keys)});
    for (size_t len = strlen(many), i = 0; i < 150; i++)
        len +=
            (size_t)snprintf(many + len, sizeof(many) - len, "title entry %zu\nkernel /none\n", i);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        with_many[i] = files[i];
        if (files[i].path != NULL && files[i].text == NULL)
            with_many[i].text = many;
    }
    tree_disk(&disk, with_many);
    arena_init(&vols_arena, &test_memory);
    must(!failed(vols_new(&vols, &vols_arena, NULL)), "vols_new");
    must(!failed(vols_add_disk(vols, &disk.disk)), "vols_add_disk");
    return 0;
}

static void put(void *ctx, const char *s, size_t len)
{
    struct console *c = ctx;

    must(c->somebody || memchr(s, '\033', len) == NULL, "no escape sequence before a key");
    grid_put(&c->grid, s, len);
    if (c->grid.bad[0] != '\0') {
        grid_print(&c->grid);
        must(false, "only what a terminal must know is written");
    }
    if (!c->grid.asked)
        return;
    c->grid.asked = false;
    if (c->answer_ms == UINT32_MAX)
        return;
    snprintf(c->answer, sizeof(c->answer), "\033[%u;%uR", c->grid.asked_row, c->grid.asked_col);
    c->nr_answered = 0;
    c->answer_at_ms = c->now_ms + c->answer_ms;
}

/* Take what only passes time off the input. */
static void pass_time(struct console *c)
{
    while (*c->typing == '\0' && c->left > 0 && c->data[0] >= 0xd0 && c->data[0] <= 0xdf) {
        c->next_ms =
            (c->next_ms > c->now_ms ? c->next_ms : c->now_ms) + (1U << (c->data[0] - 0xd0));
        c->data++;
        c->left--;
    }
}

static int type(struct console *c)
{
    uint8_t byte;

    if (*c->typing != '\0')
        return (uint8_t)*c->typing++;
    byte = *c->data++;
    c->left--;
    if (byte == 'R')
        return 'r';
    if (byte < 0xe0)
        return byte;
    c->typing = typed[byte - 0xe0];
    return (uint8_t)*c->typing++;
}

static int get(void *ctx, uint32_t timeout_ms)
{
    struct console *c = ctx;
    uint64_t until_ms = c->now_ms + timeout_ms;
    bool answers = c->answer[c->nr_answered] != '\0', types;

    must(++c->nr_gets < GETS_MAX, "the session ends");
    pass_time(c);
    types = *c->typing != '\0' || c->left > 0;
    /* An answer comes whole, and not within a key. */
    if (answers && c->answer_at_ms <= until_ms && *c->typing == '\0' &&
        (!types || c->answer_at_ms <= (c->next_ms > c->now_ms ? c->next_ms : c->now_ms))) {
        c->now_ms = c->answer_at_ms > c->now_ms ? c->answer_at_ms : c->now_ms;
        return (uint8_t)c->answer[c->nr_answered++];
    }
    if (types && c->next_ms <= until_ms) {
        c->now_ms = c->next_ms > c->now_ms ? c->next_ms : c->now_ms;
        c->somebody = true;
        return type(c);
    }
    c->now_ms = until_ms;
    return types || answers ? -1 : SESSION_GONE;
}

static struct err boot(void *ctx, struct boot_request *req, char *subject, size_t subject_cap)
{
    struct console *c = ctx;

    (void)subject;
    (void)subject_cap;
    must(strlen(req->cmdline) < SESSION_CMDLINE_MAX, "the command line is terminated");
    must(c->grid.pen.bg == 0 && !c->grid.pen.reverse && !c->grid.places, "a clean terminal boots");
    return c->boots ? OK : ERR(ERR_EXEC_FORMAT, "nothing boots here");
}

static void *counted_get(void *ctx, size_t nr_bytes)
{
    struct console *c = ctx;

    c->nr_held += nr_bytes;
    must(c->nr_held < HELD_MAX, "a session needs little memory");
    return test_memory.get(NULL, nr_bytes);
}

static void counted_put(void *ctx, void *p, size_t nr_bytes)
{
    struct console *c = ctx;

    c->nr_held -= nr_bytes;
    test_memory.put(NULL, p, nr_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t answer_ms[] = {0, 150, 3000, UINT32_MAX};
    const struct mem_source memory = {.ctx = &console, .get = counted_get, .put = counted_put};
    char menu[] = "(hd0)/m0";
    struct session_env env = {.vols = vols,
                              .memory = &memory,
                              .ctx = &console,
                              .put = put,
                              .get = get,
                              .boot = boot,
                              .menu_arg = menu,
                              .heading = "pvboot"};

    if (size < 4)
        return 0;
    memset(&console, 0, offsetof(struct console, grid));
    menu[sizeof(menu) - 2] = (char)('0' + data[0] % NR_MENUS);
    console.boots = data[0] & 0x80;
    console.answer_ms = answer_ms[data[1] % 4];
    /* Whose size is not known in time is taken for one of 80 x 24; a paste may fill the time. */
    if (data[1] % 4 == 0)
        grid_init(&console.grid, 5 + data[2] % 70, 20 + data[3] % 220);
    else
        grid_init(&console.grid, 24 + data[2] % 50, 80 + data[3] % 200);
    console.typing = "";
    console.data = data + 4;
    console.left = size - 4;
    struct err e = session_run(&env);

    must(failed(e) || console.boots || console.somebody, "nothing boots by itself here");
    must(console.nr_held == 0, "all memory is given back");
    must(!console.grid.places && !console.grid.pen.reverse && console.grid.pen.bg == 0 &&
             console.grid.nr_pending == 0,
         "the terminal is left clean");
    return 0;
}

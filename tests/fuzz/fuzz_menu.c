/* SPDX-License-Identifier: MIT */
/*
 * Fuzz the menu. The first byte chooses: an even one takes the rest as a menu.lst, which is parsed
 * and whose entries are resolved on a small real disk; an odd one takes the rest as what somebody
 * types in a session.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/menu/commands.h"
#include "core/menu/menu.h"
#include "core/menu/session.h"
#include "tests/unit/tree.h"
#include "tests/fuzz/must.h"

#define ENTRIES_RUN 16

#define MENU                                                                                       \
    "timeout 2\ndefault 1\nfallback 0 2\ntitle A\nroot (hd0)\nkernel /boot/a x\n"                  \
    "title B\nkernel /boot/none\ntitle C\nkernel /boot/a\ninitrd /boot/i /boot/i\n"

static struct mem_disk disk;
static struct arena vols_arena;
static struct vols *vols; /* mounted once: the disk stays the same */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct tree_file files[] = {
        {"/boot/grub/menu.lst", MENU}, {"/boot/a", "a"}, {"/boot/i", "i"}, {NULL, NULL}};

    (void)argc;
    (void)argv;
    tree_disk(&disk, files);
    arena_init(&vols_arena, &test_memory);
    must(!failed(vols_new(&vols, &vols_arena, NULL)), "vols_new");
    must(!failed(vols_add_disk(vols, &disk.disk)), "vols_add_disk");
    return 0;
}

/* The parsed menu accounts for every command, and every text of it is terminated. */
static void check_menu(const struct menu *m)
{
    size_t sum = 0;

    for (uint32_t i = 0; i < m->nr_globals; i++)
        must(strlen(m->globals[i].line) >= m->globals[i].name_len, "a name lies in its line");
    for (uint32_t i = 0; i < m->nr_entries; i++) {
        sum += strlen(m->entries[i].title);
        for (uint32_t j = 0; j < m->entries[i].nr_commands; j++)
            sum += strlen(m->entries[i].commands[j].args);
    }
    must(sum <= MENU_BYTES_MAX, "all text comes from the file");
}

static void resolve(const struct menu_entry *entry)
{
    char subject[256];
    struct arena arena;
    struct shell a = {
        .vols = vols, .root = {0, VOL_WHOLE}, .subject = subject, .subject_cap = sizeof(subject)};
    struct err e;

    arena_init(&arena, &test_memory);
    a.req = arena_alloc(&arena, sizeof(*a.req));
    must(a.req != NULL, "there is memory");
    a.req->arena = &arena;
    e = shell_run_entry(&a, entry);
    must(strlen(subject) < sizeof(subject), "the subject is terminated");
    if (!failed(e)) {
        must(a.has_kernel, "success means a kernel");
        must(strlen(a.req->cmdline) < SESSION_CMDLINE_MAX, "the command line is terminated");
        must(a.req->nr_initrds <= SESSION_INITRD_MAX, "initrds are capped");
    }
    arena_reset(&arena);
}

static void fuzz_menu(const char *text, size_t len, struct arena *arena)
{
    struct menu_settings settings;
    struct menu m;

    if (failed(menu_parse(&m, text, len, arena, NULL)))
        return;
    check_menu(&m);
    menu_settings(&m, &settings, NULL);
    must(m.nr_entries == 0 || settings.default_entry < m.nr_entries, "the default exists");
    must(settings.nr_fallbacks <= MENU_FALLBACK_MAX, "fallbacks are capped");
    for (uint32_t i = 0; i < m.nr_entries && i < ENTRIES_RUN; i++)
        resolve(&m.entries[i]);
}

struct keys {
    const uint8_t *data;
    size_t left;
};

static void put(void *ctx, const char *s, size_t len)
{
    (void)ctx;
    (void)s;
    (void)len;
}

/* A byte of 0 is a wait that ends without a key. */
static int get(void *ctx, uint32_t timeout_ms)
{
    struct keys *k = ctx;

    (void)timeout_ms;
    if (k->left == 0)
        return SESSION_GONE;
    k->left--;
    return *k->data++ == 0 ? -1 : k->data[-1];
}

static struct err boot(void *ctx, struct boot_request *req, char *subject, size_t subject_cap)
{
    (void)ctx;
    (void)req;
    (void)subject;
    (void)subject_cap;
    return ERR(ERR_EXEC_FORMAT, "nothing boots here");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;

    if (size == 0)
        return 0;
    if (data[0] % 2 == 0) {
        arena_init(&arena, &test_memory);
        fuzz_menu((const char *)data + 1, size - 1, &arena);
        arena_reset(&arena);
    } else {
        struct keys keys = {.data = data + 1, .left = size - 1};
        struct session_env env = {.vols = vols,
                                  .memory = &test_memory,
                                  .ctx = &keys,
                                  .put = put,
                                  .get = get,
                                  .boot = boot};

        must(failed(session_run(&env)), "a session in which nothing boots ends with an error");
    }
    return 0;
}

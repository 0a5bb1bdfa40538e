/* SPDX-License-Identifier: MIT */
/*
 * Fuzz the menu: menu.lst is parsed, its settings are made, its entries are resolved on a small
 * real disk, and it is printed as `pvboot inspect --menu` does. The first byte chooses text (even)
 * or JSON (odd); the rest is the menu. What somebody types at a menu is fuzz_session's.
 *
 * It starts from the menus of tests/menus, where it runs beside them.
 */
#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/menu/commands.h"
#include "core/menu/menu.h"
#include "host/inspect.h"
#include "tests/fuzz/must.h"
#include "tests/fuzz/seeds.h"
#include "tests/unit/tree.h"

#define ENTRIES_RUN   16
#define COMMAND_SEEDS 1000          /* their first number */
#define MENUS         "tests/menus" /* from the repository's root */

#define MENU                                                                                       \
    "timeout 2\ndefault 1\nfallback 0 2\ntitle A\nroot (hd0)\nkernel /boot/a x\n"                  \
    "title B\nkernel /boot/none\ntitle C\nkernel /boot/a\ninitrd /boot/i /boot/i\n"

static struct mem_disk disk;
static struct arena vols_arena;
static struct vols *vols; /* mounted once: the disk stays the same */

static int is_menu(const struct dirent *d)
{
    const char *dot = strrchr(d->d_name, '.');

    return dot != NULL && (strcmp(dot, ".lst") == 0 || strcmp(dot, ".conf") == 0);
}

static void add_seed(const char *folder, unsigned number, const char *name)
{
    char path[512];
    uint8_t content[65536], kind = (uint8_t)number;
    FILE *f;

    snprintf(path, sizeof(path), MENUS "/%s", name);
    f = fopen(path, "rb");
    if (f == NULL)
        return;
    seed(folder, number, (struct bytes){&kind, 1},
         (struct bytes){content, fread(content, 1, sizeof(content), f)});
    fclose(f);
}

static void add_seeds(const char *folder)
{
    struct dirent **names;
    int nr = scandir(MENUS, &names, is_menu, alphasort);

    for (int i = 0; i < nr; i++) {
        add_seed(folder, (unsigned)i, names[i]->d_name);
        free(names[i]);
    }
    if (nr >= 0)
        free(names);
}

/* Each command in an entry of its own, with the arguments that most of them take. */
static void add_command_seeds(const char *folder)
{
    unsigned number = COMMAND_SEEDS;

    for (const struct command *c = menu_commands; c->name != NULL; c++) {
        char menu[512];
        uint8_t kind = 0;

        snprintf(menu, sizeof(menu),
                 "%s saved /boot/a\ntitle x\n%s /boot/a /boot/i\ntitle y\nkernel /boot/a\n"
                 "%s --set=root (hd0)\ntitle z\nkernel /boot/a\n%s\n",
                 c->name, c->name, c->name, c->name);
        seed(folder, number++, (struct bytes){&kind, 1},
             (struct bytes){(uint8_t *)menu, strlen(menu)});
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct tree_file files[] = {
        {"/boot/grub/menu.lst", MENU}, {"/boot/a", "a"}, {"/boot/i", "i"}, {NULL, NULL}};

    add_seeds(seed_folder(*argc, *argv));
    add_command_seeds(seed_folder(*argc, *argv));
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

/* Commands echo, and show files: nothing of it steers a terminal but the tab of `cat`. */
static void check_said(void *ctx, const char *line)
{
    (void)ctx;
    for (; *line != '\0'; line++) {
        unsigned char c = (unsigned char)*line;

        must((c >= 0x20 && c != 0x7f) || c == '\t', "no control byte is said");
    }
}

static void resolve(const struct menu_entry *entry)
{
    const struct log say = {.line = check_said};
    char subject[256];
    struct arena arena;
    struct shell a = {.vols = vols,
                      .say = &say,
                      .root = {0, VOL_WHOLE},
                      .subject = subject,
                      .subject_cap = sizeof(subject)};
    struct err e;

    arena_init(&arena, &test_memory);
    a.req = arena_alloc(&arena, sizeof(*a.req));
    must(a.req != NULL, "there is memory");
    a.req->arena = &arena;
    e = shell_run_entry(&a, entry);
    must(strlen(subject) < sizeof(subject), "the subject is terminated");
    if (!failed(e)) {
        must(a.has_kernel || (a.next != SHELL_GO_ON && a.next != SHELL_BOOT),
             "success means a kernel, or something else to do");
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

/* What is printed goes to a terminal, or into a parser of JSON: lines, and nothing that steers. */
static void check_printed(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        must(c >= 0x20 || c == '\n', "no control byte is printed");
        must(c != 0x7f, "no DEL is printed");
    }
}

/* `pvboot inspect --menu`, text or JSON. */
static void print(const char *text, size_t len, bool as_json, struct arena *arena)
{
    static struct report r;
    FILE *out = stdout;
    char *printed = NULL;
    size_t printed_len = 0;
    bool good;

    r = (struct report){.arena = arena, .has_menu = true};
    r.log.arena = r.search.arena = arena;
    strcpy(r.file.name, "menu.lst");
    r.file.text = text;
    r.file.len = len;
    stdout = open_memstream(&printed, &printed_len);
    must(stdout != NULL, "there is memory");
    good = inspect_menu(&r, as_json);
    fclose(stdout);
    stdout = out;
    must(good == (r.menu.nr_entries > 0), "there is something to boot where there are entries");
    check_printed(printed, printed_len);
    free(printed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;

    if (size == 0)
        return 0;
    arena_init(&arena, &test_memory);
    fuzz_menu((const char *)data + 1, size - 1, &arena);
    print((const char *)data + 1, size - 1, data[0] % 2 != 0, &arena);
    arena_reset(&arena);
    return 0;
}

/* SPDX-License-Identifier: MIT */
#include "tests/unit/menurun.h"

#include <stdio.h>
#include <stdlib.h>

#define FILES_MAX 32

static struct tree_file all[FILES_MAX];
static size_t nr_files;

void menurun_files(const struct tree_file *files)
{
    nr_files = 0;
    for (; files->path != NULL; files++) {
        if (nr_files == FILES_MAX - 2)
            exit(99);
        all[nr_files++] = *files;
    }
}

struct err menurun(struct term *term, const char *menu, const struct key *keys)
{
    static const struct tree_file second[] = {
        {"/data/only-here", "here"}, {"/both", "second"}, {NULL, NULL}};
    struct mem_disk disk, other, *disks[] = {&disk, &other, NULL};
    struct err e;

    all[nr_files] = (struct tree_file){"/boot/grub/menu.lst", menu};
    all[nr_files + 1] = (struct tree_file){NULL, NULL};
    tree_disk_made(&disk, all, "-L ROOT -U " MENURUN_UUID);
    tree_disk_made(&other, second, "-L 'Data disk' -U fedcba98-7654-3210-fedc-ba9876543210");
    e = term_session(term, disks, keys, NULL, NULL, false);
    tree_free(&disk);
    tree_free(&other);
    return e;
}

struct err menurun_entry(struct term *term, const char *lines, const struct key *keys)
{
    char menu[16384];

    snprintf(menu, sizeof(menu), "timeout 0\ntitle x\n%s\n", lines);
    return menurun(term, menu, keys);
}

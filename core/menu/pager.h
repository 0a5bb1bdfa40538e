/* SPDX-License-Identifier: MIT */
/*
 * Long output, a screenful at a time: as a log whose lines wait where the screen is full. With
 * nobody there nothing waits.
 */
#ifndef PVBOOT_MENU_PAGER_H
#define PVBOOT_MENU_PAGER_H

#include "core/menu/screen.h"

struct pager {
    struct screen *sc;
    uint32_t nr_rows; /* written since the page began */
    bool off;         /* somebody does not want it to stop */
    bool quit;        /* somebody has seen enough: lines are dropped until pager_begin */
    struct log log;   /* write here */
};

void pager_init(struct pager *p, struct screen *sc);

/* What comes now is looked at afresh: a new page. */
void pager_begin(struct pager *p);

#define COLUMNS_MAX 16

/*
 * Names in columns that are read downwards, each as text_name shows it, in lines of at most `width`
 * columns where the names are not wider themselves. Memory for the lines is taken from the arena.
 */
struct err columns_print(const struct log *log, struct arena *a, const char *const *names,
                         size_t nr, size_t width);

#endif

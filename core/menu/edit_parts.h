/* SPDX-License-Identifier: MIT */
/* What edit.c (keys), edit_text.c (characters, words, memory) and edit_show.c (the row on the
 * terminal) share. */
#ifndef PVBOOT_MENU_EDIT_PARTS_H
#define PVBOOT_MENU_EDIT_PARTS_H

#include "core/menu/edit.h"

#define EDIT_OUT_BYTES 1024

struct editor {
    struct screen *sc;
    const struct edit_options *opt;
    char *buf; /* the line, terminated */
    size_t cap, len;
    size_t at;    /* the cursor: before this byte */
    char *typed;  /* the line itself while an older one is shown */
    uint32_t age; /* 0: the line itself; 1: the newest of the memory */
    char *killed; /* cap bytes or more */
    size_t killed_len;
    char part[4]; /* of a character whose last bytes have not come */
    size_t part_len;
    bool said_full;
    size_t left; /* columns of the line that are scrolled out */
    char out[EDIT_OUT_BYTES];
    size_t out_len;
};

/* ---- edit_text.c -----------------------------------------------------------------------------
 */

/* Where the character before, or after, the byte begins. */
size_t edit_before(const struct editor *ed, size_t at);
size_t edit_after(const struct editor *ed, size_t at);

/* Where the word that Alt-b, Alt-f, ^W go to begins or ends. */
size_t edit_word_start(const struct editor *ed, size_t at);
size_t edit_word_end(const struct editor *ed, size_t at);
size_t edit_blank_start(const struct editor *ed, size_t at);

/* Insert at the cursor, which goes behind it; false when there is no room for the whole. */
bool edit_insert(struct editor *ed, const char *s, size_t len);

/* Take [from, to) out; the cursor goes there. kill: ^Y puts it back. */
void edit_take(struct editor *ed, size_t from, size_t to, bool kill);

/* The line of that age; NULL when there is none. */
const char *edit_recall(const struct edit_memory *m, uint32_t age);

/* ---- edit_show.c -----------------------------------------------------------------------------
 */

/* Draw the row, scrolled so that the cursor is in it. */
void edit_show(struct editor *ed);

/* After [from, ed->at) was typed at the end of the line: only this much is written if it can be. */
void edit_show_typed(struct editor *ed, size_t from);

#endif

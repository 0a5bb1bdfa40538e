/* SPDX-License-Identifier: MIT */
/*
 * The line editor: one line, on one row of the terminal, with the keys of Emacs and bash.
 *
 *     ^A ^E ^B ^F, arrows, Home, End    move; Alt-b, Alt-f by words
 *     ^H, DEL, ^D, Delete               delete a character
 *     ^K ^U ^W, Alt-d                   kill: to the end, to the start, the word before, the next
 *     ^Y ^T ^L                          put back what was killed; swap two characters; draw again
 *     ^P ^N, up, down                   older and newer lines
 *     TAB                               completion
 *     Enter; ESC, ^C, ^G                done; cancelled
 *
 * A character is one of UTF-8, however its bytes arrive. A line that is wider than the terminal is
 * shown in part, `<` and `>` stand where it goes on. Control characters cannot be typed; those that
 * the line had before, and bytes that are no UTF-8, are shown as \xNN and kept as they are.
 */
#ifndef PVBOOT_MENU_EDIT_H
#define PVBOOT_MENU_EDIT_H

#include "core/menu/screen.h"

#define EDIT_LINE_MAX      8192 /* bytes of the longest buffer that can be edited */
#define EDIT_INSERT_MAX    512  /* bytes that one completion may insert, and the terminator */
#define EDIT_HISTORY_LINES 100
#define EDIT_HISTORY_BYTES 16384 /* of all lines together; the oldest make room */

/* What an editor remembers from one line to the next. Zeroed at first. */
struct edit_memory {
    char lines[EDIT_HISTORY_BYTES]; /* each terminated, the oldest first */
    size_t used_bytes;
    uint32_t nr_lines;
    char killed[EDIT_LINE_MAX]; /* what ^Y puts back */
    size_t killed_len;
};

/* Add a line as the newest, unless it is empty, the newest already, or longer than all may be. */
void edit_remember(struct edit_memory *m, const char *line);

/* What a completion does to the line. */
struct edit_tab {
    char insert[EDIT_INSERT_MAX]; /* goes in at the cursor; "" for nothing */
    bool wrote;                   /* lines were written: the edited one is drawn again below them */
};

struct edit_options {
    const char *prompt;         /* printable ASCII */
    bool secret;                /* a password: shown as `*`, and nothing of it is kept */
    struct edit_memory *memory; /* lines for ^P; NULL: none */
    /*
     * TAB. line[0..len) is what stands before the cursor, terminated. What it writes begins with a
     * new line and ends with one. NULL: TAB does nothing.
     */
    void (*complete)(void *ctx, const char *line, size_t len, struct edit_tab *tab);
    void *ctx;
};

enum edit_end { EDIT_DONE, EDIT_CANCELLED, EDIT_GONE };

/*
 * Edit the line in buf, which has cap bytes (at most EDIT_LINE_MAX) and is terminated. Only
 * EDIT_DONE changes it. EDIT_GONE: the terminal is gone, or nobody is there: nothing is waited for.
 */
enum edit_end edit_line(struct screen *sc, const struct edit_options *opt, char *buf, size_t cap);

/* Overwrite a password that was typed, so that it does not stay in memory that others get. */
void edit_wipe(char *buf, size_t len);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A terminal that shows: a grid of cells, for what a session writes. It knows the control functions
 * that core/menu/screen.h lists and BEL, BS, CR, LF, no others; whatever else comes is a finding,
 * and so is, where things were put at places, a character in the last column or a line feed that
 * would scroll. Lines of text may wrap and scroll: they do so before anything is put at a place,
 * and again after the screen has been cleared and a line feed has come.
 */
#ifndef PVBOOT_TESTS_GRID_H
#define PVBOOT_TESTS_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRID_ROWS_MAX 100
#define GRID_COLS_MAX 300

struct cell {
    char bytes[16]; /* a character and its marks; "" is blank, also the right half of a wide one */
    uint8_t width;  /* 2 for the left half of a wide character */
    uint8_t fg, bg; /* 0: usual, else 30 to 37, 40 to 47 */
    bool bold, blink, reverse;
};

struct grid {
    uint32_t rows, cols;
    uint32_t row, col;
    struct cell pen;               /* what is switched on */
    bool places;                   /* something was put at a place */
    bool cleared;                  /* and nothing has come since */
    bool asked;                    /* CSI 6 n has come: take it away to answer */
    uint32_t asked_row, asked_col; /* from 1 */
    char bad[128];                 /* the first finding */
    /* A character or a control function of which not all bytes have come. */
    char pending[32];
    size_t nr_pending;
    struct cell cells[GRID_ROWS_MAX][GRID_COLS_MAX]; /* last: only what is used of it is cleared */
};

void grid_init(struct grid *g, uint32_t rows, uint32_t cols);

/* Another size: everything is blank. */
void grid_resize(struct grid *g, uint32_t rows, uint32_t cols);

void grid_put(struct grid *g, const char *s, size_t len);

/* The text of a row without blanks at its end; in a buffer that the next call reuses. */
const char *grid_row(const struct grid *g, uint32_t row);

/* Is one of the row's cells reversed? */
bool grid_row_reversed(const struct grid *g, uint32_t row);

/* Do both show the same, with the cursor at the same place? */
bool grid_same(const struct grid *a, const struct grid *b);

void grid_print(const struct grid *g);

#endif
